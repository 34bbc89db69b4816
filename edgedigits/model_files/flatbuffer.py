"""Reads a flatbuffer that nobody vouches for: every offset is checked before it is followed.

A runtime takes a flatbuffer as it lies in memory, so an offset that leads out of the file crashes it. Here a schema,
written as data, says which fields a table may have; a field that the schema does not know is an error, because the
runtime would follow it unchecked. Layout: https://flatbuffers.dev/internals.
"""

import struct
from collections.abc import Mapping
from typing import Any, TypeAlias

from edgedigits.model_files.budget import Budget

Schema: TypeAlias = "Mapping[str, Mapping[int, tuple[str, str | Mapping[int, str]]]]"
"""Table -> number of the field -> its name and kind.

A kind is a number (``int8`` ... ``float32``), ``text``, ``bytes``, a table, any of these but ``bytes`` in brackets for
a vector, ``structs12`` for a vector of structs of twelve bytes, or, for a union, a mapping from the type number (the
field before) to a table.
"""
Table: TypeAlias = "dict[str, Any]"

MOST_NUMBERS = 100_000
"""Numbers in one vector, other than bytes."""

STEPS_OF_A_TABLE = 10
"""What a table counts for besides its fields: it takes as long to read as so many numbers."""

_FORMS = {
    "bool": "B", "int8": "b", "uint8": "B", "uint16": "H", "int32": "i", "uint32": "I",
    "int64": "q", "uint64": "Q", "float32": "f",
}  # fmt: skip


class DamagedFlatbufferError(ValueError):
    """The bytes are no such flatbuffer."""


def read_flatbuffer(schema: Schema, root: str, content: bytes, budget: Budget) -> Table:
    """Read a whole flatbuffer.

    Args:
        schema: which tables and fields there may be.
        root: name of the table that the file holds.
        content: the file.
        budget: what is visited is spent from it: tables, texts and vectors may be shared, so few bytes can mean many.

    Returns:
        Fields by name: numbers, texts, ``memoryview`` for bytes, tuples of numbers, dictionaries for tables, lists of
        them. Fields that the file leaves out are missing.

    Raises:
        DamagedFlatbufferError: an offset leads nowhere, a number or table is not aligned, or a field is unknown.
        TooMuchError: the budget is spent.
    """
    reader = _Reader(schema, content, budget)
    return reader.table(root, reader.offset(0))


class _Reader:
    def __init__(self, schema: Schema, content: bytes, budget: Budget) -> None:
        self._schema = schema
        self._view = memoryview(content)
        self._budget = budget

    def offset(self, at: int) -> int:
        """Follow the offset that stands at a place."""
        distance: int = self._number("uint32", at)
        if distance == 0:
            raise DamagedFlatbufferError("an offset leads to itself")
        return at + distance

    def table(self, name: str, at: int) -> Table:
        """Read the table at a place."""
        vtable = at - self._number("int32", at)
        size, extent = self._number("uint16", vtable), self._number("uint16", vtable + 2)
        if size < 4 or size % 2 or vtable + size > len(self._view) or at + extent > len(self._view):
            raise DamagedFlatbufferError(f"the table of a {name} leads out of the file")
        places = (size - 4) // 2
        self._budget.step(STEPS_OF_A_TABLE + places)
        fields = self._schema[name]
        table: Table = {}
        types: dict[int, int] = {}
        for number in range(places):
            place = self._number("uint16", vtable + 4 + 2 * number)
            if place == 0:
                continue
            if number not in fields:
                raise DamagedFlatbufferError(f"field {number} of a {name} is none that edgedigits writes")
            field, kind = fields[number]
            if place < 4 or place + (_size(kind)) > extent:
                raise DamagedFlatbufferError(f"{field} of a {name} lies outside of it")
            if isinstance(kind, str):
                table[field] = self._value(kind, at + place)
                types[number] = table[field] if kind == "uint8" else 0
            else:
                member = kind.get(types.get(number - 1, 0))
                if member is None:
                    raise DamagedFlatbufferError(f"{field} of a {name} is of an unknown type")
                table[field] = self.table(member, self.offset(at + place))
        return table

    def _value(self, kind: str, at: int) -> Any:
        if kind in _FORMS:
            return self._number(kind, at)
        at = self.offset(at)
        if kind in self._schema:
            return self.table(kind, at)
        length = self._number("uint32", at)
        start = at + 4
        if kind.startswith("structs"):
            self._budget.step(length)
            length *= int(kind.removeprefix("structs"))
            kind = "bytes"
        if kind in ("text", "bytes"):
            end = start + length
            if end + (kind == "text") > len(self._view):
                raise DamagedFlatbufferError(f"a {kind} of {length:,} bytes leads out of the file")
            if kind == "text":
                self._budget.step(length)
                return self._text(start, end)
            return self._view[start:end]
        element = kind[1:-1]
        size = _size(element)
        if start + size * length > len(self._view) or length > MOST_NUMBERS or (length and start % size):
            raise DamagedFlatbufferError(f"a vector of {length:,} leads out of the file, or is not aligned")
        self._budget.step(length)
        if element in _FORMS:
            return struct.unpack_from(f"<{length}{_FORMS[element]}", self._view, start)
        return [self._value(element, start + size * index) for index in range(length)]

    def _text(self, start: int, end: int) -> str:
        if self._view[end] != 0:
            raise DamagedFlatbufferError("a text has no end")
        try:
            return str(self._view[start:end], "utf-8")
        except UnicodeDecodeError as error:
            raise DamagedFlatbufferError("a text is none") from error

    def _number(self, kind: str, at: int) -> Any:
        form = _FORMS[kind]
        size = struct.calcsize(form)
        # Before the file counts as well: Python would read a negative place from the end.
        if at < 0 or at + size > len(self._view):
            raise DamagedFlatbufferError("an offset leads out of the file")
        if at % size:
            raise DamagedFlatbufferError("a number is not aligned")
        return struct.unpack_from(f"<{form}", self._view, at)[0]


def _size(kind: "str | Mapping[int, str]") -> int:
    """Return how many bytes a field takes in its table: the number itself, or an offset."""
    return struct.calcsize(_FORMS[kind]) if isinstance(kind, str) and kind in _FORMS else 4
