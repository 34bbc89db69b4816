"""Model files that somebody made to do harm: one line of ours, at once, within a GiB, and nothing else."""

import json
import os
import random
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import flatbuffers
import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from edgedigits.cli import cli
from edgedigits.contract import LARGEST_MODEL, WIDEST_LAYER
from edgedigits.errors import ContractError, EdgeDigitsError, ModelFileError
from edgedigits.metadata import METADATA_KEY, ModelMetadata
from edgedigits.model_files.keras_archive import read_network_spec
from edgedigits.predictor import DigitPredictor
from edgedigits.runtimes.opening import open_model

ROOT = Path(__file__).parents[2]
SEEDS = ROOT / "tests" / "fuzz" / "seeds"
RELEASED = sorted(
    path for path in (ROOT / "models").iterdir() if path.suffix in {".onnx", ".tflite", ".keras"}
)
PIXELS = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)

SECONDS = 10.0
MEBIBYTES = 1024

every_format = pytest.mark.parametrize("source", RELEASED, ids=lambda path: path.name)


# --- Accidents: cut off, and flipped bits --------------------------------------------------------------------------


@every_format
def test_a_file_cut_off_anywhere_is_refused(source: Path, tmp_path: Path) -> None:
    whole = source.read_bytes()
    path = tmp_path / source.name
    for part in range(64):
        path.write_bytes(whole[: len(whole) * part // 64])
        with pytest.raises(ModelFileError) as caught:
            open_model(path)
        assert str(caught.value).startswith(f"{path}: ")


@every_format
def test_flipped_bits_are_refused_or_give_another_network(source: Path, tmp_path: Path) -> None:
    whole = source.read_bytes()
    path = tmp_path / source.name
    chance = random.Random(source.name)  # noqa: S311 - places, not secrets
    refused = 0
    for _ in range(100):
        damaged = bytearray(whole)
        # Half of them at the ends, where headers and tables stand.
        for _ in range(chance.choice((1, 1, 8))):
            near = chance.choice((chance.randrange(2_000), -1 - chance.randrange(4_000)))
            damaged[chance.choice((near, chance.randrange(len(whole))))] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        try:
            if source.suffix == ".keras":
                read_network_spec(path)
                continue
            answers = open_model(path).probabilities(PIXELS)
        except EdgeDigitsError:
            refused += 1
        else:
            assert answers.shape == (3, 10)
    assert refused > 10


# --- ONNX ----------------------------------------------------------------------------------------------------------


def metadata() -> ModelMetadata:
    return ModelMetadata("4", "float32", "0" * 64, {"edgedigits": "test"})


def constant(name: str, *shape: int) -> TensorProto:
    return numpy_helper.from_array(np.full(shape, 0.01, np.float32), name)


def onnx_model(
    nodes: list[onnx.NodeProto] | None = None,
    constants: list[TensorProto] | None = None,
    row: tuple[int, ...] = (-1, 784),
    opsets: tuple[str, ...] = ("",),
) -> onnx.ModelProto:
    """A digits network of one layer, with other nodes or constants between row and logits where they are given."""
    shape = numpy_helper.from_array(np.array(row), "row_shape")
    if nodes is None:
        nodes = [helper.make_node("MatMul", ["row", "kernel"], ["logits"])]
    if constants is None:
        constants = [constant("kernel", 784, 10)]
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["image"], ["values"], to=TensorProto.FLOAT),
            helper.make_node("Reshape", ["values", "row_shape"], ["row"]),
            *nodes,
            helper.make_node("Softmax", ["logits"], ["probabilities"]),
        ],
        "hostile",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", 28, 28])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 10])],
        [shape, *constants],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid(name, 17) for name in opsets], ir_version=8
    )
    helper.set_model_props(model, {METADATA_KEY: metadata().to_json()})
    return model


def test_the_networks_below_would_be_good_ones_but_for_their_one_fault(tmp_path: Path) -> None:
    path = tmp_path / "good.onnx"
    path.write_bytes(onnx_model().SerializeToString())
    assert DigitPredictor(path).probabilities(PIXELS).shape == (3, 10)


def external_data(folder: Path) -> onnx.ModelProto:
    """Weights that lie outside of the model's folder, in a file that is there."""
    (folder.parent / "secret.bin").write_bytes(bytes(784 * 10 * 4))
    model = onnx_model()
    kernel = model.graph.initializer[1]
    kernel.ClearField("raw_data")
    kernel.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "../secret.bin"), ("offset", "0"), ("length", str(784 * 10 * 4))):
        kernel.external_data.add(key=key, value=value)
    return model


