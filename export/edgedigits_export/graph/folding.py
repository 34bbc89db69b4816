"""Folds steps into each other where what they compute stays the same: scaling into weights, zeros into margins."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from edgedigits_export.graph.steps import (
    Array,
    Border,
    Convolution,
    GlobalPool,
    Image,
    Pool,
    Product,
    Scale,
    Step,
    ToMap,
    ToRow,
)

_Weighted = Product | Convolution


def folded(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Return the steps that compute the same with fewer of them; float32 weights.

    Args:
        steps: in an order in which they can run; the last gives the output.
    """
    found = list(steps)
    while (changed := _fold_one(found)) is not None:
        found = changed
    return tuple(_as_float32(step) for step in _used(found))


def _fold_one(steps: list[Step]) -> list[Step] | None:
    """Return the steps with one pair less or in better order; None where nothing is left to do."""
    uses = [sum(step.sources.count(place) for step in steps) for place in range(len(steps))]
    for place, step in enumerate(steps):
        if len(step.sources) != 1 or uses[step.sources[0]] != 1:
            continue
        source = step.sources[0]
        before = steps[source]
        follower = next((other for other in steps if place in other.sources), None)
        previous = steps[before.sources[0]] if before.sources else None
        for rule in _RULES:
            pair = rule(before, step, follower, previous)
            if pair is not None:
                # What was one of two becomes nothing: whoever took the second takes it where it is now.
                changed = list(steps)
                first, second = pair
                changed[source] = first
                changed[place] = second if second is not None else _Nothing((source,))
                return _without_nothing(changed)
    return None


@dataclasses.dataclass(frozen=True, eq=False)
class _Nothing(Step):
    """A step that was folded into the one before."""


def _without_nothing(steps: list[Step]) -> list[Step]:
    places: list[int] = []
    kept: list[Step] = []
    for step in steps:
        sources = tuple(places[source] for source in step.sources)
        if isinstance(step, _Nothing):
            places.append(sources[0])
        else:
            kept.append(dataclasses.replace(step, sources=sources))
            places.append(len(kept) - 1)
    return kept


def _used(steps: list[Step]) -> list[Step]:
    """Return the steps without scaling by 1, which does nothing."""
    return _without_nothing(
        [
            _Nothing(step.sources)
            if isinstance(step, Scale) and np.all(step.factor == 1) and not np.any(step.offset)
            else step
            for step in steps
        ]
    )


_Pair = tuple[Step, Step | None]
"""What two steps, one the only source of the other, become: the first in the place of the first."""


def _scaled_after(before: Step, step: Step, follower: Step | None, _: Step | None) -> _Pair | None:
    """Fold a scaling into the weights before it; ``follower`` takes what it gives."""
    if not isinstance(before, _Weighted) or not isinstance(step, Scale):
        return None
    if isinstance(before, Product) and isinstance(follower, Product):
        # Two products in a row are one network less that its readers know; see ``model_files``.
        return None
    factor, offset = _per_channel(step.factor), _per_channel(step.offset)
    if factor is None or offset is None:
        return None
    bias = np.broadcast_to(before.bias * factor + offset, before.bias.shape)
    return dataclasses.replace(before, kernel=before.kernel * factor, bias=bias), None


def _scaled_before(before: Step, step: Step, _: Step | None, previous: Step | None) -> _Pair | None:
    """Fold a scaling into the weights behind it; ``previous`` gives what it takes."""
    if not isinstance(before, Scale) or not isinstance(step, _Weighted):
        return None
    factor, offset = _per_channel(before.factor), _per_channel(before.offset)
    if factor is None or offset is None:
        return None
    if isinstance(step, Product) and isinstance(previous, Product):
        return None
    if isinstance(step, Convolution):
        # What lies around the map is 0 before and behind the scaling.
        moves_margins = bool(np.any(offset)) and any(step.margins)
        if moves_margins or (step.groups > 1 and max(factor.size, offset.size) > 1):
            return None
    inputs = step.kernel.shape[-2]
    factor, offset = (np.broadcast_to(values, (inputs,))[:, np.newaxis] for values in (factor, offset))
    axes = tuple(range(step.kernel.ndim - 1))
    bias = step.bias + (step.kernel * offset).sum(axis=axes)
    return dataclasses.replace(step, sources=before.sources, kernel=step.kernel * factor, bias=bias), None


def _scaled_later(before: Step, step: Step, *_: Step | None) -> _Pair | None:
    """Scale by numbers behind a step that only moves or pools values, so as to come to the weights."""
    if not isinstance(before, Scale) or not isinstance(step, ToRow | ToMap | Pool | GlobalPool | Border):
        return None
    if before.factor.ndim or before.offset.ndim:
        return None
    if isinstance(step, Pool | GlobalPool) and step.kind == "max" and before.factor < 0:
        return None
    if isinstance(step, Border) and max(step.margins) > 0 and before.offset != 0:
        # The zeros around a map are zeros before and behind the scaling.
        return None
    return dataclasses.replace(step, sources=before.sources), dataclasses.replace(
        before, sources=step.sources
    )


def _scaled_twice(before: Step, step: Step, *_: Step | None) -> _Pair | None:
    if not isinstance(before, Scale) or not isinstance(step, Scale):
        return None
    factor = np.asarray(before.factor * step.factor)  # of two numbers NumPy makes no array
    offset = np.asarray(before.offset * step.factor + step.offset)
    return dataclasses.replace(before, factor=factor, offset=offset), None


def _bordered(before: Step, step: Step, *_: Step | None) -> _Pair | None:
    """Make the zeros before a convolution its margins."""
    if not isinstance(before, Border) or not isinstance(step, Convolution) or min(before.margins) < 0:
        return None
    top, bottom, left, right = (a + b for a, b in zip(before.margins, step.margins, strict=True))
    return dataclasses.replace(step, sources=before.sources, margins=(top, bottom, left, right)), None


def _flat_image(before: Step, step: Step, *_: Step | None) -> _Pair | None:
    """Take the image as a row at once; with one channel all orders are one."""
    if not isinstance(before, Image) or not isinstance(step, ToRow):
        return None
    return Image((), step.shape(before.given)), None


def _shaped_image(before: Step, step: Step, *_: Step | None) -> _Pair | None:
    """Take the image as the map that it becomes, where that has its sides."""
    if not isinstance(before, Image) or not isinstance(step, ToMap) or step.given[2] != 1:
        return None
    return (Image((), step.given), None) if step.given == _PICTURE else None


_PICTURE = (28, 28, 1)
_RULES: tuple[Callable[[Step, Step, Step | None, Step | None], _Pair | None], ...] = (
    _flat_image,
    _shaped_image,
    _scaled_twice,
    _scaled_after,
    _scaled_before,
    _scaled_later,
    _bordered,
)


def _per_channel(values: Array) -> Array | None:
    """Return what is done to each channel, (channels,) or (1,); None where places differ."""
    if values.ndim == 3 and values.shape[:2] != (1, 1):
        return None
    return values.reshape(-1)


def _as_float32(step: Step) -> Step:
    arrays = {
        field.name: getattr(step, field.name)
        for field in dataclasses.fields(step)
        if isinstance(getattr(step, field.name), np.ndarray)
    }
    return dataclasses.replace(step, **{name: array.astype(np.float32) for name, array in arrays.items()})
