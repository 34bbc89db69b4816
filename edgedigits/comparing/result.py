"""What a comparison of two files found, as frozen dataclasses that the terminal, JSON and all reports read from."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from edgedigits.comparing.judgement import Judgement
from edgedigits.comparing.latency import LatencyChange
from edgedigits.comparing.paired import SIGNIFICANT, Difference
from edgedigits.format_table import Precision
from edgedigits.measuring import metrics
from edgedigits.measuring.machine import MachineCard


@dataclass(frozen=True)
class Side:
    """One of the two models."""

    file: str
    """As it was named."""
    sha256: str
    """Of the file."""
    bytes: int
    """Of the file."""
    weights_sha256: str
    """Of the network that it is a form of."""
    precision: Precision
    runtime: str
    accuracy: metrics.Accuracy
    expected_calibration_error: float
    """Distance of confidence and accuracy, 0..1."""


@dataclass(frozen=True)
class ClassChange:
    """How well the images of one class are read."""

    label: int
    name: str
    old_correct: int
    new_correct: int
    difference: Difference
    p_holm: float
    """The exact p value with Holm's correction for all classes together."""

    @property
    def is_significant(self) -> bool:
        """Whether the two models differ in this class by more than chance, of all ten that were asked about."""
        return self.p_holm < SIGNIFICANT


@dataclass(frozen=True)
class Cost:
    """What C code costs on a microcontroller, by the manifest beside it."""

    flash: int
    """Bytes, tables and parameters included."""
    ram: int
    """Bytes besides the picture, stack included."""
    instructions: int | None
    """For one picture; None where they were not counted."""


@dataclass(frozen=True)
class CostChange:
    """What both cost on one processor."""

    cpu: str
    optimization: str
    entry: str
    """The function that was measured."""
    old: Cost | None
    """None where the manifest has none of this processor, or there is none beside the file."""
    new: Cost | None


@dataclass(frozen=True)
class Comparison:
    """Two models on the same images."""

    dataset: str
    test_sha256: str
    """Of the images and their labels."""
    old: Side
    new: Side
    difference: Difference
    fixed: tuple[int, ...]
    """Indices of the images that only the new model gets right."""
    broken: tuple[int, ...]
    """Indices of the images that only the old model gets right."""
    changed: tuple[int, ...]
    """Indices of all images whose class differs, right or wrong."""
    least_detectable: float | None
    """The least difference, in points, that would have been called one in four of five such samples; None where no
    difference would have been."""
    classes: tuple[ClassChange, ...]
    costs: tuple[CostChange, ...]
    latency: LatencyChange | None
    """None where it was not measured."""
    machine: MachineCard | None
    """That latency was measured on."""
    judgement: Judgement | None
    """None where no loss was named."""

    @property
    def passed(self) -> bool:
        """Whether the gate lets the new model through; without one it does."""
        return self.judgement is None or self.judgement.passed

    @property
    def name(self) -> str:
        """What it is called in a list of comparisons."""
        return f"{self.old.file} -> {self.new.file}"

    def failures(self) -> list[str]:
        """Say why the gate does not let the new model through; nothing where it does."""
        return [] if self.passed else [str(self.judgement)]

    @property
    def agreement(self) -> float:
        """Images with the same class, in percent."""
        return 100.0 * (1 - len(self.changed) / self.difference.images)

    @property
    def verdict(self) -> str:
        """``better``, ``worse`` or ``tied``, as the exact test says of all images."""
        if not self.difference.is_significant:
            return "tied"
        return "better" if self.difference.points > 0 else "worse"

    @property
    def changed_classes(self) -> tuple[ClassChange, ...]:
        """The classes in which the two differ by more than chance."""
        return tuple(change for change in self.classes if change.is_significant)

    def sentences(self) -> list[str]:
        """Say in words what was found."""
        return [
            _verdict(self),
            *(
                f"class {change.name}: {change.difference.points:+.2f} points, more than chance "
                f"(p = {change.p_holm:.2g} of all classes together)"
                for change in self.changed_classes
            ),
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON values, with the indices of every changed image."""
        fields = dataclasses.asdict(self)
        return {
            **fields,
            "verdict": self.verdict,
            "agreement_percent": self.agreement,
            "passed": self.passed,
            "sentences": self.sentences(),
        }


def _verdict(found: Comparison) -> str:
    difference = found.difference
    because = f"p = {difference.p_value:.2g}, exact McNemar"
    if found.verdict != "tied":
        return f"{found.verdict} by {abs(difference.points):.2f} points ({because})"
    if found.least_detectable is None:
        return f"tied: {difference.images:,} images are too few to show any difference ({because})"
    return (
        f"tied ({because}); had it been {_least(found.least_detectable)} points or more, "
        "four of five such samples would have shown it"
    )


def _least(points: float) -> str:
    return f"{math.ceil(100 * points - 1e-9) / 100:.2f}"
