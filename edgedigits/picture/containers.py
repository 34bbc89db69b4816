"""What a picture file holds besides its pixels, counted before Pillow reads it.

Pillow goes through headers, segments, chunks and tags in Python, keeps them all, and takes a copy or two of each: a
file of many small pieces, or of a few gigantic ones, takes minutes or gigabytes before the first pixel. Here the pieces
are only stepped over. A picture needs few: a profile of colours, a description, a small picture of itself.
"""

import struct
from typing import NoReturn

from edgedigits.errors import ImageError
from edgedigits.picture.limits import MAX_SCANNED_PIXELS

MOST_PIECES = 1_000
"""Segments, chunks or tags that are no pixels."""
MOST_PACKED_PIECES = 100
"""Those among them that are unpacked, each to as much as a mebibyte."""
LARGEST_PIECES = 16 << 20
"""Bytes of them all; the largest profiles have two or three mebibytes."""
MOST_PIXEL_PIECES = 10_000
"""Chunks of pixels, and one more for each KiB of the file."""
MOST_PADDING = 1 << 16
"""Bytes between segments of a JPEG."""
MOST_STRIPS = 100_000
"""Strips or tiles of a TIFF; one may be as little as a row."""
MOST_RUN_PIXELS = 4_000_000
"""Pixels, and bytes, of a BMP picture in runs, which Pillow unpacks in Python."""
_WEBP_ROOM = 928 << 20
"""Bytes of memory for a WebP picture: libwebp and Pillow keep its pixels four times and the file twice."""

_EXIF = b"Exif\0\0"
_TAG_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
"""Bytes of a value of each type (TIFF 6.0, section 2)."""
_STRIP_TAGS = (273, 279, 324, 325)
"""Offsets and sizes of strips and tiles."""
_WIDTH, _LENGTH, _COMPRESSION, _ROWS, _TILE_WIDTH, _TILE_LENGTH = 256, 257, 259, 278, 322, 323
_JPEG_COMPRESSIONS = (6, 7)


def check_container(kind: str, data: bytes, scans: int) -> None:
    """Refuse a file that holds more pieces than any picture needs.

    Args:
        kind: Pillow's name of the format.
        data: the file.
        scans: how often the marker of a pass over the pixels of a JPEG stands in it.

    Raises:
        ImageError: too many, or too large.
    """
    if kind == "PNG":
        _check_png(data)
    elif kind == "JPEG":
        _check_jpeg(data)
    elif kind == "GIF":
        _check_gif(data)
    elif kind == "WEBP":
        _check_webp(data)
    elif kind == "TIFF":
        _check_tiff(data, scans)
    elif kind == "BMP":
        _check_bmp(data)


def check_room_of_webp(size: tuple[int, int], file_size: int) -> None:
    """Raise ``ImageError`` for a WebP picture that would take too much memory."""
    if 16 * size[0] * size[1] + 2 * file_size > _WEBP_ROOM:
        raise ImageError(
            f"cannot be read: {size[0]} x {size[1]} pixels in {file_size >> 20} MiB are too many for WebP; "
            "save it smaller"
        )


def check_exif(exif: bytes) -> None:
    """Raise ``ImageError`` for a block of tags that names more bytes than it could hold."""
    block = exif.removeprefix(_EXIF).removeprefix(_EXIF)
    _tags(block)


class _Pieces:
    """Counts pieces."""

    def __init__(self) -> None:
        self.count = self.packed = self.size = 0

    def add(self, size: int, packed: bool = False) -> None:
        self.count += 1
        self.packed += packed
        self.size += size
        if self.count > MOST_PIECES or self.packed > MOST_PACKED_PIECES or self.size > LARGEST_PIECES:
            _refuse()


def _refuse() -> NoReturn:
    raise ImageError(
        "cannot be read: it holds more besides its pixels (segments, chunks or tags) than any picture needs; "
        "save it again without metadata"
    )


def _check_png(data: bytes) -> None:
    pieces, pixels, at = _Pieces(), 0, 8
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if kind in (b"IDAT", b"fdAT", b"fcTL"):
            pixels += 1
            if pixels > MOST_PIXEL_PIECES + len(data) // 1024:
                _refuse()
        else:
            pieces.add(size, kind in (b"iCCP", b"zTXt", b"iTXt"))
        at += 12 + size


