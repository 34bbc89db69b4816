"""The boards that a network is measured on, and the tools of each: another one is a row in ``BOARDS``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgedigits.child_processes import find_program
from edgedigits.contract import PIXELS
from edgedigits_export.boards.emulators import Emulator, Qemu, Simavr

Optimization = Literal["-Os", "-O2"]
OPTIMIZATIONS: tuple[Optimization, ...] = ("-Os", "-O2")
Unit = Literal["instructions", "cycles"]

FOLDER = Path(__file__).parent
PROGRAM = FOLDER / "program"
"""The sources that are the same on every board."""
SEMIHOSTING = PROGRAM / "semihosting.c"
STRICT = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")


@dataclass(frozen=True)
class Toolchain:
    """What builds programs for the processors of one architecture."""

    prefix: str
    """Of the names of its tools: ``arm-none-eabi-``."""
    packages: str
    """Debian's, of the compiler and the library."""
    folder: Path
    """Start-up code and linker scripts."""
    sources: tuple[Path, ...]
    """What a program is linked with besides the network and the file that has ``main``."""
    dialect: str
    """The option for the language."""
    compiling: tuple[str, ...] = ()
    """Further options of the compiler, for all processors."""
    linking: tuple[str, ...] = ()
    """Further options of the linker."""
    writes_call_graphs: bool = True
    """Whether it has ``-fcallgraph-info``, which GCC knows since its version 10."""

    @property
    def compiler(self) -> str:
        """Name of the C compiler."""
        return f"{self.prefix}gcc"

    @property
    def is_here(self) -> bool:
        """Whether the compiler is installed."""
        return find_program(self.compiler) is not None


@dataclass(frozen=True)
class Board:
    """A board that can be emulated, and what it takes to build for it and to run it."""

    name: str
    cpu: str
    flash: int
    """Bytes."""
    ram: int
    """Bytes."""
    options: tuple[str, ...]
    """Of the compiler, for this processor."""
    script: str | None
    """Of the linker, in the toolchain's folder; None where the compiler brings one."""
    toolchain: Toolchain
    emulator: Emulator
    counts: Unit = "instructions"
    """What the emulator counts."""
    program_flash: int = 4_096
    """Bytes of flash that ``main.c`` and what it is linked with take at most."""
    program_ram: int = 1_024
    """Bytes of RAM, of which the stack is a part, that they take at most besides the picture."""

    def has_room(self, flash: int, ram: int) -> bool:
        """Return whether a network and the program around it run there.

        Args:
            flash: bytes that the network takes.
            ram: bytes that it takes besides the picture.
        """
        return flash + self.program_flash <= self.flash and ram + PIXELS + self.program_ram <= self.ram

    @property
    def missing_packages(self) -> list[str]:
        """Debian's packages of the tools that are not here."""
        tools: tuple[Toolchain | Emulator, ...] = (self.toolchain, self.emulator)
        return [tool.packages for tool in tools if not tool.is_here]


ARM = Toolchain(
    prefix="arm-none-eabi-",
    packages="gcc-arm-none-eabi libnewlib-arm-none-eabi",
    folder=FOLDER / "cortex_m",
    sources=(FOLDER / "cortex_m" / "startup.c", FOLDER / "cortex_m" / "counter.c", SEMIHOSTING),
    dialect="-std=c99",
    compiling=("-mthumb",),
    linking=("-nostartfiles",),
)
RISCV = Toolchain(
    prefix="riscv64-unknown-elf-",
    packages="gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf",
    folder=FOLDER / "riscv",
    sources=(FOLDER / "riscv" / "startup.c", FOLDER / "riscv" / "counter.c", SEMIHOSTING),
    dialect="-std=c99",
    compiling=("--specs=picolibc.specs",),
    linking=("-nostartfiles",),
)
AVR = Toolchain(
    prefix="avr-",
    packages="gcc-avr binutils-avr avr-libc",
    folder=FOLDER / "avr",
    sources=(FOLDER / "avr" / "board.c",),
    # Flash that is apart from memory is an extension of GNU C.
    dialect="-std=gnu99",
    linking=("-Wl,--defsym=bss_end=_end",),
    writes_call_graphs=False,
)

_QEMU_ARM = Qemu("qemu-system-arm", packages="qemu-system-arm")
_QEMU_RISCV = Qemu("qemu-system-riscv32", packages="qemu-system-misc")

M0 = Board(
    "microbit",
    "cortex-m0",
    flash=256 << 10,
    ram=16 << 10,
    options=("-mcpu=cortex-m0",),
    script="microbit.ld",
    toolchain=ARM,
    emulator=_QEMU_ARM.of("-machine", "microbit"),
)
M3 = Board(
    "mps2-an385",
    "cortex-m3",
    flash=4 << 20,
    ram=4 << 20,
    options=("-mcpu=cortex-m3",),
    script="mps2-an385.ld",
    toolchain=ARM,
    emulator=_QEMU_ARM.of("-machine", "mps2-an385"),
)
RV32EC = Board(
    "virt",
    "rv32ec",
    flash=4 << 20,
    ram=4 << 20,
    options=("-march=rv32ec", "-mabi=ilp32e"),
    script="virt.ld",
    toolchain=RISCV,
    # QEMU 7.2 takes a program's word for it that it uses 16 registers; the compiler is what keeps it.
    emulator=_QEMU_RISCV.of("-machine", "virt", "-cpu", "rv32,i=false,e=true,h=false", "-bios", "none"),
)
UNO = Board(
    "arduino-uno",
    "atmega328p",
    flash=32 << 10,
    ram=2 << 10,
    options=("-mmcu=atmega328p",),
    script=None,
    toolchain=AVR,
    emulator=Simavr(FOLDER / "avr" / "simulator.c", packages="gcc libsimavr-dev"),
    counts="cycles",
    program_flash=1_280,
    program_ram=96,
)
BOARDS = (M0, M3, RV32EC, UNO)
