"""What the operators on integers make of their inputs that onnxruntime makes of QDQ graphs, in files of its own format.

Operators: https://onnx.ai/onnx/operators/onnx__QLinearConv.html and
https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md. Each takes values with their scale and
their zero point, and at its end those of what it gives: constants, so that no image can choose them.
"""

from collections.abc import Callable

from edgedigits.model_files.onnx_map_operators import convolved, global_pool, pool
from edgedigits.model_files.onnx_operators import met, together
from edgedigits.model_files.onnx_tensors import (
    FLOAT,
    INT8,
    INT32,
    LARGEST_NUMBER,
    UINT8,
    WAY,
    Attributes,
    Rule,
    Rules,
    Tensor,
    expect,
    whole,
)


def _has_grid(scale: Tensor, zero: Tensor, dtype: int) -> bool:
    """Whether a scale and a zero point are one constant each, of integers of a type."""
    return (
        scale.dtype == FLOAT
        and scale.is_constant
        and not scale.is_zero
        and scale.shape in ((), (1,))
        and zero.dtype == dtype
        and zero.is_constant
        and zero.shape in ((), (1,))
    )


def _of_values(inputs: list[Tensor], count: int, operator: str) -> list[Tensor]:
    """Return values as floats, each of its scale and its zero point; the last of these are of what comes out."""
    expect(len(inputs) == 3 * count + 2, operator, inputs)
    values, scales, zeros = inputs[: 3 * count : 3], inputs[1::3], inputs[2::3]
    last = inputs[-2:]
    expect(
        all(value.dtype == UINT8 and value.step in WAY for value in values)
        and all(_has_grid(*grid, UINT8) for grid in zip(scales[:count], zeros[:count], strict=True))
        and _has_grid(last[0], last[1], UINT8),
        operator,
        inputs,
    )
    return [value._replace(dtype=FLOAT) for value in values]


def _convolution(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    """A map with a kernel of int8 over it, a scale for each output or one for all, and int32 biases."""
    expect(len(inputs) == 9, "QLinearConv", inputs)
    values, scale, zero, kernel, kernel_scale, kernel_zero, given_scale, given_zero, bias = inputs
    outputs = kernel.shape[:1]
    expect(
        values.dtype == UINT8
        and values.step in WAY
        and len(values.shape) == 4
        and None not in values.shape[1:]
        and _has_grid(scale, zero, UINT8)
        and _has_grid(given_scale, given_zero, UINT8)
        and kernel.dtype == kernel_zero.dtype == INT8
        and kernel_zero.is_constant
        and kernel_zero.is_zero
        and kernel_scale.dtype == FLOAT
        and kernel_scale.is_constant
        and not kernel_scale.is_zero
        and kernel_zero.shape == kernel_scale.shape
        and kernel_scale.shape in ((), (1,), outputs)
        and bias.dtype == INT32,
        "QLinearConv",
        inputs,
    )
    return convolved([values, kernel, bias], attributes, "int8", "QLinearConv")._replace(dtype=UINT8)


def _pair(operator: str) -> Rule:
    def follow(inputs: list[Tensor], attributes: Attributes) -> Tensor:
        values = _of_values(inputs, 2, operator)
        return met(values, operator)._replace(dtype=UINT8)

    return follow


def _function(operator: str) -> Rule:
    def follow(inputs: list[Tensor], attributes: Attributes) -> Tensor:
        values = _of_values(inputs, 1, operator)
        given = attributes.get("alpha", {}).get("f", 0.0)
        expect(abs(given) <= LARGEST_NUMBER, operator, inputs)
        return together(values)._replace(dtype=UINT8)

    return follow


def _pooling(operator: str, follow_floats: "Callable[[list[Tensor], Attributes], Tensor]") -> Rule:
    def follow(inputs: list[Tensor], attributes: Attributes) -> Tensor:
        values = _of_values(inputs, 1, operator)
        expect(not whole(attributes, "channels_last", 0), operator, inputs)
        return follow_floats(values, attributes)._replace(dtype=UINT8)

    return follow


QUANTIZED_OPERATORS: Rules = {
    "QLinearAdd": _pair("QLinearAdd"),
    "QLinearAveragePool": _pooling("QLinearAveragePool", pool("AveragePool")),
    "QLinearGlobalAveragePool": _pooling("QLinearGlobalAveragePool", global_pool("GlobalAveragePool")),
    "QLinearLeakyRelu": _function("QLinearLeakyRelu"),
    "QLinearMul": _pair("QLinearMul"),
    "QLinearSigmoid": _function("QLinearSigmoid"),
}
"""Onnxruntime's own."""
CONVOLUTION: Rules = {"QLinearConv": _convolution}
"""ONNX's own."""
