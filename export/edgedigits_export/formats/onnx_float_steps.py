"""Writes the steps that are computed in float32 only as ONNX operators; see ``onnx_steps``."""

from collections.abc import Callable
from typing import Any

import numpy as np

from edgedigits_export.formats.onnx_writer import OnnxWriter
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

_GATES = {"SimpleRNN": (0,), "LSTM": (0, 3, 1, 2), "GRU": (0, 1, 2)}
"""Where ONNX' gates are among Keras': of an LSTM input, output, forget, cell."""
_OPERATORS = {"SimpleRNN": "RNN", "LSTM": "LSTM", "GRU": "GRU"}
_FILE_SIDES = (2, 0, 1)
"""Of the sides of a map in a file, channels, height and width, those of a step."""


def _times(to: OnnxWriter, step: Times, place: int) -> str:
    total, *others = (to.names[source] for source in step.sources)
    for count, other in enumerate(others, start=1):
        total = to.add("Mul", place, [total, other], "" if count == len(others) else f"_{count}")
    return total


def _standardized(to: OnnxWriter, step: Standardized, place: int) -> str:
    value, variance = (to.names[source] for source in step.sources)
    added = to.add("Add", place, [variance, to.number("epsilon", place, step.epsilon)], "_more")
    return to.add("Div", place, [value, to.add("Sqrt", place, [added], "_root")])


def _permuted(to: OnnxWriter, step: Permuted, place: int) -> str:
    order = [_FILE_SIDES.index(step.order[side]) for side in _FILE_SIDES]
    return to.add("Transpose", place, [to.source(step)], perm=[0, *(side + 1 for side in order)])


def _resampled(to: OnnxWriter, step: Resampled, place: int) -> str:
    rows, columns = (
        to.builder.constant(f"{name}_{place}", array)
        for name, array in (("rows", step.rows), ("columns", step.columns))
    )
    return to.add("MatMul", place, [rows, to.add("MatMul", place, [to.source(step), columns], "_wide")])


def _recurrence(to: OnnxWriter, step: Recurrence, place: int) -> str:
    _, steps, features = to.shapes[step.sources[0]]
    units = step.recurrent_kernel.shape[0]
    columns = to.shaped(place, to.source(step), (features, steps), "_columns")
    in_time = to.add("Transpose", place, [columns], "_steps", perm=[2, 0, 1])
    order = np.concatenate([np.arange(units) + gate * units for gate in _GATES[step.cell]])

    def gated(name: str, array: Array) -> str:
        return to.builder.constant(f"{name}_{place}", np.ascontiguousarray(array[:, order].T)[np.newaxis])

    bias = np.concatenate([step.bias[0][order], step.bias[1][order]])[np.newaxis]
    inputs = [
        in_time,
        gated("kernel", step.kernel),
        gated("recurrent", step.recurrent_kernel),
        to.builder.constant(f"bias_{place}", bias),
    ]
    attributes: dict[str, Any] = {
        "hidden_size": units,
        "direction": "reverse" if step.is_reversed else "forward",
        "activations": list(step.functions),
    }
    if step.cell == "GRU":
        attributes["linear_before_reset"] = int(step.reset_after)
    # What it gives for each step: (steps, 1, n, units); what it gave last: (1, n, units).
    all_steps, last = f"all_{place}", f"last_{place}"
    to.builder.add_outputs(_OPERATORS[step.cell], inputs, [all_steps, last], **attributes)
    if step.returns_all:
        turned = to.add("Transpose", place, [all_steps], "_turned", perm=[2, 1, 3, 0])
        return to.shaped(place, turned, (units, 1, steps))
    turned = to.add("Transpose", place, [last], "_turned", perm=[1, 0, 2])
    return to.add("Flatten", place, [turned], axis=1)


def _attended(to: OnnxWriter, step: Attended, place: int) -> str:
    """Queries, keys and values (n, heads * width, 1, steps) by head: (n, heads, width, steps)."""
    parts = []
    for name, source in zip(("queries", "keys", "values"), step.sources, strict=True):
        _, steps, features = to.shapes[source]
        shape = (step.heads, features // step.heads, steps)
        parts.append(to.shaped(place, to.names[source], shape, f"_{name}"))
    queries, keys, values = parts
    turned = to.add("Transpose", place, [queries], "_by_step", perm=[0, 1, 3, 2])
    scores = to.add("MatMul", place, [turned, keys], "_scores")
    shares = to.add("Softmax", place, [scores], "_shares", axis=-1)
    by_key = to.add("Transpose", place, [shares], "_by_key", perm=[0, 1, 3, 2])
    found = to.add("MatMul", place, [values, by_key], "_found")
    _, steps, features = to.shapes[place]
    return to.shaped(place, found, (features, 1, steps))


FLOATS_WRITTEN: dict[type[Step], Callable[[Any, Any, int], str]] = {
    Attended: _attended,
    Permuted: _permuted,
    Recurrence: _recurrence,
    Resampled: _resampled,
    Standardized: _standardized,
    Times: _times,
}
"""By kind, what adds a step and returns the tensor that it gives."""
