"""Plots of training, mistakes and latency, as PNG files.

Figures are made without pyplot: nothing global, no display needed.
"""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

TRAINING, VALIDATION, INK = "#1f6feb", "#d1570a", "#24292f"
DPI = 110


def learning_curves(history: Sequence[dict[str, Any]]) -> bytes:
    """Plot loss and accuracy of training and validation over the epochs.

    Args:
        history: one record per epoch with ``epoch``, ``loss``, ``accuracy``, ``val_loss``, ``val_accuracy``.

    Returns:
        A PNG file.
    """
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    epochs = [record["epoch"] for record in history]
    for axes, key, unit in zip(figure.subplots(1, 2), ("loss", "accuracy"), ("", " (%)"), strict=True):
        scale = 100 if key == "accuracy" else 1
        for prefix, label, colour in (("", "training", TRAINING), ("val_", "validation", VALIDATION)):
            values = [scale * record[prefix + key] for record in history]
            axes.plot(epochs, values, color=colour, label=label, marker="o", markersize=3)
        axes.set(title=key, xlabel="epoch", ylabel=f"{key}{unit}")
        axes.grid(alpha=0.3)
        axes.legend()
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


def trade_off(rows: Sequence[tuple[str, float, float, int]]) -> bytes:
    """Plot accuracy against latency and against size.

    Args:
        rows: name, accuracy in percent, p50 latency in microseconds, size in bytes.

    Returns:
        A PNG file.
    """
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    names = [name for name, *_ in rows]
    accuracies = [accuracy for _, accuracy, _, _ in rows]
    panels = (
        ("one image, p50 (µs, log scale)", [latency for _, _, latency, _ in rows]),
        ("file size (KB, log scale)", [size / 1000 for *_, size in rows]),
    )
    for axes, (label, values) in zip(figure.subplots(1, 2), panels, strict=True):
        for index, (name, value, accuracy) in enumerate(zip(names, values, accuracies, strict=True)):
            axes.scatter(value, accuracy, label=name, color=f"C{index}", zorder=3)
        axes.set_xscale("log")
        axes.set(xlabel=label, ylabel="test accuracy (%)")
        axes.grid(alpha=0.3)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8)
    return _png(figure)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    # Without the version of matplotlib in it the same plot is the same bytes.
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()
