"""Networks of any layers in integers: every integer that of LiteRT's reference kernels."""

import functools
from pathlib import Path

import networks
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from keras import layers

from edgedigits.datasets.split import Split
from edgedigits.input_scale import UNIT
from edgedigits.model_files.keras_archive import read_network_spec
from edgedigits_export.formats.tflite_integer_steps import integers_to_tflite, write_integers
from edgedigits_export.graph.lowering import lowered
from edgedigits_export.graph.steps import Function, Image, Joined, Pool, Product, Step, Sum, ToMap, ToRow
from edgedigits_export.inference_graph import InferenceGraph, load_inference_graph
from edgedigits_export.integers.graph_kernels import IntegerGraph
from edgedigits_export.integers.graph_quantization import round_graph
from edgedigits_export.integers.grids import RANGE_METHODS

FLOATS = {schema.TensorType.FLOAT32, schema.TensorType.FLOAT16}
CLUTTER = {"SHAPE", "STRIDED_SLICE", "PACK", "DEQUANTIZE", "CAST"}


@pytest.fixture(scope="module")
def pixels(dataset: tuple[Split, Split]) -> np.ndarray:
    return dataset[1].images[:200]


def steps_of(graph: InferenceGraph, path: Path) -> tuple[Step, ...]:
    """Return the steps of a network, of a chain of Dense layers too."""
    weights = {layer.name: layer.get_weights() for layer in graph.keras_model.layers}
    return graph.steps or lowered(read_network_spec(path), weights, UNIT)


def in_integers(steps: tuple[Step, ...], images: np.ndarray, method: str = "min-max") -> IntegerGraph:
    rounded = round_graph(steps, images, per_channel=True, bits=8)
    return rounded.with_ranges(RANGE_METHODS[method], RANGE_METHODS[method])


