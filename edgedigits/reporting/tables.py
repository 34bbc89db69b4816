"""Results as tables: on the terminal, in Markdown, in CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edgedigits.folding import HANG, fold, width_of
from edgedigits.printable import printable
from edgedigits.reporting.markdown import cells

Row = Sequence[str]
GAP = "  "
"""Between two columns."""
BREAKS = "/-_"
"""Signs behind which a name may be broken."""
FACT_GAP = "   "
"""Between two facts of a card."""


@dataclass(frozen=True)
class Table:
    """A table with its title: the first column to the left, figures to the right."""

    title: str
    header: Row
    rows: Sequence[Row]
    brief: Row | None = None
    """Titles of the columns that are shown where not all are asked for; None: all."""
    legend: Mapping[str, str] = field(default_factory=dict)
    """What a column holds, by its title, where that is no plain English."""


def table_text(table: Table, columns: int | None = None, *, wide: bool = False) -> str:
    """Write a table for a terminal, with a legend of those of its columns that need one.

    What is too wide gives its names lines of their own; where its figures are too wide as well, every row becomes a
    card. So no cell is cut, and none but a name or a sentence is broken.

    Args:
        table: to write.
        columns: that a line has, at most; None for a file, where a row is a line however long it is.
        wide: all its columns.
    """
    header, rows = _shown(table, wide=wide)
    lines = _fitting(header, rows, columns)
    legend = [f"{title}: {table.legend[title]}" for title in header if title in table.legend]
    title = printable(table.title)
    return (
        "\n".join(
            [*_folded([title] if title else [], columns), "", *lines, "", *_folded(legend, columns)]
        ).rstrip("\n")
        + "\n"
    )


def _shown(table: Table, *, wide: bool) -> tuple[Row, list[Row]]:
    """Return titles and rows of the columns that are to be shown."""
    chosen = [
        index
        for index, title in enumerate(table.header)
        if wide or table.brief is None or title in table.brief
    ]
    rows = [[printable(row[index]) for index in chosen] for row in table.rows]
    return [table.header[index] for index in chosen], list(rows)


def _fitting(header: Row, rows: Sequence[Row], columns: int | None) -> list[str]:
    """Lay rows out within so many columns, in the form that says most on a line."""
    names, *figures = ([width_of(cell) for cell in column] for column in zip(header, *rows, strict=True))
    widths = [max(names), *map(max, figures)]
    if columns is None or _width(widths) <= columns:
        return _grid(header, rows, widths)
    room = columns - _width([0, *widths[1:]])
    if room >= names[0]:
        fitting = max(name for name in names if name <= room)
        return _grid(header, _with_names_apart(rows, fitting, columns), [fitting, *widths[1:]])
    return [line for row in rows for line in _card(header, row, columns)]


def _width(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _grid(header: Row, rows: Sequence[Row], widths: Sequence[int]) -> list[str]:
    def line(row: Row) -> str:
        name, *figures = row
        padded = [
            name + " " * (widths[0] - width_of(name)),
            *(
                " " * (width - width_of(cell)) + cell
                for cell, width in zip(figures, widths[1:], strict=False)
            ),
        ]
        return GAP.join(padded).rstrip()

    return [line(header), "-" * _width(widths), *map(line, rows)]


def _with_names_apart(rows: Sequence[Row], width: int, columns: int) -> list[Row]:
    """Give each name that is wider a line of its own, and more where it is wider than a line."""
    apart: list[Row] = []
    for name, *figures in rows:
        is_apart = width_of(name) > width
        apart += [(part,) for part in broken(name, columns)] if is_apart else []
        apart.append(("" if is_apart else name, *figures))
    return apart


def _card(header: Row, row: Row, columns: int) -> list[str]:
    """Write a row as its name and, below it, facts with their titles: as many on a line as there is room for."""
    name, *figures = row
    room = columns - HANG
    lines = [""]
    for fact in (f"{title} {cell}" for title, cell in zip(header[1:], figures, strict=True) if cell):
        if lines[-1] and width_of(lines[-1] + FACT_GAP + fact) <= room:
            lines[-1] += FACT_GAP + fact
        else:
            lines += [part for whole in fold(fact, room) for part in broken(whole, room)]
    return [*broken(name, columns), *(" " * HANG + line for line in lines if line), ""]


def broken(text: str, columns: int) -> list[str]:
    """Break a text into parts that fit a line, behind a slash or a dash where there is one in its second half."""
    parts = []
    while width_of(text) > columns:
        end = next(end for end in range(len(text), 0, -1) if end == 1 or width_of(text[:end]) <= columns)
        end = max(text.rfind(sign, end // 2, end) for sign in BREAKS) + 1 or end
        parts.append(text[:end])
        text = text[end:]
    return [*parts, text]


def _folded(lines: Sequence[str], columns: int | None) -> list[str]:
    if columns is None:
        return list(lines)
    return [part for line in lines for whole in fold(line, columns) for part in broken(whole, columns)]


def to_markdown(header: Row, rows: Sequence[Row]) -> str:
    """Write a Markdown table; the first column to the left, figures to the right."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {cells(row)} |" for row in (header, rule, *rows))


def to_csv(header: Row, rows: Sequence[Row]) -> str:
    """Write comma-separated values with a header line."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()
