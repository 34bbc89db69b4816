"""Follows the graph of a ``.tflite`` file tensor by tensor, and refuses what LiteRT should not be given.

A chain of known operators, each with shapes, types and scales that fit, and constants that lie whole in the file. All
rules keep the batch, so no image grows beyond its weights. The chain leads from the pixels to probabilities: layers
whose weights are constants, a ReLU between two, a softmax at the end.
"""

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from edgedigits.contract import MOST_WEIGHTS, WIDEST_LAYER
from edgedigits.format_table import Precision
from edgedigits.model_files.budget import Budget
from edgedigits.model_files.flatbuffer import Table

_CAST, _DEQUANTIZE, _FULLY_CONNECTED, _QUANTIZE, _RESHAPE, _SOFTMAX = 53, 6, 9, 114, 22, 25
OPERATOR_NAMES = {
    _CAST: "CAST",
    _DEQUANTIZE: "DEQUANTIZE",
    _FULLY_CONNECTED: "FULLY_CONNECTED",
    _QUANTIZE: "QUANTIZE",
    _RESHAPE: "RESHAPE",
    _SOFTMAX: "SOFTMAX",
}
"""BuiltinOperator, as far as networks of ours use it."""

_FLOAT32, _FLOAT16, _INT32, _UINT8, _INT8 = 0, 1, 2, 3, 9
TYPE_NAMES = {_FLOAT32: "float32", _FLOAT16: "float16", _INT32: "int32", _UINT8: "uint8", _INT8: "int8"}
_ITEM_BYTES = {_FLOAT32: 4, _FLOAT16: 2, _INT32: 4, _UINT8: 1, _INT8: 1}
"""TensorType, likewise."""
_FLOATS = {_FLOAT32: "<f4", _FLOAT16: "<f2"}
_ZERO_POINTS = {_INT32: range(1), _UINT8: range(256), _INT8: range(-128, 128)}
MOST_OPERATORS = 1_000
"""A network of ten layers has under thirty."""


class InconsistentError(ValueError):
    """Parts of a file contradict each other."""


def require(holds: bool, what: str) -> None:
    """Raise ``InconsistentError`` that says what was expected, unless it holds."""
    if not holds:
        raise InconsistentError(f"expected {what}")


@dataclass(frozen=True)
class _Tensor:
    """What the file says of a tensor, for one image."""

    type: int
    shape: tuple[int, ...]
    scales: tuple[float, ...]
    data: memoryview | None
    """Of a constant."""


def described_tensor(table: Table, buffers: list[Table]) -> _Tensor:
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
    if data is not None and kind in _FLOATS:
        require(
            bool(np.isfinite(np.frombuffer(data, _FLOATS[kind])).all()),
            "weights that are numbers, found NaN or infinity: it gives no numbers, its weights are damaged",
        )
    return _Tensor(kind, shape, _scales(table.get("quantization", {}), kind, shape), data)


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


def check_operator_chain(
    graph: Table, tensors: list[_Tensor], codes: list[int], budget: Budget
) -> "FoundChain":
    """Follow the operators, each from tensors that are there to one that was not.

    Args:
        graph: the only subgraph.
        tensors: all that it has, as ``described_tensor`` gives them.
        codes: of the operators that the file declares.
        budget: all tensors are spent from it, and what each operator takes.

    Returns:
        The operators, and what network they are.

    Raises:
        InconsistentError: no network that edgedigits exports.
        TooMuchError: the budget is spent.
    """
    budget.take(sum(map(_size, tensors)))
    inputs, outputs = graph.get("inputs", ()), graph.get("outputs", ())
    require(all(0 <= index < len(tensors) for index in (*inputs, *outputs)), "edges among the tensors")
    defined = {index for index, tensor in enumerate(tensors) if tensor.data is not None}
    require(not defined & set(inputs), "inputs that are no constants")
    require(
        all(0 < math.prod(tensors[index].shape) <= WIDEST_LAYER for index in inputs)
        and all(len(tensors[index].shape) > 0 for index in (*inputs, *outputs)),
        "edges of a usual size with a batch",
    )
    way = _Way(tensors, dict.fromkeys(inputs, _IMAGE))
    defined |= set(inputs)
    operators = []
    require(len(graph.get("operators", [])) <= MOST_OPERATORS, f"at most {MOST_OPERATORS:,} operators")
    for operator in graph.get("operators", []):
        index = operator.get("code_index", 0)
        require(index < len(codes), "operators that the file declares")
        taken, given = operator.get("inputs", ()), operator.get("outputs", ())
        name = OPERATOR_NAMES[codes[index]]
        require(all(place == -1 or place in defined for place in taken), f"inputs of {name} that are there")
        require(len(given) == 1 and 0 <= given[0] < len(tensors), f"one output of {name}")
        require(given[0] not in defined, f"a new output of {name}")
        defined.add(given[0])
        rule = _RULES[codes[index]]
        options = operator.get("options", {})
        sources = [None if place == -1 else tensors[place] for place in taken]
        present = [tensor for tensor in sources if tensor is not None]
        budget.take(sum(map(_size, present)))
        budget.step(sum(len(tensor.scales) for tensor in present))
        require(
            rule(sources, tensors[given[0]], options),
            f"a {name} as edgedigits exports it",
        )
        way.follow(codes[index], taken, given[0], options)
        operators.append(codes[index])
    # A tensor that nothing gives would still be given memory, as much as it declares.
    require(
        defined == set(range(len(tensors))), "tensors that are constants, inputs or outputs of an operator"
    )
    return FoundChain(tuple(operators), *way.found(outputs))


