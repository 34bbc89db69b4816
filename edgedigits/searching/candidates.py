"""The family of networks among which a search looks, and which of them a budget has room for."""

import dataclasses
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from edgedigits.errors import ArgumentError
from edgedigits.model_files.network_spec import NetworkSpec
from edgedigits.model_files.packed_size import PackedCost
from edgedigits.model_files.quantized_bits import Bits
from edgedigits.model_files.trained_networks import trained_spec
from edgedigits.searching.budget import LIMITS, UNITS, Budget

Kind = Literal["any", "dense"]
"""Of networks: with convolutions or without, or only those without."""
LEAST_DEVIATION = 40.0
"""Inputs of dense networks that hardly change are left out: of 12x12 means of 2x2 pixels 92 stay."""
STEPS, NARROWEST, WIDEST = 4, 8, 800
"""Widths are tried in so many steps to a unit of the first layer, from two units to far beyond 16 KiB."""
SLACK_SHARE, SLACK_BYTES = 0.03, 64
"""By how much flash a measured cost may be below its estimate; see ``tests/export/test_footprint.py``."""
MOST_MEASURED = 12
"""Networks of one form that are measured before it is given up."""
SMALLER_SHARES, SMALLER_FORMS = (0.75, 0.5), 2
"""Shares of the flash for which there are networks of the first forms as well, so that the front has more than one
end."""


@dataclass(frozen=True)
class Candidate:
    """A network that could be trained, with the bits of its weights."""

    arch: str
    """As ``train --arch`` takes it."""
    bits: Bits
    """Of every weight."""
    least_deviation: float = 0.0
    """See ``Recipe.least_deviation``."""

    @cached_property
    def spec(self) -> NetworkSpec:
        """Its layers."""
        return trained_spec(self.arch)

    @property
    def layer_bits(self) -> tuple[Bits, ...]:
        """Of each layer with weights."""
        return (self.bits,) * len(self.spec.weighted)

    def __str__(self) -> str:
        return f"{self.arch}, {self.bits}{'' if self.bits == 'ternary' else ' bits'}"


class Form(NamedTuple):
    """Networks that differ in how wide they are."""

    words: str
    """Of their architecture, with a place for the width of each layer."""
    ratios: tuple[float, ...]
    """Widths of the layers, of the first layer's."""
    bits: Bits
    least_deviation: float = 0.0

    def candidate(self, steps: int) -> Candidate:
        """Return the network whose first layer is so many quarters wide, and the others in proportion."""
        widths = [max(1, round(steps / STEPS * ratio)) for ratio in self.ratios]
        return Candidate(self.words.format(*widths), self.bits, self.least_deviation)


_WINDOWS = "crop2-conv{}.k5.s2.valid.bare-conv{}.valid.bare-pool-conv{}.valid.bare"
_DEEP = "crop2-conv{}.k5.s2.valid.bare-conv{}.valid.bare-conv{}.valid.bare-pool-conv{}.valid.bare"
_EARLY = "crop2-conv{}.k5.s2.valid.bare-pool-conv{}.valid.bare-conv{}.valid.bare"
_LARGER = "crop2-conv{}.k6.s2.valid.bare-conv{}.valid.bare-pool-conv{}.valid.bare"
_MEANS = "meanpool-conv{}.valid.bare-pool-conv{}.valid.bare-conv{}.valid.bare"
_MEANS_DEEP = "meanpool-conv{}.valid.bare-conv{}.valid.bare-pool-conv{}.valid.bare-conv{}.valid.bare-mean"
_PIXELS = "conv{}.valid.bare-pool-conv{}.valid.bare-pool-conv{}.valid.bare-conv{}.valid.bare-mean"
_DENSE = "crop2-meanpool-dense{}-dense{}"
_DENSE_DEEP = "crop2-meanpool-dense{}-dense{}-dense{}"
_DENSE_WHOLE = "meanpool-dense{}-dense{}"

