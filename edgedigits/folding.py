"""Lines as wide as the terminal that they go to: folded at blanks, and commands so that they can still be copied."""

import os
import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple, TextIO

COLUMNS = 80
"""Of a terminal that does not say how many it has."""
HANG = 2
"""Blanks more than its first line that what follows of a folded line begins with."""
JOINT = " \\"
"""At the end of a line that a shell takes together with the next."""

_COMMAND = r"`[^`]*`[^\s`]*|pip install (?:--\S+ )*(?:'[^']*'|\S+)|apt-get install [^;),]*[;),]*"
_PIECE = re.compile(rf"(?P<gap>\s*)(?:(?P<command>{_COMMAND})|\S+  [\d.]+ %|\S+ %\S*|\S+)")
"""What a line is not folded within, where there is room for it: a command, a digit and
how sure it is, a figure and its percent sign, a word."""
_SHELL_WORD = re.compile(r"(?:'[^']*'|\"[^\"]*\"|[^\s'\"])+")


class _Piece(NamedTuple):
    gap: str
    text: str
    goes_on: bool = False
    """Whether it is the rest of a command, so that a shell has to be told where the line before ends."""


def columns_of(stream: TextIO) -> int | None:
    """Return how wide the terminal is that a stream goes to; None for a file or a pipe.

    ``COLUMNS`` counts where it is set, as it does for Click and rich.
    """
    if not stream.isatty():
        return None
    if (asked := os.environ.get("COLUMNS", "")).isdecimal() and int(asked):
        return int(asked)
    try:
        return os.get_terminal_size(stream.fileno()).columns or COLUMNS
    except (OSError, ValueError):
        return COLUMNS


def width_of(text: str) -> int:
    """Count the columns that a text takes: two for a character of East Asian width, none for one that combines."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1
        for sign in text
    )


def fold_lines(text: str, columns: int | None) -> str:
    """Fold each line of a text; without columns it stays as it is."""
    if columns is None:
        return text
    return "\n".join(part for line in text.split("\n") for part in fold(line, columns))


def fold(line: str, columns: int, *, command: str = "") -> list[str]:
    """Fold a line at blanks.

    A word that is wider than a line stays whole: the terminal breaks it, and copies it whole. So does a command between
    backticks; one that is wider than a line is folded between its words, each line but the last with a backslash.

    Args:
        line: without a line feed.
        columns: that a line has, at most.
        command: for the shell, to stand behind the line.
    """
    indent = line[: len(line) - len(line.lstrip())]
    room = columns - len(indent) - HANG
    pieces = [*_pieces(line.strip(), room), *(_command_pieces(command, " ") if command else ())]
    lines, current = [], indent
    for index, (gap, text, goes_on) in enumerate(pieces):
        leads_on = index + 1 < len(pieces) and pieces[index + 1].goes_on
        grown = current + gap + text
        if not current.strip() or width_of(grown) + len(JOINT) * leads_on <= columns:
            current = grown if current.strip() else current + text
        else:
            lines.append(current + JOINT * goes_on)
            current = indent + " " * HANG + text
    return [*lines, current]


def _pieces(text: str, room: int) -> Iterator[_Piece]:
    for found in _PIECE.finditer(text):
        if found["command"] and width_of(found["command"]) > room:
            yield from _command_pieces(found["command"], found["gap"])
        else:
            yield _Piece(found["gap"], found[0][len(found["gap"]) :])


def _command_pieces(command: str, gap: str) -> Iterator[_Piece]:
    for index, word in enumerate(_SHELL_WORD.findall(command)):
        yield _Piece(gap if index == 0 else " ", word, goes_on=index > 0)
