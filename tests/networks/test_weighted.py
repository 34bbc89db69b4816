"""Layers with their weights: shapes, what is folded into them, and answers that are Keras' own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgedigits.model_files.network_spec import Dense, Dropout, Flatten, NetworkSpec, Rescaling, network_spec
from edgedigits.networks.build import build_network, weighted_network
from edgedigits.networks.weighted import WeightedDense, WeightedNetwork, softmax

INPUTS, UNITS = 20, 7


def dense(*, activation: str = "relu", seed: int = 0, dtype: type = np.float32) -> WeightedDense:
    generator = np.random.default_rng(seed)
    kernel, bias = generator.normal(size=(INPUTS, UNITS)), generator.normal(size=UNITS)
    return WeightedDense(Dense("dense", UNITS, activation), kernel.astype(dtype), bias.astype(dtype))


def values(rows: int = 5) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(rows, INPUTS))


# Shapes and counts


def test_a_network_knows_the_shapes_between_its_layers() -> None:
    layers = (Rescaling("scale", 2.0), Flatten("flat"), Dense("one", 5, "relu"), Dropout("drop", 0.5))
    spec = NetworkSpec((28, 28, 1), (*layers, Dense("last", 10, "softmax")))
    assert spec.shapes == ((28, 28, 1), (28, 28, 1), (784,), (5,), (5,), (10,))
    assert spec.parameters == 784 * 5 + 5 + 5 * 10 + 10
    assert (spec.arch, spec.rescaling) == ("5", layers[0])


def test_a_deployed_layer_has_the_shapes_of_its_description() -> None:
    layer = dense()
    assert (layer.inputs, layer.outputs) == ((INPUTS,), (UNITS,))
    assert layer.parameters == sum(array.size for array in layer.arrays) == INPUTS * UNITS + UNITS
    assert layer.answers(values()).shape == (5, *layer.outputs)


@pytest.mark.parametrize(
    ("kernel", "bias"), [((INPUTS, UNITS + 1), (UNITS,)), ((INPUTS, UNITS), (UNITS + 1,)), ((INPUTS, UNITS), (1,))]
)  # fmt: skip
def test_arrays_of_other_shapes_are_refused(kernel: tuple[int, int], bias: tuple[int]) -> None:
    with pytest.raises(ValueError, match=r"Dense 7 relu: expected kernel and bias of shapes"):
        WeightedDense(Dense("dense", UNITS, "relu"), np.zeros(kernel), np.zeros(bias))


# What is folded in


@given(st.floats(-4, 4), st.floats(-4, 4))
def test_a_scaling_is_folded_in(factor: float, offset: float) -> None:
    layer = dense()
    folded = layer.folded(factor, offset)
    assert {array.dtype for array in folded.arrays} == {np.dtype(np.float32)}
    # Each weight and the bias are rounded to float32 once: 6e-8 of terms whose sum of magnitudes is below 400.
    np.testing.assert_allclose(folded.sums(values()), layer.sums(factor * values() + offset), atol=5e-5)


def test_without_an_offset_the_bias_keeps_its_bits() -> None:
    np.testing.assert_array_equal(dense().folded(1 / 255, 0.0).bias, dense().bias)


def test_a_temperature_divides_the_sums() -> None:
    layer = dense(activation="softmax")
    np.testing.assert_allclose(layer.divided(1.7).sums(values()), layer.sums(values()) / 1.7, atol=1e-5)
    np.testing.assert_array_equal(layer.divided(1.0).kernel, layer.kernel)


def test_a_network_is_changed_at_its_ends_only() -> None:
    network = weighted_network(build_network(network_spec((6, 5)), seed=1))
    assert network.folded(0.5, 0.25).layers[1:] == network.layers[1:]
    assert network.cooled(2.0).layers[:-1] == network.layers[:-1]
    assert network.folded(0.5, 0.25).layers[0].spec == network.layers[0].spec


# Answers


@pytest.mark.parametrize("widths", [(5,), (17, 5, 3)], ids=str)
def test_the_answers_are_keras_own(widths: tuple[int, ...]) -> None:
    keras_network = build_network(network_spec(widths), seed=3)
    images = np.random.default_rng(2).random((9, 28, 28), np.float32)
    network: WeightedNetwork = weighted_network(keras_network)
    logits = network.logits(images)
    assert (logits.shape, logits.dtype) == ((9, 10), np.float32)
    # Sums of 784 float32 terms, in another order.
    np.testing.assert_allclose(softmax(logits), keras_network(images, training=False), atol=1e-6)
    assert network.astype(np.float64).logits(images).dtype == np.float64
