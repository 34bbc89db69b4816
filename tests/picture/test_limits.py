"""Headers and files on each side of every limit on how large a picture may be."""

import io
import struct
import warnings
import zlib
from collections.abc import Iterator

import pytest
from PIL import Image

from edgedigits.errors import ImageError
from edgedigits.picture.reading import at_a_fraction, opened, read_bytes


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Keep Pillow's own, lower limit, of which it warns, out of the way, as ``read_picture`` does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def png_claiming(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", len(header) - 4) + header + struct.pack(">I", zlib.crc32(header))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    )


def jpeg_claiming(width: int, height: int, passes: int = 1) -> bytes:
    content = io.BytesIO()
    Image.new("L", (8, 8), 255).save(content, "JPEG")
    data = bytearray(content.getvalue())
    start = data.index(b"\xff\xc0") + 5
    data[start : start + 4] = struct.pack(">HH", height, width)
    return bytes(data) + b"\xff\xda" * (passes - 1)


def webp_claiming(width: int, height: int) -> bytes:
    """Only the header, of a lossless picture."""
    bits = (width - 1) | (height - 1) << 14
    return b"RIFF\x1a\0\0\0WEBPVP8L\x0e\0\0\0\x2f" + struct.pack("<I", bits) + b"\0" * 9


class Zeros(io.BytesIO):
    """An open file of so many bytes."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size

    def read(self, size: int | None = -1) -> bytes:
        return bytes(self._size if size is None or size < 0 else min(size, self._size))


def test_sixty_megapixels_are_opened_and_no_more() -> None:
    assert opened(png_claiming(10_000, 6_000)).size == (10_000, 6_000)
    with pytest.raises(ImageError, match="10000 x 6001 pixels, at most 60 megapixels"):
        opened(png_claiming(10_000, 6_001))


def test_sixty_megapixels_of_a_webp_picture_are_opened_and_no_more() -> None:
    with pytest.raises(ImageError, match="10001 x 6000 pixels, at most 60 megapixels"):
        opened(webp_claiming(10_001, 6_000))
    assert opened(webp_claiming(10_000, 6_000)).size == (10_000, 6_000)


def test_a_hundred_megapixels_of_a_jpeg_are_opened_and_no_more() -> None:
    # What is asked for is a fraction of it.
    assert at_a_fraction(opened(jpeg_claiming(10_000, 10_000))).size == (1_250, 1_250)
    with pytest.raises(ImageError, match="10000 x 10001 pixels, at most 100 megapixels"):
        opened(jpeg_claiming(10_000, 10_001))


def test_twenty_passes_over_a_hundred_megapixels_are_allowed_and_no_more() -> None:
    assert opened(jpeg_claiming(10_000, 10_000, passes=20)).format == "JPEG"
    with pytest.raises(ImageError, match="21 passes over its pixels"):
        opened(jpeg_claiming(10_000, 10_000, passes=21))
    # A smaller picture may have more of them.
    assert opened(jpeg_claiming(1_000, 1_000, passes=2_000)).format == "JPEG"


def test_a_file_of_256_mebibytes_is_read_and_no_more() -> None:
    assert len(read_bytes(Zeros(256 * 2**20))) == 256 * 2**20
    with pytest.raises(ImageError, match="larger than 256 MiB"):
        read_bytes(Zeros(256 * 2**20 + 1))
