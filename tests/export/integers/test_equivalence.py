"""Networks with units that say the same to every image, or nothing: as good in integers as in floats."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgedigits.datasets.split import Split
from edgedigits.errors import QuantizationError
from edgedigits.model_files.network_spec import Dense
from edgedigits.networks.build import load_network, set_weights, weighted_network
from edgedigits.networks.weighted import WeightedDense, WeightedNetwork, softmax
from edgedigits.training.splits import validation_indices
from edgedigits_export import ExportOptions, Target, export_model
from edgedigits_export.integers.calibration import ONNX_FORM, TFLITE_FORM, IntegerForm, Validation, calibrate
from edgedigits_export.integers.calibration_images import CalibrationSet
from edgedigits_export.integers.equivalence import SLACK
from edgedigits_export.integers.equivalence import absorb_constants as absorb_in_network
from edgedigits_export.integers.rounding import BIAS_STEPS, LEAST_SCALE_SHARE, quantize_biases, weight_scales

Layers = list[tuple[np.ndarray, np.ndarray]]
POINTS = 0.20
"""What an int8 file may lose: the bound of the gate."""


def as_network(layers: Layers) -> WeightedNetwork:
    """Dense layers of these kernels and biases: ReLU, and softmax at the end."""
    activations = ["relu"] * (len(layers) - 1) + ["softmax"]
    return WeightedNetwork.of(
        WeightedDense(Dense(f"dense_{index}", len(bias), activation), kernel, bias)
        for index, ((kernel, bias), activation) in enumerate(zip(layers, activations, strict=True))
    )


def as_layers(network: WeightedNetwork) -> Layers:
    return [(layer.kernel, layer.bias) for layer in network.layers]


def absorb_constants(layers: Layers, images: np.ndarray) -> Layers:
    return as_layers(absorb_in_network(as_network(layers), images))


def float_logits(layers: Layers, images: np.ndarray) -> np.ndarray:
    values = images.reshape(-1, 784).astype(np.float64)
    for index, (kernel, bias) in enumerate(layers):
        values = values @ kernel + bias
        if index < len(layers) - 1:
            values = np.maximum(values, 0)
    return values


# What is changed about a network. Layer 0 takes values from 0 to 1 here, as the Keras network does.


def constant(layer: int, units: range, weight: float, bias: float) -> Callable[[Layers], None]:
    """Make units (nearly) constant; the next layer's bias takes back what they give."""

    def change(layers: Layers) -> None:
        (kernel, own), (outgoing, following) = layers[layer : layer + 2]
        generator = np.random.default_rng(1)
        for unit in units:
            kernel[:, unit] = weight * generator.normal(size=len(kernel))
            own[unit] = bias
            following -= max(bias, 0) * outgoing[unit]

    return change


def unheard(layer: int, weight: float, louder: float) -> Callable[[Layers], None]:
    """Let a unit speak up that (nearly) nobody listens to."""

    def change(layers: Layers) -> None:
        (kernel, own), (outgoing, _) = layers[layer : layer + 2]
        outgoing[3] = weight * np.random.default_rng(1).normal(size=outgoing.shape[1])
        kernel[:, 3] *= louder
        own[3] *= louder

    return change


def dead_but_loud(layers: Layers) -> None:
    """A unit that never fires, with large weights behind it."""
    layers[0][0][:, 4], layers[0][1][4], layers[1][0][4] = 0, -0.4, 1e6


def class_without_weights(weight: float) -> Callable[[Layers], None]:
    def change(layers: Layers) -> None:
        layers[2][0][:, 3], layers[2][1][3] = weight, -5.0

    return change


def rescaled(first: float, second: float) -> Callable[[Layers], None]:
    """The same function with weights of other magnitudes."""

    def change(layers: Layers) -> None:
        layers[0][0][:] *= first
        layers[0][1][:] *= first
        layers[1][0][:] *= second
        layers[1][1][:] *= first * second
        layers[2][0][:] /= first * second

    return change


def silent_layer(layer: int) -> Callable[[Layers], None]:
    def change(layers: Layers) -> None:
        layers[layer][0][:], layers[layer][1][:] = 0, 0.3

    return change


