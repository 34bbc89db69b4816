"""What is connected, and which of it is a frame, a speck, or shade at the border."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgedigits.picture.components import Mask, connected_components, covered_sides, has_full_corner


def flood(mask: Mask) -> list[frozenset[tuple[int, int]]]:
    """The connected parts of a mask, pixel by pixel."""
    left = {(int(y), int(x)) for y, x in zip(*np.nonzero(mask), strict=True)}
    parts = []
    while left:
        part, front = set(), [left.pop()]
        while front:
            y, x = front.pop()
            part.add((y, x))
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            front += near
        parts.append(frozenset(part))
    return parts


@given(hnp.arrays(np.bool_, st.tuples(st.integers(1, 14), st.integers(1, 14))))
def test_connected_parts_are_those_of_a_flood(mask: Mask) -> None:
    parts = connected_components(mask)
    found = set()
    for index in range(len(parts.area)):
        chosen = np.arange(len(parts.area)) == index
        ys, xs = np.nonzero(parts.mask(chosen))
        assert parts.area[index] == len(ys)
        assert parts.box[index].tolist() == [ys.min(), ys.max() + 1, xs.min(), xs.max() + 1]
        found.add(frozenset((int(y), int(x)) for y, x in zip(ys, xs, strict=True)))
    assert found == set(flood(mask))


def test_a_frame_is_one_only_around_something() -> None:
    mask = np.zeros((80, 80), bool)
    mask[10:70, 10:70] = True
    mask[11:69, 11:69] = False
    empty = connected_components(mask)
    assert empty.is_empty_frame(0)
    assert not empty.frames(0).any()
    mask[30:50, 35:45] = True
    parts = connected_components(mask)
    inner = int(parts.area.argmin())
    assert parts.frames(inner).tolist() == [index != inner for index in range(2)]


def test_strokes_of_one_digit_stay_together_and_specks_go() -> None:
    mask = np.zeros((100, 100), bool)
    mask[30:80, 40:46] = True  # a stem
    mask[20:25, 40:60] = True  # a bar near it
    mask[85, 48] = True  # a speck near it
    mask[30:80, 90:94] = True  # a stroke far away
    parts = connected_components(mask)
    main = int(parts.prominence().argmax())
    together = parts.mask(parts.strokes_near(main, np.zeros(len(parts.area), bool)))
    assert together[50, 42]
    assert together[22, 50]
    assert not together[85, 48]
    assert not together[50, 92]


def test_covered_sides_are_shares_of_the_border() -> None:
    mask = np.zeros((10, 20), np.bool_)
    mask[0, :5] = mask[-1, :] = mask[:4, 0] = True
    assert covered_sides(mask) == pytest.approx((0.25, 1.0, 0.5, 0.1))


def test_a_corner_is_full_only_where_ink_fills_a_square_of_it() -> None:
    rows, columns = np.mgrid[:50, :50]
    assert has_full_corner(rows + columns > 60)
    assert not has_full_corner((rows < 6) | (columns < 6))
    assert not has_full_corner(abs(rows - columns) < 6)
