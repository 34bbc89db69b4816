"""Real ``.keras`` files, made by Keras itself, and what attackers and accidents make of them."""

import io
import json
import math
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgedigits.errors import ContractError, EdgeDigitsError, ModelFileError, ModelNotFoundError
from edgedigits.model_files.keras_archive import LARGEST_CONFIG, read_network_spec
from edgedigits.model_files.network_spec import Dense as DenseSpec
from edgedigits.model_files.network_spec import Dropout, Flatten, NetworkSpec, network_spec
from edgedigits.networks.backend import keras
from edgedigits.networks.build import build_network, load_network, weights_sha256
from edgedigits.runtimes.opening import open_model

layers = keras.layers
SMALL = network_spec((16, 8))
"""Large enough to have every part of a network, small enough to be saved in no time."""


def saved(model: keras.Model, folder: Path, name: str = "digits.keras") -> Path:
    path = folder / name
    model.save(path)
    return path


@pytest.fixture(scope="module")
def small_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole, good file. Only to be read."""
    return saved(build_network(SMALL), tmp_path_factory.mktemp("keras"))


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def repacked(source: Path, target: Path, **changes: bytes | None) -> Path:
    """Write an archive with some members (``config_json=...``) replaced, added, or left out."""
    contents = members(source)
    for name, content in changes.items():
        contents[name] = content
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in contents.items():
            if content is not None:
                archive.writestr(name, content)
    return target


def with_config(source: Path, target: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """Write an archive whose configuration was changed in place."""
    config = json.loads(members(source)["config.json"])
    change(config)
    return repacked(source, target, **{"config.json": json.dumps(config).encode()})


def functional(*chain: Any, shape: tuple[int, ...] = (28, 28)) -> keras.Model:
    first = value = keras.Input(shape)
    for layer in chain:
        value = layer(value)
    return keras.Model(first, value)


def dense(units: int = 10, activation: str = "softmax", **options: object) -> keras.Layer:
    return layers.Dense(units, activation, **options)


# Networks that are accepted


ACCEPTED = {
    "sequential": (
        lambda: keras.Sequential([keras.Input((28, 28)), layers.Flatten(), dense(16, "relu"), dense()]),
        ((28, 28), "16", None),
    ),
    "functional": (
        lambda: functional(layers.Flatten(), dense(16, "relu"), dense(8, "relu"), dense()),
        ((28, 28), "16-8", None),
    ),
    "dropout": (
        lambda: functional(layers.Flatten(), dense(16, "relu"), layers.Dropout(0.4), dense()),
        ((28, 28), "16", None),
    ),
    "rescaling": (
        lambda: functional(layers.Rescaling(1 / 255), layers.Flatten(), dense(16, "relu"), dense()),
        ((28, 28), "16", (1 / 255, 0.0)),
    ),
    "rescaling to -0.5": (
        lambda: functional(layers.Flatten(), layers.Rescaling(0.5), dense(16, "relu"), dense()),
        ((28, 28), "16", (0.5, 0.0)),
    ),
    "rescaling with offset": (
        lambda: functional(
            layers.Rescaling(1 / 127.5, offset=-1), layers.Flatten(), dense(16, "relu"), dense()
        ),
        ((28, 28), "16", (1 / 127.5, -1.0)),
    ),
    "flat input": (
        lambda: keras.Sequential([keras.Input((784,)), dense(16, "relu"), dense()]),
        ((784,), "16", None),
    ),
    "input with a channel": (
        lambda: keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), dense(16, "relu"), dense()]),
        ((28, 28, 1), "16", None),
    ),
    "reshape": (
        lambda: functional(layers.Reshape((784,)), dense(16, "relu"), dense()),
        ((28, 28), "16", None),
    ),
    "reshape to the rest": (
        lambda: functional(layers.Reshape((-1,)), dense(16, "relu"), dense()),
        ((28, 28), "16", None),
    ),
    "without bias": (
        lambda: functional(layers.Flatten(), dense(16, "relu", use_bias=False), dense()),
        ((28, 28), "16", None),
    ),
}


@pytest.mark.parametrize(("build", "expected"), ACCEPTED.values(), ids=list(ACCEPTED))
def test_a_digits_network_is_read_and_loaded(build, expected, tmp_path):
    model = build()
    path = saved(model, tmp_path)
    spec = read_network_spec(path)
    rescaling = (spec.rescaling.scale, spec.rescaling.offset) if spec.rescaling else None
    assert (spec.input_shape, spec.arch, rescaling) == expected
    loaded, same_spec = load_network(path)
    assert same_spec == spec
    values = np.random.default_rng(0).random((3, *spec.input_shape), np.float32)
    # The same weights in the same layers: the same operations on the same numbers.
    assert np.array_equal(loaded(values, training=False), model(values, training=False))
    assert weights_sha256(loaded) == weights_sha256(model)
    # Keras' own shapes and counts; a bias that Keras does not keep is written as zeros.
    assert spec.shapes == ((*model.input_shape[1:],), *(layer.output.shape[1:] for layer in loaded.layers))
    assert spec.parameters == model.count_params() + sum(
        layer.units for layer in spec.dense if not layer.use_bias
    )


def test_a_spec_names_its_layers(tmp_path):
    path = saved(
        functional(
            layers.Flatten(name="flat"),
            dense(16, "relu", name="one"),
            layers.Dropout(0.25, name="drop"),
            dense(name="last"),
        ),
        tmp_path,
    )
    assert read_network_spec(path).layers == (
        Flatten("flat"),
        DenseSpec("one", 16, "relu"),
        Dropout("drop", 0.25),
        DenseSpec("last", 10, "softmax"),
    )


@pytest.mark.parametrize("widths", [(1,), (128, 32), (256, 128, 32)], ids=str)
def test_our_own_networks_come_back_as_they_were_described(widths, tmp_path):
    spec = network_spec(widths)
    assert read_network_spec(saved(build_network(spec), tmp_path)) == spec


def test_a_seed_decides_the_weights():
    first, same, other = (weights_sha256(build_network(SMALL, seed)) for seed in (0, 0, 1))
    assert first == same != other


# Networks that are refused


class Custom(layers.Layer):
    """A layer that only its author has."""

    def call(self, values: Any) -> Any:
        return values


@keras.saving.register_keras_serializable("tests")
class Registered(Custom):
    """A layer that its author has told Keras about."""


@keras.saving.register_keras_serializable("tests")
class Dense(layers.Dense):
    """A layer that takes the name of a known one."""


def skipping() -> keras.Model:
    """Only known layers, but not each fed by the one before."""
    first = keras.Input((28, 28))
    flat = layers.Flatten()(first)
    unused, used = dense(8, "relu")(flat), dense(9, "relu")(flat)
    return keras.Model(first, [dense()(unused), dense()(used)])


REFUSED = {
    "lambda": (
        lambda: functional(layers.Flatten(), layers.Lambda(lambda x: x), dense()),
        "a Lambda layer, which would run code",
    ),
    "convolution of one side": (
        lambda: functional(layers.Conv1DTranspose(4, 3), layers.Flatten(), dense()),
        r"layers of Activation, .*found a layer Conv1DTranspose \(conv1d_transpose\w*, layer 2 of the model\)",
    ),
    "sizes of another layer": (
        lambda: functional(
            layers.UpSampling2D(interpolation="bicubic"), layers.Flatten(), dense(), shape=(28, 28, 1)
        ),
        "interpolation nearest or bilinear in UpSampling2D",
    ),
    "custom layer": (lambda: functional(layers.Flatten(), Custom(), dense()), "found a layer Custom"),
    "registered layer": (
        lambda: functional(layers.Flatten(), Registered(), dense()),
        "found a layer Registered",
    ),
    "registered under a known name": (
        lambda: functional(layers.Flatten(), Dense(10, "softmax")),
        "a layer Dense",
    ),
    "skipped layers": (skipping, "expected a Keras 3 model configuration, found one that cannot be read"),
    "9 outputs": (
        lambda: functional(layers.Flatten(), dense(9)),
        r"softmax layer of 10 units at the end, found Dense 9 softmax that gives \(9,\)",
    ),
    "an activation that ends in no probabilities": (
        lambda: functional(layers.Flatten(), dense(10, "relu")),
        "a softmax layer of 10 units at the end, its logits, or ten sigmoids, found Dense 10 relu",
    ),
    "eleven sigmoids": (
        lambda: functional(layers.Flatten(), dense(11, "sigmoid")),
        "of 10 units at the end, found Dense 11 sigmoid",
    ),
    "a softmax before the end": (
        lambda: functional(layers.Flatten(), dense(), dense()),
        "a softmax dense\\w* before the end",
    ),
    "no weights": (
        lambda: functional(layers.Flatten()),
        r"softmax layer of 10 units at the end, found Activation that gives \(784,\)",
    ),
    "softsign": (
        lambda: functional(layers.Flatten(), dense(16, "softsign"), dense()),
        "expected an activation among linear, relu, .*found softsign",
    ),
    "linear layers": (
        lambda: functional(layers.Flatten(), dense(16, "linear"), dense()),
        "without an activation: the two are one",
    ),
    "no flatten": (
        lambda: functional(dense(16, "relu"), dense()),
        r"of 10 units at the end, found Dense 10 softmax that gives \(28, 10\)",
    ),
    "other pictures": (
        lambda: functional(layers.Flatten(), dense(), shape=(32, 32)),
        r"an input of shape \(28, 28\), .*\(1, 28, 28\) or \(784,\), found \[32, 32\]",
    ),
    "colours": (lambda: functional(layers.Flatten(), dense(), shape=(28, 28, 3)), r"found \[28, 28, 3\]"),
    "reshape to a film": (
        lambda: functional(layers.Reshape((7, 7, 4, 4)), layers.Flatten(), dense()),
        r"a Reshape to a row or a picture in Reshape reshape\w*, found \(7, 7, 4, 4\)",
    ),
    "rescaling with an endless offset": (
        lambda: functional(layers.Rescaling(1 / 127.5, offset=math.inf), layers.Flatten(), dense()),
        "a Rescaling layer with a finite offset in Rescaling .*, found inf",
    ),
    "mixed orders of channels": (
        lambda: functional(
            layers.Conv2D(28, 1),
            layers.MaxPooling2D(2, data_format="channels_first"),
            layers.Flatten(),
            dense(),
            shape=(28, 28, 1),
        ),
        "layers with channels first and layers with channels last",
    ),
    "strides and a serialized activation": (
        lambda: functional(
            layers.Conv2D(4, 3, activation=layers.LeakyReLU()), layers.Flatten(), dense(), shape=(28, 28, 1)
        ),
        "found one that is no name",
    ),
    "softmax of a map": (
        lambda: functional(
            layers.Conv2D(10, 28, activation="softmax"),
            layers.Flatten(),
            layers.Dropout(0.1),
            shape=(28, 28, 1),
        ),
        "a softmax conv2d\\w* before the end",
    ),
    "a window beyond the picture": (
        lambda: functional(layers.ZeroPadding2D(90), layers.Flatten(), dense(), shape=(28, 28, 1)),
        "expected padding from 0 to 64 in ZeroPadding2D",
    ),
    "more work than a chip can do": (
        lambda: functional(
            layers.Conv2D(40, 9, padding="same"),
            layers.Conv2D(64, 27, padding="same"),
            layers.GlobalMaxPooling2D(),
            dense(),
            shape=(28, 28, 1),
        ),
        "at most 1,073,741,824 multiplications for one image",
    ),
    "a map of a million values": (
        lambda: functional(
            layers.ZeroPadding2D(60),
            layers.Conv2D(64, 3),
            layers.GlobalMaxPooling2D(),
            dense(),
            shape=(28, 28, 1),
        ),
        "at most 262,144 values that one of its layers makes of an image, found 1,364,224",
    ),
    "many maps": (
        lambda: functional(
            *(layers.Conv2D(200, 1, name=f"maps_{place}") for place in range(30)),
            layers.GlobalMaxPooling2D(),
            dense(),
            shape=(28, 28, 1),
        ),
        "at most 4,194,304 values between its layers",
    ),
}


@pytest.mark.parametrize(("build", "reason"), REFUSED.values(), ids=list(REFUSED))
def test_another_network_is_refused_with_the_reason(build, reason, tmp_path):
    path = saved(build(), tmp_path)
    with pytest.raises(ContractError, match=reason) as caught:
        read_network_spec(path)
    assert str(caught.value).startswith(f"{path}: expected ")
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(("`edgedigits train`", "save the network anew"))
    with pytest.raises(ContractError):
        load_network(path)


def test_an_input_in_the_middle_is_refused(small_file, tmp_path):
    def twice(config: dict[str, Any]) -> None:
        chain = config["config"]["layers"]
        chain[1] = {
            **chain[0],
            "config": {**chain[0]["config"], "name": "another"},
        }  # in place of the Flatten

    path = with_config(small_file, tmp_path / "digits.keras", twice)
    with pytest.raises(ContractError, match="one input, at the beginning, found a layer InputLayer behind"):
        read_network_spec(path)


# Graphs that are none


def graph_of(config: dict[str, Any], name: str) -> dict[str, Any]:
    return next(layer for layer in config["config"]["layers"] if layer["config"]["name"] == name)


@pytest.fixture(scope="module")
def branched_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two branches that meet, and a model within the model. Only to be read."""
    first = keras.Input((28, 28, 1), name="image")
    left = layers.Conv2D(4, 3, padding="same", name="left")(first)
    right = layers.Conv2D(4, 3, padding="same", name="right")(first)
    met = layers.Add(name="met")([left, right])
    inner = keras.Sequential([keras.Input((28, 28, 4)), layers.MaxPooling2D(name="pool")], name="inner")
    last = layers.Dense(10, "softmax", name="last")(layers.Flatten(name="flat")(inner(met)))
    return saved(keras.Model(first, last), tmp_path_factory.mktemp("branched"))


