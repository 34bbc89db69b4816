"""How a network fares on test images that are turned, moved, thinned, thickened or noisy: its known weaknesses."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgedigits.contract import IMAGE_SIDE, PIXEL_MAX, PIXELS
from edgedigits.datasets.split import Split
from edgedigits.measuring.metrics import accuracy
from edgedigits.picture.levels import Pixels
from edgedigits.training.augmentation import bilinear_taps, interpolate

SEED = 0
"""Of the noise."""


@dataclass(frozen=True)
class Condition:
    """What was done to all test images, and how many were still read right."""

    name: str
    correct: int
    images: int


def measure_robustness(
    probabilities: Callable[[Pixels], npt.NDArray[np.float32]], split: Split
) -> list[Condition]:
    """Measure a network under each condition.

    Args:
        probabilities: the network, uint8 (n, 28, 28) to float32 (n, 10).
        split: test images with their labels.
    """
    conditions: dict[str, Callable[[Pixels], Pixels]] = {
        **{
            f"turned by {abs(degrees)} degrees {'left' if degrees > 0 else 'right'}": _turned_by(degrees)
            for degrees in (10, -10, 20, -20, 30, -30)
        },
        **{
            f"moved by {pixels} pixel{'s' * (pixels > 1)} down and right": _moved_by(pixels)
            for pixels in (1, 2, 3)
        },
        "strokes a pixel thinner": lambda images: _grown(images, np.minimum),
        "strokes a pixel thicker": lambda images: _grown(images, np.maximum),
        "strokes two pixels thicker": lambda images: _grown(
            _grown(images, np.maximum)[:, ::-1, ::-1], np.maximum
        )[:, ::-1, ::-1],
        **{f"noise of {level} gray levels": _noisy_by(level) for level in (25, 50, 100)},
    }
    found = []
    for name, change in conditions.items():
        digits = probabilities(change(split.images)).argmax(axis=1)
        score = accuracy(split.labels, digits)
        found.append(Condition(name, score.correct, score.images))
    return found


def _turned_by(degrees: float) -> Callable[[Pixels], Pixels]:
    def turned(images: Pixels) -> Pixels:
        angle, centre = np.deg2rad(degrees), (IMAGE_SIDE - 1) / 2
        y, x = (np.indices((IMAGE_SIDE, IMAGE_SIDE), np.float32) - centre).reshape(2, 1, PIXELS)
        # Rows count downwards, so this inverse map turns the picture to the left for positive angles.
        rows = np.cos(angle) * y + np.sin(angle) * x + centre
        columns = np.cos(angle) * x - np.sin(angle) * y + centre
        taps = bilinear_taps(rows.astype(np.float32), columns.astype(np.float32))
        return interpolate(images.reshape(1, -1, PIXELS), *taps).reshape(images.shape)

    return turned


def _moved_by(pixels: int) -> Callable[[Pixels], Pixels]:
    def moved(images: Pixels) -> Pixels:
        result = np.zeros_like(images)
        result[:, pixels:, pixels:] = images[:, :-pixels, :-pixels]
        return result

    return moved


def _grown(images: Pixels, extremum: np.ufunc) -> Pixels:
    """Let strokes gain (maximum) or lose (minimum) one pixel: the extremum over squares of 2x2.

    The picture moves by half a pixel up and left with it.
    """
    padded = np.pad(images, ((0, 0), (0, 1), (0, 1)))
    across = extremum(padded[:, :, :-1], padded[:, :, 1:])
    return np.asarray(extremum(across[:, :-1], across[:, 1:]), np.uint8)


def _noisy_by(level: float) -> Callable[[Pixels], Pixels]:
    def noisy(images: Pixels) -> Pixels:
        noise = np.random.default_rng(SEED).standard_normal(images.shape, np.float32) * np.float32(level)
        changed: Pixels = np.clip(images + noise, 0, PIXEL_MAX).astype(np.uint8)
        return changed

    return noisy
