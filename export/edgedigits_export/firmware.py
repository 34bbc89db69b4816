"""What an exported C file costs on a microcontroller: flash, RAM and instructions, for a Cortex-M0 and a Cortex-M3.

Sizes are the cross compiler's and linker's. Instructions are counted by QEMU, which executes one in each nanosecond of
its virtual time (``-icount shift=0``) and so makes a counter of the board's SysTick timer. The project that is built
and run is the folder ``cortex_m``.
"""

import dataclasses
import re
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from edgedigits.child_processes import find_program
from edgedigits.contract import CLASSES, PIXELS
from edgedigits.errors import EdgeDigitsError
from edgedigits_export.fixed_point import FixedPointNetwork

Optimization = Literal["-Os", "-O2"]
OPTIMIZATIONS: tuple[Optimization, ...] = ("-Os", "-O2")
PROJECT = Path(__file__).with_name("cortex_m")
COMPILER, SIZE, EMULATOR = "arm-none-eabi-gcc", "arm-none-eabi-size", "qemu-system-arm"
PACKAGES = {COMPILER: "gcc-arm-none-eabi libnewlib-arm-none-eabi", EMULATOR: "qemu-system-arm"}
"""Debian's packages for the tools."""
WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
COUNTED_INSTRUCTIONS = 200_000
"""In the loop of ``main.c`` that tells how many instructions a tick is."""
SECONDS_TO_RUN = 300.0
SPARE_STACK = 1024
"""Bytes that a board needs besides the network's stack and the picture."""


class FirmwareError(EdgeDigitsError, RuntimeError):
    """A tool for microcontrollers failed, or a network is too large for a board."""


_ANSWER = np.dtype([("ticks", "<u4"), ("probabilities", "u1", CLASSES), ("best", "u1"), ("filler", "u1")])


@dataclass(frozen=True)
class Board:
    """A board that QEMU emulates."""

    name: str
    cpu: str
    flash: int
    """Bytes."""
    ram: int
    """Bytes."""


M3 = Board("mps2-an385", "cortex-m3", 4 << 20, 4 << 20)
M0 = Board("microbit", "cortex-m0", 256 << 10, 16 << 10)
BOARDS = (M0, M3)


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


def missing_tools() -> list[str]:
    """Return the Debian packages of the tools that are not here."""
    return [packages for tool, packages in PACKAGES.items() if find_program(tool) is None]


def can_compile() -> bool:
    """Return whether the cross compiler is here."""
    return find_program(COMPILER) is not None


