"""Reads what network a ``.keras`` file holds, without Keras and without running anything that it says.

A ``.keras`` file is a zip archive of ``config.json``, ``metadata.json`` and ``model.weights.h5``. Its configuration
can name classes and functions to call, so it is never handed to Keras' deserializer: it is read here, every layer is
checked against a short list, and the network is built anew from the result.
"""

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from edgedigits.archives import ARCHIVE_ERRORS, open_archive
from edgedigits.contract import CLASSES, IMAGE_SIDE, LARGEST_MODEL, MOST_WEIGHTS, PIXELS, WIDEST_LAYER
from edgedigits.errors import ContractError, ModelFileError
from edgedigits.files import reason
from edgedigits.model_files.content import kind_there
from edgedigits.model_files.network_spec import Dense, Dropout, Flatten, LayerSpec, NetworkSpec, Rescaling

WEIGHTS_MEMBER = "model.weights.h5"
MEMBERS = {"config.json", "metadata.json", WEIGHTS_MEMBER}
LARGEST_CONFIG = 4 << 20
MOST_LAYERS = 100
"""Of all kinds; Keras takes a millisecond and much memory for each. The default network has four."""
LONGEST_NAME = 200
"""Characters of a layer's name."""
LARGEST_FLOAT32 = (2 - 2**-23) * 2.0**127
INPUT_SHAPES = ([IMAGE_SIDE, IMAGE_SIDE], [IMAGE_SIDE, IMAGE_SIDE, 1], [PIXELS])
TRAIN_AGAIN = "train a digits network with `edgedigits train`"


def read_network_spec(path: Path) -> NetworkSpec:
    """Read and check the network of a ``.keras`` file.

    Raises:
        ModelNotFoundError: there is no such file.
        ModelFileError: no whole ``.keras`` archive.
        ContractError: an archive of something else than a digits network; the message says what.
    """
    config = _read_config(path)
    try:
        layers = _chain(path, config)
        spec = _network(path, layers)
    except (KeyError, TypeError, IndexError, AttributeError, OverflowError, ValueError) as error:
        if isinstance(error, ContractError):
            raise
        raise ContractError(
            path, "a Keras 3 model configuration", f"one that cannot be read ({error!r})", TRAIN_AGAIN
        ) from error
    return spec


def _read_config(path: Path) -> dict[str, Any]:
    kind_there(path, "train one with `edgedigits train`")
    try:
        with open_archive(path, LARGEST_MODEL) as archive:
            members = archive.infolist()
            sizes = {member.filename: member.file_size for member in members}
            if len(members) > len(sizes):
                raise ModelFileError(path, "two members of its archive have one name", TRAIN_AGAIN)
            if not {"config.json", "model.weights.h5"} <= sizes.keys() or not sizes.keys() <= MEMBERS:
                raise ModelFileError(
                    path,
                    f"expected an archive of {', '.join(sorted(MEMBERS))}, found {sorted(sizes)}",
                    TRAIN_AGAIN,
                )
            if sizes["config.json"] > LARGEST_CONFIG:
                raise ModelFileError(path, "its config.json is too large for a digits network", TRAIN_AGAIN)
            if max(sizes.values()) > LARGEST_MODEL:
                raise ModelFileError(path, f"larger than {LARGEST_MODEL // 2**20} MiB unpacked", TRAIN_AGAIN)
            if (broken := archive.testzip()) is not None:
                raise ModelFileError(path, f"{broken} inside it is damaged", TRAIN_AGAIN)
            config: dict[str, Any] = json.loads(archive.read("config.json"))
    except ARCHIVE_ERRORS as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(
            path, f"no whole .keras archive, truncated or of another kind ({reason(error)})", TRAIN_AGAIN
        ) from error
    return config


