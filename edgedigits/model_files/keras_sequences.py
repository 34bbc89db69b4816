"""Reads layers of sequences, and others that few digit networks have, from a Keras configuration: a reader for each."""

from typing import Any

from edgedigits.model_files.layer_readers import (
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
from edgedigits.model_files.map_layers import Kind
from edgedigits.model_files.sequence_layers import (
    Attention,
    Cell,
    Conv1D,
    GlobalPooling1D,
    LayerNormalization,
    Multiply,
    Permute,
    Pooling1D,
    Recurrent,
    Resized,
)

_CELL_FUNCTIONS = ("tanh", "sigmoid", "relu")
"""That a cell may have inside: those that ONNX' own cells have under the same names."""


def _side(config: Config, key: str) -> int:
    """Return a number that Keras may write as a list of one."""
    sides = config[key]
    return natural(
        {key: sides[0] if isinstance(sides, list) and len(sides) == 1 else sides}, key, 1, LARGEST_WINDOW
    )


def _moving(config: Config, key: str, *paddings: str) -> Config:
    one_of(config, "data_format", "channels_last")
    return {
        "window": _side(config, key),
        "stride": _side(config, "strides"),
        "padding": one_of(config, "padding", *paddings),
    }


def _conv1d(config: Config, common: Config) -> Conv1D:
    fields = _moving(config, "kernel_size", "valid", "same", "causal")
    dilation = _side(config, "dilation_rate")
    if dilation > 1 and fields["stride"] > 1:
        raise ForeignLayerError("strides or dilation, not both", f"{fields['stride']} and {dilation}")
    return Conv1D(
        filters=natural(config, "filters"),
        groups=natural(config, "groups"),
        dilation=dilation,
        activation=function(config),
        use_bias=bool(config["use_bias"]),
        **fields,
        **common,
    )


def _pooling(kind: Kind) -> Reader:
    return lambda config, common: Pooling1D(
        kind=kind, **_moving(config, "pool_size", "valid", "same"), **common
    )


def _global_pooling(kind: Kind) -> Reader:
    def read(config: Config, common: Config) -> GlobalPooling1D:
        one_of(config, "data_format", "channels_last")
        if config["keepdims"]:
            raise ForeignLayerError("a global pooling without keepdims", "keepdims=True")
        return GlobalPooling1D(kind=kind, **common)

    return read


def _permute(config: Config, common: Config) -> Permute:
    order = tuple(config["dims"])
    if not 1 <= len(order) <= 3 or not all(type(side) is int for side in order):
        raise ForeignLayerError("dims of at most three sides", repr(order)[:80])
    return Permute(order=order, **common)


def _is_bilinear(config: Config) -> bool:
    return one_of(config, "interpolation", "nearest", "bilinear") == "bilinear"


def _upsampling(config: Config, common: Config) -> Resized:
    return Resized(
        size=window(config, "size"),
        is_bilinear=_is_bilinear(config),
        is_factor=True,
        channels_first=channels_first(config),
        **common,
    )


def _resizing(config: Config, common: Config) -> Resized:
    for key in ("crop_to_aspect_ratio", "pad_to_aspect_ratio", "antialias"):
        if config.get(key):
            raise ForeignLayerError(f"a Resizing without {key}", f"{key}=True")
    return Resized(
        size=(natural(config, "height", 1, 256), natural(config, "width", 1, 256)),
        is_bilinear=_is_bilinear(config),
        is_factor=False,
        channels_first=config.get("data_format", "channels_last") == "channels_first",
        **common,
    )


def _layer_normalization(config: Config, common: Config) -> LayerNormalization:
    axis = config["axis"]
    axes = axis if isinstance(axis, list) else [axis]
    if len(axes) != 1 or type(axes[0]) is not int or config.get("rms_scaling"):
        raise ForeignLayerError("a LayerNormalization along one side", repr(axis)[:80])
    epsilon = finite(config, "epsilon")
    if not epsilon > 0:
        raise ForeignLayerError("an epsilon above 0", str(epsilon))
    return LayerNormalization(
        axis=axes[0],
        epsilon=epsilon,
        center=bool(config["center"]),
        scale=bool(config["scale"]),
        **common,
    )


def _cell_function(config: Config, key: str) -> str:
    return one_of(config, key, *_CELL_FUNCTIONS)


def _recurrent(cell: Cell) -> Reader:
    def read(config: Config, common: Config) -> Recurrent:
        for key in ("stateful", "return_state"):
            if config.get(key):
                raise ForeignLayerError(f"a {cell} without {key}", f"{key}=True")
        is_reversed, returns_all = bool(config["go_backwards"]), bool(config["return_sequences"])
        if is_reversed and returns_all:
            raise ForeignLayerError("return_sequences or go_backwards, not both", "both")
        has_gates = cell != "SimpleRNN"
        return Recurrent(
            cell=cell,
            units=natural(config, "units", 1, 4_096),
            activation=_cell_function(config, "activation"),
            recurrent_activation=_cell_function(config, "recurrent_activation") if has_gates else "sigmoid",
            use_bias=bool(config["use_bias"]),
            returns_all=returns_all,
            is_reversed=is_reversed,
            reset_after=bool(config["reset_after"]) if cell == "GRU" else True,
            **common,
        )

    return read


_CELLS: dict[str, Cell] = {"SimpleRNN": "SimpleRNN", "LSTM": "LSTM", "GRU": "GRU"}


def _bidirectional(config: Config, common: Config) -> Recurrent:
    ways = []
    for key in ("layer", "backward_layer"):
        inner = config.get(key) or config["layer"]
        kind = inner["class_name"]
        if kind not in _CELLS or inner.get("module", "keras.layers") != "keras.layers":
            raise ForeignLayerError(f"one of {', '.join(_CELLS)} inside", str(kind)[:80])
        settings = dict(inner["config"])
        is_back = key == "backward_layer" and config.get(key) is not None
        if bool(settings["go_backwards"]) != is_back:
            raise ForeignLayerError("a layer from the beginning and one from the end", "another")
        settings["go_backwards"] = False
        ways.append(_recurrent(_CELLS[kind])(settings, {"name": common["name"], "where": common["where"]}))
    if ways[0] != ways[1]:
        raise ForeignLayerError("the same layer in both directions", "two")
    merge = one_of(config, "merge_mode", "concat", "sum", "mul", "ave")
    fields: Any = {key: getattr(ways[0], key) for key in ways[0].__dataclass_fields__}
    return Recurrent(**{**fields, "directions": 2, "merge": merge})


def _attention(config: Config, common: Config) -> Attention:
    for key in ("output_shape", "use_gate"):
        if config.get(key):
            raise ForeignLayerError(f"a MultiHeadAttention without {key}", repr(config[key])[:80])
    if config.get("attention_axes") not in (
        None,
        [1],
        [
            1,
        ],
    ):
        raise ForeignLayerError("attention along the steps", repr(config["attention_axes"])[:80])
    return Attention(
        heads=natural(config, "num_heads", 1, 256),
        key_width=natural(config, "key_dim", 1, 4_096),
        value_width=natural(config, "value_dim" if config.get("value_dim") else "key_dim", 1, 4_096),
        use_bias=bool(config["use_bias"]),
        **common,
    )


SEQUENCE_READERS: dict[str, Reader] = {
    "AveragePooling1D": _pooling("average"),
    "Bidirectional": _bidirectional,
    "Conv1D": _conv1d,
    "GRU": _recurrent("GRU"),
    "GlobalAveragePooling1D": _global_pooling("average"),
    "GlobalMaxPooling1D": _global_pooling("max"),
    "LSTM": _recurrent("LSTM"),
    "LayerNormalization": _layer_normalization,
    "MaxPooling1D": _pooling("max"),
    "MultiHeadAttention": _attention,
    "Multiply": lambda _, common: Multiply(**common),
    "Permute": _permute,
    "Resizing": _resizing,
    "SimpleRNN": _recurrent("SimpleRNN"),
    "UpSampling2D": _upsampling,
}
"""By Keras' name of a layer, what reads its configuration."""