def measure(
    source: Path, network: FixedPointNetwork, pictures: npt.NDArray[np.uint8]
) -> list[FirmwareFigures]:
    """Measure an exported network on every board and optimization.

    Args:
        source: ``digits.c``, with its header beside it.
        network: its integers.
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
        return list(pool.map(lambda way: _measure_one(source, network, pictures, *way), ways))


def _measure_one(
    source: Path,
    network: FixedPointNetwork,
    pictures: npt.NDArray[np.uint8],
    board: Board,
    optimization: Optimization,
) -> FirmwareFigures:
    with tempfile.TemporaryDirectory(prefix="edgedigits-") as name:
        folder = Path(name)
        network_object = _compile(source, board, optimization, folder)
        call_graph = network_object.with_suffix(".ci").read_text(encoding="utf-8")
        sections = _sections_of_the_network(network_object, board, folder)
        figures = FirmwareFigures(
            cpu=board.cpu,
            optimization=optimization,
            code=sections[".text"],
            tables=sections[".rodata"] - network.parameter_bytes,
            parameters=network.parameter_bytes,
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
        program = _link(source, network_object, board, optimization, folder, "main.c")
        ran = run(program, board, pictures)
    return dataclasses.replace(
        figures, stack=max(figures.stack, ran.stack), instructions=round(float(ran.instructions.mean()))
    )


def build(
    source: Path,
    board: Board,
    folder: Path,
    optimization: Optimization = "-Os",
    *,
    main: str = "main.c",
    others: Sequence[Path] = (),
) -> Path:
    """Build the firmware of a board.

    Args:
        source: ``digits.c``, with its header beside it.
        board: what it is for.
        folder: where to put it.
        optimization: of the compiler.
        main: the program in ``PROJECT``: ``main.c`` or ``selftest_main.c``.
        others: further sources.

    Returns:
        The ELF file.

    Raises:
        FirmwareError: the compiler refuses it, or it is too large for the board.
    """
    folder = folder.resolve()  # the tools work in it
    network_object = _compile(source, board, optimization, folder)
    return _link(source, network_object, board, optimization, folder, main, others)


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
    return _tool(
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


def tool_versions() -> dict[str, str]:
    """Return the versions of the cross compiler and of the emulator that are here."""
    found = {}
    for tool in PACKAGES:
        if find_program(tool):
            first = _tool(tool, "--version", folder=PROJECT).splitlines()[0]
            found[tool] = match[0] if (match := re.search(r"\d+\.\d+\.\d+", first)) else first
    return found


def _command(board: Board, optimization: Optimization) -> list[str]:
    return [COMPILER, f"-mcpu={board.cpu}", "-mthumb", optimization, "-ffunction-sections", "-fdata-sections"]


def _compile(source: Path, board: Board, optimization: Optimization, folder: Path) -> Path:
    """Compile the network to an object file, and its call graph to a ``.ci`` file beside that."""
    made = folder / "network.o"
    _tool(
        *_command(board, optimization),
        *WARNINGS,
        *("-fstack-usage", "-fcallgraph-info=su"),
        *("-c", str(source.resolve()), "-o", str(made)),
        folder=folder,
    )
    return made


def _link(
    source: Path,
    network_object: Path,
    board: Board,
    optimization: Optimization,
    folder: Path,
    main: str,
    others: Sequence[Path] = (),
) -> Path:
    """Compile a program around the network and link both for a board."""
    program = folder / f"{board.name}.elf"
    own = [PROJECT / name for name in ("startup.c", "semihosting.c", main)]
    _tool(
        *_command(board, optimization),
        *WARNINGS,
        "-nostartfiles",
        "-Wl,--gc-sections",
        *("-I", str(source.parent.resolve()), "-I", str(PROJECT)),
        *("-L", str(PROJECT), "-T", f"{board.name}.ld"),
        f'-DNETWORK_HEADER="{source.with_suffix(".h").name}"',
        *(str(path.resolve()) for path in (*own, network_object, *others)),
        *("-o", str(program)),
        folder=folder,
    )
    return program


def _sections_of_the_network(network_object: Path, board: Board, folder: Path) -> dict[str, int]:
    """Link ``edgedigits_predict`` with nothing but the libraries that it calls; return sizes by section."""
    program = folder / "network.elf"
    _tool(
        *_command(board, "-Os"),
        *("-nostartfiles", "-Wl,--gc-sections", "-Wl,--entry=edgedigits_predict"),
        *("-L", str(PROJECT), "-T", "sizes.ld"),
        *(str(network_object), "-o", str(program)),
        folder=folder,
    )
    rows = [line.split() for line in _tool(SIZE, "-A", str(program), folder=folder).splitlines()]
    sizes = {row[0]: int(row[1]) for row in rows if len(row) == 3 and row[0].startswith(".")}
    return {section: sizes.get(section, 0) for section in (".text", ".rodata", ".data", ".bss")}


def deepest_stack(call_graph: str, function: str) -> int:
    """Return the bytes of stack that a function and all that it calls take at most.

    Args:
        call_graph: what ``-fcallgraph-info=su`` writes: the figures of ``-fstack-usage``, and who calls whom.
        function: where to begin.
    """
    own = {
        title: int(size)
        for title, size in re.findall(r'node: \{ title: "([^"]+)" label: "[^"]*?(\d+) bytes', call_graph)
    }
    calls = re.findall(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"', call_graph)

    def depth(title: str) -> int:
        return own.get(title, 0) + max(
            (depth(to) for by, to in calls if by == title and to != title), default=0
        )

    return depth(function)


def _tool(name: str, *arguments: str, folder: Path) -> str:
    """Run a tool in a folder of ours: a linker script, say, is looked for in the working directory first."""
    program = find_program(name)
    if program is None:
        raise FirmwareError(f"{name} could not be run (it is not installed)")
    try:
        done = subprocess.run(
            [program, *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=SECONDS_TO_RUN,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FirmwareError(f"{name} could not be run ({error})") from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        complaint = next(
            (line for line in said if "error" in line or "overflow" in line), said[-1] if said else ""
        )
        raise FirmwareError(f"{name} failed ({complaint[:300] or f'status {done.returncode}'})")
    return done.stdout
