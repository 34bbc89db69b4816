"""A whole network as the layers of C code, from the integers of its steps.

What only moves values costs nothing: a map is a row as it lies there. What makes one byte of one byte, however many
steps it takes, is one table. A pooling goes into the convolution before it.
"""

import math
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np

from edgedigits.errors import QuantizationError
from edgedigits.model_files.map_layers import Window
from edgedigits_export.c_code import weights
from edgedigits_export.c_code.layers import (
    LARGEST_UINT16,
    Addition,
    Border,
    Joined,
    Layer,
    Pool,
    Slopes,
    Swapped,
    Table,
)
from edgedigits_export.c_code.roots import Root, roots_of
from edgedigits_export.graph import steps as graph_steps
from edgedigits_export.graph.steps import Function, GlobalPool, Image, Step, ToMap, ToRow, shapes_of
from edgedigits_export.integers.fixed_point import quantize_multipliers
from edgedigits_export.integers.graph_kernels import ADDED_BITS, IntegerGraph, mean_multiplier
from edgedigits_export.integers.graph_steps import (
    ClampedSum,
    IntegerConvolution,
    IntegerProduct,
    IntegerSlopes,
)

IMAGE, ANSWER = -1, -2
"""Values that lie elsewhere: the picture, and what goes into the softmax, or comes out where there is none."""


