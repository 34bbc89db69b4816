"""Gray levels -> the numbers in them.

ink_of          in ``ink.py``: what stands out from the paper
lines_of        in ``lines.py``: which of it stands beside each other, without a form's own lines (``rules.py``)
strip_of        in ``pieces.py``: a line of one height, upright, in pieces
candidates_of   in ``candidates.py``: pieces in a row that may be a digit, as images for the network
best_ways       in ``path.py``: which of them are digits
separator_of    in ``separators.py``: what stands between two of them
"""

from collections.abc import Callable
from itertools import groupby
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edgedigits.margins import LARGEST_STEP, STEPS, lead_in_steps
from edgedigits.numbers.candidates import Candidate, candidates_of, images_of
from edgedigits.numbers.ink import ink_of
from edgedigits.numbers.lines import LineInk, lines_of
from edgedigits.numbers.path import Step, Way, best_ways, measures_of
from edgedigits.numbers.pieces import Strip, strip_of
from edgedigits.numbers.reading import Line, Reading, Sign
from edgedigits.numbers.separators import separator_of
from edgedigits.picture.levels import Pixels

Answers = npt.NDArray[np.float32]
Probabilities = Callable[[Pixels], Answers]

LEAST_CERTAIN = 0.5
"""Mean probability of a line's digits, at least; of less, it is none."""


class Asked(NamedTuple):
    """How numbers are read."""

    min_margin: int
    """The least lead of a sure digit, in steps of 1/256; 256 for none."""
    digits: int | None = None
    """How many each line has; None for any number."""
    separators: bool = True
    """Whether points, commas, dashes, slashes and colons between digits are kept."""


def read_numbers(gray: Pixels, size: tuple[int, int], probabilities: Probabilities, asked: Asked) -> Reading:
    """Read the numbers in a picture.

    Args:
        gray: (h, w) uint8, ink dark or light.
        size: width and height of the picture before it was brought to that size.
        probabilities: of images, uint8 (n, 28, 28), for each digit; (n, 10).
        asked: what for.

    Raises:
        ImageError: there are too many marks for a picture of numbers.
    """
    ink = ink_of(gray)
    lines = [] if ink is None else [_read(line, probabilities, asked) for line in lines_of(ink)]
    height, width = gray.shape
    return Reading(tuple(line for line in lines if line is not None), (width, height)).at(size)


def _read(line: LineInk, probabilities: Probabilities, asked: Asked) -> Line | None:
    """Read one line; None where it is none of digits."""
    rows, columns = line.levels.shape
    strip = strip_of(line.levels, line.height, (line.left + columns / 2, line.top + rows / 2))
    candidates = candidates_of(strip)
    if not candidates:
        return None
    answers = probabilities(images_of(strip, candidates))
    ways = best_ways(strip, candidates, answers, asked.digits)
    if not ways or not ways[0].text:
        return None
    found = Line(tuple(_signs(strip, candidates, answers, ways, asked)))
    certain = sum(sign.confidence for sign in found.digits) / len(found.digits)
    return found if certain >= LEAST_CERTAIN else None


def _signs(
    strip: Strip, candidates: list[Candidate], answers: Answers, ways: list[Way], asked: Asked
) -> list[Sign]:
    """Return the digits of the best way, and what separates them."""
    lead = _lead(ways[1].cost - ways[0].cost) if len(ways) > 1 else LARGEST_STEP
    measures = measures_of(candidates, answers)
    signs: list[Sign] = []
    between: list[Sign] = []
    for is_digit, steps in groupby(ways[0].steps(), lambda step: step.digit is not None):
        if is_digit:
            signs += [*between, *(_digit(strip, step, answers, lead, asked.min_margin) for step in steps)]
            between = []
        elif signs and asked.separators:
            pieces = [strip.pieces[step.first] for step in steps]
            found = separator_of(pieces, measures)
            if found is not None:
                text, parts = found
                places = [strip.pieces.index(piece) for piece in parts]
                box = strip.box_in_picture(min(places), max(places))
                between = [Sign(text, box, 1.0, LARGEST_STEP, asked.min_margin <= LARGEST_STEP)]
    return signs


def _digit(strip: Strip, step: Step, answers: Answers, lead: int, min_margin: int) -> Sign:
    row = answers[step.candidate]
    margin = min(lead, lead_in_steps(row.tolist()))
    box = strip.box_in_picture(step.first, step.last)
    return Sign(str(step.digit), box, float(row[step.digit]), margin, margin >= min_margin)


def _lead(difference: float) -> int:
    """Return the lead of a way over the next one, as one of probabilities: 1 - exp(-difference), in steps."""
    return min(LARGEST_STEP, int(STEPS * -np.expm1(-difference)))
