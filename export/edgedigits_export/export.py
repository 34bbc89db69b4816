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
from edgedigits.errors import AccuracyError, DatasetError, OutputError
from edgedigits.mnist import Split
from edgedigits.progress import SILENT, Progress
from edgedigits.reference import Reference, reference_path
from edgedigits.report import render_model_card
from edgedigits.runtimes import open_model
from edgedigits.training.recipe import Recipe
from edgedigits.training.train import validation_indices
from edgedigits.verify import Verification, verify_model
from edgedigits_export import to_onnx, to_ort, to_tflite
from edgedigits_export.calibration import (
    ONNX_FORM,
    REDUCED_ONNX_FORM,
    TFLITE_FORM,
    Calibrated,
    CalibrationSet,
    IntegerForm,
    Validation,
    calibrate,
    draw_calibration_images,
)
from edgedigits_export.inference_graph import InferenceGraph, load_inference_graph

MODEL_CARD_NAME = "MODEL_CARD.md"
TOOLS: dict[Format, tuple[str, ...]] = {
    "tflite": ("tensorflow", "keras"),
    "onnx": ("keras", "onnx"),
    "ort": ("keras", "onnx", "onnxruntime"),
}
CALIBRATION_IMAGES = 5_000
"""Two draws of so many differ by 0.02 points of validation accuracy in the mean, two of 1,000 by 0.03."""
OPERATORS_SUFFIX = ".required_operators.config"
"""Of the file beside an ORT file that lists what a minimal build of onnxruntime has to contain."""


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
    Target("onnx", "float16", "weights in half the space, computed in float32"),
    Target("onnx", "dynamic", "int8 weights, activations quantized while it runs"),
    Target("onnx", "int8", "a quarter of the size, and the quickest on CPUs"),
    Target("ort", "float32", "for minimal builds of onnxruntime, optimized already"),
    Target("ort", "int8", "the int8 ONNX file for minimal builds"),
)


@dataclass(frozen=True)
class ExportOptions:
    """What can be chosen about an export."""

    opset: int = to_onnx.DEFAULT_OPSET
    calibration_size: int | None = None
    """Calibration images; None for 5,000, or half of what the network was fitted on where that is less."""
    seed: int = 0
    """Of the choice of calibration images."""
    edges: Literal["uint8", "int8"] = "int8"
    """Type of input and output of the fully integer TFLite file."""
    reduce_range: bool = False
    """Whether the weights of int8 ONNX files are kept to 7 bits, for x86 CPUs without VNNI."""
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
    quantization: dict[str, Any] | None
    """How the integers were chosen, as the manifest keeps it; None for files that hold no integer activations."""

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return {
            "path": str(self.path),
            "sha256": self.sha256,
            "bytes": self.bytes,
            "metadata": dataclasses.asdict(self.metadata),
            "verification": self.verification.to_dict(),
            "quantization": self.quantization,
        }


