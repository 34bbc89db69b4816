"""The constants of the reader of numbers, for its JavaScript: Python's own, so that a change there comes to a page."""

import re
from types import ModuleType

from edgedigits import margins, predictor
from edgedigits.numbers import drawing, lines, path, pattern, pieces, read, separators

_ROOMS: tuple[tuple[ModuleType, tuple[str, ...]], ...] = (
    (margins, ("LARGEST_STEP",)),
    (predictor, ("MOST_PARTS_OF_ONE",)),
    (lines, ("MOST_LINES", "MOST_PARTS")),
    (pattern, ("DIGIT", "MOST_DIGITS", "SEPARATORS", "SPACE")),
    (pieces, ("HEIGHT",)),
    (path, ()),
    (separators, ()),
    (read, ()),
)
"""Modules, and which of their constants are wanted; none named: all that there are."""


def reader_constants() -> dict[str, object]:
    """Return numbers, pairs of them and the sources of regular expressions by their names."""
    return {
        name: value.pattern if isinstance(value, re.Pattern) else value
        for room, names in _ROOMS
        for name, value in vars(room).items()
        if (name in names if names else name.isupper() and isinstance(value, (int, float, tuple, re.Pattern)))
    }


def drawing_constants() -> dict[str, object]:
    """Return by which colours, (red, green, blue), and in which size signs are drawn on the picture that was read."""
    names = ("NOT_SURE", "SEPARATOR", "SURE", "TEXT_HEIGHT")
    return {name: getattr(drawing, name) for name in names}
