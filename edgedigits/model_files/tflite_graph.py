"""Looks at the tensors and operators of a ``.tflite`` file one by one, and refuses what LiteRT should not be given.

Known operators, each with shapes, types and scales that fit, and constants that lie whole in the file. All rules keep
the batch, so no image grows beyond its weights. ``tflite_chain`` follows the operators.
"""

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from edgedigits.contract import MOST_WEIGHTS, WIDEST_LAYER
from edgedigits.model_files.flatbuffer import Table

CAST, DEQUANTIZE, FULLY_CONNECTED, QUANTIZE, RESHAPE, SOFTMAX = 53, 6, 9, 114, 22, 25
OPERATOR_NAMES = {
    CAST: "CAST",
    DEQUANTIZE: "DEQUANTIZE",
    FULLY_CONNECTED: "FULLY_CONNECTED",
    QUANTIZE: "QUANTIZE",
    RESHAPE: "RESHAPE",
    SOFTMAX: "SOFTMAX",
}
"""BuiltinOperator, as far as networks of ours use it."""

FLOAT32, FLOAT16, INT32, UINT8, INT8 = 0, 1, 2, 3, 9
TYPE_NAMES = {FLOAT32: "float32", FLOAT16: "float16", INT32: "int32", UINT8: "uint8", INT8: "int8"}
_ITEM_BYTES = {FLOAT32: 4, FLOAT16: 2, INT32: 4, UINT8: 1, INT8: 1}
"""TensorType, likewise."""
FLOATS = {FLOAT32: "<f4", FLOAT16: "<f2"}
_ZERO_POINTS = {INT32: range(1), UINT8: range(256), INT8: range(-128, 128)}


class InconsistentError(ValueError):
    """Parts of a file contradict each other."""


def require(holds: bool, what: str) -> None:
    """Raise ``InconsistentError`` that says what was expected, unless it holds."""
    if not holds:
        raise InconsistentError(f"expected {what}")


@dataclass(frozen=True)
class Tensor:
    """What the file says of a tensor, for one image."""

    type: int
    shape: tuple[int, ...]
    scales: tuple[float, ...]
    data: memoryview | None
    """Of a constant."""


def size(tensor: Tensor) -> int:
    """Return how many bytes a tensor has for one image."""
    return _ITEM_BYTES[tensor.type] * math.prod(tensor.shape)


def described_tensor(table: Table, buffers: list[Table]) -> Tensor:
    """Return what the file says of a tensor, once its type, sides, scales and constant fit together.

    Raises:
        InconsistentError: they do not.
    """
    kind: int = table.get("type", 0)
    shape: tuple[int, ...] = table.get("shape", ())
    require(kind in _ITEM_BYTES, f"tensors of {', '.join(TYPE_NAMES.values())}")
    require(len(shape) <= 4 and all(side > 0 for side in shape), "tensors of at most four sides, none empty")
    signature: tuple[int, ...] = table.get("shape_signature", shape)
    # Only the batch is free; the shape holds a single image.
    free = signature[:1] == (-1,) and shape[:1] == (1,)
    require(signature[free:] == shape[free:], "a shape signature like the shape")
    require(table.get("buffer", 0) < len(buffers), "every tensor in one of the buffers")
    data = buffers[table.get("buffer", 0)].get("data") or None
    require(data is not None or math.prod(shape) <= MOST_WEIGHTS, "tensors as large as a network's")
    require(
        data is None or len(data) == math.prod(shape) * _ITEM_BYTES[kind],
        f"{math.prod(shape) * _ITEM_BYTES[kind]:,} bytes of a tensor, found {len(data or b''):,}",
    )
    if data is not None and kind in FLOATS:
        require(
            bool(np.isfinite(np.frombuffer(data, FLOATS[kind])).all()),
            "weights that are numbers, found NaN or infinity: it gives no numbers, its weights are damaged",
        )
    return Tensor(kind, shape, _scales(table.get("quantization", {}), kind, shape), data)


def _scales(quantization: Table, kind: int, shape: tuple[int, ...]) -> tuple[float, ...]:
    """Check what turns a tensor's integers into numbers, one for all or one for each row, and return the scales."""
    scales: tuple[float, ...] = quantization.get("scale", ())
    zero_points = quantization.get("zero_point", ())
    if not scales and not zero_points:
        return ()
    require(kind in _ZERO_POINTS and len(zero_points) == len(scales), "a zero point for every scale")
    require(
        len(scales) == 1 or (shape[:1] == (len(scales),) and not any(zero_points)),
        "a scale for all, or for each row",
    )
    require(quantization.get("axis", 0) == 0, "scales by rows")
    require(all(point in _ZERO_POINTS[kind] for point in zero_points), "zero points within the type's range")
    # Far beyond any network's, and within what the kernels' fixed-point multipliers hold.
    require(all(1e-12 < scale < 1e6 for scale in scales), "positive scales of a usual size")
    return scales