def gigantic_initializer(folder: Path) -> onnx.ModelProto:
    model = onnx_model()
    model.graph.initializer[1].dims[:] = [784, 1 << 40]
    return model


def shape_overflow(folder: Path) -> onnx.ModelProto:
    """A product of sides that is 7,840 in 64 bits."""
    model = onnx_model()
    model.graph.initializer[1].dims[:] = [784, 10, 1 << 32, (1 << 32) + 1]
    return model


def negative_side(folder: Path) -> onnx.ModelProto:
    model = onnx_model()
    model.graph.initializer[1].dims[:] = [-784, -10]
    return model


def missing_values(folder: Path) -> onnx.ModelProto:
    model = onnx_model()
    model.graph.initializer[1].raw_data = b""
    return model


def gigantic_constant_of_shape(folder: Path) -> onnx.ModelProto:
    sides = numpy_helper.from_array(np.array([784, 1 << 34]), "sides")
    nodes = [
        helper.make_node("ConstantOfShape", ["sides"], ["kernel"]),
        helper.make_node("MatMul", ["row", "kernel"], ["logits"]),
    ]
    return onnx_model(nodes, [sides])


def gigantic_expansion(folder: Path) -> onnx.ModelProto:
    """Every step of it is small in the file, and each makes a thousand numbers of one."""
    nodes = [
        helper.make_node("Reshape", ["row", "column"], ["pixels"]),
        helper.make_node("MatMul", ["pixels", "wide"], ["wider"]),
        helper.make_node("Reshape", ["wider", "column"], ["many"]),
        helper.make_node("MatMul", ["many", "wide"], ["logits"]),
    ]
    column = numpy_helper.from_array(np.array([-1, 1]), "column")
    return onnx_model(nodes, [column, constant("wide", 1, 1_000)])


def gigantic_layer(folder: Path) -> onnx.ModelProto:
    """A narrow layer, and after it one of a million units: 4 MB in the file, 4 MB for every image."""
    nodes = [
        helper.make_node("MatMul", ["row", "narrow"], ["one"]),
        helper.make_node("MatMul", ["one", "wide"], ["logits"]),
    ]
    return onnx_model(nodes, [constant("narrow", 784, 1), constant("wide", 1, 1_000_000)])


def gigantic_broadcast(folder: Path) -> onnx.ModelProto:
    nodes = [
        helper.make_node("MatMul", ["row", "kernel"], ["sums"]),
        helper.make_node("Add", ["sums", "tall"], ["logits"]),
    ]
    return onnx_model(nodes, [constant("kernel", 784, 10), constant("tall", 100_000, 1, 1)])


def custom_operator(folder: Path) -> onnx.ModelProto:
    nodes = [helper.make_node("Backdoor", ["row"], ["logits"], domain="com.example")]
    return onnx_model(nodes, [], opsets=("", "com.example"))


def unknown_operator(folder: Path) -> onnx.ModelProto:
    return onnx_model([helper.make_node("NoSuchThing", ["row"], ["logits"])], [])


def function(folder: Path) -> onnx.ModelProto:
    """An operator of its own, defined by the file out of others."""
    model = onnx_model(
        [helper.make_node("Own", ["row"], ["logits"], domain="com.example")], [], opsets=("", "com.example")
    )
    body = [helper.make_node("Identity", ["x"], ["y"])]
    model.functions.append(
        helper.make_function("com.example", "Own", ["x"], ["y"], body, [helper.make_opsetid("", 17)])
    )
    return model


