"""Files in onnxruntime's own format; hostile ones among them."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.tools.ort_format_model.ort_flatbuffers_py.fbs.InferenceSession import InferenceSession
from onnxruntime.tools.ort_format_model.ort_flatbuffers_py.fbs.TensorTypeAndShape import TensorTypeAndShape

from edgedigits.errors import ContractError, EdgeDigitsError, ModelFileError
from edgedigits.model_files.ort_file import check_ort
from edgedigits.runtimes.onnx_session import open_session

ROOT = Path(__file__).parents[2]
SEED = (ROOT / "tests" / "fuzz" / "seeds" / "small.ort").read_bytes()
PATH = Path("digits.ort")
PIXELS = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)


def optimized(content: bytes, folder: Path) -> bytes:
    """What onnxruntime makes of an ONNX file in its own format."""
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.save_model_format", "ORT")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(folder / "optimized.ort")
    options.log_severity_level = 4
    onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return (folder / "optimized.ort").read_bytes()


SOURCES = [ROOT / "models" / name for name in ("digits.int8.onnx", "digits.onnx")]
"""In the precisions that are exported in this format."""


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_what_onnxruntime_makes_of_our_files_is_opened(source: Path, tmp_path: Path) -> None:
    path = tmp_path / "digits.ort"
    path.write_bytes(optimized(source.read_bytes(), tmp_path))
    check_ort(path, path.read_bytes())
    session, metadata = open_session(path)
    expected, _ = open_session(source)
    assert metadata.arch == "128-32"
    answers = [opened.run(None, {"image": PIXELS})[0] for opened in (session, expected)]
    np.testing.assert_allclose(*answers, atol=1e-5)  # fused operators add in another order


def test_weights_that_onnxruntime_widened_are_no_longer_of_the_precision_that_the_file_says(
    tmp_path: Path,
) -> None:
    path = tmp_path / "digits.ort"
    path.write_bytes(optimized((ROOT / "models" / "digits.float16.onnx").read_bytes(), tmp_path))
    with pytest.raises(
        ContractError, match=r"precision float16, as its metadata say, found tensors of float32"
    ):
        open_session(path)


def test_the_bytes_tell_the_format_not_the_name(tmp_path: Path) -> None:
    path = tmp_path / "digits.onnx"
    path.write_bytes(SEED[: len(SEED) // 2])
    with pytest.raises(ModelFileError, match=r"digits\.onnx: no whole model in ORT format"):
        open_session(path)


def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "digits.ort"
    for part in range(64):
        path.write_bytes(SEED[: len(SEED) * part // 64])
        with pytest.raises(ModelFileError):
            open_session(path)


def test_flipped_bits_are_refused_or_give_another_network(tmp_path: Path) -> None:
    path = tmp_path / "digits.ort"
    chance = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(SEED)
        for place in chance.integers(0, len(SEED), chance.choice((1, 1, 8))):
            damaged[place] ^= 1 << int(chance.integers(8))
        path.write_bytes(damaged)
        try:
            answers = open_session(path)[0].run(None, {"image": PIXELS})[0]
        except EdgeDigitsError:
            refused += 1
        else:
            assert answers.shape == (3, 10)
    assert refused > 10


# --- Hostile: a number changed in a file that is otherwise whole ----------------------------------------------------


def graph_of(content: bytearray) -> object:
    return InferenceSession.GetRootAs(bytes(content), 0).Model().Graph()


def put(content: bytearray, table: object, slot: int, form: str, value: int) -> None:
    """Write a number into a field that the table has."""
    place = table._tab.Offset(4 + 2 * slot)
    assert place
    struct.pack_into(form, content, table._tab.Pos + place, value)


def initializer(content: bytearray, sides: int) -> object:
    graph = graph_of(content)
    found = (graph.Initializers(index) for index in range(graph.InitializersLength()))
    return next(tensor for tensor in found if tensor.DimsLength() == sides)


def gigantic_initializer(content: bytearray) -> None:
    kernel = initializer(content, 2)
    struct.pack_into("<q", content, kernel._tab.Vector(kernel._tab.Offset(8)), 1 << 40)


def negative_side(content: bytearray) -> None:
    kernel = initializer(content, 2)
    struct.pack_into("<q", content, kernel._tab.Vector(kernel._tab.Offset(8)), -4)


def other_type(content: bytearray) -> None:
    put(content, initializer(content, 2), 3, "<i", 11)


def gigantic_node_count(content: bytearray) -> None:
    put(content, graph_of(content), 3, "<I", 0xFFFFFFFF)


def node_after_the_last(content: bytearray) -> None:
    graph = graph_of(content)
    put(content, graph.Nodes(graph.NodesLength() - 1), 4, "<I", 1_000_000)


def edge_to_nowhere(content: bytearray) -> None:
    graph = graph_of(content)
    edges = next(
        edges for edges in map(graph.NodeEdges, range(graph.NodeEdgesLength())) if edges.InputEdgesLength()
    )
    struct.pack_into("<I", content, edges._tab.Vector(edges._tab.Offset(6)), 777)


def edge_to_another_argument(content: bytearray) -> None:
    graph = graph_of(content)
    edges = next(
        edges for edges in map(graph.NodeEdges, range(graph.NodeEdgesLength())) if edges.InputEdgesLength()
    )
    struct.pack_into("<i", content, edges._tab.Vector(edges._tab.Offset(6)) + 4, 1 << 30)


def kernel_types_of(content: bytearray, operator: bytes) -> object:
    resolver = InferenceSession.GetRootAs(bytes(content), 0).KernelTypeStrResolver()
    entries = (resolver.OpKernelTypeStrArgs(index) for index in range(resolver.OpKernelTypeStrArgsLength()))
    return next(entry for entry in entries if operator in entry.OpId())


def types_of_nothing(content: bytearray) -> None:
    """Which code runs for an operator is then chosen by no type at all."""
    arguments = kernel_types_of(content, b"Softmax").KernelTypeStrArgs(0)
    struct.pack_into("<I", content, arguments._tab.Vector(arguments._tab.Offset(6)) - 4, 0)


def another_type_between_operators(content: bytearray) -> None:
    """The file says that the logits are doubles; they are floats."""
    graph = graph_of(content)
    nodes = map(graph.Nodes, range(graph.NodesLength()))
    logits = next(node.Inputs(0) for node in nodes if node.OpType() == b"Softmax")
    values = map(graph.NodeArgs, range(graph.NodeArgsLength()))
    value = next(value for value in values if value.Name() == logits)
    kind = TensorTypeAndShape()
    kind.Init(value.Type().Value().Bytes, value.Type().Value().Pos)
    struct.pack_into("<i", content, kind._tab.Pos + kind._tab.Offset(4), 11)


def replace(old: bytes, new: bytes) -> Callable[[bytearray], None]:
    def change(content: bytearray) -> None:
        assert old in content
        content[:] = content.replace(old, new)

    return change


HOSTILE: dict[str, tuple[Callable[[bytearray], None], str]] = {
    "gigantic initializer": (gigantic_initializer, "values and holds"),
    "negative side": (negative_side, "has the shape"),
    "other type": (other_type, "is of type 11"),
    "gigantic number of nodes": (gigantic_node_count, "more than 1,000 nodes"),
    "a node after the last": (node_after_the_last, "the numbers of its nodes"),
    "an edge to nowhere": (edge_to_nowhere, "it connects nodes that it does not have"),
    "an edge to another argument": (edge_to_another_argument, "it connects nodes that it does not have"),
    "types of nothing": (types_of_nothing, "the types of ':Softmax:13' are not its own"),
    "another type between operators": (another_type_between_operators, "is not what its operators give"),
    "another version": (
        replace(b":Softmax:13\0", b":Softmax:11\0"),
        "the types of ':Softmax:13' are missing",
    ),
    "another operator": (replace(b"Softmax\0", b"Backdor\0"), "found an operator Backdor"),
}


@pytest.mark.parametrize(("change", "reason"), HOSTILE.values(), ids=list(HOSTILE))
def test_a_hostile_file_is_refused_with_the_reason(
    change: Callable[[bytearray], None], reason: str, tmp_path: Path
) -> None:
    content = bytearray(SEED)
    change(content)
    path = tmp_path / "digits.ort"
    path.write_bytes(content)
    with pytest.raises((ModelFileError, ContractError), match=reason):
        open_session(path)


def fusible_model() -> bytes:
    """A network whose hidden layer onnxruntime makes one operator of its own of."""
    names = {
        "shape": np.array([-1, 784]),
        "one": np.ones((784, 4), np.float32),
        "two": np.ones((4, 10), np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["values", "shape"], ["row"]),
        helper.make_node("Gemm", ["row", "one"], ["sums"]),
        helper.make_node("Relu", ["sums"], ["hidden"]),
        helper.make_node("Gemm", ["hidden", "two"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    graph = helper.make_graph(
        nodes,
        "fusible",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", 28, 28])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 10])],
        [numpy_helper.from_array(values, name) for name, values in names.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"FusedGemm\0", b"Backdoors\0", "found an operator Backdoors"),
        (b"com.microsoft\0", b"com.backdoors\0", r"found a custom operator com\.backdoors\.FusedGemm"),
        (b"Relu\0", b"Evil\0", "expected a FusedGemm as edgedigits exports it"),
    ],
    ids=["operator", "domain", "activation"],
)
def test_of_onnxruntimes_own_operators_only_the_known_ones_pass(
    old: bytes, new: bytes, reason: str, tmp_path: Path
) -> None:
    content = optimized(fusible_model(), tmp_path)
    check_ort(PATH, content)
    assert old in content
    with pytest.raises(ContractError, match=reason):
        check_ort(PATH, content.replace(old, new))


def test_fused_operators_are_none_of_an_onnx_file(tmp_path: Path) -> None:
    model = onnx.load(ROOT / "tests" / "fuzz" / "seeds" / "small.onnx")
    model.graph.node[-1].domain = "com.microsoft"
    path = tmp_path / "digits.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ContractError, match=r"found a custom operator com\.microsoft\.Softmax"):
        open_session(path)
