"""sha256 of bytes and files, in hexadecimal."""

import hashlib
from pathlib import Path
from typing import BinaryIO

from edgedigits.files import open_file

LARGEST_FILE = 1 << 30
"""Bytes: more than any file of edgedigits has, and read within seconds."""
_AT_ONCE = 1 << 20


def sha256_bytes(content: bytes | memoryview) -> str:
    """Return the sha256 of some bytes in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def sha256_file(path: Path) -> str:
    """Return the sha256 of a file in hexadecimal.

    Raises:
        OSError: it may not be read, is no regular file, or larger than ``LARGEST_FILE``.
    """
    with open_file(path, LARGEST_FILE) as file:
        return sha256_opened(file)[0]


def sha256_opened(file: BinaryIO, at_most: int = LARGEST_FILE) -> tuple[str, int]:
    """Return the sha256 in hexadecimal and the bytes of a file that is open, as far as ``at_most`` bytes."""
    digest, size = hashlib.sha256(), 0
    while size < at_most and (part := file.read(min(_AT_ONCE, at_most - size))):
        digest.update(part)
        size += len(part)
    return digest.hexdigest(), size
