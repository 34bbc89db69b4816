"""Checks an ``.onnx`` file before onnxruntime sees it: nothing that a file declares is believed there.

onnxruntime trusts its input: a tensor may lie outside the file, an operator may come from anywhere, and a shape of a
few bytes may ask for all memory. What edgedigits exports needs little, so this module reads the protobuf field by
field, refuses every field that it has no use for, and follows the shapes through the graph: pixels go through a chain
of known operators with constants that lie whole in the file, and no step makes more of an image than they hold.

Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto (ONNX 1.17); the wire format of protobuf:
https://protobuf.dev/programming-guides/encoding.
"""

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from edgedigits.contract import WIDEST_LAYER
from edgedigits.errors import ContractError, ModelFileError

MOST_ITEMS = 1_000
"""Nodes, constants or other entries of one kind. A network of ten layers has under a hundred."""
MOST_NUMBERS = 100_000
"""Numbers of one tensor that stand one by one, not as raw bytes; few do."""
LONGEST_TEXT = 1 << 20
"""Bytes of one text; the metadata that edgedigits writes is under 2,000."""

Side: TypeAlias = "int | None"
Message: TypeAlias = "dict[str, Any]"

FLOAT, UINT8, INT8, INT32, INT64, FLOAT16 = 1, 2, 3, 6, 7, 10
"""TensorProto.DataType, as far as networks of ours use it."""
_ITEM_BYTES = {FLOAT: 4, UINT8: 1, INT8: 1, INT32: 4, INT64: 8, FLOAT16: 2}

_VARINT, _BYTES, _FIXED32 = 0, 2, 5
"""Wire types."""


_MESSAGES: dict[str, dict[int, tuple[str, str]]] = {
    "model": {
        1: ("ir_version", "int"),
        2: ("producer_name", "text"),
        3: ("producer_version", "text"),
        4: ("domain", "text"),
        5: ("model_version", "int"),
        6: ("doc_string", "text"),
        7: ("graph", "graph"),
        8: ("opset_import", "[opset]"),
        14: ("metadata_props", "[entry]"),
    },
    "opset": {1: ("domain", "text"), 2: ("version", "int")},
    "entry": {1: ("key", "text"), 2: ("value", "text")},
    "graph": {
        1: ("node", "[node]"),
        2: ("name", "text"),
        5: ("initializer", "[tensor]"),
        10: ("doc_string", "text"),
        11: ("input", "[value]"),
        12: ("output", "[value]"),
    },
    "node": {
        1: ("input", "[text]"),
        2: ("output", "[text]"),
        3: ("name", "text"),
        4: ("op_type", "text"),
        5: ("attribute", "[attribute]"),
        6: ("doc_string", "text"),
        7: ("domain", "text"),
    },
    "attribute": {
        1: ("name", "text"),
        2: ("f", "float"),
        3: ("i", "int"),
        4: ("s", "bytes"),
        7: ("floats", "floats"),
        8: ("ints", "ints"),
        13: ("doc_string", "text"),
        20: ("type", "int"),
    },
    "tensor": {
        1: ("dims", "ints"),
        2: ("data_type", "int"),
        4: ("float_data", "floats"),
        5: ("int32_data", "ints"),
        7: ("int64_data", "ints"),
        8: ("name", "text"),
        9: ("raw_data", "bytes"),
        12: ("doc_string", "text"),
        13: ("external_data", "[entry]"),
        14: ("data_location", "int"),
    },
    "value": {1: ("name", "text"), 2: ("type", "type"), 3: ("doc_string", "text")},
    "type": {1: ("tensor_type", "tensor_type"), 6: ("denotation", "text")},
    "tensor_type": {1: ("elem_type", "int"), 2: ("shape", "shape")},
    "shape": {1: ("dim", "[dimension]")},
    "dimension": {
        1: ("dim_value", "int"),
        2: ("dim_param", "text"),
        3: ("denotation", "text"),
    },
}


"""Message -> number of the field -> its name and kind: ``int``, ``float``, ``text``, ``bytes``, ``ints``, ``floats``,
or the name of a message; a kind in brackets may stand there any number of times."""


class DamagedGraphError(ValueError):
    """The bytes are no such message."""


