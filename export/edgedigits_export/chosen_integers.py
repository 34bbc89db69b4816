"""The integers of one export: calibration images away from validation, and each kind of integers chosen once."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgedigits.artifacts.records import Training
from edgedigits.datasets.split import Split
from edgedigits.errors import DatasetError
from edgedigits.progress import Progress
from edgedigits_export.held_out import split_indices
from edgedigits_export.inference_graph import InferenceGraph
from edgedigits_export.integers.calibration import Calibrated, IntegerForm, Validation, calibrate
from edgedigits_export.integers.calibration_images import CalibrationSet, draw_calibration_images
from edgedigits_export.integers.graph_kernels import IntegerGraph
from edgedigits_export.targets import ExportOptions

CALIBRATION_IMAGES = 25_000
"""Two draws of so many differ by 0.02 points of validation accuracy in the files of the nine long networks, in the
mean, and by 0.04 (ONNX) and 0.06 (TFLite) at most; two of 5,000 by 0.03, and 0.08. Pictures unlike MNIST's suffer more
from the rounding: of 291 by other people the shipped network misreads 3, int8 files of three draws of 5,000 images 4 to
6, of 15,000 to 27,500 images 2 to 4."""
CALIBRATION_IMAGES_OF_MAPS = 5_000
"""The same of networks that are no chain of Dense layers: each image is hundreds of places of a map, and costs as many
times as much."""


def check_dataset(
    path: Path, graph: InferenceGraph, training: Training | None, train_split: Split, test_split: Split
) -> None:
    """Refuse other images than the network was trained and scored on.

    Raises:
        DatasetError: other classes, or other images than the manifest knows.
    """
    known = (
        (None, None)
        if training is None
        else (training["dataset"]["train_sha256"], training["dataset"]["test_sha256"])
    )
    for split, part, sha256 in zip((train_split, test_split), ("training", "test"), known, strict=True):
        if split.class_names != graph.labels:
            raise DatasetError(
                f"{path}: expected images of {', '.join(graph.labels)}, found {split.dataset} with images of "
                f"{', '.join(split.class_names)}; export with the data that it was trained on"
            )
        if training is not None and sha256 != split.sha256:
            raise DatasetError(
                f"the network was trained on {training['dataset']['name']}, but these are other {part} images "
                f"({split.dataset}); export with the data that it was trained on"
            )


class ChosenIntegers:
    """Turns the network into the integers of each kind of file, each kind once."""

    def __init__(
        self, graph: InferenceGraph, draws: Sequence[CalibrationSet], validation: Validation
    ) -> None:
        self._graph = graph
        self._draws = draws
        self._validation = validation
        self._calibrated: dict[IntegerForm, Calibrated] = {}

    def calibrated(self, form: IntegerForm) -> Calibrated:
        """Return the integers of a form; of maps each channel has a scale, which costs no runtime any time."""
        if self._graph.steps is not None:
            form = dataclasses.replace(form, per_channel=True)
        if form not in self._calibrated:
            floats = self._graph.steps or self._graph.network
            self._calibrated[form] = calibrate(floats, self._draws, self._validation, form)
        return self._calibrated[form]


def calibration_images(
    graph: InferenceGraph,
    path: Path,
    training: Training | None,
    train_split: Split,
    test_split: Split,
    options: ExportOptions,
    progress: Progress,
) -> tuple[list[CalibrationSet], Validation]:
    """Draw calibration images away from the validation images of the run that made the network."""
    fit, held_out = split_indices(path, training, train_split)
    images = train_split.images[held_out]
    usual = CALIBRATION_IMAGES if graph.steps is None else CALIBRATION_IMAGES_OF_MAPS
    draws = draw_calibration_images(
        train_split,
        fit,
        size=options.calibration_size or min(usual, len(fit) // 2),
        seed=options.seed,
        held_back=np.concatenate([images, test_split.images]),
    )
    if left_out := draws[0].left_out:
        progress.note(
            f"{left_out:,} training image{'s' if left_out > 1 else ''} left out of calibration: also among the "
            "validation or test images"
        )
    return draws, Validation(images, train_split.labels[held_out], graph.reference_probabilities(images))


def note_calibration(file: str, calibrated: Calibrated, progress: Progress) -> None:
    """Say what a user of the file should know of how its integers were chosen."""
    if not calibrated.stable:
        progress.note(
            f"{file}: other calibration images change validation accuracy by {calibrated.draw_difference:+.2f} points; "
            "a larger --calibration-size makes it steadier"
        )
    network = calibrated.network
    if calibrated.without_vnni is None or isinstance(network, IntegerGraph):
        return
    if pairs := network.saturating_pairs:
        progress.note(
            f"{file}: {pairs:,} pairs of weights can exceed 16 bits on x86 CPUs without VNNI; validation accuracy is "
            f"{calibrated.without_vnni.accuracy:.2f} % there, {calibrated.score.accuracy:.2f} % elsewhere "
            "(--reduce-range rules it out)"
        )
