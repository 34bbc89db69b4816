"""The picture preparation in C as one source file and its header, for firmware.

In ``c/`` each file is a room with names of its own. In one file they get the room's name before theirs, what rooms
share becomes static, and only the functions of ``prepare.h`` can be called from outside. What rooms lend to numbers is
left out.
"""

import re
from pathlib import Path

FOLDER = Path(__file__).parent / "c"
FIRST, LAST, SHARED = "prepare_levels", "prepare", ("prepare_rooms.h", "prepare_ruling.h")
PREFIX = "pic_"
"""What the functions that rooms share begin with."""
_INCLUDE = re.compile(r'^#include "prepare\w*\.h"\n+', re.MULTILINE)
_GUARD = re.compile(r"^#(?:ifndef|define) EDGEDIGITS_PREPARE\w*_H\n|^#endif\n\Z", re.MULTILINE)
_LENT = re.compile(r"^#ifdef WITH_NUMBERS\n.*?^#endif\n\n", re.MULTILINE | re.DOTALL)
_MACRO = re.compile(r"^#define (\w+)", re.MULTILINE)
_STATIC = re.compile(r"^static [^;={(]*?(\w+)\(", re.MULTILINE)
_SHARED = re.compile(rf"^(?!static )(?=\w[\w ]*[ *]{PREFIX}\w+\()", re.MULTILINE)


def prepare_header() -> str:
    """Write what a program includes."""
    return (FOLDER / "prepare.h").read_text(encoding="utf-8")


def prepare_source(header: str) -> str:
    """Write the whole preparation.

    Args:
        header: name of the file with ``prepare_header``.
    """
    rooms = sorted(FOLDER.glob("prepare_*.c"), key=lambda path: (path.stem != FIRST, path.stem))
    parts = [_shared((FOLDER / name).read_text(encoding="utf-8")) for name in SHARED]
    parts += [_room(path.stem, path.read_text(encoding="utf-8")) for path in (*rooms, FOLDER / f"{LAST}.c")]
    return f'#include "{header}"\n\n' + "\n".join(parts)


def _shared(text: str) -> str:
    """Return a header of the rooms as a part of the one file."""
    return _static(_GUARD.sub("", _INCLUDE.sub("", _LENT.sub("", text))))


def _room(stem: str, text: str) -> str:
    """Return a room as a part of the one file, with nothing that is its own left behind it."""
    room = stem.removeprefix("prepare").strip("_") or "way"
    text = _LENT.sub("", text)
    for name in set(_STATIC.findall(text)):
        text = re.sub(rf"(?<![\w.>]){name}(?=\()", f"{room}_{name}", text)
    forgotten = "".join(f"#undef {name}\n" for name in _MACRO.findall(text))
    return _static(_INCLUDE.sub("", text)) + forgotten


def _static(text: str) -> str:
    return _SHARED.sub("static ", text)