class ForeignGraphError(ValueError):
    """A whole model, but not one that edgedigits would write."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(expected, found)
        self.expected, self.found = expected, found


def check_onnx(path: Path, content: bytes) -> None:
    """Refuse what onnxruntime should not be given.

    Args:
        path: of the file, for messages.
        content: of the file.

    Raises:
        ModelFileError: no whole ONNX model, or a part of it lies elsewhere.
        ContractError: a model with other operators or shapes than edgedigits exports.
    """
    try:
        model = _decode("model", memoryview(content))
        if "graph" not in model:
            raise DamagedGraphError("it holds no graph")
        check_graph(model["graph"])
    except DamagedGraphError as error:
        raise ModelFileError(path, f"no whole ONNX model ({error})") from error
    except ForeignGraphError as error:
        raise ContractError(path, error.expected, error.found) from error


# --- Protobuf ------------------------------------------------------------------------------------------------------


def _decode(kind: str, view: memoryview) -> Message:
    """Read a message; fields that it does not have are missing, repeated ones are lists."""
    fields = _MESSAGES[kind]
    message: Message = {name: [] for name, kind in fields.values() if kind[0] == "["}
    at = 0
    while at < len(view):
        tag, at = _varint(view, at)
        if tag >> 3 not in fields:
            raise DamagedGraphError(f"field {tag >> 3} of a {kind} is none that edgedigits writes")
        name, form = fields[tag >> 3]
        value, at = _value(name, form.strip("[]"), tag & 7, view, at)
        if form[0] == "[":
            message[name].append(value)
            if len(message[name]) > MOST_ITEMS:
                raise DamagedGraphError(f"more than {MOST_ITEMS:,} entries {name}")
        elif form in ("ints", "floats"):
            message.setdefault(name, []).extend(value)
            if len(message[name]) > MOST_NUMBERS:
                raise DamagedGraphError(f"more than {MOST_NUMBERS:,} numbers in {name}")
        elif name in message:
            # Readers differ in which of two counts.
            raise DamagedGraphError(f"two fields {name} in a {kind}")
        else:
            message[name] = value
    return message


def _value(name: str, kind: str, wire_type: int, view: memoryview, at: int) -> tuple[Any, int]:
    if wire_type == _VARINT and kind in ("int", "ints"):
        number, at = _varint(view, at)
        return _signed(number) if kind == "int" else [_signed(number)], at
    if wire_type == _FIXED32 and kind in ("float", "floats"):
        number = struct.unpack("<f", _piece(view, at, 4))[0]
        return number if kind == "float" else [number], at + 4
    if wire_type != _BYTES or kind in ("int", "float"):
        raise DamagedGraphError(f"{name} in another encoding")
    length, at = _varint(view, at)
    return _of_bytes(name, kind, _piece(view, at, length)), at + length


def _of_bytes(name: str, kind: str, piece: memoryview) -> Any:
    if kind == "bytes":
        return piece
    if kind == "text":
        if len(piece) > LONGEST_TEXT:
            raise DamagedGraphError(f"{name} of {len(piece):,} bytes")
        try:
            return str(piece, "utf-8")
        except UnicodeDecodeError as error:
            raise DamagedGraphError(f"{name} is no text") from error
    if kind == "floats":
        if len(piece) % 4 or len(piece) > 4 * MOST_NUMBERS:
            raise DamagedGraphError(f"{name} is cut off, or too long")
        return struct.unpack(f"<{len(piece) // 4}f", piece)
    if kind == "ints":
        if len(piece) > 10 * MOST_NUMBERS:
            raise DamagedGraphError(f"more than {MOST_NUMBERS:,} numbers in {name}")
        numbers, at = [], 0
        while at < len(piece):
            number, at = _varint(piece, at)
            numbers.append(_signed(number))
        return numbers
    return _decode(kind, piece)


def _piece(view: memoryview, at: int, length: int) -> memoryview:
    if at + length > len(view):
        raise DamagedGraphError("it is cut off, or a length in it is wrong")
    return view[at : at + length]


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    number = shift = 0
    for place in range(at, min(at + 10, len(view))):
        byte = view[place]
        number |= (byte & 127) << shift
        if byte < 128:
            return number, place + 1
        shift += 7
    raise DamagedGraphError("it is cut off, or a number in it is damaged")


def _signed(number: int) -> int:
    """Read an int64 of two's complement."""
    return number - (1 << 64) if number >> 63 & 1 else number


# --- The graph -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Tensor:
    """What is known of a tensor before anything runs."""

    dtype: int
    shape: tuple[Side, ...]
    """None for a free side: the batch."""
    is_constant: bool = False
    numbers: tuple[int, ...] = ()
    """The values of a constant of int64: what a Reshape makes of its input."""


