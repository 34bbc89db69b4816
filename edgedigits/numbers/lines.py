"""The ink of a picture -> its lines of writing: what is of one size and stands beside each other."""

from typing import NamedTuple

import numpy as np

from edgedigits.errors import ImageError
from edgedigits.numbers.ink import Ink
from edgedigits.numbers.rules import rules_in
from edgedigits.picture.components import Components, Integers, Mask, connected_components
from edgedigits.picture.levels import Pixels

RULE_LENGTH, RULE_THICKNESS = 1.5, 0.16
"""Of printed lines, in digits' heights."""
RULE_ROUNDS = 3
"""How often lines are looked for: the first ones may hide how high digits are."""
LEAST_HEIGHT = 7
"""Pixels of a digit, at least."""
LOWEST, HIGHEST = 0.4, 2.5
"""Height of a part that is, or has, a digit, in those of most ink."""
LEAST_SHARE = 0.5
"""Share of the ink that is in parts of a digit's size, at least; else these are some of a pattern's."""
BESIDE = 2.5
"""Gap between digits of a line, at most, in their heights."""
OVERLAP = 0.35
"""Share of the lower one's height that digits beside each other have in common, at least."""
AROUND = 0.35
"""Heights above and below its digits within which points and pieces belong to a line."""
SMALLEST_LINE = 0.5
"""Height of a line's digits, at least, in those of the largest ones."""
MOST_LINES = 200
"""In a picture, at most, single digits among them."""
MOST_PARTS = 1_500
"""Parts of a digit's size in a picture, at most."""


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
    """Return the lines of a picture: from top to bottom, those beside each other from left to right.

    Raises:
        ImageError: there are too many marks for a picture of numbers.
    """
    mask = without_rules(ink.mask)
    levels = np.where(ink.mask & ~mask, np.uint8(0), ink.levels())
    parts = connected_components(mask)
    heights = parts.box[:, 1] - parts.box[:, 0]
    usual = usual_height(parts)
    is_digit = (heights >= max(LOWEST * usual, LEAST_HEIGHT)) & (heights <= HIGHEST * usual)
    count = int(is_digit.sum())
    if parts.area[is_digit].sum() < LEAST_SHARE * parts.area.sum():
        return []
    if count > MOST_PARTS:
        raise ImageError(
            f"shows {count:,} marks of a digit's size, at most {MOST_PARTS:,} are read; cut out the numbers"
        )
    groups = _groups(parts, is_digit)
    if len(groups) > MOST_LINES:
        raise ImageError(f"shows {len(groups):,} lines, at most {MOST_LINES} are read; cut out the numbers")
    lines = [_line(levels, parts, group, is_digit) for group in groups]
    largest = max((line.height for line in lines), default=0.0)
    return _in_order([line for line in lines if line.height >= SMALLEST_LINE * largest])


def without_rules(mask: Mask) -> Mask:
    """Take printed lines off ink, (h, w) bool."""
    for _ in range(RULE_ROUNDS):
        height = usual_height(connected_components(mask))
        rules = rules_in(mask, RULE_LENGTH * height, max(3, RULE_THICKNESS * height))
        if not rules.any():
            break
        mask = mask & ~rules
    return mask


def usual_height(parts: Components) -> float:
    """Return the height of the parts that half of the ink is in; 0 where there is none."""
    if not len(parts.area):
        return 0.0
    heights = parts.box[:, 1] - parts.box[:, 0]
    return _weighted_median(heights, parts.area)


def _weighted_median(values: Integers, weights: Integers) -> float:
    order = values.argsort()
    below = weights[order].cumsum()
    return float(values[order][below.searchsorted(below[-1] / 2)])


def _groups(parts: Components, is_digit: Mask) -> list[Integers]:
    """Return the numbers of the parts of each line that have a digit's size: each is beside another one."""
    chosen = np.flatnonzero(is_digit)
    top, bottom, left, right = parts.box[chosen].T
    height = bottom - top
    lower = np.minimum(height[:, np.newaxis], height)
    common = np.minimum(bottom[:, np.newaxis], bottom) - np.maximum(top[:, np.newaxis], top)
    gap = np.maximum(left[:, np.newaxis], left) - np.minimum(right[:, np.newaxis], right)
    beside = (common >= OVERLAP * lower) & (gap <= BESIDE * np.maximum(height[:, np.newaxis], height))
    number = np.arange(len(chosen))
    while len(number):
        least = np.where(beside, number, len(number)).min(axis=1)
        if np.array_equal(least, number):
            break
        number = least
    return [chosen[number == each] for each in np.unique(number)]


def _line(levels: Pixels, parts: Components, group: Integers, is_digit: Mask) -> LineInk:
    """Cut a line out: its digits, and the points and pieces around them."""
    box = parts.box[group]
    height = _weighted_median(box[:, 1] - box[:, 0], parts.area[group])
    around = AROUND * height
    top, bottom, left, right = box[:, 0].min(), box[:, 1].max(), box[:, 2].min(), box[:, 3].max()
    middle_row, middle_column = parts.box[:, :2].mean(axis=1), parts.box[:, 2:].mean(axis=1)
    belongs = ~is_digit & (parts.box[:, 1] - parts.box[:, 0] <= HIGHEST * height)
    belongs &= (middle_row >= top - around) & (middle_row <= bottom + around)
    belongs &= (middle_column >= left - height) & (middle_column <= right + height)
    belongs[group] = True
    inside = parts.box[belongs]
    rows = slice(max(int(inside[:, 0].min()) - 1, 0), int(inside[:, 1].max()) + 1)
    columns = slice(max(int(inside[:, 2].min()) - 1, 0), int(inside[:, 3].max()) + 1)
    other = parts.mask(~belongs)[rows, columns]
    return LineInk(np.where(other, np.uint8(0), levels[rows, columns]), height, columns.start, rows.start)


def _in_order(lines: list[LineInk]) -> list[LineInk]:
    """Order lines as they are read."""
    waiting = sorted(lines, key=lambda line: line.top)
    ordered: list[LineInk] = []
    while waiting:
        first = waiting[0]
        middle = first.top + len(first.levels) / 2
        row = [line for line in waiting if line.top <= middle]
        ordered += sorted(row, key=lambda line: line.left)
        waiting = [line for line in waiting if line.top > middle]
    return ordered
