"""A gzip file as a stream, and files that would make its reader work for nothing."""

import gzip
import io
import zlib

import pytest

from edgedigits.sources.gzip_stream import unpacked

CONTENT = bytes(range(256)) * 5_000


def stream(packed: bytes) -> io.BufferedReader:
    return unpacked(io.BytesIO(packed))


@pytest.mark.parametrize("size", [1, 1000, 10_000_000])
def test_members_and_padding(size):
    packed = (
        gzip.compress(CONTENT[:999_999], mtime=0)
        + bytes(3)
        + gzip.compress(b"", mtime=0)
        + gzip.compress(CONTENT[999_999:], mtime=0)
        + bytes(9)
    )
    found, opened = [], stream(packed)
    while part := opened.read(size if size > 1 else 70_001):
        found.append(part)
    assert b"".join(found) == CONTENT


def test_forwards_but_not_back():
    opened = stream(gzip.compress(CONTENT, mtime=0))
    assert opened.seek(1_000_000) == 1_000_000
    assert opened.read(10) == CONTENT[1_000_000:1_000_010]
    with pytest.raises(io.UnsupportedOperation, match="no way back"):
        opened.seek(5)
    opened.seek(10**9)
    assert opened.read(1) == b""


@pytest.mark.parametrize(
    ("packed", "error"),
    [
        (gzip.compress(CONTENT, mtime=0)[:-9], EOFError),
        (gzip.compress(CONTENT, mtime=0)[:-8] + bytes(8), zlib.error),
        (b"no gzip", zlib.error),
        (gzip.compress(b"", mtime=0) * 200_000, ValueError),
        (b"\x1f\x8b\x08\x08\0\0\0\0\0\xff" + b"n" * 5_000_000, ValueError),
        (gzip.compress(b"a", mtime=0) + bytes(5_000_000), ValueError),
    ],
    ids=["cut", "checksum", "text", "members of nothing", "an endless name", "endless padding"],
)
def test_damaged_and_hostile_files(packed, error):
    with pytest.raises(error):
        stream(packed).read()
