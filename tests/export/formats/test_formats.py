"""What is in the exported files, format by format, read by the runtimes and libraries themselves."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from edgedigits.artifacts.hashes import sha256_file
from edgedigits.artifacts.manifest import read_manifest
from edgedigits.datasets.split import Split
from edgedigits.file_names import file_name
from edgedigits.measuring.reference import read_reference
from edgedigits.measuring.verify import verify_model
from edgedigits.metadata import METADATA_KEY, ModelMetadata
from edgedigits.model_files.page_file import read_page
from edgedigits.networks.build import load_network, weighted_network, weights_sha256
from edgedigits.runtimes.c_compiler import find_compiler
from edgedigits.runtimes.opening import open_model
from edgedigits_export import FORMATS, ExportOptions, Target, export_model, select_targets
from edgedigits_export.formats.onnx_file import add_metadata, to_onnx
from edgedigits_export.formats.tflite_file import to_tflite
from edgedigits_export.inference_graph import load_inference_graph
from edgedigits_export.targets import OPSETS


def name_of(target: Target) -> str:
    return file_name("digits", target.format, target.precision)


def integers_only(target: Target) -> bool:
    """Whether the file's probabilities are integers too: TFLite's, and C code with the same."""
    return target.precision == "int8" and target.format in ("tflite", "c", "tflm", "page")


TFLITE = [target for target in FORMATS if target.format == "tflite"]
every_format = pytest.mark.parametrize(
    "target",
    [
        pytest.param(target, marks=pytest.mark.c_compiler if target.format in ("c", "tflm") else ())
        for target in FORMATS
    ],
    ids=name_of,
)
ONNX = [target for target in FORMATS if target.format == "onnx"]
every_onnx = pytest.mark.parametrize(
    "target", [t for t in FORMATS if t.format in ("onnx", "ort")], ids=name_of
)
every_tflite = pytest.mark.parametrize("target", TFLITE, ids=name_of)

MATH = ("FULLY_CONNECTED", "FULLY_CONNECTED", "FULLY_CONNECTED", "SOFTMAX")
OPERATORS = {
    "float32": ("CAST", "RESHAPE", *MATH),
    # Three kernels and three biases are stored in half the space.
    "float16": (*["DEQUANTIZE"] * 6, "CAST", "RESHAPE", *MATH),
    "dynamic": ("CAST", "RESHAPE", *MATH),
    "int8": ("RESHAPE", *MATH),
}
PARAMETERS = ["DequantizeLinear"] * 2
QUANTIZED_LAYER = [*PARAMETERS, "Gemm", "Relu", "QuantizeLinear", "DequantizeLinear"]
ONNX_OPERATORS = {
    "float32": ["Flatten", "Cast", "Gemm", "Relu", "Gemm", "Relu", "Gemm", "Softmax"],
    "float16": [
        "Flatten", "Cast", *["Cast", "Cast", "Gemm", "Relu"] * 2, "Cast", "Cast", "Gemm", "Softmax",
    ],
    "dynamic": [
        "Flatten", "MatMulInteger", "Cast", "Mul", "Add", "Relu", "DynamicQuantizeLinear",
        "MatMulInteger", "Cast", "Mul", "Mul", "Add", "Relu", "DynamicQuantizeLinear",
        "MatMulInteger", "Cast", "Mul", "Mul", "Add", "Softmax",
    ],
    "int8": [
        "Flatten", "DequantizeLinear", *QUANTIZED_LAYER, *QUANTIZED_LAYER, *PARAMETERS, "Gemm", "Softmax",
    ],
}  # fmt: skip
FUSED_OPERATORS = {
    "float32": ["Flatten", "Cast", "FusedGemm", "FusedGemm", "Gemm", "Softmax"],
    "float16": ["Flatten", "Cast", "FusedGemm", "FusedGemm", "Gemm", "Softmax"],
    "int8": ["Flatten", "QGemm", "QGemm", "QGemm", "Softmax"],
}


@pytest.fixture(scope="module")
def uint8_edges(models: Path, dataset: tuple[Split, Split], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The integer file with pixels as they are at its edges."""
    folder = tmp_path_factory.mktemp("uint8")
    options = ExportOptions(calibration_size=200, max_drop=5.0, edges="uint8")
    targets = select_targets("tflite", "int8")
    (exported,), _ = export_model(models / "digits.keras", targets, *dataset, folder=folder, options=options)
    return exported.path


