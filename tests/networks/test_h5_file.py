"""Whole-model ``.h5`` files of Keras 2 and 3, and what attackers and accidents make of them."""

import contextlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from click.testing import CliRunner
from keras import layers

from edgedigits.cli import cli
from edgedigits.errors import ContractError, EdgeDigitsError, ModelFileError
from edgedigits.model_files.keras2_config import as_keras_3
from edgedigits.networks import h5_copy, h5_file
from edgedigits.networks.build import load_network, weights_sha256
from edgedigits.networks.weights_copy import UNREADABLE
from edgedigits.runtimes.opening import open_model

KERAS_2 = Path(__file__).parent / "keras2"


def values(shape: tuple[int, ...], count: int = 4) -> np.ndarray:
    return np.random.default_rng(1).random((count, 28, 28), np.float32).reshape(-1, *shape)


def inner(shape: tuple[int, ...], *, trainable: bool) -> keras.Model:
    image = keras.Input(shape)
    found = layers.BatchNormalization()(layers.Conv2D(3, 3, 2)(image))
    model = keras.Model(image, layers.PReLU(shared_axes=[1, 2])(found))
    model.layers[1].trainable = trainable
    return model


def nested() -> keras.Model:
    image = keras.Input((28, 28, 1))
    first, second = inner((28, 28, 1), trainable=False), inner((13, 13, 3), trainable=True)
    second.trainable = False
    flat = layers.Flatten()(layers.Dropout(0.1)(second(first(image))))
    return keras.Model(image, layers.Dense(10, "softmax")(flat))


def plain() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((28, 28)),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dense(12, "relu"),
            layers.Dense(10),
        ]
    )


def randomized(model: keras.Model) -> keras.Model:
    generator = np.random.default_rng(0)
    model.set_weights(
        [generator.uniform(0.1, 1, array.shape).astype(np.float32) for array in model.get_weights()]
    )
    return model


@pytest.mark.parametrize(("build", "name"), [(nested, "theirs.h5"), (plain, "theirs.hdf5")])
def test_a_file_of_keras_3_is_the_network_of_its_archive(
    build: Callable[[], keras.Model], name: str, tmp_path: Path
) -> None:
    model = randomized(build())
    model.save(tmp_path / name)
    model.save(tmp_path / "theirs.keras")
    loaded, spec = load_network(tmp_path / name)
    same, same_spec = load_network(tmp_path / "theirs.keras")
    assert spec == same_spec
    assert weights_sha256(loaded) == weights_sha256(same)
    given = values(spec.input_shape)
    np.testing.assert_array_equal(loaded(given), same(given))


def test_a_file_of_keras_2_answers_as_keras_2_did(tmp_path: Path) -> None:
    model, spec = load_network(KERAS_2 / "small.h5")
    found = model(values(spec.input_shape), training=False).numpy()
    np.testing.assert_allclose(found, np.loadtxt(KERAS_2 / "answers.txt"), rtol=0, atol=1e-6)
    # Keras 2 long wrote the same under the other name.
    shutil.copy(KERAS_2 / "small.h5", tmp_path / "small.keras")
    assert open_model(tmp_path / "small.keras").metadata.weights_sha256 == weights_sha256(model)


def test_the_command_tells_of_it(tmp_path: Path) -> None:
    randomized(plain()).save(tmp_path / "theirs.h5")
    said = CliRunner().invoke(cli, ["info", str(tmp_path / "theirs.h5")])
    assert said.exit_code == 0, said.stderr
    assert "its softmax was added to logits" in said.stdout
    assert "pixels as they are: it has a Rescaling layer" in said.stdout


# Configurations of older releases


def layer(kind: str, **config: object) -> dict[str, object]:
    return {"class_name": kind, "config": config}


def test_an_input_that_the_first_layer_declares_is_an_input() -> None:
    first = layer("Flatten", name="a", batch_input_shape=[None, 28, 28], data_format="channels_last")
    dense = layer("Dense", name="b", units=10)
    for config in ([first, dense], {"name": "x", "layers": [first, dense]}):
        found = as_keras_3({"class_name": "Sequential", "config": config}, is_keras_2=True)
        entry, *others = found["config"]["layers"]
        assert entry["class_name"] == "InputLayer"
        assert entry["config"]["batch_shape"] == [None, 28, 28]
        assert [other["class_name"] for other in others] == ["Flatten", "Dense"]
        assert {other["module"] for other in others} == {"keras.layers"}


def test_arguments_of_keras_2_get_their_new_names() -> None:
    model = {
        "class_name": "Sequential",
        "config": {
            "name": "x",
            "layers": [layer("LeakyReLU", name="a", alpha=0.25), layer("Conv2D", name="b")],
        },
    }
    first, second = as_keras_3(model, is_keras_2=True)["config"]["layers"]
    assert first["config"]["negative_slope"] == 0.25
    assert second["config"]["groups"] == 1
    assert "groups" not in as_keras_3(model, is_keras_2=False)["config"]["layers"][1]["config"]