def endless_loop(folder: Path) -> onnx.ModelProto:
    """A Loop that goes round 2**62 times."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["more"], ["go_on"]),
            helper.make_node("Identity", ["state"], ["next"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("more", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, ["n", 784]),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, ["n", 784]),
        ],
    )
    rounds = numpy_helper.from_array(np.array(1 << 62), "rounds")
    yes = numpy_helper.from_array(np.array(True), "yes")
    return onnx_model(
        [helper.make_node("Loop", ["rounds", "yes", "row"], ["logits"], body=body)], [rounds, yes]
    )


def ten_million_nodes(folder: Path) -> onnx.ModelProto:
    names = ["row", *(f"r{index}" for index in range(200_000)), "sums"]
    nodes = [helper.make_node("Relu", [one], [other]) for one, other in pairwise(names)]
    return onnx_model(
        [*nodes, helper.make_node("MatMul", ["sums", "kernel"], ["logits"])], [constant("kernel", 784, 10)]
    )


def another_network(folder: Path) -> onnx.ModelProto:
    """The start of a network for photographs."""
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["data", "kernel"], ["maps"], strides=[2, 2]),
            helper.make_node("GlobalAveragePool", ["maps"], ["probabilities"]),
        ],
        "resnet",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, ["n", 3, 224, 224])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 8, 1, 1])],
        [constant("kernel", 8, 3, 7, 7)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def wrong_sizes(folder: Path) -> onnx.ModelProto:
    return onnx_model(constants=[constant("kernel", 783, 10)])


def a_row_for_two(folder: Path) -> onnx.ModelProto:
    """Two images in a row: half as many answers as images."""
    return onnx_model(constants=[constant("kernel", 1568, 10)], row=(-1, 1568))


def doubles(folder: Path) -> onnx.ModelProto:
    return onnx_model(constants=[numpy_helper.from_array(np.zeros((784, 10)), "kernel")])


def sparse_kernel(folder: Path) -> onnx.ModelProto:
    model = onnx_model(constants=[])
    values = numpy_helper.from_array(np.ones(1, np.float32), "kernel")
    indices = numpy_helper.from_array(np.array([1 << 60]), "indices")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [784, 10]))
    return model


def a_tensor_from_nowhere(folder: Path) -> onnx.ModelProto:
    return onnx_model([helper.make_node("MatMul", ["row", "nowhere"], ["logits"])])


def two_of_a_name(folder: Path) -> onnx.ModelProto:
    return onnx_model(constants=[constant("kernel", 784, 10), constant("kernel", 784, 10)])


def changed_onnx(change: Callable[[onnx.GraphProto], object]) -> Callable[[Path], onnx.ModelProto]:
    """A small network of two hidden layers, with something changed in its graph."""

    def make(folder: Path) -> onnx.ModelProto:
        model = onnx.load(SEEDS / "small.onnx")
        change(model.graph)
        return model

    return make


def node_of(graph: onnx.GraphProto, operator: str) -> onnx.NodeProto:
    return next(node for node in graph.node if node.op_type == operator)


def end_without_softmax(graph: onnx.GraphProto) -> None:
    softmax = node_of(graph, "Softmax")
    graph.node.remove(softmax)
    graph.node[-1].output[0] = "probabilities"


def end_in_a_constant(graph: onnx.GraphProto) -> None:
    node_of(graph, "Softmax").output[0] = "unused"
    graph.initializer.append(numpy_helper.from_array(np.full((1, 10), 0.1, np.float32), "probabilities"))


def end_in_the_softmax_of_a_constant(graph: onnx.GraphProto) -> None:
    """Whatever the picture, one row of answers."""
    node_of(graph, "Softmax").input[0] = "always"
    graph.initializer.append(numpy_helper.from_array(np.eye(10, dtype=np.float32)[:1], "always"))


def multiply_activations(graph: onnx.GraphProto) -> None:
    """(n, 3) by (n, 3): answers for as many pictures as there are values."""
    gemm = [node for node in graph.node if node.op_type == "Gemm"][-1]
    gemm.input[:] = [gemm.input[0], gemm.input[0]]
    gemm.attribute.append(helper.make_attribute("transB", 1))


def scale_by_the_picture(graph: onnx.GraphProto) -> None:
    """A bias that is another row of the batch."""
    gemm = [node for node in graph.node if node.op_type == "Gemm"][-1]
    gemm.input[2] = graph.node[2].output[0]


def forget_the_picture(graph: onnx.GraphProto) -> None:
    """The first layer is of a constant row; the picture goes nowhere."""
    gemm = node_of(graph, "Gemm")
    graph.initializer.append(numpy_helper.from_array(np.ones((1, 784), np.float32), "always"))
    gemm.input[0] = "always"


def swap_sums(graph: onnx.GraphProto) -> None:
    node_of(graph, "Softmax").op_type = "Relu"


def widen_integers(graph: onnx.GraphProto) -> None:
    """Sums that are cast to bytes and back."""
    softmax = node_of(graph, "Softmax")
    cast = helper.make_node("Cast", [softmax.input[0]], ["bytes"], to=TensorProto.UINT8)
    graph.node.insert(len(graph.node) - 1, cast)
    softmax.input[0] = "bytes"


ONNX: dict[str, tuple[Callable[[Path], onnx.ModelProto], str]] = {
    "external data": (external_data, "its tensor 'kernel' lies in another file"),
    "gigantic initializer": (gigantic_initializer, "declares 862,017,116,176,384 values and holds 7,840"),
    "overflowing shape": (shape_overflow, "its tensor 'kernel' declares"),
    "negative sides": (negative_side, r"has the shape \(-784, -10\)"),
    "missing values": (missing_values, "declares 7,840 values and holds 0"),
    "gigantic ConstantOfShape": (gigantic_constant_of_shape, "found an operator ConstantOfShape"),
    "gigantic expansion": (gigantic_expansion, "expected a Reshape as edgedigits exports it"),
    "gigantic layer": (gigantic_layer, r"expected a MatMul as edgedigits exports it, found one of \(n, 1\)"),
    "gigantic broadcast": (gigantic_broadcast, "expected a Add as edgedigits exports it"),
    "custom operator": (custom_operator, r"found a custom operator com\.example\.Backdoor"),
    "unknown operator": (unknown_operator, "found an operator NoSuchThing"),
    "function": (function, "field 25 of a model"),
    "endless loop": (endless_loop, "no whole ONNX model|found an operator Loop"),
    "ten million nodes": (ten_million_nodes, "more than 1,000 entries node"),
    "another network": (
        another_network,
        r"expected input image uint8 .*found data float32 \(n, 3, 224, 224\)",
    ),
    "wrong sizes": (wrong_sizes, r"found one of \(n, 784\), \(783, 10\)"),
    "a row for two": (a_row_for_two, "expected a Reshape as edgedigits exports it"),
    "doubles": (doubles, "is of type 11"),
    "sparse kernel": (sparse_kernel, "field 15 of a graph"),
    "a tensor from nowhere": (a_tensor_from_nowhere, "takes 'nowhere', which nothing gives"),
    "no softmax": (
        changed_onnx(end_without_softmax),
        "expected a Softmax of the last layer's sums at the end",
    ),
    "a constant as output": (changed_onnx(end_in_a_constant), "expected a Softmax of the last layer's sums"),
    "a softmax of a constant": (
        changed_onnx(end_in_the_softmax_of_a_constant),
        "expected a Softmax as edgedigits exports it",
    ),
    "a product of activations": (
        changed_onnx(multiply_activations),
        "expected a MatMul as edgedigits exports it",
    ),
    "a bias of activations": (changed_onnx(scale_by_the_picture), "expected a Add as edgedigits exports it"),
    "a picture that goes nowhere": (
        changed_onnx(forget_the_picture),
        "expected a MatMul as edgedigits exports it",
    ),
    "a ReLU for the softmax": (
        changed_onnx(swap_sums),
        "expected a Softmax of the last layer's sums at the end",
    ),
    "bytes between": (changed_onnx(widen_integers), "expected a Cast as edgedigits exports it"),
    "two of a name": (two_of_a_name, "two tensors or none are called 'kernel'"),
}


@pytest.mark.parametrize(("make", "reason"), ONNX.values(), ids=list(ONNX))
def test_a_hostile_onnx_file_is_refused_with_the_reason(
    make: Callable[[Path], onnx.ModelProto], reason: str, tmp_path: Path
) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    path = folder / "digits.onnx"
    path.write_bytes(make(folder).SerializeToString())
    started = time.monotonic()
    with pytest.raises((ModelFileError, ContractError), match=reason):
        DigitPredictor(path)
    assert time.monotonic() - started < SECONDS


@pytest.mark.parametrize(
    ("weight", "found"),
    [
        (np.nan, "it gives no numbers: its weights are damaged, 'kernel' holds NaN or infinity"),
        (np.inf, "it gives no numbers: its weights are damaged, 'kernel' holds NaN or infinity"),
        (-np.inf, "it gives no numbers: its weights are damaged, 'kernel' holds NaN or infinity"),
        (0.0, "expected weights of a trained network, found a layer of zeros only"),
        (-0.0, "expected weights of a trained network, found a layer of zeros only"),
    ],
)
@pytest.mark.parametrize("one_by_one", [False, True], ids=["bytes", "numbers"])
def test_weights_that_are_no_networks_are_told_when_the_file_is_opened(
    weight: float, found: str, one_by_one: bool, tmp_path: Path
) -> None:
    kernel = numpy_helper.from_array(np.full((784, 10), weight, np.float32), "kernel")
    if one_by_one:
        kernel.ClearField("raw_data")
        kernel.float_data.extend([weight] * 7_840)
    path = tmp_path / "digits.onnx"
    path.write_bytes(onnx_model(constants=[kernel]).SerializeToString())
    with pytest.raises((ModelFileError, ContractError), match=found):
        DigitPredictor(path)


def test_weights_that_only_together_give_no_numbers_are_told_when_a_picture_is_read(tmp_path: Path) -> None:
    """Each is a number; their sums are infinite, and the softmax of that is NaN."""
    kernel = numpy_helper.from_array(np.full((784, 10), 3e38, np.float32), "kernel")
    path = tmp_path / "digits.onnx"
    path.write_bytes(onnx_model(constants=[kernel]).SerializeToString())
    seven = (SEEDS / "gray.png").read_bytes()
    predictor = DigitPredictor(path)
    with pytest.raises(ModelFileError, match="gives no numbers: its weights are damaged"):
        predictor.predict(seven)
    with pytest.raises(ModelFileError, match="gives no numbers"):
        predictor.predict_batch([seven])
    with pytest.raises(ModelFileError, match="gives no numbers"):
        predictor.probabilities(np.full((5_000, 28, 28), 255, np.uint8))
    done = CliRunner().invoke(cli, ["predict", "--model", str(path), str(SEEDS / "gray.png")])
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        f"edgedigits: {path}: it gives no numbers: its weights are damaged; export it again with `edgedigits export`"
    ]


# --- TFLite --------------------------------------------------------------------------------------------------------


def changed_tflite(change: Callable[[schema.ModelT], object], name: str = "small.tflite") -> bytes:
    """A small network, taken apart, changed and put together again: a flatbuffer without a fault in its structure."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs((SEEDS / name).read_bytes(), 0))
    change(model)
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def operator(model: schema.ModelT, code: int) -> schema.OperatorT:
    codes = [max(entry.builtinCode, entry.deprecatedBuiltinCode) for entry in model.operatorCodes]
    return next(found for found in model.subgraphs[0].operators if codes[found.opcodeIndex] == code)


