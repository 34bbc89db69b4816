import dataclasses

import keras
import numpy as np
import pytest

from edgedigits.datasets.split import Split
from edgedigits.model_files.network_spec import network_spec
from edgedigits.networks.build import build_network
from edgedigits.training.fitting import Fitter, TrainingData
from edgedigits.training.recipe import Recipe, edge

RECIPE = Recipe(arch=(8,), epochs=2, batch_size=64)


@pytest.fixture
def data(dataset: tuple[Split, Split]) -> TrainingData:
    split, _ = dataset
    # 250 is no multiple of 64: the last batch of an epoch is smaller.
    return TrainingData(split.images[:250], split.labels[:250], split.images[250:320], split.labels[250:320])


def fitter(data: TrainingData, recipe: Recipe = RECIPE) -> Fitter:
    return Fitter(recipe, data)


def test_an_epoch_advances_by_all_its_steps(data: TrainingData) -> None:
    advanced: list[int] = []
    fitter(data).fit_epoch(1, advanced.append)
    assert sum(advanced) == fitter(data).steps_per_epoch == 4
    assert len(advanced) > 1


def test_the_validation_score_is_keras_own(data: TrainingData) -> None:
    fitting = fitter(data)
    fitting.fit_epoch(1, lambda _: None)
    fitting.network.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    loss, accuracy = fitting.network.evaluate(
        data.validation_images / np.float32(255), data.validation_labels, verbose=0
    )
    ours = fitting.score_validation()
    # Two sums of 70 float32 terms in another order.
    assert ours[0] == pytest.approx(loss, rel=1e-5)
    assert ours[1] == pytest.approx(accuracy, abs=1e-6)


