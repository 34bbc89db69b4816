"""The width of strokes, and how a digit lies in its picture."""

import numpy as np
import pytest

from edgedigits.picture.finding import Finding, finding_in
from edgedigits.picture.levels import Contrast, stroke_width


@pytest.mark.parametrize("width", [1, 3, 8])
def test_stroke_width_of_a_line_is_its_width(width: int) -> None:
    line = np.zeros((40, 400), np.uint8)
    line[10 : 10 + width, 5:395] = 255
    # The two ends belong to the perimeter too: 2 * width of 800.
    assert stroke_width(line) == pytest.approx(width, rel=0.03)


def test_stroke_width_of_nothing_is_zero() -> None:
    assert stroke_width(np.zeros((5, 5), np.uint8)) == 0


def bar(rows: slice, columns: slice) -> Contrast:
    contrast = np.zeros((60, 80), np.float32)
    contrast[rows, columns] = 0.8
    return contrast


def shade() -> Finding:
    rows, columns = np.mgrid[:60, :80]
    return finding_in(np.where((columns > 20) & (rows - columns > 10), 0.5, 0).astype(np.float32))


def test_ink_that_runs_out_of_the_picture_does_not_lie_along_its_border() -> None:
    assert not finding_in(bar(slice(20, 60), slice(30, 36))).covered_sides[0]
    assert finding_in(bar(slice(20, 60), slice(30, 36))).touches_border
    assert shade().lies_along_border
    assert not finding_in(bar(slice(20, 40), slice(30, 36))).lies_along_border


def test_a_box_is_told_without_the_margin() -> None:
    contrast = bar(slice(20, 40), slice(30, 36))
    assert finding_in(contrast).box_in(contrast.shape) == (20, 40, 30, 36)
    assert finding_in(np.pad(contrast, 9)).box_in(contrast.shape) == (20, 40, 30, 36)
