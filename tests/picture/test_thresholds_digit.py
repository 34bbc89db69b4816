"""Drawings on each side of thresholds by which a digit is looked for, chosen and refused, and the search's windows.

The rest of them is in ``test_thresholds.py``.
"""

import contextlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw

from edgedigits.errors import ImageError
from edgedigits.picture import search
from edgedigits.picture.contrast import ink_contrast
from edgedigits.picture.digit import around, check_ink, find_digit
from edgedigits.picture.even_paper import cut_digit, on_even_paper
from edgedigits.picture.finding import finding_in
from edgedigits.picture.levels import Contrast, Pixels


def strokes(*boxes: tuple[int, int, int, int], side: int = 100, tone: float = 0.8) -> Contrast:
    """Draw boxes (top, bottom, left, right) on paper of no contrast."""
    contrast = np.zeros((side, side), np.float32)
    for top, bottom, left, right in boxes:
        contrast[top:bottom, left:right] = tone
    return contrast


def drawn(contrast: Contrast, paper: int = 240) -> Pixels:
    """Draw on white, dark."""
    return np.asarray(np.rint(paper * (1 - contrast)), np.uint8)


def is_taken(check: Callable[..., None], contrast: Contrast) -> bool:
    try:
        check(finding_in(contrast))
    except ImageError:
        return False
    return True


# --- Even paper ---


def even_paper_is_looked_for(width: float) -> bool:
    """A line in a picture this wide."""
    gray = np.full((20, round(width)), 255, np.uint8)
    gray[4:16, 1] = 0
    return on_even_paper(gray) is not None


def a_cross(width: int, contrast: float = 0.8) -> Pixels:
    """Two strokes from corner to corner, 100 pixels high, in light that falls off to half."""
    picture = Image.new("L", (width, 100))
    canvas = ImageDraw.Draw(picture)
    canvas.line([(0, 0), (width, 100)], fill=255, width=10)
    canvas.line([(width, 0), (0, 100)], fill=255, width=10)
    share = np.asarray(picture, np.float64) / 255
    light = 230 * np.linspace(1, 0.5, width)
    # 24 is what contrast adds to the paper's level.
    return np.asarray(np.rint(light - share * contrast * (light + 24)).clip(0, 255), np.uint8)


def a_sloping_picture_is_too_wide_for_one_cut_to_its_digit(width: float) -> bool:
    return on_even_paper(a_cross(round(100 * width))) is None


def ink_on_a_slope_is_clear(contrast: float) -> bool:
    return on_even_paper(a_cross(100, contrast)) is not None


def a_narrow_picture_is_a_frame(share: float) -> bool:
    """A bracket as wide as its picture, whose back lies along this share of its height."""
    back = round(100 * share)
    contrast = strokes((0, 6, 0, 30), (94, 100, 3, 30), (0, back, 0, 6), (back, 100, 6, 12))[:, :30]
    return cut_digit(contrast) is None


def two_sides_are_covered(share: float) -> bool:
    """A bar along the whole upper border, and a stem along this share of the left one."""
    stem = round(100 * share)
    return cut_digit(strokes((0, 8, 0, 100), (0, stem, 0, 8))) is None


# --- Checks ---


def a_long_thin_line_at_the_border_is_refused(share: float) -> bool:
    """A line along this share of the left border, that then leaves it."""
    contrast = strokes((0, round(100 * share), 0, 3))
    for row in range(round(100 * share), 96):
        start = round((row - 100 * share) * 1.4)
        contrast[row, start : start + 4] = 0.8
    return not is_taken(check_ink, contrast)


def a_line_at_the_border_is_a_stroke(width: float) -> bool:
    """A line this broad, in a hundred pixels, along two thirds of the left border, that then leaves it."""
    contrast = strokes((0, 65, 0, round(width)))
    for row in range(65, 98):
        contrast[row, row - 65 : row - 65 + round(1.4 * width)] = 0.8
    return is_taken(check_ink, contrast)


def faint_ink_covers_too_much(share: float) -> bool:
    """A faint stem that covers this share of the upper border."""
    stem = round(100 * share)
    return not is_taken(check_ink, strokes((0, 80, 40, 40 + stem), (70, 80, 15, 85), tone=0.3))


# --- The whole way ---


