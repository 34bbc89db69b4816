"""What an exported C file costs on microcontrollers: flash, RAM, and instructions or clock cycles.

Sizes are the cross compiler's and linker's; instructions and cycles are the emulator's. The boards are the rows of
``board.BOARDS``; the project that is built and run is the folder ``program`` with the one of the architecture.
"""

import dataclasses
import struct
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgedigits.contract import CLASSES
from edgedigits_export.boards.board import BOARDS, OPTIMIZATIONS, Board, Optimization
from edgedigits_export.boards.toolchain import (
    compile_object,
    link_program,
    sections_of_the_network,
    stack_of,
)
from edgedigits_export.boards.tools import FirmwareError

COUNTED = 200_000
"""Instructions or cycles in the loop of ``main.c`` that tells how many a step of the counter is."""

_HEAD = struct.Struct("<II")
_ANSWER = np.dtype([("steps", "<u4"), ("probabilities", "u1", CLASSES), ("best", "u1"), ("filler", "u1")])


PREDICT, CLASSIFY = "edgedigits_predict", "edgedigits_classify"
"""Functions of a C file: the digit with probabilities; in packed C also the digit with logits, which takes less."""


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
    """Bytes: the longest chain of calls by ``-fstack-usage``, or what was seen in use where a library goes deeper."""
    instructions: int | None = None
    """For one picture, rounded mean; None without the emulator, on a board too small for it, and where it is cycles."""
    cycles: int | None = None
    """The same in clock cycles, where the emulator counts these."""
    entry: str = PREDICT
    """The function that a program calls; the linker drops what it does not need."""

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
    counts: npt.NDArray[np.float64]
    """Shape (n,): instructions or cycles for each picture, to the 1 to 63 of a step of the board's counter."""
    stack: int
    """Bytes that were written to below the caller's stack."""


def measure(
    source: Path,
    parameter_bytes: int,
    pictures: npt.NDArray[np.uint8],
    boards: Iterable[Board] = BOARDS,
    entries: Sequence[str] = (PREDICT,),
) -> tuple[list[FirmwareFigures], dict[str, FirmwareError]]:
    """Measure an exported network on boards, with every optimization.

    Args:
        source: ``digits.c``, with its header beside it.
        parameter_bytes: of its weights and of what else is counted as parameters.
        pictures: uint8 (n, 28, 28), for the count of instructions or cycles.
        boards: those whose compiler is not here are left out.
        entries: functions to measure, each by itself.

    Returns:
        A row for each board, optimization and function; and of each processor without one, what its compiler or
        emulator had against the network.
    """
    boards = [board for board in boards if board.toolchain.is_here]
    ways = [
        (board, optimization, entry)
        for board in boards
        for optimization in OPTIMIZATIONS
        for entry in entries
    ]
    with ThreadPoolExecutor() as pool:  # each waits for processes of its own
        found = list(pool.map(lambda way: _measured(source, parameter_bytes, pictures, *way), ways))
    failed = {
        board.cpu: row for (board, *_), row in zip(ways, found, strict=True) if isinstance(row, FirmwareError)
    }
    return [row for row in found if isinstance(row, FirmwareFigures) and row.cpu not in failed], failed


def _measured(
    source: Path,
    parameter_bytes: int,
    pictures: npt.NDArray[np.uint8],
    board: Board,
    optimization: Optimization,
    entry: str,
) -> FirmwareFigures | FirmwareError:
    try:
        return _measure_one(source, parameter_bytes, pictures, board, optimization, entry)
    except FirmwareError as error:
        return error


def _measure_one(
    source: Path,
    parameter_bytes: int,
    pictures: npt.NDArray[np.uint8],
    board: Board,
    optimization: Optimization,
    entry: str,
) -> FirmwareFigures:
    with tempfile.TemporaryDirectory(prefix="edgedigits-") as name:
        folder = Path(name)
        network_object = compile_object(source, board, optimization, folder)
        sections = sections_of_the_network(network_object, board, folder, entry)
        figures = FirmwareFigures(
            cpu=board.cpu,
            optimization=optimization,
            code=sections[".text"],
            tables=sections[".rodata"] - parameter_bytes,
            parameters=parameter_bytes,
            variables=sections[".data"] + sections[".bss"],
            stack=stack_of(network_object, board, entry),
            entry=entry,
        )
        if not board.emulator.is_here or not board.has_room(figures.flash, figures.ram):
            return figures
        ran = run(program_of(source, network_object, board, optimization, folder, entry), board, pictures)
    count = round(float(ran.counts.mean()))
    figures = dataclasses.replace(figures, stack=max(figures.stack, ran.stack))
    if board.counts == "cycles":
        return dataclasses.replace(figures, cycles=count)
    return dataclasses.replace(figures, instructions=count)


def program_of(
    source: Path, network_object: Path, board: Board, optimization: Optimization, folder: Path, entry: str
) -> Path:
    """Link the program that lets a function answer pictures.

    Args:
        source: ``digits.c``, with its header beside it.
        network_object: of it.
        board: what it is for.
        optimization: of the compiler.
        folder: where to put it.
        entry: the function, ``PREDICT`` or ``CLASSIFY``.
    """
    if entry != PREDICT:
        # The same program, which calls a function that takes and gives as much.
        header = folder / "called.h"
        declared = source.with_suffix(".h").read_text(encoding="utf-8")
        header.write_text(f"{declared}\n#define {PREDICT} {entry}\n", encoding="utf-8")
        source = header.with_suffix(".c")
    return link_program(source, network_object, board, optimization, folder, "main.c")


def run(program: Path, board: Board, pictures: npt.NDArray[np.uint8]) -> BoardRun:
    """Let an emulated board answer pictures, which lie with the answers in files beside the program.

    Args:
        program: what ``build`` made.
        board: what it was made for.
        pictures: uint8 (n, 28, 28).

    Raises:
        FirmwareError: the board does not come to an end, or not to a good one.
    """
    folder = program.parent
    (folder / "pictures.bin").write_bytes(np.ascontiguousarray(pictures, np.uint8).tobytes())
    board.emulator.run(program)
    content = (folder / "answers.bin").read_bytes()
    expected = _HEAD.size + len(pictures) * _ANSWER.itemsize
    if len(content) != expected:
        raise FirmwareError(f"expected {expected:,} bytes of answers from {board.name}, got {len(content):,}")
    steps, stack = _HEAD.unpack_from(content)
    answers = np.frombuffer(content, _ANSWER, offset=_HEAD.size)
    return BoardRun(
        best=answers["best"],
        probabilities=answers["probabilities"],
        counts=answers["steps"] * (COUNTED / steps),
        stack=stack,
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
            row.cpu if row.entry == PREDICT else f"{row.cpu}, {row.entry}",
            row.optimization,
            *(f"{value:,}" for value in (row.flash, row.code, row.tables, row.parameters)),
            *(f"{value:,}" for value in (row.ram, row.variables, row.stack)),
            _written(row),
        )
        for row in figures
    ]


def _written(row: FirmwareFigures) -> str:
    if row.cycles is not None:
        return f"{row.cycles:,} cycles"
    return "-" if row.instructions is None else f"{row.instructions:,}"
