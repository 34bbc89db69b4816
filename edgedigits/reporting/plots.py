"""Plots of training, mistakes and latency, as PNG files.

Figures are made without pyplot: nothing global, no display needed.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from edgedigits.contract import IMAGE_SIDE
from edgedigits.measuring.metrics import Accuracy

TRAINING, VALIDATION, INK = "#1f6feb", "#d1570a", "#24292f"
MARKERS = "osD^vP*X"
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
    accuracy.set(title="accuracy (%)", xlabel="epoch")
    # The first epochs of a long run would press all that matters into the top of the frame.
    reached = [100 * record[key] for record in history for key in ("accuracy", "val_accuracy")]
    bottom = max(0.0, float(np.percentile(reached, 5)) - 1.0)
    accuracy.set_ylim(bottom, max(reached) + 0.05 * (max(reached) - bottom))
    rates = [record["learning_rate"] for record in history]
    rate.plot(epochs, rates, color=INK, marker=marker, markersize=3)
    rate.set(title="learning rate, end of epoch", xlabel="epoch")
    for axes in (loss, accuracy, rate):
        axes.grid(alpha=0.3)
    return _png(figure)


def first_layer(kernel: npt.NDArray[np.float32], at_most: int = 128) -> bytes:
    """Draw the weights of first-layer units as pictures: red adds to the unit, blue takes away.

    Args:
        kernel: shape (784, units).
        at_most: units to draw; those with the largest weights.

    Returns:
        A PNG file.
    """
    norms = np.linalg.norm(kernel, axis=0)
    strongest = np.argsort(-norms, kind="stable")[:at_most]
    columns = 16
    rows = -(-len(strongest) // columns)
    figure = Figure(figsize=(9, 0.58 * rows + 0.5), layout="constrained")
    figure.suptitle(f"weights of {len(strongest)} of {kernel.shape[1]} first-layer units", fontsize=10)
    for axes in figure.subplots(rows, columns, squeeze=False).flat:
        axes.set_axis_off()
    for axes, unit in zip(figure.axes, strongest, strict=False):
        picture = kernel[:, unit].reshape(IMAGE_SIDE, IMAGE_SIDE)
        reach = float(np.abs(picture).max()) or 1.0
        axes.imshow(picture, cmap="RdBu_r", vmin=-reach, vmax=reach)
    return _png(figure)


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
    return _png(figure)


@dataclass(frozen=True)
class TradeOffPoint:
    """One file in the plot of accuracy against cost."""

    name: str
    accuracy: Accuracy
    p50_microseconds: float
    bytes: int


def trade_off(points: Sequence[TradeOffPoint]) -> bytes:
    """Plot accuracy, with its 95 % interval, against latency and against size.

    Args:
        points: at least one; costs are positive.

    Returns:
        A PNG file.
    """
    figure = Figure(figsize=(9, 4.4 + 0.16 * len(points)), layout="constrained")
    panels: tuple[tuple[str, Callable[[TradeOffPoint], float]], ...] = (
        ("one image, p50 (µs)", lambda point: point.p50_microseconds),
        ("file size (KB)", lambda point: point.bytes / 1000),
    )
    for axes, (label, cost) in zip(figure.subplots(1, 2, sharey=True), panels, strict=True):
        for index, point in enumerate(points):
            accuracy = point.accuracy
            below, above = accuracy.percent - accuracy.low, accuracy.high - accuracy.percent
            # Every file stands where it belongs. Hollow marks that become smaller show those that stand in one place.
            size = 12 - 7 * index / max(1, len(points) - 1)
            axes.errorbar(
                cost(point), accuracy.percent, [[below], [above]], fmt=MARKERS[index % len(MARKERS)],
                color=f"C{index % 10}", label=_trade_off_label(point), fillstyle="none", markersize=size,
                capsize=size / 3, elinewidth=0.6,
            )  # fmt: skip
        axes.set_xscale("log")
        costs = [cost(point) for point in points]
        few_decades = max(costs) < 100 * min(costs)
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few_decades else (1.0,)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set(xlabel=f"{label}, log scale")
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("test accuracy (%), 95 % interval")
    figure.legend(
        *figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8
    )
    return _png(figure)


def _trade_off_label(point: TradeOffPoint) -> str:
    """Name a file with its figures: what stands in one place can still be told apart."""
    costs = f"{point.p50_microseconds:,.1f} µs, {point.bytes / 1000:,.1f} KB"
    return f"{point.name}: {point.accuracy.percent:.2f} %, {costs}"


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    # Without the version of matplotlib in it the same plot is the same bytes.
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()
