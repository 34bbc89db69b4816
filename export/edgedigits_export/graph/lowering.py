"""From the description of a network and its weights to the steps that it is deployed as."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from edgedigits.input_scale import InputScale
from edgedigits.model_files import layer_kinds as kinds
from edgedigits.model_files import map_layers as maps
from edgedigits.model_files.network_spec import (
    Dense,
    Dropout,
    Flatten,
    LayerSpec,
    NetworkSpec,
    Rescaling,
    Shape,
)
from edgedigits_export.graph.folding import folded
from edgedigits_export.graph.lowering_base import Lowering, Sources, pointwise
from edgedigits_export.graph.sequence_lowering import SEQUENCES_LOWERED
from edgedigits_export.graph.steps import (
    Array,
    Border,
    Convolution,
    GlobalPool,
    Image,
    Joined,
    Pool,
    Product,
    Scale,
    Slopes,
    Step,
    Sum,
    ToMap,
    ToRow,
    scalar,
)

LEAST_DEVIATION = 1e-7
"""Below it Keras' Normalization does not divide by a deviation."""


def lowered(spec: NetworkSpec, weights: Mapping[str, Sequence[Array]], scale: InputScale) -> tuple[Step, ...]:
    """Return the steps of a network, what can be folded folded.

    Args:
        spec: the network.
        weights: by name of a layer, its arrays in the order of ``LayerSpec.parameter_shapes``.
        scale: what pixels are made into before its input.
    """
    first = True in kinds.channel_orders(spec)
    lowering = Lowering(first, weights)
    image = lowering.add(Image((), maps.neutral(spec.input_shape, first)))
    places = [lowering.add(Scale((image,), scalar(scale.factor), scalar(scale.offset)))]
    lowering.authored[places[0]] = spec.input_shape
    ways = zip(spec.layers, spec.inputs, spec.entering, spec.shapes[1:], strict=True)
    for layer, sources, inputs, shape in ways:
        taken = tuple(places[source] for source in sources)
        place = _LOWERED[type(layer)](lowering, layer, taken, inputs)
        lowering.authored[place] = shape
        places.append(place)
    return folded(lowering.steps)


def _rescaling(to: Lowering, layer: Rescaling, sources: Sources, _: Shape) -> int:
    return to.add(Scale(sources, scalar(layer.scale), scalar(layer.offset)))


def _flatten(to: Lowering, layer: Flatten, sources: Sources, inputs: Shape) -> int:
    if len(inputs) == 1:
        return sources[0]
    return to.add(ToRow(sources, to.channels_first and not layer.channels_last and len(inputs) == 3))


def _reshape(to: Lowering, layer: kinds.Reshape, sources: Sources, inputs: Shape) -> int:
    is_first = to.channels_first and len(inputs) == 3
    place = sources[0] if len(inputs) == 1 else to.add(ToRow(sources, is_first))
    target = layer.output_shape(inputs)
    if len(target) == 1:
        return place
    return to.add(ToMap((place,), maps.neutral(target, to.channels_first), to.channels_first))


def _dense(to: Lowering, layer: Dense, sources: Sources, inputs: Shape) -> int:
    kernel, *bias = to.arrays(layer)
    offset = bias[0] if bias else np.zeros(layer.units)
    if len(inputs) == 2:
        # Of each step of a sequence: a convolution of one pixel.
        place = pointwise(to, to.sequence(sources[0]), kernel, offset)
    else:
        place = to.add(Product(sources, kernel, offset))
    return to.activated(place, layer.activation)


def _convolution(to: Lowering, layer: maps.Convolution, sources: Sources, inputs: Shape) -> int:
    arrays = to.arrays(layer)
    bias = arrays.pop() if layer.use_bias else np.zeros(layer.outputs(inputs))
    kernel, groups = arrays[0], getattr(layer, "groups", 1)
    if not isinstance(layer, maps.Conv2D):
        groups = kernel.shape[2]
        kernel = kernel.reshape(*kernel.shape[:2], 1, -1)
    is_last = len(arrays) == 1
    place = to.add(
        Convolution(
            sources,
            kernel,
            bias if is_last else np.zeros(kernel.shape[3]),
            layer.strides,
            layer.dilation,
            groups,
            layer.margins(inputs),
        )
    )
    if not is_last:
        place = to.add(Convolution((place,), arrays[1], bias, (1, 1), (1, 1), 1, (0, 0, 0, 0)))
    return to.activated(place, layer.activation)


