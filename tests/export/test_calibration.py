from pathlib import Path

import numpy as np
import pytest

from edgedigits.artifacts import read_manifest, sha256_bytes
from edgedigits.errors import DatasetError
from edgedigits.mnist import Split
from edgedigits.training.recipe import Recipe
from edgedigits.training.train import validation_indices
from edgedigits_export.calibration import CalibrationSet, check_disjoint, choose_calibration_images

NONE_HELD_BACK = np.empty((0, 28, 28), np.uint8)


@pytest.fixture(scope="module")
def split(dataset: tuple[Split, Split]) -> Split:
    train = dataset[0]
    return Split.of(train.dataset, train.images[:1_200], train.labels[:1_200])


@pytest.fixture(scope="module")
def fit_and_held_out(split: Split) -> tuple[np.ndarray, np.ndarray]:
    return validation_indices(split.labels, 200, 0)


def choose(split: Split, fit: np.ndarray, size: int, seed: int = 0) -> CalibrationSet:
    return choose_calibration_images(split, fit, size=size, seed=seed, held_back=NONE_HELD_BACK)


def indices_of(images: np.ndarray, split: Split) -> np.ndarray:
    """Find pictures in a split again: no two there are alike."""
    index = {image.tobytes(): position for position, image in enumerate(split.images)}
    assert len(index) == len(split.images)
    return np.array([index[image.tobytes()] for image in images])


@pytest.mark.parametrize("size", [10, 100, 333, 990, 1_000], ids=str)
def test_the_images_are_fitted_ones_every_class_with_its_share(
    size: int, split: Split, fit_and_held_out: tuple[np.ndarray, np.ndarray]
) -> None:
    fit, held_out = fit_and_held_out
    chosen = indices_of(choose(split, fit, size).images, split)
    assert len(set(chosen)) == size
    assert set(chosen) <= set(fit)
    assert not set(chosen) & set(held_out)
    shares = np.bincount(split.labels[fit], minlength=10) * size / len(fit)
    # Whole images cannot be closer to a share than one image in general.
    assert (np.abs(np.bincount(split.labels[chosen], minlength=10) - shares) <= 1).all()


def test_the_seed_decides(split: Split, fit_and_held_out: tuple[np.ndarray, np.ndarray]) -> None:
    fit, _ = fit_and_held_out
    first, same, other = (choose(split, fit, 100, seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.images, same.images)
    assert first.receipt == same.receipt
    assert first.receipt.indices_sha256 != other.receipt.indices_sha256
    assert (first.receipt.images, first.receipt.seed) == (100, 5)


def test_the_receipt_s_hash_is_that_of_the_indices(
    split: Split, fit_and_held_out: tuple[np.ndarray, np.ndarray]
) -> None:
    calibration = choose(split, fit_and_held_out[0], 150)
    indices = np.sort(indices_of(calibration.images, split))
    assert calibration.receipt.indices_sha256 == sha256_bytes(indices.astype("<i8").tobytes())


def test_the_manifest_s_hash_can_be_computed_anew(models: Path, dataset: tuple[Split, Split]) -> None:
    network = read_manifest(models)["networks"]["digits"]
    recipe = Recipe.from_dict(network["training"]["arguments"])
    fit, _ = validation_indices(dataset[0].labels, recipe.validation, recipe.seed)
    receipt = network["files"]["digits.int8.tflite"]["calibration"]
    calibration = choose(dataset[0], fit, receipt["images"], receipt["seed"])
    assert receipt["images"] == len(calibration.images) == 200
    assert receipt["indices_sha256"] == calibration.receipt.indices_sha256


@pytest.mark.parametrize("size", [0, 9, 1_001, 60_000], ids=str)
def test_a_size_out_of_bounds_is_an_error(
    size: int, split: Split, fit_and_held_out: tuple[np.ndarray, np.ndarray]
) -> None:
    with pytest.raises(DatasetError, match=rf"calibration size from 10 to the 1,000 images .*, got {size};"):
        choose(split, fit_and_held_out[0], size)


def test_a_choice_that_leaves_less_than_one_image_of_each_class_is_an_error(
    split: Split, fit_and_held_out: tuple[np.ndarray, np.ndarray]
) -> None:
    with pytest.raises(DatasetError, match="no stratified choice of 995 images"):
        choose(split, fit_and_held_out[0], 995)


@pytest.mark.parametrize("judge", ["validation", "test"])
def test_a_copy_of_an_image_that_judges_is_a_leak(
    judge: str, split: Split, dataset: tuple[Split, Split], fit_and_held_out: tuple[np.ndarray, np.ndarray]
) -> None:
    fit, held_out = fit_and_held_out
    held_back = split.images[held_out] if judge == "validation" else dataset[1].images
    images = split.images.copy()
    images[fit[3]] = held_back[7]
    leaky = Split.of(split.dataset, images, split.labels)
    with pytest.raises(DatasetError, match="1 of 1000 calibration images are also validation or test images"):
        choose_calibration_images(leaky, fit, size=len(fit), seed=0, held_back=held_back)


def test_pictures_are_compared_by_every_pixel(split: Split) -> None:
    images = split.images[:20]
    nearly = images.copy()
    nearly[:, 14, 14] ^= 1
    check_disjoint(images, nearly)
    nearly[19] = images[4]
    with pytest.raises(DatasetError, match="1 of 20"):
        check_disjoint(images, nearly)
