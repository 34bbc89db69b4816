"""What each step of a network comes down to when only bytes count: those of another step, looked up in a table."""

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from edgedigits.model_files.network_spec import Shape
from edgedigits_export.c_code.layers import Bytes
from edgedigits_export.graph.steps import Function, Step, ToMap, ToRow, shapes_of
from edgedigits_export.integers.graph_kernels import IntegerGraph, computed
from edgedigits_export.integers.graph_steps import (
    SIGN,
    Clamped,
    ClampedSum,
    Gated,
    IntegerSlopes,
    Plus,
    Requantized,
)


@dataclass(frozen=True)
class Root:
    """The bytes of a step, or what a table makes of each."""

    place: int
    """Of the step."""
    table: bytes | None = None
    """256 of them."""

    def through(self, table: bytes | None) -> "Root":
        """Return these bytes looked up in one more table."""
        if table is None or self.table is None:
            return Root(self.place, table or self.table)
        return Root(self.place, bytes(table[byte] for byte in self.table))


def roots_of(graph: IntegerGraph) -> list[Root]:
    """Return of each step what it comes down to: itself, where it is more than a table or a move of nothing."""
    shapes = shapes_of(graph.steps)
    roots: list[Root] = []
    for place, step in enumerate(graph.steps):
        sources = [roots[source] for source in step.sources]
        if isinstance(step, ToRow | ToMap) and not moves(step, shapes[step.sources[0]], shapes[place]):
            roots.append(sources[0])
        elif _is_of_one_byte(step) and len({source.place for source in sources}) == 1:
            roots.append(Root(sources[0].place, _table(graph, place, sources).tobytes()))
        else:
            roots.append(Root(place))
    return roots


def moves(step: ToRow | ToMap, taken: Shape, given: Shape) -> bool:
    """Whether a map lies otherwise than the row that it is made to or of: channels first, and more than one."""
    height, width, channels = taken if isinstance(step, ToRow) else given
    return step.channels_first and channels > 1 and height * width > 1


def _is_of_one_byte(step: Step) -> bool:
    if isinstance(step, IntegerSlopes):
        return math.prod(step.slopes.shape) == 1
    is_softmax = isinstance(step, Function) and step.name == "softmax"
    return isinstance(step, Clamped | ClampedSum | Function | Gated | Plus | Requantized) and not is_softmax


def _table(graph: IntegerGraph, place: int, sources: list[Root]) -> Bytes:
    """Return what a step makes of each byte of the one step that all its sources come down to."""
    step = graph.steps[place]
    if isinstance(step, IntegerSlopes):
        step = dataclasses.replace(step, slopes=step.slopes.reshape(1))
    every = np.arange(256, dtype=np.uint8)
    taken = [every if source.table is None else np.frombuffer(source.table, np.uint8) for source in sources]
    values = [(bytes_ ^ SIGN).view(np.int8)[None] for bytes_ in taken]
    grids = tuple(graph.grids[source] for source in step.sources)
    found = computed(step, grids, graph.grids[place], *values)
    return np.asarray(found[0].view(np.uint8) ^ SIGN)
