"""Text from outside in a Markdown page: shown as it is, never taken for markup or HTML.

Reference: CommonMark 0.31, sections 2.5 (entities), 6.1 (code spans) and 6.6 (raw HTML).
"""

import re
from collections.abc import Iterable
from typing import Any

from edgedigits.printable import printable_lines
from edgedigits.reporting.report_tables import Table

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


def table(rows: Table) -> Markdown:
    """Return a table and the empty line behind it; the first column to the left, figures to the right."""
    rule = f"--- | {' | '.join(['---:'] * (len(rows.header) - 1))}"
    lines = [cells(rows.header), rule, *map(cells, rows.rows)]
    return Markdown("".join(f"| {line} |\n" for line in lines))


def fenced(text: str, language: str) -> Markdown:
    """Return a code block, whose fence is longer than any run of backticks in the text."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return Markdown(f"{fence}{language}\n{printable_lines(text.rstrip())}\n{fence}")


def anchor(title: str) -> Markdown:
    """Return how GitHub and most others call the place of a heading."""
    return Markdown(re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-"))
