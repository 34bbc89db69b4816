"""The ink of a picture -> its lines of writing: what is of one size and stands beside each other."""

from typing import NamedTuple

import numpy as np

from edgedigits.numbers.ink import Ink
from edgedigits.numbers.rules import rules_in
from edgedigits.picture.components import Components, connected_components
from edgedigits.picture.levels import Pixels

RULE_LENGTH, RULE_THICKNESS = 1.5, 0.16
"""Of printed lines, in digits' heights."""


class LineInk(NamedTuple):
    """A line of writing."""

    levels: Pixels
    """(h, w) uint8, 0 = paper, 255 = ink: the line, with nothing else in it."""
    height: float
    """Pixels of a digit in it, about."""
    left: int
    top: int
    """Where it was cut out of the picture."""


def height_of(parts: Components) -> float:
    sides = parts.box[:, 1] - parts.box[:, 0]
    order = sides.argsort()
    weights = parts.area[order].cumsum()
    return float(sides[order][weights.searchsorted(weights[-1] / 2)])


def lines_of(ink: Ink) -> list[LineInk]:
    """Return the lines of a picture, from top to bottom."""
    levels = ink.levels()
    mask = ink.mask
    parts = connected_components(mask)
    if not len(parts.area):
        return []
    for _ in range(2):
        lh = height_of(parts)
        rules = rules_in(mask, RULE_LENGTH * lh, max(3, RULE_THICKNESS * lh))
        if not rules.any():
            break
        mask = mask & ~rules
        levels = np.where(rules, np.uint8(0), levels)
        parts = connected_components(mask)
        if not len(parts.area):
            return []
    lh = height_of(parts)
    return [LineInk(levels, lh, 0, 0)]
