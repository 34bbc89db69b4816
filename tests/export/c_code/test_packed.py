"""Packed C: weights of few bits, every integer that of the simulation and of LiteRT's reference kernels."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from edgedigits.datasets.split import Split
from edgedigits.input_scale import INPUT_SCALES
from edgedigits.metadata import ModelMetadata
from edgedigits.model_files.quantized_bits import read_bits
from edgedigits.model_files.trained_networks import trained_spec
from edgedigits.runtimes.c_compiler import find_compiler
from edgedigits_export.c_code.packed import PackedNetwork
from edgedigits_export.c_code.packed_layers import NotPackedError
from edgedigits_export.footprint import drawn_weights
from edgedigits_export.formats.c_source import render_header, render_source
from edgedigits_export.formats.tflite_integer_steps import integers_to_tflite
from edgedigits_export.graph.lowering import lowered
from edgedigits_export.graph.steps import Pool
from edgedigits_export.integers.graph_kernels import IntegerGraph
from edgedigits_export.integers.graph_quantization import round_graph
from edgedigits_export.integers.graph_steps import IntegerConvolution, IntegerProduct
from edgedigits_export.integers.grids import PIXEL_GRID, min_max
from edgedigits_export.integers.reference_kernels import reference_answers
from edgedigits_export.integers.weight_grids import whole_weights

METADATA = ModelMetadata("any", "int8", "0" * 64, {"edgedigits": "test"})
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
SANITIZED = ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
HARNESS = """
#include <stdio.h>
#include "network.h"

int main(void)
{
    uint8_t image[EDGEDIGITS_PIXELS];
    uint8_t answers[2][EDGEDIGITS_CLASSES];

    while (fread(image, sizeof image, 1, stdin) == 1) {
        const int digit = edgedigits_classify(image, answers[0]);

        edgedigits_predict(image, answers[1]);
        fwrite(answers, sizeof answers, 1, stdout);
        putchar(digit);
    }
    return 0;
}
"""
CONVOLUTIONS = "crop2-conv5.k5.s2.valid.bare-conv7.valid.bare-pool-conv9.valid.bare"
MEANS = "meanpool-conv4.valid.bare-pool-conv6.valid.bare-mean"
DENSE = "crop2-meanpool-dense12-dense9"
NETWORKS = [
    *((CONVOLUTIONS, bits) for bits in ("3", "4", "5", "6", "2", "ternary", "8-4-ternary-3")),
    *((MEANS, bits) for bits in ("4", "ternary")),
    *((DENSE, bits) for bits in ("4", "2", "6-3-ternary")),
    ("meanpool3-conv3.valid.bare-dense11", "5-8-2"),
]


def in_integers(arch: str, bits: str, pixels: np.ndarray) -> IntegerGraph:
    """Return a network of drawn weights, of which those of the first Dense layer's still inputs are 0."""
    spec = trained_spec(arch)
    used = None
    if arch == DENSE:
        used = np.random.default_rng(3).random(144) < 0.6
    weights = drawn_weights(spec, read_bits(bits, len(spec.weighted)), used)
    weights[list(weights)[-1]][0] *= 4  # about as sure as one that was trained
    steps = lowered(spec, weights, INPUT_SCALES["0..1"])
    return round_graph(steps, pixels[:100], per_channel=True, bits=8).with_ranges(min_max, min_max)


@pytest.fixture(scope="module")
def pixels(dataset: tuple[Split, Split]) -> np.ndarray:
    return dataset[1].images[:300]


