"""Representative images: they set the ranges of an integer file, so they decide how much accuracy survives.

Several ways to choose the ranges are tried, and the validation images say which one is kept; a second draw of images,
none of them in the first, says how much of it was chance. ``calibration_images`` draws them.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgedigits.errors import QuantizationError
from edgedigits.measuring import metrics
from edgedigits.metadata import CalibrationReceipt
from edgedigits.networks.weighted import WeightedNetwork
from edgedigits_export.graph.steps import Step
from edgedigits_export.integers.calibration_images import CalibrationSet
from edgedigits_export.integers.equivalence import FloatArray
from edgedigits_export.integers.graph_kernels import IntegerGraph
from edgedigits_export.integers.graph_quantization import Rounded, round_network
from edgedigits_export.integers.grids import RANGE_METHODS
from edgedigits_export.integers.quantization import (
    REDUCED_WEIGHT_BITS,
    WEIGHT_BITS,
    IntegerNetwork,
    divergence,
)

STABLE_POINTS = 0.05
"""Percentage points of validation accuracy by which two draws of calibration images may differ."""


@dataclass(frozen=True)
class Validation:
    """Images that the network was not fitted on, and what the float network says of them."""

    images: npt.NDArray[np.uint8]
    """Shape (n, 28, 28)."""
    labels: npt.NDArray[np.uint8]
    """Shape (n,)."""
    probabilities: npt.NDArray[np.float32]
    """Of the Keras network, shape (n, 10)."""


@dataclass(frozen=True)
class Score:
    """How an integer network does on the validation images."""

    accuracy: float
    """In percent."""
    divergence: float
    """From the float network's probabilities, in nats; see ``quantization.divergence``."""


@dataclass(frozen=True)
class IntegerForm:
    """What kind of integers a file holds."""

    per_channel: bool
    """Whether every unit gets a weight scale of its own, or one layer one scale."""
    bits: int
    """Of the weights."""
    integer_logits: bool
    """Whether the logits are rounded too."""


TFLITE_FORM = IntegerForm(per_channel=True, bits=WEIGHT_BITS, integer_logits=True)
"""Integers only. LiteRT's kernels are as fast with one scale per unit."""
ONNX_FORM = IntegerForm(per_channel=False, bits=WEIGHT_BITS, integer_logits=False)
"""QGemm with float logits. One scale per layer: with one per unit it takes 1.1 times as long for one image, and 14
times as many pairs of weights can exceed 16 bits on x86 CPUs without VNNI (128-32)."""
REDUCED_ONNX_FORM = IntegerForm(per_channel=True, bits=REDUCED_WEIGHT_BITS, integer_logits=False)
"""7 bits need one scale per unit, or accuracy suffers."""


@dataclass(frozen=True)
class Calibrated:
    """An integer network, and how it was chosen."""

    network: IntegerNetwork | IntegerGraph
    form: IntegerForm
    draw: CalibrationReceipt
    left_out: int
    """Training images that were left out of the choice, each the same picture as a validation or test image."""
    score: Score
    hidden_scores: dict[str, Score]
    """What each way to choose the ranges of the hidden layers gave, with logits that are not rounded."""
    logits_scores: dict[str, Score]
    """What each way to choose the range of the logits gave; empty where the file's logits are float."""
    second_draw: CalibrationReceipt | None
    second_score: Score | None
    """What other calibration images give; None where too few were left for them."""
    without_vnni: Score | None
    """What onnxruntime makes of it on an x86 CPU without VNNI, computed with 16-bit sums of two products; None for
    TFLite files, whose kernels add in 32 bits, and for networks of other layers than Dense ones."""

    @property
    def receipt(self) -> CalibrationReceipt:
        """What the file says of its calibration."""
        return dataclasses.replace(self.draw, ranges=self.methods)

    @property
    def hidden_method(self) -> str:
        """The way that was kept: the one with the smallest divergence."""
        return _best(self.hidden_scores)

    @property
    def logits_method(self) -> str | None:
        """The same of the logits; None where the file's logits are float."""
        return _best(self.logits_scores) if self.logits_scores else None

    @property
    def methods(self) -> str:
        """Both in one line: ``percentile, logits mse``."""
        return (
            f"{self.hidden_method}, logits {self.logits_method}" if self.logits_method else self.hidden_method
        )

    @property
    def draw_difference(self) -> float | None:
        """By how many percentage points of validation accuracy the second draw is above the first."""
        return self.second_score.accuracy - self.score.accuracy if self.second_score else None

    @property
    def stable(self) -> bool:
        """Whether two draws of calibration images gave the same accuracy, as far as it was tried."""
        # A bound finer than one validation image would not be one; half a millionth is rounding.
        return self.draw_difference is None or abs(self.draw_difference) <= STABLE_POINTS + 5e-7

    def to_dict(self) -> dict[str, Any]:
        """Return what the manifest keeps."""
        ranges = {name: [round(low, 6), round(high, 6)] for name, (low, high) in self.network.ranges.items()}
        if self.logits_method is None:
            del ranges["logits"]
        return {
            **dataclasses.asdict(self.form),
            "hidden_method": self.hidden_method,
            "logits_method": self.logits_method,
            "left_out_images": self.left_out,
            "validation": _as_json(self.score),
            "hidden_methods": {name: _as_json(score) for name, score in self.hidden_scores.items()},
            "logits_methods": {name: _as_json(score) for name, score in self.logits_scores.items()},
            "ranges": ranges,
            "second_draw": None
            if self.second_draw is None or self.second_score is None
            else {
                "images": self.second_draw.images,
                "indices_sha256": self.second_draw.indices_sha256,
                "validation": _as_json(self.second_score),
                "stable": self.stable,
            },
            "without_vnni": None
            if self.without_vnni is None or isinstance(self.network, IntegerGraph)
            else {
                "saturating_pairs": self.network.saturating_pairs,
                "validation": _as_json(self.without_vnni),
            },
        }


