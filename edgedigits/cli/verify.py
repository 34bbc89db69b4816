"""``edgedigits verify``: the accuracy gate."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgedigits.cli.options import (
    MOST_POINTS,
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
from edgedigits.cli.receipts import (
    leave_receipt,
    print_checked,
    receipt_option,
    receipt_place,
    records_beside,
)
from edgedigits.cli.terminal import complain, echo_json, print_table
from edgedigits.contract import LABELS
from edgedigits.errors import EdgeDigitsError
from edgedigits.file_names import network_name

if TYPE_CHECKING:
    from edgedigits.datasets.split import Split
    from edgedigits.input_scale import InputScale
    from edgedigits.measuring.foreign import ForeignFindings
    from edgedigits.measuring.reference import Reference
    from edgedigits.measuring.verify import Verification
    from edgedigits.progress import Progress
    from edgedigits.runtimes.foreign_model import ForeignModel
    from edgedigits.runtimes.model import Model


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE...]")
@models_option(help_text="Folder whose exported files are verified if none is named.", parameter="folder")
@click.option(
    "--reference",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The Keras model's answers. [default: reference.npz beside each file]",
)
@click.option(
    "--max-drop",
    type=Amount(0, MOST_POINTS),
    help="Points of accuracy that may be lost. [default: float32 0.02, float16 and dynamic 0.10, int8 0.20]",
)
@click.option(
    "--sheet",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for pictures of all images whose class changed.",
)
@foreign_option
@input_scale_option("networks of Keras and models of other tools among them were")
@threads_option
@receipt_option("With files, a receipt to write; alone, one to check, with all files that it names.")
@data_option
@wide_option
@json_option
@quiet_option
def command(
    files: tuple[Path, ...],
    folder: Path,
    reference: Path | None,
    max_drop: float | None,
    sheet: Path | None,
    foreign: tuple[Path, ...],
    input_scale: "InputScale | None",
    threads: int,
    data: Path | None,
    wide: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Prove that files are as accurate as Keras.

    Runs all test images through each file in its own runtime and compares every answer. Needs no
    TensorFlow. Exit status 1 if any file lost more accuracy than its gate allows, is less or more sure of
    its answers than its network, gives what is no probability, is not what its metadata and the manifest
    beside it say, reads fewer than half of the images (networks of `edgedigits train` may), or could not
    be opened.

    \b
    Examples:
      edgedigits verify                                     # all files in my-models/
      edgedigits verify my-models/digits.int8.tflite --max-drop 0.05 --json
      edgedigits verify my-models/digits.int8.tflite --sheet changed/
      edgedigits verify my-models/digits.onnx --foreign theirs.onnx
      edgedigits verify --receipt my-models/export.json
    """
    if not files and not foreign:
        if _is_given_no_folder() and (receipt := receipt_place()) is not None:
            print_checked(receipt, data, as_json=as_json)
        files = _exported_files(folder)
    from edgedigits.artifacts.recovery import finish_commits
    from edgedigits.datasets.read import read_split
    from edgedigits.measuring.fed_models import open_fed_model
    from edgedigits.measuring.foreign import open_foreign_model

    progress = terminal_progress(quiet)
    if sheet is not None:
        finish_commits(sheet)
    broken: dict[Path, EdgeDigitsError] = {}
    models: list[Model] = []
    for path in files:
        with _told(path, broken):
            models.append(
                open_fed_model(path, data, threads=threads, input_scale=input_scale, progress=progress)
            )
    others: list[ForeignModel] = []
    for path in foreign:
        with _told(path, broken):
            others.append(
                open_foreign_model(path, data, threads=threads, input_scale=input_scale, progress=progress)
            )
    if not models and not others:
        _print_findings([], [], broken, as_json=as_json)
        raise SystemExit(1)
    labels = models[0].metadata.labels if models else LABELS
    split = read_split(data, "test", labels, progress=progress)
    judged: list[tuple[Verification, Model, Reference]] = []
    for model in models:
        with _told(model.path, broken):
            judged.append(_verified(model, split, reference, max_drop, progress))
    if sheet is not None:
        for verification, model, answers in judged:
            _draw(sheet, verification, model, split, answers, progress)
    verifications = [verification for verification, *_ in judged]
    measured = _measured(others, split, reference, progress)
    leave_receipt(
        subjects=[model.path for model in (*models, *others)],
        inputs=[
            *([reference] if reference is not None else ()),
            *records_beside([model.path for model in models]),
        ],
        data=data,
        results=lambda: as_objects(verifications, measured, broken),
    )
    _print_findings(verifications, measured, broken, as_json=as_json, wide=wide)
    failed = [*(found.failures for found in verifications), *(found.failures for found in measured)]
    if broken or any(failed):
        raise SystemExit(1)


