"""The description of a network: its layers as frozen dataclasses, whatever file it came from.

One class is one kind of layer. It knows its shapes and how many weights it has; what its weights are is known upstairs,
in ``networks/weighted.py``. Whoever reads or writes networks has a table with a row for each kind.
"""

import math
from dataclasses import dataclass, field
from typing import Literal

from edgedigits.contract import CLASSES, IMAGE_SIDE, arch_text
from edgedigits.metadata import LONGEST_TEXT

Shape = tuple[int, ...]
"""Of the values of one image, without the batch: (28, 28), (784,)."""


@dataclass(frozen=True)
class LayerSpec:
    """One layer of a network. As it stands here it keeps shapes as they are and holds no weights."""

    name: str
    where: str = field(default="", kw_only=True, compare=False, repr=False)
    """Group of its weights in the file that it was read from; empty where it was read from none."""

    def __str__(self) -> str:
        return type(self).__name__

    @property
    def short(self) -> str:
        """How it reads in a network's ``arch``; empty where it is not worth a word there."""
        return ""

    def output_shape(self, inputs: Shape, *others: Shape) -> Shape:
        """Return the shape of what it gives.

        Args:
            inputs: shape of what goes in.
            others: shapes of what goes in besides, where branches meet.
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

    def products(self, inputs: Shape) -> int:
        """Return how many multiplications by a weight one image takes."""
        return 0

    @property
    def parts(self) -> tuple[str, ...]:
        """Where Keras keeps its weights below its own group: layers within a layer."""
        return ("",)


@dataclass(frozen=True)
class Rescaling(LayerSpec):
    """``scale * value + offset``: how a network declares that it takes pixels from 0 to 255 as they are."""

    scale: float
    offset: float = 0.0


@dataclass(frozen=True)
class Flatten(LayerSpec):
    """All values of an image in a row."""

    channels_last: bool = field(default=False, kw_only=True)
    """Whether it first puts the first side of a map, its channels, behind the others."""

    def output_shape(self, inputs: Shape, *others: Shape) -> Shape:
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

    @property
    def short(self) -> str:
        """See ``LayerSpec.short``."""
        return f"dense{self.units}"

    def output_shape(self, inputs: Shape, *others: Shape) -> Shape:
        """Return the inputs' shape with the units in place of its last side; see ``LayerSpec.output_shape``."""
        return (*inputs[:-1], self.units)

    def parameter_shapes(self, inputs: Shape) -> tuple[Shape, ...]:
        """Return the shapes of kernel and bias, the latter with or without ``use_bias``: it is deployed."""
        return (inputs[-1], self.units), (self.units,)

    def products(self, inputs: Shape) -> int:
        """See ``LayerSpec.products``."""
        return math.prod(inputs) * self.units


Head = Literal["softmax", "logits", "sigmoid"]


@dataclass(frozen=True)
class NetworkSpec:
    """A feed-forward digits network: from 28x28 values to ten probabilities. A graph without a circle."""

    input_shape: Shape
    """Without the batch: (28, 28), (28, 28, 1), (1, 28, 28) or (784,)."""
    layers: tuple[LayerSpec, ...]
    """In an order in which they can run. A layer that is called more than once stands here as often."""
    sources: tuple[tuple[int, ...], ...] = ()
    """Of each layer, what gives what it takes: 0 is the image, ``i`` is ``layers[i - 1]``; empty for a chain."""
    head: Head = "softmax"
    """How its author had it end: ``logits`` where the softmax at the end is ours, ``sigmoid`` with ten of these."""

    @property
    def inputs(self) -> tuple[tuple[int, ...], ...]:
        """``sources``, written out for a chain too."""
        return self.sources or tuple((index,) for index in range(len(self.layers)))

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """Of the image, and of what each layer gives; in a chain, what goes into each layer and what the last gives."""
        shapes = [self.input_shape]
        for layer, sources in zip(self.layers, self.inputs, strict=True):
            shapes.append(layer.output_shape(*(shapes[source] for source in sources)))
        return tuple(shapes)

    @property
    def entering(self) -> tuple[Shape, ...]:
        """Shape of what goes into each layer: of the first of them, where branches meet."""
        shapes = self.shapes
        return tuple(shapes[sources[0]] for sources in self.inputs)

    @property
    def dense(self) -> tuple[Dense, ...]:
        """The Dense layers, the softmax layer last."""
        return tuple(layer for layer in self.layers if isinstance(layer, Dense))

    @property
    def weighted(self) -> tuple[LayerSpec, ...]:
        """The layers that have weights."""
        return tuple(
            layer
            for layer, inputs in zip(self.layers, self.entering, strict=True)
            if layer.parameter_shapes(inputs)
        )

    @property
    def is_dense(self) -> bool:
        """Whether it is a chain of Dense layers with relu and a softmax layer at the end, as ``train`` makes them.

        Such networks go to every format; others to those that compute in floats.
        """
        kinds = all(type(layer) in (Rescaling, Flatten, Dropout, Dense) for layer in self.layers)
        if self.sources or not kinds or len(self.dense) < 2:
            return False
        *hidden, output = self.dense
        first = self.layers.index(hidden[0])
        rescalings = [index for index, layer in enumerate(self.layers) if isinstance(layer, Rescaling)]
        return (
            self.layers[-1] is output
            and all(layer.activation == "relu" for layer in hidden)
            and output.activation == "softmax"
            and len(rescalings) <= 1
            and all(index < first for index in rescalings)
            and len(set(self.layers)) == len(self.layers)
            and all(len(self.entering[self.layers.index(layer)]) == 1 for layer in self.dense)
        )

    @property
    def arch(self) -> str:
        """Widths of the hidden layers, ``128-32``; of other networks their layers, ``conv32-pool-dense10``."""
        if self.is_dense:
            return arch_text(tuple(layer.units for layer in self.dense[:-1]))
        text = "-".join(filter(None, (layer.short for layer in self.layers)))
        return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 3].rpartition("-")[0] + "..."

    @property
    def parameters(self) -> int:
        """How many weights and biases it has where it is deployed; those of a layer that is called twice count once."""
        found = dict(zip(self.layers, self.entering, strict=True))
        return sum(layer.parameters(inputs) for layer, inputs in found.items())

    @property
    def products(self) -> int:
        """How many multiplications by a weight one image takes."""
        return sum(layer.products(inputs) for layer, inputs in zip(self.layers, self.entering, strict=True))

    @property
    def rescaling(self) -> Rescaling | None:
        """The layer by which a network declares that it takes pixels from 0 to 255 as they are."""
        for layer, inputs in zip(self.layers, self.entering, strict=True):
            if isinstance(layer, Rescaling):
                return layer
            if layer.parameter_shapes(inputs):
                break
        return None


def network_spec(widths: tuple[int, ...]) -> NetworkSpec:
    """Describe the network that people teach with: Flatten, Dense ReLU layers, Dense softmax of 10.

    Args:
        widths: of the hidden layers, at least one.
    """
    hidden = [Dense(f"hidden_{i}", units, "relu") for i, units in enumerate(widths, start=1)]
    output = Dense("probabilities", CLASSES, "softmax")
    return NetworkSpec((IMAGE_SIDE, IMAGE_SIDE), (Flatten("flatten"), *hidden, output))