def _check_jpeg(data: bytes) -> None:
    """Go from segment to segment up to the first pass over the pixels, as Pillow does."""
    pieces, padding, exif, at = _Pieces(), 0, [], 2
    while True:
        start = data.find(b"\xff", at)
        if start < 0 or start + 4 > len(data):
            break
        marker = data[start + 1]
        padding += start - at
        if marker in (0x00, 0xFF) or 0xD0 <= marker <= 0xD9:
            padding += 1
            at = start + (1 if marker == 0xFF else 2)
        elif marker == 0xDA:
            break
        else:
            size = max(2, int.from_bytes(data[start + 2 : start + 4], "big"))
            pieces.add(size)
            at = start + 2 + size
            if marker == 0xE1 and data.startswith(_EXIF, start + 4):
                exif.append(data[start + 4 + len(_EXIF) : at])
        if padding > MOST_PADDING:
            _refuse()
    if exif:
        check_exif(b"".join(exif))


def _check_gif(data: bytes) -> None:
    """Step over the extensions before the first picture; each is a chain of blocks of up to 255 bytes."""
    flags = data[10] if len(data) > 10 else 0
    at = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    blocks = 0
    while at < len(data) and data[at] != ord(","):
        if data[at] == ord(";"):
            return
        is_extension = data[at] == ord("!")
        at += 2 if is_extension else 1
        while is_extension and at < len(data) and data[at]:
            at += 1 + data[at]
            blocks += 1
            if blocks > MOST_PIXEL_PIECES:
                _refuse()
        blocks += 1
        at += is_extension
        if blocks > MOST_PIXEL_PIECES:
            _refuse()


def _check_webp(data: bytes) -> None:
    pieces, pixels, at = _Pieces(), 0, 12
    while at + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, at)
        if kind in (b"VP8 ", b"VP8L", b"ALPH", b"ANMF"):
            pixels += 1
            if pixels > MOST_PIXEL_PIECES:
                _refuse()
        else:
            pieces.add(size)
        at += 8 + size + size % 2


def _check_bmp(data: bytes) -> None:
    if len(data) < 34:
        return
    header, width, height = struct.unpack_from("<Iii", data, 14)
    compression = struct.unpack_from("<I", data, 30)[0] if header >= 40 else 0
    if compression in (1, 2) and max(len(data), width * abs(height)) > MOST_RUN_PIXELS:
        raise ImageError(
            f"cannot be read: a BMP picture in runs of more than {MOST_RUN_PIXELS // 10**6} megapixels or megabytes; "
            "save it as PNG"
        )


def _check_tiff(data: bytes, scans: int) -> None:
    tags = _tags(data)
    if tags.get(_COMPRESSION, 1) not in _JPEG_COMPRESSIONS:
        return
    # A tile or strip is a JPEG of its own, with any number of passes.
    width, length = tags.get(_WIDTH, 0), tags.get(_LENGTH, 0)
    strip = tags.get(_TILE_WIDTH, width) * tags.get(_TILE_LENGTH, min(length, tags.get(_ROWS, length)))
    if strip * scans > MAX_SCANNED_PIXELS:
        raise ImageError(f"cannot be read: {scans:,} passes over its pixels; save it again")


def _tags(data: bytes) -> dict[int, int]:
    """Return the numbers in the first directory of a TIFF file, or of a block of Exif, that are one by themselves.

    Raises:
        ImageError: it has too many tags, or names more bytes than there could be.
    """
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 8:
        return {}
    (at,) = struct.unpack_from(f"{order}I", data, 4)
    if at + 2 > len(data):
        return {}
    (count,) = struct.unpack_from(f"{order}H", data, at)
    found: dict[int, int] = {}
    pieces = _Pieces()
    for place in range(at + 2, min(at + 2 + 12 * count, len(data) - 11), 12):
        tag, kind, values = struct.unpack_from(f"{order}HHI", data, place)
        if tag in _STRIP_TAGS:
            if values > MOST_STRIPS:
                _refuse()
            pieces.add(0)
        else:
            pieces.add(_TAG_SIZES.get(kind, 0) * values)
        if values == 1 and kind in (3, 4):
            found.setdefault(
                tag, struct.unpack_from(f"{order}{'H' if kind == 3 else 'I'}", data, place + 8)[0]
            )
    return found