def _is_given_no_folder() -> bool:
    source = click.get_current_context().get_parameter_source("folder")
    return source is not click.core.ParameterSource.COMMANDLINE


def _exported_files(folder: Path) -> tuple[Path, ...]:
    """Return the files of a folder that are judged by their network: all but the network itself.

    Raises:
        ModelNotFoundError: there is no such folder.
        ModelFileError: there is none in it.
    """
    from edgedigits.errors import ModelFileError
    from edgedigits.extras import extra
    from edgedigits.format_table import is_keras

    with extra("bench", "verifying"):
        from edgedigits.measuring.subjects import model_files
    exported = tuple(path for path in model_files(folder) if not is_keras(path))
    if not exported:
        raise ModelFileError(
            folder, "no exported files in this folder", "export some with `edgedigits export`"
        )
    return exported


def _draw(
    sheet: Path,
    verification: "Verification",
    model: "Model",
    split: "Split",
    answers: "Reference",
    progress: "Progress",
) -> None:
    """Write the picture of all images whose class changed."""
    from edgedigits.artifacts.staging import write_atomically
    from edgedigits.reporting.changed_sheet import changed_sheet

    picture = sheet / f"{model.path.name}.png"
    write_atomically(picture, changed_sheet(verification, model, split, answers))
    progress.note(f"drew {picture}")


@contextlib.contextmanager
def _told(path: Path, broken: dict[Path, EdgeDigitsError]) -> Iterator[None]:
    """Let the other files go on where one cannot be asked: its error is told, and kept in ``broken``."""
    try:
        yield
    except EdgeDigitsError as error:
        complain(error)
        broken[path] = error


def _measured(
    models: list["ForeignModel"], split: "Split", reference: Path | None, progress: "Progress"
) -> list["ForeignFindings"]:
    """Measure models of other tools, beside the answers that were named, if any were."""
    from edgedigits.measuring.foreign import measure_foreign
    from edgedigits.measuring.reference import read_reference

    answers = read_reference(reference, named=True) if models and reference is not None else None
    return [measure_foreign(model, split, answers, progress) for model in models]


def _verified(
    model: "Model", split: "Split", reference: Path | None, max_drop: float | None, progress: "Progress"
) -> tuple["Verification", "Model", "Reference"]:
    """Put a file through the gate; return what was found, the file, and the answers that it was compared with."""
    from edgedigits.measuring.reference import read_reference, reference_path
    from edgedigits.measuring.verify import verify_model

    model.check_classes(split)
    answers_path = reference or reference_path(model.path.parent, network_name(model.path))
    answers = read_reference(answers_path, named=reference is not None)
    answers.check_split(split, answers_path)
    return verify_model(model, split, answers, max_drop=max_drop, progress=progress), model, answers


def as_objects(
    verifications: list["Verification"],
    measured: list["ForeignFindings"],
    broken: dict[Path, EdgeDigitsError],
) -> list[dict[str, object]]:
    """Return what was found as ``--json`` prints it; what could not be asked has not passed."""
    findings: list[Verification | ForeignFindings] = [*verifications, *measured]
    return [
        *(found.to_dict() for found in findings),
        *({"file": path.name, "failures": [str(error)], "passed": False} for path, error in broken.items()),
    ]


def _print_findings(
    verifications: list["Verification"],
    measured: list["ForeignFindings"],
    broken: dict[Path, EdgeDigitsError],
    *,
    as_json: bool,
    wide: bool = False,
) -> None:
    """Print what the gate found and what was measured, and each failure on standard error."""
    from edgedigits.reporting.verify_tables import foreign_table, verification_table

    findings: list[Verification | ForeignFindings] = [*verifications, *measured]
    if as_json:
        echo_json(as_objects(verifications, measured, broken))
    else:
        for table in (verification_table(verifications), foreign_table(measured)):
            if table.rows:
                print_table(table, wide=wide)
    for found in findings:
        for failure in found.failures:
            complain(f"{found.file}: {failure}")
