import io
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from edgedigits.errors import ContractError, ModelFileError, ModelNotFoundError
from edgedigits.model_files.network_spec import network_spec
from edgedigits.networks.build import (
    build_network,
    load_network,
    set_weights,
    weighted_network,
    weights_sha256,
)


def rewritten(path: Path, target: Path, member: str, content: bytes) -> Path:
    """Copy a ``.keras`` archive with one member replaced."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w") as copy:
        for name in source.namelist():
            copy.writestr(name, content if name == member else source.read(name))
    return target


def weights_file(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read("model.weights.h5")


def first_kernel(content: bytes, change) -> bytes:
    """Change the first weights of an HDF5 file, in place or by another array."""
    buffer = io.BytesIO(content)
    with h5py.File(buffer, "r+") as file:
        found: list[h5py.Dataset] = []
        file.visititems(lambda _, item: found.append(item) if getattr(item, "ndim", 0) == 2 else None)
        name, values = found[0].name, found[0][()]
        del file[name]
        file[name] = change(values)
    return buffer.getvalue()


def test_the_weights_come_back_as_they_were_saved(models: Path) -> None:
    network, spec = load_network(models / "digits.keras")
    by_keras = keras.saving.load_model(models / "digits.keras")
    assert spec.arch == "128-32"
    for ours, theirs in zip(network.get_weights(), by_keras.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.999], ids=lambda share: f"{share:.1%}")
def test_a_truncated_file_is_an_error(share: float, models: Path, tmp_path: Path) -> None:
    content = (models / "digits.keras").read_bytes()
    path = tmp_path / "digits.keras"
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(
        ModelFileError, match=r"digits\.keras: no whole \.keras archive.*; train a digits net"
    ):
        load_network(path)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda kernel: kernel[:, :-1], "its weights cannot be read"),
        (lambda kernel: kernel.T, "its weights cannot be read"),
        (lambda kernel: np.full_like(kernel, np.nan), "its weights hold NaN or infinity"),
        (lambda kernel: np.where(kernel == kernel.max(), np.inf, kernel), "its weights hold NaN or infinity"),
        (np.zeros_like, "all weights of its layer hidden_1 are 0"),
        (lambda kernel: -0.0 * np.ones_like(kernel), "all weights of its layer hidden_1 are 0"),
    ],
    ids=["narrower", "transposed", "NaN", "one infinity", "zeros", "negative zeros"],
)
def test_weights_that_are_not_those_of_the_network_are_an_error(
    change, complaint: str, models: Path, tmp_path: Path
) -> None:
    source = models / "digits.keras"
    path = rewritten(
        source, tmp_path / "digits.keras", "model.weights.h5", first_kernel(weights_file(source), change)
    )
    with pytest.raises(ModelFileError, match=complaint):
        load_network(path)


@pytest.mark.parametrize(
    "content",
    [lambda _: b"", lambda _: b"no HDF5", lambda weights: weights[: len(weights) // 2]],
    ids=["empty", "text", "half"],
)
def test_weights_that_are_no_hdf5_are_an_error(content, models: Path, tmp_path: Path) -> None:
    source = models / "digits.keras"
    path = rewritten(source, tmp_path / "digits.keras", "model.weights.h5", content(weights_file(source)))
    with pytest.raises(ModelFileError, match="its weights cannot be read"):
        load_network(path)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="no such model file; train one with `edgedigits train`"):
        load_network(tmp_path / "digits.keras")


def test_code_in_a_file_is_never_run(tmp_path: Path) -> None:
    layers = keras.layers
    network = keras.Sequential(
        [keras.Input((28, 28)), layers.Flatten(), layers.Lambda(lambda x: x), layers.Dense(10, "softmax")]
    )
    network.save(tmp_path / "digits.keras")
    with zipfile.ZipFile(tmp_path / "digits.keras") as archive:
        assert b'"Lambda"' in archive.read("config.json")
    with pytest.raises(ContractError, match="a Lambda layer, which would run code from the file"):
        load_network(tmp_path / "digits.keras")


def test_the_hash_is_of_the_weights_and_of_nothing_else(models: Path) -> None:
    network, _ = load_network(models / "digits.keras")
    again, _ = load_network(models / "digits.keras")
    assert weights_sha256(network) == weights_sha256(again)
    weights = again.get_weights()
    weights[0][300, 5] = np.nextafter(weights[0][300, 5], np.float32(1))
    again.set_weights(weights)
    assert weights_sha256(network) != weights_sha256(again)


def test_the_seed_decides_the_weights() -> None:
    spec = network_spec((16, 8))
    first, same, other = (build_network(spec, seed) for seed in (3, 3, 4))
    assert weights_sha256(first) == weights_sha256(same) != weights_sha256(other)
    # Each layer has a seed of its own: two of one shape do not start alike.
    square = build_network(network_spec((8, 8, 8)))
    _, second, third, _ = weighted_network(square).layers
    assert not np.array_equal(second.arrays[0], third.arrays[0])


def test_a_layer_without_a_bias_has_a_bias_of_zeros() -> None:
    network = keras.Sequential(
        [
            keras.Input((784,)),
            keras.layers.Dense(5, "relu", use_bias=False),
            keras.layers.Dense(10, "softmax"),
        ]
    )
    first, second = (layer.arrays[1] for layer in weighted_network(network).layers)
    assert (first.shape, second.shape) == ((5,), (10,))
    assert not first.any()


@pytest.mark.parametrize("use_bias", [True, False])
def test_weights_go_back_to_where_they_came_from(use_bias: bool) -> None:
    layers = keras.layers
    first, last = layers.Dense(5, "relu", use_bias), layers.Dense(10, "softmax", use_bias)
    network = keras.Sequential([keras.Input((28, 28)), layers.Flatten(), first, layers.Dropout(0.5), last])
    before = network.get_weights()
    set_weights(network, weighted_network(network).cooled(2.0))
    changed = len(before) // 2
    for old, new in zip(before[:changed], network.get_weights()[:changed], strict=True):
        np.testing.assert_array_equal(new, old)
    for old, new in zip(before[changed:], network.get_weights()[changed:], strict=True):
        np.testing.assert_array_equal(new, old / 2)


def test_a_deployed_layer_is_described_as_it_was_built() -> None:
    spec = network_spec((16, 8))
    network = weighted_network(build_network(spec))
    assert tuple(layer.spec for layer in network.layers) == spec.dense
    assert network.parameters == spec.parameters == build_network(spec).count_params()


def test_a_layer_that_nobody_can_deploy_is_never_left_out() -> None:
    layers = keras.layers
    unknown = layers.BatchNormalization()
    network = keras.Sequential(
        [keras.Input((784,)), layers.Dense(5, "relu"), unknown, layers.Dense(10, "softmax")]
    )
    with pytest.raises(KeyError, match="BatchNormalization"):
        weighted_network(network)
