"""From a ``.keras`` file to exported files in place: convert, verify, stamp, verify again, put in place."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from edgedigits.artifacts.manifest import file_receipt, read_manifest, training_of, was_taught_numbers
from edgedigits.artifacts.records import Training
from edgedigits.artifacts.recovery import finish_commits
from edgedigits.artifacts.staging import locked, staged
from edgedigits.artifacts.versions import versions
from edgedigits.datasets.split import Split
from edgedigits.errors import AccuracyError, ContractError, OutputError
from edgedigits.file_names import file_name, network_name
from edgedigits.format_table import is_keras, resolve
from edgedigits.input_scale import UNIT
from edgedigits.measuring.keras_input import InputChoice, choose_input_scale
from edgedigits.measuring.reference import Reference
from edgedigits.measuring.verify import Verification, verify_model
from edgedigits.metadata import MeasuredAccuracy, ModelMetadata
from edgedigits.model_files.keras_sources import EXPECTED, other_source
from edgedigits.progress import SILENT, Progress
from edgedigits.runtimes.opening import open_model
from edgedigits_export.chosen_integers import (
    ChosenIntegers,
    calibration_images,
    check_dataset,
    note_calibration,
)
from edgedigits_export.formats.export_format import Converted, ExportFormat
from edgedigits_export.held_out import split_indices
from edgedigits_export.inference_graph import InferenceGraph, load_inference_graph
from edgedigits_export.integers.calibration import Calibrated
from edgedigits_export.record import ExportedFile, write_record
from edgedigits_export.sureness import SureImages, fit_least_lead, note_sure, sure_images
from edgedigits_export.targets import DEFAULT_OPTIONS, ExportOptions, Target


def export_model(
    keras_path: Path,
    targets: Sequence[Target],
    train_split: Split,
    test_split: Split,
    *,
    folder: Path | None = None,
    graph: InferenceGraph | None = None,
    options: ExportOptions = DEFAULT_OPTIONS,
    progress: Progress = SILENT,
) -> tuple[list[ExportedFile], list[Verification]]:
    """Export a network to one file per target, each verified on all test images before it is put in place.

    The same network and options give the same bytes.

    Args:
        keras_path: the trained network, a ``.keras`` or whole-model ``.h5`` file.
        targets: what to make.
        train_split: where calibration images come from.
        test_split: what the files are judged by.
        folder: where to write; the network's own folder if None.
        graph: the network, where it has been loaded already.
        options: see ``ExportOptions``.
        progress: shows what is being done.

    Returns:
        The files that are in place, and the verifications of those that failed the gate and were dropped.

    Raises:
        ModelNotFoundError, ModelFileError, ContractError: the ``.keras`` file is no digits network, or one that a
            target cannot hold (see ``obstacles``).
        AccuracyError: what it was trained on cannot be told or folded in; see ``keras_input.choose_input_scale``.
        OutputError: a target exists and ``options.force`` is not set, the folder cannot be written to, or no C file can
            be called by this name.
        DatasetError: other images than the network was trained and scored on; calibration images cannot be chosen.
        QuantizationError: the network has biases that int32 cannot hold.
    """
    check_is_keras(keras_path)
    paths = _paths(keras_path, targets, folder, options)
    graph = graph or load_inference_graph(keras_path)
    _check_holds(keras_path, graph, targets)
    training = _training_record(keras_path, graph)
    check_dataset(keras_path, graph, training, train_split, test_split)
    _note_head(keras_path, graph, progress)
    graph, choice = _with_input_scale(keras_path, graph, training, train_split, options, progress)
    reference = _reference(graph, test_split)
    judges = sure_images(train_split, split_indices(keras_path, training, train_split)[1])
    integers = _integers(targets, graph, keras_path, training, train_split, test_split, options, progress)
    exported, failed = [], []
    for target, path in paths.items():
        progress.note(f"exporting {path.name}")
        calibrated = _calibrated(target, path, integers, options, progress)
        try:
            file = _export_one(
                target,
                path,
                graph,
                calibrated,
                choice,
                reference,
                judges,
                test_split,
                options,
                progress,
                reads_numbers=was_taught_numbers(training),
            )
            exported.append(file)
        except _GateError as failure:
            failed.append(failure.verification)
    return exported, failed


_HEAD_NOTES = {
    "logits": "ends in logits; its files have a softmax behind them",
    "sigmoid": "ends in ten sigmoids, kept as they are: each is the probability of its own class, they do not sum to "
    "1, and the largest is the digit",
}
"""By how a network ends, what its author should know of its files."""


def _note_head(path: Path, graph: InferenceGraph, progress: Progress) -> None:
    if note := _HEAD_NOTES.get(graph.spec.head):
        progress.note(f"{path.name}: {note}")


def obstacles(graph: InferenceGraph, targets: Sequence[Target]) -> dict[Target, str]:
    """Return those targets whose files cannot hold a network, and why; none for one of Dense layers with relu."""
    found = {target: _exporter(target).obstacle(graph, target.precision) for target in targets}
    return {target: why for target, why in found.items() if why}


def _check_holds(path: Path, graph: InferenceGraph, targets: Sequence[Target]) -> None:
    """Raise ``ContractError`` where a target cannot hold the network."""
    for target, why in obstacles(graph, targets).items():
        raise ContractError(
            path,
            f"a network that {target.precision} {target.format} files can hold",
            f"{graph.arch}: {why}",
            "export it with --format onnx or tflite",
        )


def check_is_keras(path: Path) -> None:
    """Raise ``ContractError`` unless a path is called as a network of Keras, and say how another becomes one."""
    if path.is_dir() and (error := other_source(path)) is not None:
        raise error
    if not is_keras(path):
        raise ContractError(
            path,
            EXPECTED,
            "a folder" if path.is_dir() else f"a file {path.suffix or 'without a suffix'}",
            f"name one, or save it anew with Keras: model.save({path.with_suffix('.keras').name!r})",
        )


def _calibrated(
    target: Target, path: Path, integers: ChosenIntegers | None, options: ExportOptions, progress: Progress
) -> Calibrated | None:
    """Return the network in the integers of a target, and say how they were chosen; None where it holds none."""
    form = _exporter(target).integer_form(target.precision, options)
    if integers is None or form is None:
        return None
    calibrated = integers.calibrated(form)
    note_calibration(path.name, calibrated, progress)
    return calibrated


def _integers(
    targets: Sequence[Target],
    graph: InferenceGraph,
    keras_path: Path,
    training: Training | None,
    train_split: Split,
    test_split: Split,
    options: ExportOptions,
    progress: Progress,
) -> ChosenIntegers | None:
    """Draw the calibration images where a target needs them."""
    integers = None
    if any(_exporter(target).integer_form(target.precision, options) for target in targets):
        integers = ChosenIntegers(
            graph,
            *calibration_images(graph, keras_path, training, train_split, test_split, options, progress),
        )
    return integers


def _training_record(keras_path: Path, graph: InferenceGraph) -> Training | None:
    """Return what the manifest beside a network says of its training; None where it is about other weights."""
    training = training_of(read_manifest(keras_path.parent), network_name(keras_path))
    if training is not None and training["weights_sha256"] != graph.weights_sha256:
        training = None
    return training


def _reference(graph: InferenceGraph, test_split: Split) -> Reference:
    """Ask the network itself about all test images."""
    return Reference(
        graph.reference_probabilities(test_split.images),
        graph.weights_sha256,
        test_split.dataset,
        test_split.sha256,
        is_sigmoid=graph.spec.head == "sigmoid",
    )


def _paths(
    keras_path: Path, targets: Sequence[Target], folder: Path | None, options: ExportOptions
) -> dict[Target, Path]:
    """Return where files will be; ``OutputError`` where one may not be replaced, or its format has no name for it."""
    name, folder = network_name(keras_path), folder or keras_path.parent
    finish_commits(folder)
    paths = {target: folder / file_name(name, target.format, target.precision) for target in targets}
    existing = [
        str(path.with_name(file))
        for target, path in paths.items()
        for file in (path.name, *_exporter(target).companions(path.name, options))
        if path.with_name(file).exists()
    ]
    if existing and not options.force:
        raise OutputError(f"{', '.join(existing)}: exists already; give --force to replace it")
    for target in paths:
        _exporter(target).check_name(name)
    return paths


class _GateError(AccuracyError):
    """Leaves the block that would have put a file in place."""

    def __init__(self, verification: Verification) -> None:
        super().__init__(f"{verification.file}: {'; '.join(verification.failures)}")
        self.verification = verification


def _export_one(
    target: Target,
    path: Path,
    graph: InferenceGraph,
    calibrated: Calibrated | None,
    choice: InputChoice | None,
    reference: Reference,
    judges: SureImages,
    test_split: Split,
    options: ExportOptions,
    progress: Progress,
    *,
    reads_numbers: bool,
) -> ExportedFile:
    exporter = _exporter(target)
    integers = calibrated.network if calibrated else None
    made = Converted(exporter.convert(graph, integers, target.precision, options), integers, reads_numbers)
    metadata = _metadata(target, graph, calibrated, choice, options)
    with locked(path.parent), staged(path.parent) as staging:
        staged_path = staging / path.name
        # First without the accuracy and the least lead of a sure answer, to measure them; then with them, and once
        # more through the gate: what is put in place is what was verified, byte for byte.
        for _ in range(2):
            for file, part in exporter.stamp(path.name, made, metadata, options, test_split).items():
                (staging / file).write_bytes(part)
            model = open_model(staged_path)
            verification = verify_model(
                model,
                test_split,
                reference,
                max_drop=options.max_drop,
                made_by_train=choice is None,
                progress=progress,
            )
            verification = exporter.extra_checks(verification, model, made.content, test_split)
            if not verification.passed:
                raise _GateError(verification)
            sure = metadata.sure or fit_least_lead(judges, exporter.answers(model, made, judges.images))
            metadata = dataclasses.replace(
                metadata, accuracy=_measured(verification, test_split.dataset), sure=sure
            )
        note_sure(path.name, sure, judges, progress)
        receipt = file_receipt(staged_path)
        record = exporter.record(staged_path, made, metadata, options, test_split, progress)
        exported = ExportedFile(
            path,
            receipt["sha256"],
            receipt["bytes"],
            metadata,
            verification,
            calibrated.to_dict() if calibrated else None,
            record.firmware,
        )
        write_record(exported, target, staging, record.fields, choice, reference)
    return exported


def _measured(verification: Verification, dataset: str) -> MeasuredAccuracy:
    return MeasuredAccuracy(dataset, verification.accuracy.correct, verification.accuracy.images)


def _metadata(
    target: Target,
    graph: InferenceGraph,
    calibrated: Calibrated | None,
    choice: InputChoice | None,
    options: ExportOptions,
) -> ModelMetadata:
    """Return what a file says of itself before its accuracy is known."""
    exporter = _exporter(target)
    return ModelMetadata(
        arch=graph.arch,
        precision=target.precision,
        weights_sha256=graph.weights_sha256,
        tools=versions(*exporter.tools),
        calibration=calibrated.receipt if calibrated else None,
        edges=exporter.edges(target.precision, options),
        labels=graph.labels,
        input_scale=choice.receipt if choice else None,
        head=None if graph.spec.head == "softmax" else graph.spec.head,
    )


def _exporter(target: Target) -> ExportFormat:
    """Return what makes the files of a target."""
    exporter: ExportFormat = resolve(str(target.row.exporter))
    return exporter


def _with_input_scale(
    path: Path,
    graph: InferenceGraph,
    training: Training | None,
    train_split: Split,
    options: ExportOptions,
    progress: Progress,
) -> tuple[InferenceGraph, InputChoice | None]:
    """Feed a network what it was trained on, and say what that is; what ``train`` made takes values from 0 to 1."""
    if training is not None:
        if options.input_scale not in (None, UNIT):
            raise ContractError(
                path,
                "a network of another author for --input-scale",
                f"one that `edgedigits train` made, which takes pixels {UNIT.about}",
                "leave the option out",
            )
        return graph, None
    choice = choose_input_scale(
        path,
        graph.answers,
        train_split,
        declared=graph.rescaling is not None,
        by_hand=options.input_scale,
        is_sigmoid=graph.spec.head == "sigmoid",
    )
    progress.note(choice.note(path.name))
    return graph.fed_with(choice.scale), choice