def found(size: int, digit: int) -> Pixels:
    """Find a stem and a bar, this high, in the upper left of a white square."""
    gray = np.full((size, size), 240, np.uint8)
    pen = max(1, digit // 8)
    gray[20 : 20 + digit, 20 : 20 + pen] = gray[20 : 20 + pen, 20 : 20 + digit // 2] = 20
    return find_digit(gray)


def a_digit_needs_no_closer_look(side: float) -> bool:
    """A digit this high in the picture that is looked at, which is half as large."""
    return found(512, round(2 * side)).shape == (256, 256)


def a_digit_is_large_enough_to_be_looked_at(side: float) -> bool:
    try:
        found(1024, round(4 * side))
    except ImageError as error:
        return "move closer" not in str(error)
    return True


Row = tuple[str, Callable[[float], bool], float, float]
ROWS: list[Row] = [
    # threshold, what is the case, a quantity at which it is not, one at which it is
    ("SMALLEST_EVEN", even_paper_is_looked_for, 2, 3),
    ("WIDEST_CUT", a_sloping_picture_is_too_wide_for_one_cut_to_its_digit, 1.2, 1.3),
    ("CLEAR_CONTRAST", ink_on_a_slope_is_clear, 0.28, 0.34),
    ("COVERED", a_narrow_picture_is_a_frame, 0.78, 0.82),
    ("WHOLE_SIDE", two_sides_are_covered, 0.93, 0.97),
    ("strip: side", a_long_thin_line_at_the_border_is_refused, 0.57, 0.63),
    ("strip: thickness", a_line_at_the_border_is_a_stroke, 5, 8),
    ("faint: side", faint_ink_covers_too_much, 0.18, 0.22),
    ("CLOSE_SIDE", a_digit_needs_no_closer_look, 106, 114),
    ("SMALLEST_LOOK", a_digit_is_large_enough_to_be_looked_at, 3, 5),
]


@pytest.mark.parametrize(("threshold", "holds", "without", "with_"), ROWS, ids=[row[0] for row in ROWS])
def test_each_side_of_the_threshold(
    threshold: str, holds: Callable[[float], bool], without: float, with_: float
) -> None:
    assert not holds(without), f"{threshold}: at {without} it is the case"
    assert holds(with_), f"{threshold}: at {with_} it is not the case"


def windows_of(gray: Pixels, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the windows in which a digit is searched, in turn."""
    windows: list[int] = []

    def noted(gray: Pixels, window: int, *, dark: bool) -> Contrast:
        windows.append(window)
        return ink_contrast(gray, window, dark=dark)

    monkeypatch.setattr(search, "ink_contrast", noted)
    with contextlib.suppress(ImageError):
        search.search(gray, dark=True)
    return windows


@pytest.mark.parametrize(
    ("side", "windows"),
    [
        # Below 64 as if the digit filled the picture: three tenths.
        (20, [9]),
        (30, [9, 13]),
        (63, [19, 25]),
        # From there on a tenth, doubled up to four tenths; at least 9.
        (64, [9, 19, 27]),
        (200, [21, 43, 81]),
    ],
)
def test_windows_grow_from_a_tenth_to_four_tenths_where_there_is_no_ink(
    side: int, windows: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert windows_of(np.full((side, side), 200, np.uint8), monkeypatch) == windows


def test_the_window_has_three_tenths_of_the_digit(monkeypatch: pytest.MonkeyPatch) -> None:
    gray = drawn(strokes((50, 150, 90, 96), (50, 56, 90, 130), side=200))
    # Found in a tenth of the picture, it asks for 31, and in that of twice the size nothing is added.
    assert windows_of(gray, monkeypatch) == [21, 31, 63]


def test_a_cut_digit_gets_a_margin_of_a_tenth() -> None:
    finding = cut_digit(strokes((10, 90, 46, 54)))
    assert finding is not None
    assert finding.mask.shape == (120, 120)
    small = cut_digit(strokes((3, 12, 6, 8), side=15))
    assert small is not None
    assert small.mask.shape == (19, 19)


def test_what_was_found_is_cut_out_with_six_tenths_of_its_side_around() -> None:
    assert around(np.zeros((400, 400), np.uint8), (80, 100, 90, 100), 2.0).shape == (88, 68)
