"""Temperature scaling: one number, fitted to the validation images, that makes a trained network's confidences fair.

All logits are divided by the temperature, which changes no answer, only how sure it is: above 1 less, below 1 more.
It is folded into the last layer, so that whatever is made of the network has it, and it costs nothing on a device.

Source: C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On calibration of modern neural networks", ICML 2017,
section 4.2, equation 9.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from edgedigits.contract import PIXEL_MAX
from edgedigits.measuring.metrics import Labels, Probabilities, expected_calibration_error
from edgedigits.networks.backend import keras
from edgedigits.networks.build import is_deployed_dense, set_weights, weighted_network
from edgedigits.picture.levels import Pixels
from edgedigits.training.fitting import MAPS_AT_ONCE

Part = Literal["validation", "test"]

COLDEST, HOTTEST = 0.1, 100.0
"""Bounds of the temperature. What the recipes train on MNIST came to 0.96 to 4.02, the more the longer they learn
images as they are. The bounds are far from that: they only stop where a few validation images, with one mistake by a
hair or hardly a right answer among them, would go without end."""
DECIMALS = 3
"""Of the temperature: finer than 5,000 images can tell, and coarse enough that another order of summation gives the
same temperature, and so the same weights."""
HALVINGS = 50
"""Of the interval in which the temperature lies: to far below its last decimal."""


@dataclass(frozen=True)
class BeforeAndAfter:
    """An expected calibration error, 0..1, of the network as it was trained and with its temperature."""

    before: float
    after: float


@dataclass(frozen=True)
class TemperatureScaling:
    """What a network's logits were divided by, and what came of it."""

    temperature: float
    expected_calibration_error: dict[Part, BeforeAndAfter]
    """By the images that it was measured on: those that the temperature was fitted to, and the test images."""

    def __str__(self) -> str:
        test = self.expected_calibration_error["test"]
        return (
            f"temperature {self.temperature:.3f}; expected calibration error on the test images {test.after:.4f}, "
            f"before {test.before:.4f}"
        )


def scale_by_temperature(
    network: keras.Model,
    probabilities: Callable[[Pixels], Probabilities],
    validation: tuple[Pixels, Labels],
    test: tuple[Pixels, Labels],
) -> TemperatureScaling:
    """Fit a temperature to the validation images and fold it into a network, which is changed.

    Args:
        network: as ``network_logits`` takes it.
        probabilities: the network's answers, float32 (n, 10), to images, asked before and after the change.
        validation: images uint8 (n, 28, 28), n > 0, and labels (n,) that it was not fitted to.
        test: likewise; they decide nothing.
    """
    parts: dict[Part, tuple[Pixels, Labels]] = {"validation": validation, "test": test}

    def errors() -> list[float]:
        return [
            expected_calibration_error(labels, probabilities(images)) for images, labels in parts.values()
        ]

    before = errors()
    images, labels = validation
    temperature = fit_temperature(network_logits(network, images), labels)
    fold_temperature(network, temperature)
    changes = map(BeforeAndAfter, before, errors())
    return TemperatureScaling(temperature, dict(zip(parts, changes, strict=True)))


def network_logits(network: keras.Model, images: Pixels) -> npt.NDArray[np.float64]:
    """Return what a network's softmax is taken of, float64 (n, 10): probabilities are too coarse near 0 and 1.

    Args:
        network: its last layer is a Dense one with softmax, as ``trained_spec`` describes it.
        images: uint8 (n, 28, 28).
    """
    if is_deployed_dense(network):
        return weighted_network(network).astype(np.float64).logits(images / np.float64(PIXEL_MAX))
    last = network.layers[-1]
    before = keras.Model(network.inputs[0], last.input)
    kernel, bias = (array.astype(np.float64) for array in last.get_weights())
    shape = network.input_shape[1:]
    parts = [
        before(images[start : start + MAPS_AT_ONCE].reshape(-1, *shape) * np.float32(1 / PIXEL_MAX)).numpy()
        for start in range(0, len(images), MAPS_AT_ONCE)
    ]
    logits: npt.NDArray[np.float64] = np.concatenate(parts) @ kernel + bias
    return logits


def fit_temperature(logits: npt.NDArray[np.float64], labels: Labels) -> float:
    """Return the temperature with the least negative log likelihood, from ``COLDEST`` to ``HOTTEST``.

    The likelihood of logits z times s = 1 / temperature is convex in s: its derivative, the mean over all images of
    the logit that softmax(s z) expects less that of the true class, grows with s. Its root is found by halving.

    Where no image is mistaken, there is none: the surer the network, the likelier the labels. Then such images cannot
    say how sure it may be, and it stays as it is: 1.

    Args:
        logits: shape (n, classes), n > 0.
        labels: true classes, shape (n,).
    """
    if (logits.argmax(axis=1) == labels).all():
        return 1.0
    logits = logits - logits.max(axis=1, keepdims=True)
    true = logits[np.arange(len(labels)), labels]

    def derivative(scale: float) -> float:
        shares = np.exp(scale * logits)
        expected = (shares * logits).sum(axis=1) / shares.sum(axis=1)
        return float((expected - true).mean())

    low, high = 1 / HOTTEST, 1 / COLDEST
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if derivative(middle) > 0 else (middle, high)
    return round(2 / (low + high), DECIMALS)


def fold_temperature(network: keras.Model, temperature: float) -> None:
    """Divide the weights of a network's last layer by a temperature, and with them its logits."""
    if is_deployed_dense(network):
        set_weights(network, weighted_network(network).cooled(temperature))
    else:
        last = network.layers[-1]
        last.set_weights([array / np.float32(temperature) for array in last.get_weights()])
