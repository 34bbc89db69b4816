"""Prepared steps with other numbers that compute the same, and lose less when they are rounded; see ``equivalence``.

Where each output of weights has a scale of its own, what counts about a channel is its share of the range that all
channels have together, and its share of the weights that take it, which have a scale for each of theirs. Both shares
are made the same, as far as a positive factor passes through what lies between: relu, leaky relu, pooling, borders and
changes of shape, branches side by side.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgedigits_export.graph.steps import (
    Array,
    Border,
    Function,
    GlobalPool,
    Joined,
    Pool,
    Slopes,
    Step,
    ToMap,
    ToRow,
    shapes_of,
)
from edgedigits_export.integers.graph_floats import (
    FloatArray,
    Pixels,
    as_map,
    batches,
    computed,
    row,
)
from edgedigits_export.integers.graph_steps import Clamped, ClampedConvolution, ClampedProduct, Weighted

EQUALIZATION_ROUNDS = 8
EQUALIZATION_IMAGES = 1_000
"""That the ranges of channels are taken from."""
MOST = 16.0
"""By which a channel is multiplied or divided, that what hardly ever fires is not blown up for it."""

Indices = npt.NDArray[np.int64]


def centered(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Take out of the logits what all classes have in common; the probabilities stay the same."""
    last = steps[-1]
    if not isinstance(last, Function) or last.name != "softmax":
        return steps
    place = last.sources[0]
    if isinstance(steps[place], GlobalPool) and steps[place].kind == "average":  # type: ignore[attr-defined]
        place = steps[place].sources[0]
    layer = steps[place]
    takers = sum(step.sources.count(place) for step in steps)
    if not isinstance(layer, Weighted) or takers != 1 or layer.low == 0 or getattr(layer, "groups", 1) > 1:
        return steps
    kernel = layer.kernel - layer.kernel.mean(axis=-1, keepdims=True)
    changed = dataclasses.replace(layer, kernel=kernel, bias=layer.bias - layer.bias.mean())
    return (*steps[:place], changed, *steps[place + 1 :])


def equalized(steps: tuple[Step, ...], pixels: Pixels) -> tuple[Step, ...]:
    """Scale channels until each has the same share of its range as of the weights that take it.

    Args:
        steps: see ``graph_preparation.prepared``.
        pixels: calibration images, uint8 (n, 28, 28).
    """
    found = list(steps)
    shapes = shapes_of(steps)
    highest: list[Any] = [0.0] * len(steps)
    for batch in batches(pixels[:EQUALIZATION_IMAGES]):
        for place, values in enumerate(computed(steps, batch)):
            seen = np.abs(values).max(axis=tuple(range(values.ndim - 1)))
            highest[place] = np.maximum(highest[place], seen)
    ties = {
        place: takers
        for place, step in enumerate(steps)
        if isinstance(step, Weighted) and step.high == np.inf and (takers := _takers(steps, shapes, place))
    }
    totals: dict[int, FloatArray] = {place: np.ones(len(highest[place])) for place in ties}
    for _ in range(EQUALIZATION_ROUNDS):
        for place, takers in ties.items():
            wanted = totals[place] * _factors(highest[place], _heard(found, takers, len(highest[place])))
            wanted = np.clip(wanted, 1 / MOST, MOST)
            factors, totals[place] = wanted / totals[place], wanted
            highest[place] = highest[place] / factors
            giver: Any = found[place]
            found[place] = dataclasses.replace(
                giver, kernel=giver.kernel / factors, bias=giver.bias / factors
            )
            for taker in takers:
                step: Any = found[taker.place]
                scaled = step.kernel * taker.spread(step, factors)
                found[taker.place] = dataclasses.replace(step, kernel=scaled)
    return tuple(found)


