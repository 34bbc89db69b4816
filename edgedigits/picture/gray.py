"""Colours, depth and transparency -> gray levels, upright. Pure functions of images and arrays."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from edgedigits.contract import PIXEL_MAX
from edgedigits.errors import ImageError
from edgedigits.picture.levels import DEPTHS, Pixels, as_levels, levels_by_rows
from edgedigits.picture.limits import DETAIL_SIDE, check_size
from edgedigits.picture.scaling import shrunk_image

COLOUR_SIDE = 64
"""Longer side on which colours are compared."""
MIN_COLOUR = 24
"""Difference of red, green and blue in any pixel below which a picture is gray."""
COLOUR_GAIN = 1.6
"""How many times the luminance's contrast a colour must have to take its place."""

_MOST_CHANNELS = 4
LEAST_SQUARES = 8
"""Pixels on the shorter side that a picture has at least before it was enlarged."""

MIN_TRANSPARENT_CONTRAST = 32
"""Gray levels within the opaque part of a picture from which on it brings its own paper."""

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What undoes each value of the EXIF orientation tag (EXIF 2.32, section 4.6.4 A)."""
_ORIENTATION_TAG = 0x0112
_LYING = (5, 6, 7, 8)
"""Values of the tag of images that lie on their side."""
_EXIF_IN_TEXT = "Raw profile type exif"
"""Name of a text in PNG files that holds Exif in hexadecimal figures."""


def gray_of_image(image: Image.Image) -> Pixels:
    """Turn a PIL image of any mode into gray levels: upright, transparency resolved, at most 1024 on the longer side.

    Raises:
        ImageError: it has no pixels, too many, or 16-bit or float levels out of range.
    """
    check_size(image.size)
    # Pillow has colours of 8 bits only, and takes the upper half of 16.
    is_deep = any(";16" in str(tile[3]) for tile in getattr(image, "tile", ()))
    image.load()
    _check_exif(image)
    orientation = image.getexif().get(_ORIENTATION_TAG)
    if image.mode == "RGB" and is_deep:
        image = _with_full_range(image)
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        image = Image.fromarray(_levels_of(image))
    elif image.mode != "RGBA" and image.has_transparency_data:
        image = image.convert("RGBA")
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode not in ("L", "RGB", "RGBA"):
        image = image.convert("RGB")
    image = shrunk_image(image, DETAIL_SIDE)
    if orientation in _UPRIGHT:
        image = image.transpose(_UPRIGHT[orientation])
    if image.mode == "RGBA":
        if image.getchannel("A").getextrema() != (PIXEL_MAX, PIXEL_MAX):
            return on_paper(image)
        image = image.convert("RGB")
    return gray_of_colours(image) if image.mode == "RGB" else np.asarray(image)


def _check_exif(image: Image.Image) -> None:
    """Check what Pillow is about to take apart: it may have been unpacked from a few bytes."""
    exif, packed = image.info.get("exif"), image.info.get(_EXIF_IN_TEXT)
    if not isinstance(exif, bytes) and isinstance(packed, str):
        exif = bytes.fromhex("".join(packed.split("\n")[3:]))
    if isinstance(exif, bytes):
        from edgedigits.picture.containers import check_exif

        check_exif(exif)


def _levels_of(image: Image.Image) -> Pixels:
    """Return ``as_levels`` of an image of deep gray levels; as an array it would be in memory twice more."""

    def rows(part: slice) -> npt.NDArray[Any]:
        return np.asarray(image.crop((0, part.start, image.width, min(part.stop, image.height))))

    return levels_by_rows((image.height, image.width), rows)


def _with_full_range(image: Image.Image) -> Image.Image:
    """Scale colours of which only the upper of two bytes is left, as ``as_levels`` scales whole numbers."""
    highest = int(np.asarray(image).max())
    ceiling = next(depth >> 8 for depth in DEPTHS[1:] if highest <= depth >> 8)
    return (
        image
        if ceiling == PIXEL_MAX
        else image.point([min(PIXEL_MAX, round(PIXEL_MAX * level / ceiling)) for level in range(256)] * 3)
    )


def gray_of_colours(image: Image.Image) -> Pixels:
    """Return the luminance, or the one of red, green and blue in which ink stands out far more.

    Red ink on green paper may have no contrast but in one of them. How far ink stands out is judged by the fourth
    powers of the deviations from the local mean: noise, which is everywhere but small, then hardly counts.

    Args:
        image: RGB.

    Returns:
        (h, w) uint8.
    """
    small = shrunk_image(image, COLOUR_SIDE)
    luminance = image.convert("L")
    colours = np.asarray(small)
    if int(np.ptp(colours, axis=2).max()) < MIN_COLOUR:
        return np.asarray(luminance)
    channels = [small.convert("L"), *small.split()]
    contrasts = [_local_contrast(channel) for channel in channels]
    best = int(np.argmax(contrasts))
    if contrasts[best] > COLOUR_GAIN**4 * contrasts[0]:
        return np.asarray(image.getchannel(best - 1))
    return np.asarray(luminance)


def _local_contrast(channel: Image.Image) -> float:
    local_mean = channel.filter(ImageFilter.BoxBlur(max(channel.size) / 6))
    squares = np.square(np.asarray(channel, np.float32) - np.asarray(local_mean, np.float32))
    return float(np.vdot(squares, squares))


def gray_of_array(array: npt.NDArray[Any]) -> Pixels:
    """Turn an array (h, w) or (h, w, 1 to 4) into gray levels, as ``gray_of_image`` does.

    A batch of one, (1, h, w) or (1, h, w, 1 to 4) with h and w above 4, is the picture in it.

    Raises:
        ImageError: its shape or its numbers are none of a picture.
    """
    array = picture_in(array)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim != 2 and not (array.ndim == 3 and array.shape[2] in (2, 3, 4)):
        raise ImageError(f"cannot be read: expected an array (h, w) or (h, w, 1 to 4), got {array.shape}")
    check_size(array.shape)
    levels = as_levels(array)
    if levels.ndim == 2 and max(levels.shape) <= DETAIL_SIDE:
        return levels
    return gray_of_image(Image.fromarray(np.ascontiguousarray(levels)))


def picture_in(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the picture in a batch of one; any other array as it is."""
    array = np.asarray(array)
    is_batch = array.ndim in (3, 4) and array.shape[0] == 1 and min(array.shape[1:3]) > _MOST_CHANNELS
    return array[0] if is_batch else array


