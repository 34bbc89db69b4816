import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgedigits.numbers.reading import Box, Line, Reading, Sign


def reading_of(*boxes: Box, size: tuple[int, int] = (100, 50)) -> Reading:
    return Reading((Line(tuple(Sign("1", box, 0.9, 200, True) for box in boxes)),), size)


@pytest.mark.parametrize(
    ("box", "size", "expected"),
    [
        (Box(10, 5, 20, 45), (100, 50), Box(10, 5, 20, 45)),
        (Box(10, 5, 20, 45), (300, 150), Box(30, 15, 60, 135)),
        (Box(11, 5, 19, 44), (50, 25), Box(5, 2, 10, 22)),
        (Box(-3, -1, 20, 52), (100, 50), Box(0, 0, 20, 50)),
        (Box(99, 0, 104, 50), (100, 50), Box(99, 0, 100, 50)),
        (Box(31, 20, 31, 40), (100, 50), Box(31, 20, 32, 40)),
        (Box(100, 50, 100, 50), (100, 50), Box(99, 49, 100, 50)),
    ],
    ids=["same", "larger", "smaller", "outside", "right border", "no width", "corner"],
)
def test_boxes_of_another_size(box: Box, size: tuple[int, int], expected: Box) -> None:
    reading = reading_of(box).at(size)
    assert reading.size == size
    assert reading.lines[0].signs[0].box == expected


sides = st.integers(-5, 120)


@given(st.tuples(sides, sides, sides, sides), st.integers(1, 3000), st.integers(1, 3000))
def test_every_box_has_a_pixel_in_the_picture(sides: tuple[int, ...], width: int, height: int) -> None:
    left, right = sorted(sides[:2])
    top, bottom = sorted(sides[2:])
    (sign,) = reading_of(Box(left, top, right, bottom)).at((width, height)).lines[0].signs
    assert 0 <= sign.box.left < sign.box.right <= width
    assert 0 <= sign.box.top < sign.box.bottom <= height


def test_a_line_is_what_its_signs_are() -> None:
    signs = (
        Sign("1", Box(10, 5, 20, 30), 0.9, 250, True),
        Sign(".", Box(22, 26, 25, 33), 1.0, 255, False),
        Sign("2", Box(28, 4, 40, 29), 0.7, 100, True),
    )
    line = Line(signs)
    assert (line.text, line.digits, line.confidence) == ("1.2", (signs[0], signs[2]), 0.7)
    assert line.box == Box(10, 4, 40, 33)
    assert line.sure  # separators do not count
    assert not Line((*signs, Sign("3", Box(50, 5, 60, 30), 0.6, 9, False))).sure


def test_a_reading_is_sure_where_all_its_lines_are_and_there_is_one() -> None:
    sure = reading_of(Box(0, 0, 10, 10)).lines[0]
    unsure = Line((Sign("7", Box(0, 20, 10, 30), 0.4, 1, False),))
    assert Reading((sure, sure), (100, 50)).sure
    assert not Reading((sure, unsure), (100, 50)).sure
    assert not Reading((), (100, 50)).sure
    assert Reading((sure, unsure), (100, 50)).text == "1\n7"
