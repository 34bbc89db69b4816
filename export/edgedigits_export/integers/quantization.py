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
5. *Ranges* of the activations, by one of ``RANGE_METHODS``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgedigits.contract import PIXELS
from edgedigits_export.integers.equivalence import (
    FloatArray,
    Layer,
    Pixels,
    absorb_constants,
    center,
    equalize,
)
from edgedigits_export.integers.rounding import LEVELS, quantize_biases, round_with_feedback, weight_scales

WEIGHT_BITS = 8
REDUCED_WEIGHT_BITS = 7
"""Two products of a 7-bit weight and a pixel always fit into the 16-bit sums of x86 CPUs without VNNI."""
PERCENTILE = 99.99
INT16_MIN, INT16_MAX = -(2**15), 2**15 - 1


@dataclass(frozen=True)
class Grid:
    """The values that a quantized tensor can take: ``scale * (q - zero_point)`` for q from 0 to 255."""

    scale: float
    zero_point: int

    @classmethod
    def covering(cls, low: float, high: float) -> "Grid":
        """Return the grid from ``low`` (at most 0) to ``high`` (at least 0), moved so that 0 is on it."""
        scale = float(np.float32(max(high - low, 1e-9) / LEVELS))
        return cls(scale, int(np.clip(np.rint(-low / scale), 0, LEVELS)))

    def no_finer_than(self, steps: npt.NDArray[np.float32]) -> "Grid":
        """Return the grid, wider where its steps are finer than those of the sums that are put on it.

        It would not be any better for it, and runtimes refuse to multiply sums by so much.
        """
        return Grid(max(self.scale, float(steps.max())), self.zero_point)

    @property
    def low(self) -> float:
        """The smallest value."""
        return -self.zero_point * self.scale

    @property
    def high(self) -> float:
        """The largest value."""
        return (LEVELS - self.zero_point) * self.scale

    def quantize(self, values: FloatArray) -> FloatArray:
        """Return the nearest q of each value, as float64 whole numbers from 0 to 255."""
        quantized: FloatArray = np.clip(np.rint(values / self.scale) + self.zero_point, 0, LEVELS)
        return quantized

    def round(self, values: FloatArray) -> FloatArray:
        """Return the nearest value on the grid of each value."""
        rounded: FloatArray = (self.quantize(values) - self.zero_point) * self.scale
        return rounded


@dataclass(frozen=True)
class IntegerLayer:
    """A Dense layer in integers."""

    weights: npt.NDArray[np.int8]
    """Shape (inputs, units), symmetric: from -127 to 127, or from -63 to 63 in 7 bits."""
    weight_scales: npt.NDArray[np.float32]
    """Shape (units,); all the same where the layer has one scale."""
    bias: npt.NDArray[np.int32]
    """Shape (units,), in units of input scale * weight scale."""
    input: Grid
    output: Grid
    """Of what the layer gives after ReLU; of the logits for the last one."""

    @property
    def accumulator_scales(self) -> npt.NDArray[np.float32]:
        """What one unit of the int32 sums is worth, shape (units,)."""
        scales: npt.NDArray[np.float32] = np.float32(self.input.scale) * self.weight_scales
        return scales


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
        values = pixels.reshape(-1, PIXELS).astype(np.float64)
        for layer in self.layers:
            products = _saturating_product if saturating else np.matmul
            sums = products(values, layer.weights.astype(np.float64)) + layer.bias
            outputs = sums * layer.accumulator_scales.astype(np.float64)
            values = layer.output.quantize(outputs)
        return self.layers[-1].output.round(outputs) if rounded else outputs

    @property
    def saturating_pairs(self) -> int:
        """How many pairs of neighbouring weights can exceed int16 where two products are added in 16 bits.

        x86 CPUs without VNNI multiply unsigned with signed bytes and add two neighbouring products in 16 bits
        (VPMADDUBSW, Intel 64 and IA-32 Architectures Software Developer's Manual).
        """
        count = 0
        for layer in self.layers:
            weights = _pairs(layer.weights.astype(np.int64))
            highest = LEVELS * np.maximum(weights, 0).sum(axis=1)
            lowest = LEVELS * np.minimum(weights, 0).sum(axis=1)
            count += int(((highest > INT16_MAX) | (lowest < INT16_MIN)).sum())
        return count

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Lowest and highest value of every activation."""
        names = [f"hidden {index}" for index in range(1, len(self.layers))]
        grids = [layer.output for layer in self.layers]
        return {name: (grid.low, grid.high) for name, grid in zip([*names, "logits"], grids, strict=True)}


PIXEL_GRID = Grid(1.0, 0)
"""A pixel is quantized as it is: 1/255 is folded into the first layer's weights."""

RangeMethod = Callable[[FloatArray, bool], Grid]
"""From an activation of the calibration images, and whether it is the logits, to its grid."""


