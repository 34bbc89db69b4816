"""Writes the steps of a network as ONNX operators: maps are (n, channels, height, width) there, rows (n, numbers)."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from edgedigits.contract import INPUT_NAME, OUTPUT_NAME
from edgedigits.format_table import Precision
from edgedigits.model_files.map_layers import Margins
from edgedigits.model_files.network_spec import Shape
from edgedigits_export.formats.onnx_builder import GraphBuilder
from edgedigits_export.graph.steps import (
    Array,
    Border,
    Convolution,
    Function,
    GlobalPool,
    Image,
    Joined,
    Pool,
    Product,
    Scale,
    Slopes,
    Step,
    Sum,
    ToMap,
    ToRow,
    shapes_of,
)

CHANNELS_LAST, CHANNELS_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]
"""Orders of a Transpose."""
WEIGHT_MAX = 127
"""The largest integer weight; -128 is left out, so that every weight has its negative."""
MAP_AXES = {0: 2, 1: 3, 2: 1}
"""Of height, width and channels, in a file."""


def add_steps(builder: GraphBuilder, steps: tuple[Step, ...], precision: Precision) -> None:
    """Add all steps of a network.

    Args:
        builder: takes the operators.
        steps: the last gives the probabilities.
        precision: of weights and biases: float32, float16 or dynamic.
    """
    writer = _Writer(builder, steps, shapes_of(steps), [], precision)
    for place, step in enumerate(steps):
        writer.names.append(_WRITTEN[type(step)](writer, step, place))


@dataclass
class _Writer:
    """What has been written."""

    builder: GraphBuilder
    steps: tuple[Step, ...]
    shapes: list[Shape]
    """Of what each step gives, as ``steps`` has them."""
    names: list[str]
    """Of the tensors that the steps so far give."""
    precision: Precision

    def add(self, operator: str, place: int, inputs: list[str], part: str = "", **attributes: Any) -> str:
        """Add an operator of a step; what the last step gives is the graph's output."""
        is_last = place == len(self.steps) - 1 and not part
        name = OUTPUT_NAME if is_last else f"{operator.lower()}_{place}{part}"
        return self.builder.add(operator, inputs, name, **attributes)

    def source(self, step: Step) -> str:
        """Return the tensor that a step takes."""
        return self.names[step.sources[0]]

    def parameter(self, name: str, value: Array) -> str:
        """Add weights or biases."""
        return self.builder.parameter(name, value, half=self.precision == "float16")

    def each(self, name: str, values: Array) -> str:
        """Add numbers for the values of a row or a map."""
        return self.builder.constant(name, np.moveaxis(values, 2, 0) if values.ndim == 3 else values)

    def shaped(self, place: int, inputs: str, shape: Shape, part: str = "") -> str:
        """Add a Reshape with the batch free."""
        target = self.builder.constant(f"shape_{place}{part}", np.array([-1, *shape], np.int64))
        return self.add("Reshape", place, [inputs, target], part)

    def is_flattened_for_products(self, place: int) -> bool:
        """Whether all that takes the row of a step are products: their weights can be put in its order instead."""
        takers = [step for step in self.steps if place in step.sources]
        return bool(takers) and all(isinstance(step, Product) for step in takers)


def _image(to: _Writer, step: Image, place: int) -> str:
    if len(step.given) == 1:
        pixels = to.builder.add("Flatten", [INPUT_NAME], "pixels", axis=1)
    else:
        height, width, channels = step.given
        target = to.builder.constant("shape_0", np.array([-1, channels, height, width], np.int64))
        pixels = to.builder.add("Reshape", [INPUT_NAME, target], "pixels")
    return to.builder.add("Cast", [pixels], "values", to=TensorProto.FLOAT)


def _scale(to: _Writer, step: Scale, place: int) -> str:
    value = to.source(step)
    has_offset = bool(np.any(step.offset))
    if np.any(step.factor != 1):
        factor = to.each(f"factor_{place}", step.factor)
        value = to.add("Mul", place, [value, factor], "_scaled" if has_offset else "")
    if has_offset:
        value = to.add("Add", place, [value, to.each(f"offset_{place}", step.offset)])
    return value


