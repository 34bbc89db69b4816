"""Images in MNIST's form with something laid over them: dots, drops, lines. Pure functions of arrays.

What is laid over a digit may be connected with it, and who looks for the digit finds both. But where the digit's own
strokes already lie as MNIST's do, nothing has to be looked for.
"""

import numpy as np
from PIL import Image, ImageFilter

from edgedigits.contract import PIXEL_MAX
from edgedigits.picture.components import connected_components
from edgedigits.picture.finding import widened
from edgedigits.picture.form import CENTRE, DIGIT_SIDE, centre_of_mass, ink_box
from edgedigits.picture.levels import Pixels

LEAST_BLACK = 0.4
"""Share of the pixels that are exactly 0, at least."""
SHORTEST = DIGIT_SIDE - 3
"""Longer side of the ink's box, at least, without what a median takes away: noise, and the ends of thin strokes."""
OFF_CENTRE, OFF_CENTRE_WITH_LINES = 2.0, 4.5
"""Pixels between the middle of the picture and the ink's centre of mass, at most: where it is no larger than a digit of
MNIST's, and where it reaches further."""
LEAST_PART = 0.1
"""Area of a part, in that of the digit, below which it is noise."""


def is_noisy_form(pixels: Pixels) -> bool:
    """Tell whether a (28, 28) picture has MNIST's form but for noise that reaches out of the digit's box.

    Args:
        pixels: (28, 28) uint8, light ink.
    """
    if pixels.max() < PIXEL_MAX - 1 or np.count_nonzero(pixels == 0) < LEAST_BLACK * pixels.size:
        return False
    core = np.asarray(Image.fromarray(pixels).filter(ImageFilter.MedianFilter(3)))
    box = ink_box(core, PIXEL_MAX // 2)
    if box is None or max(box[1] - box[0], box[3] - box[2]) < SHORTEST:
        return False
    cleaned = without_noise(pixels)
    row, column = centre_of_mass(cleaned)
    away = max(abs(row - CENTRE), abs(column - CENTRE))
    box = ink_box(cleaned, PIXEL_MAX // 2)
    reaches_out = box is not None and max(box[1] - box[0], box[3] - box[2]) > DIGIT_SIDE
    return away <= (OFF_CENTRE_WITH_LINES if reaches_out else OFF_CENTRE)


def without_noise(pixels: Pixels) -> Pixels:
    """Take away what is apart from the digit and small.

    Args:
        pixels: (28, 28) uint8, light ink, not all 0.

    Returns:
        (28, 28) uint8, a new array.
    """
    parts = connected_components(pixels > PIXEL_MAX // 4)
    kept = widened(parts.mask(parts.area >= LEAST_PART * parts.area.max()), 1)
    cleaned: Pixels = np.where(kept, pixels, np.uint8(0))
    return cleaned
