import keras
import numpy as np
import pytest

from edgedigits.mnist import Split
from edgedigits.training.architectures import build_network, network_spec
from edgedigits.training.fitting import Data, Fitter
from edgedigits.training.recipe import Recipe

RECIPE = Recipe(arch=(8,), epochs=2, batch_size=64)


@pytest.fixture
def data(dataset: tuple[Split, Split]) -> Data:
    split, _ = dataset
    # 250 is no multiple of 64: the last batch of an epoch is smaller.
    return Data(split.images[:250], split.labels[:250], split.images[250:320], split.labels[250:320])


def fitter(data: Data, recipe: Recipe = RECIPE) -> Fitter:
    return Fitter(build_network(network_spec(recipe.arch), seed=1), recipe, data)


def test_an_epoch_advances_by_all_its_steps(data: Data) -> None:
    advanced: list[int] = []
    fitter(data).fit_epoch(1, advanced.append)
    assert sum(advanced) == fitter(data).steps_per_epoch == 4
    assert len(advanced) > 1


def test_the_validation_score_is_keras_own(data: Data) -> None:
    fitting = fitter(data)
    fitting.fit_epoch(1, lambda _: None)
    fitting.model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    loss, accuracy = fitting.model.evaluate(
        data.validation_images / np.float32(255), data.validation_labels, verbose=0
    )
    ours = fitting.score_validation()
    # Two sums of 70 float32 terms in another order.
    assert ours[0] == pytest.approx(loss, rel=1e-5)
    assert ours[1] == pytest.approx(accuracy, abs=1e-6)


def test_the_steps_are_those_of_keras(data: Data) -> None:
    """One epoch in one batch is one step of Adam, which ``train_on_batch`` takes as well."""
    recipe = Recipe(arch=(8,), epochs=2, batch_size=250)
    fitting = fitter(data, recipe)
    rival = build_network(network_spec(recipe.arch), seed=1)
    schedule = keras.optimizers.schedules.PolynomialDecay(recipe.learning_rate, 2, end_learning_rate=0.0)
    rival.compile(keras.optimizers.Adam(schedule), loss="sparse_categorical_crossentropy")
    for epoch in (1, 2):
        fitting.fit_epoch(epoch, lambda _: None)
        rival.train_on_batch(data.train_images / np.float32(255), data.train_labels)
    for ours, theirs in zip(fitting.model.get_weights(), rival.get_weights(), strict=True):
        # The order of the images differs, so the sums of 250 gradients round differently; Adam divides a gradient
        # by its own size, so where one is nearly zero the rounding shows. A step is 3e-3.
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_an_epoch_can_be_repeated_from_its_state(data: Data) -> None:
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


def test_the_learning_rate_falls_in_a_line_to_zero(data: Data) -> None:
    fitting = fitter(data)
    rates = [fitting.fit_epoch(epoch, lambda _: None).learning_rate for epoch in (1, 2)]
    assert rates == pytest.approx([RECIPE.learning_rate / 2, 0.0])
