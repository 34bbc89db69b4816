"""The training loop: all steps of a slice of an epoch inside one TensorFlow graph.

``model.fit`` spends most of the time of so small a network between the steps, in Python. Here an epoch's images lie in
one uint8 tensor, in the order in which they are used, and a ``tf.range`` loop cuts each batch out of it; Python is only
asked once per slice. The next epoch's images are drawn, shuffled and warped in a second thread while this one trains.
"""

import math
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from edgedigits.arguments import MOST_IMAGES
from edgedigits.contract import CLASSES, IMAGE_SIDE, PIXEL_MAX, PIXELS
from edgedigits.model_files.trained_networks import trained_spec
from edgedigits.networks.backend import keras, tf
from edgedigits.networks.build import build_network
from edgedigits.picture.levels import Pixels
from edgedigits.training.augmentation import warp_epoch
from edgedigits.training.drawn import draw_digits
from edgedigits.training.learned_steps import deploy_into, learning_steps, leave_out_still_inputs
from edgedigits.training.lines import draw_candidates
from edgedigits.training.non_digits import draw_non_digits
from edgedigits.training.recipe import Recipe
from edgedigits.training.renewal import Renewed
from edgedigits.training.spoiling import spoil

SLICES = 8
"""Parts of an epoch between which progress is shown and Ctrl-C is heard."""
MAPS_AT_ONCE = 1_000
"""Images that a network with maps is asked about at a time."""
MOMENTUM = 0.9
"""Of the means and variances of batch normalization, by step: where images are few, a few dozen steps have to do, and
where weights are averaged, so are these."""
WARM_UP = 0.1
"""Share of the steps in which the learning rate of the cosine schedule rises."""

TARGETS = np.vstack([np.eye(CLASSES), np.full(CLASSES, 1 / CLASSES)]).astype(np.float32)
"""By label, what is taught; by that of no digit, each class alike. Both losses are the same of these."""

Labels = npt.NDArray[np.int32]
Targets = npt.NDArray[np.float32]
Teacher = Callable[[Pixels], Targets]
"""Probabilities, (n, 10), of images, uint8 (n, 28, 28)."""


