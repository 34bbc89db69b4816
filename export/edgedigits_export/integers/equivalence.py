"""The same network with other numbers: what keeps its answers and makes them lose less when they are rounded.

*Constants.* Weight decay and pruning leave units whose weights are all but nothing, with a bias that is not. Such a
unit is a constant (or, after ReLU, nothing at all), the next layer's bias is trained around it, and a float network
does not mind. Integers do: equalized like any other unit it gives millions of times what the others give, so that one
range for the whole layer leaves nothing for these, and its bias does not fit into 32 bits. Nagel et al. 2019 (Data-Free
Quantization Through Weight Equalization and Bias Correction, section 4.1.3) absorb high biases: relu(x) =
c + relu(x - c) wherever x is at least c. Here c is a bound, not three standard deviations below a mean.
"""

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edgedigits.contract import PIXEL_MAX, PIXELS

FloatArray = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.uint8]
Layer = tuple[npt.NDArray[np.float32] | FloatArray, npt.NDArray[np.float32] | FloatArray]
"""Kernel (inputs, units) and bias (units,) of a Dense layer."""

EQUALIZATION_ROUNDS = 20
SLACK = 4.0
"""How many times the width of what was seen a unit may fall below it and still be told exactly. Units that vary by more
than a fifth of what they give stay as they are."""


def center(layers: Sequence[Layer]) -> list[tuple[FloatArray, FloatArray]]:
    """Take out of the last layer what all classes have in common; the probabilities stay the same."""
    *hidden, (kernel, bias) = [
        (kernel.astype(np.float64), bias.astype(np.float64)) for kernel, bias in layers
    ]
    return [*hidden, (kernel - kernel.mean(axis=1, keepdims=True), bias - bias.mean())]


def absorb_constants(
    layers: Sequence[tuple[FloatArray, FloatArray]], images: Pixels
) -> list[tuple[FloatArray, FloatArray]]:
    """Move what hidden units give to every image into the biases behind them, and silence units that say nothing.

    A unit's constant is the least sum that any image of pixels from 0 to 255 could give, which keeps the function for
    every image; where that is less than half of it, the least sum that was seen, less ``SLACK`` times the width of what
    was seen. A unit is silenced, all of its weights and its bias 0, where no image at all could make it fire, or where
    nobody listens to it.

    Args:
        layers: kernel (inputs, units) and bias (units,) of every Dense layer; the first takes pixels from 0 to 255.
        images: calibration images, uint8 (n, 28, 28).

    Returns:
        Layers of the same shapes; the last one keeps its kernel, but for the rows of silenced units.
    """
    changed = [(kernel.copy(), bias.copy()) for kernel, bias in layers]
    neighbours = list(itertools.pairwise(range(len(changed))))
    values = images.reshape(-1, PIXELS).astype(np.float64)
    highest = np.full(PIXELS, float(PIXEL_MAX))
    for index, following in neighbours:
        kernel, bias = changed[index]
        sums = values @ kernel + bias
        least = highest @ np.minimum(kernel, 0) + bias
        seen = sums.min(axis=0) - SLACK * np.ptp(sums, axis=0)
        constants = np.maximum(np.where(2 * least >= seen, least, seen), 0)
        outgoing, next_bias = changed[following]
        changed[index] = kernel, bias - constants
        changed[following] = outgoing, next_bias + constants @ outgoing
        highest = np.maximum(highest @ np.maximum(kernel, 0) + bias - constants, 0)
        _silence(highest == 0, *changed[index], outgoing)
        values = np.maximum(sums - constants, 0)
    # From the back: who is heard only by units that nobody hears is not heard either.
    for index, following in reversed(neighbours):
        outgoing, _ = changed[following]
        _silence(~outgoing.any(axis=1), *changed[index], outgoing)
    return changed


def equalize(layers: Sequence[tuple[FloatArray, FloatArray]]) -> list[tuple[FloatArray, FloatArray]]:
    """Scale every hidden unit until its incoming and its outgoing weights have the same largest magnitude."""
    equalized = list(layers)
    for _ in range(EQUALIZATION_ROUNDS):
        for index in range(len(equalized) - 1):
            (kernel, bias), (outgoing, next_bias) = equalized[index : index + 2]
            incoming_range, outgoing_range = np.abs(kernel).max(axis=0), np.abs(outgoing).max(axis=1)
            dead = (incoming_range == 0) | (outgoing_range == 0)
            ratio = np.where(dead, 1.0, incoming_range) / np.where(dead, 1.0, outgoing_range)
            factors = np.sqrt(ratio)
            equalized[index] = (kernel / factors, bias / factors)
            equalized[index + 1] = (outgoing * factors[:, np.newaxis], next_bias)
    return equalized


def _silence(
    units: npt.NDArray[np.bool_], kernel: FloatArray, bias: FloatArray, outgoing: FloatArray
) -> None:
    """Set all that belongs to some hidden units to 0, in place."""
    kernel[:, units] = 0
    bias[units] = 0
    outgoing[units] = 0
