import struct

import flatbuffers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgedigits.model_files.budget import Budget, TooMuchError
from edgedigits.model_files.flatbuffer import DamagedFlatbufferError, Schema, read_flatbuffer

SCHEMA: Schema = {
    "thing": {
        0: ("small", "int8"),
        1: ("large", "uint64"),
        2: ("name", "text"),
        3: ("content", "bytes"),
        4: ("sides", "[int32]"),
        5: ("parts", "[part]"),
        6: ("part", "part"),
        7: ("kind", "uint8"),
        8: ("choice", {1: "part", 2: "thing"}),
    },
    "part": {0: ("weight", "float32")},
}


def part(builder: flatbuffers.Builder, weight: float) -> int:
    builder.StartObject(1)
    builder.PrependFloat32Slot(0, weight, 0.0)
    return int(builder.EndObject())


def thing(
    name: str = "a name", content: bytes = b"content", sides: tuple[int, ...] = (1, -2, 3), kind: int = 1
) -> bytes:
    """A flatbuffer with every kind of field, made by the library that the format comes from."""
    builder = flatbuffers.Builder(64)
    parts = [part(builder, weight) for weight in (0.5, 1.5)]
    choice = part(builder, 2.5)
    text, data = builder.CreateString(name), builder.CreateByteVector(content)
    builder.StartVector(4, len(sides), 4)
    for side in reversed(sides):
        builder.PrependInt32(side)
    numbers = builder.EndVector()
    builder.StartVector(4, len(parts), 4)
    for offset in reversed(parts):
        builder.PrependUOffsetTRelative(offset)
    tables = builder.EndVector()
    builder.StartObject(9)
    builder.PrependInt8Slot(0, -7, 0)
    builder.PrependUint64Slot(1, 1 << 63, 0)
    for slot, offset in ((2, text), (3, data), (4, numbers), (5, tables), (6, parts[0]), (8, choice)):
        builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
    builder.PrependUint8Slot(7, kind, 0)
    builder.Finish(builder.EndObject())
    return bytes(builder.Output())


@given(
    st.text(max_size=20),
    st.binary(max_size=20),
    st.lists(st.integers(-(2**31), 2**31 - 1), max_size=9).map(tuple),
)
def test_what_the_library_wrote_is_read_back(name: str, content: bytes, sides: tuple[int, ...]) -> None:
    found = read_flatbuffer(SCHEMA, "thing", thing(name, content, sides), Budget())
    assert bytes(found.pop("content")) == content
    assert found == {
        "small": -7,
        "large": 1 << 63,
        "name": name,
        "sides": sides,
        "parts": [{"weight": 0.5}, {"weight": 1.5}],
        "part": {"weight": 0.5},
        "kind": 1,
        "choice": {"weight": 2.5},
    }


def test_a_union_of_a_type_that_nobody_knows_is_refused() -> None:
    with pytest.raises(DamagedFlatbufferError, match="choice of a thing is of an unknown type"):
        read_flatbuffer(SCHEMA, "thing", thing(kind=9), Budget())


def test_a_field_that_the_schema_does_not_know_is_refused() -> None:
    schema = {"thing": {0: ("small", "int8")}, "part": {}}
    with pytest.raises(DamagedFlatbufferError, match="field 1 of a thing"):
        read_flatbuffer(schema, "thing", thing(), Budget())


@given(st.integers(0, 200))
def test_a_truncated_flatbuffer_is_refused(length: int) -> None:
    whole = thing()
    with pytest.raises(DamagedFlatbufferError):
        read_flatbuffer(SCHEMA, "thing", whole[: min(length, len(whole) - 60)], Budget())


@given(st.integers(0, 300), st.integers(0, 2**32 - 1))
def test_a_changed_number_is_another_flatbuffer_or_refused(place: int, number: int) -> None:
    content = bytearray(thing())
    struct.pack_into("<I", content, min(place, len(content) - 4), number)
    try:
        assert isinstance(read_flatbuffer(SCHEMA, "thing", bytes(content), Budget()), dict)
    except DamagedFlatbufferError:
        return


def test_a_table_that_many_offsets_lead_to_counts_each_time() -> None:
    schema: Schema = {"list": {0: ("lists", "[part]")}, "part": {0: ("weight", "float32")}}
    builder = flatbuffers.Builder(64)
    one = part(builder, 1.0)
    builder.StartVector(4, 60, 4)
    for _ in range(60):
        builder.PrependUOffsetTRelative(one)
    many = builder.EndVector()
    builder.StartObject(1)
    builder.PrependUOffsetTRelativeSlot(0, many, 0)
    builder.Finish(builder.EndObject())
    content = bytes(builder.Output())
    assert len(read_flatbuffer(schema, "list", content, Budget(steps=800))["lists"]) == 60
    with pytest.raises(TooMuchError):
        read_flatbuffer(schema, "list", content, Budget(steps=700))
