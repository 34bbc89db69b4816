"""Amounts cut out of cheques, with the place of each digit, and how what was read is counted against them.

A folder holds ``images/`` and ``digits.csv`` with the columns file, digit, x, y, width, height.
"""

import csv
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from edgedigits.numbers.reading import Box

LEAST_OVERLAP = 0.5
"""Share of a digit's box that the box of a digit that was read covers, at least, where it was found."""


class Found(NamedTuple):
    """A digit that was read."""

    digit: str
    box: Box


class Answer(NamedTuple):
    """What was read in a picture, separators left out."""

    digits: tuple[Found, ...]
    """In reading order."""
    sure: bool

    @property
    def text(self) -> str:
        """The digits."""
        return "".join(found.digit for found in self.digits)


Reader = Callable[[Path], Answer]


class Amount(NamedTuple):
    """The picture of an amount, and its digits from left to right."""

    path: Path
    digits: tuple[Found, ...]

    @property
    def text(self) -> str:
        """The digits."""
        return "".join(found.digit for found in self.digits)

    @property
    def is_apart(self) -> bool:
        """Whether no two boxes overlap sideways."""
        boxes = [found.box for found in self.digits]
        return all(left.right <= right.left for left, right in pairwise(boxes))


class Count(NamedTuple):
    """What became of amounts and their digits."""

    amounts: int
    right: int
    sure: int
    sure_and_right: int
    digits: int
    digits_right: int

    def percent(self, part: int, whole: int) -> float:
        """Return a share; 100 of none."""
        return 100 * part / whole if whole else 100.0

    def shares(self) -> dict[str, float]:
        """Return the shares in percent."""
        return {
            "amounts": self.amounts,
            "right": self.percent(self.right, self.amounts),
            "digits found and right": self.percent(self.digits_right, self.digits),
            "sure": self.percent(self.sure, self.amounts),
            "right among the sure": self.percent(self.sure_and_right, self.sure),
        }


def read_amounts(folder: Path) -> list[Amount]:
    """Return the amounts of a folder, by name."""
    with (folder / "digits.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    digits: dict[str, list[Found]] = {}
    for row in rows:
        left, top, width, height = (int(row[name]) for name in ("x", "y", "width", "height"))
        box = Box(left, top, left + width, top + height)
        digits.setdefault(row["file"], []).append(Found(row["digit"], box))
    return [
        Amount(
            folder / "images" / name,
            tuple(sorted(digits[name], key=lambda found: found.box.left + found.box.right)),
        )
        for name in sorted(digits)
    ]


def covered(box: Box, by: Box) -> float:
    """Return the share of a box that another covers."""
    width = min(box.right, by.right) - max(box.left, by.left)
    height = min(box.bottom, by.bottom) - max(box.top, by.top)
    return max(width, 0) * max(height, 0) / ((box.right - box.left) * (box.bottom - box.top))


def digits_right(amount: Amount, answer: Answer) -> int:
    """Count the digits of an amount that one read digit covers by half or more, and is; each serves once."""
    left = list(answer.digits)
    for wanted in amount.digits:
        match = next(
            (
                found
                for found in left
                if found.digit == wanted.digit and covered(wanted.box, found.box) >= LEAST_OVERLAP
            ),
            None,
        )
        if match is not None:
            left.remove(match)
    return len(answer.digits) - len(left)


def count(amounts: Sequence[Amount], answers: Iterable[Answer]) -> Count:
    """Count what was read in amounts."""
    total = Count(0, 0, 0, 0, 0, 0)
    for amount, answer in zip(amounts, answers, strict=True):
        is_right = answer.text == amount.text
        one = (
            1,
            is_right,
            answer.sure,
            answer.sure and is_right,
            len(amount.digits),
            digits_right(amount, answer),
        )
        total = Count(*(before + more for before, more in zip(total, one, strict=True)))
    return total
