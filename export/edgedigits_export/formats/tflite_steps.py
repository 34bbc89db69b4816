"""Writes the steps of a network as TFLite operators on floats.

Weights are kept as float32, as float16 that is widened when the file is opened, or as int8 with a scale for each
output ("dynamic": the kernels quantize what comes in, too).

Versions of operators: see ``tflite_writer``.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgedigits.contract import IMAGE_SIDE, INPUT_NAME
from edgedigits.format_table import Precision
from edgedigits.model_files.network_spec import Shape
from edgedigits_export.formats.tflite_builder import TfliteBuilder
from edgedigits_export.formats.tflite_float_steps import FLOATS_WRITTEN
from edgedigits_export.formats.tflite_functions import FUNCTIONS
from edgedigits_export.formats.tflite_writer import MOVED, TfliteWriter
from edgedigits_export.graph.steps import (
    Array,
    Convolution,
    Function,
    Image,
    Product,
    Scale,
    Slopes,
    Step,
    Sum,
    ToRow,
)
from edgedigits_export.integers.rounding import symmetric

LEAST_DYNAMIC = 1_024
"""Weights of a layer from which on a dynamic file keeps integers; smaller layers gain nothing, as in TensorFlow's."""
FUSED = {"relu": schema.ActivationFunctionType.RELU, "relu6": schema.ActivationFunctionType.RELU6}
"""By Keras' name, functions that a layer's operator does itself."""


def steps_to_tflite(steps: tuple[Step, ...], precision: Precision) -> bytes:
    """Return a flatbuffer without metadata, uint8 pixels in and float32 probabilities out.

    Args:
        steps: the last gives the probabilities.
        precision: of weights and biases: float32, float16 or dynamic.
    """
    builder = TfliteBuilder()
    image = builder.computed(INPUT_NAME, (IMAGE_SIDE, IMAGE_SIDE), "uint8")
    writer = FloatWriter(builder, steps, image, precision)
    for place, step in enumerate(steps):
        writer.tensors.append(_WRITTEN[type(step)](writer, step, place))
    return builder.model(image, writer.tensors[-1])


class FloatWriter(TfliteWriter):
    """What has been written of floats."""

    def __init__(
        self, builder: TfliteBuilder, steps: tuple[Step, ...], image: int, precision: Precision
    ) -> None:
        super().__init__(builder, steps, image)
        self.precision = precision

    def computed(self, name: str, place: int, shape: Shape) -> int:
        """See ``TfliteWriter.computed``."""
        return self.builder.computed(name, shape)

    def keeps_order(self, step: ToRow, place: int) -> bool:
        """See ``TfliteWriter.keeps_order``; weights of products are put in the file's order instead."""
        takers = self.takers(place)
        is_for_products = bool(takers) and all(isinstance(self.steps[taker], Product) for taker in takers)
        return is_for_products or super().keeps_order(step, place)

    def takers(self, place: int) -> list[int]:
        """Return the places of the steps that take what a step gives."""
        return [taker for taker, step in enumerate(self.steps) if place in step.sources]

    def fused_activation(self, place: int) -> int:
        """Return what an operator does to its sums: the function of the only step that takes them, where it can."""
        takers = self.takers(place)
        if len(takers) == 1 and _is_fused(self.steps[takers[0]]):
            return int(FUSED[self.steps[takers[0]].name])  # type: ignore[attr-defined]
        return int(schema.ActivationFunctionType.NONE)

    def weights(self, name: str, values: Array, axis: int) -> tuple[int, bool]:
        """Add weights, and return their tensor and whether it is of integers.

        Args:
            name: of the tensor.
            values: float32.
            axis: of the outputs.
        """
        if self.precision != "dynamic" or values.size < LEAST_DYNAMIC:
            return self.floats(name, values), False
        whole, scales = symmetric(values, axis)
        return self.builder.constant(name, whole, scales, axis), True

    def floats(self, name: str, values: Array) -> int:
        """Add weights or biases as floats, halves widened in a float16 file."""
        if self.precision != "float16":
            return self.builder.constant(name, values)
        half = self.builder.constant(f"{name}_half", values.astype(np.float16))
        return self.builder.add("DEQUANTIZE", [half], self.builder.widened(name, values.shape), version=3)