def check_graph(graph: Message, fused: bool = False) -> None:
    """Follow a graph from its inputs to its outputs.

    Args:
        graph: as ``_MESSAGES`` describes it; the nodes in the order in which they run.
        fused: whether onnxruntime's own operators may be among them, which it makes out of several.
            Then ``value`` describes tensors between operators, and is checked as well.

    Raises:
        DamagedGraphError: it does not hold together.
        ForeignGraphError: edgedigits would not write such a graph.
    """
    tensors: dict[str, _Tensor] = {}
    for initializer in graph["initializer"]:
        _define(tensors, initializer.get("name", ""), _constant(initializer))
    for value in graph["input"]:
        _define(tensors, value.get("name", ""), _declared(value))
    for node in graph["node"]:
        operator, domain = node.get("op_type", ""), node.get("domain", "")
        own = fused and domain == "com.microsoft"
        if domain not in ("", "ai.onnx") and not own:
            raise ForeignGraphError("operators of ONNX itself", f"a custom operator {domain}.{operator}")
        follow = (_FUSED if own else _OPERATORS).get(operator)
        if follow is None:
            raise ForeignGraphError(f"operators {', '.join(_OPERATORS)}", f"an operator {operator or '?'}")
        try:
            inputs = [tensors[name] for name in node["input"]]
        except KeyError as error:
            raise DamagedGraphError(f"a {operator} takes {error.args[0]!r}, which nothing gives") from error
        attributes = {attribute.get("name", ""): attribute for attribute in node["attribute"]}
        given = follow(inputs, attributes)
        outputs = given if isinstance(given, tuple) else (given,)
        if len(node["output"]) != len(outputs):
            raise ForeignGraphError(f"{len(outputs)} outputs of a {operator}", str(len(node["output"])))
        for name, output in zip(node["output"], outputs, strict=True):
            _define(tensors, name, output)
    _check_outputs(graph, tensors)
    if fused:
        _check_described(graph, tensors)


def _check_described(graph: Message, tensors: dict[str, _Tensor]) -> None:
    """Check what a file says of the tensors between its operators: onnxruntime believes it and infers nothing anew."""
    described = {value.get("name", ""): _declared(value) for value in graph["value"]}
    for name, tensor in tensors.items():
        value = described.get(name)
        if value is None or value.dtype != tensor.dtype or not _agree(tensor.shape, value.shape):
            raise DamagedGraphError(f"what it says of {name!r} is not what its operators give")


def _check_outputs(graph: Message, tensors: dict[str, _Tensor]) -> None:
    for value in graph["output"]:
        found = tensors.get(value.get("name", ""))
        declared = _declared(value)
        if found is None or found.dtype != declared.dtype or not _agree(found.shape, declared.shape):
            raise DamagedGraphError(f"its output {value.get('name', '')!r} is not what its operators give")


def _define(tensors: dict[str, _Tensor], name: str, tensor: _Tensor) -> None:
    if not name or name in tensors:
        raise DamagedGraphError(f"two tensors or none are called {name!r}")
    tensors[name] = tensor


def _agree(found: tuple[Side, ...], declared: tuple[Side, ...]) -> bool:
    return len(found) == len(declared) and all(
        one is None or other is None or one == other for one, other in zip(found, declared, strict=True)
    )


def _constant(initializer: Message) -> _Tensor:
    """Check that a constant lies whole in the file: as many bytes as its shape says, no more and no fewer."""
    name = initializer.get("name", "")
    if initializer["external_data"] or initializer.get("data_location", 0):
        raise DamagedGraphError(f"its tensor {name!r} lies in another file; only whole files are opened")
    dtype, shape = initializer.get("data_type", 0), tuple(initializer.get("dims", ()))
    if dtype not in _ITEM_BYTES:
        raise DamagedGraphError(f"its tensor {name!r} is of type {dtype}, none that edgedigits writes")
    if len(shape) > 4 or any(side < 0 for side in shape):
        raise DamagedGraphError(f"its tensor {name!r} has the shape {shape}")
    data = {
        FLOAT: initializer.get("float_data"),
        INT64: initializer.get("int64_data"),
    }.get(dtype, initializer.get("int32_data"))
    raw = initializer.get("raw_data")
    present = sum(kind in initializer for kind in ("float_data", "int32_data", "int64_data", "raw_data"))
    if present > 1 or (present == 1 and raw is None and data is None):
        raise DamagedGraphError(f"its tensor {name!r} holds its values twice, or in another type")
    items = len(raw) / _ITEM_BYTES[dtype] if raw is not None else len(data or ())
    if items != math.prod(shape):
        raise DamagedGraphError(
            f"its tensor {name!r} declares {math.prod(shape):,} values and holds {items:,.0f}"
        )
    numbers: tuple[int, ...] = ()
    if dtype == INT64 and items <= 4:
        numbers = struct.unpack(f"<{int(items)}q", raw) if raw is not None else tuple(data or ())
    return _Tensor(dtype, shape, is_constant=True, numbers=numbers)


