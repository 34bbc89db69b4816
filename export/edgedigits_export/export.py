"""From a ``.keras`` file to exported files in place: convert, verify, stamp, verify again, put in place."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from edgedigits import artifacts
from edgedigits.c_compiler import find_compiler
from edgedigits.contract import (
    C_INFIXES,
    Format,
    MeasuredAccuracy,
    ModelMetadata,
    Precision,
    file_name,
    network_name,
    sidecar_name,
)
from edgedigits.errors import AccuracyError, DatasetError, OutputError
from edgedigits.mnist import Split
from edgedigits.progress import SILENT, Progress
from edgedigits.reference import Reference, reference_path
from edgedigits.report import render_model_card
from edgedigits.runtimes import Model, open_model
from edgedigits.training.recipe import Recipe
from edgedigits.training.train import validation_indices
from edgedigits.verify import Verification, run_all, verify_model
from edgedigits_export import firmware, micro, to_c, to_onnx, to_tflite, to_tflm
from edgedigits_export.calibration import CalibrationSet, choose_calibration_images
from edgedigits_export.firmware import FirmwareFigures
from edgedigits_export.inference_graph import InferenceGraph, load_inference_graph
from edgedigits_export.integer_network import IntegerNetwork, read_integer_network
from edgedigits_export.reference_kernels import RUNTIME as REFERENCE_RUNTIME
from edgedigits_export.reference_kernels import reference_answers

MODEL_CARD_NAME = "MODEL_CARD.md"
TOOLS: dict[Format, tuple[str, ...]] = {
    "tflite": ("tensorflow", "keras"),
    "onnx": ("tensorflow", "keras", "tf2onnx", "onnx"),
    "c": ("tensorflow", "keras"),
    "tflm": ("tensorflow", "keras"),
}
COUNTED_PICTURES = 10
"""Test images whose instructions are counted: one takes as many as another to within a hundred."""


@dataclass(frozen=True)
class Target:
    """A kind of file that a network can be exported to."""

    format: Format
    precision: Precision
    about: str
    """For whom it is, in a few words."""


FORMATS: tuple[Target, ...] = (
    Target("tflite", "float32", "the network as it is, for LiteRT"),
    Target("tflite", "float16", "weights in half the space, computed in float32"),
    Target("tflite", "dynamic", "int8 weights, activations quantized while it runs"),
    Target("tflite", "int8", "integers only, for microcontrollers and accelerators"),
    Target("onnx", "float32", "the network as it is, for onnxruntime"),
    Target("c", "int8", "C99 without any runtime, for microcontrollers"),
    Target("tflm", "int8", "the integer TFLite file as a C array, for TensorFlow Lite Micro"),
)


@dataclass(frozen=True)
class ExportOptions:
    """What can be chosen about an export."""

    opset: int = to_onnx.DEFAULT_OPSET
    calibration_size: int = 1_000
    seed: int = 0
    """Of the choice of calibration images."""
    edges: Literal["uint8", "int8"] = "int8"
    """Type of input and output of the fully integer TFLite file."""
    max_drop: float | None = None
    """Percentage points that may be lost; None for the bound of each precision."""
    force: bool = False
    """Whether files that exist may be replaced."""
    selftest: bool = False
    """Whether pictures with expected answers come with the C file, for the bring-up of a board."""


@dataclass(frozen=True)
class ExportedFile:
    """A file that passed the gate and is in place."""

    path: Path
    sha256: str
    bytes: int
    metadata: ModelMetadata
    verification: Verification
    firmware: tuple[FirmwareFigures, ...] = ()
    """What a C file costs on microcontrollers; empty without a cross compiler, and for other files."""

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return {
            "path": str(self.path),
            "sha256": self.sha256,
            "bytes": self.bytes,
            "metadata": dataclasses.asdict(self.metadata),
            "verification": self.verification.to_dict(),
            "firmware": firmware.to_manifest(self.firmware),
        }


def select_targets(file_format: Format | Literal["all"], precision: Precision | None) -> tuple[Target, ...]:
    """Return the targets of a format and a precision.

    Args:
        file_format: ``tflite``, ``onnx``, or ``all`` for every target there is.
        precision: None for float32, for int8 in C, or for every precision where the format is ``all``.

    Returns:
        The targets; for ``all`` without C where there is no C compiler, which could not be verified.

    Raises:
        ValueError: there is no such combination; the message lists those that there are.
    """
    if file_format == "all":
        able = [target for target in FORMATS if target.format != "c" or find_compiler()]
        return tuple(target for target in able if precision in (None, target.precision))
    wanted = precision or ("int8" if file_format in C_INFIXES else "float32")
    targets = tuple(
        target for target in FORMATS if file_format == target.format and target.precision == wanted
    )
    if not targets:
        known = sorted(target.precision for target in FORMATS if target.format == file_format)
        raise ValueError(f"{file_format} files come as {', '.join(known)}, not as {wanted}")
    return targets


def export_model(
    keras_path: Path,
    targets: Sequence[Target],
    train_split: Split,
    test_split: Split,
    *,
    folder: Path | None = None,
    options: ExportOptions = ExportOptions(),
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
        OutputError: a target exists and ``options.force`` is not set, the folder cannot be written to, or no C file can
            be called by this name.
        DatasetError: other images than the network was trained and scored on; calibration images cannot be chosen,
            or overlap with validation or test images.
    """
    folder = folder or keras_path.parent
    name = network_name(keras_path)
    paths = {target: folder / file_name(name, target.format, target.precision) for target in targets}
    existing = [
        str(path.with_name(file))
        for target, path in paths.items()
        for file in _file_names(target, name, options)
        if path.with_name(file).exists()
    ]
    if existing and not options.force:
        raise OutputError(f"{', '.join(existing)}: exists already; give --force to replace it")
    if any(target.format in C_INFIXES for target in targets):
        to_c.check_name(name)
    graph = load_inference_graph(keras_path)
    training = artifacts.read_manifest(keras_path.parent)["networks"].get(name, {}).get("training")
    if training is not None and training["weights_sha256"] != graph.weights_sha256:
        training = None
    _check_dataset(keras_path, graph, training, train_split, test_split)
    reference = Reference(
        graph.reference_probabilities(test_split.images),
        graph.weights_sha256,
        test_split.dataset,
        test_split.sha256,
    )
    calibration = None
    if any(target.precision == "int8" for target in targets):
        calibration = _calibration(training, train_split, test_split, options)
    exported, failed = [], []
    for target, path in paths.items():
        progress.note(f"exporting {path.name}")
        try:
            exported.append(
                _export_one(target, path, graph, calibration, reference, test_split, options, progress)
            )
        except _GateError as failure:
            failed.append(failure.verification)
    return exported, failed


