"""Writes the steps of a network as TFLite operators on floats: maps are (n, height, width, channels), rows (n, numbers).

Weights are kept as float32, as float16 that is widened when the file is opened, or as int8 with a scale for each
output ("dynamic": the kernels quantize what comes in, too).

Versions of operators: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/tools/versioning/op_version.cc.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgedigits.contract import IMAGE_SIDE, INPUT_NAME, OUTPUT_NAME
from edgedigits.format_table import Precision
from edgedigits.model_files.map_layers import Margins, Window
from edgedigits.model_files.network_spec import Shape
from edgedigits_export.formats.tflite_builder import TfliteBuilder
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

LEAST_DYNAMIC = 1_024
"""Weights of a layer from which on a dynamic file keeps integers; smaller layers gain nothing, as in TensorFlow's."""
CHANNELS_FIRST, CHANNELS_LAST = (0, 3, 1, 2), (0, 2, 3, 1)
"""Orders of a TRANSPOSE."""
FUSED = {"relu": schema.ActivationFunctionType.RELU, "relu6": schema.ActivationFunctionType.RELU6}
"""By Keras' name, functions that a layer's operator does itself."""
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805
"""Klambauer et al. 2017, Self-Normalizing Neural Networks."""


def steps_to_tflite(steps: tuple[Step, ...], precision: Precision) -> bytes:
    """Return a flatbuffer without metadata, uint8 pixels in and float32 probabilities out.

    Args:
        steps: the last gives the probabilities.
        precision: of weights and biases: float32, float16 or dynamic.
    """
    builder = TfliteBuilder()
    image = builder.computed(INPUT_NAME, (IMAGE_SIDE, IMAGE_SIDE), "uint8")
    writer = _Writer(builder, steps, shapes_of(steps), precision, image)
    for place, step in enumerate(steps):
        writer.tensors.append(_WRITTEN[type(step)](writer, step, place))
    return builder.model(image, writer.tensors[-1])


class _Writer:
    """What has been written."""

    def __init__(
        self, builder: TfliteBuilder, steps: tuple[Step, ...], shapes: list[Shape], precision: Precision, image: int
    ) -> None:
        self.builder, self.steps, self.shapes, self.precision, self.image = builder, steps, shapes, precision, image
        self.tensors: list[int] = []
        """That the steps so far give."""

    def takers(self, place: int) -> list[int]:
        """Return the places of the steps that take what a step gives."""
        return [taker for taker, step in enumerate(self.steps) if place in step.sources]

    def source(self, step: Step) -> int:
        """Return the tensor that a step takes."""
        return self.tensors[step.sources[0]]

    def add(
        self, operator: str, place: int, inputs: list[int], options: Any = None, version: int = 1,
        *, part: str = "", shape: Shape | None = None,
    ) -> int:  # fmt: skip
        """Add an operator of a step; ``part`` and ``shape`` are of one that is not its last."""
        is_last = not part and place == self.end
        name = OUTPUT_NAME if is_last else f"{operator.lower()}_{place}{part}"
        shape = self.shapes[place] if shape is None else shape
        return self.builder.add(operator, inputs, self.builder.computed(name, shape), options, version)

    @property
    def end(self) -> int:
        """Place of the step that gives the probabilities."""
        return len(self.steps) - 1

    def fused_activation(self, place: int) -> int:
        """Return what an operator does to its sums: the function of the only step that takes them, where it can."""
        takers = self.takers(place)
        if len(takers) == 1 and is_fused(self.steps[takers[0]]):
            return int(FUSED[self.steps[takers[0]].name])  # type: ignore[attr-defined]
        return int(schema.ActivationFunctionType.NONE)

    def weights(self, name: str, values: Array, axis: int) -> tuple[int, int]:
        """Add weights, and return their tensor and whether it is of integers.

        Args:
            name: of the tensor.
            values: float32.
            axis: of the outputs.
        """
        if self.precision != "dynamic" or values.size < LEAST_DYNAMIC:
            return self.floats(name, values), False
        others = tuple(side for side in range(values.ndim) if side != axis)
        scales = np.maximum(np.abs(values).max(axis=others), np.finfo(np.float32).tiny * 127) / np.float32(127)
        steps = np.expand_dims(scales, others)
        whole = np.clip(np.rint(values / steps), -127, 127).astype(np.int8)
        return self.builder.constant(name, whole, scales, axis), True

    def floats(self, name: str, values: Array) -> int:
        """Add weights or biases as floats, halves widened in a float16 file."""
        if self.precision != "float16":
            return self.builder.constant(name, values)
        half = self.builder.constant(f"{name}_half", values.astype(np.float16))
        return self.builder.add("DEQUANTIZE", [half], self.builder.widened(name, values.shape), version=3)

    def number(self, name: str, value: float) -> int:
        """Add one number."""
        return self.builder.constant(name, np.array([value], np.float32))

    def reshaped(self, place: int, tensor: int, shape: Shape, part: str = "") -> int:
        """Add a RESHAPE with the batch free."""
        target = np.array([-1, *shape], np.int32)
        options = schema.ReshapeOptionsT()
        options.newShape = target
        sides = self.builder.constant(f"shape_{place}{part}", target)
        return self.add("RESHAPE", place, [tensor, sides], options, part=part, shape=shape)

    def moved(self, place: int, tensor: int, order: tuple[int, ...], shape: Shape, part: str = "") -> int:
        """Add a TRANSPOSE."""
        sides = self.builder.constant(f"order_{place}{part}", np.array(order, np.int32))
        return self.add(
            "TRANSPOSE", place, [tensor, sides], schema.TransposeOptionsT(), part=part, shape=shape
        )


