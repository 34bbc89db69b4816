"""Small networks on every emulated board: each integer that of the reference, in the memory of the chip."""

import dataclasses
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from on_boards import PICTURES, Small, needs, on

from edgedigits_export import FIRMWARE_HEADER, firmware_rows
from edgedigits_export.boards import firmware, toolchain
from edgedigits_export.boards.board import OPTIMIZATIONS, RV32EC, UNO
from edgedigits_export.boards.firmware import run
from edgedigits_export.boards.toolchain import build
from edgedigits_export.boards.tools import FirmwareError, run_tool
from edgedigits_export.formats import c_text

pytestmark = pytest.mark.c_compiler


@pytest.mark.parametrize("kind", ["dense", "convolutions", "packed"])
@pytest.mark.parametrize("optimization", OPTIMIZATIONS)
@on()
def test_a_board_computes_every_integer_of_the_reference(
    board, optimization, kind: str, pixels: np.ndarray, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    small: Small = request.getfixturevalue(kind)
    answers = run(build(small.source, board, tmp_path, optimization), board, pixels)
    assert answers.probabilities.shape == (PICTURES, 10)
    np.testing.assert_array_equal(answers.probabilities, small.expected)
    np.testing.assert_array_equal(answers.best, small.expected.argmax(axis=1))


@pytest.mark.parametrize("kind", ["dense", "convolutions", "packed"])
@on()
def test_every_board_has_its_figures(
    board, kind: str, pixels: np.ndarray, request: pytest.FixtureRequest
) -> None:
    small: Small = request.getfixturevalue(kind)
    rows, failed = firmware.measure(small.source, small.network.parameter_bytes, pixels[:2], [board])
    assert failed == {}
    assert [(row.cpu, row.optimization) for row in rows] == [(board.cpu, level) for level in OPTIMIZATIONS]
    for row, cells in zip(rows, firmware_rows(rows), strict=True):
        assert row.variables == 0  # no table is copied to RAM
        assert row.tables > 0
        assert small.network.scratch_bytes < row.ram < small.network.scratch_bytes + 512
        counted = row.cycles if board.counts == "cycles" else row.instructions
        assert (row.instructions is None) == (board.counts == "cycles")
        assert counted > 10_000
        written_count = f"{counted:,}{' cycles' if board is UNO else ''}"
        assert cells[FIRMWARE_HEADER.index("instructions")] == written_count


@on()
def test_the_selftest_passes_on_a_board(board, dense: Small, tmp_path: Path) -> None:
    others = [dense.source.with_name("digits_selftest.c")]
    program = build(dense.source, board, tmp_path, main="selftest_main.c", others=others)
    printed = board.emulator.run(program)
    assert printed.splitlines()[-1] == "edgedigits selftest passed"
    assert printed.count(" ok") == 12


@on()
def test_a_failed_selftest_is_a_failed_run(board, dense: Small, tmp_path: Path) -> None:
    for name in ("digits.c", "digits.h", "digits_selftest.c"):
        shutil.copy(dense.source.with_name(name), tmp_path)
    path = tmp_path / "digits_selftest.c"
    path.write_text(re.sub(r"(class \d+ \*/\n +)0,", r"\g<1>1,", path.read_text(), count=1))
    program = build(tmp_path / "digits.c", board, tmp_path, main="selftest_main.c", others=[path])
    with pytest.raises(FirmwareError, match=r"failed \(edgedigits selftest FAILED\)"):
        board.emulator.run(program)


@needs(RV32EC)
def test_a_small_network_runs_in_the_memory_of_a_ch32v003(
    convolutions: Small, pixels: np.ndarray, tmp_path: Path
) -> None:
    chip = dataclasses.replace(RV32EC, name="ch32v003", script="ch32v003.ld", flash=16 << 10, ram=2 << 10)
    program = build(convolutions.source, chip, tmp_path)
    answers = run(program, chip, pixels[:50])
    np.testing.assert_array_equal(answers.probabilities, convolutions.expected[:50])
    # Of 16 registers: QEMU would let it use the others.
    tools = chip.toolchain.prefix
    assert "RVE" in run_tool(f"{tools}readelf", "-h", program.name, folder=tmp_path)
    code = run_tool(f"{tools}objdump", "-d", "-M", "numeric", program.name, folder=tmp_path)
    registers = {int(number) for number in re.findall(r"\bx(\d+)\b", code)}
    assert max(registers) == 15


@needs(UNO)
def test_an_avr_s_stack_is_what_the_simulator_sees(dense: Small, pixels: np.ndarray, tmp_path: Path) -> None:
    ran = run(build(dense.source, UNO, tmp_path), UNO, pixels[:1])
    # The compiler does not know how deep its library goes: 64-bit products of two 32-bit numbers.
    assert 0 <= ran.stack - toolchain.stack_of(tmp_path / "network.o", UNO) <= 32


@needs(UNO)
def test_a_compiler_that_knows_no_flash_is_told(dense: Small, tmp_path: Path) -> None:
    strict = dataclasses.replace(UNO, toolchain=dataclasses.replace(UNO.toolchain, dialect="-std=c99"))
    with pytest.raises(FirmwareError, match="expected a compiler that knows __flash"):
        build(dense.source, strict, tmp_path)


LOOP = """
#include <stdint.h>
@FLASH@

typedef struct {
    uint16_t step;
    uint8_t value;
    uint16_t count;
} row;

static const FLASH row rows[4] = {{1, 2, 3}, {4, 5, 6}, {7, 8, 9}, {10, 11, 12}};

uint16_t fill(uint8_t *output);

uint16_t fill(uint8_t *output)
{
    uint16_t steps = 0;

    for (const FLASH row *place = rows; place < rows + 4; place++) {
        for (uint16_t index = 0; index < place->count; index++) {
            *output++ = place->value;
        }
        steps += place->step;
    }
    return steps;
}
"""


@needs(UNO)
@pytest.mark.parametrize("optimization", OPTIMIZATIONS)
def test_loops_over_flash_read_flash(optimization, tmp_path: Path) -> None:
    flash = (Path(c_text.__file__).parent / "templates" / "flash.c.j2").read_text()
    (tmp_path / "loop.c").write_text(LOOP.replace("@FLASH@", flash))
    options = ("-std=gnu99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", *UNO.options, optimization)
    assembly = run_tool("avr-gcc", *options, "-S", "-o", "-", "loop.c", folder=tmp_path)
    assert re.search(r"\blpm r\d+,", assembly)
    # Without the pragma, avr-gcc 5.4 reads place->step from RAM at -O2: no warning, another answer.
    assert not re.search(r"\bldd? r\d+,", assembly)
