"""``edgedigits bench``: latency, throughput, cold start and memory, side by side."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgedigits.arguments import LONGEST_SECONDS, MOST_ROUNDS, MOST_SAMPLES
from edgedigits.cli.options import (
    Amount,
    data_option,
    foreign_option,
    input_scale_option,
    json_option,
    models_option,
    quiet_option,
    terminal_progress,
    threads_option,
    wide_option,
)
from edgedigits.cli.receipts import leave_receipt, receipt_option, records_beside
from edgedigits.cli.terminal import complain, echo, echo_json, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgedigits.input_scale import InputScale
    from edgedigits.measuring.bench_result import BenchResult
    from edgedigits.measuring.subjects import Subject
    from edgedigits.progress import Progress


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE...]")
@models_option(help_text="Folder whose model files are measured if none is named.")
@threads_option
@click.option(
    "--min-seconds", type=Amount(0, LONGEST_SECONDS), default=0.5, show_default=True, help="Per file."
)
@click.option(
    "--min-samples", type=click.IntRange(5, MOST_SAMPLES), default=1_000, show_default=True, help="Per file."
)
@click.option(
    "--rounds", type=click.IntRange(1, MOST_ROUNDS), default=5, show_default=True, help="Turns of every file."
)
@click.option(
    "--cold-starts",
    type=click.IntRange(1, MOST_ROUNDS),
    default=3,
    show_default=True,
    help="Fresh processes per file.",
)
@click.option(
    "--keras/--no-keras", default=True, show_default=True, help="Measure Keras too, where it is installed."
)
@foreign_option
@input_scale_option("networks of Keras and models of other tools among them were")
@data_option
@wide_option
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values, plain numbers.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print a Markdown table.")
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    help="PNG file to write: accuracy beside latency and size.",
)
@receipt_option()
@quiet_option
def command(
    files: "Sequence[Path]",
    models: Path,
    threads: int,
    min_seconds: float,
    min_samples: int,
    rounds: int,
    cold_starts: int,
    keras: bool,
    foreign: tuple[Path, ...],
    input_scale: "InputScale | None",
    data: Path | None,
    wide: bool,
    as_json: bool,
    as_csv: bool,
    as_markdown: bool,
    plot: Path | None,
    quiet: bool,
) -> None:
    """Measure latency, throughput and memory.

    One image at a time, batches, a fresh process, accuracy, for all files side by side. Files take turns
    in every round, inputs are real test digits, and no sample is thrown away; --json has them all.
    Where the machine was busy (the mean is far over the median) a file is timed again, and told.

    \b
    Examples:
      edgedigits bench
      edgedigits bench my-models/digits.onnx my-models/digits.int8.tflite --threads 2
      edgedigits bench --markdown --plot trade-off.png
    """
    from edgedigits.extras import extra

    if as_json + as_csv + as_markdown > 1:
        raise click.UsageError("--json, --csv and --markdown exclude each other")
    with extra("bench", "measuring"):
        from edgedigits.measuring.bench import bench
        from edgedigits.measuring.bench_result import BenchOptions
        from edgedigits.measuring.subjects import foreign_subjects, model_files, read_test_split
    if plot is not None:
        _check_plot(plot)
    progress = terminal_progress(quiet)
    if not files and not foreign:
        files = model_files(models)
    files, left_out = _without_foreign(files)
    if not files and not foreign:
        if as_json:
            echo_json({"left_out": left_out})
        raise SystemExit(1)
    subjects = [
        *_own_subjects(files, data, input_scale, progress, with_keras=keras, may_be_none=bool(foreign)),
        *foreign_subjects(foreign, data, input_scale, progress),
    ]
    split = read_test_split(subjects, data, progress)
    options = BenchOptions(threads, min_seconds, min_samples, rounds=rounds, cold_starts=cold_starts)
    result = bench(subjects, split, options, progress)
    leave_receipt(
        subjects=[*files, *foreign], inputs=records_beside(files), data=data, results=result.summary
    )
    if as_json:
        echo_json({**result.to_dict(), "left_out": left_out})
    else:
        print_result(result, as_csv=as_csv, as_markdown=as_markdown, wide=wide)
    if plot is not None:
        _draw(result, plot)
        progress.note(f"drew {plot}")
    raise SystemExit(1 if left_out else 0)


def _check_plot(plot: Path) -> None:
    """Find out before anything is measured whether a plot can be drawn and put there."""
    from edgedigits.artifacts.recovery import finish_commits
    from edgedigits.artifacts.staging import check_output
    from edgedigits.extras import extra

    with extra("train", "--plot"):
        from edgedigits.reporting import trade_off  # noqa: F401  (only whether it can be)
    finish_commits(plot.parent)
    check_output(plot)


def _draw(result: "BenchResult", plot: Path) -> None:
    from edgedigits.artifacts.staging import write_atomically
    from edgedigits.reporting.trade_off import TradeOffPoint, trade_off

    write_atomically(plot, trade_off([TradeOffPoint.of(row) for row in result.rows]))


def _own_subjects(
    files: "Sequence[Path]",
    data: Path | None,
    input_scale: "InputScale | None",
    progress: "Progress",
    *,
    with_keras: bool,
    may_be_none: bool,
) -> "list[Subject]":
    """Return the rows of files that edgedigits made, and of networks of Keras where these are measured."""
    from importlib.util import find_spec

    from edgedigits.measuring.subjects import fed_subjects, find_subjects

    subjects = find_subjects(files, with_keras and find_spec("tensorflow") is not None)
    if not may_be_none:
        _check_something_left(subjects, with_keras)
    return fed_subjects(subjects, data, input_scale, progress)


def _without_foreign(paths: "Sequence[Path]") -> "tuple[list[Path], list[dict[str, str]]]":
    """Return the files that edgedigits made, and the errors of all others, which are told."""
    from edgedigits.measuring.subjects import foreign_files

    foreign = foreign_files(paths)
    for error in foreign.values():
        complain(error)
    left = [path for path in paths if path not in foreign]
    return left, [{"file": path.name, "error": str(error)} for path, error in foreign.items()]


def _check_something_left(subjects: "list[Subject]", keras: bool) -> None:
    """Raise a usage error where no file is left to measure, and say why."""
    if not subjects:
        why = (
            "--no-keras leaves them out"
            if not keras
            else "Keras is not installed: pip install 'edgedigits[train]'"
        )
        raise click.UsageError(
            f"nothing left to measure: expected other files than .keras, or Keras to ask these with, found only .keras "
            f"files ({why})"
        )


def print_result(result: "BenchResult", *, as_csv: bool, as_markdown: bool, wide: bool) -> None:
    """Print a measurement in the form that was asked for: tables of the terminal, if none was."""
    from edgedigits.measuring.bench_result import disturbances, remarks, winners
    from edgedigits.reporting.bench_tables import (
        csv_header,
        csv_rows,
        sweep_header,
        sweep_rows,
        table_header,
        table_rows,
        tables,
    )
    from edgedigits.reporting.tables import to_csv, to_markdown

    if as_csv:
        echo(to_csv(csv_header(), csv_rows(result)), nl=False, as_is=True)
    elif as_markdown:
        both = (
            to_markdown(table_header(result), table_rows(result)),
            to_markdown(sweep_header(), sweep_rows(result)),
        )
        echo("\n\nImages per second by batch size:\n\n".join(both), as_is=True)
        echo(f"\n{result.machine}; {result.dataset}", as_is=True)
    else:
        for table in tables(result, wide=wide):
            print_table(table, wide=wide)
        echo(f"{result.machine}")
    if any(row.arch == "foreign" for row in result.rows):
        echo("(foreign): not made by edgedigits; such a file promises nothing", err=as_csv)
    for line in (*winners(result.rows), *remarks(result.rows), *disturbances(result)):
        echo(line, err=as_csv)
