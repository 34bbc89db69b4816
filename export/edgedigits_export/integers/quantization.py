"""A float network to integers: int8 weights, uint8 activations, int32 biases. No runtime and no file format in here.

Five steps. The first three keep the float network's function and make it lose less when it is rounded; see
``equivalence``. The fourth is in ``rounding``.

1. *Centering.* Softmax does not see what all classes have in common, so the mean over the classes is taken out of the
   last layer: the same probabilities from logits that need a smaller range.
2. *Absorbing constants*: what a unit says to every image goes into the next layer's bias.
3. *Cross-layer equalization* (Nagel et al. 2019, Data-Free Quantization Through Weight Equalization and Bias
   Correction): ReLU commutes with positive factors, so every hidden unit is scaled until its incoming and its outgoing
   weights have the same range. One scale for a whole layer then suits all of its units.
4. *Rounding with feedback* (Frantar et al. 2023, GPTQ): weights are rounded one input after the other, and what each
   loses is made up for by those still to come, as far as the calibration images say that the two go together.
5. *Ranges* of the activations, by one of ``grids.RANGE_METHODS``.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgedigits.model_files.network_spec import Dense, LayerSpec, Shape
from edgedigits.networks.weighted import ACTIVATIONS, WeightedDense, WeightedLayer, WeightedNetwork
from edgedigits_export.integers.equivalence import FloatArray, Pixels, absorb_constants, center, equalize
from edgedigits_export.integers.grids import PIXEL_GRID, Grid, RangeMethod, min_max
from edgedigits_export.integers.rounding import LEVELS, quantize_biases, round_with_feedback, weight_scales

WEIGHT_BITS = 8
REDUCED_WEIGHT_BITS = 7
"""Two products of a 7-bit weight and a pixel always fit into the 16-bit sums of x86 CPUs without VNNI."""
INT16_MIN, INT16_MAX = -(2**15), 2**15 - 1


@dataclass(frozen=True, eq=False)
class IntegerLayer(ABC):
    """A layer in integers."""

    spec: LayerSpec
    input: Grid
    output: Grid
    """Of what the layer gives after ReLU; of the logits for the last one."""

    @property
    @abstractmethod
    def inputs(self) -> Shape:
        """Shape of what goes in, without the batch."""

    @property
    @abstractmethod
    def activation(self) -> str:
        """What is done to its sums, by Keras' name. ReLU needs no step: the grid of its output begins at 0."""

    @property
    @abstractmethod
    def saturating_pairs(self) -> int:
        """How many pairs of neighbouring weights can exceed int16; see ``IntegerNetwork.saturating_pairs``."""

    @abstractmethod
    def outputs(self, quantized: FloatArray, *, saturating: bool) -> FloatArray:
        """Compute what it gives, not yet on the grid of its output.

        Args:
            quantized: whole numbers from 0 to 255, (n, *inputs).
            saturating: whether sums of two products stop at the limits of int16.
        """


@dataclass(frozen=True, eq=False)
class IntegerDense(IntegerLayer):
    """A Dense layer in integers."""

    spec: Dense
    weights: npt.NDArray[np.int8]
    """Shape (inputs, units), symmetric: from -127 to 127, or from -63 to 63 in 7 bits."""
    weight_scales: npt.NDArray[np.float32]
    """Shape (units,); all the same where the layer has one scale."""
    bias: npt.NDArray[np.int32]
    """Shape (units,), in units of input scale * weight scale."""

    @property
    def inputs(self) -> Shape:
        """One side; see ``IntegerLayer.inputs``."""
        return self.weights.shape[:1]

    @property
    def activation(self) -> str:
        """See ``IntegerLayer.activation``."""
        return self.spec.activation

    @property
    def accumulator_scales(self) -> npt.NDArray[np.float32]:
        """What one unit of the int32 sums is worth, shape (units,)."""
        scales: npt.NDArray[np.float32] = np.float32(self.input.scale) * self.weight_scales
        return scales

    @property
    def saturating_pairs(self) -> int:
        """See ``IntegerLayer.saturating_pairs``."""
        return int(_can_saturate(_pairs(self.weights.astype(np.int64))).sum())

    def outputs(self, quantized: FloatArray, *, saturating: bool) -> FloatArray:
        """Return (n, units); see ``IntegerLayer.outputs``."""
        product = _saturating_product if saturating else np.matmul
        sums = product(quantized, self.weights.astype(np.float64)) + self.bias
        outputs: FloatArray = sums * self.accumulator_scales.astype(np.float64)
        return outputs


