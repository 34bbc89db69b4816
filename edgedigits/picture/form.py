"""The digit alone -> MNIST's form: strokes of its width, fitted into 20 x 20, centred by mass. Pure functions."""

import numpy as np

from edgedigits.contract import IMAGE_SIDE, PIXEL_MAX
from edgedigits.errors import ImageError
from edgedigits.picture.components import MIN_INK_SIDE
from edgedigits.picture.levels import Pixels, stroke_width
from edgedigits.picture.limits import DETAIL_SIDE
from edgedigits.picture.scaling import resized

DIGIT_SIDE = 20
"""Longer side of the digit in a MNIST picture, http://yann.lecun.com/exdb/mnist (of 70,000, all but 16; those: 19)."""
CENTRE = IMAGE_SIDE // 2

STROKE_WIDTH = 1.8
"""Stroke width, as ``stroke_width`` measures it, to which thin strokes are brought: one in ten of MNIST's is thinner.

Without it a one-pixel line of a paint program all but vanishes (7 points fewer of such pictures are read correctly);
2.6 costs 2 points on scans."""
THIN_LINE = 1.05
"""Stroke width, measured likewise, of a line of single pixels, at most."""
MIN_STROKE_SIDE = 4 * DIGIT_SIDE
"""Longer side of the digit, at least, where strokes are thickened, so that a step is at most half a final pixel."""


def ink_box(pixels: Pixels, above: int = 0) -> tuple[int, int, int, int] | None:
    """Return top, bottom, left and right (the ends exclusive) of what is lighter than a level; None if nothing is."""
    mask = pixels > above
    rows = mask.any(axis=1).tobytes()
    top = rows.find(1)
    if top < 0:
        return None
    columns = mask.any(axis=0).tobytes()
    return top, rows.rfind(1) + 1, columns.find(1), columns.rfind(1) + 1


def cropped(ink: Pixels, above: int = PIXEL_MAX // 2) -> Pixels:
    """Cut out the digit: the box of all that is lighter than a level, by default at least half ink.

    Raises:
        ImageError: there is no ink, or no more than a speck.
    """
    box = ink_box(ink, above)
    if box is None or max(box[1] - box[0], box[3] - box[2]) < MIN_INK_SIDE:
        raise ImageError("shows nothing: there is no more than a speck; draw the digit larger")
    top, bottom, left, right = box
    return ink[top:bottom, left:right]


def thickened(ink: Pixels) -> Pixels:
    """Bring thin strokes to the width that MNIST's have, in proportion to the digit.

    This is done at the digit's own size, because scaling down first would leave too little of a thin line; small
    digits are enlarged for it.

    Args:
        ink: (h, w) uint8, cropped.

    Returns:
        (h, w) uint8, cropped, at least 80 on the longer side.
    """
    large = resized(ink, max(MIN_STROKE_SIDE, *ink.shape))
    wanted = STROKE_WIDTH * max(large.shape) / DIGIT_SIDE
    steps = round((wanted - stroke_width(large)) / 2)
    if steps <= 0:
        return large
    grown = np.pad(large, steps)
    for step in range(steps):
        grown = dilated(grown, diagonally=step % 2 == 0)
    return cropped(grown)


def dilated(ink: Pixels, *, diagonally: bool) -> Pixels:
    """Let the ink grow by a pixel to all sides. Taking turns with the diagonals makes the growth almost round."""
    grown: Pixels = ink.copy()
    np.maximum(grown[1:], ink[:-1], out=grown[1:])
    np.maximum(grown[:-1], ink[1:], out=grown[:-1])
    source = grown.copy() if diagonally else ink
    np.maximum(grown[:, 1:], source[:, :-1], out=grown[:, 1:])
    np.maximum(grown[:, :-1], source[:, 1:], out=grown[:, :-1])
    return grown


def fitted(ink: Pixels) -> Pixels:
    """Bring the longer side to 20 by averaging, and the lightest pixel to 255."""
    small = resized(ink, DIGIT_SIDE)
    peak = int(small.max())
    return small if peak == PIXEL_MAX else np.rint(small * (PIXEL_MAX / peak)).astype(np.uint8)


def centred(ink: Pixels) -> Pixels:
    """Put the digit into 28 x 28 so that its centre of mass lies at (14, 14), or as near as the frame allows.

    Args:
        ink: (h, w) uint8, cropped, no side above 28.

    Returns:
        (28, 28) uint8.
    """
    height, width = ink.shape
    row, column = centre_of_mass(ink)
    top = min(max(round(CENTRE - row), 0), IMAGE_SIDE - height)
    left = min(max(round(CENTRE - column), 0), IMAGE_SIDE - width)
    frame = np.zeros((IMAGE_SIDE, IMAGE_SIDE), np.uint8)
    frame[top : top + height, left : left + width] = ink
    return frame


def centre_of_mass(ink: Pixels) -> tuple[float, float]:
    """Return row and column of the mean position of the ink, in pixels; ink that is all 0 has none."""
    rows = ink.sum(axis=1, dtype=np.float32)
    columns = ink.sum(axis=0, dtype=np.float32)
    mass = float(rows.sum())
    return float(rows @ _INDEX[: rows.size]) / mass, float(columns @ _INDEX[: columns.size]) / mass


_INDEX = np.arange(max(IMAGE_SIDE, DETAIL_SIDE), dtype=np.float32)


def is_mnist_form(pixels: Pixels) -> bool:
    """Tell whether a (28, 28) picture already has the form of MNIST's.

    That is: outside a box whose longer side is 19 or 20 all is exactly 0, the lightest pixel is at least 254, the
    centre of mass lies at (14, 14) after rounding or the box touches the frame on the way there, and the strokes are
    wider than a line of single pixels. All 70,000 pictures of MNIST are so; others are by chance only.
    """
    box = ink_box(pixels)
    if box is None:
        return False
    top, bottom, left, right = box
    if max(bottom - top, right - left) not in (DIGIT_SIDE - 1, DIGIT_SIDE) or pixels.max() < PIXEL_MAX - 1:
        return False
    row, column = centre_of_mass(pixels)
    return (
        _is_centred(row, top, bottom)
        and _is_centred(column, left, right)
        and stroke_width(pixels) > THIN_LINE
    )


def _is_centred(position: float, start: int, end: int) -> bool:
    offset = position - CENTRE
    # MNIST's own rounding leaves up to 0.52.
    return abs(offset) <= 0.53 or (offset > 0 and start == 0) or (offset < 0 and end == IMAGE_SIDE)
