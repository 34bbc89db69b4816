"""How large a picture may be. Checked before anything is decoded."""

from edgedigits.errors import ImageError

MAX_PIXELS = 60_000_000
"""Larger pictures are refused before they are decoded: a small file can claim any size, and 16 bytes of memory go to a
pixel of some formats."""
MAX_JPEG_PIXELS = 100_000_000
"""Likewise of a JPEG, which is decoded at a fraction of its size."""
DRAFT_PIXELS = 6_000_000
"""Pixels from which on a JPEG is decoded at a fraction of its size. Smaller ones are decoded as a browser does it, so
that a page which prepares them reads the same pixels; it takes up to 40 ms more."""
MAX_SCANNED_PIXELS = 2_000_000_000
"""Pixels times passes over them in a JPEG. A progressive one has about 10 passes; 140 bytes can ask for one more, which
takes 60 ms at 100 megapixels."""
MAX_FILE_BYTES = 256 * 2**20

DETAIL_SIDE = 1024
"""Longer side to which pictures are brought down: a digit that fills a fiftieth of a photo still has 20 pixels."""

MAX_ASPECT = 128
"""How many times as long as it is wide a picture larger than ``DETAIL_SIDE`` may be. Brought down to that, a narrower
one has fewer than 8 pixels across, in which nobody could read a digit; but each of its rows takes memory of its own."""


def check_size(size: tuple[int, ...], most: int = MAX_PIXELS) -> None:
    """Raise ``ImageError`` for a picture of no pixels, of too many, or of such a shape that it can hold no digit."""
    pixels = size[0] * size[1]
    if pixels == 0:
        raise ImageError("cannot be read: it has no pixels")
    if pixels > most:
        raise ImageError(too_large(f"{size[0]} x {size[1]} pixels", most))
    shorter, longer = sorted(size[:2])
    if longer > DETAIL_SIDE and longer > MAX_ASPECT * shorter:
        raise ImageError(
            f"cannot be read: {size[0]} x {size[1]} pixels, more than {MAX_ASPECT} times as long as wide; "
            "cut out the digit"
        )


def too_large(found: str, most: int = MAX_PIXELS) -> str:
    """Write the message for a picture of too many pixels."""
    return f"cannot be read: {found}, at most {most // 10**6} megapixels are decoded; save it smaller"