@dataclass(frozen=True)
class FoundChain:
    """What a graph's tensors tell, whatever the file says of itself."""

    operators: tuple[int, ...]
    """Their codes, in the order in which they run."""
    precisions: tuple[Precision, ...]
    """In which the weights are kept: one, but for networks too small to tell."""
    widths: tuple[int, ...]
    """Of all layers, the ten classes last."""


_IMAGE, _SUMS, _RELU, _PROBABILITIES = "image", "sums", "relu", "probabilities"
_NEXT = {
    _CAST: {_IMAGE: _IMAGE},
    _RESHAPE: {_IMAGE: _IMAGE},
    _QUANTIZE: {_IMAGE: _IMAGE, _PROBABILITIES: _PROBABILITIES},
    _SOFTMAX: {_SUMS: _PROBABILITIES},
}
"""By operator, from which step of its way an image gets to which; layers and weights have rules of their own."""


@dataclass
class _Way:
    """How far the image has come, and what weights it has met."""

    tensors: list[_Tensor]
    steps: dict[int, str]
    """Of each tensor that is computed from the image."""
    halves: dict[int, int] = field(default_factory=dict)
    """By tensor, the weights that are kept as float16, of which it is the widened form."""
    layers: "list[tuple[Precision, tuple[int, ...]]]" = field(default_factory=list)
    """Precision and shape of the weights of each layer."""

    def follow(self, code: int, taken: tuple[int, ...], given: int, options: Table) -> None:
        """Go on by an operator whose shapes and types are right."""
        name = OPERATOR_NAMES[code]
        if code == _DEQUANTIZE:
            require(
                self.tensors[taken[0]].type == _FLOAT16 and self.tensors[taken[0]].data is not None,
                f"a {name} of weights",
            )
            self.halves[given] = taken[0]
        elif code == _FULLY_CONNECTED:
            self._layer(taken, given, options)
        else:
            step = _NEXT[code].get(self.steps.get(taken[0], ""))
            require(step is not None, f"a {name} on the way of an image, at its place")
            self.steps[given] = str(step)

    def _layer(self, taken: tuple[int, ...], given: int, options: Table) -> None:
        row, kernel, bias = taken
        require(self.steps.get(row) in (_IMAGE, _RELU), "a layer of the image, or after a ReLU")
        require(
            all(
                place == -1 or place in self.halves or self.tensors[place].data is not None
                for place in (kernel, bias)
            ),
            "weights and biases that are constants",
        )
        weights = self.tensors[self.halves.get(kernel, kernel)]
        require(
            bool(np.frombuffer(weights.data or b"", _WEIGHT_TYPES[weights.type]).any()),
            "weights that are not all 0",
        )
        precision = _LAYER_PRECISIONS[self.tensors[row].type, weights.type]
        self.layers.append((precision, weights.shape))
        self.steps[given] = _RELU if options.get("activation", 0) == 1 else _SUMS

    def found(self, outputs: tuple[int, ...]) -> tuple[tuple[Precision, ...], tuple[int, ...]]:
        """Return precisions and widths, where the way ends as it should."""
        require(
            [self.steps.get(output) for output in outputs] == [_PROBABILITIES],
            "a SOFTMAX of the last layer's sums at the end",
        )
        precisions = {precision for precision, _ in self.layers}
        # TensorFlow's converter leaves small layers of a dynamic file as they are, and so all of a very small network.
        large = {
            kept for kept, shape in self.layers if kept != "float32" or math.prod(shape) >= _LEAST_DYNAMIC
        }
        if precisions == {"float32", "dynamic"}:
            precisions = large
        require(len(precisions) == 1, "weights of one precision")
        found: tuple[Precision, ...] = (*precisions,) if large else ("float32", "dynamic")
        return found, tuple(shape[0] for _, shape in self.layers)


