"""``edgedigits score``: millions of pictures from any source, as a table that can be gone on with."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgedigits.cli.options import (
    json_option,
    quiet_option,
    read_margin,
    read_pattern,
)
from edgedigits.cli.process import Interrupted
from edgedigits.cli.receipts import leave_receipt, receipt_option
from edgedigits.cli.terminal import complain, echo, echo_json
from edgedigits.numbers.pattern import MOST_DIGITS
from edgedigits.shipped import TINY

if TYPE_CHECKING:
    from edgedigits.score.run import Summary


def read_columns(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    """Split names with commas between."""
    return None if value is None else tuple(name.strip() for name in value.split(","))


@click.command(short_help="Read the digits of millions of pictures, as a table.")
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True, type=click.Path())
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the table: part-00000.parquet and so on, and the receipt _receipt.json.",
)
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    help=f"ONNX file, or a small network that came along: {', '.join(TINY)}. [default: the one that came along and "
    "reads most]",
)
@click.option(
    "--format",
    "table",
    type=click.Choice(("parquet", "csv", "jsonl")),
    default="parquet",
    show_default=True,
    help="Form of the table.",
)
@click.option(
    "--columns",
    callback=read_columns,
    metavar="NAMES",
    help="Columns, with commas between, out of source, key, digit, confidence, margin, sure, error, margin_steps, "
    "probabilities, target (the label that the source has); with --read text in place of digit, and no probabilities. "
    "[default: the first seven]",
)
@click.option("--probabilities", is_flag=True, help="Add a column of ten probabilities.")
@click.option(
    "--min-margin",
    callback=read_margin,
    metavar="LEAD",
    help="Least lead over the second digit of an answer that is sure: steps of 1/256 (0 to 256), or a fraction with a "
    "point (0.9). [default: what the file says]",
)
@click.option(
    "--read", "numbers", is_flag=True, help="Read the numbers in the pictures, as `edgedigits read`: text."
)
@click.option(
    "--digits",
    type=click.IntRange(1, MOST_DIGITS),
    help="With --read: digits that each number has, where that is known.",
)
@click.option(
    "--pattern",
    callback=read_pattern,
    metavar="FORM",
    help='With --read: form that each number has ("dd.dd.dddd").',
)
@click.option("--no-separators", is_flag=True, help="With --read: digits alone.")
@click.option("--as-is", is_flag=True, help="Pictures are 28x28 in MNIST form: bring none into form.")
@click.option("--prepare", is_flag=True, help="Bring 28x28 arrays into MNIST form as well.")
@click.option(
    "--workers",
    type=click.IntRange(1, 1024),
    help="Processes. [default: 1 where all are 28x28 arrays, else one for each core]",
)
@click.option(
    "--dask",
    metavar="ADDRESS",
    help="Work on a cluster of Dask, which shares the folders: tcp://host:8786; `env` for DASK_SCHEDULER_ADDRESS, "
    "`local` for one on this machine.",
)
@click.option(
    "--batch", type=click.IntRange(1, 65_536), default=4096, show_default=True, help="Pictures read at once."
)
@click.option(
    "--shard",
    type=click.IntRange(1, 100_000_000),
    metavar="ROWS",
    help="Pictures in a file of the table, about. [default: 500,000 arrays, or 2,000 pictures, fewer of large ones]",
)
@click.option("--fail-fast", is_flag=True, help="End with the first picture that cannot be read.")
@click.option("--restart", is_flag=True, help="Remove what another run left in the folder, and begin anew.")
@receipt_option()
@json_option
@quiet_option
def command(
    sources: tuple[str, ...],
    out: Path,
    model: Path | None,
    table: str,
    columns: tuple[str, ...] | None,
    probabilities: bool,
    min_margin: int | float | None,
    numbers: bool,
    digits: int | None,
    pattern: str | None,
    no_separators: bool,
    as_is: bool,
    prepare: bool,
    workers: int | None,
    dask: str | None,
    batch: int,
    shard: int | None,
    fail_fast: bool,
    restart: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Read the digits of all pictures in each SOURCE, as a table.

    A SOURCE is a folder of pictures, with those in folders inside, or a file that holds many: Parquet, .npy, .npz, IDX,
    tar (WebDataset), CSV. Interrupted, by whatever: the same command goes on where it stopped. A picture that cannot be
    read is a row with its error. 28x28 arrays are read as they are, all other pictures are brought into MNIST form. The
    exit status is 1 where rows are missing or a source is damaged. With --read a row is a picture with its numbers:
    `text`, and confidence and margin of the least certain digit.

    \b
    Examples:
      edgedigits score scans/ --out read/
      edgedigits score train.parquet x_test.npy --out read/ --model my-models/digits.int8.onnx
      edgedigits score scans/ --out read/ --columns key,digit,sure --format csv
      edgedigits score meters/ --out read/ --read --digits 5
      edgedigits score scans/ --out read/ --probabilities --min-margin 0.9 --json
      edgedigits score /shared/scans --out /shared/read --dask tcp://scheduler:8786
    """
    if not numbers and (digits is not None or pattern is not None or no_separators):
        raise click.UsageError("--digits, --pattern and --no-separators are of numbers: add --read")
    if numbers and (as_is or prepare or probabilities):
        raise click.UsageError(
            "--as-is, --prepare and --probabilities are of single digits: leave out --read"
        )
    if as_is and prepare:
        raise click.UsageError("--as-is brings nothing into MNIST form, --prepare everything: choose one")
    if dask is not None and dask != "local" and workers is not None:
        raise click.UsageError("--workers is for this machine: how many a cluster has is the cluster's")
    from edgedigits.extras import extra

    with extra("score", "this command"):
        import pyarrow  # noqa: F401 - what is missing is told before anything is read

        from edgedigits.score.options import COLUMNS, PREPARATIONS, Options
        from edgedigits.score.run import score

    chosen = columns or COLUMNS  # of numbers, options choose others
    if probabilities and "probabilities" not in chosen:
        chosen = (*chosen, "probabilities")
    from edgedigits.errors import ArgumentError
    from edgedigits.numbers.pattern import form_of
    from edgedigits.progress import SILENT, LineProgress

    by_shape, as_they_are, prepared = PREPARATIONS
    try:
        options = Options(
            columns=chosen,
            preparation=as_they_are if as_is else prepared if prepare else by_shape,
            min_margin=min_margin,
            table=table,
            batch=batch,
            shard_rows=shard,
            numbers=form_of(digits=digits, pattern=pattern, separators=not no_separators)
            if numbers
            else None,
        )
    except ArgumentError as error:
        raise click.UsageError(str(error)) from error
    try:
        summary = score(
            sources,
            out,
            model=model,
            options=options,
            workers=workers,
            dask=dask,
            restart=restart,
            fail_fast=fail_fast,
            progress=SILENT if quiet else LineProgress(),
        )
    except KeyboardInterrupt as stop:
        raise Interrupted("what is done is kept, and the same command goes on") from stop
    leave_receipt(
        subjects=[out],
        inputs=[*map(Path, sources), *([model] if model is not None and model.is_file() else [])],
        reads_data=False,
        results=lambda: as_object(summary),
    )
    if quiet:
        for line in (*summary.damaged, *summary.failed):
            complain(line)
    if as_json:
        echo_json(as_object(summary))
    else:
        echo(as_text(summary))
    if summary.damaged or not summary.complete:
        click.get_current_context().exit(1)


def as_text(summary: "Summary") -> str:
    """Write what became of a run, a line or two."""
    before = f", {summary.done_before:,} of them done before" if summary.done_before else ""
    rate = (
        f"{summary.pictures_now / summary.seconds:,.0f} a second" if summary.pictures_now else "nothing to do"
    )
    lines = [
        f"{summary.folder}: {summary.rows:,} pictures in {summary.shards:,} files{before}; {rate}",
        f"{summary.rows - summary.errors:,} read, {summary.sure:,} of them sure; {summary.errors:,} could not be read",
    ]
    if not summary.complete:
        missing = summary.pictures - summary.rows
        lines.append(f"{missing:,} pictures are missing: the same command tries them again")
    return "\n".join(lines)


def as_object(summary: "Summary") -> dict[str, object]:
    """Return what became of a run as ``--json`` prints it."""
    return {
        "out": str(summary.folder),
        "complete": summary.complete,
        "pictures": summary.pictures,
        "rows": summary.rows,
        "errors": summary.errors,
        "sure": summary.sure,
        "files": summary.shards,
        "files_done_before": summary.done_before,
        "damaged": list(summary.damaged),
        "failed": list(summary.failed),
        "seconds": summary.seconds,
    }
