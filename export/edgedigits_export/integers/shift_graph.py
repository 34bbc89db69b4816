"""Chains of layers with few-bit weights as integers whose sums are brought to their grids by a shift alone.

Relu is positively homogeneous: a layer may give any multiple of what it gave where the next one divides its step by
that. So every hidden step is made a power of two, and every grid that of the sums times a power of two. The last
layer's step takes what is left. Every output is then ``(sum + constant) >> shift``.

Halves would be frequent, and each runtime rounds them its own way. So weights of up to 5 bits are counted in quarters
of their step, and biases are 2 beside a multiple of 4: no sum lies halfway between two outputs, and LiteRT, XNNPACK,
onnxruntime and the C code give the same integers. Logits, to which softmax lets any number be added, are such that what
lies below 0 is below their grid.
"""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgedigits.model_files.map_layers import Window
from edgedigits_export.graph.steps import (
    Border,
    Function,
    GlobalPool,
    Image,
    Pool,
    Step,
    ToMap,
    ToRow,
    shapes_of,
)
from edgedigits_export.integers.graph_floats import FloatArray
from edgedigits_export.integers.graph_kernels import IntegerGraph
from edgedigits_export.integers.graph_steps import (
    SIGMOID_GRID,
    ClampedConvolution,
    ClampedProduct,
    IntegerConvolution,
    IntegerProduct,
    Weighted,
    shares_grid,
)
from edgedigits_export.integers.grids import PIXEL_GRID, Grid, RangeMethod
from edgedigits_export.integers.rounding import quantize_biases
from edgedigits_export.integers.weight_grids import WholeWeights

BIAS_BITS = 16
"""In which biases are kept, in units of a power of two."""
QUARTERS = 4
"""In a step of a weight, of which a file counts."""
MOST_IN_QUARTERS = 16
"""Weight that is: two products of a byte with four times as much fit into the 16 bits of x86 CPUs without VNNI."""
MEAN_WEIGHT = 64
"""Of each pixel of a mean: enough that the kernels' two roundings come to one."""


def is_shiftable(steps: tuple[Step, ...], weights: dict[int, WholeWeights]) -> bool:
    """Whether a network is a chain of layers with a step each and relu between them, and a softmax at the end.

    Args:
        steps: see ``graph_preparation.prepared``.
        weights: by place of the step.
    """
    *layers, last = steps
    chain = all(step.sources in ((), (place - 1,)) for place, step in enumerate(steps))
    places = sorted(weights)
    if not chain or not places or not isinstance(last, Function) or last.name != "softmax":
        return False
    *hidden, logits = (steps[place] for place in places)
    return (
        all(isinstance(step, Image | Weighted) or _keeps_scale(step) for step in layers)
        and all(weights[place].step is not None for place in places)
        and all(isinstance(step, Weighted) and (step.low, step.high) == (0, math.inf) for step in hidden)
        and isinstance(logits, ClampedProduct)
        and logits.low == -math.inf
        and places[-1] == len(steps) - 2
    )


def _keeps_scale(step: Step) -> bool:
    return isinstance(step, Border | Pool | ToRow | ToMap) or (
        isinstance(step, GlobalPool) and step.kind == "max"
    )


def means_as_products(
    steps: tuple[Step, ...], weights: dict[int, WholeWeights]
) -> tuple[tuple[Step, ...], dict[int, WholeWeights]]:
    """Return the network with the mean over a map and the product behind it as one product of the whole map.

    Nothing is rounded in between then.

    Args:
        steps: see ``graph_preparation.prepared``.
        weights: by place of the step.
    """
    shapes = shapes_of(steps)
    changed, wider = list(steps), dict(weights)
    for place, step in enumerate(steps):
        source = step.sources[0] if step.sources else 0
        pool = steps[source]
        takers = sum(source in other.sources for other in steps)
        if not isinstance(step, ClampedProduct) or not isinstance(pool, GlobalPool) or takers != 1:
            continue
        if pool.kind != "average" or place not in weights:
            continue
        height, width, _ = shapes[pool.sources[0]]
        count = height * width
        whole = weights[place]
        changed[source] = ToRow(pool.sources, channels_first=False)
        changed[place] = dataclasses.replace(step, kernel=np.tile(step.kernel, (count, 1)) / count)
        wider[place] = WholeWeights(np.tile(whole.integers, (count, 1)), whole.steps / count)
    return tuple(changed), wider


