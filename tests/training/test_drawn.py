import numpy as np
import pytest
from PIL import Image

from edgedigits.picture.form import DIGIT_SIDE, ink_box, is_mnist_form
from edgedigits.picture.levels import Pixels, stroke_width
from edgedigits.picture.prepare import prepare
from edgedigits.training.drawn import Pen, draw_digits, draw_shape
from edgedigits.training.shapes import SHAPES


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def images() -> Pixels:
    return draw_digits(2_000, generator())[0]


@pytest.mark.parametrize("count", [0, 1, 9, 203])
def test_every_class_is_drawn_as_often_as_the_others(count: int) -> None:
    images, labels = draw_digits(count, generator())
    assert (images.shape, images.dtype, labels.dtype) == ((count, 28, 28), np.uint8, np.uint8)
    numbers = np.bincount(labels, minlength=10)
    assert numbers.sum() == count
    assert numbers.max() - numbers.min() <= 1


def test_the_seed_decides() -> None:
    first, again, other = (draw_digits(100, generator(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert (first[0] != other[0]).any()


def test_classes_are_mixed() -> None:
    assert len(set(draw_digits(60, generator())[1][:30].tolist())) >= 8


def test_every_digit_has_ways_of_its_own_and_all_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    monkeypatch.setattr(
        "edgedigits.training.drawn.draw_shape",
        lambda shape, count, *_: drawn.append(shape) or np.zeros((count, 28, 28), np.uint8),
    )
    draw_digits(2_000, generator())
    assert set(drawn) == set(SHAPES)
    assert {shape.digit for shape in SHAPES} == set(range(10))


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape.digit} {shape.strokes.__doc__}")
def test_a_shape_is_drawn_in_many_ways_that_are_in_mnists_form(shape) -> None:
    images = draw_shape(shape, 40, generator(), Pen())
    assert all(is_mnist_form(image) for image in images)
    assert len(np.unique(images, axis=0)) == 40
    # Whole: what is drawn from its first dot to its last has far more ink than a dash.
    assert images.reshape(40, -1).sum(axis=1).min() > 20 * 255


def test_a_drawn_digit_is_its_own_preparation(images: Pixels) -> None:
    for image in images[:50]:
        np.testing.assert_array_equal(prepare(image), image)


def test_drawn_larger_and_prepared_it_is_much_the_same(images: Pixels) -> None:
    """What is drawn in MNIST's form looks as a picture of it does that is brought into this form."""
    changes = []
    for image in images[:100]:
        large = Image.fromarray(image).resize((140, 140), Image.Resampling.BICUBIC)
        changes.append(np.abs(prepare(large).astype(int) - image).mean())
    # Gray levels of all pixels; a digit moved by one pixel makes about 20. Bicubic curves are steeper than the pen's.
    assert np.median(changes) < 8


def test_pens_are_as_thin_and_as_thick_as_people_have_them(images: Pixels) -> None:
    widths = np.array([stroke_width(image) for image in images])
    low, high = np.quantile(widths, [0.02, 0.98])
    # Of MNIST's 1 in 100 has less than 1.4, and 1 in 100 more than 4.2; soft ink and full rings count as wide.
    assert 1.5 < low < 1.9
    assert 3.8 < high < 6.0


def test_digits_are_narrow_and_wide(images: Pixels) -> None:
    boxes = [ink_box(image) for image in images]
    shares = np.array([(right - left) / (bottom - top) for top, bottom, left, right in boxes])
    assert (shares <= 0.45).mean() > 0.05
    assert (shares > 1.1).mean() > 0.05
    assert {max(bottom - top, right - left) for top, bottom, left, right in boxes} <= {
        DIGIT_SIDE - 1,
        DIGIT_SIDE,
    }