def _declared(value: Message) -> _Tensor:
    """Return what an input or output says of itself."""
    tensor_type = value.get("type", {}).get("tensor_type", {})
    sides = tensor_type.get("shape", {"dim": []})["dim"]
    if len(sides) > 8:
        raise DamagedGraphError(f"{value.get('name', '')!r} has {len(sides)} sides")
    shape = tuple(side.get("dim_value") for side in sides)
    return _Tensor(tensor_type.get("elem_type", 0), shape)


# What each operator makes of its inputs. Every rule keeps the batch, so that no constant, however it is shaped, can
# blow an image up: a row is never longer than the constants that it meets.

_Attributes: TypeAlias = "dict[str, Message]"


def _expect(holds: bool, operator: str, inputs: list[_Tensor]) -> None:
    if not holds:
        shapes = ", ".join(f"({', '.join('n' if s is None else str(s) for s in t.shape)})" for t in inputs)
        raise ForeignGraphError(f"a {operator} as edgedigits exports it", f"one of {shapes or 'nothing'}")


def _is_row(tensor: _Tensor) -> bool:
    """Whether a tensor is (n, numbers)."""
    return len(tensor.shape) == 2 and tensor.shape[1] is not None and not tensor.is_constant


def _int(attributes: _Attributes, name: str, default: int) -> int:
    return int(attributes[name].get("i", 0)) if name in attributes else default


def _cast(inputs: list[_Tensor], attributes: _Attributes) -> _Tensor:
    target = _int(attributes, "to", 0)
    _expect(len(inputs) == 1 and target in _ITEM_BYTES, "Cast", inputs)
    return _Tensor(target, inputs[0].shape, inputs[0].is_constant)


def _identity(inputs: list[_Tensor], attributes: _Attributes) -> _Tensor:
    _expect(len(inputs) == 1, "Identity", inputs)
    return inputs[0]


def _relu(inputs: list[_Tensor], attributes: _Attributes) -> _Tensor:
    _expect(len(inputs) == 1 and inputs[0].dtype == FLOAT, "Relu", inputs)
    return inputs[0]


def _softmax(inputs: list[_Tensor], attributes: _Attributes) -> _Tensor:
    _expect(
        len(inputs) == 1
        and inputs[0].dtype == FLOAT
        and _is_row(inputs[0])
        and _int(attributes, "axis", -1) in (-1, 1),
        "Softmax",
        inputs,
    )
    return inputs[0]


def _flat(tensor: _Tensor) -> int:
    """Return how many numbers an image of a tensor (n, ...) has; -1 where that is not known."""
    sides = tensor.shape[1:]
    return math.prod(side for side in sides if side is not None) if None not in sides else -1


def _reshape(inputs: list[_Tensor], attributes: _Attributes) -> _Tensor:
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
    return _Tensor(inputs[0].dtype, (inputs[0].shape[0], inputs[1].numbers[1]))


def _flatten(inputs: list[_Tensor], attributes: _Attributes) -> _Tensor:
    _expect(
        len(inputs) == 1
        and not inputs[0].is_constant
        and len(inputs[0].shape) > 1
        and _flat(inputs[0]) > 0
        and _int(attributes, "axis", 1) == 1,
        "Flatten",
        inputs,
    )
    return _Tensor(inputs[0].dtype, (inputs[0].shape[0], _flat(inputs[0])))


def _matmul(inputs: list[_Tensor], attributes: _Attributes) -> _Tensor:
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
    return _Tensor(FLOAT, (inputs[0].shape[0], inputs[1].shape[1]))


