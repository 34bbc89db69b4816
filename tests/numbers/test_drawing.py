import numpy as np
import pytest

from edgedigits.numbers.drawing import NOT_SURE, SEPARATOR, SURE, drawn
from edgedigits.numbers.reading import Box, Line, Reading, Sign

PAPER = 230


def reading_of(top: int, size: tuple[int, int]) -> Reading:
    signs = [
        Sign("4", Box(100, top, 120, top + 30), 0.99, 250, True),
        Sign(".", Box(124, top + 26, 128, top + 30), 1.0, 255, True),
        Sign("2", Box(132, top, 150, top + 30), 0.5, 3, False),
    ]
    return Reading((Line(tuple(signs)),), size)


def has_colour(picture: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((picture == np.array(colour, np.uint8)).all(axis=2).any())


@pytest.mark.parametrize(("side", "factor"), [(1024, 1), (640, 1), (300, 2), (160, 4)])
def test_small_pictures_are_enlarged(side: int, factor: int) -> None:
    gray = np.full((100, side), PAPER, np.uint8)
    picture = drawn(gray, reading_of(40, (side, 100)))
    assert (picture.shape, picture.dtype) == ((100 * factor, side * factor, 3), np.uint8)


def test_boxes_lie_around_what_they_name() -> None:
    picture = drawn(np.full((300, 1000), PAPER, np.uint8), reading_of(100, (1000, 300)))
    assert tuple(picture[100, 110]) == SURE
    assert tuple(picture[129, 119]) == SURE
    assert tuple(picture[100, 140]) == NOT_SURE
    assert has_colour(picture[126:130, 124:128], SEPARATOR)
    assert tuple(picture[115, 110]) == (PAPER,) * 3


def test_boxes_of_a_larger_picture_are_scaled() -> None:
    """A photo is read smaller than it is, and its boxes are in its own pixels."""
    reading = reading_of(100, (1000, 300)).at((4000, 1200))
    assert reading.lines[0].signs[0].box == Box(400, 400, 480, 520)
    gray = np.full((300, 1000), PAPER, np.uint8)
    np.testing.assert_array_equal(drawn(gray, reading), drawn(gray, reading_of(100, (1000, 300))))


@pytest.mark.parametrize(("top", "rows"), [(100, slice(0, 98)), (2, slice(36, 300))], ids=["above", "below"])
def test_what_was_read_stands_above_or_below(top: int, rows: slice) -> None:
    picture = drawn(np.full((300, 1000), PAPER, np.uint8), reading_of(top, (1000, 300)))
    assert has_colour(picture[rows, 95:125], SURE)
    other = slice(top + 34, 300) if rows.start == 0 else slice(0, top)
    assert not has_colour(picture[other, 95:125], SURE)


def test_an_empty_reading_leaves_the_picture() -> None:
    gray = np.arange(256, dtype=np.uint8).reshape(1, 256).repeat(700, axis=0)
    picture = drawn(gray, Reading((), (256, 700)))
    np.testing.assert_array_equal(picture, gray[:, :, np.newaxis].repeat(3, axis=2))


def test_boxes_without_width_and_at_the_border_are_drawn() -> None:
    line = Line(
        (Sign("1", Box(0, 0, 0, 0), 1.0, 255, True), Sign("2", Box(999, 299, 1000, 300), 1.0, 255, True))
    )
    picture = drawn(np.full((300, 1000), PAPER, np.uint8), Reading((line,), (1000, 300)))
    assert tuple(picture[0, 0]) == SURE
    assert tuple(picture[299, 999]) == SURE