def interpreter_of(path: Path) -> Interpreter:
    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    return interpreter


def operators_of(path: Path) -> list[str]:
    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
    (graph,) = model.subgraphs
    return [names[model.operatorCodes[operator.opcodeIndex].builtinCode] for operator in graph.operators]


# Edges


@every_tflite
def test_a_tflite_file_names_its_edges_as_the_contract_does(target: Target, models: Path) -> None:
    interpreter = interpreter_of(models / name_of(target))
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert interpreter.get_signature_list() == {
        "serving_default": {"inputs": ["image"], "outputs": ["probabilities"]}
    }
    assert (taken["shape_signature"].tolist(), given["shape_signature"].tolist()) == ([-1, 28, 28], [-1, 10])
    expected = (np.int8, np.int8) if target.precision == "int8" else (np.uint8, np.float32)
    assert (taken["dtype"], given["dtype"]) == expected


@every_onnx
def test_an_onnx_file_names_its_edges_as_the_contract_does(target: Target, models: Path) -> None:
    session = onnxruntime.InferenceSession(models / name_of(target), providers=["CPUExecutionProvider"])
    edges = [(edge.name, edge.type, edge.shape) for edge in (*session.get_inputs(), *session.get_outputs())]
    assert edges == [
        ("image", "tensor(uint8)", ["n", 28, 28]),
        ("probabilities", "tensor(float)", ["n", 10]),
    ]


def test_int8_edges_are_the_pixel_less_128_exactly(models: Path) -> None:
    interpreter = interpreter_of(models / "digits.int8.tflite")
    assert interpreter.get_input_details()[0]["quantization"] == (1.0, -128)
    assert interpreter.get_output_details()[0]["quantization"] == (1 / 256, -128)


def test_uint8_edges_are_the_pixel_exactly(uint8_edges: Path) -> None:
    interpreter = interpreter_of(uint8_edges)
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert (taken["dtype"], taken["quantization"]) == (np.uint8, (1.0, 0))
    assert (given["dtype"], given["quantization"]) == (np.uint8, (1 / 256, 0))


def test_both_kinds_of_edges_give_the_same_answers(
    uint8_edges: Path, models: Path, dataset: tuple[Split, Split]
) -> None:
    pixels = dataset[1].images[:300]
    signed = open_model(models / "digits.int8.tflite").probabilities(pixels)
    # The two graphs compute in the same int8; the QUANTIZE at each end only adds 128.
    np.testing.assert_array_equal(open_model(uint8_edges).probabilities(pixels), signed)


# Answers


@every_format
def test_any_number_of_images_goes_in(target: Target, models: Path, dataset: tuple[Split, Split]) -> None:
    model = open_model(models / name_of(target))
    pixels = dataset[1].images[:17]
    singles = np.concatenate([model.probabilities(pixels[index : index + 1]) for index in range(17)])
    # A batch may be summed in another order than one image: float32 rounding. Integers do not round; the softmax of
    # an ONNX file is float. ONNX's DynamicQuantizeLinear takes one range for the whole batch: steps of 1/255 of it.
    tolerance = {"tflite int8": 0.0, "onnx dynamic": 0.1}.get(f"{target.format} {target.precision}", 1e-5)
    for count in (1, 3, 17):
        answers = model.probabilities(pixels[:count])
        assert (answers.shape, answers.dtype) == ((count, 10), np.float32)
        np.testing.assert_allclose(answers, singles[:count], rtol=0, atol=tolerance)


@every_format
def test_probabilities_sum_to_one(target: Target, models: Path, dataset: tuple[Split, Split]) -> None:
    answers = open_model(models / name_of(target)).probabilities(dataset[1].images)
    # Integers only: ten numbers are rounded to steps of 1/256, half a step each, and 1.0 is out of reach by one step
    # more. Elsewhere it is the rounding of a float32 sum.
    atol = (10 / 2 + 1) / 256 if integers_only(target) else 1e-6
    np.testing.assert_allclose(answers.sum(axis=1), 1, rtol=0, atol=atol)
    assert answers.min() >= 0


