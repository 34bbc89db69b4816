import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgedigits.model_files.network_spec import Dense
from edgedigits.networks.weighted import WeightedDense, WeightedNetwork, softmax
from edgedigits_export.integers import equivalence
from edgedigits_export.integers.grids import RANGE_METHODS, Grid, least_squares, min_max, percentile
from edgedigits_export.integers.quantization import IntegerNetwork, divergence, round_weights
from edgedigits_export.integers.rounding import round_with_feedback, weight_scales

Layers = list[tuple[np.ndarray, np.ndarray]]
numbers = st.floats(-1e3, 1e3, width=32)


def as_network(layers: Layers) -> WeightedNetwork:
    """Dense layers of these kernels and biases: ReLU, and softmax at the end."""
    activations = ["relu"] * (len(layers) - 1) + ["softmax"]
    return WeightedNetwork.of(
        WeightedDense(Dense(f"dense_{index}", len(bias), activation), kernel, bias)
        for index, ((kernel, bias), activation) in enumerate(zip(layers, activations, strict=True))
    )


def as_layers(network: WeightedNetwork) -> Layers:
    return [(layer.kernel, layer.bias) for layer in network.layers]


def center(layers: Layers) -> Layers:
    return as_layers(equivalence.center(as_network(layers)))


def equalize(layers: Layers) -> Layers:
    return as_layers(equivalence.equalize(as_network(layers)))


