"""Networks in Keras: built from a description, loaded from a ``.keras`` file, and their weights."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgedigits.artifacts.hashes import sha256_bytes
from edgedigits.errors import EdgeDigitsError, ModelFileError
from edgedigits.model_files.keras_archive import TRAIN_AGAIN, read_network_spec
from edgedigits.model_files.network_spec import LayerSpec, NetworkSpec
from edgedigits.networks.backend import keras
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
    layers += [_keras_layer(layer, initialize(seed + index)) for index, layer in enumerate(spec.layers)]
    return keras.Sequential(layers)


def _keras_layer(layer: LayerSpec, initializer: keras.Initializer) -> keras.Layer:
    match layer.kind:
        case "Dense":
            return keras.layers.Dense(
                layer.units,
                layer.activation,
                use_bias=layer.use_bias,
                kernel_initializer=initializer,
                name=layer.name,
            )
        case "Dropout":
            return keras.layers.Dropout(layer.rate, name=layer.name)
        case "Rescaling":
            return keras.layers.Rescaling(layer.scale, layer.offset, name=layer.name)
        case _:
            return keras.layers.Flatten(name=layer.name)


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
    return model, spec


def dense_weights(model: keras.Model) -> list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
    """Return kernel (inputs, units) and bias (units,) of every Dense layer, zeros where it has no bias."""
    pairs = []
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dense):
            kernel, *bias = layer.get_weights()
            pairs.append((kernel, bias[0] if bias else np.zeros(kernel.shape[1], np.float32)))
    return pairs


def weights_sha256(model: keras.Model) -> str:
    """Return the sha256 over shapes and values of all Dense weights: the same network, the same hash.

    (The hash of the ``.keras`` file would change with the date that Keras writes into it.)
    """
    content = b""
    for kernel, bias in dense_weights(model):
        for array in (kernel, bias):
            content += repr(array.shape).encode() + np.ascontiguousarray(array, "<f4").tobytes()
    return sha256_bytes(content)