@every_format
def test_a_file_agrees_with_keras(target: Target, models: Path, dataset: tuple[Split, Split]) -> None:
    reference = read_reference(models / "reference.npz")
    # The gates are for the network that is shipped. In a network of three epochs more images lie near a boundary,
    # where the coarse weights of a quantized file decide: up to 50 images of MNIST, or two of the bundled digits.
    max_drop = None if target.precision in ("float32", "float16") else 0.5
    found = verify_model(open_model(models / name_of(target)), dataset[1], reference, max_drop=max_drop)
    assert found.passed, found.failures
    # int8 steps of logits and probabilities add up to a few hundredths where two classes are close.
    assert found.comparison.largest_probability_difference < 0.3
    recorded = read_manifest(models)["networks"]["digits"]["files"][name_of(target)]["verification"]
    assert recorded == {**found.summary(), "max_drop_points": 5.0}


# Graphs


@every_tflite
def test_a_tflite_graph_holds_no_operator_too_many(target: Target, models: Path) -> None:
    # In particular no SHAPE, STRIDED_SLICE or PACK, and no MUL for the 1/255.
    assert tuple(operators_of(models / name_of(target))) == OPERATORS[target.precision]


def test_uint8_edges_cost_two_operators(uint8_edges: Path) -> None:
    assert operators_of(uint8_edges) == ["QUANTIZE", "RESHAPE", *MATH, "QUANTIZE"]


@pytest.mark.parametrize("edges", ["int8", "uint8"])
def test_an_integer_file_holds_integers_only(edges: str, models: Path, uint8_edges: Path) -> None:
    interpreter = interpreter_of(uint8_edges if edges == "uint8" else models / "digits.int8.tflite")
    types = {tensor["dtype"].__name__ for tensor in interpreter.get_tensor_details()}
    assert types == {"int8", "int32", *([edges] if edges == "uint8" else [])}


def keras_kernels(models: Path) -> list[np.ndarray]:
    network, _ = load_network(models / "digits.keras")
    return [layer.arrays[0] for layer in weighted_network(network).layers]


def test_the_tflite_weights_are_keras_own_with_the_pixel_scale_folded_in(models: Path) -> None:
    interpreter = interpreter_of(models / "digits.tflite")
    weights = {
        tuple(tensor["shape"]): interpreter.get_tensor(tensor["index"])
        for tensor in interpreter.get_tensor_details()
        if tuple(tensor["shape"]) in {(128, 784), (32, 128), (10, 32)}
    }
    first, second, third = keras_kernels(models)
    np.testing.assert_array_equal(weights[128, 784], (first * np.float32(1 / 255)).T)
    np.testing.assert_array_equal(weights[32, 128], second.T)
    np.testing.assert_array_equal(weights[10, 32], third.T)


