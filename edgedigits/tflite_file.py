"""Reads a ``.tflite`` flatbuffer without running it, and refuses what LiteRT should not be given.

LiteRT follows offsets, indices and shapes as the file states them, and a wrong one ends the process. So the file is
read here first, field by field, and its graph is followed tensor by tensor: a chain of known operators, each with
shapes, types and scales that fit, and constants that lie whole in the file.

Schema: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs.
"""

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgedigits.contract import METADATA_KEY, MOST_WEIGHTS, WIDEST_LAYER, ModelMetadata
from edgedigits.errors import ContractError, ModelFileError
from edgedigits.flatbuffer import DamagedFlatbufferError, Schema, Table, read_flatbuffer

IDENTIFIER = b"TFL3"
VERSION = 3

_CAST, _DEQUANTIZE, _FULLY_CONNECTED, _QUANTIZE, _RESHAPE, _SOFTMAX = 53, 6, 9, 114, 22, 25
_OPERATOR_NAMES = {
    _CAST: "CAST",
    _DEQUANTIZE: "DEQUANTIZE",
    _FULLY_CONNECTED: "FULLY_CONNECTED",
    _QUANTIZE: "QUANTIZE",
    _RESHAPE: "RESHAPE",
    _SOFTMAX: "SOFTMAX",
}
"""BuiltinOperator, as far as networks of ours use it."""

_FLOAT32, _FLOAT16, _INT32, _UINT8, _INT8 = 0, 1, 2, 3, 9
_TYPE_NAMES = {_FLOAT32: "float32", _FLOAT16: "float16", _INT32: "int32", _UINT8: "uint8", _INT8: "int8"}
_ITEM_BYTES = {_FLOAT32: 4, _FLOAT16: 2, _INT32: 4, _UINT8: 1, _INT8: 1}
"""TensorType, likewise."""
_ZERO_POINTS = {_INT32: range(1), _UINT8: range(256), _INT8: range(-128, 128)}

_OPTIONS = {8: "fully_connected_options", 9: "softmax_options", 17: "no_options", 37: "no_options",
            46: "no_options", 89: "no_options"}  # fmt: skip
"""BuiltinOptions: of FULLY_CONNECTED, SOFTMAX, RESHAPE, CAST, DEQUANTIZE and QUANTIZE."""

_SCHEMA: Schema = {
    "model": {
        0: ("version", "uint32"),
        1: ("operator_codes", "[operator_code]"),
        2: ("subgraphs", "[subgraph]"),
        3: ("description", "text"),
        4: ("buffers", "[buffer]"),
        6: ("metadata", "[metadata]"),
        7: ("signatures", "[signature]"),
    },
    "operator_code": {
        0: ("deprecated_code", "int8"),
        2: ("version", "int32"),
        3: ("code", "int32"),
        1: ("custom_code", "text"),
    },
    "subgraph": {
        0: ("tensors", "[tensor]"),
        1: ("inputs", "[int32]"),
        2: ("outputs", "[int32]"),
        3: ("operators", "[operator]"),
        4: ("name", "text"),
    },
    "tensor": {
        0: ("shape", "[int32]"),
        1: ("type", "int8"),
        2: ("buffer", "uint32"),
        3: ("name", "text"),
        4: ("quantization", "quantization"),
        7: ("shape_signature", "[int32]"),
        8: ("has_rank", "bool"),
    },
    "quantization": {
        0: ("min", "[float32]"),
        1: ("max", "[float32]"),
        2: ("scale", "[float32]"),
        3: ("zero_point", "[int64]"),
        6: ("axis", "int32"),
    },
    "operator": {
        0: ("code_index", "uint32"),
        1: ("inputs", "[int32]"),
        2: ("outputs", "[int32]"),
        3: ("options_type", "uint8"),
        4: ("options", _OPTIONS),
    },
    "fully_connected_options": {
        0: ("activation", "int8"),
        3: ("asymmetric_inputs", "bool"),
    },
    "softmax_options": {0: ("beta", "float32")},
    "no_options": {0: ("first", "int8"), 1: ("second", "int8")},
    "buffer": {0: ("data", "bytes")},
    "metadata": {0: ("name", "text"), 1: ("buffer", "uint32")},
    "signature": {
        0: ("inputs", "[named_tensor]"),
        1: ("outputs", "[named_tensor]"),
        2: ("key", "text"),
        4: ("subgraph_index", "uint32"),
    },
    "named_tensor": {0: ("name", "text"), 1: ("index", "uint32")},
}


