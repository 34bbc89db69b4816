"""The steps of a network as integers can hold them: the same function of steps that have integer operators.

Where that is exact in floats: functions are made of those that TFLite has, relu goes into the step before it, a scaling
that no weights take in becomes a convolution of one place, branches meet on one grid.
"""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from edgedigits_export.graph.folding import folded
from edgedigits_export.graph.steps import (
    SELU_ALPHA,
    SELU_SCALE,
    Array,
    Convolution,
    Function,
    Joined,
    Product,
    Scale,
    Slopes,
    Step,
    Sum,
    ToMap,
    ToRow,
    scalar,
    shapes_of,
)
from edgedigits_export.integers.graph_steps import (
    LARGEST_OF_RELU6,
    Bounded,
    Clamped,
    ClampedConvolution,
    ClampedProduct,
    ClampedSum,
    Gated,
    Plus,
    Requantized,
    as_float64,
    fixed_grid,
)

NO_MARGINS = (0, 0, 0, 0)


def prepared(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return the steps with which integers are chosen, weights in float64.

    Args:
        steps: of a network, folded; the last gives the probabilities.

    Returns:
        Steps among which are none of ``Scale``, ``Sum``, ``Product`` and ``Convolution`` but those that may clamp, and
        no functions but exp (ending at 1), gelu, leaky relu, sigmoid, softmax and tanh.
    """
    steps = _rewritten(steps, _with_known_functions)
    steps = _rewritten(folded(steps), _with_weights_only)
    steps = _rewritten(steps, _in_order_of_maps)
    steps = _clamping(steps)
    return _rewritten(steps, _on_one_grid)


class _Rewriting:
    """Steps that are written anew, one by one."""

    def __init__(self, old: tuple[Step, ...]) -> None:
        self.old, self.shapes = old, shapes_of(old)
        self.steps: list[Step] = []
        self.places: list[int] = []
        """Of what the old steps gave so far."""

    def add(self, step: Step) -> int:
        """Add a new step, whose sources are new ones."""
        self.steps.append(step)
        return len(self.steps) - 1


_Rule = Callable[[_Rewriting, Step, int], int]
"""Adds what an old step, its sources new ones already, at its old place becomes; returns where that is now."""


def _rewritten(steps: tuple[Step, ...], rule: _Rule) -> tuple[Step, ...]:
    to = _Rewriting(steps)
    for place, step in enumerate(steps):
        sources = tuple(to.places[source] for source in step.sources)
        to.places.append(rule(to, dataclasses.replace(step, sources=sources), place))
    return tuple(to.steps)


def _with_known_functions(to: _Rewriting, step: Step, _: int) -> int:
    if isinstance(step, Sum) and len(step.sources) > 2:
        total, *others = step.sources
        for other in others:
            total = to.add(Sum((total, other)))
        return total
    if not isinstance(step, Function):
        return to.add(step)
    known = _FUNCTIONS.get(step.name)
    return to.add(step) if known is None else known(to, step)


def _leaky_relu(to: _Rewriting, step: Function) -> int:
    return to.add(step if step.alpha else Clamped(step.sources, math.inf))


def _elu(to: _Rewriting, step: Function) -> int:
    """Add elu as the powers, ending at 1, of all values, less 1, and what is above 0.

    The reference kernels have no ELU, and theirs of EXP is a table, which may end where its grid does.
    """
    powers = to.add(Function(step.sources, "exp"))
    below = to.add(Plus((powers,), -1.0))
    above = to.add(Clamped(step.sources, math.inf))
    curve = to.add(Sum((above, below)))
    # exp(x) - 1 is below 0 where x is.
    return curve if step.alpha == 1 else _leaky_relu(to, Function((curve,), "leaky_relu", step.alpha))


def _selu(to: _Rewriting, step: Function) -> int:
    curve = _elu(to, Function(step.sources, "elu", SELU_ALPHA))
    return to.add(Scale((curve,), scalar(SELU_SCALE), scalar(0.0)))


def _silu(to: _Rewriting, step: Function) -> int:
    gate = to.add(Function(step.sources, "sigmoid"))
    return to.add(Gated((*step.sources, gate)))


def _hard_sigmoid(to: _Rewriting, step: Function) -> int:
    line = to.add(Scale(step.sources, scalar(1 / 6), scalar(0.5)))
    return to.add(Clamped((line,), 1.0))


_FUNCTIONS: dict[str, Callable[[_Rewriting, Function], int]] = {
    "elu": _elu,
    "hard_sigmoid": _hard_sigmoid,
    "leaky_relu": _leaky_relu,
    "relu": lambda to, step: to.add(Clamped(step.sources, math.inf)),
    "relu6": lambda to, step: to.add(Clamped(step.sources, step.alpha)),
    "selu": _selu,
    "silu": _silu,
}
"""By Keras' name, what adds a function that TFLite has no int8 operator for, or that is a clamp."""


def _with_weights_only(to: _Rewriting, step: Step, place: int) -> int:
    if isinstance(step, Product):
        return to.add(ClampedProduct(step.sources, as_float64(step.kernel), as_float64(step.bias)))
    if isinstance(step, Convolution):
        values = {field.name: getattr(step, field.name) for field in dataclasses.fields(Convolution)}
        values |= {"kernel": as_float64(step.kernel), "bias": as_float64(step.bias)}
        return to.add(ClampedConvolution(**values))
    if isinstance(step, Sum):
        return to.add(ClampedSum(step.sources))
    if isinstance(step, Slopes):
        return to.add(dataclasses.replace(step, slopes=as_float64(step.slopes)))
    return _scale(to, step, place) if isinstance(step, Scale) else to.add(step)


def _scale(to: _Rewriting, step: Scale, place: int) -> int:
    """Add a scaling as a convolution of one place, each channel by itself: of a map, or of a row as the channels."""
    shape = to.shapes[place]
    by_channel = len(shape) == 3 and all(
        values.ndim < 3 or values.shape[:2] == (1, 1) for values in (step.factor, step.offset)
    )
    channels = shape[2] if by_channel else int(np.prod(shape))
    factor, offset = (
        np.broadcast_to(as_float64(values), shape)[:1, :1].reshape(-1)
        if by_channel
        else np.broadcast_to(as_float64(values), shape).reshape(-1)
        for values in (step.factor, step.offset)
    )
    source = step.sources[0]
    if not by_channel:
        if len(shape) == 3:
            source = to.add(ToRow((source,), channels_first=False))
        source = to.add(ToMap((source,), (1, 1, channels), channels_first=False))
    kernel = factor.reshape(1, 1, 1, channels)
    scaled = to.add(
        ClampedConvolution((source,), kernel, offset.copy(), (1, 1), (1, 1), channels, NO_MARGINS)
    )
    if by_channel:
        return scaled
    row = to.add(ToRow((scaled,), channels_first=False))
    return row if len(shape) == 1 else to.add(ToMap((row,), shape, channels_first=False))


def _in_order_of_maps(to: _Rewriting, step: Step, place: int) -> int:
    """Flatten maps as files have them, channels last, where only weights care: their rows change places."""
    if isinstance(step, ToRow) and _only_weights_take(to.old, place):
        return to.add(dataclasses.replace(step, channels_first=False))
    if isinstance(step, ClampedProduct):
        row = to.old[to.old[place].sources[0]]
        if (
            isinstance(row, ToRow)
            and row.channels_first
            and _only_weights_take(to.old, to.old[place].sources[0])
        ):
            height, width, channels = to.shapes[row.sources[0]]
            return to.add(dataclasses.replace(step, kernel=_moved(step.kernel, channels, height, width)))
    return to.add(step)


def _only_weights_take(steps: tuple[Step, ...], place: int) -> bool:
    return all(isinstance(step, ClampedProduct) for step in steps if place in step.sources)


def _moved(kernel: Array, channels: int, height: int, width: int) -> Array:
    by_channel = kernel.reshape(channels, height, width, -1)
    return np.ascontiguousarray(np.moveaxis(by_channel, 0, 2).reshape(kernel.shape))


def _clamping(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Clamp in the step that gives the values, where nothing else takes them."""
    uses = [sum(step.sources.count(place) for step in steps) for place in range(len(steps))]

    def rule(to: _Rewriting, step: Step, place: int) -> int:
        if not isinstance(step, Clamped):
            return to.add(step)
        source = to.steps[step.sources[0]]
        if uses[steps[place].sources[0]] != 1 or not isinstance(source, Bounded) or source.low == 0:
            return to.add(step)
        to.steps[step.sources[0]] = dataclasses.replace(source, low=0.0, high=step.high)
        return step.sources[0]

    return _rewritten(steps, rule)


def _on_one_grid(to: _Rewriting, step: Step, place: int) -> int:
    """Bring branches that meet on a grid that can be theirs, where one of them has its own."""
    if not isinstance(step, Joined):
        return to.add(step)
    fixed = [fixed_grid(to.old, source) for source in to.old[place].sources]
    if len(set(fixed)) == 1:
        return to.add(step)
    sources = tuple(
        source if grid is None else to.add(Requantized((source,)))
        for source, grid in zip(step.sources, fixed, strict=True)
    )
    return to.add(dataclasses.replace(step, sources=sources))


def activation_name(step: Bounded | Clamped) -> str:
    """Return what a step that clamps does to its values, by Keras' name; the rest is for its grid to do."""
    if isinstance(step, Bounded) and step.low != 0:
        return "linear"
    return "relu6" if step.high == LARGEST_OF_RELU6 else "relu"
