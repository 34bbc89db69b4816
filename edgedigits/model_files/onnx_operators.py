"""What each ONNX operator that edgedigits writes makes of its inputs' types and shapes; all others are refused.

Every rule keeps the batch, so that no constant, however it is shaped, can blow an image up: a row is never longer than
the constants that it meets. ``FUSED_OPERATORS`` are what onnxruntime makes of several when it optimizes a graph, in
files of its own format.

Operators: https://github.com/onnx/onnx/blob/main/docs/Operators.md; onnxruntime's own:
https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from edgedigits.contract import WIDEST_LAYER

Side: TypeAlias = "int | None"
Message: TypeAlias = "dict[str, Any]"

FLOAT, UINT8, INT8, INT32, INT64, FLOAT16 = 1, 2, 3, 6, 7, 10
"""TensorProto.DataType, as far as networks of ours use it."""
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


_Attributes: TypeAlias = "dict[str, Message]"


def _expect(holds: bool, operator: str, inputs: list[Tensor]) -> None:
    if not holds:
        shapes = ", ".join(f"({', '.join('n' if s is None else str(s) for s in t.shape)})" for t in inputs)
        raise ForeignGraphError(f"a {operator} as edgedigits exports it", f"one of {shapes or 'nothing'}")


def _is_row(tensor: Tensor) -> bool:
    """Whether a tensor is (n, numbers)."""
    return len(tensor.shape) == 2 and tensor.shape[1] is not None and not tensor.is_constant


def _int(attributes: _Attributes, name: str, default: int) -> int:
    return int(attributes[name].get("i", 0)) if name in attributes else default


def _cast(inputs: list[Tensor], attributes: _Attributes) -> Tensor:
    target = _int(attributes, "to", 0)
    _expect(len(inputs) == 1 and target in ITEM_BYTES, "Cast", inputs)
    return Tensor(target, inputs[0].shape, inputs[0].is_constant)


def _identity(inputs: list[Tensor], attributes: _Attributes) -> Tensor:
    _expect(len(inputs) == 1, "Identity", inputs)
    return inputs[0]


def _relu(inputs: list[Tensor], attributes: _Attributes) -> Tensor:
    _expect(len(inputs) == 1 and inputs[0].dtype == FLOAT, "Relu", inputs)
    return inputs[0]


def _softmax(inputs: list[Tensor], attributes: _Attributes) -> Tensor:
    _expect(
        len(inputs) == 1
        and inputs[0].dtype == FLOAT
        and _is_row(inputs[0])
        and _int(attributes, "axis", -1) in (-1, 1),
        "Softmax",
        inputs,
    )
    return inputs[0]


def _flat(tensor: Tensor) -> int:
    """Return how many numbers an image of a tensor (n, ...) has; -1 where that is not known."""
    sides = tensor.shape[1:]
    return math.prod(side for side in sides if side is not None) if None not in sides else -1


def _reshape(inputs: list[Tensor], attributes: _Attributes) -> Tensor:
    _expect(
        len(inputs) == 2
        and not inputs[0].is_constant
        and len(inputs[0].shape) > 0
        and inputs[1].shape == (2,)
        and inputs[1].numbers in ((-1, _flat(inputs[0])), (0, _flat(inputs[0])))
        and inputs[1].numbers[1] > 0
        and not _int(attributes, "allowzero", 0),
        "Reshape",
        inputs,
    )
    return Tensor(inputs[0].dtype, (inputs[0].shape[0], inputs[1].numbers[1]))


def _flatten(inputs: list[Tensor], attributes: _Attributes) -> Tensor:
    _expect(
        len(inputs) == 1
        and not inputs[0].is_constant
        and len(inputs[0].shape) > 1
        and _flat(inputs[0]) > 0
        and _int(attributes, "axis", 1) == 1,
        "Flatten",
        inputs,
    )
    return Tensor(inputs[0].dtype, (inputs[0].shape[0], _flat(inputs[0])))


def _matmul(inputs: list[Tensor], attributes: _Attributes) -> Tensor:
    _expect(
        len(inputs) == 2
        and inputs[0].dtype == inputs[1].dtype == FLOAT
        and _is_row(inputs[0])
        and inputs[1].is_constant
        and len(inputs[1].shape) == 2
        and inputs[1].shape[0] == inputs[0].shape[1]
        and (inputs[1].shape[1] or 0) <= WIDEST_LAYER,
        "MatMul",
        inputs,
    )
    return Tensor(FLOAT, (inputs[0].shape[0], inputs[1].shape[1]))


def _gemm(inputs: list[Tensor], attributes: _Attributes) -> Tensor:
    _expect(
        len(inputs) in (2, 3) and len(inputs[1].shape) == 2 and not _int(attributes, "transA", 0),
        "Gemm",
        inputs,
    )
    kernel = inputs[1]
    if _int(attributes, "transB", 0):
        kernel = Tensor(kernel.dtype, kernel.shape[::-1], kernel.is_constant)
    product = _matmul([inputs[0], kernel], {})
    return _add([product, inputs[2]], {}) if len(inputs) == 3 else product


def _add(inputs: list[Tensor], attributes: _Attributes) -> Tensor:
    return _with_each(inputs, "Add")


def _multiply(inputs: list[Tensor], attributes: _Attributes) -> Tensor:
    """Scales: of a row, or of other scales."""
    if len(inputs) == 2 and inputs[0].shape == () and inputs[1].is_constant and len(inputs[1].shape) == 1:
        _expect(inputs[0].dtype == inputs[1].dtype == FLOAT, "Mul", inputs)
        return Tensor(FLOAT, inputs[1].shape)
    return _with_each(inputs, "Mul")


def _with_each(inputs: list[Tensor], operator: str) -> Tensor:
    """A row, and a number for each of it or one for all."""
    _expect(
        len(inputs) == 2
        and inputs[0].dtype == inputs[1].dtype == FLOAT
        and _is_row(inputs[0])
        and inputs[1].shape in ((), (1,), inputs[0].shape[1:], (1, *inputs[0].shape[1:])),
        operator,
        inputs,
    )
    return inputs[0]


def _matmul_integer(inputs: list[Tensor], attributes: _Attributes) -> Tensor:
    _expect(
        len(inputs) in (2, 3)
        and inputs[0].dtype == UINT8
        and inputs[1].dtype in (UINT8, INT8)
        and all(zero.dtype == UINT8 and zero.shape in ((), (1,)) for zero in inputs[2:]),
        "MatMulInteger",
        inputs,
    )
    floats = [Tensor(FLOAT, tensor.shape, tensor.is_constant) for tensor in inputs[:2]]
    return Tensor(INT32, _matmul(floats, {}).shape)


def _dynamic_quantize(inputs: list[Tensor], attributes: _Attributes) -> tuple[Tensor, ...]:
    """Integers of a row, with the scale and the zero point that its own smallest and largest number ask for."""
    _expect(
        len(inputs) == 1 and inputs[0].dtype == FLOAT and _is_row(inputs[0]), "DynamicQuantizeLinear", inputs
    )
    return Tensor(UINT8, inputs[0].shape), Tensor(FLOAT, ()), Tensor(UINT8, ())


def _quantize(inputs: list[Tensor], attributes: _Attributes) -> Tensor:
    _expect(
        len(inputs) == 3 and inputs[0].dtype == FLOAT and inputs[2].dtype in (UINT8, INT8),
        "QuantizeLinear",
        inputs,
    )
    _expect_scale("QuantizeLinear", inputs, attributes)
    return Tensor(inputs[2].dtype, inputs[0].shape, inputs[0].is_constant)


def _dequantize(inputs: list[Tensor], attributes: _Attributes) -> Tensor:
    _expect(
        len(inputs) in (2, 3)
        and inputs[0].dtype in (UINT8, INT8, INT32)
        and (len(inputs) == 2 or inputs[2].dtype == inputs[0].dtype),
        "DequantizeLinear",
        inputs,
    )
    _expect_scale("DequantizeLinear", inputs, attributes)
    return Tensor(FLOAT, inputs[0].shape, inputs[0].is_constant)


def _expect_scale(operator: str, inputs: list[Tensor], attributes: _Attributes) -> None:
    """Expect one scale for all, or one for each index of an axis; and zero points of the same shape."""
    values, scale = inputs[0], inputs[1]
    axis = _int(attributes, "axis", 1)
    per_axis = -len(values.shape) <= axis < len(values.shape) and scale.shape == (values.shape[axis],)
    _expect(
        scale.dtype == FLOAT
        and scale.is_constant
        and (scale.shape in ((), (1,)) or per_axis)
        and all(zero.is_constant and zero.shape == scale.shape for zero in inputs[2:])
        and not _int(attributes, "block_size", 0),
        operator,
        inputs,
    )


OPERATORS: "dict[str, Callable[[list[Tensor], _Attributes], Tensor | tuple[Tensor, ...]]]" = {
    "Add": _add,
    "Cast": _cast,
    "DequantizeLinear": _dequantize,
    "DynamicQuantizeLinear": _dynamic_quantize,
    "Flatten": _flatten,
    "Gemm": _gemm,
    "Identity": _identity,
    "MatMul": _matmul,
    "MatMulInteger": _matmul_integer,
    "Mul": _multiply,
    "QuantizeLinear": _quantize,
    "Relu": _relu,
    "Reshape": _reshape,
    "Softmax": _softmax,
}


def _fused_gemm(inputs: list[Tensor], attributes: _Attributes) -> Tensor:
    _expect(attributes.get("activation", {}).get("s", "") == "Relu", "FusedGemm", inputs)
    return _gemm(inputs, attributes)


def _quantized_gemm(inputs: list[Tensor], attributes: _Attributes) -> Tensor:
    """Values, scale and zero point of a row and of a kernel; a bias; scale and zero point of integers that come out."""
    _expect(len(inputs) in (7, 9), "QGemm", inputs)
    row, row_scale, row_zero, kernel, kernel_scale, kernel_zero, bias, *output = inputs
    scales, zeros = (row_scale, kernel_scale, *output[:1]), (row_zero, *output[1:])
    _expect(
        row.dtype in (UINT8, INT8)
        and kernel.dtype in (UINT8, INT8)
        and kernel.is_constant
        and bias.dtype == INT32
        and all(scale.dtype == FLOAT and scale.is_constant for scale in scales)
        and all(
            zero.dtype in (UINT8, INT8) and zero.is_constant and zero.shape in ((), (1,)) for zero in zeros
        )
        and row_zero.dtype == row.dtype
        and kernel_zero.dtype == kernel.dtype
        and kernel_zero.shape == kernel_scale.shape
        and kernel_scale.shape in ((), (1,), kernel.shape[1:])
        and all(scale.shape in ((), (1,)) for scale in (row_scale, *output[:1])),
        "QGemm",
        inputs,
    )
    floats = [Tensor(FLOAT, tensor.shape, tensor.is_constant) for tensor in (row, kernel, bias)]
    return Tensor(output[1].dtype if output else FLOAT, _gemm(floats, attributes).shape)


FUSED_OPERATORS: "dict[str, Callable[[list[Tensor], _Attributes], Tensor | tuple[Tensor, ...]]]" = {
    "FusedGemm": _fused_gemm,
    "QGemm": _quantized_gemm,
}
