"""Networks of any layers on the list: read, built anew, exported in floats, and refused where they are not."""

import dataclasses
import functools
from pathlib import Path

import keras
import networks
import numpy as np
import onnx
import pytest
from keras import layers

from edgedigits.datasets.split import Split
from edgedigits.errors import ContractError
from edgedigits.input_scale import INPUT_SCALES, RAW, UNIT, InputScale
from edgedigits.metadata import ModelMetadata
from edgedigits.model_files.keras_archive import read_network_spec
from edgedigits.runtimes.opening import open_model
from edgedigits_export import FORMATS, ExportOptions, Target, export_model, load_inference_graph, obstacles
from edgedigits_export.formats import tflite_file
from edgedigits_export.formats.export_format import Converted
from edgedigits_export.formats.onnx_file import ONNX, add_metadata, to_onnx
from edgedigits_export.formats.ort_file import ORT, to_ort
from edgedigits_export.inference_graph import InferenceGraph
from edgedigits_export.integers.graph_quantization import round_network
from edgedigits_export.integers.grids import RANGE_METHODS

NEAR = 1e-4
"""In every probability; float32 in another order gives 2e-7."""


@pytest.fixture(scope="module")
def folder(networks_folder: Path) -> Path:
    return networks_folder


@pytest.fixture(scope="module")
def pixels(dataset: tuple[Split, Split]) -> np.ndarray:
    return dataset[1].images[:200]


@functools.cache
def loaded(name: str, folder: Path) -> tuple[keras.Model, InferenceGraph]:
    """Return a network as Keras loads it from its file, and as it is exported."""
    return keras.models.load_model(networks.saved(name, folder)), networks.exported(name, folder)


def opened(graph: InferenceGraph, file_format: str, precision: str, folder: Path):
    """Export without the gate, whose accuracy networks of random weights do not have, and open the file."""
    metadata = ModelMetadata(graph.arch, precision, graph.weights_sha256, {})
    path = folder / f"network.{file_format}"
    if file_format == "tflite":
        content = tflite_file.TFLITE.convert(graph, None, precision, ExportOptions())
        path.write_bytes(tflite_file.add_metadata(content, metadata))
    else:
        content = add_metadata(to_onnx(graph, precision), metadata)
        path.write_bytes(to_ort(content) if file_format == "ort" else content)
    return open_model(path)


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_a_network_built_anew_answers_as_keras_does(name: str, folder: Path) -> None:
    fresh, graph = loaded(name, folder)
    model, spec = graph.keras_model, graph.spec
    values = np.random.default_rng(3).random((50, 28, 28), np.float32)
    given = model(values.reshape(-1, *spec.input_shape), training=False).numpy()
    # The same operations on the same numbers; a softmax that is ours is taken here in double precision.
    tolerance = 0 if spec.head == "softmax" else 1e-6
    np.testing.assert_allclose(given, networks.answers(fresh, values), rtol=0, atol=tolerance)
    assert spec.head == ("logits" if name in ("quickstart_logits", "tflite_tutorial") else "softmax")
    assert spec.is_dense == (name in networks.DENSE)
    assert spec.parameters == fresh.count_params()


FLOAT_FORMS = (
    ("onnx", "float32"), ("tflite", "float32"), ("ort", "float32"), ("onnx", "float16"), ("onnx", "dynamic"),
    ("tflite", "float16"), ("tflite", "dynamic"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "file_format", "precision"),
    [
        # The two that others are made from, of every network; the others of some.
        pytest.param(
            name, *form, marks=() if form in FLOAT_FORMS[:2] or name in networks.OFTEN else pytest.mark.stress
        )
        for form in FLOAT_FORMS
        for name in networks.NETWORKS
    ],
)
def test_a_file_of_floats_answers_as_keras_does(
    name: str, file_format: str, precision: str, folder: Path, pixels: np.ndarray, tmp_path: Path
) -> None:
    fresh, graph = loaded(name, folder)
    expected = networks.answers(fresh, graph.input_scale.values(pixels))
    model = opened(graph, file_format, precision, tmp_path)
    # float16 keeps three digits of a weight, int8 two.
    near = {"float32": NEAR, "float16": 1e-3, "dynamic": 1e-2}[precision]
    at_once = networks.AT_ONCE if precision == "dynamic" else len(pixels)
    for start in range(0, len(pixels), at_once):
        some = slice(start, start + at_once)
        np.testing.assert_allclose(model.probabilities(pixels[some]), expected[some], rtol=0, atol=near)
    assert np.ptp(expected, axis=0).max() > 1e-3  # the answers depend on the image
    one = model.probabilities(pixels[:1])
    np.testing.assert_allclose(one, expected[:1], rtol=0, atol=near)