def to_custom_code(model: schema.ModelT) -> None:
    model.operatorCodes[0].builtinCode = 32
    model.operatorCodes[0].deprecatedBuiltinCode = 32
    model.operatorCodes[0].customCode = b"Backdoor"


def to_operator(number: int) -> Callable[[schema.ModelT], None]:
    """Call the last of the operators another one."""

    def change(model: schema.ModelT) -> None:
        model.operatorCodes[-1].builtinCode = model.operatorCodes[-1].deprecatedBuiltinCode = number

    return change


def to_gigantic_tensor(model: schema.ModelT) -> None:
    for tensor in model.subgraphs[0].tensors:
        if len(tensor.shape) == 2 and model.buffers[tensor.buffer].data is None:
            tensor.shape = [1, 2**31 - 1]
            tensor.shapeSignature = [-1, 2**31 - 1]


def to_gigantic_kernel(model: schema.ModelT) -> None:
    kernel = model.subgraphs[0].tensors[operator(model, 9).inputs[1]]
    kernel.shape = [2**31 - 1, 784]


def to_gigantic_layer(model: schema.ModelT) -> None:
    """A kernel of a million rows, whole in the file."""
    layer = operator(model, 9)
    tensors = model.subgraphs[0].tensors
    for index, shape in ((layer.inputs[1], [20_000, 784]), (layer.inputs[2], [20_000])):
        if index >= 0:
            tensors[index].shape = shape
            model.buffers[tensors[index].buffer].data = np.zeros(4 * int(np.prod(shape)), np.uint8)
    tensors[layer.outputs[0]].shape = [1, 20_000]
    tensors[layer.outputs[0]].shapeSignature = [-1, 20_000]


