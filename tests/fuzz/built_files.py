"""Whole files built anew from what they hold: flatbuffers and protobufs, by the schemas that the readers go by.

What is one object in the content is one piece of the file, however often it is reached: an attacker shares a text, a
vector or a table by naming the same object in many places.
"""

import struct
from typing import Any

_FORMS = {
    "bool": "B", "int8": "b", "uint8": "B", "uint16": "H", "int32": "i", "uint32": "I",
    "int64": "q", "uint64": "Q", "float32": "f",
}  # fmt: skip
_ALIGNMENT = 16


_BY_NAME: dict[int, tuple[Any, dict[str, dict[str, tuple[int, Any]]]]] = {}


def by_name(schema: Any) -> dict[str, dict[str, tuple[int, Any]]]:
    """Return number and kind of each field of each table of a schema by its name; made once for each schema."""
    if id(schema) not in _BY_NAME:
        fields = {
            name: {field: (number, kind) for number, (field, kind) in table.items()}
            for name, table in schema.items()
        }
        _BY_NAME[id(schema)] = schema, fields
    return _BY_NAME[id(schema)][1]


class _Flatbuffer:
    """A flatbuffer, written from its end: an offset may only lead forward. A place is a distance from the end."""

    def __init__(self, schema: Any) -> None:
        self.schema = schema
        self.pieces: list[bytes] = []
        self.size = 0
        self.places: dict[tuple[int, str], int] = {}
        self.kept: list[object] = []
        self.fields = by_name(schema)

    def put(self, piece: bytes, alignment: int = 1, above: int = 0) -> int:
        """Put a piece before all others, so that what stands ``above`` bytes into it is aligned."""
        self.pieces.append(bytes(-(self.size + len(piece) - above) % alignment))
        self.pieces.append(piece)
        self.size += len(self.pieces[-2]) + len(piece)
        return self.size

    def value(self, kind: str, value: Any) -> int:
        key = (id(value), kind)
        if key not in self.places:
            self.kept.append(value)
            self.places[key] = self._new(kind, value)
        return self.places[key]

    def _new(self, kind: str, value: Any) -> int:
        if kind in self.schema:
            return self.table(kind, value)
        if kind == "text":
            content = value.encode()
            return self.put(struct.pack("<I", len(content)) + content + b"\0", 4)
        if kind == "bytes" or kind.startswith("structs"):
            unit = int(kind.removeprefix("structs")) if kind != "bytes" else 1
            return self.put(
                struct.pack("<I", len(value) // unit) + bytes(value), _ALIGNMENT if unit == 1 else 4, 4
            )
        element = kind[1:-1]
        if element in _FORMS:
            content = struct.pack(f"<{len(value)}{_FORMS[element]}", *value)
            return self.put(
                struct.pack("<I", len(value)) + content, max(4, struct.calcsize(_FORMS[element])), 4
            )
        places = [self.value(element, entry) for entry in value]
        # The place of the vector, once it is put, is that of its length.
        start = self.size + -(self.size + 4 * len(places)) % 4 + 4 * len(places)
        offsets = [start - 4 * index - place for index, place in enumerate(places)]
        return self.put(struct.pack(f"<I{len(places)}I", len(places), *offsets), 4)

    def table(self, name: str, table: dict[str, Any]) -> int:
        fields = self.fields[name]
        numbers, scalars, offsets = [-1], [], []
        for field, value in table.items():
            if field not in fields:
                continue
            number, kind = fields[field]
            numbers.append(number)
            if isinstance(kind, str) and kind in _FORMS:
                scalars.append(
                    (struct.calcsize(_FORMS[kind]), number, struct.pack(f"<{_FORMS[kind]}", value))
                )
            else:
                if not isinstance(kind, str):
                    kind = kind.get(table.get(self.schema[name][number - 1][0]))
                    if kind is None:  # A union of no known type has nothing that could be written.
                        continue
                offsets.append((4, number, self.value(kind, value)))
        laid, at = {}, 4
        for size, number, value in sorted(scalars + offsets, key=lambda field: -field[0]):
            laid[number] = (at, value)
            at += size
        length = at + -at % 4
        place = self.size + -(self.size + length - 4) % 8 + length
        body = bytearray(length)
        for start, value in laid.values():
            content = value if isinstance(value, bytes) else struct.pack("<I", place - start - value)
            body[start : start + len(content)] = content
        slots = [laid.get(number, (0,))[0] for number in range(max(numbers) + 1)]
        vtable = struct.pack(f"<HH{len(slots)}H", 4 + 2 * len(slots), length, *slots)
        struct.pack_into("<i", body, 0, len(vtable) + len(vtable) % 4)
        assert self.put(bytes(body), 8, 4) == place
        self.put(vtable + bytes(len(vtable) % 4), 4)
        return place


def flatbuffer(schema: Any, root: str, table: dict[str, Any], identifier: bytes) -> bytes:
    """Return a flatbuffer that ``read_flatbuffer`` reads back as this table."""
    writer = _Flatbuffer(schema)
    place = writer.value(root, table)
    head = writer.size + -(writer.size + 8) % _ALIGNMENT + 8
    writer.put(struct.pack("<I", head - place) + identifier, _ALIGNMENT)
    return b"".join(reversed(writer.pieces))


def varint(number: int) -> bytes:
    """Return a number as protobuf writes it, a negative one as int64."""
    number &= (1 << 64) - 1
    content = bytearray()
    while number > 127:
        content.append(number & 127 | 128)
        number >>= 7
    return bytes((*content, number))


def protobuf(messages: Any, kind: str, message: dict[str, Any]) -> bytes:
    """Return a message that ``onnx_file`` reads back as this one."""
    content = []
    for number, (name, form) in messages[kind].items():
        if name not in message:
            continue
        values = message[name] if form[0] == "[" else [message[name]]
        content += [_field(messages, number, form.strip("[]"), value) for value in values]
    return b"".join(content)


def _field(messages: Any, number: int, form: str, value: Any) -> bytes:
    if form == "int":
        return varint(number << 3) + varint(value)
    if form == "float":
        return varint(number << 3 | 5) + struct.pack("<f", value)
    if form == "ints":
        piece = b"".join(map(varint, value))
    elif form == "floats":
        piece = struct.pack(f"<{len(value)}f", *value)
    elif form == "text":
        piece = value.encode()
    elif form == "bytes":
        piece = bytes(value)
    else:
        piece = protobuf(messages, form, value)
    return varint(number << 3 | 2) + varint(len(piece)) + piece
