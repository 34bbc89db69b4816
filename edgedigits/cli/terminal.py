"""The one place between what a command says and the terminal: every text is escaped here, and fits its encoding."""

import sys
from typing import TextIO

import click

from edgedigits.printable import one_line, printable_lines


def echo(text: object = "", *, err: bool = False, nl: bool = True) -> None:
    """Print lines on standard output, or on standard error.

    What is not printable is escaped, and so is what the stream's encoding does not have.
    """
    click.echo(encodable(printable_lines(str(text)), sys.stderr if err else sys.stdout), err=err, nl=nl)


def complain(text: object) -> None:
    """Print one line on standard error that says what is wrong."""
    echo(f"edgedigits: {one_line(str(text))}", err=True)


def encodable(text: str, stream: TextIO) -> str:
    """Escape the characters of a text that a stream cannot write."""
    encoding = encoding_of(stream)
    return text.encode(encoding, "backslashreplace").decode(encoding)


def encoding_of(stream: TextIO) -> str:
    """Return the encoding of a stream."""
    return stream.encoding or "ascii"
