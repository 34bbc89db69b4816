"""Text from outside in a Markdown page: shown as it is, never taken for markup or HTML.

Reference: CommonMark 0.31, sections 2.5 (entities), 6.1 (code spans) and 6.6 (raw HTML).
"""

from collections.abc import Iterable
from typing import Any

_ENTITIES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "[": "&#91;", "]": "&#93;", "`": "&#96;", "|": "&#124;"}
)


class Markdown(str):
    """Text that is Markdown already."""

    __slots__ = ()


def escaped(value: Any) -> Any:
    """Return a text with all that could begin HTML, a link, a code span or a cell made an entity; else the value."""
    if isinstance(value, Markdown) or not isinstance(value, str):
        return value
    return Markdown(value.translate(_ENTITIES))


def code(value: object) -> Markdown:
    """Return a code span; entities mean nothing in one, so a backtick in the value becomes an apostrophe."""
    text = str(value).replace("`", "'").replace("|", "\\|")
    return Markdown(f"`{text}`")


def cells(row: Iterable[str]) -> Markdown:
    """Return the cells of a table's row with their separators."""
    return Markdown(" | ".join(map(escaped, row)))
