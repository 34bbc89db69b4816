"""The steps of a network as it is deployed, with their weights: what writers of ONNX and TFLite files have a row for.

Values between steps are rows, (numbers,), or maps, (height, width, channels); where a file keeps channels is for its
writer to know. All that exists for training is gone.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgedigits.model_files.map_layers import Kind, Margins, Window
from edgedigits.model_files.network_spec import Shape
from edgedigits.model_files.sequence_layers import Cell

Array = npt.NDArray[Any]

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805
"""Klambauer et al. 2017, Self-Normalizing Neural Networks."""


@dataclass(frozen=True, eq=False)
class Step:
    """Something done to the values of other steps."""

    sources: tuple[int, ...]
    """Places of those steps among all of a network."""

    def shape(self, inputs: Shape, *others: Shape) -> Shape:
        """Return the shape of what it gives, without the batch."""
        return inputs


@dataclass(frozen=True, eq=False)
class Image(Step):
    """Pixels from 0 to 255 as floats: a row, or a map of one channel."""

    given: Shape

    def shape(self, *inputs: Shape) -> Shape:
        """See ``Step.shape``."""
        return self.given


@dataclass(frozen=True, eq=False)
class Scale(Step):
    """``factor * value + offset``."""

    factor: Array
    offset: Array
    """Both scalars, or arrays of as many sides as the values, each side theirs or 1."""


@dataclass(frozen=True, eq=False)
class Product(Step):
    """``values @ kernel + bias`` of a row."""

    kernel: Array
    """(inputs, outputs)."""
    bias: Array

    def shape(self, inputs: Shape, *others: Shape) -> Shape:
        """See ``Step.shape``."""
        return self.bias.shape


@dataclass(frozen=True, eq=False)
class Convolution(Step):
    """A kernel over a map with zeros around it."""

    kernel: Array
    """(height, width, inputs of a group, outputs)."""
    bias: Array
    strides: Window
    dilation: Window
    groups: int
    margins: Margins

    def shape(self, inputs: Shape, *others: Shape) -> Shape:
        """See ``Step.shape``."""
        window = (self.kernel.shape[0], self.kernel.shape[1])
        return (*_places(inputs, window, self.strides, self.dilation, self.margins), len(self.bias))


@dataclass(frozen=True, eq=False)
class Pool(Step):
    """The largest or the mean value in each place of a window; margins do not count."""

    kind: Kind
    window: Window
    strides: Window
    margins: Margins

    def shape(self, inputs: Shape, *others: Shape) -> Shape:
        """See ``Step.shape``."""
        return (*_places(inputs, self.window, self.strides, (1, 1), self.margins), inputs[2])


@dataclass(frozen=True, eq=False)
class GlobalPool(Step):
    """The largest or the mean value of each channel, a row."""

    kind: Kind

    def shape(self, inputs: Shape, *others: Shape) -> Shape:
        """See ``Step.shape``."""
        return inputs[2:]


@dataclass(frozen=True, eq=False)
class Border(Step):
    """Zeros around a map; less than none cut it off."""

    margins: Margins

    def shape(self, inputs: Shape, *others: Shape) -> Shape:
        """See ``Step.shape``."""
        top, bottom, left, right = self.margins
        return inputs[0] + top + bottom, inputs[1] + left + right, inputs[2]


@dataclass(frozen=True, eq=False)
class ToRow(Step):
    """A map as a row."""

    channels_first: bool
    """Whether channel follows channel, else pixel follows pixel."""

    def shape(self, inputs: Shape, *others: Shape) -> Shape:
        """See ``Step.shape``."""
        return (math.prod(inputs),)


@dataclass(frozen=True, eq=False)
class ToMap(Step):
    """A row as a map."""

    given: Shape
    channels_first: bool
    """As in ``ToRow``."""

    def shape(self, inputs: Shape, *others: Shape) -> Shape:
        """See ``Step.shape``."""
        return self.given


@dataclass(frozen=True, eq=False)
class Function(Step):
    """A function of each value, or softmax of each row; see ``layer_kinds.Activation``."""

    name: str
    alpha: float = 0.0


@dataclass(frozen=True, eq=False)
class Slopes(Step):
    """``value`` above 0 and ``slope * value`` below."""

    slopes: Array
    """As many sides as the values, each side theirs or 1."""


@dataclass(frozen=True, eq=False)
class Sum(Step):
    """Branches of one shape added up."""


@dataclass(frozen=True, eq=False)
class Joined(Step):
    """Branches side by side."""

    axis: int
    """Of a row or a map, without the batch."""

    def shape(self, inputs: Shape, *others: Shape) -> Shape:
        """See ``Step.shape``."""
        total = sum(shape[self.axis] for shape in (inputs, *others))
        return (*inputs[: self.axis], total, *inputs[self.axis + 1 :])


@dataclass(frozen=True, eq=False)
class Times(Step):
    """Branches of one shape multiplied."""


@dataclass(frozen=True, eq=False)
class Standardized(Step):
    """``value / sqrt(variance + epsilon)`` of two branches of one shape."""

    epsilon: float


@dataclass(frozen=True, eq=False)
class Permuted(Step):
    """A map with its sides in another order."""

    order: tuple[int, int, int]
    """Of height, width and channels, from 0."""

    def shape(self, inputs: Shape, *others: Shape) -> Shape:
        """See ``Step.shape``."""
        return tuple(inputs[side] for side in self.order)


@dataclass(frozen=True, eq=False)
class Resampled(Step):
    """A map whose rows, and whose columns, are weighted sums of the rows and columns of another."""

    rows: Array
    """(height that comes out, height that goes in)."""
    columns: Array
    """(width that goes in, width that comes out)."""

    def shape(self, inputs: Shape, *others: Shape) -> Shape:
        """See ``Step.shape``."""
        return self.rows.shape[0], self.columns.shape[1], inputs[2]


@dataclass(frozen=True, eq=False)
class Recurrence(Step):
    """A cell over a sequence, a map of one row: (1, steps, features) or, where it gives the last alone, a row."""

    cell: Cell
    kernel: Array
    """(features, gates * units), gates in Keras' order; so in the others."""
    recurrent_kernel: Array
    """(units, gates * units)."""
    bias: Array
    """(2, gates * units): of what comes in, and of what the cell gave."""
    functions: tuple[str, ...]
    """By ONNX' names, as many as the cell takes: of the gates first, then of what it gives."""
    returns_all: bool
    is_reversed: bool
    reset_after: bool

    def shape(self, inputs: Shape, *others: Shape) -> Shape:
        """See ``Step.shape``."""
        units = self.recurrent_kernel.shape[0]
        return (*inputs[:2], units) if self.returns_all else (units,)