@dataclass(frozen=True)
class IntegerNetwork:
    """A whole network in integers."""

    layers: tuple[IntegerLayer, ...]
    per_channel: bool
    """Whether every unit has a weight scale of its own."""

    def logits(
        self, pixels: Pixels, *, rounded: bool = False, saturating: bool = False
    ) -> npt.NDArray[np.float64]:
        """Compute the logits as an integer runtime does.

        Args:
            pixels: (n, 28, 28) uint8.
            rounded: whether the logits are uint8 as well, as in a fully integer file.
            saturating: whether sums of two products stop at the limits of int16, as on x86 CPUs without VNNI.

        Returns:
            (n, 10).
        """
        values = pixels.reshape(len(pixels), *self.layers[0].inputs).astype(np.float64)
        for layer in self.layers:
            outputs = layer.outputs(values, saturating=saturating)
            values = layer.output.quantize(outputs)
        return self.layers[-1].output.round(outputs) if rounded else outputs

    @property
    def saturating_pairs(self) -> int:
        """How many pairs of neighbouring weights can exceed int16 where two products are added in 16 bits.

        x86 CPUs without VNNI multiply unsigned with signed bytes and add two neighbouring products in 16 bits
        (VPMADDUBSW, Intel 64 and IA-32 Architectures Software Developer's Manual).
        """
        return sum(layer.saturating_pairs for layer in self.layers)

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Lowest and highest value of every activation."""
        names = [f"hidden {index}" for index in range(1, len(self.layers))]
        grids = [layer.output for layer in self.layers]
        return {name: (grid.low, grid.high) for name, grid in zip([*names, "logits"], grids, strict=True)}


@dataclass(frozen=True, eq=False)
class RoundedLayer(ABC):
    """A layer with rounded weights whose output has no range yet."""

    spec: LayerSpec
    values: FloatArray
    """What it gives for the calibration images, float: after ReLU, and the logits."""
    weight_scales: npt.NDArray[np.float32]
    """What one step of each unit's weights is worth, (units,)."""

    @abstractmethod
    def on_grids(self, source: Grid, target: Grid) -> IntegerLayer:
        """Put the biases into integers.

        Args:
            source: of what goes in.
            target: of what it gives.

        Raises:
            QuantizationError: int32 cannot hold a bias, or the sums that are added to it.
        """

    def steps(self, source: Grid) -> npt.NDArray[np.float32]:
        """Return what one unit of the int32 sums is worth, (units,), for inputs on a grid."""
        steps: npt.NDArray[np.float32] = np.float32(source.scale) * self.weight_scales
        return steps


@dataclass(frozen=True, eq=False)
class RoundedDense(RoundedLayer):
    """A Dense layer with rounded weights."""

    spec: Dense
    weights: npt.NDArray[np.int8]
    """Shape (inputs, units)."""
    bias: FloatArray
    """Shape (units,)."""

    def on_grids(self, source: Grid, target: Grid) -> IntegerDense:
        """See ``RoundedLayer.on_grids``."""
        bias = quantize_biases(self.bias, self.steps(source), self.weights)
        return IntegerDense(self.spec, source, target, self.weights, self.weight_scales, bias)


@dataclass(frozen=True)
class RoundedNetwork:
    """A network with rounded weights whose activations have no ranges yet."""

    layers: tuple[RoundedLayer, ...]
    per_channel: bool

    def with_ranges(self, hidden: RangeMethod, logits: RangeMethod) -> IntegerNetwork:
        """Choose the ranges and put the biases into integers.

        Raises:
            QuantizationError: int32 cannot hold a bias, or the sums that are added to it.
        """
        layers = []
        grid = PIXEL_GRID
        for layer in self.layers:
            last = layer is self.layers[-1]
            output = logits(layer.values, True) if last else hidden(layer.values, False)
            output = output.no_finer_than(layer.steps(grid))
            layers.append(layer.on_grids(grid, output))
            grid = output
        return IntegerNetwork(tuple(layers), self.per_channel)


