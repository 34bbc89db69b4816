"""Networks of any layers as C code: every integer that of the reference kernels, in as little memory as can be."""

import re
import subprocess
from pathlib import Path

import networks
import numpy as np
import pytest
from random_graphs import random_graph

from edgedigits.datasets.split import Split
from edgedigits.errors import ContractError, QuantizationError
from edgedigits.metadata import ModelMetadata
from edgedigits.model_files.c_source import read_widths
from edgedigits.runtimes.c_compiler import find_compiler
from edgedigits_export.c_code.layers import Addition, Layer, Pool, Table
from edgedigits_export.c_code.memory import plan_memory
from edgedigits_export.c_code.network import LayeredNetwork
from edgedigits_export.formats.c_source import render_header, render_source
from edgedigits_export.graph.steps import Function, GlobalPool, Image, Step, ToMap, ToRow
from edgedigits_export.integers.graph_kernels import IntegerGraph
from edgedigits_export.integers.graph_steps import IntegerConvolution, IntegerProduct
from edgedigits_export.integers.grids import PIXEL_GRID, Grid

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
SANITIZED = ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
METADATA = ModelMetadata("any", "int8", "0" * 64, {"edgedigits": "test"})
HARNESS = """
#include <stdio.h>
#include "network.c"

int main(void)
{
    uint8_t image[EDGEDIGITS_PIXELS];
    uint8_t answers[2][EDGEDIGITS_CLASSES];

    while (fread(image, sizeof image, 1, stdin) == 1) {
        COMPUTE(image, answers[0]);
        edgedigits_predict(image, answers[1]);
        fwrite(answers, sizeof answers, 1, stdout);
    }
    return 0;
}
"""


def answers_of_c(network: LayeredNetwork, pixels: np.ndarray, folder: Path, *flags: str) -> np.ndarray:
    """What goes into the softmax (or the probabilities) and the probabilities, uint8 (n, 2, 10)."""
    (folder / "network.c").write_text(render_source("network", network, METADATA))
    (folder / "network.h").write_text(render_header("network", network, METADATA))
    (folder / "main.c").write_text(HARNESS)
    first = "compute_logits" if network.logit_scale else "compute_probabilities"
    compiler = find_compiler()
    assert compiler is not None  # tests with the marker are skipped without one
    command = [*compiler, *STRICT, *flags, f"-DCOMPUTE={first}", "main.c", "-o", "main"]
    subprocess.run(command, cwd=folder, check=True)
    done = subprocess.run(["./main"], cwd=folder, input=pixels.tobytes(), capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, 2, 10)


def check_equal(graph: IntegerGraph, pixels: np.ndarray, folder: Path, *flags: str) -> LayeredNetwork:
    """Compare with NumPy's integers, which other tests compare with LiteRT's reference kernels."""
    network = LayeredNetwork(graph, "0" * 64)
    found = answers_of_c(network, pixels, folder, *flags)
    expected = graph.integers(pixels)
    logits = expected[graph.steps[-1].sources[0] if network.logit_scale else -1]
    np.testing.assert_array_equal(found[:, 0], logits.view(np.uint8) ^ 128)
    np.testing.assert_array_equal(found[:, 1], expected[-1].view(np.uint8) ^ 128)
    return network


@pytest.fixture(scope="module")
def pixels(dataset: tuple[Split, Split]) -> np.ndarray:
    return dataset[1].images[:50]


@pytest.fixture(scope="module")
def folder(networks_folder: Path) -> Path:
    return networks_folder


@pytest.mark.c_compiler
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in networks.OFTEN else pytest.mark.stress)
        for name in networks.NETWORKS
        if name not in networks.DENSE
    ],
)
def test_a_network_of_others_gives_every_integer(
    name: str, pixels: np.ndarray, folder: Path, tmp_path: Path
) -> None:
    check_equal(networks.integers_of(name, folder, pixels.tobytes()), pixels, tmp_path, *SANITIZED)


@pytest.mark.c_compiler
@pytest.mark.parametrize(
    "seed", [*range(12), *(pytest.param(seed, marks=pytest.mark.stress) for seed in range(12, 400))]
)
def test_networks_put_together_by_chance(seed: int, pixels: np.ndarray, tmp_path: Path) -> None:
    check_equal(random_graph(seed), pixels[:10], tmp_path, *SANITIZED)


