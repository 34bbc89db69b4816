"""Networks of sequences: to float32 files as Keras answers, and refused by format and reason elsewhere."""

import functools
from pathlib import Path

import keras
import networks
import numpy as np
import onnx
import pytest
import tf2onnx
from keras import layers
from sequence_networks import SEQUENCES, TYPICAL

from edgedigits.datasets.split import Split
from edgedigits.errors import ContractError
from edgedigits.input_scale import UNIT
from edgedigits.metadata import ModelMetadata
from edgedigits.networks.backend import tf
from edgedigits.networks.build import load_network
from edgedigits.runtimes.opening import open_model
from edgedigits.runtimes.ort import onnxruntime
from edgedigits_export import FORMATS, ExportOptions, Target, export_model, load_inference_graph, obstacles
from edgedigits_export.formats import tflite_file
from edgedigits_export.formats.onnx_file import add_metadata, to_onnx
from edgedigits_export.formats.ort_file import to_ort
from edgedigits_export.formats.tflite_steps import steps_to_tflite
from edgedigits_export.inference_graph import InferenceGraph

NEAR = 1e-4
"""In every probability, as for all networks; float32 in another order gives 2e-7."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sequences")


@pytest.fixture(scope="module")
def pixels(dataset: tuple[Split, Split]) -> np.ndarray:
    return dataset[1].images[:40]


def randomized(model: keras.Model) -> keras.Model:
    """Give a network weights and biases that all matter; statistics of batches stay positive."""
    generator = np.random.default_rng(0)
    arrays = []
    for variable, array in zip(model.weights, model.get_weights(), strict=True):
        noise = generator.normal(0, 0.2, array.shape)
        arrays.append(np.abs(array + noise) + 0.3 if "variance" in variable.path else array + noise)
    model.set_weights(arrays)
    return model


@functools.cache
def loaded(name: str, folder: Path) -> tuple[keras.Model, InferenceGraph]:
    keras.utils.set_random_seed(0)
    model = networks.built(name) if name in networks.NETWORKS else randomized(SEQUENCES[name]())
    model.save(folder / f"{name}.keras")
    return model, load_inference_graph(folder / f"{name}.keras")


def opened(graph: InferenceGraph, folder: Path, opset: int = 17):
    metadata = ModelMetadata(graph.arch, "float32", graph.weights_sha256, {})
    (folder / "network.onnx").write_bytes(add_metadata(to_onnx(graph, opset=opset), metadata))
    return open_model(folder / "network.onnx")


@pytest.mark.parametrize("name", SEQUENCES)
@pytest.mark.parametrize("opset", [13, 18])
def test_a_float_onnx_file_answers_as_keras_does(
    name: str, opset: int, folder: Path, pixels: np.ndarray, tmp_path: Path
) -> None:
    fresh, graph = loaded(name, folder)
    values = graph.input_scale.values(pixels)
    expected = networks.answers(fresh, values)
    np.testing.assert_allclose(graph.answers(values), expected, rtol=0, atol=1e-6)
    model = opened(graph, tmp_path, opset)
    np.testing.assert_allclose(model.probabilities(pixels), expected, rtol=0, atol=NEAR)
    np.testing.assert_allclose(model.probabilities(pixels[:1]), expected[:1], rtol=0, atol=NEAR)
    if opset == 18:
        path = tmp_path / "network.ort"
        path.write_bytes(to_ort((tmp_path / "network.onnx").read_bytes()))
        np.testing.assert_allclose(open_model(path).probabilities(pixels), expected, rtol=0, atol=NEAR)
    assert np.ptp(expected, axis=0).max() > 1e-2  # the answers depend on the image
    assert graph.spec.parameters == fresh.count_params()


@pytest.mark.parametrize("name", SEQUENCES)
def test_a_float_tflite_file_answers_as_keras_does(
    name: str, folder: Path, pixels: np.ndarray, tmp_path: Path
) -> None:
    fresh, graph = loaded(name, folder)
    expected = networks.answers(fresh, graph.input_scale.values(pixels))
    assert graph.steps is not None
    metadata = ModelMetadata(graph.arch, "float32", graph.weights_sha256, {})
    path = tmp_path / "network.tflite"
    path.write_bytes(tflite_file.add_metadata(steps_to_tflite(graph.steps, "float32"), metadata))
    model = open_model(path)
    np.testing.assert_allclose(model.probabilities(pixels), expected, rtol=0, atol=NEAR)
    np.testing.assert_allclose(model.probabilities(pixels[:1]), expected[:1], rtol=0, atol=NEAR)


def test_a_long_sequence_is_refused_where_it_is_spelt_out(tmp_path: Path) -> None:
    model = networks.chain(layers.Reshape((784, 1)), layers.GRU(8), layers.Dense(10, "softmax"))
    model.save(tmp_path / "long.keras")
    graph = load_inference_graph(tmp_path / "long.keras")
    found = obstacles(graph, FORMATS)
    assert "784 steps in all, which are spelt out here: at most 200" in found[Target("tflite", "float32")]
    assert Target("onnx", "float32") not in found


def test_all_27_typical_networks_go_to_float_onnx(folder: Path) -> None:
    # 21 of them in test_networks, with all other formats.
    assert len({**networks.NETWORKS, **TYPICAL}) == 27
    for name in TYPICAL:
        assert not {Target(form, "float32") for form in ("onnx", "ort", "tflite")} & {
            *obstacles(loaded(name, folder)[1], FORMATS)
        }


CLUTTER = {"Shape", "Gather", "Slice", "Squeeze", "Unsqueeze", "Loop", "Scan", "If", "Expand", "Split"}


@pytest.mark.parametrize("name", SEQUENCES)
def test_a_graph_has_no_clutter(name: str, folder: Path) -> None:
    operators = [node.op_type for node in onnx.load_from_string(to_onnx(loaded(name, folder)[1])).graph.node]
    assert not CLUTTER & set(operators)
    cells = {"LSTM", "GRU", "RNN"}
    assert sum(operator in cells for operator in operators) == {
        "lstm": 1, "gru": 2, "simple_rnn": 1, "bidirectional": 6,
    }.get(name, 0)  # fmt: skip


@pytest.mark.parametrize("name", ["mnist_convnet", "residual", "attention_to_another"])
def test_the_graph_computes_what_tf2onnx_makes_of_the_same_function(
    name: str, folder: Path, pixels: np.ndarray
) -> None:
    _, graph = loaded(name, folder)
    shape = [-1, *graph.input_shape]

    @tf.function(input_signature=[tf.TensorSpec([None, 28, 28], tf.float32, name="image")])
    def serve(image):
        return graph.keras_model(tf.reshape(image, shape), training=False)

    theirs, _ = tf2onnx.convert.from_function(serve, input_signature=serve.input_signature, opset=17)
    session, ours = (
        onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        for content in (theirs.SerializeToString(), to_onnx(graph, opset=17))
    )
    expected = session.run(None, {"image": graph.input_scale.values(pixels)})[0]
    np.testing.assert_allclose(ours.run(None, {"image": pixels})[0], expected, rtol=0, atol=NEAR)
    assert len(onnx.load_from_string(to_onnx(graph)).graph.node) <= len(theirs.graph.node) + 10


@pytest.mark.parametrize(
    ("target", "kinds"),
    [(Target("tflite", "float16"), "LSTM"), (Target("onnx", "int8"), "LSTM"), (Target("c", "int8"), "LSTM")],
    ids=str,
)
def test_other_files_are_refused_by_format_and_layer(
    target: Target, kinds: str, folder: Path, dataset: tuple[Split, Split], tmp_path: Path
) -> None:
    loaded("lstm", folder)
    with pytest.raises(
        ContractError,
        match=f"{target.precision} {target.format} files can hold, .*: {kinds} go to float32 files only",
    ) as caught:
        export_model(folder / "lstm.keras", [target], *dataset, folder=tmp_path)
    assert "\n" not in str(caught.value)


def test_a_convolution_over_a_sequence_goes_to_every_format_of_maps(folder: Path) -> None:
    _, graph = loaded("conv1d", folder)
    assert not obstacles(graph, FORMATS)


@pytest.mark.mnist
@pytest.mark.stress  # asked under 17 scalings, step by step
def test_a_recurrent_network_goes_through_the_gate(
    mnist_train: Split, mnist_test: Split, tmp_path: Path
) -> None:
    keras.utils.set_random_seed(0)
    model = networks.chain(layers.LSTM(24), layers.Dense(10), shape=(28, 28))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, steps_per_execution=50)
    values = mnist_train.images[:6_000] / np.float32(255)
    model.fit(values, mnist_train.labels[:6_000], batch_size=32, epochs=3, verbose=0)
    model.save(tmp_path / "theirs.h5")
    test = Split.of(mnist_test.dataset, mnist_test.images[:1_000], mnist_test.labels[:1_000])
    exported, failed = export_model(
        tmp_path / "theirs.h5",
        [Target("onnx", "float32"), Target("tflite", "float32")],
        mnist_train,
        test,
        options=ExportOptions(input_scale=UNIT),
    )
    assert not failed
    assert exported[0].metadata.arch == "lstm24-dense10"
    assert exported[0].metadata.head == "logits"


# Weights of layers within layers, and what is not offered


@pytest.mark.parametrize("name", ["bidirectional", "small_vit"])
def test_an_h5_file_has_the_same_network(name: str, folder: Path, tmp_path: Path) -> None:
    fresh, graph = loaded(name, folder)
    fresh.save(tmp_path / "network.h5")
    model, spec = load_network(tmp_path / "network.h5")
    assert spec == graph.spec
    for one, other in zip(model.get_weights(), graph.keras_model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def sequence(layer: keras.Layer) -> keras.Model:
    return networks.chain(layer, layers.Flatten(), layers.Dense(10, "softmax"), shape=(28, 28))


def _looked(values: keras.KerasTensor) -> keras.KerasTensor:
    return layers.MultiHeadAttention(1, 1)(values, values)


REFUSED = {
    "stateful": (
        lambda: networks.chain(layers.LSTM(4, activation="elu"), layers.Dense(10, "softmax"), shape=(28, 28)),
        "activation tanh or sigmoid or relu in LSTM",
    ),
    "backwards": (
        lambda: sequence(layers.GRU(4, return_sequences=True, go_backwards=True)),
        "return_sequences or go_backwards",
    ),
    "two layers": (
        lambda: sequence(
            layers.Bidirectional(
                layers.LSTM(4, return_sequences=True),
                backward_layer=layers.LSTM(4, return_sequences=True, go_backwards=True, use_bias=False),
            )
        ),
        "the same layer in both directions",
    ),
    "an axis": (lambda: sequence(layers.LayerNormalization(axis=1)), "along another side than the last"),
    "a crop": (
        lambda: networks.chain(
            layers.Resizing(9, 8, crop_to_aspect_ratio=True), layers.Flatten(), layers.Dense(10, "softmax")
        ),
        "a Resizing without crop_to_aspect_ratio",
    ),
    "another size": (
        lambda: networks.functional(
            lambda values: layers.Dense(10, "softmax")(
                layers.Flatten()(layers.MultiHeadAttention(2, 3, output_shape=7)(values, values))
            ),
            (28, 28),
        ),
        "a MultiHeadAttention without output_shape",
    ),
    "much attention": (
        lambda: networks.functional(
            lambda values: layers.Dense(10, "softmax")(layers.Flatten()(_looked(layers.Reshape((784, 1))(values))))
        ),
        "that holds 614,656 values of an image",
    ),
    "a long memory": (
        lambda: networks.chain(layers.Reshape((784, 1)), layers.LSTM(90), layers.Dense(10, "softmax")),
        "LSTM .*that holds 282,240 values of an image",
    ),
    "many values": (
        lambda: networks.chain(
            layers.Dense(2_000, "relu"), layers.LayerNormalization(), layers.Dense(10, "softmax"), shape=(784,)
        ),
        "of 2,000 values, more than 1,024",
    ),
    "causal": (
        lambda: networks.functional(
            lambda values: layers.Dense(10, "softmax")(
                layers.Flatten()(layers.MultiHeadAttention(2, 3)(values, values, use_causal_mask=True))
            ),
            (28, 28),
        ),
        "a call with use_causal_mask",
    ),
    "a cell of a picture": (
        lambda: networks.chain(layers.ConvLSTM1D(2, 3), layers.Flatten(), layers.Dense(10, "softmax")),
        "a layer ConvLSTM1D",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_offered_is_refused_by_name(name: str, tmp_path: Path) -> None:
    build, complaint = REFUSED[name]
    build().save(tmp_path / "theirs.keras")
    with pytest.raises(ContractError, match=complaint) as caught:
        load_inference_graph(tmp_path / "theirs.keras")
    assert "\n" not in str(caught.value)