def lies_on_its_side(image: Image.Image) -> bool:
    """Tell whether an image, whose Exif was checked as it was made gray, is turned by a quarter to be upright."""
    return bool(image.getexif().get(_ORIENTATION_TAG, 1) in _LYING)


def on_paper(image: Image.Image) -> Pixels:
    """Resolve transparency so that the ink can be seen, whether it is in the colours or in the alpha channel.

    Where a picture brings its own opaque paper, transparent parts take its gray. Otherwise the visible part *is* the
    ink, as on a canvas, and is put on paper of the opposite tone.

    Args:
        image: RGBA.

    Returns:
        (h, w) uint8.
    """
    alpha = np.asarray(image.getchannel("A"))
    gray = np.asarray(image.convert("RGB").convert("L"))
    visible = gray[alpha > PIXEL_MAX // 2]
    if visible.size == 0:
        visible = gray[alpha > 0]
    if visible.size == 0:
        raise ImageError("shows nothing: every pixel is transparent")
    brings_paper = (
        visible.size * 2 > gray.size and int(visible.max()) - int(visible.min()) >= MIN_TRANSPARENT_CONTRAST
    )
    opposite = 0 if float(visible.mean()) > PIXEL_MAX / 2 else PIXEL_MAX
    paper = float(np.median(visible)) if brings_paper else opposite
    opacity = alpha * np.float32(1 / PIXEL_MAX)
    flat: Pixels = np.rint(gray * opacity + np.float32(paper) * (1 - opacity)).astype(np.uint8)
    return flat


def without_blocks(gray: Pixels) -> Pixels:
    """Undo an enlargement that made every pixel a square of one level, as paint programs and ``numpy.kron`` do it.

    Args:
        gray: (h, w) uint8.

    Returns:
        The picture that was enlarged, a view; the picture itself where it has no such squares, or fewer than 8 x 8.
    """
    height, width = gray.shape
    side = math.gcd(height, width)
    rows = max(1, height // 8)
    # A few rows tell of most pictures that they are not made of squares.
    for pixels in (gray[::rows], gray, gray.T):
        is_change = (pixels[:, 1:] != pixels[:, :-1]).any(axis=0)
        side = math.gcd(side, *(np.flatnonzero(is_change) + 1).tolist())
        if side == 1:
            return gray
    return gray[::side, ::side] if min(height, width) >= LEAST_SQUARES * side else gray