def min_max(values: FloatArray, logits: bool) -> Grid:
    """Cover everything that was seen."""
    return Grid.covering(min(0.0, float(values.min())), max(0.0, float(values.max())))


def percentile(values: FloatArray, logits: bool) -> Grid:
    """Cover all but one value in 10,000 at each end."""
    low, high = np.percentile(values, [100 - PERCENTILE, PERCENTILE])
    return Grid.covering(min(0.0, float(low)), max(0.0, float(high)))


def least_squares(values: FloatArray, logits: bool) -> Grid:
    """Cover what gives the least mean squared error: of the values, or of the probabilities that logits become."""
    everything = min_max(values, logits)
    if logits:
        wanted = softmax(values)
        candidates = [
            Grid.covering(low * everything.low, high * everything.high)
            for low in np.linspace(0.03, 1, 18)
            for high in np.linspace(0.15, 1, 18)
        ]
        errors = [np.square(softmax(grid.round(values)) - wanted).mean() for grid in candidates]
    else:
        candidates = [
            Grid.covering(share * everything.low, share * everything.high)
            for share in np.linspace(0.5, 1, 26)
        ]
        errors = [np.square(grid.round(values) - values).mean() for grid in candidates]
    return candidates[int(np.argmin(errors))]


RANGE_METHODS: dict[str, RangeMethod] = {"min-max": min_max, "percentile": percentile, "mse": least_squares}
"""Ways to choose the range of an activation."""


@dataclass(frozen=True)
class RoundedNetwork:
    """A network with rounded weights whose activations have no ranges yet."""

    weights: tuple[tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]], ...]
    """int8 (inputs, units) and scales (units,) of every layer."""
    biases: tuple[FloatArray, ...]
    activations: tuple[FloatArray, ...]
    """What each layer gives for the calibration images: after ReLU, and the logits."""
    per_channel: bool

    def with_ranges(self, hidden: RangeMethod, logits: RangeMethod) -> IntegerNetwork:
        """Choose the ranges and put the biases into integers.

        Raises:
            QuantizationError: int32 cannot hold a bias, or the sums that are added to it.
        """
        layers = []
        grid = PIXEL_GRID
        last = len(self.weights) - 1
        for index, ((weights, scales), bias, values) in enumerate(
            zip(self.weights, self.biases, self.activations, strict=True)
        ):
            output = logits(values, True) if index == last else hidden(values, False)
            steps = np.float32(grid.scale) * scales
            output = output.no_finer_than(steps)
            layers.append(IntegerLayer(weights, scales, quantize_biases(bias, steps, weights), grid, output))
            grid = output
        return IntegerNetwork(tuple(layers), self.per_channel)


def round_weights(
    layers: Sequence[Layer], images: Pixels, *, per_channel: bool, bits: int = WEIGHT_BITS
) -> RoundedNetwork:
    """Center a network, absorb constants, equalize and round its weights.

    Args:
        layers: kernel and bias of every Dense layer; the first takes pixels from 0 to 255.
        images: calibration images, uint8 (n, 28, 28).
        per_channel: whether every unit gets a weight scale of its own, or one layer one scale.
        bits: of the weights, 8 or 7.
    """
    layers = equalize(absorb_constants(center(layers), images))
    values = images.reshape(-1, PIXELS).astype(np.float64)
    weights, activations = [], []
    grid = PIXEL_GRID
    for index, (kernel, bias) in enumerate(layers):
        largest = 2 ** (bits - 1) - 1
        scales = weight_scales(kernel, bias, grid.scale, per_channel=per_channel, largest=largest)
        weights.append((round_with_feedback(kernel, values, scales, largest), scales))
        values = values @ kernel + bias
        if index < len(layers) - 1:
            values = np.maximum(values, 0)
        activations.append(values)
        grid = min_max(values, False).no_finer_than(np.float32(grid.scale) * scales)
    return RoundedNetwork(tuple(weights), tuple(bias for _, bias in layers), tuple(activations), per_channel)


def softmax(logits: FloatArray) -> FloatArray:
    """Return the probabilities of logits, (n, 10) both."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: FloatArray = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


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


def _saturating_product(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Multiply whole numbers as VPMADDUBSW does: sums of two neighbouring products stop at the limits of int16."""
    sums = values @ weights
    pairs = _pairs(weights.astype(np.int64))
    highest = LEVELS * np.maximum(pairs, 0).sum(axis=1)
    lowest = LEVELS * np.minimum(pairs, 0).sum(axis=1)
    # Few pairs can exceed the limits: only what these lose is computed one by one.
    for pair, unit in zip(*np.nonzero((highest > INT16_MAX) | (lowest < INT16_MIN)), strict=True):
        first = pairs[pair, 0, unit] * values[:, 2 * pair]
        second = pairs[pair, 1, unit] * values[:, 2 * pair + 1]
        total = first + second
        sums[:, unit] += np.clip(total, INT16_MIN, INT16_MAX) - total
    return sums
