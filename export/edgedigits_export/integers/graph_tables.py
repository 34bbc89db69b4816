"""Functions of one integer, as tables of what each of the 256 becomes: what LiteRT's reference kernels answer.

Curves are what these fill a table with when a file is opened, in float32; clamps, slopes and another grid are a
multiplication in fixed point for each value, of which there are 256 as well.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edgedigits_export.graph.steps import Function, Step
from edgedigits_export.integers.fixed_point import quantize_multipliers
from edgedigits_export.integers.graph_steps import LARGEST_OF_RELU6, SIGN, Clamped, Requantized
from edgedigits_export.integers.grids import Grid

Int8s = npt.NDArray[np.int8]
Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

LOWEST, HIGHEST = -128, 127


def multiplied_once(values: Int64s, factors: Sequence[float]) -> Int64s:
    """Return values times factors, rounded once, halves up: what FULLY_CONNECTED does to its sums.

    Args:
        values: whole numbers within int32.
        factors: positive, one for each of the last axis.
    """
    multipliers, shifts = _multipliers(factors)
    return np.asarray((values * multipliers + (np.int64(1) << (shifts - 1))) >> shifts)


def multiplied(values: Int64s, *factors: float) -> Int64s:
    """Return values times a factor, rounded twice, as the other operators do it; see ``rescaled``.

    Args:
        values: whole numbers within int32.
        factors: not negative, one or one for each of the last axis.
    """
    if not any(factors):
        return np.zeros_like(values)
    return rescaled(values, *_multipliers(factors))


def rescaled(values: Int64s, multipliers: Any, shifts: Any) -> Int64s:
    """Return values * multipliers / 2**shifts as TFLite's ``MultiplyByQuantizedMultiplier`` rounds it.

    That is first to the 31 bits of the multipliers, halves up, and from there, halves away from 0.
    """
    # Shifts count from those 31 bits: fewer are to the left, before the multiplication.
    left, right = np.maximum(31 - shifts, 0), np.maximum(shifts - 31, 0)
    doubled = np.asarray(values << left if np.any(left) else values, np.int64) * multipliers
    doubled += 1 << 30
    doubled >>= 31
    return shifted(doubled, right)


def shifted(values: Int64s, bits: Any) -> Int64s:
    """Return values / 2**bits, rounded to nearest, halves away from 0: gemmlowp's ``RoundingDivideByPOT``."""
    half = (np.int64(1) << bits) >> 1
    rounded = values >> 63  # -1 below 0: a half goes down there
    if not np.all(bits):
        rounded *= np.asarray(bits > 0)
    rounded += values
    rounded += half
    rounded >>= bits
    return np.asarray(rounded)


def _multipliers(factors: Sequence[float]) -> tuple[Int64s, Int64s]:
    multipliers, shifts = quantize_multipliers(factors, len(factors))
    return multipliers.astype(np.int64), shifts.astype(np.int64)


def as_int8(values: Any, lowest: int = LOWEST, highest: int = HIGHEST) -> Int8s:
    """Return whole numbers as int8, those outside of bounds as these."""
    return np.asarray(np.clip(values, lowest, highest).astype(np.int8))


def zero_point(grid: Grid) -> int:
    """Return the int8 that stands for 0."""
    return grid.zero_point - SIGN


def _curve(function: Callable[[npt.NDArray[np.float64]], Any], source: Grid, target: Grid) -> Int8s:
    """Return the table of a function of floats, float32 as the kernel computes it."""
    steps = np.arange(LOWEST, HIGHEST + 1) - zero_point(source)
    values = np.float32(source.scale) * steps.astype(np.float32)
    with np.errstate(over="ignore"):
        found: Floats = np.asarray(function(values.astype(np.float64)), np.float32)
        scaled = (found * (np.float32(1) / np.float32(target.scale))).astype(np.float64)
    # Halves away from 0, as C's round().
    whole = np.copysign(np.floor(np.abs(scaled) + 0.5), scaled)
    return as_int8(whole + zero_point(target))


def _gelu(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    tails = [math.erfc(-value * math.sqrt(0.5)) for value in values]
    return np.asarray(0.5 * values * np.array(tails))


_CURVES: dict[str, Callable[[npt.NDArray[np.float64]], Any]] = {
    "exp": np.exp,
    "gelu": _gelu,
    "sigmoid": lambda values: 1 / (1 + np.exp(-values)),
    "tanh": np.tanh,
}
"""By Keras' name."""


def table(step: Step, source: Grid, target: Grid) -> Int8s:
    """Return what a step makes of the integers from -128 to 127, (256,).

    Args:
        step: ``Clamped``, ``Requantized``, or a ``Function`` other than softmax.
        source: of what goes in.
        target: of what comes out.

    Raises:
        TypeError: it is no function of one value.
    """
    if isinstance(step, Function) and step.name in _CURVES:
        return _curve(_CURVES[step.name], source, target)
    offset = zero_point(target)
    values = np.arange(LOWEST, HIGHEST + 1, dtype=np.int64) - zero_point(source)
    same = multiplied(values, source.scale / target.scale)
    if isinstance(step, Requantized):
        return as_int8(same + offset)
    if isinstance(step, Clamped):
        return as_int8(same + offset, *bounds(0.0, step.high, target))
    if isinstance(step, Function) and step.name == "leaky_relu":
        # The kernel takes the product of scale and slope in float32.
        slope = float(np.float32(source.scale) * np.float32(step.alpha) / np.float32(target.scale))
        return as_int8(np.where(values >= 0, same, multiplied(values, slope)) + offset)
    raise TypeError(f"{type(step).__name__} is no function of one value")


def bounds(low: float, high: float, grid: Grid) -> tuple[int, int]:
    """Return the lowest and the highest int8 that a step may give which clamps its values.

    Args:
        low: 0, or minus infinity where it does not clamp.
        high: where it clamps, what reaches it; the end of the grid does that for any but the 6 of relu6.
        grid: of what it gives.
    """
    if low != 0:
        return LOWEST, HIGHEST
    offset = zero_point(grid)
    if high != LARGEST_OF_RELU6:
        return max(LOWEST, offset), HIGHEST
    steps = float(np.float32(high) / np.float32(grid.scale))
    return max(LOWEST, offset), min(HIGHEST, offset + math.floor(steps + 0.5))