@pytest.fixture(scope="module")
def layers() -> Layers:
    """A network of odd widths whose units differ a hundredfold in scale, as trained ones do."""
    generator = np.random.default_rng(7)
    widths = [784, 17, 6, 10]
    return [
        (
            (generator.normal(size=shape) * generator.lognormal(0, 1, shape[1]) / shape[0]).astype(
                np.float32
            ),
            generator.normal(size=shape[1]).astype(np.float32),
        )
        for shape in itertools.pairwise(widths)
    ]


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Random pictures with a dark border, so that some inputs never vary."""
    pictures = np.zeros((300, 28, 28), np.uint8)
    pictures[:, 4:24, 4:24] = np.random.default_rng(3).integers(0, 256, (300, 20, 20))
    return pictures


def float_logits(layers: Layers, images: np.ndarray) -> np.ndarray:
    values = images.reshape(-1, 784).astype(np.float64)
    for index, (kernel, bias) in enumerate(layers):
        values = values @ kernel + bias
        if index < len(layers) - 1:
            values = np.maximum(values, 0)
    return values


def quantized(
    layers: Layers, images: np.ndarray, *, per_channel: bool = False, bits: int = 8
) -> IntegerNetwork:
    return round_weights(as_network(layers), images, per_channel=per_channel, bits=bits).with_ranges(
        min_max, least_squares
    )


# Grids


@given(st.floats(-1e4, 0), st.floats(0, 1e4), hnp.arrays(np.float64, 20, elements=st.floats(-1, 1)))
def test_a_grid_holds_zero_and_rounds_by_at_most_half_a_step(
    low: float, high: float, shares: np.ndarray
) -> None:
    assume(high - low > 1e-3)
    grid = Grid.covering(low, high)
    assert grid.round(np.zeros(1))[0] == 0
    assert 0 <= grid.zero_point <= 255
    values = np.where(shares < 0, shares * -grid.low, shares * grid.high)
    assert np.abs(grid.round(values) - values).max() <= grid.scale / 2 * (1 + 1e-9)
    # Moved by at most half a step so that zero is on it.
    assert abs(grid.low - low) <= grid.scale * 0.51
    assert abs(grid.high - high) <= grid.scale * 0.51


def test_values_off_the_grid_go_to_its_ends() -> None:
    grid = Grid.covering(-1, 3)
    np.testing.assert_allclose(grid.round(np.array([-9.0, 9.0])), [grid.low, grid.high])


def test_a_range_of_nothing_is_still_a_grid() -> None:
    assert Grid.covering(0, 0).round(np.zeros(3)).tolist() == [0, 0, 0]


# Ranges


@pytest.mark.parametrize("logits", [False, True], ids=["hidden", "logits"])
@pytest.mark.parametrize("method", RANGE_METHODS)
def test_every_range_holds_zero_and_is_no_wider_than_what_was_seen(method: str, logits: bool) -> None:
    values = np.random.default_rng(1).normal(2, 3, (500, 10))
    values = values if logits else np.maximum(values, 0)
    grid, widest = RANGE_METHODS[method](values, logits), min_max(values, logits)
    assert grid.low <= 0 < grid.high
    assert grid.scale <= widest.scale
    assert (grid.zero_point == 0) is not logits


def test_a_percentile_leaves_an_outlier_out() -> None:
    values = np.linspace(0, 1, 100_000).reshape(-1, 10)
    values[0, 0] = 50
    assert min_max(values, False).high == pytest.approx(50)
    assert percentile(values, False).high == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize("logits", [False, True], ids=["hidden", "logits"])
def test_least_squares_is_no_worse_than_the_whole_range(logits: bool) -> None:
    generator = np.random.default_rng(2)
    values = generator.laplace(0, 1, (2_000, 10)) * np.where(generator.random((2_000, 1)) < 0.01, 40, 1)
    values = values if logits else np.abs(values)

    def error(grid: Grid) -> float:
        rounded = grid.round(values)
        return float(np.square(softmax(rounded) - softmax(values) if logits else rounded - values).mean())

    assert error(least_squares(values, logits)) < error(min_max(values, logits))


# What keeps the function


def test_centering_keeps_the_probabilities(layers: Layers, images: np.ndarray) -> None:
    centered = float_logits(center(layers), images)
    np.testing.assert_allclose(centered.sum(axis=1), 0, atol=1e-9)
    np.testing.assert_allclose(softmax(centered), softmax(float_logits(layers, images)), atol=1e-12)


def test_equalization_keeps_the_logits_and_evens_the_ranges(layers: Layers, images: np.ndarray) -> None:
    equalized = equalize(center(layers))
    np.testing.assert_allclose(
        float_logits(equalized, images), float_logits(center(layers), images), atol=1e-9
    )
    for (kernel, _), (outgoing, _) in itertools.pairwise(equalized):
        ratio = np.abs(kernel).max(axis=0) / np.abs(outgoing).max(axis=1)
        np.testing.assert_allclose(ratio, 1, rtol=1e-3)


def test_equalization_leaves_dead_units_alone(layers: Layers, images: np.ndarray) -> None:
    dead = [(kernel.astype(np.float64).copy(), bias.astype(np.float64)) for kernel, bias in layers]
    dead[0][0][:, 3] = 0  # nothing comes in
    dead[1][0][5] = 0  # nothing goes out
    equalized = equalize(dead)
    assert all(np.isfinite(kernel).all() for kernel, _ in equalized)
    np.testing.assert_allclose(float_logits(equalized, images), float_logits(dead, images), atol=1e-9)


# Rounding


@pytest.mark.parametrize("bits", [8, 7])
@pytest.mark.parametrize("per_channel", [True, False], ids=["per channel", "per tensor"])
def test_feedback_brings_the_sums_closer_than_plain_rounding(
    per_channel: bool, bits: int, layers: Layers, images: np.ndarray
) -> None:
    kernel = layers[0][0].astype(np.float64)
    # Neighbouring pixels go together, as in pictures of strokes; random ones would leave nothing to make up for.
    values = np.repeat(images.reshape(-1, 784)[:, ::8], 8, axis=1)[:, :784].astype(np.float64)
    largest = 2 ** (bits - 1) - 1
    scales = weight_scales(kernel, np.zeros(17), 1.0, per_channel=per_channel, largest=largest)
    weights = round_with_feedback(kernel, values, scales, largest)
    assert (weights.dtype, scales.dtype) == (np.int8, np.float32)
    assert np.abs(weights.astype(int)).max() == largest
    assert (len(set(scales.tolist())) == 1) is not per_channel
    plain = np.clip(np.rint(kernel / scales), -largest, largest) * scales
    errors = [np.square(values @ (kernel - rounded)).mean() for rounded in (weights * scales, plain)]
    assert errors[0] < 0.5 * errors[1]


def test_inputs_that_are_always_zero_do_no_harm(layers: Layers) -> None:
    kernel = layers[0][0].astype(np.float64)
    scales = weight_scales(kernel, np.zeros(17), 1.0, per_channel=True, largest=127)
    weights = round_with_feedback(kernel, np.zeros((5, 784)), scales, 127)
    # Nothing goes together with anything: plain rounding.
    assert np.abs(weights * scales - layers[0][0]).max() <= scales.max() / 2 * (1 + 1e-6)


# Integer networks


def naive_logits(network: IntegerNetwork, images: np.ndarray) -> np.ndarray:
    """The same with Python's whole numbers, one image and one unit after the other."""
    results = []
    for image in images.reshape(-1, 784).tolist():
        values = image
        for layer in network.layers:
            outputs = []
            for unit in range(layer.weights.shape[1]):
                total = int(layer.bias[unit])
                for value, weight in zip(values, layer.weights[:, unit].tolist(), strict=True):
                    total += int(value) * weight
                outputs.append(total * float(layer.accumulator_scales[unit]))
            values = [min(255, max(0, round(output / layer.output.scale))) for output in outputs]
        results.append(outputs)
    return np.array(results)