def test_the_onnx_weights_are_keras_own_with_the_pixel_scale_folded_in(models: Path) -> None:
    model = onnx.load(models / "digits.onnx")
    weights = {tuple(tensor.dims): onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    first, second, third = keras_kernels(models)
    np.testing.assert_array_equal(weights[784, 128], first * np.float32(1 / 255))
    np.testing.assert_array_equal(weights[128, 32], second)
    np.testing.assert_array_equal(weights[32, 10], third)


@every_tflite
def test_every_buffer_of_a_tflite_file_is_aligned(target: Target, models: Path) -> None:
    content = (models / name_of(target)).read_bytes()
    model = schema.Model.GetRootAs(content, 0)
    buffers = [model.Buffers(index) for index in range(model.BuffersLength())]
    # Field 0 of the table `Buffer` is its data; offsets of fields begin at 4.
    starts = [buffer._tab.Vector(buffer._tab.Offset(4)) for buffer in buffers if buffer.DataLength() > 0]
    assert len(starts) >= 8  # three kernels, three biases, the shape, the metadata
    assert [start % 16 for start in starts] == [0] * len(starts)


# Metadata


def metadata_inside(path: Path) -> ModelMetadata:
    if path.suffix == ".html":
        return read_page(path).metadata
    if path.suffix == ".ort":
        text = onnxruntime.InferenceSession(path).get_modelmeta().custom_metadata_map[METADATA_KEY]
    elif path.name.endswith(".tflm.c"):
        (array,) = re.findall(r"\] = \{(.*)\};", path.read_text(), re.DOTALL)
        return metadata_of_tflite(bytes(int(number) for number in array.split(",") if number.strip()), path)
    elif path.suffix == ".c":
        (comment,) = re.findall(r"Metadata \(JSON\):\n \* (.*?)\n \*/", path.read_text(), re.DOTALL)
        text = comment.replace("\n * ", "\n")
    elif path.suffix == ".onnx":
        (text,) = [entry.value for entry in onnx.load(path).metadata_props if entry.key == METADATA_KEY]
    else:
        return metadata_of_tflite(path.read_bytes(), path)
    return ModelMetadata.from_json(text, path)


def metadata_of_tflite(content: bytes, path: Path) -> ModelMetadata:
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    (entry,) = [entry for entry in model.metadata if entry.name == METADATA_KEY.encode()]
    return ModelMetadata.from_json(bytes(model.buffers[entry.buffer].data), path)


@every_format
def test_a_file_says_of_itself_what_the_manifest_says(
    target: Target, models: Path, dataset: tuple[Split, Split]
) -> None:
    path = models / name_of(target)
    network = read_manifest(models)["networks"]["digits"]
    record, inside = network["files"][path.name], metadata_inside(path)
    assert inside.precision == record["precision"] == target.precision
    signed = integers_only(target) and target.format not in ("c", "page")
    assert inside.edges == record["edges"] == ("int8" if signed else "uint8")
    assert inside.weights_sha256 == record["weights_sha256"] == network["training"]["weights_sha256"]
    assert inside.weights_sha256 == weights_sha256(load_network(models / "digits.keras")[0])
    assert inside.tools == record["versions"]
    assert {"edgedigits", "python", "keras"} <= inside.tools.keys()
    assert ("tensorflow" in inside.tools) is (target.format in ("tflite", "c", "tflm", "page"))
    assert inside.accuracy is not None
    assert dataclasses.asdict(inside.accuracy) == {
        "dataset": dataset[1].dataset,
        "correct": record["verification"]["correct"],
        "images": len(dataset[1].images),
    }
    receipt = dataclasses.asdict(inside.calibration) if inside.calibration else None
    assert receipt == record["calibration"]
    assert (receipt is not None) == (target.precision == "int8")
    assert (inside.arch, inside.contract, record["format"]) == ("128-32", 1, target.format)
    assert record["sha256"] == sha256_file(path)
    assert record["bytes"] == path.stat().st_size
    assert record.get("opset") == (17 if target.format in ("onnx", "ort") else None)


@every_tflite
def test_the_converter_s_own_metadata_survives(target: Target, models: Path) -> None:
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs((models / name_of(target)).read_bytes(), 0))
    assert b"min_runtime_version" in {entry.name for entry in model.metadata}
    assert model.signatureDefs[0].signatureKey == b"serving_default"


# ONNX


@pytest.fixture(scope="module")
def by_opset(models: Path) -> dict[int, bytes]:
    graph = load_inference_graph(models / "digits.keras")
    return {opset: to_onnx(graph, opset=opset) for opset in OPSETS}


def test_the_opsets_are_13_to_18() -> None:
    assert list(OPSETS) == [13, 14, 15, 16, 17, 18]


@pytest.mark.parametrize("opset", OPSETS)
def test_every_opset_is_valid_opens_and_agrees(
    opset: int, by_opset: dict[int, bytes], models: Path, dataset: tuple[Split, Split], tmp_path: Path
) -> None:
    metadata = metadata_inside(models / "digits.onnx")
    path = tmp_path / "digits.onnx"
    path.write_bytes(add_metadata(by_opset[opset], metadata))
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", opset)]
    assert model.ir_version == 8
    assert [node.op_type for node in model.graph.node] == ONNX_OPERATORS["float32"]
    assert not model.functions
    found = verify_model(open_model(path), dataset[1], read_reference(models / "reference.npz"))
    assert found.passed, found.failures


