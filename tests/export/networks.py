"""Digits networks as tutorials, papers and other people write them: 21 that feed forward, each of Keras' own layers."""

import functools
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import onnxruntime
from keras import layers

from edgedigits_export.inference_graph import InferenceGraph, load_inference_graph
from edgedigits_export.integers.graph_kernels import IntegerGraph
from edgedigits_export.integers.graph_quantization import round_network
from edgedigits_export.integers.grids import RANGE_METHODS

PICTURE = (28, 28, 1)
AT_ONCE = 100 if tuple(map(int, onnxruntime.__version__.split(".")[:2])) > (1, 23) else 16
"""Images that integers are asked at once. With AMX, onnxruntime 1.23 answers the last of every so many rows wrongly
where a layer has more than 16 outputs and 16 does not divide them; in few rows it does not use AMX."""


def chain(*parts: keras.Layer, shape: tuple[int, ...] = PICTURE) -> keras.Model:
    return keras.Sequential([keras.Input(shape), *parts])


def functional(graph: Callable[[keras.KerasTensor], keras.KerasTensor], shape=PICTURE) -> keras.Model:
    image = keras.Input(shape)
    return keras.Model(image, graph(image))


def two_layers() -> keras.Model:
    """The first network of *Deep Learning with Python*."""
    return chain(layers.Dense(512, "relu"), layers.Dense(10, "softmax"), shape=(784,))


def quickstart_logits() -> keras.Model:
    """TensorFlow's quickstart for beginners: no softmax at the end."""
    flat = layers.Flatten()
    return chain(flat, layers.Dense(128, "relu"), layers.Dropout(0.2), layers.Dense(10), shape=(28, 28))


def two_of_512() -> keras.Model:
    """The MLP of Keras' first examples."""
    hidden = [layers.Dense(512, "relu"), layers.Dropout(0.2), layers.Dense(512, "relu"), layers.Dropout(0.2)]
    return chain(*hidden, layers.Dense(10, "softmax"), shape=(784,))


def activation_layers() -> keras.Model:
    return chain(
        layers.Flatten(),
        layers.Dense(64),
        layers.Activation("relu"),
        layers.Dense(32),
        layers.ReLU(),
        layers.Dense(10),
        layers.Activation("softmax"),
        shape=(28, 28),
    )


def sigmoid_mlp() -> keras.Model:
    """Nielsen's network."""
    return chain(layers.Dense(30, "sigmoid"), layers.Dense(10, "softmax"), shape=(784,))


def mnist_convnet() -> keras.Model:
    """Keras' own example."""
    return chain(
        layers.Conv2D(32, (3, 3), activation="relu"),
        layers.MaxPooling2D((2, 2)),
        layers.Conv2D(64, (3, 3), activation="relu"),
        layers.MaxPooling2D((2, 2)),
        layers.Flatten(),
        layers.Dropout(0.5),
        layers.Dense(10, "softmax"),
    )


