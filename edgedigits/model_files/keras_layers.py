"""Reads one layer of a Keras configuration into its description: a reader for each kind, and no other kinds.

A configuration is data of an unknown author. What a reader does not know is refused by name; what it does not need,
such as how weights were initialized, is never looked at.
"""

import math
from collections.abc import Callable
from typing import Any

from edgedigits.contract import PIXELS, WIDEST_LAYER
from edgedigits.model_files.layer_kinds import (
    DEFAULT_ALPHAS,
    FUNCTIONS,
    Activation,
    Add,
    BatchNormalization,
    Concatenate,
    Normalization,
    PReLU,
    Reshape,
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
    Window,
)
from edgedigits.model_files.network_spec import Dense, Dropout, Flatten, LayerSpec, Rescaling

LARGEST_FLOAT32 = (2 - 2**-23) * 2.0**127
LARGEST_WINDOW = 64
"""Pixels, strides and margins; pictures have 28."""
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


class ForeignLayerError(ValueError):
    """A layer that is not offered, or has an argument that is not."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(expected, found)
        self.expected, self.found = expected, found


_Config = dict[str, Any]


def read_layer(kind: str, config: _Config, name: str, where: str) -> LayerSpec | None:
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


def _natural(config: _Config, key: str, least: int = 1, most: int = WIDEST_LAYER) -> int:
    number = config[key]
    if type(number) is not int or not least <= number <= most:
        raise ForeignLayerError(f"{key} from {least} to {most:,}", repr(number)[:80])
    return number


def _finite(config: _Config, key: str) -> float:
    number = float(config[key])
    if not abs(number) <= LARGEST_FLOAT32:
        raise ForeignLayerError(f"a finite {key}", str(number))
    return number


def _window(config: _Config, key: str) -> Window:
    sides = config[key]
    pair = [sides, sides] if type(sides) is int else sides
    if len(pair) != 2 or not all(type(side) is int and 1 <= side <= LARGEST_WINDOW for side in pair):
        raise ForeignLayerError(f"{key} of two sides from 1 to {LARGEST_WINDOW}", repr(sides)[:80])
    return pair[0], pair[1]


def _channels_first(config: _Config) -> bool:
    return _one_of(config, "data_format", "channels_last", "channels_first") == "channels_first"


def _one_of(config: _Config, key: str, *values: str) -> str:
    if config[key] not in values:
        raise ForeignLayerError(f"{key} {' or '.join(values)}", repr(config[key])[:80])
    return str(config[key])


def _function(config: _Config) -> str:
    name = config["activation"]
    name = {"swish": "silu", None: "linear"}.get(name, name) if isinstance(name, str | None) else name
    if name not in FUNCTIONS:
        found = name if isinstance(name, str) else "one that is no name"
        raise ForeignLayerError(f"an activation among {', '.join(FUNCTIONS)}", found[:80])
    return str(name)


def _dense(config: _Config, common: _Config) -> Dense:
    return Dense(
        units=_natural(config, "units"),
        activation=_function(config),
        use_bias=bool(config["use_bias"]),
        **common,
    )


def _moving(config: _Config, window: str, common: _Config) -> _Config:
    return {
        "window": _window(config, window),
        "strides": _window(config, "strides"),
        "padding": _one_of(config, "padding", "valid", "same"),
        "channels_first": _channels_first(config),
        **common,
    }


def _convolving(config: _Config, common: _Config) -> _Config:
    fields = _moving(config, "kernel_size", common)
    dilation = _window(config, "dilation_rate")
    if max(dilation) > 1 and max(fields["strides"]) > 1:
        raise ForeignLayerError("strides or dilation, not both", f"{fields['strides']} and {dilation}")
    fields |= {"dilation": dilation, "activation": _function(config), "use_bias": bool(config["use_bias"])}
    return fields


def _conv2d(config: _Config, common: _Config) -> Conv2D:
    return Conv2D(
        filters=_natural(config, "filters"),
        groups=_natural(config, "groups"),
        **_convolving(config, common),
    )


def _depthwise(config: _Config, common: _Config) -> DepthwiseConv2D:
    return DepthwiseConv2D(multiplier=_natural(config, "depth_multiplier"), **_convolving(config, common))


def _separable(config: _Config, common: _Config) -> SeparableConv2D:
    return SeparableConv2D(
        filters=_natural(config, "filters"),
        multiplier=_natural(config, "depth_multiplier"),
        **_convolving(config, common),
    )


def _pooling(kind: Kind) -> "_Reader":
    return lambda config, common: Pooling2D(kind=kind, **_moving(config, "pool_size", common))


def _global_pooling(kind: Kind) -> "_Reader":
    return lambda config, common: GlobalPooling2D(
        kind=kind, keeps_sides=bool(config["keepdims"]), channels_first=_channels_first(config), **common
    )


def _border(key: str, sign: int) -> "_Reader":
    def read(config: _Config, common: _Config) -> Border2D:
        (top, bottom), (left, right) = config[key]
        margins: Margins = (top, bottom, left, right)
        if not all(type(margin) is int and 0 <= margin <= LARGEST_WINDOW for margin in margins):
            raise ForeignLayerError(f"{key} from 0 to {LARGEST_WINDOW}", repr(config[key])[:80])
        top, bottom, left, right = (sign * margin for margin in margins)
        return Border2D(margins=(top, bottom, left, right), channels_first=_channels_first(config), **common)

    return read


def _rescaling(config: _Config, common: _Config) -> Rescaling:
    scale, offset = float(config["scale"]), float(config["offset"])
    if not 0 < abs(scale) <= LARGEST_FLOAT32:
        raise ForeignLayerError("a Rescaling layer by a number that is not 0", str(scale))
    if not abs(offset) <= LARGEST_FLOAT32:
        raise ForeignLayerError("a Rescaling layer with a finite offset", str(offset))
    return Rescaling(scale=scale, offset=offset, **common)


def _normalization(config: _Config, common: _Config) -> Normalization:
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


def _batch_normalization(config: _Config, common: _Config) -> BatchNormalization:
    axis = config["axis"]
    if config.get("renorm"):
        raise ForeignLayerError("a BatchNormalization without renorm", "renorm=True")
    return BatchNormalization(
        axis=axis if type(axis) is int else int(axis[0]),
        epsilon=_finite(config, "epsilon"),
        center=bool(config["center"]),
        scale=bool(config["scale"]),
        **common,
    )


def _reshape(config: _Config, common: _Config) -> LayerSpec:
    target = tuple(config["target_shape"])
    if not all(type(side) is int and (side > 0 or side == -1) for side in target) or target.count(-1) > 1:
        raise ForeignLayerError("a target_shape of whole numbers, one of them -1 at most", repr(target)[:80])
    if not 1 <= len(target) <= 3:
        raise ForeignLayerError("a Reshape to a row or a picture", repr(target)[:80])
    if target in ((PIXELS,), (-1,)):
        return Flatten(**common)
    return Reshape(target=target, **common)


def _relu(config: _Config, common: _Config) -> Activation:
    slope, largest = _finite(config, "negative_slope"), config["max_value"]
    if float(config["threshold"]) != 0 or (slope and largest is not None):
        raise ForeignLayerError("a ReLU with a slope or a largest value alone", "another")
    if largest is not None:
        bound = _finite(config, "max_value")
        if bound <= 0:
            raise ForeignLayerError("a ReLU with a max_value above 0", str(bound))
        return Activation(function="relu6", alpha=bound, **common)
    return Activation(function="leaky_relu" if slope else "relu", alpha=slope, **common)


def _elu(config: _Config, common: _Config) -> Activation:
    return Activation(function="elu", alpha=_finite(config, "alpha"), **common)


def _leaky_relu(config: _Config, common: _Config) -> Activation:
    return Activation(function="leaky_relu", alpha=_finite(config, "negative_slope"), **common)


def _activation(config: _Config, common: _Config) -> Activation:
    name = _function(config)
    return Activation(
        function=name, alpha=6.0 if name == "relu6" else DEFAULT_ALPHAS.get(name, 0.0), **common
    )


def _softmax(config: _Config, common: _Config) -> Activation:
    if config["axis"] != -1:
        raise ForeignLayerError("a Softmax along the last axis", repr(config["axis"])[:80])
    return Activation(function="softmax", **common)


def _prelu(config: _Config, common: _Config) -> PReLU:
    axes = config["shared_axes"]
    return PReLU(shared_axes=() if axes is None else tuple(map(int, axes)), **common)


def _concatenate(config: _Config, common: _Config) -> Concatenate:
    return Concatenate(axis=int(config["axis"]), **common)


_Reader = Callable[[_Config, _Config], LayerSpec]
_READERS: dict[str, _Reader] = {
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
    "Flatten": lambda config, common: Flatten(channels_last=_channels_first(config), **common),
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
}
"""By Keras' name of a layer, what reads its configuration, with the name and the place of the weights in common."""
KINDS = frozenset(_READERS) | INERT
