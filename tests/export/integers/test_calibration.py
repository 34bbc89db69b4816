import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from edgedigits.artifacts.hashes import sha256_bytes
from edgedigits.artifacts.manifest import read_manifest
from edgedigits.datasets.split import Split
from edgedigits.errors import DatasetError
from edgedigits.training.recipe import Recipe
from edgedigits.training.splits import validation_indices
from edgedigits_export.inference_graph import InferenceGraph, load_inference_graph
from edgedigits_export.integers.calibration import (
    ONNX_FORM,
    REDUCED_ONNX_FORM,
    TFLITE_FORM,
    Calibrated,
    Score,
    Validation,
    calibrate,
)
from edgedigits_export.integers.calibration_images import (
    CalibrationSet,
    choose_calibration_images,
    draw_calibration_images,
    without_copies,
)

NONE_HELD_BACK = np.empty((0, 28, 28), np.uint8)


@pytest.fixture(scope="module")
def split(dataset: tuple[Split, Split]) -> Split:
    train = dataset[0]
    return Split.of(train.dataset, train.images[:1_200], train.labels[:1_200])


@pytest.fixture(scope="module")
def fit_and_held_out(split: Split) -> tuple[np.ndarray, np.ndarray]:
    return validation_indices(split.labels, 200, 0)


def choose(split: Split, fit: np.ndarray, size: int, seed: int = 0) -> CalibrationSet:
    return choose_calibration_images(split, fit, size=size, seed=seed)


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


@pytest.mark.parametrize("copies", [1, 3])
@pytest.mark.parametrize("size", [300, 500, 990], ids=str)
@pytest.mark.parametrize("judge", ["validation", "test"])
def test_a_copy_of_an_image_that_judges_is_left_out(
    judge: str,
    size: int,
    copies: int,
    split: Split,
    dataset: tuple[Split, Split],
    fit_and_held_out: tuple[np.ndarray, np.ndarray],
) -> None:
    fit, held_out = fit_and_held_out
    held_back = split.images[held_out] if judge == "validation" else dataset[1].images
    images = split.images.copy()
    images[fit[3 : 3 + copies]] = held_back[7 : 7 + copies]
    leaky = Split.of(split.dataset, images, split.labels)
    draws = draw_calibration_images(leaky, fit, size=size, seed=0, held_back=held_back)
    assert [draw.left_out for draw in draws] == [copies] * len(draws)
    known = {image.tobytes() for image in held_back}
    for draw in draws:
        assert not known & {image.tobytes() for image in draw.images}
        np.testing.assert_array_equal(draw.images, images[draw.indices])
    # 990 of 999 would leave less than one image of each class.
    assert len(draws[0].images) == (size if size < 990 else 1_000 - copies)


@pytest.mark.parametrize("size", [991, 998, 999, 1_000], ids=str)
def test_a_choice_of_nearly_all_goes_without_the_copies(
    size: int, split: Split, fit_and_held_out: tuple[np.ndarray, np.ndarray]
) -> None:
    fit, _ = fit_and_held_out
    (draw,) = draw_calibration_images(split, fit, size=size, seed=0, held_back=split.images[fit[:2]])
    np.testing.assert_array_equal(draw.indices, fit[2:])
    assert (draw.left_out, draw.receipt.images) == (2, 998)


def test_where_all_are_copies_there_is_no_choice(
    split: Split, fit_and_held_out: tuple[np.ndarray, np.ndarray]
) -> None:
    fit, _ = fit_and_held_out
    for size, held_back, message in (
        (1_001, split.images[fit[:2]], r"to the 998 images .* \(2 are\), got 1001; choose another"),
        (
            100,
            split.images,
            r"to the 0 images .* no validation or test image \(1,000 are\), got 100; choose another",
        ),
    ):
        with pytest.raises(DatasetError, match=message):
            draw_calibration_images(split, fit, size=size, seed=0, held_back=held_back)


def test_pictures_are_compared_by_every_pixel(split: Split) -> None:
    nearly = split.images[:20].copy()
    nearly[:, 14, 14] ^= 1
    indices = np.arange(20)
    np.testing.assert_array_equal(without_copies(split, indices, nearly), indices)
    nearly[19] = split.images[4]
    np.testing.assert_array_equal(without_copies(split, indices, nearly), np.delete(indices, 4))


# A second draw


