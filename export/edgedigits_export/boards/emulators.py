"""The emulators of the boards: each runs a program in its folder, where pictures go in and answers come out."""

import dataclasses
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edgedigits.child_processes import find_program
from edgedigits.runtimes.c_compiler import find_compiler
from edgedigits_export.boards.tools import FirmwareError, run_tool


class Emulator(Protocol):
    """What runs programs of a board."""

    @property
    def packages(self) -> str:
        """Debian's packages that have it."""

    @property
    def program(self) -> str | None:
        """The program of it that tells its version; None where none does."""

    @property
    def is_here(self) -> bool:
        """Whether it is installed."""

    def run(self, program: Path) -> str:
        """Run a program to its end; it reads ``pictures.bin`` and writes ``answers.bin`` beside it, if it wants to.

        Returns:
            What it printed.

        Raises:
            FirmwareError: it does not end, or ends with a failure.
        """


@dataclass(frozen=True)
class Qemu:
    """QEMU. It executes one instruction in each nanosecond of its virtual time, so that a board's timer counts them."""

    program: str
    packages: str
    options: tuple[str, ...] = ()
    """For the board."""

    def of(self, *options: str) -> "Qemu":
        """Return it with the options of a board."""
        return dataclasses.replace(self, options=options)

    @property
    def is_here(self) -> bool:
        """See ``Emulator``."""
        return find_program(self.program) is not None

    def run(self, program: Path) -> str:
        """See ``Emulator``."""
        return run_tool(
            self.program,
            *self.options,
            *("-icount", "shift=0"),
            *("-display", "none", "-serial", "none", "-monitor", "none"),
            # Semihosting's console is the emulator's standard output only when it is told so.
            *(
                "-chardev",
                "stdio,id=console",
                "-semihosting-config",
                "enable=on,target=native,chardev=console",
            ),
            *("-kernel", program.name),
            folder=program.parent,
        )


@dataclass(frozen=True)
class Simavr:
    """Simavr, by its library: a program of ours that the system's C compiler builds sends pictures to a serial port."""

    source: Path
    packages: str
    program: None = None

    @property
    def is_here(self) -> bool:
        """See ``Emulator``."""
        compiler = find_compiler()
        return compiler is not None and _finds_simavr(tuple(compiler), self.source)

    def run(self, program: Path) -> str:
        """See ``Emulator``."""
        compiler = find_compiler()
        if compiler is None:
            raise FirmwareError(
                f"simavr could not be run (no C compiler here: apt-get install {self.packages})"
            )
        folder = program.parent.resolve()
        simulator = folder / "simulator"
        run_tool(*compiler, "-O2", str(self.source), "-lsimavr", "-o", str(simulator), folder=folder)
        return run_tool(str(simulator), program.name, folder=folder)


@functools.cache
def _finds_simavr(compiler: tuple[str, ...], source: Path) -> bool:
    try:
        run_tool(*compiler, "-fsyntax-only", str(source), folder=source.parent)
    except FirmwareError:
        return False
    return True
