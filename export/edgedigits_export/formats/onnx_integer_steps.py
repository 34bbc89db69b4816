"""Writes a network in integers as ONNX operators between DequantizeLinear and QuantizeLinear, maps with channels first.

onnxruntime makes integer kernels of these: QLinearConv, QGemm, QLinearAdd, ... What only moves values moves bytes here,
and the pixels are taken as they are. Logits stay float, and the softmax with them.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from edgedigits.contract import INPUT_NAME, OUTPUT_NAME
from edgedigits.model_files.map_layers import Margins
from edgedigits.model_files.network_spec import Shape
from edgedigits_export.formats.onnx_builder import GraphBuilder
from edgedigits_export.formats.onnx_steps import CHANNELS_FIRST, CHANNELS_LAST, MAP_AXES
from edgedigits_export.graph.steps import (
    Array,
    Border,
    Function,
    GlobalPool,
    Image,
    Joined,
    Pool,
    Step,
    ToMap,
    ToRow,
    shapes_of,
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


class IntegerWriter:
    """What has been written."""

    def __init__(self, builder: GraphBuilder, graph: IntegerGraph) -> None:
        self.builder, self.steps, self.grids = builder, graph.steps, graph.grids
        self.shapes = shapes_of(graph.steps)
        self.names: list[str] = []
        """Of the tensors of bytes that the steps so far give."""
        self._floats: dict[int, str] = {}
        """By place of a step, the name of its values as floats."""
        self._grids: dict[Grid, list[str]] = {}

    def source(self, step: Step) -> str:
        """Return the bytes that a step takes."""
        return self.names[step.sources[0]]

    def add(self, operator: str, place: int, inputs: list[str], part: str = "", **attributes: Any) -> str:
        """Add an operator of a step."""
        return self.builder.add(operator, inputs, f"{operator.lower()}_{place}{part}", **attributes)

    def _grid(self, grid: Grid) -> list[str]:
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
            inputs = [self.names[place], *self._grid(self.grids[place])]
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
        return self.add("QuantizeLinear", place, [floats, *self._grid(self.grids[place])])

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

    def shaped(self, place: int, inputs: str, shape: Shape, part: str = "") -> str:
        """Add a Reshape with the batch free."""
        target = self.builder.constant(f"shape_{place}{part}", np.array([-1, *shape], np.int64))
        return self.add("Reshape", place, [inputs, target], part)

    def is_flattened_for_products(self, place: int) -> bool:
        """Whether all that takes the row of a step are products: their weights are put in its order instead."""
        takers = [step for step in self.steps if place in step.sources]
        return bool(takers) and all(isinstance(step, IntegerProduct) for step in takers)


def _image(to: IntegerWriter, step: Image, place: int) -> str:
    if len(step.given) == 1:
        return to.builder.add("Flatten", [INPUT_NAME], "pixels", axis=1)
    height, width, channels = step.given
    target = to.builder.constant("shape_0", np.array([-1, channels, height, width], np.int64))
    return to.builder.add("Reshape", [INPUT_NAME, target], "pixels")


def _product(to: IntegerWriter, step: IntegerProduct, place: int) -> str:
    kernel, source = step.kernel, step.sources[0]
    row = to.steps[source]
    if isinstance(row, ToRow) and not row.channels_first and to.is_flattened_for_products(source):
        height, width, channels = to.shapes[row.sources[0]]
        by_pixel = kernel.reshape(height, width, channels, -1)
        kernel = np.moveaxis(by_pixel, 2, 0).reshape(kernel.shape)
    sums = to.add("Gemm", place, [to.floats(source), *to.parameters(step, place, kernel, 1)])
    return to.clamped(place, sums, step.low, step.high)


def _convolution(to: IntegerWriter, step: IntegerConvolution, place: int) -> str:
    kernel = np.transpose(step.kernel, (3, 2, 0, 1))
    sums = to.add(
        "Conv",
        place,
        [to.floats(step.sources[0]), *to.parameters(step, place, kernel, 0)],
        kernel_shape=list(kernel.shape[2:]),
        strides=list(step.strides),
        dilations=list(step.dilation),
        group=step.groups,
        pads=_pads(step.margins),
    )
    return to.clamped(place, sums, step.low, step.high)


def _pads(margins: Margins) -> list[int]:
    top, bottom, left, right = margins
    return [top, left, bottom, right]


def _pool(to: IntegerWriter, step: Pool, place: int) -> str:
    attributes: dict[str, Any] = {
        "kernel_shape": list(step.window),
        "strides": list(step.strides),
        "pads": _pads(step.margins),
    }
    if step.kind == "max":
        return to.add("MaxPool", place, [to.source(step)], **attributes)
    return to.quantized(place, to.add("AveragePool", place, to.taken(step), **attributes))


def _global_pool(to: IntegerWriter, step: GlobalPool, place: int) -> str:
    if step.kind == "max":
        window = list(to.shapes[step.sources[0]][:2])
        pooled = to.add("MaxPool", place, [to.source(step)], kernel_shape=window)
    else:
        pooled = to.quantized(place, to.add("GlobalAveragePool", place, to.taken(step)))
    return to.add("Flatten", place, [pooled], axis=1)


def _border(to: IntegerWriter, step: Border, place: int) -> str:
    value, (top, bottom, left, right) = to.source(step), step.margins
    if any(isinstance(taker, Pool) and place in taker.sources for taker in to.steps):
        # onnxruntime would make a Pad part of the pooling behind it, where margins do not count; it leaves alone what
        # cuts off.
        value = _padded(to, place, value, (top, bottom + 1, left, right), "_more")
        top, bottom, left, right = 0, -1, 0, 0
    return _padded(to, place, value, (top, bottom, left, right))


def _padded(to: IntegerWriter, place: int, value: str, margins: Margins, part: str = "") -> str:
    top, left, bottom, right = _pads(margins)
    ends = np.array([0, 0, top, left, 0, 0, bottom, right], np.int64)
    sides = to.builder.constant(f"pads_{place}{part}", ends)
    zero = to.builder.constant(f"border_{place}{part}", np.uint8(to.grids[place].zero_point))
    return to.add("Pad", place, [value, sides, zero], part)


def _to_row(to: IntegerWriter, step: ToRow, place: int) -> str:
    value = to.source(step)
    height, width, channels = to.shapes[step.sources[0]]
    is_moved = channels > 1 and height * width > 1 and not step.channels_first
    if is_moved and not to.is_flattened_for_products(place):
        value = to.add("Transpose", place, [value], perm=CHANNELS_LAST)
    return to.add("Flatten", place, [value], axis=1)


def _to_map(to: IntegerWriter, step: ToMap, place: int) -> str:
    height, width, channels = step.given
    if step.channels_first or channels == 1 or height * width == 1:
        return to.shaped(place, to.source(step), (channels, height, width))
    return to.add("Transpose", place, [to.shaped(place, to.source(step), step.given)], perm=CHANNELS_FIRST)


def _joined(to: IntegerWriter, step: Joined, place: int) -> str:
    axis = MAP_AXES[step.axis] if len(to.shapes[place]) == 3 else 1
    return to.add("Concat", place, [to.names[source] for source in step.sources], axis=axis)


def _clamped(to: IntegerWriter, step: Clamped, place: int) -> str:
    return to.clamped(place, to.floats(step.sources[0]), 0.0, step.high)


def _sum(to: IntegerWriter, step: ClampedSum, place: int) -> str:
    return to.clamped(place, to.add("Add", place, to.taken(step)), step.low, step.high)


def _plus(to: IntegerWriter, step: Plus, place: int) -> str:
    number = to.builder.constant(f"number_{place}", np.float32(step.number))
    return to.quantized(place, to.add("Add", place, [*to.taken(step), number]))


def _gated(to: IntegerWriter, step: Gated, place: int) -> str:
    return to.quantized(place, to.add("Mul", place, to.taken(step)))


def _slopes(to: IntegerWriter, step: IntegerSlopes, place: int) -> str:
    slopes = step.slopes * np.float32(step.scale)
    kept = np.moveaxis(slopes, 2, 0) if slopes.ndim == 3 else slopes
    constant = to.builder.constant(f"slopes_{place}", kept.astype(np.float32))
    return to.quantized(place, to.add("PRelu", place, [*to.taken(step), constant]))


def _function(to: IntegerWriter, step: Function, place: int) -> str:
    return to.quantized(place, _FUNCTIONS[step.name](to, step, place, to.floats(step.sources[0])))


def _gelu(to: IntegerWriter, _: Function, place: int, value: str) -> str:
    """Add ``value / 2 * (1 + erf(value / sqrt(2)))``: ONNX has it as one operator from opset 20 on."""
    root, one, half = (
        to.builder.constant(f"{name}_{place}", np.float32(number))
        for name, number in (("root", np.sqrt(2)), ("one", 1), ("half", 0.5))
    )
    part = to.add("Erf", place, [to.add("Div", place, [value, root])])
    twice = to.add("Mul", place, [value, to.add("Add", place, [part, one])], "_twice")
    return to.add("Mul", place, [twice, half])


_FUNCTIONS: dict[str, Callable[[IntegerWriter, Function, int, str], str]] = {
    "exp": lambda to, step, place, value: to.add("Exp", place, [value]),
    "gelu": _gelu,
    "leaky_relu": lambda to, step, place, value: to.add("LeakyRelu", place, [value], alpha=step.alpha),
    "sigmoid": lambda to, step, place, value: to.add("Sigmoid", place, [value]),
    "softmax": lambda to, step, place, value: to.add("Softmax", place, [value], axis=-1),
    "tanh": lambda to, step, place, value: to.add("Tanh", place, [value]),
}
"""By Keras' name, what adds a function of floats; that exp ends at 1 is for its grid to do."""


def _requantized(to: IntegerWriter, step: Requantized, place: int) -> str:
    return to.quantized(place, to.floats(step.sources[0]))


_WRITTEN: dict[type[Step], Callable[[IntegerWriter, Any, int], str]] = {
    Border: _border,
    Clamped: _clamped,
    ClampedSum: _sum,
    Function: _function,
    Gated: _gated,
    GlobalPool: _global_pool,
    Image: _image,
    IntegerConvolution: _convolution,
    IntegerProduct: _product,
    IntegerSlopes: _slopes,
    Joined: _joined,
    Plus: _plus,
    Pool: _pool,
    Requantized: _requantized,
    ToMap: _to_map,
    ToRow: _to_row,
}
"""By kind, what adds a step and returns the bytes that it gives."""
