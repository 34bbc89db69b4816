"""Warps: shaped as they say, seeded, fresh, and no more than bent."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgedigits.contract import PIXELS
from edgedigits.training.augmentation import (
    FRACTION,
    GROUP,
    Warp,
    bilinear_taps,
    elastic_fields,
    interpolate,
    random_maps,
    warp_epoch,
)

STILL = Warp(rotation=0, scale=0, shear=0, shift=0, elastic=0)


def pictures(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 28, 28), dtype=np.uint8)


@pytest.mark.parametrize("count", [1, 31, 32, 33, 64 * GROUP + 5])
def test_every_image_comes_back_once(count: int) -> None:
    warped, order = warp_epoch(pictures(count), Warp(), np.random.default_rng(1))
    assert warped.shape == (count, PIXELS)
    assert warped.dtype == np.uint8
    assert sorted(order) == list(range(count))


def test_a_warp_that_bends_nothing_changes_nothing() -> None:
    images = pictures(100)
    warped, order = warp_epoch(images, STILL, np.random.default_rng(1))
    # Weights are 256ths of whole pixels, so where nothing moves the levels are exact.
    np.testing.assert_array_equal(warped.reshape(-1, 28, 28), images[order])


def test_same_generator_same_warps_and_another_other_ones() -> None:
    images = pictures(100)
    first, again, other = (warp_epoch(images, Warp(), np.random.default_rng(seed))[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_groups_are_bent_each_in_its_own_way() -> None:
    rows, columns = random_maps(50, Warp(), np.random.default_rng(0))
    assert len(np.unique(rows[:, 0])) == len(np.unique(columns[:, 0])) == 50


def test_a_shift_by_whole_pixels_moves_the_picture() -> None:
    image = np.zeros((1, 1, PIXELS), np.uint8)
    image[0, 0, 10 * 28 + 10] = 200
    y, x = np.indices((28, 28), np.float32).reshape(2, 1, PIXELS)
    moved = interpolate(image, *bilinear_taps(y - 3, x + 2)).reshape(28, 28)
    assert moved[13, 8] == 200
    assert moved.sum() == 200


@given(st.floats(-40, 40, width=32), st.floats(-40, 40, width=32))
def test_taps_stay_inside_and_weigh_one(row: float, column: float) -> None:
    indices, weights = bilinear_taps(np.float32([[row]]), np.float32([[column]]))
    assert ((indices >= 0) & (indices <= PIXELS)).all()
    # Each of the four weights is rounded down by less than one 256th.
    assert FRACTION - 4 < weights.sum() <= FRACTION


@pytest.mark.parametrize("reach", [0.0, 1.4, 3.0])
def test_elastic_fields_keep_within_their_reach(reach: float) -> None:
    fields = elastic_fields(200, reach, np.random.default_rng(0))
    sizes = np.sqrt((fields**2).mean(axis=(1, 2)))
    # float32 sums of 1,568 squares are exact to about 1e-5 of their size.
    assert sizes.max() <= reach * (1 + 1e-4)
    assert sizes.max() >= 0.9 * reach


def test_elastic_fields_are_smooth() -> None:
    fields = elastic_fields(100, 1.4, np.random.default_rng(0)).reshape(-1, 28, 28)
    # Neighbours of a Gaussian with sigma 4 differ by about a quarter of the field's size; white noise by 1.4 times.
    steps = np.abs(np.diff(fields, axis=2)).mean()
    assert steps < 0.5 * np.abs(fields).mean()


def test_warps_leave_most_of_the_ink() -> None:
    images = np.zeros((GROUP * 20, 28, 28), np.uint8)
    images[:, 8:20, 12:16] = 255
    warped, _ = warp_epoch(images, Warp(), np.random.default_rng(0))
    ink = warped.reshape(len(images), -1).sum(axis=1) / images[0].sum()
    # exp(+-0.1) in both directions and an elastic field that stretches further: 0.6 to 1.6 of the area.
    assert ink.min() > 0.6
    assert ink.max() < 1.6


def test_scaled_warp_bends_so_many_times_as_far() -> None:
    assert Warp().scaled(0.5) == Warp(rotation=5.0, scale=0.05, shear=0.06, shift=0.5, elastic=0.7)