@pytest.mark.c_compiler
@pytest.mark.parametrize(("arch", "bits"), NETWORKS)
def test_every_integer_is_that_of_the_simulation_and_of_the_reference_kernels(
    arch: str, bits: str, pixels: np.ndarray, tmp_path: Path
) -> None:
    graph = in_integers(arch, bits, pixels)
    simulated = graph.integers(pixels)
    logits, probabilities = (simulated[place].view(np.uint8) ^ 128 for place in (-2, -1))
    expected = reference_answers(integers_to_tflite(graph), pixels)
    np.testing.assert_array_equal(logits, expected[0])
    np.testing.assert_array_equal(probabilities, expected[1])
    assert len(np.unique(logits, axis=0)) > len(pixels) // 3  # it tells pictures apart
    (tmp_path / "network.c").write_text(render_source("network", PackedNetwork(graph, "0" * 64), METADATA))
    (tmp_path / "network.h").write_text(render_header("network", PackedNetwork(graph, "0" * 64), METADATA))
    (tmp_path / "main.c").write_text(HARNESS)
    command = [*(find_compiler() or ()), *STRICT, *SANITIZED, "main.c", "network.c", "-o", "main"]
    subprocess.run(command, cwd=tmp_path, check=True)
    done = subprocess.run(["./main"], cwd=tmp_path, input=pixels.tobytes(), capture_output=True, check=True)
    found = np.frombuffer(done.stdout, np.uint8).reshape(-1, 21)
    np.testing.assert_array_equal(found[:, :10], logits)
    np.testing.assert_array_equal(found[:, 10:20], probabilities)
    np.testing.assert_array_equal(found[:, 20], logits.argmax(axis=1))


@pytest.mark.parametrize(("arch", "bits"), NETWORKS)
def test_sums_are_only_shifted(arch: str, bits: str, pixels: np.ndarray) -> None:
    graph = in_integers(arch, bits, pixels)
    for place, step in enumerate(graph.steps):
        if not isinstance(step, IntegerProduct | IntegerConvolution) or len(np.unique(step.kernel)) == 1:
            continue  # the mean of squares of pixels has weights that are all the same
        factors = (
            graph.grids[step.sources[0]].scale * step.scales.astype(np.float64) / graph.grids[place].scale
        )
        fraction, _ = np.frexp(factors)
        assert np.all(fraction == 0.5)  # powers of two


def test_a_mean_behind_a_convolution_is_none_of_pixels(pixels: np.ndarray) -> None:
    spec = trained_spec("conv4.valid.bare-meanpool-conv5.valid.bare-mean")
    weights = drawn_weights(spec, read_bits("4", 3), None)
    # So that its input has the very grid of pixels.
    weights[spec.layers[0].name] = [200 * array for array in weights[spec.layers[0].name]]
    steps = lowered(spec, weights, INPUT_SCALES["0..1"])
    graph = round_graph(steps, pixels[:100], per_channel=True, bits=8).with_ranges(min_max, min_max)
    place = next(place for place, step in enumerate(graph.steps) if isinstance(step, Pool))
    assert graph.grids[place - 1] == PIXEL_GRID
    simulated = graph.integers(pixels)[-1].view(np.uint8) ^ 128
    np.testing.assert_array_equal(simulated, reference_answers(integers_to_tflite(graph), pixels)[1])


def test_layers_of_other_kinds_are_not_packed(pixels: np.ndarray) -> None:
    with pytest.raises(NotPackedError):
        PackedNetwork(in_integers("meanpool-conv4.bare-mean", "4", pixels), "0" * 64)


@pytest.mark.parametrize("step", [0.1, 0.004321, 3.7e-6, 12.5])
@pytest.mark.parametrize("most", [1, 3, 8, 31, 127])
def test_a_kernel_on_a_grid_is_found_to_the_very_integers(step: float, most: int) -> None:
    integers = np.random.default_rng(most).integers(-most, most + 1, (40, 6))
    integers[0, :2] = most, most - 1 if most > 1 else 0  # no smaller ones would do
    kernel = (integers * np.float32(step)).astype(np.float32)
    found = whole_weights(kernel / np.float32(1.37))  # as a temperature divides it
    assert found is not None
    np.testing.assert_array_equal(found.integers, integers)
    assert found.step == pytest.approx(step / 1.37, rel=1e-6)


def test_steps_of_each_output_are_found() -> None:
    integers = np.random.default_rng(0).integers(-7, 8, (40, 3))
    integers[:2] = [[7] * 3, [6] * 3]
    steps = np.array([0.013, 0.21, 0.0577], np.float32)
    found = whole_weights((integers * steps).astype(np.float32))
    assert found is not None
    assert found.step is None
    np.testing.assert_array_equal(found.integers, integers)
    np.testing.assert_allclose(found.steps, steps, rtol=1e-6)


def test_floats_are_on_no_grid() -> None:
    assert whole_weights(np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)) is None
