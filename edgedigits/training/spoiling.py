"""Images spoilt as pictures are: by specks, grain, blur, light and clouds, and lines that are not the digit's.

What kinds there are follows N. Mu and J. Gilmer, "MNIST-C: a robustness benchmark for computer vision", 2019.
"""

import numpy as np
import numpy.typing as npt

from edgedigits.contract import IMAGE_SIDE, PIXEL_MAX
from edgedigits.picture.levels import Pixels

Numbers = npt.NDArray[np.float32]

MOST_SPECKS = 0.05
"""Share of the pixels that are specks, and as many holes, at most."""
MOST_GRAIN = 60.0
"""Standard deviation of grain, in levels, at most."""
FAINTEST = 60
"""Level of specks, lines and clouds, at least."""
MOST_LIGHT = 150
"""Levels that light adds to an image, at most."""


def spoil(pixels: Pixels, share: float, generator: np.random.Generator) -> Pixels:
    """Spoil some of the images, each in one way, as many in each.

    Args:
        pixels: uint8 (n, 784).
        share: of the images, 0..1.
        generator: decides which and how.

    Returns:
        The same array, changed.
    """
    chosen = generator.permutation(len(pixels))[: round(share * len(pixels))]
    images = pixels.reshape(-1, IMAGE_SIDE, IMAGE_SIDE)
    for way, places in zip(WAYS, np.array_split(chosen, len(WAYS)), strict=True):
        images[places] = way(images[places], generator)
    return pixels


def _each(generator: np.random.Generator, images: Pixels, low: float, high: float) -> Numbers:
    """Return a number for each image, float32 (n, 1, 1)."""
    return generator.uniform(low, high, (len(images), 1, 1)).astype(np.float32)


def _levels(images: Numbers) -> Pixels:
    return np.asarray(np.clip(images, 0, PIXEL_MAX), np.uint8)


def specked(images: Pixels, generator: np.random.Generator) -> Pixels:
    """Put specks anywhere, and as many holes; uint8 (n, 28, 28), as for all of these."""
    share = _each(generator, images, 0, MOST_SPECKS)
    chance = generator.random(images.shape, np.float32)
    spoilt = np.where(chance < share, _each(generator, images, FAINTEST, PIXEL_MAX), images)
    return _levels(np.where(chance > 1 - share, 0, spoilt))


def grainy(images: Pixels, generator: np.random.Generator) -> Pixels:
    """Add noise to every pixel."""
    noise = generator.standard_normal(images.shape, np.float32)
    return _levels(images + noise * _each(generator, images, 0, MOST_GRAIN))


def blurred(images: Pixels, generator: np.random.Generator) -> Pixels:
    """Blur by the mean of three or five pixels, along rows, along columns or both."""
    spoilt = images.astype(np.float32)
    for axis in (1, 2):
        near = (np.roll(spoilt, -1, axis) + spoilt + np.roll(spoilt, 1, axis)) / 3
        far = (3 * near + np.roll(spoilt, -2, axis) + np.roll(spoilt, 2, axis)) / 5
        chance = _each(generator, images, 0, 1)
        spoilt = np.where(chance < 0.3, spoilt, np.where(chance < 0.65, near, far))
    return _levels(spoilt)


def lit(images: Pixels, generator: np.random.Generator) -> Pixels:
    """Add light, more to one side than to the other."""
    place = np.linspace(-0.5, 0.5, IMAGE_SIDE, dtype=np.float32)
    slope = _each(generator, images, -1, 1) * place + _each(generator, images, -1, 1) * place[:, np.newaxis]
    light = _each(generator, images, 0, MOST_LIGHT)
    return _levels(images + light * np.clip(1 + slope, 0, None))


def clouded(images: Pixels, generator: np.random.Generator) -> Pixels:
    """Lay clouds or drops over images: where a smooth field is high, there is more or less ink."""
    field = generator.standard_normal(images.shape, np.float32)
    for times in range(6):
        smooth = (np.roll(field, 1, 1) + 2 * field + np.roll(field, -1, 1)) / 4
        smooth = (np.roll(smooth, 1, 2) + 2 * smooth + np.roll(smooth, -1, 2)) / 4
        field = np.where(_each(generator, images, 0, 1) < 1 / (times / 2 + 1), smooth, field)
    field = field / field.std(axis=(1, 2), keepdims=True)
    steepness, least = _each(generator, images, 0.3, 2), _each(generator, images, -0.5, 1.5)
    return _levels(
        images + _each(generator, images, FAINTEST, PIXEL_MAX) * np.clip(steepness * (field - least), 0, 1)
    )


def hollow(images: Pixels, generator: np.random.Generator) -> Pixels:
    """Leave less of what lies inside of strokes, down to their outlines."""
    inner = images
    for axis in (1, 2):
        inner = np.minimum(inner, np.minimum(np.roll(inner, 1, axis), np.roll(inner, -1, axis)))
    return _levels(images - inner * _each(generator, images, 0.5, 1))


def banded(images: Pixels, generator: np.random.Generator) -> Pixels:
    """Turn ink and paper round in a band at each side."""
    place = np.arange(IMAGE_SIDE)
    is_band = np.abs(place - _each(generator, images, 11, 16)) > _each(generator, images, 6, 12)
    is_upright = _each(generator, images, 0, 1) < 0.5
    is_turned = np.where(is_upright, is_band, is_band.transpose(0, 2, 1))
    return np.where(is_turned, PIXEL_MAX - images, images)


def lined(images: Pixels, generator: np.random.Generator) -> Pixels:
    """Draw a line from side to side or from top to bottom, whole or dotted, straight or zigzag."""

    def each(low: float, high: float) -> Numbers:
        return _each(generator, images, low, high)[:, 0]

    along = np.arange(IMAGE_SIDE)
    period, is_zigzag = each(4, 12), each(0, 1) < 0.5
    wave = np.abs((along + each(0, 12)) % period - period / 2) * np.where(is_zigzag, each(0.5, 2), 0)
    across = np.rint(each(0, IMAGE_SIDE - 1) + each(-1, 1) * (along - IMAGE_SIDE / 2) + wave).astype(int)
    gap = np.rint(each(-2, 3)).astype(int)
    is_drawn = (gap <= 0) | ((along // np.maximum(1, gap)) % 2 == 0)
    image, step = np.nonzero(is_drawn & (across >= 0) & (across < IMAGE_SIDE))
    line = np.zeros_like(images)
    line[image, across[image, step], step] = each(FAINTEST, PIXEL_MAX)[image, 0]
    # Half of them are two pixels wide.
    line = np.maximum(line, np.roll(line, 1, 1) * (_each(generator, images, 0, 1) < 0.5))
    is_upright = _each(generator, images, 0, 1) < 0.5
    return np.maximum(images, np.where(is_upright, line.transpose(0, 2, 1), line))


WAYS = (specked, grainy, blurred, lit, clouded, hollow, banded, lined)
"""All of them."""