@pytest.mark.parametrize("key", ["activation", "recurrent_activation"])
def test_a_function_that_keras_3_means_otherwise_is_refused(key: str) -> None:
    model = {"class_name": "Sequential", "config": [layer("Dense", name="a", **{key: "hard_sigmoid"})]}
    with pytest.raises(ValueError, match="hard_sigmoid in Dense a, which Keras 3 computes otherwise"):
        as_keras_3(model, is_keras_2=True)
    as_keras_3(model, is_keras_2=False)


# Whole files that are none


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("h5") / "theirs.h5"
    randomized(plain()).save(path)
    return path


@pytest.fixture
def file(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(whole, tmp_path))


def changed(path: Path, change: Callable[[h5py.File], object]) -> Path:
    with h5py.File(path, "r+") as opened:
        change(opened)
    return path


def reconfigured(change: Callable[[dict], object]) -> Callable[[h5py.File], None]:
    def changing(opened: h5py.File) -> None:
        config = json.loads(opened.attrs["model_config"])
        opened.attrs["model_config"] = json.dumps(change(config) or config)

    return changing


def _dense(opened: h5py.File) -> h5py.Group:
    name = next(name for name in opened["model_weights"].attrs["layer_names"] if name.startswith("dense"))
    return opened["model_weights"][name]


def kernel(opened: h5py.File) -> tuple[h5py.Group, str]:
    group = _dense(opened)
    return group, group.attrs["weight_names"][0]


def replaced_kernel(replace: Callable[[h5py.Group, str], object]) -> Callable[[h5py.File], None]:
    def changing(opened: h5py.File) -> None:
        group, name = kernel(opened)
        del group[name]
        replace(group, name)

    return changing


def external_storage(group: h5py.Group, name: str) -> None:
    group.create_dataset(name, (784, 12), np.float32, external=[("/etc/passwd", 0, 784 * 48)])


def virtual(group: h5py.Group, name: str) -> None:
    layout = h5py.VirtualLayout((784, 12), np.float32)
    layout[:] = h5py.VirtualSource("/etc/passwd", "kernel", (784, 12))
    group.create_virtual_dataset(name, layout)


def external_link(group: h5py.Group, name: str) -> None:
    group[name] = h5py.ExternalLink("/etc/passwd", "/")


def renamed_kernel(name: str) -> Callable[[h5py.File], None]:
    def changing(opened: h5py.File) -> None:
        group = _dense(opened)
        group.attrs["weight_names"] = [name, group.attrs["weight_names"][1]]

    return changing


def soft_group(opened: h5py.File) -> None:
    weights = opened["model_weights"]
    weights.move(_dense(opened).name.rpartition("/")[2], "elsewhere")
    name = next(name for name in weights.attrs["layer_names"] if name.startswith("dense"))
    weights[name] = h5py.SoftLink("/model_weights/elsewhere")


def lambda_layer(config: dict) -> None:
    config["config"]["layers"][2]["class_name"] = "Lambda"


def custom(config: dict) -> None:
    config["config"]["layers"][2] |= {"class_name": "Mine", "registered_name": "Custom>Mine"}


def module(config: dict) -> None:
    config["config"]["layers"][2]["module"] = "os"


def model_module(config: dict) -> None:
    config["module"] = "os"


def deep(config: dict) -> dict:
    for _ in range(6):
        config = {"class_name": "Sequential", "config": {"name": "again", "layers": [config]}}
    return config


