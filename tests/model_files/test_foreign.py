"""Models of other tools are called that, and damaged ones of our own are not."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema
from click.testing import CliRunner
from onnx import TensorProto, helper

from edgedigits import DigitPredictor, ForeignModelError
from edgedigits.cli import cli
from edgedigits.model_files.foreign import is_foreign
from edgedigits.runtimes.opening import open_model
from edgedigits_export.formats.tflite_builder import pack

MODELS = Path(__file__).parents[2] / "models"
OWN = [MODELS / "digits.int8.onnx", MODELS / "digits.onnx", MODELS / "digits.int8.tflite"]


def other_onnx() -> bytes:
    """A network as others write it: floats in, a Shape on the way."""
    nodes = [
        helper.make_node("Shape", ["x"], ["sides"]),
        helper.make_node("Reshape", ["x", "row"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["y"]),
    ]
    edges = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", [None, 28, 28, 1]), ("y", [None, 10]))
    ]
    constants = [
        onnx.numpy_helper.from_array(np.array([-1, 784], np.int64), "row"),
        onnx.numpy_helper.from_array(np.ones((784, 10), np.float32), "w"),
    ]
    graph = helper.make_graph(nodes, "theirs", edges[:1], edges[1:], constants)
    return helper.make_model(graph, producer_name="somebody").SerializeToString()


def other_tflite(operator: int = schema.BuiltinOperator.STRIDED_SLICE) -> bytes:
    """Ours without a word of us, and an operator that we do not use."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs((MODELS / "digits.tflite").read_bytes(), 0))
    model.metadata, model.description = None, "somebody's"
    for buffer in model.buffers:
        if buffer.data is not None and b"edgedigits" in bytes(bytearray(buffer.data)):
            buffer.data = None
    code = model.operatorCodes[-1]
    code.builtinCode = code.deprecatedBuiltinCode = operator
    return pack(model)


OTHERS = {"theirs.onnx": other_onnx, "theirs.tflite": other_tflite}


@pytest.fixture(params=OTHERS)
def theirs(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / request.param
    path.write_bytes(OTHERS[request.param]())
    return path


def test_a_model_of_another_tool_is_called_that(theirs: Path) -> None:
    with pytest.raises(
        ForeignModelError, match=r"model was not made by edgedigits; export the Keras network"
    ) as caught:
        open_model(theirs)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{theirs}: ")


def test_the_predictor_says_it_too(tmp_path: Path) -> None:
    (tmp_path / "theirs.onnx").write_bytes(other_onnx())
    with pytest.raises(ForeignModelError):
        DigitPredictor(tmp_path / "theirs.onnx")


@pytest.mark.parametrize("command", ["info", "verify", "bench"])
def test_every_command_says_so_in_one_line(command: str, theirs: Path) -> None:
    result = CliRunner().invoke(cli, [command, str(theirs)])
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert "was not made by edgedigits" in result.stderr


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_a_damaged_file_of_our_own_is_not_called_another_s(path: Path) -> None:
    content = path.read_bytes()
    assert not is_foreign(content)
    for size in (0, 8, 300, 1_000, len(content) // 2, len(content) - 1):
        assert not is_foreign(content[:size]) or size < 300  # of a few bytes nobody can tell


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00", b"\xff" * 40, b"\x3a\x05abc", b"\x3a\x03abc\x0b", b"\x08\x07", bytes(5_000), b"\x3a"],
)
def test_bytes_that_are_no_model_are_nobody_s(content: bytes) -> None:
    assert not is_foreign(content)


@pytest.mark.parametrize("content", [b"\x3a\x03abc", b"\x08\x07\x3a\x00\x15abcd", other_onnx()])
def test_a_message_with_a_graph_is_a_model(content: bytes) -> None:
    assert is_foreign(content)
