"""Writes a network in integers as TFLite operators on int8: no float in the file, nothing for a converter to choose.

Versions of operators: see ``tflite_steps``.
"""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgedigits.contract import IMAGE_SIDE, INPUT_NAME, OUTPUT_NAME
from edgedigits.model_files.map_layers import Margins, Window
from edgedigits_export.formats.tflite_builder import TfliteBuilder
from edgedigits_export.formats.tflite_integer_writer import GROUPED_VERSION, VERSIONS, IntegerWriter
from edgedigits_export.formats.tflite_steps import CHANNELS_FIRST, CHANNELS_LAST
from edgedigits_export.graph.steps import (
    Border,
    Function,
    GlobalPool,
    Image,
    Joined,
    Pool,
    Step,
    ToMap,
    ToRow,
)
from edgedigits_export.integers.graph_kernels import IntegerGraph
from edgedigits_export.integers.graph_preparation import activation_name
from edgedigits_export.integers.graph_steps import (
    SIGMOID_GRID,
    SIGN,
    Bounded,
    Clamped,
    ClampedSum,
    Gated,
    IntegerConvolution,
    IntegerProduct,
    IntegerSlopes,
    Plus,
    Requantized,
)
from edgedigits_export.integers.grids import PIXEL_GRID

FUSED = {
    "linear": schema.ActivationFunctionType.NONE,
    "relu": schema.ActivationFunctionType.RELU,
    "relu6": schema.ActivationFunctionType.RELU6,
}


def integers_to_tflite(graph: IntegerGraph, edges: Literal["uint8", "int8"] = "uint8") -> bytes:
    """Return a flatbuffer without metadata.

    Args:
        graph: the network.
        edges: type of its input and output; of uint8 the first and the last operator make int8 and back.
    """
    return write_integers(graph, edges)[0]


def write_integers(graph: IntegerGraph, edges: Literal["uint8", "int8"]) -> tuple[bytes, list[int]]:
    """Return a flatbuffer as ``integers_to_tflite`` does, and of each step the tensor that it gives."""
    builder = TfliteBuilder()
    offset = SIGN if edges == "int8" else 0
    picture = (IMAGE_SIDE, IMAGE_SIDE)
    image = builder.computed(INPUT_NAME, picture, edges, (PIXEL_GRID.scale, PIXEL_GRID.zero_point - offset))
    writer = IntegerWriter(builder, graph, image, edges)
    for place, step in enumerate(graph.steps):
        writer.tensors.append(_WRITTEN[type(step)](writer, step, place))
    answer = writer.tensors[-1]
    if edges == "uint8":
        grid = (SIGMOID_GRID.scale, SIGMOID_GRID.zero_point)
        output = builder.computed(OUTPUT_NAME, writer.shapes[-1], edges, grid)
        answer = builder.add("QUANTIZE", [answer], output, schema.QuantizeOptionsT(), VERSIONS["QUANTIZE"])
    return builder.model(image, answer), writer.tensors


def _fused(step: Bounded) -> int:
    return int(FUSED[activation_name(step)])


def _image(to: IntegerWriter, step: Image, place: int) -> int:
    value = to.image
    is_picture = step.given == (IMAGE_SIDE, IMAGE_SIDE)
    if to.edges == "uint8":
        part = "" if is_picture else "_values"
        shape = (IMAGE_SIDE, IMAGE_SIDE)
        value = to.add("QUANTIZE", place, [value], schema.QuantizeOptionsT(), part=part, shape=shape)
    return value if is_picture else to.reshaped(place, value, step.given)


def _product(to: IntegerWriter, step: IntegerProduct, place: int) -> int:
    options = schema.FullyConnectedOptionsT()
    options.fusedActivationFunction = _fused(step)
    weights = to.weighted(step, step.kernel.T, place, 0)
    return to.add("FULLY_CONNECTED", place, [to.source(step), *weights], options)


def _convolution(to: IntegerWriter, step: IntegerConvolution, place: int) -> int:
    window: Window = (step.kernel.shape[0], step.kernel.shape[1])
    channels = to.shapes[step.sources[0]][2]
    is_depthwise = step.groups == channels and step.groups > 1
    options: Any = schema.DepthwiseConv2DOptionsT() if is_depthwise else schema.Conv2DOptionsT()
    options.fusedActivationFunction = _fused(step)
    options.strideH, options.strideW = step.strides
    options.dilationHFactor, options.dilationWFactor = step.dilation
    value = to.padded(place, step.margins, window, options)
    if is_depthwise:
        options.depthMultiplier = step.kernel.shape[3] // channels
        weights = to.weighted(step, np.moveaxis(step.kernel, 2, 0), place, 3)
        return to.add("DEPTHWISE_CONV_2D", place, [value, *weights], options)
    weights = to.weighted(step, np.moveaxis(step.kernel, 3, 0), place, 0)
    version = GROUPED_VERSION if step.groups > 1 else 1
    return to.add("CONV_2D", place, [value, *weights], options, version)


