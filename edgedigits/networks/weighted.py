"""Layers with their weights as arrays, in NumPy alone: what every file of a network is written from.

Of a trained network this is what is left when pixels become probabilities: no Dropout, no Rescaling (it is folded into
the first layer), no Flatten (pixels come in the shape that the first layer takes). A layer's shapes and its activation
are those of its description in ``model_files/network_spec.py``.
"""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgedigits.model_files.network_spec import Dense, LayerSpec, Shape

Array = npt.NDArray[Any]
"""Of float32 as they are trained, of float64 where integers are chosen."""


def relu(values: Array) -> Array:
    """Return values where they are above 0, and 0 elsewhere."""
    positive: Array = np.maximum(values, 0)
    return positive


def softmax(logits: Array) -> Array:
    """Return the probabilities of logits, (n, 10) both."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Array = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {"relu": relu, "softmax": softmax}
"""By Keras' name."""


@dataclass(frozen=True, eq=False)
class WeightedLayer(ABC):
    """A layer as it is deployed."""

    spec: LayerSpec

    @property
    @abstractmethod
    def inputs(self) -> Shape:
        """Shape of what goes in, without the batch."""

    @property
    @abstractmethod
    def activation(self) -> str:
        """What is done to its sums, by Keras' name: one of ``ACTIVATIONS``."""

    @property
    @abstractmethod
    def arrays(self) -> tuple[Array, ...]:
        """Its weights and biases as they are deployed, in the order of ``LayerSpec.parameter_shapes``."""

    @property
    @abstractmethod
    def keras_arrays(self) -> tuple[Array, ...]:
        """Those of ``arrays`` that Keras keeps."""

    @abstractmethod
    def sums(self, values: Array) -> Array:
        """Return what it gives before its activation.

        Args:
            values: (n, *inputs).
        """

    @abstractmethod
    def folded(self, factor: float, offset: float) -> "WeightedLayer":
        """Return the layer that takes ``x`` where this one takes ``factor * x + offset``."""

    @abstractmethod
    def divided(self, by: float) -> "WeightedLayer":
        """Return the layer whose sums are those of this one divided by a number: a temperature."""

    @abstractmethod
    def astype(self, dtype: npt.DTypeLike) -> "WeightedLayer":
        """Return the layer with weights and biases of another type."""

    @property
    def outputs(self) -> Shape:
        """Shape of what it gives, without the batch."""
        return self.spec.output_shape(self.inputs)

    @property
    def parameters(self) -> int:
        """How many weights and biases it has."""
        return self.spec.parameters(self.inputs)

    def answers(self, values: Array) -> Array:
        """Return what it gives, (n, *outputs), for values (n, *inputs)."""
        return ACTIVATIONS[self.activation](self.sums(values))


@dataclass(frozen=True, eq=False)
class WeightedDense(WeightedLayer):
    """A Dense layer: ``activation(values @ kernel + bias)``."""

    spec: Dense
    kernel: Array
    """Shape (inputs, units)."""
    bias: Array
    """Shape (units,); zeros where Keras has none."""

    def __post_init__(self) -> None:
        """Refuse arrays of other shapes than the description has.

        Raises:
            ValueError: with both.
        """
        expected, found = self.spec.parameter_shapes(self.inputs), (self.kernel.shape, self.bias.shape)
        if expected != found:
            raise ValueError(f"{self.spec}: expected kernel and bias of shapes {expected}, got {found}")

    @property
    def inputs(self) -> Shape:
        """One side; see ``WeightedLayer.inputs``."""
        return self.kernel.shape[:1]

    @property
    def activation(self) -> str:
        """See ``WeightedLayer.activation``."""
        return self.spec.activation

    @property
    def arrays(self) -> tuple[Array, ...]:
        """Kernel and bias."""
        return self.kernel, self.bias

    @property
    def keras_arrays(self) -> tuple[Array, ...]:
        """Kernel, and bias where Keras has one."""
        return self.arrays if self.spec.use_bias else (self.kernel,)

    def with_arrays(self, kernel: Array, bias: Array) -> "WeightedDense":
        """Return the layer with other weights of the same shapes."""
        return dataclasses.replace(self, kernel=kernel, bias=bias)

    def sums(self, values: Array) -> Array:
        """Return (n, units) for (n, inputs), in the wider type of values and weights."""
        sums: Array = values @ self.kernel + self.bias
        return sums

    def folded(self, factor: float, offset: float) -> "WeightedDense":
        """Fold ``factor * x + offset`` into kernel and bias; float32 ones, each rounded once.

        (f x + o) K + b = x (f K) + (b + o sum(K)), where K is summed over its inputs.
        """
        kernel = (self.kernel * np.float32(factor)).astype(np.float32)
        bias = self.bias
        if offset:
            bias = (bias + offset * self.kernel.sum(axis=0, dtype=np.float64)).astype(np.float32)
        return self.with_arrays(kernel, bias)

    def divided(self, by: float) -> "WeightedDense":
        """Divide kernel and bias; float32 ones are rounded once."""
        return self.with_arrays(self.kernel / np.float32(by), self.bias / np.float32(by))

    def astype(self, dtype: npt.DTypeLike) -> "WeightedDense":
        """Return copies of kernel and bias in another type."""
        return self.with_arrays(self.kernel.astype(dtype), self.bias.astype(dtype))


@dataclass(frozen=True, eq=False)
class WeightedNetwork:
    """Layers in a chain, softmax at the end."""

    layers: tuple[WeightedLayer, ...]

    @property
    def inputs(self) -> Shape:
        """Shape in which its first layer takes an image, without the batch."""
        return self.layers[0].inputs

    @property
    def parameters(self) -> int:
        """How many weights and biases it has."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def arrays(self) -> tuple[Array, ...]:
        """Weights and biases of all layers, the first layer's first."""
        return tuple(array for layer in self.layers for array in layer.arrays)

    def replaced(self, index: int, layer: WeightedLayer) -> "WeightedNetwork":
        """Return the network with another layer in some place."""
        layers = list(self.layers)
        layers[index] = layer
        return self.of(layers)

    @classmethod
    def of(cls, layers: Iterable[WeightedLayer]) -> "WeightedNetwork":
        """Return the network of some layers."""
        return cls(tuple(layers))

    def folded(self, factor: float, offset: float) -> "WeightedNetwork":
        """Return the network that takes ``x`` where this one takes ``factor * x + offset``."""
        return self.replaced(0, self.layers[0].folded(factor, offset))

    def cooled(self, temperature: float) -> "WeightedNetwork":
        """Return the network whose logits are those of this one divided by a temperature."""
        return self.replaced(-1, self.layers[-1].divided(temperature))

    def astype(self, dtype: npt.DTypeLike) -> "WeightedNetwork":
        """Return the network with weights and biases of another type."""
        return self.of(layer.astype(dtype) for layer in self.layers)

    def entered(self, images: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return images, (n, 28, 28), in the shape that the first layer takes: (n, *inputs)."""
        return images.reshape(len(images), *self.inputs)

    def logits(self, images: npt.NDArray[Any]) -> Array:
        """Return what its softmax is taken of, (n, 10).

        Args:
            images: (n, 28, 28) or (n, *inputs), as the first layer takes them.
        """
        values = self.entered(images)
        for layer in self.layers[:-1]:
            values = layer.answers(values)
        return self.layers[-1].sums(values)
