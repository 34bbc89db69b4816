"""Exported C files on emulated microcontrollers. ``make mcu`` runs what needs the cross compiler and the emulator."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from edgedigits.artifacts.manifest import read_manifest
from edgedigits.datasets.split import Split
from edgedigits.measuring.reference import read_reference
from edgedigits.runtimes.opening import open_model
from edgedigits_export import FIRMWARE_HEADER, firmware_rows
from edgedigits_export.boards import firmware, toolchain
from edgedigits_export.boards.firmware import FirmwareFigures, run, run_to_the_end
from edgedigits_export.boards.toolchain import BOARDS, M0, M3, OPTIMIZATIONS, FirmwareError, build
from edgedigits_export.c_code.chain import ChainNetwork
from edgedigits_export.formats.c_source import SelftestPicture, render_header, render_selftest, render_source
from edgedigits_export.integers.fixed_point import read_fixed_point_network
from edgedigits_export.integers.reference_kernels import reference_answers

pytestmark = pytest.mark.c_compiler

MISSING = " ".join(toolchain.missing_tools())


def mcu(test):
    """Mark a test that needs the cross compiler and the emulator."""
    return pytest.mark.mcu(pytest.mark.skipif(bool(MISSING), reason=f"apt-get install {MISSING}")(test))


every_board = pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.cpu)
PICTURES = {M3: 1_000, M0: 100}
SHIPPED = Path(__file__).parents[3] / "models"
CODE_LIMIT = 1_536
RAM_LIMIT = 512


@pytest.fixture(scope="module")
def network(models: Path, dataset: tuple[Split, Split], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``digits.c`` of the trained network with its self-test, and the TFLite file that it was made from."""
    folder = tmp_path_factory.mktemp("firmware")
    shutil.copy(models / "digits.int8.tflite", folder)
    content = (models / "digits.int8.tflite").read_bytes()
    integers, metadata = (
        ChainNetwork(read_fixed_point_network(content)),
        open_model(models / "digits.c").metadata,
    )
    chosen = dataset[1].images[:10]
    pictures = [
        SelftestPicture(*pair) for pair in zip(chosen, reference_answers(content, chosen)[1], strict=True)
    ]
    (folder / "digits.c").write_text(render_source("digits", integers, metadata))
    (folder / "digits.h").write_text(render_header("digits", integers, metadata))
    (folder / "digits_selftest.c").write_text(render_selftest("digits", integers, metadata, pictures))
    return folder / "digits.c"


def figures_of(network: Path, dataset: tuple[Split, Split]) -> list[FirmwareFigures]:
    content = network.with_name("digits.int8.tflite").read_bytes()
    return firmware.measure(network, read_fixed_point_network(content).parameter_bytes, dataset[1].images[:3])


@mcu
@pytest.mark.parametrize("optimization", OPTIMIZATIONS)
@every_board
def test_a_board_gives_the_answers_of_the_reference_kernels(
    board, optimization, network: Path, dataset: tuple[Split, Split], tmp_path: Path
) -> None:
    pixels = dataset[1].images[: PICTURES[board]]
    answers = run(build(network, board, tmp_path, optimization), board, pixels)
    _, expected = reference_answers(network.with_name("digits.int8.tflite").read_bytes(), pixels)
    assert len(answers.probabilities) == len(pixels)
    np.testing.assert_array_equal(answers.probabilities, expected)
    np.testing.assert_array_equal(answers.best, expected.argmax(axis=1))


@mcu
@pytest.mark.mnist
@every_board
def test_the_shipped_network_gives_the_answers_of_the_reference_kernels(
    board, mnist_test: Split, tmp_path: Path
) -> None:
    pixels = mnist_test.images[: PICTURES[board]]
    answers = run(build(SHIPPED / "digits.c", board, tmp_path), board, pixels)
    _, expected = reference_answers((SHIPPED / "digits.int8.tflite").read_bytes(), pixels)
    np.testing.assert_array_equal(answers.probabilities, expected)


@mcu
@every_board
def test_the_selftest_passes_on_a_board(board, network: Path, tmp_path: Path) -> None:
    others = [network.with_name("digits_selftest.c")]
    printed = run_to_the_end(build(network, board, tmp_path, main="selftest_main.c", others=others), board)
    assert printed.splitlines()[-1] == "edgedigits selftest passed"
    assert printed.count(" ok") == 12


@mcu
@every_board
def test_a_failed_selftest_is_a_failed_run(board, network: Path, tmp_path: Path) -> None:
    for name in ("digits.c", "digits.h", "digits_selftest.c"):
        shutil.copy(network.with_name(name), tmp_path)
    path = tmp_path / "digits_selftest.c"
    path.write_text(re.sub(r"(class \d+ \*/\n +)0,", r"\g<1>1,", path.read_text(), count=1))
    program = build(tmp_path / "digits.c", board, tmp_path, main="selftest_main.c", others=[path])
    with pytest.raises(FirmwareError, match=r"qemu-system-arm failed \(edgedigits selftest FAILED\)"):
        run_to_the_end(program, board)


