"""The layers that C code of a network is made of: what each takes and gives, its integers, and where it may write.

Values are unsigned bytes, TFLite's int8 + 128. A map is [height][width][channels].
"""

import math
from abc import ABC
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from edgedigits.model_files.map_layers import Margins, Window
from edgedigits.model_files.network_spec import Shape
from edgedigits_export.integers.fixed_point import FixedPointDense

Int8s = npt.NDArray[np.int8]
Int32s = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]

VALUE_BITS_31 = 31
"""A shift below it goes to the left before the multiplication."""
LARGEST_UINT16 = 2**16 - 1
LANES, VECTOR_LANES = 8, 32
"""Outputs of a convolution that are added up together, without and with vectors: their sums lie on the stack."""
LEAST_DOT = 32
"""Bytes under a kernel from which on a row of weights is multiplied with all of them at once; see ``Convolution``."""

Order = Literal["rows", "taps", "depthwise", "groups"]
"""How a convolution goes through its weights; each is a C function of its own."""
Pooling = Literal["sums", "largest", "average", "mean"]
"""What is done to the outputs under a window: the largest sum is as good as the largest output, where no table comes
in between; then outputs themselves are compared, or added up."""


@dataclass(frozen=True, eq=False)
class Layer(ABC):
    """From values to a value."""

    kind: ClassVar[str]
    """Names its template, ``dense.c.j2``."""
    sources: tuple[int, ...]
    """Values that go in."""
    target: int
    """The value that comes out."""

    @property
    def overlap(self) -> tuple[int | None, ...]:
        """By source, how many bytes before it the target may begin and still overlap it; None where it may not."""
        return (None,) * len(self.sources)

    @property
    def parameter_bytes(self) -> int:
        """Bytes of all that was trained, and of what brings sums of it to the scale of the output."""
        return 0

    @property
    def shifts_used(self) -> Iterable[int]:
        """All by which it rescales."""
        return ()


@dataclass(frozen=True, eq=False)
class Dense(Layer):
    """A fully connected layer."""

    kind = "dense"
    layer: FixedPointDense

    @property
    def parameter_bytes(self) -> int:
        """See ``Layer.parameter_bytes``."""
        return self.layer.parameter_bytes


@dataclass(frozen=True, eq=False)
class Convolution(Layer):
    """A convolution and the pooling of its outputs, whose map before the pooling never exists."""

    kind = "convolution"
    weights: Int8s
    """(outputs, height, width, inputs of a group) where ``order`` is rows or groups, else the outputs last."""
    biases: Int32s
    """(outputs,), with what the zero point of the input adds to each sum."""
    multipliers: Int32s
    """(outputs,)."""
    shifts: Bytes
    """(outputs,)."""
    order: Order
    inputs: Shape
    """Height, width and channels of the map that goes in."""
    kernel: Window
    strides: Window
    dilation: Window
    groups: int
    margins: Margins
    places: Window
    """Rows and columns of the map that the convolution gives."""
    outputs: int
    zero: int
    """The byte that stands for 0 in the input, and lies around it."""
    zero_point: int
    lowest: int
    highest: int
    window: Window
    """Of the pooling, whose strides it is; of one place where there is none."""
    pooling: Pooling
    table: Bytes | None
    """What becomes of an output before it is pooled, where ``pooling`` is not of sums."""
    mean: tuple[int, int, int] | None
    """Of ``pooling`` mean: multiplier, shift, and the byte that stands for 0 in what comes out."""
    pooled_zero: int
    """The byte that stands for 0 in what is averaged."""
    pooled: Window
    """Rows and columns of the map that comes out; the last windows may reach beyond the places that there are."""

    @property
    def patch_bytes(self) -> int:
        """Bytes under its kernel."""
        return math.prod(self.kernel) * self.inputs[2]

    @property
    def is_clipped(self) -> bool:
        """Whether windows of the pooling reach beyond the places."""
        return any(self.pooled[side] * self.window[side] > self.places[side] for side in (0, 1))

    @property
    def overlap(self) -> tuple[int | None, ...]:
        """See ``Layer.overlap``: all outputs of a place are written while all of its inputs are still needed."""
        steps = self.strides[0] * self.window[0], self.strides[1] * self.window[1]
        first = first_bytes(self.inputs, self.pooled, steps, self.margins)
        written = (np.arange(len(first)) + 1) * self.outputs
        return (int((written - first).max()),)

    @property
    def parameter_bytes(self) -> int:
        """See ``Layer.parameter_bytes``."""
        return sum(array.nbytes for array in (self.weights, self.biases, self.multipliers, self.shifts))

    @property
    def shifts_used(self) -> Iterable[int]:
        """See ``Layer.shifts_used``."""
        return [*self.shifts.tolist(), *([self.mean[1]] if self.mean else [])]


