"""Picture files in a tar archive: WebDataset's samples (``00012.png`` with ``00012.cls``), or any pictures."""

import contextlib
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np

from edgedigits.errors import ImageError
from edgedigits.files import open_file
from edgedigits.picture.limits import MAX_FILE_BYTES
from edgedigits.sources.folder import is_picture_name, label_of_folder
from edgedigits.sources.gzip_stream import unpacked
from edgedigits.sources.parts import MOST_ENCODED, NO_LABEL, Batch, Part, Source
from edgedigits.sources.stored import MOST_BYTES, told
from edgedigits.sources.tar_members import Member, members

_KEY = re.compile(rb"(?s)((?:.*/)?[^./][^./]*)\.([^/]*)")
"""A sample's key is the name up to the first point behind the last slash; what follows tells its parts apart."""
_STEP = 256
"""Pictures between two places that a part may begin at."""
_LONGEST_LABEL = 64
_MOST_PARTS = 64
"""Files of one sample, which are in memory together."""


@dataclass(frozen=True)
class Place:
    """Where a part is."""

    file: str
    is_packed: bool
    first: int
    """Byte of the header that it begins with."""
    has_labels: bool


def open_tar(path: str) -> list[Source]:
    """Open a tar archive, packed with gzip or not. All its headers are read once."""
    is_packed = path.endswith((".gz", ".tgz"))
    rows, has_labels = 0, False
    places, first_rows = array("Q"), array("Q")
    with told(path), _opened(path, is_packed) as stream:
        for sample in _samples(members(stream)):
            pictures = [member for member in sample if _is_picture(member)]
            if not pictures:
                continue
            if not first_rows or rows >= first_rows[-1] + _STEP:
                places.append(sample[0].header)
                first_rows.append(rows)
            rows += len(pictures)
            has_labels = has_labels or any(
                _is_label(member) or label_of_folder(member.name) != NO_LABEL for member in sample
            )
            if not is_packed:
                _check_end(stream, sample[-1])
    if is_packed:
        places, first_rows = places[:1], first_rows[:1]
    cut = partial(_cut, path, is_packed, has_labels, places, first_rows, rows)
    return [Source(path, "tar", rows, False, has_labels, (path,), (), cut)]


def read(part: Part, batch_rows: int) -> Iterator[Batch]:
    """Read a part: the bytes of its picture files, and labels where there are any."""
    place: Place = part.where
    batch = _Collected(part.start, place.has_labels)
    left = part.count
    with told(place.file), _opened(place.file, place.is_packed) as stream:
        contents: dict[int, bytes | ImageError] = {}
        for sample in _samples(_read_in_passing(stream, members(stream, place.first), contents)):
            pictures = [member for member in sample if _is_picture(member)][:left]
            labels = [_label(contents[member.header]) for member in sample if _is_label(member)]
            for member in pictures:
                label = labels[0] if labels else label_of_folder(member.name)
                batch.add(_name(member, len(pictures) == 1), contents[member.header], label)
                left -= 1
                if len(batch.keys) == batch_rows or batch.size >= MOST_ENCODED:
                    yield batch.whole()
                    batch = _Collected(batch.start + len(batch.keys), place.has_labels)
            if not left:
                break
            for member in sample:
                contents.pop(member.header, None)
        if left:
            raise EOFError("it has fewer pictures than when it was opened")
    if batch.keys:
        yield batch.whole()


class _Collected:
    """A batch that grows."""

    def __init__(self, start: int, has_labels: bool) -> None:
        self.start, self.size = start, 0
        self.keys: list[str] = []
        self._contents: list[bytes | str | ImageError] = []
        self._labels: list[int] | None = [] if has_labels else None

    def add(self, key: str, content: bytes | ImageError, label: int) -> None:
        self.keys.append(key)
        self._contents.append(content)
        self.size += len(content) if isinstance(content, bytes) else 0
        if self._labels is not None:
            self._labels.append(label)

    def whole(self) -> Batch:
        labels = None if self._labels is None else np.array(self._labels, np.int64)
        return Batch(self.start, self.keys, encoded=self._contents, labels=labels)


@contextlib.contextmanager
def _opened(path: str, is_packed: bool) -> Iterator[IO[bytes]]:
    with open_file(Path(path), MOST_BYTES) as file:
        yield unpacked(file) if is_packed else file


def _samples(found: Iterator[Member]) -> Iterator[list[Member]]:
    """Gather members in a row that have one key."""
    sample: list[Member] = []
    for member in found:
        if sample and (_key(sample[0].name) != _key(member.name) or len(sample) == _MOST_PARTS):
            yield sample
            sample = []
        sample.append(member)
    if sample:
        yield sample


def _key(name: bytes) -> bytes:
    found = _KEY.fullmatch(name)
    return name if found is None else found[1]


def _read_in_passing(
    stream: IO[bytes], found: Iterator[Member], contents: "dict[int, bytes | ImageError]"
) -> Iterator[Member]:
    """Keep what pictures and labels hold before going on: there is no way back in a packed archive.

    Args:
        stream: the archive.
        found: its members.
        contents: takes what they hold, by their headers.
    """
    for member in found:
        if _is_picture(member):
            contents[member.header] = _content(stream, member)
        elif _is_label(member):
            contents[member.header] = _content(stream, member._replace(size=min(member.size, _LONGEST_LABEL)))
        yield member


def _is_picture(member: Member) -> bool:
    return is_picture_name(member.name) and _KEY.fullmatch(member.name) is not None


def _is_label(member: Member) -> bool:
    return member.name.endswith(b".cls")


def _name(member: Member, is_alone: bool) -> str:
    """Return what a picture is called: by its sample's key, or by its own name where the sample has several."""
    name = _key(member.name) if is_alone else member.name
    return name.decode("utf-8", "backslashreplace")


def _content(stream: IO[bytes], member: Member) -> bytes | ImageError:
    if member.size > MAX_FILE_BYTES:
        return ImageError(f"cannot be read: larger than {MAX_FILE_BYTES // 2**20} MiB; save it smaller")
    stream.seek(member.data)
    content = stream.read(member.size)
    if len(content) < member.size:
        raise EOFError("it is cut off")
    return content


def _label(content: bytes | ImageError) -> int:
    text = content.strip() if isinstance(content, bytes) else b""
    return int(text) if text.isdigit() and len(text) < 10 else NO_LABEL


def _check_end(stream: IO[bytes], member: Member) -> None:
    if member.size:
        stream.seek(member.data + member.size - 1)
        if not stream.read(1):
            raise EOFError("it is cut off")


def _cut(
    path: str,
    is_packed: bool,
    has_labels: bool,
    places: "array[int]",
    first_rows: "array[int]",
    total: int,
    rows: int,
) -> Iterator[Part]:
    index = 0
    while index < len(places):
        following = index + 1
        while following < len(places) and first_rows[following] < first_rows[index] + rows:
            following += 1
        end = first_rows[following] if following < len(places) else total
        place = Place(path, is_packed, places[index], has_labels)
        yield Part(path, "tar", first_rows[index], end - first_rows[index], place)
        index = following
