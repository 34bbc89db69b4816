"""Gray levels -> the numbers in them.

ink_of          in ``ink.py``: what stands out from the paper
lines_of        in ``lines.py``: which of it stands beside each other, without a form's own lines (``rules.py``)
strip_of        in ``pieces.py``: a line of one height, upright, in pieces
candidates_of   in ``candidates.py``: pieces in a row that may be a digit, as images for the network
best_ways       in ``path.py``: which of them are digits
separator_of    in ``separators.py``: what stands between two of them
"""

import math
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edgedigits.margins import LARGEST_STEP, in_steps
from edgedigits.numbers.candidates import Candidate, candidates_of, images_of
from edgedigits.numbers.ink import ink_of
from edgedigits.numbers.lines import LineInk, lines_of
from edgedigits.numbers.path import Measures, Step, Way, best_ways, is_slash, measures_of
from edgedigits.numbers.pieces import Piece, Strip, strip_of
from edgedigits.numbers.reading import Line, Reading, Sign
from edgedigits.numbers.separators import separator_of
from edgedigits.picture.levels import Pixels
from edgedigits.picture.ruling import without_ruling

Answers = npt.NDArray[np.float32]
Probabilities = Callable[[Pixels], Answers]

LEAST_CERTAIN, LARGEST_COST = 0.4, 6.0
"""Mean probability of a line's digits, at least, and cost of its way for each of them, at most; else it is none. Of the
lines of cheques and pages nine in ten have more than 0.85 and less than 2, of what is found on empty paper nine in ten
less than 0.65 and more than 1.3."""


SLASH, UNEVEN = 1.14, 4.0
"""Height of a slash, in that of its line's digits, at least, where these are all alike, and how much more it has where
they are not, in their unevenness: there, a 1 may be as high."""
SLASH_IN_DATE, DATE_SLASHES = 1.05, 2
"""Height of the slashes of a date, which are the highest strokes of their line, and how many there are."""
DAYS, MONTHS = 31, 12
DATE = re.compile(r"(\d\d?)([-./])(\d\d?)\2(?:\d\d|\d{4})|\d{4}([-./])(\d\d?)\4(\d\d?)")
TELEPHONE = re.compile(r"0\d{1,5}/[\d -]{3,}")


RIGHT = (-0.08, 1.2, -0.81, -0.55)
"""Weights of what tells whether a line was read right: 1; how much less the way costs than the next one; its cost for
each digit; the logarithm of the doubt in the least certain one. By logistic regression on 1,080 amounts of cheques, but
for seventeen that were read otherwise than labelled with a lead of 93 %: the labels of some contradict the picture. The
first is larger by 0.73 than it was fitted, so that the least lead of the network's file, 247/256, which was fitted for
single digits, stands for 93 %.
"""
MOST_AHEAD, LEAST_DOUBT = 4.0, 0.01
"""More of the one and less of the other tell nothing more."""


class Parted(NamedTuple):
    """A line in pieces, and what the network says of them."""

    strip: Strip
    candidates: list[Candidate]
    answers: Answers
    """(n, 10), of each candidate."""
    measures: Measures


class Asked(NamedTuple):
    """How numbers are read."""

    min_margin: int
    """The least lead of a sure digit, in steps of 1/256; 256 for none."""
    digits: int | None = None
    """How many each line has; None for any number."""


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
    ink = ink_of(without_ruling(gray))
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
    return read_strip(strip, candidates, probabilities(images_of(strip, candidates)), asked)


def read_strip(strip: Strip, candidates: list[Candidate], answers: Answers, asked: Asked) -> Line | None:
    """Read a line that was parted; None where it is none of digits.

    Args:
        strip: the line.
        candidates: of it, at least one.
        answers: of each candidate, for each digit; (n, 10).
        asked: what for.
    """
    parted = Parted(strip, candidates, answers, measures_of(strip, candidates, answers))
    measures = parted.measures
    strokes = [piece for piece in strip.pieces if is_slash(piece, measures, SLASH_IN_DATE)]
    heights = sorted((piece.box.bottom - piece.box.top) / measures.height for piece in strokes)
    for slash, has_form in _forms(heights):
        found = _best(parted, slash, asked)
        if found is not None and has_form(found.text):
            return found
    return _best(parted, max(SLASH, 1 + UNEVEN * measures.unevenness), asked)


