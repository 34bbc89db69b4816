"""Masks on each side of thresholds that tell strokes from frames, strips, specks and shade.

The rest of them is in ``test_thresholds.py``.
"""

from collections.abc import Callable

import numpy as np
import pytest

from edgedigits.picture.components import Components, Mask, connected_components, has_full_corner

Box = tuple[int, int, int, int]


def boxes(*drawn: Box, side: int = 100) -> Mask:
    """Draw filled boxes: top, bottom, left, right."""
    mask = np.zeros((side, side), bool)
    for top, bottom, left, right in drawn:
        mask[top:bottom, left:right] = True
    return mask


def ring(top: int, bottom: int, left: int, right: int, pen: int = 2) -> tuple[Box, Box, Box, Box]:
    """Return the four sides of a frame."""
    return (
        (top, top + pen, left, right),
        (bottom - pen, bottom, left, right),
        (top, bottom, left, left + pen),
        (top, bottom, right - pen, right),
    )


def part_at(parts: Components, row: int, column: int) -> int:
    """Return the index of the part that a pixel belongs to."""
    inside = (parts.row == row) & (parts.start <= column) & (column < parts.stop)
    return int(parts.part[inside][0])


def is_framed(*drawn: Box, at: tuple[int, int] = (50, 50)) -> bool:
    """Tell whether what lies at a place has a frame around it."""
    parts = connected_components(boxes(*drawn))
    return bool(parts.frames(part_at(parts, *at)).any())


def is_empty_frame(*drawn: Box, side: int = 120) -> bool:
    return connected_components(boxes(*drawn, side=side)).is_empty_frame(0)


DOT = (45, 55, 45, 55)


def a_bar_at_the_left_is_deeper_than_a_strip(depth: float) -> bool:
    return not connected_components(boxes((10, 90, 0, round(depth)))).strips()[0]


def a_corner_is_full(rows: float) -> bool:
    """Ink in so many rows of the thirty of a corner."""
    return has_full_corner(boxes((100 - round(rows), 100, 0, 40)))


def ink_at_the_border_stands_out(width: float) -> bool:
    """A bar from the border of this width, beside a square in the middle."""
    parts = connected_components(boxes((45, 55, 60, 70), (0, 40, 15, 15 + round(width))))
    return int(parts.prominence().argmax()) == part_at(parts, 0, 20)


def a_frame_holds_something(area: float) -> bool:
    """A frame of 464 pixels around a line of so many."""
    return is_framed(
        *ring(20, 80, 20, 80), (50, 51, 50 - round(area) // 2, 50 + round(area) - round(area) // 2)
    )


def a_frame_runs_along_its_box(share: float) -> bool:
    """A frame of 464 pixels with a spur to its inside that makes this its share of the ink."""
    spur = round(464 * (1 / share - 1))
    return is_framed(*ring(20, 80, 20, 80), (30, 32, 22, 22 + spur // 2), DOT)


def three_sides_make_a_frame(share: float) -> bool:
    """A frame without a right side, and with this share of the lower one."""
    top, _, left, _ = ring(20, 80, 20, 80)
    return is_framed(top, left, (78, 80, 20, 20 + round(60 * share)), DOT)


def a_frame_is_large_enough(height: float) -> bool:
    bottom = 45 + round(height)
    return is_framed(*ring(45, bottom, 20, 80, pen=1), (49, 51, 30, 60))


def lines_are_too_thick_for_an_empty_frame(share: float) -> bool:
    """A frame of 100 x 100 with ink in this share of its side times its perimeter."""
    thin = 4 * 97 * 3
    more = round(40_000 * share) - thin
    return not is_empty_frame(*ring(10, 110, 10, 110, pen=3), (30, 30 + more, 13, 14))


def an_empty_frame_runs_along_its_box(share: float) -> bool:
    """A frame of 784 pixels with a spur, of which this share lies along its sides."""
    # Three pixels of the spur lie along the side themselves.
    spur = round(787 / share) - 784
    return is_empty_frame(*ring(10, 110, 10, 110), (60, 61, 12, 12 + spur))


def an_empty_frame_is_closed(share: float) -> bool:
    """A frame of which this share of the right side is there."""
    top, bottom, left, _ = ring(10, 110, 10, 110)
    gap = round(100 * (1 - share))
    return is_empty_frame(top, bottom, left, (10, 60, 108, 110), (60 + gap, 110, 108, 110))


def a_side_is_bent_too_far(inwards: float) -> bool:
    """A frame of 200 x 200 whose left side lies so far inside its box."""
    top, bottom, _, right = ring(10, 210, 10, 210)
    column = 10 + round(inwards)
    return not is_empty_frame(top, bottom, right, (10, 210, column, column + 1), side=220)


def a_side_of_a_small_frame_is_bent_too_far(inwards: float) -> bool:
    """Likewise in 40 x 40, around a dot, without a right side."""
    top, bottom, _, _ = ring(30, 70, 30, 70)
    column = 30 + round(inwards)
    return not is_framed(top, bottom, (30, 70, column, column + 2), DOT)


Row = tuple[str, Callable[[float], bool], float, float]
ROWS: list[Row] = [
    # threshold, what is the case, a quantity at which it is not, one at which it is
    ("STRIP: width", a_bar_at_the_left_is_deeper_than_a_strip, 19, 20),
    ("corner: share of ink", a_corner_is_full, 28, 29),
    ("prominence at the border", ink_at_the_border_stands_out, 20, 21),
    ("frame: what it holds", a_frame_holds_something, 44, 48),
    ("frame: along its box", a_frame_runs_along_its_box, 0.83, 0.88),
    ("frame: sides", three_sides_make_a_frame, 0.78, 0.83),
    ("MIN_INK_SIDE of a frame", a_frame_is_large_enough, 11, 12),
    ("empty frame: ink", lines_are_too_thick_for_an_empty_frame, 0.0299, 0.0303),
    ("empty frame: along its box", an_empty_frame_runs_along_its_box, 0.94, 0.96),
    ("empty frame: sides", an_empty_frame_is_closed, 0.89, 0.92),
    ("rim", a_side_is_bent_too_far, 9, 10),
    ("rim of a small frame", a_side_of_a_small_frame_is_bent_too_far, 2, 3),
]


@pytest.mark.parametrize(("threshold", "holds", "without", "with_"), ROWS, ids=[row[0] for row in ROWS])
def test_each_side_of_the_threshold(
    threshold: str, holds: Callable[[float], bool], without: float, with_: float
) -> None:
    assert not holds(without), f"{threshold}: at {without} it is the case"
    assert holds(with_), f"{threshold}: at {with_} it is not the case"
