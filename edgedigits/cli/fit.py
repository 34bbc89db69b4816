"""``edgedigits fit``: find the best network within a budget of flash."""

import contextlib
import functools
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from edgedigits.arguments import LARGEST_SEED, MOST_EPOCHS, MOST_IMAGES
from edgedigits.cli.options import (
    MOST_POINTS,
    Amount,
    data_option,
    json_option,
    models_option,
    name_option,
    print_next,
    print_training,
    quiet_option,
    read_labels,
    terminal_progress,
    wide_option,
)
from edgedigits.cli.process import Interrupted
from edgedigits.cli.receipts import leave_receipt, network_files, receipt_option
from edgedigits.cli.terminal import echo_command, echo_json, print_table
from edgedigits.contract import LABELS
from edgedigits.errors import AccuracyError

if TYPE_CHECKING:
    from edgedigits.picture.levels import Pixels
    from edgedigits.progress import Progress
    from edgedigits.searching.fit import Compiler, FitResult


RANGE_IMAGES = 100
"""By which networks that are not trained yet get the ranges that C code is compiled with."""


class Bytes(click.ParamType[int]):
    """An amount, which may end in K, k, M or m."""

    name = "amount"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read the amount."""
        from edgedigits.searching.budget import read_amount

        try:
            return value if isinstance(value, int) else read_amount(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.option(
    "--flash",
    type=Bytes(),
    metavar="BYTES",
    required=True,
    help="Code, tables and weights on a Cortex-M0, at most: 4096 or 4K.",
)
@click.option(
    "--ram", type=Bytes(), metavar="BYTES", help="Besides the picture, at most. [default: no limit]"
)
@click.option(
    "--instructions", type=Bytes(), metavar="N", help="For one picture, at most: 500k. [default: no limit]"
)
@click.option(
    "--min-accuracy",
    type=Amount(0, MOST_POINTS),
    metavar="PERCENT",
    help="Of the validation images; exit status 1 where the best network reads fewer. [default: none]",
)
@click.option(
    "--kind",
    type=click.Choice(["any", "dense"]),
    default="any",
    show_default=True,
    help="dense: no convolutions.",
)
@click.option(
    "--candidates",
    type=click.IntRange(1, 1_000),
    default=18,
    show_default=True,
    help="Networks to begin with, at most.",
)
@click.option(
    "--epochs",
    type=click.IntRange(1, MOST_EPOCHS),
    help="Of the networks that are left at the end. [default: 140; 400 where all are dense]",
)
@click.option(
    "--validation",
    type=click.IntRange(10, MOST_IMAGES),
    default=5_000,
    show_default=True,
    help="Images held out of the training split, every class with its share; they decide.",
)
@click.option("--seed", type=click.IntRange(0, LARGEST_SEED), default=0, show_default=True)
@data_option
@click.option(
    "--labels",
    callback=read_labels,
    metavar="NAMES",
    help="For another dataset in --data: names of its ten classes with commas between, or a file with one per line.",
)
@models_option("--out", help_text="Folder to write to.")
@name_option
@receipt_option()
@wide_option
@json_option
@quiet_option
def command(
    flash: int,
    ram: int | None,
    instructions: int | None,
    min_accuracy: float | None,
    kind: Literal["any", "dense"],
    candidates: int,
    epochs: int | None,
    validation: int,
    seed: int,
    data: Path | None,
    labels: tuple[str, ...] | None,
    models: Path,
    name: str,
    wide: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Find the best network within a budget of flash.

    Trains networks that fit, for a few epochs, the best of them for longer, and writes the best of all
    as train does, with a table and a plot of what else was found. The same command goes on with a
    search that was interrupted.

    \b
    Examples:
      edgedigits fit --flash 4K --name tiny
      edgedigits fit --flash 2K --ram 1K --instructions 300k --name tiny
      edgedigits fit --flash 8K --kind dense --min-accuracy 98.5 --name dense
    """
    _one_thread_each()
    with _told_how_to_go_on():
        from edgedigits.datasets.read import read_splits
        from edgedigits.extras import extra

        progress = terminal_progress(quiet, needs="train")
        train_split, test_split = read_splits(data, labels or LABELS, progress=progress)
        with extra("train", "the search"):
            from edgedigits.searching.budget import Budget
            from edgedigits.searching.fit import fit
            from edgedigits.searching.search import EPOCHS, Search
        budget = Budget(flash, ram, instructions)
        search = Search(budget, kind, candidates, epochs or EPOCHS[kind], validation, seed)
        result = fit(
            search,
            train_split,
            test_split,
            models,
            name=name,
            compiler=_compiler(train_split.images, progress),
            data_words=_data_words(data, labels),
            progress=progress,
        )
    leave_receipt(subjects=network_files(models, name), data=data, results=result.to_dict)
    _print(
        result,
        models,
        name,
        data,
        as_json=as_json,
        wide=wide,
    )
    reached = result.chosen.trial.accuracy.percent
    if min_accuracy is not None and reached < min_accuracy:
        raise AccuracyError(
            f"{result.training.path}: expected a validation accuracy of at least {min_accuracy:g} %, got "
            f"{reached:.2f} % from the best network found; give it more flash, or more --epochs"
        )


def _data_words(data: Path | None, labels: tuple[str, ...] | None) -> list[str]:
    """Return the words of a command that name the dataset."""
    words = ["--data", str(data)] if data else []
    return [*words, "--labels", ",".join(labels)] if labels else words


def _one_thread_each() -> None:
    """Let TensorFlow, not imported yet, compute each network with one thread, several networks side by side."""
    os.environ["TF_NUM_INTRAOP_THREADS"] = "1"
    os.environ["TF_NUM_INTEROP_THREADS"] = str(os.cpu_count() or 1)


def _compiler(images: "Pixels", progress: "Progress") -> "Compiler | None":
    """Return what compiles networks; None, and say so, without a cross compiler."""
    from edgedigits.searching.fit import Compiler
    from edgedigits_export import counts_instructions, missing_compiler, packed_footprint

    if packages := missing_compiler():
        progress.note(f"flash and RAM are modelled, not measured: apt-get install {packages}")
        return None
    measure = functools.partial(packed_footprint, images=images[:RANGE_IMAGES])
    return Compiler(measure, counts_instructions())


@contextlib.contextmanager
def _told_how_to_go_on() -> Iterator[None]:
    """Say after Ctrl-C that what was found is kept, and how to go on."""
    try:
        yield
    except KeyboardInterrupt as stop:
        raise Interrupted(
            f"what was found is kept; go on with `edgedigits {shlex.join(sys.argv[1:])}`"
        ) from stop


def _print(
    result: "FitResult", models: Path, name: str, data: Path | None, *, as_json: bool, wide: bool
) -> None:
    """Print what was found, and say what is to be done with the new network."""
    if as_json:
        echo_json(result.to_dict())
        return
    from edgedigits.reporting.tables import Table
    from edgedigits.searching.front import BRIEF, HEADER, LEGEND

    how = "measured" if result.is_measured else "modelled"
    title = f"networks within {result.search.budget.flash:,} bytes of flash ({how}), best of each size on the front"
    rows = [network.row() for network in result.found]
    print_table(Table(title, HEADER, rows, BRIEF, LEGEND), wide=wide)
    print_training(result.training)
    echo_command("again", shlex.split(result.command))
    print_next(result.training.stale, models, name, data, ["--quantize"])
