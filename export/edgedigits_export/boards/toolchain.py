"""The cross compiler, the emulator and their boards: programs are compiled, linked, and their sections read."""

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgedigits.child_processes import find_program
from edgedigits.errors import EdgeDigitsError

Optimization = Literal["-Os", "-O2"]
OPTIMIZATIONS: tuple[Optimization, ...] = ("-Os", "-O2")
PROJECT = Path(__file__).with_name("cortex_m")
COMPILER, SIZE, EMULATOR = "arm-none-eabi-gcc", "arm-none-eabi-size", "qemu-system-arm"
PACKAGES = {COMPILER: "gcc-arm-none-eabi libnewlib-arm-none-eabi", EMULATOR: "qemu-system-arm"}
"""Debian's packages for the tools."""
WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")

SECONDS_TO_RUN = 300.0


class FirmwareError(EdgeDigitsError, RuntimeError):
    """A tool for microcontrollers failed, or a network is too large for a board."""


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


def missing_tools() -> list[str]:
    """Return the Debian packages of the tools that are not here."""
    return [packages for tool, packages in PACKAGES.items() if find_program(tool) is None]


def can_compile() -> bool:
    """Return whether the cross compiler is here."""
    return find_program(COMPILER) is not None


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
    network_object = compile_object(source, board, optimization, folder)
    return link_program(source, network_object, board, optimization, folder, main, others)


def tool_versions() -> dict[str, str]:
    """Return the versions of the cross compiler and of the emulator that are here."""
    found = {}
    for tool in PACKAGES:
        if find_program(tool):
            first = run_tool(tool, "--version", folder=PROJECT).splitlines()[0]
            found[tool] = match[0] if (match := re.search(r"\d+\.\d+\.\d+", first)) else first
    return found


def _command(board: Board, optimization: Optimization) -> list[str]:
    return [COMPILER, f"-mcpu={board.cpu}", "-mthumb", optimization, "-ffunction-sections", "-fdata-sections"]


def compile_object(source: Path, board: Board, optimization: Optimization, folder: Path) -> Path:
    """Compile the network to an object file, and its call graph to a ``.ci`` file beside that."""
    made = folder / "network.o"
    run_tool(
        *_command(board, optimization),
        *WARNINGS,
        *("-fstack-usage", "-fcallgraph-info=su"),
        *("-c", str(source.resolve()), "-o", str(made)),
        folder=folder,
    )
    return made


def link_program(
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
    run_tool(
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


def sections_of_the_network(
    network_object: Path, board: Board, folder: Path, entry: str = "edgedigits_predict"
) -> dict[str, int]:
    """Link a function with nothing but the libraries that it calls; return sizes by section."""
    program = folder / "network.elf"
    run_tool(
        *_command(board, "-Os"),
        *("-nostartfiles", "-Wl,--gc-sections", f"-Wl,--entry={entry}"),
        *("-L", str(PROJECT), "-T", "sizes.ld"),
        *(str(network_object), "-o", str(program), "-lm"),
        folder=folder,
    )
    rows = [line.split() for line in run_tool(SIZE, "-A", str(program), folder=folder).splitlines()]
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


def run_tool(name: str, *arguments: str, folder: Path) -> str:
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
