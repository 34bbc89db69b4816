"""Programs of a board: compiled, linked, and their sections read."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from edgedigits.child_processes import find_program
from edgedigits_export.boards.board import BOARDS, FOLDER, PROGRAM, STRICT, Board, Optimization
from edgedigits_export.boards.stack import deepest_avr_stack, deepest_stack
from edgedigits_export.boards.tools import run_tool


def missing_packages(boards: Iterable[Board] = BOARDS) -> list[str]:
    """Return the Debian packages of the tools of boards that are not here, each once."""
    return list(dict.fromkeys(packages for board in boards for packages in board.missing_packages))


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
        main: the file of ``PROGRAM`` that begins: ``main.c`` or ``selftest_main.c``.
        others: further sources.

    Returns:
        The ELF file.

    Raises:
        FirmwareError: the compiler refuses it, or it is too large for the board.
    """
    folder = folder.resolve()  # the tools work in it
    network_object = compile_object(source, board, optimization, folder)
    return link_program(source, network_object, board, optimization, folder, main, others)


def tool_versions(boards: Iterable[Board] = BOARDS) -> dict[str, str]:
    """Return the versions of the compilers and of the emulators of boards, as far as they are here and tell."""
    tools = [tool for board in boards for tool in (board.toolchain.compiler, board.emulator.program) if tool]
    found = {}
    for tool in dict.fromkeys(tools):
        if find_program(tool):
            first = run_tool(tool, "--version", folder=FOLDER).splitlines()[0]
            found[tool] = match[0] if (match := re.search(r"\d+\.\d+\.\d+", first)) else first
    return found


def _command(board: Board, optimization: Optimization) -> list[str]:
    tools = board.toolchain
    sections = ("-ffunction-sections", "-fdata-sections")
    return [tools.compiler, *board.options, *tools.compiling, optimization, *sections]


def compile_object(source: Path, board: Board, optimization: Optimization, folder: Path) -> Path:
    """Compile the network to an object file, and the stack of its functions to files beside that."""
    made = folder / "network.o"
    run_tool(
        *_command(board, optimization),
        *(board.toolchain.dialect, *STRICT),
        *("-fstack-usage", *(["-fcallgraph-info=su"] if board.toolchain.writes_call_graphs else [])),
        *("-c", str(source.resolve()), "-o", str(made)),
        folder=folder,
    )
    return made


def stack_of(network_object: Path, board: Board, entry: str = "edgedigits_predict") -> int:
    """Return the bytes of stack that a function of an object file takes at most, its libraries' left out."""
    if board.toolchain.writes_call_graphs:
        return deepest_stack(network_object.with_suffix(".ci").read_text(encoding="utf-8"), entry)
    usage = network_object.with_suffix(".su").read_text(encoding="utf-8")
    disassembler = f"{board.toolchain.prefix}objdump"
    listing = run_tool(disassembler, "-dr", str(network_object), folder=network_object.parent)
    return deepest_avr_stack(usage, listing, entry)


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
    tools = board.toolchain
    script = () if board.script is None else ("-L", str(tools.folder), "-T", board.script)
    run_tool(
        *_command(board, optimization),
        *(tools.dialect, *STRICT),
        *(*tools.linking, "-Wl,--gc-sections"),
        *("-I", str(source.parent.resolve()), "-I", str(PROGRAM)),
        *script,
        f'-DNETWORK_HEADER="{source.with_suffix(".h").name}"',
        *(str(path.resolve()) for path in (PROGRAM / main, *tools.sources, network_object, *others)),
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
        *("-L", str(board.toolchain.folder), "-T", "sizes.ld"),
        *(str(network_object), "-o", str(program), "-lm"),
        folder=folder,
    )
    listing = run_tool(f"{board.toolchain.prefix}size", "-A", str(program), folder=folder)
    rows = [line.split() for line in listing.splitlines()]
    sizes = {row[0]: int(row[1]) for row in rows if len(row) == 3 and row[0].startswith(".")}
    return {section: sizes.get(section, 0) for section in (".text", ".rodata", ".data", ".bss")}