@pytest.mark.parametrize("target", ONNX, ids=name_of)
def test_an_onnx_file_holds_standard_operators_with_names_of_their_own(target: Target, models: Path) -> None:
    model = onnx.load(models / name_of(target))
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ONNX_OPERATORS[target.precision]
    assert {node.domain for node in model.graph.node} == {""}
    names = [node.name for node in model.graph.node]
    assert len(set(names)) == len(names)
    assert names[0] == "pixels"
    assert names[-1] == "probabilities"
    assert {entry.key for entry in model.metadata_props} == {METADATA_KEY}
    assert json.loads(model.metadata_props[0].value)["polarity"] == "white on black"
    assert (model.graph.name, model.graph.doc_string, model.doc_string) == ("edgedigits", "", "")


def optimized_operators(path: Path, folder: Path) -> list[str]:
    """Let onnxruntime optimize a file as it does when it opens one, and list what is left."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    options.log_severity_level = 4
    onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return [node.op_type for node in onnx.load(folder / "optimized.onnx").graph.node]


@pytest.mark.parametrize("precision", FUSED_OPERATORS)
def test_onnxruntime_fuses_every_layer_into_one_operator(
    precision: str, models: Path, tmp_path: Path
) -> None:
    path = models / file_name("digits", "onnx", precision)
    assert optimized_operators(path, tmp_path) == FUSED_OPERATORS[precision]


@pytest.fixture(scope="module")
def reduced(models: Path, dataset: tuple[Split, Split], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The int8 ONNX file with weights of 7 bits."""
    folder = tmp_path_factory.mktemp("reduced")
    options = ExportOptions(calibration_size=200, max_drop=5.0, reduce_range=True)
    targets = select_targets("onnx", "int8")
    (exported,), _ = export_model(models / "digits.keras", targets, *dataset, folder=folder, options=options)
    return exported.path


def kernels_of(path: Path) -> list[np.ndarray]:
    return [
        onnx.numpy_helper.to_array(tensor)
        for tensor in onnx.load(path).graph.initializer
        if tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) == 2
    ]


def test_the_pixels_are_quantized_as_they_are(models: Path) -> None:
    model = onnx.load(models / "digits.int8.onnx")
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    first = model.graph.node[1]
    assert (first.op_type, first.input[0]) == ("DequantizeLinear", "pixels")
    assert constants[first.input[1]] == np.float32(1 / 255)
    assert constants[first.input[2]] == 0
    assert constants[first.input[2]].dtype == np.uint8


def test_int8_weights_are_symmetric_and_use_their_bits(models: Path) -> None:
    assert [int(np.abs(kernel.astype(int)).max()) for kernel in kernels_of(models / "digits.int8.onnx")] == [
        127
    ] * 3


def test_a_reduced_range_rules_saturation_out(reduced: Path, tmp_path: Path) -> None:
    kernels = kernels_of(reduced)
    assert len(kernels) == 3
    for kernel in kernels:
        assert np.abs(kernel.astype(int)).max() == 63
        # Two products of a pixel and a weight, added in 16 bits as VPMADDUBSW does.
        assert np.iinfo(np.int16).max >= 2 * 255 * 63
    record = read_manifest(reduced.parent)["networks"]["digits"]["files"][reduced.name]["quantization"]
    assert record["without_vnni"]["saturating_pairs"] == 0
    assert record["without_vnni"]["validation"] == record["validation"]
    assert (record["bits"], record["per_channel"]) == (7, True)
    assert optimized_operators(reduced, tmp_path) == FUSED_OPERATORS["int8"]


