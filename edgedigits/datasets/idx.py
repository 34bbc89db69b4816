"""IDX files: their headers, and their content, packed or not. Format: http://yann.lecun.com/exdb/mnist."""

import io
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from edgedigits.arguments import MOST_IMAGES
from edgedigits.contract import IMAGE_SIDE, PIXELS
from edgedigits.errors import DatasetError
from edgedigits.files import open_file, reason

_LARGEST_FILE = MOST_IMAGES * PIXELS + (64 << 20)
"""Bytes of a file, packed or not: the most images, with room for what packing adds."""
_CHUNK = 1 << 18
_LONGEST_PADDING = 1 << 16
"""Zeros that may stand behind the end of a packed file, where it was kept in blocks; ``gzip`` passes over them."""
_GZIP = 16 + zlib.MAX_WBITS


@dataclass(frozen=True)
class IdxForm:
    """The form of an IDX file, which its header declares."""

    name: str
    """File name without ``.gz``."""
    count: int
    is_images: bool

    @property
    def header(self) -> bytes:
        """The big-endian header that the content must begin with: magic number, count and sides."""
        if self.is_images:
            return struct.pack(">IIII", 0x0803, self.count, IMAGE_SIDE, IMAGE_SIDE)
        return struct.pack(">II", 0x0801, self.count)

    @property
    def size(self) -> int:
        """Bytes of the decompressed content."""
        return len(self.header) + self.count * (PIXELS if self.is_images else 1)


def idx_path(folder: Path, name: str) -> Path | None:
    """Return the path of an IDX file, packed or not, also where it is called ``train-images.idx3-ubyte``; or None."""
    dotted = name.replace("-idx", ".idx")
    for candidate in (folder / f"{name}.gz", folder / name, folder / f"{dotted}.gz", folder / dotted):
        if candidate.is_file():
            return candidate
    return None


def unpack(path: Path, at_most: int, expected: str, advice: str) -> bytes:
    """Return the first bytes of an IDX file's content, packed or not.

    Args:
        path: ends in ``.gz`` if it is packed.
        at_most: bytes to unpack; what comes after them is not looked at.
        expected: what the message says that there should be.
        advice: what the message ends with.

    Raises:
        DatasetError: it cannot be read or unpacked.
    """
    try:
        with open_file(path, _LARGEST_FILE) as file:
            return _unpacked(file, at_most) if path.suffix == ".gz" else file.read(at_most)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise DatasetError(
            f"{path}: expected {expected}, found a file that cannot be unpacked ({reason(error)}); {advice}"
        ) from error


def _unpacked(file: BinaryIO, at_most: int) -> bytes:
    """Unpack the one member of a gzip file, and read no more of it than so many bytes may need.

    A member has any number of bytes that unpack to nothing, and a file any number of members.
    """
    left = at_most + at_most // 8 + _LONGEST_PADDING
    decompressor = zlib.decompressobj(_GZIP)
    content = io.BytesIO()
    while content.tell() < at_most and not decompressor.eof:
        packed = decompressor.unconsumed_tail
        if not packed:
            if left <= 0:
                raise ValueError("more bytes in the file than come out of it")
            packed = file.read(min(_CHUNK, left))
            left -= len(packed)
        if not packed and file.tell() > 0:
            raise EOFError("it is cut off")
        if not packed:
            break
        content.write(decompressor.decompress(packed, at_most - content.tell()))
    if decompressor.eof:
        padding = decompressor.unused_data + file.read(_LONGEST_PADDING + 1)
        if len(padding) > _LONGEST_PADDING or padding.strip(b"\0"):
            raise ValueError("something behind its end; pack it again, in one piece")
    return content.getvalue()


def check_form(path: Path, file: IdxForm, content: bytes, advice: str) -> None:
    """Check the header and the size of an IDX file's decompressed content.

    Raises:
        DatasetError: it has another form. The message ends with the advice.
    """
    header = content[: len(file.header)]
    if header != file.header:
        raise DatasetError(
            f"{path}: expected {describe_header(file.header)}, found {describe_header(header)}; {advice}"
        )
    if len(content) != file.size:
        found = "more" if len(content) > file.size else f"{len(content):,} (truncated)"
        raise DatasetError(f"{path}: expected {file.size:,} bytes, found {found}; {advice}")


def describe_header(header: bytes) -> str:
    """Write the header of an IDX file in words: ``60,000 IDX images of 28x28``."""
    if len(header) < 8:
        return f"only {len(header)} bytes"
    magic, count, *sides = struct.unpack(f">{len(header) // 4}I", header[: len(header) // 4 * 4])
    kind = {0x0801: "IDX labels", 0x0803: "IDX images"}.get(magic)
    if kind is None:
        return f"no IDX file of bytes (magic number 0x{magic:08x})"
    size = " of " + "x".join(map(str, sides)) if sides and magic == 0x0803 else ""
    return f"{count:,} {kind}{size}"
