"""Models of other tools: found out from shapes, types and answers, measured, and never believed."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from edgedigits.cli import cli
from edgedigits.datasets.split import Split
from edgedigits.errors import AccuracyError, EdgeDigitsError, ForeignModelError, ModelFileError
from edgedigits.input_scale import INPUT_SCALES
from edgedigits.measuring.foreign import measure_foreign, open_foreign_model
from edgedigits.runtimes.foreign_edges import Edge, as_input, as_numbers, find_edges
from edgedigits.runtimes.foreign_model import ForeignModel

KINDS = {
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "uint8": TensorProto.UINT8,
    "int64": TensorProto.INT64,
}


@pytest.fixture(scope="module")
def regression(dataset: tuple[Split, Split]) -> tuple[np.ndarray, np.ndarray]:
    """Softmax regression on values from 0 to 1: kernel (784, 10) and bias (10,)."""
    images, labels = dataset[0].images[:2_000].reshape(-1, 784) / 255, dataset[0].labels[:2_000]
    kernel, bias = np.zeros((784, 10)), np.zeros(10)
    for _ in range(80):
        logits = images @ kernel + bias
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        error = powers / powers.sum(axis=1, keepdims=True) - np.eye(10)[labels]
        kernel -= 0.5 * images.T @ error / len(images)
        bias -= 0.5 * error.mean(axis=0)
    return kernel.astype(np.float32), bias.astype(np.float32)


def written(
    folder: Path,
    regression: tuple[np.ndarray, np.ndarray],
    shape: tuple[int | str, ...] = ("batch", 1, 28, 28),
    kind: str = "float32",
    end: str = "Softmax",
    out: str = "float32",
) -> Path:
    """Write what another tool would: its own names, layout and types."""
    batch = shape[0] if isinstance(shape[0], str) or shape[1:].count(28) == 2 or shape[1:] == (784,) else 1
    nodes = [
        helper.make_node("Reshape", ["input.1", "flat"], ["row"]),
        helper.make_node("Cast", ["row"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Gemm", ["floats", "kernel", "bias"], ["sums"]),
        helper.make_node(end, ["sums"], ["ended"], **({"axis": -1} if end.endswith("oftmax") else {})),
        helper.make_node("Cast", ["ended"], ["output.1"], to=KINDS[out]),
    ]
    constants = {"flat": np.array([-1, 784], np.int64), "kernel": regression[0], "bias": regression[1]}
    graph = helper.make_graph(
        nodes,
        "main_graph",
        [helper.make_tensor_value_info("input.1", KINDS[kind], shape)],
        [helper.make_tensor_value_info("output.1", KINDS[out], (batch, 10))],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = folder / "theirs.onnx"
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    ("shape", "kind", "end", "gives"),
    [
        (("batch", 1, 28, 28), "float32", "Softmax", "probabilities"),
        ((1, 28, 28, 1), "float32", "Identity", "logits"),
        (("n", 784), "float64", "LogSoftmax", "logits"),
        ((28, 28), "float32", "Sigmoid", "sigmoids"),
        ((32, 28, 28), "float32", "Softmax", "probabilities"),
    ],
    ids=str,
)
def test_input_output_and_scaling_are_found(
    shape, kind, end, gives, regression, dataset: tuple[Split, Split], tmp_path: Path
) -> None:
    path = written(tmp_path, regression, shape, kind, end)
    model = ForeignModel(path)
    pixels, labels = dataset[1].images[:70], dataset[1].labels[:70]
    model.look(dataset[0].images[:64])
    assert model.ends_in == gives
    model.input_scale = INPUT_SCALES["0..1"]
    sums = (pixels.reshape(-1, 784) / np.float32(255)) @ regression[0] + regression[1]
    powers = np.exp(sums - sums.max(axis=1, keepdims=True))
    expected = 1 / (1 + np.exp(-sums)) if gives == "sigmoids" else powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.probabilities(pixels), expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(model.probabilities(pixels[:1]), expected[:1], rtol=0, atol=1e-5)
    assert (expected.argmax(axis=1) == labels).mean() > 0.6


def quick(dataset: tuple[Split, Split]) -> tuple[Split, Split]:
    train, test = dataset
    return train, Split.of(test.dataset, test.images[:300], test.labels[:300])


@pytest.mark.mnist
def test_what_it_was_trained_on_is_found_out_and_everything_is_measured(
    regression, dataset: tuple[Split, Split], tmp_path: Path
) -> None:
    path = written(tmp_path, (regression[0] / 255, regression[1]), ("n", 28, 28), "uint8")
    model = open_foreign_model(path, None)
    assert model.input_scale.name == "0..255"  # bytes as they are
    found = measure_foreign(model, quick(dataset)[1], None)
    assert found.accuracy.percent > 70
    assert found.failures == ()
    assert found.to_dict()["made_by_edgedigits"] is False
    with pytest.raises(AccuracyError, match="as --input-scale says"):
        open_foreign_model(path, None, input_scale=INPUT_SCALES["1..0"])


def test_quantized_edges_are_put_on_their_scales() -> None:
    values = np.linspace(-3, 3, 784, dtype=np.float32).reshape(1, 28, 28)
    edge = Edge("x", np.dtype(np.int8), (1, 28, 28, 1), 2**-7, 0)
    expected = np.clip(np.rint(values.ravel() * 128), -128, 127)
    np.testing.assert_array_equal(as_input(edge, values).ravel(), expected)
    assert as_input(edge, values).dtype == np.int8
    pixels = np.arange(784, dtype=np.float32).reshape(1, 28, 28) % 256
    plain = Edge("x", np.dtype(np.int8), (None, 784))
    np.testing.assert_array_equal(as_input(plain, pixels).ravel(), pixels.ravel() - 128)
    end = Edge("y", np.dtype(np.uint8), (1, 10), 1 / 256, 3)
    np.testing.assert_allclose(
        as_numbers(end, np.arange(10, dtype=np.uint8), 1)[0], (np.arange(10) - 3) / 256
    )


TEN = [Edge("scores", np.dtype(np.float32), (None, 10))]


@pytest.mark.parametrize(
    ("inputs", "outputs", "complaint"),
    [
        ([Edge("x", np.dtype(np.float32), (None, 3, 32, 32))], TEN, r"28x28 pixels, found x float32 \(n, 3, 32, 32\)"),
        ([Edge("x", np.dtype(np.float32), (None, None, None))], TEN, "one input of 28x28 pixels"),
        ([Edge("x", None, (None, 28, 28))], TEN, "of no numbers"),
        ([Edge("x", np.dtype(np.float32), (1 << 20, 28, 28))], TEN, "at most 1,000 images at once"),
        ([Edge("x", np.dtype(np.float32), (28, 28))] * 2, TEN, "one input of"),
        ([], TEN, "found none"),
        ([Edge("x", np.dtype(np.float32), (28, 28))], [Edge("y", np.dtype(np.float32), (1, 26))], "of 10 numbers"),
        ([Edge("x", np.dtype(np.float32), (28, 28))], TEN * 2, "one output of 10 numbers"),
    ],
)  # fmt: skip
def test_what_takes_no_picture_or_gives_no_ten_numbers_is_refused(inputs, outputs, complaint) -> None:
    with pytest.raises(ForeignModelError, match=complaint) as caught:
        find_edges(Path("x.onnx"), inputs, outputs)
    assert "\n" not in str(caught.value)


def test_tensors_in_other_files_are_refused(regression, tmp_path: Path) -> None:
    path = written(tmp_path, regression)
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    with pytest.raises(ModelFileError, match="its tensors lie in other files"):
        ForeignModel(path)


@pytest.mark.parametrize("name", ["theirs.onnx", "theirs.tflite", "theirs.pt"])
def test_damage_is_told_in_one_line(name: str, regression, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(written(tmp_path, regression).read_bytes()[:3_000])
    with pytest.raises(EdgeDigitsError, match=rf"theirs\.{path.suffix[1:]}: ") as caught:
        ForeignModel(path)
    assert "\n" not in str(caught.value)


@pytest.mark.mnist
def test_the_commands_measure_it_and_say_that_it_promises_nothing(regression, tmp_path: Path) -> None:
    path = written(tmp_path, regression, end="Identity")
    said = CliRunner().invoke(cli, ["verify", "--foreign", str(path), "--json", "--quiet"])
    assert said.exit_code == 0, said.stderr
    (found,) = json.loads(said.stdout)
    assert found["gives"] == "logits"
    assert found["accuracy"]["images"] == 10_000
    said = CliRunner().invoke(
        cli, ["verify", "--foreign", str(path), "--foreign", "nothing.onnx", "-q", "--input-scale", "0..1"]
    )
    assert said.exit_code == 1
    assert "nothing.onnx: no such model file" in said.stderr
    assert "these files promise nothing" in said.stdout
    quickly = [
        "--min-seconds",
        "0",
        "--min-samples",
        "5",
        "--rounds",
        "1",
        "--cold-starts",
        "1",
        "--input-scale",
        "0..1",
    ]
    said = CliRunner().invoke(cli, ["bench", "--foreign", str(path), "-q", *quickly])
    assert said.exit_code == 0, said.stderr
    assert "theirs.onnx (foreign)" in said.stdout
    assert "(foreign): not made by edgedigits; such a file promises nothing" in said.stdout