_Rule = Callable[["list[Tensor | None]", Tensor, Table], bool]


def _is_cast(inputs: "list[Tensor | None]", output: Tensor, options: Table) -> bool:
    match inputs:
        case [Tensor() as pixels]:
            return pixels.shape == output.shape and pixels.type in _ITEM_BYTES and output.type == FLOAT32
    return False


def _is_reshape(inputs: "list[Tensor | None]", output: Tensor, options: Table) -> bool:
    match inputs:
        case [Tensor() as images, Tensor(type=2, shape=(2,)) as target] if target.data is not None:
            row = math.prod(images.shape[1:])
            return (
                images.shape[:1] == (1,)
                and struct.unpack("<2i", target.data) == (-1, row)
                and output.shape == (1, row)
                and output.type == images.type
                and output.scales == images.scales
            )
    return False


def _is_fully_connected(inputs: "list[Tensor | None]", output: Tensor, options: Table) -> bool:
    match inputs:
        case [Tensor(shape=(1, width)) as row, Tensor(shape=(units, depth)) as kernel, bias]:
            return (
                width == depth
                and units <= WIDEST_LAYER
                and output.shape == (1, units)
                and (bias is None or bias.shape == (units,))
                and options.get("activation", 0) in (0, 1)
                and _is_known_precision(row, kernel, bias, output)
            )
    return False


def _is_known_precision(row: Tensor, kernel: Tensor, bias: Tensor | None, output: Tensor) -> bool:
    types = (row.type, kernel.type, output.type)
    if types == (FLOAT32, FLOAT32, FLOAT32):
        return bias is None or bias.type == FLOAT32
    if types == (FLOAT32, INT8, FLOAT32):
        return len(kernel.scales) > 0 and kernel.data is not None and (bias is None or bias.type == FLOAT32)
    if types != (INT8, INT8, INT8) or kernel.data is None:
        return False
    if not (len(row.scales) == len(output.scales) == 1 and len(kernel.scales) in (1, kernel.shape[0])):
        return False
    # A fixed-point multiplier holds no more.
    if not all(row.scales[0] * scale / output.scales[0] < 2**16 for scale in kernel.scales):
        return False
    # The kernels take these steps for granted, to within a fiftieth.
    steps = [row.scales[0] * scale for scale in kernel.scales]
    return bias is None or (bias.type == INT32 and (not bias.scales or _are_same(bias.scales, steps)))


def _are_same(scales: Sequence[float], others: Sequence[float]) -> bool:
    """Whether scales are the same but for rounding."""
    return len(scales) == len(others) and all(map(partial(math.isclose, rel_tol=1e-4), scales, others))


def _is_softmax(inputs: "list[Tensor | None]", output: Tensor, options: Table) -> bool:
    match inputs:
        case [Tensor(shape=(1, _)) as logits]:
            return (
                logits.shape == output.shape
                and logits.type == output.type
                and logits.type in (FLOAT32, INT8)
                and (logits.type == FLOAT32 or len(logits.scales) == len(output.scales) == 1)
                and options.get("beta", 0.0) == 1.0
            )
    return False


def _is_quantize(inputs: "list[Tensor | None]", output: Tensor, options: Table) -> bool:
    match inputs:
        case [Tensor() as values]:
            return (
                values.shape == output.shape
                and values.type in (FLOAT32, UINT8, INT8)
                and output.type in (UINT8, INT8)
                and len(output.scales) == 1
                and len(values.scales) == (0 if values.type == FLOAT32 else 1)
                and all(scale / output.scales[0] < 2**16 for scale in values.scales)
            )
    return False


def _is_dequantize(inputs: "list[Tensor | None]", output: Tensor, options: Table) -> bool:
    match inputs:
        case [Tensor() as weights]:
            return (
                weights.shape == output.shape
                and output.type == FLOAT32
                and (weights.type == FLOAT16 or (weights.type in (UINT8, INT8) and len(weights.scales) == 1))
            )
    return False


RULES: "dict[int, _Rule]" = {
    CAST: _is_cast,
    DEQUANTIZE: _is_dequantize,
    FULLY_CONNECTED: _is_fully_connected,
    QUANTIZE: _is_quantize,
    RESHAPE: _is_reshape,
    SOFTMAX: _is_softmax,
}
"""By operator, whether its inputs, its output and its options fit together."""
