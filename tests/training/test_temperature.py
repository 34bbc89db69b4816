from pathlib import Path

import keras
import numpy as np
import pytest

from edgedigits.datasets.split import Split
from edgedigits.measuring.metrics import expected_calibration_error
from edgedigits.model_files.network_spec import network_spec
from edgedigits.networks.build import build_network, load_network, weighted_network
from edgedigits.training.temperature import (
    COLDEST,
    DECIMALS,
    HOTTEST,
    BeforeAndAfter,
    fit_temperature,
    fold_temperature,
    network_logits,
    scale_by_temperature,
)


def softmax(logits: np.ndarray) -> np.ndarray:
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def fair(images: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels drawn with the very probabilities that they stand for."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 3, (images, 10))
    labels = (softmax(logits).cumsum(axis=1) < generator.random((images, 1))).sum(axis=1).clip(0, 9)
    return logits, labels.astype(np.uint8)


def loss(logits: np.ndarray, labels: np.ndarray, temperature: float) -> float:
    return -np.log(softmax(logits / temperature)[np.arange(len(labels)), labels]).mean()


# The number


@pytest.mark.parametrize("factor", [0.3, 0.8, 1.0, 1.5, 4.0])
def test_the_factor_that_fair_logits_were_scaled_by_is_found(factor: float) -> None:
    logits, labels = fair(40_000)
    # The derivative's spread over images makes the error of 40,000 about half a percent.
    assert fit_temperature(factor * logits, labels) == pytest.approx(factor, rel=0.02)


@pytest.mark.parametrize("seed", range(5))
def test_the_temperature_is_the_likeliest_of_its_decimals(seed: int) -> None:
    logits, labels = fair(200, seed)
    found = fit_temperature(2 * logits, labels)
    assert found == round(found, DECIMALS)
    step = 10**-DECIMALS
    around = [loss(2 * logits, labels, found + offset) for offset in (-step, 0, step)]
    assert min(around) == around[1]


def test_a_constant_added_to_an_images_logits_changes_nothing() -> None:
    logits, labels = fair(500)
    shifts = np.random.default_rng(1).normal(0, 1_000, (500, 1))
    assert fit_temperature(logits + shifts, labels) == fit_temperature(logits, labels)


def test_logits_that_saturate_every_probability_have_a_temperature() -> None:
    logits, labels = fair(5_000)
    # Softmax of these in float32 is 0 or 1 for nearly all images.
    assert fit_temperature(9 * logits, labels) == pytest.approx(9, rel=0.1)


def test_images_without_a_mistake_leave_a_network_as_it_is() -> None:
    logits, _ = fair(100)
    assert fit_temperature(logits, logits.argmax(axis=1)) == 1.0


def test_the_coldest_is_for_one_mistake_by_a_hair() -> None:
    logits = np.zeros((100, 10))
    logits[:, 0] = 0.01
    labels = np.zeros(100, np.uint8)
    labels[0] = 1
    assert fit_temperature(logits, labels) == COLDEST


def test_the_hottest_is_for_answers_worse_than_chance() -> None:
    logits, _ = fair(100)
    assert fit_temperature(logits, logits.argmin(axis=1)) == HOTTEST


# The network


@pytest.fixture
def network(models: Path) -> keras.Model:
    return load_network(models / "digits.keras")[0]


@pytest.fixture
def images(dataset: tuple[Split, Split]) -> np.ndarray:
    return dataset[1].images[:300]


def answers(network: keras.Model, images: np.ndarray) -> np.ndarray:
    return network(images / np.float32(255), training=False).numpy()


@pytest.mark.parametrize("widths", [(128, 32), (5,), (17, 5, 3)], ids=str)
def test_the_logits_are_those_of_the_networks_own_answers(
    widths: tuple[int, ...], images: np.ndarray
) -> None:
    network = build_network(network_spec(widths), seed=3)
    logits = network_logits(network, images)
    assert (logits.shape, logits.dtype) == ((300, 10), np.float64)
    # The network's sums are of 784 float32 terms.
    np.testing.assert_allclose(softmax(logits), answers(network, images), atol=1e-6)


def test_folding_divides_the_logits_and_changes_only_the_last_layer(
    network: keras.Model, images: np.ndarray
) -> None:
    before, logits = weighted_network(network), network_logits(network, images)
    fold_temperature(network, 1.7)
    # Weights are rounded to float32 once: 6e-8 of each of 33 terms.
    np.testing.assert_allclose(network_logits(network, images), logits / 1.7, rtol=1e-5, atol=1e-5)
    assert (network_logits(network, images).argmax(axis=1) == logits.argmax(axis=1)).all()
    after = weighted_network(network)
    for old, new in zip(before.arrays[:-2], after.arrays[:-2], strict=True):
        np.testing.assert_array_equal(old, new)
    assert all(array.dtype == np.float32 for array in after.arrays)


def test_a_temperature_of_one_changes_no_bit(network: keras.Model) -> None:
    before = network.get_weights()
    fold_temperature(network, 1.0)
    for old, new in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("factor", [5.0, 0.2], ids=["too sure", "not sure enough"])
def test_a_network_of_unfair_confidence_is_mended(
    factor: float, network: keras.Model, dataset: tuple[Split, Split]
) -> None:
    fold_temperature(network, 1 / factor)
    images, labels = dataset[1].images, dataset[1].labels
    half = len(labels) // 2
    validation, test = (images[:half], labels[:half]), (images[half:], labels[half:])
    digits = answers(network, images).argmax(axis=1)
    before = expected_calibration_error(test[1], answers(network, test[0]))

    scaling = scale_by_temperature(network, lambda pixels: answers(network, pixels), validation, test)

    assert (scaling.temperature > 1) is (factor > 1)
    assert (answers(network, images).argmax(axis=1) == digits).all()
    after = expected_calibration_error(test[1], answers(network, test[0]))
    assert scaling.expected_calibration_error["test"] == BeforeAndAfter(before, after)
    for change in scaling.expected_calibration_error.values():
        assert change.after < change.before / 2
    assert str(scaling) == (
        f"temperature {scaling.temperature:.3f}; expected calibration error on the test images {after:.4f}, "
        f"before {before:.4f}"
    )


def test_fitting_again_finds_nothing_left_to_mend(network: keras.Model, dataset: tuple[Split, Split]) -> None:
    images, labels = dataset[1].images, dataset[1].labels
    fold_temperature(network, fit_temperature(network_logits(network, images), labels))
    # Its decimals and the rounding of the weights are what is left.
    assert fit_temperature(network_logits(network, images), labels) == pytest.approx(1, abs=2e-3)