CONVOLUTIONAL = (
    Form(_WINDOWS, (1, 1.5, 2.5), 3),
    Form(_WINDOWS, (1, 1.5, 2.5), 4),
    Form(_DEEP, (1, 1.5, 1.5, 2), 3),
    Form(_DEEP, (1, 1.5, 1.5, 2), 4),
    Form(_WINDOWS, (1, 2, 4), 3),
    Form(_EARLY, (1, 2, 3), 4),
    Form(_WINDOWS, (1, 1.5, 2.5), 2),
    Form(_LARGER, (1, 1.5, 2.5), 3),
    Form(_MEANS, (1, 2, 3), 4),
    Form(_MEANS_DEEP, (1, 2, 3, 4), 4),
    Form(_PIXELS, (1, 2, 3, 4), 4),
    Form(_WINDOWS, (1, 1.5, 2.5), "ternary"),
    Form(_EARLY, (1, 2, 3), 3),
)
"""The likeliest first."""
DENSE = (
    Form(_DENSE, (1, 0.5), 4, LEAST_DEVIATION),
    Form(_DENSE, (1, 0.8), 4, LEAST_DEVIATION),
    Form(_DENSE, (1, 0.35), 4, LEAST_DEVIATION),
    Form(_DENSE, (1, 0.5), 3, LEAST_DEVIATION),
    Form(_DENSE_WHOLE, (1, 0.5), 4, LEAST_DEVIATION),
    Form(_DENSE_DEEP, (1, 0.6, 0.6), 4, LEAST_DEVIATION),
    Form(_DENSE, (1, 0.5), 2, LEAST_DEVIATION),
    Form(_DENSE, (1, 0.5), "ternary", LEAST_DEVIATION),
    Form(_DENSE, (1, 0.5), 5, LEAST_DEVIATION),
    Form(_DENSE, (1, 0.5), 4, 60.0),
)
FORMS: dict[Kind, tuple[Form, ...]] = {"any": (*CONVOLUTIONAL, *DENSE[:1]), "dense": DENSE}

CostOf = Callable[[Candidate], PackedCost]
"""What a network costs."""


class Priced(NamedTuple):
    """A network and what it costs."""

    candidate: Candidate
    cost: PackedCost


def fitting(budget: Budget, kind: Kind, count: int, estimate: CostOf, measure: CostOf) -> list[Priced]:
    """Return the networks to begin a search with: of every form the widest that a budget has room for.

    Those of the first forms that take at most three quarters of the flash follow, and half of it.

    Args:
        budget: what a network may cost.
        kind: of networks.
        count: how many to return at most.
        estimate: what a network costs, quickly.
        measure: likewise, for certain; asked about the networks that are returned, and some wider ones.

    Returns:
        The likeliest first.

    Raises:
        ArgumentError: the budget has room for no network; it says what the least is.
    """
    found: dict[Candidate, PackedCost] = {}
    for priced in _widest(budget, kind, estimate, measure):
        found.setdefault(*priced)
        if len(found) == count:
            break
    if not found:
        raise ArgumentError(_least(budget, kind, measure))
    return [Priced(*pair) for pair in found.items()]


def _widest(budget: Budget, kind: Kind, estimate: CostOf, measure: CostOf) -> Iterator[Priced]:
    """Yield of every form the widest network that fits, then of the first forms those of a smaller share of flash."""
    forms = FORMS[kind]
    for share, tried in ((1.0, forms), *((share, forms[:SMALLER_FORMS]) for share in SMALLER_SHARES)):
        limited = dataclasses.replace(budget, flash=int(budget.flash * share))
        for form in tried:
            for candidate in _probable(form, limited, estimate)[:MOST_MEASURED]:
                if not limited.exceeded(cost := measure(candidate)):
                    yield Priced(candidate, cost)
                    break


def _probable(form: Form, budget: Budget, estimate: CostOf) -> list[Candidate]:
    """Return the networks of a form that may fit by their estimates, the widest first."""
    slack = max(round(budget.flash * SLACK_SHARE), SLACK_BYTES)
    loose = dataclasses.replace(budget, flash=budget.flash + slack)

    def is_too_wide(steps: int) -> bool:
        return bool(loose.exceeded(estimate(form.candidate(steps))))

    steps = range(NARROWEST, WIDEST)
    widest = bisect_left(steps, True, key=is_too_wide)
    return list(dict.fromkeys(form.candidate(step) for step in reversed(steps[:widest])))


def _least(budget: Budget, kind: Kind, measure: CostOf) -> str:
    """Say what a budget for which nothing fits would have to be."""
    costs = {
        candidate: measure(candidate) for form in FORMS[kind] for candidate in [form.candidate(NARROWEST)]
    }
    for name in LIMITS:
        others = [candidate for candidate, cost in costs.items() if budget.exceeded(cost) == [name]]
        if others:
            least = min(others, key=lambda candidate: getattr(costs[candidate], name))
            beside = " within the other limits" if budget.ram or budget.instructions else ""
            return (
                f"{name}: expected at least {getattr(costs[least], name):,}{beside}, which {least} takes, got "
                f"{getattr(budget, name):,}: no network fits"
            )
    leasts = [f"{min(getattr(cost, name) for cost in costs.values()):,} {UNITS[name]}" for name in LIMITS]
    return f"no network fits: the least of each is {', '.join(leasts)}; give more of the ones that are less"
