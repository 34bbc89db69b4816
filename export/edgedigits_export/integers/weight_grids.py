"""Weights that are whole numbers of a step already, as training with few bits leaves them: which, and of what step.

A ``.keras`` file has nothing but float32 kernels; that all of a kernel are small multiples of one number is what says
that it was trained so, for no other training makes it by chance.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgedigits_export.graph.steps import Convolution, Product, Step
from edgedigits_export.integers.rounding import SYMMETRIC_MAX

FloatArray = npt.NDArray[np.float64]

LEAST_WEIGHTS = 32
"""Of a kernel that can say by itself that its weights are on a grid; smaller ones follow their neighbours."""
LEAST_OF_AN_OUTPUT = 4
"""Weights of an output that has a step of its own: fewer are on some grid or other."""
TOLERANCE = 2.0**-13
"""Of a step, by which a weight may be off: float32 rounds twice, 2**-24 of 127 steps each time, and a scaling that is
folded into the weights once more."""


FEW = 64
"""Weights of a kernel that are looked at first."""


@dataclass(frozen=True, eq=False)
class WholeWeights:
    """A kernel as whole numbers times steps."""

    integers: npt.NDArray[np.int8]
    """Of the kernel's shape."""
    steps: FloatArray
    """What 1 is worth, (outputs,): all the same where the layer has one step."""

    @property
    def step(self) -> float | None:
        """The step of the layer; None where each output has its own."""
        return float(self.steps[0]) if np.all(self.steps == self.steps[0]) else None


def whole_weights(kernel: npt.NDArray[np.floating]) -> WholeWeights | None:
    """Return a kernel in whole numbers within 127, the smallest that there are; None where it is not on a grid.

    One step of the whole layer is looked for first, then one of each output.

    Args:
        kernel: the outputs last.
    """
    values = np.asarray(kernel, np.float64).reshape(-1, kernel.shape[-1])
    if (found := _on_a_grid(values)) is not None:
        integers, step = found
        steps = np.full(values.shape[1], step)
    elif len(values) >= LEAST_OF_AN_OUTPUT:
        columns = []
        for column in values.T:
            if (part := _on_a_grid(column)) is None:
                return None
            columns.append(part)
        integers = np.stack([part for part, _ in columns], axis=1)
        steps = np.array([step for _, step in columns])
    else:
        return None
    return WholeWeights(integers.reshape(kernel.shape), steps)


def _on_a_grid(values: FloatArray) -> tuple[npt.NDArray[np.int8], float] | None:
    """Return values as the smallest whole numbers, and what 1 is worth; None where there are none within 127."""
    largest = np.abs(values).max(initial=0.0)
    if largest == 0:
        return np.zeros(values.shape, np.int8), 1.0
    # A few weights tell most numbers of steps to be wrong; all of a large network would take seconds for each.
    few = values.reshape(-1)[:: max(1, values.size // FEW)]
    for most in range(1, SYMMETRIC_MAX + 1):
        if _off_whole(few * (most / largest)) >= TOLERANCE:
            continue
        counted = values * (most / largest)
        whole = np.rint(counted)
        if _off_whole(counted) < TOLERANCE:
            # By least squares, so that no single weight's rounding decides.
            step = float((whole * values).sum() / np.square(whole).sum())
            return whole.astype(np.int8), step
    return None


def _off_whole(counted: FloatArray) -> float:
    """Return how far the one of some numbers that is furthest from a whole number is from it."""
    return float(np.abs(counted - np.rint(counted)).max())


def quantized_weights(steps: tuple[Step, ...]) -> dict[int, WholeWeights] | None:
    """Return the weights of a network whose every kernel is on a grid, by place of the step; None of any other.

    Args:
        steps: folded, or prepared for integers.
    """
    found: dict[int, WholeWeights] = {}
    for place, step in enumerate(steps):
        if not isinstance(step, Product | Convolution):
            continue
        whole = whole_weights(step.kernel)
        if whole is None:
            return None
        found[place] = whole
    can_say = any(weights.integers.size >= LEAST_WEIGHTS for weights in found.values())
    return found if can_say else None
