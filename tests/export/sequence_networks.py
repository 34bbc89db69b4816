"""Digits networks that take a picture as a sequence of its rows, or of pieces; and layers that few networks have."""

from collections.abc import Callable

import keras
from keras import layers
from networks import chain, functional

ROWS = (28, 28)


def lstm() -> keras.Model:
    """Keras' example of a picture as 28 rows."""
    return chain(layers.LSTM(16), layers.Dense(10, "softmax"), shape=ROWS)


def gru() -> keras.Model:
    return chain(
        layers.GRU(12, return_sequences=True),
        layers.GRU(8, reset_after=False, go_backwards=True),
        layers.Dense(10, "softmax"),
        shape=ROWS,
    )


def simple_rnn() -> keras.Model:
    """Le, Jaitly and Hinton's network of rectified units, row by row."""
    return chain(layers.SimpleRNN(16, "relu", use_bias=False), layers.Dense(10), shape=ROWS)


def bidirectional() -> keras.Model:
    return chain(
        layers.Reshape(ROWS),
        layers.Bidirectional(layers.LSTM(6, return_sequences=True)),
        layers.Bidirectional(layers.GRU(5, return_sequences=True), merge_mode="mul"),
        layers.Bidirectional(layers.SimpleRNN(5), merge_mode="ave"),
        layers.Dense(10, "softmax"),
    )


def conv1d() -> keras.Model:
    return chain(
        layers.Conv1D(8, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.MaxPooling1D(2),
        layers.Conv1D(8, 3, padding="causal", dilation_rate=2),
        layers.Conv1D(6, 3, 2, padding="same", groups=2, activation="relu"),
        layers.Flatten(),
        layers.Dense(10, "softmax"),
        shape=ROWS,
    )


def small_vit() -> keras.Model:
    """A vision transformer of two blocks over 16 pieces."""

    def graph(values):
        values = layers.Reshape((16, 12))(layers.Conv2D(12, 7, 7)(values))
        for _ in range(2):
            normal = layers.LayerNormalization(epsilon=1e-6)(values)
            values = layers.Add()([values, layers.MultiHeadAttention(3, 4)(normal, normal)])
            normal = layers.LayerNormalization()(values)
            values = layers.Add()([values, layers.Dense(12)(layers.Dense(20, "gelu")(normal))])
        return layers.Dense(10, "softmax")(layers.GlobalAveragePooling1D()(values))

    return functional(graph)


def squeeze() -> keras.Model:
    """What is left: branches that multiply, sides that change places, maps of another size."""

    def graph(values):
        values = layers.Resizing(20, 13)(values)
        values = layers.Conv2D(4, 3, padding="same", activation="softplus")(values)
        values = layers.Multiply()([values, layers.Conv2D(4, 1, activation="sigmoid")(values)])
        values = layers.UpSampling2D((2, 1), interpolation="bilinear")(values)
        values = layers.Resizing(9, 17, interpolation="nearest")(layers.UpSampling2D(2)(values))
        values = layers.Flatten()(layers.Permute((3, 1, 2))(values))
        return layers.Dense(10, "softmax")(layers.LayerNormalization()(layers.Dense(12, "relu")(values)))

    return functional(graph)


def attention_to_another() -> keras.Model:
    def graph(values):
        rows = layers.Dense(8)(values)
        columns = layers.AveragePooling1D(4)(layers.Dense(8)(layers.Permute((2, 1))(values)))
        both = layers.MultiHeadAttention(2, 3, value_dim=5, use_bias=False)(rows, columns)
        both = layers.Concatenate(axis=1)([both, columns, layers.Multiply()([rows, rows])])
        return layers.Dense(10, "softmax")(layers.GlobalMaxPooling1D()(both))

    return functional(graph, ROWS)


TYPICAL: dict[str, Callable[[], keras.Model]] = {
    build.__name__: build for build in (lstm, gru, simple_rnn, bidirectional, conv1d, small_vit)
}
"""Those of the 27 typical networks that are not in ``networks.NETWORKS``."""
SEQUENCES = {**TYPICAL, "squeeze": squeeze, "attention_to_another": attention_to_another}
