"""Layers whose weights are whole numbers of few bits times a step that is learned with them.

S. Esser et al., "Learned Step Size Quantization", ICLR 2020. In the forward pass each weight is the nearest of the few
multiples of a step; gradients go through the rounding as if it were not there. Here it is the logarithm of a step that
is learned: Adam moves every variable by about the learning rate, and so a step by a share of itself.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edgedigits.errors import ArgumentError
from edgedigits.model_files.quantized_bits import Bits, bounds_of
from edgedigits.networks.backend import keras, tf
from edgedigits.picture.levels import Pixels
from edgedigits.training.recipe import Per

IMAGES_AT_ONCE = 5_000
LEAST_STEP = 1e-8
"""Of weights that are all 0."""


class _LearnedSteps:
    """What Keras layers with a kernel get: the kernel that is multiplied by, and what it is made of."""

    bits: Bits
    per: Per
    activation: Any
    add_weight: Any
    bias: Any
    kernel: Any
    step_logarithm: Any
    used: Any

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the variables; ``begin`` gives the steps their values."""
        super().build(input_shape)  # type: ignore[misc]
        *_, inputs, outputs = self.kernel.shape
        shape = (outputs,) if self.per == "channel" else ()
        self.step_logarithm = self.add_weight(name="step_logarithm", shape=shape, initializer="zeros")
        self.used = self.add_weight(name="used", shape=(inputs, 1), initializer="ones", trainable=False)

    def begin(self, weights: list[npt.NDArray[np.float32]]) -> None:
        """Take kernel and bias, and steps that suit the kernel; see section 2.1 of the article."""
        kernel, *bias = weights
        _, highest = bounds_of(self.bits)
        sizes = np.abs(kernel)
        mean = sizes.mean(axis=tuple(range(sizes.ndim - 1))) if self.per == "channel" else sizes.mean()
        first = np.log(np.maximum(2 * mean / math.sqrt(highest), LEAST_STEP))
        self.kernel.assign(kernel)
        self.step_logarithm.assign(first)
        if bias:
            self.bias.assign(bias[0])

    def whole_kernel(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the whole numbers of the kernel, with gradients as if they were not rounded, and the step or steps."""
        lowest, highest = bounds_of(self.bits)
        step = tf.exp(self.step_logarithm)
        exact = tf.clip_by_value(self.kernel * self.used / step, lowest, highest)
        return exact + tf.stop_gradient(tf.round(exact) - exact), step

    def with_bias(self, outputs: tf.Tensor) -> tf.Tensor:
        """Return what the layer makes of its products."""
        biased = outputs + self.bias if self.bias is not None else outputs
        return self.activation(biased)


class LearnedStepDense(_LearnedSteps, keras.layers.Dense):
    """A Dense layer with weights of few bits."""

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Return activations, (n, units)."""
        whole, step = self.whole_kernel()
        return self.with_bias(tf.matmul(inputs, whole) * step)


class LearnedStepConv2D(_LearnedSteps, keras.layers.Conv2D):
    """A convolution with weights of few bits."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Return activations, (n, height, width, filters)."""
        whole, step = self.whole_kernel()
        return self.with_bias(self.convolution_op(inputs, whole * step))


_LEARNING: dict[type[keras.Layer], type[keras.Layer]] = {
    keras.layers.Dense: LearnedStepDense,
    keras.layers.Conv2D: LearnedStepConv2D,
}
"""By Keras' kind, the kind with learned steps."""


def learning_steps(network: keras.Model, bits: Sequence[Bits], per: Per) -> keras.Model:
    """Return a network with the same weights, whose layers learn steps.

    Args:
        network: of the kinds above and of layers without weights.
        bits: of each layer with weights.
        per: what has a step of its own.
    """
    weighted = [layer.name for layer in network.layers if layer.weights]
    bits_of = dict(zip(weighted, bits, strict=True))

    def learning(layer: keras.Layer) -> keras.Layer:
        made = _LEARNING.get(type(layer), type(layer)).from_config(layer.get_config())
        if isinstance(made, _LearnedSteps):
            made.bits, made.per = bits_of[layer.name], per
        return made

    learner = keras.models.clone_model(network, clone_function=learning)
    for layer, learned in zip(network.layers, learner.layers, strict=True):
        if isinstance(learned, _LearnedSteps):
            learned.begin(layer.get_weights())
    return learner


def deploy_into(network: keras.Model, learner: keras.Model) -> None:
    """Put the weights that a network computes with into the layers of Keras' own kinds.

    Args:
        network: what ``learning_steps`` was given, or its like.
        learner: what it returned, trained.
    """
    for layer, learned in zip(network.layers, learner.layers, strict=True):
        if isinstance(learned, _LearnedSteps):
            whole, step = (part.numpy() for part in learned.whole_kernel())
            kernel: npt.NDArray[np.float32] = (whole * step).astype(np.float32)
            layer.set_weights([kernel, *([learned.bias.numpy()] if learned.bias is not None else [])])


def leave_out_still_inputs(learner: keras.Model, images: Pixels, least: float) -> None:
    """Let the first Dense layer do without inputs that hardly change from image to image.

    Args:
        learner: what ``learning_steps`` returned.
        images: of the training, uint8 (n, 28, 28).
        least: standard deviation over the images, in pixel values.

    Raises:
        ArgumentError: no input changes so much.
    """
    dense = next(layer for layer in learner.layers if isinstance(layer, LearnedStepDense))
    before = keras.Model(learner.inputs[0], dense.input)
    shape = learner.input_shape[1:]
    count, total, squares = 0, np.zeros(dense.input.shape[-1]), np.zeros(dense.input.shape[-1])
    for start in range(0, len(images), IMAGES_AT_ONCE):
        part = images[start : start + IMAGES_AT_ONCE]
        values = before(part.reshape(-1, *shape).astype(np.float32)).numpy().astype(np.float64)
        count, total, squares = count + len(values), total + values.sum(0), squares + (values**2).sum(0)
    deviation = np.sqrt(np.maximum(squares / count - (total / count) ** 2, 0.0))
    used = deviation >= least
    if not used.any():
        raise ArgumentError(
            f"least_deviation: expected at most {deviation.max():.1f}, the largest deviation there is, got {least:g}"
        )
    dense.used.assign(used[:, np.newaxis].astype(np.float32))