ODD: dict[str, Callable[[Layers], None]] = {
    **{f"constant, {weight:g}": constant(0, range(3, 4), weight, 0.4) for weight in (0, 1e-30, 1e-12, 1e-9)},
    **{f"nearly constant, {weight:g}": constant(0, range(3, 4), weight, 0.4) for weight in (1e-6, 1e-3)},
    **{f"constant of {bias}": constant(0, range(3, 4), 1e-3, bias) for bias in (4, 400)},
    **{f"second layer, {weight:g}": constant(1, range(3, 4), weight, 0.4) for weight in (0, 1e-12, 1e-3)},
    "second layer, constant of 1000": constant(1, range(3, 4), 0.1, 1000),
    "forty constants": constant(0, range(40), 1e-9, 0.4),
    "ten constants in the second layer": constant(1, range(10), 1e-12, 0.4),
    **{f"dead, {weight:g}": constant(0, range(3, 4), weight, -0.4) for weight in (0, 1e-12)},
    **{f"dead in the second layer, {weight:g}": constant(1, range(3, 4), weight, -0.4) for weight in (0, 1e-12)},
    **{f"unheard, {weight:g}": unheard(0, weight, 1e6) for weight in (0, 1e-12)},
    **{f"unheard in the second layer, {weight:g}": unheard(1, weight, 1e6) for weight in (0, 1e-12)},
    "dead but loud": dead_but_loud,
    **{f"class without weights, {weight:g}": class_without_weights(weight) for weight in (0, 1e-12)},
    "tiny activations": rescaled(1e-8, 1e-8),
    "huge weights": rescaled(1e8, 1e8),
    "huge, then tiny": rescaled(1e8, 1e-12),
    "a first layer of constants": silent_layer(0),
    "a second layer of constants": silent_layer(1),
    "a last layer of constants": silent_layer(2),
}  # fmt: skip


@pytest.fixture(scope="module")
def trained(models: Path) -> Layers:
    return as_layers(weighted_network(load_network(models / "digits.keras")[0]))


def changed(trained: Layers, odd: str) -> Layers:
    """The changed network for pixels from 0 to 255."""
    layers = [(kernel.copy(), bias.copy()) for kernel, bias in trained]
    ODD[odd](layers)
    return [(layers[0][0] / np.float32(255), layers[0][1]), *layers[1:]]


@pytest.fixture(scope="module")
def draws(mnist_train: Split) -> list[CalibrationSet]:
    fit, _ = validation_indices(mnist_train.labels, 5_000, 0)
    return [CalibrationSet(mnist_train.images[fit[:1_000]], fit[:1_000], 0)]


FORMS = {"TFLite": TFLITE_FORM, "ONNX": ONNX_FORM}
BROKEN = ("constant, 0", "constant, 1e-12", "constant, 1e-09")


@pytest.mark.no_cover  # the fixture `models` has run the same lines
@pytest.mark.parametrize(
    ("form", "odd"),
    [
        # Half of them in either form; those that once gave broken files in both.
        pytest.param(
            form,
            odd,
            id=f"{name}-{odd}",
            marks=() if place % 2 == index or odd in BROKEN else pytest.mark.stress,
        )
        for index, (name, form) in enumerate(FORMS.items())
        for place, odd in enumerate(ODD)
    ],
)
def test_integers_are_as_accurate_as_floats(
    form: IntegerForm,
    odd: str,
    trained: Layers,
    draws: list[CalibrationSet],
    mnist_train: Split,
    mnist_test: Split,
) -> None:
    layers = changed(trained, odd)
    _, held_out = validation_indices(mnist_train.labels, 5_000, 0)
    images = mnist_train.images[held_out[:1_000]]
    validation = Validation(
        images, mnist_train.labels[held_out[:1_000]], softmax(float_logits(layers, images))
    )
    network = calibrate(as_network(layers), draws, validation, form).network
    answers = network.logits(mnist_test.images, rounded=form.integer_logits).argmax(axis=1)
    wanted = float_logits(layers, mnist_test.images).argmax(axis=1)
    scores = [100 * float((digits == mnist_test.labels).mean()) for digits in (answers, wanted)]
    assert scores[0] >= scores[1] - POINTS
    for layer in network.layers:
        # More than 1 is an output finer than its sums; XNNPACK takes what is below 256.
        assert (layer.accumulator_scales > 0).all()
        assert (layer.accumulator_scales <= np.float32(layer.output.scale)).all()