def _product(to: _Writer, step: Product, place: int) -> str:
    kernel = step.kernel
    before = to.steps[step.sources[0]]
    if isinstance(before, ToRow) and _keeps_order(to, before, step.sources[0]):
        height, width, channels = to.shapes[before.sources[0]]
        by_pixel = kernel.reshape(height, width, channels, -1)
        kernel = np.ascontiguousarray(np.moveaxis(by_pixel, 2, 0)).reshape(kernel.shape)
    if to.precision == "dynamic":
        return _integer_sums(to, place, "MatMulInteger", kernel, 1, step.bias)
    parameters = [to.parameter(f"kernel_{place}", kernel), to.parameter(f"bias_{place}", step.bias)]
    return to.add("Gemm", place, [to.source(step), *parameters])


def _keeps_order(to: _Writer, step: ToRow, place: int) -> bool:
    """Whether a map is flattened as the file has it, though its author has channels last."""
    return not step.channels_first and to.is_flattened_for_products(place)


def _to_row(to: _Writer, step: ToRow, place: int) -> str:
    value = to.source(step)
    height, width, channels = to.shapes[step.sources[0]]
    is_moved = channels > 1 and height * width > 1 and not step.channels_first
    if is_moved and not to.is_flattened_for_products(place):
        value = to.add("Transpose", place, [value], "_last", perm=CHANNELS_LAST)
    return to.add("Flatten", place, [value], axis=1)


def _to_map(to: _Writer, step: ToMap, place: int) -> str:
    height, width, channels = step.given
    if step.channels_first or channels == 1 or height * width == 1:
        return to.shaped(place, to.source(step), (channels, height, width))
    shaped = to.shaped(place, to.source(step), step.given, "_last")
    return to.add("Transpose", place, [shaped], perm=CHANNELS_FIRST)


def _pads(margins: Margins) -> list[int]:
    top, bottom, left, right = margins
    return [top, left, bottom, right]


def _convolution(to: _Writer, step: Convolution, place: int) -> str:
    kernel = np.ascontiguousarray(np.transpose(step.kernel, (3, 2, 0, 1)))
    attributes: dict[str, Any] = {
        "kernel_shape": list(kernel.shape[2:]),
        "strides": list(step.strides),
        "dilations": list(step.dilation),
        "group": step.groups,
        "pads": _pads(step.margins),
    }
    if to.precision == "dynamic":
        return _integer_sums(to, place, "ConvInteger", kernel, 0, step.bias, **attributes)
    parameters = [to.parameter(f"kernel_{place}", kernel), to.parameter(f"bias_{place}", step.bias)]
    return to.add("Conv", place, [to.source(step), *parameters], **attributes)


def _integer_sums(
    to: _Writer, place: int, operator: str, kernel: Array, axis: int, bias: Array, **attributes: Any
) -> str:
    """Add a product of int8 weights, a scale for each output, with values whose range is looked up while it runs.

    Args:
        to: takes it.
        place: of the step.
        operator: MatMulInteger or ConvInteger.
        kernel: float32, as the operator takes it.
        axis: of the outputs, in the kernel.
        bias: float32 (outputs,).
        **attributes: of the operator.
    """
    others = tuple(side for side in range(kernel.ndim) if side != axis)
    scales = np.maximum(np.abs(kernel).max(axis=others), np.finfo(np.float32).tiny) / WEIGHT_MAX
    weights = np.rint(kernel / np.expand_dims(scales, others)).astype(np.int8)
    names = [f"{name}_{place}" for name in ("quantized", "scale", "zero_point")]
    to.builder.nodes.append(
        helper.make_node("DynamicQuantizeLinear", [to.source(to.steps[place])], names, name=names[0])
    )
    inputs = [names[0], to.builder.constant(f"weights_{place}", weights), names[2]]
    sums = to.add(operator, place, inputs, "_sums", **attributes)
    values = to.add("Cast", place, [sums], "_floats", to=TensorProto.FLOAT)
    # Channels of a map come before its sides.
    sides = (-1, 1, 1) if axis == 0 else (-1,)
    kept = to.builder.constant(f"weight_scales_{place}", scales.astype(np.float32).reshape(sides))
    factors = to.add("Mul", place, [names[1], kept], "_factors")
    products = to.add("Mul", place, [values, factors], "_products")
    return to.add("Add", place, [products, to.builder.constant(f"bias_{place}", bias.reshape(sides))])


def _pool(to: _Writer, step: Pool, place: int) -> str:
    operator = "MaxPool" if step.kind == "max" else "AveragePool"
    return to.add(
        operator,
        place,
        [to.source(step)],
        kernel_shape=list(step.window),
        strides=list(step.strides),
        pads=_pads(step.margins),
    )


def _global_pool(to: _Writer, step: GlobalPool, place: int) -> str:
    operator = "GlobalMaxPool" if step.kind == "max" else "GlobalAveragePool"
    pooled = to.add(operator, place, [to.source(step)], "_map")
    return to.add("Flatten", place, [pooled], axis=1)


