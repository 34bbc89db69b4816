"""What onnxruntime is given and what not; hostile files stand in ``tests/hostile``."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgedigits.errors import ContractError, ModelFileError
from edgedigits.model_files.onnx_file import MOST_NUMBERS, check_onnx
from edgedigits.shipped import default_model

PATH = Path("digits.onnx")
WHOLE = default_model().read_bytes()


def floats(name: str, *shape: int) -> TensorProto:
    return numpy_helper.from_array(np.zeros(shape, np.float32), name)


def quantized_model(opset: int = 17, **gemm: int) -> onnx.ModelProto:
    """Quantized in the standard way: integers as constants, scales beside them, and operators on floats between."""
    constants = [
        numpy_helper.from_array(np.array([-1, 784]), "row_shape"),
        numpy_helper.from_array(np.float32(1 / 255), "pixel_scale"),
        numpy_helper.from_array(np.uint8(0), "pixel_zero"),
        numpy_helper.from_array(np.ones((10, 784) if gemm else (784, 10), np.int8), "kernel_q"),
        numpy_helper.from_array(np.full(10, 0.01, np.float32), "kernel_scale"),
        numpy_helper.from_array(np.zeros(10, np.int8), "kernel_zero"),
        floats("bias", 10),
        numpy_helper.from_array(np.float32(0.1), "logit_scale"),
        numpy_helper.from_array(np.int8(0), "logit_zero"),
    ]
    nodes = [
        helper.make_node("Reshape", ["image", "row_shape"], ["row_q"]),
        helper.make_node("DequantizeLinear", ["row_q", "pixel_scale", "pixel_zero"], ["row"]),
        helper.make_node(
            "DequantizeLinear", ["kernel_q", "kernel_scale", "kernel_zero"], ["kernel"], axis=0 if gemm else 1
        ),
        helper.make_node("Gemm", ["row", "kernel", "bias"], ["sums"], **gemm),
        helper.make_node("QuantizeLinear", ["sums", "logit_scale", "logit_zero"], ["logits_q"]),
        helper.make_node("DequantizeLinear", ["logits_q", "logit_scale", "logit_zero"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    graph = helper.make_graph(
        nodes,
        "quantized",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", 28, 28])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 10])],
        constants,
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8, producer_name="edgedigits"
    )


@pytest.mark.parametrize("gemm", [{}, {"transB": 1}], ids=["kernel as it is", "kernel turned"])
def test_a_quantized_network_passes(gemm: dict[str, int]) -> None:
    model = quantized_model(**gemm)
    onnx.checker.check_model(model, full_check=True)
    check_onnx(PATH, model.SerializeToString())


def test_the_default_network_passes() -> None:
    check_onnx(PATH, WHOLE)


@pytest.mark.parametrize("field", ["float_data", "int32_data", "int64_data"])
def test_constants_may_be_written_number_by_number(field: str) -> None:
    model = quantized_model()
    numbers = {"bias": "float_data", "kernel_q": "int32_data", "row_shape": "int64_data"}
    for constant in model.graph.initializer:
        if numbers.get(constant.name) == field:
            values = numpy_helper.to_array(constant).ravel().tolist()
            constant.ClearField("raw_data")
            getattr(constant, field).extend(values)
    check_onnx(PATH, model.SerializeToString())
    # One number less is no longer the shape that it declares.
    for constant in model.graph.initializer:
        if numbers.get(constant.name) == field:
            getattr(constant, field).pop()
    with pytest.raises(ModelFileError, match=r"declares .* values and holds"):
        check_onnx(PATH, model.SerializeToString())


def change_axis(model: onnx.ModelProto) -> None:
    model.graph.node[2].attribute[0].i = 0


def change_zero_type(model: onnx.ModelProto) -> None:
    model.graph.initializer[5].CopyFrom(numpy_helper.from_array(np.zeros(10, np.uint8), "kernel_zero"))


def change_scale_type(model: onnx.ModelProto) -> None:
    model.graph.initializer[1].CopyFrom(numpy_helper.from_array(np.array(1 / 255), "pixel_scale"))


def turn_rows(model: onnx.ModelProto) -> None:
    model.graph.node[3].attribute.append(helper.make_attribute("transA", 1))


def lengthen_bias(model: onnx.ModelProto) -> None:
    model.graph.initializer[6].CopyFrom(floats("bias", 5, 10))


def soften_columns(model: onnx.ModelProto) -> None:
    model.graph.node[6].attribute.append(helper.make_attribute("axis", 0))


def drop_input(model: onnx.ModelProto) -> None:
    del model.graph.node[1].input[1:]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (change_axis, "DequantizeLinear"),
        (change_zero_type, "DequantizeLinear"),
        (change_scale_type, "is of type 11"),
        (turn_rows, "Gemm"),
        (lengthen_bias, "Add"),
        (soften_columns, "Softmax"),
        (drop_input, "DequantizeLinear"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_quantized_network_that_does_not_fit_together_is_refused(change, found: str) -> None:
    model = quantized_model()
    change(model)
    with pytest.raises((ModelFileError, ContractError), match=found):
        check_onnx(PATH, model.SerializeToString())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it holds no graph"),
        (b"\x3a\x05\x00", "cut off"),
        (b"\xff" * 20, "a number in it is damaged"),
        (b"\x0b\x0c", "ir_version in another encoding"),
        (b"\x08\x08" * 2, "two fields ir_version in a model"),
        (b"\x12\x02\xff\xfe", "producer_name is no text"),
        (WHOLE + WHOLE, "two fields"),
        (WHOLE + b"\xa2\x01\x00", "field 20 of a model"),
    ],
    ids=["empty", "short", "ones", "a group", "twice", "no text", "joined", "training"],
)
def test_bytes_that_are_no_model_are_refused_with_the_reason(content: bytes, reason: str) -> None:
    with pytest.raises(ModelFileError, match=rf"digits\.onnx: no whole ONNX model \(.*{reason}"):
        check_onnx(PATH, content)


def test_a_graph_without_inputs_is_refused() -> None:
    with pytest.raises(ContractError, match=r"expected input image uint8 \(n, 28, 28\), found no input"):
        check_onnx(PATH, b"\x3a\x00")


def test_long_lists_of_numbers_are_not_unpacked() -> None:
    model = quantized_model()
    model.graph.initializer[0].int64_data.extend([1] * (MOST_NUMBERS + 1))
    with pytest.raises(ModelFileError, match="numbers in int64_data"):
        check_onnx(PATH, model.SerializeToString())
    model.graph.initializer[0].ClearField("int64_data")
    model.graph.initializer[0].float_data.extend([1.0] * (MOST_NUMBERS + 1))
    with pytest.raises(ModelFileError, match="float_data is cut off, or too long"):
        check_onnx(PATH, model.SerializeToString())
