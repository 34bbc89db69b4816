"""Writes the steps of a network as ONNX operators on floats, weights in float32, float16 or int8 (dynamic)."""

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from edgedigits.format_table import Precision
from edgedigits.model_files.onnx_tensors import KERNEL_ZERO
from edgedigits_export.formats.onnx_builder import GraphBuilder
from edgedigits_export.formats.onnx_float_steps import FLOATS_WRITTEN
from edgedigits_export.formats.onnx_writer import (
    FUNCTIONS,
    MOVED,
    OnnxWriter,
    convolution_attributes,
    image_pixels,
    pool_attributes,
)
from edgedigits_export.graph.steps import (
    Array,
    Convolution,
    Function,
    GlobalPool,
    Image,
    Pool,
    Product,
    Scale,
    Slopes,
    Step,
    Sum,
)
from edgedigits_export.integers.rounding import symmetric


def add_steps(builder: GraphBuilder, steps: tuple[Step, ...], precision: Precision) -> None:
    """Add all steps of a network.

    Args:
        builder: takes the operators.
        steps: the last gives the probabilities.
        precision: of weights and biases: float32, float16 or dynamic.
    """
    writer = _Writer(builder, steps, precision)
    for place, step in enumerate(steps):
        writer.names.append(_WRITTEN[type(step)](writer, step, place))


class _Writer(OnnxWriter):
    """What has been written of floats."""

    def __init__(self, builder: GraphBuilder, steps: tuple[Step, ...], precision: Precision) -> None:
        super().__init__(builder, steps)
        self.precision = precision

    def parameter(self, name: str, value: Array) -> str:
        """Add weights or biases."""
        return self.builder.parameter(name, value, half=self.precision == "float16")


def _image(to: _Writer, step: Image, place: int) -> str:
    return to.builder.add("Cast", [image_pixels(to, step)], "values", to=TensorProto.FLOAT)


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
    kernel = to.kernel_in_order(step)
    if to.precision == "dynamic":
        return _integer_sums(to, place, "MatMulInteger", kernel, 1, step.bias)
    parameters = [to.parameter(f"kernel_{place}", kernel), to.parameter(f"bias_{place}", step.bias)]
    return to.add("Gemm", place, [to.source(step), *parameters])


def _convolution(to: _Writer, step: Convolution, place: int) -> str:
    kernel = np.ascontiguousarray(np.transpose(step.kernel, (3, 2, 0, 1)))
    attributes = convolution_attributes(step)
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
    weights, scales = symmetric(kernel, axis)
    names = [f"{name}_{place}" for name in ("quantized", "scale", "zero_point")]
    to.builder.nodes.append(
        helper.make_node("DynamicQuantizeLinear", [to.source(to.steps[place])], names, name=names[0])
    )
    zeros = [names[2]]
    if operator == "ConvInteger":
        # onnxruntime 1.23 and older have it for weights in uint8 only: the same integers, counted from 128.
        weights = (weights.astype(np.int16) + KERNEL_ZERO).astype(np.uint8)
        zeros.append(to.builder.constant(f"weights_zero_{place}", np.array(KERNEL_ZERO, np.uint8)))
    inputs = [names[0], to.builder.constant(f"weights_{place}", weights), *zeros]
    sums = to.add(operator, place, inputs, "_sums", **attributes)
    values = to.add("Cast", place, [sums], "_floats", to=TensorProto.FLOAT)
    # Channels of a map come before its sides.
    sides = (-1, 1, 1) if axis == 0 else (-1,)
    kept = to.builder.constant(f"weight_scales_{place}", scales.reshape(sides))
    factors = to.add("Mul", place, [names[1], kept], "_factors")
    products = to.add("Mul", place, [values, factors], "_products")
    return to.add("Add", place, [products, to.builder.constant(f"bias_{place}", bias.reshape(sides))])


def _pool(to: _Writer, step: Pool, place: int) -> str:
    operator = "MaxPool" if step.kind == "max" else "AveragePool"
    return to.add(operator, place, [to.source(step)], **pool_attributes(step))


def _global_pool(to: _Writer, step: GlobalPool, place: int) -> str:
    operator = "GlobalMaxPool" if step.kind == "max" else "GlobalAveragePool"
    pooled = to.add(operator, place, [to.source(step)], "_map")
    return to.add("Flatten", place, [pooled], axis=1)


def _function(to: _Writer, step: Function, place: int) -> str:
    return FUNCTIONS[step.name](to, step, place, to.source(step))


def _slopes(to: _Writer, step: Slopes, place: int) -> str:
    return to.add("PRelu", place, [to.source(step), to.each(f"slopes_{place}", step.slopes)])


def _sum(to: _Writer, step: Sum, place: int) -> str:
    total, *others = (to.names[source] for source in step.sources)
    for count, other in enumerate(others, start=1):
        total = to.add("Add", place, [total, other], "" if count == len(others) else f"_{count}")
    return total


_WRITTEN: dict[type[Step], Callable[[_Writer, Any, int], str]] = {
    **MOVED,
    **FLOATS_WRITTEN,
    Convolution: _convolution,
    Function: _function,
    GlobalPool: _global_pool,
    Image: _image,
    Pool: _pool,
    Product: _product,
    Scale: _scale,
    Slopes: _slopes,
    Sum: _sum,
}
"""By kind, what adds a step and returns the tensor that it gives."""