@dataclass(frozen=True, eq=False)
class Attended(Step):
    """Of three sequences, queries, keys and values, the values weighted by what each query has with each key."""

    heads: int

    def shape(self, inputs: Shape, *others: Shape) -> Shape:
        """See ``Step.shape``."""
        return (*inputs[:2], others[1][2])


FLOAT_STEPS = (Times, Standardized, Permuted, Resampled, Recurrence, Attended)
"""That are written in float32 only."""


def in_floats_only(steps: tuple[Step, ...]) -> bool:
    """Whether a network has a step that is written in float32 only."""
    return any(
        isinstance(step, FLOAT_STEPS) or (isinstance(step, Function) and step.name == "softplus")
        for step in steps
    )


def shapes_of(steps: tuple[Step, ...]) -> list[Shape]:
    """Return the shape of what each step gives."""
    shapes: list[Shape] = []
    for step in steps:
        shapes.append(step.shape(*(shapes[source] for source in step.sources)))
    return shapes


def _places(
    inputs: Shape, window: Window, strides: Window, dilation: Window, margins: Margins
) -> tuple[int, int]:
    top, bottom, left, right = margins
    height = (inputs[0] + top + bottom - (window[0] - 1) * dilation[0] - 1) // strides[0] + 1
    width = (inputs[1] + left + right - (window[1] - 1) * dilation[1] - 1) // strides[1] + 1
    return height, width


def scalar(value: float) -> Array:
    """Return a number as the array that ``Scale`` takes."""
    return np.asarray(value, np.float64)
