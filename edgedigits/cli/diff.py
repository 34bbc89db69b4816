"""``edgedigits diff``: two models on the same images."""

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgedigits.cli.options import (
    MOST_POINTS,
    Amount,
    Callback,
    data_option,
    input_scale_option,
    json_option,
    quiet_option,
    terminal_progress,
    threads_option,
)
from edgedigits.cli.receipts import leave_receipt, receipt_option, records_beside
from edgedigits.cli.terminal import complain, echo, echo_json, print_table
from edgedigits.folding import COLUMNS, columns_of, fold
from edgedigits.printable import printable

if TYPE_CHECKING:
    from edgedigits.comparing.manifests import ManifestComparison
    from edgedigits.comparing.result import Comparison
    from edgedigits.input_scale import InputScale
    from edgedigits.progress import Progress
    from edgedigits.reporting.diff_tables import Page


def output_option(flag: str, help_text: str) -> Callable[[Callback], Callback]:
    """Return an option that names a file to write."""
    return click.option(flag, type=click.Path(dir_okay=False, path_type=Path), help=help_text)


@dataclass(frozen=True)
class Asked:
    """What is asked of every pair of files."""

    max_loss: float | None
    is_strict: bool
    may_be_foreign: bool
    with_latency: bool
    threads: int
    input_scale: "InputScale | None"
    data: Path | None
    wants_sheet: bool
    progress: "Progress"


@dataclass(frozen=True)
class Found:
    """What there is to print and to write of one pair."""

    comparison: "Comparison | ManifestComparison"
    page: "Page"
    sheet: bytes | None = None


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="OLD NEW")
@click.option(
    "--against",
    metavar="REVISION",
    help="Compare each FILE with what this revision of its Git repository holds, instead of OLD with NEW.",
)
@click.option(
    "--max-loss",
    type=Amount(0, MOST_POINTS),
    help="Points of accuracy that may be lost: exit status 1 where more are, by the whole 95 % interval. "
    "[default: no gate]",
)
@click.option("--strict", is_flag=True, help="With --max-loss: fail as well where the images cannot tell.")
@click.option("--latency/--no-latency", default=True, show_default=True, help="Time both, in turn.")
@click.option(
    "--foreign",
    is_flag=True,
    help="A .onnx or .tflite file may be of another tool: its runtime is given it unchecked.",
)
@input_scale_option("networks of Keras and models of other tools among them were")
@threads_option
@data_option
@json_option
@output_option("--markdown", "File to write for a pull request.")
@output_option("--junit", "XML file to write for a CI server.")
@output_option("--sheet", "PNG file to write: the images that were broken and fixed.")
@receipt_option()
@quiet_option
def command(
    files: tuple[Path, ...],
    against: str | None,
    max_loss: float | None,
    strict: bool,
    latency: bool,
    foreign: bool,
    input_scale: "InputScale | None",
    threads: int,
    data: Path | None,
    as_json: bool,
    markdown: Path | None,
    junit: Path | None,
    sheet: Path | None,
    quiet: bool,
) -> None:
    """Tell whether a new model is worse than an old one, or only unlucky.

    OLD and NEW are model files of any format, which answer the same test images, or two manifest.json.
    Accuracy of both with intervals, the exact McNemar test of the images that only one of them gets
    right, the interval of the difference, each class with Holm's correction, calibration, bytes, and
    latency in turn. Where nothing can be told apart it says "tied", and what difference would have shown.

    Exit status 0; 1 where more than --max-loss points are lost or a file cannot be opened; 2 on wrong
    usage.

    \b
    Examples:
      edgedigits diff my-models/digits.onnx my-models/digits.int8.onnx --max-loss 0.2
      edgedigits diff old/digits.tflite new/digits.tflite --markdown diff.md --junit diff.xml --sheet diff.png
      edgedigits diff old/manifest.json new/manifest.json
      edgedigits diff --against origin/main models/digits.int8.onnx --max-loss 0.2
    """
    _check_usage(files, against, max_loss, is_strict=strict, has_sheet=sheet is not None)
    _check_outputs(markdown, junit, sheet)
    asked = Asked(
        max_loss=max_loss,
        is_strict=strict,
        may_be_foreign=foreign,
        with_latency=latency,
        threads=threads,
        input_scale=input_scale,
        data=data,
        wants_sheet=sheet is not None,
        progress=terminal_progress(quiet),
    )
    found = list(_found(files, against, asked))
    _print(found, as_json=as_json)
    _write(found, asked, markdown, junit, sheet)
    leave_receipt(
        subjects=files[-1:] if against is None else files,
        inputs=[*(files[:1] if against is None else ()), *records_beside(files)],
        data=data,
        reads_data=not _is_manifest(files[0]),
        results=lambda: [pair.comparison.to_dict() for pair in found],
    )
    if not all(pair.comparison.passed for pair in found):
        raise SystemExit(1)