class _GateError(AccuracyError):
    """Leaves the block that would have put a file in place."""

    def __init__(self, verification: Verification) -> None:
        super().__init__(f"{verification.file}: {'; '.join(verification.failures)}")
        self.verification = verification


def _export_one(
    target: Target,
    path: Path,
    graph: InferenceGraph,
    calibration: CalibrationSet | None,
    reference: Reference,
    test_split: Split,
    options: ExportOptions,
    progress: Progress,
) -> ExportedFile:
    content = _convert(target, graph, calibration, options)
    metadata = ModelMetadata(
        arch=graph.arch,
        precision=target.precision,
        weights_sha256=graph.weights_sha256,
        tools=artifacts.versions(*TOOLS[target.format]),
        calibration=calibration.receipt if calibration and target.precision == "int8" else None,
        edges=options.edges if target.precision == "int8" and target.format != "c" else "uint8",
        labels=graph.labels,
    )
    with artifacts.locked(path.parent), artifacts.staged(path.parent) as staging:
        staged_path = staging / path.name
        # First without the accuracy, to measure it; then with it, and once more through the gate: what is put in
        # place is what was verified, byte for byte.
        for _ in range(2):
            for file, part in _stamped(target, path, content, metadata, options, test_split).items():
                (staging / file).write_bytes(part)
            model = open_model(staged_path)
            verification = verify_model(
                model, test_split, reference, max_drop=options.max_drop, progress=progress
            )
            if target.format == "c":
                verification = _compare_with_reference_kernels(verification, model, content, test_split)
            if not verification.passed:
                raise _GateError(verification)
            measured = verification.accuracy
            metadata = dataclasses.replace(
                metadata, accuracy=MeasuredAccuracy(test_split.dataset, measured.correct, measured.images)
            )
        figures = _measure_firmware(target, staged_path, content, test_split, progress)
        receipt = artifacts.file_receipt(staged_path)
        extras = _extras(target, content, metadata, figures, options, test_split, progress)
        _record(path, target, staging, receipt, metadata, verification, extras, reference)
    return ExportedFile(path, receipt["sha256"], receipt["bytes"], metadata, verification, figures)


