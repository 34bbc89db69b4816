"""From a ``.keras`` file to exported files in place: convert, verify, stamp, verify again, put in place."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from edgedigits import artifacts
from edgedigits.contract import (
    C_INFIXES,
    Format,
    MeasuredAccuracy,
    ModelMetadata,
    file_name,
    network_name,
    sidecar_name,
)
from edgedigits.errors import AccuracyError, ContractError, DatasetError, ModelFileError, OutputError
from edgedigits.input_scale import UNIT
from edgedigits.keras_input import InputChoice, choose_input_scale
from edgedigits.mnist import Split
from edgedigits.progress import SILENT, Progress
from edgedigits.reference import Reference, reference_path
from edgedigits.report import render_model_card
from edgedigits.runtimes import open_model
from edgedigits.training.recipe import Recipe
from edgedigits.training.train import validation_indices
from edgedigits.verify import Verification, verify_model
from edgedigits_export import firmware, to_c, to_onnx, to_ort, to_tflite
from edgedigits_export.c_files import (
    c_file_names,
    c_record,
    compare_with_reference_kernels,
    measure_firmware,
    render_c_files,
)
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
from edgedigits_export.firmware import FirmwareFigures
from edgedigits_export.inference_graph import InferenceGraph, load_inference_graph
from edgedigits_export.targets import DEFAULT_OPTIONS, ExportOptions, Target

MODEL_CARD_NAME = "MODEL_CARD.md"
TOOLS: dict[Format, tuple[str, ...]] = {
    "tflite": ("tensorflow", "keras"),
    "onnx": ("keras", "onnx"),
    "ort": ("keras", "onnx", "onnxruntime"),
    "c": ("tensorflow", "keras"),
    "tflm": ("tensorflow", "keras"),
}
CALIBRATION_IMAGES = 25_000
"""Two draws of so many differ by 0.02 points of validation accuracy in the files of the nine long networks, in the
mean, and by 0.04 (ONNX) and 0.06 (TFLite) at most; two of 5,000 by 0.03, and 0.08. Pictures unlike MNIST's suffer more
from the rounding: of 291 by other people the shipped network misreads 3, int8 files of three draws of 5,000 images 4 to
6, of 15,000 to 27,500 images 2 to 4."""


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
    firmware: tuple[FirmwareFigures, ...]
    """What a C file costs on microcontrollers; empty without a cross compiler, and for other files."""

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return {
            "path": str(self.path),
            "sha256": self.sha256,
            "bytes": self.bytes,
            "metadata": dataclasses.asdict(self.metadata),
            "verification": self.verification.to_dict(),
            "quantization": self.quantization,
            "firmware": firmware.to_manifest(self.firmware),
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
    graph, choice = _with_input_scale(keras_path, graph, training, train_split, options, progress)
    reference = Reference(
        graph.reference_probabilities(test_split.images),
        graph.weights_sha256,
        test_split.dataset,
        test_split.sha256,
    )
    integers = None
    if any(target.precision == "int8" for target in targets):
        integers = _Integers(
            graph,
            *_calibration_images(graph, keras_path, training, train_split, test_split, options, progress),
        )
    exported, failed = [], []
    for target, path in paths.items():
        progress.note(f"exporting {path.name}")
        calibrated = None
        if integers is not None and target.precision == "int8":
            calibrated = integers.calibrated(target, options)
            _note_calibration(path.name, calibrated, progress)
        try:
            exported.append(
                _export_one(target, path, graph, calibrated, choice, reference, test_split, options, progress)
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
        tools=artifacts.versions(*TOOLS[target.format]),
        calibration=calibrated.receipt if calibrated else None,
        edges=_edges(target, options),
        labels=graph.labels,
        input_scale=choice.receipt if choice else None,
    )
    with artifacts.locked(path.parent), artifacts.staged(path.parent) as staging:
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
        receipt = artifacts.file_receipt(staged_path)
        figures: tuple[FirmwareFigures, ...] = ()
        extras: dict[str, Any] = {}
        if target.format == "c":
            figures = measure_firmware(staged_path, content, test_split, progress)
        if target.format in C_INFIXES:
            extras = c_record(target, content, metadata, figures, options, test_split, progress)
        elif target.format != "tflite":
            extras = {"opset": options.opset}
        exported = ExportedFile(
            path,
            receipt["sha256"],
            receipt["bytes"],
            metadata,
            verification,
            calibrated.to_dict() if calibrated else None,
            figures,
        )
        _record(exported, target, staging, extras, choice, reference)
    return exported


def _convert(
    target: Target, graph: InferenceGraph, calibrated: Calibrated | None, options: ExportOptions
) -> bytes:
    """Make the file without its metadata; for ORT its ONNX file, for C its TFLite file, that has none yet."""
    integer_network = calibrated.network if calibrated else None
    if target.format == "tflite" or target.format in C_INFIXES:
        edges = options.edges if target.precision == "int8" else "uint8"
        return to_tflite.to_tflite(graph, target.precision, integer_network=integer_network, edges=edges)
    return to_onnx.to_onnx(graph, target.precision, opset=options.opset, integer_network=integer_network)


def _edges(target: Target, options: ExportOptions) -> Literal["uint8", "int8"]:
    """Return the type of the file's input: that of the pixels but in integer TFLite files."""
    integers = target.precision == "int8" and target.format in {"tflite", "tflm"}
    return options.edges if integers else "uint8"