def is_fused(step: Step) -> bool:
    """Whether a step is a function that the operator before it may do."""
    return isinstance(step, Function) and (step.name == "relu" or (step.name == "relu6" and step.alpha == 6))


def _image(to: _Writer, step: Image, place: int) -> int:
    options = schema.CastOptionsT()
    options.inDataType, options.outDataType = schema.TensorType.UINT8, schema.TensorType.FLOAT32
    is_picture = step.given == (IMAGE_SIDE, IMAGE_SIDE)
    values = to.add(
        "CAST", place, [to.image], options, part="" if is_picture else "_values", shape=(IMAGE_SIDE, IMAGE_SIDE)
    )
    return values if is_picture else to.reshaped(place, values, step.given)


def _scale(to: _Writer, step: Scale, place: int) -> int:
    value = to.source(step)
    has_offset, shape = bool(np.any(step.offset)), to.shapes[place]
    if np.any(step.factor != 1):
        factor = to.builder.constant(f"factor_{place}", np.atleast_1d(step.factor))
        part = "_scaled" if has_offset else ""
        value = to.add("MUL", place, [value, factor], schema.MulOptionsT(), part=part, shape=shape)
    if has_offset:
        offset = to.builder.constant(f"offset_{place}", np.atleast_1d(step.offset))
        options = schema.AddOptionsT()
        options.fusedActivationFunction = to.fused_activation(place)
        value = to.add("ADD", place, [value, offset], options)
    return value


def _product(to: _Writer, step: Product, place: int) -> int:
    kernel = step.kernel
    before = to.steps[step.sources[0]]
    if isinstance(before, ToRow) and _keeps_order(to, before, step.sources[0]):
        height, width, channels = to.shapes[before.sources[0]]
        by_channel = kernel.reshape(channels, height, width, -1)
        kernel = np.moveaxis(by_channel, 0, 2).reshape(kernel.shape)
    weights, is_integer = to.weights(f"kernel_{place}", np.ascontiguousarray(kernel.T), 0)
    options = schema.FullyConnectedOptionsT()
    options.fusedActivationFunction = to.fused_activation(place)
    options.asymmetricQuantizeInputs = is_integer
    bias = to.floats(f"bias_{place}", step.bias)
    return to.add("FULLY_CONNECTED", place, [to.source(step), weights, bias], options, 9 if is_integer else 1)


def _keeps_order(to: _Writer, step: ToRow, place: int) -> bool:
    """Whether a map is flattened as the file has it, though its author has channels first."""
    takers = to.takers(place)
    return step.channels_first and bool(takers) and all(isinstance(to.steps[taker], Product) for taker in takers)


def _to_row(to: _Writer, step: ToRow, place: int) -> int:
    value = to.source(step)
    height, width, channels = to.shapes[step.sources[0]]
    if step.channels_first and channels > 1 and height * width > 1 and not _keeps_order(to, step, place):
        value = to.moved(place, value, CHANNELS_FIRST, (channels, height, width), "_first")
    return to.reshaped(place, value, to.shapes[place])


def _to_map(to: _Writer, step: ToMap, place: int) -> int:
    height, width, channels = step.given
    if not step.channels_first or channels == 1 or height * width == 1:
        return to.reshaped(place, to.source(step), step.given)
    shaped = to.reshaped(place, to.source(step), (channels, height, width), "_first")
    return to.moved(place, shaped, CHANNELS_LAST, step.given)