def fed_by(layer: str, source: str) -> Callable[[dict[str, Any]], object]:
    def change(config: dict[str, Any]) -> None:
        argument = graph_of(config, layer)["inbound_nodes"][0]["args"][0]
        (argument[0] if isinstance(argument, list) else argument)["config"]["keras_history"][0] = source

    return change


def of_layer(name: str, **changes: object) -> Callable[[dict[str, Any]], object]:
    return lambda config: graph_of(config, name)["config"].update(changes)


def many_layers(config: dict[str, Any]) -> None:
    flat = graph_of(config, "flat")
    config["config"]["layers"] += [
        {**flat, "config": {**flat["config"], "name": f"flat{index}"}} for index in range(1_000)
    ]


def many_calls(config: dict[str, Any]) -> None:
    graph_of(config, "flat")["inbound_nodes"] *= 10_000


def deep(config: dict[str, Any]) -> None:
    inner = graph_of(config, "inner")
    for _ in range(50):
        layer = {**inner, "config": {**inner["config"], "layers": inner["config"]["layers"]}}
        inner["config"] = {**inner["config"], "layers": [inner["config"]["layers"][0], layer]}


def shared(config: dict[str, Any]) -> None:
    graph_of(config, "left")["shared_object_id"] = 7


GRAPHS = {
    "a circle": (fed_by("left", "met"), "layers without a circle, found \\w+ fed by"),
    "a layer fed by itself": (fed_by("left", "left"), "layers without a circle, found left fed by left"),
    "a layer fed by none": (fed_by("flat", "nowhere"), "layers without a circle, found flat fed by nowhere"),
    "branches of two shapes": (of_layer("left", filters=5), "layers that fit together, found Add of"),
    "a branch that leads nowhere": (
        lambda config: config["config"].update(output_layers=["right", 0, 0]),
        "layers that all lead to one output|a softmax layer of 10 units",
    ),
    "1,000 layers": (many_layers, "at most 100 layers, found 1,"),
    "10,000 calls": (many_calls, "at most 100 layers|cannot be read"),
    "models in models in models": (deep, "models in at most 3 others|at most 100 layers"),
    "a kernel of 2^31": (
        of_layer("left", kernel_size=[2**31, 2**31]),
        "kernel_size of two sides from 1 to 64",
    ),
    "a kernel of none": (of_layer("left", kernel_size=[0, 3]), "kernel_size of two sides from 1 to 64"),
    "a kernel of a text": (of_layer("left", kernel_size="many"), "kernel_size|cannot be read"),
    "filters without end": (of_layer("left", filters=10**12), "filters from 1 to 16,384"),
    "strides of none": (of_layer("left", strides=[0, 1]), "strides of two sides"),
    "groups that do not divide": (of_layer("left", groups=3), "channels to 4 in 3 groups"),
    "causal padding": (of_layer("left", padding="causal"), "padding valid or same"),
    "another order": (of_layer("left", data_format="channels_middle"), "data_format channels_last or"),
    "a window beyond the map": (
        of_layer("left", kernel_size=[40, 40], padding="valid"),
        "larger than its map",
    ),
    "a shared layer": (shared, "layers that belong to one model, found Conv2D shared by two"),
    "a mask": (
        lambda config: graph_of(config, "flat")["inbound_nodes"][0]["kwargs"].update(mask=3),
        "cannot be read",
    ),
    "two outputs": (
        lambda config: config["config"].update(output_layers=[["last", 0, 0], ["flat", 0, 0]]),
        "cannot be read",
    ),
}


