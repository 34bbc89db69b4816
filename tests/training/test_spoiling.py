from collections.abc import Callable

import numpy as np
import pytest

from edgedigits.picture.levels import Pixels
from edgedigits.training.drawn import draw_digits
from edgedigits.training.spoiling import WAYS, banded, blurred, hollow, lined, lit, specked, spoil


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def images() -> Pixels:
    return draw_digits(400, generator())[0]


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_such_a_share_is_spoilt_and_the_others_are_as_they_were(images: Pixels, share: float) -> None:
    spoilt = spoil(images.reshape(-1, 784).copy(), share, generator())
    assert (spoilt.shape, spoilt.dtype) == ((400, 784), np.uint8)
    changed = (spoilt != images.reshape(-1, 784)).any(axis=1).sum()
    # Thin strokes have nothing inside of them, and a little light may be none.
    assert 0.9 * 400 * share <= changed <= 400 * share


def test_the_seed_decides(images: Pixels) -> None:
    first, again, other = (spoil(images.reshape(-1, 784).copy(), 0.5, generator(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("count", [0, 1, 5])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_few_images_are_spoilt_as_well(images: Pixels, way: Callable[..., Pixels], count: int) -> None:
    spoilt = way(images[:count], generator())
    assert (spoilt.shape, spoilt.dtype) == ((count, 28, 28), np.uint8)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_what_is_spoilt_still_shows_the_digit(images: Pixels, way: Callable[..., Pixels]) -> None:
    """Each image is more like its own than like any of the others, by correlation, in most cases."""

    def centred(pixels: Pixels) -> np.ndarray:
        flat = pixels.reshape(len(pixels), -1).astype(np.float64)
        flat -= flat.mean(axis=1, keepdims=True)
        return flat / (np.linalg.norm(flat, axis=1, keepdims=True) + 1e-9)

    likeness = centred(way(images, generator())) @ centred(images).T
    assert (likeness.argmax(axis=1) == np.arange(400)).mean() > 0.7


def test_lines_and_light_only_add(images: Pixels) -> None:
    for way in (lined, lit):
        spoilt = way(images, generator())
        assert (spoilt >= images).all()
        assert (spoilt > images).any(axis=(1, 2)).mean() > 0.9


def test_lines_run_both_ways_and_are_thin(images: Pixels) -> None:
    added = lined(np.zeros_like(images), generator()) > 0
    assert added.any(axis=(1, 2)).mean() > 0.9
    assert added.sum(axis=(1, 2)).max() <= 2 * 28
    rows, columns = added.any(axis=2).sum(axis=1), added.any(axis=1).sum(axis=1)
    assert 0.3 < (columns > rows).mean() < 0.7


def test_outlines_only_take_from_within(images: Pixels) -> None:
    spoilt = hollow(images, generator())
    assert (spoilt <= images).all()
    border = np.minimum.reduce([np.roll(images, shift, axis) for axis in (1, 2) for shift in (-1, 1)]) == 0
    np.testing.assert_array_equal(spoilt[border], images[border])


def test_bands_are_at_the_sides_and_the_middle_stays(images: Pixels) -> None:
    spoilt = banded(images, generator())
    np.testing.assert_array_equal(spoilt[:, 13:15, 13:15], images[:, 13:15, 13:15])
    turned = spoilt == 255 - images
    assert (turned | (spoilt == images)).all()
    assert turned.all(axis=1).any(axis=1).sum() + turned.all(axis=2).any(axis=1).sum() > 300


def test_specks_and_blur_stay_within_their_bounds(images: Pixels) -> None:
    changed = (specked(images, generator()) != images).mean(axis=(1, 2))
    assert changed.max() < 0.12
    means = blurred(images, generator()).mean(axis=(1, 2)), images.mean(axis=(1, 2))
    np.testing.assert_allclose(means[0], means[1], atol=1.5)