def same_margins(inputs: Shape, window: Window, strides: Window, dilation: Window) -> Margins:
    """Return the margins that the padding SAME stands for."""
    found = []
    for side, length, stride, step in zip(inputs, window, strides, dilation, strict=False):
        reach = (length - 1) * step + 1
        total = max((math.ceil(side / stride) - 1) * stride + reach - side, 0)
        found += [total // 2, total - total // 2]
    top, bottom, left, right = found
    return top, bottom, left, right


def _padded(
    to: _Writer, place: int, tensor: int, margins: Margins, window: Window, strides: Window, dilation: Window
) -> tuple[int, int]:
    """Return the tensor and the padding with which an operator sees these margins, zeros put around it if need be."""
    inputs = to.shapes[to.steps[place].sources[0]]
    if not any(margins):
        return tensor, schema.Padding.VALID
    if margins == same_margins(inputs, window, strides, dilation):
        return tensor, schema.Padding.SAME
    return _bordered(to, place, tensor, inputs, margins, "_padded"), schema.Padding.VALID


def _bordered(to: _Writer, place: int, tensor: int, inputs: Shape, margins: Margins, part: str = "") -> int:
    """Add zeros around a map."""
    top, bottom, left, right = margins
    sides = np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32)
    shape = (inputs[0] + top + bottom, inputs[1] + left + right, inputs[2])
    constant = to.builder.constant(f"pads_{place}{part}", sides)
    return to.add("PAD", place, [tensor, constant], schema.PadOptionsT(), part=part, shape=shape)


def _convolution(to: _Writer, step: Convolution, place: int) -> int:
    window: Window = (step.kernel.shape[0], step.kernel.shape[1])
    inputs = to.shapes[step.sources[0]]
    value, padding = _padded(to, place, to.source(step), step.margins, window, step.strides, step.dilation)
    # One channel of input for each output: what TFLite calls depthwise.
    is_depthwise = step.groups == inputs[2] and step.groups > 1
    kernel = np.moveaxis(step.kernel, 3, 0) if not is_depthwise else np.moveaxis(step.kernel, 2, 0)
    options: Any = schema.DepthwiseConv2DOptionsT() if is_depthwise else schema.Conv2DOptionsT()
    options.padding = padding
    options.strideH, options.strideW = step.strides
    options.dilationHFactor, options.dilationWFactor = step.dilation
    options.fusedActivationFunction = to.fused_activation(place)
    axis = 3 if is_depthwise else 0
    kernel = np.ascontiguousarray(kernel)
    if step.groups > 1 and not is_depthwise:
        weights, is_integer = to.floats(f"kernel_{place}", kernel), False
    else:
        weights, is_integer = to.weights(f"kernel_{place}", kernel, axis)
    if is_depthwise:
        options.depthMultiplier = step.kernel.shape[3] // inputs[2]
        version = 6 if is_integer else (2 if step.dilation != (1, 1) else 1)
        operator = "DEPTHWISE_CONV_2D"
    else:
        version = 5 if is_integer else (6 if step.groups > 1 else 1)
        operator = "CONV_2D"
    bias = to.floats(f"bias_{place}", step.bias)
    return to.add(operator, place, [value, weights, bias], options, version)


def _pool(to: _Writer, step: Pool, place: int) -> int:
    value, padding = _padded(to, place, to.source(step), step.margins, step.window, step.strides, (1, 1))
    options = schema.Pool2DOptionsT()
    options.padding = padding
    options.strideH, options.strideW = step.strides
    options.filterHeight, options.filterWidth = step.window
    operator = "MAX_POOL_2D" if step.kind == "max" else "AVERAGE_POOL_2D"
    return to.add(operator, place, [value], options)


def _global_pool(to: _Writer, step: GlobalPool, place: int) -> int:
    axes = to.builder.constant(f"axes_{place}", np.array([1, 2], np.int32))
    options = schema.ReducerOptionsT()
    return to.add("REDUCE_MAX" if step.kind == "max" else "MEAN", place, [to.source(step), axes], options)


def _border(to: _Writer, step: Border, place: int) -> int:
    value, inputs = to.source(step), to.shapes[step.sources[0]]
    top, bottom, left, right = step.margins
    added: Margins = (max(top, 0), max(bottom, 0), max(left, 0), max(right, 0))
    cuts = added != step.margins
    if any(added):
        value = _bordered(to, place, value, inputs, added, "_wide" if cuts else "")
    if cuts:
        begin = np.array([0, max(-top, 0), max(-left, 0), 0], np.int32)
        size = np.array([-1, *to.shapes[place]], np.int32)
        parts = [to.builder.constant(f"{name}_{place}", sides) for name, sides in (("begin", begin), ("size", size))]
        value = to.add("SLICE", place, [value, *parts], schema.SliceOptionsT())
    return value


def _function(to: _Writer, step: Function, place: int) -> int:
    if is_fused(step) and to.takers(step.sources[0]) == [place] and _fuses(to.steps[step.sources[0]]):
        return to.source(step)
    return _FUNCTIONS[step.name](to, step, place)


def _fuses(step: Step) -> bool:
    """Whether the operator of a step can do a function to what it gives."""
    return isinstance(step, Product | Convolution | Sum) or (isinstance(step, Scale) and bool(np.any(step.offset)))


