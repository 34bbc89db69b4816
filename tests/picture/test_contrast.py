"""What stands out from paper of one level, and from paper on which the light falls off."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageFilter

from edgedigits.picture.contrast import flat_contrast, flat_paper, has_shade, ink_contrast, sloping_contrast
from edgedigits.picture.levels import Pixels, otsu_threshold, sliding

ROWS, COLUMNS = np.mgrid[-1:1:90j, -1:1:70j]
RING = abs(np.hypot(ROWS, COLUMNS) - 0.7) < 0.12


def levels(picture: npt.NDArray[np.float64]) -> Pixels:
    return np.asarray(np.clip(np.rint(picture), 0, 255), np.uint8)


def drawn(paper: npt.NDArray[np.float64] | float, tone: float = 30) -> Pixels:
    return levels(np.where(RING, tone, paper))


@given(
    hnp.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12))),
    st.sampled_from([1, 3, 5, 9, 25]),
    st.sampled_from([np.maximum, np.minimum]),
)
def test_sliding_is_the_extremum_of_each_window(pixels: Pixels, window: int, extremum: np.ufunc) -> None:
    half = window // 2
    expected = [
        [
            extremum.reduce(
                pixels[max(0, y - half) : y + half + 1, max(0, x - half) : x + half + 1], axis=None
            )
            for x in range(pixels.shape[1])
        ]
        for y in range(pixels.shape[0])
    ]
    np.testing.assert_array_equal(sliding(pixels, window, extremum), expected)


def test_otsu_threshold_parts_two_tones() -> None:
    assert 20 <= otsu_threshold(np.repeat(np.array([20, 90], np.uint8), [70, 30])) < 90


def test_otsu_threshold_of_one_tone_parts_nothing() -> None:
    assert otsu_threshold(np.full((5, 5), 7, np.uint8)) < 7


@pytest.mark.parametrize("paper", [255, 200, 131])
def test_the_level_of_flat_paper_is_found_for_dark_and_for_light_ink(paper: int) -> None:
    picture = drawn(paper)
    assert flat_paper(picture, dark=True) == paper
    assert flat_paper(np.invert(picture), dark=False) == 255 - paper


def test_paper_in_uneven_light_is_not_flat() -> None:
    slope = drawn(150 + 100 * COLUMNS)
    grain = drawn(200 + np.random.default_rng(0).normal(0, 25, ROWS.shape))
    assert flat_paper(slope, dark=True) is None
    assert flat_paper(grain, dark=True) is None


def test_contrast_on_flat_paper_is_the_share_of_its_light() -> None:
    contrast = flat_contrast(drawn(200, 88), 200, dark=True)
    # 24 is added to the paper's level.
    assert contrast[RING] == pytest.approx(112 / 224)
    assert (contrast[~RING] == 0).all()
    assert flat_contrast(drawn(10, 255), 10, dark=False)[RING] == pytest.approx(245 / 279)


@pytest.mark.parametrize("dark", [True, False])
@pytest.mark.parametrize("slope", [(0, 0, 0), (60, 0, 0), (-30, 30, 0), (20, 20, -40)])
def test_light_that_falls_off_leaves_no_contrast_on_the_paper(
    slope: tuple[int, int, int], dark: bool
) -> None:
    x, y, bow = slope
    paper = 170 + x * COLUMNS + y * ROWS + bow * (COLUMNS**2 + ROWS**2) / 2
    picture = drawn(paper, 20) if dark else np.invert(drawn(paper, 20))
    contrast = sloping_contrast(picture, otsu_threshold(picture), dark=dark)
    assert contrast is not None
    assert contrast[~RING].max() < 0.04
    assert contrast[RING].min() > 0.35


def test_a_hard_shadow_is_no_slope() -> None:
    picture = drawn(np.where(COLUMNS + ROWS > 0.3, 110, 230))
    contrast = sloping_contrast(picture, otsu_threshold(picture), dark=True)
    assert contrast is None or has_shade(contrast)


def test_shade_is_an_even_area_between_paper_and_ink() -> None:
    assert has_shade(flat_contrast(drawn(np.where(COLUMNS > 0.2, 140, 230)), 230, dark=True))
    soft = np.asarray(Image.fromarray(drawn(230)).filter(ImageFilter.GaussianBlur(3)))
    assert not has_shade(flat_contrast(soft, 230, dark=True))
    assert not has_shade(flat_contrast(drawn(230), 230, dark=True))
    assert has_shade(flat_contrast(levels(np.full((30, 30), 230.0)), 230, dark=True))


def test_the_contrast_of_light_ink_is_that_of_dark_ink_on_light_paper() -> None:
    light = ink_contrast(drawn(0, 255), 41, dark=False)
    dark = ink_contrast(drawn(255, 0), 41, dark=True)
    assert light == pytest.approx(dark, abs=1e-6)
    assert 0.9 < light.max() <= 1