@dataclass(frozen=True, eq=False)
class Pool(Layer):
    """Largest, average or rescaled mean value in each place of a window; margins do not count."""

    kind = "pool"
    inputs: Shape
    window: Window
    strides: Window
    margins: Margins
    places: Window
    """Rows and columns that come out."""
    pooling: Pooling
    mean: tuple[int, int, int] | None
    """See ``Convolution.mean``."""
    pooled_zero: int
    """See ``Convolution.pooled_zero``."""

    @property
    def overlap(self) -> tuple[int | None, ...]:
        """See ``Layer.overlap``: channel by channel, each is written when it has been read."""
        first = first_bytes(self.inputs, self.places, self.strides, self.margins)
        written = np.arange(len(first)) * self.inputs[2]
        return (int((written - first).max()),)

    @property
    def shifts_used(self) -> Iterable[int]:
        """See ``Layer.shifts_used``."""
        return [self.mean[1]] if self.mean else []


@dataclass(frozen=True, eq=False)
class Bytewise(Layer):
    """From one byte of each source to one byte, each in its place."""

    count: int
    """Bytes that come out."""

    @property
    def overlap(self) -> tuple[int | None, ...]:
        """See ``Layer.overlap``."""
        return (0,) * len(self.sources)


@dataclass(frozen=True, eq=False)
class Table(Bytewise):
    """Any function of one byte."""

    kind = "table"
    table: Bytes
    """(256,)."""


@dataclass(frozen=True, eq=False)
class Addition(Bytewise):
    """Two values of one shape added up."""

    kind = "addition"
    multipliers: tuple[int, int, int]
    """Of one, of the other, and of their sum."""
    shifts: tuple[int, int, int]
    zeros: tuple[int, int, int]
    """The bytes that stand for 0."""
    lowest: int
    highest: int

    @property
    def shifts_used(self) -> Iterable[int]:
        """See ``Layer.shifts_used``."""
        return self.shifts


@dataclass(frozen=True, eq=False)
class Slopes(Bytewise):
    """A value above 0, and its own slope times it below."""

    kind = "slopes"
    slopes: Int8s
    """They repeat from the first on where the values go on."""
    multipliers: tuple[int, int]
    """Of values above 0, and of those below times their slope."""
    shifts: tuple[int, int]
    zeros: tuple[int, int]
    """The bytes that stand for 0 in what goes in and what comes out."""

    @property
    def parameter_bytes(self) -> int:
        """See ``Layer.parameter_bytes``."""
        return self.slopes.nbytes

    @property
    def shifts_used(self) -> Iterable[int]:
        """See ``Layer.shifts_used``."""
        return self.shifts


@dataclass(frozen=True, eq=False)
class Border(Layer):
    """Zeros around a map; less than none cut it off."""

    kind = "border"
    inputs: Shape
    margins: Margins
    zero: int
    """The byte that stands for 0."""

    @property
    def places(self) -> Window:
        """Rows and columns that come out."""
        top, bottom, left, right = self.margins
        return self.inputs[0] + top + bottom, self.inputs[1] + left + right

    @property
    def overlap(self) -> tuple[int | None, ...]:
        """See ``Layer.overlap``."""
        channels = self.inputs[2]
        first = first_bytes(self.inputs, self.places, (1, 1), self.margins)
        return (int((np.arange(len(first)) * channels - first).max()),)


@dataclass(frozen=True, eq=False)
class Joined(Layer):
    """Values side by side: blocks of each in turn."""

    kind = "joined"
    blocks: tuple[int, ...]
    """Bytes of one block of each source."""
    count: int
    """Blocks of each."""


@dataclass(frozen=True, eq=False)
class Swapped(Layer):
    """Rows and columns of a matrix of bytes swapped: channels that come first."""

    kind = "swapped"
    rows: int
    columns: int


def first_bytes(inputs: Shape, places: Window, steps: Window, margins: Margins) -> npt.NDArray[np.int64]:
    """Return the first byte of a map that is still to be read when each place of a window is due, row by row.

    Args:
        inputs: height, width and channels of the map.
        places: rows and columns of what comes out.
        steps: from place to place.
        margins: around the map; top and left ones count.
    """
    height, width, channels = inputs
    top, _, left, _ = margins
    rows = np.clip(np.arange(places[0]) * steps[0] - top, 0, height)
    columns = np.clip(np.arange(places[1]) * steps[1] - left, 0, width)
    first = (rows[:, None] * width + columns) * channels
    return np.asarray(np.minimum.accumulate(first.reshape(-1)[::-1])[::-1])