def test_the_ranges_in_a_file_are_those_of_the_manifest(models: Path) -> None:
    record = read_manifest(models)["networks"]["digits"]["files"]
    constants = {
        tensor.name: onnx.numpy_helper.to_array(tensor)
        for tensor in onnx.load(models / "digits.int8.onnx").graph.initializer
    }
    ranges = record["digits.int8.onnx"]["quantization"]["ranges"]
    assert list(ranges) == ["hidden 1", "hidden 2"]
    for index in (1, 2):
        # The manifest rounds to six digits behind the point.
        assert ranges[f"hidden {index}"] == pytest.approx([0, 255 * constants[f"scale_{index}"]], abs=1e-5)

    ranges = record["digits.int8.tflite"]["quantization"]["ranges"]
    details = interpreter_of(models / "digits.int8.tflite").get_tensor_details()
    grids = [tensor["quantization"] for tensor in details if tensor["name"] and tensor["dtype"] == np.int8]
    for low, high in ranges.values():
        assert any(
            [scale * (-128 - zero), scale * (127 - zero)] == pytest.approx([low, high], abs=1e-5)
            for scale, zero in grids
        )
    assert list(ranges) == ["hidden 1", "hidden 2", "logits"]


# ORT


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_an_ort_file_gives_the_answers_of_its_onnx_file(
    precision: str, models: Path, dataset: tuple[Split, Split]
) -> None:
    pixels = dataset[1].images[:500]
    ort, onnx_file = (
        open_model(models / file_name("digits", suffix, precision)) for suffix in ("ort", "onnx")
    )
    np.testing.assert_array_equal(ort.probabilities(pixels), onnx_file.probabilities(pixels))


@pytest.mark.parametrize(
    ("precision", "operators"),
    [
        ("float32", "ai.onnx;13;Cast,Flatten,Gemm,Softmax\ncom.microsoft;1;FusedGemm\n"),
        ("int8", "ai.onnx;13;Flatten,Softmax\ncom.microsoft;1;QGemm\n"),
    ],
)
def test_the_operators_of_an_ort_file_stand_beside_it(precision: str, operators: str, models: Path) -> None:
    path = (models / file_name("digits", "ort", precision)).with_suffix(".required_operators.config")
    assert path.read_text() == operators
    recorded = read_manifest(models)["networks"]["digits"]["files"][path.name]
    assert recorded == {"sha256": sha256_file(path), "bytes": path.stat().st_size}


# What the converter may not do


def test_a_graph_with_another_operator_is_refused(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgedigits.errors import ContractError
    from edgedigits_export.formats import tflite_file

    expected = {("float32", "uint8"): frozenset({"RESHAPE", "FULLY_CONNECTED", "SOFTMAX"})}
    monkeypatch.setattr(tflite_file, "EXPECTED_OPERATORS", expected)
    with pytest.raises(ContractError, match=r"only FULLY_CONNECTED, RESHAPE, SOFTMAX, found CAST"):
        to_tflite(load_inference_graph(models / "digits.keras"), "float32")


@pytest.mark.parametrize(
    ("file_format", "precision", "names"),
    [
        ("all", None, [name_of(target) for target in select_targets("all", None)]),
        ("tflite", None, ["digits.tflite"]),
        ("tflite", "int8", ["digits.int8.tflite"]),
        ("onnx", None, ["digits.onnx"]),
        ("onnx", "int8", ["digits.int8.onnx"]),
        ("ort", None, ["digits.ort"]),
        ("all", "dynamic", ["digits.dynamic.tflite", "digits.dynamic.onnx"]),
        ("c", None, ["digits.c"]),
        ("c", "int8", ["digits.c"]),
        ("tflm", None, ["digits.tflm.c"]),
        ("page", None, ["digits.html"]),
        (
            "all",
            "int8",
            [
                "digits.int8.tflite",
                "digits.int8.onnx",
                "digits.int8.ort",
                "digits.c",
                "digits.tflm.c",
                "digits.html",
            ],
        ),
    ],
)
def test_targets_are_selected_by_format_and_precision(
    file_format: str, precision: str | None, names: list[str]
) -> None:
    able = [name for name in names if file_format != "all" or name != "digits.c" or find_compiler()]
    assert [name_of(target) for target in select_targets(file_format, precision)] == able


def test_c_files_are_left_out_of_all_where_no_compiler_could_verify_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    for precision in (None, "int8"):
        assert "c" not in {target.format for target in select_targets("all", precision)}
    assert [name_of(target) for target in select_targets("c", None)] == ["digits.c"]


def test_a_combination_that_does_not_exist_lists_those_that_do() -> None:
    with pytest.raises(ValueError, match="ort files come as float32, int8, not as float16"):
        select_targets("ort", "float16")