def _border(to: _Writer, step: Border, place: int) -> str:
    value, (top, bottom, left, right) = to.source(step), step.margins
    if any(isinstance(taker, Pool) and place in taker.sources for taker in to.steps):
        # onnxruntime would make a Pad part of the pooling behind it, where margins do not count: other values come out.
        # It leaves alone what cuts off.
        value = _padded(to, place, value, (top, bottom + 1, left, right), "_more")
        top, bottom, left, right = 0, -1, 0, 0
    return _padded(to, place, value, (top, bottom, left, right))


def _padded(to: _Writer, place: int, value: str, margins: Margins, part: str = "") -> str:
    top, left, bottom, right = _pads(margins)
    sides = np.array([0, 0, top, left, 0, 0, bottom, right], np.int64)
    return to.add("Pad", place, [value, to.builder.constant(f"pads_{place}{part}", sides)], part)


def _function(to: _Writer, step: Function, place: int) -> str:
    return _FUNCTIONS[step.name](to, step, place)


def _operator(operator: str, **attributes: Any) -> "_Function":
    return lambda to, step, place: to.add(operator, place, [to.source(step)], **attributes)


def _with_alpha(operator: str) -> "_Function":
    return lambda to, step, place: to.add(operator, place, [to.source(step)], alpha=step.alpha)


def _bounded_relu(to: _Writer, step: Function, place: int) -> str:
    bounds = [
        to.builder.constant(f"{name}_{place}", np.float32(value))
        for name, value in (("least", 0.0), ("most", step.alpha))
    ]
    return to.add("Clip", place, [to.source(step), *bounds])


def _silu(to: _Writer, step: Function, place: int) -> str:
    value = to.source(step)
    return to.add("Mul", place, [value, to.add("Sigmoid", place, [value], "_gate")])


def _gelu(to: _Writer, step: Function, place: int) -> str:
    """``value / 2 * (1 + erf(value / sqrt(2)))``: ONNX has it as one operator from opset 20 on."""
    value = to.source(step)
    root = to.builder.constant(f"root_{place}", np.float32(math.sqrt(2)))
    one = to.builder.constant(f"one_{place}", np.float32(1))
    half = to.builder.constant(f"half_{place}", np.float32(0.5))
    erf = to.add("Erf", place, [to.add("Div", place, [value, root], "_part")], "_erf")
    doubled = to.add("Mul", place, [value, to.add("Add", place, [erf, one], "_one")], "_twice")
    return to.add("Mul", place, [doubled, half])


_Function = Callable[[_Writer, Function, int], str]
_FUNCTIONS: dict[str, _Function] = {
    "elu": _with_alpha("Elu"),
    "gelu": _gelu,
    "hard_sigmoid": _operator("HardSigmoid", alpha=1 / 6, beta=0.5),
    "leaky_relu": _with_alpha("LeakyRelu"),
    "relu": _operator("Relu"),
    "relu6": _bounded_relu,
    "selu": _operator("Selu"),
    "sigmoid": _operator("Sigmoid"),
    "silu": _silu,
    "softmax": _operator("Softmax", axis=-1),
    "tanh": _operator("Tanh"),
}
"""By Keras' name, what adds a function."""


def _slopes(to: _Writer, step: Slopes, place: int) -> str:
    return to.add("PRelu", place, [to.source(step), to.each(f"slopes_{place}", step.slopes)])


def _sum(to: _Writer, step: Sum, place: int) -> str:
    total, *others = (to.names[source] for source in step.sources)
    for count, other in enumerate(others, start=1):
        total = to.add("Add", place, [total, other], "" if count == len(others) else f"_{count}")
    return total


def _joined(to: _Writer, step: Joined, place: int) -> str:
    is_map = len(to.shapes[place]) == 3
    axis = MAP_AXES[step.axis] if is_map else 1
    return to.add("Concat", place, [to.names[source] for source in step.sources], axis=axis)


_WRITTEN: dict[type[Step], Callable[[_Writer, Any, int], str]] = {
    Border: _border,
    Convolution: _convolution,
    Function: _function,
    GlobalPool: _global_pool,
    Image: _image,
    Joined: _joined,
    Pool: _pool,
    Product: _product,
    Scale: _scale,
    Slopes: _slopes,
    Sum: _sum,
    ToMap: _to_map,
    ToRow: _to_row,
}
"""By kind, what adds a step and returns the tensor that it gives."""