INTEGER_FILES = tuple(Target(name, "int8") for name in ("tflite", "onnx", "ort", "c"))


@pytest.mark.no_cover  # the fixture `models` has run the same lines
@pytest.mark.parametrize(
    "odd",
    [
        "constant, 0",
        "constant, 1e-12",
        pytest.param("ten constants in the second layer", marks=pytest.mark.stress),
        pytest.param("tiny activations", marks=pytest.mark.stress),
    ],
)
def test_the_files_pass_the_gate(
    odd: str, models: Path, mnist_train: Split, mnist_test: Split, tmp_path: Path
) -> None:
    # The gate of C compares every probability with TFLite's reference kernels.
    network, _ = load_network(models / "digits.keras")
    layers = as_layers(weighted_network(network))
    ODD[odd](layers)
    set_weights(network, as_network(layers))
    network.save(tmp_path / "odd.keras")
    targets = INTEGER_FILES
    exported, failed = export_model(
        tmp_path / "odd.keras",
        targets,
        mnist_train,
        mnist_test,
        options=ExportOptions(calibration_size=2_000),
    )
    assert [verification.failures for verification in failed] == []
    assert len(exported) == len(targets)


# What absorbing does


@pytest.fixture
def layers() -> Layers:
    generator = np.random.default_rng(5)
    shapes = ((784, 12), (12, 7), (7, 10))
    return [(generator.normal(size=shape) / shape[0], generator.normal(size=shape[1])) for shape in shapes]


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (400, 28, 28)).astype(np.uint8)


@pytest.mark.parametrize(
    ("weight", "bias"), [(0, 0.4), (1e-12, 0.4), (1e-6, 0.4), (1e-3, 0.4), (0, -0.4), (1e-9, -0.4), (0, 0)]
)
@pytest.mark.parametrize("layer", [0, 1])
def test_every_image_gets_the_same_logits(
    layer: int, weight: float, bias: float, layers: Layers, images: np.ndarray
) -> None:
    layers[layer][0][:, 2], layers[layer][1][2] = weight / 255, bias
    found = absorb_constants(layers, images[:50])
    others = np.concatenate([images, np.zeros_like(images[:1]), np.full_like(images[:1], 255)])
    np.testing.assert_allclose(float_logits(found, others), float_logits(layers, others), atol=1e-12)


def test_a_constant_goes_into_the_next_bias(layers: Layers, images: np.ndarray) -> None:
    layers[0][0][:, 2], layers[0][1][2] = 0, 0.4
    (kernel, bias), (outgoing, following), _ = absorb_constants(layers, images)
    assert not kernel[:, 2].any()
    assert bias[2] == 0
    assert not outgoing[2].any()
    np.testing.assert_allclose(following, layers[1][1] + 0.4 * layers[1][0][2], rtol=1e-12)


def test_what_any_image_could_give_goes_before_what_was_seen(layers: Layers, images: np.ndarray) -> None:
    bright = images | 128  # such images have much in common that others need not have
    layers[0][0][:, 2], layers[0][1][2] = 1e-6, 0.4
    assert absorb_constants(layers, bright)[0][1][2] == 0
    layers[0][0][:, 2] = 1e-2  # but for what is far more than the bias
    absorbed = 0.4 - absorb_constants(layers, bright)[0][1][2]
    assert absorbed > 100