@pytest.mark.parametrize(("change", "reason"), GRAPHS.values(), ids=list(GRAPHS))
def test_a_graph_that_is_none_is_refused_in_one_line(change, reason, branched_file, tmp_path):
    assert read_network_spec(branched_file).arch == "conv4-conv4-add-pool-dense10"
    path = with_config(branched_file, tmp_path / "digits.keras", change)
    with pytest.raises(ContractError, match=reason) as caught:
        read_network_spec(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1_500


@pytest.mark.parametrize("order", [1, -1], ids=["in order", "backwards"])
def test_many_calls_of_a_layer_of_which_nothing_is_left_end_early(order, tmp_path):
    """Such layers are no calls of the network, and each of theirs waits for the one before."""
    first = keras.Input((28, 28), name="image")
    last = layers.Dense(10, "softmax", name="last")(
        layers.Flatten()(layers.GaussianNoise(0.1, name="noise")(first))
    )
    small = saved(keras.Model(first, last), tmp_path)

    def change(config: dict[str, Any]) -> None:
        noise = graph_of(config, "noise")
        (node,) = noise["inbound_nodes"]
        text = json.dumps(node)
        chain = [node] + [
            json.loads(text.replace('["image", 0, 0]', f'["noise", {place}, 0]')) for place in range(3_000)
        ]
        noise["inbound_nodes"] = chain
        config["config"]["layers"] = config["config"]["layers"][::order]

    path = with_config(small, tmp_path / "digits.keras", change)
    started = time.monotonic()
    with pytest.raises(ContractError, match="at most 100 layers, found 3,"):
        read_network_spec(path)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "change",
    [of_layer("left", filters=5), of_layer("left", kernel_size=[5, 5]), of_layer("last", use_bias=False)],
    ids=["filters", "window", "bias"],
)
def test_weights_of_other_shapes_than_the_graph_are_refused(change, branched_file, tmp_path):
    def both(config: dict[str, Any]) -> None:
        change(config)
        if graph_of(config, "left")["config"]["filters"] == 5:
            of_layer("right", filters=5)(config)

    path = with_config(branched_file, tmp_path / "digits.keras", both)
    with pytest.raises(ModelFileError, match="its weights cannot be read"):
        load_network(path)