def _gemm(inputs: list[_Tensor], attributes: _Attributes) -> _Tensor:
    _expect(
        len(inputs) in (2, 3) and len(inputs[1].shape) == 2 and not _int(attributes, "transA", 0),
        "Gemm",
        inputs,
    )
    kernel = inputs[1]
    if _int(attributes, "transB", 0):
        kernel = _Tensor(kernel.dtype, kernel.shape[::-1], kernel.is_constant)
    product = _matmul([inputs[0], kernel], {})
    return _add([product, inputs[2]], {}) if len(inputs) == 3 else product


def _add(inputs: list[_Tensor], attributes: _Attributes) -> _Tensor:
    return _with_each(inputs, "Add")


def _multiply(inputs: list[_Tensor], attributes: _Attributes) -> _Tensor:
    """Scales: of a row, or of other scales."""
    if len(inputs) == 2 and inputs[0].shape == () and inputs[1].is_constant and len(inputs[1].shape) == 1:
        _expect(inputs[0].dtype == inputs[1].dtype == FLOAT, "Mul", inputs)
        return _Tensor(FLOAT, inputs[1].shape)
    return _with_each(inputs, "Mul")


def _with_each(inputs: list[_Tensor], operator: str) -> _Tensor:
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


def _matmul_integer(inputs: list[_Tensor], attributes: _Attributes) -> _Tensor:
    _expect(
        len(inputs) in (2, 3)
        and inputs[0].dtype == UINT8
        and inputs[1].dtype in (UINT8, INT8)
        and all(zero.dtype == UINT8 and zero.shape in ((), (1,)) for zero in inputs[2:]),
        "MatMulInteger",
        inputs,
    )
    floats = [_Tensor(FLOAT, tensor.shape, tensor.is_constant) for tensor in inputs[:2]]
    return _Tensor(INT32, _matmul(floats, {}).shape)


def _dynamic_quantize(inputs: list[_Tensor], attributes: _Attributes) -> tuple[_Tensor, ...]:
    """Integers of a row, with the scale and the zero point that its own smallest and largest number ask for."""
    _expect(
        len(inputs) == 1 and inputs[0].dtype == FLOAT and _is_row(inputs[0]), "DynamicQuantizeLinear", inputs
    )
    return _Tensor(UINT8, inputs[0].shape), _Tensor(FLOAT, ()), _Tensor(UINT8, ())


def _quantize(inputs: list[_Tensor], attributes: _Attributes) -> _Tensor:
    _expect(
        len(inputs) == 3 and inputs[0].dtype == FLOAT and inputs[2].dtype in (UINT8, INT8),
        "QuantizeLinear",
        inputs,
    )
    _expect_scale("QuantizeLinear", inputs, attributes)
    return _Tensor(inputs[2].dtype, inputs[0].shape, inputs[0].is_constant)


def _dequantize(inputs: list[_Tensor], attributes: _Attributes) -> _Tensor:
    _expect(
        len(inputs) in (2, 3)
        and inputs[0].dtype in (UINT8, INT8, INT32)
        and (len(inputs) == 2 or inputs[2].dtype == inputs[0].dtype),
        "DequantizeLinear",
        inputs,
    )
    _expect_scale("DequantizeLinear", inputs, attributes)
    return _Tensor(FLOAT, inputs[0].shape, inputs[0].is_constant)


def _expect_scale(operator: str, inputs: list[_Tensor], attributes: _Attributes) -> None:
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


_OPERATORS: "dict[str, Callable[[list[_Tensor], _Attributes], _Tensor | tuple[_Tensor, ...]]]" = {
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


# What onnxruntime makes of several of these when it optimizes a graph; in files of its own format.


def _fused_gemm(inputs: list[_Tensor], attributes: _Attributes) -> _Tensor:
    _expect(attributes.get("activation", {}).get("s", "") == "Relu", "FusedGemm", inputs)
    return _gemm(inputs, attributes)


def _quantized_gemm(inputs: list[_Tensor], attributes: _Attributes) -> _Tensor:
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
    floats = [_Tensor(FLOAT, tensor.shape, tensor.is_constant) for tensor in (row, kernel, bias)]
    return _Tensor(output[1].dtype if output else FLOAT, _gemm(floats, attributes).shape)


_FUSED: "dict[str, Callable[[list[_Tensor], _Attributes], _Tensor | tuple[_Tensor, ...]]]" = {
    "FusedGemm": _fused_gemm,
    "QGemm": _quantized_gemm,
}
