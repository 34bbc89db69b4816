"""From a ``.keras`` file to exported files in place: convert, verify, stamp, verify again, put in place."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from edgedigits import artifacts
from edgedigits.contract import (
    Format,
    MeasuredAccuracy,
    ModelMetadata,
    Precision,
    file_name,
    network_name,
    sidecar_name,
)
from edgedigits.errors import AccuracyError, DatasetError, ModelFileError, OutputError
from edgedigits.mnist import Split
from edgedigits.progress import SILENT, Progress
from edgedigits.reference import Reference, reference_path
from edgedigits.report import render_model_card
from edgedigits.runtimes import open_model
from edgedigits.training.recipe import Recipe
from edgedigits.training.train import validation_indices
from edgedigits.verify import Verification, verify_model
from edgedigits_export import to_onnx, to_tflite
from edgedigits_export.calibration import CalibrationSet, choose_calibration_images
from edgedigits_export.inference_graph import InferenceGraph, load_inference_graph

MODEL_CARD_NAME = "MODEL_CARD.md"
TOOLS: dict[Format, tuple[str, ...]] = {
    "tflite": ("tensorflow", "keras"),
    "onnx": ("tensorflow", "keras", "tf2onnx", "onnx"),
}


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


@dataclass(frozen=True)
class ExportedFile:
    """A file that passed the gate and is in place."""

    path: Path
    sha256: str
    bytes: int
    metadata: ModelMetadata
    verification: Verification

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return {
            "path": str(self.path),
            "sha256": self.sha256,
            "bytes": self.bytes,
            "metadata": dataclasses.asdict(self.metadata),
            "verification": self.verification.to_dict(),
        }


def select_targets(file_format: Format | Literal["all"], precision: Precision | None) -> tuple[Target, ...]:
    """Return the targets of a format and a precision.

    Args:
        file_format: ``tflite``, ``onnx``, or ``all`` for every target there is.
        precision: None for float32, or for every precision where the format is ``all``.

    Raises:
        ValueError: there is no such combination; the message lists those that there are.
    """
    if file_format == "all" and precision is None:
        return FORMATS
    wanted = precision or "float32"
    targets = tuple(
        target for target in FORMATS if file_format in ("all", target.format) and target.precision == wanted
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
        OutputError: a target exists and ``options.force`` is not set, or the folder cannot be written to.
        DatasetError: other images than the network was trained and scored on; calibration images cannot be chosen,
            or overlap with validation or test images.
    """
    folder = folder or keras_path.parent
    name = network_name(keras_path)
    paths = {target: folder / file_name(name, target.format, target.precision) for target in targets}
    existing = [str(path) for path in paths.values() if path.exists()]
    if existing and not options.force:
        raise OutputError(f"{', '.join(existing)}: exists already; give --force to replace it")
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
        calibration = _calibration(keras_path, training, train_split, test_split, options)
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
    stamp = to_onnx.add_metadata if target.format == "onnx" else to_tflite.add_metadata
    metadata = ModelMetadata(
        arch=graph.arch,
        precision=target.precision,
        weights_sha256=graph.weights_sha256,
        tools=artifacts.versions(*TOOLS[target.format]),
        calibration=calibration.receipt if calibration and target.precision == "int8" else None,
        edges=options.edges if target.precision == "int8" else "uint8",
        labels=graph.labels,
    )
    with artifacts.locked(path.parent), artifacts.staged(path.parent) as staging:
        staged_path = staging / path.name
        # First without the accuracy, to measure it; then with it, and once more through the gate: what is put in
        # place is what was verified, byte for byte.
        for _ in range(2):
            staged_path.write_bytes(stamp(content, metadata))
            model = open_model(staged_path)
            verification = verify_model(
                model, test_split, reference, max_drop=options.max_drop, progress=progress
            )
            if not verification.passed:
                raise _GateError(verification)
            measured = verification.accuracy
            metadata = dataclasses.replace(
                metadata, accuracy=MeasuredAccuracy(test_split.dataset, measured.correct, measured.images)
            )
        receipt = artifacts.file_receipt(staged_path)
        _record(path, staging, receipt, metadata, verification, options, reference)
    return ExportedFile(path, receipt["sha256"], receipt["bytes"], metadata, verification)


def _convert(
    target: Target, graph: InferenceGraph, calibration: CalibrationSet | None, options: ExportOptions
) -> bytes:
    if target.format == "onnx":
        return to_onnx.to_onnx(graph, options.opset)
    if target.precision == "int8" and calibration is not None:
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


def _recipe(path: Path, training: dict[str, Any]) -> Recipe:
    """Read how a network was trained: with it the validation images are found again."""
    try:
        return Recipe.from_dict(training["arguments"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(
            path, f"the manifest beside it does not say how it was trained ({error})", "train it again"
        ) from error


def _calibration(
    path: Path,
    training: dict[str, Any] | None,
    train_split: Split,
    test_split: Split,
    options: ExportOptions,
) -> CalibrationSet:
    """Choose calibration images away from the validation images of the run that made the network."""
    recipe = Recipe() if training is None else _recipe(path, training)
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
    staging: Path,
    receipt: dict[str, Any],
    metadata: ModelMetadata,
    verification: Verification,
    options: ExportOptions,
    reference: Reference,
) -> None:
    """Stage the manifest with the new file in it, and the reference answers that belong to it."""
    name = network_name(path)
    manifest = artifacts.read_manifest(path.parent)
    files = artifacts.network_entry(manifest, name)["files"]
    entry = {
        **receipt,
        "format": path.suffix.removeprefix("."),
        "precision": metadata.precision,
        "edges": metadata.edges,
        "weights_sha256": metadata.weights_sha256,
        "calibration": dataclasses.asdict(metadata.calibration) if metadata.calibration else None,
        "versions": metadata.tools,
        "verification": verification.summary(),
    }
    if path.suffix == ".onnx":
        entry["opset"] = options.opset
    files[path.name] = entry
    reference_file = reference_path(staging, name)
    reference_file.write_bytes(reference.to_bytes())
    files[reference_file.name] = artifacts.file_receipt(reference_file)
    artifacts.write_manifest(staging, manifest)
    network = artifacts.network_entry(manifest, name)
    if network["training"] is not None:
        card = render_model_card(name, network)
        (staging / sidecar_name(name, MODEL_CARD_NAME)).write_text(card, encoding="utf-8")
