"""Convolutions and pooling of NumPy arrays, for floats and for integers that are kept in floats."""

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from edgedigits.model_files.map_layers import Margins, Window
from edgedigits_export.graph.steps import Convolution, Pool

Array = npt.NDArray[Any]

LAID_OUT = 2**24
"""Numbers that are laid out for a product at once: 64 MiB of float32, or one image's."""


def taps(
    values: Array, window: Window, strides: Window, dilation: Window, margins: Margins, fill: float = 0.0
) -> Iterator[Array]:
    """Yield what lies under each place of a window, (n, height, width, channels) of what comes out, row by row.

    Args:
        values: (n, height, width, channels).
        window: height and width.
        strides: of the window.
        dilation: of its places.
        margins: around the map.
        fill: what lies there.
    """
    top, bottom, left, right = margins
    if any(margins):
        sides = ((0, 0), (top, bottom), (left, right), (0, 0))
        values = np.pad(values, sides, constant_values=fill)
    height = (values.shape[1] - (window[0] - 1) * dilation[0] - 1) // strides[0] + 1
    width = (values.shape[2] - (window[1] - 1) * dilation[1] - 1) // strides[1] + 1
    for row in range(window[0]):
        for column in range(window[1]):
            y, x = row * dilation[0], column * dilation[1]
            yield values[
                :,
                y : y + (height - 1) * strides[0] + 1 : strides[0],
                x : x + (width - 1) * strides[1] + 1 : strides[1],
            ]


def patches(step: Convolution, values: Array) -> Array:
    """Return what each place of the result is made of, (n, height, width, groups, places * inputs of a group)."""
    parts = list(taps(values, _window(step), step.strides, step.dilation, step.margins))
    n, height, width, channels = parts[0].shape
    taken = np.empty((n, height, width, step.groups, len(parts), channels // step.groups), values.dtype)
    for index, part in enumerate(parts):
        taken[..., index, :] = part.reshape(n, height, width, step.groups, -1)
    return taken.reshape(n, height, width, step.groups, -1)


def convolved(step: Convolution, values: Array, kernel: Array) -> Array:
    """Return the sums of a convolution without its bias, (n, height, width, outputs).

    Args:
        step: says where the kernel goes.
        values: (n, height, width, channels).
        kernel: as ``Convolution.kernel``, of the dtype of the values.
    """
    groups, outputs = step.groups, kernel.shape[3]
    each = outputs // groups
    if kernel.shape[2] == 1 and each == 1:
        # Depthwise: less to move when the window goes over the map than when all patches are laid out.
        weights = kernel.reshape(-1, outputs)
        parts = taps(values, _window(step), step.strides, step.dilation, step.margins)
        return np.asarray(sum(part * weight for part, weight in zip(parts, weights, strict=True)))
    if groups == 1 and kernel.shape[:2] == (1, 1) and step.strides == (1, 1) and not any(step.margins):
        return np.asarray(values @ kernel[0, 0])
    rows = kernel.reshape(-1, outputs)
    height, width, _ = step.shape(values.shape[1:])
    images = max(1, LAID_OUT // (height * width * len(rows) * groups))
    return np.concatenate(
        [
            _products(patches(step, values[start : start + images]), rows, each)
            for start in range(0, len(values), images)
        ]
    )


def _products(taken: Array, rows: Array, each: int) -> Array:
    """Return the sums of patches, (n, height, width, outputs), of so many outputs of each group."""
    parts = [
        taken[..., group, :] @ rows[:, group * each : (group + 1) * each] for group in range(taken.shape[3])
    ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=3)


def largest(step: Pool, values: Array) -> Array:
    """Return the largest value of each window."""
    lowest = -np.inf if values.dtype.kind == "f" else np.iinfo(values.dtype).min
    parts = taps(values, step.window, step.strides, (1, 1), step.margins, lowest)
    return np.asarray(functools.reduce(np.maximum, parts))


def totals(step: Pool, values: Array) -> tuple[Array, Array]:
    """Return the sum of each window, and of how many values it is: (1, height, width, 1)."""
    count = np.ones((1, *values.shape[1:3], 1), values.dtype)
    sums, counts = (
        sum(taps(array, step.window, step.strides, (1, 1), step.margins)) for array in (values, count)
    )
    return np.asarray(sums), np.asarray(counts)


def _window(step: Convolution) -> Window:
    return step.kernel.shape[0], step.kernel.shape[1]