def to_scales_of_a_scalar(model: schema.ModelT) -> None:
    row = model.subgraphs[0].tensors[operator(model, 9).inputs[0]]
    row.shape, row.shapeSignature = [], []
    row.quantization.scale, row.quantization.zeroPoint = [1.0, 1.0], [0, 0]


def set_index(field: str, index: int) -> Callable[[schema.ModelT], None]:
    def change(model: schema.ModelT) -> None:
        indices = [int(value) for value in getattr(operator(model, 9), field)]
        indices[0] = index
        setattr(operator(model, 9), field, indices)

    return change


def to_missing_buffer(model: schema.ModelT) -> None:
    model.subgraphs[0].tensors[0].buffer = 1_000_000


def to_missing_operator_code(model: schema.ModelT) -> None:
    operator(model, 9).opcodeIndex = 77


def to_missing_metadata_buffer(model: schema.ModelT) -> None:
    model.metadata[-1].buffer = 1_000_000


def to_missing_signature_tensor(model: schema.ModelT) -> None:
    model.signatureDefs[0].inputs[0].tensorIndex = 1_000_000


def to_zero_scale(model: schema.ModelT) -> None:
    kernel = model.subgraphs[0].tensors[operator(model, 9).inputs[1]]
    kernel.quantization.scale = [0.0] * len(kernel.quantization.scale)


