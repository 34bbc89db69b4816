"""What was read in a picture of numbers: lines of digits and separators, each with its place."""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from edgedigits.margins import STEPS


class Box(NamedTuple):
    """A place in the picture, in its own pixels, upright; right and bottom exclusive."""

    left: int
    """Its first column."""
    top: int
    """Its first row."""
    right: int
    """The column behind its last one."""
    bottom: int
    """The row below its last one."""


def box_around(boxes: list[Box]) -> Box:
    """Return the smallest box around others, at least one."""
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return Box(min(lefts), min(tops), max(rights), max(bottoms))


@dataclass(frozen=True)
class Sign:
    """A digit or a separator."""

    text: str
    """One character: a digit, or one of ``. , - / :``; a space where a pattern has one."""
    box: Box
    """Where it stands."""
    confidence: float
    """Probability of the digit, 0 to 1; of a separator 1."""
    margin_steps: int
    """How far the line as it was read, this digit in it, is ahead of the next way to read it: the same for all digits
    of a line; steps of 1/256, 0 to 255. Of a separator 255."""
    sure: bool
    """Whether ``margin_steps`` reaches what was asked for."""

    @property
    def is_digit(self) -> bool:
        """Whether it is no separator."""
        return self.text.isdigit()

    @property
    def margin(self) -> float:
        """``margin_steps`` as a fraction, 0 to 1."""
        return self.margin_steps / STEPS


@dataclass(frozen=True)
class Line:
    """A number: digits from left to right, with what separates them."""

    signs: tuple[Sign, ...]
    """At least one digit among them."""

    @cached_property
    def text(self) -> str:
        """The digits, and the separators where they were asked for: ``31.12.2025``."""
        return "".join(sign.text for sign in self.signs)

    @cached_property
    def digits(self) -> tuple[Sign, ...]:
        """The signs that are digits."""
        return tuple(sign for sign in self.signs if sign.is_digit)

    @property
    def confidence(self) -> float:
        """Of the digit that is least certain, 0 to 1."""
        return min(sign.confidence for sign in self.digits)

    @property
    def sure(self) -> bool:
        """Whether every digit is sure."""
        return all(sign.sure for sign in self.digits)

    @cached_property
    def box(self) -> Box:
        """The smallest box around all signs."""
        return Box(
            min(sign.box.left for sign in self.signs),
            min(sign.box.top for sign in self.signs),
            max(sign.box.right for sign in self.signs),
            max(sign.box.bottom for sign in self.signs),
        )


def _scaled(start: int, stop: int, ratio: float, length: int) -> tuple[int, int]:
    """Scale a stretch, and cut it to a length; it has at least a pixel, as a thin stroke has that fell between two."""
    start = min(max(int(start * ratio), 0), length - 1)
    return start, max(min(math.ceil(stop * ratio), length), start + 1)


@dataclass(frozen=True)
class Reading:
    """The numbers of a picture."""

    lines: tuple[Line, ...]
    """From top to bottom, those beside each other from left to right; none where there is no digit."""
    size: tuple[int, int]
    """Width and height of the picture, upright, in pixels: what the boxes are in."""

    def at(self, size: tuple[int, int]) -> "Reading":
        """Return the same of a picture of another size, width and height: the boxes are scaled, and lie within it."""
        across, down = (new / old for new, old in zip(size, self.size, strict=True))

        def scaled(sign: Sign) -> Sign:
            left, right = _scaled(sign.box.left, sign.box.right, across, size[0])
            top, bottom = _scaled(sign.box.top, sign.box.bottom, down, size[1])
            return replace(sign, box=Box(left, top, right, bottom))

        return Reading(tuple(Line(tuple(map(scaled, line.signs))) for line in self.lines), size)

    @property
    def text(self) -> str:
        """The lines, one below the other; empty where there is none."""
        return "\n".join(line.text for line in self.lines)

    @property
    def sure(self) -> bool:
        """Whether there is a line, and every digit of every line is sure."""
        return bool(self.lines) and all(line.sure for line in self.lines)
