"""What an exported C file costs on a microcontroller: flash, RAM and instructions, for a Cortex-M0 and a Cortex-M3.

Sizes are the cross compiler's and linker's. Instructions are counted by QEMU, which executes one in each nanosecond of
its virtual time (``-icount shift=0``) and so makes a counter of the board's SysTick timer. The project that is built
and run is the folder ``cortex_m``.
"""

import dataclasses
import struct
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgedigits.child_processes import find_program
from edgedigits.contract import CLASSES, PIXELS
from edgedigits_export.boards.toolchain import (
    BOARDS,
    EMULATOR,
    OPTIMIZATIONS,
    Board,
    FirmwareError,
    Optimization,
    can_compile,
    compile_object,
    deepest_stack,
    link_program,
    run_tool,
    sections_of_the_network,
)

COUNTED_INSTRUCTIONS = 200_000
"""In the loop of ``main.c`` that tells how many instructions a tick is."""

SPARE_STACK = 1024
"""Bytes that a board needs besides the network's stack and the picture."""

_ANSWER = np.dtype([("ticks", "<u4"), ("probabilities", "u1", CLASSES), ("best", "u1"), ("filler", "u1")])


@dataclass(frozen=True)
class FirmwareFigures:
    """What a network costs on a processor, compiled in one way."""

    cpu: str
    optimization: Optimization
    code: int
    """Bytes of machine code in flash, with what the compiler's own library adds to it."""
    tables: int
    """Bytes of constants in flash besides the parameters."""
    parameters: int
    """Bytes of weights, biases, multipliers and shifts in flash."""
    variables: int
    """Bytes of ``.data`` and ``.bss``."""
    stack: int
    """Bytes: the longest chain of calls by ``-fstack-usage``, or what QEMU saw used where a library goes deeper."""
    instructions: int | None
    """For one picture, rounded mean; None without QEMU, or where the board is too small for the network."""

    @property
    def flash(self) -> int:
        """Bytes of flash in all."""
        return self.code + self.tables + self.parameters

    @property
    def ram(self) -> int:
        """Bytes of RAM besides the picture and the answer."""
        return self.variables + self.stack


@dataclass(frozen=True)
class BoardRun:
    """What a board answered."""

    best: npt.NDArray[np.uint8]
    """Shape (n,): the class that was returned."""
    probabilities: npt.NDArray[np.uint8]
    """Shape (n, 10), in steps of 1/256."""
    instructions: npt.NDArray[np.float64]
    """Shape (n,): for each picture, to the 40 or 63 of a tick."""
    stack: int
    """Bytes that were written to below the caller's stack."""


def measure(source: Path, parameter_bytes: int, pictures: npt.NDArray[np.uint8]) -> list[FirmwareFigures]:
    """Measure an exported network on every board and optimization.

    Args:
        source: ``digits.c``, with its header beside it.
        parameter_bytes: of its weights and of what else is counted as parameters.
        pictures: uint8 (n, 28, 28), for the instruction count.

    Returns:
        A row each; none at all without the cross compiler.

    Raises:
        FirmwareError: the compiler refuses the file, or the board does not come to an end.
    """
    if not can_compile():
        return []
    ways = [(board, optimization) for board in BOARDS for optimization in OPTIMIZATIONS]
    with ThreadPoolExecutor() as pool:  # each waits for processes of its own
        return list(pool.map(lambda way: _measure_one(source, parameter_bytes, pictures, *way), ways))


def _measure_one(
    source: Path,
    parameter_bytes: int,
    pictures: npt.NDArray[np.uint8],
    board: Board,
    optimization: Optimization,
) -> FirmwareFigures:
    with tempfile.TemporaryDirectory(prefix="edgedigits-") as name:
        folder = Path(name)
        network_object = compile_object(source, board, optimization, folder)
        call_graph = network_object.with_suffix(".ci").read_text(encoding="utf-8")
        sections = sections_of_the_network(network_object, board, folder)
        figures = FirmwareFigures(
            cpu=board.cpu,
            optimization=optimization,
            code=sections[".text"],
            tables=sections[".rodata"] - parameter_bytes,
            parameters=parameter_bytes,
            variables=sections[".data"] + sections[".bss"],
            stack=deepest_stack(call_graph, "edgedigits_predict"),
            instructions=None,
        )
        fits = (
            figures.flash + PIXELS + 4 * SPARE_STACK < board.flash
            and figures.ram + PIXELS + SPARE_STACK < board.ram
        )
        if find_program(EMULATOR) is None or not fits:
            return figures
        program = link_program(source, network_object, board, optimization, folder, "main.c")
        ran = run(program, board, pictures)
    return dataclasses.replace(
        figures, stack=max(figures.stack, ran.stack), instructions=round(float(ran.instructions.mean()))
    )


def run(program: Path, board: Board, pictures: npt.NDArray[np.uint8]) -> BoardRun:
    """Let an emulated board answer pictures: they go in and the answers come out by semihosting.

    Args:
        program: what ``build`` made.
        board: what it was made for.
        pictures: uint8 (n, 28, 28).

    Raises:
        FirmwareError: the board does not come to an end, or not to a good one.
    """
    folder = program.parent
    (folder / "pictures.bin").write_bytes(np.ascontiguousarray(pictures, np.uint8).tobytes())
    run_to_the_end(program, board)
    content = (folder / "answers.bin").read_bytes()
    ticks, stack = struct.unpack_from("<II", content)
    answers = np.frombuffer(content, _ANSWER, offset=8)
    if len(answers) != len(pictures):
        raise FirmwareError(f"expected {len(pictures)} answers from {board.name}, got {len(answers)}")
    return BoardRun(
        best=answers["best"],
        probabilities=answers["probabilities"],
        instructions=answers["ticks"] * (COUNTED_INSTRUCTIONS / ticks),
        stack=stack,
    )


def run_to_the_end(program: Path, board: Board) -> str:
    """Run a program on an emulated board, in the program's folder.

    Returns:
        What it printed.

    Raises:
        FirmwareError: it does not end, or ends with a failure.
    """
    return run_tool(
        EMULATOR,
        *("-machine", board.name, "-icount", "shift=0"),
        *("-display", "none", "-serial", "none", "-monitor", "none"),
        # Semihosting's console is the emulator's standard output only when it is told so.
        *("-chardev", "stdio,id=console", "-semihosting-config", "enable=on,target=native,chardev=console"),
        *("-kernel", program.name),
        folder=program.parent,
    )


def to_manifest(figures: Sequence[FirmwareFigures]) -> list[dict[str, Any]]:
    """Return the rows as JSON values, with the sums that people ask for."""
    return [{**dataclasses.asdict(row), "flash": row.flash, "ram": row.ram} for row in figures]


FIRMWARE_HEADER = (
    "processor",
    "optimized",
    "flash",
    "code",
    "tables",
    "parameters",
    "RAM",
    "variables",
    "stack",
    "instructions",
)


def firmware_rows(figures: Sequence[FirmwareFigures]) -> list[tuple[str, ...]]:
    """Write the rows as text under ``FIRMWARE_HEADER``."""
    return [
        (
            row.cpu,
            row.optimization,
            *(f"{value:,}" for value in (row.flash, row.code, row.tables, row.parameters)),
            *(f"{value:,}" for value in (row.ram, row.variables, row.stack)),
            "-" if row.instructions is None else f"{row.instructions:,}",
        )
        for row in figures
    ]
