"""Checks an ``.onnx`` file before onnxruntime sees it: nothing that a file declares is believed there.

onnxruntime trusts its input: a tensor may lie outside the file, an operator may come from anywhere, and a shape of a
few bytes may ask for all memory. What edgedigits exports needs little, so this module reads the protobuf field by
field and refuses every field that it has no use for; ``onnx_graph`` then follows the shapes through the graph.

Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto (ONNX 1.17); the wire format of protobuf:
https://protobuf.dev/programming-guides/encoding.
"""

import struct
from pathlib import Path
from typing import Any

from edgedigits.errors import ContractError, ModelFileError
from edgedigits.model_files.budget import Budget, TooMuchError
from edgedigits.model_files.onnx_graph import check_graph
from edgedigits.model_files.onnx_tensors import DamagedGraphError, ForeignGraphError, Message, Tensor

MOST_ITEMS = 1_000
"""Nodes, constants or other entries of one kind. A network of ten layers has under a hundred."""
MOST_NUMBERS = 100_000
"""Numbers of one tensor that stand one by one, not as raw bytes; few do."""

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types."""

MESSAGES: dict[str, dict[int, tuple[str, str]]] = {
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
        9: ("strings", "[bytes]"),
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


def check_onnx(path: Path, content: bytes) -> Tensor:
    """Refuse what onnxruntime should not be given.

    Args:
        path: of the file, for messages.
        content: of the file.

    Returns:
        The probabilities as ``onnx_graph.check_graph`` found them, whatever the file says of itself.

    Raises:
        ModelFileError: no whole ONNX model, or a part of it lies elsewhere.
        ContractError: a model with other operators or shapes than edgedigits exports.
    """
    budget = Budget()
    try:
        model = read_message("model", memoryview(content), budget)
        if "graph" not in model:
            raise DamagedGraphError("it holds no graph")
        return check_graph(model["graph"], budget)
    except (DamagedGraphError, TooMuchError) as error:
        raise ModelFileError(path, f"no whole ONNX model ({error})") from error
    except ForeignGraphError as error:
        raise ContractError(path, error.expected, error.found) from error


def read_message(kind: str, view: memoryview, budget: Budget) -> Message:
    """Read a message field by field.

    Args:
        kind: of ``MESSAGES``.
        view: its bytes.
        budget: fields, numbers and letters are spent from it.

    Returns:
        Fields by name; those that it does not have are missing, repeated ones are lists.

    Raises:
        DamagedGraphError: it is no such message.
        TooMuchError: the budget is spent.
    """
    fields = MESSAGES[kind]
    message: Message = {name: [] for name, kind in fields.values() if kind[0] == "["}
    at = 0
    while at < len(view):
        budget.step()
        tag, at = varint(view, at)
        if tag >> 3 not in fields:
            raise DamagedGraphError(f"field {tag >> 3} of a {kind} is none that edgedigits writes")
        name, form = fields[tag >> 3]
        value, at = _value(name, form.strip("[]"), tag & 7, view, at, budget)
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


def _value(
    name: str, kind: str, wire_type: int, view: memoryview, at: int, budget: Budget
) -> tuple[Any, int]:
    if wire_type == VARINT and kind in ("int", "ints"):
        number, at = varint(view, at)
        return _signed(number) if kind == "int" else [_signed(number)], at
    if wire_type == FIXED32 and kind in ("float", "floats"):
        number = struct.unpack("<f", _piece(view, at, 4))[0]
        return number if kind == "float" else [number], at + 4
    if wire_type != BYTES or kind in ("int", "float"):
        raise DamagedGraphError(f"{name} in another encoding")
    length, at = varint(view, at)
    return _of_bytes(name, kind, _piece(view, at, length), budget), at + length


def _of_bytes(name: str, kind: str, piece: memoryview, budget: Budget) -> Any:
    if kind == "bytes":
        return piece
    if kind in MESSAGES:
        return read_message(kind, piece, budget)
    budget.step(len(piece))
    if kind == "text":
        try:
            return str(piece, "utf-8")
        except UnicodeDecodeError as error:
            raise DamagedGraphError(f"{name} is no text") from error
    if kind == "floats":
        if len(piece) % 4 or len(piece) > 4 * MOST_NUMBERS:
            raise DamagedGraphError(f"{name} is cut off, or too long")
        return struct.unpack(f"<{len(piece) // 4}f", piece)
    numbers, at = [], 0
    while at < len(piece):
        number, at = varint(piece, at)
        numbers.append(_signed(number))
    return numbers


def _piece(view: memoryview, at: int, length: int) -> memoryview:
    if at + length > len(view):
        raise DamagedGraphError("it is cut off, or a length in it is wrong")
    return view[at : at + length]


def varint(view: memoryview, at: int) -> tuple[int, int]:
    """Return a number of protobuf's variable length, and where it ends.

    Raises:
        DamagedGraphError: it has no end.
    """
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