class EpochImages(NamedTuple):
    """What the steps of one epoch take, in their order."""

    pixels: Pixels
    """uint8 (n, 784)."""
    labels: Labels
    """Of no digit, the number of classes."""
    targets: Targets | None
    """(n, 10): what is taught where the answers of a teacher are a part of it, else None."""


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to."""

    epoch: int
    """Counted from 1."""
    loss: float
    """Mean over the training images of digits, warped as they were, each as the weights stood when it was used."""
    accuracy: float
    """Likewise, in 0..1."""
    val_loss: float
    """Mean over the validation images after the epoch, of the averaged weights where the recipe averages; always before
    the temperature that the last epoch is followed by."""
    val_accuracy: float
    """Likewise, in 0..1."""
    learning_rate: float
    """At the end of the epoch."""
    seconds: float
    """Wall time of the steps and the validation."""


@dataclass(frozen=True)
class TrainingData:
    """Images and labels for one run."""

    train_images: Pixels
    train_labels: npt.NDArray[np.uint8]
    validation_images: Pixels
    validation_labels: npt.NDArray[np.uint8]


class Fitter:
    """Trains a network epoch by epoch; its state can be taken out and put back between any two."""

    def __init__(self, recipe: Recipe, data: TrainingData, teacher: Teacher | None = None) -> None:
        self.recipe = recipe
        self._data = data
        self._teacher = teacher
        self.cut = partial(draw_candidates, images=data.train_images, labels=data.train_labels)
        """Cuts so many candidates out of lines of training images; see ``draw_candidates``."""
        made = (
            (draw_digits, recipe.drawn, b"drawn"),
            (draw_non_digits, recipe.non_digits, b"no digit"),
            (self.cut, recipe.candidates, b"candidates"),
        )
        self._made = [Renewed(draw, count, recipe.seed, name) for draw, count, name in made if count]
        images = len(data.train_images) + sum(count for _, count, _ in made)
        self._steps = -(-images // recipe.batch_size)
        spec = trained_spec(recipe.arch)
        self._input_shape = spec.input_shape
        # A product of all images at once is what it always was; maps of all of them would take gigabytes.
        self._images_at_once = MOST_IMAGES if spec.is_dense else MAPS_AT_ONCE
        self.current_network = self._first_network()
        normalizing = [
            layer
            for layer in self.current_network.layers
            if isinstance(layer, keras.layers.BatchNormalization)
        ]
        for layer in normalizing:
            layer.momentum = MOMENTUM
        # Images that were bent alike stand side by side. In one batch they would tell batch normalization how they
        # were bent, which a network learns to use and then has to do without: its loss on the validation images rose
        # from epoch 27 to 60 (0.011 to 0.015) while that of training fell.
        self._normalizes = bool(normalizing)
        self._optimizer = keras.optimizers.Adam(
            _schedule(recipe, self._steps * recipe.epochs), weight_decay=recipe.weight_decay or None
        )
        self._optimizer.build(self.current_network.trainable_variables)
        self.network = self.current_network
        """The result: the averaged network, or the trained one where the recipe does not average."""
        if recipe.averaging is not None:
            self.network = self._first_network()
        self._averaged = [
            (average, weight)
            for average, weight in zip(self.network.variables, self.current_network.variables, strict=True)
            if self.network is not self.current_network and average.dtype == "float32"
        ]
        self._loss, self._targets = _loss_of(recipe)
        # AutoGraph would leave the source that it generates in the temporary folder.
        self._run_steps = tf.function(self._steps_graph, autograph=False)
        self._predict = self._predictor()
        self._upcoming: tuple[int, Future[EpochImages]] | None = None
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="next-epoch")

    def _first_network(self) -> keras.Model:
        """Return a network before its first step, in layers that learn steps of their weights if the recipe says so."""
        recipe = self.recipe
        network = build_network(trained_spec(recipe.arch), recipe.seed, recipe.initializer)
        if not recipe.bits:
            return network
        learner = learning_steps(network, recipe.bits, recipe.steps)
        if recipe.least_deviation:
            leave_out_still_inputs(learner, self._data.train_images, recipe.least_deviation)
        return learner

    def _predictor(self) -> Callable[[tf.Tensor], tf.Tensor]:
        network = self.network
        predict: Callable[[tf.Tensor], tf.Tensor] = tf.function(
            lambda images: network(self._scaled(images), training=False), autograph=False
        )
        return predict

    def deploy(self) -> None:
        """Let ``network`` consist of Keras' own layers, after the last epoch; where no steps were learned, it does."""
        if self.recipe.bits:
            learner = self.network
            spec = trained_spec(self.recipe.arch)
            self.network = build_network(spec, self.recipe.seed, self.recipe.initializer)
            deploy_into(self.network, learner)
            self._predict = self._predictor()

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch; the last may be smaller."""
        return self._steps

    def fit_epoch(self, epoch: int, advance: Callable[[int], None]) -> Epoch:
        """Train for one epoch and score the validation images.

        Args:
            epoch: counted from 1; with the seed it decides order and warps, so any epoch can be repeated.
            advance: told how many steps are done, several times per epoch.
        """
        started = time.perf_counter()
        ready = self.images_of(epoch)
        digits = int((ready.labels < CLASSES).sum())
        images, labels, targets = (None if part is None else tf.constant(part) for part in ready)
        edges = np.linspace(0, self._steps, min(SLICES, self._steps) + 1).astype(np.int32)
        loss = correct = 0.0
        for start, stop in pairwise(edges):
            sums = self._run_steps(images, labels, targets, tf.constant(start), tf.constant(stop))
            loss, correct = loss + float(sums[0]), correct + float(sums[1])
            advance(int(stop - start))
        val_loss, val_accuracy = self.score_validation()
        return Epoch(
            epoch=epoch,
            loss=loss / digits,
            accuracy=correct / digits,
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

    def probabilities(self, images: Pixels) -> npt.NDArray[np.float32]:
        """Return the network's probabilities, float32 (n, 10), for uint8 images (n, 28, 28)."""
        size = self._images_at_once
        parts = [
            self._predict(tf.constant(images[start : start + size])).numpy()
            for start in range(0, max(1, len(images)), size)
        ]
        result: npt.NDArray[np.float32] = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return result

    def state(self) -> list[npt.NDArray[Any]]:
        """Return all that the next epoch depends on: weights, optimizer's variables, averaged weights."""
        return [variable.numpy() for variable in self._variables()]

    def restore(self, state: list[npt.NDArray[Any]]) -> None:
        """Put a state back; what follows is then the same as if training had never stopped."""
        for variable, value in zip(self._variables(), state, strict=True):
            variable.assign(value)

    def _variables(self) -> list[Any]:
        averaged = self.network.variables if self.network is not self.current_network else []
        return [*self.current_network.variables, *self._optimizer.variables, *averaged]

    def images_of(self, epoch: int) -> EpochImages:
        """Return the images of an epoch and what they are, and begin with those of the next."""
        upcoming, self._upcoming = self._upcoming, None
        # One thread makes them all: drawn digits are kept from epoch to epoch.
        making = upcoming[1] if upcoming and upcoming[0] == epoch else self._begin(epoch)
        ready = making.result()
        if epoch < self.recipe.epochs:
            self._upcoming = epoch + 1, self._begin(epoch + 1)
        return ready

    def _begin(self, epoch: int) -> Future[EpochImages]:
        return self._executor.submit(self._make_images, epoch)

    def _make_images(self, epoch: int) -> EpochImages:
        generator = np.random.default_rng([self.recipe.seed, epoch])
        images, labels = self._data.train_images, self._data.train_labels
        for made in self._made:
            more, taught = made.of_epoch(epoch)
            images, labels = np.concatenate([images, more]), np.concatenate([labels, taught])
        warp = self.recipe.warp_of(epoch)
        if warp is not None:
            pixels, order = warp_epoch(images, warp, generator)
            if self._normalizes:
                mixed = generator.permutation(len(order))
                pixels, order = pixels[mixed], order[mixed]
        else:
            order = generator.permutation(len(images)).astype(np.int32)
            pixels = images.reshape(-1, PIXELS)[order]
        if self.recipe.spoilt:
            pixels = spoil(pixels, self.recipe.spoilt, generator)
        in_order = labels[order].astype(np.int32)
        return EpochImages(pixels, in_order, self._taught(pixels, in_order))

    def _taught(self, pixels: Pixels, labels: Labels) -> Targets | None:
        """Return labels and a teacher's answers, mixed: cross entropy with these is the mixture of the two losses."""
        if self._teacher is None:
            return None
        share = np.float32(self.recipe.teacher_share)
        return (1 - share) * TARGETS[labels] + share * self._teacher(
            pixels.reshape(-1, IMAGE_SIDE, IMAGE_SIDE)
        )

    def _steps_graph(
        self,
        images: tf.Tensor,
        labels: tf.Tensor,
        targets: tf.Tensor | None,
        start: tf.Tensor,
        stop: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Run steps start..stop-1 of an epoch; return summed loss and number of correct answers."""
        size = self.recipe.batch_size
        weights = self.current_network.trainable_variables

        def run(step: tf.Tensor, loss_sum: tf.Tensor, correct: tf.Tensor) -> tuple[tf.Tensor, ...]:
            batch, truth, taught = (
                None if part is None else part[step * size : (step + 1) * size]
                for part in (images, labels, targets)
            )
            with tf.GradientTape() as tape:
                probabilities = self.current_network(self._scaled(batch), training=True)
                loss, digits_loss = self._losses(truth, taught, probabilities)
            self._optimizer.apply(tape.gradient(loss, weights), weights)
            self._average()
            hits = tf.equal(tf.argmax(probabilities, axis=1, output_type=tf.int32), truth)
            loss_sum += digits_loss
            return step + 1, loss_sum, correct + tf.reduce_sum(tf.cast(hits, tf.float32))

        _, loss_sum, correct = tf.while_loop(
            lambda step, *_: step < stop, run, (start, tf.constant(0.0), tf.constant(0.0))
        )
        return loss_sum, correct

    def _losses(
        self, labels: tf.Tensor, taught: tf.Tensor | None, probabilities: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the mean loss of a batch, which is made less, and the sum of that of its digits, which is told."""
        if taught is None and not (self.recipe.non_digits or self.recipe.candidates):
            mean = self._loss(self._targets(labels), probabilities)
            return mean, mean * tf.cast(tf.size(labels), tf.float32)
        targets = tf.gather(TARGETS, labels) if taught is None else taught
        each = keras.losses.categorical_crossentropy(targets, probabilities)
        return tf.reduce_mean(each), tf.reduce_sum(tf.where(labels < CLASSES, each, 0.0))

    def _average(self) -> None:
        """Move the averaged weights, and means and variances of batch normalization, a little towards the current ones.

        In the first steps the average moves faster, so that it forgets the initial weights: decay at most
        (1 + step) / (10 + step), as ``tf.train.ExponentialMovingAverage`` does it.
        """
        if self.recipe.averaging is None:
            return
        step = tf.cast(self._optimizer.iterations, tf.float32)
        share = 1.0 - tf.minimum(self.recipe.averaging, (1.0 + step) / (10.0 + step))
        for average, weight in self._averaged:
            average.assign_add((weight - average) * share)

    def _scaled(self, images: tf.Tensor) -> tf.Tensor:
        return tf.cast(tf.reshape(images, [-1, *self._input_shape]), tf.float32) * (1.0 / PIXEL_MAX)


def _schedule(recipe: Recipe, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """Return the learning rate by step."""
    if recipe.schedule == "linear":
        return keras.optimizers.schedules.PolynomialDecay(recipe.learning_rate, steps, end_learning_rate=0.0)
    warm_up = math.ceil(WARM_UP * steps)
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warm_up), warmup_target=recipe.learning_rate, warmup_steps=warm_up
    )


def _loss_of(recipe: Recipe) -> tuple[Any, Callable[[tf.Tensor], tf.Tensor]]:
    """Return the loss and what turns labels into its targets; the two losses are equal in value."""
    if recipe.loss == "categorical_crossentropy":
        return keras.losses.CategoricalCrossentropy(), lambda labels: tf.one_hot(labels, CLASSES)
    return keras.losses.SparseCategoricalCrossentropy(), lambda labels: labels
