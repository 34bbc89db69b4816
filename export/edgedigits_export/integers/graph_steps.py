"""The steps of a network in integers: weights in 8 bits, every value on the grid of its step.

Steps that only move values are those of floats (``graph/steps.py``); what is here has integers of its own, or is there
only where there are grids. An integer is TFLite's: int8, the pixel less 128 in the picture itself.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgedigits_export.graph.steps import (
    Array,
    Border,
    Convolution,
    Function,
    GlobalPool,
    Image,
    Joined,
    Pool,
    Product,
    Slopes,
    Step,
    Sum,
    ToMap,
    ToRow,
)
from edgedigits_export.integers.grids import PIXEL_GRID, Grid

SIGN = 128
"""What is added to TFLite's int8 values to count them from 0, as a ``Grid`` does."""
SIGMOID_GRID = Grid(1 / 256, 0)
"""Of sigmoid and softmax, as TFLite has them."""
TANH_GRID = Grid(1 / 128, 128)
"""Of tanh, as TFLite has it."""
POWER_GRID = Grid.covering(0.0, 1.0)
"""Of exp, whose powers of what is above 0 end at 1."""
LARGEST_OF_RELU6 = 6.0
PLUS_STEPS = 127
"""That a number has which is added to all values."""


@dataclass(frozen=True, eq=False)
class Clamped(Step):
    """Values kept from 0 to a largest, which may be infinite: relu, relu6 and what saturates like them."""

    high: float


@dataclass(frozen=True, eq=False)
class ClampedProduct(Product):
    """A product whose sums are kept within bounds."""

    low: float = -math.inf
    high: float = math.inf


@dataclass(frozen=True, eq=False)
class ClampedConvolution(Convolution):
    """A convolution whose sums are kept within bounds."""

    low: float = -math.inf
    high: float = math.inf


@dataclass(frozen=True, eq=False)
class ClampedSum(Sum):
    """Two branches added up and kept within bounds."""

    low: float = -math.inf
    high: float = math.inf


@dataclass(frozen=True, eq=False)
class Gated(Step):
    """The product of two branches of one shape: silu is a value times its sigmoid."""


@dataclass(frozen=True, eq=False)
class Plus(Step):
    """Values and one number, the same for all."""

    number: float
    """Not 0."""

    @property
    def steps(self) -> int:
        """The number in steps of ``step``."""
        return PLUS_STEPS if self.number > 0 else -PLUS_STEPS

    @property
    def step(self) -> float:
        """What a step is worth."""
        return float(np.float32(abs(self.number) / PLUS_STEPS))


@dataclass(frozen=True, eq=False)
class Requantized(Step):
    """The same values on another grid."""


@dataclass(frozen=True, eq=False)
class IntegerProduct(ClampedProduct):
    """``values @ kernel + bias`` of integers: int8 weights, int32 biases in steps of input scale * weight scale."""

    scales: npt.NDArray[np.float32] = None  # type: ignore[assignment]
    """What one step of each output's weights is worth, (outputs,)."""


@dataclass(frozen=True, eq=False)
class IntegerConvolution(ClampedConvolution):
    """A convolution of integers; see ``IntegerProduct``."""

    scales: npt.NDArray[np.float32] = None  # type: ignore[assignment]
    """What one step of each output's weights is worth, (outputs,)."""


@dataclass(frozen=True, eq=False)
class IntegerSlopes(Slopes):
    """``Slopes`` whose slopes are int8 times a scale."""

    scale: float


Weighted = ClampedProduct | ClampedConvolution
"""What has weights, in floats once prepared and in integers."""
Bounded = ClampedProduct | ClampedConvolution | ClampedSum
"""What may keep its sums within bounds."""


def shares_grid(step: Step) -> bool:
    """Whether what a step gives is on the grid of what it takes: it only moves values, or cannot do otherwise."""
    is_largest = isinstance(step, GlobalPool) and step.kind == "max"
    return is_largest or isinstance(step, Pool | Border | ToRow | ToMap | Joined)


_GRIDS = {"exp": POWER_GRID, "sigmoid": SIGMOID_GRID, "softmax": SIGMOID_GRID, "tanh": TANH_GRID}
"""By Keras' name, of what a function gives."""


def fixed_grid(steps: tuple[Step, ...], place: int) -> Grid | None:
    """Return the grid that what a step gives has in every network; None where that is for calibration to choose."""
    step = steps[place]
    if isinstance(step, Image):
        return PIXEL_GRID
    if isinstance(step, Function) and step.name in _GRIDS:
        return _GRIDS[step.name]
    high = getattr(step, "high", math.inf)
    if isinstance(step, Clamped | Bounded) and high not in (math.inf, LARGEST_OF_RELU6):
        # The end of its grid is what keeps it there.
        return Grid.covering(0.0, high)
    if not shares_grid(step):
        return None
    grids = {fixed_grid(steps, source) for source in step.sources}
    return grids.pop() if len(grids) == 1 else None


def as_float64(array: Array) -> npt.NDArray[np.float64]:
    """Return weights in double precision."""
    return np.asarray(array, np.float64)
