"""Results as tables: on the terminal, in Markdown, in CSV."""

import csv
import io
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from edgedigits.printable import printable
from edgedigits.reporting.markdown import cells

Row = Sequence[str]
WIDEST_TABLE = 1_000
"""Columns; no table comes near it."""


def print_table(title: str, header: Row, rows: Sequence[Row]) -> None:
    """Print a table on standard output; the first column to the left, figures to the right."""
    # Names of files may hold square brackets and colons, which rich would take for markup and emoji.
    console = Console(highlight=False, markup=False, emoji=False)
    table = Table(
        title=printable(title), title_justify="left", title_style="", box=SIMPLE_HEAD, pad_edge=False
    )
    for index, column in enumerate(header):
        table.add_column(column, justify="left" if index == 0 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*map(printable, row))
    # As wide as its figures: in a narrow terminal a line that wraps says more than one that was cut.
    unbounded = console.options.update(max_width=WIDEST_TABLE)
    console.width = max(console.width, Measurement.get(console, unbounded, table).maximum)
    console.print(table)


def to_markdown(header: Row, rows: Sequence[Row]) -> str:
    """Write a Markdown table; the first column to the left, figures to the right."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {cells(row)} |" for row in (header, rule, *rows))


def to_csv(header: Row, rows: Sequence[Row]) -> str:
    """Write comma-separated values with a header line."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()
