"""From prepared steps and calibration images to a network in integers; the counterpart of ``quantization`` for graphs.

The same five steps: centering, constants that leave room (``rounding.weight_scales`` chooses no scale in which a bias
would not fit), equalization, rounding with feedback, ranges. Then a sixth, ``graph_correction``.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgedigits.networks.weighted import WeightedNetwork
from edgedigits_export.graph.steps import Function, GlobalPool, Pool, Slopes, Step
from edgedigits_export.integers.graph_correction import corrected_steps
from edgedigits_export.integers.graph_equivalence import centered, equalized
from edgedigits_export.integers.graph_floats import FloatArray, Pixels, Seen, look, parts_of
from edgedigits_export.integers.graph_kernels import IntegerGraph
from edgedigits_export.integers.graph_preparation import prepared
from edgedigits_export.integers.graph_steps import (
    ClampedConvolution,
    ClampedProduct,
    IntegerConvolution,
    IntegerProduct,
    IntegerSlopes,
    Plus,
    Weighted,
    fixed_grid,
    shares_grid,
)
from edgedigits_export.integers.grids import Grid, RangeMethod, min_max
from edgedigits_export.integers.quantization import RoundedNetwork, round_weights
from edgedigits_export.integers.rounding import quantize_biases, round_by_products, weight_scales
from edgedigits_export.integers.shift_graph import ShiftedGraph, is_shiftable, means_as_products
from edgedigits_export.integers.weight_grids import WholeWeights, quantized_weights

LEAST_LOGIT_SCALE = 2.0**-24
"""Of what goes into a softmax: far above the least that its reference kernel takes."""
LEAST_SCALE_CHANGE = 2.0**-15
"""Of the scale that a step takes, the least that it gives: reference kernels multiply by less than 2**19, readers of
files allow 2**16."""
ROUNDS = 64
"""In which grids come to terms with each other; each but in made-up networks needs two."""

Weights = tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]
"""A kernel in integers, of the shape that it has in floats, and the scale of each output."""


def groups_of(steps: tuple[Step, ...]) -> list[int]:
    """Return of each step the first of those whose values are on the same grid."""
    groups: list[int] = []
    for place, step in enumerate(steps):
        groups.append(place)
        if not shares_grid(step):
            continue
        joined = {groups[source] for source in step.sources}
        first = min(joined)
        groups = [first if group in joined | {place} else group for group in groups]
    return groups


@dataclass(frozen=True, eq=False)
class RoundedGraph:
    """A network with rounded weights whose values have no ranges yet."""

    steps: tuple[Step, ...]
    """See ``graph_preparation.prepared``."""
    weights: dict[int, Weights]
    """By place of the step."""
    samples: list[FloatArray]
    """See ``Seen.samples``."""
    images: Pixels
    """Calibration images."""

    def with_ranges(self, hidden: RangeMethod, logits: RangeMethod) -> IntegerGraph:
        """Choose the ranges and put the biases into integers.

        Raises:
            QuantizationError: int32 cannot hold a bias, or the sums that are added to it.
        """
        grids = self._on_terms(chosen_grids(self.steps, self.samples, hidden, logits))
        steps = corrected_steps(
            self.steps, grids, self.images, lambda place, step: self._in_integers(place, step, grids)
        )
        return IntegerGraph(tuple(steps), tuple(grids))

    def _least(self, place: int, grids: list[Grid]) -> float:
        """Return the finest scale that what a step gives can have."""
        step = self.steps[place]
        if not step.sources or shares_grid(step):
            return 0.0
        taken = max(grids[source].scale for source in step.sources)
        if isinstance(step, Weighted):
            return float((np.float32(taken) * self.weights[place][1]).max())
        return max(taken, step.step if isinstance(step, Plus) else 0.0) * LEAST_SCALE_CHANGE

    def _on_terms(self, grids: list[Grid]) -> list[Grid]:
        """Widen grids that are finer than what is put on them, which gains nothing and which runtimes refuse."""
        groups = groups_of(self.steps)
        for _ in range(ROUNDS):
            before = list(grids)
            for place in range(len(grids)):
                least = np.array([self._least(place, grids)], np.float32)
                if fixed_grid(self.steps, place) is None and grids[place].scale < least[0]:
                    wider = grids[place].no_finer_than(least)
                    grids = [
                        wider if group == groups[place] else grid
                        for group, grid in zip(groups, grids, strict=True)
                    ]
            if before == grids:
                break
        return grids

    def _in_integers(self, place: int, step: Step, grids: list[Grid]) -> Step:
        if isinstance(step, Weighted):
            kernel, scales = self.weights[place]
            sums = np.float32(grids[step.sources[0]].scale) * scales
            bias = quantize_biases(step.bias, sums, kernel.reshape(-1, kernel.shape[-1]))
            values = {field.name: getattr(step, field.name) for field in dataclasses.fields(step)}
            values |= {"kernel": kernel, "bias": bias, "scales": scales}
            return (
                IntegerProduct(**values) if isinstance(step, ClampedProduct) else IntegerConvolution(**values)
            )
        if isinstance(step, Slopes):
            scale = float(np.float32(np.abs(step.slopes).max() / 127)) or 1.0
            whole = np.clip(np.rint(step.slopes / scale), -127, 127).astype(np.int8)
            return IntegerSlopes(step.sources, whole, scale)
        return step


Rounded = RoundedNetwork | RoundedGraph | ShiftedGraph
"""A network of any kind with rounded weights."""


def chosen_grids(
    steps: tuple[Step, ...], samples: list[FloatArray], hidden: RangeMethod, logits: RangeMethod
) -> list[Grid]:
    """Return a grid for what each step gives.

    Args:
        steps: see ``graph_preparation.prepared``.
        samples: see ``Seen.samples``.
        hidden: chooses the ranges.
        logits: chooses the range of what goes into the last step, where that is a softmax.
    """
    groups = groups_of(steps)
    found: dict[int, Grid] = {}
    for group in sorted(set(groups)):
        members = [place for place, other in enumerate(groups) if other == group]
        fixed = fixed_grid(steps, members[0])
        if fixed is not None:
            found[group] = fixed
            continue
        values = np.concatenate([samples[place].reshape(-1) for place in _leaving(steps, members)])
        is_logits = steps[-1].sources[0] in members and _ends_in_softmax(steps)
        grid = logits(samples[steps[-1].sources[0]], True) if is_logits else hidden(values, False)
        if any(isinstance(step, Function) and step.name == "softmax" for step in _takers(steps, members)):
            grid = grid.no_finer_than(np.array([LEAST_LOGIT_SCALE], np.float32))
        found[group] = grid
    return [found[group] for group in groups]


def _takers(steps: tuple[Step, ...], members: list[int]) -> list[Step]:
    return [step for step in steps if set(step.sources) & set(members)]


def _leaving(steps: tuple[Step, ...], members: list[int]) -> list[int]:
    """Return those of some steps on one grid whose values are computed with, rather than only moved."""
    computing = [
        step
        for step in steps
        if not shares_grid(step) or (isinstance(step, Pool | GlobalPool) and step.kind == "average")
    ]
    taken = {source for step in computing for source in step.sources}
    return [place for place in members if place in taken or place == len(steps) - 1]


def _ends_in_softmax(steps: tuple[Step, ...]) -> bool:
    last = steps[-1]
    return isinstance(last, Function) and last.name == "softmax"


def round_graph(
    steps: tuple[Step, ...], images: Pixels, *, per_channel: bool, bits: int
) -> RoundedGraph | ShiftedGraph:
    """Prepare, center and equalize the steps of a network, and round its weights.

    Weights that are whole numbers of a step already stay what they are, whatever form is asked for: neither is such
    a network centered or equalized.

    Args:
        steps: folded; the last gives the probabilities.
        images: calibration images, uint8 (n, 28, 28).
        per_channel: whether every output gets a weight scale of its own, or one layer one scale.
        bits: of the weights, 8 or 7.
    """
    steps = prepared(steps)
    whole = quantized_weights(steps)
    if whole is not None:
        return _with_whole_weights(steps, whole, images)
    steps = equalized(centered(steps), images)
    seen = look(steps, images, steps[-1].sources[0])
    grids = chosen_grids(steps, seen.samples, min_max, min_max)
    largest = 2 ** (bits - 1) - 1
    weights = {
        place: _rounded(step, seen, place, grids[step.sources[0]].scale, per_channel, largest)
        for place, step in enumerate(steps)
        if isinstance(step, Weighted)
    }
    return RoundedGraph(steps, weights, seen.samples, images)


def _with_whole_weights(
    steps: tuple[Step, ...], whole: dict[int, WholeWeights], images: Pixels
) -> RoundedGraph | ShiftedGraph:
    """Return a network whose weights are whole numbers of a step: brought to its grids by shifts where it can be."""
    steps, whole = means_as_products(steps, whole)
    samples = look(steps, images, steps[-1].sources[0]).samples
    if is_shiftable(steps, whole):
        return ShiftedGraph(steps, whole, samples)
    weights = {place: (found.integers, found.steps.astype(np.float32)) for place, found in whole.items()}
    return RoundedGraph(steps, weights, samples, images)


def round_network(
    floats: WeightedNetwork | tuple[Step, ...], images: Pixels, bits: int, *, per_channel: bool
) -> Rounded:
    """Round the weights of a network: see ``quantization.round_weights`` and ``round_graph``.

    Args:
        floats: Dense layers, or steps.
        images: see there.
        bits: see there.
        per_channel: see there.
    """
    if isinstance(floats, WeightedNetwork):
        return round_weights(floats, images, per_channel=per_channel, bits=bits)
    return round_graph(floats, images, per_channel=per_channel, bits=bits)


def _rounded(
    step: Weighted, seen: Seen, place: int, input_scale: float, per_channel: bool, largest: int
) -> Weights:
    rows: FloatArray = step.kernel.reshape(-1, step.kernel.shape[-1])
    scales = weight_scales(rows, step.bias, input_scale, per_channel=per_channel, largest=largest)
    groups = step.groups if isinstance(step, ClampedConvolution) else 1
    each = rows.shape[1] // groups
    whole = np.empty(rows.shape, np.int8)
    products: Any = iter(seen.together[place])
    for group in range(groups):
        outputs = slice(group * each, (group + 1) * each)
        for part in parts_of(len(rows)):
            whole[part, outputs] = round_by_products(
                rows[part, outputs], next(products), scales[outputs], largest
            )
    return whole.reshape(step.kernel.shape), scales
