"""The trained Keras network as the graph that is deployed: raw pixels in, probabilities out.

The scaling that the network was trained with is folded into the first layer's weights and biases, so an application
has nothing to get wrong, and an integer file's input *is* the pixel.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgedigits.artifacts.manifest import recorded_input_scale, trained_labels
from edgedigits.contract import IMAGE_SIDE, INPUT_NAME, OUTPUT_NAME
from edgedigits.file_names import network_name
from edgedigits.input_scale import RAW, UNIT, InputScale
from edgedigits.model_files.network_spec import NetworkSpec, Rescaling
from edgedigits.networks.backend import keras, tf
from edgedigits.networks.build import load_network, weighted_network, weights_sha256
from edgedigits.networks.weighted import WeightedDense, WeightedLayer, WeightedNetwork
from edgedigits_export.graph.lowering import lowered
from edgedigits_export.graph.steps import Step
from edgedigits_export.integers.weight_grids import quantized_weights

FloatArray = npt.NDArray[np.float32]


def _dense(values: Any, layer: WeightedDense) -> Any:
    return tf.matmul(values, tf.constant(layer.kernel)) + tf.constant(layer.bias)


_SUMS: dict[type[WeightedLayer], Callable[[Any, Any], Any]] = {WeightedDense: _dense}
"""By kind, what TensorFlow computes of values before the activation."""
_ACTIVATIONS: dict[str, Callable[[Any], Any]] = {"relu": tf.nn.relu, "softmax": tf.nn.softmax}
"""By Keras' name."""


@dataclass(frozen=True)
class InferenceGraph:
    """A digits network, ready to be converted."""

    spec: NetworkSpec
    """Its description."""
    chain: WeightedNetwork | None
    """The Dense layers of a network of these alone, with float32 weights; the first takes pixels from 0 to 255."""
    steps: tuple[Step, ...] | None
    """What any other network computes, likewise from pixels."""
    weights_sha256: str
    """Of the Keras network's own weights, before the fold."""
    labels: tuple[str, ...]
    """Names of the classes."""
    keras_model: keras.Model
    """The network itself, for reference answers."""
    input_scale: InputScale
    """What pixels are made into before the Keras network's input."""

    @property
    def network(self) -> WeightedNetwork:
        """The Dense layers of a network of these alone.

        Raises:
            TypeError: it has others.
        """
        if self.chain is None:
            raise TypeError(f"{self.arch} has other layers than Dense ones")
        return self.chain

    @property
    def arch(self) -> str:
        """Widths of the hidden layers, ``128-32``, or the layers of a network that has others."""
        return self.spec.arch

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of the Keras network, without the batch."""
        return self.spec.input_shape

    @property
    def rescaling(self) -> Rescaling | None:
        """The Keras network's own layer that scales pixels, if it has one."""
        return self.spec.rescaling

    def reference_probabilities(self, pixels: npt.NDArray[np.uint8]) -> FloatArray:
        """Return the Keras network's own answers, float32 (n, 10), for uint8 pixels (n, 28, 28)."""
        return self.answers(self.input_scale.values(pixels))

    def answers(self, values: FloatArray) -> FloatArray:
        """Return the Keras network's answers, float32 (n, 10), to values of its own, float32 (n, 28, 28)."""
        result: FloatArray = self.keras_model(values.reshape(-1, *self.input_shape), training=False).numpy()
        return result

    def fed_with(self, scale: InputScale) -> "InferenceGraph":
        """Return the same network with another scaling before it, folded into its first layer."""
        chain, steps = _deployed(self.keras_model, self.spec, scale)
        return dataclasses.replace(self, chain=chain, steps=steps, input_scale=scale)

    def module(self, dtype: Any) -> tf.Module:
        """Return a TensorFlow module whose ``serve`` takes ``image`` of a dtype and gives ``probabilities``.

        ``tf.reshape`` with a constant shape keeps the batch free and, unlike a Keras Flatten, leaves no shape
        arithmetic in a TFLite graph.

        Args:
            dtype: ``tf.uint8`` for files that take pixels as they are; ``tf.float32`` for the integer converter,
                which puts its own types at the edges.
        """
        module = tf.Module()

        @tf.function(input_signature=[tf.TensorSpec([None, IMAGE_SIDE, IMAGE_SIDE], dtype, name=INPUT_NAME)])
        def serve(image: Any) -> dict[str, Any]:
            values = tf.reshape(tf.cast(image, tf.float32), [-1, *self.network.inputs])
            for layer in self.network.layers:
                values = _ACTIVATIONS[layer.activation](_SUMS[type(layer)](values, layer))
            return {OUTPUT_NAME: values}

        module.serve = serve
        return module


def load_inference_graph(path: Path) -> InferenceGraph:
    """Load a ``.keras`` file and fold the scaling of its input into its first layer.

    That is its Rescaling layer's; without one, what the manifest beside it says, or from 0 to 1 (see
    ``InferenceGraph.fed_with`` for another).

    Raises:
        ModelNotFoundError, ModelFileError, ContractError: see ``networks.build.load_network``.
    """
    model, spec = load_network(path)
    sha256 = weights_sha256(model)
    name = network_name(path)
    scale = RAW if spec.rescaling else recorded_input_scale(path.parent, name, sha256) or UNIT
    chain, steps = _deployed(model, spec, scale)
    return InferenceGraph(
        spec=spec,
        chain=chain,
        steps=steps,
        weights_sha256=sha256,
        labels=trained_labels(path.parent, name, sha256),
        keras_model=model,
        input_scale=scale,
    )


def _deployed(
    model: keras.Model, spec: NetworkSpec, scale: InputScale
) -> tuple[WeightedNetwork | None, tuple[Step, ...] | None]:
    """Return what is deployed of a network: Dense layers, or steps.

    Dense layers whose weights are whole numbers of a step are steps too, whose integers stay these.
    """
    weights = {layer.name: layer.get_weights() for layer in model.layers}
    steps = lowered(spec, weights, scale)
    if spec.is_dense and quantized_weights(steps) is None:
        return _folded(weighted_network(model), scale, spec.rescaling), None
    return None, steps


def _folded(network: WeightedNetwork, scale: InputScale, rescaling: Rescaling | None) -> WeightedNetwork:
    """Fold what is done to pixels before a network's first layer, outside of it and inside, into that layer."""
    factor, offset = scale.factor, scale.offset
    if rescaling is not None:
        factor, offset = factor * rescaling.scale, offset * rescaling.scale + rescaling.offset
    return network.folded(factor, offset)