def tflite_tutorial() -> keras.Model:
    """The network of TensorFlow Lite's tutorials on quantization."""
    return chain(
        layers.Reshape((28, 28, 1)),
        layers.Conv2D(12, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dense(10),
        shape=(28, 28),
    )


def strided() -> keras.Model:
    parts: list[keras.Layer] = []
    for filters, strides in ((16, 1), (16, 2), (32, 2)):
        parts.append(layers.Conv2D(filters, 3, strides, padding="same", use_bias=False))
        parts += [layers.BatchNormalization(), layers.ReLU()]
    return chain(*parts, layers.Flatten(), layers.Dense(10, "softmax"))


def lenet() -> keras.Model:
    """LeCun's LeNet-5."""
    return chain(
        layers.Conv2D(6, 5, padding="same", activation="tanh"),
        layers.AveragePooling2D(2),
        layers.Conv2D(16, 5, activation="tanh"),
        layers.AveragePooling2D(2),
        layers.Flatten(),
        layers.Dense(120, "tanh"),
        layers.Dense(84, "tanh"),
        layers.Dense(10, "softmax"),
    )


def global_pooling() -> keras.Model:
    parts: list[keras.Layer] = [layers.Rescaling(1 / 255)]
    for filters in (16, 24):
        parts += [layers.Conv2D(filters, 3), layers.BatchNormalization(), layers.Activation("relu")]
        parts += [layers.MaxPooling2D(3, 2, padding="same")]
    return chain(*parts, layers.GlobalAveragePooling2D(), layers.Dense(10, "softmax"))


def separable() -> keras.Model:
    return chain(
        layers.SeparableConv2D(16, 3, padding="same", depth_multiplier=2, activation="relu"),
        layers.DepthwiseConv2D(3, 2, padding="same", use_bias=False),
        layers.BatchNormalization(scale=False),
        layers.ReLU(6.0),
        layers.Conv2D(24, 3, dilation_rate=2, padding="same", groups=4),
        layers.GlobalMaxPooling2D(),
        layers.Dense(10, "softmax"),
    )


def leaky() -> keras.Model:
    return chain(
        layers.Conv2D(8, 3),
        layers.LeakyReLU(0.1),
        layers.Conv2D(8, 3, padding="same"),
        layers.PReLU(shared_axes=[1, 2]),
        layers.MaxPooling2D(),
        layers.Conv2D(8, 3, activation="leaky_relu"),
        layers.PReLU(),
        layers.Flatten(),
        layers.Dense(32, "elu"),
        layers.ELU(0.5),
        layers.Dense(32, "selu"),
        layers.Dense(10, "softmax"),
    )


def modern_functions() -> keras.Model:
    return chain(
        layers.Conv2D(8, 3, activation="silu"),
        layers.Conv2D(8, 3, 2, activation="gelu"),
        layers.Conv2D(8, 3, activation="relu6"),
        layers.Activation("hard_sigmoid"),
        layers.Flatten(),
        layers.Dense(32, "swish"),
        layers.Dense(10),
        layers.Softmax(),
    )


def augmented() -> keras.Model:
    return chain(
        layers.RandomRotation(0.1),
        layers.RandomTranslation(0.1, 0.1),
        layers.RandomZoom(0.1),
        layers.Rescaling(1 / 127.5, offset=-1),
        layers.Conv2D(8, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.SpatialDropout2D(0.1),
        layers.Flatten(),
        layers.Dense(10, "softmax"),
    )


def noise_and_padding() -> keras.Model:
    return chain(
        layers.GaussianNoise(0.1),
        layers.ZeroPadding2D(2),
        layers.Conv2D(8, 5, activation="relu"),
        layers.ZeroPadding2D(((1, 0), (0, 2))),
        layers.MaxPooling2D(),
        layers.Cropping2D(((1, 2), (0, 1))),
        layers.Conv2D(8, 3, activation="relu"),
        layers.AveragePooling2D(2, padding="same"),
        layers.GaussianDropout(0.1),
        layers.Flatten(),
        layers.Dense(10, "softmax"),
    )


def residual() -> keras.Model:
    def graph(values):
        values = layers.Conv2D(16, 3, padding="same", activation="relu")(values)
        for strides in (1, 2):
            inner = layers.Conv2D(16, 3, strides, padding="same")(values)
            inner = layers.Activation("relu")(layers.BatchNormalization()(inner))
            inner = layers.BatchNormalization()(layers.Conv2D(16, 3, padding="same")(inner))
            short = values if strides == 1 else layers.Conv2D(16, 1, 2)(values)
            values = layers.Activation("relu")(layers.Add()([inner, short]))
        return layers.Dense(10, "softmax")(layers.GlobalAveragePooling2D()(values))

    return functional(graph)


def inception() -> keras.Model:
    def graph(values):
        values = layers.MaxPooling2D()(layers.Conv2D(8, 3, padding="same", activation="relu")(values))
        branches = [
            layers.Conv2D(4, 1, activation="relu")(values),
            layers.Conv2D(4, 3, padding="same", activation="relu")(values),
            layers.Conv2D(4, 5, padding="same", activation="relu")(values),
            layers.Conv2D(4, 1)(layers.AveragePooling2D(3, 1, padding="same")(values)),
        ]
        flat = layers.Flatten()(layers.Concatenate()(branches))
        ends = [layers.Dense(16, "relu")(flat), layers.Dense(16, "tanh")(flat)]
        return layers.Dense(10, "softmax")(layers.Concatenate()(ends))

    return functional(graph)


def nested() -> keras.Model:
    """Models in a model, two blocks of one kind, and a layer that is called twice."""

    def block(side: int, channels: int) -> keras.Model:
        image = keras.Input((side, side, channels))
        values = layers.Conv2D(8, 3, padding="same", activation="relu")(image)
        return keras.Model(image, layers.MaxPooling2D()(layers.BatchNormalization()(values)))

    def graph(values):
        values = block(14, 8)(block(28, 1)(values))
        again = layers.Conv2D(8, 3, padding="same", activation="relu")
        values = again(again(values))
        return chain(
            layers.Flatten(), layers.Dense(24, "relu"), layers.Dense(10, "softmax"), shape=(7, 7, 8)
        )(values)

    return functional(graph)


def normalization() -> keras.Model:
    layer = layers.Normalization(axis=None)
    layer.adapt(np.random.default_rng(5).random((50, 28, 28, 1), np.float32))
    parts = [layers.Conv2D(8, 3, activation="relu"), layers.Flatten(), layers.BatchNormalization()]
    return chain(layer, *parts, layers.Dense(10, "softmax"))


def channels_first() -> keras.Model:
    first = {"data_format": "channels_first"}
    return chain(
        layers.Conv2D(8, 3, padding="same", activation="relu", **first),
        layers.BatchNormalization(axis=1),
        layers.MaxPooling2D(2, **first),
        layers.Conv2D(12, 3, strides=2, **first),
        layers.PReLU(shared_axes=[2, 3]),
        layers.Flatten(data_format="channels_last"),
        layers.Dense(10, "softmax"),
        shape=(1, 28, 28),
    )


def single_softmax() -> keras.Model:
    """Softmax regression."""
    return chain(layers.Flatten(), layers.Dense(10, "softmax"), shape=(28, 28))


NETWORKS: dict[str, Callable[[], keras.Model]] = {
    build.__name__: build
    for build in (
        two_layers, quickstart_logits, two_of_512, activation_layers, sigmoid_mlp, mnist_convnet, tflite_tutorial,
        strided, lenet, global_pooling, separable, leaky, modern_functions, augmented, noise_and_padding, residual,
        inception, nested, normalization, channels_first, single_softmax,
    )
}  # fmt: skip
"""By name, what builds them."""
DENSE = frozenset({"two_layers", "quickstart_logits", "two_of_512", "activation_layers"})
"""Those of them that are Dense layers with relu, and so go to every format."""
OFTEN = (
    "channels_first", "leaky", "lenet", "mnist_convnet", "modern_functions", "noise_and_padding", "residual",
    "separable",
)  # fmt: skip
"""Those that hold every kind of layer between them; what takes its time has only these, and all in `make stress`."""


def randomized(model: keras.Model, seed: int = 0) -> keras.Model:
    """Give a network weights, biases and statistics of batches that all matter."""
    generator = np.random.default_rng(seed)
    for layer in model._flatten_layers(include_self=False):
        if not layer.weights or isinstance(layer, keras.Model | layers.Normalization):
            continue
        fresh = []
        for variable in layer.weights:
            values = np.asarray(variable)
            if variable.name == "moving_variance":
                values = generator.uniform(0.5, 2.0, values.shape)
            elif not variable.name.endswith("kernel"):
                values = values + generator.normal(0, 0.1, values.shape)
            fresh.append(values.astype(np.float32))
        layer.set_weights(fresh)
    return model


def built(name: str, seed: int = 0) -> keras.Model:
    """Build a network with seeded weights."""
    keras.utils.set_random_seed(seed)
    return randomized(NETWORKS[name](), seed)


def saved(name: str, folder: Path) -> Path:
    """Save a network with seeded weights, unless it lies there."""
    path = folder / f"{name}.keras"
    if not path.exists():
        built(name).save(path)
    return path


@functools.cache
def exported(name: str, folder: Path) -> InferenceGraph:
    """Return a network with seeded weights as exports see it: built once for all tests of a process."""
    return load_inference_graph(saved(name, folder))


def answers(model: keras.Model, values: np.ndarray) -> np.ndarray:
    """Return Keras' own probabilities, a softmax taken of logits.

    Args:
        model: the network.
        values: what its author would feed, (n, 28, 28).
    """
    found = model(values.reshape(-1, *model.input_shape[1:]), training=False).numpy()
    if np.allclose(found.sum(axis=1), 1, atol=1e-3) and found.min() >= 0:
        return found
    powers = np.exp(found.astype(np.float64) - found.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


@functools.cache
def integers_of(name: str, folder: Path, calibration: bytes) -> IntegerGraph:
    """Return a network in integers, of the ranges that the images given as bytes come to."""
    images = np.frombuffer(calibration, np.uint8).reshape(-1, 28, 28)
    ranges = RANGE_METHODS["min-max"]
    rounded = round_network(exported(name, folder).steps, images, 8, per_channel=True)
    return rounded.with_ranges(ranges, ranges)