def _file_names(target: Target, name: str, options: ExportOptions) -> list[str]:
    """List the files of a target: the model, and what belongs to it."""
    if target.format in C_INFIXES:
        return c_file_names(target, name, options)
    model = file_name(name, target.format, target.precision)
    return [model, to_ort.operators_name(model)] if target.format == "ort" else [model]


def _stamped(
    target: Target, name: str, content: bytes, metadata: ModelMetadata, options: ExportOptions, split: Split
) -> dict[str, bytes]:
    """Return the files of a target by name, with the metadata inside."""
    if target.format in C_INFIXES:
        return render_c_files(target, name, content, metadata, options, split)
    model, *beside = _file_names(target, name, options)
    if target.format == "tflite":
        return {model: to_tflite.add_metadata(content, metadata)}
    stamped = to_onnx.add_metadata(content, metadata)
    if target.format == "onnx":
        return {model: stamped}
    optimized = to_ort.to_ort(stamped)
    return {model: optimized, beside[0]: to_ort.required_operators(optimized).encode()}


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


def _recipe(path: Path, training: dict[str, Any]) -> Recipe:
    """Read how a network was trained: with it the validation images are found again."""
    try:
        return Recipe.from_dict(training["arguments"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(
            path, f"the manifest beside it does not say how it was trained ({error})", "train it again"
        ) from error


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
        form = TFLITE_FORM
        if target.format in {"onnx", "ort"}:
            form = REDUCED_ONNX_FORM if options.reduce_range else ONNX_FORM
        if form not in self._calibrated:
            self._calibrated[form] = calibrate(self._graph.layers, self._draws, self._validation, form)
        return self._calibrated[form]


def _calibration_images(
    graph: InferenceGraph,
    path: Path,
    training: dict[str, Any] | None,
    train_split: Split,
    test_split: Split,
    options: ExportOptions,
    progress: Progress,
) -> tuple[list[CalibrationSet], Validation]:
    """Draw calibration images away from the validation images of the run that made the network."""
    recipe = Recipe() if training is None else _recipe(path, training)
    fit, held_out = validation_indices(train_split.labels, recipe.validation, recipe.seed)
    images = train_split.images[held_out]
    draws = draw_calibration_images(
        train_split,
        fit,
        size=options.calibration_size or min(CALIBRATION_IMAGES, len(fit) // 2),
        seed=options.seed,
        held_back=np.concatenate([images, test_split.images]),
    )
    if left_out := draws[0].left_out:
        progress.note(
            f"{left_out:,} training image{'s' if left_out > 1 else ''} left out of calibration: also among the "
            "validation or test images"
        )
    return draws, Validation(images, train_split.labels[held_out], graph.reference_probabilities(images))


def _note_calibration(file: str, calibrated: Calibrated, progress: Progress) -> None:
    """Say what a user of the file should know of how its integers were chosen."""
    if not calibrated.stable:
        progress.note(
            f"{file}: other calibration images change validation accuracy by {calibrated.draw_difference:+.2f} points; "
            "a larger --calibration-size makes it steadier"
        )
    if calibrated.without_vnni is not None and (pairs := calibrated.network.saturating_pairs):
        progress.note(
            f"{file}: {pairs:,} pairs of weights can exceed 16 bits on x86 CPUs without VNNI; validation accuracy is "
            f"{calibrated.without_vnni.accuracy:.2f} % there, {calibrated.score.accuracy:.2f} % elsewhere "
            "(--reduce-range rules it out)"
        )


def _record(
    exported: ExportedFile,
    target: Target,
    staging: Path,
    extras: dict[str, Any],
    choice: InputChoice | None,
    reference: Reference,
) -> None:
    """Stage the manifest with the new file and all that lies beside it, and the reference answers."""
    path, metadata = exported.path, exported.metadata
    name = network_name(path)
    manifest = artifacts.read_manifest(path.parent)
    files = artifacts.network_entry(manifest, name)["files"]
    files[path.name] = {
        "sha256": exported.sha256,
        "bytes": exported.bytes,
        "format": target.format,
        "precision": metadata.precision,
        "edges": metadata.edges,
        "weights_sha256": metadata.weights_sha256,
        "calibration": dataclasses.asdict(metadata.calibration) if metadata.calibration else None,
        "quantization": exported.quantization,
        "versions": metadata.tools,
        "verification": exported.verification.summary(),
        **extras,
    }
    for companion in staging.iterdir():
        if companion.name != path.name:
            files[companion.name] = artifacts.file_receipt(companion)
    reference_file = reference_path(staging, name)
    reference_file.write_bytes(reference.to_bytes())
    files[reference_file.name] = artifacts.file_receipt(reference_file)
    network = artifacts.network_entry(manifest, name)
    network.pop("input_scale", None)
    if choice is not None and choice.chosen != "declared":
        network["input_scale"] = choice.to_dict(metadata.weights_sha256)
    artifacts.write_manifest(staging, manifest)
    if network["training"] is not None:
        card = render_model_card(name, network)
        (staging / sidecar_name(name, MODEL_CARD_NAME)).write_text(card, encoding="utf-8")