def _rounded_dense(
    layer: WeightedDense, values: FloatArray, outputs: FloatArray, grid: Grid, per_channel: bool, largest: int
) -> RoundedDense:
    scales = weight_scales(layer.kernel, layer.bias, grid.scale, per_channel=per_channel, largest=largest)
    weights = round_with_feedback(layer.kernel, values, scales, largest)
    return RoundedDense(layer.spec, outputs, scales, weights, layer.bias)


_ROUNDED: dict[
    type[WeightedLayer], Callable[[Any, FloatArray, FloatArray, Grid, bool, int], RoundedLayer]
] = {WeightedDense: _rounded_dense}
"""By kind, what rounds a layer's weights: of the layer, of what goes in and comes out for the calibration images, of
the grid of what goes in, of whether each unit gets a scale, and of the largest weight."""


def round_weights(
    network: WeightedNetwork, images: Pixels, *, per_channel: bool, bits: int = WEIGHT_BITS
) -> RoundedNetwork:
    """Center a network, absorb constants, equalize and round its weights.

    Args:
        network: its first layer takes pixels from 0 to 255.
        images: calibration images, uint8 (n, 28, 28).
        per_channel: whether every unit gets a weight scale of its own, or one layer one scale.
        bits: of the weights, 8 or 7.
    """
    network = equalize(absorb_constants(center(network), images))
    largest = 2 ** (bits - 1) - 1
    values = network.entered(images).astype(np.float64)
    rounded: list[RoundedLayer] = []
    grid = PIXEL_GRID
    for layer in network.layers:
        outputs = layer.sums(values)
        if layer is not network.layers[-1]:
            outputs = ACTIVATIONS[layer.activation](outputs)
        rounded.append(_ROUNDED[type(layer)](layer, values, outputs, grid, per_channel, largest))
        grid = min_max(outputs, False).no_finer_than(rounded[-1].steps(grid))
        values = outputs
    return RoundedNetwork(tuple(rounded), per_channel)


def divergence(probabilities: FloatArray, logits: FloatArray) -> float:
    """Return how far logits are from probabilities: the mean Kullback-Leibler divergence, in nats.

    Args:
        probabilities: of the float network, (n, 10).
        logits: of the integer network, (n, 10).
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    surprise = np.log(np.maximum(probabilities, np.finfo(np.float64).tiny)) - log_probabilities
    return float((probabilities * surprise).sum(axis=1).mean())


def _pairs(weights: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return neighbouring rows as pairs, shape (pairs, 2, units); an odd last row is paired with zeros."""
    inputs, units = weights.shape
    even = np.zeros((inputs + inputs % 2, units), np.int64)
    even[:inputs] = weights
    return even.reshape(-1, 2, units)


def _can_saturate(pairs: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Return which pairs, (pairs, 2, units), can exceed int16 with some bytes: shape (pairs, units)."""
    highest = LEVELS * np.maximum(pairs, 0).sum(axis=1)
    lowest = LEVELS * np.minimum(pairs, 0).sum(axis=1)
    exceeding: npt.NDArray[np.bool_] = (highest > INT16_MAX) | (lowest < INT16_MIN)
    return exceeding


def _saturating_product(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Multiply whole numbers as VPMADDUBSW does: sums of two neighbouring products stop at the limits of int16."""
    sums = values @ weights
    pairs = _pairs(weights.astype(np.int64))
    # Few pairs can exceed the limits: only what these lose is computed one by one.
    for pair, unit in zip(*np.nonzero(_can_saturate(pairs)), strict=True):
        first = pairs[pair, 0, unit] * values[:, 2 * pair]
        second = pairs[pair, 1, unit] * values[:, 2 * pair + 1]
        total = first + second
        sums[:, unit] += np.clip(total, INT16_MIN, INT16_MAX) - total
    return sums