def _check_usage(
    files: tuple[Path, ...], against: str | None, max_loss: float | None, *, is_strict: bool, has_sheet: bool
) -> None:
    """Raise a usage error unless it is clear what is to be compared, and by what it is judged."""
    if is_strict and max_loss is None:
        raise click.UsageError("--strict belongs to --max-loss")
    if against is not None:
        if not files:
            raise click.UsageError("expected files to compare with --against, got none")
        if has_sheet and len(files) > 1:
            raise click.UsageError("--sheet is of one pair: name one file")
        return
    if len(files) != 2:
        raise click.UsageError(
            f"expected two files, OLD and NEW, got {len(files)}; or name --against REVISION"
        )
    if sum(map(_is_manifest, files)) == 1:
        raise click.UsageError("expected two model files or two manifest.json, got one of each")
    if has_sheet and _is_manifest(files[0]):
        raise click.UsageError("--sheet shows images, of which manifests know nothing: name two model files")


def _is_manifest(path: Path) -> bool:
    return path.suffix == ".json"


def _check_outputs(*places: Path | None) -> None:
    """Find out before anything is measured whether the results can be put where they are to go."""
    from edgedigits.artifacts.recovery import finish_commits
    from edgedigits.artifacts.staging import check_output

    for place in places:
        if place is not None:
            finish_commits(place.parent)
            check_output(place)


def _found(files: tuple[Path, ...], against: str | None, asked: Asked) -> Iterator[Found]:
    """Compare what was named, pair by pair."""
    if against is not None:
        for path in files:
            yield from _found_in_revision(path, against, asked)
        return
    old, new = files
    if _is_manifest(old):
        yield _found_in_manifests(old, new, asked)
    else:
        yield _found_in_files(old, new, (str(old), str(new)), asked)


def _found_in_revision(path: Path, revision: str, asked: Asked) -> Iterator[Found]:
    """Compare a file with what a revision has of it; nothing where it is new."""
    from edgedigits.comparing.revision import take_out

    with tempfile.TemporaryDirectory() as folder:
        old = take_out(path, revision, Path(folder))
        if old is None:
            asked.progress.note(
                f"{path}: {revision} has no such file, so there is nothing to compare it with"
            )
            return
        yield _found_in_files(old, path, (f"{revision}:{path}", str(path)), asked)


def _found_in_manifests(old: Path, new: Path, asked: Asked) -> Found:
    from edgedigits.extras import extra

    with extra("bench", "comparing"):
        from edgedigits.comparing.manifests import compare_manifests
        from edgedigits.reporting.diff_tables import manifest_page

    comparison = compare_manifests(old, new, max_loss=asked.max_loss, is_strict=asked.is_strict)
    return Found(comparison, manifest_page(comparison))


def _found_in_files(old: Path, new: Path, names: tuple[str, str], asked: Asked) -> Found:
    from edgedigits.extras import extra

    with extra("bench", "comparing"):
        from edgedigits.comparing.files import compare_models, open_model_file, read_images
        from edgedigits.reporting.changed_sheet import difference_sheet
        from edgedigits.reporting.diff_tables import page

    before, after = (
        open_model_file(
            path,
            asked.data,
            may_be_foreign=asked.may_be_foreign,
            threads=asked.threads,
            input_scale=asked.input_scale,
            progress=asked.progress,
        )
        for path in (old, new)
    )
    split = read_images(before, after, asked.data, asked.progress)
    comparison, *answers = compare_models(
        before,
        after,
        split,
        names=names,
        max_loss=asked.max_loss,
        is_strict=asked.is_strict,
        with_latency=asked.with_latency,
        progress=asked.progress,
    )
    sheet = difference_sheet(comparison, split, *answers) if asked.wants_sheet else None
    return Found(comparison, page(comparison), sheet)


def _print(found: list[Found], *, as_json: bool) -> None:
    """Print what was found; each gate that says no on standard error as well."""
    if as_json:
        echo_json([pair.comparison.to_dict() for pair in found])
    for pair in found:
        if not as_json:
            _echo_lines((*pair.page.subjects, ""))
            for table in pair.page.tables:
                print_table(table)
            _echo_lines((*pair.page.notes, *pair.page.verdicts))
        if not pair.comparison.passed:
            complain(f"{pair.comparison.name}: {'; '.join(pair.comparison.failures())}")


def _echo_lines(lines: Sequence[str]) -> None:
    """Print sentences, folded wherever they go: a log of a CI server is read by people."""
    columns = columns_of(sys.stdout) or COLUMNS
    for line in lines:
        echo("\n".join(fold(printable(line), columns)), as_is=True)


def _write(
    found: list[Found], asked: Asked, markdown: Path | None, junit: Path | None, sheet: Path | None
) -> None:
    """Write the files that were asked for, each whole or not at all."""
    from edgedigits.artifacts.staging import write_atomically
    from edgedigits.reporting.diff_tables import to_markdown_page
    from edgedigits.reporting.junit import Case, to_junit

    contents: dict[Path, bytes] = {}
    if markdown is not None:
        pages = [
            to_markdown_page(
                pair.page,
                pair.comparison.name,
                passed=None if asked.max_loss is None else pair.comparison.passed,
            )
            for pair in found
        ]
        contents[markdown] = "\n".join(pages or ["Nothing to compare: every file is new."]).encode()
    if junit is not None:
        cases = [
            Case(pair.comparison.name, "; ".join(pair.comparison.failures()) or None, pair.page.verdicts)
            for pair in found
        ]
        contents[junit] = to_junit("edgedigits diff", cases)
    if sheet is not None and found and found[0].sheet is not None:
        contents[sheet] = found[0].sheet
    for path, content in contents.items():
        write_atomically(path, content)
        asked.progress.note(f"wrote {path}")
