"""Writes the steps of a network as TFLite operators on floats: (n, height, width, channels) or (n, numbers).

Weights are kept as float32, as float16 that is widened when the file is opened, or as int8 with a scale for each
output ("dynamic": the kernels quantize what comes in, too).

Versions of operators: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/tools/versioning/op_version.cc.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgedigits.contract import IMAGE_SIDE, INPUT_NAME
from edgedigits.format_table import Precision
from edgedigits.model_files.map_layers import Margins, Window
from edgedigits.model_files.network_spec import Shape
from edgedigits_export.formats.tflite_builder import TfliteBuilder
from edgedigits_export.formats.tflite_functions import FUNCTIONS
from edgedigits_export.formats.tflite_writer import TfliteWriter, is_fused
from edgedigits_export.graph.steps import (
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

CHANNELS_FIRST, CHANNELS_LAST = (0, 3, 1, 2), (0, 2, 3, 1)
"""Orders of a TRANSPOSE."""


def steps_to_tflite(steps: tuple[Step, ...], precision: Precision) -> bytes:
    """Return a flatbuffer without metadata, uint8 pixels in and float32 probabilities out.

    Args:
        steps: the last gives the probabilities.
        precision: of weights and biases: float32, float16 or dynamic.
    """
    builder = TfliteBuilder()
    image = builder.computed(INPUT_NAME, (IMAGE_SIDE, IMAGE_SIDE), "uint8")
    writer = TfliteWriter(builder, steps, shapes_of(steps), precision, image)
    for place, step in enumerate(steps):
        writer.tensors.append(_WRITTEN[type(step)](writer, step, place))
    return builder.model(image, writer.tensors[-1])


def _image(to: TfliteWriter, step: Image, place: int) -> int:
    options = schema.CastOptionsT()
    options.inDataType, options.outDataType = schema.TensorType.UINT8, schema.TensorType.FLOAT32
    is_picture = step.given == (IMAGE_SIDE, IMAGE_SIDE)
    values = to.add(
        "CAST",
        place,
        [to.image],
        options,
        part="" if is_picture else "_values",
        shape=(IMAGE_SIDE, IMAGE_SIDE),
    )
    return values if is_picture else to.reshaped(place, values, step.given)


def _scale(to: TfliteWriter, step: Scale, place: int) -> int:
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


def _product(to: TfliteWriter, step: Product, place: int) -> int:
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


def _keeps_order(to: TfliteWriter, step: ToRow, place: int) -> bool:
    """Whether a map is flattened as the file has it, though its author has channels first."""
    takers = to.takers(place)
    return (
        step.channels_first and bool(takers) and all(isinstance(to.steps[taker], Product) for taker in takers)
    )


def _to_row(to: TfliteWriter, step: ToRow, place: int) -> int:
    value = to.source(step)
    height, width, channels = to.shapes[step.sources[0]]
    if step.channels_first and channels > 1 and height * width > 1 and not _keeps_order(to, step, place):
        value = to.moved(place, value, CHANNELS_FIRST, (channels, height, width), "_first")
    return to.reshaped(place, value, to.shapes[place])


def _to_map(to: TfliteWriter, step: ToMap, place: int) -> int:
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
    to: TfliteWriter,
    place: int,
    tensor: int,
    margins: Margins,
    window: Window,
    strides: Window,
    dilation: Window,
) -> tuple[int, int]:
    """Return the tensor and the padding with which an operator sees these margins, zeros put around it if need be."""
    inputs = to.shapes[to.steps[place].sources[0]]
    if not any(margins):
        return tensor, schema.Padding.VALID
    if margins == same_margins(inputs, window, strides, dilation):
        return tensor, schema.Padding.SAME
    return _bordered(to, place, tensor, inputs, margins, "_padded"), schema.Padding.VALID


def _bordered(
    to: TfliteWriter, place: int, tensor: int, inputs: Shape, margins: Margins, part: str = ""
) -> int:
    """Add zeros around a map."""
    top, bottom, left, right = margins
    sides = np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32)
    shape = (inputs[0] + top + bottom, inputs[1] + left + right, inputs[2])
    constant = to.builder.constant(f"pads_{place}{part}", sides)
    return to.add("PAD", place, [tensor, constant], schema.PadOptionsT(), part=part, shape=shape)


def _convolution(to: TfliteWriter, step: Convolution, place: int) -> int:
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
    kernel, axis = np.ascontiguousarray(kernel), 3 if is_depthwise else 0
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


def _pool(to: TfliteWriter, step: Pool, place: int) -> int:
    value, padding = _padded(to, place, to.source(step), step.margins, step.window, step.strides, (1, 1))
    options = schema.Pool2DOptionsT()
    options.padding = padding
    options.strideH, options.strideW = step.strides
    options.filterHeight, options.filterWidth = step.window
    operator = "MAX_POOL_2D" if step.kind == "max" else "AVERAGE_POOL_2D"
    return to.add(operator, place, [value], options)


def _global_pool(to: TfliteWriter, step: GlobalPool, place: int) -> int:
    axes = to.builder.constant(f"axes_{place}", np.array([1, 2], np.int32))
    options = schema.ReducerOptionsT()
    return to.add("REDUCE_MAX" if step.kind == "max" else "MEAN", place, [to.source(step), axes], options)


def _border(to: TfliteWriter, step: Border, place: int) -> int:
    value, inputs = to.source(step), to.shapes[step.sources[0]]
    top, bottom, left, right = step.margins
    added: Margins = (max(top, 0), max(bottom, 0), max(left, 0), max(right, 0))
    cuts = added != step.margins
    if any(added):
        value = _bordered(to, place, value, inputs, added, "_wide" if cuts else "")
    if cuts:
        begin = np.array([0, max(-top, 0), max(-left, 0), 0], np.int32)
        size = np.array([-1, *to.shapes[place]], np.int32)
        parts = [
            to.builder.constant(f"{name}_{place}", sides)
            for name, sides in (("begin", begin), ("size", size))
        ]
        value = to.add("SLICE", place, [value, *parts], schema.SliceOptionsT())
    return value


def _function(to: TfliteWriter, step: Function, place: int) -> int:
    if is_fused(step) and to.takers(step.sources[0]) == [place] and _fuses(to.steps[step.sources[0]]):
        return to.source(step)
    return FUNCTIONS[step.name](to, step, place)


def _fuses(step: Step) -> bool:
    """Whether the operator of a step can do a function to what it gives."""
    return isinstance(step, Product | Convolution | Sum) or (
        isinstance(step, Scale) and bool(np.any(step.offset))
    )


def _slopes(to: TfliteWriter, step: Slopes, place: int) -> int:
    slopes = to.builder.constant(f"slopes_{place}", step.slopes)
    return to.add("PRELU", place, [to.source(step), slopes])


def _sum(to: TfliteWriter, step: Sum, place: int) -> int:
    total, *others = (to.tensors[source] for source in step.sources)
    for count, other in enumerate(others, start=1):
        options = schema.AddOptionsT()
        is_last = count == len(others)
        if is_last:
            options.fusedActivationFunction = to.fused_activation(place)
        part = "" if is_last else f"_{count}"
        total = to.add("ADD", place, [total, other], options, part=part, shape=to.shapes[place])
    return total


def _joined(to: TfliteWriter, step: Joined, place: int) -> int:
    options = schema.ConcatenationOptionsT()
    options.axis = step.axis + 1
    return to.add("CONCATENATION", place, [to.tensors[source] for source in step.sources], options)


_WRITTEN: dict[type[Step], Callable[[TfliteWriter, Any, int], int]] = {
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