@mcu
def test_the_network_fits_a_small_chip(network: Path, dataset: tuple[Split, Split]) -> None:
    figures = figures_of(network, dataset)
    assert [(row.cpu, row.optimization) for row in figures] == [
        ("cortex-m0", "-Os"), ("cortex-m0", "-O2"), ("cortex-m3", "-Os"), ("cortex-m3", "-O2"),
    ]  # fmt: skip
    (m3,) = (row for row in figures if (row.cpu, row.optimization) == ("cortex-m3", "-Os"))
    assert m3.code + m3.tables <= CODE_LIMIT
    assert m3.parameters == 784 * 128 + 128 * 32 + 32 * 10 + 170 * 9
    for row in figures:
        assert row.variables == 0  # nothing to change, nothing to share
        assert row.ram <= RAM_LIMIT
        assert row.ram >= 160 + 10  # the outputs of the hidden layers, and the logits
        assert row.flash == row.code + row.tables + row.parameters


@mcu
def test_instructions_are_those_that_a_multiplication_takes(
    network: Path, dataset: tuple[Split, Split]
) -> None:
    products = 784 * 128 + 128 * 32 + 32 * 10
    for row in figures_of(network, dataset):
        # Two loads of weights, one of a pixel, two multiplications, two additions and the loop for two products; a
        # processor without a multiply-accumulate or with few registers takes twice as many.
        assert 2.5 * products < row.instructions < 10 * products


@mcu
@every_board
def test_every_picture_takes_about_as_many_instructions(
    board, network: Path, dataset: tuple[Split, Split], tmp_path: Path
) -> None:
    answers = run(build(network, board, tmp_path), board, dataset[1].images[:50])
    # Ticks are 40 and 63 instructions; branches of the clamps and of the softmax are what differs.
    assert np.ptp(answers.instructions) < 1_000


@mcu
def test_the_compiler_s_stack_is_what_the_emulator_sees(network: Path, tmp_path: Path) -> None:
    ran = run(build(network, M3, tmp_path), M3, np.zeros((1, 28, 28), np.uint8))
    graph = (tmp_path / "network.ci").read_text()
    assert toolchain.deepest_stack(graph, "edgedigits_predict") == ran.stack


@mcu
def test_a_network_too_large_for_a_board_is_measured_without_it(
    make_layers, make_model, dataset: tuple[Split, Split], tmp_path: Path, models: Path
) -> None:
    integers = ChainNetwork(read_fixed_point_network(make_model(make_layers((400, 10), 0))))
    metadata = open_model(models / "digits.c").metadata
    (tmp_path / "large.c").write_text(render_source("large", integers, metadata))
    (tmp_path / "large.h").write_text(render_header("large", integers, metadata))
    m0, _, m3, _ = firmware.measure(tmp_path / "large.c", integers.parameter_bytes, dataset[1].images[:1])
    assert m0.flash > M0.flash
    assert m0.instructions is None
    assert m3.instructions > 2.5 * 784 * 400
    assert firmware_rows([m0])[0][FIRMWARE_HEADER.index("instructions")] == "-"
    with pytest.raises(FirmwareError, match=r"arm-none-eabi-gcc failed .*overflow"):
        build(tmp_path / "large.c", M0, tmp_path)


@mcu
def test_the_manifest_keeps_what_was_measured(models: Path) -> None:
    entry = read_manifest(models)["networks"]["digits"]["files"]["digits.c"]
    rows = {(row["cpu"], row["optimization"]): row for row in entry["firmware"]}
    assert set(rows) == {(cpu, level) for cpu in ("cortex-m0", "cortex-m3") for level in ("-Os", "-O2")}
    assert rows["cortex-m3", "-Os"]["ram"] <= RAM_LIMIT
    assert set(entry["firmware_tools"]) == {"arm-none-eabi-gcc", "qemu-system-arm"}
    assert read_reference(models / "reference.npz").weights_sha256 == entry["weights_sha256"]


# Without the tools


def test_missing_tools_are_named_by_their_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert toolchain.missing_tools() == ["gcc-arm-none-eabi libnewlib-arm-none-eabi", "qemu-system-arm"]
    assert firmware.measure(tmp_path / "digits.c", 0, np.zeros((1, 28, 28), np.uint8)) == []
    assert toolchain.tool_versions() == {}


CALL_GRAPH = r"""
graph: { title: "digits.c"
node: { title: "digits.c:dense" label: "dense\ndigits.c:9:1\n40 bytes (static)" }
node: { title: "digits.c:softmax" label: "softmax\ndigits.c:20:1\n24 bytes (static)" }
node: { title: "edgedigits_predict" label: "edgedigits_predict\ndigits.c:50:1\n208 bytes (static)" }
node: { title: "digits.c:scale" label: "scale\ndigits.c:5:1\n32 bytes (static)" }
node: { title: "__aeabi_lmul" label: "__aeabi_lmul\n<built-in>" shape : ellipse }
edge: { sourcename: "digits.c:softmax" targetname: "__aeabi_lmul" label: "digits.c:22:3" }
edge: { sourcename: "digits.c:softmax" targetname: "digits.c:scale" label: "digits.c:23:3" }
edge: { sourcename: "edgedigits_predict" targetname: "digits.c:dense" label: "digits.c:52:3" }
edge: { sourcename: "edgedigits_predict" targetname: "digits.c:softmax" label: "digits.c:53:3" }
}
"""


def test_the_deepest_chain_of_calls_counts() -> None:
    assert toolchain.deepest_stack(CALL_GRAPH, "edgedigits_predict") == 208 + 24 + 32
