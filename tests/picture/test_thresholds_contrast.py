"""Levels on each side of thresholds by which contrast is measured, and colours are compared.

The rest of them is in ``test_thresholds.py``.
"""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from edgedigits.picture.contrast import ink_contrast, polarity, sloping_contrast
from edgedigits.picture.gray import gray_of_colours
from edgedigits.picture.levels import Pixels


def a_line_in_the_middle_fades(side: float) -> bool:
    """A dark line of one pixel, which outvotes a broader light one until the picture is brought down.

    In the middle of a picture of 97 pixels, it falls between two of 96.
    """
    gray = np.full((round(side), round(side)), 128, np.uint8)
    gray[:, 48] = 0
    gray[:, 20:22] = 225
    return polarity(gray) < 0


def the_tone_inside_outvotes_the_border(darkened: float) -> bool:
    """Light and dark stripes in a light frame, of which so many columns are darkened: then the light are the fewer."""
    gray = np.tile(np.where(np.arange(90) % 10 < 5, 200, 0).astype(np.uint8), (90, 1))
    gray[[0, -1]] = gray[:, [0, -1]] = 200
    gray[30:60, 10 : 10 + round(darkened)] = 0
    return polarity(gray) < 0


def a_brighter_spot_is_too_far(distance: float) -> bool:
    """A light stroke, and so many pixels from it a spot that is twice as bright: compared with it, it is faint."""
    gray = np.zeros((100, 100), np.uint8)
    gray[45:55, 40] = 100
    gray[45:55, 40 + round(distance)] = 200
    return float(ink_contrast(gray, 9, dark=False)[50, 40]) > 0.6


def on_a_slope(gray: Pixels) -> bool:
    """Whether the paper, lighter than 120, has a surface."""
    return sloping_contrast(gray, 120, dark=True) is not None


def a_line_of_paper_fades(side: float) -> bool:
    """Four columns of paper, of which a surface needs an eighth of the picture, and one lies in the middle.

    In the middle of a picture of 33 pixels, it falls between two of 32.
    """
    gray = np.full((round(side), round(side)), 50, np.uint8)
    gray[:, [0, 1, 2, 16]] = 180
    return not on_a_slope(gray)


def a_pixel_is_too_far_to_be_paper(distance: float) -> bool:
    """Paper of one level on a tenth of the picture, which is too little for a surface.

    Less than half as many pixels lie, in pairs, to both sides of it, at this distance in that of the ink.
    """
    pairs = np.full((512, 2), 50, np.uint8)
    pairs[:51] = 200
    pairs[51:71] = round(200 + 150 * distance), round(200 - 150 * distance)
    return not on_a_slope(np.random.default_rng(0).permutation(pairs).reshape(32, 32))


def paper_is_too_rough_for_a_surface(distance: float) -> bool:
    """Half of the paper is of one level, and half at this distance from it."""
    gray = np.full(1024, 50, np.uint8)
    gray[:300] = 200
    gray[300:450], gray[450:600] = round(200 + 150 * distance), round(200 - 150 * distance)
    return not on_a_slope(np.random.default_rng(0).permutation(gray).reshape(32, 32))


def a_coloured_line_fades(side: float) -> bool:
    """A line of one pixel, just coloured enough for its red to be looked at, in a gray picture.

    In the middle of a picture of 65 pixels, it falls between two of 64.
    """
    sheet = np.full((round(side), round(side), 3), 128, np.uint8)
    sheet[:, 32] = 128 + 17, 128 - 7, 128
    return int(gray_of_colours(Image.fromarray(sheet))[30, 32]) != 128 + 17


Row = tuple[str, Callable[[float], bool], float, float]
ROWS: list[Row] = [
    # constant, what is the case, a quantity at which it is not, one at which it is
    ("VOTE_SIDE", a_line_in_the_middle_fades, 96, 97),
    ("BORDER_VOTE", the_tone_inside_outvotes_the_border, 39, 42),
    ("BRIGHT_WINDOW", a_brighter_spot_is_too_far, 20, 21),
    ("SLOPE_SIDE", a_line_of_paper_fades, 32, 33),
    ("SLOPE_TOLERANCE", a_pixel_is_too_far_to_be_paper, 0.19, 0.21),
    ("SLOPE_RESIDUAL", paper_is_too_rough_for_a_surface, 0.09, 0.11),
    ("COLOUR_SIDE", a_coloured_line_fades, 64, 65),
]


@pytest.mark.parametrize(("threshold", "holds", "without", "with_"), ROWS, ids=[row[0] for row in ROWS])
def test_each_side_of_the_threshold(
    threshold: str, holds: Callable[[float], bool], without: float, with_: float
) -> None:
    assert not holds(without), f"{threshold}: at {without} it is the case"
    assert holds(with_), f"{threshold}: at {with_} it is not the case"
