"""The gate: does an exported file still give the answers of the network that it was made from?

Every test image goes through the file in its own runtime; the answers are compared with the Keras model's, kept in
``reference.npz``, so none of this needs TensorFlow. The reference must be the answers of a network itself, the file's
must be probabilities, and what metadata and manifest say of the file must be so.
"""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgedigits.answers import faults
from edgedigits.artifacts.manifest import made_by_train as is_made_by_train
from edgedigits.artifacts.records import Network
from edgedigits.contract import LABELS
from edgedigits.datasets.split import Split
from edgedigits.errors import ContractError
from edgedigits.format_table import GATES, Gate, Precision, format_of
from edgedigits.measuring import metrics
from edgedigits.measuring.keras_input import LEAST_ACCURACY
from edgedigits.measuring.recorded import contradictions, recorded_network
from edgedigits.measuring.reference import Reference
from edgedigits.progress import SILENT, Progress
from edgedigits.runtimes.model import Model

BATCH = 1_000
"""Images in one call: large enough to be quick, small enough for a device's memory."""

MOST_CHANGED = 1.0
"""Points of images whose class may change, right or wrong, or ``CHANGED_PER_POINT`` for each that may be lost if that
is more. A file that agrees with its network no more than this has another one's answers, be they better."""
CHANGED_PER_POINT = 10.0


@dataclass(frozen=True)
class Verification:
    """What the gate found."""

    file: str
    precision: Precision
    runtime: str
    dataset: str
    accuracy: metrics.Accuracy
    reference_accuracy: metrics.Accuracy
    comparison: metrics.Comparison
    expected_calibration_error: float
    """Distance of confidence and accuracy, 0..1; NaN where a probability is not finite."""
    reference_expected_calibration_error: float
    max_drop: float
    """The bound that was applied, in percentage points."""
    failures: tuple[str, ...]
    """Why the file does not pass; empty if it does."""

    @property
    def passed(self) -> bool:
        """Whether the file is as good as its network."""
        return not self.failures

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON values, with the indices of every changed image."""
        fields = dataclasses.asdict(self)
        # JSON has no NaN; the failures say that there was one.
        if not math.isfinite(self.comparison.largest_probability_difference):
            fields["comparison"]["largest_probability_difference"] = None
        if not math.isfinite(self.comparison.divergence):
            fields["comparison"]["divergence"] = None
        for error in ("expected_calibration_error", "reference_expected_calibration_error"):
            if math.isnan(fields[error]):
                fields[error] = None
        return {**fields, "accuracy_percent": self.accuracy.percent, "passed": self.passed}

    def summary(self) -> dict[str, Any]:
        """Return what the manifest keeps: the figures, and the changed images as counts."""
        return {
            "dataset": self.dataset,
            "correct": self.accuracy.correct,
            "images": self.accuracy.images,
            "interval_percent": [round(self.accuracy.low, 3), round(self.accuracy.high, 3)],
            "difference_points": round(self.comparison.difference, 4),
            "fixed": len(self.comparison.fixed),
            "broken": len(self.comparison.broken),
            "mcnemar_p": self.comparison.p_value,
            "agreement_percent": round(self.comparison.agreement, 4),
            "largest_probability_difference": self.comparison.largest_probability_difference,
            "expected_calibration_error": round(self.expected_calibration_error, 6),
            "max_drop_points": self.max_drop,
            "passed": self.passed,
            "runtime": self.runtime,
        }


def verify_model(
    model: Model,
    split: Split,
    reference: Reference,
    *,
    max_drop: float | None = None,
    made_by_train: bool | None = None,
    progress: Progress = SILENT,
) -> Verification:
    """Run all test images through a model and compare with its reference.

    Args:
        model: an opened file.
        split: the test split that the reference answered.
        reference: the Keras model's answers.
        max_drop: percentage points that may be lost; None for the bound of the file's precision.
        made_by_train: whether ``edgedigits train`` made the network, as badly as it may read; None to look for it in
            the manifest beside the file. Any other network has to read half of the images.
        progress: shows a bar.

    Raises:
        ContractError: the file was made from other weights than the reference, or for other classes, or does not give
            ten numbers for each image.
        DatasetError: the reference is of other images.
        ModelFileError: the reference cannot be the answers of this network, or the manifest beside the file is none.
    """
    _check_subjects(model, split, reference)
    network = recorded_network(model)
    probabilities = run_all(model, split, progress)
    comparison = metrics.compare(
        split.labels, reference.probabilities, probabilities, are_independent=model.is_sigmoid
    )
    gate = _gate(model, max_drop)
    accuracy = metrics.accuracy(split.labels, probabilities.argmax(axis=1))
    is_own = reference.path is not None and reference.path.parent == model.path.parent
    failures = (
        *faults(probabilities, model.sum_tolerance),
        *_failures(gate, comparison, len(split.labels)),
        *contradictions(model, network, split, accuracy, comparison if is_own else None),
    )
    if made_by_train is None:
        made_by_train = _made_by_train(model, network)
    if not made_by_train and accuracy.percent < LEAST_ACCURACY:
        failures += (_broken(accuracy),)
    return Verification(
        file=model.path.name,
        precision=model.metadata.precision,
        runtime=model.runtime,
        dataset=split.dataset,
        accuracy=accuracy,
        reference_accuracy=metrics.accuracy(split.labels, reference.probabilities.argmax(axis=1)),
        comparison=comparison,
        expected_calibration_error=metrics.expected_calibration_error(split.labels, probabilities),
        reference_expected_calibration_error=metrics.expected_calibration_error(
            split.labels, reference.probabilities
        ),
        max_drop=gate.max_drop,
        failures=failures,
    )


def _check_subjects(model: Model, split: Split, reference: Reference) -> None:
    """Raise an error unless model, images and reference belong together and the reference is worth a comparison."""
    model.check_classes(split)
    if model.metadata.weights_sha256 != reference.weights_sha256:
        raise ContractError(
            model.path,
            f"a file made from the network with weights sha256 {reference.weights_sha256[:12]}…",
            f"one made from {model.metadata.weights_sha256[:12]}…",
        )
    if model.is_sigmoid != reference.is_sigmoid:
        ends = {True: "ten sigmoids", False: "a softmax"}
        raise ContractError(
            model.path,
            f"a network that ends in {ends[reference.is_sigmoid]}, as its reference does",
            ends[model.is_sigmoid],
        )
    reference.check()
    reference.check_split(split, reference.place)
    reference.check_accuracy(split)


def _broken(accuracy: metrics.Accuracy) -> str:
    return (
        f"reads {accuracy.percent:.2f} % of the images right: a network that reads fewer than {LEAST_ACCURACY:.0f} % "
        "is broken, or is fed other values than it was trained on (--input-scale)"
    )


def _made_by_train(model: Model, network: Network | None) -> bool:
    """Tell whether ``edgedigits train`` made a file's network: the manifest says so, or classes of their own names."""
    if model.metadata.labels != LABELS:
        return True  # Nothing else gives classes names.
    return is_made_by_train(network, model.metadata.weights_sha256)