def _chain(path: Path, config: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the configurations of the layers, input first, where each feeds just the next."""
    kind = config["class_name"]
    if kind not in {"Sequential", "Functional"}:
        raise ContractError(path, "a Sequential or Functional Keras model", f"a {kind}", TRAIN_AGAIN)
    layers: list[dict[str, Any]] = config["config"]["layers"]
    if len(layers) > MOST_LAYERS:
        raise ContractError(path, f"at most {MOST_LAYERS} layers", f"{len(layers):,}", TRAIN_AGAIN)
    for layer in layers:
        _check_trusted(path, layer)
    if kind == "Functional":
        for previous, layer in pairwise(layers):
            (node,) = layer["inbound_nodes"]
            source = node["args"][0]["config"]["keras_history"][0]
            if len(node["args"]) != 1 or source != previous["config"]["name"]:
                raise ContractError(
                    path, "layers in one chain", f"{layer['config']['name']} fed by {source}", TRAIN_AGAIN
                )
    return layers


def _check_trusted(path: Path, layer: dict[str, Any]) -> None:
    kind = layer["class_name"]
    if kind == "Lambda":
        raise ContractError(
            path,
            "layers that hold data only",
            "a Lambda layer, which would run code from the file",
            TRAIN_AGAIN,
        )
    known = {"InputLayer", *_READERS}
    if kind not in known or layer.get("module") != "keras.layers" or layer.get("registered_name"):
        raise ContractError(path, f"layers of {', '.join(sorted(known))}", f"a layer {kind}", TRAIN_AGAIN)


def _network(path: Path, layers: list[dict[str, Any]]) -> NetworkSpec:
    first, *rest = layers
    shape = list(first["config"]["batch_shape"][1:]) if first["class_name"] == "InputLayer" else None
    if shape not in INPUT_SHAPES:
        raise ContractError(
            path, "an input of shape (28, 28), (28, 28, 1) or (784,)", str(shape), TRAIN_AGAIN
        )
    spec = NetworkSpec(tuple(shape), tuple(_layer(path, layer) for layer in rest))
    _check_order(path, spec)
    return spec


def _layer(path: Path, layer: dict[str, Any]) -> LayerSpec:
    kind, config = layer["class_name"], layer["config"]
    if kind not in _READERS:
        raise ContractError(path, "one input, at the beginning", f"a layer {kind} behind it", TRAIN_AGAIN)
    return _READERS[kind](path, {**config, "name": str(config["name"])})


def _dense(path: Path, config: dict[str, Any]) -> Dense:
    units, activation = int(config["units"]), str(config["activation"])
    return Dense(config["name"], units, activation, use_bias=bool(config["use_bias"]))


def _rescaling(path: Path, config: dict[str, Any]) -> Rescaling:
    scale, offset = float(config["scale"]), float(config["offset"])
    if not 0 < abs(scale) <= LARGEST_FLOAT32:
        raise ContractError(path, "a Rescaling layer by a number that is not 0", str(scale), TRAIN_AGAIN)
    if not abs(offset) <= LARGEST_FLOAT32:
        raise ContractError(path, "a Rescaling layer with a finite offset", str(offset), TRAIN_AGAIN)
    return Rescaling(config["name"], scale, offset)


def _dropout(path: Path, config: dict[str, Any]) -> Dropout:
    return Dropout(config["name"], float(config["rate"]))


def _reshape(path: Path, config: dict[str, Any]) -> Flatten:
    if list(config["target_shape"]) not in ([PIXELS], [-1]):
        raise ContractError(path, "a Reshape to (784,)", str(config["target_shape"]), TRAIN_AGAIN)
    return _flatten(path, config)


def _flatten(path: Path, config: dict[str, Any]) -> Flatten:
    return Flatten(config["name"])


_READERS: dict[str, Callable[[Path, dict[str, Any]], LayerSpec]] = {
    "Dense": _dense,
    "Dropout": _dropout,
    "Flatten": _flatten,
    "Rescaling": _rescaling,
    "Reshape": _reshape,
}
"""By Keras' name of a layer, what reads its configuration; no other layer is taken."""


def _check_order(path: Path, spec: NetworkSpec) -> None:
    """Check that the layers, one by one known, also make a digits network together."""
    names = [layer.name for layer in spec.layers]
    if len(set(names)) < len(names) or max(map(len, names), default=0) > LONGEST_NAME:
        raise ContractError(
            path,
            f"layers with names of their own of at most {LONGEST_NAME} characters",
            "others",
            TRAIN_AGAIN,
        )
    dense = spec.dense
    last = spec.layers[-1] if spec.layers else "no layers"
    if not dense or last is not dense[-1] or dense[-1].units != CLASSES or dense[-1].activation != "softmax":
        raise ContractError(path, "a Dense softmax layer of 10 units at the end", str(last), TRAIN_AGAIN)
    if len(dense) == 1:
        raise ContractError(path, "at least one hidden Dense layer", "only the softmax layer", TRAIN_AGAIN)
    hidden = {layer.activation for layer in dense[:-1]}
    if not hidden <= {"relu"}:
        raise ContractError(path, "hidden layers with relu", ", ".join(sorted(hidden)), TRAIN_AGAIN)
    if not all(1 <= layer.units <= WIDEST_LAYER for layer in dense):
        raise ContractError(path, f"widths from 1 to {WIDEST_LAYER}", spec.arch, TRAIN_AGAIN)
    first = spec.layers.index(dense[0])
    rescalings = [index for index, layer in enumerate(spec.layers) if isinstance(layer, Rescaling)]
    if len(rescalings) > 1 or any(index > first for index in rescalings):
        raise ContractError(
            path, "at most one Rescaling, before the first Dense", "another order", TRAIN_AGAIN
        )
    if len(spec.shapes[first]) > 1:
        raise ContractError(path, "a Flatten before the first Dense", "none", TRAIN_AGAIN)
    if spec.parameters > MOST_WEIGHTS:
        raise ContractError(path, f"at most {MOST_WEIGHTS:,} weights", f"{spec.parameters:,}", TRAIN_AGAIN)