class Lowering:
    """Goes through the steps of a network once."""

    def __init__(self, graph: IntegerGraph) -> None:
        self.graph, self.steps = graph, graph.steps
        self.shapes, self.roots = shapes_of(graph.steps), roots_of(graph)
        last = self.steps[-1]
        ends_in_softmax = isinstance(last, Function) and last.name == "softmax"
        self.end = self.roots[last.sources[0] if ends_in_softmax else -1]
        end_grid = self.graph.grids[last.sources[0]]
        self.logit_scale = end_grid.scale if ends_in_softmax else None
        self.sizes: dict[int, int] = {}
        self.values: dict[Root, int] = {}
        self.made: list[Layer] = []
        self.takers = self._takers()

    def _takers(self) -> dict[int, dict[Root, list[int]]]:
        """Return of each step that is needed, by what its bytes are looked up in, who takes them; -1 for the end."""
        takers: dict[int, dict[Root, list[int]]] = defaultdict(lambda: defaultdict(list))
        takers[self.end.place][self.end].append(-1)
        for place in reversed(range(len(self.steps))):
            if place in takers:
                for root in self.taken(place):
                    takers[root.place][root].append(place)
        return takers

    def taken(self, place: int) -> list[Root]:
        """Return what a step takes; a product takes what lies otherwise as it lies, with its weights in that order."""
        roots = [self.roots[source] for source in self.steps[place].sources]
        if self._columns(place) is not None:
            (root,) = roots
            return [self.roots[self.steps[root.place].sources[0]].through(root.table)]
        return roots

    def _columns(self, place: int) -> Any:
        """Return in which order the inputs of a product lie, where that is another than the order of its weights."""
        step = self.steps[place]
        if not isinstance(step, IntegerProduct):
            return None
        root = self.roots[step.sources[0]]
        before = self.steps[root.place]
        if not isinstance(before, ToRow):
            return None
        height, width, channels = self.shapes[before.sources[0]]
        return (
            np.arange(height * width * channels).reshape(channels, height, width).transpose(1, 2, 0).ravel()
        )

    def layers(self) -> tuple[Layer, ...]:
        """Return all layers in order."""
        maps = [shape for shape in self.shapes if len(shape) > 1]
        outputs = [step.bias.shape for step in self.steps if isinstance(step, IntegerProduct)]
        if (largest := max(map(max, [*maps, *outputs]))) > LARGEST_UINT16:
            raise QuantizationError(
                f"expected sides, channels and units of at most {LARGEST_UINT16:,} for C code, found {largest:,}; "
                "export it to .tflite"
            )
        for place, step in enumerate(self.steps):
            if place not in self.takers:
                continue
            if isinstance(step, Image):
                self.values[Root(place)] = IMAGE
            elif Root(place) not in self.values:
                _MAKERS[type(step)](self, place, step)
        self.value(self.end)
        return tuple(self.made)

    def value(self, root: Root) -> int:
        """Return a value, looked up in its table if it has not been yet."""
        if root.table is not None and root not in self.values:
            source = self.values[Root(root.place)]
            size = math.prod(self.shapes[root.place])
            target = self.target(root, size)
            self.add(Table((source,), target, size, np.frombuffer(root.table, np.uint8)), root)
        return self.values[root]

    def target(self, root: Root, size: int) -> int:
        """Return a new value of so many bytes for what a root gives: the answer, if that is what ends the network."""
        if self.end == root or (self.end.place == root.place and set(self.takers[root.place]) == {self.end}):
            return ANSWER
        value = len(self.sizes)
        self.sizes[value] = size
        return value

    def add(self, layer: Layer, root: Root) -> None:
        """Add a layer that makes what a root stands for."""
        self.made.append(layer)
        self.values[root] = layer.target

    def size(self, place: int) -> int:
        """Return how many bytes a step gives."""
        return math.prod(self.shapes[place])

    def shape(self, place: int) -> Any:
        """Return the shape of what a step takes first."""
        return self.shapes[self.steps[place].sources[0]]

    def grids(self, place: int) -> list[Any]:
        """Return the grids of what a step takes, and that of what it gives."""
        return [self.graph.grids[source] for source in (*self.steps[place].sources, place)]

    def product(self, place: int, step: IntegerProduct) -> None:
        """Add a fully connected layer."""
        (root,) = self.taken(place)
        source, target = self.value(root), self.target(Root(place), self.size(place))
        taken, given = self.grids(place)
        layer = weights.dense(step, taken, given, self._columns(place), source, target)
        self.add(layer, Root(place))

    def convolution(self, place: int, step: IntegerConvolution) -> None:
        """Add a convolution, and the pooling behind it if nobody needs what is in between."""
        source = self.value(self.taken(place)[0])
        fused = self._pooling_behind(place)
        given, pooling = (place, {}) if fused is None else fused
        target = self.target(Root(given), self.size(given))
        taken, given_grid = self.grids(place)
        layer = weights.convolution(step, taken, given_grid, self.shape(place), source, target, **pooling)
        self.add(layer, Root(given))

    def _pooling_behind(self, place: int) -> tuple[int, dict[str, Any]] | None:
        """Return the place of the one pooling that takes a convolution, and what it is; None if another takes it."""
        takers = self.takers[place]
        ((root, places), *others) = takers.items()
        if others or len(places) != 1 or places[0] < 0:
            return None
        pool = self.steps[places[0]]
        window = _window(pool, self.shapes[place])
        # A map of another form is none of the convolution's places.
        if window is None or self.shape(places[0]) != self.shapes[place]:
            return None
        pooled = _sides(self.shapes[places[0]]) if isinstance(pool, graph_steps.Pool) else (1, 1)
        pooling, mean, zero = self._pooling(places[0], pool)
        table = None if root.table is None else np.frombuffer(root.table, np.uint8)
        facts = {"window": window, "table": table, "mean": mean, "pooled_zero": zero, "pooled": pooled}
        if pooling == "largest" and table is None:
            pooling = "sums"
        return places[0], facts | {"pooling": pooling}

    def _pooling(self, place: int, step: Any) -> tuple[Any, tuple[int, int, int] | None, int]:
        """Return the kind of a pooling, by what it multiplies a mean, and the byte that counts for nothing in it."""
        taken, given = self.grids(place)
        if step.kind == "max":
            return "largest", None, 0
        if isinstance(step, graph_steps.Pool):
            # The mean of TFLite's own numbers, not of what they stand for.
            return "average", None, 128
        height, width, _ = self.shape(place)
        factors = mean_multiplier(height * width, taken.scale / given.scale)
        return "mean", (*factors, given.zero_point), taken.zero_point

    def pool(self, place: int, step: Any) -> None:
        """Add a pooling of its own."""
        (root,) = self.taken(place)
        source, target = self.value(root), self.target(Root(place), self.size(place))
        pooling, mean, zero = self._pooling(place, step)
        shape = self.shape(place)
        whole = isinstance(step, GlobalPool)
        layer = Pool(
            sources=(source,),
            target=target,
            inputs=shape,
            window=_sides(shape) if whole else step.window,
            strides=(1, 1) if whole else step.strides,
            margins=(0, 0, 0, 0) if whole else step.margins,
            places=(1, 1) if whole else _sides(self.shapes[place]),
            pooling=pooling,
            mean=mean,
            pooled_zero=zero,
        )
        self.add(layer, Root(place))

    def addition(self, place: int, step: ClampedSum) -> None:
        """Add two values up."""
        one, other = (self.value(root) for root in self.taken(place))
        *taken, given = self.grids(place)
        twice = 2 * max(grid.scale for grid in taken)
        factors = [*(grid.scale / twice for grid in taken), twice / (2.0**ADDED_BITS * given.scale)]
        multipliers, shifts = (array.tolist() for array in quantize_multipliers(factors, 3))
        lowest, highest = weights.bytes_of(step.low, step.high, given)
        target = self.target(Root(place), self.size(place))
        zeros = (*(grid.zero_point for grid in taken), given.zero_point)
        layer = Addition((one, other), target, self.size(place), multipliers, shifts, zeros, lowest, highest)
        self.add(layer, Root(place))

    def slopes(self, place: int, step: IntegerSlopes) -> None:
        """Add a function with a slope for each channel or each value."""
        (root,) = self.taken(place)
        source, target = self.value(root), self.target(Root(place), self.size(place))
        taken, given = self.grids(place)
        ratio = taken.scale / given.scale
        # A slope of nothing but zeros has no scale that could be multiplied by.
        below = taken.scale * step.scale / given.scale
        multipliers, shifts = (array.tolist() for array in quantize_multipliers([ratio, below], 2))
        zeros = (taken.zero_point, given.zero_point)
        slopes = _repeating(step.slopes, self.shape(place))
        self.add(Slopes((source,), target, self.size(place), slopes, multipliers, shifts, zeros), Root(place))

    def border(self, place: int, step: graph_steps.Border) -> None:
        """Add zeros around a map, or cut it off."""
        (root,) = self.taken(place)
        source, target = self.value(root), self.target(Root(place), self.size(place))
        zero = self.graph.grids[place].zero_point
        self.add(Border((source,), target, self.shape(place), step.margins, zero), Root(place))

    def joined(self, place: int, step: graph_steps.Joined) -> None:
        """Put values side by side."""
        sources = tuple(self.value(root) for root in self.taken(place))
        shapes = [self.shapes[source] for source in step.sources]
        blocks = tuple(math.prod(shape[step.axis :]) for shape in shapes)
        count = math.prod(shapes[0][: step.axis])
        target = self.target(Root(place), self.size(place))
        self.add(Joined(sources, target, blocks, count), Root(place))

    def swapped(self, place: int, step: ToRow | ToMap) -> None:
        """Move a map with channels last to a row with channels first, or back."""
        is_row = isinstance(step, ToRow)
        height, width, channels = self.shape(place) if is_row else self.shapes[place]
        sides = (height * width, channels) if is_row else (channels, height * width)
        (root,) = self.taken(place)
        source, target = self.value(root), self.target(Root(place), self.size(place))
        self.add(Swapped((source,), target, *sides), Root(place))