def to_far_zero_point(model: schema.ModelT) -> None:
    row = model.subgraphs[0].tensors[operator(model, 9).inputs[0]]
    row.quantization.zeroPoint = [1 << 40]


def to_fewer_scales(model: schema.ModelT) -> None:
    kernel = model.subgraphs[0].tensors[operator(model, 9).inputs[1]]
    kernel.quantization.scale = kernel.quantization.scale[:2]
    kernel.quantization.zeroPoint = kernel.quantization.zeroPoint[:2]


def to_a_circle(model: schema.ModelT) -> None:
    """The first operator waits for the last."""
    operators = model.subgraphs[0].operators
    operators[0].inputs = operators[-1].outputs


def to_buffer_in_the_file(model: schema.ModelT) -> None:
    """A buffer that begins and ends where it says, far behind the end of the file."""
    model.buffers[3].data = None
    model.buffers[3].offset, model.buffers[3].size = 1 << 40, 1 << 20


def to_shuffled_weights(model: schema.ModelT) -> None:
    operator(model, 9).builtinOptions.weightsFormat = 1


def to_sparse(model: schema.ModelT) -> None:
    sparsity = schema.SparsityParametersT()
    sparsity.traversalOrder = [1 << 30, 1 << 30]
    model.subgraphs[0].tensors[operator(model, 9).inputs[1]].sparsity = sparsity


def to_reshape_to_two(model: schema.ModelT) -> None:
    shape = model.subgraphs[0].tensors[operator(model, 22).inputs[1]]
    model.buffers[shape.buffer].data = np.frombuffer(struct.pack("<2i", -1, 392), np.uint8)


TFLITE: dict[str, tuple[Callable[[schema.ModelT], object], str, str]] = {
    "custom operator": (to_custom_code, "small.tflite", "found a custom operator Backdoor"),
    "another operator": (to_operator(99), "small.tflite", "found operator 99"),
    "a loop": (to_operator(119), "small.tflite", "found operator 119"),
    "a convolution of rows": (to_operator(3), "small.tflite", "options of a CONV_2D"),
    "gigantic tensor": (to_gigantic_tensor, "small.tflite", "tensors as large as a network's"),
    "gigantic kernel": (to_gigantic_kernel, "small.tflite", "bytes of a tensor, found"),
    "a tensor before the first": (
        set_index("inputs", -2),
        "small.tflite",
        "inputs of FULLY_CONNECTED that are",
    ),
    "a tensor after the last": (
        set_index("inputs", 999),
        "small.tflite",
        "inputs of FULLY_CONNECTED that are",
    ),
    "no input": (set_index("inputs", -1), "small.tflite", "a FULLY_CONNECTED as edgedigits exports it"),
    "an output after the last": (set_index("outputs", 999), "small.tflite", "one output of FULLY_CONNECTED"),
    "an output that is a constant": (
        set_index("outputs", 1),
        "small.tflite",
        "a new output of FULLY_CONNECTED",
    ),
    "a buffer after the last": (to_missing_buffer, "small.tflite", "every tensor in one of the buffers"),
    "an operator after the last": (
        to_missing_operator_code,
        "small.tflite",
        "operators that the file declares",
    ),
    "metadata after the last": (
        to_missing_metadata_buffer,
        "small.tflite",
        "metadata in one of the buffers",
    ),
    "a signature of nothing": (to_missing_signature_tensor, "small.tflite", "signatures of tensors"),
    "a scale of zero": (to_zero_scale, "small.int8.tflite", "positive scales of a usual size"),
    "a far zero point": (to_far_zero_point, "small.int8.tflite", "zero points within the type's range"),
    "fewer scales than rows": (to_fewer_scales, "small.int8.tflite", "a scale for all, or for each row"),
    "gigantic layer": (to_gigantic_layer, "small.tflite", "a FULLY_CONNECTED as edgedigits exports it"),
    "scales of a scalar": (to_scales_of_a_scalar, "small.int8.tflite", "a scale for all, or for each row"),
    "a circle": (to_a_circle, "small.tflite", "inputs of CAST that are there"),
    "a buffer elsewhere": (to_buffer_in_the_file, "small.tflite", "field 1 of a buffer"),
    "shuffled weights": (to_shuffled_weights, "small.tflite", "field 1 of a fully_connected_options"),
    "sparse weights": (to_sparse, "small.tflite", "field 6 of a tensor"),
    "a row for half an image": (to_reshape_to_two, "small.tflite", "a RESHAPE as edgedigits exports it"),
}