# Code in a file never runs


def test_the_code_of_a_lambda_layer_never_runs(tmp_path):
    marker = tmp_path / "was run"

    name = str(marker)
    # Keras writes the bytecode of a lambda, and only of a lambda, into the file.
    touch = layers.Lambda(lambda values: (__import__("pathlib").Path(name).touch(), values)[1])
    path = saved(functional(layers.Flatten(), touch, dense()), tmp_path)
    marker.unlink()  # Keras called it to build the network.
    for opened in (read_network_spec, load_network, open_model):
        with pytest.raises(ContractError, match="Lambda"):
            opened(path)
        assert not marker.exists()
    keras.saving.load_model(path, safe_mode=False)
    assert marker.exists()  # The file was dangerous indeed.


@pytest.mark.parametrize(
    "place", ["kernel_initializer", "kernel_regularizer", "compile_config", "build_config"]
)
def test_a_module_that_a_file_names_is_never_imported(place, small_file, tmp_path, monkeypatch):
    (tmp_path / "marked_module.py").write_text("class Anything: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    named = {"module": "marked_module", "class_name": "Anything", "config": {}, "registered_name": "Anything"}

    def name_it(config: dict[str, Any]) -> None:
        last = config["config"]["layers"][-1]
        (last["config"] if place.startswith("kernel") else last if place == "build_config" else config)[
            place
        ] = named

    path = with_config(small_file, tmp_path / "named.keras", name_it)
    load_network(path)
    assert "marked_module" not in sys.modules


# Files that are no network


def inside(change: Callable[[dict[str, Any]], object]) -> Callable[[Path, Path], Path]:
    return lambda source, target: with_config(source, target, change)


def replaced(**changes: bytes | None) -> Callable[[Path, Path], Path]:
    return lambda source, target: repacked(source, target, **changes)


def written(content: bytes) -> Callable[[Path, Path], Path]:
    def write(_: Path, target: Path) -> Path:
        target.write_bytes(content)
        return target

    return write


def some_layer(config: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(layer for layer in config["config"]["layers"] if layer["class_name"] == kind)


def empty_archive() -> bytes:
    buffer = io.BytesIO()
    zipfile.ZipFile(buffer, "w").close()
    return buffer.getvalue()


def huge_config() -> bytes:
    return b" " * LARGEST_CONFIG + b"{}"


NO_MODELS = {
    "empty": (written(b""), "no whole .keras archive"),
    "text": (written(b"this is no model\n" * 100), "no whole .keras archive"),
    "an HDF5 file": (written(b"\x89HDF\r\n\x1a\n" + bytes(500)), "its weights cannot be read"),
    "an empty archive": (written(empty_archive()), r"expected an archive of config\.json, .*found \[\]"),
    "a member outside": (replaced(**{"../evil": b"x"}), r"expected an archive of .*found \['\.\./evil', "),
    "an absolute member": (replaced(**{"/etc/evil": b"x"}), "expected an archive of .*found .*/etc/evil"),
    "an extra member": (replaced(**{"assets/run.py": b"x"}), r"expected an archive of .*assets/run\.py"),
    "no configuration": (
        replaced(**{"config.json": None}),
        r"found \['metadata\.json', 'model\.weights\.h5'\]",
    ),
    "no weights": (replaced(**{"model.weights.h5": None}), r"found \['config\.json', 'metadata\.json'\]"),
    "invalid JSON": (replaced(**{"config.json": b'{"class_name": '}), "no whole .keras archive"),
    "no text": (replaced(**{"config.json": b"\xff\xfe\x00\x01"}), "no whole .keras archive"),
    "nested without end": (replaced(**{"config.json": b"[" * 200_000}), "no whole .keras archive"),
    "a huge configuration": (replaced(**{"config.json": huge_config()}), r"its config\.json is too large"),
}


@pytest.mark.parametrize(("make", "reason"), NO_MODELS.values(), ids=list(NO_MODELS))
def test_another_file_is_refused_with_the_reason(make, reason, small_file, tmp_path):
    path = make(small_file, tmp_path / "digits.keras")
    with pytest.raises(ModelFileError, match=reason) as caught:
        load_network(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).endswith("train a digits network with `edgedigits train`")
    assert [entry.name for entry in tmp_path.iterdir()] == ["digits.keras"]


CONFIGURATIONS = {
    "a list": (lambda config: None, b"[]"),
    "null": (lambda config: None, b"null"),
    "nothing": (lambda config: config.clear(), None),
    "no layers": (lambda config: config["config"].update(layers=[]), None),
    "layers as text": (lambda config: config["config"].update(layers="layers"), None),
    "layers as numbers": (lambda config: config["config"].update(layers=[1, 2]), None),
    "another class": (lambda config: config.update(class_name="Subclassed"), None),
    "no input": (lambda config: config["config"]["layers"].pop(0), None),
    "text as a width": (lambda config: some_layer(config, "Dense")["config"].update(units="many"), None),
    "no width": (lambda config: some_layer(config, "Dense")["config"].pop("units"), None),
    "negative width": (lambda config: some_layer(config, "Dense")["config"].update(units=-1), None),
    "absurd width": (lambda config: some_layer(config, "Dense")["config"].update(units=10**9), None),
    "width beyond numbers": (
        lambda config: some_layer(config, "Dense")["config"].update(units=float("inf")),
        None,
    ),
    "an activation that is an object": (
        lambda config: some_layer(config, "Dense")["config"].update(activation={"class_name": "function"}),
        None,
    ),
    "a layer of another module": (lambda config: some_layer(config, "Dense").update(module="os"), None),
    "a layer registered by somebody": (
        lambda config: some_layer(config, "Dense").update(registered_name="tests>Dense"),
        None,
    ),
}


@pytest.mark.parametrize(("change", "content"), CONFIGURATIONS.values(), ids=list(CONFIGURATIONS))
def test_another_configuration_is_refused(change, content, small_file, tmp_path):
    path = tmp_path / "digits.keras"
    if content is None:
        with_config(small_file, path, change)
    else:
        repacked(small_file, path, **{"config.json": content})
    with pytest.raises(ContractError, match=r"digits\.keras: expected "):
        read_network_spec(path)


@pytest.mark.parametrize("scale", ["NaN", "Infinity", "-Infinity", "0.0"])
def test_a_rescaling_by_no_usable_number_is_refused(scale, tmp_path):
    path = saved(functional(layers.Rescaling(0.123), layers.Flatten(), dense()), tmp_path)
    config = members(path)["config.json"].replace(b"0.123", scale.encode())
    with pytest.raises(ContractError, match="Rescaling"):
        read_network_spec(repacked(path, tmp_path / "odd.keras", **{"config.json": config}))


@pytest.mark.parametrize("share", [0.01, 0.25, 0.5, 0.75, 0.99, 0.999])
def test_a_truncated_file_is_refused(share, small_file, tmp_path):
    content = small_file.read_bytes()
    path = tmp_path / "digits.keras"
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ModelFileError, match=r"no whole \.keras archive, truncated or of another kind"):
        load_network(path)


@settings(deadline=None, max_examples=150)
@given(st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_a_changed_byte_is_either_harmless_or_refused(small_file, tmp_path_factory, place, change):
    content = bytearray(small_file.read_bytes())
    # The directory at the end of an archive is its most delicate part: half of the changes go there.
    size = len(content)
    position = int(place * 2 * size) if place < 0.5 else size - 1 - int((place - 0.5) * 2 * 400)
    content[position] ^= change
    path = tmp_path_factory.getbasetemp() / "altered.keras"
    path.write_bytes(content)
    try:
        spec = read_network_spec(path)
    except EdgeDigitsError:
        return
    # All that means something is under a checksum; dates and the like are not.
    assert spec == SMALL


def test_a_missing_file_says_how_to_get_one(tmp_path):
    with pytest.raises(ModelNotFoundError, match=r"nowhere\.keras: no such model file; train one"):
        read_network_spec(tmp_path / "nowhere.keras")


def test_a_folder_is_no_model(tmp_path):
    with pytest.raises(ModelFileError, match=r"no whole HDF5 file, .*(Is a directory|ermission)"):
        read_network_spec(tmp_path)


# Weights


def with_weights(source: Path, target: Path, change: Callable[[h5py.File], object]) -> Path:
    buffer = io.BytesIO(members(source)["model.weights.h5"])
    with h5py.File(buffer, "r+") as weights:
        change(weights)
    return repacked(source, target, **{"model.weights.h5": buffer.getvalue()})


def kernel(weights: h5py.File) -> str:
    """The path of some Dense layer's kernel inside the file."""
    found: list[str] = []
    weights.visititems(
        lambda name, item: found.append(name) if getattr(item, "shape", ()) == (784, 16) else None
    )
    return found[0]


def drop_kernel(weights: h5py.File) -> None:
    del weights[kernel(weights)]


def drop_all(weights: h5py.File) -> None:
    for name in list(weights):
        del weights[name]


def other_shape(weights: h5py.File) -> None:
    name = kernel(weights)
    del weights[name]
    weights[name] = np.zeros((784, 17), np.float32)


def texts(weights: h5py.File) -> None:
    name = kernel(weights)
    del weights[name]
    weights[name] = np.full((784, 16), b"no number")


@pytest.mark.parametrize(
    "change",
    [drop_kernel, drop_all, other_shape, texts],
    ids=["a kernel missing", "all missing", "other shape", "texts"],
)
def test_weights_that_do_not_fit_are_refused(change, small_file, tmp_path):
    path = with_weights(small_file, tmp_path / "digits.keras", change)
    assert read_network_spec(path) == SMALL
    with pytest.raises(ModelFileError, match=r"digits\.keras: its weights cannot be read \(.+\); train"):
        load_network(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"no HDF5", b"\x89HDF\r\n\x1a\n" + bytes(500)],
    ids=["empty", "text", "only its beginning"],
)
def test_weights_that_are_no_hdf5_file_are_refused(content, small_file, tmp_path):
    path = repacked(small_file, tmp_path / "digits.keras", **{"model.weights.h5": content})
    with pytest.raises(ModelFileError, match="its weights cannot be read"):
        load_network(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_weights_cut_off_inside_a_whole_archive_are_refused(share, small_file, tmp_path):
    content = members(small_file)["model.weights.h5"]
    cut = {"model.weights.h5": content[: int(share * len(content))]}
    with pytest.raises(ModelFileError, match="its weights cannot be read"):
        load_network(repacked(small_file, tmp_path / "digits.keras", **cut))


def test_a_configuration_of_other_widths_than_the_weights_is_refused(small_file, tmp_path):
    def widen(config: dict[str, Any]) -> None:
        some_layer(config, "Dense")["config"]["units"] = 17

    path = with_config(small_file, tmp_path / "digits.keras", widen)
    assert read_network_spec(path).arch == "17-8"
    with pytest.raises(ModelFileError, match="its weights cannot be read"):
        load_network(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf], ids=str)
def test_weights_that_are_no_numbers_are_refused(value, tmp_path):
    model = build_network(SMALL)
    weights = model.get_weights()
    weights[2][3, 1] = value
    model.set_weights(weights)
    with pytest.raises(ModelFileError, match="its weights hold NaN or infinity"):
        load_network(saved(model, tmp_path))


def test_specs_are_compared_by_what_they_say():
    assert NetworkSpec((28, 28), SMALL.layers) == SMALL
    assert NetworkSpec((784,), SMALL.layers) != SMALL
