"""Rules of cells, of attention and of products of maps: what edgedigits writes, and one thing changed at a time."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgedigits.errors import ContractError, EdgeDigitsError
from edgedigits.model_files.onnx_file import check_onnx

RANDOM = np.random.default_rng(0)
Change = Callable[[onnx.ModelProto], object]


def model(nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray]) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "edgedigits",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", 28, 28])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 10])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def floats(*shape: int) -> np.ndarray:
    return RANDOM.normal(size=shape).astype(np.float32)


def recurrent() -> onnx.ModelProto:
    node = helper.make_node
    nodes = [
        node("Cast", ["image"], ["values"], to=TensorProto.FLOAT),
        node("Transpose", ["values"], ["steps"], perm=[1, 0, 2]),
        node(
            "GRU", ["steps", "kernel", "recurrent", "bias"], ["all", "last"],
            hidden_size=4, direction="reverse", activations=["Sigmoid", "Tanh"], linear_before_reset=1,
        ),
        node("Transpose", ["last"], ["turned"], perm=[1, 0, 2]),
        node("Flatten", ["turned"], ["row"], axis=1),
        node("Gemm", ["row", "dense", "offset"], ["sums"]),
        node("Softmax", ["sums"], ["probabilities"], axis=-1),
    ]  # fmt: skip
    constants = {
        "kernel": floats(1, 12, 28), "recurrent": floats(1, 12, 4), "bias": floats(1, 24),
        "dense": floats(4, 10), "offset": floats(10),
    }  # fmt: skip
    return model(nodes, constants)


def attention() -> onnx.ModelProto:
    node = helper.make_node
    nodes = [
        node("Cast", ["image"], ["values"], to=TensorProto.FLOAT),
        node("Reshape", ["values", "shape"], ["heads"]),
        node("Transpose", ["heads"], ["queries"], perm=[0, 1, 3, 2]),
        node("MatMul", ["queries", "heads"], ["scores"]),
        node("Softmax", ["scores"], ["shares"], axis=-1),
        node("MatMul", ["heads", "shares"], ["found"]),
        node("MatMul", ["found", "columns"], ["narrow"]),
        node("MatMul", ["rows", "narrow"], ["low"]),
        node("Flatten", ["low"], ["row"], axis=1),
        node("Gemm", ["row", "dense", "offset"], ["sums"]),
        node("Softmax", ["sums"], ["probabilities"], axis=-1),
    ]
    constants = {
        "shape": np.array([-1, 4, 7, 28], np.int64), "columns": floats(28, 3), "rows": floats(2, 7),
        "dense": floats(24, 10), "offset": floats(10),
    }  # fmt: skip
    return model(nodes, constants)


def checked(content: onnx.ModelProto) -> None:
    check_onnx(Path("x.onnx"), content.SerializeToString())


@pytest.mark.parametrize("build", [recurrent, attention])
def test_what_edgedigits_writes_is_followed(build: Callable[[], onnx.ModelProto]) -> None:
    content = build()
    onnx.checker.check_model(content, full_check=True)
    checked(content)


def of(content: onnx.ModelProto, operator: str, index: int = 0) -> onnx.NodeProto:
    return [node for node in content.graph.node if node.op_type == operator][index]


def attribute(operator: str, name: str, value: object, index: int = 0) -> Change:
    def change(content: onnx.ModelProto) -> None:
        node = of(content, operator, index)
        kept = [found for found in node.attribute if found.name != name]
        del node.attribute[:]
        node.attribute.extend([*kept, helper.make_attribute(name, value)])

    return change


def constant(name: str, array: np.ndarray) -> Change:
    def change(content: onnx.ModelProto) -> None:
        (found,) = (tensor for tensor in content.graph.initializer if tensor.name == name)
        found.CopyFrom(numpy_helper.from_array(array, name))

    return change


def rewired(operator: str, place: int, name: str, index: int = 0) -> Change:
    return lambda content: of(content, operator, index).input.__setitem__(place, name)


BROKEN: dict[str, tuple[Callable[[], onnx.ModelProto], Change]] = {
    "another size": (recurrent, attribute("GRU", "hidden_size", 5)),
    "no size": (recurrent, attribute("GRU", "hidden_size", 0)),
    "a huge size": (recurrent, attribute("GRU", "hidden_size", 1 << 40)),
    "a negative size": (recurrent, attribute("GRU", "hidden_size", -4)),
    "another direction": (recurrent, attribute("GRU", "direction", "bidirectional")),
    "another function": (recurrent, attribute("GRU", "activations", ["Sigmoid", "Affine"])),
    "a function less": (recurrent, attribute("GRU", "activations", ["Sigmoid"])),
    "a layout": (recurrent, attribute("GRU", "layout", 1)),
    "a clip": (recurrent, attribute("GRU", "clip", 3.0)),
    "numbers of functions": (recurrent, attribute("GRU", "activation_alpha", [1.0])),
    "a short kernel": (recurrent, constant("kernel", floats(1, 12, 27))),
    "a kernel of zeros": (recurrent, constant("kernel", np.zeros((1, 12, 28), np.float32))),
    "a recurrent kernel of zeros": (recurrent, constant("recurrent", np.zeros((1, 12, 4), np.float32))),
    "a short bias": (recurrent, constant("bias", floats(1, 12))),
    "NaN": (recurrent, constant("bias", np.full((1, 24), np.nan, np.float32))),
    "steps for a kernel": (recurrent, rewired("GRU", 1, "steps")),
    "images for steps": (recurrent, rewired("GRU", 0, "values")),
    "an order twice": (recurrent, attribute("Transpose", "perm", [1, 1, 2])),
    "an order of two": (recurrent, attribute("Transpose", "perm", [1, 0])),
    "an order beyond": (recurrent, attribute("Transpose", "perm", [1, 0, 3])),
    "a batch at its wrong place": (recurrent, attribute("Transpose", "perm", [2, 0, 1], 1)),
    "shares along another side": (attention, attribute("Softmax", "axis", 2)),
    "shares along the batch": (attention, attribute("Softmax", "axis", 0)),
    "sides that do not meet": (attention, constant("columns", floats(27, 3))),
    "a constant of zeros": (attention, constant("rows", np.zeros((2, 7), np.float32))),
    "a constant of three sides": (attention, constant("rows", floats(1, 2, 7))),
    "wide": (attention, constant("columns", floats(28, 20_000))),
    "scores that end": (attention, rewired("Flatten", 0, "shares")),
    "the same twice": (attention, rewired("MatMul", 0, "heads")),
}


@pytest.mark.parametrize("name", BROKEN)
def test_one_thing_changed_is_refused_in_one_line(name: str) -> None:
    build, change = BROKEN[name]
    content = build()
    change(content)
    with pytest.raises(EdgeDigitsError, match=r"^x\.onnx: ") as caught:
        checked(content)
    assert "\n" not in str(caught.value)


def test_a_cell_of_another_precision_is_refused() -> None:
    content = recurrent()
    stored = numpy_helper.from_array(floats(4, 10).astype(np.float16), "half")
    content.graph.initializer.append(stored)
    content.graph.node.insert(0, helper.make_node("Cast", ["half"], ["wide"], to=TensorProto.FLOAT))
    of(content, "Gemm").input[1] = "wide"
    with pytest.raises(ContractError, match="weights of one precision, found float32 and float16"):
        checked(content)


def test_cells_share_one_budget_of_multiplications() -> None:
    content = recurrent()
    for index in range(40):
        content.graph.node.insert(
            2,
            helper.make_node(
                "GRU", ["steps", "wide", "deep", "long"], [f"every_{index}", f"end_{index}"],
                hidden_size=1_000, direction="forward", activations=["Sigmoid", "Tanh"],
            ),
        )  # fmt: skip
    for name, array in (
        ("wide", floats(1, 3_000, 28)), ("deep", floats(1, 3_000, 1_000)), ("long", floats(1, 6_000)),
    ):  # fmt: skip
        content.graph.initializer.append(numpy_helper.from_array(array, name))
    with pytest.raises(EdgeDigitsError, match=r"more multiplications|larger than any network"):
        checked(content)
