"""Networks as tables: every integer that of the reference kernels, natively and as WebAssembly; damaged tables."""

import json
import shutil
import struct
import subprocess
from pathlib import Path

import networks
import numpy as np
import pytest
from on_wasm import PAGE, answers_of_wasm, module_of, node
from random_graphs import random_graph

from edgedigits.datasets.split import Split
from edgedigits.input_scale import INPUT_SCALES
from edgedigits.margins import lead_in_steps
from edgedigits.model_files.quantized_bits import read_bits
from edgedigits.model_files.trained_networks import trained_spec
from edgedigits.runtimes.c_compiler import find_compiler
from edgedigits_export.c_code.network import LayeredNetwork
from edgedigits_export.footprint import drawn_weights
from edgedigits_export.graph.lowering import lowered
from edgedigits_export.integers.fixed_point import read_fixed_point_network
from edgedigits_export.integers.graph_kernels import IntegerGraph
from edgedigits_export.integers.graph_quantization import round_graph
from edgedigits_export.integers.grids import min_max
from edgedigits_export.integers.reference_kernels import reference_probabilities
from edgedigits_export.page.tables import tables_of

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "models" / "digits.int8.tflite"
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
SANITIZED = ("-O2", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
HEADER_BYTES = 32
RECORD_BYTES = 41 * 4
KINDS = {
    "rows", "taps", "groups", "depthwise", "dense",
    "pool", "table", "addition", "slopes", "border", "joined", "swapped",
}  # fmt: skip
"""Of layers, convolutions by the order of their weights."""
HARNESS = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "network.h"

/* A copy that ends where it ends, so that a byte behind it is found by a sanitizer. */
static uint8_t *copied(const uint8_t *bytes, size_t count)
{
    uint8_t *copy = malloc(count);

    memcpy(copy, bytes, count);
    return copy;
}

/* Whether tables pass, and, if they do, what they answer. */
static int tried(const uint8_t *bytes, uint32_t count, const uint8_t *image, uint8_t *answer)
{
    uint8_t *tables = copied(bytes, count);
    const uint32_t size = network_scratch_bytes(tables, count);

    if (size != 0) {
        uint8_t *scratch = calloc(size, 1);

        network_run(tables, image, 1, answer, scratch);
        free(scratch);
    }
    free(tables);
    return size != 0;
}

int main(int count, char **names)
{
    FILE *file = fopen(names[1], "rb");
    static uint8_t tables[1 << 24];
    const uint32_t size = (uint32_t)fread(tables, 1, sizeof tables, file);
    uint8_t image[NETWORK_PIXELS];
    uint8_t answer[NETWORK_CLASSES];

    fclose(file);
    if (count == 2) {
        while (fread(image, sizeof image, 1, stdin) == 1) {
            if (!tried(tables, size, image, answer)) {
                return 3;
            }
            fwrite(answer, sizeof answer, 1, stdout);
        }
        return 0;
    }
    /* Damages: how many bytes are left, and then where, and which byte stands there. */
    for (uint32_t index = 0; index < NETWORK_PIXELS; index++) {
        image[index] = (uint8_t)(index * 7);
    }
    for (uint32_t damage[3]; fread(damage, sizeof damage, 1, stdin) == 1;) {
        const uint8_t before = tables[damage[1]];

        tables[damage[1]] = (uint8_t)damage[2];
        putchar(tried(tables, damage[0], image, answer));
        tables[damage[1]] = before;
    }
    return 0;
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The C code as it is, under sanitizers."""
    folder = tmp_path_factory.mktemp("network")
    (folder / "main.c").write_text(HARNESS)
    command = [*(find_compiler() or ()), *STRICT, "-Wno-unused-result", *SANITIZED, f"-I{PAGE / 'c'}"]
    subprocess.run([*command, "main.c", PAGE / "c" / "network.c", "-o", "main"], cwd=folder, check=True)
    return folder / "main"


def answers_of_c(program: Path, tables: bytes, pixels: np.ndarray, folder: Path) -> np.ndarray:
    (folder / "tables").write_bytes(tables)
    done = subprocess.run([program, folder / "tables"], input=pixels.tobytes(), capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, 10)


def expected_of(graph: IntegerGraph, pixels: np.ndarray) -> np.ndarray:
    """NumPy's integers, which other tests compare with LiteRT's reference kernels."""
    return graph.integers(pixels)[-1].view(np.uint8) ^ 128


@pytest.fixture(scope="module")
def pixels(dataset: tuple[Split, Split]) -> np.ndarray:
    return dataset[1].images[:30]


def few_bits(arch: str, bits: str, pixels: np.ndarray) -> IntegerGraph:
    spec = trained_spec(arch)
    weights = drawn_weights(spec, read_bits(bits, len(spec.weighted)), None)
    steps = lowered(spec, weights, INPUT_SCALES["0..1"])
    return round_graph(steps, pixels, per_channel=True, bits=8).with_ranges(min_max, min_max)


FEW_BITS = (
    ("crop2-conv5.k5.s2.valid.bare-conv7.valid.bare-pool-conv9.valid.bare", "8-4-ternary-3"),
    ("meanpool-conv4.valid.bare-pool-conv6.valid.bare-mean", "ternary"),
    ("crop2-meanpool-dense12-dense9", "6-3-ternary"),
)
LENGTH = 14
IN_WASM, DAMAGED = (*range(12),), (8, 25)
"""Seeds of networks of so many steps put together by chance, which have layers of every kind between them."""
CHAINS = ((12, 10), (33, 7, 10), (10,), (128, 32, 10))


@pytest.fixture(scope="module")
def chains(make_model, make_layers) -> list[bytes]:
    """Files of fully connected layers, with scales of each output or of a layer, and inputs that fill no vector."""
    return [
        make_model(make_layers(widths, seed, per_tensor=seed % 2 == 1)) for seed, widths in enumerate(CHAINS)
    ]


# Every integer


@pytest.mark.c_compiler
def test_chains_of_dense_layers_give_every_probability(
    chains: list[bytes], program: Path, pixels: np.ndarray, tmp_path: Path
) -> None:
    for model in chains:
        found = answers_of_c(program, tables_of(read_fixed_point_network(model)), pixels, tmp_path)
        np.testing.assert_array_equal(found, reference_probabilities(model, pixels))


@pytest.mark.c_compiler
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in networks.OFTEN else pytest.mark.stress)
        for name in networks.NETWORKS
        if name not in networks.DENSE
    ],
)
def test_networks_of_others_give_every_probability(
    name: str, program: Path, pixels: np.ndarray, networks_folder: Path, tmp_path: Path
) -> None:
    graph = networks.integers_of(name, networks_folder, pixels.tobytes())
    found = answers_of_c(program, tables_of(graph), pixels, tmp_path)
    np.testing.assert_array_equal(found, expected_of(graph, pixels))


@pytest.mark.c_compiler
@pytest.mark.parametrize(("arch", "bits"), FEW_BITS)
def test_networks_of_few_bits_give_every_probability(
    arch: str, bits: str, program: Path, pixels: np.ndarray, tmp_path: Path
) -> None:
    graph = few_bits(arch, bits, pixels)
    found = answers_of_c(program, tables_of(graph), pixels, tmp_path)
    np.testing.assert_array_equal(found, expected_of(graph, pixels))


@pytest.mark.c_compiler
@pytest.mark.parametrize(
    "seed", [*range(12), *(pytest.param(seed, marks=pytest.mark.stress) for seed in range(12, 400))]
)
def test_networks_put_together_by_chance(
    seed: int, program: Path, pixels: np.ndarray, tmp_path: Path
) -> None:
    graph = random_graph(seed, LENGTH)
    found = answers_of_c(program, tables_of(graph), pixels[:10], tmp_path)
    np.testing.assert_array_equal(found, expected_of(graph, pixels[:10]))


@pytest.mark.parametrize("seeds", [IN_WASM, DAMAGED], ids=["wasm", "damaged"])
def test_those_by_chance_have_layers_of_every_kind(seeds: tuple[int, ...]) -> None:
    layers = [layer for seed in seeds for layer in LayeredNetwork(random_graph(seed, LENGTH), "").layers]
    assert {getattr(layer, "order", layer.kind) for layer in layers} == KINDS


def test_webassembly_gives_the_same_with_its_vectors(
    chains: list[bytes], pixels: np.ndarray, tmp_path: Path
) -> None:
    graphs = [
        *(random_graph(seed, LENGTH) for seed in IN_WASM),
        *(few_bits(*one, pixels) for one in FEW_BITS),
    ]
    whole = [
        (tables_of(read_fixed_point_network(model)), reference_probabilities(model, pixels))
        for model in chains
    ]
    whole += [(tables_of(graph), expected_of(graph, pixels)) for graph in graphs]
    answers = answers_of_wasm([(tables, pixels) for tables, _ in whole], tmp_path)
    for found, (_, expected) in zip(answers, whole, strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.mnist
def test_the_shipped_network_reads_all_test_images_as_the_reference_kernels_do(
    mnist_test: Split, tmp_path: Path
) -> None:
    model = SHIPPED.read_bytes()
    tables = tables_of(read_fixed_point_network(model))
    (found,) = answers_of_wasm([(tables, mnist_test.images)], tmp_path)
    np.testing.assert_array_equal(found, reference_probabilities(model, mnist_test.images))


# Damaged tables


def damages(tables: bytes) -> np.ndarray:
    """Every byte of header and records in several ways, many bytes behind, and every length: uint32 (n, 3)."""
    size = len(tables)
    _, _, _, _, _, layers, _, _ = struct.unpack("<8I", tables[:HEADER_BYTES])
    places = np.arange(HEADER_BYTES + layers * RECORD_BYTES)
    chance = np.random.default_rng(1)
    rows = [
        np.stack([np.full_like(places, size), places, np.frombuffer(tables, np.uint8)[places] ^ flipped], 1)
        for flipped in (1, 0x84)
    ]
    rows.append(np.stack([np.full_like(places, size), places, np.zeros_like(places)], 1))
    behind = chance.integers(places[-1], size, 300)
    rows.append(np.stack([np.full_like(behind, size), behind, chance.integers(0, 256, 300)], 1))
    lengths = np.unique([*range(40), *chance.integers(0, size, 100), size - 1])
    rows.append(np.stack([lengths, 0 * lengths, np.full_like(lengths, tables[0])], 1))
    return np.concatenate(rows).astype("<u4")


@pytest.mark.c_compiler
def test_damaged_tables_read_and_write_nothing_outside(
    program: Path, chains: list[bytes], pixels: np.ndarray, tmp_path: Path
) -> None:
    graphs = [random_graph(seed, LENGTH) for seed in DAMAGED]
    all_tables = [tables_of(read_fixed_point_network(chains[1])), *map(tables_of, graphs)]
    for tables in all_tables:
        (tmp_path / "tables").write_bytes(tables)
        changes = damages(tables)
        done = subprocess.run(
            [program, tmp_path / "tables", "damage"],
            input=changes.tobytes(),
            capture_output=True,
            timeout=300,
        )
        assert (done.returncode, done.stderr) == (0, b"")
        passed = np.frombuffer(done.stdout, np.uint8)
        assert len(passed) == len(changes)
        # What is shorter does not pass; a weight may be any number, and does.
        assert not passed[changes[:, 0] < len(tables)].any()
        assert 0 < passed.sum() < len(passed)


def test_tables_of_another_version_are_refused(pixels: np.ndarray, tmp_path: Path) -> None:
    tables = bytearray(tables_of(random_graph(0)))
    tables[4] += 1
    with pytest.raises(subprocess.CalledProcessError):
        answers_of_wasm([(bytes(tables), pixels)], tmp_path)


def test_tables_are_the_same_every_time() -> None:
    assert tables_of(random_graph(5)) == tables_of(random_graph(5))


# The WebAssembly


def test_it_is_built_of_the_sources(pixels: np.ndarray, tmp_path: Path) -> None:
    """Byte for byte where the compiler is that of the file; by its answers elsewhere."""
    if not all(map(shutil.which, ("make", "clang", "wasm-ld", "wasm-opt"))):
        pytest.skip("make, clang, wasm-ld or wasm-opt is not here; `make page-packages` names the packages")
    subprocess.run(["make", "-s", "wasm", f"WASM={tmp_path}"], cwd=ROOT, check=True)
    built = tmp_path / "digits.wasm"
    if (tmp_path / "wasm.compiler").read_text() == (PAGE / "wasm.compiler").read_text():
        for name in ("digits.wasm", "numbers.wasm", "unpack.wasm"):
            assert (tmp_path / name).read_bytes() == (PAGE / name).read_bytes(), (
                "page/c was changed: make wasm"
            )
        return
    networks_ = [(tables_of(graph), pixels) for graph in (random_graph(1), random_graph(2))]
    pairs = zip(
        answers_of_wasm(networks_, tmp_path), answers_of_wasm(networks_, tmp_path, built), strict=True
    )
    for ours, theirs in pairs:
        np.testing.assert_array_equal(ours, theirs)


ENGINE = {"memory", "allocate", "mark", "release", "network_scratch_bytes", "network_run", "prepare_rgba"}


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("digits", set()),
        ("numbers", {"numbers_arena_bytes", "numbers_find", "numbers_line_bytes", "numbers_line"}),
    ],
    ids=["digits", "numbers"],
)
def test_it_imports_nothing_and_exports_what_is_agreed(name: str, more: set[str]) -> None:
    script = (
        "const m = new WebAssembly.Module(require('fs').readFileSync(process.argv[1]));"
        "console.log(JSON.stringify([WebAssembly.Module.imports(m),"
        " WebAssembly.Module.exports(m).map(one => one.name)]))"
    )
    words = [node(), "-e", script, PAGE / f"{name}.wasm"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    imports, exports = json.loads(done.stdout)
    assert imports == []
    assert set(exports) == ENGINE | {"prepare_arena_bytes"} | more


# The module


FACTS = {"labels": [f"class {index}" for index in range(10)], "min_margin": 200, "metadata": {}}
ASK = """
import { readFileSync } from "node:fs";
import { answer, facts, load, probabilities, read } from "./digits.mjs";

const images = new Uint8Array(readFileSync(process.argv[2]));
const early = (() => { try { probabilities(images); } catch (error) { return error.message; } })();
const readings = await read(images);
const refused = await read(new Uint8Array(783)).catch((error) => error.message);
await load();
const bytes = [...probabilities(images)];
const tie = answer(Uint8Array.of(0, 100, 0, 100, 0, 0, 0, 0, 0, 56));
console.log(JSON.stringify({ early, readings, refused, bytes, tie, labels: facts.labels }));
"""


@pytest.fixture(scope="module")
def said(chains: list[bytes], dataset: tuple[Split, Split], tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What the module said of 600 images, more than it reads in one call, and what was expected."""
    folder = tmp_path_factory.mktemp("module")
    pixels = np.resize(dataset[1].images, (600, 28, 28))
    (folder / "digits.mjs").write_text(module_of(tables_of(read_fixed_point_network(chains[0])), FACTS))
    (folder / "ask.mjs").write_text(ASK)
    (folder / "images").write_bytes(pixels.tobytes())
    done = subprocess.run(
        [node(), folder / "ask.mjs", folder / "images"], capture_output=True, text=True, check=True
    )
    return {**json.loads(done.stdout), "expected": reference_probabilities(chains[0], pixels)}


def test_the_module_reads_images(said: dict) -> None:
    expected = said["expected"]
    np.testing.assert_array_equal(np.reshape(said["bytes"], (-1, 10)), expected)
    assert len(said["readings"]) == len(expected)
    sure = 0
    for reading, row in zip(said["readings"], expected, strict=True):
        shares = (row / 256).tolist()
        lead = lead_in_steps(shares)
        digit = int(row.argmax())
        assert reading == {
            "digit": digit,
            "label": f"class {digit}",
            "confidence": shares[digit],
            "lead": lead,
            "sure": lead >= FACTS["min_margin"],
            "probabilities": shares,
        }
        sure += reading["sure"]
    assert 0 < sure < len(expected)


def test_of_two_that_are_as_likely_the_first_is_the_answer(said: dict) -> None:
    assert said["tie"] == {"digit": 1, "label": "class 1", "confidence": 100 / 256, "lead": 0, "sure": False}
    assert said["labels"] == FACTS["labels"]


def test_the_module_says_what_it_expects(said: dict) -> None:
    assert said["early"] == "expected a network that is loaded; await load() first"
    assert said["refused"] == "expected a Uint8Array of 784 pixels an image, found Uint8Array of 783"
