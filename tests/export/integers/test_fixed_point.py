"""The integers that are read from a TFLite file, computed with here and by LiteRT's reference kernels."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgedigits.datasets.split import Split
from edgedigits.errors import ContractError, ModelFileError
from edgedigits_export.integers.fixed_point import (
    INT32_MAX,
    FixedPointNetwork,
    exponential_table,
    quantize_multipliers,
    read_fixed_point_network,
    rounding_shift,
)
from edgedigits_export.integers.reference_kernels import reference_answers

WIDTHS = [(10,), (1, 10), (17, 5, 3, 10), (40, 30, 10)]


def logits_of(network: FixedPointNetwork, pixels: np.ndarray) -> np.ndarray:
    """The network in int64, as the docstrings of its fields say."""
    values = pixels.reshape(len(pixels), -1).astype(np.int64)
    for layer in network.layers:
        sums = values @ layer.weights.T.astype(np.int64) + layer.biases
        shifts = layer.shifts.astype(np.int64)
        scaled = (sums * layer.multipliers + (1 << (shifts - 1))) >> shifts
        values = np.clip(scaled + layer.zero_point, layer.lowest, 255)
    return values


@pytest.mark.parametrize("per_tensor", [False, True], ids=["scale per output", "scale per tensor"])
@pytest.mark.parametrize("widths", WIDTHS, ids=str)
def test_logits_are_those_of_the_reference_kernels(
    widths, per_tensor, make_layers, make_model, dataset: tuple[Split, Split]
) -> None:
    pixels = dataset[1].images[:500]
    for seed in range(3):
        content = make_model(make_layers(widths, seed, per_tensor=per_tensor))
        expected, _ = reference_answers(content, pixels)
        assert expected.std() > 5  # not all at one end
        np.testing.assert_array_equal(logits_of(read_fixed_point_network(content), pixels), expected)


def test_a_layer_without_biases_has_zeros(make_layers, make_model, dataset: tuple[Split, Split]) -> None:
    layers = [dataclasses.replace(layer, biases=None) for layer in make_layers((6, 10), 0)]
    content = make_model(layers)
    expected, _ = reference_answers(content, dataset[1].images[:100])
    np.testing.assert_array_equal(
        logits_of(read_fixed_point_network(content), dataset[1].images[:100]), expected
    )


def near_ties(scale: float, other: float) -> np.ndarray:
    """Ten sums that one scale rounds up and the other down: they lie between the two ties."""
    targets = np.array([-90.5, -80.5, -70.5, -60.5, -50.5, 50.5, 60.5, 70.5, 80.5, 90.5])
    return np.round(targets * (1 / scale + 1 / other) / 2).astype(np.int64)


@pytest.mark.parametrize("per_tensor", [False, True], ids=["scale per output", "scale per tensor"])
def test_scales_are_multiplied_in_the_precision_of_the_kernels(
    per_tensor, make_model, int8_layer, dataset: tuple[Split, Split]
) -> None:
    # An outer layer of which only the scale matters, then sums that are the biases alone.
    inner, weight_scale = np.float32(1.1), np.float32(2.0**-25 * 1.3)
    in_float32, in_float64 = float(inner * weight_scale), float(inner) * float(weight_scale)
    # They have to be apart by more than a part in the sums, 2**30 at most, for the sums to tell.
    assert abs(in_float32 / in_float64 - 1) > 2**-27
    biases = near_ties(in_float32, in_float64)
    # Not all weights may be 0: this one is of a pixel in the corner, which is 0 itself.
    corner, nothing = np.zeros((4, 784), np.int8), np.zeros((10, 4), np.int8)
    corner[0, 0] = nothing[0, 0] = 1
    first = int8_layer(corner, None, np.float32([1e-3]), float(inner), 0, relu=True)
    scales = np.full(1 if per_tensor else 10, weight_scale)
    last = int8_layer(nothing, biases, scales, 1.0, 0, relu=False)
    content = make_model([first, last])
    pixels = dataset[1].images[:1]
    assert pixels[0, 0, 0] == 0

    (found,) = logits_of(read_fixed_point_network(content), pixels)
    ((expected,), _) = reference_answers(content, pixels)

    np.testing.assert_array_equal(found, expected)
    in_either = [
        [math.floor(bias * scale + 0.5) + 128 for bias in biases.tolist()]
        for scale in (in_float64, in_float32)
    ]
    assert found.tolist() == in_either[0] != in_either[1]


@given(st.floats(1e-9, 1e4))
def test_a_multiplier_and_its_shift_are_the_scale(scale: float) -> None:
    (multiplier,), (shift,) = quantize_multipliers([scale], 1)
    assert 2**30 <= multiplier <= INT32_MAX
    # Half a step of the 31 bits that a multiplier has.
    assert abs(int(multiplier) / 2.0 ** int(shift) / scale - 1) <= 2**-31


@given(st.integers(-(2**40), 2**40), st.integers(1, 40))
def test_a_rounding_shift_is_at_most_half_a_step_off(value: int, bits: int) -> None:
    assert abs(rounding_shift(value, bits) * 2**bits - value) * 2 <= 2**bits
    assert rounding_shift(-value, bits) == -rounding_shift(value, bits)


@given(st.floats(0.001, 4.0))
def test_the_table_of_exponentials_is_as_exact_as_its_polynomial(logit_scale: float) -> None:
    table = exponential_table(logit_scale)
    assert table[0] == INT32_MAX
    exact = np.exp(-np.arange(len(table)) * logit_scale)
    # A polynomial of fourth order leaves out (1/8)**5 / 120 = 2.5e-7 at a distance of 1/8; the exponent has 26 bits.
    np.testing.assert_allclose(np.array(table) / 2**31, exact, rtol=0, atol=2.5e-7 + 2**-26)


def test_the_table_ends_where_nothing_is_added(make_layers, make_model) -> None:
    for logit_scale in (0.01, 0.6, 4.0):
        network = read_fixed_point_network(make_model(make_layers((10,), 0, logit_scale=logit_scale)))
        whole = exponential_table(float(np.float32(logit_scale)))
        kept = network.exponentials
        assert kept == tuple(whole[: len(kept)])
        assert all(rounding_shift(value, 12) > 0 for value in kept)
        assert all(rounding_shift(value, 12) == 0 for value in whole[len(kept) :])


def test_scratch_is_for_two_neighbours(make_layers, make_model) -> None:
    for widths, scratch in (((10,), 0), ((17, 10), 17), ((17, 5, 3, 10), 22), ((4, 9, 8, 10), 17)):
        assert read_fixed_point_network(make_model(make_layers(widths, 0))).scratch_bytes == scratch


def test_parameters_are_weights_and_nine_bytes_for_each_output(make_layers, make_model) -> None:
    network = read_fixed_point_network(make_model(make_layers((17, 10), 0)))
    assert network.parameter_bytes == 784 * 17 + 17 * 10 + 27 * (4 + 4 + 1)


# What is refused


def test_a_float_file_is_refused(models) -> None:
    with pytest.raises(
        ContractError, match=r"expected RESHAPE, FULLY_CONNECTED, \.\.\., SOFTMAX, found CAST"
    ):
        read_fixed_point_network((models / "digits.tflite").read_bytes())


def test_what_is_no_tflite_file_is_refused() -> None:
    with pytest.raises(ModelFileError, match="no TFLite model"):
        read_fixed_point_network(b"not a flatbuffer")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            {"weights": np.ones((9, 784), np.int8), "biases": None, "weight_scales": np.float32([1])},
            "a SOFTMAX as edgedigits exports it",
        ),
        ({"biases": np.full(10, INT32_MAX)}, "sums within int32"),
        ({"weight_scales": np.float32([-1.0])}, "positive scales of a usual size"),
        ({"weight_scales": np.float32([1e-14]), "scale": 1e-8}, "positive scales of a usual size"),
        ({"weight_scales": np.float32([1e3]), "scale": 1e-6}, "a FULLY_CONNECTED as edgedigits exports it"),
    ],
    ids=["9 classes", "overflow", "negative scale", "tiny logits", "huge scale"],
)
def test_a_network_that_the_kernels_would_garble_is_refused(
    change: dict, complaint: str, make_layers, make_model
) -> None:
    layer = dataclasses.replace(make_layers((10,), 0)[0], **change)
    # Most of it is refused as soon as the file is read, before anybody takes integers out of it.
    with pytest.raises((ContractError, ModelFileError), match=f"expected {complaint}"):
        read_fixed_point_network(make_model([layer]))


def test_another_softmax_is_refused(make_layers, make_model) -> None:
    with pytest.raises(ModelFileError, match="expected a SOFTMAX as edgedigits exports it"):
        read_fixed_point_network(make_model(make_layers((10,), 0), beta=2.0))


def test_both_kinds_of_edges_give_the_same_integers(models, dataset, tmp_path) -> None:
    from edgedigits_export import ExportOptions, export_model, select_targets

    options = ExportOptions(calibration_size=200, max_drop=5.0, edges="uint8")
    targets = select_targets("tflite", "int8")
    (other,), _ = export_model(models / "digits.keras", targets, *dataset, folder=tmp_path, options=options)
    signed, unsigned = (
        read_fixed_point_network(path.read_bytes()) for path in (models / "digits.int8.tflite", other.path)
    )
    for ours, theirs in zip(signed.layers, unsigned.layers, strict=True):
        for field in ("weights", "biases", "multipliers", "shifts", "zero_point", "lowest"):
            np.testing.assert_array_equal(getattr(ours, field), getattr(theirs, field))
    assert signed.exponentials == unsigned.exponentials
    pixels = dataset[1].images[:50]
    for ours, theirs in zip(
        *(
            reference_answers(path.read_bytes(), pixels)
            for path in (models / "digits.int8.tflite", other.path)
        ),
        strict=True,
    ):
        np.testing.assert_array_equal(ours, theirs)