@pytest.mark.parametrize(("change", "seed", "reason"), TFLITE.values(), ids=list(TFLITE))
def test_a_hostile_tflite_file_is_refused_with_the_reason(
    change: Callable[[schema.ModelT], object], seed: str, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "digits.tflite"
    path.write_bytes(changed_tflite(change, seed))
    started = time.monotonic()
    with pytest.raises((ModelFileError, ContractError), match=reason):
        open_model(path)
    assert time.monotonic() - started < SECONDS


def test_a_tflite_file_that_was_only_put_together_again_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "digits.tflite"
    path.write_bytes(changed_tflite(lambda model: None))
    assert open_model(path).probabilities(PIXELS).shape == (3, 10)


def test_tables_within_tables_are_counted(tmp_path: Path) -> None:
    """A vector of many offsets to one table: a few bytes in the file, gigabytes for whoever unrolls it."""
    path = tmp_path / "digits.tflite"
    content = bytearray(changed_tflite(lambda model: None))
    end = len(content) + -len(content) % 4
    content.extend(bytes(end - len(content)))
    count = 5_000_000
    model = schema.Model.GetRootAs(bytes(content), 0)
    # The field that holds the list of tensors now leads to the end of the file.
    graph = model.Subgraphs(0)._tab
    place = graph.Pos + graph.Offset(4)
    first = model.Subgraphs(0).Tensors(0)._tab.Pos
    struct.pack_into("<I", content, place, end - place)
    offsets = np.arange(count, dtype=np.int64) * -4 + first - (end + 4)
    content += struct.pack("<I", count) + (offsets & 0xFFFFFFFF).astype("<u4").tobytes()
    path.write_bytes(content)
    started = time.monotonic()
    with pytest.raises(ModelFileError):
        open_model(path)
    assert time.monotonic() - started < SECONDS


# --- As the command meets them: one line, at once, in little memory ------------------------------------------------


def repacked_keras(target: Path, **changes: bytes) -> Path:
    with zipfile.ZipFile(SEEDS / "small.keras") as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (
            contents | {key.replace("__", "."): value for key, value in changes.items()}
        ).items():
            archive.writestr(name, content)
    return target


def keras_config(change: Callable[[list[dict]], object]) -> bytes:
    with zipfile.ZipFile(SEEDS / "small.keras") as archive:
        config = json.loads(archive.read("config.json"))
    change(config["config"]["layers"])
    return json.dumps(config).encode()


def dense_layers(layers: list[dict]) -> list[dict]:
    return [layer for layer in layers if layer["class_name"] == "Dense"]


def lambda_layer(folder: Path) -> Path:
    return repacked_keras(
        folder / "digits.keras",
        config__json=keras_config(lambda layers: layers[1].update(class_name="Lambda")),
    )


def climbing_path(folder: Path) -> Path:
    return repacked_keras(folder / "digits.keras", **{"../../evil.py": b"raise SystemExit"})


def gigantic_layers(folder: Path) -> Path:
    def widen(layers: list[dict]) -> None:
        for layer in dense_layers(layers)[:-1]:
            layer["config"]["units"] = WIDEST_LAYER

    return repacked_keras(folder / "digits.keras", config__json=keras_config(widen))


def zip_bomb(folder: Path) -> Path:
    return repacked_keras(folder / "digits.keras", model__weights__h5=bytes(200 << 20))


def many_layers(folder: Path) -> Path:
    """Eighteen thousand layers that do nothing, in 100 kB."""

    def repeat(layers: list[dict]) -> None:
        place = layers.index(dense_layers(layers)[0])
        nothing = {"class_name": "Dropout", "module": "keras.layers", "config": {"rate": 0.5, "name": "d"}}
        layers[place:place] = [nothing] * 18_000

    return repacked_keras(folder / "digits.keras", config__json=keras_config(repeat))


def layers_of_one_name(folder: Path) -> Path:
    def rename(layers: list[dict]) -> None:
        for layer in dense_layers(layers):
            layer["config"]["name"] = "same"

    return repacked_keras(folder / "digits.keras", config__json=keras_config(rename))


def million_layers(folder: Path) -> Path:
    config = b'{"class_name": "Sequential", "config": {"layers": [' + b"{}," * 1_300_000 + b"{}]}}"
    return repacked_keras(folder / "digits.keras", config__json=config)


def arrays_in_arrays(folder: Path) -> Path:
    return repacked_keras(folder / "digits.keras", config__json=b"[" * 4_000_000)


def number_of_a_million_figures(folder: Path) -> Path:
    config = keras_config(lambda layers: dense_layers(layers)[0]["config"].update(units=123_456_789))
    return repacked_keras(
        folder / "digits.keras", config__json=config.replace(b"123456789", b"9" * 1_000_000)
    )


def many_members(folder: Path) -> Path:
    path = folder / "digits.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for index in range(100_000):
            archive.writestr(f"{index}", b"")
    return path


def packed_with_bzip2(folder: Path) -> Path:
    path = folder / "digits.keras"
    with (
        zipfile.ZipFile(SEEDS / "small.keras") as source,
        zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive,
    ):
        for name in source.namelist():
            archive.writestr(name, source.read(name))
    return path


def gigantic_file(folder: Path) -> Path:
    path = folder / "digits.onnx"
    with path.open("wb") as file:
        file.truncate(50 << 30)
    return path


def gigantic_tflite_file(folder: Path) -> Path:
    return gigantic_file(folder).rename(folder / "digits.tflite")


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "digits.onnx")
    return folder / "digits.onnx"


