"""The same network with other numbers: what keeps its answers and makes them lose less when they are rounded.

*Constants.* Weight decay and pruning leave units whose weights are all but nothing, with a bias that is not. Such a
unit is a constant (or, after ReLU, nothing at all), the next layer's bias is trained around it, and a float network
does not mind. Integers do: equalized like any other unit it gives millions of times what the others give, so that one
range for the whole layer leaves nothing for these, and its bias does not fit into 32 bits. Nagel et al. 2019 (Data-Free
Quantization Through Weight Equalization and Bias Correction, section 4.1.3) absorb high biases: relu(x) =
c + relu(x - c) wherever x is at least c. Here c is a bound, not three standard deviations below a mean.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgedigits.contract import PIXEL_MAX
from edgedigits.networks.weighted import WeightedDense, WeightedLayer, WeightedNetwork, relu

FloatArray = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.uint8]

EQUALIZATION_ROUNDS = 20
SLACK = 4.0
"""How many times the width of what was seen a unit may fall below it and still be told exactly. Units that vary by more
than a fifth of what they give stay as they are."""


def center(network: WeightedNetwork) -> WeightedNetwork:
    """Take out of the last layer what all classes have in common; the probabilities stay the same.

    Returns:
        A float64 network.
    """
    network = network.astype(np.float64)
    last = network.layers[-1]
    return network.replaced(-1, _CENTERED[type(last)](last))


def absorb_constants(network: WeightedNetwork, images: Pixels) -> WeightedNetwork:
    """Move what hidden units give to every image into the biases behind them, and silence units that say nothing.

    A unit's constant is the least sum that any image of pixels from 0 to 255 could give, which keeps the function for
    every image; where that is less than half of it, the least sum that was seen, less ``SLACK`` times the width of what
    was seen. A unit is silenced, all of its weights and its bias 0, where no image at all could make it fire, or where
    nobody listens to it.

    Args:
        network: in float64; its first layer takes pixels from 0 to 255, hidden layers have ReLU.
        images: calibration images, uint8 (n, 28, 28).

    Returns:
        Layers of the same shapes; the last one keeps its kernel, but for the rows of silenced units.
    """
    layers = list(network.layers)
    values = network.entered(images).astype(np.float64)
    highest = np.full(network.inputs, float(PIXEL_MAX))
    for index in range(len(layers) - 1):
        giver, taker = layers[index : index + 2]
        *changed, values, highest = _tie(giver, taker).absorb(giver, taker, values, highest)
        layers[index : index + 2] = changed
    # From the back: who is heard only by units that nobody hears is not heard either.
    for index in reversed(range(len(layers) - 1)):
        giver, taker = layers[index : index + 2]
        layers[index : index + 2] = _tie(giver, taker).silence_unheard(giver, taker)
    return WeightedNetwork.of(layers)


def equalize(network: WeightedNetwork) -> WeightedNetwork:
    """Scale every hidden unit until its incoming and its outgoing weights have the same largest magnitude.

    Args:
        network: in float64; hidden layers have ReLU.
    """
    layers = list(network.layers)
    for _ in range(EQUALIZATION_ROUNDS):
        for index in range(len(layers) - 1):
            giver, taker = layers[index : index + 2]
            layers[index : index + 2] = _tie(giver, taker).equalize(giver, taker)
    return WeightedNetwork.of(layers)


# --- Dense layers --------------------------------------------------------------------------------------------------


def _centered_dense(layer: WeightedDense) -> WeightedDense:
    kernel, bias = layer.kernel, layer.bias
    return layer.with_arrays(kernel - kernel.mean(axis=1, keepdims=True), bias - bias.mean())


def _absorb_dense(
    giver: WeightedDense, taker: WeightedDense, values: FloatArray, highest: FloatArray
) -> tuple[WeightedDense, WeightedDense, FloatArray, FloatArray]:
    """Absorb the constants of one layer's units into the next one's biases.

    Args:
        giver: the layer whose units these are.
        taker: the next one.
        values: what the calibration images put into the first, (n, inputs).
        highest: what any image can put into it, (inputs,).

    Returns:
        Both layers, and what then goes into the second: seen and highest.
    """
    sums = giver.sums(values)
    least = highest @ np.minimum(giver.kernel, 0) + giver.bias
    seen = sums.min(axis=0) - SLACK * np.ptp(sums, axis=0)
    constants = np.maximum(np.where(2 * least >= seen, least, seen), 0)
    most = np.maximum(highest @ np.maximum(giver.kernel, 0) + giver.bias - constants, 0)
    giver = giver.with_arrays(giver.kernel, giver.bias - constants)
    taker = taker.with_arrays(taker.kernel, taker.bias + constants @ taker.kernel)
    return (*_silenced(most == 0, giver, taker), relu(sums - constants), most)


def _silence_unheard_dense(giver: WeightedDense, taker: WeightedDense) -> tuple[WeightedDense, WeightedDense]:
    return _silenced((taker.kernel == 0).all(axis=1), giver, taker)


def _equalize_dense(giver: WeightedDense, taker: WeightedDense) -> tuple[WeightedDense, WeightedDense]:
    incoming_range, outgoing_range = np.abs(giver.kernel).max(axis=0), np.abs(taker.kernel).max(axis=1)
    dead = (incoming_range == 0) | (outgoing_range == 0)
    factors = np.sqrt(np.where(dead, 1.0, incoming_range) / np.where(dead, 1.0, outgoing_range))
    return (
        giver.with_arrays(giver.kernel / factors, giver.bias / factors),
        taker.with_arrays(taker.kernel * factors[:, np.newaxis], taker.bias),
    )


def _silenced(
    units: npt.NDArray[np.bool_], giver: WeightedDense, taker: WeightedDense
) -> tuple[WeightedDense, WeightedDense]:
    """Set all that belongs to some hidden units to 0."""
    heard = ~units
    return (
        giver.with_arrays(np.where(heard, giver.kernel, 0), np.where(heard, giver.bias, 0)),
        taker.with_arrays(np.where(heard[:, np.newaxis], taker.kernel, 0), taker.bias),
    )


# --- What there is for each kind -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Tie:
    """What can be changed about a layer and the one behind it without changing what both give together."""

    absorb: Callable[[Any, Any, FloatArray, FloatArray], tuple[Any, Any, FloatArray, FloatArray]]
    silence_unheard: Callable[[Any, Any], tuple[Any, Any]]
    equalize: Callable[[Any, Any], tuple[Any, Any]]


_TIES: dict[tuple[type[WeightedLayer], type[WeightedLayer]], _Tie] = {
    (WeightedDense, WeightedDense): _Tie(_absorb_dense, _silence_unheard_dense, _equalize_dense),
}
_CENTERED: dict[type[WeightedLayer], Callable[[Any], WeightedLayer]] = {WeightedDense: _centered_dense}
"""By the kind of the last layer."""


def _tie(giver: WeightedLayer, taker: WeightedLayer) -> _Tie:
    return _TIES[type(giver), type(taker)]