@dataclass(frozen=True)
class TfliteGraph:
    """What a ``.tflite`` file is made of."""

    operators: tuple[str, ...]
    """In the order in which they run: ``("RESHAPE", "FULLY_CONNECTED", ...)``."""
    tensor_types: frozenset[str]
    """Types of all tensors, weights and activations: ``{"int8", "int32"}``."""
    metadata: bytes | None
    """The JSON under ``METADATA_KEY``, if there is any."""


def read_graph(path: Path, content: bytes) -> TfliteGraph:
    """Take a TFLite flatbuffer apart and check that LiteRT can be given it.

    Raises:
        ModelFileError: the content is no TFLite model, or one that does not hold together.
        ContractError: a model with other operators than edgedigits exports.
    """
    if content[4:8] != IDENTIFIER:
        raise ModelFileError(path, f"no TFLite model: expected the identifier TFL3, found {content[4:8]!r}")
    try:
        model = read_flatbuffer(_SCHEMA, "model", content)
        buffers = _check_frame(model)
        codes = [_operator_code(path, code) for code in model.get("operator_codes", [])]
        graph = model["subgraphs"][0]
        tensors = [_tensor(table, buffers) for table in graph.get("tensors", [])]
        operators = _follow(graph, tensors, codes)
    except (DamagedFlatbufferError, _InconsistentError) as error:
        raise ModelFileError(path, f"no whole TFLite model ({error})") from error
    return TfliteGraph(
        operators=tuple(_OPERATOR_NAMES[code] for code in operators),
        tensor_types=frozenset(_TYPE_NAMES[tensor.type] for tensor in tensors),
        metadata=_metadata(model),
    )


def read_metadata(path: Path, content: bytes) -> ModelMetadata:
    """Return what a ``.tflite`` file says of itself.

    Raises:
        ModelFileError: the content is no TFLite model, or one that does not hold together.
        ContractError: it says nothing, or something that the contract does not allow.
    """
    graph = read_graph(path, content)
    if graph.metadata is None:
        raise ContractError(path, "edgedigits metadata inside the file", "none")
    return ModelMetadata.from_json(graph.metadata, path)


# --- The parts -----------------------------------------------------------------------------------------------------


class _InconsistentError(ValueError):
    """Parts of a file contradict each other."""


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise _InconsistentError(f"expected {what}")


@dataclass(frozen=True)
class _Tensor:
    """What the file says of a tensor, for one image."""

    type: int
    shape: tuple[int, ...]
    scales: tuple[float, ...]
    data: memoryview | None
    """Of a constant."""


def _check_frame(model: Table) -> list[Table]:
    """Check all that is not the graph, and return the buffers."""
    _require(model.get("version") == VERSION, f"version {VERSION} of the format")
    buffers: list[Table] = model.get("buffers", [])
    _require(len(buffers) > 0 and not buffers[0].get("data"), "an empty first buffer")
    _require(len(model.get("subgraphs", [])) == 1, "one subgraph")
    tensors = len(model["subgraphs"][0].get("tensors", []))
    for entry in model.get("metadata", []):
        _require(entry.get("buffer", 0) < len(buffers), "metadata in one of the buffers")
    for signature in model.get("signatures", []):
        edges = signature.get("inputs", []) + signature.get("outputs", [])
        _require(
            all(edge.get("index", 0) < tensors and "name" in edge for edge in edges), "signatures of tensors"
        )
        _require(signature.get("subgraph_index", 0) == 0 and "key" in signature, "signatures of the subgraph")
    return buffers


def _metadata(model: Table) -> bytes | None:
    found = None
    for entry in model.get("metadata", []):
        if entry.get("name") == METADATA_KEY:
            found = bytes(model["buffers"][entry.get("buffer", 0)].get("data", b""))
    return found


def _operator_code(path: Path, code: Table) -> int:
    """Return the BuiltinOperator; files of old converters have it in a field of eight bits."""
    number = max(code.get("code", 0), code.get("deprecated_code", 0))
    if number not in _OPERATOR_NAMES:
        custom = code.get("custom_code")
        found = f"a custom operator {custom}" if custom is not None else f"operator {number}"
        raise ContractError(path, f"operators {', '.join(_OPERATOR_NAMES.values())}", found)
    _require("custom_code" not in code, "no custom code of a known operator")
    return int(number)


