"""Biases that make up for what rounding does to the mean of a layer's sums; the last of ``graph_quantization``'s steps.

Where most values of a map are one number, half a step beside the grid, say, all sums of the next layer are off by the
same amount, which no single rounded weight can mend, and a bias can (Nagel et al. 2019, Data-Free Quantization Through
Weight Equalization and Bias Correction, here with images). Steps are gone through in their order, so that each layer
sees what the corrected ones before it give.
"""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from edgedigits_export.graph.steps import Array, Image, Step, shapes_of
from edgedigits_export.integers import graph_floats, graph_kernels
from edgedigits_export.integers.graph_floats import FloatArray, Pixels
from edgedigits_export.integers.graph_steps import Weighted
from edgedigits_export.integers.graph_tables import Int8s
from edgedigits_export.integers.grids import Grid

MOST_IMAGES = 256
"""That a mean is taken of: what rounding does to it varies less between images than the images do."""
MOST_VALUES = 1 << 25
"""Of all steps and images together, five bytes each."""


def corrected_steps(
    steps: tuple[Step, ...], grids: list[Grid], images: Pixels, in_integers: Callable[[int, Step], Step]
) -> list[Step]:
    """Return the steps in integers, their biases corrected.

    Args:
        steps: see ``graph_preparation.prepared``.
        grids: of what each step gives.
        images: calibration images, uint8 (n, 28, 28), of which the first are looked at.
        in_integers: puts a step into integers.

    Raises:
        QuantizationError: int32 cannot hold a bias.
    """
    values = sum(math.prod(shape) for shape in shapes_of(steps))
    pixels = images[: max(1, min(MOST_IMAGES, MOST_VALUES // values))]
    found: list[Step] = []
    floats: list[Array] = []
    wholes: list[Int8s] = []
    for place, step in enumerate(steps):
        taken = [floats[source] for source in step.sources] or [pixels]
        floats.append(graph_floats.step_computed(step, *taken))
        whole = in_integers(place, step)
        if isinstance(step, Weighted):
            shift = _shift(step, whole, taken[0], wholes[step.sources[0]], grids[step.sources[0]])
            whole = in_integers(place, dataclasses.replace(step, bias=step.bias - shift))
        found.append(whole)
        if isinstance(step, Image):
            wholes.append(graph_kernels.entered(step, pixels))
            continue
        sources = tuple(grids[source] for source in step.sources)
        wholes.append(
            graph_kernels.computed(whole, sources, grids[place], *(wholes[source] for source in step.sources))
        )
    return found


def _shift(step: Weighted, whole: Step, taken: Array, given: Int8s, grid: Grid) -> FloatArray:
    """Return by how much the mean of an output's sums is too large, (outputs,)."""
    free = dataclasses.replace(step, low=-math.inf, high=math.inf)
    wanted = graph_floats.step_computed(free, taken).astype(np.float64)
    error = graph_kernels.sums_of(whole, given, grid) - wanted
    return np.asarray(error.mean(axis=tuple(range(error.ndim - 1))))