_LEAST_DYNAMIC = 1_024
"""Weights of a layer from which on TensorFlow's converter makes integers of them."""
_WEIGHT_TYPES = {**_FLOATS, _INT8: "i1"}
_LAYER_PRECISIONS: dict[tuple[int, int], Precision] = {
    (_FLOAT32, _FLOAT32): "float32",
    (_FLOAT32, _FLOAT16): "float16",
    (_FLOAT32, _INT8): "dynamic",
    (_INT8, _INT8): "int8",
}
"""By the types of what goes into a layer and of its weights; other pairs are refused before."""


def _size(tensor: _Tensor) -> int:
    """Return how many bytes a tensor has for one image."""
    return _ITEM_BYTES[tensor.type] * math.prod(tensor.shape)


_Rule = Callable[["list[_Tensor | None]", _Tensor, Table], bool]


def _is_cast(inputs: "list[_Tensor | None]", output: _Tensor, options: Table) -> bool:
    match inputs:
        case [_Tensor() as pixels]:
            return pixels.shape == output.shape and pixels.type in _ITEM_BYTES and output.type == _FLOAT32
    return False


def _is_reshape(inputs: "list[_Tensor | None]", output: _Tensor, options: Table) -> bool:
    match inputs:
        case [_Tensor() as images, _Tensor(type=2, shape=(2,)) as target] if target.data is not None:
            row = math.prod(images.shape[1:])
            return (
                images.shape[:1] == (1,)
                and struct.unpack("<2i", target.data) == (-1, row)
                and output.shape == (1, row)
                and output.type == images.type
                and output.scales == images.scales
            )
    return False


def _is_fully_connected(inputs: "list[_Tensor | None]", output: _Tensor, options: Table) -> bool:
    match inputs:
        case [_Tensor(shape=(1, width)) as row, _Tensor(shape=(units, depth)) as kernel, bias]:
            return (
                width == depth
                and units <= WIDEST_LAYER
                and output.shape == (1, units)
                and (bias is None or bias.shape == (units,))
                and options.get("activation", 0) in (0, 1)
                and _is_known_precision(row, kernel, bias, output)
            )
    return False


def _is_known_precision(row: _Tensor, kernel: _Tensor, bias: _Tensor | None, output: _Tensor) -> bool:
    types = (row.type, kernel.type, output.type)
    if types == (_FLOAT32, _FLOAT32, _FLOAT32):
        return bias is None or bias.type == _FLOAT32
    if types == (_FLOAT32, _INT8, _FLOAT32):
        return len(kernel.scales) > 0 and kernel.data is not None and (bias is None or bias.type == _FLOAT32)
    if types != (_INT8, _INT8, _INT8) or kernel.data is None:
        return False
    if not (len(row.scales) == len(output.scales) == 1 and len(kernel.scales) in (1, kernel.shape[0])):
        return False
    # A fixed-point multiplier holds no more.
    if not all(row.scales[0] * scale / output.scales[0] < 2**16 for scale in kernel.scales):
        return False
    return bias is None or (bias.type == _INT32 and len(bias.scales) in (0, len(kernel.scales)))


def _is_softmax(inputs: "list[_Tensor | None]", output: _Tensor, options: Table) -> bool:
    match inputs:
        case [_Tensor(shape=(1, _)) as logits]:
            return (
                logits.shape == output.shape
                and logits.type == output.type
                and logits.type in (_FLOAT32, _INT8)
                and (logits.type == _FLOAT32 or len(logits.scales) == len(output.scales) == 1)
                and options.get("beta", 0.0) == 1.0
            )
    return False


def _is_quantize(inputs: "list[_Tensor | None]", output: _Tensor, options: Table) -> bool:
    match inputs:
        case [_Tensor() as values]:
            return (
                values.shape == output.shape
                and values.type in (_FLOAT32, _UINT8, _INT8)
                and output.type in (_UINT8, _INT8)
                and len(output.scales) == 1
                and len(values.scales) == (0 if values.type == _FLOAT32 else 1)
                and all(scale / output.scales[0] < 2**16 for scale in values.scales)
            )
    return False


def _is_dequantize(inputs: "list[_Tensor | None]", output: _Tensor, options: Table) -> bool:
    match inputs:
        case [_Tensor() as weights]:
            return (
                weights.shape == output.shape
                and output.type == _FLOAT32
                and (
                    weights.type == _FLOAT16 or (weights.type in (_UINT8, _INT8) and len(weights.scales) == 1)
                )
            )
    return False


_RULES: "dict[int, _Rule]" = {
    _CAST: _is_cast,
    _DEQUANTIZE: _is_dequantize,
    _FULLY_CONNECTED: _is_fully_connected,
    _QUANTIZE: _is_quantize,
    _RESHAPE: _is_reshape,
    _SOFTMAX: _is_softmax,
}
