"""How much stack a function takes: from the call graph that a compiler writes, or from an object file's calls."""

import re
from collections.abc import Mapping, Set

_NODE = re.compile(r'node: \{ title: "([^"]+)" label: "[^"]*?(\d+) bytes')
_EDGE = re.compile(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"')
_USAGE = re.compile(r"^[^\t]*:(\S+)\t(\d+)\t", re.MULTILINE)
_FUNCTION = re.compile(r"^[0-9a-f]+ <([^>+]+)>:$")
_CALL = re.compile(r"\b[0-9a-f]+: R_AVR_(?:CALL|13_PCREL)\s+([^\s+]+)")


def deepest_stack(call_graph: str, function: str) -> int:
    """Return the bytes of stack that a function and all that it calls take at most.

    Args:
        call_graph: what ``-fcallgraph-info=su`` writes: the figures of ``-fstack-usage``, and who calls whom.
        function: where to begin.
    """
    own = {title: int(size) for title, size in _NODE.findall(call_graph)}
    return _depth(function, own, set(_EDGE.findall(call_graph)))


def deepest_avr_stack(usage: str, disassembly: str, function: str) -> int:
    """Return the same of an AVR's object file, where functions have sections of their own.

    Args:
        usage: what ``-fstack-usage`` writes.
        disassembly: what ``objdump -dr`` says of the object file.
        function: where to begin.
    """
    own = {title: int(size) for title, size in _USAGE.findall(usage)}
    calls, caller = set(), ""
    for line in disassembly.splitlines():
        if found := _FUNCTION.match(line):
            caller = found[1]
        elif (found := _CALL.search(line)) and (callee := found[1].removeprefix(".text.")) != caller:
            calls.add((caller, callee))
    return _depth(function, own, calls)


def _depth(title: str, own: Mapping[str, int], calls: Set[tuple[str, str]]) -> int:
    below = (_depth(to, own, calls) for by, to in calls if by == title and to != title)
    return own.get(title, 0) + max(below, default=0)
