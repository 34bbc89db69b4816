"""Networks in Keras: built from a description, loaded from a ``.keras`` file, and their weights."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edgedigits.artifacts.hashes import sha256_bytes
from edgedigits.errors import EdgeDigitsError, ModelFileError
from edgedigits.model_files.keras_archive import TRAIN_AGAIN, read_network_spec
from edgedigits.model_files.network_spec import Dense, Dropout, Flatten, LayerSpec, NetworkSpec, Rescaling
from edgedigits.networks.backend import keras
from edgedigits.networks.weighted import WeightedDense, WeightedLayer, WeightedNetwork
from edgedigits.networks.weights_copy import copied_weights

INITIALIZERS = {
    "glorot_uniform": keras.initializers.GlorotUniform,
    "he_normal": keras.initializers.HeNormal,
}


def build_network(spec: NetworkSpec, seed: int = 0, initializer: str = "glorot_uniform") -> keras.Model:
    """Build a network with fresh weights and zero biases.

    Args:
        spec: its layers.
        seed: the same seed gives the same weights.
        initializer: of the weights, one of ``INITIALIZERS``.
    """
    initialize = INITIALIZERS[initializer]
    layers: list[Any] = [keras.Input(spec.input_shape, name="image")]
    layers += [
        _BUILT[type(layer)](layer, initialize(seed + index)) for index, layer in enumerate(spec.layers)
    ]
    return keras.Sequential(layers)


def _built_dense(layer: Dense, initializer: keras.Initializer) -> keras.Layer:
    return keras.layers.Dense(
        layer.units,
        layer.activation,
        use_bias=layer.use_bias,
        kernel_initializer=initializer,
        name=layer.name,
    )


_BUILT: dict[type[LayerSpec], Callable[[Any, keras.Initializer], keras.Layer]] = {
    Dense: _built_dense,
    Dropout: lambda layer, _: keras.layers.Dropout(layer.rate, name=layer.name),
    Flatten: lambda layer, _: keras.layers.Flatten(name=layer.name),
    Rescaling: lambda layer, _: keras.layers.Rescaling(layer.scale, layer.offset, name=layer.name),
}
"""By kind, what makes a Keras layer with fresh weights of its description."""


def load_network(path: Path) -> tuple[keras.Model, NetworkSpec]:
    """Load a digits network from a ``.keras`` file.

    Only the weights come from the file by way of Keras; the layers are built here from the checked
    configuration, so no class or function that the file names is ever looked up.

    Raises:
        ModelNotFoundError, ModelFileError, ContractError: see ``read_network_spec``; also where the weights are
            missing, damaged, or of other shapes than the configuration says.
    """
    spec = read_network_spec(path)
    model = build_network(spec)
    try:
        with copied_weights(path) as weights:
            model.load_weights(weights)
    except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
        if isinstance(error, EdgeDigitsError):
            raise
        reason = " ".join(str(error).split())[:200]
        raise ModelFileError(path, f"its weights cannot be read ({reason})", TRAIN_AGAIN) from error
    if not all(np.isfinite(weights).all() for weights in model.get_weights()):
        raise ModelFileError(path, "its weights hold NaN or infinity", TRAIN_AGAIN)
    for layer in weighted_network(model).layers:
        if not layer.arrays[0].any():
            raise ModelFileError(path, f"all weights of its layer {layer.spec.name} are 0", TRAIN_AGAIN)
    return model, spec


def weighted_network(model: keras.Model) -> WeightedNetwork:
    """Return what of a Keras network is deployed: its layers with weights, those as Keras has them.

    Raises:
        KeyError: a layer of a kind that nobody knows how to deploy.
    """
    return WeightedNetwork.of(_WEIGHTED[type(layer)](layer) for layer in _deployed(model))


def set_weights(model: keras.Model, network: WeightedNetwork) -> None:
    """Put weights into the Keras network that ``weighted_network`` took such from."""
    for layer, weighted in zip(_deployed(model), network.layers, strict=True):
        layer.set_weights(weighted.keras_arrays)


def _deployed(model: keras.Model) -> list[keras.Layer]:
    return [layer for layer in model.layers if type(layer) not in _NOT_DEPLOYED]


def _weighted_dense(layer: Any) -> WeightedDense:
    activation = str(keras.activations.serialize(layer.activation))
    spec = Dense(layer.name, layer.units, activation, use_bias=layer.use_bias)
    kernel, *bias = layer.get_weights()
    return WeightedDense(spec, kernel, bias[0] if bias else np.zeros(spec.units, np.float32))


_WEIGHTED: dict[type[keras.Layer], Callable[[Any], WeightedLayer]] = {keras.layers.Dense: _weighted_dense}
"""By Keras' kind, what reads a layer that is deployed."""
_NOT_DEPLOYED = {
    keras.layers.InputLayer,
    keras.layers.Rescaling,
    keras.layers.Flatten,
    keras.layers.Reshape,
    keras.layers.Dropout,
}
"""Kinds of which a deployed network has nothing left; see ``weighted``. Any other has its row above."""


def weights_sha256(model: keras.Model) -> str:
    """Return the sha256 over shapes and values of all weights: the same network, the same hash.

    (The hash of the ``.keras`` file would change with the date that Keras writes into it.)
    """
    content = b""
    for array in weighted_network(model).arrays:
        content += repr(array.shape).encode() + np.ascontiguousarray(array, "<f4").tobytes()
    return sha256_bytes(content)
