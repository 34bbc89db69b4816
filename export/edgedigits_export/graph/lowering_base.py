"""What lowering has at hand: the steps so far, and how values stand in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from edgedigits.model_files import layer_kinds as kinds
from edgedigits.model_files.network_spec import LayerSpec, Shape
from edgedigits_export.graph.steps import Array, Convolution, Function, Step, ToMap, ToRow

Sources = tuple[int, ...]


@dataclass
class Lowering:
    """The steps so far."""

    channels_first: bool
    """Of all maps of the network, as its author has them."""
    weights: Mapping[str, Sequence[Array]]
    steps: list[Step] = field(default_factory=list)
    shapes: list[Shape] = field(default_factory=list)
    """Of what the steps give."""
    authored: dict[int, Shape] = field(default_factory=dict)
    """Of what the layers give, by place, as their author has them."""

    def add(self, step: Step) -> int:
        """Add a step and return its place."""
        self.steps.append(step)
        self.shapes.append(step.shape(*(self.shapes[source] for source in step.sources)))
        return len(self.steps) - 1

    def sequence(self, place: int) -> int:
        """Return the place of a sequence (steps, features) as a map of one row, (1, steps, features).

        Raises:
            ValueError: it is none.
        """
        inputs = self.authored[place]
        if len(inputs) != 2:
            raise ValueError(f"a sequence, not {inputs}")
        if self.shapes[place] == (1, *inputs):
            return place
        row = self.add(ToRow((place,), channels_first=False))
        found = self.add(ToMap((row,), (1, *inputs), channels_first=False))
        self.authored[found] = inputs
        return found

    def sequences(self, sources: Sources) -> Sources:
        """Return branches that meet: of sequences all in one form, any others as they are."""
        if any(len(self.authored[place]) != 2 for place in sources):
            return sources
        return tuple(map(self.sequence, sources))

    def activated(self, place: int, function: str, alpha: float | None = None) -> int:
        """Add a function, where it is one that does something."""
        if function == "linear":
            return place
        if alpha is None:
            alpha = 6.0 if function == "relu6" else kinds.DEFAULT_ALPHAS.get(function, 0.0)
        return self.add(Function((place,), function, alpha))

    def arrays(self, layer: LayerSpec) -> list[Array]:
        """Return the weights of a layer, float64."""
        return [np.asarray(array, np.float64) for array in self.weights[layer.name]]

    def along(self, values: Array, axes: tuple[int, ...], inputs: Shape, place: int) -> Array:
        """Return values along some axes of an input, shaped to be combined with the row or the map of a place."""
        shape = [side if axis in axes else 1 for axis, side in enumerate(inputs)]
        return self.of_map(values.reshape(shape), place)

    def of_map(self, values: Array, place: int) -> Array:
        """Return an array of as many sides as an input as one of the row or the map of a place."""
        if values.ndim == 2:
            return (
                values[np.newaxis]
                if self.shapes[place] == (1, *self.authored[place])
                else values[:, :, np.newaxis]
            )
        return np.moveaxis(values, 0, 2) if values.ndim == 3 and self.channels_first else values


def pointwise(to: Lowering, place: int, kernel: Array, bias: Array) -> int:
    """Add a product of each pixel of a map with a kernel, (channels, outputs)."""
    window = kernel[np.newaxis, np.newaxis]
    return to.add(Convolution((place,), window, bias, (1, 1), (1, 1), 1, (0, 0, 0, 0)))
