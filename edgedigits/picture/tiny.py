"""Pictures of so few pixels that a stroke is one or two of them wide: nothing to look for, only to enlarge.

Paper and ink are the ends of the gray levels, and the digit fills the picture. Pure functions of arrays.
"""

import numpy as np

from edgedigits.contract import PIXEL_MAX
from edgedigits.errors import ImageError
from edgedigits.picture.contrast import MIN_CONTRAST
from edgedigits.picture.form import DIGIT_SIDE, cropped
from edgedigits.picture.levels import Pixels, border_of
from edgedigits.picture.scaling import resized

LARGEST_TINY = 12
"""Longer side of such a picture, at most."""
LEAST_LEVEL = 0.25
"""Share of the ink's level from which on a pixel is a part of the digit."""
LOWEST, HIGHEST = 0.27, 0.9
"""Shares of the ink's level that become 0 and 255 in the enlarged picture: its strokes would be soft and broad."""


def is_tiny(gray: Pixels) -> bool:
    """Tell whether a picture is of so few pixels."""
    return bool(max(gray.shape) <= LARGEST_TINY)


def tiny_digit(gray: Pixels) -> Pixels:
    """Return the digit in a picture of a few pixels, such as the 8 x 8 of the UCI's optical digits.

    Args:
        gray: (h, w) uint8, ink dark or light.

    Returns:
        (h', w') uint8, 0 = paper, 255 = ink, cut to the digit, 20 on the longer side.

    Raises:
        ImageError: there is no ink, or no more than a speck.
    """
    lowest, highest = int(gray.min()), int(gray.max())
    if highest - lowest < MIN_CONTRAST * PIXEL_MAX:
        raise ImageError("shows nothing: ink and paper do not differ; give it more contrast")
    levels = (gray.astype(np.float32) - lowest) * np.float32(PIXEL_MAX / (highest - lowest))
    if float(border_of(levels).mean()) > PIXEL_MAX / 2:
        levels = PIXEL_MAX - levels
    ink = np.rint(levels).astype(np.uint8)
    enlarged = resized(cropped(ink, int(LEAST_LEVEL * PIXEL_MAX)), DIGIT_SIDE).astype(np.float32)
    spread = (enlarged - LOWEST * PIXEL_MAX) / (HIGHEST - LOWEST)
    sharp: Pixels = np.clip(np.rint(spread), 0, PIXEL_MAX).astype(np.uint8)
    return sharp
