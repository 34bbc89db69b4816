"""Pictures on each side of thresholds by which gray levels are made, and the digit is brought into form.

Rows as in ``test_thresholds.py``.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from edgedigits.picture.form import centre_of_mass, centred, fitted, thickened
from edgedigits.picture.gray import gray_of_colours, on_paper, without_blocks
from edgedigits.picture.reading import read_picture


def full(height: int, width: int) -> npt.NDArray[np.uint8]:
    return np.full((height, width), 255, np.uint8)


def coloured(*change: int) -> bool:
    """Whether red is looked at where the ink of a gray sheet differs from it by this in red, green and blue."""
    sheet = np.full((60, 60, 3), 128, np.int64)
    sheet[20:40, 27:33] += change
    levels = gray_of_colours(Image.fromarray(sheet.astype(np.uint8)))
    return int(levels[30, 30]) == 128 + change[0]


def brings_paper(contrast: int) -> bool:
    """A card of which a third is clear, the rest opaque with so much contrast."""
    card = np.full((30, 30, 4), 255, np.uint8)
    card[..., :3] = 100
    card[5:8, :10, :3] = 100 + contrast
    card[20:, :, 3] = 0
    return int(on_paper(Image.fromarray(card))[25, 5]) == 100


def blocks_go(squares: int) -> bool:
    small = np.random.default_rng(0).integers(0, 256, (squares, squares), np.uint8)
    return without_blocks(np.kron(small, np.ones((5, 5), np.uint8))).shape == small.shape


def centre_after(side: int) -> tuple[float, float]:
    """Where the centre of a box comes to lie, of which a middle pixel is the centre."""
    return centre_of_mass(centred(full(side, side)))


def grows_thicker(pen: int) -> bool:
    """A 0 of 100 pixels; the strokes of MNIST's thin digits would be 9 wide in it."""
    picture = full(100, 60)
    picture[pen:-pen, pen:-pen] = 0
    return thickened(picture).sum() > picture.sum()


CASES: list[tuple[str, Callable[[Any], object], Any, Any, object, object]] = [
    ("gray.COLOUR_GAIN", lambda other: coloured(-100, -other, -other), 41, 53, True, False),
    ("gray.MIN_COLOUR", lambda red: coloured(red, -7, 0), 16, 17, False, True),
    ("gray.MIN_TRANSPARENT_CONTRAST", brings_paper, 31, 32, False, True),
    ("limits.DETAIL_SIDE", lambda side: max(read_picture(full(side, 50)).shape), 1000, 1100, 1000, 1024),
    ("form.DIGIT_SIDE", lambda side: max(fitted(full(side, 15)).shape), 19, 60, 20, 20),
    ("form.CENTRE", centre_after, 11, 13, (14.0, 14.0), (14.0, 14.0)),
    ("form.STROKE_WIDTH", grows_thicker, 7, 9, True, False),
    ("form.MIN_STROKE_SIDE", lambda side: max(thickened(full(side, side // 2)).shape), 70, 90, 80, 90),
    ("gray.LEAST_SQUARES", blocks_go, 7, 8, False, True),
]


@pytest.mark.parametrize(
    ("constant", "seen", "below", "above", "expected_below", "expected_above"),
    CASES,
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_each_side_of_a_threshold(
    constant: str,
    seen: Callable[[Any], object],
    below: Any,
    above: Any,
    expected_below: object,
    expected_above: object,
) -> None:
    assert (seen(below), seen(above)) == (expected_below, expected_above), constant
