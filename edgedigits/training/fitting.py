"""The training loop: all steps of a slice of an epoch inside one TensorFlow graph.

``model.fit`` spends most of the time of so small a network between the steps, in Python. Here the images stay in
one uint8 tensor, a ``tf.range`` loop gathers each batch from it, and Python is only asked once per slice.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from edgedigits.contract import CLASSES, PIXEL_MAX
from edgedigits.training.backend import keras, tf
from edgedigits.training.recipe import Recipe

SLICES = 16
"""Parts of an epoch between which progress is shown and Ctrl-C is heard."""


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to."""

    epoch: int
    """Counted from 1."""
    loss: float
    """Mean over the training images, each as the weights stood when it was used."""
    accuracy: float
    """Likewise, in 0..1."""
    val_loss: float
    """Mean over the validation images after the epoch."""
    val_accuracy: float
    """Likewise, in 0..1."""
    learning_rate: float
    """At the end of the epoch."""
    seconds: float
    """Wall time of the steps and the validation."""


@dataclass(frozen=True)
class Data:
    """Images and labels for one run."""

    train_images: npt.NDArray[np.uint8]
    train_labels: npt.NDArray[np.uint8]
    validation_images: npt.NDArray[np.uint8]
    validation_labels: npt.NDArray[np.uint8]


class Fitter:
    """Trains a network epoch by epoch; its state can be taken out and put back between any two."""

    def __init__(self, model: keras.Model, recipe: Recipe, data: Data) -> None:
        self.model = model
        self.recipe = recipe
        self._data = data
        self._steps = -(-len(data.train_images) // recipe.batch_size)
        schedule = keras.optimizers.schedules.PolynomialDecay(
            recipe.learning_rate, self._steps * recipe.epochs, end_learning_rate=0.0
        )
        self._optimizer = keras.optimizers.Adam(schedule)
        self._optimizer.build(model.trainable_variables)
        self._images = tf.constant(data.train_images)
        self._labels = tf.constant(data.train_labels.astype(np.int32))
        self._loss, self._targets = _loss_of(recipe)
        self._run_steps = tf.function(self._steps_graph)
        self._predict = tf.function(lambda images: self.model(_scaled(images), training=False))

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch; the last may be smaller."""
        return self._steps

    def fit_epoch(self, epoch: int, advance: Callable[[int], None]) -> Epoch:
        """Train for one epoch and score the validation images.

        Args:
            epoch: counted from 1; it decides the order of the images, so any epoch can be repeated.
            advance: told how many steps are done, several times per epoch.
        """
        started = time.perf_counter()
        images = len(self._data.train_images)
        order = np.random.default_rng([self.recipe.seed, epoch]).permutation(images).astype(np.int32)
        edges = np.linspace(0, self._steps, min(SLICES, self._steps) + 1).astype(np.int32)
        loss = correct = 0.0
        for start, stop in pairwise(edges):
            slice_loss, slice_correct = self._run_steps(
                tf.constant(order), tf.constant(start), tf.constant(stop)
            )
            loss, correct = loss + float(slice_loss), correct + float(slice_correct)
            advance(int(stop - start))
        val_loss, val_accuracy = self.score_validation()
        return Epoch(
            epoch=epoch,
            loss=loss / images,
            accuracy=correct / images,
            val_loss=val_loss,
            val_accuracy=val_accuracy,
            learning_rate=float(self._optimizer.learning_rate),
            seconds=time.perf_counter() - started,
        )

    def score_validation(self) -> tuple[float, float]:
        """Return mean loss and accuracy (0..1) on the validation images."""
        labels = self._data.validation_labels
        probabilities = self.probabilities(self._data.validation_images)
        chosen = probabilities[np.arange(len(labels)), labels]
        # Keras clips at the same epsilon, so that the two losses of an epoch are comparable.
        loss = -np.log(np.clip(chosen, keras.config.epsilon(), 1.0)).mean()
        return float(loss), float((probabilities.argmax(axis=1) == labels).mean())

    def probabilities(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return the network's probabilities, float32 (n, 10), for uint8 images (n, 28, 28)."""
        result: npt.NDArray[np.float32] = self._predict(tf.constant(images)).numpy()
        return result

    def state(self) -> list[npt.NDArray[Any]]:
        """Return all that the next epoch depends on: weights, then the optimizer's variables."""
        return [variable.numpy() for variable in self._variables()]

    def restore(self, state: list[npt.NDArray[Any]]) -> None:
        """Put a state back; what follows is then the same as if training had never stopped."""
        for variable, value in zip(self._variables(), state, strict=True):
            variable.assign(value)

    def _variables(self) -> list[Any]:
        return [*self.model.variables, *self._optimizer.variables]

    def _steps_graph(
        self, order: tf.Tensor, start: tf.Tensor, stop: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Run steps start..stop-1 of an epoch; return summed loss and number of correct answers."""
        size, images = self.recipe.batch_size, len(self._data.train_images)
        weights = self.model.trainable_variables
        loss_sum, correct = tf.constant(0.0), tf.constant(0.0)
        for step in tf.range(start, stop):
            chosen = order[step * size : tf.minimum((step + 1) * size, images)]
            labels = tf.gather(self._labels, chosen)
            with tf.GradientTape() as tape:
                probabilities = self.model(_scaled(tf.gather(self._images, chosen)), training=True)
                loss = self._loss(self._targets(labels), probabilities)
            self._optimizer.apply(tape.gradient(loss, weights), weights)
            hits = tf.equal(tf.argmax(probabilities, axis=1, output_type=tf.int32), labels)
            loss_sum += loss * tf.cast(tf.size(chosen), tf.float32)
            correct += tf.reduce_sum(tf.cast(hits, tf.float32))
        return loss_sum, correct


def _scaled(images: tf.Tensor) -> tf.Tensor:
    return tf.cast(images, tf.float32) * (1.0 / PIXEL_MAX)


def _loss_of(recipe: Recipe) -> tuple[Any, Callable[[tf.Tensor], tf.Tensor]]:
    """Return the loss and what turns labels into its targets; the two losses are equal in value."""
    if recipe.loss == "categorical_crossentropy":
        return keras.losses.CategoricalCrossentropy(), lambda labels: tf.one_hot(labels, CLASSES)
    return keras.losses.SparseCategoricalCrossentropy(), lambda labels: labels
