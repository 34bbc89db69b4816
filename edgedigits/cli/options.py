"""Options that several commands share, and how results are printed."""

import errno
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edgedigits.cli.terminal import complain, echo, echo_command, expect_json, print_table
from edgedigits.contract import LABELS, parse_labels
from edgedigits.file_names import DEFAULT_NAME, exported_names, file_name, network_name

if TYPE_CHECKING:
    from edgedigits.input_scale import InputScale
    from edgedigits.model_files.quantized_bits import Bits
    from edgedigits.model_files.trained_networks import Arch
    from edgedigits.progress import Progress
    from edgedigits.training.run_files import TrainingResult

INPUT_SCALE_NAMES = (
    "0..1",
    "0..255",
    "-1..1",
    "-0.5..0.5",
    "standardized",
    "1..0",
    "255..0",
    "1..-1",
    "0.5..-0.5",
    "inverted-standardized",
    "inverted-mnist",
)
"""Those of ``input_scale.INPUT_SCALES``, which help texts name without numpy."""
LARGEST_LABELS_FILE = 10_000
"""Bytes: ten names take far fewer, and a file named by mistake is not read."""

MODELS = Path("my-models")
"""Where networks are written to and looked for, unless a folder is named. Not ``models``: in a checkout these are the
networks that come along, which nobody means to replace."""
MOST_POINTS = 100.0
"""Of accuracy that can be lost."""


class Amount(click.FloatRange):
    """A number within a range, which NaN is not: every comparison with it is false."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read the number."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is no number.", param, ctx)
        return number


Callback = TypeVar("Callback", bound=Callable[..., Any])


def read_network(ctx: click.Context, param: click.Parameter, value: str) -> "Arch":
    """Read what ``--arch`` takes, ``128-32`` or ``conv8-pool-mean``; what is no such text is wrong usage."""
    from edgedigits.model_files.trained_networks import read_arch

    try:
        return read_arch(value)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from error


def read_warp_stages(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[float, ...] | None:
    """Read factors from 0 to 1 with dashes between, ``1-1-0.5``; what is no such text is wrong usage."""
    if value is None:
        return None
    try:
        factors = tuple(float(word) for word in value.split("-"))
    except ValueError:
        factors = ()
    if not factors or not all(0 <= factor <= 1 for factor in factors):
        raise click.BadParameter(
            f"expected numbers from 0 to 1 with dashes between, like 1-0.5-0.25, got {value!r}", ctx, param
        )
    return factors


def read_layer_bits(text: str, arch: "Arch") -> "tuple[Bits, ...]":
    """Read what ``--bits`` takes for a network; what is no such text is wrong usage."""
    from edgedigits.model_files.quantized_bits import read_bits
    from edgedigits.model_files.trained_networks import trained_spec

    try:
        return read_bits(text, len(trained_spec(arch).weighted))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--bits") from error


def print_next(
    stale: Sequence[str], models: Path, name: str, data: Path | None, words: Sequence[str] = ()
) -> None:
    """Say what is to be done with a new network, and which exported files are not of it.

    Args:
        stale: exported files of the network before.
        models: folder of the new one.
        name: of it.
        data: the dataset that was named.
        words: of ``export``, besides what is always said.
    """
    if stale:
        complain(f"{', '.join(stale)} hold the previous network: export again")
    is_there = any((models / file).exists() for file in exported_names(name))
    elsewhere = [] if models == MODELS else ["--models", str(models)]
    renamed = [] if name == DEFAULT_NAME else ["--name", name]
    other_data = ["--data", str(data)] if data else []
    replacing = ["--force"] if is_there else []
    echo_command(
        "next",
        ["edgedigits", "export", "--format", "all", *words, *elsewhere, *renamed, *other_data, *replacing],
        err=True,
    )


def print_training(result: "TrainingResult") -> None:
    """Print what a run came to: accuracy, a row for each class, how the confidences were made fair."""
    print_table(result.class_table())
    echo(f"{result.scaling}\nweights sha256 {result.weights_sha256}")


def read_margin(ctx: click.Context, param: click.Parameter, value: str | None) -> int | float | None:
    """Read a lead over the second answer: whole steps of 1/256, or a fraction, which has a point."""
    from edgedigits.arguments import min_margin_of

    if value is None:
        return None
    try:
        lead = int(value) if value.isascii() and value.isdigit() else float(value)
        min_margin_of(lead)
    except ValueError as error:
        raise click.BadParameter(
            f"expected steps of 1/256, 0 to 256, or a fraction with a point, 0.0 to 1.0, got {value!r}",
            ctx,
            param,
        ) from error
    return lead


def read_pattern(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Check a pattern; what is none is wrong usage."""
    from edgedigits.errors import ArgumentError
    from edgedigits.numbers.pattern import pattern_of

    if value is not None:
        try:
            pattern_of(value)
        except ArgumentError as error:
            raise click.BadParameter(str(error).removeprefix("pattern: "), ctx, param) from error
    return value