def _operator(operator: str, options: type | None = None) -> "_Function":
    return lambda to, step, place: to.add(operator, place, [to.source(step)], options and options())


def _leaky_relu(to: _Writer, step: Function, place: int) -> int:
    options = schema.LeakyReluOptionsT()
    options.alpha = step.alpha
    return to.add("LEAKY_RELU", place, [to.source(step)], options)


def _bounded_relu(to: _Writer, step: Function, place: int) -> int:
    if step.alpha == 6:
        return to.add("RELU6", place, [to.source(step)])
    shape = to.shapes[place]
    above = to.add("RELU", place, [to.source(step)], part="_above", shape=shape)
    most = to.number(f"most_{place}", step.alpha)
    return to.add("MINIMUM", place, [above, most], schema.MaximumMinimumOptionsT())


def _elu(to: _Writer, step: Function, place: int) -> int:
    return _two_sided(to, step, place, step.alpha, 1.0)


def _selu(to: _Writer, step: Function, place: int) -> int:
    return _two_sided(to, step, place, SELU_ALPHA * SELU_SCALE, SELU_SCALE)


def _two_sided(to: _Writer, step: Function, place: int, below: float, above: float) -> int:
    """``above * value`` above 0, and ``below * (exp(value) - 1)`` below."""
    value, shape = to.source(step), to.shapes[place]
    if below == above == 1:
        return to.add("ELU", place, [value])
    zero = to.number(f"zero_{place}", 0)
    negative = to.add(
        "MINIMUM", place, [value, zero], schema.MaximumMinimumOptionsT(), part="_negative", shape=shape
    )
    curve = to.add("ELU", place, [negative], part="_curve", shape=shape)
    factor = to.number(f"below_{place}", below)
    curve = to.add("MUL", place, [curve, factor], schema.MulOptionsT(), part="_below", shape=shape)
    line = to.add("RELU", place, [value], part="_line", shape=shape)
    if above != 1:
        factor = to.number(f"above_{place}", above)
        line = to.add("MUL", place, [line, factor], schema.MulOptionsT(), part="_above", shape=shape)
    return to.add("ADD", place, [line, curve], schema.AddOptionsT())


def _hard_sigmoid(to: _Writer, step: Function, place: int) -> int:
    options = schema.AddOptionsT()
    options.fusedActivationFunction = schema.ActivationFunctionType.RELU6
    three, sixth = to.number(f"three_{place}", 3), to.number(f"sixth_{place}", 1 / 6)
    shape = to.shapes[place]
    bounded = to.add("ADD", place, [to.source(step), three], options, part="_bounded", shape=shape)
    return to.add("MUL", place, [bounded, sixth], schema.MulOptionsT())


def _silu(to: _Writer, step: Function, place: int) -> int:
    value = to.source(step)
    gate = to.add("LOGISTIC", place, [value], part="_gate", shape=to.shapes[place])
    return to.add("MUL", place, [value, gate], schema.MulOptionsT())


def _softmax(to: _Writer, step: Function, place: int) -> int:
    options = schema.SoftmaxOptionsT()
    options.beta = 1.0
    return to.add("SOFTMAX", place, [to.source(step)], options)


_Function = Callable[[_Writer, Function, int], int]
_FUNCTIONS: dict[str, _Function] = {
    "elu": _elu,
    "gelu": _operator("GELU", schema.GeluOptionsT),
    "hard_sigmoid": _hard_sigmoid,
    "leaky_relu": _leaky_relu,
    "relu": _operator("RELU"),
    "relu6": _bounded_relu,
    "selu": _selu,
    "sigmoid": _operator("LOGISTIC"),
    "silu": _silu,
    "softmax": _softmax,
    "tanh": _operator("TANH"),
}
"""By Keras' name, what adds a function."""


def _slopes(to: _Writer, step: Slopes, place: int) -> int:
    slopes = to.builder.constant(f"slopes_{place}", step.slopes)
    return to.add("PRELU", place, [to.source(step), slopes])


def _sum(to: _Writer, step: Sum, place: int) -> int:
    total, *others = (to.tensors[source] for source in step.sources)
    for count, other in enumerate(others, start=1):
        options = schema.AddOptionsT()
        is_last = count == len(others)
        if is_last:
            options.fusedActivationFunction = to.fused_activation(place)
        part = "" if is_last else f"_{count}"
        total = to.add("ADD", place, [total, other], options, part=part, shape=to.shapes[place])
    return total


def _joined(to: _Writer, step: Joined, place: int) -> int:
    options = schema.ConcatenationOptionsT()
    options.axis = step.axis + 1
    return to.add("CONCATENATION", place, [to.tensors[source] for source in step.sources], options)


_WRITTEN: dict[type[Step], Callable[[_Writer, Any, int], int]] = {
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
