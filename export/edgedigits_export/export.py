"""From a ``.keras`` file to exported files in place: convert, verify, stamp, verify again, put in place."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from edgedigits.artifacts.manifest import file_receipt, read_manifest
from edgedigits.artifacts.staging import locked, staged
from edgedigits.artifacts.versions import versions
from edgedigits.datasets.split import Split
from edgedigits.errors import AccuracyError, ContractError, OutputError
from edgedigits.file_names import C_INFIXES, Format, file_name, network_name
from edgedigits.input_scale import UNIT
from edgedigits.measuring.keras_input import InputChoice, choose_input_scale
from edgedigits.measuring.reference import Reference
from edgedigits.measuring.verify import Verification, verify_model
from edgedigits.metadata import MeasuredAccuracy, ModelMetadata
from edgedigits.progress import SILENT, Progress
from edgedigits.runtimes.opening import open_model
from edgedigits_export.boards.firmware import FirmwareFigures
from edgedigits_export.chosen_integers import (
    ChosenIntegers,
    calibration_images,
    check_dataset,
    note_calibration,
)
from edgedigits_export.formats import c_text, onnx_file, ort_file, tflite_file
from edgedigits_export.formats.c_source import (
    c_file_names,
    c_record,
    compare_with_reference_kernels,
    measure_firmware,
    render_c_files,
)
from edgedigits_export.inference_graph import InferenceGraph, load_inference_graph
from edgedigits_export.integers.calibration import Calibrated
from edgedigits_export.record import ExportedFile, write_record
from edgedigits_export.targets import DEFAULT_OPTIONS, ExportOptions, Target

TOOLS: dict[Format, tuple[str, ...]] = {
    "tflite": ("tensorflow", "keras"),
    "onnx": ("keras", "onnx"),
    "ort": ("keras", "onnx", "onnxruntime"),
    "c": ("tensorflow", "keras"),
    "tflm": ("tensorflow", "keras"),
}


def export_model(
    keras_path: Path,
    targets: Sequence[Target],
    train_split: Split,
    test_split: Split,
    *,
    folder: Path | None = None,
    options: ExportOptions = DEFAULT_OPTIONS,
    progress: Progress = SILENT,
) -> tuple[list[ExportedFile], list[Verification]]:
    """Export a network to one file per target, each verified on all test images before it is put in place.

    The same network and options give the same bytes.

    Args:
        keras_path: the trained network.
        targets: what to make.
        train_split: where calibration images come from.
        test_split: what the files are judged by.
        folder: where to write; the network's own folder if None.
        options: see ``ExportOptions``.
        progress: shows what is being done.

    Returns:
        The files that are in place, and the verifications of those that failed the gate and were dropped.

    Raises:
        ModelNotFoundError, ModelFileError, ContractError: the ``.keras`` file is no digits network.
        AccuracyError: the network answers by chance, or it cannot be told which values it was trained on, or these
            cannot be folded into a file; see ``keras_input.choose_input_scale``.
        OutputError: a target exists and ``options.force`` is not set, the folder cannot be written to, or no C file can
            be called by this name.
        DatasetError: other images than the network was trained and scored on; calibration images cannot be chosen.
        QuantizationError: the network has biases that int32 cannot hold.
    """
    folder = folder or keras_path.parent
    name = network_name(keras_path)
    paths = {target: folder / file_name(name, target.format, target.precision) for target in targets}
    _check_names(paths, name, options)
    graph = load_inference_graph(keras_path)
    training = _training_record(keras_path, name, graph)
    check_dataset(keras_path, graph, training, train_split, test_split)
    graph, choice = _with_input_scale(keras_path, graph, training, train_split, options, progress)
    reference = _reference(graph, test_split)
    integers = _integers(targets, graph, keras_path, training, train_split, test_split, options, progress)
    exported, failed = [], []
    for target, path in paths.items():
        progress.note(f"exporting {path.name}")
        calibrated = None
        if integers is not None and target.precision == "int8":
            calibrated = integers.calibrated(target, options)
            note_calibration(path.name, calibrated, progress)
        try:
            exported.append(
                _export_one(target, path, graph, calibrated, choice, reference, test_split, options, progress)
            )
        except _GateError as failure:
            failed.append(failure.verification)
    return exported, failed


def _integers(
    targets: Sequence[Target],
    graph: InferenceGraph,
    keras_path: Path,
    training: dict[str, Any] | None,
    train_split: Split,
    test_split: Split,
    options: ExportOptions,
    progress: Progress,
) -> ChosenIntegers | None:
    """Draw the calibration images where a target needs them."""
    integers = None
    if any(target.precision == "int8" for target in targets):
        integers = ChosenIntegers(
            graph,
            *calibration_images(graph, keras_path, training, train_split, test_split, options, progress),
        )
    return integers


def _training_record(keras_path: Path, name: str, graph: InferenceGraph) -> dict[str, Any] | None:
    """Return what the manifest beside a network says of its training; None where it is about other weights."""
    training: dict[str, Any] | None
    training = read_manifest(keras_path.parent)["networks"].get(name, {}).get("training")
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
    )


def _check_names(paths: dict[Target, Path], name: str, options: ExportOptions) -> None:
    """Raise ``OutputError`` where a file is there that may not be replaced, or that C has no name for."""
    targets = paths
    existing = [
        str(path.with_name(file))
        for target, path in paths.items()
        for file in _file_names(target, name, options)
        if path.with_name(file).exists()
    ]
    if existing and not options.force:
        raise OutputError(f"{', '.join(existing)}: exists already; give --force to replace it")
    if any(target.format in C_INFIXES for target in targets):
        c_text.check_name(name)


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
    test_split: Split,
    options: ExportOptions,
    progress: Progress,
) -> ExportedFile:
    name = network_name(path)
    content = _convert(target, graph, calibrated, options)
    metadata = ModelMetadata(
        arch=graph.arch,
        precision=target.precision,
        weights_sha256=graph.weights_sha256,
        tools=versions(*TOOLS[target.format]),
        calibration=calibrated.receipt if calibrated else None,
        edges=_edges(target, options),
        labels=graph.labels,
        input_scale=choice.receipt if choice else None,
    )
    with locked(path.parent), staged(path.parent) as staging:
        staged_path = staging / path.name
        # First without the accuracy, to measure it; then with it, and once more through the gate: what is put in
        # place is what was verified, byte for byte.
        for _ in range(2):
            for file, part in _stamped(target, name, content, metadata, options, test_split).items():
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
            if target.format == "c":
                verification = compare_with_reference_kernels(verification, model, content, test_split)
            if not verification.passed:
                raise _GateError(verification)
            measured = verification.accuracy
            metadata = dataclasses.replace(
                metadata, accuracy=MeasuredAccuracy(test_split.dataset, measured.correct, measured.images)
            )
        receipt = file_receipt(staged_path)
        figures, extras = _costs(target, staged_path, content, metadata, options, test_split, progress)
        exported = ExportedFile(
            path,
            receipt["sha256"],
            receipt["bytes"],
            metadata,
            verification,
            calibrated.to_dict() if calibrated else None,
            figures,
        )
        write_record(exported, target, staging, extras, choice, reference)
    return exported


def _costs(
    target: Target,
    path: Path,
    content: bytes,
    metadata: ModelMetadata,
    options: ExportOptions,
    test_split: Split,
    progress: Progress,
) -> tuple[tuple[FirmwareFigures, ...], dict[str, Any]]:
    """Measure what a C file costs on boards; return that, and what the manifest keeps of this format only."""
    staged_path = path
    figures: tuple[FirmwareFigures, ...] = ()
    extras: dict[str, Any] = {}
    if target.format == "c":
        figures = measure_firmware(staged_path, content, test_split, progress)
    if target.format in C_INFIXES:
        extras = c_record(target, content, metadata, figures, options, test_split, progress)
    elif target.format != "tflite":
        extras = {"opset": options.opset}
    return figures, extras


def _convert(
    target: Target, graph: InferenceGraph, calibrated: Calibrated | None, options: ExportOptions
) -> bytes:
    """Make the file without its metadata; for ORT its ONNX file, for C its TFLite file, that has none yet."""
    integer_network = calibrated.network if calibrated else None
    if target.format == "tflite" or target.format in C_INFIXES:
        edges = options.edges if target.precision == "int8" else "uint8"
        return tflite_file.to_tflite(graph, target.precision, integer_network=integer_network, edges=edges)
    return onnx_file.to_onnx(graph, target.precision, opset=options.opset, integer_network=integer_network)


def _edges(target: Target, options: ExportOptions) -> Literal["uint8", "int8"]:
    """Return the type of the file's input: that of the pixels but in integer TFLite files."""
    integers = target.precision == "int8" and target.format in {"tflite", "tflm"}
    return options.edges if integers else "uint8"


def _file_names(target: Target, name: str, options: ExportOptions) -> list[str]:
    """List the files of a target: the model, and what belongs to it."""
    if target.format in C_INFIXES:
        return c_file_names(target, name, options)
    model = file_name(name, target.format, target.precision)
    return [model, ort_file.operators_name(model)] if target.format == "ort" else [model]


def _stamped(
    target: Target, name: str, content: bytes, metadata: ModelMetadata, options: ExportOptions, split: Split
) -> dict[str, bytes]:
    """Return the files of a target by name, with the metadata inside."""
    if target.format in C_INFIXES:
        return render_c_files(target, name, content, metadata, options, split)
    model, *beside = _file_names(target, name, options)
    if target.format == "tflite":
        return {model: tflite_file.add_metadata(content, metadata)}
    stamped = onnx_file.add_metadata(content, metadata)
    if target.format == "onnx":
        return {model: stamped}
    optimized = ort_file.to_ort(stamped)
    return {model: optimized, beside[0]: ort_file.required_operators(optimized).encode()}


def _with_input_scale(
    path: Path,
    graph: InferenceGraph,
    training: dict[str, Any] | None,
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
    )
    progress.note(choice.note(path.name))
    return graph.fed_with(choice.scale), choice
