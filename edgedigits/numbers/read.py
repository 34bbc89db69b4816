"""Gray levels -> the numbers in them."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from edgedigits.numbers.candidates import candidates_of, images_of
from edgedigits.numbers.ink import ink_of
from edgedigits.numbers.lines import lines_of
from edgedigits.numbers.path import best_path
from edgedigits.numbers.pieces import strip_of
from edgedigits.numbers.reading import Line, Reading, Sign
from edgedigits.picture.levels import Pixels

Probabilities = Callable[[Pixels], npt.NDArray[np.float32]]


def read_numbers(gray: Pixels, probabilities: Probabilities) -> Reading:
    """Read the numbers in a picture.

    Args:
        gray: (h, w) uint8, ink dark or light.
        probabilities: of images, uint8 (n, 28, 28), for each digit; (n, 10).
    """
    height, width = gray.shape
    ink = ink_of(gray)
    lines = []
    for line in [] if ink is None else lines_of(ink):
        rows, columns = line.levels.shape
        strip = strip_of(line.levels, line.height, (line.left + columns / 2, line.top + rows / 2))
        candidates = candidates_of(strip)
        if not candidates:
            continue
        answers = probabilities(images_of(strip, candidates))
        signs = []
        for step in best_path(strip, candidates, answers):
            if step.candidate is None:
                continue
            row = answers[step.candidate]
            digit = int(row.argmax())
            box = strip.box_in_picture(step.first, step.last)
            signs.append(Sign(str(digit), box, float(row[digit]), 0, False))
        if signs:
            lines.append(Line(tuple(signs)))
    return Reading(tuple(lines), (width, height))
