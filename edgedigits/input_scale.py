"""What a network's author made of the pixels before the network saw them: the scalings that people train with.

An exported file takes pixels from 0 to 255, whatever its network was trained on. A scaling that is one factor and one
offset for all pixels folds into the first layer, so the file has it inside. Others, which depend on the image or on
statistics of the training images, do not; they are known here so that a network that needs them is told apart.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgedigits.contract import PIXEL_MAX

PER_IMAGE = "by-image"
STANDARDIZED = "standardized"

Pixels = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float32]

MNIST_MEAN = 0.1307
"""Of MNIST's training pixels from 0 to 1, in the four digits that everybody's code has."""
MNIST_DEVIATION = 0.3081
"""Their standard deviation, likewise."""


@dataclass(frozen=True)
class InputScale:
    """Values from pixels by one factor and one offset: ``value = factor * pixel + offset``."""

    name: str
    """What ``--input-scale`` takes."""
    about: str
    """In a few words, after "pixels": ``from -1 to 1``."""
    factor: float
    offset: float = 0.0

    def values(self, pixels: Pixels) -> Values:
        """Return what the network's author would have fed it.

        Args:
            pixels: uint8, any shape, 0 = background, 255 = ink.

        Returns:
            float32, the same shape.
        """
        scaled: Values = pixels * np.float32(self.factor)
        return scaled + np.float32(self.offset) if self.offset else scaled


@dataclass(frozen=True)
class ImageScale:
    """A preparation that no factor and offset can stand for: it cannot be folded into a network."""

    name: str
    about: str
    """In a few words, after "pixels": ``divided by their L2 norm, image by image``."""
    prepare: Callable[[Pixels], Values]
    """From uint8 (n, 28, 28) to float32 (n, 28, 28)."""

    def values(self, pixels: Pixels) -> Values:
        """Return what the network's author would have fed it; see ``InputScale.values``."""
        return self.prepare(pixels)


def _inverted(scale: InputScale, name: str, about: str) -> InputScale:
    """Return a scale of what is 255 less the pixel: dark ink on light paper."""
    return InputScale(name, about, -scale.factor, PIXEL_MAX * scale.factor + scale.offset)


UNIT = InputScale("0..1", "from 0 to 1", 1 / PIXEL_MAX)
"""What everybody teaches and ``edgedigits train`` does; what a network is fed where nothing says more."""
RAW = InputScale("0..255", "from 0 to 255", 1.0)
"""Pixels as they are: what a network with a Rescaling layer takes."""
_SYMMETRIC = InputScale("-1..1", "from -1 to 1", 2 / PIXEL_MAX, -1.0)
_CENTERED = InputScale("-0.5..0.5", "from -0.5 to 0.5", 1 / PIXEL_MAX, -0.5)
_STANDARDIZED = InputScale(
    STANDARDIZED,
    f"from 0 to 1 less {MNIST_MEAN}, by {MNIST_DEVIATION}",
    1 / (PIXEL_MAX * MNIST_DEVIATION),
    -MNIST_MEAN / MNIST_DEVIATION,
)
_ALL = (
    UNIT,
    RAW,
    _SYMMETRIC,
    _CENTERED,
    _STANDARDIZED,
    _inverted(UNIT, "1..0", "from 1 to 0 (dark ink on light)"),
    _inverted(RAW, "255..0", "from 255 to 0 (dark ink on light)"),
    _inverted(_SYMMETRIC, "1..-1", "from 1 to -1 (dark ink on light)"),
    _inverted(_CENTERED, "0.5..-0.5", "from 0.5 to -0.5 (dark ink on light)"),
    InputScale(
        "inverted-standardized",
        f"from 1 to 0 (dark ink on light) less {1 - MNIST_MEAN:.4f}, by {MNIST_DEVIATION}",
        -_STANDARDIZED.factor,
        -_STANDARDIZED.offset,
    ),
    _inverted(
        _STANDARDIZED,
        "inverted-mnist",
        f"from 1 to 0 (dark ink on light) less {MNIST_MEAN}, by {MNIST_DEVIATION}",
    ),
)
INPUT_SCALES: dict[str, InputScale] = {scale.name: scale for scale in _ALL}
"""By name, the usual ones first."""


def image_scales(images: Pixels) -> tuple[ImageScale, ...]:
    """Return the preparations that cannot be folded, some of which go by statistics of the training images.

    Args:
        images: all training images, uint8 (n, 28, 28), n > 0.
    """
    mean, deviation = _statistics(images)
    return (
        ImageScale("l2", "divided by the L2 norm of their image", lambda pixels: _by_norm(pixels, (1, 2))),
        ImageScale(
            "l2-columns", "divided by the L2 norm of their column", lambda pixels: _by_norm(pixels, 1)
        ),
        ImageScale("l2-rows", "divided by the L2 norm of their row", lambda pixels: _by_norm(pixels, 2)),
        ImageScale(PER_IMAGE, "standardized image by image", _by_image),
        ImageScale(
            "mean-image",
            "less the mean training image",
            lambda pixels: (pixels - mean) / np.float32(PIXEL_MAX),
        ),
        ImageScale("by-pixel", "standardized place by place", lambda pixels: (pixels - mean) / deviation),
    )


_CHUNK = 5_000
"""Images whose squares are in memory at a time."""


def _statistics(images: Pixels) -> tuple[Values, Values]:
    """Return mean and standard deviation of every place, float32 (28, 28); 1 where all images are the same."""
    total = np.zeros(images.shape[1:])
    squares = np.zeros(images.shape[1:])
    for start in range(0, len(images), _CHUNK):
        values = images[start : start + _CHUNK].astype(np.float64)
        total += values.sum(axis=0)
        squares += np.square(values).sum(axis=0)
    mean = total / len(images)
    deviation = np.sqrt(np.maximum(squares / len(images) - mean**2, 0))
    return mean.astype(np.float32), np.where(deviation > 0, deviation, 1).astype(np.float32)


def _by_norm(pixels: Pixels, axis: int | tuple[int, int]) -> Values:
    values = pixels.astype(np.float32)
    norm = np.sqrt(np.square(values).sum(axis=axis, keepdims=True))
    return np.asarray(values / np.where(norm > 0, norm, np.float32(1)), np.float32)


def _by_image(pixels: Pixels) -> Values:
    values = pixels.astype(np.float32)
    deviation = values.std(axis=(1, 2), keepdims=True)
    centered = values - values.mean(axis=(1, 2), keepdims=True)
    return np.asarray(centered / np.where(deviation > 0, deviation, np.float32(1)), np.float32)