def _file_names(target: Target, name: str, options: ExportOptions) -> list[str]:
    """List the files of a target: the model, and for C what belongs to it."""
    names = [file_name(name, target.format, target.precision)]
    if target.format in C_INFIXES:
        names.append(f"{names[0].removesuffix('.c')}.h")
    if target.format == "c" and options.selftest:
        names.append(to_c.selftest_name(name))
    return names


def _stamped(
    target: Target,
    path: Path,
    content: bytes,
    metadata: ModelMetadata,
    options: ExportOptions,
    test_split: Split,
) -> dict[str, bytes]:
    """Return the files of a target by name, with the metadata inside."""
    if target.format == "onnx":
        return {path.name: to_onnx.add_metadata(content, metadata)}
    if target.format == "tflite":
        return {path.name: to_tflite.add_metadata(content, metadata)}
    name = network_name(path)
    if target.format == "tflm":
        parts = to_tflm.render_array(name, to_tflite.add_metadata(content, metadata), metadata)
    else:
        network = _integer_network(content, metadata, options)
        parts = [to_c.render_source(name, network, metadata), to_c.render_header(name, network, metadata)]
        if options.selftest:
            pictures = _selftest_pictures(content, test_split)
            parts.append(to_c.render_selftest(name, network, metadata, pictures))
    files = _file_names(target, name, options)
    return {file: part.encode() for file, part in zip(files, parts, strict=True)}


def _integer_network(content: bytes, metadata: ModelMetadata, options: ExportOptions) -> IntegerNetwork:
    """Read the integers of a TFLite file as it is exported, metadata inside: C code names that file by its hash."""
    return read_integer_network(
        to_tflite.add_metadata(content, dataclasses.replace(metadata, edges=options.edges))
    )


def _selftest_pictures(content: bytes, split: Split) -> list[to_c.SelftestPicture]:
    """Return the first test image of each class, with the reference kernels' answers."""
    chosen = split.images[[int(np.argmax(split.labels == label)) for label in np.unique(split.labels)]]
    _, answers = reference_answers(content, chosen)
    return [to_c.SelftestPicture(*pair) for pair in zip(chosen, answers, strict=True)]


def _compare_with_reference_kernels(
    verification: Verification, model: Model, content: bytes, split: Split
) -> Verification:
    """Fail a C file that differs from TFLite's reference kernels in a single probability of a single image."""
    _, expected = reference_answers(content, split.images)
    answers = run_all(model, split) * 256
    different = int(np.any(answers != expected, axis=1).sum())
    if different == 0:
        return verification
    failure = f"{different:,} of {len(expected):,} answers are not those of TFLite's reference kernels"
    return dataclasses.replace(verification, failures=(*verification.failures, failure))


def _measure_firmware(
    target: Target, path: Path, content: bytes, split: Split, progress: Progress
) -> tuple[FirmwareFigures, ...]:
    if target.format != "c":
        return ()
    if missing := firmware.missing_tools():
        unknown = "instructions" if firmware.can_compile() else "flash, RAM and instructions"
        progress.note(f"{unknown} were not measured: apt-get install {' '.join(missing)}")
    try:
        network = read_integer_network(content)
        return tuple(firmware.measure(path, network, split.images[:COUNTED_PICTURES]))
    except firmware.FirmwareError as error:
        # The file is as good as it was; what is broken are tools for another machine.
        progress.note(f"flash, RAM and instructions were not measured: {error}")
        return ()


def _extras(
    target: Target,
    content: bytes,
    metadata: ModelMetadata,
    figures: Sequence[FirmwareFigures],
    options: ExportOptions,
    split: Split,
    progress: Progress,
) -> dict[str, Any]:
    """Return what the manifest keeps of files of one format only."""
    if target.format == "onnx":
        return {"opset": options.opset}
    if target.format == "c":
        return {
            "tflite_sha256": _integer_network(content, metadata, options).sha256,
            "reference_kernels": REFERENCE_RUNTIME,
            "firmware": firmware.to_manifest(figures),
            "firmware_tools": firmware.tool_versions() if figures else {},
        }
    if target.format == "tflm":
        return {"tflite_micro": _measure_micro(content, split, progress)}
    return {}


