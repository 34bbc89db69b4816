"""What is known of a number before it is read, or wanted of it: its digits, its separators, ``dd.dd.dddd``."""

import re
from dataclasses import dataclass, replace
from functools import cached_property

from edgedigits.arguments import count_of
from edgedigits.errors import ArgumentError, ArgumentTypeError
from edgedigits.margins import LARGEST_STEP
from edgedigits.numbers.reading import Box, Line, Reading, Sign

DIGIT = "d"
SEPARATORS = ".,-/:"
"""Signs that are read beside digits."""
SPACE = " "
"""Stands in a pattern only: a gap is no sign."""
MOST_DIGITS = 64
"""Of a number; more is a mistake."""
_FORM = re.compile(f"[{re.escape(DIGIT + SEPARATORS + SPACE)}]+")


@dataclass(frozen=True)
class Pattern:
    """A form that numbers have."""

    text: str
    """As it was written: ``d`` for a digit, and separators."""

    @cached_property
    def digits(self) -> int:
        """How many there are."""
        return self.text.count(DIGIT)

    def over(self, line: Line) -> Line:
        """Return a line with the pattern's separators in place of those that were read.

        A separator stands where the picture has one at that place, whichever it is, and otherwise between the digits
        beside it.

        Args:
            line: with as many digits as the pattern has.
        """
        read = _separators_of(line)
        signs: list[Sign] = []
        for gap, wanted in enumerate(self.text.split(DIGIT)):
            for nth, character in enumerate(wanted):
                seen = read[gap][nth].box if nth < len(read[gap]) else _gap(line.digits, gap)
                signs.append(Sign(character, seen, 1.0, LARGEST_STEP, True))
            signs.extend(line.digits[gap : gap + 1])
        return Line(tuple(signs))


def _separators_of(line: Line) -> list[list[Sign]]:
    """Return the separators before the first digit, between the first and the second, and so on."""
    found: list[list[Sign]] = [[]]
    for sign in line.signs:
        if sign.is_digit:
            found.append([])
        else:
            found[-1].append(sign)
    return found


def _gap(digits: tuple[Sign, ...], gap: int) -> Box:
    """Return the room before the digit with an index; of no width before the first and behind the last."""
    left, right = digits[max(gap - 1, 0)].box, digits[min(gap, len(digits) - 1)].box
    if gap in (0, len(digits)):
        side = left.left if gap == 0 else right.right
        return left._replace(left=side, right=side)
    # Digits that overlap sideways have the gap where they do.
    start, stop = sorted((left.right, right.left))
    return Box(start, min(left.top, right.top), stop, max(left.bottom, right.bottom))


def pattern_of(text: object) -> Pattern:
    """Read a pattern.

    Args:
        text: ``d`` for each digit, 1 to 64, and the separators ``. , - / :`` and space where they stand.

    Raises:
        ArgumentTypeError: it is no text.
        ArgumentError: it has another character, or no digit or too many.
    """
    wanted = (
        f'd for each digit, 1 to {MOST_DIGITS}, and the separators . , - / : and space, like "dd.dd.dddd"'
    )
    if not isinstance(text, str):
        raise ArgumentTypeError(f"pattern: expected {wanted}, got {type(text).__name__}")
    shown = repr(text if len(text) <= 2 * MOST_DIGITS else f"{text[:MOST_DIGITS]}...")
    if not _FORM.fullmatch(text) or not 1 <= text.count(DIGIT) <= MOST_DIGITS or len(text) > 2 * MOST_DIGITS:
        raise ArgumentError(f"pattern: expected {wanted}, got {shown}")
    return Pattern(text)


@dataclass(frozen=True)
class Form:
    """What the lines of a reading have to be like."""

    digits: int | None = None
    """How many a line has; None for any number."""
    pattern: Pattern | None = None
    """With as many digits."""
    separators: bool = True
    """Whether they are kept."""

    def as_object(self) -> dict[str, object]:
        """Return the form as records keep it."""
        pattern = None if self.pattern is None else self.pattern.text
        return {"digits": self.digits, "pattern": pattern, "separators": self.separators}

    def of(self, reading: Reading) -> Reading:
        """Return a reading with lines of this form; those with another number of digits are left out."""
        return replace(reading, lines=tuple(map(self._line, filter(self._fits, reading.lines))))

    def _fits(self, line: Line) -> bool:
        return self.digits is None or len(line.digits) == self.digits

    def _line(self, line: Line) -> Line:
        if not self.separators:
            return Line(line.digits)
        return line if self.pattern is None else self.pattern.over(line)


def form_of(*, digits: object = None, pattern: object = None, separators: bool = True) -> Form:
    """Read what a caller asks for.

    Args:
        digits: how many a line has, 1 to 64; None for any number.
        pattern: see ``pattern_of``; None for none.
        separators: whether they are kept.

    Raises:
        ArgumentTypeError: one of them is of another type.
        ArgumentError: one is out of range, or both ``digits`` and ``pattern`` are given.
    """
    if pattern is None:
        return Form(None if digits is None else count_of("digits", digits, 1, MOST_DIGITS), None, separators)
    if digits is not None:
        raise ArgumentError(
            "digits, pattern: expected one of them, got both; a pattern says how many digits there are"
        )
    known = pattern_of(pattern)
    return Form(known.digits, known, separators)