@pytest.mark.parametrize("per_channel", [True, False], ids=["per channel", "per tensor"])
def test_the_logits_are_those_of_whole_numbers(per_channel: bool, layers: Layers, images: np.ndarray) -> None:
    network = quantized(layers, images, per_channel=per_channel)
    np.testing.assert_allclose(network.logits(images[:9]), naive_logits(network, images[:9]), rtol=1e-12)
    rounded = network.logits(images[:9], rounded=True)
    np.testing.assert_array_equal(rounded, network.layers[-1].output.round(network.logits(images[:9])))


@pytest.mark.parametrize("per_channel", [True, False], ids=["per channel", "per tensor"])
def test_an_integer_network_stays_close_to_its_own(
    per_channel: bool, layers: Layers, images: np.ndarray
) -> None:
    wanted = float_logits(center(layers), images)
    error = quantized(layers, images, per_channel=per_channel).logits(images) - wanted
    # 8 bits are one part in 255 of the range; three layers add up.
    assert np.abs(error).max() < 0.03 * np.ptp(wanted)


def test_the_ranges_have_names(layers: Layers, images: np.ndarray) -> None:
    network = quantized(layers, images)
    assert list(network.ranges) == ["hidden 1", "hidden 2", "logits"]
    assert all(low <= 0 < high for low, high in network.ranges.values())


# Saturation


def vpmaddubsw_logits(network: IntegerNetwork, images: np.ndarray) -> np.ndarray:
    """Add two neighbouring products in int16, saturated, then all of these in int32."""
    values = images.reshape(-1, 784).astype(np.int64)
    for layer in network.layers:
        weights = layer.weights.astype(np.int64)
        if len(weights) % 2:
            weights = np.vstack([weights, np.zeros_like(weights[:1])])
            values = np.hstack([values, np.zeros_like(values[:, :1])])
        products = values[:, :, np.newaxis] * weights
        pairs = np.clip(products[:, 0::2] + products[:, 1::2], -(2**15), 2**15 - 1)
        outputs = (pairs.sum(axis=1) + layer.bias) * layer.accumulator_scales.astype(np.float64)
        values = layer.output.quantize(outputs).astype(np.int64)
    return outputs


def test_saturation_is_that_of_16_bit_sums(layers: Layers, images: np.ndarray) -> None:
    network = quantized(layers, images, per_channel=True)
    assert network.saturating_pairs > 0
    found = network.logits(images[:20], saturating=True)
    np.testing.assert_allclose(found, vpmaddubsw_logits(network, images[:20]), rtol=1e-12)
    assert np.abs(found - network.logits(images[:20])).max() > 0


def test_seven_bits_never_saturate(layers: Layers, images: np.ndarray) -> None:
    network = quantized(layers, images, per_channel=True, bits=7)
    assert network.saturating_pairs == 0
    np.testing.assert_array_equal(network.logits(images, saturating=True), network.logits(images))


# Divergence


@given(hnp.arrays(np.float64, (5, 10), elements=numbers), hnp.arrays(np.float64, (5, 10), elements=numbers))
def test_a_divergence_is_never_negative(logits: np.ndarray, others: np.ndarray) -> None:
    probabilities = softmax(logits)
    assert divergence(probabilities, logits) == pytest.approx(0, abs=1e-9)
    assert divergence(probabilities, others) >= -1e-9


def test_a_divergence_is_that_of_the_formula() -> None:
    probabilities, other = np.array([[0.5, 0.5]]), np.array([[0.25, 0.75]])
    expected = 0.5 * np.log(0.5 / 0.25) + 0.5 * np.log(0.5 / 0.75)
    assert divergence(probabilities, np.log(other)) == pytest.approx(expected)