def _sum(to: IntegerWriter, step: ClampedSum, place: int) -> int:
    options = schema.AddOptionsT()
    options.fusedActivationFunction = _fused(step)
    return to.add("ADD", place, [to.tensors[source] for source in step.sources], options)


def _gated(to: IntegerWriter, step: Gated, place: int) -> int:
    return to.add("MUL", place, [to.tensors[source] for source in step.sources], schema.MulOptionsT())


def _slopes(to: IntegerWriter, step: IntegerSlopes, place: int) -> int:
    scale = np.array([step.scale], np.float32)
    return to.add(
        "PRELU", place, [to.source(step), to.builder.constant(f"slopes_{place}", step.slopes, scale)]
    )


def _pool(to: IntegerWriter, step: Pool, place: int) -> int:
    options = schema.Pool2DOptionsT()
    options.strideH, options.strideW = step.strides
    options.filterHeight, options.filterWidth = step.window
    value = to.padded(place, step.margins, step.window, options)
    return to.add("MAX_POOL_2D" if step.kind == "max" else "AVERAGE_POOL_2D", place, [value], options)


def _global_pool(to: IntegerWriter, step: GlobalPool, place: int) -> int:
    axes = to.builder.constant(f"axes_{place}", np.array([1, 2], np.int32))
    operator = "REDUCE_MAX" if step.kind == "max" else "MEAN"
    return to.add(operator, place, [to.source(step), axes], schema.ReducerOptionsT())


def _function(to: IntegerWriter, step: Function, place: int) -> int:
    operator, kind = _FUNCTIONS[step.name]
    options: Any = kind() if kind else None
    if step.name == "softmax":
        options.beta = 1.0
    elif step.name == "leaky_relu":
        options.alpha = step.alpha
    return to.add(operator, place, [to.source(step)], options)


_FUNCTIONS: dict[str, tuple[str, type | None]] = {
    "exp": ("EXP", schema.ExpOptionsT),
    "gelu": ("GELU", schema.GeluOptionsT),
    "leaky_relu": ("LEAKY_RELU", schema.LeakyReluOptionsT),
    "sigmoid": ("LOGISTIC", None),
    "softmax": ("SOFTMAX", schema.SoftmaxOptionsT),
    "tanh": ("TANH", None),
}
"""By Keras' name, the operator of a function and its options."""


def _clamped(to: IntegerWriter, step: Clamped, place: int) -> int:
    return to.add(activation_name(step).upper(), place, [to.source(step)])


def _plus(to: IntegerWriter, step: Plus, place: int) -> int:
    number = to.builder.constant(
        f"number_{place}", np.array([step.steps], np.int8), np.array([step.step], np.float32)
    )
    return to.add("ADD", place, [to.source(step), number], schema.AddOptionsT())


def _requantized(to: IntegerWriter, step: Requantized, place: int) -> int:
    return to.add("QUANTIZE", place, [to.source(step)], schema.QuantizeOptionsT())


def _border(to: IntegerWriter, step: Border, place: int) -> int:
    value = to.source(step)
    top, bottom, left, right = step.margins
    added: Margins = (max(top, 0), max(bottom, 0), max(left, 0), max(right, 0))
    cuts = added != step.margins
    if any(added):
        value = to.bordered(place, value, added, "_wide" if cuts else "")
    if cuts:
        begin = np.array([0, max(-top, 0), max(-left, 0), 0], np.int32)
        size = np.array([-1, *to.shapes[place]], np.int32)
        parts = [to.builder.constant(f"begin_{place}", begin), to.builder.constant(f"size_{place}", size)]
        value = to.add("SLICE", place, [value, *parts], schema.SliceOptionsT())
    return value


def _to_row(to: IntegerWriter, step: ToRow, place: int) -> int:
    value = to.source(step)
    height, width, channels = to.shapes[step.sources[0]]
    if step.channels_first and channels > 1 and height * width > 1:
        value = to.moved(place, value, CHANNELS_FIRST, (channels, height, width), "_first")
    return to.reshaped(place, value, to.shapes[place])


def _to_map(to: IntegerWriter, step: ToMap, place: int) -> int:
    height, width, channels = step.given
    if not step.channels_first or channels == 1 or height * width == 1:
        return to.reshaped(place, to.source(step), step.given)
    shaped = to.reshaped(place, to.source(step), (channels, height, width), "_first")
    return to.moved(place, shaped, CHANNELS_LAST, step.given)


def _joined(to: IntegerWriter, step: Joined, place: int) -> int:
    options = schema.ConcatenationOptionsT()
    options.axis = step.axis + 1
    return to.add("CONCATENATION", place, [to.tensors[source] for source in step.sources], options)


_WRITTEN: dict[type[Step], Callable[[Any, Any, int], int]] = {
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
"""By kind, what adds a step and returns the tensor that it gives."""
