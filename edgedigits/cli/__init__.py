"""The ``edgedigits`` command: one module per subcommand, loaded when it is needed.

This module and the command modules import only click, errors and contract at their top, so that
``edgedigits --help`` answers at once; everything else is imported inside the callbacks.
"""

import errno
import importlib
import os
import sys
import warnings
from typing import TextIO

import click

from edgedigits import __version__
from edgedigits.errors import EdgeDigitsError

COMMANDS = ("data", "train", "export", "verify", "bench", "predict", "info", "report", "demo")

_OUTPUT_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""What writing to standard output fails with where that is a file on a full disk."""


class LazyGroup(click.Group):
    """A group whose commands live in modules of their own: ``edgedigits.cli.<name>``, attribute ``command``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the order in which they are used."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"edgedigits.cli.{cmd_name}").command
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; our own errors become one line on standard error and exit status 1."""
        try:
            return super().invoke(ctx)
        except EdgeDigitsError as error:
            click.echo(f"edgedigits: {one_line(str(error))}", err=True)
            ctx.exit(1)


def one_line(text: str) -> str:
    """Fold a message into one line, and escape what would steer a terminal; paths and files may hold any character."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in " ".join(text.split())
    )


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(__version__, "-V", "--version", prog_name="edgedigits")
def cli() -> None:
    """Train a handwritten-digit network, export it, prove that it is as accurate, and run it anywhere.

    \b
    Examples:
      edgedigits train                                  # MNIST -> models/digits.keras
      edgedigits export --format all                    # -> .tflite, .float16, .dynamic, .int8, .onnx
      edgedigits verify models/*.tflite models/*.onnx   # all 10,000 test images, exit status 1 on a loss
      edgedigits bench                                  # latency, throughput, memory, side by side
      edgedigits predict photo.png                      # needs no TensorFlow
    """


def show_warnings_as_lines() -> None:
    """Have our own warnings printed as one line each on standard error, once; those of others stay as they are."""
    show_another = warnings.showwarning
    shown = set()

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        from edgedigits.files import LeftAloneWarning

        if not issubclass(category, LeftAloneWarning):
            show_another(message, category, filename, lineno, file, line)
        elif (text := one_line(str(message))) not in shown:
            shown.add(text)
            click.echo(f"edgedigits: {text}", err=True)

    warnings.showwarning = show


def main() -> None:
    """Entry point of the installed script."""
    show_warnings_as_lines()
    try:
        cli()
    except BrokenPipeError:
        # The reader of our output went away (`| head`): not our failure. Keep the interpreter from flushing again.
        _drop_output()
        sys.exit(1)
    except OSError as error:
        if error.errno not in _OUTPUT_FULL:
            raise
        _drop_output()
        click.echo(f"edgedigits: the result cannot be written ({error.strerror}); free some space", err=True)
        sys.exit(1)


def _drop_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
