"""The trained Keras network as the graph that is deployed: raw pixels in, probabilities out.

The factor 1/255 that brings pixels to 0..1 is folded into the first layer's weights, so an application has nothing
to get wrong, and an integer file's input *is* the pixel.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgedigits.artifacts import trained_labels
from edgedigits.contract import IMAGE_SIDE, INPUT_NAME, OUTPUT_NAME, PIXELS, network_name
from edgedigits.training.architectures import dense_weights, load_network, weights_sha256
from edgedigits.training.backend import keras, tf

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class InferenceGraph:
    """A digits network, ready to be converted."""

    layers: tuple[tuple[FloatArray, FloatArray], ...]
    """Kernel (inputs, units) and bias (units,) of every Dense layer; the first takes pixels from 0 to 255."""
    arch: str
    """Widths of the hidden layers, ``128-32``."""
    weights_sha256: str
    """Of the Keras network's own weights, before the fold."""
    labels: tuple[str, ...]
    """Names of the classes."""
    keras_model: keras.Model
    """The network itself, for reference answers."""
    input_shape: tuple[int, ...]
    """Of the Keras network, without the batch."""
    input_scale: float
    """What a pixel is multiplied by before the Keras network's input."""

    def reference_probabilities(self, pixels: npt.NDArray[np.uint8]) -> FloatArray:
        """Return the Keras network's own answers, float32 (n, 10), for uint8 pixels (n, 28, 28)."""
        values = (pixels * np.float32(self.input_scale)).reshape(-1, *self.input_shape)
        result: FloatArray = self.keras_model(values, training=False).numpy()
        return result

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
            values = tf.reshape(tf.cast(image, tf.float32), [-1, PIXELS])
            *hidden, last = self.layers
            for kernel, bias in hidden:
                values = tf.nn.relu(tf.matmul(values, tf.constant(kernel)) + tf.constant(bias))
            kernel, bias = last
            logits = tf.matmul(values, tf.constant(kernel)) + tf.constant(bias)
            return {OUTPUT_NAME: tf.nn.softmax(logits)}

        module.serve = serve
        return module


def load_inference_graph(path: Path) -> InferenceGraph:
    """Load a ``.keras`` file and fold the pixel scale into its first layer.

    Raises:
        ModelNotFoundError, ModelFileError, ContractError: see ``training.architectures.load_network``.
    """
    model, spec = load_network(path)
    (first_kernel, first_bias), *rest = dense_weights(model)
    folded = (first_kernel * np.float32(spec.pixel_scale)).astype(np.float32)
    sha256 = weights_sha256(model)
    return InferenceGraph(
        layers=((folded, first_bias), *rest),
        arch=spec.arch,
        weights_sha256=sha256,
        labels=trained_labels(path.parent, network_name(path), sha256),
        keras_model=model,
        input_shape=spec.input_shape,
        input_scale=spec.input_scale,
    )
