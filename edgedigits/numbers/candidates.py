"""Pieces in a row -> images that the network is asked about: each may be a digit, a part of one, or more than one."""

from typing import NamedTuple

import numpy as np

from edgedigits.contract import IMAGE_SIDE
from edgedigits.numbers.pieces import HEIGHT, INK_LEVEL, PAPER, Strip, box_around, widened
from edgedigits.numbers.reading import Box
from edgedigits.picture.form import centred, cropped, fitted
from edgedigits.picture.levels import Pixels

MOST_PIECES = 7
"""In a digit."""
LARGEST_WIDTH = 1.5
"""Of a digit of several pieces, in heights."""
LEAST_HEIGHT = 0.45
"""Of a digit."""


class Candidate(NamedTuple):
    """Pieces in a row that may be one digit."""

    first: int
    last: int
    """Index of the last piece, inclusive."""
    box: Box
    """In the strip."""


def candidates_of(strip: Strip) -> list[Candidate]:
    """Return what may be a digit in a strip."""
    found = []
    pieces = strip.pieces
    for first in range(len(pieces)):
        for last in range(first, min(first + MOST_PIECES, len(pieces))):
            box = box_around([piece.box for piece in pieces[first : last + 1]])
            if last > first and box.right - box.left > LARGEST_WIDTH * HEIGHT:
                break
            if box.bottom - box.top >= LEAST_HEIGHT * HEIGHT:
                found.append(Candidate(first, last, box))
    return found


def images_of(strip: Strip, candidates: list[Candidate]) -> Pixels:
    """Bring candidates into MNIST's form.

    Returns:
        uint8 (n, 28, 28).
    """
    images = np.empty((len(candidates), IMAGE_SIDE, IMAGE_SIDE), np.uint8)
    for index, (first, last, box) in enumerate(candidates):
        # The soft edge of strokes belongs to them.
        rows, columns = slice(max(box.top - 1, 0), box.bottom + 1), slice(max(box.left - 1, 0), box.right + 1)
        ids = strip.ids[rows, columns]
        is_other = (ids != PAPER) & ((ids < first) | (ids > last))
        ink = np.where(is_other, np.uint8(0), strip.ink[rows, columns])
        grown = widened(np.pad(cropped(ink, INK_LEVEL), strip.widening), strip.widening)
        images[index] = centred(fitted(grown))
    return images
