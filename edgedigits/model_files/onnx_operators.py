"""What each ONNX operator that edgedigits writes makes of its inputs' types and shapes; all others are refused.

Every rule keeps the batch, so that no constant, however it is shaped, can blow an image up: a row is never longer than
the constants that it meets. Every rule also knows how far on its way from pixels to probabilities a tensor is, its
``Tensor.step``: layers in a chain, each a product with constants, a ReLU between two, a softmax at the end. And each
product tells what precision its weights are kept in. Operators of networks that are no such chain have their rules in
``onnx_map_operators``; what onnxruntime makes of several when it optimizes a graph, in ``onnx_fused``.

Operators: https://github.com/onnx/onnx/blob/main/docs/Operators.md.
"""

import math
from typing import Any

from edgedigits.contract import WIDEST_LAYER
from edgedigits.format_table import Precision
from edgedigits.model_files.onnx_tensors import (
    FLOAT,
    IMAGE,
    INT8,
    INT32,
    PROBABILITIES,
    RELU,
    SAME_SCALE,
    SCALE,
    SUMS,
    UINT8,
    VALUES,
    WAY,
    Attributes,
    ForeignGraphError,
    Rules,
    Tensor,
    expect,
    flat,
    is_row,
    whole,
)


def _cast(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    expect(len(inputs) == 1 and whole(attributes, "to", 0) == FLOAT, "Cast", inputs)
    return inputs[0]._replace(dtype=FLOAT, numbers=(), products=0)


def _identity(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    expect(len(inputs) == 1, "Identity", inputs)
    return inputs[0]


def _relu(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    expect(len(inputs) == 1 and inputs[0].dtype == FLOAT and inputs[0].step in (SUMS, VALUES), "Relu", inputs)
    return inputs[0]._replace(step=RELU if inputs[0].step == SUMS else VALUES, is_sigmoid=False)


def _softmax(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    expect(
        len(inputs) == 1
        and inputs[0].dtype == FLOAT
        and is_row(inputs[0])
        and inputs[0].step in (SUMS, VALUES)
        and whole(attributes, "axis", -1) in (-1, 1),
        "Softmax",
        inputs,
    )
    return inputs[0]._replace(step=PROBABILITIES, is_sigmoid=False)


def _can_be_shaped(tensor: Tensor) -> bool:
    """Whether a tensor is the image, or floats that a layer made of it."""
    return tensor.step == IMAGE or (tensor.step in WAY and tensor.dtype in (FLOAT, UINT8))


def _shaped(tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The same values in another shape; in a chain of Dense layers only the image needs another."""
    if tensor.step == IMAGE:
        return tensor._replace(shape=(tensor.shape[0], *shape))
    return together([tensor])._replace(shape=(tensor.shape[0], *shape), dtype=tensor.dtype)


def _reshape(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    """A row, a map with its channels second, or a sequence."""
    expect(
        len(inputs) == 2
        and _can_be_shaped(inputs[0])
        and len(inputs[0].shape) > 0
        and inputs[1].shape in ((2,), (3,), (4,))
        and inputs[1].numbers[:1] in ((-1,), (0,))
        and all(side > 0 for side in inputs[1].numbers[1:])
        and math.prod(inputs[1].numbers[1:]) == flat(inputs[0])
        and not whole(attributes, "allowzero", 0),
        "Reshape",
        inputs,
    )
    return _shaped(inputs[0], inputs[1].numbers[1:])


def _flatten(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    expect(
        len(inputs) == 1
        and _can_be_shaped(inputs[0])
        and len(inputs[0].shape) > 1
        and flat(inputs[0]) > 0
        and whole(attributes, "axis", 1) == 1,
        "Flatten",
        inputs,
    )
    return _shaped(inputs[0], (flat(inputs[0]),))


def _matmul(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    expect(
        len(inputs) == 2
        and inputs[0].dtype == inputs[1].dtype == FLOAT
        and inputs[0].is_quantized == (inputs[1].precision == "int8"),
        "MatMul",
        inputs,
    )
    return product(inputs, inputs[1].precision, "MatMul")


def product(inputs: list[Tensor], precision: "Precision | None", operator: str) -> Tensor:
    """The sums of a layer: a row, which is the image or comes out of a ReLU, times a constant that is not all zeros."""
    row, kernel = inputs
    expect(
        is_row(row)
        and (row.step in (IMAGE, RELU) or (row.is_free and row.step in WAY))
        and kernel.is_constant
        and len(kernel.shape) == 2
        and kernel.shape[0] == row.shape[1]
        and (kernel.shape[1] or 0) <= WIDEST_LAYER,
        operator,
        inputs,
    )
    if kernel.is_zero:
        raise ForeignGraphError("weights of a trained network", "a layer of zeros only")
    if precision is None or row.precision not in (None, precision):
        raise ForeignGraphError("weights of one precision", f"{row.precision} and {precision}")
    units = kernel.shape[1] or 0
    # What one more in a sum of integers is worth.
    scales = row.scales * kernel.scales if row.is_quantized and kernel.is_quantized else None
    return Tensor(
        FLOAT,
        (row.shape[0], units),
        step=SUMS,
        precision=precision,
        scales=scales,
        widths=(*row.widths, units),
        is_free=row.is_free,
    )


def gemm(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    """The sums of a layer with its biases."""
    expect(len(inputs) in (2, 3), "Gemm", inputs)
    product = _matmul([inputs[0], kernel_of(inputs[1], "Gemm", inputs, attributes)], {})
    return _add([product, inputs[2]], {}) if len(inputs) == 3 else product


def kernel_of(kernel: Tensor, operator: str, inputs: list[Tensor], attributes: Attributes) -> Tensor:
    """Return the kernel of a Gemm as a MatMul takes it; nothing is scaled on the way."""
    expect(
        len(kernel.shape) == 2
        and not whole(attributes, "transA", 0)
        and all(attributes[name].get("f", 0.0) == 1.0 for name in ("alpha", "beta") if name in attributes),
        operator,
        inputs,
    )
    return kernel._replace(shape=kernel.shape[::-1]) if whole(attributes, "transB", 0) else kernel


def _add(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    expect(len(inputs) == 2 and (inputs[1].is_constant or inputs[1].step in WAY), "Add", inputs)
    sums, bias = inputs
    if bias.is_constant:
        expect_steps(bias, sums.scales)
    return _with_each(inputs, "Add")


def expect_steps(bias: Tensor, steps: Any) -> None:
    """Refuse biases in other steps than an input times a weight: runtimes that add integers take these for granted."""
    if bias.is_quantized and not (
        steps is not None and (abs(bias.scales - steps) <= SAME_SCALE * steps).all()
    ):
        raise ForeignGraphError("biases in steps of an input times a weight", "other steps")


def _multiply(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    """Scales: of a row or of the channels of a map, or of other scales."""
    if (
        len(inputs) == 2
        and inputs[0].shape == ()
        and inputs[1].is_constant
        and (len(inputs[1].shape) == 1 or (len(inputs[1].shape) == 3 and inputs[1].shape[1:] == (1, 1)))
    ):
        expect(
            inputs[0].dtype == inputs[1].dtype == FLOAT and inputs[0].step == SCALE and not inputs[1].is_zero,
            "Mul",
            inputs,
        )
        return Tensor(FLOAT, inputs[1].shape, step=SCALE)
    expect(len(inputs) == 2 and not inputs[1].is_zero, "Mul", inputs)
    return _with_each(inputs, "Mul")


def _with_each(inputs: list[Tensor], operator: str) -> Tensor:
    """The sums of a layer, and a number for each of them or one for all; of other networks, any values of an image."""
    if len(inputs) == 2 and inputs[0].step in WAY and (inputs[0].step != SUMS or inputs[1].step in WAY):
        return met(inputs, operator)
    expect(
        len(inputs) == 2
        and inputs[0].dtype == inputs[1].dtype == FLOAT
        and is_row(inputs[0])
        and inputs[0].step == SUMS
        and (inputs[1].is_constant or inputs[1].step == SCALE)
        and inputs[1].shape in ((), (1,), inputs[0].shape[1:], (1, *inputs[0].shape[1:])),
        operator,
        inputs,
    )
    # The scales of a dynamic layer are part of it; any other scaling is a layer of its own.
    is_scaled = operator == "Mul" and inputs[0].precision != "dynamic"
    return inputs[0]._replace(step=VALUES, is_free=True) if is_scaled else inputs[0]


def met(inputs: list[Tensor], operator: str) -> Tensor:
    """Values of an image, and as many others, or constants for each or for all along some sides: as many values."""
    one, other = inputs
    sides = other.shape[::-1]
    fits = len(sides) <= len(one.shape) and all(
        side in (1, own) for side, own in zip(sides, one.shape[::-1], strict=False)
    )
    expect(
        one.dtype == other.dtype == FLOAT
        and one.step in WAY
        and (other.shape == one.shape if other.step in WAY else fits and None not in sides)
        and (other.is_constant or other.step in WAY or (other.step == SCALE and one.precision == "dynamic")),
        operator,
        inputs,
    )
    return together(inputs)


def together(inputs: list[Tensor]) -> Tensor:
    """What becomes of an image where its branches meet: the first of them with the precision of all."""
    precisions = {one.precision for one in inputs if one.step in WAY} - {None}
    if len(precisions) > 1:
        raise ForeignGraphError("weights of one precision", " and ".join(sorted(map(str, precisions))))
    precision = next(iter(precisions), None)
    first = inputs[0]
    return Tensor(first.dtype, first.shape, step=VALUES, precision=precision, is_free=True)


def _matmul_integer(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    expect(
        len(inputs) in (2, 3)
        and inputs[0].dtype == UINT8
        and inputs[1].dtype in (UINT8, INT8)
        and all(
            zero.dtype == UINT8 and zero.shape in ((), (1,)) and (zero.is_zero or zero.step == SCALE)
            for zero in inputs[2:]
        ),
        "MatMulInteger",
        inputs,
    )
    return product(inputs[:2], "dynamic", "MatMulInteger")._replace(dtype=INT32)


def _dynamic_quantize(inputs: list[Tensor], attributes: Attributes) -> tuple[Tensor, ...]:
    """Integers of a row or a map, with scale and zero point that its own smallest and largest number ask for."""
    expect(
        len(inputs) == 1
        and inputs[0].dtype == FLOAT
        and (is_row(inputs[0]) or (len(inputs[0].shape) == 4 and inputs[0].step in WAY)),
        "DynamicQuantizeLinear",
        inputs,
    )
    return inputs[0]._replace(dtype=UINT8), Tensor(FLOAT, (), step=SCALE), Tensor(UINT8, (), step=SCALE)


def _quantize(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    expect(
        len(inputs) == 3
        and inputs[0].dtype == FLOAT
        and inputs[0].step in WAY
        and inputs[2].dtype in (UINT8, INT8),
        "QuantizeLinear",
        inputs,
    )
    values, _, zero = inputs
    _expect_scale("QuantizeLinear", inputs, attributes)
    if values.step not in (SUMS, RELU) or not zero.is_zero:
        return together([values])._replace(dtype=zero.dtype)
    # Unsigned integers from 0 on are a ReLU; onnxruntime leaves out the one before them.
    step = RELU if zero.dtype == UINT8 else values.step
    return values._replace(dtype=zero.dtype, step=step)


def _dequantize(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    expect(
        len(inputs) in (2, 3)
        and inputs[0].dtype in (UINT8, INT8, INT32)
        and (len(inputs) == 2 or inputs[2].dtype == inputs[0].dtype),
        "DequantizeLinear",
        inputs,
    )
    _expect_scale("DequantizeLinear", inputs, attributes)
    return inputs[0]._replace(dtype=FLOAT, is_quantized=True, scales=inputs[1].scales)


def _expect_scale(operator: str, inputs: list[Tensor], attributes: Attributes) -> None:
    """Expect one scale for all, or one for each index of an axis, and zero points of the same shape.

    Those of weights and biases are all 0.
    """
    values, scale = inputs[0], inputs[1]
    axis = whole(attributes, "axis", 1)
    per_axis = -len(values.shape) <= axis < len(values.shape) and scale.shape == (values.shape[axis],)
    expect(
        scale.dtype == FLOAT
        and scale.is_constant
        and not scale.is_zero
        and (scale.shape in ((), (1,)) or (per_axis and values.is_constant))
        and all(
            zero.is_constant and zero.shape == scale.shape and (zero.is_zero or not values.is_constant)
            for zero in inputs[2:]
        )
        and not whole(attributes, "block_size", 0),
        operator,
        inputs,
    )


OPERATORS: Rules = {
    "Add": _add,
    "Cast": _cast,
    "DequantizeLinear": _dequantize,
    "DynamicQuantizeLinear": _dynamic_quantize,
    "Flatten": _flatten,
    "Gemm": gemm,
    "Identity": _identity,
    "MatMul": _matmul,
    "MatMulInteger": _matmul_integer,
    "Mul": _multiply,
    "QuantizeLinear": _quantize,
    "Relu": _relu,
    "Reshape": _reshape,
    "Softmax": _softmax,
}
