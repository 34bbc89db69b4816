"""Brings the configuration of a whole-model ``.h5`` file into the form that ``.keras`` files of Keras 3 have.

Such files tell layers by the names of their classes alone, and Keras 2 had other names for some arguments, other
defaults, and another way to write which layer takes what. All of it is data, and stays data: what comes out is checked
as any configuration is.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from edgedigits.model_files.keras_graph import DEEPEST, MODELS

_Config = dict[str, Any]
_OLD_MODELS = {"Model": "Functional"}
_CHANGED = frozenset({"hard_sigmoid"})
"""Functions by whose names Keras 3 means others."""


def as_keras_3(config: _Config, *, is_keras_2: bool) -> _Config:
    """Return the configuration of a model as Keras 3 writes it into a ``.keras`` file.

    Args:
        config: of the model, with ``class_name`` and ``config``.
        is_keras_2: whether Keras 2 wrote it.

    Raises:
        ValueError: it has what cannot be said in Keras 3, with the reason.
        KeyError, TypeError, AttributeError, IndexError: it is no such configuration.
    """
    ids = Counter(_shared_ids(config, 0))
    shared = {number for number, count in ids.items() if count > 1}
    return _model(config, shared, 0, is_keras_2=is_keras_2)


def _inner(model: _Config) -> list[_Config]:
    """Return the layers of a model; before Keras 2.2.3 a Sequential was nothing but these."""
    config = model["config"]
    layers: list[_Config] = config if isinstance(config, list) else config["layers"]
    return layers


def _shared_ids(model: _Config, depth: int) -> Iterator[int]:
    """Return the numbers by which Keras 2 tells layers, each as often as it is there; those of one are shared."""
    for layer in _inner(model):
        if isinstance(number := layer.get("shared_object_id"), int):
            yield number
        if _kind(layer) in MODELS and depth <= DEEPEST:
            yield from _shared_ids(layer, depth + 1)


def _kind(layer: _Config) -> str:
    kind = str(layer["class_name"])
    return _OLD_MODELS.get(kind, kind)


def _model(model: _Config, shared: set[int], depth: int, *, is_keras_2: bool) -> _Config:
    kind, config = _kind(model), model["config"]
    config = {"name": "sequential", "layers": config} if isinstance(config, list) else dict(config)
    layers = [_layer(layer, shared, depth, is_keras_2=is_keras_2) for layer in config["layers"]]
    if kind == "Sequential" and layers and layers[0]["class_name"] != "InputLayer":
        shape = layers[0]["config"].get("batch_input_shape")
        if shape is not None:
            layers.insert(0, _own("InputLayer", {"batch_shape": shape, "name": "the input of the model"}))
    config["layers"] = layers
    if is_keras_2 and kind == "Functional":
        _count_from_0(config)
    module = model.get("module", "keras")
    return {**model, "module": module, "class_name": kind, "config": config}


def _count_from_0(config: _Config) -> None:
    """Count the calls of models from 0: Keras 2 counts the one that made a model of its own input as well."""
    made = {
        str(layer["config"]["name"])
        for layer in config["layers"]
        if _kind(layer) in MODELS and layer["config"]["layers"][0]["class_name"] == "InputLayer"
    }

    def counted(history: Any) -> Any:
        name, call, *rest = history
        return [name, call - 1, *rest] if name in made else history

    for layer in config["layers"]:
        for node in layer.get("inbound_nodes", []):
            (taken,) = node["args"]
            for tensor in taken if isinstance(taken, list) else [taken]:
                tensor["config"]["keras_history"] = counted(tensor["config"]["keras_history"])
    for key in ("input_layers", "output_layers"):
        ends = config[key]
        config[key] = counted(ends) if isinstance(ends[0], str) else [counted(end) for end in ends]


def _own(kind: str, config: _Config) -> _Config:
    return {"module": "keras.layers", "class_name": kind, "config": config, "registered_name": None}


def _layer(layer: _Config, shared: set[int], depth: int, *, is_keras_2: bool) -> _Config:
    kind = _kind(layer)
    # Deeper ones are refused by whoever follows the models.
    if kind in MODELS and depth <= DEEPEST:
        found = _model(layer, shared, depth + 1, is_keras_2=is_keras_2)
    else:
        config = dict(layer["config"])
        if is_keras_2:
            _check_function(kind, config)
            _CHANGES.get(kind, _keep)(config)
        found = {**layer, **_own(kind, config)}
        for key in ("module", "registered_name"):
            # What the file says itself stays: only Keras' own layers pass.
            found[key] = layer.get(key, found[key])
    if layer.get("shared_object_id") not in shared:
        found.pop("shared_object_id", None)
    if "inbound_nodes" in layer:
        found["inbound_nodes"] = [_node(node) for node in layer["inbound_nodes"]]
    return found


def _check_function(kind: str, config: _Config) -> None:
    for key in ("activation", "recurrent_activation"):
        if config.get(key) in _CHANGED:
            raise ValueError(
                f"{config[key]} in {kind} {config.get('name')!s:.200}, which Keras 3 computes otherwise"
            )


def _node(node: Any) -> _Config:
    """Return a call as Keras 3 writes it; Keras 2 has for each tensor a layer, a call, an output and arguments."""
    if isinstance(node, dict):
        return node
    tensors = [node] if isinstance(node[0], str) else node
    kwargs = {key: value for tensor in tensors if len(tensor) > 3 for key, value in tensor[3].items()}
    taken = [
        {"class_name": "__keras_tensor__", "config": {"keras_history": tensor[:3]}} for tensor in tensors
    ]
    return {"args": [taken if len(taken) > 1 else taken[0]], "kwargs": kwargs}


def _keep(_: _Config) -> None:
    """Change nothing."""


def _renamed(old: str, new: str) -> Callable[[_Config], None]:
    def change(config: _Config) -> None:
        if old in config:
            config.setdefault(new, config[old])

    return change


def _with(**defaults: Any) -> Callable[[_Config], None]:
    def change(config: _Config) -> None:
        for key, value in defaults.items():
            config.setdefault(key, value)

    return change


_CHANGES: dict[str, Callable[[_Config], None]] = {
    "Conv2D": _with(groups=1),
    "GlobalAveragePooling2D": _with(keepdims=False),
    "GlobalMaxPooling2D": _with(keepdims=False),
    "InputLayer": _renamed("batch_input_shape", "batch_shape"),
    "LeakyReLU": _renamed("alpha", "negative_slope"),
    "ReLU": _with(negative_slope=0.0, threshold=0.0),
    "Rescaling": _with(offset=0.0),
}
"""By kind, what is made of its arguments: those that were called otherwise, and those that were not there yet."""
