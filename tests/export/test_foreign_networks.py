"""Digits networks that other people's code made: exported, or refused with the reason."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from edgedigits.datasets.split import Split
from edgedigits.errors import ContractError, DatasetError, ModelFileError
from edgedigits.file_names import file_name
from edgedigits.networks.build import load_network, weighted_network
from edgedigits.runtimes.opening import open_model
from edgedigits_export import FORMATS, ExportOptions, export_model, select_targets

Weights = list[tuple[np.ndarray, np.ndarray]]
FLOAT_FILES = (*select_targets("tflite", None), *select_targets("onnx", None))


@pytest.fixture(scope="module")
def weights(models: Path) -> Weights:
    """Of a trained 128-32 network, so that the answers mean something."""
    return [layer.arrays for layer in weighted_network(load_network(models / "digits.keras")[0]).layers]


@pytest.fixture(scope="module")
def data(dataset: tuple[Split, Split]) -> tuple[Split, Split]:
    train, test = dataset
    return (
        Split.of(train.dataset, train.images[:1_300], train.labels[:1_300]),
        Split.of(test.dataset, test.images[:300], test.labels[:300]),
    )


def dense(use_bias: bool = True) -> list[layers.Dense]:
    kinds = ((128, "relu"), (32, "relu"), (10, "softmax"))
    return [layers.Dense(units, activation, use_bias=use_bias) for units, activation in kinds]


def sequential(*before: keras.Layer, shape: tuple[int, ...] = (28, 28), use_bias: bool = True) -> keras.Model:
    return keras.Sequential([keras.Input(shape), *before, *dense(use_bias)])


def functional() -> keras.Model:
    image = keras.Input((28, 28), name="anything")
    values = layers.Flatten()(image)
    for layer in dense():
        values = layer(values)
    return keras.Model(image, values)


def with_dropout() -> keras.Model:
    first, second, last = dense()
    return keras.Sequential(
        [
            keras.Input((28, 28)),
            layers.Flatten(),
            first,
            layers.Dropout(0.4),
            second,
            layers.Dropout(0.2),
            last,
        ]
    )


def flat_functional_with_everything() -> keras.Model:
    image = keras.Input((784,))
    values = layers.Rescaling(1 / 255)(image)
    for layer in dense():
        values = layers.Dropout(0.1)(layer(values)) if layer.units > 10 else layer(values)
    return keras.Model(image, values)


FOREIGN: dict[str, tuple[Callable[[], keras.Model], float]] = {
    # What makes the network, and what its author multiplies pixels by before the call.
    "sequential": (lambda: sequential(layers.Flatten()), 1 / 255),
    "functional": (functional, 1 / 255),
    "one channel": (lambda: sequential(layers.Flatten(), shape=(28, 28, 1)), 1 / 255),
    "784 inputs": (lambda: sequential(shape=(784,)), 1 / 255),
    "Reshape": (lambda: sequential(layers.Reshape((784,))), 1 / 255),
    "Reshape of -1": (lambda: sequential(layers.Reshape((-1,))), 1 / 255),
    "Dropout": (with_dropout, 1 / 255),
    "no bias": (lambda: sequential(layers.Flatten(), use_bias=False), 1 / 255),
    "Rescaling": (lambda: sequential(layers.Rescaling(1 / 255), layers.Flatten()), 1.0),
    "Rescaling after Flatten": (lambda: sequential(layers.Flatten(), layers.Rescaling(1 / 255)), 1.0),
    "Rescaling to 0..2": (lambda: sequential(layers.Rescaling(2 / 255), layers.Flatten()), 1.0),
    "784, functional, Rescaling, Dropout": (flat_functional_with_everything, 1.0),
}


def fill(network: keras.Model, weights: Weights) -> None:
    filled = [layer for layer in network.layers if isinstance(layer, layers.Dense)]
    for layer, (kernel, bias) in zip(filled, weights, strict=True):
        layer.set_weights([kernel, bias] if layer.use_bias else [kernel])


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_network_of_another_author_gives_its_own_answers(
    kind: str, weights: Weights, data: tuple[Split, Split], tmp_path: Path
) -> None:
    build, scale = FOREIGN[kind]
    network = build()
    fill(network, weights)
    network.save(tmp_path / "digits.keras")
    pixels = data[1].images
    expected = network.predict((pixels * np.float32(scale)).reshape(-1, *network.input_shape[1:]), verbose=0)

    exported, failed = export_model(tmp_path / "digits.keras", FLOAT_FILES, *data)

    assert not failed
    for path in (tmp_path / "digits.keras", *(file.path for file in exported)):
        # float32 sums of 784 products in another order, through a softmax: measured 2e-6, the gate allows 1e-3.
        np.testing.assert_allclose(open_model(path).probabilities(pixels), expected, rtol=0, atol=2e-5)
    accuracy = (expected.argmax(axis=1) == data[1].labels).mean()
    assert accuracy > 0.7  # the answers mean something: chance is 0.1, and losing the biases costs the most


@pytest.mark.no_cover  # the fixture `models` has run the same lines
@pytest.mark.mnist
def test_a_foreign_network_goes_to_every_format(
    weights: Weights, mnist_train: Split, mnist_test: Split, tmp_path: Path
) -> None:
    network = sequential(layers.Rescaling(1 / 255), layers.Flatten())
    fill(network, weights)
    network.save(tmp_path / "theirs.keras")
    # No manifest knows it: calibration stays away from the validation images of the default recipe.
    exported, failed = export_model(
        tmp_path / "theirs.keras",
        select_targets("all", None),
        mnist_train,
        mnist_test,
        options=ExportOptions(calibration_size=200, max_drop=5.0),
    )
    assert not failed
    assert [file.path.name for file in exported] == [
        file_name("theirs", target.format, target.precision) for target in select_targets("all", None)
    ]
    assert (tmp_path / "theirs.reference.npz").exists()
    assert not (tmp_path / "theirs.MODEL_CARD.md").exists()  # nobody here knows how it was trained


def saved(network: keras.Model, folder: Path) -> Path:
    network.save(folder / "digits.keras")
    return folder / "digits.keras"


@pytest.mark.parametrize(
    ("build", "found"),
    [
        (
            lambda: sequential(layers.Flatten(), layers.Lambda(lambda x: x)),
            "a Lambda layer, which would run code",
        ),
        (lambda: sequential(layers.Flatten(), shape=(32, 32, 3)), r"found \[32, 32, 3\]"),
        (lambda: sequential(layers.UpSampling1D(2), layers.Flatten()), "found a layer UpSampling1D"),
        (
            lambda: keras.Sequential([keras.Input((784,)), layers.Dense(2, "softmax")]),
            "found Dense 2 softmax",
        ),
        (lambda: keras.Sequential([keras.Input((784,)), layers.Dense(10, "tanh")]), "found Dense 10 tanh"),
    ],
    ids=["Lambda", "colour pictures", "tier two", "two classes", "no probabilities"],
)
def test_another_kind_of_network_is_refused_with_the_reason(
    build: Callable[[], keras.Model], found: str, data: tuple[Split, Split], tmp_path: Path
) -> None:
    path = saved(build(), tmp_path)
    with pytest.raises(ContractError, match=rf"digits\.keras: expected .*{found}"):
        export_model(path, FORMATS, *data)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["digits.keras"]


def test_a_truncated_network_is_refused(models: Path, data: tuple[Split, Split], tmp_path: Path) -> None:
    content = (models / "digits.keras").read_bytes()
    (tmp_path / "digits.keras").write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelFileError, match=r"no whole \.keras archive, truncated"):
        export_model(tmp_path / "digits.keras", FORMATS, *data)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["digits.keras"]


def test_data_that_the_network_was_not_trained_on_are_refused(
    models: Path, data: tuple[Split, Split], tmp_path: Path
) -> None:
    # Calibration with other images could meet the network's validation images unseen.
    with pytest.raises(
        DatasetError, match=r"the network was trained on .*, but these are other training images"
    ):
        export_model(models / "digits.keras", FORMATS, *data, folder=tmp_path)
    assert not list(tmp_path.iterdir())
