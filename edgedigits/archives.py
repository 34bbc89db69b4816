"""Zip archives and ``.npz`` files that nobody vouches for: what they may make their reader do is bounded.

A small archive can name millions of members, unpack to gigabytes, or hold a pickle. So the list of members has a
largest size, they are stored or deflated and nothing else, and an array is read once its header says that it holds
just the bytes that there are.
"""

import contextlib
import io
import math
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from edgedigits.files import open_file

try:
    from lzma import LZMAError
except ImportError:  # A Python that was built without it reads no such archives.
    LZMAError = zlib.error  # type: ignore[assignment, misc]

ARCHIVE_ERRORS = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    LZMAError,
    MemoryError,
    OSError,
    RuntimeError,  # NotImplementedError: a compression or encryption that nobody asked for
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    tokenize.TokenError,  # of the header of an array, which numpy reads as Python's literals
    zipfile.BadZipFile,
    zlib.error,
)
"""What zipfile and numpy say of an archive that is damaged: a changed byte can lead them anywhere."""

LARGEST_DIRECTORY = 256 << 10
"""Bytes of the list of members, and of all else that is read before the first member: some thousand names."""
_ENCRYPTED = 0x1

Shape: TypeAlias = tuple[int, ...]


class ArrayHeader(NamedTuple):
    """What an array in an archive says of itself."""

    shape: Shape
    dtype: np.dtype[Any]
    body: int
    """Bytes that the archive says to lie behind the header."""

    @property
    def declared(self) -> int:
        """Bytes that an array of this shape and dtype has."""
        return self.dtype.itemsize * math.prod(self.shape)


class _Metered(io.RawIOBase):
    """A file of which only so many bytes may be read until it is released."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self.left: float = LARGEST_DIRECTORY

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        wanted = size if size >= 0 else os.fstat(self._file.fileno()).st_size - self.tell()
        if wanted > self.left:
            raise zipfile.BadZipFile("its list of members is too long")
        self.left -= wanted
        return self._file.read(size)


@contextlib.contextmanager
def open_archive(path: Path, at_most: int, *, follow: bool = True) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive.

    Args:
        path: the archive.
        at_most: bytes of the file.
        follow: whether it may be a link; see ``files.open_file``.

    Raises:
        ARCHIVE_ERRORS: it is none that can be read; also while it is open.
    """
    with open_file(path, at_most, follow=follow) as file:
        metered = _Metered(file)
        with zipfile.ZipFile(metered) as archive:
            for member in archive.infolist():
                if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise zipfile.BadZipFile(f"{member.filename!r} is packed in another way than deflated")
                if member.flag_bits & _ENCRYPTED:
                    raise zipfile.BadZipFile(f"{member.filename!r} is encrypted")
            metered.left = math.inf
            yield archive


class Npz:
    """The arrays of an ``.npz`` archive."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        """Read arrays of an open archive."""
        self._archive = archive

    @property
    def names(self) -> list[str]:
        """Of all arrays, in the order of the file."""
        return [name.removesuffix(".npy") for name in self._archive.namelist()]

    def header(self, name: str) -> ArrayHeader:
        """Return what the header of an array says, unchecked.

        Raises:
            ARCHIVE_ERRORS: there is no such array, or no header that can be read.
        """
        with self._open(name) as member:
            # Later versions are for structured arrays, and their headers may be gigabytes long.
            if (version := np.lib.format.read_magic(member)) != (1, 0):
                raise ValueError(f".npy version {version} is for other arrays")
            shape, _, dtype = np.lib.format.read_array_header_1_0(member)
            return ArrayHeader(shape, dtype, self._archive.getinfo(f"{name}.npy").file_size - member.tell())

    def array(self, name: str, at_most: int) -> npt.NDArray[Any]:
        """Read an array of at most so many bytes.

        Raises:
            ARCHIVE_ERRORS: there is no such array, it is larger, or damaged.
        """
        header = self.header(name)
        if header.dtype.hasobject:
            raise ValueError(f"{name} holds objects, which only a pickle could")
        if header.declared != header.body:
            raise ValueError(f"{name} should hold {header.declared:,} bytes and holds {header.body:,}")
        if header.declared > at_most:
            raise ValueError(f"{name} is larger than {at_most:,} bytes")
        with self._open(name) as member:
            array: npt.NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
            if member.read(1):
                raise ValueError(f"{name} goes on behind its end")
        return array

    def text(self, name: str, at_most: int = LARGEST_DIRECTORY) -> str:
        """Read an array of no dimensions that holds a text.

        Args:
            name: of the array.
            at_most: bytes, four of which a letter takes.
        """
        array = self.array(name, at_most)
        if array.dtype.kind != "U" or array.shape != ():
            raise ValueError(f"{name} should be a text and is {array.dtype} {array.shape}")
        return str(array[()])

    def _open(self, name: str) -> IO[bytes]:
        return self._archive.open(f"{name}.npy")


@contextlib.contextmanager
def open_npz(path: Path, at_most: int, *, follow: bool = True) -> Iterator[Npz]:
    """Open an ``.npz`` archive, as ``open_archive`` does."""
    with open_archive(path, at_most, follow=follow) as archive:
        yield Npz(archive)