def read_labels(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    """Read the names of the classes: with commas between them, or one per line of a file that is there."""
    if value is None:
        return None
    try:
        labels = parse_labels(_lines_of_file(value) or value.split(","))
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from error
    if labels == LABELS:
        raise click.BadParameter(
            "0 to 9 are MNIST's classes: leave --labels out, or call those of another dataset zero,one,...",
            ctx,
            param,
        )
    return labels


def _lines_of_file(name: str) -> list[str]:
    """Return the lines of a small text file that are not empty; none where there is no such file.

    Raises:
        ValueError: there is one, and it cannot be read, is larger, or no text.
    """
    from edgedigits.files import read_file, reason

    if not name:  # Path("") is the working directory.
        return []
    try:
        text = read_file(Path(name), LARGEST_LABELS_FILE).decode("utf-8-sig")
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG) or not Path(name).exists():
            return []
        raise ValueError(f"{name}: cannot be read ({reason(error)})") from error
    return [line for line in text.splitlines() if line.strip()]


def read_name(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """Read the name of a network; what would lead to another folder, or to another network's files, is wrong usage."""
    named = Path(file_name(value, "keras"))
    if value.startswith(".") or named.name != str(named) or network_name(named) != value:
        raise click.BadParameter(f"expected the stem of a file name like digits, got {value!r}", ctx, param)
    return value


def models_option(
    flag: str = "--models", help_text: str = "Folder of the model files.", parameter: str = "models"
) -> Callable[[Callback], Callback]:
    """Return the option that names the folder of the models; ``parameter`` is what the command calls it."""
    return click.option(
        flag,
        parameter,
        type=click.Path(file_okay=False, path_type=Path),
        default=MODELS,
        show_default=True,
        help=help_text,
    )


name_option = click.option(
    "--name",
    callback=read_name,
    default=DEFAULT_NAME,
    show_default=True,
    help="Stem of the network's files in that folder.",
)
data_option = click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Images with labels: a folder of the four IDX files, Parquet, .npz, CSV, a tar archive, or class folders of "
    "pictures. [default: $EDGEDIGITS_DATA, then the caches]",
)
json_option = click.option(
    "--json",
    "as_json",
    is_flag=True,
    is_eager=True,
    callback=expect_json,
    help="Print one JSON document and nothing else; where there is no result, it holds the error.",
)
wide_option = click.option(
    "--wide", is_flag=True, help="All columns of the tables, and not only the first to know."
)
quiet_option = click.option("--quiet", "-q", is_flag=True, help="No progress on standard error.")
threads_option = click.option(
    "--threads", type=click.IntRange(1, 1024), default=1, show_default=True, help="Threads of the runtime."
)


foreign_option = click.option(
    "--foreign",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A .onnx or .tflite file that edgedigits did not make: measured all the same, though it promises nothing. "
    "Its runtime is given it unchecked. Can be repeated.",
)


def read_input_scale(ctx: click.Context, param: click.Parameter, value: str | None) -> "InputScale | None":
    """Look up an input scale that the option's choice has let through."""
    from edgedigits.input_scale import INPUT_SCALES

    return None if value is None else INPUT_SCALES[value]


def input_scale_option(what: str) -> Callable[[Callback], Callback]:
    """Return the option that says what a ``.keras`` file was trained on.

    Args:
        what: how the help names the network or files.
    """
    return click.option(
        "--input-scale",
        type=click.Choice(INPUT_SCALE_NAMES),
        callback=read_input_scale,
        metavar="SCALE",
        help=f"What {what} trained on, where a range is what pixels from 0 (background) to 255 (ink) were made into: "
        f"{', '.join(INPUT_SCALE_NAMES)}. [default: what its layers or the manifest say; else found out from training "
        "images]",
    )


def terminal_progress(quiet: bool, needs: str = "bench") -> "Progress":
    """Return what shows progress: bars on standard error, or nothing.

    Args:
        quiet: nothing.
        needs: the extra that the command needs, and that brings the bars along.
    """
    from edgedigits.extras import extra
    from edgedigits.progress import SILENT, TerminalProgress

    if quiet:
        return SILENT
    with extra(needs, "this command"):
        return TerminalProgress()
