"""What LiteRT's reference kernels answer to a network in integers, computed with NumPy: every integer of every step.

Sums are whole numbers in floats where floats hold them: matrices of these are multiplied many times as fast.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgedigits_export.graph.steps import (
    Border,
    Function,
    GlobalPool,
    Image,
    Joined,
    Pool,
    Step,
    ToMap,
    ToRow,
)
from edgedigits_export.integers.fixed_point import (
    SUM_INTEGER_BITS,
    effective_scales,
    exponential_table,
    quantize_multipliers,
)
from edgedigits_export.integers.graph_floats import FloatArray, Pixels, as_map, batches, border, row
from edgedigits_export.integers.graph_steps import (
    SIGN,
    Clamped,
    ClampedSum,
    Gated,
    IntegerConvolution,
    IntegerProduct,
    IntegerSlopes,
    Plus,
    Requantized,
)
from edgedigits_export.integers.graph_tables import (
    LOWEST,
    Int8s,
    Int64s,
    as_int8,
    bounds,
    multiplied,
    multiplied_once,
    rescaled,
    shifted,
    table,
    zero_point,
)
from edgedigits_export.integers.graph_windows import convolved, largest, totals
from edgedigits_export.integers.grids import Grid
from edgedigits_export.integers.rounding import LEVELS

BATCH = 20
"""Images that are computed at once: what is computed of sums in 64 bits stays in the caches of a processor."""
EXACT_IN_FLOAT32 = 2**24
ADDED_BITS = 20
"""By which reference kernels shift what they add up."""
PROBABILITY_BITS = 8
FORTY_EIGHT_17THS, MINUS_THIRTY_TWO_17THS, ONE_Q29 = 1515870810, -1010580540, 1 << 29
NEWTON_STEPS = 3

Grids = tuple[Grid, ...]
"""Of what a step takes."""


@dataclass(frozen=True, eq=False)
class IntegerGraph:
    """A whole network in integers."""

    steps: tuple[Step, ...]
    """The last gives the probabilities."""
    grids: tuple[Grid, ...]
    """Of what each step gives."""

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Lowest and highest value of every activation; ``logits`` are what goes into the last step."""
        logits = self.steps[-1].sources[0]
        return {
            "logits" if place == logits else f"{type(step).__name__} {place}": (grid.low, grid.high)
            for place, (step, grid) in enumerate(zip(self.steps, self.grids, strict=True))
        }

    def integers(self, pixels: Pixels, end: int | None = None) -> list[Int8s]:
        """Return what each step gives, int8 (n, *its shape).

        Args:
            pixels: uint8 (n, 28, 28).
            end: how many steps; all where it is not told.
        """
        values: list[Int8s] = []
        for step, grid in zip(self.steps[:end], self.grids[:end], strict=True):
            if isinstance(step, Image):
                values.append(entered(step, pixels))
                continue
            taken = [values[source] for source in step.sources]
            sources = tuple(self.grids[source] for source in step.sources)
            values.append(computed(step, sources, grid, *taken))
        return values

    def logits(self, pixels: Pixels, *, rounded: bool = False) -> FloatArray:
        """Return numbers whose softmax are the probabilities, or these to one sum where there is none, (n, 10).

        Args:
            pixels: uint8 (n, 28, 28).
            rounded: whether what goes into the softmax is on its grid, as in a fully integer file.
        """
        last = self.steps[-1].sources[0]
        parts = []
        for batch in batches(pixels, BATCH):
            if rounded or not isinstance(self.steps[last], IntegerProduct):
                parts.append(_dequantized(self.integers(batch, last + 1)[last], self.grids[last]))
            else:
                step: Any = self.steps[last]
                source = step.sources[0]
                parts.append(sums_of(step, self.integers(batch, last)[source], self.grids[source]))
        found = np.concatenate(parts)
        return found if self._ends_in_softmax else -np.logaddexp(0, -found)

    @property
    def _ends_in_softmax(self) -> bool:
        last = self.steps[-1]
        return isinstance(last, Function) and last.name == "softmax"


def entered(step: Image, pixels: Pixels) -> Int8s:
    """Return pixels as the first step gives them, int8 (n, *its shape)."""
    return (pixels ^ SIGN).view(np.int8).reshape(-1, *step.given)


