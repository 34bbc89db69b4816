"""Reads whole-model ``.h5`` files of Keras 2 and 3 by the rules of ``.keras`` files.

The configuration is data, followed by ``keras_graph``; a child process reads the file (``h5_copy``). Such a file keeps
the arrays of a layer in an order, and those of a model within a model together: first all that are trained, layer by
layer, then all others.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import numpy.typing as npt

from edgedigits.errors import ContractError, ModelFileError
from edgedigits.model_files.keras2_config import as_keras_3
from edgedigits.model_files.keras_archive import network_of
from edgedigits.model_files.keras_graph import MODELS, TRAIN_AGAIN
from edgedigits.model_files.keras_sources import weights_alone
from edgedigits.model_files.network_spec import NetworkSpec
from edgedigits.networks.backend import keras
from edgedigits.networks.h5_copy import copied_network

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class H5Content:
    """What a whole-model ``.h5`` file holds."""

    spec: NetworkSpec
    config: dict[str, Any]
    """As Keras 3 writes it."""
    arrays: dict[str, list[Array]]
    """By name of a layer or an inner model, its arrays in their order."""


class _Leaf(NamedTuple):
    """A layer that is no model."""

    name: str
    """In the whole network, as ``LayerSpec.name``."""
    is_trained: bool
    """Whether its author let it, and all models that it is in, be trained."""


def read_h5(path: Path) -> H5Content:
    """Read the network of a whole-model ``.h5`` file, and its arrays.

    Raises:
        ModelNotFoundError: there is no such file.
        ModelFileError: it cannot be read.
        ContractError: it holds something else than a digits network; the message says what.
        OutputError: there is no room for a copy.
    """
    with copied_network(path) as copy, h5py.File(copy, "r") as file:
        if "config" not in file:
            raise weights_alone(path)
        try:
            config, names = (json.loads(bytes(file[key][()])) for key in ("config", "layers"))
        except (ValueError, RecursionError) as error:
            raise ModelFileError(path, "its model_config is no configuration", TRAIN_AGAIN) from error
        version = bytes(file["version"][()]).decode()
        arrays = {name: _numbered(file, index) for index, name in enumerate(names)}
    try:
        config = as_keras_3(config, is_keras_2=not version.startswith("3."))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise ContractError(
            path,
            "the configuration of a Keras model",
            f"one that cannot be read ({' '.join(str(error).split())[:300]})",
            TRAIN_AGAIN,
        ) from error
    return H5Content(network_of(path, config), config, arrays)


def _numbered(file: h5py.File, index: int) -> list[Array]:
    """Return the arrays of a layer in their order."""
    group = file.get(f"weights/{index}", {})
    return [group[str(place)][()] for place in range(len(group))]


def fill_from_h5(model: keras.Model, content: H5Content) -> None:
    """Put the arrays of a file into the network that was built from its description.

    Raises:
        ValueError: there are others, or some are missing.
    """
    layers = {layer.name: layer for layer in model.layers}
    left = dict(content.arrays)
    for declared in content.config["config"]["layers"]:
        leaves = list(_leaves(declared, "", is_trained=True))
        own = str(declared["config"]["name"])
        # A layer of which nothing is left once a network is trained has no arrays.
        slots = [
            (layers[leaf.name], place, leaf.is_trained and bool(variable.trainable))
            for leaf in leaves
            if leaf.name in layers
            for place, variable in enumerate(layers[leaf.name].weights)
        ]
        arrays = left.pop(own, [])
        if len(arrays) != len(slots):
            raise ValueError(f"{len(arrays)} arrays of {own}, expected {len(slots)}")
        if _is_model(declared):
            slots.sort(key=lambda slot: not slot[2])
        found: dict[keras.Layer, dict[str, Array]] = {}
        for (layer, place, _), array in zip(slots, arrays, strict=True):
            found.setdefault(layer, {})[str(place)] = np.asarray(array, np.float32)
        for layer, store in found.items():
            # Whoever has layers inside has no variables of its own.
            if layer._layers:
                layer.set_weights(list(store.values()))
            else:
                layer.load_own_variables(store)
    if others := [name for name, arrays in left.items() if arrays]:
        raise ValueError(f"arrays of {others[0]!r:.200}, which is no layer")


def _is_model(layer: dict[str, Any]) -> bool:
    return layer["class_name"] in MODELS


def _leaves(layer: dict[str, Any], prefix: str, *, is_trained: bool) -> Iterator[_Leaf]:
    """Return the layers in a layer, in the order in which Keras keeps their arrays."""
    config = layer["config"]
    name = f"{prefix}{config['name']}"
    is_trained = is_trained and bool(config.get("trainable", True))
    if not _is_model(layer):
        yield _Leaf(name, is_trained)
        return
    for inner in config["layers"]:
        yield from _leaves(inner, f"{name}.", is_trained=is_trained)