@dataclass(frozen=True, eq=False)
class _Taker:
    """A step whose weights take the channels of another."""

    place: int
    channels: Indices
    """Of each of its inputs, the channel that it is of; -1 for those of other steps."""

    def inputs(self, step: Weighted) -> Indices:
        """Return of each weight the channel that it takes, of the shape of the kernel."""
        if isinstance(step, ClampedProduct):
            return np.broadcast_to(self.channels[:, np.newaxis], step.kernel.shape)
        # An output of a group takes the inputs of that group.
        each = step.kernel.shape[3] // step.groups
        by_group = self.channels.reshape(step.groups, -1).T
        return np.broadcast_to(np.repeat(by_group, each, axis=1), step.kernel.shape)

    def spread(self, step: Weighted, factors: FloatArray) -> FloatArray:
        """Return for each weight the factor of the channel that it takes, 1 for other steps' channels."""
        places = self.inputs(step)
        return np.where(places >= 0, factors[places], 1.0)


def _factors(given: FloatArray, heard: FloatArray) -> FloatArray:
    """Return what to divide channels by that both shares be the same; 1 for those that are silent or not heard."""
    alive = (given > 0) & (heard > 0)
    if not alive.any():
        return np.ones(len(given))
    shares = (given / given.max(), heard / heard[alive].max())
    return np.asarray(np.sqrt(np.where(alive, shares[0], 1.0) / np.where(alive, shares[1], 1.0)), np.float64)


def _heard(steps: list[Step], takers: list[_Taker], channels: int) -> FloatArray:
    """Return of each channel its largest share of the weights of an output that takes it."""
    heard = np.zeros(channels)
    for taker in takers:
        step: Any = steps[taker.place]
        size = np.abs(step.kernel)
        most = size.max(axis=tuple(range(size.ndim - 1)))
        shares = size / np.where(most > 0, most, 1.0)
        places = taker.inputs(step)
        known = places >= 0
        np.maximum.at(heard, places[known], shares[known])
    return heard


def _same(values: Array) -> Array | None:
    """Return the channels of a map, where each is of one in all places."""
    channels = values[:1, :1]
    return channels if np.array_equal(np.broadcast_to(channels, values.shape), values) else None


def _of_map(step: Step, channels: Array, shape: tuple[int, ...]) -> Array | None:
    same = _same(channels)
    return None if same is None else np.broadcast_to(same.reshape(-1), shape)


_PASSING: dict[type[Step], Callable[[Any, Array, tuple[int, ...]], Array | None]] = {
    Border: _of_map,
    Clamped: lambda step, channels, shape: channels if step.high == np.inf else None,
    Function: lambda step, channels, shape: channels if step.name == "leaky_relu" else None,
    GlobalPool: _of_map,
    Pool: _of_map,
    Slopes: lambda step, channels, shape: channels,
    ToMap: lambda step, channels, shape: as_map(channels[np.newaxis], step)[0],
    ToRow: lambda step, channels, shape: row(channels[np.newaxis], step)[0],
}
"""By kind, what a step lets a factor through that each channel has: of the step, of the channel that each value it
takes is of, and of the shape of what it gives; returns that of each value it gives, None where it lets none through."""


def _takers(steps: tuple[Step, ...], shapes: list[tuple[int, ...]], place: int) -> list[_Taker]:
    """Return the weights that take a step's channels; none where something else takes them, too."""
    width = shapes[place][-1]
    channels: dict[int, Array] = {place: np.broadcast_to(np.arange(width), shapes[place])}
    takers: list[_Taker] = []
    for later in range(place + 1, len(steps)):
        step = steps[later]
        if not channels.keys() & set(step.sources):
            continue
        if isinstance(step, Joined):
            parts = [channels.get(source, np.full(shapes[source], -1)) for source in step.sources]
            channels[later] = np.concatenate(parts, axis=step.axis)
            continue
        taken = channels[step.sources[0]] if len(step.sources) == 1 else None
        if taken is not None and isinstance(step, ClampedConvolution):
            taken = _same(taken)
        if taken is not None and isinstance(step, Weighted):
            takers.append(_Taker(later, taken.reshape(-1).astype(np.int64)))
            continue
        passing = _PASSING.get(type(step))
        given = None if passing is None or taken is None else passing(step, taken, shapes[later])
        if given is None or later == len(steps) - 1:
            return []
        channels[later] = given
    return takers
