"""The values that a quantized tensor can take, and ways to choose their range."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgedigits.networks.weighted import softmax
from edgedigits_export.integers.rounding import LEVELS

FloatArray = npt.NDArray[np.float64]

PERCENTILE = 99.99


@dataclass(frozen=True)
class Grid:
    """The values that a quantized tensor can take: ``scale * (q - zero_point)`` for q from 0 to 255."""

    scale: float
    zero_point: int

    @classmethod
    def covering(cls, low: float, high: float) -> "Grid":
        """Return the grid from ``low`` (at most 0) to ``high`` (at least 0), moved so that 0 is on it."""
        scale = float(np.float32(max(high - low, 1e-9) / LEVELS))
        return cls(scale, int(np.clip(np.rint(-low / scale), 0, LEVELS)))

    def no_finer_than(self, steps: npt.NDArray[np.float32]) -> "Grid":
        """Return the grid, wider where its steps are finer than those of the sums that are put on it.

        It would not be any better for it, and runtimes refuse to multiply sums by so much.
        """
        return Grid(max(self.scale, float(steps.max())), self.zero_point)

    @property
    def low(self) -> float:
        """The smallest value."""
        return -self.zero_point * self.scale

    @property
    def high(self) -> float:
        """The largest value."""
        return (LEVELS - self.zero_point) * self.scale

    def quantize(self, values: FloatArray) -> FloatArray:
        """Return the nearest q of each value, as float64 whole numbers from 0 to 255."""
        quantized: FloatArray = np.clip(np.rint(values / self.scale) + self.zero_point, 0, LEVELS)
        return quantized

    def round(self, values: FloatArray) -> FloatArray:
        """Return the nearest value on the grid of each value."""
        rounded: FloatArray = (self.quantize(values) - self.zero_point) * self.scale
        return rounded


PIXEL_GRID = Grid(1.0, 0)
"""A pixel is quantized as it is: 1/255 is folded into the first layer's weights."""

RangeMethod = Callable[[FloatArray, bool], Grid]
"""From an activation of the calibration images, and whether it is the logits, to its grid."""


def min_max(values: FloatArray, logits: bool) -> Grid:
    """Cover everything that was seen."""
    return Grid.covering(min(0.0, float(values.min())), max(0.0, float(values.max())))


def percentile(values: FloatArray, logits: bool) -> Grid:
    """Cover all but one value in 10,000 at each end."""
    low, high = np.percentile(values, [100 - PERCENTILE, PERCENTILE])
    return Grid.covering(min(0.0, float(low)), max(0.0, float(high)))


def least_squares(values: FloatArray, logits: bool) -> Grid:
    """Cover what gives the least mean squared error: of the values, or of the probabilities that logits become."""
    everything = min_max(values, logits)
    if logits:
        wanted = softmax(values)
        candidates = [
            Grid.covering(low * everything.low, high * everything.high)
            for low in np.linspace(0.03, 1, 18)
            for high in np.linspace(0.15, 1, 18)
        ]
        errors = [np.square(softmax(grid.round(values)) - wanted).mean() for grid in candidates]
    else:
        candidates = [
            Grid.covering(share * everything.low, share * everything.high)
            for share in np.linspace(0.5, 1, 26)
        ]
        errors = [np.square(grid.round(values) - values).mean() for grid in candidates]
    return candidates[int(np.argmin(errors))]


RANGE_METHODS: dict[str, RangeMethod] = {"min-max": min_max, "percentile": percentile, "mse": least_squares}
"""Ways to choose the range of an activation."""
