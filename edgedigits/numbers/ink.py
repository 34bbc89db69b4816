"""Gray levels -> how far each pixel stands out from the paper around it, for many digits on one sheet.

One digit is found by what is large and lone; numbers are small and many, on forms whose print lies below them. So the
paper's tone is a median of its surroundings, of which strokes cover less than half.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFilter

from edgedigits.contract import PIXEL_MAX
from edgedigits.picture.components import Mask
from edgedigits.picture.contrast import BLACK_LEVEL, MIN_CONTRAST, polarity
from edgedigits.picture.levels import Contrast, Pixels, otsu_threshold

BLOCKS, LARGEST_BLOCK = 18, 8
"""Blocks of pixels across the shorter side of the picture, each one tone of paper, and the side of one at most."""
LIGHT_SHARE = 0.7
"""Place of the tone of a block among its levels, from the inkmost: strokes are thin and cover less."""
MEDIAN_BLOCKS = 11
"""Side of the square of blocks whose median the paper is."""
THRESHOLD = 0.38
"""Contrast, in the mean contrast of the ink, from which on a pixel is ink."""
FAINTEST = 0.1
"""Mean contrast of ink, at least: a pencil on gray paper has 0.15, the grain of plain paper 0.03."""
MOST_INK = 0.36
"""Share of the pixels that are ink, at most: of cheques' amounts up to 0.29, of grain from 0.37."""
SPREAD = 0.25, 0.9
"""Contrasts, in the mean contrast of the ink, at which the paper ends, and from which on all is as dark; as
``Finding.ink`` spreads that of a single digit."""


class Ink(NamedTuple):
    """The ink of a picture."""

    contrast: Contrast
    """(h, w) float32: how far each pixel stands out from its paper, 0 to 1."""
    level: float
    """Mean contrast of the ink."""

    @property
    def mask(self) -> Mask:
        """(h, w) bool: the pixels that are ink."""
        is_ink: Mask = self.contrast > np.float32(THRESHOLD * self.level)
        return is_ink

    def levels(self) -> Pixels:
        """Return (h, w) uint8, 0 = paper, 255 = ink."""
        lowest, highest = (share * self.level for share in SPREAD)
        spread = (self.contrast - np.float32(lowest)) * np.float32(PIXEL_MAX / (highest - lowest))
        levels: Pixels = np.clip(spread, 0, PIXEL_MAX).astype(np.uint8)
        return levels


def ink_of(gray: Pixels) -> Ink | None:
    """Find what stands out from the paper.

    Args:
        gray: (h, w) uint8, ink dark or light.

    Returns:
        None where nothing does.
    """
    toned = gray if polarity(gray) > 0 else np.invert(gray)
    paper = paper_of(toned)
    contrast = np.maximum(paper - toned, np.float32(0)) / (paper + np.float32(BLACK_LEVEL))
    levels = (contrast * np.float32(PIXEL_MAX)).astype(np.uint8)
    highest = int(np.asarray(Image.fromarray(levels).filter(ImageFilter.BoxBlur(1))).max())
    if highest < MIN_CONTRAST * PIXEL_MAX:
        return None
    ink = Ink(contrast, float(contrast[levels > otsu_threshold(levels)].mean()))
    return ink if ink.level >= FAINTEST and ink.mask.mean() <= MOST_INK else None


def paper_of(toned: Pixels) -> Contrast:
    """Return the tone of the paper at each pixel.

    Args:
        toned: (h, w) uint8, dark ink.

    Returns:
        (h, w) float32, 0 to 255.
    """
    height, width = toned.shape
    block = min(max(round(min(height, width) / BLOCKS), 1), LARGEST_BLOCK)
    padded = np.pad(toned, ((0, -height % block), (0, -width % block)), mode="edge")
    rows, columns = (side // block for side in padded.shape)
    blocks = padded.reshape(rows, block, columns, block).transpose(0, 2, 1, 3).reshape(rows, columns, -1)
    place = int(LIGHT_SHARE * (block * block - 1))
    tones = np.partition(blocks, place, axis=2)[:, :, place]
    smooth = Image.fromarray(tones).filter(ImageFilter.MedianFilter(MEDIAN_BLOCKS)).convert("F")
    size = columns * block, rows * block
    return np.asarray(smooth.resize(size, Image.Resampling.BILINEAR))[:height, :width]
