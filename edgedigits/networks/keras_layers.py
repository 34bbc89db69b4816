"""Keras layers with fresh weights, built from their descriptions: a row for each kind, and nothing a file says."""

from collections.abc import Callable
from typing import Any

import numpy as np

from edgedigits.model_files import layer_kinds as kinds
from edgedigits.model_files import map_layers as maps
from edgedigits.model_files import sequence_layers as sequences
from edgedigits.model_files.network_spec import Dense, Dropout, Flatten, LayerSpec, Rescaling, Shape
from edgedigits.networks.backend import keras


def keras_layer(layer: LayerSpec, initializer: keras.Initializer, inputs: Shape) -> keras.Layer:
    """Build the Keras layer of a description.

    Args:
        layer: the description.
        initializer: of its kernels.
        inputs: shape of what goes in, without the batch.
    """
    built: keras.Layer = _BUILT[type(layer)](layer, initializer, inputs)
    return built


def _order(layer: maps.MapLayer) -> str:
    return "channels_first" if layer.channels_first else "channels_last"


def _moving(layer: maps.WindowLayer) -> dict[str, Any]:
    return {
        "strides": layer.strides,
        "padding": layer.padding,
        "data_format": _order(layer),
        "name": layer.name,
    }


def _convolving(layer: maps.Convolution) -> dict[str, Any]:
    return {
        "dilation_rate": layer.dilation,
        "activation": layer.activation,
        "use_bias": layer.use_bias,
        **_moving(layer),
    }


def _dense(layer: Dense, initializer: keras.Initializer, _: Shape) -> keras.Layer:
    return keras.layers.Dense(
        layer.units,
        layer.activation,
        use_bias=layer.use_bias,
        kernel_initializer=initializer,
        name=layer.name,
    )


def _conv2d(layer: maps.Conv2D, initializer: keras.Initializer, _: Shape) -> keras.Layer:
    return keras.layers.Conv2D(
        layer.filters,
        layer.window,
        groups=layer.groups,
        kernel_initializer=initializer,
        **_convolving(layer),
    )


def _depthwise(layer: maps.DepthwiseConv2D, initializer: keras.Initializer, _: Shape) -> keras.Layer:
    return keras.layers.DepthwiseConv2D(
        layer.window,
        depth_multiplier=layer.multiplier,
        depthwise_initializer=initializer,
        **_convolving(layer),
    )


def _separable(layer: maps.SeparableConv2D, initializer: keras.Initializer, _: Shape) -> keras.Layer:
    return keras.layers.SeparableConv2D(
        layer.filters,
        layer.window,
        depth_multiplier=layer.multiplier,
        depthwise_initializer=initializer,
        pointwise_initializer=initializer,
        **_convolving(layer),
    )


def _pooling(layer: maps.Pooling2D, *_: Any) -> keras.Layer:
    kind = keras.layers.MaxPooling2D if layer.kind == "max" else keras.layers.AveragePooling2D
    return kind(layer.window, **_moving(layer))


def _global_pooling(layer: maps.GlobalPooling2D, *_: Any) -> keras.Layer:
    is_max = layer.kind == "max"
    kind = keras.layers.GlobalMaxPooling2D if is_max else keras.layers.GlobalAveragePooling2D
    return kind(data_format=_order(layer), keepdims=layer.keeps_sides, name=layer.name)


def _border(layer: maps.Border2D, *_: Any) -> keras.Layer:
    top, bottom, left, right = map(abs, layer.margins)
    kind = keras.layers.Cropping2D if min(layer.margins) < 0 else keras.layers.ZeroPadding2D
    return kind(((top, bottom), (left, right)), data_format=_order(layer), name=layer.name)


def _normalization(layer: kinds.Normalization, _: Any, inputs: Shape) -> keras.Layer:
    numbers: dict[str, Any] = {}
    if layer.mean:
        shape = tuple(inputs[axis] for axis in layer.axes(inputs))
        numbers = {
            key: np.asarray(values if len(values) > 1 else values[0], np.float32)
            for key, values in (("mean", layer.mean), ("variance", layer.variance))
        }
        if len(layer.mean) > 1:
            numbers = {key: values.reshape(shape) for key, values in numbers.items()}
    return keras.layers.Normalization(axis=layer.axis or None, name=layer.name, **numbers)


def _batch_normalization(layer: kinds.BatchNormalization, *_: Any) -> keras.Layer:
    return keras.layers.BatchNormalization(
        axis=layer.axis,
        epsilon=layer.epsilon,
        center=layer.center,
        scale=layer.scale,
        name=layer.name,
    )


def _conv1d(layer: sequences.Conv1D, initializer: keras.Initializer, _: Shape) -> keras.Layer:
    return keras.layers.Conv1D(
        layer.filters,
        layer.window,
        layer.stride,
        layer.padding,
        dilation_rate=layer.dilation,
        groups=layer.groups,
        activation=layer.activation,
        use_bias=layer.use_bias,
        kernel_initializer=initializer,
        name=layer.name,
    )