def run_all(model: Model, split: Split, progress: Progress = SILENT) -> metrics.Probabilities:
    """Return a model's probabilities for all images of a split, float32 (n, 10)."""
    results = []
    with progress.task(f"verifying {model.path.name}", len(split.images)) as advance:
        for start in range(0, len(split.images), BATCH):
            pixels = split.images[start : start + BATCH]
            results.append(model.probabilities(pixels))
            advance(len(pixels))
    return np.concatenate(results)


def _gate(model: Model, max_drop: float | None) -> Gate:
    """Return what files of this format and precision are judged by, with another bound of accuracy where one is given.

    A larger one lets the probabilities diverge further as well: by as much as so many lost images may.
    """
    row, precision = format_of(model.path), model.metadata.precision
    gate = GATES[precision] if row is None else row.gates.get(precision, GATES[precision])
    if max_drop is None:
        return gate
    if gate.max_divergence is not None and max_drop > gate.max_drop:
        lost = (max_drop - gate.max_drop) / 100
        gate = gate._replace(max_divergence=gate.max_divergence - lost * math.log(metrics.LEAST_PROBABILITY))
    return gate._replace(max_drop=max_drop)


def _failures(gate: Gate, comparison: metrics.Comparison, images: int) -> tuple[str, ...]:
    """Say by what a file's answers differ from its reference's beyond the gate."""
    failures = []
    # A bound finer than one image could not be met by changing a single one; on MNIST one image is 0.01 points.
    bound = max(gate.max_drop, 100.0 / images) if gate.max_drop > 0 else 0.0
    lost = abs(comparison.difference) if gate.both_ways else -comparison.difference
    if lost > bound + 1e-9:
        failures.append(
            f"accuracy differs by {comparison.difference:+.2f} points, allowed are {gate.max_drop:.2f}"
        )
    allowed = gate.max_probability_difference
    # Written so that a NaN, which is never smaller, fails.
    if allowed is not None and not comparison.largest_probability_difference <= allowed:
        failures.append(
            f"a probability differs by {comparison.largest_probability_difference:.2g}, allowed are {allowed:g}"
        )
    changed = 100.0 - comparison.agreement
    most = max(MOST_CHANGED, CHANGED_PER_POINT * gate.max_drop, 100.0 / images)
    if changed > most + 1e-9:
        failures.append(f"{changed:.2f} % of the images have another class, allowed are {most:.2f} %")
    if gate.max_divergence is not None and not comparison.divergence <= gate.max_divergence:
        failures.append(
            f"its probabilities diverge by {comparison.divergence:.2g} nats, allowed are {gate.max_divergence:.2g}"
        )
    return tuple(failures)