@pytest.mark.c_compiler
@pytest.mark.parametrize(
    "flags", [("-O3", "-march=native"), ("-O2", "-funsigned-char"), ("-Os",)], ids=" ".join
)
def test_vectors_and_other_compilations_give_the_same(
    flags: tuple[str, ...], pixels: np.ndarray, tmp_path: Path
) -> None:
    for seed in (3, 8):
        check_equal(random_graph(seed, length=14), pixels, tmp_path, *flags)


# Memory


def test_a_pooling_behind_a_convolution_leaves_no_full_map(pixels: np.ndarray, folder: Path) -> None:
    network = LayeredNetwork(networks.integers_of("mnist_convnet", folder, pixels.tobytes()), "0" * 64)
    assert [type(layer).__name__ for layer in network.layers] == ["Convolution", "Convolution", "Dense"]
    # The first pooled map, and 64 bytes by which the second is ahead of what is still to be read of it.
    assert network.scratch_bytes == 13 * 13 * 32 + 64


@pytest.mark.c_compiler
def test_a_map_of_another_form_is_pooled_by_itself(pixels: np.ndarray, tmp_path: Path) -> None:
    chance = np.random.default_rng(0)

    def whole(*shape: int) -> np.ndarray:
        return chance.integers(-100, 100, shape).astype(np.int8)

    steps = (
        Image((), (28, 28, 1)),
        IntegerConvolution(
            (0,), whole(4, 4, 1, 6), np.zeros(6, np.int32), (4, 4), (1, 1), 1, (0, 0, 0, 0),
            scales=np.full(6, 0.001, np.float32),
        ),
        ToRow((1,), channels_first=False),
        ToMap((2,), (7, 14, 3), channels_first=False),
        GlobalPool((3,), "average"),
        IntegerProduct((4,), whole(3, 10), np.zeros(10, np.int32), scales=np.full(10, 0.01, np.float32)),
        Function((5,), "softmax"),
    )  # fmt: skip
    row = Grid(0.5, 128)
    grids = (PIXEL_GRID, row, row, row, Grid(0.1, 128), Grid(0.1, 128), Grid(1 / 256, 0))
    network = check_equal(network_of(*steps, grids=grids), pixels, tmp_path, *SANITIZED)
    assert [type(layer).__name__ for layer in network.layers] == ["Convolution", "Pool", "Dense"]


def test_functions_of_one_byte_are_one_table(pixels: np.ndarray, folder: Path) -> None:
    graph = networks.integers_of("modern_functions", folder, pixels.tobytes())
    network = LayeredNetwork(graph, "0" * 64)
    assert sum(isinstance(step, Function) for step in graph.steps) > 1
    assert sum(isinstance(layer, Table) for layer in network.layers) == 3
    assert not any(isinstance(layer, Pool) for layer in network.layers)


def chain_of(*layers: Layer) -> dict[int, int]:
    return {layer.target: 100 for layer in layers}


def test_a_sum_lies_over_what_it_is_made_of() -> None:
    def added(sources: tuple[int, int], target: int) -> Addition:
        return Addition(sources, target, 100, (1, 1, 1), (31, 31, 31), (0, 0, 0), 0, 255)

    def table(source: int, target: int) -> Table:
        return Table((source,), target, 100, np.zeros(256, np.uint8))

    layers = [
        table(-1, 0),
        table(-1, 1),
        added((0, 1), 2),
    ]
    layers.append(table(2, 3))
    plan = plan_memory(layers, chain_of(*layers))
    assert plan.size == 200
    assert plan.offsets[2] in (plan.offsets[0], plan.offsets[1])
    # A value that is needed later keeps its place.
    layers.append(added((3, 0), 4))
    plan = plan_memory(layers, chain_of(*layers))
    assert plan.size == 200
    assert plan.offsets[2] != plan.offsets[0] != plan.offsets[3]
    # One that goes in twice is read twice.
    twice = [table(-1, 0), added((0, 0), 1)]
    assert plan_memory(twice, chain_of(*twice)).size == 200


