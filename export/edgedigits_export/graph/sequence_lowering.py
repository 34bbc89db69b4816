"""From layers of sequences, and others that few digit networks have, to steps; see ``lowering``."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from edgedigits.model_files import sequence_layers as kinds
from edgedigits.model_files.network_spec import LayerSpec, Shape
from edgedigits_export.graph.lowering_base import Lowering, Sources, pointwise
from edgedigits_export.graph.steps import (
    Array,
    Attended,
    Convolution,
    GlobalPool,
    Joined,
    Permuted,
    Pool,
    Product,
    Recurrence,
    Resampled,
    Scale,
    Standardized,
    Sum,
    Times,
    scalar,
)

_ONNX_FUNCTIONS = {"tanh": "Tanh", "sigmoid": "Sigmoid", "relu": "Relu"}


def _conv1d(to: Lowering, layer: kinds.Conv1D, sources: Sources, inputs: Shape) -> int:
    kernel, *bias = to.arrays(layer)
    place = to.add(
        Convolution(
            (to.sequence(sources[0]),),
            kernel[np.newaxis],
            bias[0] if bias else np.zeros(layer.filters),
            (1, layer.stride),
            (1, layer.dilation),
            layer.groups,
            layer.margins(inputs),
        )
    )
    return to.activated(place, layer.activation)


def _pooling1d(to: Lowering, layer: kinds.Pooling1D, sources: Sources, inputs: Shape) -> int:
    place = to.sequence(sources[0])
    return to.add(Pool((place,), layer.kind, (1, layer.window), (1, layer.stride), layer.margins(inputs)))


def _global_pooling1d(to: Lowering, layer: kinds.GlobalPooling1D, sources: Sources, inputs: Shape) -> int:
    return to.add(GlobalPool((to.sequence(sources[0]),), layer.kind))


def _multiply(to: Lowering, _: kinds.Multiply, sources: Sources, inputs: Shape) -> int:
    return to.add(Times(to.sequences(sources)))


def _permute(to: Lowering, layer: kinds.Permute, sources: Sources, inputs: Shape) -> int:
    order = tuple(side - 1 for side in layer.order)
    if order == tuple(range(len(inputs))):
        return sources[0]
    if len(inputs) == 2:
        return to.add(Permuted((to.sequence(sources[0]),), (0, 2, 1)))
    if to.channels_first:
        # Its author counts channels, height and width; a step height, width and channels.
        order = tuple((order[(side + 1) % 3] - 1) % 3 for side in range(3))
    return to.add(Permuted(sources, (order[0], order[1], order[2])))


def _resized(to: Lowering, layer: kinds.Resized, sources: Sources, inputs: Shape) -> int:
    height, width, _ = layer.sides(inputs)
    rows, columns = layer.targets(inputs)
    return to.add(
        Resampled(
            sources,
            _resampling(height, rows, is_bilinear=layer.is_bilinear),
            _resampling(width, columns, is_bilinear=layer.is_bilinear).T,
        )
    )


def _resampling(given: int, wanted: int, *, is_bilinear: bool) -> Array:
    """Return by what the pixels of a side are weighted, (wanted, given): centres of pixels lie at halves."""
    centres = (np.arange(wanted) + 0.5) * given / wanted
    weights = np.zeros((wanted, given))
    at = np.arange(wanted)
    if not is_bilinear:
        weights[at, np.minimum(np.floor(centres).astype(int), given - 1)] = 1
        return weights
    places = np.maximum(centres - 0.5, 0)
    below = np.minimum(np.floor(places).astype(int), given - 1)
    share = places - below
    np.add.at(weights, (at, below), 1 - share)
    np.add.at(weights, (at, np.minimum(below + 1, given - 1)), share)
    return weights


def _layer_normalization(
    to: Lowering, layer: kinds.LayerNormalization, sources: Sources, inputs: Shape
) -> int:
    """Add a normalization of means that are products: less the mean, and the mean of the squares of that."""
    learnt, count = to.arrays(layer), inputs[-1]
    place = to.sequence(sources[0]) if len(inputs) == 2 else sources[0]
    mean = np.full((count, count), 1 / count)

    def product(of: int, kernel: Array) -> int:
        if len(inputs) == 1:
            return to.add(Product((of,), kernel, np.zeros(count)))
        return pointwise(to, of, kernel, np.zeros(count))

    centered = product(place, np.eye(count) - mean)
    variance = product(to.add(Times((centered, centered))), mean)
    found = to.add(Standardized((centered, variance), layer.epsilon))
    factor = learnt.pop(0) if layer.scale else np.ones(count)
    offset = learnt.pop(0) if layer.center else np.zeros(count)
    sides = (-1,) if len(inputs) == 1 else (1, 1, -1)
    return to.add(Scale((found,), factor.reshape(sides), offset.reshape(sides)))


def _recurrent(to: Lowering, layer: kinds.Recurrent, sources: Sources, inputs: Shape) -> int:
    place, arrays = to.sequence(sources[0]), to.arrays(layer)
    given = _ONNX_FUNCTIONS[layer.activation]
    gates = _ONNX_FUNCTIONS[layer.recurrent_activation]
    functions = {"SimpleRNN": (given,), "GRU": (gates, given), "LSTM": (gates, given, given)}[layer.cell]
    count = len(arrays) // layer.directions
    ways = []
    for direction in range(layer.directions):
        kernel, recurrent, *bias = arrays[direction * count : (direction + 1) * count]
        offsets = np.zeros((2, kernel.shape[1]))
        if bias:
            offsets[: np.atleast_2d(bias[0]).shape[0]] = bias[0]
        ways.append(
            to.add(
                Recurrence(
                    (place,),
                    layer.cell,
                    kernel,
                    recurrent,
                    offsets,
                    functions,
                    layer.returns_all,
                    layer.is_reversed or direction == 1,
                    layer.reset_after,
                )
            )
        )
    if layer.directions == 1:
        return ways[0]
    both = tuple(ways)
    if layer.merge == "concat":
        return to.add(Joined(both, 2 if layer.returns_all else 0))
    if layer.merge == "mul":
        return to.add(Times(both))
    total = to.add(Sum(both))
    return total if layer.merge == "sum" else to.add(Scale((total,), scalar(0.5), scalar(0.0)))


def _attention(to: Lowering, layer: kinds.Attention, sources: Sources, inputs: Shape) -> int:
    arrays = to.arrays(layer)
    step = 2 if layer.use_bias else 1
    query, value, *key = sources
    places = []
    for index, source in enumerate((query, key[0] if key else value, value)):
        kernel, *bias = arrays[index * step : (index + 1) * step]
        features, heads, width = kernel.shape
        # Scores are divided by the root of the width, which goes into the queries.
        by = np.sqrt(width) if index == 0 else 1.0
        offset = bias[0].reshape(-1) if bias else np.zeros(heads * width)
        place = to.sequence(source)
        places.append(pointwise(to, place, kernel.reshape(features, -1) / by, offset / by))
    kernel, *bias = arrays[3 * step :]
    attended = to.add(Attended(tuple(places), layer.heads))
    features = kernel.shape[2]
    return pointwise(to, attended, kernel.reshape(-1, features), bias[0] if bias else np.zeros(features))


SEQUENCES_LOWERED: Mapping[type[LayerSpec], Callable[[Lowering, Any, Sources, Shape], int]] = {
    kinds.Attention: _attention,
    kinds.Conv1D: _conv1d,
    kinds.GlobalPooling1D: _global_pooling1d,
    kinds.LayerNormalization: _layer_normalization,
    kinds.Multiply: _multiply,
    kinds.Permute: _permute,
    kinds.Pooling1D: _pooling1d,
    kinds.Recurrent: _recurrent,
    kinds.Resized: _resized,
}
"""By kind, what adds the steps of a layer and returns the place of what it gives."""
