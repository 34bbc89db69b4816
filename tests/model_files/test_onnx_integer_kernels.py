"""Kernels of a ConvInteger: uint8, counted from 128, since older releases of onnxruntime have no other."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edgedigits.errors import ContractError
from edgedigits.runtimes.opening import open_model

SEED = Path(__file__).parents[1] / "fuzz" / "seeds" / "small-maps.dynamic.onnx"
PIXELS = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)


def convolutions(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    return [node for node in model.graph.node if node.op_type == "ConvInteger"]


def change(model: onnx.ModelProto, name: str, edit: Callable[[np.ndarray], np.ndarray]) -> None:
    (tensor,) = [tensor for tensor in model.graph.initializer if tensor.name == name]
    tensor.CopyFrom(numpy_helper.from_array(edit(numpy_helper.to_array(tensor)), name))


def signed(model: onnx.ModelProto, node: onnx.NodeProto) -> None:
    change(model, node.input[1], lambda values: (values.astype(np.int16) - 128).astype(np.int8))
    change(model, node.input[3], lambda _: np.array(0, np.int8))


def of_zeros(model: onnx.ModelProto, node: onnx.NodeProto) -> None:
    change(model, node.input[1], lambda values: np.full_like(values, 128))


def of_another_zero(model: onnx.ModelProto, node: onnx.NodeProto) -> None:
    change(model, node.input[3], lambda _: np.array(127, np.uint8))


def without_zero(model: onnx.ModelProto, node: onnx.NodeProto) -> None:
    del node.input[3:]


def test_weights_are_unsigned_and_the_file_answers() -> None:
    model = onnx.load(SEED)
    kinds = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    assert convolutions(model)
    for node in convolutions(model):
        assert kinds[node.input[1]] == kinds[node.input[3]] == onnx.TensorProto.UINT8
    floats = open_model(SEED.with_name("small-maps.onnx")).probabilities(PIXELS)
    # int8 keeps two digits of a weight.
    np.testing.assert_allclose(open_model(SEED).probabilities(PIXELS), floats, rtol=0, atol=1e-2)


@pytest.mark.parametrize("damage", [signed, of_zeros, of_another_zero, without_zero])
def test_no_other_kernels_are_read(
    damage: Callable[[onnx.ModelProto, onnx.NodeProto], None], tmp_path: Path
) -> None:
    model = onnx.load(SEED)
    damage(model, convolutions(model)[0])
    (tmp_path / "network.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ContractError, match=r"expected (a ConvInteger as edgedigits|weights of a trained)"):
        open_model(tmp_path / "network.onnx")
