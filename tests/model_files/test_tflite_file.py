from pathlib import Path

import pytest
from ai_edge_litert import schema_py_generated as schema

from edgedigits.errors import ContractError, ModelFileError
from edgedigits.metadata import METADATA_KEY, ModelMetadata
from edgedigits.model_files.tflite_file import read_graph, read_metadata
from edgedigits_export.formats.tflite_file import add_metadata

NAME = Path("digits.tflite")


@pytest.fixture(scope="module")
def content(models: Path) -> bytes:
    return (models / "digits.int8.tflite").read_bytes()


def test_operators_stand_in_the_order_in_which_they_run(content: bytes) -> None:
    graph = read_graph(NAME, content)
    assert graph.operators == (
        "RESHAPE", "FULLY_CONNECTED", "FULLY_CONNECTED", "FULLY_CONNECTED", "SOFTMAX"
    )  # fmt: skip
    assert graph.tensor_types == {"int8", "int32"}


def test_metadata_come_back_as_they_were_written(content: bytes) -> None:
    written = ModelMetadata("5", "int8", "a" * 64, {"tool": "1"}, edges="int8")
    assert read_metadata(NAME, add_metadata(content, written)) == written
    # Any length of metadata, at any remainder of 16 bytes.
    for length in range(16):
        longer = ModelMetadata("5", "int8", "a" * length, {}, edges="int8")
        assert read_metadata(NAME, add_metadata(content, longer)) == longer


def test_metadata_leave_the_network_as_it_was(content: bytes) -> None:
    stamped = add_metadata(content, ModelMetadata("5", "int8", "a" * 64, {}))
    before, after = (
        schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0)) for model in (content, stamped)
    )
    assert [
        list(buffer.data) for buffer in after.buffers[: len(before.buffers)] if buffer.data is not None
    ] == [list(buffer.data) for buffer in before.buffers if buffer.data is not None]
    assert read_graph(NAME, stamped).operators == read_graph(NAME, content).operators
    assert after.version == before.version == 3


def test_a_model_without_metadata_has_none(content: bytes) -> None:
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    model.metadata = [entry for entry in model.metadata if entry.name != METADATA_KEY.encode()]
    import flatbuffers

    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    stripped = bytes(builder.Output())
    assert read_graph(NAME, stripped).metadata is None
    with pytest.raises(ContractError, match="expected edgedigits metadata inside the file, found none"):
        read_metadata(NAME, stripped)


@pytest.mark.parametrize("length", [0, 3, 7], ids=str)
def test_a_file_too_short_for_an_identifier_is_none(length: int, content: bytes) -> None:
    with pytest.raises(
        ModelFileError, match=r"digits\.tflite: no TFLite model: expected the identifier TFL3"
    ):
        read_graph(NAME, content[:length])


@pytest.mark.parametrize("share", [0.0, 0.001, 0.25, 0.5, 0.75, 0.9], ids=lambda share: f"{share:.1%}")
def test_a_truncated_file_is_an_error(share: float, content: bytes) -> None:
    with pytest.raises(ModelFileError, match="no whole TFLite model"):
        read_graph(NAME, content[: max(8, int(share * len(content)))])


def test_offsets_that_lead_anywhere_are_an_error_or_another_graph(content: bytes) -> None:
    """Each of the first bytes, and some of the tables, set to ones: no other exception comes out."""
    survived = 0
    for position in [*range(8), *range(8, 400, 3), *range(len(content) - 2_000, len(content), 7)]:
        damaged = bytearray(content)
        damaged[position : position + 4] = b"\xff" * len(damaged[position : position + 4])
        try:
            read_graph(NAME, bytes(damaged))
            survived += 1
        except ModelFileError:
            pass
    assert survived > 0  # some bytes are padding or weights