@pytest.mark.parametrize(
    ("name", "file_format"),
    [
        pytest.param(
            name,
            file_format,
            marks=pytest.mark.stress if file_format == "ort" and name not in networks.OFTEN else (),
        )
        for file_format in ("tflite", "onnx", "ort")
        for name in networks.NETWORKS
        if name not in networks.DENSE
    ],
)
def test_a_file_of_integers_answers_nearly_as_keras_does(
    name: str, file_format: str, folder: Path, pixels: np.ndarray, tmp_path: Path
) -> None:
    fresh, graph = loaded(name, folder)
    ranges = RANGE_METHODS["min-max"]
    rounded = round_network(graph.steps, pixels, 8, per_channel=True)
    exporter = {"tflite": tflite_file.TFLITE, "onnx": ONNX, "ort": ORT}[file_format]
    content = exporter.convert(graph, rounded.with_ranges(ranges, ranges), "int8", ExportOptions())
    edges = exporter.edges("int8", ExportOptions())
    metadata = ModelMetadata(graph.arch, "int8", graph.weights_sha256, {}, edges=edges)
    made = Converted(content, None)
    stamped, *_ = exporter.stamp("x", made, metadata, ExportOptions(), None).values()
    path = tmp_path / f"network.{file_format}"
    path.write_bytes(stamped)
    expected = networks.answers(fresh, graph.input_scale.values(pixels))
    model = open_model(path)
    for start in range(0, len(pixels), networks.AT_ONCE):
        some = slice(start, start + networks.AT_ONCE)
        np.testing.assert_allclose(model.probabilities(pixels[some]), expected[some], rtol=0, atol=0.01)


CLUTTER = {"Shape", "Gather", "Slice", "Squeeze", "Unsqueeze", "RandomUniform", "RandomNormal", "Identity"}


@pytest.mark.parametrize("name", networks.NETWORKS)
@pytest.mark.parametrize("opset", [13, 18])
def test_a_graph_has_no_clutter(name: str, opset: int, folder: Path) -> None:
    _, graph = loaded(name, folder)
    model = onnx.load_from_string(to_onnx(graph, opset=opset))
    operators = [node.op_type for node in model.graph.node]
    assert not CLUTTER & set(operators)
    assert operators.count("Cast") == 1
    assert "Transpose" not in operators or name == "channels_first"
    assert "BatchNormalization" not in operators
    (image,) = model.graph.input
    sides = image.type.tensor_type.shape.dim
    assert [side.dim_param or side.dim_value for side in sides] == ["n", 28, 28]
    assert model.opset_import[0].version == opset


@pytest.mark.parametrize("scale", [UNIT, RAW, *(INPUT_SCALES[name] for name in ("-1..1", "standardized"))])
@pytest.mark.parametrize(
    "name", ["mnist_convnet", "lenet", "normalization", "single_softmax", "channels_first"]
)
def test_any_scaling_of_the_input_goes_into_the_file(
    name: str, scale: InputScale, folder: Path, pixels: np.ndarray, tmp_path: Path
) -> None:
    fresh, graph = loaded(name, folder)
    graph = graph.fed_with(scale)
    expected = networks.answers(fresh, scale.values(pixels[:50]))
    found = opened(graph, "onnx", "float32", tmp_path).probabilities(pixels[:50])
    np.testing.assert_allclose(found, expected, rtol=0, atol=NEAR)


# What Keras does that is easily done otherwise


def convolving(**options) -> keras.Model:
    return networks.chain(
        layers.Conv2D(6, (3, 2), **options),
        layers.BatchNormalization(),
        layers.Flatten(),
        layers.Dense(10, "softmax"),
    )


