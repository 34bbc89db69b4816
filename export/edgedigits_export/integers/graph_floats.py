"""What the prepared steps of a network compute in floats, and what calibration images let them see."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from edgedigits_export.graph.steps import (
    Array,
    Border,
    Function,
    GlobalPool,
    Image,
    Joined,
    Pool,
    Slopes,
    Step,
    ToMap,
    ToRow,
)
from edgedigits_export.integers.graph_steps import (
    Bounded,
    Clamped,
    ClampedConvolution,
    ClampedProduct,
    ClampedSum,
    Gated,
    Plus,
    Requantized,
    Weighted,
)
from edgedigits_export.integers.graph_windows import convolved, largest, patches, totals

Pixels = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float64]

BATCH = 25
"""Images that are computed at once: the widest maps of usual networks then stay within 10 MB."""
SAMPLED = 2**18
"""Values of a step that are kept to choose its range from, besides the lowest and the highest of all."""
ROWS = 2**15
"""Places of a convolution that its inputs are looked at in."""
WIDEST = 512
"""Inputs of a layer that are rounded together: more are taken in parts, for a matrix of all of them takes minutes."""


def border(values: Array, step: Border, fill: float) -> Array:
    """Return a map with a border, or without what is cut off."""
    top, bottom, left, right = step.margins
    sides = [(max(top, 0), max(bottom, 0)), (max(left, 0), max(right, 0))]
    wide = np.pad(values, [(0, 0), *sides, (0, 0)], constant_values=fill)
    height, width = wide.shape[1:3]
    return wide[:, max(-top, 0) : height - max(-bottom, 0), max(-left, 0) : width - max(-right, 0)]


def row(values: Array, step: ToRow) -> Array:
    """Return maps as rows."""
    ordered = np.moveaxis(values, 3, 1) if step.channels_first else values
    return np.asarray(ordered.reshape(len(values), -1))


def as_map(values: Array, step: ToMap) -> Array:
    """Return rows as maps."""
    height, width, channels = step.given
    if not step.channels_first:
        return values.reshape(-1, height, width, channels)
    return np.moveaxis(values.reshape(-1, channels, height, width), 1, 3)


def _global(values: Array, step: GlobalPool) -> Array:
    return np.asarray(values.max(axis=(1, 2)) if step.kind == "max" else values.mean(axis=(1, 2)))


def _pool(values: Array, step: Pool) -> Array:
    if step.kind == "max":
        return largest(step, values)
    sums, counts = totals(step, values)
    return np.asarray(sums / counts)


def _softmax(values: Array) -> Array:
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def _erf(values: Array) -> Array:
    """Return the error function within 2e-7: Abramowitz and Stegun, formula 7.1.26."""
    size = np.abs(values)
    inverse = 1 / (1 + 0.3275911 * size)
    terms = np.zeros_like(values)
    for factor in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        terms = (terms + factor) * inverse
    return np.asarray(np.copysign(1 - terms * np.exp(-size * size), values))


FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "exp": lambda values: np.exp(np.minimum(values, 0)),
    "gelu": lambda values: values * (0.5 + 0.5 * _erf(values * np.sqrt(0.5).astype(values.dtype))),
    "sigmoid": lambda values: 0.5 + 0.5 * np.tanh(0.5 * values),
    "softmax": _softmax,
    "tanh": np.tanh,
}
"""By Keras' name, functions that take nothing but values; exp ends at 1."""


def _function(values: Array, step: Function) -> Array:
    if step.name == "leaky_relu":
        return np.where(values > 0, values, values * np.asarray(step.alpha, values.dtype))
    return FUNCTIONS[step.name](values)


_COMPUTED: dict[type[Step], Callable[..., Array]] = {
    Border: lambda step, values: border(values, step, 0.0),
    Clamped: lambda step, values: np.clip(values, 0, step.high),
    ClampedConvolution: lambda step, values: _kept(
        step, convolved(step, values, step.kernel.astype(values.dtype)) + step.bias.astype(values.dtype)
    ),
    ClampedProduct: lambda step, values: _kept(
        step, values @ step.kernel.astype(values.dtype) + step.bias.astype(values.dtype)
    ),
    ClampedSum: lambda step, one, other: _kept(step, one + other),
    Function: lambda step, values: _function(values, step),
    Gated: lambda step, one, other: one * other,
    GlobalPool: lambda step, values: _global(values, step),
    Image: lambda step, pixels: pixels.reshape(-1, *step.given).astype(np.float32),
    Joined: lambda step, *values: np.concatenate(values, axis=step.axis + 1),
    Plus: lambda step, values: values + np.asarray(step.number, values.dtype),
    Pool: lambda step, values: _pool(values, step),
    Requantized: lambda step, values: values,
    Slopes: lambda step, values: np.where(values > 0, values, values * step.slopes.astype(values.dtype)),
    ToMap: lambda step, values: as_map(values, step),
    ToRow: lambda step, values: row(values, step),
}
"""By kind, what a prepared step computes: of itself and of what it takes."""