def onnx_file(make: Callable[[Path], onnx.ModelProto]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / "digits.onnx"
        path.write_bytes(make(folder).SerializeToString())
        return path

    return write


def metadata_of_a_megabyte(folder: Path) -> Path:
    model = onnx_model()
    model.metadata_props[0].value = '{"arch": "' + "x" * 5_000_000
    path = folder / "digits.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def most_of_everything(folder: Path) -> Path:
    """A file of the largest size that is read, all of it one gigantic list."""
    path = folder / "digits.onnx"
    path.write_bytes(b"\x3a\xf8\xff\xff\x23" + b"\x0a\x00" * (LARGEST_MODEL // 2 - 8))
    return path


FILES: dict[str, Callable[[Path], Path]] = {
    "Lambda layer": lambda_layer,
    "climbing path": climbing_path,
    "gigantic layers": gigantic_layers,
    "zip bomb": zip_bomb,
    "many layers": many_layers,
    "layers of one name": layers_of_one_name,
    "a million layers": million_layers,
    "arrays in arrays": arrays_in_arrays,
    "a number of a million figures": number_of_a_million_figures,
    "a hundred thousand members": many_members,
    "packed with bzip2": packed_with_bzip2,
    "gigantic file": gigantic_file,
    "gigantic TFLite file": gigantic_tflite_file,
    "gigantic initializer": onnx_file(gigantic_initializer),
    "gigantic expansion": onnx_file(gigantic_expansion),
    "external data": onnx_file(external_data),
    "custom operator": onnx_file(custom_operator),
    "endless loop": onnx_file(endless_loop),
    "metadata of megabytes": metadata_of_a_megabyte,
    "most of everything": most_of_everything,
    **({"pipe": pipe} if hasattr(os, "mkfifo") else {}),
}


@pytest.mark.parametrize("make", FILES.values(), ids=list(FILES))
def test_the_command_says_one_line_at_once_in_little_memory(
    make: Callable[[Path], Path], tmp_path: Path
) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    path = make(folder)
    peak = tmp_path / "peak"
    command = [sys.executable, Path(__file__).with_name("measured_cli.py"), peak, "info", path]
    if path.suffix == ".onnx":
        command[3:] = ["predict", "--model", path, SEEDS / "gray.png"]
    before = sorted(tmp_path.rglob("*"))
    started = time.monotonic()
    # Twice the bound: a busy machine is no hang.
    child = subprocess.run(command, capture_output=True, text=True, timeout=2 * SECONDS)
    elapsed = time.monotonic() - started
    assert (child.returncode, child.stdout) == (1, "")
    (line,) = child.stderr.splitlines()
    assert line.startswith(f"edgedigits: {path}: ")
    assert len(line) < 2_000
    assert int(peak.read_text()) < MEBIBYTES
    # What imports Keras first takes its time; the others answer at once.
    assert elapsed < 2 * SECONDS
    assert sorted(set(tmp_path.rglob("*")) - {peak}) == before