@pytest.mark.parametrize("widths", [0.5, 3.9, 4.1, 6])
def test_a_unit_is_absorbed_as_far_as_it_hardly_varies(
    widths: float, layers: Layers, images: np.ndarray
) -> None:
    sums = images.reshape(-1, 784) @ layers[0][0][:, 2]
    # The least that is seen is so many times the width of what is seen; an image of zeros could give less.
    layers[0][1][2] = widths * np.ptp(sums) - sums.min()
    absorbed = layers[0][1][2] - absorb_constants(layers, images)[0][1][2]
    assert absorbed == pytest.approx(max(0, widths - SLACK) * np.ptp(sums), rel=1e-9)


def test_who_is_heard_only_by_unheard_units_is_silent(layers: Layers, images: np.ndarray) -> None:
    layers[2][0][4] = 0  # nobody hears unit 4 of the second layer,
    layers[1][0][5] = 0
    layers[1][0][5, 4] = 1e9  # the only one that hears unit 5 of the first
    (first, own), (second, _), _ = absorb_constants(layers, images)
    assert not first[:, 5].any()
    assert own[5] == 0
    assert not second[:, 4].any()
    assert not second[5].any()


def test_ordinary_units_stay_as_they_are(layers: Layers, images: np.ndarray) -> None:
    layers[0][1][:] = 0
    layers[1][1][:] = 0
    for (kernel, bias), (found, found_bias) in zip(layers, absorb_constants(layers, images), strict=True):
        np.testing.assert_array_equal(found, kernel)
        np.testing.assert_array_equal(found_bias, bias)


# Scales and biases


@pytest.mark.parametrize("per_channel", [True, False], ids=["per channel", "per tensor"])
@pytest.mark.parametrize("bias", [0.0, 1e-3, 1e6, 1e30])
@pytest.mark.parametrize("weight", [0.0, 1e-30, 1e-3, 1.0])
def test_a_step_is_never_too_fine_for_its_bias(weight: float, bias: float, per_channel: bool) -> None:
    kernel = np.full((20, 3), 0.5)
    kernel[:, 1] = weight
    biases = np.array([0.1, bias, -0.1])
    scales = weight_scales(kernel, biases, 0.01, per_channel=per_channel, largest=127)
    assert (scales >= np.abs(kernel).max(axis=0) / 127 * (1 - 1e-6)).all()
    assert scales.min() >= LEAST_SCALE_SHARE * scales.max() * (1 - 1e-6)
    counted = quantize_biases(biases, np.float32(0.01) * scales, np.full(kernel.shape, 127, np.int8))
    assert np.abs(counted).max() <= BIAS_STEPS * (1 + 1e-6)


def test_a_layer_of_nothing_has_a_step() -> None:
    scales = weight_scales(np.zeros((4, 2)), np.zeros(2), 1.0, per_channel=True, largest=127)
    assert scales.tolist() == [1, 1]


@pytest.mark.parametrize("bias", [0.4, -0.4, 1e300, float("nan")])
@pytest.mark.parametrize("step", [1e-12, 1e-30, 0.0])
def test_a_bias_that_int32_cannot_hold_is_refused(step: float, bias: float) -> None:
    biases, steps = np.array([0.0, bias]), np.array([1.0, step], np.float32)
    with pytest.raises(QuantizationError, match=r"unit 1 of a layer of 2 needs .* steps .*; train with"):
        quantize_biases(biases, steps, np.ones((5, 2), np.int8))


def test_the_sum_beside_a_bias_needs_its_room() -> None:
    weights = np.full((100, 1), -127, np.int8)
    room = 2**31 - 1 - 100 * 127 * 255
    assert quantize_biases(np.array([float(room)]), np.ones(1, np.float32), weights).tolist() == [room]
    for bias in (room + 1, -room - 1, 2**31 - 1):
        with pytest.raises(QuantizationError):
            quantize_biases(np.array([float(bias)]), np.ones(1, np.float32), weights)


def test_a_bias_is_told_to_half_a_step() -> None:
    generator = np.random.default_rng(2)
    biases, steps = generator.normal(size=50), generator.uniform(1e-6, 1e-2, 50).astype(np.float32)
    counted = quantize_biases(biases, steps, np.zeros((3, 50), np.int8))
    assert counted.dtype == np.int32
    assert (np.abs(counted * steps.astype(np.float64) - biases) <= steps / 2).all()