def test_the_steps_are_those_of_keras(data: TrainingData) -> None:
    """One epoch in one batch is one step of Adam, which ``train_on_batch`` takes as well."""
    recipe = Recipe(arch=(8,), epochs=2, batch_size=250)
    fitting = fitter(data, recipe)
    rival = build_network(network_spec(recipe.arch), seed=recipe.seed)
    schedule = keras.optimizers.schedules.PolynomialDecay(recipe.learning_rate, 2, end_learning_rate=0.0)
    rival.compile(keras.optimizers.Adam(schedule), loss="sparse_categorical_crossentropy")
    for epoch in (1, 2):
        fitting.fit_epoch(epoch, lambda _: None)
        rival.train_on_batch(data.train_images / np.float32(255), data.train_labels)
    for ours, theirs in zip(fitting.network.get_weights(), rival.get_weights(), strict=True):
        # The order of the images differs, so the sums of 250 gradients round differently; Adam divides a gradient
        # by its own size, so where one is nearly zero the rounding shows. A step is 3e-3.
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_an_epoch_can_be_repeated_from_its_state(data: TrainingData) -> None:
    first = fitter(data)
    first.fit_epoch(1, lambda _: None)
    state = first.state()
    expected = first.fit_epoch(2, lambda _: None)
    second = fitter(data)
    second.restore(state)
    again = second.fit_epoch(2, lambda _: None)
    assert (again.loss, again.val_loss) == (expected.loss, expected.val_loss)
    for ours, theirs in zip(first.state(), second.state(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_learning_rate_falls_in_a_line_to_zero(data: TrainingData) -> None:
    fitting = fitter(data)
    rates = [fitting.fit_epoch(epoch, lambda _: None).learning_rate for epoch in (1, 2)]
    assert rates == pytest.approx([RECIPE.learning_rate / 2, 0.0])


EDGE = edge((8,), epochs=4, batch_size=64, drawn=70, non_digits=30, candidates=20, spoilt=0.2)


@pytest.mark.parametrize("recipe", [RECIPE, EDGE], ids=["plain", "edge"])
def test_the_images_of_an_epoch_are_its_own_and_do_not_depend_on_the_past(
    data: TrainingData, recipe: Recipe
) -> None:
    fitting = fitter(data, recipe)
    in_order = [fitting.images_of(epoch)[0] for epoch in (1, 2)]
    by_itself = fitter(data, recipe).images_of(2)[0]
    np.testing.assert_array_equal(in_order[1], by_itself)
    assert (in_order[0] != in_order[1]).any()


def test_edge_images_are_bent_and_plain_ones_only_shuffled(data: TrainingData) -> None:
    known = {image.tobytes() for image in data.train_images}
    plain_images = fitter(data).images_of(1).pixels
    bent = fitter(data, EDGE).images_of(1).pixels
    assert {image.tobytes() for image in plain_images} == known
    assert not {image.tobytes() for image in bent} & known


def test_drawn_digits_stand_among_the_images_and_no_image_is_missing(data: TrainingData) -> None:
    fitting = fitter(data, dataclasses.replace(RECIPE, drawn=80))
    images, labels, _ = fitting.images_of(1)
    assert len(images) == len(labels) == 330
    assert fitting.steps_per_epoch == 6
    known = {
        image.tobytes(): label for image, label in zip(data.train_images, data.train_labels, strict=True)
    }
    drawn = [index for index, image in enumerate(images) if image.tobytes() not in known]
    assert len(drawn) == 80
    # In all batches, not behind the others.
    assert drawn[0] < 64
    assert drawn[-1] >= 256
    np.testing.assert_array_equal(np.bincount(labels[drawn]), 8)
    assert all(
        known[image.tobytes()] == label
        for image, label in zip(images, labels, strict=True)
        if image.tobytes() in known
    )


def test_figures_of_an_epoch_are_those_of_its_digits(data: TrainingData) -> None:
    """With no step in the network's weights, an epoch's figures are those of the untrained network on its digits."""
    recipe = dataclasses.replace(RECIPE, non_digits=60, learning_rate=1e-30)
    fitting = fitter(data, recipe)
    images, labels, _ = fitting.images_of(1)
    assert (labels == 10).sum() == 60
    probabilities = fitting.probabilities(images.reshape(-1, 28, 28))[labels < 10]
    truth = labels[labels < 10]
    epoch = fitter(data, recipe).fit_epoch(1, lambda _: None)
    assert epoch.loss == pytest.approx(-np.log(probabilities[np.arange(250), truth]).mean(), rel=1e-4)
    assert epoch.accuracy == pytest.approx((probabilities.argmax(axis=1) == truth).mean())


def test_no_digit_is_taught_as_every_digit_alike(data: TrainingData) -> None:
    recipe = dataclasses.replace(RECIPE, arch=(32,), non_digits=1_000, epochs=5)
    images, labels, _ = fitter(data, recipe).images_of(5)
    unseen = images[labels == 10].reshape(-1, 28, 28)
    confidences = []
    # As many steps: 5 times 20, and 25 times 4.
    for taught in (recipe, dataclasses.replace(recipe, non_digits=0, epochs=25)):
        fitting = fitter(data, taught)
        for epoch in range(1, taught.epochs + 1):
            fitting.fit_epoch(epoch, lambda _: None)
        confidences.append(np.median(fitting.probabilities(unseen).max(axis=1)))
    assert confidences[0] < 0.25
    assert confidences[1] > 0.5


def test_the_averaged_network_lags_behind_and_is_what_is_scored(data: TrainingData) -> None:
    fitting = fitter(data, EDGE)
    for epoch in (1, 2):
        fitting.fit_epoch(epoch, lambda _: None)
    averaged, current = fitting.network.get_weights(), fitting.current_network.get_weights()
    assert any((a != c).any() for a, c in zip(averaged, current, strict=True))
    expected = fitting.network(data.validation_images / np.float32(255)).numpy()
    # The same float32 sums in a graph and outside of it.
    np.testing.assert_allclose(fitting.probabilities(data.validation_images), expected, atol=1e-5)


def test_the_average_is_the_one_that_tensorflow_documents(data: TrainingData) -> None:
    """After the first step the decay is (1 + 1) / (10 + 1): the average has moved 9/11 of the way."""
    recipe = edge((8,), epochs=1, batch_size=len(data.train_images))
    fitting = fitter(data, recipe)
    before = [weights.copy() for weights in fitting.network.get_weights()]
    fitting.fit_epoch(1, lambda _: None)
    for start, end, average in zip(
        before, fitting.current_network.get_weights(), fitting.network.get_weights(), strict=True
    ):
        # One float32 product and one sum.
        np.testing.assert_allclose(average, start + (end - start) * 9 / 11, atol=1e-6)


def test_the_cosine_rises_for_a_tenth_of_the_steps_and_ends_at_zero(data: TrainingData) -> None:
    recipe = edge((8,), epochs=20, batch_size=125)
    fitting = fitter(data, recipe)
    rates = [fitting.fit_epoch(epoch, lambda _: None).learning_rate for epoch in range(1, 21)]
    assert max(rates) == rates[1] == pytest.approx(recipe.learning_rate)
    assert rates[1:] == sorted(rates[1:], reverse=True)
    assert rates[-1] == pytest.approx(0, abs=1e-6)


def test_an_interrupted_edge_run_goes_on_as_if_it_had_not_been(data: TrainingData) -> None:
    whole = fitter(data, EDGE)
    for epoch in range(1, 5):
        whole.fit_epoch(epoch, lambda _: None)
    first, second = fitter(data, EDGE), fitter(data, EDGE)
    for epoch in (1, 2):
        first.fit_epoch(epoch, lambda _: None)
    second.restore(first.state())
    for epoch in (3, 4):
        second.fit_epoch(epoch, lambda _: None)
    for mine, theirs in zip(second.state(), whole.state(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
