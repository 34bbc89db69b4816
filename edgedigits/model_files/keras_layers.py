"""Reads one layer of a Keras configuration into its description: a reader for each kind, and no other kinds.

A configuration is data of an unknown author. What a reader does not know is refused by name; what it does not need,
such as how weights were initialized, is never looked at.
"""

import math
from typing import Any

from edgedigits.contract import PIXELS
from edgedigits.model_files.keras_sequences import SEQUENCE_READERS
from edgedigits.model_files.layer_kinds import (
    DEFAULT_ALPHAS,
    Activation,
    Add,
    BatchNormalization,
    Concatenate,
    Normalization,
    PReLU,
    Reshape,
)
from edgedigits.model_files.layer_readers import (
    LARGEST_FLOAT32,
    LARGEST_WINDOW,
    Config,
    ForeignLayerError,
    Reader,
    channels_first,
    finite,
    function,
    natural,
    one_of,
    window,
)
from edgedigits.model_files.map_layers import (
    Border2D,
    Conv2D,
    DepthwiseConv2D,
    GlobalPooling2D,
    Kind,
    Margins,
    Pooling2D,
    SeparableConv2D,
)
from edgedigits.model_files.network_spec import Dense, Dropout, Flatten, LayerSpec, Rescaling

MOST_CONSTANTS = PIXELS
"""Numbers that a Normalization layer gives itself."""
INERT = frozenset({
    "ActivityRegularization", "AlphaDropout", "GaussianDropout", "GaussianNoise", "SpatialDropout2D", "AugMix",
    "AutoContrast", "CutMix", "MixUp", "Equalization", "RandAugment", "RandomBrightness", "RandomColorDegeneration",
    "RandomColorJitter", "RandomContrast", "RandomCrop", "RandomElasticTransform", "RandomErasing", "RandomFlip",
    "RandomGaussianBlur", "RandomGrayscale", "RandomHue", "RandomInvert", "RandomPerspective",
    "RandomPosterization", "RandomRotation", "RandomSaturation", "RandomSharpness", "RandomShear",
    "RandomTranslation", "RandomZoom",
})  # fmt: skip
"""Layers that do something while a network learns, and nothing afterwards."""


def read_layer(kind: str, config: Config, name: str, where: str) -> LayerSpec | None:
    """Read the configuration of a layer.

    Args:
        kind: Keras' name of its class, one of ``KINDS``.
        config: its ``config``.
        name: what it shall be called.
        where: the group of its weights.

    Returns:
        Its description; None where nothing of it is left once a network is trained.

    Raises:
        ForeignLayerError: it has an argument that is not offered.
        KeyError, TypeError, ValueError, OverflowError: it is no such configuration.
    """
    if kind in INERT:
        return None
    return _READERS[kind](config, {"name": name, "where": where})


def _dense(config: Config, common: Config) -> Dense:
    return Dense(
        units=natural(config, "units"),
        activation=function(config),
        use_bias=bool(config["use_bias"]),
        **common,
    )


def _moving(config: Config, key: str, common: Config) -> Config:
    return {
        "window": window(config, key),
        "strides": window(config, "strides"),
        "padding": one_of(config, "padding", "valid", "same"),
        "channels_first": channels_first(config),
        **common,
    }


def _convolving(config: Config, common: Config) -> Config:
    fields = _moving(config, "kernel_size", common)
    dilation = window(config, "dilation_rate")
    if max(dilation) > 1 and max(fields["strides"]) > 1:
        raise ForeignLayerError("strides or dilation, not both", f"{fields['strides']} and {dilation}")
    fields |= {"dilation": dilation, "activation": function(config), "use_bias": bool(config["use_bias"])}
    return fields


def _conv2d(config: Config, common: Config) -> Conv2D:
    return Conv2D(
        filters=natural(config, "filters"),
        groups=natural(config, "groups"),
        **_convolving(config, common),
    )


def _depthwise(config: Config, common: Config) -> DepthwiseConv2D:
    return DepthwiseConv2D(multiplier=natural(config, "depth_multiplier"), **_convolving(config, common))


def _separable(config: Config, common: Config) -> SeparableConv2D:
    return SeparableConv2D(
        filters=natural(config, "filters"),
        multiplier=natural(config, "depth_multiplier"),
        **_convolving(config, common),
    )


def _pooling(kind: Kind) -> Reader:
    return lambda config, common: Pooling2D(kind=kind, **_moving(config, "pool_size", common))


def _global_pooling(kind: Kind) -> Reader:
    return lambda config, common: GlobalPooling2D(
        kind=kind, keeps_sides=bool(config["keepdims"]), channels_first=channels_first(config), **common
    )


def _border(key: str, sign: int) -> Reader:
    def read(config: Config, common: Config) -> Border2D:
        (top, bottom), (left, right) = config[key]
        margins: Margins = (top, bottom, left, right)
        if not all(type(margin) is int and 0 <= margin <= LARGEST_WINDOW for margin in margins):
            raise ForeignLayerError(f"{key} from 0 to {LARGEST_WINDOW}", repr(config[key])[:80])
        top, bottom, left, right = (sign * margin for margin in margins)
        return Border2D(margins=(top, bottom, left, right), channels_first=channels_first(config), **common)

    return read