def _pooling(to: Lowering, layer: maps.Pooling2D, sources: Sources, inputs: Shape) -> int:
    return to.add(Pool(sources, layer.kind, layer.window, layer.strides, layer.margins(inputs)))


def _global_pooling(to: Lowering, layer: maps.GlobalPooling2D, sources: Sources, inputs: Shape) -> int:
    place = to.add(GlobalPool(sources, layer.kind))
    if not layer.keeps_sides:
        return place
    return to.add(ToMap((place,), (1, 1, layer.sides(inputs)[2]), to.channels_first))


def _border(to: Lowering, layer: maps.Border2D, sources: Sources, _: Shape) -> int:
    return to.add(Border(sources, layer.margins))


def _batch_normalization(
    to: Lowering, layer: kinds.BatchNormalization, sources: Sources, inputs: Shape
) -> int:
    *learnt, mean, variance = to.arrays(layer)
    factor = (learnt.pop(0) if layer.scale else 1.0) / np.sqrt(variance + layer.epsilon)
    offset = (learnt.pop(0) if layer.center else 0.0) - mean * factor
    axes, place = layer.axes(inputs), sources[0]
    return to.add(
        Scale(sources, to.along(factor, axes, inputs, place), to.along(offset, axes, inputs, place))
    )


def _normalization(to: Lowering, layer: kinds.Normalization, sources: Sources, inputs: Shape) -> int:
    if layer.mean:
        # float32, as Keras keeps what its author gives.
        mean, variance = (
            np.asarray(values, np.float32).astype(np.float64) for values in (layer.mean, layer.variance)
        )
    else:
        mean, variance, _ = to.arrays(layer)
    factor = 1 / np.maximum(np.sqrt(variance), LEAST_DEVIATION)
    offset = -mean * factor
    if factor.size == 1:
        return to.add(Scale(sources, scalar(factor.item()), scalar(offset.item())))
    axes, place = layer.axes(inputs), sources[0]
    return to.add(
        Scale(sources, to.along(factor, axes, inputs, place), to.along(offset, axes, inputs, place))
    )


def _activation(to: Lowering, layer: kinds.Activation, sources: Sources, _: Shape) -> int:
    return to.activated(sources[0], layer.function, layer.alpha)


def _prelu(to: Lowering, layer: kinds.PReLU, sources: Sources, _: Shape) -> int:
    (slopes,) = to.arrays(layer)
    return to.add(Slopes(sources, to.of_map(slopes, sources[0])))


def _concatenate(to: Lowering, layer: kinds.Concatenate, sources: Sources, inputs: Shape) -> int:
    (axis,) = kinds.real_axes((layer.axis,), inputs)
    if len(inputs) == 3 and to.channels_first:
        axis = (axis - 1) % 3
    if len(inputs) == 2:
        axis += 1
    return to.add(Joined(to.sequences(sources), axis))


_LOWERED: dict[type[LayerSpec], Callable[[Lowering, Any, Sources, Shape], int]] = {
    Dense: _dense,
    Dropout: lambda to, layer, sources, inputs: sources[0],
    Flatten: _flatten,
    Rescaling: _rescaling,
    kinds.Activation: _activation,
    kinds.Add: lambda to, layer, sources, inputs: to.add(Sum(to.sequences(sources))),
    kinds.BatchNormalization: _batch_normalization,
    maps.Border2D: _border,
    kinds.Concatenate: _concatenate,
    maps.Conv2D: _convolution,
    maps.DepthwiseConv2D: _convolution,
    maps.GlobalPooling2D: _global_pooling,
    kinds.Normalization: _normalization,
    kinds.PReLU: _prelu,
    maps.Pooling2D: _pooling,
    kinds.Reshape: _reshape,
    maps.SeparableConv2D: _convolution,
    **SEQUENCES_LOWERED,
}
"""By kind, what adds the steps of a layer and returns the place of what it gives."""
