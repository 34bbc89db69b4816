"""Gray levels as arrays: numbers of any kind -> 0..255, and what is measured of levels. numpy only."""

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from edgedigits.contract import PIXEL_MAX
from edgedigits.errors import ImageError, ImageTypeError

Pixels: TypeAlias = npt.NDArray[np.uint8]

_NUMBERS_AT_ONCE = 1 << 20
"""Numbers, in whole rows, that are brought to levels 0..255 in one go: in between, one takes up to sixteen bytes."""

DEPTHS = (PIXEL_MAX, *(2**bits - 1 for bits in (10, 12, 14, 16)))
"""Highest levels of the depths in which integers come."""


def as_levels(array: npt.NDArray[Any]) -> Pixels:
    """Read the numbers of an array as levels 0..255.

    - bool: False is 0, True is 255;
    - integers: 0..255 as they are; where the largest is above 255, the range of 10, 12, 14 or 16 bits, the smallest
      that holds it, scaled down: cameras and scanners leave such numbers in 16 bits as they are. A picture of 16 bits
      whose lightest pixel is that dark is made lighter by this, which takes nothing from its digit;
    - floats: 0..1 where the largest is at most 1, otherwise 0..255.

    Args:
        array: numbers of any shape, at least one.

    Returns:
        uint8 of the same shape; the array itself where it is uint8.

    Raises:
        ImageError: not numbers, not finite, or outside these ranges.
    """
    if array.dtype == np.uint8:
        return array
    kind = array.dtype.kind
    if kind not in "buif":
        raise ImageTypeError(
            f"cannot be read: expected numbers (uint8, uint16, bool or float), got dtype {array.dtype}"
        )
    return levels_by_rows(array.shape, array.__getitem__)


def levels_by_rows(shape: tuple[int, ...], rows: Callable[[slice], npt.NDArray[Any]]) -> Pixels:
    """Read numbers as ``as_levels`` does, a few rows at a time.

    Args:
        shape: of all numbers; at least one.
        rows: gives those of some rows, of the same dtype each time.

    Returns:
        uint8 of that shape.

    Raises:
        ImageError: as ``as_levels``.
    """
    at_once = max(1, _NUMBERS_AT_ONCE // max(1, math.prod(shape[1:])))
    parts = [slice(start, start + at_once) for start in range(0, shape[0], at_once)]
    kind = rows(parts[0]).dtype.kind
    extremes = np.array([(float(part.min()), float(part.max())) for part in map(rows, parts)])
    ceiling = _ceiling(kind, float(extremes[:, 0].min()), float(extremes[:, 1].max()))
    levels: Pixels = np.empty(shape, np.uint8)
    for part in parts:
        if ceiling == PIXEL_MAX and kind != "f":
            levels[part] = rows(part)
        else:
            levels[part] = np.rint(_narrowed(rows(part)) * np.float32(PIXEL_MAX / ceiling))
    return levels


def _narrowed(numbers: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return numbers in a type that the processor calculates with."""
    return numbers.astype(np.float64) if numbers.itemsize > np.dtype(np.float64).itemsize else numbers


def _ceiling(kind: str, lowest: float, highest: float) -> int:
    """Return which number is white."""
    if not np.isfinite(lowest + highest):
        raise ImageError("cannot be read: the array holds NaN or infinity")
    ceiling = PIXEL_MAX if kind == "f" else next((top for top in DEPTHS if highest <= top), DEPTHS[-1])
    if lowest < 0 or highest > ceiling:
        expected = "0..1 or 0..255" if kind == "f" else "0..255 or 0..65535"
        raise ImageError(f"cannot be read: expected levels {expected}, found {lowest:g}..{highest:g}")
    return 1 if kind == "b" or (kind == "f" and highest <= 1) else ceiling


Contrast = npt.NDArray[np.float32]


def sliding(pixels: Pixels, window: int, extremum: np.ufunc) -> Pixels:
    """Return the largest (``np.maximum``) or smallest (``np.minimum``) level in a square window around each pixel.

    By doubling: the extremum of 2 pixels, of 4, of 8... and one more step to the width. On one flat array, in which a
    step down is a step of a row's length, so that every operation runs over contiguous memory.

    Args:
        pixels: (h, w) uint8.
        window: side of the square, odd; cut off at the border.
        extremum: which.
    """
    height, width = pixels.shape
    half, stride = window // 2, width + window
    outside = 0 if extremum is np.maximum else PIXEL_MAX
    padded = np.full((height + window, stride), outside, np.uint8)
    padded[half : half + height, half : half + width] = pixels
    flat = padded.reshape(-1)
    for step in (1, stride):
        span = 1
        while span < window:
            further = min(span, window - span)
            flat = extremum(flat[: -further * step], flat[further * step :])
            span += further
    found: Pixels = flat[: height * stride].reshape(height, stride)[:, :width]
    return found


def border_of(gray: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the levels of the first and last row and column, shape (2 w + 2 h,)."""
    return np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])


def odd(length: float, at_least: int) -> int:
    """Return the side of a window: odd, about ``length`` pixels."""
    return max(at_least, round(length)) | 1


def otsu_threshold(pixels: Pixels) -> int:
    """Return the level that parts the histogram into two classes of largest between-class variance.

    N. Otsu, A threshold selection method from gray-level histograms, IEEE Trans. SMC 9(1), 1979.
    """
    histogram = np.bincount(pixels.ravel(), minlength=PIXEL_MAX + 1)
    below = histogram.cumsum()[:-1].astype(np.float64)
    above = pixels.size - below
    moment = (histogram * np.arange(PIXEL_MAX + 1)).cumsum().astype(np.float64)
    distance = moment[-1] * below - moment[:-1] * pixels.size
    variance = distance * distance / np.maximum(below * above, 1)
    return int(variance.argmax())


def quantile(levels: npt.NDArray[Any], share: float) -> float:
    """Return the level that a share of all do not exceed."""
    position = int(share * (levels.size - 1))
    return float(np.partition(levels, position)[position])


def stroke_width(ink: Pixels) -> float:
    """Return the mean width of the strokes in pixels: twice their area over their perimeter.

    The perimeter of a soft-edged shape is the total variation of its levels (coarea formula), so no threshold is
    needed.
    """
    padded = np.zeros((ink.shape[0] + 2, ink.shape[1] + 2), np.float32)
    padded[1:-1, 1:-1] = ink
    down = padded[1:, :-1] - padded[:-1, :-1]
    across = padded[:-1, 1:] - padded[:-1, :-1]
    perimeter = float(np.sqrt(down * down + across * across).sum())
    return 2 * float(padded.sum()) / perimeter if perimeter else 0.0