def computed(step: Step, sources: Grids, target: Grid, *values: Int8s) -> Int8s:
    """Return what one step gives, int8 (n, *its shape).

    Args:
        step: any but ``Image``.
        sources: the grids of what it takes.
        target: that of what it gives.
        values: what it takes, int8 (n, *their shapes).
    """
    return _COMPUTED[type(step)](step, sources, target, *values)


def _dequantized(values: Int8s, grid: Grid) -> FloatArray:
    return np.asarray((values.astype(np.float64) - zero_point(grid)) * grid.scale)


def sums_of(step: Any, values: Int8s, source: Grid) -> FloatArray:
    """Return what the sums of weighted values stand for, biases added, float64 (n, *the step's shape).

    Args:
        step: ``IntegerProduct`` or ``IntegerConvolution``.
        values: what it takes.
        source: on which grid they are.
    """
    return np.asarray(_sums(step, values, source) * (source.scale * step.scales.astype(np.float64)))


def _sums(step: IntegerProduct | IntegerConvolution, values: Int8s, source: Grid) -> Int64s:
    """Return the int32 sums, biases added."""
    rows = np.abs(step.kernel.astype(np.int64)).reshape(-1, step.kernel.shape[-1])
    is_small = LEVELS * rows.sum(axis=0).max(initial=0) < EXACT_IN_FLOAT32
    dtype = np.dtype(np.float32 if is_small else np.float64)
    # What lies around a map is 0.
    whole = values.astype(dtype) - float(zero_point(source))
    kernel = step.kernel.astype(dtype)
    sums = whole @ kernel if isinstance(step, IntegerProduct) else convolved(step, whole, kernel)
    whole_sums = sums.astype(np.int64)
    whole_sums += step.bias
    return np.asarray(whole_sums)


def _weighted(step: Any, sources: Grids, target: Grid, values: Int8s) -> Int8s:
    sums = _sums(step, values, sources[0])
    factors = effective_scales(sources[0].scale, step.scales, target.scale)
    scaled = (
        multiplied_once(sums, factors) if isinstance(step, IntegerProduct) else multiplied(sums, *factors)
    )
    return as_int8(scaled + zero_point(target), *bounds(step.low, step.high, target))


def _sum(step: ClampedSum, sources: Grids, target: Grid, *values: Int8s) -> Int8s:
    parts = [
        (taken.astype(np.int64) - zero_point(grid), grid.scale)
        for taken, grid in zip(values, sources, strict=True)
    ]
    return as_int8(_added(parts, target), *bounds(step.low, step.high, target))


def _plus(step: Plus, sources: Grids, target: Grid, values: Int8s) -> Int8s:
    whole = values.astype(np.int64) - zero_point(sources[0])
    return as_int8(_added([(whole, sources[0].scale), (np.int64(step.steps), step.step)], target))


def _added(parts: list[tuple[Any, float]], target: Grid) -> Int64s:
    """Return the sum of two values on a grid, each given in steps and with what a step is worth."""
    # Both are brought to twice the larger scale, with bits to spare, and from there to that of what comes out.
    twice = 2 * max(scale for _, scale in parts)
    total: Any = sum(multiplied(steps << ADDED_BITS, scale / twice) for steps, scale in parts)
    return multiplied(total, twice / (2.0**ADDED_BITS * target.scale)) + zero_point(target)


def _gated(_: Gated, sources: Grids, target: Grid, *values: Int8s) -> Int8s:
    one, other = (
        taken.astype(np.int64) - zero_point(grid) for taken, grid in zip(values, sources, strict=True)
    )
    factor = sources[0].scale * sources[1].scale / target.scale
    return as_int8(multiplied(one * other, factor) + zero_point(target))


def _slopes(step: IntegerSlopes, sources: Grids, target: Grid, values: Int8s) -> Int8s:
    whole = values.astype(np.int64) - zero_point(sources[0])
    same = multiplied(whole, sources[0].scale / target.scale)
    below = multiplied(whole * step.slopes, sources[0].scale * step.scale / target.scale)
    return as_int8(np.where(whole >= 0, same, below) + zero_point(target))