HOSTILE: dict[str, tuple[Callable[[h5py.File], object], type[EdgeDigitsError], str]] = {
    "external storage": (replaced_kernel(external_storage), ModelFileError, "lies in another file"),
    "virtual": (replaced_kernel(virtual), ModelFileError, "lies in another file"),
    "external link": (replaced_kernel(external_link), ModelFileError, "is a link to elsewhere"),
    "soft link": (soft_group, ModelFileError, "is a link to elsewhere"),
    "huge": (
        replaced_kernel(lambda group, name: group.create_dataset(name, (1 << 20, 1 << 20), "f4", chunks=True)),
        ModelFileError, "is larger than the file",
    ),
    "packed": (
        replaced_kernel(lambda group, name: group.create_dataset(
            name, data=np.zeros((4_000, 4_000), np.float32), compression="gzip")),
        ModelFileError, "is larger than the file",
    ),
    "texts": (
        replaced_kernel(lambda group, name: group.create_dataset(name, data=np.array([b"x"] * 9))),
        ModelFileError, "is no array of numbers",
    ),
    "another shape": (
        replaced_kernel(lambda group, name: group.create_dataset(name, data=np.ones((784, 11), np.float32))),
        ModelFileError, "its weights cannot be read",
    ),
    "NaN": (
        lambda opened: kernel(opened)[0][kernel(opened)[1]].write_direct(np.full((784, 12), np.nan, np.float32)),
        ModelFileError, "NaN or infinity",
    ),
    "absolute name": (renamed_kernel("/model_weights"), ModelFileError, "no name of a layer or an array"),
    "dots": (renamed_kernel("../dense"), ModelFileError, "no name of a layer or an array"),
    "deep name": (renamed_kernel("/".join("a" * 9)), ModelFileError, "no name of a layer or an array"),
    "no such name": (renamed_kernel("nothing"), ModelFileError, "is a link to elsewhere"),
    "fewer arrays": (
        lambda opened: _dense(opened).attrs.__setitem__("weight_names", _dense(opened).attrs["weight_names"][:1]),
        ModelFileError, "1 arrays of dense.*, expected 2",
    ),
    "no names": (lambda opened: opened["model_weights"].attrs.pop("layer_names"), ModelFileError, "no layer_names"),
    "a number for names": (
        lambda opened: opened["model_weights"].attrs.__setitem__("layer_names", 7),
        ModelFileError, "layer_names is no list",
    ),
    "many names": (
        lambda opened: opened["model_weights"].attrs.__setitem__("layer_names", np.full(2_000, b"a")),
        ModelFileError, "layer_names is no list of at most",
    ),
    "no weights": (lambda opened: opened.__delitem__("model_weights"), ModelFileError, "is a link to elsewhere"),
    "weights alone": (
        lambda opened: opened.attrs.pop("model_config"), ContractError,
        r"found weights alone, without a network; build the network in Keras, model\.load_weights\('theirs\.h5'\)",
    ),
    "no JSON": (lambda opened: opened.attrs.__setitem__("model_config", "{"), ModelFileError, "no configuration"),
    "brackets": (
        lambda opened: opened.attrs.__setitem__("model_config", "[" * 60_000), ModelFileError, "no configuration",
    ),
    "a list": (lambda opened: opened.attrs.__setitem__("model_config", "[1]"), ContractError, "cannot be read"),
    "Lambda": (reconfigured(lambda_layer), ContractError, "a Lambda layer, which would run code"),
    "custom": (reconfigured(custom), ContractError, "a layer Mine"),
    "a layer's module": (reconfigured(module), ContractError, "a layer Flatten"),
    "a model's module": (reconfigured(model_module), ContractError, "a Sequential or Functional Keras model"),
    "deep models": (reconfigured(deep), ContractError, "expected"),
}  # fmt: skip


@contextlib.contextmanager
def copied_here(path: Path) -> Iterator[Path]:
    """What the child does, without the half second of a process of its own."""
    try:
        h5_copy.copy(path, path.with_name("copy.h5"))
    except UNREADABLE as error:
        raise ModelFileError(path, f"its weights cannot be read ({error})") from error
    yield path.with_name("copy.h5")


IN_A_PROCESS = ("external storage", "huge", "weights alone", "NaN")


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_such_file_is_told_in_one_line(
    name: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name not in IN_A_PROCESS:
        monkeypatch.setattr(h5_file, "copied_network", copied_here)
    change, kind, complaint = HOSTILE[name]
    changed(file, change)
    start = time.process_time()
    with pytest.raises(kind, match=rf"theirs\.h5: .*{complaint}") as caught:
        load_network(file)
    assert "\n" not in str(caught.value)
    assert time.process_time() - start < 5


def test_a_truncated_file_is_told_in_one_line(file: Path) -> None:
    content = file.read_bytes()
    for part in (8, len(content) - 100):
        file.write_bytes(content[:part])
        with pytest.raises(ModelFileError, match=r"theirs\.h5: its weights cannot be read") as caught:
            load_network(file)
        assert "\n" not in str(caught.value)


# What says how it is saved anew


def test_other_files_say_how_they_are_saved_anew(file: Path) -> None:
    folder = file.parent / "saved"
    folder.mkdir()
    with pytest.raises(ModelFileError, match="expected a file that ends in"):
        open_model(folder)
    (folder / "saved_model.pb").write_bytes(b"\x08\x01")
    with pytest.raises(
        ContractError, match=r"found a SavedModel; save it anew with Keras 2: tf_keras\.models"
    ):
        open_model(folder)
    model = plain()
    model.save_weights(file.parent / "theirs.weights.h5")
    with pytest.raises(ContractError, match="found weights alone"):
        open_model(file.parent / "theirs.weights.h5")