def by_reference_kernels(graph: IntegerGraph, pixels: np.ndarray) -> list[np.ndarray]:
    """Return what LiteRT's reference kernels give for each step."""
    content, tensors = write_integers(graph, "int8")
    interpreter = Interpreter(
        model_content=content,
        experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    (taken,) = interpreter.get_input_details()
    interpreter.resize_tensor_input(taken["index"], pixels.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(taken["index"], (pixels ^ 128).view(np.int8))
    interpreter.invoke()
    return [interpreter.get_tensor(tensor) for tensor in tensors]


def check_equal(graph: IntegerGraph, pixels: np.ndarray) -> list[np.ndarray]:
    found, expected = graph.integers(pixels), by_reference_kernels(graph, pixels)
    for step, mine, theirs in zip(graph.steps, found, expected, strict=True):
        np.testing.assert_array_equal(mine, theirs, err_msg=type(step).__name__)
    return found


@functools.cache
def network_of(name: str, folder: Path, calibration: bytes) -> IntegerGraph:
    """Return a network of random weights in integers."""
    steps = steps_of(networks.exported(name, folder), networks.saved(name, folder))
    return in_integers(steps, np.frombuffer(calibration, np.uint8).reshape(-1, 28, 28))


@pytest.fixture(scope="module")
def folder(networks_folder: Path) -> Path:
    return networks_folder


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_every_integer_is_that_of_the_reference_kernels(name: str, pixels: np.ndarray, folder: Path) -> None:
    graph = network_of(name, folder, pixels[:50].tobytes())
    found = check_equal(graph, pixels)
    # Not all at one end: random weights say little of the classes, but much in between.
    assert all(len(np.unique(values)) > 3 for values in found[:-1])
    logits = graph.logits(pixels[:50], rounded=True)
    grid, last = graph.grids[graph.steps[-1].sources[0]], found[graph.steps[-1].sources[0]][:50]
    np.testing.assert_allclose(logits, (last + 128.0 - grid.zero_point) * grid.scale, atol=1e-6)


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_a_file_has_no_float_and_no_clutter(name: str, pixels: np.ndarray, folder: Path) -> None:
    network = network_of(name, folder, pixels[:50].tobytes())
    for edges, offset in (("uint8", 0), ("int8", -128)):
        content = integers_to_tflite(network, edges)
        operators, types = operators_and_types(content)
        assert not CLUTTER & set(operators)
        assert not types & FLOATS
        assert operators.count("QUANTIZE") >= 2 * (edges == "uint8")
        interpreter = Interpreter(model_content=content)
        (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
        assert (taken["name"], given["name"]) == ("image", "probabilities")
        assert taken["dtype"].__name__ == given["dtype"].__name__ == edges
        assert taken["quantization"] == (1.0, offset)
        assert given["quantization"] == (1 / 256, offset)
        for count in (3, 1):
            interpreter.resize_tensor_input(taken["index"], (count, 28, 28))
            interpreter.allocate_tensors()
            interpreter.set_tensor(taken["index"], (pixels[:count] ^ (offset & 0x80)).view(taken["dtype"]))
            interpreter.invoke()
            assert interpreter.get_tensor(given["index"]).shape == (count, 10)


def operators_and_types(content: bytes) -> tuple[list[str], set[int]]:
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    (graph,) = model.subgraphs
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    codes = [model.operatorCodes[operator.opcodeIndex].builtinCode for operator in graph.operators]
    return [names[code] for code in codes], {tensor.type for tensor in graph.tensors}


def product(source: int, inputs: int, outputs: int, seed: int, size: float = 1.0) -> Product:
    generator = np.random.default_rng(seed)
    kernel = generator.normal(0, size / np.sqrt(inputs), (inputs, outputs)).astype(np.float32)
    return Product((source,), kernel, generator.normal(0, 0.1, outputs).astype(np.float32))


SMALL = (
    Image((), (28, 28, 1)),
    Pool((0,), "average", (4, 4), (4, 4), (0, 0, 0, 0)),
    ToRow((1,), channels_first=False),
)
"""The picture in 49 numbers: rounding with feedback takes its time for more."""
FUNCTIONS = {
    "elu": 1.0,
    "elu of 2": 2.0,
    "elu of 0": 0.0,
    "gelu": 0.0,
    "hard_sigmoid": 0.0,
    "leaky_relu": 0.3,
    "leaky_relu of 0": 0.0,
    "relu": 0.0,
    "relu6": 6.0,
    "relu6 of 1": 1.0,
    "selu": 0.0,
    "sigmoid": 0.0,
    "silu": 0.0,
    "softmax": 0.0,
    "tanh": 0.0,
}


@pytest.mark.parametrize("branches", [1, 2])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_is_that_of_floats(function: str, branches: int, pixels: np.ndarray) -> None:
    """Of small values that nobody else takes; of small and large ones that another step takes, too."""
    name = function.split(" ", maxsplit=1)[0]
    for seed, size in ((0, 0.03), (1, 0.3))[:branches]:
        steps: list[Step] = [*SMALL, product(2, 49, 12, seed, size / 5)]
        steps.append(Function((3,), name, FUNCTIONS[function]))
        if branches == 2:
            steps.append(Joined((3, 4), 0))
        steps += [product(len(steps) - 1, 12 * branches, 10, 5), Function((len(steps),), "softmax")]
        graph = in_integers(tuple(steps), pixels[:100], "min-max")
        check_equal(graph, pixels)
        expected = in_floats(tuple(steps[:-1]), pixels)
        expected -= expected.mean(axis=1, keepdims=True)
        off = graph.logits(pixels) - expected
        # Eight bits of what goes in, of weights and of what comes out.
        assert off.std() < 0.025 * expected.std()


def in_floats(steps: tuple[Step, ...], pixels: np.ndarray) -> np.ndarray:
    """Compute rows with Keras' own functions."""
    import keras

    small = pixels.reshape(-1, 7, 4, 7, 4).mean(axis=(2, 4), dtype=np.float32)
    values = [pixels, pixels, small.reshape(len(pixels), -1)]
    for step in steps[3:]:
        taken = [values[source] for source in step.sources]
        if isinstance(step, Product):
            values.append(taken[0] @ step.kernel + step.bias)
        elif isinstance(step, Joined):
            values.append(np.concatenate(taken, axis=1))
        elif isinstance(step, Sum):
            values.append(sum(taken))
        elif step.name == "elu":
            values.append(np.asarray(keras.activations.elu(taken[0], alpha=step.alpha)))
        elif step.name == "leaky_relu":
            values.append(np.asarray(keras.activations.leaky_relu(taken[0], negative_slope=step.alpha)))
        elif step.name == "relu6":
            values.append(np.clip(taken[0], 0, step.alpha))
        else:
            values.append(np.asarray(getattr(keras.activations, step.name)(taken[0])))
    return values[-1]


def test_three_branches_of_one_value_and_a_head_of_sigmoids(pixels: np.ndarray) -> None:
    steps = (
        *SMALL,
        product(2, 49, 12, 1, 0.05),
        Function((3,), "tanh"),
        Function((3,), "sigmoid"),
        Function((3,), "relu"),
        Sum((4, 5, 6, 3)),
        Joined((4, 5, 7), 0),
        product(8, 36, 10, 2, 2.0),
        Function((9,), "sigmoid"),
    )
    graph = in_integers(steps, pixels[:100], "mse")
    found = check_equal(graph, pixels)[-1] / 256 + 0.5
    expected = in_floats(steps, pixels)
    off = found - expected
    assert off.std() < 0.05 * expected.std()
    # Numbers whose softmax is what the sigmoids are to their sum.
    np.testing.assert_allclose(np.exp(graph.logits(pixels, rounded=True)), found, atol=0.004)


def test_the_picture_itself_beside_what_is_made_of_it(pixels: np.ndarray) -> None:
    steps = (
        Image((), (784,)),
        product(0, 784, 12, 1, 0.05),
        Function((1,), "tanh"),
        Joined((0, 2, 1), 0),
        product(3, 808, 10, 2, 0.01),
        Function((4,), "softmax"),
    )
    graph = in_integers(steps, pixels[:100])
    check_equal(graph, pixels)
    assert graph.grids[0].scale == 1


def test_maps_that_a_row_becomes_and_back(pixels: np.ndarray) -> None:
    steps = (
        Image((), (784,)),
        product(0, 784, 24, 1, 0.05),
        ToMap((1,), (3, 2, 4), channels_first=True),
        Function((2,), "relu"),
        ToRow((3,), channels_first=True),
        Function((4,), "tanh"),
        product(5, 24, 10, 2),
        Function((6,), "softmax"),
    )
    graph = in_integers(steps, pixels[:100])
    row = check_equal(graph, pixels)[-4].astype(int)
    assert np.ptp(row) > 50


def test_layers_that_follow_each_other_in_unusual_order(pixels: np.ndarray, tmp_path: Path) -> None:
    model = networks.chain(
        layers.MaxPooling2D(2),
        layers.BatchNormalization(),
        layers.ReLU(max_value=3),
        layers.Conv2D(6, 3, activation="sigmoid"),
        layers.AveragePooling2D(3, 2, padding="same"),
        layers.Activation("relu"),
        layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2, activation="hard_sigmoid"),
        layers.ZeroPadding2D(((0, 2), (1, 0))),
        layers.LeakyReLU(0.4),
        layers.GlobalAveragePooling2D(keepdims=True),
        layers.Conv2D(10, 1),
        layers.Flatten(),
        layers.Softmax(),
    )
    networks.randomized(model).save(tmp_path / "odd.keras")
    path = tmp_path / "odd.keras"
    graph = in_integers(steps_of(load_inference_graph(path), path), pixels[:100], "percentile")
    check_equal(graph, pixels)


@pytest.mark.parametrize("function", ["relu", "leaky_relu", "silu", "elu", "tanh", "gelu"])
@pytest.mark.parametrize("sizes", [(1e-6, 1e4), (1e-12, 1.0), (1e6, 1e-3)], ids=str)
def test_branches_of_very_different_sizes(
    sizes: tuple[float, float], function: str, pixels: np.ndarray
) -> None:
    """The kernels multiply by no more than they can, and answer the same where that leaves nothing of a branch."""
    steps = (
        *SMALL,
        product(2, 49, 12, 1, sizes[0] / 100),
        product(2, 49, 12, 2, sizes[1] / 100),
        Function((3,), function, 0.2 if function == "leaky_relu" else 1.0),
        Sum((5, 4)),
        Sum((6, 3, 4)),
        Joined((7, 5, 3), 0),
        product(8, 36, 10, 3, 0.1 / max(sizes)),
        Function((9,), "softmax"),
    )
    check_equal(in_integers(steps, pixels[:50], "mse"), pixels[:50])