def _measure_micro(content: bytes, split: Split, progress: Progress) -> dict[str, Any] | None:
    """Run all test images in TensorFlow Lite Micro, where it is installed."""
    if not micro.is_installed():
        progress.note(
            f"the arena of TensorFlow Lite Micro was not measured: pip install --pre {micro.PACKAGE}"
        )
        return None
    ran = micro.run_in_micro(content, split.images)
    _, expected = reference_answers(content, split.images)
    return {
        "version": ran.version,
        "arena_bytes": ran.arena,
        "correct": int((ran.answers.argmax(axis=1) == split.labels).sum()),
        "equal_to_reference_kernels": int(np.all(ran.answers == expected, axis=1).sum()),
        "images": len(expected),
    }


def _convert(
    target: Target, graph: InferenceGraph, calibration: CalibrationSet | None, options: ExportOptions
) -> bytes:
    if target.format == "onnx":
        return to_onnx.to_onnx(graph, options.opset)
    if target.precision == "int8" and calibration is not None:  # the C formats are made from the TFLite file
        return to_tflite.to_tflite(graph, "int8", calibration_images=calibration.images, edges=options.edges)
    return to_tflite.to_tflite(graph, target.precision)


def _check_dataset(
    path: Path, graph: InferenceGraph, training: dict[str, Any] | None, train_split: Split, test_split: Split
) -> None:
    for split, part, key in (
        (train_split, "training", "train_sha256"),
        (test_split, "test", "test_sha256"),
    ):
        if split.class_names != graph.labels:
            raise DatasetError(
                f"{path}: expected images of {', '.join(graph.labels)}, found {split.dataset} with images of "
                f"{', '.join(split.class_names)}; export with the data that it was trained on"
            )
        if training is not None and training["dataset"][key] != split.sha256:
            raise DatasetError(
                f"the network was trained on {training['dataset']['name']}, but these are other {part} images "
                f"({split.dataset}); export with the data that it was trained on"
            )


def _calibration(
    training: dict[str, Any] | None,
    train_split: Split,
    test_split: Split,
    options: ExportOptions,
) -> CalibrationSet:
    """Choose calibration images away from the validation images of the run that made the network."""
    recipe = Recipe() if training is None else Recipe.from_dict(training["arguments"])
    fit, held_out = validation_indices(train_split.labels, recipe.validation, recipe.seed)
    return choose_calibration_images(
        train_split,
        fit,
        size=options.calibration_size,
        seed=options.seed,
        held_back=np.concatenate([train_split.images[held_out], test_split.images]),
    )


def _record(
    path: Path,
    target: Target,
    staging: Path,
    receipt: dict[str, Any],
    metadata: ModelMetadata,
    verification: Verification,
    extras: dict[str, Any],
    reference: Reference,
) -> None:
    """Stage the manifest with the new file in it, and the reference answers that belong to it."""
    name = network_name(path)
    manifest = artifacts.read_manifest(path.parent)
    files = artifacts.network_entry(manifest, name)["files"]
    entry = {
        **receipt,
        "format": target.format,
        "precision": metadata.precision,
        "edges": metadata.edges,
        "weights_sha256": metadata.weights_sha256,
        "calibration": dataclasses.asdict(metadata.calibration) if metadata.calibration else None,
        "versions": metadata.tools,
        "verification": verification.summary(),
        **extras,
    }
    files[path.name] = entry
    for companion in staging.iterdir():
        if companion.name != path.name:
            files[companion.name] = artifacts.file_receipt(companion)
    reference_file = reference_path(staging, name)
    reference_file.write_bytes(reference.to_bytes())
    files[reference_file.name] = artifacts.file_receipt(reference_file)
    artifacts.write_manifest(staging, manifest)
    network = artifacts.network_entry(manifest, name)
    if network["training"] is not None:
        card = render_model_card(name, network)
        (staging / sidecar_name(name, MODEL_CARD_NAME)).write_text(card, encoding="utf-8")
