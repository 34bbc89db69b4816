"""Small model files that ask for much work: what is shared counts every time that it is reached."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from built_files import flatbuffer, protobuf, varint
from measured import measure

from edgedigits.contract import MOST_WEIGHTS, WIDEST_LAYER
from edgedigits.errors import ContractError, ModelFileError
from edgedigits.model_files import onnx_file, ort_file, tflite_file
from edgedigits.model_files.budget import MOST_STEPS, Budget
from edgedigits.model_files.c_source import read_model_array
from edgedigits.model_files.flatbuffer import read_flatbuffer
from edgedigits.model_files.onnx_file import check_onnx
from edgedigits.model_files.ort_file import check_ort
from edgedigits.model_files.tflite_file import read_graph

pytestmark = pytest.mark.skipif(os.name != "posix", reason="measures processes in the POSIX way")

SEEDS = Path(__file__).parents[1] / "fuzz" / "seeds"
TOO_MUCH = "than any network of edgedigits"
LONG = "x" * 100_000
ONES = b"\x01"
"""Weights of such bytes are no zeros, in any type."""
MANY = tuple(range(90_000))
Content = dict[str, Any]


# --- ORT -----------------------------------------------------------------------------------------------------------


def ort(name: str, change: Callable[[Content, Content], object]) -> bytes:
    """A small network in ORT format with something changed in its session and graph."""
    content = (SEEDS / name).read_bytes()
    session = read_flatbuffer(ort_file.SCHEMA, "session", content, Budget())
    change(session, session["model"]["graph"])
    return flatbuffer(ort_file.SCHEMA, "session", session, b"ORTM")


def _kernel(graph: Content) -> Content:
    return max(graph["initializers"], key=lambda tensor: len(tensor.get("raw_data", b"")))


def one_text_in_many_nodes(session: Content, graph: Content) -> None:
    relu = next(node for node in graph["nodes"] if node["op_type"] == "Cast")
    graph["nodes"] += [{**relu, "doc_string": LONG} for _ in range(900)]


def one_text_in_many_entries(session: Content, graph: Content) -> None:
    session["model"]["metadata_props"] += [{"key": f"k{index}", "value": LONG} for index in range(5_000)]


def one_constant_under_many_names(session: Content, graph: Content) -> None:
    kernel = _kernel(graph)
    kernel["raw_data"] = bytes(4 << 20)
    kernel["dims"] = (1 << 10, 1 << 10)
    graph["initializers"] += [{**kernel, "name": f"k{index}"} for index in range(900)]


def one_vector_in_many_attributes(session: Content, graph: Content) -> None:
    graph["nodes"][0]["attributes"] = [
        {"name": f"a{index}", "type": 7, "ints": MANY} for index in range(3_000)
    ]


def one_constant_cast_many_times(session: Content, graph: Content) -> None:
    """A Cast for each of 900 names, all from one constant of a million numbers."""
    constant = {"name": "large", "dims": (1 << 20,), "data_type": 2, "raw_data": bytes(1 << 20)}
    graph["initializers"].append(constant)
    (cast,) = (node for node in graph["nodes"] if node["op_type"] == "Cast")
    start = graph["max_node_index"]
    graph["max_node_index"] += 900
    for index in range(900):
        graph["nodes"].append(
            {
                **cast,
                "name": f"c{index}",
                "index": start + index,
                "inputs": ["large"],
                "outputs": [f"o{index}"],
            }
        )
        graph["values"].append({"name": f"o{index}", "type": _type(1, 1 << 20)})
    graph["values"].append({"name": "large", "type": _type(2, 1 << 20)})


def _type(number: int, *sides: int) -> Content:
    dims = [{"value": {"kind": 1, "number": side}} for side in sides]
    return {"kind": 1, "tensor": {"elem_type": number, "shape": {"dim": dims}}}


ORT: dict[str, Callable[[Content, Content], object]] = {
    "one text in many nodes": one_text_in_many_nodes,
    "one text in many entries": one_text_in_many_entries,
    "one constant under many names": one_constant_under_many_names,
    "one vector in many attributes": one_vector_in_many_attributes,
    "one constant cast many times": one_constant_cast_many_times,
}


@pytest.mark.parametrize("change", ORT.values(), ids=list(ORT))
def test_an_ort_file_that_shares_is_refused_in_little_time_and_memory(
    change: Callable[[Content, Content], object], tmp_path: Path
) -> None:
    path = tmp_path / "digits.ort"
    path.write_bytes(ort("small.ort", change))
    assert path.stat().st_size < 16 << 20
    found = measure("predict", "--model", path, SEEDS / "gray.png").check()
    assert TOO_MUCH in found.err


# --- TFLite --------------------------------------------------------------------------------------------------------


def tflite(name: str, change: Callable[[Content, Content], object]) -> bytes:
    content = (SEEDS / name).read_bytes()
    model = read_flatbuffer(tflite_file.SCHEMA, "model", content, Budget())
    change(model, model["subgraphs"][0])
    return flatbuffer(tflite_file.SCHEMA, "model", model, b"TFL3")


def one_name_of_many_tensors(model: Content, graph: Content) -> None:
    kernel = max(
        graph["tensors"], key=lambda tensor: len(model["buffers"][tensor["buffer"]].get("data", b""))
    )
    graph["tensors"] += [{**kernel, "name": LONG} for _ in range(9_000)]


def one_vector_of_many_scales(model: Content, graph: Content) -> None:
    numbers = {"scale": (0.5,) * 90_000, "zero_point": (0,) * 90_000}
    for tensor in graph["tensors"]:
        tensor["quantization"] = numbers
    graph["tensors"] += [graph["tensors"][0]] * 9_000


def many_entries_of_one_metadata(model: Content, graph: Content) -> None:
    model["buffers"][model["metadata"][-1]["buffer"]]["data"] = bytes(48 << 20)
    model["metadata"] += [model["metadata"][-1]] * 9_000


def metadata_of_many_megabytes(model: Content, graph: Content) -> None:
    """Deep in arrays, and with a number of ten million figures."""
    content = b'{"contract": ' + b"[" * 1_000_000 + b"9" * 10_000_000
    model["buffers"][model["metadata"][-1]["buffer"]]["data"] = content


def _more(model: Content, graph: Content, code: int, count: int, kernel: Content, given: Content) -> None:
    """Further operators of a code that all take one constant."""
    codes = [max(one.get("code", 0), one.get("deprecated_code", 0)) for one in model["operator_codes"]]
    if code not in codes:
        codes.append(code)
        model["operator_codes"].append({"deprecated_code": code, "code": code, "version": 1})
    model["buffers"].append({"data": ONES * kernel.pop("bytes")})
    graph["tensors"].append({**kernel, "buffer": len(model["buffers"]) - 1, "name": "constant"})
    constant = len(graph["tensors"]) - 1
    row = next(operator for operator in graph["operators"] if codes[operator.get("code_index", 0)] == 9)[
        "inputs"
    ][0]
    for index in range(count):
        graph["tensors"].append({"buffer": 0, "name": f"more{index}", **given})
        inputs = (row, constant, -1) if code == 9 else (constant,)
        operator = {"code_index": codes.index(code), "inputs": inputs, "outputs": (constant + 1 + index,)}
        if code == 9:
            operator |= {"options_type": 8, "options": {"activation": 0}}
        graph["operators"].append(operator)


def one_constant_in_many_dequantize(model: Content, graph: Content) -> None:
    shape = (1 << 10, 1 << 11)
    _more(model, graph, 6, 900, {"shape": shape, "type": 1, "bytes": 1 << 22}, {"shape": shape})


def one_kernel_in_many_layers(model: Content, graph: Content) -> None:
    shape = (WIDEST_LAYER // 4, 784)
    _more(
        model, graph, 9, 900, {"shape": shape, "type": 0, "bytes": 4 * shape[0] * 784},
        {"shape": (1, shape[0]), "shape_signature": (-1, shape[0])},
    )  # fmt: skip


TFLITE: dict[str, tuple[str, Callable[[Content, Content], object]]] = {
    "one name of many tensors": ("small.tflite", one_name_of_many_tensors),
    "one vector of many scales": ("small.int8.tflite", one_vector_of_many_scales),
    "many entries of one metadata": ("small.tflite", many_entries_of_one_metadata),
    "metadata of many megabytes": ("small.tflite", metadata_of_many_megabytes),
    "one constant in many DEQUANTIZE": ("small.float16.tflite", one_constant_in_many_dequantize),
    "one kernel in many layers": ("small.tflite", one_kernel_in_many_layers),
}


@pytest.mark.parametrize(("seed", "change"), TFLITE.values(), ids=list(TFLITE))
def test_a_tflite_file_that_shares_is_refused_in_little_time_and_memory(
    seed: str, change: Callable[[Content, Content], object], tmp_path: Path
) -> None:
    path = tmp_path / "digits.tflite"
    path.write_bytes(tflite(seed, change))
    found = measure("info", path).check()
    assert TOO_MUCH in found.err or "of metadata" in found.err


# --- ONNX ----------------------------------------------------------------------------------------------------------


def onnx(change: Callable[[Content], object]) -> bytes:
    """A small network, taken apart by the fields that the reader knows and put together again."""
    import onnx as library

    whole = library.load_model_from_string((SEEDS / "small.onnx").read_bytes())
    change(whole)
    return bytes(whole.SerializeToString())


def packed_numbers(model: Any) -> None:
    """Fifty megabytes of numbers of one byte each, in a thousand constants."""
    for index in range(500):
        model.graph.initializer.add(name=f"n{index}", data_type=3, dims=[100_000], int32_data=[1] * 100_000)


def packed_dimensions(model: Any) -> None:
    for index in range(300):
        model.graph.initializer.add(name=f"n{index}", data_type=1, dims=[1] * 99_999)


def packed_floats(model: Any) -> None:
    for index in range(150):
        model.graph.initializer.add(name=f"n{index}", data_type=1, dims=[99_999], float_data=[1.0] * 99_999)


def letters_of_four_bytes(model: Any) -> None:
    """Texts that take four times as many bytes in memory as in the file would be."""
    for node in model.graph.node:
        node.doc_string = "\N{GRINNING FACE}" + "x" * 1_000_000
    for index in range(40):
        model.metadata_props.add(key=f"k{index}", value="\N{GRINNING FACE}" + "x" * 1_000_000)


def one_constant_cast(model: Any) -> None:
    large = model.graph.initializer.add(name="large", data_type=2, dims=[1 << 20])
    large.raw_data = bytes(1 << 20)
    for index in range(900):
        node = model.graph.node.add(op_type="Cast", input=["large"], output=[f"c{index}"])
        node.attribute.add(name="to", type=2, i=1)


def one_kernel_in_many_matmul(model: Any) -> None:
    large = model.graph.initializer.add(name="large", data_type=1, dims=[784, 4096])
    large.raw_data = ONES * (4 * 784 * 4096)
    first = next(node for node in model.graph.node if node.op_type in ("MatMul", "Gemm"))
    for index in range(900):
        model.graph.node.add(op_type="MatMul", input=[first.input[0], "large"], output=[f"m{index}"])


def constants_of_a_constant(model: Any) -> None:
    """Each made of the one before: of four bytes a number where the first had one."""
    large = model.graph.initializer.add(name="c0", data_type=2, dims=[1 << 24])
    large.raw_data = bytes(1 << 24)
    for index in range(900):
        node = model.graph.node.add(op_type="Cast", input=[f"c{index}"], output=[f"c{index + 1}"])
        node.attribute.add(name="to", type=2, i=1)


ONNX: dict[str, Callable[[Any], object]] = {
    "packed numbers": packed_numbers,
    "packed dimensions": packed_dimensions,
    "packed floats": packed_floats,
    "letters of four bytes": letters_of_four_bytes,
    "one constant cast many times": one_constant_cast,
    "one kernel in many MatMul": one_kernel_in_many_matmul,
    "constants of a constant": constants_of_a_constant,
}


@pytest.mark.parametrize("change", ONNX.values(), ids=list(ONNX))
def test_an_onnx_file_that_asks_for_much_is_refused_in_little_time_and_memory(
    change: Callable[[Any], object], tmp_path: Path
) -> None:
    path = tmp_path / "digits.onnx"
    path.write_bytes(onnx(change))
    found = measure("predict", "--model", path, SEEDS / "gray.png").check()
    assert TOO_MUCH in found.err


def nothing_many_times(size: int) -> bytes:
    """A constant whose list of sides goes on in 36 million pieces, each of no numbers at all."""
    tensor = b"\x0a\x00" * (size // 2)
    graph = b"\x2a" + varint(len(tensor)) + tensor
    return b"\x3a" + varint(len(graph)) + graph


def fields_within_fields() -> bytes:
    """A thousand nodes of a thousand inputs and outputs each; no list of them is too long."""
    node = (b"\x0a\x00" * 1_000) + b"\x12\x00" * 1_000
    nodes = (b"\x0a" + varint(len(node)) + node) * 1_000
    return b"\x3a" + varint(len(nodes)) + nodes


@pytest.mark.parametrize(
    "content", [nothing_many_times(70 << 20), fields_within_fields()], ids=["empty pieces", "fields"]
)
def test_an_onnx_file_of_millions_of_fields_is_refused_early(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "digits.onnx"
    path.write_bytes(content)
    found = measure("predict", "--model", path, SEEDS / "gray.png").check()
    assert found.status == 1
    assert "more fields, numbers and letters" in found.err


# --- C arrays ------------------------------------------------------------------------------------------------------

ARRAY = "const unsigned char edgedigits_model["
COMMENT = "/*\n * Metadata (JSON):\n"


def numbers_of_one_figure() -> str:
    return f"{ARRAY}9] = {{{'1,' * (34 << 20)}}};\n"


def commas() -> str:
    return f"{ARRAY}9] = {{{',' * (68 << 20)}}};\n"


def names_without_a_bracket() -> str:
    return f"{ARRAY}\n" * ((68 << 20) // (len(ARRAY) + 1))


def arrays_without_an_end() -> str:
    return f"{ARRAY}9] = {{{'1, ' * 200}\n" * 100_000


def comments_without_an_end() -> str:
    return "/* " * (20 << 20)


def comments_without_an_end_behind_metadata() -> str:
    return COMMENT + " * {}\n */\n" + f"{ARRAY}1] = {{1}};\n" + "/*a" * (20 << 20)


def metadata_of_arrays() -> str:
    return COMMENT + " * [" + "[]," * (20 << 20) + "[]]\n */\n" + f"{ARRAY}1] = {{1}};\n"


@pytest.mark.parametrize(
    "make",
    [
        numbers_of_one_figure,
        commas,
        names_without_a_bracket,
        arrays_without_an_end,
        comments_without_an_end,
        comments_without_an_end_behind_metadata,
        metadata_of_arrays,
    ],
)
def test_a_c_array_of_too_much_is_refused_in_little_time_and_memory(
    make: Callable[[], str], tmp_path: Path
) -> None:
    path = tmp_path / "digits.tflm.c"
    path.write_text(make())
    found = measure("info", path).check()
    assert found.status == 1


def test_an_array_of_several_pieces_is_read_whole() -> None:
    content = np.random.default_rng(0).bytes(700_000)
    text = f"{ARRAY}700000] = {{{', '.join(map(str, content))},\n}};\n"
    assert read_model_array(Path("digits.tflm.c"), text) == content


# --- The largest network that there may be is still opened ---------------------------------------------------------


def widest_onnx(kind: str) -> bytes:
    """A network of almost the most weights, as a format has them."""
    code, item = {"float32": (1, 4), "float16": (10, 2), "int8": (3, 1)}[kind]
    constants, nodes = [], []
    layers = (
        ("row", "hidden", 784, WIDEST_LAYER),
        ("hidden", "middle", WIDEST_LAYER, 239),
        ("middle", "logits", 239, 10),
    )
    for source, target, inputs, units in layers:
        constants.append(
            {
                "name": f"k{target}",
                "data_type": code,
                "dims": (inputs, units),
                "raw_data": ONES * (item * inputs * units),
            }
        )
        kernel = f"k{target}"
        if kind == "float16":
            nodes.append(_node("Cast", [kernel], f"w{target}", to=1))
            kernel = f"w{target}"
        if kind == "int8":
            nodes.append(_node("DequantizeLinear", [kernel, "scale", "zero"], f"w{target}"))
            kernel = f"w{target}"
        sums = target if target == "logits" else f"s{target}"
        nodes.append(_node("MatMul", [source, kernel], sums))
        if target != "logits":
            nodes.append(_node("Relu", [sums], f"r{target}" if kind == "int8" else target))
            if kind == "int8":
                nodes.append(_node("QuantizeLinear", [f"r{target}", "scale", "pixel zero"], f"q{target}"))
                nodes.append(_node("DequantizeLinear", [f"q{target}", "scale", "pixel zero"], target))
    constants += [
        {"name": "scale", "data_type": 1, "dims": (), "raw_data": np.float32(0.01).tobytes()},
        {"name": "zero", "data_type": 3, "dims": (), "raw_data": bytes(1)},
        {"name": "pixel zero", "data_type": 2, "dims": (), "raw_data": bytes(1)},
        {"name": "shape", "data_type": 7, "dims": (2,), "raw_data": np.int64([-1, 784]).tobytes()},
    ]
    whole = (SEEDS / ("small.onnx" if kind == "float32" else f"small.{kind}.onnx")).read_bytes()
    import onnx as library

    metadata = library.load_model_from_string(whole).metadata_props
    model = {
        "ir_version": 8,
        "opset_import": [{"version": 17}],
        "metadata_props": [{"key": entry.key, "value": entry.value} for entry in metadata],
        "graph": {
            "name": "widest",
            "node": [
                _node("DequantizeLinear", ["image", "scale", "pixel zero"], "values")
                if kind == "int8"
                else _node("Cast", ["image"], "values", to=1),
                _node("Reshape", ["values", "shape"], "row"),
                *nodes,
                _node("Softmax", ["logits"], "probabilities"),
            ],
            "initializer": constants,
            "input": [_value("image", 2, 28, 28)],
            "output": [_value("probabilities", 1, 10)],
        },
    }
    return protobuf(onnx_file.MESSAGES, "model", model)


def _node(operator: str, inputs: list[str], output: str, **attributes: int) -> Content:
    listed = [{"name": name, "i": value, "type": 2} for name, value in attributes.items()]
    return {"op_type": operator, "input": inputs, "output": [output], "attribute": listed}


def _value(name: str, number: int, *sides: int) -> Content:
    dims = [{"dim_param": "n"}, *({"dim_value": side} for side in sides)]
    return {"name": name, "type": {"tensor_type": {"elem_type": number, "shape": {"dim": dims}}}}


@pytest.mark.parametrize("kind", ["float32", "float16", "int8"])
def test_the_largest_network_is_within_the_budget_and_the_bounds(kind: str, tmp_path: Path) -> None:
    assert MOST_WEIGHTS - (1 << 19) < 784 * WIDEST_LAYER + WIDEST_LAYER * 239 + 2_390 < MOST_WEIGHTS
    path = tmp_path / "digits.onnx"
    path.write_bytes(widest_onnx(kind))
    found = measure("predict", "--model", path, SEEDS / "gray.png").check()
    assert found.status == 0, found


WIDE = {4: WIDEST_LAYER, 3: 239}
"""What the widths of the small networks become."""


# None with dynamic ranges: the converter would make integers of layers that are so large.
@pytest.mark.parametrize("seed", ["small.tflite", "small.float16.tflite", "small.int8.tflite"])
def test_the_largest_tflite_network_is_within_the_budget(seed: str) -> None:
    def widen(model: Content, graph: Content) -> None:
        for tensor in graph["tensors"]:
            old = int(np.prod(tensor.get("shape", ())))
            for field in ("shape", "shape_signature"):
                if field in tensor:
                    tensor[field] = tuple(WIDE.get(side, side) for side in tensor[field])
            new = int(np.prod(tensor.get("shape", ())))
            data = model["buffers"][tensor["buffer"]].get("data", b"")
            if len(data) and new != old:
                model["buffers"][tensor["buffer"]]["data"] = ONES * (len(data) // old * new)
            numbers = tensor.get("quantization", {})
            for field in ("scale", "zero_point"):
                if field in numbers:
                    count = WIDE.get(len(numbers[field]), len(numbers[field]))
                    numbers[field] = (numbers[field][0],) * count

    read_graph(Path("digits.tflite"), tflite(seed, widen))


@pytest.mark.parametrize("seed", ["small.ort", "small.int8.ort"])
def test_the_largest_ort_network_is_within_the_budget(seed: str) -> None:
    def widen(session: Content, graph: Content) -> None:
        for tensor in graph["initializers"]:
            old = int(np.prod(tensor.get("dims", ())))
            tensor["dims"] = tuple(WIDE.get(side, side) for side in tensor.get("dims", ()))
            tensor["raw_data"] = bytes(tensor["raw_data"])
            new = int(np.prod(tensor["dims"]))
            if new != old:
                tensor["raw_data"] = ONES * (len(tensor["raw_data"]) // old * new)
        for value in graph["values"]:
            for side in value["type"]["tensor"]["shape"].get("dim", []):
                if side["value"].get("number") in WIDE:
                    side["value"]["number"] = WIDE[side["value"]["number"]]

    check_ort(Path("digits.ort"), ort(seed, widen))


@pytest.mark.parametrize(
    ("check", "name"),
    [(check_onnx, "small.int8.onnx"), (check_ort, "small.int8.ort"), (read_graph, "small.int8.tflite")],
)
def test_a_network_of_ours_takes_a_hundredth_of_the_steps(
    check: Callable[[Path, bytes], object], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = (SEEDS / name).read_bytes()
    module = {"check_onnx": onnx_file, "check_ort": ort_file}.get(check.__name__, tflite_file)
    monkeypatch.setattr(module, "Budget", lambda: Budget(steps=MOST_STEPS // 100))
    check(Path(name), content)
    monkeypatch.setattr(module, "Budget", lambda: Budget(steps=100))
    with pytest.raises((ModelFileError, ContractError), match="more fields, numbers and letters"):
        check(Path(name), content)
