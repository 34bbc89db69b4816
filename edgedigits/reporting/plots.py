"""Plots of training, mistakes and budgets, as PNG files.

Figures are made without pyplot: nothing global, no display needed.
"""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgedigits.measuring.metrics import Accuracy
from edgedigits.user_cache import home_for_imports

with home_for_imports():
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter

TRAINING, VALIDATION, INK = "#1f6feb", "#d1570a", "#24292f"
DPI = 110


def learning_curves(history: Sequence[dict[str, Any]]) -> bytes:
    """Plot loss and accuracy of training and validation, and the learning rate, over the epochs.

    Args:
        history: one record per epoch with ``epoch``, ``loss``, ``accuracy``, ``val_loss``, ``val_accuracy`` and
            ``learning_rate``.

    Returns:
        A PNG file.
    """
    figure = Figure(figsize=(12, 3.4), layout="constrained")
    epochs = [record["epoch"] for record in history]
    marker = "o" if len(epochs) <= 30 else ""
    loss, accuracy, rate = figure.subplots(1, 3)
    for axes, key, scale in ((loss, "loss", 1), (accuracy, "accuracy", 100)):
        for prefix, label, colour in (("", "training", TRAINING), ("val_", "validation", VALIDATION)):
            values = [scale * record[prefix + key] for record in history]
            axes.plot(epochs, values, color=colour, label=label, marker=marker, markersize=3)
        axes.legend()
    loss.set(title="loss (log scale)", xlabel="epoch", yscale="log")
    # The first epochs of a long run would press all that matters into the top of the frame.
    reached = [100 * record[key] for record in history for key in ("accuracy", "val_accuracy")]
    bottom = max(0.0, float(np.percentile(reached, 5)) - 1.0)
    cut = f", from {bottom:.1f} on" if min(reached) < bottom else ""
    accuracy.set(title=f"accuracy (%){cut}", xlabel="epoch")
    accuracy.set_ylim(bottom, max(reached) + 0.05 * (max(reached) - bottom))
    rates = [record["learning_rate"] for record in history]
    rate.plot(epochs, rates, color=INK, marker=marker, markersize=3)
    rate.set(title="learning rate, end of epoch", xlabel="epoch")
    for axes in (loss, accuracy, rate):
        axes.grid(alpha=0.3)
    return png(figure)