ODD = {
    "stride 2 and same": lambda: convolving(strides=2, padding="same"),
    "stride 3 by 1": lambda: convolving(strides=(3, 1), padding="same"),
    "dilation": lambda: convolving(dilation_rate=(2, 3), padding="same"),
    "zeros, then same": lambda: networks.chain(
        layers.ZeroPadding2D(3),
        layers.Conv2D(4, 5, 2, padding="same"),
        layers.Flatten(),
        layers.Dense(10, "softmax"),
    ),
    "zeros of negative values, then the largest": lambda: networks.chain(
        layers.Conv2D(4, 3, activation="tanh"),
        layers.ZeroPadding2D(1),
        layers.MaxPooling2D(2, padding="same"),
        layers.Flatten(),
        layers.Dense(10, "softmax"),
    ),
    "mean of overlapping windows": lambda: networks.chain(
        layers.AveragePooling2D(3, 2, padding="same"), layers.Flatten(), layers.Dense(10, "softmax")
    ),
    "normalized before a padded convolution": lambda: networks.chain(
        layers.BatchNormalization(),
        layers.Conv2D(4, 3, padding="same"),
        layers.BatchNormalization(center=False),
        layers.Conv2D(4, 3, padding="same", groups=2),
        layers.Flatten(),
        layers.Dense(10, "softmax"),
    ),
    "two Dense layers with a normalization between": lambda: networks.chain(
        layers.Dense(20), layers.BatchNormalization(), layers.Dense(10, "softmax"), shape=(784,)
    ),
    "a row made a picture, channel by channel": lambda: networks.chain(
        layers.Dense(98, "relu"),
        layers.Reshape((7, 7, 2)),
        layers.Conv2D(4, 3, activation="relu"),
        layers.Flatten(),
        layers.LeakyReLU(0.3),
        layers.Dense(10, "softmax"),
        shape=(784,),
    ),
    "global pooling that keeps its sides": lambda: networks.chain(
        layers.Conv2D(12, 3, activation="relu"),
        layers.GlobalAveragePooling2D(keepdims=True),
        layers.Conv2D(10, 1),
        layers.Flatten(),
        layers.Activation("softmax"),
    ),
    "logits of a pooling": lambda: networks.chain(
        layers.Conv2D(10, 3, 2), layers.ELU(), layers.GlobalMaxPooling2D()
    ),
    "Flatten that turns channels first over": lambda: networks.chain(
        layers.Conv2D(3, 3, data_format="channels_first", activation="relu"),
        layers.Flatten(data_format="channels_first"),
        layers.Dense(10, "softmax"),
        shape=(1, 28, 28),
    ),
    "normalized by column": lambda: networks.chain(
        layers.Normalization(
            mean=np.linspace(0, 1, 28).tolist(), variance=np.linspace(1, 2, 28).tolist(), axis=-1
        ),
        layers.Flatten(),
        layers.Dense(20, "relu"),
        layers.Dense(10, "softmax"),
        shape=(28, 28),
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_easily_done_otherwise_is_done_as_keras_does(
    name: str, pixels: np.ndarray, tmp_path: Path
) -> None:
    keras.utils.set_random_seed(1)
    networks.randomized(ODD[name]()).save(tmp_path / "odd.keras")
    fresh = keras.models.load_model(tmp_path / "odd.keras")
    graph = load_inference_graph(tmp_path / "odd.keras")
    expected = networks.answers(fresh, graph.input_scale.values(pixels[:60]))
    for file_format in ("onnx", "ort", "tflite"):
        found = opened(graph, file_format, "float32", tmp_path).probabilities(pixels[:60])
        np.testing.assert_allclose(found, expected, rtol=0, atol=NEAR)


# Through the gate


def trained(name: str, data: tuple[Split, Split], folder: Path) -> Path:
    keras.utils.set_random_seed(2)
    model = networks.NETWORKS[name]()
    ends_in_logits = name in ("quickstart_logits", "tflite_tutorial")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=ends_in_logits)
    model.compile("adam", loss, steps_per_execution=50)
    values = (data[0].images / np.float32(255)).reshape(-1, *model.input_shape[1:])
    model.fit(
        values[:6_000],
        data[0].labels[:6_000],
        batch_size=32,
        epochs=8 if len(values) < 6_000 else 1,
        verbose=0,
    )
    model.save(folder / f"{name}.keras")
    return folder / f"{name}.keras"


@pytest.mark.no_cover  # mostly Keras; the same lines run in shorter tests
@pytest.mark.parametrize("name", ["tflite_tutorial", pytest.param("nested", marks=pytest.mark.stress)])
def test_a_network_goes_through_the_gate_to_every_format_that_holds_it(
    name: str, dataset: tuple[Split, Split], tmp_path: Path
) -> None:
    path = trained(name, dataset, tmp_path)
    few = tuple(
        Split.of(split.dataset, split.images[:count], split.labels[:count])
        for split, count in zip(dataset, (6_000, 1_500), strict=True)
    )
    graph = load_inference_graph(path)
    targets = [target for target in FORMATS if target not in obstacles(graph, FORMATS)]
    assert {target.precision for target in targets} == {"float32", "float16", "dynamic", "int8"}
    assert {target.format for target in targets} == {"c", "onnx", "ort", "page", "tflite", "tflm"}
    if name == "tflite_tutorial":
        # The command exports another such network to all of them.
        targets = (Target("onnx", "float32"), Target("tflite", "int8"))
    exported, failed = export_model(
        path, targets, *few, options=ExportOptions(max_drop=1.0, input_scale=UNIT, calibration_size=500)
    )
    assert not failed
    assert len(exported) == len(targets)
    for file in exported:
        model = open_model(file.path)
        assert model.metadata.arch == graph.arch
        assert model.metadata.head == ("logits" if name == "tflite_tutorial" else None)
        assert model.metadata.input_scale.name == "0..1"


@pytest.mark.parametrize(("name", "functions"), [("leaky", "elu, selu"), ("modern_functions", "gelu")])
def test_a_format_that_cannot_hold_a_network_says_so_in_one_line(
    name: str, functions: str, folder: Path, dataset: tuple[Split, Split], tmp_path: Path
) -> None:
    path, target = networks.saved(name, folder), Target("tflm", "int8")
    why = f"TensorFlow Lite Micro has no int8 kernel for {functions}"
    with pytest.raises(ContractError, match=f"{why}; export it with --format onnx") as caught:
        export_model(path, [target], *dataset, folder=tmp_path)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_metadata_keep_how_a_network_ended() -> None:
    metadata = ModelMetadata("dense10", "float32", "ab" * 32, {}, head="logits")
    assert ModelMetadata.from_json(metadata.to_json(), Path("x")) == metadata
    assert "head" not in dataclasses.replace(metadata, head=None).to_json()
    with pytest.raises(ContractError, match="ends in softmax, logits or sigmoid, found 'tail'"):
        ModelMetadata.from_json(metadata.to_json().replace('"logits"', '"tail"'), Path("x"))


@pytest.mark.parametrize("name", ["theirs.pt", "theirs", "folder"])
def test_another_kind_of_file_says_how_to_save_it_anew(
    name: str, dataset: tuple[Split, Split], tmp_path: Path
) -> None:
    path = tmp_path / name
    path.mkdir() if name == "folder" else path.write_bytes(b"PK")
    if name == "folder":
        (path / "saved_model.pb").touch()
    with pytest.raises(
        ContractError, match=r"save it anew with Keras.*\.save\('(theirs\.keras|folder\.h5)'\)"
    ):
        export_model(path, FORMATS, *dataset)


def test_the_text_of_an_architecture_reads_aloud_and_ends(folder: Path, tmp_path: Path) -> None:
    spec = read_network_spec(networks.saved("mnist_convnet", folder))
    assert spec.arch == "conv32-pool-conv64-pool-dense10"
    parts = [layers.Conv2D(10, 1, name=f"conv_{index}") for index in range(60)]
    networks.chain(*parts, layers.Flatten(), layers.Dense(10, "softmax")).save(tmp_path / "long.keras")
    arch = read_network_spec(tmp_path / "long.keras").arch
    assert len(arch) <= 200
    assert arch.endswith("conv10...")
