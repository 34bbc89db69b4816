"""Writes a network in integers as ONNX operators between DequantizeLinear and QuantizeLinear, maps with channels first.

onnxruntime makes integer kernels of these: QLinearConv, QGemm, QLinearAdd, ... What only moves values moves bytes here,
and the pixels are taken as they are. Logits stay float, and the softmax with them.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from edgedigits.contract import OUTPUT_NAME
from edgedigits_export.formats.onnx_builder import GraphBuilder
from edgedigits_export.formats.onnx_column_blocks import column_blocks
from edgedigits_export.formats.onnx_writer import (
    CHANNELS_FIRST,
    CHANNELS_LAST,
    FUNCTIONS,
    MOVED,
    OnnxWriter,
    convolution_attributes,
    image_pixels,
    pool_attributes,
)
from edgedigits_export.graph.steps import (
    Array,
    Function,
    GlobalPool,
    Image,
    Pool,
    Step,
)
from edgedigits_export.integers.graph_kernels import IntegerGraph
from edgedigits_export.integers.graph_steps import (
    SIGN,
    Clamped,
    ClampedSum,
    Gated,
    IntegerConvolution,
    IntegerProduct,
    IntegerSlopes,
    Plus,
    Requantized,
)
from edgedigits_export.integers.graph_tables import bounds
from edgedigits_export.integers.grids import Grid
from edgedigits_export.integers.rounding import LEVELS


def add_integer_steps(builder: GraphBuilder, graph: IntegerGraph) -> None:
    """Add all steps of a network in integers.

    Args:
        builder: takes the operators.
        graph: the network.
    """
    writer = IntegerWriter(builder, graph)
    for place, step in enumerate(graph.steps[:-1]):
        writer.names.append(_WRITTEN[type(step)](writer, step, place))
    last = graph.steps[-1]
    attributes = {"axis": -1} if isinstance(last, Function) and last.name == "softmax" else {}
    operator = "Softmax" if attributes else "Sigmoid"
    builder.add(operator, [writer.floats(last.sources[0])], OUTPUT_NAME, **attributes)


class IntegerWriter(OnnxWriter):
    """What has been written of integers; ``names`` are of tensors of bytes."""

    def __init__(self, builder: GraphBuilder, graph: IntegerGraph) -> None:
        super().__init__(builder, graph.steps)
        self.grids = graph.grids
        self._floats: dict[int, str] = {}
        """By place of a step, the name of its values as floats."""
        self._grids: dict[Grid, list[str]] = {}
        self.surplus: dict[int, int] = {}
        """By place of a step, how many columns its map has behind those that count."""

    def around(self, place: int, part: str) -> list[str]:
        """See ``OnnxWriter.around``."""
        return [self.builder.constant(f"border_{place}{part}", np.uint8(self.grids[place].zero_point))]

    def grid(self, grid: Grid) -> list[str]:
        """Return the constants of a grid, scale and zero point."""
        if grid not in self._grids:
            index = len(self._grids)
            self._grids[grid] = [
                self.builder.constant(f"scale_{index}", np.float32(grid.scale)),
                self.builder.constant(f"zero_{index}", np.uint8(grid.zero_point)),
            ]
        return self._grids[grid]

    def floats(self, place: int) -> str:
        """Return what a step gives as floats."""
        if place not in self._floats:
            inputs = [self.names[place], *self.grid(self.grids[place])]
            self._floats[place] = self.add("DequantizeLinear", place, inputs)
        return self._floats[place]

    def taken(self, step: Step) -> list[str]:
        """Return all that a step takes, as floats."""
        return [self.floats(source) for source in step.sources]

    def quantized(self, place: int, floats: str) -> str:
        """Put floats on the grid of a step; logits stay what they are."""
        logits = self.steps[-1].sources[0]
        takers = sum(step.sources.count(place) for step in self.steps)
        if place == logits and takers == 1 and isinstance(self.steps[place], IntegerProduct):
            self._floats[place] = floats
            return floats
        return self.add("QuantizeLinear", place, [floats, *self.grid(self.grids[place])])

    def is_only_pooled(self, place: int) -> bool:
        """Whether all that takes a map are poolings without margins, behind which less has to be cut off."""
        takers = [step for step in self.steps if place in step.sources]
        return all(isinstance(taker, Pool) and not any(taker.margins) for taker in takers)

    def clamped(self, place: int, floats: str, low: float, high: float) -> str:
        """Keep values within bounds and put them on the grid of their step."""
        if low != 0:
            return self.quantized(place, floats)
        grid = self.grids[place]
        least, most = grid.zero_point, bounds(low, high, grid)[1] + SIGN
        if (least, most) == (0, LEVELS):
            # The ends of the grid do it, and onnxruntime takes out what is there for others to read.
            return self.quantized(place, self.add("Relu", place, [floats]))
        # Between sums and their bytes it would keep onnxruntime from its integer kernels.
        ends = [
            self.builder.constant(f"{name}_{place}", np.uint8(value))
            for name, value in (("least", least), ("most", most))
        ]
        return self.add("Clip", place, [self.quantized(place, floats), *ends])

    def parameters(self, step: Any, place: int, kernel: Array, axis: int) -> list[str]:
        """Add weights and biases as floats that they are made into.

        Args:
            step: that has them.
            place: of the step.
            kernel: int8, as the operator takes it.
            axis: of the outputs, in the kernel.
        """
        one_scale = bool(np.all(step.scales == step.scales[0]))
        sums = np.float32(self.grids[step.sources[0]].scale) * step.scales
        names = []
        for name, values, scales, along in (
            (f"kernel_{place}", np.ascontiguousarray(kernel), step.scales, axis),
            (f"bias_{place}", step.bias, sums, 0),
        ):
            # onnxruntime fuses only where every zero point is written out, though 0 is the default.
            kept = scales[0] if one_scale else scales
            inputs = [
                self.builder.constant(f"{name}_q", values),
                self.builder.constant(f"{name}_scale", kept),
                self.builder.constant(f"{name}_zero", np.zeros(np.shape(kept), values.dtype)),
            ]
            attributes = {} if one_scale else {"axis": along}
            names.append(self.builder.add("DequantizeLinear", inputs, name, **attributes))
        return names


def _image(to: IntegerWriter, step: Image, place: int) -> str:
    return image_pixels(to, step)


def _product(to: IntegerWriter, step: IntegerProduct, place: int) -> str:
    inputs = [*to.taken(step), *to.parameters(step, place, to.kernel_in_order(step), 1)]
    return to.clamped(place, to.add("Gemm", place, inputs), step.low, step.high)


def _convolution(to: IntegerWriter, step: IntegerConvolution, place: int) -> str:
    given, made = to.shapes[step.sources[0]], to.shapes[place]
    blocks = column_blocks(step, given, made)
    if blocks is None:
        return _convolved(to, step, place, to.floats(step.sources[0]))
    value = to.source(step)
    if any(blocks.margins):
        zero = to.around(step.sources[0], f"_{place}")
        value = to.padded(place, value, (0, 0, *blocks.margins), zero, "_margins")
    places = (given[1] + sum(blocks.margins)) // blocks.block
    value = to.shaped(place, value, (given[0], places, blocks.block), "_blocks")
    value = to.add("Transpose", place, [value], "_blocks", perm=CHANNELS_FIRST)
    floats = to.add("DequantizeLinear", place, [value, *to.grid(to.grids[step.sources[0]])], "_blocks")
    value = _convolved(to, blocks.step, place, floats)
    value = to.add("Transpose", place, [value], "_last", perm=CHANNELS_LAST)
    value = to.shaped(place, value, (made[0], blocks.width, made[2]), "_columns")
    surplus = blocks.width - made[1]
    if surplus and to.is_only_pooled(place):
        to.surplus[place] = surplus
    elif surplus:
        value = to.padded(place, value, (0, -surplus, 0, 0), to.around(place, ""), "_surplus")
    return to.add("Transpose", place, [value], "_first", perm=CHANNELS_FIRST)


def _convolved(to: IntegerWriter, step: IntegerConvolution, place: int, floats: str) -> str:
    parameters = to.parameters(step, place, np.transpose(step.kernel, (3, 2, 0, 1)), 0)
    sums = to.add("Conv", place, [floats, *parameters], **convolution_attributes(step))
    return to.clamped(place, sums, step.low, step.high)


def _pool(to: IntegerWriter, step: Pool, place: int) -> str:
    if step.kind == "max":
        value = to.add("MaxPool", place, [to.source(step)], **pool_attributes(step))
    else:
        value = to.quantized(place, to.add("AveragePool", place, to.taken(step), **pool_attributes(step)))
    if surplus := to.surplus.get(step.sources[0]):
        width = to.shapes[step.sources[0]][1] + surplus
        beyond = (width - step.window[1]) // step.strides[1] + 1 - to.shapes[place][1]
        if beyond:
            value = to.padded(place, value, (0, 0, 0, -beyond), to.around(place, ""), "_surplus")
    return value


def _global_pool(to: IntegerWriter, step: GlobalPool, place: int) -> str:
    if step.kind == "max":
        window = list(to.shapes[step.sources[0]][:2])
        pooled = to.add("MaxPool", place, [to.source(step)], kernel_shape=window)
    else:
        pooled = to.quantized(place, to.add("GlobalAveragePool", place, to.taken(step)))
    return to.add("Flatten", place, [pooled], axis=1)


def _clamped(to: IntegerWriter, step: Clamped, place: int) -> str:
    return to.clamped(place, to.floats(step.sources[0]), 0.0, step.high)


def _sum(to: IntegerWriter, step: ClampedSum, place: int) -> str:
    return to.clamped(place, to.add("Add", place, to.taken(step)), step.low, step.high)


def _plus(to: IntegerWriter, step: Plus, place: int) -> str:
    number = to.number("number", place, step.number)
    return to.quantized(place, to.add("Add", place, [*to.taken(step), number]))


def _gated(to: IntegerWriter, step: Gated, place: int) -> str:
    return to.quantized(place, to.add("Mul", place, to.taken(step)))


def _slopes(to: IntegerWriter, step: IntegerSlopes, place: int) -> str:
    slopes = to.each(f"slopes_{place}", (step.slopes * np.float32(step.scale)).astype(np.float32))
    return to.quantized(place, to.add("PRelu", place, [*to.taken(step), slopes]))


def _function(to: IntegerWriter, step: Function, place: int) -> str:
    """Add a function of floats; that exp ends at 1 is for its grid to do."""
    return to.quantized(place, FUNCTIONS[step.name](to, step, place, to.floats(step.sources[0])))


def _requantized(to: IntegerWriter, step: Requantized, place: int) -> str:
    return to.quantized(place, to.floats(step.sources[0]))


_WRITTEN: dict[type[Step], Callable[[IntegerWriter, Any, int], str]] = {
    **MOVED,
    Clamped: _clamped,
    ClampedSum: _sum,
    Function: _function,
    Gated: _gated,
    GlobalPool: _global_pool,
    Image: _image,
    IntegerConvolution: _convolution,
    IntegerProduct: _product,
    IntegerSlopes: _slopes,
    Plus: _plus,
    Pool: _pool,
    Requantized: _requantized,
}
"""By kind, what adds a step and returns the bytes that it gives."""