def _scores(score: Callable[[str], Score]) -> dict[str, Score]:
    """Score each of ``RANGE_METHODS`` that leaves biases which int32 can hold; raise where none of them does."""
    scores: dict[str, Score] = {}
    for method in RANGE_METHODS:
        with contextlib.suppress(QuantizationError):
            scores[method] = score(method)
    # Where none was kept, any of them says why.
    return scores or {"min-max": score("min-max")}


def _best(scores: dict[str, Score]) -> str:
    return min(scores, key=lambda name: scores[name].divergence)


def _as_json(score: Score) -> dict[str, float]:
    return {"accuracy_percent": round(score.accuracy, 4), "divergence": float(f"{score.divergence:.4g}")}


def calibrate(
    floats: WeightedNetwork | tuple[Step, ...],
    draws: Sequence[CalibrationSet],
    validation: Validation,
    form: IntegerForm,
) -> Calibrated:
    """Turn a network into integers, with the ranges that the validation images like best.

    Args:
        floats: the network, as Dense layers or as steps, folded; takes pixels from 0 to 255.
        draws: calibration images, and a second draw to compare with where there is one.
        validation: what judges the ways to choose the ranges.
        form: what kind of integers.

    Raises:
        QuantizationError: int32 cannot hold a bias, whichever way the ranges are chosen.
    """
    expected = validation.probabilities.astype(np.float64)
    if not isinstance(floats, WeightedNetwork):
        # Ten sigmoids add up to something else, or to nothing.
        expected /= np.maximum(expected.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)

    def score(network: IntegerNetwork | IntegerGraph, *, rounded: bool = False) -> Score:
        return _score(network.logits(validation.images, rounded=rounded), validation, expected)

    def with_ranges(rounded: Rounded, hidden: str, logits: str) -> IntegerNetwork | IntegerGraph:
        return rounded.with_ranges(RANGE_METHODS[hidden], RANGE_METHODS[logits])

    weights = [round_network(floats, draw.images, form.bits, per_channel=form.per_channel) for draw in draws]
    hidden_scores = _scores(lambda method: score(with_ranges(weights[0], method, "min-max")))
    hidden = _best(hidden_scores)
    logits_scores, logits = {}, "min-max"
    if form.integer_logits:
        logits_scores = _scores(lambda method: score(with_ranges(weights[0], hidden, method), rounded=True))
        logits = _best(logits_scores)
    networks = [with_ranges(rounded, hidden, logits) for rounded in weights]
    scores = [score(network, rounded=form.integer_logits) for network in networks]
    second = len(draws) > 1
    return Calibrated(
        network=networks[0],
        form=form,
        draw=draws[0].receipt,
        left_out=draws[0].left_out,
        score=scores[0],
        hidden_scores=hidden_scores,
        logits_scores=logits_scores,
        second_draw=draws[1].receipt if second else None,
        second_score=scores[1] if second else None,
        without_vnni=None
        if form.integer_logits or isinstance(networks[0], IntegerGraph)
        else _score(networks[0].logits(validation.images, saturating=True), validation, expected),
    )


def _score(logits: FloatArray, validation: Validation, expected: FloatArray) -> Score:
    accuracy = metrics.accuracy(validation.labels, logits.argmax(axis=1))
    return Score(accuracy.percent, divergence(expected, logits))
