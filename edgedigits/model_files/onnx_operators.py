"""What each ONNX operator that edgedigits writes makes of its inputs' types and shapes; all others are refused.

Every rule keeps the batch, so that no constant, however it is shaped, can blow an image up: a row is never longer than
the constants that it meets. Every rule also knows how far on its way from pixels to probabilities a tensor is, its
``Tensor.step``: layers in a chain, each a product with constants, a ReLU between two, a softmax at the end. And each
product tells what precision its weights are kept in.

Operators: https://github.com/onnx/onnx/blob/main/docs/Operators.md.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from edgedigits.contract import WIDEST_LAYER
from edgedigits.format_table import Precision

Side: TypeAlias = "int | None"
Message: TypeAlias = "dict[str, Any]"

FLOAT, UINT8, INT8, INT32, INT64, FLOAT16 = 1, 2, 3, 6, 7, 10
"""TensorProto.DataType, as far as networks of ours use it."""
SAME_SCALE = 1e-4
"""Share by which two scales may differ that are the same, but for rounding."""
ITEM_BYTES = {FLOAT: 4, UINT8: 1, INT8: 1, INT32: 4, INT64: 8, FLOAT16: 2}


class DamagedGraphError(ValueError):
    """The bytes are no such message."""


class ForeignGraphError(ValueError):
    """A whole model, but not one that edgedigits would write."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(expected, found)
        self.expected, self.found = expected, found


class Tensor(NamedTuple):
    """What is known of a tensor before anything runs."""

    dtype: int
    shape: tuple[Side, ...]
    """None for a free side: the batch."""
    is_constant: bool = False
    numbers: tuple[int, ...] = ()
    """The values of a constant of int64: what a Reshape makes of its input."""
    is_zero: bool = False
    """Whether it is a constant of zeros only."""
    step: str = ""
    """What of an image it is: ``IMAGE``, ``SUMS``, ``RELU`` or ``PROBABILITIES``; ``SCALE`` for what is computed from
    an image beside its values; empty for constants."""
    precision: "Precision | None" = None
    """Of a constant, how it is kept; of anything else, how the weights of all layers before it are."""
    is_quantized: bool = False
    """Whether it is the float value of integers."""
    scales: Any = None
    """Of what is quantized, what a step is worth, float64; of a float constant of at most one side, its values."""
    widths: tuple[int, ...] = ()
    """Of the layers before it."""


IMAGE, SUMS, RELU, PROBABILITIES, SCALE = "image", "sums", "relu", "probabilities", "scale"
"""The way of an image: pixels, then rows, the sums of a layer: of the last one, or kept by a ReLU for the next."""

Attributes: TypeAlias = "dict[str, Message]"


def expect(holds: bool, operator: str, inputs: list[Tensor]) -> None:
    """Raise ``ForeignGraphError`` with the shapes of an operator's inputs, unless it is as it should be."""
    if not holds:
        shapes = ", ".join(f"({', '.join('n' if s is None else str(s) for s in t.shape)})" for t in inputs)
        raise ForeignGraphError(f"a {operator} as edgedigits exports it", f"one of {shapes or 'nothing'}")


def _is_row(tensor: Tensor) -> bool:
    """Whether a tensor is (n, numbers), computed from the image."""
    return len(tensor.shape) == 2 and tensor.shape[1] is not None and tensor.step not in ("", SCALE)


def _int(attributes: Attributes, name: str, default: int) -> int:
    return int(attributes[name].get("i", 0)) if name in attributes else default


