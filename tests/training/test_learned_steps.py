"""Weights of few bits whose steps are learned."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edgedigits.cli import cli
from edgedigits.datasets.split import Split
from edgedigits.errors import ArgumentError
from edgedigits.model_files.quantized_bits import ALL_BITS, Bits, bounds_of, read_bits
from edgedigits.networks.build import load_network
from edgedigits.training.fitting import Fitter, TrainingData
from edgedigits.training.recipe import Recipe

DENSE = "crop2-meanpool2-dense12"
CONVOLUTIONS = "meanpool-conv3.valid.bare-pool-conv4.valid.bare-mean"


@pytest.fixture
def data(dataset: tuple[Split, Split]) -> TrainingData:
    split, _ = dataset
    return TrainingData(split.images[:250], split.labels[:250], split.images[250:320], split.labels[250:320])


def trained(data: TrainingData, **fields: object) -> tuple[Fitter, np.ndarray, np.ndarray]:
    """Return a fitter, deployed, and its answers before and after."""
    recipe = Recipe(**{"epochs": 3, "batch_size": 32, "averaging": 0.9, "validation": 70, **fields})  # type: ignore[arg-type]
    fitter = Fitter(recipe, data)
    for epoch in range(1, recipe.epochs + 1):
        fitter.fit_epoch(epoch, lambda _: None)
    before = fitter.probabilities(data.validation_images)
    fitter.deploy()
    return fitter, before, fitter.probabilities(data.validation_images)


def kernels(fitter: Fitter) -> list[np.ndarray]:
    return [layer.get_weights()[0] for layer in fitter.network.layers if layer.get_weights()]


def whole(kernel: np.ndarray, steps: np.ndarray) -> np.ndarray:
    counted = kernel / steps
    np.testing.assert_allclose(counted, np.rint(counted), atol=1e-3)
    return np.rint(counted)


@pytest.mark.parametrize("bits", ALL_BITS, ids=str)
def test_deployed_weights_are_whole_numbers_of_a_step(bits: Bits, data: TrainingData) -> None:
    fitter, before, after = trained(data, arch=CONVOLUTIONS, bits=(bits,) * 3)
    # Products in another order, of numbers that are the same.
    np.testing.assert_allclose(before, after, atol=1e-5)
    lowest, highest = bounds_of(bits)
    for kernel in kernels(fitter):
        sizes = np.unique(np.abs(kernel))
        differences = np.diff(np.unique(kernel))
        integers = whole(kernel, differences.min())
        assert lowest <= integers.min() <= integers.max() <= highest
        assert len(sizes) > 1


def test_each_output_may_have_a_step_of_its_own(data: TrainingData) -> None:
    fitter, before, after = trained(data, arch=DENSE, bits=(3, 3), steps="channel")
    np.testing.assert_allclose(before, after, atol=1e-5)
    steps = [np.diff(np.unique(column)).min() for column in kernels(fitter)[0].T]
    assert len(set(np.round(steps, 6))) > len(steps) // 2


def test_inputs_that_hardly_change_are_left_out(data: TrainingData) -> None:
    fitter, before, after = trained(data, arch=DENSE, bits=(4, 4), least_deviation=60.0)
    np.testing.assert_allclose(before, after, atol=1e-5)
    kernel = kernels(fitter)[0]
    means = data.train_images[:, 2:26, 2:26].reshape(-1, 12, 2, 12, 2).mean(axis=(2, 4)).reshape(-1, 144)
    used = means.std(axis=0) >= 60
    assert 0 < used.sum() < 144
    assert not kernel[~used].any()
    assert kernel[used].any(axis=1).mean() > 0.9


def test_a_run_goes_on_where_it_stopped(data: TrainingData) -> None:
    recipe = Recipe(arch=DENSE, bits=(4, 4), epochs=2, batch_size=32, averaging=0.9)
    whole_run, first, second = (Fitter(recipe, data) for _ in range(3))
    for epoch in (1, 2):
        whole_run.fit_epoch(epoch, lambda _: None)
    first.fit_epoch(1, lambda _: None)
    second.restore(first.state())
    second.fit_epoch(2, lambda _: None)
    for ours, theirs in zip(whole_run.state(), second.state(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"arch": "conv4-mean", "bits": (4, 4, 4)}, "batch normalization"),
        ({"arch": "separable4.bare-mean", "bits": (4, 4)}, "batch normalization and separable"),
        ({"arch": (8,), "bits": (4,)}, "one for each of 2 layers"),
        ({"arch": (8,), "least_deviation": 40.0}, "choose --bits too"),
    ],
)
def test_what_cannot_be_trained_so_is_told(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        Recipe(**fields)  # type: ignore[arg-type]


def test_a_deviation_that_no_input_has_is_told(data: TrainingData) -> None:
    with pytest.raises(ArgumentError, match="the largest deviation there is"):
        Fitter(Recipe(arch=(8,), bits=(4, 4), least_deviation=250.0), data)


def test_bits_are_read() -> None:
    assert read_bits("4", 3) == (4, 4, 4)
    assert read_bits("8-4-ternary", 3) == (8, 4, "ternary")
    for text in ("7", "4-4", "", "4-", "ternary-x-4", "-4"):
        with pytest.raises(ValueError, match="expected"):
            read_bits(text, 3)


def test_train_writes_a_network_of_few_bits(tmp_path: Path, file_of_few: Path) -> None:
    out = tmp_path / "models"
    common = ["--data", str(file_of_few), "--labels", "a,b,c,d,e,f,g,h,i,j", "--validation", "40"]
    words = ["train", "--arch", DENSE, "--bits", "3-4", "--epochs", "2", "--out", str(out), "--json", "-q"]
    done = CliRunner().invoke(cli, [*words, *common])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["recipe"]["bits"] == [3, 4]
    model, _ = load_network(out / "digits.keras")
    assert len(np.unique(model.layers[-2].get_weights()[0])) <= 8
    assert len(np.unique(model.layers[-1].get_weights()[0])) <= 16


@pytest.mark.parametrize("bits", ["7", "4-4-4", "four"])
def test_other_bits_are_wrong_usage(bits: str) -> None:
    done = CliRunner().invoke(cli, ["train", "--arch", DENSE, "--bits", bits])
    assert done.exit_code == 2
    assert "expected" in done.stderr
