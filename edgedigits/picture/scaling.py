"""Pictures and arrays at another size. Averaging on the way down, so that thin lines fade and do not vanish."""

import numpy as np
from PIL import Image

from edgedigits.picture.levels import Pixels


def resized(ink: Pixels, side: int) -> Pixels:
    """Scale the longer side to ``side`` and keep the proportions."""
    ratio = side / max(ink.shape)
    if ratio == 1:
        return ink
    method = Image.Resampling.BOX if ratio < 1 else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(ink).resize(scaled_size((ink.shape[1], ink.shape[0]), ratio), method))


def scaled_size(size: tuple[int, int], ratio: float) -> tuple[int, int]:
    """Return width and height times a ratio, rounded, at least one pixel each."""
    return max(1, round(size[0] * ratio)), max(1, round(size[1] * ratio))


def shrunk_image(image: Image.Image, side: int) -> Image.Image:
    """Bring the longer side down to ``side``, by averaging: a thin line grows fainter but does not vanish."""
    ratio = side / max(image.size)
    return image if ratio >= 1 else image.resize(scaled_size(image.size, ratio), Image.Resampling.BOX)


def shrunk(gray: Pixels, side: int) -> Pixels:
    """Bring the longer side down to ``side``, by averaging."""
    return gray if max(gray.shape) <= side else np.asarray(shrunk_image(Image.fromarray(gray), side))
