"""What exported C files cost on emulated microcontrollers. ``make mcu`` runs what needs their tools."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from on_boards import LARGE, needs, on

from edgedigits.artifacts.manifest import read_manifest
from edgedigits.datasets.split import Split
from edgedigits.measuring.reference import read_reference
from edgedigits.runtimes.opening import open_model
from edgedigits_export import FIRMWARE_HEADER, firmware_rows
from edgedigits_export.boards import firmware, toolchain
from edgedigits_export.boards.board import M0, M3, OPTIMIZATIONS, RV32EC, UNO
from edgedigits_export.boards.firmware import FirmwareFigures, run
from edgedigits_export.boards.stack import deepest_avr_stack, deepest_stack
from edgedigits_export.boards.toolchain import build
from edgedigits_export.boards.tools import FirmwareError
from edgedigits_export.c_code.chain import ChainNetwork
from edgedigits_export.formats.c_source import SelftestPicture, render_header, render_selftest, render_source
from edgedigits_export.integers.fixed_point import read_fixed_point_network
from edgedigits_export.integers.reference_kernels import reference_answers

pytestmark = pytest.mark.c_compiler

PICTURES = {M3: 1_000, M0: 100, RV32EC: 50}
SHIPPED = Path(__file__).parents[3] / "models"
CPUS = ("cortex-m0", "cortex-m3", "rv32ec")
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
    parameters = read_fixed_point_network(content).parameter_bytes
    return firmware.measure(network, parameters, dataset[1].images[:3])[0]


@pytest.mark.parametrize("optimization", OPTIMIZATIONS)
@on(LARGE)
def test_a_board_gives_the_answers_of_the_reference_kernels(
    board, optimization, network: Path, dataset: tuple[Split, Split], tmp_path: Path
) -> None:
    pixels = dataset[1].images[: PICTURES[board]]
    answers = run(build(network, board, tmp_path, optimization), board, pixels)
    _, expected = reference_answers(network.with_name("digits.int8.tflite").read_bytes(), pixels)
    assert len(answers.probabilities) == len(pixels)
    np.testing.assert_array_equal(answers.probabilities, expected)
    np.testing.assert_array_equal(answers.best, expected.argmax(axis=1))


@pytest.mark.mnist
@on(LARGE)
def test_the_shipped_network_gives_the_answers_of_the_reference_kernels(
    board, mnist_test: Split, tmp_path: Path
) -> None:
    pixels = mnist_test.images[: PICTURES[board]]
    answers = run(build(SHIPPED / "digits.c", board, tmp_path), board, pixels)
    _, expected = reference_answers((SHIPPED / "digits.int8.tflite").read_bytes(), pixels)
    np.testing.assert_array_equal(answers.probabilities, expected)


@needs(*LARGE)
def test_the_network_fits_a_small_chip(network: Path, dataset: tuple[Split, Split]) -> None:
    figures = figures_of(network, dataset)
    assert [(row.cpu, row.optimization) for row in figures] == [
        (cpu, level) for cpu in CPUS for level in OPTIMIZATIONS
    ]
    (m3,) = (row for row in figures if (row.cpu, row.optimization) == ("cortex-m3", "-Os"))
    assert m3.code + m3.tables <= CODE_LIMIT
    assert m3.parameters == 784 * 128 + 128 * 32 + 32 * 10 + 170 * 9
    for row in figures:
        assert row.variables == 0  # nothing to change, nothing to share
        assert row.ram <= RAM_LIMIT
        assert row.ram >= 160 + 10  # the outputs of the hidden layers, and the logits
        assert row.flash == row.code + row.tables + row.parameters


@needs(*LARGE)
def test_instructions_are_those_that_a_multiplication_takes(
    network: Path, dataset: tuple[Split, Split]
) -> None:
    products = 784 * 128 + 128 * 32 + 32 * 10
    for row in figures_of(network, dataset):
        # Two loads of weights, one of a pixel, two multiplications, two additions and the loop for two products; a
        # processor without a multiply-accumulate or with few registers takes twice as many. RV32E has no instruction
        # to multiply at all: a function goes through the bits.
        least, most = (10, 60) if row.cpu == RV32EC.cpu else (2.5, 10)
        assert least * products < row.instructions < most * products
        assert row.cycles is None


@on([M0, M3])
def test_every_picture_takes_about_as_many_instructions(
    board, network: Path, dataset: tuple[Split, Split], tmp_path: Path
) -> None:
    answers = run(build(network, board, tmp_path), board, dataset[1].images[:50])
    # Ticks are 40 and 63 instructions; branches of the clamps and of the softmax are what differs.
    assert np.ptp(answers.counts) < 1_000


@needs(M3)
def test_the_compiler_s_stack_is_what_the_emulator_sees(network: Path, tmp_path: Path) -> None:
    ran = run(build(network, M3, tmp_path), M3, np.zeros((1, 28, 28), np.uint8))
    assert toolchain.stack_of(tmp_path / "network.o", M3) == ran.stack


@needs(M0, M3, UNO)
def test_a_network_too_large_for_a_board_is_measured_without_it(
    make_layers, make_model, dataset: tuple[Split, Split], tmp_path: Path, models: Path
) -> None:
    integers = ChainNetwork(read_fixed_point_network(make_model(make_layers((400, 10), 0))))
    metadata = open_model(models / "digits.c").metadata
    (tmp_path / "large.c").write_text(render_source("large", integers, metadata))
    (tmp_path / "large.h").write_text(render_header("large", integers, metadata))
    boards = (M0, M3, UNO)
    rows, failed = firmware.measure(
        tmp_path / "large.c", integers.parameter_bytes, dataset[1].images[:1], boards
    )
    m0, _, m3, _ = rows
    assert m0.flash > M0.flash
    assert m0.instructions is None
    assert m3.instructions > 2.5 * 784 * 400
    assert firmware_rows([m0])[0][FIRMWARE_HEADER.index("instructions")] == "-"
    with pytest.raises(FirmwareError, match=r"arm-none-eabi-gcc failed .*overflow"):
        build(tmp_path / "large.c", M0, tmp_path)
    assert set(failed) == {"atmega328p"}  # whose compiler has a limit of its own
    assert "size of array" in str(failed["atmega328p"])


@needs(*LARGE)
def test_the_manifest_keeps_what_was_measured(models: Path) -> None:
    entry = read_manifest(models)["networks"]["digits"]["files"]["digits.c"]
    rows = {(row["cpu"], row["optimization"]): row for row in entry["firmware"]}
    assert set(rows) == {(cpu, level) for cpu in CPUS for level in OPTIMIZATIONS}
    assert rows["cortex-m3", "-Os"]["ram"] <= RAM_LIMIT
    assert rows["cortex-m3", "-Os"]["cycles"] is None
    assert set(entry["firmware_tools"]) == {
        "arm-none-eabi-gcc", "qemu-system-arm", "riscv64-unknown-elf-gcc", "qemu-system-riscv32",
    }  # fmt: skip
    assert read_reference(models / "reference.npz").weights_sha256 == entry["weights_sha256"]


# Without the tools


def test_missing_tools_are_named_by_their_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    assert toolchain.missing_packages() == [
        "gcc-arm-none-eabi libnewlib-arm-none-eabi",
        "qemu-system-arm",
        "gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf",
        "qemu-system-misc",
        "gcc-avr binutils-avr avr-libc",
        "gcc libsimavr-dev",
    ]
    assert firmware.measure(tmp_path / "digits.c", 0, np.zeros((1, 28, 28), np.uint8)) == ([], {})
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
    assert deepest_stack(CALL_GRAPH, "edgedigits_predict") == 208 + 24 + 32


USAGE = "".join(
    f"digits.c:{place}:{name}\t{size}\tstatic\n"
    for place, name, size in [("5:1", "scale", 32), ("9:1", "dense", 40), ("50:5", "edgedigits_predict", 208)]
)
DISASSEMBLY = """
00000000 <scale>:
  10:\t0e 94 00 00 \tcall\t0\t; 0x0 <scale>
\t\t\t10: R_AVR_CALL\t__mulsidi3

00000000 <dense>:
   4:\t00 c0       \trjmp\t.+0
\t\t\t4: R_AVR_13_PCREL\t.text.dense+0x10
   8:\t0e 94 00 00 \tcall\t0\t; 0x0 <dense>
\t\t\t8: R_AVR_CALL\t.text.scale

00000000 <edgedigits_predict>:
   8:\t0e 94 00 00 \tcall\t0\t; 0x0 <edgedigits_predict>
\t\t\t8: R_AVR_CALL\t.text.scale
   c:\t0c 94 00 00 \tjmp\t0\t; 0x0 <edgedigits_predict>
\t\t\tc: R_AVR_CALL\t.text.dense
"""


def test_the_deepest_chain_of_an_avr_s_calls_counts() -> None:
    assert deepest_avr_stack(USAGE, DISASSEMBLY, "edgedigits_predict") == 208 + 40 + 32


def test_a_simulator_without_a_compiler_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(FirmwareError, match="no C compiler here: apt-get install gcc libsimavr-dev"):
        UNO.emulator.run(tmp_path / "digits.elf")
