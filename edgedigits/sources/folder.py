"""A folder of picture files, with those in the folders inside it, in the order of their names' bytes."""

import os
import re
from array import array
from collections.abc import Iterator
from functools import partial

import numpy as np

from edgedigits.errors import SourceError
from edgedigits.file_names import PICTURE_SUFFIXES
from edgedigits.files import reason
from edgedigits.sources.parts import NO_LABEL, Batch, Part, Source

_DEEPEST = 64
"""Folders within folders that are looked into."""
_CLASS = re.compile(rb"(?:^|/)([0-9])/[^/]*$")
_SUFFIXES = tuple(suffix.encode() for suffix in PICTURE_SUFFIXES)


class Names:
    """Names of many pictures in little room: their bytes in one piece.

    Attributes:
        has_labels: whether any of them lies in a folder that is called by a digit.
    """

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._ends = array("Q", [0])
        self.has_labels = False

    def append(self, name: bytes) -> None:
        """Add a name."""
        self._bytes += name
        self._ends.append(len(self._bytes))
        self.has_labels = self.has_labels or label_of_folder(name) != NO_LABEL

    def __len__(self) -> int:
        return len(self._ends) - 1

    def cut(self, start: int, stop: int) -> tuple[bytes, ...]:
        """Return names by their positions."""
        ends = self._ends
        return tuple(bytes(self._bytes[ends[i] : ends[i + 1]]) for i in range(start, min(stop, len(self))))


def walk(folder: str) -> Iterator[bytes]:
    """Name the regular files in a folder and in those inside it, in the order of the bytes of their names.

    Links to files are followed, links to folders are not; what begins with a dot is passed over.

    Raises:
        SourceError: a folder may not be read, or they lie too deep.
    """
    yield from _walk(os.fsencode(folder), b"", 0)


def open_folder(path: str, names: Names) -> Source:
    """Make a source of a folder's pictures.

    Args:
        path: the folder.
        names: of the picture files, with their way in the folder.
    """
    return Source(path, "folder", len(names), False, names.has_labels, cut=partial(open_names, path, names))


def is_picture_name(name: bytes) -> bool:
    """Tell by its suffix whether a file is taken for a picture."""
    return name.lower().endswith(_SUFFIXES)


def read(part: Part, batch_rows: int) -> Iterator[Batch]:
    """Read a part: paths to open, and the labels where the last folder on the way is called by a digit."""
    names, has_labels = part.where
    for first in range(0, part.count, batch_rows):
        some = names[first : first + batch_rows]
        yield Batch(
            part.start + first,
            keys=[name.decode("utf-8", "backslashreplace") for name in some],
            encoded=[f"{part.source}{os.sep}{os.fsdecode(name)}" for name in some],
            labels=np.array([label_of_folder(name) for name in some], np.int64) if has_labels else None,
        )


def open_names(path: str, names: Names, rows: int) -> Iterator[Part]:
    """Cut pictures of a folder into parts of so many rows."""
    for start in range(0, len(names), rows):
        some = names.cut(start, start + rows)
        yield Part(path, "folder", start, len(some), (some, names.has_labels))


def label_of_folder(name: bytes) -> int:
    """Return the digit that the last folder on the way to a file is called by, or ``NO_LABEL``."""
    found = _CLASS.search(name)
    return int(found[1]) if found else NO_LABEL


def _walk(root: bytes, inside: bytes, depth: int) -> Iterator[bytes]:
    place = root + os.sep.encode() + inside
    if depth > _DEEPEST:
        raise SourceError(
            f"{os.fsdecode(place)}: lies more than {_DEEPEST} folders deep; name a folder further inside"
        )
    try:
        with os.scandir(place) as entries:
            found = [
                # Of two names, one of which goes on with a slash, that is where the order is decided.
                (entry.name + b"/" if is_folder else entry.name, is_folder)
                for entry in entries
                if not entry.name.startswith(b".")
                and ((is_folder := entry.is_dir(follow_symlinks=False)) or entry.is_file())
            ]
    except OSError as error:
        raise SourceError(
            f"{os.fsdecode(place)}: cannot be read: {reason(error)}; name a folder that you may read"
        ) from error
    found.sort()
    for name, is_folder in found:
        if is_folder:
            yield from _walk(root, inside + name, depth + 1)
        else:
            yield inside + name