def _cast(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    expect(len(inputs) == 1 and _int(attributes, "to", 0) == FLOAT, "Cast", inputs)
    return inputs[0]._replace(dtype=FLOAT, numbers=())


def _identity(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    expect(len(inputs) == 1, "Identity", inputs)
    return inputs[0]


def _relu(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    expect(len(inputs) == 1 and inputs[0].dtype == FLOAT and inputs[0].step == SUMS, "Relu", inputs)
    return inputs[0]._replace(step=RELU)


def _softmax(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    expect(
        len(inputs) == 1
        and inputs[0].dtype == FLOAT
        and inputs[0].step == SUMS
        and _int(attributes, "axis", -1) in (-1, 1),
        "Softmax",
        inputs,
    )
    return inputs[0]._replace(step=PROBABILITIES)


def _flat(tensor: Tensor) -> int:
    """Return how many numbers an image of a tensor (n, ...) has; -1 where that is not known."""
    sides = tensor.shape[1:]
    return math.prod(side for side in sides if side is not None) if None not in sides else -1


def _reshape(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    expect(
        len(inputs) == 2
        and inputs[0].step == IMAGE
        and len(inputs[0].shape) > 0
        and inputs[1].shape == (2,)
        and inputs[1].numbers in ((-1, _flat(inputs[0])), (0, _flat(inputs[0])))
        and inputs[1].numbers[1] > 0
        and not _int(attributes, "allowzero", 0),
        "Reshape",
        inputs,
    )
    return inputs[0]._replace(shape=(inputs[0].shape[0], inputs[1].numbers[1]))


def _flatten(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    expect(
        len(inputs) == 1
        and inputs[0].step == IMAGE
        and len(inputs[0].shape) > 1
        and _flat(inputs[0]) > 0
        and _int(attributes, "axis", 1) == 1,
        "Flatten",
        inputs,
    )
    return inputs[0]._replace(shape=(inputs[0].shape[0], _flat(inputs[0])))


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
        _is_row(row)
        and row.step in (IMAGE, RELU)
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
    )


def gemm(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    """The sums of a layer, and biases."""
    expect(len(inputs) in (2, 3), "Gemm", inputs)
    product = _matmul([inputs[0], kernel_of(inputs[1], "Gemm", inputs, attributes)], {})
    return _add([product, inputs[2]], {}) if len(inputs) == 3 else product


def kernel_of(kernel: Tensor, operator: str, inputs: list[Tensor], attributes: Attributes) -> Tensor:
    """Return the kernel of a Gemm as a MatMul takes it; nothing is scaled on the way."""
    expect(
        len(kernel.shape) == 2
        and not _int(attributes, "transA", 0)
        and all(attributes[name].get("f", 0.0) == 1.0 for name in ("alpha", "beta") if name in attributes),
        operator,
        inputs,
    )
    return kernel._replace(shape=kernel.shape[::-1]) if _int(attributes, "transB", 0) else kernel


def _add(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    expect(len(inputs) == 2 and inputs[1].is_constant, "Add", inputs)
    sums, bias = inputs
    # Runtimes that add integers take the biases' steps for granted; those that add floats do not.
    if bias.is_quantized and not (
        sums.scales is not None and (abs(bias.scales - sums.scales) <= SAME_SCALE * sums.scales).all()
    ):
        raise ForeignGraphError("biases in steps of an input times a weight", "other steps")
    return _with_each(inputs, "Add")


def _multiply(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    """Scales: of a row, or of other scales."""
    if len(inputs) == 2 and inputs[0].shape == () and inputs[1].is_constant and len(inputs[1].shape) == 1:
        expect(
            inputs[0].dtype == inputs[1].dtype == FLOAT and inputs[0].step == SCALE and not inputs[1].is_zero,
            "Mul",
            inputs,
        )
        return Tensor(FLOAT, inputs[1].shape, step=SCALE)
    expect(len(inputs) == 2 and not inputs[1].is_zero, "Mul", inputs)
    return _with_each(inputs, "Mul")


def _with_each(inputs: list[Tensor], operator: str) -> Tensor:
    """The sums of a layer, and a number for each of them or one for all."""
    expect(
        len(inputs) == 2
        and inputs[0].dtype == inputs[1].dtype == FLOAT
        and inputs[0].step == SUMS
        and (inputs[1].is_constant or inputs[1].step == SCALE)
        and inputs[1].shape in ((), (1,), inputs[0].shape[1:], (1, *inputs[0].shape[1:])),
        operator,
        inputs,
    )
    return inputs[0]


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
    """Integers of a row, with the scale and the zero point that its own smallest and largest number ask for."""
    expect(
        len(inputs) == 1 and inputs[0].dtype == FLOAT and _is_row(inputs[0]), "DynamicQuantizeLinear", inputs
    )
    return inputs[0]._replace(dtype=UINT8), Tensor(FLOAT, (), step=SCALE), Tensor(UINT8, (), step=SCALE)


def _quantize(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    expect(
        len(inputs) == 3
        and inputs[0].dtype == FLOAT
        and inputs[0].step in (SUMS, RELU)
        and inputs[2].dtype in (UINT8, INT8),
        "QuantizeLinear",
        inputs,
    )
    _expect_scale("QuantizeLinear", inputs, attributes)
    # Unsigned integers from 0 on are a ReLU; onnxruntime leaves out the one before them.
    step = RELU if inputs[2].dtype == UINT8 else inputs[0].step
    return inputs[0]._replace(dtype=inputs[2].dtype, step=step)


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
    """Expect one scale for all, or one for each index of an axis; and zero points of the same shape, all 0."""
    values, scale = inputs[0], inputs[1]
    axis = _int(attributes, "axis", 1)
    per_axis = -len(values.shape) <= axis < len(values.shape) and scale.shape == (values.shape[axis],)
    expect(
        scale.dtype == FLOAT
        and scale.is_constant
        and not scale.is_zero
        and (scale.shape in ((), (1,)) or per_axis)
        and all(zero.is_zero and zero.shape == scale.shape for zero in inputs[2:])
        and not _int(attributes, "block_size", 0),
        operator,
        inputs,
    )


Rules: TypeAlias = "dict[str, Callable[[list[Tensor], Attributes], Tensor | tuple[Tensor, ...]]]"
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
