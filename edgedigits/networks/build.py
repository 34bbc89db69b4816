"""Networks in Keras: built from a description, loaded from a ``.keras`` file, and their weights."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from edgedigits.artifacts.hashes import sha256_bytes
from edgedigits.errors import EdgeDigitsError, ModelFileError
from edgedigits.model_files.keras_archive import read_network_spec
from edgedigits.model_files.keras_graph import TRAIN_AGAIN
from edgedigits.model_files.keras_sources import is_hdf5
from edgedigits.model_files.network_spec import Dense, LayerSpec, NetworkSpec
from edgedigits.networks.backend import keras
from edgedigits.networks.h5_file import fill_from_h5, read_h5
from edgedigits.networks.keras_layers import keras_layer
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
    built = {
        layer: keras_layer(layer, initialize(seed + index), shape)
        for index, (layer, shape) in enumerate(zip(spec.layers, spec.entering, strict=True))
    }
    image = keras.Input(spec.input_shape, name="image")
    if not spec.sources and len(built) == len(spec.layers):
        return keras.Sequential([image, *(built[layer] for layer in spec.layers)])
    values = [image]
    for layer, sources in zip(spec.layers, spec.inputs, strict=True):
        taken = [values[source] for source in sources]
        called = built[layer]
        if isinstance(called, keras.layers.MultiHeadAttention):
            values.append(called(*taken))
        else:
            values.append(called(taken if len(taken) > 1 else taken[0]))
    return keras.Model(image, values[-1])


def load_network(path: Path) -> tuple[keras.Model, NetworkSpec]:
    """Load a digits network from a ``.keras`` file, or a whole-model ``.h5`` of Keras 2 or 3.

    Only the weights come from the file by way of Keras; the layers are built here from the checked
    configuration, so no class or function that the file names is ever looked up.

    Raises:
        ModelNotFoundError, ModelFileError, ContractError: see ``read_network_spec`` and ``h5_file.read_h5``; also where
            the weights are missing, damaged, or of other shapes than the configuration says.
    """
    if is_hdf5(path):
        content = read_h5(path)
        spec = content.spec
        model = build_network(spec)
        with _weights_of(path):
            fill_from_h5(model, content)
    else:
        spec = read_network_spec(path)
        model = build_network(spec)
        with _weights_of(path), copied_weights(path) as weights:
            _fill(model, spec, weights)
    if not all(np.isfinite(weights).all() for weights in model.get_weights()):
        raise ModelFileError(path, "its weights hold NaN or infinity", TRAIN_AGAIN)
    for name, kernel in _kernels(model):
        if not kernel.any():
            raise ModelFileError(path, f"all weights of its layer {name} are 0", TRAIN_AGAIN)
    return model, spec


@contextlib.contextmanager
def _weights_of(path: Path) -> Iterator[None]:
    """Say of what goes wrong that the weights of a file cannot be read."""
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
        if isinstance(error, EdgeDigitsError):
            raise
        reason = " ".join(str(error).split())[:200]
        raise ModelFileError(path, f"its weights cannot be read ({reason})", TRAIN_AGAIN) from error


def _fill(model: keras.Model, spec: NetworkSpec, weights: Path) -> None:
    """Put into each layer the arrays that lie where the description says.

    Raises:
        ValueError: there are others, or some are missing.
        OSError: the file cannot be read.
    """
    layers = {layer.name: layer for layer in model.layers}
    with h5py.File(weights, "r") as file:
        for layer in dict.fromkeys(spec.layers):
            if not layers[layer.name].variables or not _has_weights(spec, layer):
                continue
            for part in layer.parts:
                where = f"{layer.where}/{part}/vars" if part else f"{layer.where}/vars"
                group = file.get(where)
                if group is None:
                    raise ValueError(f"none of layer {layer.name} at {where}")
                inner = _part(layers[layer.name], part)
                inner.load_own_variables({key: group[key][()] for key in group})


def _part(layer: keras.Layer, part: str) -> keras.Layer:
    """Return a layer within a layer, by the name of its group; Keras keeps some under a private name."""
    for name in part.split("/") if part else ():
        layer = getattr(layer, name) if hasattr(layer, name) else getattr(layer, f"_{name}")
    return layer


def _has_weights(spec: NetworkSpec, layer: LayerSpec) -> bool:
    """Return whether a layer of a network keeps weights: some of Keras' own keep the state of a random generator."""
    return bool(layer.parameter_shapes(spec.entering[spec.layers.index(layer)]))


def _kernels(model: keras.Model) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    """Return what each layer multiplies by, with the name of the layer."""
    for layer in model.layers:
        for variable in layer.variables:
            if variable.name.endswith("kernel"):
                yield layer.name, variable.numpy()


def first_kernel(model: keras.Model) -> np.ndarray[Any, Any]:
    """Return what the first layer with weights multiplies pixels by: (pixels of its window, units or channels)."""
    _, kernel = next(_kernels(model))
    pictures: np.ndarray[Any, Any] = kernel.reshape(-1, kernel.shape[-1])
    return pictures


def weighted_network(model: keras.Model) -> WeightedNetwork:
    """Return what of a Keras network is deployed: its layers with weights, those as Keras has them.

    Raises:
        KeyError: a layer of a kind that nobody knows how to deploy.
    """
    return WeightedNetwork.of(_WEIGHTED[type(layer)](layer) for layer in _deployed(model))


def is_deployed_dense(model: keras.Model) -> bool:
    """Whether ``weighted_network`` can say what of a network is deployed."""
    return all(type(layer) in _WEIGHTED for layer in _deployed(model))


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
    arrays = weighted_network(model).arrays if is_deployed_dense(model) else model.get_weights()
    for array in arrays:
        content += repr(array.shape).encode() + np.ascontiguousarray(array, "<f4").tobytes()
    return sha256_bytes(content)
