"""Images in MNIST's form with something laid over them: dots, drops, lines. Pure functions of arrays.

What is laid over a digit may be connected with it, and who looks for the digit finds both. But where the digit's own
strokes already lie as MNIST's do, nothing has to be looked for.
"""

import numpy as np
from PIL import Image, ImageFilter

from edgedigits.picture.components import connected_components
from edgedigits.picture.finding import widened
from edgedigits.picture.form import CENTRE, DIGIT_SIDE, THIN_LINE, centre_of_mass, ink_box
from edgedigits.picture.levels import Pixels, stroke_width

LEAST_PEAK = 128
"""Of the lightest pixel; blurred strokes of one pixel come down to it."""
LEAST_BLACK = 0.4
"""Share of the pixels that are exactly 0, at least."""
SHORTEST = DIGIT_SIDE - 3
"""Longer side of the ink's box, at least, without what a median takes away: noise, and the ends of thin strokes."""
OFF_CENTRE, OFF_CENTRE_WITHOUT_LINES, OFF_CENTRE_WITH_LINES = 2.0, 2.25, 5.5
"""Pixels between the middle of the picture and the ink's centre of mass, at most: where it is no larger than a digit of
MNIST's, as it is and with what a median leaves, and where it reaches further."""
CENTRED = 0.6
"""The same of ink that lies where MNIST's own lies, to within its rounding: then it is in form, however faint."""
LARGEST_BLURRED = DIGIT_SIDE + 2
"""Longer side of the box of such ink that is at least half as light as the lightest."""
FAINT = 8
"""Of the lightest pixel, the part from which on a pixel is ink."""
LEAST_PART = 0.1
"""Area of a part, in that of the digit, below which it is noise."""


def is_noisy_form(pixels: Pixels) -> bool:
    """Tell whether a (28, 28) picture has MNIST's form but for noise that reaches out of the digit's box.

    Args:
        pixels: (28, 28) uint8, light ink.
    """
    peak = int(pixels.max())
    if peak < LEAST_PEAK or np.count_nonzero(pixels == 0) < LEAST_BLACK * pixels.size:
        return False
    cleaned = without_noise(pixels)
    away = _off_centre(cleaned)
    side = _side(cleaned, peak // 2)
    is_placed = away <= CENTRED and side <= LARGEST_BLURRED and _side(cleaned, peak // FAINT) >= SHORTEST
    if is_placed and stroke_width(cleaned) > THIN_LINE:
        return True
    core = np.asarray(Image.fromarray(pixels).filter(ImageFilter.MedianFilter(3)))
    if _side(core, peak // 2) < SHORTEST:
        return False
    # A thin line within the digit's box adds ink to one side, and a median takes most of it away.
    is_inside = away <= OFF_CENTRE or _off_centre(core) <= OFF_CENTRE_WITHOUT_LINES
    return is_inside or (side > DIGIT_SIDE and away <= OFF_CENTRE_WITH_LINES)


def _off_centre(pixels: Pixels) -> float:
    """Return how far the ink's centre of mass, of which there is some, is from the picture's middle."""
    row, column = centre_of_mass(pixels)
    return max(abs(row - CENTRE), abs(column - CENTRE))


def _side(pixels: Pixels, above: int) -> int:
    """Return the longer side of the box of all that is lighter than a level; 0 where nothing is."""
    box = ink_box(pixels, above)
    return 0 if box is None else max(box[1] - box[0], box[3] - box[2])


def without_noise(pixels: Pixels) -> Pixels:
    """Take away what is apart from the digit and small.

    Args:
        pixels: (28, 28) uint8, light ink, not all 0.

    Returns:
        (28, 28) uint8, a new array.
    """
    parts = connected_components(pixels > pixels.max() // FAINT)
    kept = widened(parts.mask(parts.area >= LEAST_PART * parts.area.max()), 1)
    cleaned: Pixels = np.where(kept, pixels, np.uint8(0))
    return cleaned
