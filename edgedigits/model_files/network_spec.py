"""The description of a network: its layers as frozen dataclasses, whatever file it came from.

One class is one kind of layer. It knows its shapes and how many weights it has; what its weights are is known upstairs,
in ``networks/weighted.py``. Whoever reads or writes networks has a table with a row for each kind.
"""

import math
from dataclasses import dataclass
from itertools import accumulate

from edgedigits.contract import CLASSES, IMAGE_SIDE, arch_text

Shape = tuple[int, ...]
"""Of the values of one image, without the batch: (28, 28), (784,)."""


@dataclass(frozen=True)
class LayerSpec:
    """One layer of a network. As it stands here it keeps shapes as they are and holds no weights."""

    name: str

    def __str__(self) -> str:
        return type(self).__name__

    def output_shape(self, inputs: Shape) -> Shape:
        """Return the shape of what it gives.

        Args:
            inputs: shape of what goes in.
        """
        return inputs

    def parameter_shapes(self, inputs: Shape) -> tuple[Shape, ...]:
        """Return the shapes of its weights and biases, in the order in which Keras keeps them.

        Args:
            inputs: shape of what goes in.
        """
        return ()

    def parameters(self, inputs: Shape) -> int:
        """Return how many weights and biases it has for what goes in."""
        return sum(math.prod(shape) for shape in self.parameter_shapes(inputs))


@dataclass(frozen=True)
class Rescaling(LayerSpec):
    """``scale * value + offset``: how a network declares that it takes pixels from 0 to 255 as they are."""

    scale: float
    offset: float = 0.0


@dataclass(frozen=True)
class Flatten(LayerSpec):
    """All values of an image in a row."""

    def output_shape(self, inputs: Shape) -> Shape:
        """Return one side, as long as all of the image's together; see ``LayerSpec.output_shape``."""
        return (math.prod(inputs),)


@dataclass(frozen=True)
class Dropout(LayerSpec):
    """Leaves out values by chance while a network learns; it does nothing once the network is trained."""

    rate: float


@dataclass(frozen=True)
class Dense(LayerSpec):
    """Every output from every input: ``activation(values @ kernel + bias)``."""

    units: int
    activation: str = "linear"
    """By Keras' name."""
    use_bias: bool = True
    """Whether Keras keeps a bias; wherever the network is deployed, there is one, of zeros where Keras has none."""

    def __str__(self) -> str:
        return f"{type(self).__name__} {self.units} {self.activation}"

    def output_shape(self, inputs: Shape) -> Shape:
        """Return the inputs' shape with the units in place of its last side; see ``LayerSpec.output_shape``."""
        return (*inputs[:-1], self.units)

    def parameter_shapes(self, inputs: Shape) -> tuple[Shape, ...]:
        """Return the shapes of kernel and bias, the latter with or without ``use_bias``: it is deployed."""
        return (inputs[-1], self.units), (self.units,)


@dataclass(frozen=True)
class NetworkSpec:
    """A feed-forward digits network: from 28x28 values to ten probabilities."""

    input_shape: Shape
    """Without the batch: (28, 28), (28, 28, 1) or (784,)."""
    layers: tuple[LayerSpec, ...]

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """What goes into each layer, and at the end what the last one gives."""
        return tuple(
            accumulate(self.layers, lambda shape, layer: layer.output_shape(shape), initial=self.input_shape)
        )

    @property
    def dense(self) -> tuple[Dense, ...]:
        """The Dense layers, the softmax layer last."""
        return tuple(layer for layer in self.layers if isinstance(layer, Dense))

    @property
    def arch(self) -> str:
        """Widths of the hidden layers, ``128-32``."""
        return arch_text(tuple(layer.units for layer in self.dense[:-1]))

    @property
    def parameters(self) -> int:
        """How many weights and biases it has where it is deployed."""
        # The last shape is of what nothing follows.
        pairs = zip(self.layers, self.shapes[:-1], strict=True)
        return sum(layer.parameters(inputs) for layer, inputs in pairs)

    @property
    def rescaling(self) -> Rescaling | None:
        """The layer by which a network declares that it takes pixels from 0 to 255 as they are."""
        return next((layer for layer in self.layers if isinstance(layer, Rescaling)), None)


def network_spec(widths: tuple[int, ...]) -> NetworkSpec:
    """Describe the network that people teach with: Flatten, Dense ReLU layers, Dense softmax of 10.

    Args:
        widths: of the hidden layers, at least one.
    """
    hidden = [Dense(f"hidden_{i}", units, "relu") for i, units in enumerate(widths, start=1)]
    output = Dense("probabilities", CLASSES, "softmax")
    return NetworkSpec((IMAGE_SIDE, IMAGE_SIDE), (Flatten("flatten"), *hidden, output))
