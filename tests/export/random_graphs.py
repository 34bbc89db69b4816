"""Networks in integers put together by chance: every kind of step, and values that several steps take."""

import dataclasses
import math

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
    shapes_of,
)
from edgedigits_export.integers.graph_kernels import IntegerGraph
from edgedigits_export.integers.graph_steps import (
    POWER_GRID,
    SIGMOID_GRID,
    TANH_GRID,
    Clamped,
    ClampedSum,
    Gated,
    IntegerConvolution,
    IntegerProduct,
    IntegerSlopes,
    Plus,
    Requantized,
)
from edgedigits_export.integers.grids import PIXEL_GRID, Grid

MOST_VALUES = 6_000
"""Of a map, so that a test takes no longer than it has to."""


class Builder:
    """Adds steps to a network, each with a grid on which its values are spread out."""

    def __init__(self, seed: int) -> None:
        self.chance = np.random.default_rng(seed)
        self.steps: list[Step] = [Image((), (28, 28, 1))]
        self.grids: list[Grid] = [PIXEL_GRID]

    def shape(self, place: int) -> tuple[int, ...]:
        return shapes_of(tuple(self.steps))[place]

    def add(self, step: Step, grid: Grid) -> int:
        self.steps.append(step)
        self.grids.append(grid)
        return len(self.steps) - 1

    def whole(self, low: int, high: int) -> int:
        return int(self.chance.integers(low, high + 1))

    def grid(self, scale: float) -> Grid:
        return Grid(float(np.float32(scale)), self.whole(0, 255) if self.whole(0, 1) else 0)

    def bounds(self) -> dict[str, float]:
        return [{}, {"low": 0.0}, {"low": 0.0, "high": 6.0}][self.whole(0, 2)]

    def weights(self, shape: tuple[int, ...], place: int, **facts: object) -> dict[str, object]:
        """Kernel, bias and scales, and the grid of what comes out."""
        terms = math.prod(shape[:-1])
        scales = self.chance.uniform(0.5, 2.0, shape[-1]).astype(np.float32) * np.float32(0.01)
        if self.whole(0, 1):
            scales = np.full_like(scales, scales[0])
        given = self.grid(self.grids[place].scale * 0.01 * 73 * 60 * math.sqrt(terms) / 40)
        kernel = self.chance.integers(-127, 128, shape).astype(np.int8)
        bias = self.chance.integers(-5_000, 5_000, shape[-1]).astype(np.int32)
        return {"kernel": kernel, "bias": bias, "scales": scales, "given": given, **facts}

    def convolution(self, place: int) -> int:
        height, width, channels = self.shape(place)
        kernel = [self.whole(1, min(5, side)) for side in (height, width)]
        kind = self.whole(0, 3)
        groups, outputs = {
            0: (1, self.whole(1, 20)),
            1: (1, 8 * self.whole(1, 3)),
            2: (channels, channels * self.whole(1, 2)),
            3: (2, 2 * self.whole(1, 4)) if channels % 2 == 0 else (1, self.whole(1, 9)),
        }[kind]
        dilation = (self.whole(1, 2), self.whole(1, 2)) if self.whole(0, 3) == 0 else (1, 1)
        reach = [(side - 1) * step for side, step in zip(kernel, dilation, strict=True)]
        margins = (0, 0, 0, 0)
        if self.whole(0, 1) or reach[0] >= height or reach[1] >= width:
            margins = (reach[0] // 2, reach[0] - reach[0] // 2, reach[1] // 2, reach[1] - reach[1] // 2)
        if self.whole(0, 3) == 0:  # zeros that came of a layer of their own reach farther than the kernel
            margins = (margins[0] + self.whole(0, 6), margins[1], margins[2], margins[3] + self.whole(0, 6))
        shape = (*kernel, channels // groups, outputs)
        facts = self.weights(shape, place, **self.bounds())
        given = facts.pop("given")
        strides = (self.whole(1, 2), self.whole(1, 2))
        step = IntegerConvolution(
            (place,), strides=strides, dilation=dilation, groups=groups, margins=margins, **facts
        )
        return self.add(step, given)

    def pool(self, place: int) -> int:
        height, width, _ = self.shape(place)
        window = (self.whole(1, min(4, height)), self.whole(1, min(4, width)))
        strides = window if self.whole(0, 2) else (self.whole(1, 3), self.whole(1, 3))
        margins = tuple(self.whole(0, (side - 1) // 2) for side in (window[0],) * 2 + (window[1],) * 2)
        if self.whole(0, 1):
            margins = (0, margins[1], 0, margins[3])
        kind = "max" if self.whole(0, 1) else "average"
        return self.add(Pool((place,), kind, window, strides, margins), self.grids[place])

    def global_pool(self, place: int) -> int:
        if self.whole(0, 1):
            return self.add(GlobalPool((place,), "max"), self.grids[place])
        return self.add(GlobalPool((place,), "average"), self.grid(self.grids[place].scale / 2))

    def function(self, place: int) -> int:
        scale = self.grids[place].scale
        if self.whole(0, 7) == 0:
            gate = self.add(Function((place,), "exp"), POWER_GRID)
            return self.add(Gated((place, gate)), self.grid(scale * 1.5))
        steps: list[tuple[Step, Grid]] = [
            (Function((place,), "tanh"), TANH_GRID),
            (Function((place,), "sigmoid"), SIGMOID_GRID),
            (Function((place,), "gelu"), self.grid(scale)),
            (Function((place,), "leaky_relu", 0.3), self.grid(scale)),
            (Clamped((place,), [math.inf, 6.0][self.whole(0, 1)]), Grid(scale, 0)),
            (Requantized((place,)), self.grid(scale * 1.3)),
            (Plus((place,), -10 * scale), self.grid(scale * 1.1)),
        ]
        return self.add(*steps[self.whole(0, len(steps) - 1)])

    def slopes(self, place: int) -> int:
        shape = self.shape(place)
        shared = [(1,) * len(shape), (*(1,) * (len(shape) - 1), shape[-1]), shape][self.whole(0, 2)]
        slopes = self.chance.integers(-127, 128, shared).astype(np.int8)
        return self.add(IntegerSlopes((place,), slopes, 0.004), self.grid(self.grids[place].scale))

    def border(self, place: int) -> int:
        margins = tuple(self.whole(-1, 2) for _ in range(4))
        height, width, _ = self.shape(place)
        if height + margins[0] + margins[1] < 1 or width + margins[2] + margins[3] < 1:
            margins = (1, 0, 0, 1)
        return self.add(Border((place,), margins), self.grids[place])

    def total(self, place: int) -> int:
        others = [other for other in range(1, len(self.steps)) if self.shape(other) == self.shape(place)]
        other = others[self.whole(0, len(others) - 1)]
        scale = max(self.grids[place].scale, self.grids[other].scale)
        return self.add(ClampedSum((place, other), **self.bounds()), self.grid(scale * 1.5))

    def joined(self, place: int) -> int:
        shape = self.shape(place)
        axis = self.whole(0, len(shape) - 1)
        rest = [size for side, size in enumerate(shape) if side != axis]
        others = [
            other
            for other in range(len(self.steps))
            if len(self.shape(other)) == len(shape)
            and [size for side, size in enumerate(self.shape(other)) if side != axis] == rest
        ]
        other = others[self.whole(0, len(others) - 1)]
        if self.grids[other] != self.grids[place]:
            other = self.add(Requantized((other,)), self.grids[place])
        return self.add(Joined((other, place), axis), self.grids[place])

    def product(self, place: int, outputs: int) -> int:
        facts = self.weights((self.shape(place)[0], outputs), place, **self.bounds())
        given = facts.pop("given")
        return self.add(IntegerProduct((place,), **facts), given)

    def row(self, place: int) -> int:
        return self.add(ToRow((place,), bool(self.whole(0, 1))), self.grids[place])

    def map(self, place: int) -> int:
        size = self.shape(place)[0]
        height = next(side for side in (4, 3, 2, 1) if size % side == 0)
        return self.add(
            ToMap((place,), (height, 1, size // height), bool(self.whole(0, 1))), self.grids[place]
        )


def random_graph(seed: int, length: int = 8) -> IntegerGraph:
    """Return a network of about so many steps."""
    to = Builder(seed)
    place = 0
    of_maps = [
        to.convolution,
        to.convolution,
        to.pool,
        to.function,
        to.slopes,
        to.border,
        to.total,
        to.joined,
    ]
    for _ in range(length):
        if to.whole(0, 5) == 0 and place > 1:
            place -= 1  # what is in between is for nobody, or for a sum or a join
        size = math.prod(to.shape(place))
        if len(to.shape(place)) == 1:
            ways = [
                to.function,
                to.slopes,
                to.total,
                to.joined,
                to.map,
                lambda row: to.product(row, to.whole(3, 30)),
            ]
            place = ways[to.whole(0, len(ways) - 1)](place)
        elif size > MOST_VALUES:
            place = to.add(Pool((place,), "max", (2, 2), (2, 2), (0, 1, 0, 1)), to.grids[place])
        elif to.whole(0, 12) == 0:
            place = to.row(place)
        else:
            place = of_maps[to.whole(0, len(of_maps) - 1) if place else 0](place)
    if len(to.shape(place)) == 3:
        place = to.global_pool(place) if to.whole(0, 1) else to.row(place)
    place = to.product(place, 10)
    if isinstance(last := to.steps[place], IntegerProduct):
        to.steps[place] = dataclasses.replace(last, low=-math.inf, high=math.inf)
    to.grids[place] = Grid(0.1, 128)
    if to.whole(0, 3) == 0:
        to.add(Function((place,), "sigmoid"), SIGMOID_GRID)
    else:
        to.add(Function((place,), "softmax"), SIGMOID_GRID)
    return IntegerGraph(tuple(to.steps), tuple(to.grids))
