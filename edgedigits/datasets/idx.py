"""IDX files: their headers, and their content, packed or not. Format: http://yann.lecun.com/exdb/mnist."""

import gzip
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from edgedigits.contract import IMAGE_SIDE, PIXELS
from edgedigits.errors import DatasetError


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
    """Return the path of an IDX file, packed or not, or None."""
    for candidate in (folder / f"{name}.gz", folder / name):
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
        if path.suffix == ".gz":
            with gzip.open(path) as packed:
                return packed.read(at_most)
        with path.open("rb") as plain:
            return plain.read(at_most)
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(
            f"{path}: expected {expected}, found a file that cannot be unpacked ({error}); {advice}"
        ) from error


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
