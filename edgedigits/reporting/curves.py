"""The course of a training run as lines, from its history."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from edgedigits.artifacts.forms import check_form
from edgedigits.file_names import sidecar_name
from edgedigits.files import read_inside
from edgedigits.reporting.panels import log_steps, steps

WIDTH, HEIGHT = 360, 230
LEFT, RIGHT, TOP, BOTTOM = 52, 8, 8, 30
"""Units of a picture, which are pixels where it is as wide as a phone."""
MOST_POINTS = 240
LEAST_RANGE = 1e-9
"""Of values that are drawn: lines of less are flat, or no measurements."""
LARGEST_HISTORY = 32 << 20
"""Bytes: 1,500 epochs have a hundredth."""


class EpochRecord(TypedDict):
    """What ``history.json`` keeps of an epoch."""

    epoch: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    learning_rate: float


@dataclass(frozen=True)
class Mark:
    """A tick: where it is in the picture, and what it says."""

    at: float
    text: str


@dataclass(frozen=True)
class Line:
    """One series: its name, and its points as SVG has them."""

    name: str
    points: str


@dataclass(frozen=True)
class Curve:
    """A picture of lines over the epochs."""

    title: str
    lines: tuple[Line, ...]
    across: tuple[Mark, ...]
    up: tuple[Mark, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    bottom: int = HEIGHT - BOTTOM


def read_history(folder: Path, name: str) -> list[EpochRecord]:
    """Return the epochs of a run.

    Args:
        folder: where the network's files are.
        name: of the network.

    Raises:
        OSError: there is no history, or none that may be read.
        ValueError: it has another form.
    """
    try:
        history = json.loads(read_inside(folder, sidecar_name(name, "history.json"), LARGEST_HISTORY))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    check_form(history, list[EpochRecord], "history")
    epochs: list[EpochRecord] = history
    return epochs


def draw_curves(history: Sequence[EpochRecord]) -> tuple[Curve, ...]:
    """Draw loss, accuracy and learning rate over the epochs; none of fewer than two epochs.

    Args:
        history: in any order of the epochs.
    """
    shown = sorted(history, key=lambda record: record["epoch"])
    # All of 1,500 epochs in 300 pixels are no more to be seen than each seventh; the last one is the result.
    every = max(1, -(-len(shown) // MOST_POINTS))
    shown = [*shown[:-1:every], *shown[-1:]]
    if len({record["epoch"] for record in shown}) < 2:
        return ()
    epochs = [float(record["epoch"]) for record in shown]
    series = {
        "loss": {
            "training": [record["loss"] for record in shown],
            "validation": [record["val_loss"] for record in shown],
        },
        "accuracy, %": {
            "training": [100 * record["accuracy"] for record in shown],
            "validation": [100 * record["val_accuracy"] for record in shown],
        },
        "learning rate, at the end of an epoch": {
            "learning rate": [record["learning_rate"] for record in shown]
        },
    }
    curves = [_curve(title, epochs, values) for title, values in series.items()]
    return tuple(curve for curve in curves if curve is not None)


def _curve(title: str, epochs: Sequence[float], series: dict[str, list[float]]) -> Curve | None:
    reached = [value for values in series.values() for value in values]
    low, high = min(reached), max(reached)
    if not LEAST_RANGE < high - low < math.inf:
        return None
    if title.startswith("accuracy"):
        # The first epochs of a long run would press all that matters into the top of the frame.
        low = max(low, sorted(reached)[len(reached) // 20] - 1.0)
    is_log = title == "loss" and low > 0
    (left, right), (bottom, top) = (epochs[0], epochs[-1]), (low, high)

    def across(epoch: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (epoch - left) / (right - left), 1)

    def up(value: float) -> float:
        ends = [math.log(each) if is_log else each for each in (bottom, top, max(value, bottom))]
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (ends[2] - ends[0]) / (ends[1] - ends[0]), 1)

    lines = [
        Line(name, " ".join(f"{across(x)},{up(y)}" for x, y in zip(epochs, values, strict=True)))
        for name, values in series.items()
    ]
    values = log_steps(bottom, top) if is_log else steps(bottom, top)
    if is_log:
        title += ", log scale"
    elif low > min(reached):
        title += f", from {low:.1f} on"
    return Curve(
        title,
        tuple(lines),
        tuple(Mark(across(epoch), f"{epoch:,.0f}") for epoch in steps(left, right) if epoch == int(epoch)),
        tuple(Mark(up(value), f"{value:.4g}") for value in values),
    )
