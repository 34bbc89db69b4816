"""sha256 of bytes and files, in hexadecimal."""

import hashlib
from pathlib import Path


def sha256_bytes(content: bytes | memoryview) -> str:
    """Return the sha256 of some bytes in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def sha256_file(path: Path) -> str:
    """Return the sha256 of a file in hexadecimal."""
    return sha256_bytes(path.read_bytes())