@pytest.mark.parametrize(
    ("size", "second"), [(100, 100), (500, 500), (700, 300), (985, 15), (1_000, None)], ids=str
)
def test_a_second_draw_has_none_of_the_first(
    size: int, second: int | None, split: Split, fit_and_held_out: tuple[np.ndarray, np.ndarray]
) -> None:
    fit, _ = fit_and_held_out
    draws = draw_calibration_images(split, fit, size=size, seed=0, held_back=NONE_HELD_BACK)
    assert draws[0].receipt == choose(split, fit, size).receipt
    assert [len(draw.images) for draw in draws[1:]] == ([] if second is None else [second])
    for draw in draws[1:]:
        assert not set(draw.indices) & set(draws[0].indices)
        assert set(draw.indices) <= set(fit)
        np.testing.assert_array_equal(draw.images, split.images[draw.indices])


# The choice of the ranges


@pytest.fixture(scope="module")
def graph(models: Path) -> InferenceGraph:
    return load_inference_graph(models / "digits.keras")


@pytest.fixture(scope="module")
def validation(
    graph: InferenceGraph, split: Split, fit_and_held_out: tuple[np.ndarray, np.ndarray]
) -> Validation:
    images = split.images[fit_and_held_out[1]]
    return Validation(images, split.labels[fit_and_held_out[1]], graph.reference_probabilities(images))


FORMS = {"TFLite": TFLITE_FORM, "ONNX": ONNX_FORM, "reduced ONNX": REDUCED_ONNX_FORM}


@pytest.fixture(scope="module", params=FORMS)
def calibrated(
    request: pytest.FixtureRequest,
    graph: InferenceGraph,
    split: Split,
    validation: Validation,
    fit_and_held_out: tuple[np.ndarray, np.ndarray],
) -> Calibrated:
    draws = draw_calibration_images(split, fit_and_held_out[0], size=300, seed=0, held_back=validation.images)
    return calibrate(graph.network, draws, validation, FORMS[request.param])


def test_the_kept_ranges_are_those_that_the_validation_images_like_best(
    calibrated: Calibrated, validation: Validation
) -> None:
    assert set(calibrated.hidden_scores) == {"min-max", "percentile", "mse"}
    integer_logits = calibrated.form.integer_logits
    assert set(calibrated.logits_scores) == (set(calibrated.hidden_scores) if integer_logits else set())
    for scores in filter(None, (calibrated.logits_scores, calibrated.hidden_scores)):
        best = min(score.divergence for score in scores.values())
        if scores is calibrated.logits_scores or not integer_logits:
            assert calibrated.score.divergence == best
    logits = calibrated.network.logits(validation.images, rounded=integer_logits)
    assert calibrated.score.accuracy == 100 * (logits.argmax(axis=1) == validation.labels).mean()
    assert calibrated.network.per_channel == calibrated.form.per_channel


def test_what_the_manifest_keeps_of_a_calibration(calibrated: Calibrated) -> None:
    kept = json.loads(json.dumps(calibrated.to_dict(), allow_nan=False))
    integer_logits = calibrated.form.integer_logits
    assert list(kept["ranges"]) == ["hidden 1", "hidden 2", *(["logits"] if integer_logits else [])]
    assert kept["hidden_methods"][kept["hidden_method"]]["divergence"] == min(
        score["divergence"] for score in kept["hidden_methods"].values()
    )
    assert kept["left_out_images"] == 0
    assert kept["second_draw"]["images"] == 300
    assert kept["second_draw"]["indices_sha256"] != calibrated.receipt.indices_sha256
    assert kept["second_draw"]["stable"] is calibrated.stable
    assert (kept["without_vnni"] is None) is integer_logits
    assert calibrated.receipt.ranges == calibrated.methods
    assert calibrated.methods.startswith(kept["hidden_method"])


@pytest.mark.parametrize(
    ("second", "stable"),
    [(99.0, True), (99.05, True), (98.95, True), (99.06, False), (98.94, False), (None, True)],
)
def test_two_draws_may_differ_by_five_hundredths_of_a_point(
    second: float | None, stable: bool, calibrated: Calibrated
) -> None:
    scores = {
        "score": Score(99.0, 0.0),
        "second_score": None if second is None else Score(second, 0.0),
    }
    changed = dataclasses.replace(calibrated, **scores)
    assert changed.stable is stable
    if second is None:
        assert changed.to_dict()["second_draw"] is None
    else:
        assert changed.draw_difference == pytest.approx(second - 99.0)
