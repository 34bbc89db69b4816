"""Arrays that lie row by row in a file, in a member of an ``.npz`` or in a packed IDX file, read a few rows at a time.

They are read, not mapped: memory stays flat without any advice to the system, and a file that somebody cuts meanwhile
is an error, where a mapping would end the process.
"""

import contextlib
import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from edgedigits.archives import ARCHIVE_ERRORS, open_archive
from edgedigits.errors import SourceError
from edgedigits.files import open_file, reason
from edgedigits.sources.gzip_stream import unpacked

MOST_BYTES = 1 << 50
"""Of a file: it is never in memory as a whole."""
_AT_ONCE = 16 << 20
"""Bytes of a block, where a row takes many."""
_IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


@dataclass(frozen=True)
class Stored:
    """An array in a file."""

    file: str
    shape: tuple[int, ...]
    dtype: str
    """As numpy writes it, with the order of bytes."""
    offset: int
    """Bytes before the first row, in what the file or the member unpacks to."""
    member: str | None = None
    """Of a zip archive."""
    is_packed: bool = False
    """Whether a row can only be reached by way of those before it."""

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return np.dtype(self.dtype).itemsize * math.prod(self.shape[1:])

    def blocks(self, start: int, count: int, rows: int) -> "Iterator[npt.NDArray[Any]]":
        """Read rows in blocks of at most so many, fewer where they are large; each block is an array of its own.

        Raises:
            SourceError: the file cannot be read, or is shorter than it says.
        """
        rows = max(1, min(rows, _AT_ONCE // max(1, self.row_bytes)))
        with told(self.file), self._opened() as stream:
            stream.seek(self.offset + start * self.row_bytes)
            for first in range(start, start + count, rows):
                block = np.empty((min(rows, start + count - first), *self.shape[1:]), self.dtype)
                _fill(stream, memoryview(block.reshape(-1).view(np.uint8)))  # type: ignore[arg-type]
                yield block
            if self.is_packed and start + count == self.shape[0] and stream.read(1):
                raise ValueError("it goes on behind the end that its header tells")

    @contextlib.contextmanager
    def _opened(self) -> Iterator[IO[bytes]]:
        with contextlib.ExitStack() as stack:
            path = Path(self.file)
            if self.member is not None:
                archive = stack.enter_context(open_archive(path, MOST_BYTES))
                yield stack.enter_context(archive.open(self.member))
                return
            file = stack.enter_context(open_file(path, MOST_BYTES))
            yield unpacked(file) if self.is_packed else file


@contextlib.contextmanager
def told(path: str, advice: str = "check how it was written, or copy it again") -> Iterator[None]:
    """Turn what the system and the readers of archives say into an error that names the file."""
    try:
        yield
    except SourceError:
        raise
    except ARCHIVE_ERRORS as error:
        raise SourceError(f"{path}: cannot be read: {reason(error)}; {advice}") from error


def npy_array(path: str) -> Stored:
    """Return the array of an ``.npy`` file, unread.

    Raises:
        SourceError: it is none, holds objects, or is shorter or longer than it says.
    """
    with told(path), open_file(Path(path), MOST_BYTES) as file:
        stored = _from_header(path, file)
        size = file.seek(0, 2) - stored.offset
    return _checked(stored, size)


def npz_arrays(path: str) -> dict[str, Stored]:
    """Return the arrays of an ``.npz`` file by their names, unread and in the file's order.

    Raises:
        SourceError: it is none, holds objects, or an array is shorter or longer than it says.
    """
    arrays = {}
    with told(path), open_archive(Path(path), MOST_BYTES) as archive:
        for info in archive.infolist():
            if info.filename.endswith(".npy"):
                with archive.open(info) as member:
                    is_packed = info.compress_type != 0
                    stored = _from_header(path, member, info.filename, is_packed)
                arrays[info.filename.removesuffix(".npy")] = _checked(stored, info.file_size - stored.offset)
    return arrays


def idx_array(path: str) -> Stored:
    """Return the array of an IDX file, packed with gzip or not, unread.

    Raises:
        SourceError: it is none, or is shorter or longer than it says (where it is not packed; a packed one shows it
            when it is read).
    """
    is_packed = path.endswith(".gz")
    with told(path), open_file(Path(path), MOST_BYTES) as file:
        content = unpacked(file) if is_packed else file
        magic = content.read(4)
        if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _IDX_TYPES or not 0 < magic[3] <= 4:
            raise SourceError(f"{path}: expected an IDX file, found another; check how it was written")
        shape = struct.unpack(f">{magic[3]}I", content.read(4 * magic[3]))
        stored = Stored(path, shape, _IDX_TYPES[magic[2]], 4 + 4 * magic[3], is_packed=is_packed)
        size = None if is_packed else file.seek(0, 2) - stored.offset
    return stored if size is None else _checked(stored, size)


def _from_header(path: str, file: IO[bytes], member: str | None = None, is_packed: bool = False) -> Stored:
    # Later versions are for structured arrays, and their headers may be gigabytes long.
    if (version := np.lib.format.read_magic(file)) != (1, 0):
        raise ValueError(f".npy version {version} is for other arrays")
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.kind not in "biuf":
        raise ValueError(f"it holds {'objects' if dtype.hasobject else dtype}, no numbers")
    if is_fortran and len(shape) > 1:
        raise ValueError(
            "its order is Fortran's, in which no image lies in one piece (np.ascontiguousarray turns it)"
        )
    return Stored(path, shape, dtype.str, file.tell(), member, is_packed)


def _checked(stored: Stored, size: int) -> Stored:
    declared = math.prod(stored.shape) * np.dtype(stored.dtype).itemsize
    if min(stored.shape, default=0) < 0 or declared != size:
        where = stored.file if stored.member is None else f"{stored.file}: {stored.member}"
        raise SourceError(
            f"{where}: expected {declared:,} bytes of numbers, as its header says, found {size:,}; copy it again"
        )
    return stored


def _fill(stream: IO[bytes], room: memoryview) -> None:
    done = 0
    while done < len(room):
        try:
            got = stream.readinto(room[done:])  # type: ignore[attr-defined]
        except zlib.error as error:
            raise EOFError(f"it cannot be unpacked ({error})") from error
        if not got:
            raise EOFError("it is cut off")
        done += got
