"""The ink of a picture -> its lines of writing: what is of one size and stands beside each other."""

from typing import NamedTuple

import numpy as np

from edgedigits.numbers.ink import Ink
from edgedigits.picture.components import connected_components
from edgedigits.picture.levels import Pixels


class LineInk(NamedTuple):
    """A line of writing."""

    levels: Pixels
    """(h, w) uint8, 0 = paper, 255 = ink: the line, with nothing else in it."""
    height: float
    """Pixels of a digit in it, about."""
    left: int
    top: int
    """Where it was cut out of the picture."""


def lines_of(ink: Ink) -> list[LineInk]:
    """Return the lines of a picture, from top to bottom."""
    levels = ink.levels()
    mask = ink.mask
    height, width = mask.shape
    parts = connected_components(mask)
    sides = parts.box[:, 1] - parts.box[:, 0]
    touches = (parts.box[:, 0] == 0) | (parts.box[:, 1] == height)
    keep = (parts.area >= 6) & ~(touches & (sides < 0.25 * height))
    if not keep.any():
        return []
    lh = float(np.average(sides[keep], weights=parts.area[keep]))
    return [LineInk(levels, lh, 0, 0)]