def select_targets(file_format: Format | Literal["all"], precision: Precision | None) -> tuple[Target, ...]:
    """Return the targets of a format and a precision.

    Args:
        file_format: ``tflite``, ``onnx``, ``ort``, or ``all`` for every target there is.
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
    integers = None
    if any(target.precision == "int8" for target in targets):
        integers = _Integers(graph, *_calibration_images(graph, training, train_split, test_split, options))
    exported, failed = [], []
    for target, path in paths.items():
        progress.note(f"exporting {path.name}")
        calibrated = None
        if integers is not None and target.precision == "int8":
            calibrated = integers.calibrated(target, options)
            _note_calibration(path.name, calibrated, progress)
        try:
            exported.append(
                _export_one(target, path, graph, calibrated, reference, test_split, options, progress)
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
    calibrated: Calibrated | None,
    reference: Reference,
    test_split: Split,
    options: ExportOptions,
    progress: Progress,
) -> ExportedFile:
    content = _convert(target, graph, calibrated, options)
    metadata = ModelMetadata(
        arch=graph.arch,
        precision=target.precision,
        weights_sha256=graph.weights_sha256,
        tools=artifacts.versions(*TOOLS[target.format]),
        calibration=calibrated.receipt if calibrated else None,
        edges=_edges(target, options),
        labels=graph.labels,
    )
    with artifacts.locked(path.parent), artifacts.staged(path.parent) as staging:
        staged_path = staging / path.name
        # First without the accuracy, to measure it; then with it, and once more through the gate: what is put in
        # place is what was verified, byte for byte.
        for _ in range(2):
            staged_path.write_bytes(_stamp(target, content, metadata))
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
        quantization = calibrated.to_dict() if calibrated else None
        exported = ExportedFile(
            path, receipt["sha256"], receipt["bytes"], metadata, verification, quantization
        )
        _record(exported, staging, options, reference)
    return exported


def _convert(
    target: Target, graph: InferenceGraph, calibrated: Calibrated | None, options: ExportOptions
) -> bytes:
    """Make the file without its metadata; an ORT file is made of its ONNX file when that has its metadata."""
    integer_network = calibrated.network if calibrated else None
    if target.format == "tflite":
        edges = _edges(target, options)
        return to_tflite.to_tflite(graph, target.precision, integer_network=integer_network, edges=edges)
    return to_onnx.to_onnx(graph, target.precision, opset=options.opset, integer_network=integer_network)


def _edges(target: Target, options: ExportOptions) -> Literal["uint8", "int8"]:
    return options.edges if (target.format, target.precision) == ("tflite", "int8") else "uint8"


def _stamp(target: Target, content: bytes, metadata: ModelMetadata) -> bytes:
    if target.format == "tflite":
        return to_tflite.add_metadata(content, metadata)
    stamped = to_onnx.add_metadata(content, metadata)
    return to_ort.to_ort(stamped) if target.format == "ort" else stamped


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


class _Integers:
    """Turns the network into the integers of each kind of file, each kind once."""

    def __init__(
        self, graph: InferenceGraph, draws: Sequence[CalibrationSet], validation: Validation
    ) -> None:
        self._graph = graph
        self._draws = draws
        self._validation = validation
        self._calibrated: dict[IntegerForm, Calibrated] = {}

    def calibrated(self, target: Target, options: ExportOptions) -> Calibrated:
        """Return the integers for a target."""
        form = REDUCED_ONNX_FORM if options.reduce_range else ONNX_FORM
        if target.format == "tflite":
            form = TFLITE_FORM
        if form not in self._calibrated:
            self._calibrated[form] = calibrate(self._graph.layers, self._draws, self._validation, form)
        return self._calibrated[form]


def _calibration_images(
    graph: InferenceGraph,
    training: dict[str, Any] | None,
    train_split: Split,
    test_split: Split,
    options: ExportOptions,
) -> tuple[list[CalibrationSet], Validation]:
    """Draw calibration images away from the validation images of the run that made the network."""
    recipe = Recipe() if training is None else Recipe.from_dict(training["arguments"])
    fit, held_out = validation_indices(train_split.labels, recipe.validation, recipe.seed)
    images = train_split.images[held_out]
    draws = draw_calibration_images(
        train_split,
        fit,
        size=options.calibration_size or min(CALIBRATION_IMAGES, len(fit) // 2),
        seed=options.seed,
        held_back=np.concatenate([images, test_split.images]),
    )
    return draws, Validation(images, train_split.labels[held_out], graph.reference_probabilities(images))


def _note_calibration(file: str, calibrated: Calibrated, progress: Progress) -> None:
    """Say what a user of the file should know of how its integers were chosen."""
    if not calibrated.stable:
        progress.note(
            f"{file}: other calibration images change validation accuracy by {calibrated.draw_difference:+.2f} points; "
            "a larger --calibration-size makes it steadier"
        )
    pairs = calibrated.network.saturating_pairs
    if calibrated.without_vnni is not None and pairs:
        progress.note(
            f"{file}: {pairs:,} pairs of weights can exceed 16 bits on x86 CPUs without VNNI; validation accuracy is "
            f"{calibrated.without_vnni.accuracy:.2f} % there, {calibrated.score.accuracy:.2f} % elsewhere "
            "(--reduce-range rules it out)"
        )


def _record(exported: ExportedFile, staging: Path, options: ExportOptions, reference: Reference) -> None:
    """Stage the manifest with the new file in it, and the files that belong to it."""
    path, metadata = exported.path, exported.metadata
    name = network_name(path)
    manifest = artifacts.read_manifest(path.parent)
    files = artifacts.network_entry(manifest, name)["files"]
    entry = {
        "sha256": exported.sha256,
        "bytes": exported.bytes,
        "format": path.suffix.removeprefix("."),
        "precision": metadata.precision,
        "edges": metadata.edges,
        "weights_sha256": metadata.weights_sha256,
        "calibration": dataclasses.asdict(metadata.calibration) if metadata.calibration else None,
        "quantization": exported.quantization,
        "versions": metadata.tools,
        "verification": exported.verification.summary(),
    }
    if path.suffix in {".onnx", ".ort"}:
        entry["opset"] = options.opset
    files[path.name] = entry
    if path.suffix == ".ort":
        operators_file = staging / path.with_suffix(OPERATORS_SUFFIX).name
        operators_file.write_text(to_ort.required_operators((staging / path.name).read_bytes()))
        files[operators_file.name] = artifacts.file_receipt(operators_file)
    reference_file = reference_path(staging, name)
    reference_file.write_bytes(reference.to_bytes())
    files[reference_file.name] = artifacts.file_receipt(reference_file)
    artifacts.write_manifest(staging, manifest)
    network = artifacts.network_entry(manifest, name)
    if network["training"] is not None:
        card = render_model_card(name, network)
        (staging / sidecar_name(name, MODEL_CARD_NAME)).write_text(card, encoding="utf-8")
