"""``edgedigits report``: one HTML page about a network."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgedigits.cli.options import (
    data_option,
    json_option,
    models_option,
    name_option,
    quiet_option,
    terminal_progress,
    threads_option,
)
from edgedigits.cli.receipts import leave_receipt, network_files, receipt_option
from edgedigits.cli.terminal import echo, echo_json

if TYPE_CHECKING:
    from edgedigits.measuring.bench_result import BenchResult
    from edgedigits.progress import Progress


@click.command()
@click.option(
    "--format", "page_format", type=click.Choice(["html", "markdown"]), default="html", show_default=True
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write. [default: report.html or report.md in the models folder]",
)
@click.option(
    "--bench/--no-bench", "measure", default=True, show_default=True, help="Measure the files first."
)
@threads_option
@data_option
@models_option()
@name_option
@receipt_option()
@json_option
@quiet_option
def command(
    page_format: str,
    out: Path | None,
    measure: bool,
    threads: int,
    data: Path | None,
    models: Path,
    name: str,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write one page about a network.

    It begins with a verdict: which files pass, and which one to take; then how that is used, what the gate
    found of each file, latency, learning curves, confusion matrix, samples and mistakes. One file of 1.5 MB
    at most, for phones, desks and paper; nothing is loaded from elsewhere.

    \b
    Examples:
      edgedigits report
      edgedigits report --models models --no-bench --out page.html
      edgedigits report --format markdown  # my-models/report.md, with links
    """
    from edgedigits.artifacts.recovery import finish_commits
    from edgedigits.artifacts.staging import check_output, write_atomically
    from edgedigits.extras import extra
    from edgedigits.file_names import sidecar_name

    with extra("train", "writing a report"):
        from edgedigits.reporting.report import render_markdown, render_report
    progress = terminal_progress(quiet, needs="train")
    suffix, render = ("html", render_report) if page_format == "html" else ("md", render_markdown)
    page = out or models / sidecar_name(name, f"report.{suffix}")
    finish_commits(page.parent)
    check_output(page)
    result = _measured(models, name, threads, data, progress) if measure else None
    write_atomically(page, render(models, name, result).encode())

    def found() -> dict[str, Any]:
        return {"report": str(page), "bench": None if result is None else result.summary()}

    leave_receipt(
        subjects=[page],
        inputs=network_files(models, name),
        data=data,
        reads_data=measure,
        results=found,
    )
    if as_json:
        echo_json(found())
    else:
        echo(page)


def _measured(
    models: Path, name: str, threads: int, data: Path | None, progress: "Progress"
) -> "BenchResult | None":
    """Measure the files of a network, but those that nobody judged; None where no file is left."""
    from edgedigits.measuring.bench import bench
    from edgedigits.measuring.bench_result import BenchOptions
    from edgedigits.measuring.subjects import (
        fed_subjects,
        find_subjects,
        foreign_files,
        model_files,
        read_test_split,
    )
    from edgedigits.reporting.standing import changed_files

    files = model_files(models, name)
    left_out = {**foreign_files(files), **changed_files(models, name)}
    for file in files:
        if file in left_out:
            progress.note(f"{file}: not measured: {left_out[file]}")
    subjects = fed_subjects(
        find_subjects([file for file in files if file not in left_out], with_keras=True), data, None, progress
    )
    if not subjects:
        return None
    split = read_test_split(subjects, data, progress)
    return bench(subjects, split, BenchOptions(threads=threads), progress)
