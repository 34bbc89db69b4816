"""Where values live in one buffer, so that it is as small as can be found.

A value is there from the layer that makes it to the last that takes it. Two that are there at the same time have bytes
of their own, but for one case: what a layer writes may lie over what it reads for the last time, where it writes no
byte that it has still to read. Each layer says how far before its input its output has to begin for that.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from edgedigits_export.c_code.layers import Layer

ORDERS = 64
"""In which values are placed by chance, besides those that are good for most networks."""
MOST_SHUFFLED = 64
"""Values, above which chance finds nothing within reason."""


@dataclass(frozen=True)
class Plan:
    """Where each value begins."""

    offsets: dict[int, int]
    """By value, in bytes."""
    size: int
    """Of the buffer, in bytes."""


@dataclass(frozen=True)
class _Life:
    """From the layer that makes a value to the last that takes it."""

    size: int
    born: int
    died: int


def plan_memory(layers: Sequence[Layer], sizes: dict[int, int]) -> Plan:
    """Place all values.

    Args:
        layers: in the order in which they run.
        sizes: in bytes, of each value that lives in the buffer; others (the image, the answer) have places already.
    """
    lives = _lives(layers, sizes)
    over = {
        (layer.target, source): distance
        for place, layer in enumerate(layers)
        for source, distance in zip(layer.sources, layer.overlap, strict=True)
        if distance is not None and source in lives and layer.target in lives and lives[source].died == place
        # A value that goes in twice would be read anew where it has been overwritten.
        if layer.sources.count(source) == 1
    }
    orders = [
        sorted(lives, key=lambda value: -lives[value].born),
        sorted(lives, key=lambda value: lives[value].born),
        sorted(lives, key=lambda value: -lives[value].size),
        sorted(lives, key=lambda value: (-lives[value].size, -lives[value].born)),
    ]
    if 2 < len(lives) <= MOST_SHUFFLED:
        chance = random.Random(0)  # noqa: S311  (no secret: the same plan every time)
        orders += [chance.sample(sorted(lives), len(lives)) for _ in range(ORDERS)]
    return min((_placed(order, lives, over) for order in orders), key=lambda plan: plan.size)


def _lives(layers: Sequence[Layer], sizes: dict[int, int]) -> dict[int, _Life]:
    born = {layer.target: place for place, layer in reversed(list(enumerate(layers)))}
    died = {source: place for place, layer in enumerate(layers) for source in layer.sources}
    return {
        value: _Life(size, born[value], max(died.get(value, 0), born[value])) for value, size in sizes.items()
    }


def _placed(order: Sequence[int], lives: dict[int, _Life], over: dict[tuple[int, int], int]) -> Plan:
    """Put each value in turn at the lowest place that is free for it."""
    offsets: dict[int, int] = {}
    for value in order:
        life = lives[value]
        rivals = [
            other for other in offsets if lives[other].born <= life.died and life.born <= lives[other].died
        ]
        candidates = {0, *(offsets[other] + lives[other].size for other in rivals)}
        # Over what it is made of, or under what is made of it.
        candidates |= {offsets[other] - over[value, other] for other in rivals if (value, other) in over}
        candidates |= {offsets[other] + over[other, value] for other in rivals if (other, value) in over}
        offsets[value] = min(
            place
            for place in candidates
            if place >= 0
            and all(_are_apart(value, place, other, offsets[other], lives, over) for other in rivals)
        )
    return Plan(offsets, max((offsets[value] + life.size for value, life in lives.items()), default=0))


def _are_apart(
    value: int,
    place: int,
    other: int,
    other_place: int,
    lives: dict[int, _Life],
    over: dict[tuple[int, int], int],
) -> bool:
    if place + lives[value].size <= other_place or other_place + lives[other].size <= place:
        return True
    if (value, other) in over:
        return other_place - place >= over[value, other]
    return (other, value) in over and place - other_place >= over[other, value]