def _window(pool: Step, shape: Any) -> Window | None:
    """Return the window of a pooling of which no two share a place, and that begins in the corner of its map."""
    if isinstance(pool, GlobalPool):
        return _sides(shape)
    if not isinstance(pool, graph_steps.Pool) or pool.window != pool.strides:
        return None
    return None if pool.margins[0] or pool.margins[2] else pool.window


def _sides(shape: Any) -> Window:
    return shape[0], shape[1]


def _repeating(slopes: Any, shape: Any) -> Any:
    """Return as many slopes as it takes until they repeat, in the order of the values."""
    channels = shape[-1]
    whole = np.broadcast_to(slopes, shape).reshape(-1, channels)
    return whole[0].copy() if np.all(whole == whole[0]) else whole.reshape(-1).copy()


_MAKERS: dict[type[Step], Callable[[Any, int, Any], None]] = {
    graph_steps.Border: Lowering.border,
    ClampedSum: Lowering.addition,
    GlobalPool: Lowering.pool,
    IntegerConvolution: Lowering.convolution,
    IntegerProduct: Lowering.product,
    IntegerSlopes: Lowering.slopes,
    graph_steps.Joined: Lowering.joined,
    graph_steps.Pool: Lowering.pool,
    ToMap: Lowering.swapped,
    ToRow: Lowering.swapped,
}
"""By kind, what adds the layer that a step is; any other is a table."""