def _tensor(table: Table, buffers: list[Table]) -> _Tensor:
    kind: int = table.get("type", 0)
    shape: tuple[int, ...] = table.get("shape", ())
    _require(kind in _ITEM_BYTES, f"tensors of {', '.join(_TYPE_NAMES.values())}")
    _require(len(shape) <= 4 and all(side > 0 for side in shape), "tensors of at most four sides, none empty")
    signature: tuple[int, ...] = table.get("shape_signature", shape)
    # Only the batch is free; the shape holds a single image.
    free = signature[:1] == (-1,) and shape[:1] == (1,)
    _require(signature[free:] == shape[free:], "a shape signature like the shape")
    _require(table.get("buffer", 0) < len(buffers), "every tensor in one of the buffers")
    data = buffers[table.get("buffer", 0)].get("data") or None
    _require(data is not None or math.prod(shape) <= MOST_WEIGHTS, "tensors as large as a network's")
    _require(
        data is None or len(data) == math.prod(shape) * _ITEM_BYTES[kind],
        f"{math.prod(shape) * _ITEM_BYTES[kind]:,} bytes of a tensor, found {len(data or b''):,}",
    )
    return _Tensor(kind, shape, _scales(table.get("quantization", {}), kind, shape), data)


def _scales(quantization: Table, kind: int, shape: tuple[int, ...]) -> tuple[float, ...]:
    """Check what turns a tensor's integers into numbers, one for all or one for each row, and return the scales."""
    scales: tuple[float, ...] = quantization.get("scale", ())
    zero_points = quantization.get("zero_point", ())
    if not scales and not zero_points:
        return ()
    _require(kind in _ZERO_POINTS and len(zero_points) == len(scales), "a zero point for every scale")
    _require(
        len(scales) == 1 or (shape[:1] == (len(scales),) and not any(zero_points)),
        "a scale for all, or for each row",
    )
    _require(quantization.get("axis", 0) == 0, "scales by rows")
    _require(all(point in _ZERO_POINTS[kind] for point in zero_points), "zero points within the type's range")
    # Far beyond any network's, and within what the kernels' fixed-point multipliers hold.
    _require(all(1e-12 < scale < 1e6 for scale in scales), "positive scales of a usual size")
    return scales


# --- The graph: what each operator makes of its inputs. All rules keep the batch, so no image grows beyond its weights.


def _follow(graph: Table, tensors: list[_Tensor], codes: list[int]) -> list[int]:
    """Follow the operators, each from tensors that are there to one that was not, and return their codes."""
    inputs, outputs = graph.get("inputs", ()), graph.get("outputs", ())
    _require(all(0 <= index < len(tensors) for index in (*inputs, *outputs)), "edges among the tensors")
    defined = {index for index, tensor in enumerate(tensors) if tensor.data is not None}
    _require(not defined & set(inputs), "inputs that are no constants")
    _require(
        all(0 < math.prod(tensors[index].shape) <= WIDEST_LAYER for index in inputs)
        and all(len(tensors[index].shape) > 0 for index in (*inputs, *outputs)),
        "edges of a usual size with a batch",
    )
    defined |= set(inputs)
    operators = []
    for operator in graph.get("operators", []):
        index = operator.get("code_index", 0)
        _require(index < len(codes), "operators that the file declares")
        taken, given = operator.get("inputs", ()), operator.get("outputs", ())
        name = _OPERATOR_NAMES[codes[index]]
        _require(all(place == -1 or place in defined for place in taken), f"inputs of {name} that are there")
        _require(len(given) == 1 and 0 <= given[0] < len(tensors), f"one output of {name}")
        _require(given[0] not in defined, f"a new output of {name}")
        defined.add(given[0])
        rule = _RULES[codes[index]]
        _require(
            rule(
                [None if place == -1 else tensors[place] for place in taken],
                tensors[given[0]],
                operator.get("options", {}),
            ),
            f"a {name} as edgedigits exports it",
        )
        operators.append(codes[index])
    # A tensor that nothing gives would still be given memory, as much as it declares.
    _require(
        defined == set(range(len(tensors))), "tensors that are constants, inputs or outputs of an operator"
    )
    return operators


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