def _forms(heights: list[float]) -> Iterator[tuple[float, Callable[[str], bool]]]:
    """Yield the forms that tell a slash from a 1, by the heights of what may be either, and how high it is there."""
    if heights:
        yield math.inf, is_date  # 23-01-1950
    if len(heights) >= DATE_SLASHES:
        yield heights[-DATE_SLASHES], is_date  # 31/12/25
    if heights:
        yield max(SLASH, heights[-1]), is_telephone_number  # 0171/556370


def is_telephone_number(text: str) -> bool:
    """Tell whether a text is a telephone number with a slash behind the area's: 0171/556370."""
    return TELEPHONE.fullmatch(text) is not None


def is_date(text: str) -> bool:
    """Tell whether a text is a date with separators of one kind: 31.12.25, 12/31/2025, 2025-12-31."""
    match = DATE.fullmatch(text)
    if match is None:
        return False
    numbers = [int(group) for group in match.groups() if group is not None and group.isdigit()]
    low, high = sorted(numbers)
    return 1 <= low <= MONTHS and 1 <= high <= DAYS


def _best(parted: Parted, slash: float, asked: Asked) -> Line | None:
    """Return the best way through a line, where slashes have so many times the height of its digits at least."""
    ways = best_ways(*parted, slash, asked.digits)
    if not ways or not ways[0].text:
        return None
    lead = _lead(parted, ways)
    signs: list[Sign] = []
    last: Step | None = None
    between: list[Piece] = []
    for step in ways[0].steps():
        if step.digit is None:
            between.append(parted.strip.pieces[step.first])
            continue
        if last is not None and between:
            measures = _between(parted, last, step)
            signs += _separator(parted, between, measures, slash, asked.min_margin)
        signs.append(_digit(parted, step, lead, asked.min_margin))
        last, between = step, []
    found = Line(tuple(signs))
    count = len(found.digits)
    is_certain = sum(sign.confidence for sign in found.digits) >= LEAST_CERTAIN * count
    return found if is_certain and ways[0].cost <= LARGEST_COST * count else None


def _between(parted: Parted, before: Step, behind: Step) -> Measures:
    """Return what a line measures between two digits, which may stand lower than others, or be higher."""
    boxes = [parted.candidates[step.candidate].box for step in (before, behind) if step.candidate is not None]
    foot = sum(box.bottom for box in boxes) / len(boxes)
    height = sum(box.bottom - box.top for box in boxes) / len(boxes)
    measures = parted.measures
    return measures._replace(foot=foot, height=max(height, measures.height))


def _separator(
    parted: Parted, pieces: list[Piece], measures: Measures, slash: float, min_margin: int
) -> list[Sign]:
    """Return what separates two digits, if anything does."""
    slashes = [piece for piece in pieces if is_slash(piece, parted.measures, slash)]
    found = ("/", slashes[:1]) if slashes else separator_of(pieces, measures, parted.strip.stroke)
    if found is None:
        return []
    text, parts = found
    places = [parted.strip.pieces.index(piece) for piece in parts]
    box = parted.strip.box_in_picture(min(places), max(places))
    return [Sign(text, box, 1.0, LARGEST_STEP, min_margin <= LARGEST_STEP)]


def _digit(parted: Parted, step: Step, lead: int, min_margin: int) -> Sign:
    box = parted.strip.box_in_picture(step.first, step.last)
    confidence = float(parted.answers[step.candidate, step.digit])
    return Sign(str(step.digit), box, confidence, lead, lead >= min_margin)


def _lead(parted: Parted, ways: list[Way]) -> int:
    """Return how likely a line is as it was read, in steps of 1/256: see ``RIGHT``."""
    digits = [step for step in ways[0].steps() if step.digit is not None]
    ahead = ways[1].cost - ways[0].cost if len(ways) > 1 else MOST_AHEAD
    least = min(float(parted.answers[step.candidate, step.digit]) for step in digits)
    known = (
        1.0,
        min(ahead, MOST_AHEAD),
        ways[0].cost / len(digits),
        math.log(max(1 - least, LEAST_DOUBT)),
    )
    odds = sum(weight * value for weight, value in zip(RIGHT, known, strict=True))
    return in_steps(1 / (1 + math.exp(-odds)))