@pytest.mark.parametrize("seed", range(40))
def test_nothing_is_overwritten_that_is_still_to_be_read(seed: int) -> None:
    """Values that are there at the same time share no byte, but for the last reading of one by what is made of it."""
    network = LayeredNetwork(random_graph(seed, length=12), "0" * 64)
    plan, layers = network.plan, network.layers
    sizes = {value: network.sizes[value] for value in plan.offsets}
    born = {layer.target: place for place, layer in reversed([*enumerate(layers)])}
    died = {source: place for place, layer in enumerate(layers) for source in layer.sources}
    assert plan.size == max((plan.offsets[value] + size for value, size in sizes.items()), default=0)
    for one in sizes:
        for other in sizes:
            if (
                one >= other
                or born[one] > died.get(other, born[other])
                or born[other] > died.get(one, born[one])
            ):
                continue
            first, second = sorted((one, other), key=plan.offsets.get)
            shared = plan.offsets[first] + sizes[first] > plan.offsets[second]
            last = layers[born[max(one, other, key=born.get)]]
            made, taken = (
                last.target,
                next((source for source in last.sources if source in (one, other)), None),
            )
            if shared:
                assert {made, taken} == {one, other}
                assert died[taken] == born[made]
                distance = last.overlap[last.sources.index(taken)]
                assert plan.offsets[taken] - plan.offsets[made] >= distance


# What cannot be


def network_of(*steps: Step, grids: tuple[Grid, ...]) -> IntegerGraph:
    return IntegerGraph(steps, grids)


def test_sums_beyond_int32_are_refused() -> None:
    kernel = np.full((784, 10), 127, np.int8)
    bias, scales = np.full(10, 2**31 - 1 - 784 * 127 * 128, np.int32), np.full(10, 0.01, np.float32)
    steps = (
        Image((), (784,)),
        IntegerProduct((0,), kernel, bias, scales=scales),
        Function((1,), "softmax"),
    )
    grids = (PIXEL_GRID, Grid(0.1, 128), Grid(1 / 256, 0))
    with pytest.raises(QuantizationError, match=r"sums within int32"):
        LayeredNetwork(network_of(*steps, grids=grids), "0" * 64)


def test_maps_larger_than_their_sides_can_say_are_refused() -> None:
    channels = 70_000
    steps = (
        Image((), (28, 28, 1)),
        IntegerConvolution(
            (0,),
            np.ones((28, 28, 1, channels), np.int8),
            np.zeros(channels, np.int32),
            (1, 1), (1, 1), 1, (0, 0, 0, 0),
            scales=np.ones(channels, np.float32),
        ),
        ToRow((1,), channels_first=False),
        IntegerProduct(
            (2,),
            np.ones((channels, 10), np.int8),
            np.zeros(10, np.int32),
            scales=np.ones(10, np.float32),
        ),
        Function((3,), "softmax"),
    )  # fmt: skip
    grids = (PIXEL_GRID, Grid(1e5, 0), Grid(1e5, 0), Grid(1e10, 128), Grid(1 / 256, 0))
    with pytest.raises(
        QuantizationError, match=r"at most 65,535 for C code, found 70,000; export it to \.tflite"
    ):
        LayeredNetwork(network_of(*steps, grids=grids), "0" * 64)


# What a reader sees of it


def test_the_source_says_whether_it_is_a_chain_of_dense_layers(
    pixels: np.ndarray, folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "network.c"
    for name in ("sigmoid_mlp", "mnist_convnet", "inception"):
        network = LayeredNetwork(networks.integers_of(name, folder, pixels.tobytes()), "0" * 64)
        source = render_source("network", network, METADATA)
        assert read_widths(path, source) is None
        with pytest.raises(ContractError, match="int8 weights for every layer"):
            read_widths(
                path,
                re.sub(
                    r"static const FLASH int8_t weights_\d",
                    "static const FLASH int8_t numbers",
                    source,
                    count=1,
                ),
            )
        with pytest.raises(ContractError, match="a float"):
            read_widths(path, source + "\nstatic float scale;\n")