def _rescaling(config: Config, common: Config) -> Rescaling:
    scale, offset = float(config["scale"]), float(config["offset"])
    if not 0 < abs(scale) <= LARGEST_FLOAT32:
        raise ForeignLayerError("a Rescaling layer by a number that is not 0", str(scale))
    if not abs(offset) <= LARGEST_FLOAT32:
        raise ForeignLayerError("a Rescaling layer with a finite offset", str(offset))
    return Rescaling(scale=scale, offset=offset, **common)


def _normalization(config: Config, common: Config) -> Normalization:
    axis = config["axis"]
    axes = () if axis is None else (axis,) if type(axis) is int else tuple(map(int, axis))
    if config.get("invert"):
        raise ForeignLayerError("a Normalization that is not inverted", "invert=True")
    mean, variance = (
        () if config[key] is None else tuple(_numbers(config[key])) for key in ("mean", "variance")
    )
    return Normalization(axis=axes, mean=mean, variance=variance, **common)


def _numbers(values: Any) -> list[float]:
    """Return the numbers of a number, or of lists in lists."""
    found: list[float] = []
    waiting = [values]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += reversed(value)
        else:
            found.append(float(value))
        if len(found) + len(waiting) > MOST_CONSTANTS or not all(map(math.isfinite, found[-1:])):
            raise ForeignLayerError(f"at most {MOST_CONSTANTS:,} finite numbers", "others")
    return found


def _batch_normalization(config: Config, common: Config) -> BatchNormalization:
    axis = config["axis"]
    if config.get("renorm"):
        raise ForeignLayerError("a BatchNormalization without renorm", "renorm=True")
    return BatchNormalization(
        axis=axis if type(axis) is int else int(axis[0]),
        epsilon=finite(config, "epsilon"),
        center=bool(config["center"]),
        scale=bool(config["scale"]),
        **common,
    )


def _reshape(config: Config, common: Config) -> LayerSpec:
    target = tuple(config["target_shape"])
    if not all(type(side) is int and (side > 0 or side == -1) for side in target) or target.count(-1) > 1:
        raise ForeignLayerError("a target_shape of whole numbers, one of them -1 at most", repr(target)[:80])
    if not 1 <= len(target) <= 3:
        raise ForeignLayerError("a Reshape to a row or a picture", repr(target)[:80])
    if target in ((PIXELS,), (-1,)):
        return Flatten(**common)
    return Reshape(target=target, **common)


def _relu(config: Config, common: Config) -> Activation:
    slope, largest = finite(config, "negative_slope"), config["max_value"]
    if float(config["threshold"]) != 0 or (slope and largest is not None):
        raise ForeignLayerError("a ReLU with a slope or a largest value alone", "another")
    if largest is not None:
        bound = finite(config, "max_value")
        if bound <= 0:
            raise ForeignLayerError("a ReLU with a max_value above 0", str(bound))
        return Activation(function="relu6", alpha=bound, **common)
    return Activation(function="leaky_relu" if slope else "relu", alpha=slope, **common)


def _elu(config: Config, common: Config) -> Activation:
    return Activation(function="elu", alpha=finite(config, "alpha"), **common)


def _leaky_relu(config: Config, common: Config) -> Activation:
    return Activation(function="leaky_relu", alpha=finite(config, "negative_slope"), **common)


def _activation(config: Config, common: Config) -> Activation:
    name = function(config)
    return Activation(
        function=name, alpha=6.0 if name == "relu6" else DEFAULT_ALPHAS.get(name, 0.0), **common
    )


def _softmax(config: Config, common: Config) -> Activation:
    if config["axis"] != -1:
        raise ForeignLayerError("a Softmax along the last axis", repr(config["axis"])[:80])
    return Activation(function="softmax", **common)


def _prelu(config: Config, common: Config) -> PReLU:
    axes = config["shared_axes"]
    return PReLU(shared_axes=() if axes is None else tuple(map(int, axes)), **common)


def _concatenate(config: Config, common: Config) -> Concatenate:
    return Concatenate(axis=int(config["axis"]), **common)


_READERS: dict[str, Reader] = {
    "Activation": _activation,
    "Add": lambda _, common: Add(**common),
    "AveragePooling2D": _pooling("average"),
    "BatchNormalization": _batch_normalization,
    "Concatenate": _concatenate,
    "Conv2D": _conv2d,
    "Cropping2D": _border("cropping", -1),
    "Dense": _dense,
    "DepthwiseConv2D": _depthwise,
    "Dropout": lambda config, common: Dropout(rate=float(config["rate"]), **common),
    "ELU": _elu,
    "Flatten": lambda config, common: Flatten(channels_last=channels_first(config), **common),
    "GlobalAveragePooling2D": _global_pooling("average"),
    "GlobalMaxPooling2D": _global_pooling("max"),
    "LeakyReLU": _leaky_relu,
    "MaxPooling2D": _pooling("max"),
    "Normalization": _normalization,
    "PReLU": _prelu,
    "ReLU": _relu,
    "Rescaling": _rescaling,
    "Reshape": _reshape,
    "SeparableConv2D": _separable,
    "Softmax": _softmax,
    "ZeroPadding2D": _border("padding", 1),
    **SEQUENCE_READERS,
}
"""By Keras' name of a layer, what reads its configuration, with the name and the place of the weights in common."""
KINDS = frozenset(_READERS) | INERT
