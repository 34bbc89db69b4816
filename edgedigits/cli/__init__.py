"""The ``edgedigits`` command: one module per subcommand, loaded when it is needed.

This module and the command modules import only click, errors and contract at their top, so that
``edgedigits --help`` answers at once; everything else is imported inside the callbacks.
"""

import importlib
from typing import Any

import click

from edgedigits import __version__
from edgedigits.cli.help_pages import Context, fold_pages
from edgedigits.cli.process import errors_told, run
from edgedigits.cli.variables import name_variables

COMMANDS = (
    "data",
    "train",
    "fit",
    "export",
    "verify",
    "diff",
    "bench",
    "predict",
    "read",
    "score",
    "info",
    "report",
    "page",
    "demo",
    "doctor",
    "completion",
)


class LazyGroup(click.Group):
    """A group whose commands live in modules of their own: ``edgedigits.cli.<name>``, attribute ``command``."""

    context_class = Context

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the order in which they are used."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a command, whose options then have defaults from the environment."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"edgedigits.cli.{cmd_name}").command
        name_variables(command, cmd_name)
        fold_pages(command)
        return command

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the words before the command."""
        with errors_told():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; our own errors become one line on standard error and exit status 1."""
        with errors_told():
            return super().invoke(ctx)


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(__version__, "-V", "--version", prog_name="edgedigits")
def cli() -> None:
    """Train a handwritten-digit network, export it, prove that it is as accurate, and run it anywhere.

    \b
    Examples:
      edgedigits train                     # MNIST -> my-models/digits.keras
      edgedigits export                    # -> TFLite, ONNX, ORT, C, a page
      edgedigits verify                    # as accurate on all test images?
      edgedigits bench                     # latency, throughput, memory
      edgedigits diff old.onnx new.onnx    # worse, or only unlucky?
      edgedigits predict photo.png         # needs no TensorFlow
      edgedigits read amount.png           # numbers: 1250.50
      edgedigits score scans/ --out read/  # millions of pictures
      edgedigits doctor                    # what is here, what is missing

    Every option has its default from the environment where a variable of its name is set:
    EDGEDIGITS_TRAIN_EPOCHS=20 is --epochs 20 of train.
    """


def main() -> None:
    """Entry point of the installed script."""
    run(cli)
