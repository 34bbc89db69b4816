import re

import numpy as np
import pytest

from edgedigits.picture.form import is_mnist_form
from edgedigits.training.drawn import Pen, draw_shape
from edgedigits.training.letters import LETTERS, SIGNS
from edgedigits.training.non_digits import NO_DIGIT, SHAPES, TEXTURES, draw_non_digits, on_its_side, textures
from edgedigits.training.strokes import Chance
from edgedigits.training.zero_to_four import four_open


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("count", [0, 1, 300])
def test_so_many_are_drawn_and_labelled_as_no_digit(count: int) -> None:
    images, labels = draw_non_digits(count, generator())
    assert (images.shape, images.dtype, labels.dtype) == ((count, 28, 28), np.uint8, np.uint8)
    assert (labels == NO_DIGIT).all()
    assert all(image.max() == 255 for image in images)


def test_the_seed_decides() -> None:
    first, again, other = (draw_non_digits(100, generator(seed))[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("index", range(0, len(SHAPES), 4))
def test_a_shape_is_drawn_in_many_ways(index: int) -> None:
    images = draw_shape(SHAPES[index], 20, generator(), Pen())
    assert len(np.unique(images, axis=0)) == 20
    assert all(is_mnist_form(image) for image in images)


def test_all_shapes_are_drawn_and_a_fifth_are_textures(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: dict[object, int] = {}

    def draw(shape: object, count: int, *_: object) -> np.ndarray:
        drawn[shape] = drawn.get(shape, 0) + count
        return np.zeros((count, 28, 28), np.uint8)

    monkeypatch.setattr("edgedigits.training.non_digits.draw_shape", draw)
    draw_non_digits(5_000, generator())
    assert set(drawn) == set(SHAPES)
    assert 5_000 - sum(drawn.values()) == pytest.approx(5_000 * TEXTURES, rel=0.1)


def test_letters_are_written_as_is_said() -> None:
    stroke = r"\d\d(?:-\d\d)+|\d\d(?:~\d\d)+"
    for path in (*LETTERS.values(), *SIGNS.values()):
        assert re.fullmatch(rf"(?:{stroke})(?: (?:{stroke}))*", path), path


def test_no_letter_is_one_that_some_reader_takes_for_a_digit() -> None:
    assert not set(LETTERS) & set("ODQaoIlijJZztySsGbBgq")


def test_a_digit_on_its_side_is_that_digit_turned_by_a_quarter() -> None:
    upright, right, left = (
        way(Chance(3, generator(5)))
        for way in (four_open, on_its_side(four_open, 1), on_its_side(four_open, -1))
    )
    for before, after, other in zip(upright, right, left, strict=True):
        np.testing.assert_array_equal(after, np.stack([-before[1], before[0]]))
        np.testing.assert_array_equal(other, -after)


def test_textures_are_fine_and_coarse_and_none_is_empty() -> None:
    ink = textures(Chance(300, generator()))
    assert ink.min() >= 0
    assert ink.max() <= 1
    assert (ink.max(axis=(1, 2)) >= 0.1).all()
    steps = np.abs(np.diff(ink, axis=2)).mean(axis=(1, 2))
    assert np.quantile(steps, 0.1) < 0.05
    assert np.quantile(steps, 0.95) > 0.2
