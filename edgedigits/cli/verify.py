"""``edgedigits verify``: the accuracy gate."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgedigits.cli.options import (
    MOST_POINTS,
    Amount,
    data_option,
    echo_json,
    input_scale_option,
    json_option,
    quiet_option,
    terminal_progress,
    threads_option,
)
from edgedigits.cli.terminal import complain
from edgedigits.errors import EdgeDigitsError
from edgedigits.file_names import network_name

if TYPE_CHECKING:
    from edgedigits.datasets.split import Split
    from edgedigits.input_scale import InputScale
    from edgedigits.measuring.reference import Reference
    from edgedigits.measuring.verify import Verification
    from edgedigits.progress import Progress
    from edgedigits.runtimes.model import Model


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
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
@input_scale_option(".keras files among them were")
@threads_option
@data_option
@json_option
@quiet_option
def command(
    files: tuple[Path, ...],
    reference: Path | None,
    max_drop: float | None,
    sheet: Path | None,
    input_scale: "InputScale | None",
    threads: int,
    data: Path | None,
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
      edgedigits verify models/*.tflite models/*.onnx
      edgedigits verify models/digits.int8.tflite --max-drop 0.05 --json
      edgedigits verify models/digits.int8.tflite --sheet changed/
    """
    from edgedigits.artifacts.recovery import finish_commits
    from edgedigits.artifacts.staging import write_atomically
    from edgedigits.datasets.read import read_split
    from edgedigits.reporting.changed_sheet import changed_sheet

    progress = terminal_progress(quiet)
    if sheet is not None:
        finish_commits(sheet)
    verifications = []
    models, broken = _opened(files, data, threads, input_scale, progress)
    if not models:
        _print_findings([], as_json=as_json)
        raise SystemExit(1)
    split = read_split(data, "test", models[0].metadata.labels, progress=progress)
    for model in models:
        try:
            verification, answers = _verified(model, split, reference, max_drop, progress)
        except EdgeDigitsError as error:
            complain(error)
            broken += 1
            continue
        verifications.append(verification)
        if sheet is not None:
            picture = sheet / f"{model.path.name}.png"
            write_atomically(picture, changed_sheet(verification, model, split, answers))
            progress.note(f"drew {picture}")
    _print_findings(verifications, as_json=as_json)
    if broken or not all(verification.passed for verification in verifications):
        raise SystemExit(1)


def _opened(
    files: tuple[Path, ...],
    data: Path | None,
    threads: int,
    input_scale: "InputScale | None",
    progress: "Progress",
) -> tuple[list["Model"], int]:
    """Open what can be opened; return how many files could not, each with its error on standard error."""
    from edgedigits.measuring.fed_models import open_fed_model

    models: list[Model] = []
    broken = 0
    for path in files:
        try:
            model = open_fed_model(path, data, threads=threads, input_scale=input_scale, progress=progress)
        except EdgeDigitsError as error:
            complain(error)
            broken += 1
            continue
        models.append(model)
    return models, broken


def _verified(
    model: "Model", split: "Split", reference: Path | None, max_drop: float | None, progress: "Progress"
) -> tuple["Verification", "Reference"]:
    """Put a file through the gate; return what was found, and the answers that it was compared with."""
    from edgedigits.measuring.reference import read_reference, reference_path
    from edgedigits.measuring.verify import verify_model

    model.check_classes(split)
    answers_path = reference or reference_path(model.path.parent, network_name(model.path))
    answers = read_reference(answers_path, named=reference is not None)
    answers.check_split(split, answers_path)
    return verify_model(model, split, answers, max_drop=max_drop, progress=progress), answers


def _print_findings(verifications: list["Verification"], *, as_json: bool) -> None:
    """Print what the gate found, and each failure on standard error."""
    if as_json:
        echo_json([verification.to_dict() for verification in verifications])
    else:
        print_verifications(verifications)
    for verification in verifications:
        for failure in verification.failures:
            complain(f"{verification.file}: {failure}")


def print_verifications(verifications: Sequence["Verification"]) -> None:
    """Print what the gate found as a table, a row per file."""
    from edgedigits.reporting.tables import print_table

    if not verifications:
        return
    first = verifications[0]
    print_table(
        f"{first.dataset}, {first.accuracy.images:,} test images; Keras {first.reference_accuracy.percent:.2f} %, "
        f"expected calibration error (ECE) {first.reference_expected_calibration_error:.4f}",
        (
            "file",
            "accuracy",
            "95 % interval",
            "points",
            "fixed",
            "broken",
            "p",
            "agreement",
            "max dp",
            "ECE",
            "gate",
        ),
        [
            (
                verification.file,
                f"{verification.accuracy.percent:.2f} %",
                f"{verification.accuracy.low:.2f} to {verification.accuracy.high:.2f}",
                f"{verification.comparison.difference:+.2f}",
                str(len(verification.comparison.fixed)),
                str(len(verification.comparison.broken)),
                f"{verification.comparison.p_value:.3g}",
                f"{verification.comparison.agreement:.2f} %",
                f"{verification.comparison.largest_probability_difference:.1e}",
                f"{verification.expected_calibration_error:.4f}",
                "pass" if verification.passed else "FAIL",
            )
            for verification in verifications
        ],
    )
