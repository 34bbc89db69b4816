"""From the description of a network and its weights to the steps that it is deployed as."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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
from edgedigits_export.graph.steps import (
    Array,
    Border,
    Convolution,
    Function,
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
    lowering = _Lowering(first, weights)
    image = lowering.add(Image((), maps.neutral(spec.input_shape, first)))
    places = [lowering.add(Scale((image,), scalar(scale.factor), scalar(scale.offset)))]
    for layer, sources, inputs in zip(spec.layers, spec.inputs, spec.entering, strict=True):
        taken = tuple(places[source] for source in sources)
        places.append(_LOWERED[type(layer)](lowering, layer, taken, inputs))
    return folded(lowering.steps)


@dataclass
class _Lowering:
    """The steps so far."""

    channels_first: bool
    """Of all maps of the network, as its author has them."""
    weights: Mapping[str, Sequence[Array]]
    steps: list[Step] = field(default_factory=list)

    def add(self, step: Step) -> int:
        """Add a step and return its place."""
        self.steps.append(step)
        return len(self.steps) - 1

    def activated(self, place: int, function: str, alpha: float | None = None) -> int:
        """Add a function, where it is one that does something."""
        if function == "linear":
            return place
        if alpha is None:
            alpha = 6.0 if function == "relu6" else kinds.DEFAULT_ALPHAS.get(function, 0.0)
        return self.add(Function((place,), function, alpha))

    def arrays(self, layer: LayerSpec) -> list[Array]:
        """Return the weights of a layer, float64."""
        return [np.asarray(array, np.float64) for array in self.weights[layer.name]]

    def along(self, values: Array, axes: tuple[int, ...], inputs: Shape) -> Array:
        """Return values along some axes of an input, shaped to be combined with a row or a map."""
        shape = [side if axis in axes else 1 for axis, side in enumerate(inputs)]
        return self.of_map(values.reshape(shape))

    def of_map(self, values: Array) -> Array:
        """Return an array of as many sides as an input as one of a row or a map."""
        if values.ndim == 2:
            return values[:, :, np.newaxis]
        return np.moveaxis(values, 0, 2) if values.ndim == 3 and self.channels_first else values


_Sources = tuple[int, ...]


def _rescaling(to: _Lowering, layer: Rescaling, sources: _Sources, _: Shape) -> int:
    return to.add(Scale(sources, scalar(layer.scale), scalar(layer.offset)))


def _flatten(to: _Lowering, layer: Flatten, sources: _Sources, inputs: Shape) -> int:
    if len(inputs) == 1:
        return sources[0]
    return to.add(ToRow(sources, to.channels_first and not layer.channels_last))


def _reshape(to: _Lowering, layer: kinds.Reshape, sources: _Sources, inputs: Shape) -> int:
    place = sources[0] if len(inputs) == 1 else to.add(ToRow(sources, to.channels_first))
    target = layer.output_shape(inputs)
    if len(target) == 1:
        return place
    return to.add(ToMap((place,), maps.neutral(target, to.channels_first), to.channels_first))


def _dense(to: _Lowering, layer: Dense, sources: _Sources, _: Shape) -> int:
    kernel, *bias = to.arrays(layer)
    place = to.add(Product(sources, kernel, bias[0] if bias else np.zeros(layer.units)))
    return to.activated(place, layer.activation)


def _convolution(to: _Lowering, layer: maps.Convolution, sources: _Sources, inputs: Shape) -> int:
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


def _pooling(to: _Lowering, layer: maps.Pooling2D, sources: _Sources, inputs: Shape) -> int:
    return to.add(Pool(sources, layer.kind, layer.window, layer.strides, layer.margins(inputs)))


def _global_pooling(to: _Lowering, layer: maps.GlobalPooling2D, sources: _Sources, inputs: Shape) -> int:
    place = to.add(GlobalPool(sources, layer.kind))
    if not layer.keeps_sides:
        return place
    return to.add(ToMap((place,), (1, 1, layer.sides(inputs)[2]), to.channels_first))


def _border(to: _Lowering, layer: maps.Border2D, sources: _Sources, _: Shape) -> int:
    return to.add(Border(sources, layer.margins))


def _batch_normalization(
    to: _Lowering, layer: kinds.BatchNormalization, sources: _Sources, inputs: Shape
) -> int:
    *learnt, mean, variance = to.arrays(layer)
    factor = (learnt.pop(0) if layer.scale else 1.0) / np.sqrt(variance + layer.epsilon)
    offset = (learnt.pop(0) if layer.center else 0.0) - mean * factor
    axes = layer.axes(inputs)
    return to.add(Scale(sources, to.along(factor, axes, inputs), to.along(offset, axes, inputs)))


def _normalization(to: _Lowering, layer: kinds.Normalization, sources: _Sources, inputs: Shape) -> int:
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
    axes = layer.axes(inputs)
    return to.add(Scale(sources, to.along(factor, axes, inputs), to.along(offset, axes, inputs)))


def _activation(to: _Lowering, layer: kinds.Activation, sources: _Sources, _: Shape) -> int:
    return to.activated(sources[0], layer.function, layer.alpha)


def _prelu(to: _Lowering, layer: kinds.PReLU, sources: _Sources, _: Shape) -> int:
    (slopes,) = to.arrays(layer)
    return to.add(Slopes(sources, to.of_map(slopes)))


def _concatenate(to: _Lowering, layer: kinds.Concatenate, sources: _Sources, inputs: Shape) -> int:
    (axis,) = kinds.real_axes((layer.axis,), inputs)
    if len(inputs) == 3 and to.channels_first:
        axis = (axis - 1) % 3
    return to.add(Joined(sources, axis))


_LOWERED: dict[type[LayerSpec], Callable[[_Lowering, Any, _Sources, Shape], int]] = {
    Dense: _dense,
    Dropout: lambda to, layer, sources, inputs: sources[0],
    Flatten: _flatten,
    Rescaling: _rescaling,
    kinds.Activation: _activation,
    kinds.Add: lambda to, layer, sources, inputs: to.add(Sum(sources)),
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
}
"""By kind, what adds the steps of a layer and returns the place of what it gives."""