def _is_fused(step: Step) -> bool:
    """Whether a step is a function that the operator before it may do."""
    return isinstance(step, Function) and (step.name == "relu" or (step.name == "relu6" and step.alpha == 6))


def _image(to: FloatWriter, step: Image, place: int) -> int:
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


def _scale(to: FloatWriter, step: Scale, place: int) -> int:
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


def _product(to: FloatWriter, step: Product, place: int) -> int:
    kernel = step.kernel
    before = to.steps[step.sources[0]]
    if isinstance(before, ToRow) and before.channels_first and to.keeps_order(before, step.sources[0]):
        height, width, channels = to.shapes[before.sources[0]]
        by_channel = kernel.reshape(channels, height, width, -1)
        kernel = np.moveaxis(by_channel, 0, 2).reshape(kernel.shape)
    weights, is_integer = to.weights(f"kernel_{place}", np.ascontiguousarray(kernel.T), 0)
    options = schema.FullyConnectedOptionsT()
    options.fusedActivationFunction = to.fused_activation(place)
    options.asymmetricQuantizeInputs = is_integer
    bias = to.floats(f"bias_{place}", step.bias)
    return to.add("FULLY_CONNECTED", place, [to.source(step), weights, bias], options, 9 if is_integer else 1)


def _convolution(to: FloatWriter, step: Convolution, place: int) -> int:
    value, kernel, axis, options = to.convolved(step, place)
    options.fusedActivationFunction = to.fused_activation(place)
    weights, is_integer = to.weights(f"kernel_{place}", kernel, axis)
    if axis == 3:
        operator, version = "DEPTHWISE_CONV_2D", 6 if is_integer else (2 if step.dilation != (1, 1) else 1)
    else:
        operator, version = "CONV_2D", 5 if is_integer else (6 if step.groups > 1 else 1)
    return to.add(operator, place, [value, weights, to.floats(f"bias_{place}", step.bias)], options, version)


def _function(to: FloatWriter, step: Function, place: int) -> int:
    if _is_fused(step) and to.takers(step.sources[0]) == [place] and _fuses(to.steps[step.sources[0]]):
        return to.source(step)
    return FUNCTIONS[step.name](to, step, place)


def _fuses(step: Step) -> bool:
    """Whether the operator of a step can do a function to what it gives."""
    return isinstance(step, Product | Convolution | Sum) or (
        isinstance(step, Scale) and bool(np.any(step.offset))
    )


def _slopes(to: FloatWriter, step: Slopes, place: int) -> int:
    slopes = to.builder.constant(f"slopes_{place}", step.slopes)
    return to.add("PRELU", place, [to.source(step), slopes])


def _sum(to: FloatWriter, step: Sum, place: int) -> int:
    total, *others = (to.tensors[source] for source in step.sources)
    for count, other in enumerate(others, start=1):
        options = schema.AddOptionsT()
        is_last = count == len(others)
        if is_last:
            options.fusedActivationFunction = to.fused_activation(place)
        part = "" if is_last else f"_{count}"
        total = to.add("ADD", place, [total, other], options, part=part, shape=to.shapes[place])
    return total


_WRITTEN: dict[type[Step], Callable[[Any, Any, int], int]] = {
    **FLOATS_WRITTEN,
    **MOVED,
    Convolution: _convolution,
    Function: _function,
    Image: _image,
    Product: _product,
    Scale: _scale,
    Slopes: _slopes,
    Sum: _sum,
}
"""By kind, what adds a step and returns the tensor that it gives."""
