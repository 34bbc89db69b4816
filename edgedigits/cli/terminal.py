"""The one place between what a command says and the terminal: every text is escaped, folded, and fits its encoding."""

import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

import click

from edgedigits.folding import columns_of, fold, fold_lines
from edgedigits.printable import one_line, printable, printable_lines

if TYPE_CHECKING:
    from edgedigits.reporting.tables import Table


def echo(text: object = "", *, err: bool = False, nl: bool = True, as_is: bool = False) -> None:
    """Print lines on standard output, or on standard error.

    What is not printable is escaped, and so is what the stream's encoding does not have. On a
    terminal lines are folded.

    Args:
        text: to print.
        err: on standard error.
        nl: with a line feed behind it.
        as_is: a document for a program, or a drawing, whose lines are never folded.
    """
    stream = sys.stderr if err else sys.stdout
    shown = printable_lines(str(text))
    click.echo(encodable(shown if as_is else fold_lines(shown, columns_of(stream)), stream), err=err, nl=nl)


def echo_command(label: str, words: Sequence[str], *, err: bool = False) -> None:
    """Print a command of edgedigits that a shell takes as it is printed, quoted and folded where it has to be."""
    stream = sys.stderr if err else sys.stdout
    command = printable(shlex.join(["edgedigits", *words]))
    columns = columns_of(stream)
    lines = [f"{label}: {command}"] if columns is None else fold(f"{label}:", columns, command=command)
    click.echo(encodable("\n".join(lines), stream), err=err)


def print_table(table: "Table", *, wide: bool = False) -> None:
    """Print a table on standard output, as wide as the terminal; in a file or a pipe as wide as its figures.

    Args:
        table: to print.
        wide: with all its columns, also those that it is short of by default.
    """
    from edgedigits.reporting.tables import table_text

    echo(table_text(table, columns_of(sys.stdout), wide=wide), as_is=True)


def complain(text: object) -> None:
    """Print on standard error what is wrong: one line, folded where it is a terminal's."""
    echo(f"edgedigits: {one_line(str(text))}", err=True)


def encodable(text: str, stream: TextIO) -> str:
    """Escape the characters of a text that a stream cannot write."""
    encoding = encoding_of(stream)
    return text.encode(encoding, "backslashreplace").decode(encoding)


def encoding_of(stream: TextIO) -> str:
    """Return the encoding of a stream."""
    return stream.encoding or "ascii"
