"""Writes a network in integers as TFLite operators on int8: no float in the file, nothing for a converter to choose.

Versions of operators: see ``tflite_writer``.
"""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgedigits.contract import IMAGE_SIDE, INPUT_NAME, OUTPUT_NAME
from edgedigits.model_files.network_spec import Shape
from edgedigits_export.formats.tflite_builder import TfliteBuilder
from edgedigits_export.formats.tflite_writer import MOVED, TfliteWriter
from edgedigits_export.graph.steps import (
    Array,
    Function,
    Image,
    Step,
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

VERSIONS = {
    "ADD": 2,
    "AVERAGE_POOL_2D": 2,
    "CONCATENATION": 2,
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "EXP": 2,
    "FULLY_CONNECTED": 4,
    "GELU": 2,
    "LEAKY_RELU": 2,
    "LOGISTIC": 2,
    "MAX_POOL_2D": 2,
    "MEAN": 2,
    "MUL": 2,
    "PAD": 2,
    "PRELU": 1,
    "QUANTIZE": 2,
    "REDUCE_MAX": 2,
    "RELU": 2,
    "RELU6": 2,
    "RESHAPE": 1,
    "SLICE": 2,
    "SOFTMAX": 2,
    "TANH": 2,
    "TRANSPOSE": 2,
}
"""Of each operator, the first that takes int8."""
GROUPED_VERSION = 6
"""Of a CONV_2D whose outputs take some of the inputs each."""
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


class IntegerWriter(TfliteWriter):
    """What has been written of integers: every tensor on the grid of its step."""

    def __init__(
        self, builder: TfliteBuilder, graph: IntegerGraph, image: int, edges: Literal["uint8", "int8"]
    ) -> None:
        super().__init__(builder, graph.steps, image)
        self.grids, self.edges = graph.grids, edges

    def computed(self, name: str, place: int, shape: Shape) -> int:
        """See ``TfliteWriter.computed``."""
        grid = self.grids[place]
        return self.builder.computed(name, shape, "int8", (grid.scale, grid.zero_point - SIGN))

    def version(self, operator: str) -> int:
        """See ``TfliteWriter.version``."""
        return VERSIONS[operator]

    def names_output(self, place: int) -> bool:
        """See ``TfliteWriter.names_output``; of uint8 it is another operator's."""
        return self.edges == "int8" and super().names_output(place)

    def weighted(self, step: Any, kernel: Array, place: int, axis: int) -> list[int]:
        """Add weights and biases and return their tensors.

        Args:
            step: that has them.
            kernel: as the file has it.
            place: of the step.
            axis: of the outputs.
        """
        scales = step.scales[:1] if np.all(step.scales == step.scales[0]) else step.scales
        sums = np.float32(self.grids[step.sources[0]].scale) * scales
        return [
            self.builder.constant(f"kernel_{place}", kernel, scales, axis if len(scales) > 1 else 0),
            self.builder.constant(f"bias_{place}", step.bias, sums),
        ]


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
    value, kernel, axis, options = to.convolved(step, place)
    options.fusedActivationFunction = _fused(step)
    operator = "DEPTHWISE_CONV_2D" if axis == 3 else "CONV_2D"
    version = GROUPED_VERSION if step.groups > 1 and axis == 0 else 1
    return to.add(operator, place, [value, *to.weighted(step, kernel, place, axis)], options, version)


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


_WRITTEN: dict[type[Step], Callable[[Any, Any, int], int]] = {
    **MOVED,
    Clamped: _clamped,
    ClampedSum: _sum,
    Function: _function,
    Gated: _gated,
    Image: _image,
    IntegerConvolution: _convolution,
    IntegerProduct: _product,
    IntegerSlopes: _slopes,
    Plus: _plus,
    Requantized: _requantized,
}
"""By kind, what adds a step and returns the tensor that it gives."""