def first_layer(kernel: npt.NDArray[np.float32], at_most: int = 128) -> bytes:
    """Draw the weights of first-layer units as pictures: red adds to the unit, blue takes away.

    Args:
        kernel: shape (784, units), or of as many pixels as the square window of a convolution has.
        at_most: units to draw; those with the largest weights.

    Returns:
        A PNG file.
    """
    norms = np.linalg.norm(kernel, axis=0)
    strongest = np.argsort(-norms, kind="stable")[:at_most]
    columns, side = 16, math.isqrt(len(kernel))
    gap = max(1, side // 9)
    pitch = side + gap
    rows = -(-len(strongest) // columns)
    figure = Figure(figsize=(9, 0.58 * rows + 0.5), layout="constrained")
    figure.suptitle(f"weights of {len(strongest)} of {kernel.shape[1]} first-layer units", fontsize=10)
    # In one frame: a frame for each unit takes four times as long, 1.2 seconds more for 128 units.
    axes = figure.subplots()
    axes.set_axis_off()
    for place, unit in enumerate(strongest):
        picture = kernel[:, unit].reshape(side, side)
        reach = float(np.abs(picture).max()) or 1.0
        left, top = place % columns * pitch, place // columns * pitch
        # Edges of pixels, as imshow has them: the first pixel is around 0.
        extent = (left - 0.5, left + side - 0.5, top + side - 0.5, top - 0.5)
        axes.imshow(picture, cmap="RdBu_r", vmin=-reach, vmax=reach, extent=extent)
    axes.set(xlim=(-0.5, columns * pitch - gap - 0.5), ylim=(rows * pitch - gap - 0.5, -0.5))
    return png(figure)


def confusion(matrix: npt.NDArray[np.int64], title: str) -> bytes:
    """Plot a confusion matrix; the diagonal is left plain so that the mistakes show.

    Args:
        matrix: shape (10, 10), rows are the truth.
        title: one line.

    Returns:
        A PNG file.
    """
    figure = Figure(figsize=(5.6, 5.2), layout="constrained")
    axes = figure.subplots()
    mistakes = matrix * (1 - np.eye(len(matrix), dtype=np.int64))
    axes.imshow(mistakes, cmap="Oranges", vmax=max(1, int(mistakes.max()) * 1.5))
    for (row, column), count in np.ndenumerate(matrix):
        weight = "bold" if row == column else "normal"
        axes.text(column, row, f"{count}", ha="center", va="center", fontsize=8, color=INK, fontweight=weight)
    ticks = range(len(matrix))
    axes.set(title=title, xlabel="predicted", ylabel="truth", xticks=ticks, yticks=ticks)
    return png(figure)


@dataclass(frozen=True)
class FrontPoint:
    """One network in the plot of accuracy beside flash."""

    label: str
    bytes: int
    accuracy: Accuracy
    epochs: int
    """For which it was trained."""
    is_on_front: bool
    is_tied: bool
    """Not told apart from the network that was chosen."""
    is_chosen: bool


def front(points: Sequence[FrontPoint], flash: int) -> bytes:
    """Plot validation accuracy, with its 95 % interval, over bytes of flash, and the front of those that nothing beats.

    Args:
        points: one or more.
        flash: bytes of the budget.

    Returns:
        A PNG file.

    Raises:
        ValueError: there are no points.
    """
    if not points:
        raise ValueError("expected at least one network to plot, found none")
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    _mark_points(axes, points)
    _draw_front(axes, [point for point in points if point.is_on_front])
    axes.axvline(flash, color=INK, linewidth=0.8, linestyle=":")
    axes.set_title(
        "filled: nothing smaller is as accurate; orange: not told apart from the chosen one (bold); "
        "small: trained for fewer epochs; dotted: the budget",
        fontsize=8,
    )
    axes.set_xlabel("bytes of flash on a Cortex-M0, code and tables included")
    axes.set_ylabel("validation accuracy (%), 95 % interval")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    # Names stand to the left of their points.
    least = min(point.bytes for point in points)
    room = max(flash - least, 0.05 * flash)
    axes.set_xlim(least - 0.7 * room, flash + 0.05 * room)
    axes.margins(y=0.08)
    axes.grid(alpha=0.3)
    return png(figure)


def _mark_points(axes: Axes, points: Sequence[FrontPoint]) -> None:
    longest = max(point.epochs for point in points)
    for point in points:
        colour = VALIDATION if point.is_tied else TRAINING
        percent = point.accuracy.percent
        axes.errorbar(
            [point.bytes],
            [percent],
            [[percent - point.accuracy.low], [point.accuracy.high - percent]],
            fmt="o",
            markersize=7 if point.epochs == longest else 4,
            color=colour,
            markerfacecolor=colour if point.is_on_front else "white",
            capsize=2,
            linewidth=0.8,
        )


def _draw_front(axes: Axes, best: Sequence[FrontPoint]) -> None:
    """Join the points of the front, and name them."""
    ordered = sorted(best, key=lambda point: point.bytes)
    percents = [point.accuracy.percent for point in ordered]
    sizes = [point.bytes for point in ordered]
    axes.plot(sizes, percents, color=INK, linewidth=0.8, drawstyle="steps-post")
    for point, size, percent in zip(ordered, sizes, percents, strict=True):
        axes.annotate(
            point.label,
            (size, percent),
            xytext=(-5, 5),
            textcoords="offset points",
            ha="right",
            fontsize=6,
            fontweight="bold" if point.is_chosen else "normal",
        )


def png(figure: Figure) -> bytes:
    """Return a figure as a PNG file; the same figure is the same bytes."""
    buffer = io.BytesIO()
    # Without the version of matplotlib in it the same plot is the same bytes.
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()
