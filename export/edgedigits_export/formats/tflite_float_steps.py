"""Writes the steps that are computed in float32 only as TFLite operators; see ``tflite_steps``.

A cell is spelt out, step by step of its sequence: TFLite's own operators for cells keep what they gave last in tensors
of a fixed batch. Sequences are maps of one row, (n, 1, steps, features).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgedigits.model_files.network_spec import Shape
from edgedigits_export.formats.tflite_writer import TfliteWriter
from edgedigits_export.graph.steps import (
    Array,
    Attended,
    Permuted,
    Recurrence,
    Resampled,
    Standardized,
    Step,
    Times,
)

LONGEST_SEQUENCES = 200
"""Steps of all sequences that a file spells out, some 16 operators each."""
_FUNCTIONS = {"Tanh": "TANH", "Sigmoid": "LOGISTIC", "Relu": "RELU"}


def spelt_out(steps: tuple[Step, ...], shapes: list[Shape]) -> int:
    """Return how many steps of sequences a file of these steps spells out."""
    return sum(shapes[step.sources[0]][1] for step in steps if isinstance(step, Recurrence))


def _times(to: TfliteWriter, step: Times, place: int) -> int:
    total, *others = (to.tensors[source] for source in step.sources)
    for count, other in enumerate(others, start=1):
        part = "" if count == len(others) else f"_{count}"
        total = to.add("MUL", place, [total, other], schema.MulOptionsT(), part=part, shape=to.shapes[place])
    return total


def _standardized(to: TfliteWriter, step: Standardized, place: int) -> int:
    value, variance = (to.tensors[source] for source in step.sources)
    shape = to.shapes[place]
    epsilon = to.builder.constant(f"epsilon_{place}", np.array([step.epsilon], np.float32))
    more = to.add("ADD", place, [variance, epsilon], schema.AddOptionsT(), part="_more", shape=shape)
    by = to.add("RSQRT", place, [more], part="_by", shape=shape)
    return to.add("MUL", place, [value, by], schema.MulOptionsT())


def _permuted(to: TfliteWriter, step: Permuted, place: int) -> int:
    return to.moved(place, to.source(step), (0, *(side + 1 for side in step.order)), to.shapes[place])


def _resampled(to: TfliteWriter, step: Resampled, place: int) -> int:
    """Columns, then rows: each a convolution of 1x1 over a map whose channels they have become."""
    height, width, channels = to.shapes[step.sources[0]]
    tall, wide, _ = to.shapes[place]
    value = to.moved(place, to.source(step), (0, 1, 3, 2), (height, channels, width), "_columns")
    value = _weighted(to, place, value, step.columns.T, (height, channels, wide), "_wide")
    value = to.moved(place, value, (0, 3, 2, 1), (wide, channels, height), "_rows")
    value = _weighted(to, place, value, step.rows, (wide, channels, tall), "_tall")
    return to.moved(place, value, (0, 3, 1, 2), (tall, wide, channels))


def _weighted(to: TfliteWriter, place: int, value: int, weights: Array, shape: Shape, part: str) -> int:
    """Add a convolution of 1x1: ``weights`` (outputs, inputs) times the channels of each pixel."""
    kernel = np.asarray(weights, np.float32)[:, np.newaxis, np.newaxis, :]
    parameters = [
        to.builder.constant(f"weights_{place}{part}", kernel),
        to.builder.constant(f"zeros_{place}{part}", np.zeros(len(kernel), np.float32)),
    ]
    return to.add("CONV_2D", place, [value, *parameters], _pixel_options(), part=part, shape=shape)


def _pixel_options() -> schema.Conv2DOptionsT:
    options = schema.Conv2DOptionsT()
    options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
    options.padding = schema.Padding.VALID
    return options


def _attended(to: TfliteWriter, step: Attended, place: int) -> int:
    """Queries, keys and values (n, 1, steps, heads * width) by head: (n, heads, steps, width)."""
    parts = []
    for name, source in zip(("queries", "keys", "values"), step.sources, strict=True):
        _, steps, features = to.shapes[source]
        width = features // step.heads
        split = to.reshaped(place, to.tensors[source], (steps, step.heads, width), f"_{name}")
        parts.append(to.moved(place, split, (0, 2, 1, 3), (step.heads, steps, width), f"_{name}_by_head"))
    queries, keys, values = parts
    given, width, steps = (
        to.shapes[step.sources[0]][1],
        to.shapes[place][2] // step.heads,
        to.shapes[place][1],
    )
    options = schema.BatchMatMulOptionsT()
    options.adjY = True
    among = (step.heads, given, to.shapes[step.sources[1]][1])
    scores = to.add("BATCH_MATMUL", place, [queries, keys], options, part="_scores", shape=among)
    share = schema.SoftmaxOptionsT()
    share.beta = 1.0
    shares = to.add("SOFTMAX", place, [scores], share, part="_shares", shape=among)
    found = to.add(
        "BATCH_MATMUL", place, [shares, values], schema.BatchMatMulOptionsT(),
        part="_found", shape=(step.heads, steps, width),
    )  # fmt: skip
    by_step = to.moved(place, found, (0, 2, 1, 3), (steps, step.heads, width), "_by_step")
    return to.reshaped(place, by_step, to.shapes[place])


def _recurrence(to: TfliteWriter, step: Recurrence, place: int) -> int:
    cell = _Cell(to, step, place)
    times = range(cell.steps)
    for time in reversed(times) if step.is_reversed else times:
        cell.go_on(time)
    if not step.returns_all:
        return cell.given[0 if step.is_reversed else -1]
    options = schema.ConcatenationOptionsT()
    options.axis = 1
    row = (cell.steps * cell.units,)
    joined = to.add("CONCATENATION", place, cell.given, options, part="_joined", shape=row)
    return to.reshaped(place, joined, to.shapes[place])


class _Cell:
    """A cell on its way along a sequence. Gates: ``z`` and ``r`` of a GRU as Cho et al. 2014, an LSTM as Gers 2000."""

    def __init__(self, to: TfliteWriter, step: Recurrence, place: int) -> None:
        self.to, self.step, self.place = to, step, place
        _, self.steps, _ = to.shapes[step.sources[0]]
        self.units = step.recurrent_kernel.shape[0]
        self.given: list[int] = []
        """What it gave at each time, in the order of time, a row."""
        self.memory: int | None = None
        """Of an LSTM."""
        self.time = 0
        self.gates = step.kernel.shape[1] // self.units
        self.numbers: dict[tuple[int, ...], int] = {}
        """Constants that say where something is cut, each once."""
        own = np.zeros_like(step.bias[1])
        if self._is_inside:
            own[2 * self.units :] = step.bias[1][2 * self.units :]
        kernel = np.asarray(step.kernel.T, np.float32)[:, np.newaxis, np.newaxis, :]
        parameters = [
            to.builder.constant(f"kernel_{place}", kernel),
            to.builder.constant(f"bias_{place}", np.asarray(step.bias[0] + step.bias[1] - own, np.float32)),
        ]
        shape = (1, self.steps, self.gates * self.units)
        self.sums = to.add(
            "CONV_2D", place, [to.source(step), *parameters], _pixel_options(), part="_sums", shape=shape
        )
        recurrent = np.asarray(step.recurrent_kernel.T, np.float32)
        self.recurrent = self._parts("recurrent", recurrent)
        self.own = self._parts("own", np.asarray(own, np.float32))

    @property
    def _is_inside(self) -> bool:
        """Whether a GRU's gate is a factor of sums that have a bias of their own."""
        return self.step.cell == "GRU" and self.step.reset_after

    def _parts(self, name: str, array: Array) -> list[int]:
        """Add weights of the cell: whole, or those of a GRU's gates and of what it gives apart."""
        cut = 2 * self.units if self.step.cell == "GRU" else len(array)
        return [
            self.to.builder.constant(f"{name}_{index}_{self.place}", part)
            for index, part in enumerate((array[:cut], array[cut:]))
            if len(part)
        ]

    def go_on(self, time: int) -> None:
        """Take what there is at a time."""
        self.time = time
        width = self.gates * self.units
        taken = self._cut("taken", self.sums, (0, 0, time, 0), (1, 1, width))
        row = self.to.reshaped(self.place, taken, (width,), self._part("row"))
        before = self.given[0 if self.step.is_reversed else -1] if self.given else None
        cells = {"SimpleRNN": self._simple, "LSTM": self._lstm, "GRU": self._gru}
        found = cells[self.step.cell](row, before)
        self.given.insert(0 if self.step.is_reversed else len(self.given), found)

    def _simple(self, row: int, before: int | None) -> int:
        sums = row if before is None else self._add("sums", row, self._product("recurrent", before, 0))
        return self._function(0, "given", sums)

    def _lstm(self, row: int, before: int | None) -> int:
        sums = row if before is None else self._add("sums", row, self._product("recurrent", before, 0))
        # Keras' order: input, forget, what is new, output.
        new = self._function(1, "new", self._gate("new_sums", sums, 2))
        taken = self._function(0, "input", self._gate("input_sums", sums, 0))
        kept = self._multiply("taken_in", taken, new)
        if self.memory is not None:
            forget = self._function(0, "forget", self._gate("forget_sums", sums, 1))
            kept = self._add("memory", self._multiply("kept", forget, self.memory), kept)
        self.memory = kept
        output = self._function(0, "output", self._gate("output_sums", sums, 3))
        return self._multiply("given", output, self._function(2, "shown", kept))

    def _gru(self, row: int, before: int | None) -> int:
        """``z * before + (1 - z) * new``, as ``new + z * (before - new)``."""
        gates = self._gates("gate_sums", row, 0, 2)
        new = self._gate("new_sums", row, 2)
        if before is not None:
            gates = self._add("gates", gates, self._product("gate_recurrent", before, 0))
        open_gates = self._function(0, "open", gates)
        update, reset = (self._gate(name, open_gates, at) for at, name in enumerate(("update", "reset")))
        if before is not None:
            taken = before if self.step.reset_after else self._multiply("reset_before", reset, before)
            own = self._product("new_recurrent", taken, 1)
            new = self._add(
                "new_all", new, self._multiply("reset_new", reset, own) if self.step.reset_after else own
            )
        elif self._is_inside:
            new = self._add("new_all", new, self._multiply("reset_new", reset, self.own[1]))
        found = self._function(1, "new", new)
        if before is None:
            return self._subtract("given", found, self._multiply("passed", update, found))
        rest = self._subtract("rest", before, found)
        return self._add("given", found, self._multiply("moved", update, rest))

    def _part(self, name: str) -> str:
        return f"_{name}_{self.time}"

    def _operator(
        self, operator: str, name: str, inputs: list[int], options: Any = None, width: int = 0
    ) -> int:
        shape = (width or self.units,)
        return self.to.add(operator, self.place, inputs, options, part=self._part(name), shape=shape)

    def _width(self, value: int) -> int:
        return int(self.to.builder.tensors[value].shape[-1])

    def _add(self, name: str, value: int, other: int) -> int:
        return self._operator("ADD", name, [value, other], schema.AddOptionsT(), self._width(value))

    def _subtract(self, name: str, value: int, other: int) -> int:
        return self._operator("SUB", name, [value, other], schema.SubOptionsT())

    def _multiply(self, name: str, value: int, other: int) -> int:
        return self._operator("MUL", name, [value, other], schema.MulOptionsT())

    def _function(self, index: int, name: str, value: int) -> int:
        operator = _FUNCTIONS[self.step.functions[index]]
        return self._operator(operator, name, [value], width=self._width(value))

    def _product(self, name: str, value: int, index: int) -> int:
        weights, bias = self.recurrent[index], self.own[index]
        width = int(self.to.builder.tensors[weights].shape[0])
        options = schema.FullyConnectedOptionsT()
        return self._operator("FULLY_CONNECTED", name, [value, weights, bias], options, width)

    def _gate(self, name: str, sums: int, index: int) -> int:
        return self._gates(name, sums, index, 1)

    def _gates(self, name: str, sums: int, index: int, count: int) -> int:
        return self._cut(name, sums, (0, index * self.units), (count * self.units,))

    def _cut(self, name: str, value: int, begin: tuple[int, ...], shape: Shape) -> int:
        ends = [self._number(begin), self._number((-1, *shape))]
        return self.to.add(
            "SLICE", self.place, [value, *ends], schema.SliceOptionsT(), part=self._part(name), shape=shape
        )

    def _number(self, values: tuple[int, ...]) -> int:
        if values not in self.numbers:
            name = f"numbers_{self.place}_{len(self.numbers)}"
            self.numbers[values] = self.to.builder.constant(name, np.array(values, np.int32))
        return self.numbers[values]


FLOATS_WRITTEN: dict[type[Step], Callable[[Any, Any, int], int]] = {
    Attended: _attended,
    Permuted: _permuted,
    Recurrence: _recurrence,
    Resampled: _resampled,
    Standardized: _standardized,
    Times: _times,
}
"""By kind, what adds a step and returns the tensor that it gives."""
