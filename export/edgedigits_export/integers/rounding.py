"""Weights and biases of one layer to integers."""

import numpy as np
import numpy.typing as npt

from edgedigits.errors import QuantizationError

FloatArray = npt.NDArray[np.float64]

SYMMETRIC_MAX = 127
"""The largest integer weight; -128 is left out, so that every weight has its negative."""
LEVELS = 255
"""Steps between the lowest and the highest uint8."""
DAMPING = 0.01
"""Share of the mean squared input that is added to every input's own: the value of the GPTQ paper."""
INT32_MAX = 2**31 - 1
BIAS_STEPS = 2**24
"""The most that a bias is counted in where its input has the range that was seen: the 128th part of int32, for ranges
that are narrower, and for the sum that is added to it."""
LEAST_SCALE_SHARE = 2.0**-16
"""Of the largest weight scale of a layer. A unit below it cannot change an output that has 8 bits for all units, and
products of scales stay within what runtimes take (XNNPACK: from 2**-32 to below 2**8)."""


def weight_scales(
    kernel: FloatArray, bias: FloatArray, input_scale: float, *, per_channel: bool, largest: int
) -> npt.NDArray[np.float32]:
    """Choose what one step of a weight is worth: the largest weight is ``largest`` steps, but where that is too fine.

    Too fine is a step in which the bias would not fit into its integer, or that is nothing beside those of other
    units; weights that are all but nothing beside either are rounded to nothing.

    Args:
        kernel: (inputs, units).
        bias: (units,), which is counted in steps of ``input_scale`` times these.
        input_scale: what one step of the inputs is worth where their range is the one that was seen.
        per_channel: whether every unit gets a scale of its own.
        largest: the largest integer weight.

    Returns:
        (units,), all positive.
    """
    scales = np.maximum(np.abs(kernel).max(axis=0) / largest, np.abs(bias) / (input_scale * BIAS_STEPS))
    if not per_channel:
        scales = np.full_like(scales, scales.max())
    if not scales.any():
        # Nothing to count: any step will do.
        return np.ones(len(scales), np.float32)
    least = max(LEAST_SCALE_SHARE * scales.max(), float(np.finfo(np.float32).tiny))
    positive: npt.NDArray[np.float32] = np.maximum(scales, least).astype(np.float32)
    return positive


def symmetric(
    values: npt.NDArray[np.float32], axis: int
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Round weights to the nearest of 255 steps, as many below 0 as above, with a scale for each output.

    Args:
        values: float32.
        axis: of the outputs.

    Returns:
        int8 of the same shape, and what a step is worth, float32 (outputs,).
    """
    others = tuple(side for side in range(values.ndim) if side != axis)
    largest = np.abs(values).max(axis=others)
    # Readers of files refuse steps of next to nothing, which an output with weights of 0 would have.
    least = np.float32(max(LEAST_SCALE_SHARE * largest.max(), np.finfo(np.float32).tiny * SYMMETRIC_MAX))
    scales = (np.maximum(largest, least) if largest.any() else np.ones_like(largest)) / np.float32(
        SYMMETRIC_MAX
    )
    return np.rint(values / np.expand_dims(scales, others)).astype(np.int8), scales


def round_with_feedback(
    kernel: FloatArray, values: FloatArray, scales: npt.NDArray[np.float32], largest: int
) -> npt.NDArray[np.int8]:
    """Round a kernel so that the layer's sums, rather than its weights, stay close to what they were.

    Args:
        kernel: (inputs, units).
        values: what goes into the layer for the calibration images, (n, inputs).
        scales: what one step of each unit's weights is worth, (units,).
        largest: the largest integer weight.

    Returns:
        Weights, (inputs, units).
    """
    return round_by_products(kernel, values.T @ values / len(values), scales, largest)


def round_by_products(
    kernel: FloatArray, together: FloatArray, scales: npt.NDArray[np.float32], largest: int
) -> npt.NDArray[np.int8]:
    """Round a kernel as ``round_with_feedback`` does.

    Args:
        kernel: (inputs, units).
        together: mean products of each pair of inputs, (inputs, inputs); is changed.
        scales: what one step of each unit's weights is worth, (units,).
        largest: the largest integer weight.

    Returns:
        Weights, (inputs, units).
    """
    energy = np.diag(together)
    together[np.diag_indices_from(together)] += DAMPING * energy.mean() or 1.0
    # Inputs that matter most come first, as long as there are others left to make up for them.
    order = np.argsort(-energy, kind="stable")
    feedback = np.linalg.cholesky(np.linalg.inv(together[np.ix_(order, order)])).T
    remaining = kernel[order]
    rounded = np.empty(kernel.shape, np.int8)
    for row in range(len(order)):
        whole = np.clip(np.rint(remaining[row] / scales), -largest, largest)
        rounded[order[row]] = whole
        lost = (remaining[row] - whole * scales) / feedback[row, row]
        remaining[row:] -= np.outer(feedback[row, row:], lost)
    return rounded


def quantize_biases(
    bias: FloatArray, steps: npt.NDArray[np.float32], weights: npt.NDArray[np.int8]
) -> npt.NDArray[np.int32]:
    """Count biases in the steps of the sums that they are added to.

    Args:
        bias: (units,).
        steps: what one unit of each sum is worth, (units,).
        weights: int8 (inputs, units); what the largest inputs make of them has to fit beside the bias.

    Returns:
        int32 (units,), each within half a step of its bias.

    Raises:
        QuantizationError: int32 cannot hold a bias and the largest sum beside it.
    """
    room = INT32_MAX - LEVELS * np.abs(weights.astype(np.int64)).sum(axis=0)
    # A step of nothing, or a bias that is no number, fails the comparison as well.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        counted = np.rint(bias / steps.astype(np.float64))
        unfit = np.flatnonzero(~(np.abs(counted) <= room))
    if len(unfit):
        unit = int(unfit[0])
        raise QuantizationError(
            f"expected biases that int32 can hold beside their sums, but unit {unit} of a layer of {len(bias)} needs "
            f"{counted[unit]:.3g} steps of {steps[unit]:.3g} for its bias of {bias[unit]:.3g} ({len(unfit)} such "
            "units); train with weight decay on the biases too, or export with --quantize dynamic, whose biases are "
            "floats"
        )
    return counted.astype(np.int32)
