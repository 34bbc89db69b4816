"""Results as tables: on the terminal, in Markdown, in CSV."""

import csv
import io
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

Row = Sequence[str]
LOG_WIDTH = 160
"""Columns where standard output is no terminal: wide enough for every table, so that no log breaks its rows."""


def print_table(title: str, header: Row, rows: Sequence[Row]) -> None:
    """Print a table on standard output; the first column to the left, figures to the right."""
    # Names of files may hold square brackets and colons, which rich would take for markup and emoji.
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = LOG_WIDTH
    table = Table(title=title, title_justify="left", title_style="", box=SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(header):
        table.add_column(column, justify="left" if index == 0 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def to_markdown(header: Row, rows: Sequence[Row]) -> str:
    """Write a Markdown table; the first column to the left, figures to the right."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *rows))


def to_csv(header: Row, rows: Sequence[Row]) -> str:
    """Write comma-separated values with a header line."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()