@dataclass(frozen=True, eq=False)
class ShiftedGraph:
    """A chain of layers with whole weights whose values have no ranges yet; see ``RoundedGraph``."""

    steps: tuple[Step, ...]
    """See ``is_shiftable``."""
    weights: dict[int, WholeWeights]
    """By place of the step."""
    samples: list[FloatArray]
    """See ``graph_floats.Seen``."""

    def with_ranges(self, hidden: RangeMethod, logits: RangeMethod) -> IntegerGraph:
        """Choose shifts such that the ranges fit, and put the biases into integers.

        Raises:
            QuantizationError: int32 cannot hold a bias, or the sums that are added to it.
        """
        factor = 1.0  # by which what the last layer gave is more than in the network of floats
        grids: list[Grid] = []
        found: list[Step] = []
        for place, step in enumerate(self.steps):
            taken = grids[step.sources[0]] if step.sources else PIXEL_GRID
            if not isinstance(step, Weighted):
                grids.append(taken if shares_grid(step) or not step.sources else SIGMOID_GRID)
                found.append(self._as_convolution(place, step))
                continue
            is_last = place == max(self.weights)
            wanted = float(self.weights[place].steps[0]) / factor
            scale = wanted if is_last else 2.0 ** round(math.log2(wanted))
            scale = float(np.float32(scale))
            factor *= scale / float(self.weights[place].steps[0])
            unit = taken.scale * scale
            samples = self.samples[place] * factor
            range_ = logits(samples, True) if is_last else hidden(samples, False)
            shift, grid = _on_shift(range_, unit)
            # What the wider grid of the logits has to spare lies half below and half above.
            lift = -range_.low + (grid.high - (range_.high - range_.low)) / 2 if is_last else 0.0
            bias = step.bias * factor + lift
            found.append(self._in_integers(place, step, bias, unit, scale, shift))
            grids.append(grid)
        return IntegerGraph(tuple(found), tuple(grids))

    def _as_convolution(self, place: int, step: Step) -> Step:
        """Return the mean of squares of pixels side by side as a convolution, and any other step as it is."""
        if not isinstance(step, Pool) or step.kind != "average" or any(step.margins):
            return step
        is_square = step.window == step.strides and step.window[0] == step.window[1]
        is_of_pixels = place < min(self.weights) and shapes_of(self.steps)[place][2] == 1
        return mean_of_pixels(step.sources, step.window) if is_square and is_of_pixels else step

    def _in_integers(
        self, place: int, step: Weighted, bias: FloatArray, unit: float, scale: float, shift: int
    ) -> Step:
        kernel = self.weights[place].integers
        rows = kernel.reshape(-1, kernel.shape[-1])
        most_weight = int(np.abs(rows.astype(np.int64)).max(initial=0))
        parts = QUARTERS if most_weight <= MOST_IN_QUARTERS else 1
        constant = rounding_constant(step, shift, parts)
        wanted = quantize_biases(bias, np.full(rows.shape[1], unit), parts * rows) + np.int64(constant)
        bits = max(0, int(np.abs(wanted).max(initial=0)).bit_length() + 1 - BIAS_BITS)
        # The nearest that 16 bits hold in units of 2**bits; halfway up to a larger one would need a bit more.
        most = 2 ** (BIAS_BITS - 1) - 1
        whole = (np.clip((wanted + (1 << bits >> 1)) >> bits, -most, most) << bits) - constant
        values: dict[str, Any] = {field.name: getattr(step, field.name) for field in dataclasses.fields(step)}
        values |= {"kernel": kernel * np.int8(parts), "bias": (parts * whole + parts // 2).astype(np.int32)}
        values["scales"] = np.full(rows.shape[1], scale / parts, np.float32)
        kind = IntegerProduct if isinstance(step, ClampedProduct) else IntegerConvolution
        return kind(**values)


def _on_shift(wanted: Grid, unit: float) -> tuple[int, Grid]:
    """Return the least shift of sums counted in a unit that is as wide as a grid, and the grid that they come on."""
    shift = max(1, math.ceil(math.log2(wanted.scale / unit) - 1e-9))
    return shift, Grid(unit * 2.0**shift, 0)


def rounding_constant(step: ClampedProduct | ClampedConvolution, shift: int, parts: int) -> int:
    """Return what is added to a sum before it is shifted, to come to what TFLite's kernels make of one above 0.

    FULLY_CONNECTED rounds once, halves up. CONV_2D rounds first to a bit more, and then halves away from 0.

    Args:
        step: whose sum it is.
        shift: to the right, at least 1.
        parts: of a step of a weight that the file counts: ``QUARTERS`` or 1.
    """
    half = 1 << (shift - 1)
    rounds_twice = isinstance(step, ClampedConvolution) and parts == 1 and shift > 1
    return half + 1 if rounds_twice else half


def mean_of_pixels(sources: tuple[int, ...], window: Window) -> IntegerConvolution:
    """Return the mean of squares of pixels as a convolution: every runtime rounds that the same way, halves up."""
    count = window[0] * window[1]
    return IntegerConvolution(
        sources=sources,
        kernel=np.full((*window, 1, 1), MEAN_WEIGHT, np.int8),
        # Half a pixel's: of an odd count there are no halves.
        bias=np.array([0 if count % 2 else MEAN_WEIGHT // 2], np.int32),
        strides=window,
        dilation=(1, 1),
        groups=1,
        margins=(0, 0, 0, 0),
        scales=np.array([1 / (MEAN_WEIGHT * count)], np.float32),
    )
