"""What models of other tools are worth: measured on the same images as ours, and held against nothing they say."""

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgedigits.answers import faults
from edgedigits.contract import LABELS
from edgedigits.datasets.read import read_split
from edgedigits.datasets.split import Split
from edgedigits.errors import DatasetError
from edgedigits.input_scale import InputScale
from edgedigits.measuring import metrics
from edgedigits.measuring.keras_input import choose_input_scale
from edgedigits.measuring.reference import Reference
from edgedigits.measuring.verify import run_all
from edgedigits.progress import SILENT, Progress
from edgedigits.runtimes.foreign_model import ForeignModel

LOOKED_AT = 200
"""Training images from whose answers it is told whether they are probabilities."""


@dataclass(frozen=True)
class ForeignFindings:
    """What was measured of a model of another tool."""

    file: str
    runtime: str
    dataset: str
    takes: str
    """Its input as the file has it, and what pixels were made into before."""
    gives: str
    """``probabilities``, ``logits`` or ``sigmoids``."""
    accuracy: metrics.Accuracy
    expected_calibration_error: float
    comparison: metrics.Comparison | None
    """With the reference that was named; None without one."""
    failures: tuple[str, ...]
    """Why its answers are none."""

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        fields = dataclasses.asdict(self)
        if math.isnan(self.expected_calibration_error):
            fields["expected_calibration_error"] = None
        return {**fields, "accuracy_percent": self.accuracy.percent, "made_by_edgedigits": False}


def open_foreign_model(
    path: Path,
    data: Path | None,
    *,
    threads: int = 1,
    input_scale: InputScale | None = None,
    progress: Progress = SILENT,
) -> ForeignModel:
    """Open a model of another tool, and find out from training images what it gives and what it is to be fed.

    Args:
        path: a ``.onnx`` or ``.tflite`` file.
        data: where the training images are; see ``datasets.read.read_split``.
        threads: of the runtime.
        input_scale: what it was trained on, by hand.
        progress: told what was found.

    Raises:
        ModelNotFoundError, ModelFileError, ForeignModelError, MissingExtraError: it cannot be opened, or takes no
            picture, or gives no ten numbers.
        DatasetError: training images are not there.
        AccuracyError: they do not tell; see ``keras_input.choose_input_scale``.
    """
    model = ForeignModel(path, threads)
    split = read_split(data, "train", LABELS, progress=progress)
    model.look(split.images[:LOOKED_AT])
    choice = choose_input_scale(
        path, model.answers, split, declared=False, by_hand=input_scale, is_sigmoid=model.is_sigmoid
    )
    progress.note(choice.note(path.name))
    model.input_scale = choice.scale
    return model


def measure_foreign(
    model: ForeignModel, split: Split, reference: Reference | None, progress: Progress = SILENT
) -> ForeignFindings:
    """Ask a model of another tool about all test images.

    Args:
        model: as ``open_foreign_model`` opened it.
        split: the test images.
        reference: answers to compare with, be it of the network that it comes from; None for none.
        progress: shows a bar.

    Raises:
        DatasetError: the reference is of other images.
    """
    probabilities = run_all(model, split, progress)
    if reference is not None:
        reference.check_split(split, reference.place)
        if reference.is_sigmoid != model.is_sigmoid:
            raise DatasetError(
                f"{reference.place}: expected answers of the kind that {model.path.name} gives ({model.ends_in}), "
                "found others; name the reference of its network"
            )
    return ForeignFindings(
        file=model.path.name,
        runtime=model.runtime,
        dataset=split.dataset,
        takes=f"{model.edges[0]}, pixels {model.input_scale.about}",
        gives=model.ends_in,
        accuracy=metrics.accuracy(split.labels, probabilities.argmax(axis=1)),
        expected_calibration_error=metrics.expected_calibration_error(split.labels, probabilities),
        comparison=None
        if reference is None
        else metrics.compare(
            split.labels, reference.probabilities, probabilities, are_independent=model.is_sigmoid
        ),
        failures=tuple(faults(probabilities, model.sum_tolerance)),
    )