def _function(step: Step, sources: Grids, target: Grid, values: Int8s) -> Int8s:
    if isinstance(step, Function) and step.name == "softmax":
        return softmax(values, sources[0])
    return np.asarray(table(step, sources[0], target)[values.astype(np.int16) - LOWEST])


def _pool(step: Pool, _: Grids, __: Grid, values: Int8s) -> Int8s:
    if step.kind == "max":
        return np.asarray(largest(step, values))
    sums, counts = totals(step, values.astype(np.int64))
    # The nearest whole number, halves away from 0, of TFLite's own numbers: C's division drops what is left.
    return as_int8(np.sign(sums) * ((np.abs(sums) + counts // 2) // counts))


def _global_pool(step: GlobalPool, sources: Grids, target: Grid, values: Int8s) -> Int8s:
    if step.kind == "max":
        return np.asarray(values.max(axis=(1, 2)))
    count = values.shape[1] * values.shape[2]
    sums = values.sum(axis=(1, 2), dtype=np.int64) - count * zero_point(sources[0])
    means = rescaled(sums, *mean_multiplier(count, sources[0].scale / target.scale))
    return as_int8(means + zero_point(target))


def mean_multiplier(count: int, factor: float) -> tuple[int, int]:
    """Return the multiplier and the shift that make ``factor`` times the mean of a sum of so many values.

    As TFLite's ``QuantizedMeanOrSum`` rounds it; see ``rescaled``.
    """
    multipliers, shifts = quantize_multipliers([factor], 1)
    multiplier, shift = int(multipliers[0]), int(shifts[0])
    # The multiplier is divided with as many bits to spare as its shift to the right leaves room for.
    bits = min(count.bit_length() - 1, 32, 62 - shift)
    return (multiplier << bits) // count, shift + bits


def _border(step: Border, _: Grids, target: Grid, values: Int8s) -> Int8s:
    return np.asarray(border(values, step, zero_point(target)))


def softmax(logits: Int8s, grid: Grid) -> Int8s:
    """Return TFLite's softmax in fixed point, int8 (n, classes).

    Args:
        logits: int8 (n, classes).
        grid: of these.
    """
    exponentials = np.zeros(LEVELS + 1, np.int64)
    known = exponential_table(grid.scale)
    exponentials[: len(known)] = known
    below = logits.max(axis=-1, keepdims=True).astype(np.int64) - logits
    powers = exponentials[below]
    sums = shifted(powers, np.int64(SUM_INTEGER_BITS)).sum(axis=-1, keepdims=True)
    # Until the sum is 2**exponent times a number from 1 to 2.
    spare = 32 - np.ceil(np.log2(sums + 1)).astype(np.int64)
    scale = _reciprocal(sums << spare >> 1)
    shares = shifted(_product(scale, powers), SUM_INTEGER_BITS - spare + 31 - PROBABILITY_BITS)
    return as_int8(shares + LOWEST)


def _product(a: Any, b: Any) -> Int64s:
    return np.asarray((a * b + (1 << 30)) >> 31)


def _reciprocal(half: Int64s) -> Int64s:
    """Return 1 / (2 * half) in Q0.31, for half a denominator in Q0.31 from 1/2 to 1, by Newton's method."""
    estimate = FORTY_EIGHT_17THS + _product(half, MINUS_THIRTY_TWO_17THS)
    for _ in range(NEWTON_STEPS):
        estimate = estimate + 4 * _product(estimate, ONE_Q29 - _product(half, estimate))
    return np.asarray(np.minimum(2 * estimate, 2**31 - 1))


_COMPUTED: dict[type[Step], Callable[..., Int8s]] = {
    Border: _border,
    Clamped: _function,
    ClampedSum: _sum,
    Function: _function,
    Gated: _gated,
    GlobalPool: _global_pool,
    IntegerConvolution: _weighted,
    IntegerProduct: _weighted,
    IntegerSlopes: _slopes,
    Joined: lambda step, _, __, *values: np.concatenate(values, axis=step.axis + 1),
    Plus: _plus,
    Pool: _pool,
    Requantized: _function,
    ToMap: lambda step, _, __, values: as_map(values, step),
    ToRow: lambda step, _, __, values: row(values, step),
}
"""By kind, what a step computes of itself, the grids of what it takes, that of what it gives, and what it takes."""
