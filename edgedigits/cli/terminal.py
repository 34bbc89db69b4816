"""The one place between what a command says and the terminal: every text is escaped, folded, and fits its encoding."""

import json
import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

import click

from edgedigits.folding import columns_of, fold, fold_lines, width_of
from edgedigits.printable import one_line, printable, printable_lines

if TYPE_CHECKING:
    from edgedigits.reporting.tables import Table

NARROWEST = 20
"""Columns of a text beside its label, in however narrow a terminal."""
_EXPECTED = "edgedigits.json"
"""Of a context: whether a JSON document has still to be printed."""


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
    """Print a command that a shell takes as it is printed, quoted and folded where it has to be."""
    stream = sys.stderr if err else sys.stdout
    command = printable(shlex.join(words))
    columns = columns_of(stream)
    lines = [f"{label}: {command}"] if columns is None else fold(f"{label}:", columns, command=command)
    click.echo(encodable("\n".join(lines), stream), err=err)


def echo_fact(label: str, text: str, width: int) -> None:
    """Print a line about something; where it is folded, its other lines begin where its text does.

    Args:
        label: what it is about, of ``width`` columns at most.
        text: what there is to say.
        width: of the label's column.
    """
    columns = columns_of(sys.stdout)
    room = None if columns is None else max(columns - width - 1, NARROWEST)
    for line in [text] if room is None else map(str.strip, fold(text, room)):
        if room is not None and width_of(line) > room:  # a word that the terminal breaks, and copies whole
            echo(f"{label}\n{line}" if label else line, as_is=True)
        else:
            echo(f"{label:{width}} {line}", as_is=True)
        label = ""


def print_table(table: "Table", *, wide: bool = False) -> None:
    """Print a table on standard output, as wide as the terminal; in a file or a pipe as wide as its figures.

    Args:
        table: to print.
        wide: with all its columns, also those that it is short of by default.
    """
    from edgedigits.reporting.tables import table_text

    echo(table_text(table, columns_of(sys.stdout), wide=wide), as_is=True)


def expect_json(ctx: click.Context, _param: click.Parameter, value: bool) -> bool:
    """Remember that a command is to print a document, whatever becomes of it."""
    if value:
        ctx.meta[_EXPECTED] = True
    return value


def echo_json(value: object) -> None:
    """Print the one document of a command on standard output."""
    click.get_current_context().meta[_EXPECTED] = False
    echo(json.dumps(value, indent=2, allow_nan=False), as_is=True)


def echo_json_error(error: Exception) -> None:
    """Print a document that says why there is no other, where one is expected and none was printed."""
    ctx = click.get_current_context(silent=True)
    if ctx is not None and ctx.meta.get(_EXPECTED, False):
        echo_json({"error": str(error)})


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