def _pooling1d(layer: sequences.Pooling1D, *_: Any) -> keras.Layer:
    kind = keras.layers.MaxPooling1D if layer.kind == "max" else keras.layers.AveragePooling1D
    return kind(layer.window, layer.stride, layer.padding, name=layer.name)


def _global_pooling1d(layer: sequences.GlobalPooling1D, *_: Any) -> keras.Layer:
    is_max = layer.kind == "max"
    kind = keras.layers.GlobalMaxPooling1D if is_max else keras.layers.GlobalAveragePooling1D
    return kind(name=layer.name)


def _resized(layer: sequences.Resized, *_: Any) -> keras.Layer:
    common = {
        "interpolation": "bilinear" if layer.is_bilinear else "nearest",
        "data_format": _order(layer),
        "name": layer.name,
    }
    if layer.is_factor:
        return keras.layers.UpSampling2D(layer.size, **common)
    return keras.layers.Resizing(*layer.size, **common)


def _recurrent(layer: sequences.Recurrent, initializer: keras.Initializer, _: Shape) -> keras.Layer:
    settings: dict[str, Any] = {
        "activation": layer.activation,
        "use_bias": layer.use_bias,
        "return_sequences": layer.returns_all,
        "kernel_initializer": initializer,
    }
    if layer.cell != "SimpleRNN":
        settings["recurrent_activation"] = layer.recurrent_activation
    if layer.cell == "GRU":
        settings["reset_after"] = layer.reset_after
    kind = getattr(keras.layers, layer.cell)
    if layer.directions == 1:
        return kind(layer.units, go_backwards=layer.is_reversed, name=layer.name, **settings)
    return keras.layers.Bidirectional(kind(layer.units, **settings), merge_mode=layer.merge, name=layer.name)


def _attention(layer: sequences.Attention, initializer: keras.Initializer, _: Shape) -> keras.Layer:
    return keras.layers.MultiHeadAttention(
        layer.heads,
        layer.key_width,
        layer.value_width,
        use_bias=layer.use_bias,
        kernel_initializer=initializer,
        name=layer.name,
    )


_FUNCTIONS: dict[str, Callable[[kinds.Activation], keras.Layer]] = {
    "leaky_relu": lambda layer: keras.layers.LeakyReLU(layer.alpha, name=layer.name),
    "elu": lambda layer: keras.layers.ELU(layer.alpha, name=layer.name),
    "relu6": lambda layer: keras.layers.ReLU(layer.alpha, name=layer.name),
}
"""By Keras' name, functions that have a number of their own; of all others the name is enough."""


def _activation(layer: kinds.Activation, *_: Any) -> keras.Layer:
    if layer.function in _FUNCTIONS:
        return _FUNCTIONS[layer.function](layer)
    return keras.layers.Activation(layer.function, name=layer.name)


_BUILT: dict[type[LayerSpec], Callable[[Any, keras.Initializer, Shape], keras.Layer]] = {
    Dense: _dense,
    # Without a seed of its own two runs would not leave out the same.
    Dropout: lambda layer, initializer, _: keras.layers.Dropout(
        layer.rate, seed=initializer.seed, name=layer.name
    ),
    Flatten: lambda layer, *_: keras.layers.Flatten(
        "channels_first" if layer.channels_last else None, name=layer.name
    ),
    Rescaling: lambda layer, *_: keras.layers.Rescaling(layer.scale, layer.offset, name=layer.name),
    kinds.Activation: _activation,
    kinds.Add: lambda layer, *_: keras.layers.Add(name=layer.name),
    kinds.BatchNormalization: _batch_normalization,
    maps.Border2D: _border,
    kinds.Concatenate: lambda layer, *_: keras.layers.Concatenate(layer.axis, name=layer.name),
    maps.Conv2D: _conv2d,
    maps.DepthwiseConv2D: _depthwise,
    maps.GlobalPooling2D: _global_pooling,
    kinds.Normalization: _normalization,
    kinds.PReLU: lambda layer, *_: keras.layers.PReLU(shared_axes=layer.shared_axes or None, name=layer.name),
    maps.Pooling2D: _pooling,
    kinds.Reshape: lambda layer, *_: keras.layers.Reshape(layer.target, name=layer.name),
    maps.SeparableConv2D: _separable,
    sequences.Attention: _attention,
    sequences.Conv1D: _conv1d,
    sequences.GlobalPooling1D: _global_pooling1d,
    sequences.LayerNormalization: lambda layer, *_: keras.layers.LayerNormalization(
        axis=layer.axis, epsilon=layer.epsilon, center=layer.center, scale=layer.scale, name=layer.name
    ),
    sequences.Multiply: lambda layer, *_: keras.layers.Multiply(name=layer.name),
    sequences.Permute: lambda layer, *_: keras.layers.Permute(layer.order, name=layer.name),
    sequences.Pooling1D: _pooling1d,
    sequences.Recurrent: _recurrent,
    sequences.Resized: _resized,
}
"""By kind, what makes a Keras layer: of the description, the initializer of kernels, and the shape of what goes in."""