def _kept(step: Bounded, values: Array) -> Array:
    if step.low == -np.inf and step.high == np.inf:
        return values
    return np.asarray(np.clip(values, step.low, step.high))


def computed(steps: tuple[Step, ...], pixels: Pixels) -> list[Array]:
    """Return what each prepared step gives for some images, float32 (n, *its shape).

    Args:
        steps: see ``graph_preparation.prepared``.
        pixels: uint8 (n, 28, 28).
    """
    values: list[Array] = []
    for step in steps:
        values.append(step_computed(step, *([values[source] for source in step.sources] or [pixels])))
    return values


def step_computed(step: Step, *taken: Array) -> Array:
    """Return what one prepared step gives, float32 (n, *its shape).

    Args:
        step: see ``graph_preparation.prepared``.
        taken: what it takes, (n, *their shapes); an ``Image`` takes pixels.
    """
    return _COMPUTED[type(step)](step, *taken)


def batches(pixels: Pixels, size: int = BATCH) -> Iterator[Pixels]:
    """Yield images, a batch of a size at a time."""
    for start in range(0, len(pixels), size):
        yield pixels[start : start + size]


@dataclass
class Seen:
    """What calibration images make of a network."""

    samples: list[FloatArray]
    """Of each step, some of its values, the lowest and the highest of all among them; all values of rows of logits."""
    highest: list[FloatArray]
    """Of each step, the largest magnitude of each channel, (channels,)."""
    together: dict[int, list[FloatArray]] = field(default_factory=dict)
    """By place of a step with weights, for each group and part of its inputs, the mean products of pairs of inputs."""


def parts_of(inputs: int) -> list[slice]:
    """Return the parts in which inputs of a layer are rounded."""
    count = -(-inputs // WIDEST)
    bounds = np.linspace(0, inputs, count + 1).astype(int)
    return [slice(int(low), int(high)) for low, high in pairwise(bounds)]


def look(steps: tuple[Step, ...], pixels: Pixels, logits: int, seed: int = 0) -> Seen:
    """Compute what calibration images let each step see.

    Ranges are of all images: the lowest and the highest value are exact, those between a sample of ``SAMPLED``. Inputs
    of weights are looked at in ``ROWS`` places.

    Args:
        steps: see ``graph_preparation.prepared``.
        pixels: uint8 (n, 28, 28).
        logits: place of the step whose values are all kept.
        seed: of the choice of samples.
    """
    generator = np.random.default_rng(seed)
    chunks: list[list[Array]] = [[] for _ in steps]
    highest: list[Any] = [0.0] * len(steps)
    together: dict[int, list[Any]] = {}
    rows: dict[int, int] = {}
    share = len(pixels)
    for batch in batches(pixels):
        values = computed(steps, batch)
        for place, found in enumerate(values):
            highest[place] = np.maximum(highest[place], np.abs(found).max(axis=tuple(range(found.ndim - 1))))
            flat: Array = found.reshape(-1)
            chunks[place].append(np.array([flat.min(), flat.max()]))
            wanted = flat.size if place == logits else -(-SAMPLED * len(batch) // share)
            if wanted < flat.size:
                flat = flat[generator.integers(0, flat.size, wanted)]
            chunks[place].append(found if place == logits else flat)
        for place, step in enumerate(steps):
            if isinstance(step, Weighted):
                taken = _inputs(step, values[step.sources[0]], ROWS * len(batch) // share + 1, generator)
                rows[place] = rows.get(place, 0) + taken.shape[1]
                _add_products(together.setdefault(place, []), taken)
    samples = [
        np.concatenate(parts[1::2] if place == logits else parts).astype(np.float64)
        for place, parts in enumerate(chunks)
    ]
    means = {place: [total / rows[place] for total in totals] for place, totals in together.items()}
    return Seen(samples, [np.asarray(values, np.float64) for values in highest], means)


def _inputs(step: Weighted, values: Array, count: int, generator: np.random.Generator) -> Array:
    """Return what goes into a layer in some places, (groups, places, inputs of a group)."""
    if isinstance(step, ClampedProduct):
        return values[np.newaxis]
    # A few images tell as much as a few places of each, and cost less to lay out.
    places = int(np.prod(step.shape(values.shape[1:])[:2]))
    images = min(len(values), -(-count * 4 // places))
    taken = patches(step, values[generator.choice(len(values), images, replace=False)])
    flat = taken.reshape(-1, *taken.shape[3:])
    if len(flat) > count:
        flat = flat[generator.choice(len(flat), count, replace=False)]
    return np.ascontiguousarray(np.moveaxis(flat, 1, 0))


def _add_products(totals: list[Any], taken: Array) -> None:
    """Add the products of pairs of inputs to those of each group and part so far: in float64 over all batches."""
    parts = [group[:, part] for group in taken for part in parts_of(group.shape[1])]
    if not totals:
        totals += [0.0] * len(parts)
    for index, part in enumerate(parts):
        totals[index] = totals[index] + (part.T @ part).astype(np.float64)
