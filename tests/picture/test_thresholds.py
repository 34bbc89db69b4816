"""One picture on each side of every threshold of the preparation, so that none can be moved unseen.

A row has the constant's name, what is drawn for a value, a value on each side of the constant, and what is to be
seen on each side. The values are numbers, not shares of the constant: they must not move with it. More of them are in
``test_thresholds_components.py``, ``_contrast.py``, ``_digit.py``, ``_finding.py`` and ``_form.py``.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edgedigits.errors import ImageError
from edgedigits.picture.components import Mask, connected_components, has_full_corner
from edgedigits.picture.contrast import flat_contrast, flat_paper, has_shade, ink_contrast, sloping_contrast
from edgedigits.picture.digit import check_digit, check_ink, find_in
from edgedigits.picture.even_paper import clear_digit, cut_digit, is_light_paper, reaches_across
from edgedigits.picture.finding import Finding, finding_in
from edgedigits.picture.levels import Contrast
from edgedigits.picture.search import grows

SIDE = 100
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE]


def accepts(check: Callable[..., object], *arguments: object) -> bool:
    """Whether a check lets something pass."""
    try:
        check(*arguments)
    except ImageError:
        return False
    return True


def box(top: int, bottom: int, left: int, right: int, shape: tuple[int, int] = (SIDE, SIDE)) -> Mask:
    mask = np.zeros(shape, bool)
    mask[top:bottom, left:right] = True
    return mask


def outline(top: int, bottom: int, left: int, right: int, pen: int = 6) -> Mask:
    return box(top, bottom, left, right) & ~box(top + pen, bottom - pen, left + pen, right - pen)


def found(mask: Mask, level: float = 0.8, grain: float = 0.0, share: float = 1.0) -> Finding:
    """What was found, all of one tone."""
    rows, columns = np.nonzero(mask)
    edges = int(rows.min()), int(rows.max()) + 1, int(columns.min()), int(columns.max()) + 1
    return Finding(np.where(mask, np.float32(level), np.float32(0)), mask, level, edges, share, grain, False)


def ink(mask: Mask, level: float = 0.8) -> Contrast:
    return np.where(mask, np.float32(level), np.float32(0))


ZERO = outline(20, 80, 30, 70)


# --- finding.py ------------------------------------------------------------------------------------------------------


def faint_ink_is_ink(tone: float) -> bool:
    """A 0 of this tone, and a dark speck that sets the highest contrast."""
    contrast = ink(ZERO, tone)
    contrast[5:8, 5:8] = 1
    return bool(finding_in(contrast).mask[50, 32])


def grain_is_measured(distance: int) -> bool:
    contrast = ink(ZERO)
    contrast[:, 70 + distance - 1] = 0.1
    return finding_in(contrast).grain > 0


def lies_along(covered: int) -> bool:
    """A box of 60 pixels at the upper border, of which so many touch it."""
    return found(box(1, 60, 20, 80) | box(0, 1, 20, 20 + covered)).lies_along_border


def plausible(width: int) -> bool:
    """A filled box of 90 pixels; its stroke width is width / (width + 90) of its height."""
    return found(box(5, 95, 20, 20 + width)).is_plausible


# --- digit.py, even_paper.py, search.py ------------------------------------------------------------------------------


def two_sides_covered(covered: int) -> bool:
    """An L of strong ink that goes along two sides of the picture for so long and then a pixel inside."""
    mask = box(0, 12, 0, covered) | box(1, 12, 0, 95) | box(0, covered, 0, 12) | box(0, 95, 1, 12)
    mask &= ~box(covered, SIDE, 0, 1) & ~box(0, 1, covered, SIDE)
    return accepts(check_ink, found(mask))


def runs_out(level: float) -> bool:
    """A digit that meets a quarter of the upper border, with a foot that is far longer."""
    return accepts(check_ink, found(box(0, 6, 35, 60) | box(0, 80, 45, 51) | box(74, 80, 15, 90), level))


def more_of_the_same(added: int, tone: float, *, at_border: bool = False) -> bool:
    """A box of 2,000 pixels, and in the larger window so many more rows of 40."""
    mask = box(20, 70, 30, 70)
    contrast = ink(mask)
    below = box(70, 70 + added, 30, 70) if not at_border else box(70, SIDE, 30, 70)
    contrast[below] = 0.8 * tone
    return grows(found(mask), contrast)


def alone(area: int) -> bool:
    """A 0 of 1,056 pixels on a large sheet, and other ink of so many, far away."""
    mask = np.pad(ZERO, 80)
    mask[10 : 10 + area // 8, 10:18] = True
    return clear_digit(ink(mask), 0.0) is not None


def clean(grain: float) -> bool:
    """A 0 on paper with a dot of this tone, in that of the ink, on every sixteenth pixel."""
    contrast = ink(ZERO)
    contrast[::4, ::4] = np.maximum(contrast[::4, ::4], 0.8 * grain)
    return clear_digit(contrast, 0.0) is not None


def cut_along_one_side(covered: int) -> bool:
    """A digit of the height of the picture, along so much of whose left side it runs."""
    return cut_digit(ink(box(0, covered, 0, 6) | box(45, 51, 0, 60) | box(45, SIDE, 54, 60))) is not None


def runs_out_above(covered: int) -> bool:
    """A digit that covers so much of the upper side, and ends in the middle of the picture."""
    return cut_digit(ink(box(0, 6, 20, 20 + covered) | box(0, 60, 40, 46))) is not None


def two_strokes(ink_at_border: float) -> bool:
    """Two equal strokes in the middle, so that neither is the main part, with so much ink at the border."""
    return clear_digit(ink(box(20, 80, 30, 38) | box(20, 80, 45, 53)), ink_at_border) is not None


def dark_ink_is_found(tone: int) -> bool:
    """A dark 0 and, beside it, a lighter disc, which is no digit; the lighter, the clearer the vote for light ink.

    It is -0.33 and -0.39 on the two sides.
    """
    rows, columns = np.mgrid[:SIDE, :160]
    gray = np.full((SIDE, 160), 150, np.uint8)
    gray[outline(20, 80, 15, 55).nonzero()] = 100
    gray[np.hypot(rows - 50, columns - 115) < 14] = tone
    return find_in(gray)[0]


def main_part(other: int) -> bool:
    """A 0 of 1,056 pixels, and beside it a stroke of so many."""
    return cut_digit(ink(ZERO | box(20, 20 + other // 10, 73, 83))) is not None


def narrow_paper(width: int) -> bool:
    """A dark 1 that covers most of the border of a narrow picture, which it runs through."""
    gray = np.full((SIDE, width), 255, np.uint8)
    gray[:, 2:-2] = 0
    return is_light_paper(gray, 127, 0.4)


def more_pixels(count: int) -> bool:
    """A box of 2,000 pixels, and so many more of them below it in the larger window."""
    contrast = ink(box(20, 70, 30, 70))
    for index in range(count):
        contrast[70 + index // 40, 30 + index % 40] = 0.8
    return grows(found(box(20, 70, 30, 70)), contrast)


# --- contrast.py -----------------------------------------------------------------------------------------------------


def paper_has(share: int) -> bool:
    """Paper of one level on so many percent of the pixels, and ink of every dark level on the others."""
    gray = np.tile(np.arange(SIDE, dtype=np.uint8), (SIDE, 1))
    gray[:share] = 200
    return flat_paper(gray, dark=True) == 200


def paper_of_two_levels(second: int) -> bool:
    gray = np.tile(np.arange(SIDE, dtype=np.uint8), (SIDE, 1))
    gray[:12], gray[12:20] = 200, second
    return flat_paper(gray, dark=True) == 200


def even_area(tone: float = 0.5, width: int = 60, step: float = 0.0) -> bool:
    """2,500 pixels of ink, and an area of such a tone (a checkerboard of tones with a step) 26 pixels high."""
    contrast = ink(box(40, 90, 20, 70), 1.0)
    contrast[5:31, 5 : 5 + width] = tone + step * ((ROWS + COLUMNS) % 2)[5:31, 5 : 5 + width]
    return has_shade(contrast)


def full(height: int, width: int) -> npt.NDArray[np.uint8]:
    return np.full((height, width), 255, np.uint8)


def keeps_a_dot(side: int) -> bool:
    """A dark pixel on white, which is averaged away with its neighbours in pictures of some size."""
    gray = full(side, side)
    gray[side // 2, side // 2] = 0
    return bool(ink_contrast(gray, 9, dark=True).max() > 0.5)


def has_a_surface(paper: int) -> bool:
    """A picture of 32 x 32, so many pixels of which are paper."""
    gray = np.full((32, 32), 50, np.uint8)
    gray.flat[:paper] = 200
    return sloping_contrast(gray, 100, dark=True) is not None


# --- components.py ---------------------------------------------------------------------------------------------------


def belongs(stroke: Mask) -> bool:
    """Whether a stroke belongs to the 0 beside it."""
    parts = connected_components(ZERO | stroke)
    main = int(parts.area.argmax())
    return bool(parts.strokes_near(main, np.zeros(len(parts.area), bool)).all())


CASES: list[tuple[str, Callable[[Any], object], Any, Any, object, object]] = [
    ("finding.THRESHOLD_FLOOR", faint_ink_is_ink, 0.11, 0.13, False, True),
    ("finding.GRAIN_DISTANCE", grain_is_measured, 6, 7, False, True),
    ("finding.LYING", lies_along, 41, 43, False, True),
    ("finding.PLAUSIBLE_THICKNESS", plausible, 43, 46, True, False),
    ("digit.GRAIN", lambda grain: accepts(check_ink, found(ZERO, 0.5, grain)), 0.29, 0.31, True, False),
    ("digit.FAINT", runs_out, 0.44, 0.46, False, True),
    ("even_paper.COVERED", two_sides_covered, 79, 82, True, False),
    (
        "digit.LARGEST_THICKNESS",
        lambda width: accepts(check_digit, found(box(5, 95, 5, 5 + width))),
        63,
        67,
        True,
        False,
    ),
    (
        "digit.WIDEST",
        lambda width: accepts(check_digit, found(outline(40, 60, 5, 5 + width, 3))),
        59,
        62,
        True,
        False,
    ),
    (
        "digit.MIN_SHARE",
        lambda share: accepts(check_digit, found(ZERO, share=share)),
        0.29,
        0.31,
        False,
        True,
    ),
    (
        "contrast.MIN_CONTRAST",
        lambda level: accepts(check_digit, found(ZERO, level)),
        0.019,
        0.021,
        False,
        True,
    ),
    (
        "components.MIN_INK_SIDE",
        lambda side: accepts(check_digit, found(box(9, 9 + side, 9, 10))),
        2,
        3,
        False,
        True,
    ),
    ("search.GROWTH", more_pixels, 110, 130, False, True),
    ("search.SAME_TONE", lambda tone: more_of_the_same(10, tone), 0.84, 0.86, False, True),
    (
        "search.SAME_TONE_AT_BORDER",
        lambda tone: more_of_the_same(0, tone, at_border=True),
        0.94,
        0.96,
        False,
        True,
    ),
    ("even_paper.CLEAR_SHARE", alone, 240, 280, True, False),
    ("even_paper.CLEAR_GRAIN", clean, 0.28, 0.32, True, False),
    ("even_paper.FILLED", lambda end: reaches_across((0, end, 0, end), (SIDE, SIDE)), 79, 82, False, True),
    ("even_paper.NARROW", lambda width: reaches_across((0, SIDE, 5, 10), (SIDE, width)), 39, 41, True, False),
    ("even_paper.NARROW", narrow_paper, 39, 41, True, False),
    ("digit.CLEAR_VOTE", dark_ink_is_found, 225, 228, True, False),
    ("even_paper.WHOLE_SIDE", cut_along_one_side, 94, 97, True, False),
    ("even_paper.HALF_A_SIDE", runs_out_above, 49, 52, True, False),
    ("even_paper.MAIN_PART", main_part, 660, 740, True, False),
    ("even_paper.INK_AT_BORDER", two_strokes, 0.019, 0.021, True, False),
    ("contrast.FLAT_PAPER", paper_has, 14, 16, False, True),
    ("contrast.FLAT_TOLERANCE", paper_of_two_levels, 206, 207, True, False),
    ("contrast.MOST_SHADE", lambda width: even_area(width=width), 30, 32, False, True),
    ("contrast.SHADE_TONES[0]", even_area, 0.13, 0.15, False, True),
    ("contrast.SHADE_TONES[1]", even_area, 0.84, 0.86, True, False),
    ("contrast.SHADE_SPAN", lambda step: even_area(step=step), 0.026, 0.036, True, False),
    (
        "components.STRIP",
        lambda depth: bool(connected_components(box(0, depth, 10, 90)).strips()[0]),
        19,
        20,
        True,
        False,
    ),
    ("components.CORNER", lambda side: has_full_corner(box(0, side, 0, side)), 29, 30, False, True),
    ("components.MIN_PART", lambda area: belongs(box(20, 20 + area, 74, 75)), 30, 33, False, True),
    ("components.REACH", lambda gap: belongs(box(20, 70, 70 + gap, 75 + gap)), 11, 14, True, False),
    ("contrast.SMOOTH_SIDE", keeps_a_dot, 127, 128, True, False),
    ("contrast.SLOPE_PAPER", has_a_surface, 113, 133, False, True),
    (
        "contrast.BLACK_LEVEL",
        lambda tone: float(flat_contrast(full(1, 1) * 0 + tone, 176, dark=True)[0, 0]),
        76,
        126,
        0.5,
        0.25,
    ),
]


@pytest.mark.parametrize(
    ("constant", "seen", "below", "above", "expected_below", "expected_above"),
    CASES,
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_each_side_of_a_threshold(
    constant: str,
    seen: Callable[[Any], object],
    below: Any,
    above: Any,
    expected_below: object,
    expected_above: object,
) -> None:
    assert (seen(below), seen(above)) == (expected_below, expected_above), constant
