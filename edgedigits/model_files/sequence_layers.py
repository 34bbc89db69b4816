"""The kinds of layers that take a sequence, and others that few digit networks have: their shapes and weights.

A sequence is (steps, features). Files compute it as a map of one row: (1, steps, features).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from edgedigits.contract import LARGEST_MAP
from edgedigits.model_files.layer_kinds import Add, real_axes
from edgedigits.model_files.map_layers import Kind, MapLayer, Margins, same_margins
from edgedigits.model_files.network_spec import LayerSpec, Shape

MOST_NORMALIZED = 1_024
"""Values of a LayerNormalization, whose mean is written as a product with as many squared."""


def steps_of(layer: LayerSpec, inputs: Shape) -> tuple[int, int]:
    """Return steps and features of a sequence.

    Raises:
        ValueError: it is none.
    """
    if len(inputs) != 2:
        raise ValueError(f"{layer} {layer.name} takes a sequence of two sides, not {inputs}")
    return inputs[0], inputs[1]


def check_held(layer: LayerSpec, count: int) -> None:
    """Raise ``ValueError`` where a layer would hold too many values of an image between its input and its output."""
    if count > LARGEST_MAP:
        raise ValueError(
            f"{layer} {layer.name} that holds {count:,} values of an image, more than {LARGEST_MAP:,}"
        )


@dataclass(frozen=True)
class Window1D(LayerSpec):
    """A layer that moves a window over a sequence."""

    window: int
    stride: int
    padding: str
    """``valid``, ``same`` or ``causal``: all that is missing comes before."""
    dilation: int = field(default=1, kw_only=True)

    def margins(self, inputs: Shape) -> Margins:
        """Return what lies around the sequence, as around a map of one row."""
        if self.padding == "valid":
            return 0, 0, 0, 0
        before, behind = same_margins(inputs[0], self.window, self.stride, self.dilation)
        if self.padding == "causal":
            before, behind = (self.window - 1) * self.dilation, 0
        return 0, 0, before, behind

    def places(self, inputs: Shape) -> int:
        """Return in how many places the window stands."""
        steps, _ = steps_of(self, inputs)
        margins = sum(self.margins(inputs))
        found = (steps + margins - (self.window - 1) * self.dilation - 1) // self.stride + 1
        if found < 1:
            raise ValueError(f"{self} of window {self.window} is longer than its sequence {inputs}")
        return found

    def output_shape(self, inputs: Shape, *others: Shape) -> Shape:
        """Return places and features; see ``LayerSpec.output_shape``."""
        return self.places(inputs), inputs[1]


@dataclass(frozen=True)
class Conv1D(Window1D):
    """A convolution over a sequence."""

    filters: int = field(kw_only=True)
    groups: int = field(default=1, kw_only=True)
    activation: str = field(default="linear", kw_only=True)
    use_bias: bool = field(default=True, kw_only=True)

    @property
    def short(self) -> str:
        """See ``LayerSpec.short``."""
        return f"conv{self.filters}"

    def output_shape(self, inputs: Shape, *others: Shape) -> Shape:
        """Return places and filters; see ``LayerSpec.output_shape``."""
        return self.places(inputs), self.filters

    def parameter_shapes(self, inputs: Shape) -> tuple[Shape, ...]:
        """Return the shapes of kernel and bias."""
        _, features = steps_of(self, inputs)
        if features % self.groups or self.filters % self.groups:
            raise ValueError(f"{self} {self.name}: {self.groups} groups of {features} to {self.filters}")
        kernel = (self.window, features // self.groups, self.filters)
        return (kernel, (self.filters,)) if self.use_bias else (kernel,)

    def products(self, inputs: Shape) -> int:
        """See ``LayerSpec.products``."""
        return self.places(inputs) * math.prod(self.parameter_shapes(inputs)[0])


@dataclass(frozen=True)
class Pooling1D(Window1D):
    """The largest or the mean value in each place of a window."""

    kind: Kind = field(kw_only=True)

    @property
    def short(self) -> str:
        """See ``LayerSpec.short``."""
        return "pool"


@dataclass(frozen=True)
class GlobalPooling1D(LayerSpec):
    """The largest or the mean value of each feature."""

    kind: Kind

    @property
    def short(self) -> str:
        """See ``LayerSpec.short``."""
        return "max" if self.kind == "max" else "mean"

    def output_shape(self, inputs: Shape, *others: Shape) -> Shape:
        """Return the features; see ``LayerSpec.output_shape``."""
        return (steps_of(self, inputs)[1],)


@dataclass(frozen=True)
class Permute(LayerSpec):
    """The sides of each image in another order."""

    order: tuple[int, ...]
    """Of the sides, counted from 1."""

    def output_shape(self, inputs: Shape, *others: Shape) -> Shape:
        """Return the sides in their order; see ``LayerSpec.output_shape``."""
        if sorted(self.order) != list(range(1, len(inputs) + 1)):
            raise ValueError(f"{self} {self.name} of {inputs} to the order {self.order}")
        return tuple(inputs[side - 1] for side in self.order)


@dataclass(frozen=True)
class Resized(MapLayer):
    """A map of another height and width."""

    size: tuple[int, int]
    is_bilinear: bool
    """Whether a pixel is the weighted mean of its neighbours, else the nearest."""
    is_factor: bool
    """Whether ``size`` says how often each pixel is repeated, else how many there are to be."""

    def targets(self, inputs: Shape) -> tuple[int, int]:
        """Return the height and width that come out."""
        height, width, _ = self.sides(inputs)
        return (height * self.size[0], width * self.size[1]) if self.is_factor else self.size

    def output_shape(self, inputs: Shape, *others: Shape) -> Shape:
        """Return the new sides; see ``LayerSpec.output_shape``."""
        return self.joined(*self.targets(inputs), self.sides(inputs)[2])

    def products(self, inputs: Shape) -> int:
        """See ``LayerSpec.products``: each row and each column is a sum of weighted others."""
        height, width, channels = self.sides(inputs)
        rows, columns = self.targets(inputs)
        return channels * (height * width * columns + height * rows * columns)


@dataclass(frozen=True)
class Multiply(Add):
    """The product of branches of one shape, value by value."""

    @property
    def short(self) -> str:
        """See ``LayerSpec.short``."""
        return "times"


@dataclass(frozen=True)
class LayerNormalization(LayerSpec):
    """``gamma * (value - mean) / sqrt(variance + epsilon) + beta`` of the values along the last side."""

    axis: int
    epsilon: float
    center: bool = True
    scale: bool = True

    def parameter_shapes(self, inputs: Shape) -> tuple[Shape, ...]:
        """Return the shapes of gamma and beta, as far as it has them."""
        if inputs[-1] > MOST_NORMALIZED:
            raise ValueError(f"{self} {self.name} of {inputs[-1]:,} values, more than {MOST_NORMALIZED:,}")
        if real_axes((self.axis,), inputs) != (len(inputs) - 1,):
            raise ValueError(f"{self} {self.name} along another side than the last of {inputs}")
        return ((inputs[-1],),) * (self.scale + self.center)

    def products(self, inputs: Shape) -> int:
        """See ``LayerSpec.products``: mean and variance are sums of all values along the side."""
        return 2 * math.prod(inputs) * inputs[-1]


Cell = Literal["SimpleRNN", "LSTM", "GRU"]
GATES: dict[Cell, int] = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}


@dataclass(frozen=True)
class Recurrent(LayerSpec):
    """A cell that takes the steps of a sequence one after another, with what it gave for the last one."""

    cell: Cell
    units: int
    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    use_bias: bool = True
    returns_all: bool = False
    """Whether it gives what it gave for each step, else for the last."""
    is_reversed: bool = False
    reset_after: bool = True
    """Of a GRU: whether the reset gate comes after the product."""
    directions: int = field(default=1, kw_only=True)
    """2 where another of the kind takes the steps from the end."""
    merge: str = field(default="concat", kw_only=True)
    """How two directions meet: ``concat``, ``sum``, ``mul`` or ``ave``."""

    def __str__(self) -> str:
        return f"Bidirectional {self.cell}" if self.directions == 2 else self.cell

    @property
    def short(self) -> str:
        """See ``LayerSpec.short``."""
        return f"{'bi' if self.directions == 2 else ''}{self.cell.lower().removeprefix('simple')}{self.units}"

    def output_shape(self, inputs: Shape, *others: Shape) -> Shape:
        """Return the units, with the steps where it gives all; see ``LayerSpec.output_shape``."""
        steps, _ = steps_of(self, inputs)
        check_held(self, steps * GATES[self.cell] * self.units)
        features = self.units * (self.directions if self.merge == "concat" else 1)
        return (steps, features) if self.returns_all else (features,)

    def parameter_shapes(self, inputs: Shape) -> tuple[Shape, ...]:
        """Return the shapes of kernel, recurrent kernel and bias, of each direction."""
        width = GATES[self.cell] * self.units
        bias: Shape = (2, width) if self.cell == "GRU" and self.reset_after else (width,)
        shapes: tuple[Shape, ...] = ((steps_of(self, inputs)[1], width), (self.units, width))
        return (*shapes, *((bias,) if self.use_bias else ())) * self.directions

    def products(self, inputs: Shape) -> int:
        """See ``LayerSpec.products``: each kernel at each step."""
        kernels = [shape for shape in self.parameter_shapes(inputs) if len(shape) == 2 and shape[0] != 2]
        return inputs[0] * sum(map(math.prod, kernels))

    @property
    def parts(self) -> tuple[str, ...]:
        """See ``LayerSpec.parts``."""
        return ("cell",) if self.directions == 1 else ("forward_layer/cell", "backward_layer/cell")


@dataclass(frozen=True)
class Attention(LayerSpec):
    """Multi-head attention of one sequence to another, or to itself."""

    heads: int
    key_width: int
    value_width: int
    use_bias: bool = True

    @property
    def short(self) -> str:
        """See ``LayerSpec.short``."""
        return f"attention{self.heads}"

    def output_shape(self, inputs: Shape, *others: Shape) -> Shape:
        """Return the shape of the query; see ``LayerSpec.output_shape``."""
        for shape in (inputs, *others):
            steps_of(self, shape)
        if not 1 <= len(others) <= 2 or any(other != others[0] for other in others):
            raise ValueError(f"{self} {self.name} of {inputs} and {others}")
        if others[0][1] != inputs[1]:
            raise ValueError(f"{self} {self.name} of features {inputs[1]} and {others[0][1]}")
        steps = max(inputs[0], others[0][0])
        check_held(
            self, self.heads * max(inputs[0] * others[0][0], steps * max(self.key_width, self.value_width))
        )
        return inputs

    def parameter_shapes(self, inputs: Shape) -> tuple[Shape, ...]:
        """Return the shapes of the four kernels and their biases: query, key, value and output."""
        features = steps_of(self, inputs)[1]
        shapes: list[Shape] = []
        for width in (self.key_width, self.key_width, self.value_width):
            shapes.append((features, self.heads, width))
            shapes += [(self.heads, width)] if self.use_bias else []
        shapes.append((self.heads, self.value_width, features))
        return (*shapes, (features,)) if self.use_bias else tuple(shapes)

    def products(self, inputs: Shape) -> int:
        """See ``LayerSpec.products``: the kernels at each step, and each step with each other."""
        kernels = [shape for shape in self.parameter_shapes(inputs) if len(shape) == 3]
        pairs = self.heads * inputs[0] * (self.key_width + self.value_width)
        return inputs[0] * (sum(map(math.prod, kernels)) + pairs)

    @property
    def parts(self) -> tuple[str, ...]:
        """See ``LayerSpec.parts``."""
        return ("query_dense", "key_dense", "value_dense", "output_dense")


FLOAT_KINDS = (Attention, LayerNormalization, Multiply, Permute, Recurrent, Resized)
"""That go to float32 files only."""


def float_layers(layers: Iterable[LayerSpec]) -> list[str]:
    """Return what those of some layers are called that go to float32 files only, each kind once."""
    found = {str(layer).partition(" ")[0] for layer in layers if isinstance(layer, FLOAT_KINDS)}
    functions = (getattr(layer, key, "") for layer in layers for key in ("activation", "function"))
    return sorted(found | ({"softplus"} & set(functions)))
