"""Pieces in a row -> images that the network is asked about: each may be a digit, a part of one, or more than one."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edgedigits.contract import IMAGE_SIDE, PIXEL_MAX
from edgedigits.errors import ImageError
from edgedigits.numbers.pieces import HEIGHT, PAPER, TOO_MANY, Strip, widened
from edgedigits.numbers.reading import Box, box_around
from edgedigits.picture.form import CENTRE, DIGIT_SIDE
from edgedigits.picture.levels import Pixels

MOST_PIECES = 9
"""In a digit."""
MOST_CANDIDATES = 5_000
"""In a line, at most: a digit has some ten."""
LARGEST_WIDTH = 1.3
"""Of a digit of several pieces, in heights."""
LEAST_HEIGHT = 0.45
"""Of a digit."""


Floats = npt.NDArray[np.float64]


class Candidate(NamedTuple):
    """Pieces in a row that may be one digit."""

    first: int
    last: int
    """Index of the last piece, inclusive."""
    box: Box
    """In the strip."""


def candidates_of(strip: Strip) -> list[Candidate]:
    """Return what may be a digit in a strip.

    Raises:
        ImageError: there is more than in a line of numbers.
    """
    found = []
    pieces = strip.pieces
    for first in range(len(pieces)):
        box = pieces[first].box
        for last in range(first, min(first + MOST_PIECES, len(pieces))):
            box = box_around([box, pieces[last].box])
            if last > first and box.right - box.left > LARGEST_WIDTH * HEIGHT:
                break
            if box.bottom - box.top >= LEAST_HEIGHT * HEIGHT:
                found.append(Candidate(first, last, box))
        if len(found) > MOST_CANDIDATES:
            raise ImageError(TOO_MANY)
    return found


def images_of(strip: Strip, candidates: list[Candidate]) -> Pixels:
    """Bring candidates into MNIST's form, as ``form.fitted`` and ``form.centred`` bring a digit, some dozens at once.

    Returns:
        uint8 (n, 28, 28).
    """
    images = np.zeros((len(candidates), IMAGE_SIDE, IMAGE_SIDE), np.uint8)
    grown = strip.widening
    for image, (first, last, box) in zip(images, candidates, strict=True):
        rows = slice(box.top - grown, box.bottom + grown)
        columns = slice(box.left - grown, box.right + grown)
        ids = strip.ids[rows, columns]
        # The soft edge of strokes is paper, and belongs to them.
        ink = strip.ink[rows, columns] * ((ids == PAPER) | ((ids >= first) & (ids <= last)))
        _put_centred(image, _boxed(widened(ink, grown)))
    return images


def _boxed(ink: Pixels) -> Floats:
    """Bring the longer side to 20 by averaging.

    Returns:
        float64 (h, w), levels times an area: whole numbers, whose sums are the same in any order, also in C.
    """
    ratio = DIGIT_SIDE / max(ink.shape)
    down, across = (_shares(side, max(1, round(side * ratio))) for side in ink.shape)
    small: Floats = down @ ink.astype(np.float64) @ across.T
    return small


@lru_cache(maxsize=1024)
def _shares(length: int, shorter: int) -> Floats:
    """Return how much of each pixel falls into each of fewer boxes, in whole numbers; float64 (shorter, length)."""
    edges = np.arange(shorter + 1) * length
    covered = np.clip(np.arange(1, length + 1) * shorter, edges[:-1, np.newaxis], edges[1:, np.newaxis])
    before = np.clip(np.arange(length) * shorter, edges[:-1, np.newaxis], edges[1:, np.newaxis])
    return (covered - before).astype(np.float64)


def _put_centred(image: Pixels, ink: Floats) -> None:
    """Put ink, (h, w), into an empty image, its centre of mass in the middle, or as near as the frame allows.

    The lightest pixel becomes 255.
    """
    height, width = ink.shape
    by_row, by_column = ink @ _ONES[:width], _ONES[:height] @ ink
    mass = float(by_row @ _ONES[:height])
    row = float(by_row @ _INDEX[:height]) / mass
    column = float(by_column @ _INDEX[:width]) / mass
    top = min(max(round(CENTRE - row), 0), IMAGE_SIDE - height)
    left = min(max(round(CENTRE - column), 0), IMAGE_SIDE - width)
    image[top : top + height, left : left + width] = ink * (PIXEL_MAX / float(ink.max())) + 0.5


_INDEX, _ONES = np.arange(DIGIT_SIDE, dtype=np.float64), np.ones(DIGIT_SIDE)
