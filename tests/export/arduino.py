"""Sketches compiled and linked as the Arduino IDE does it for an Uno, with its real core."""

import re
from pathlib import Path

import pytest

from edgedigits_export.boards.tools import run_tool

ARDUINO = Path("/usr/share/arduino/hardware/arduino/avr")
# As the core's platform.txt has them.
COMPILING = ("-Os", "-mmcu=atmega328p", "-ffunction-sections", "-fdata-sections", "-flto")
DEFINED = ("-DF_CPU=16000000L", "-DARDUINO=10819", "-DARDUINO_AVR_UNO", "-DARDUINO_ARCH_AVR")
CPP = ("-std=gnu++11", "-fpermissive", "-fno-exceptions", "-fno-threadsafe-statics")
C = ("-std=gnu11",)
STRICT = ("-Wall", "-Wextra", "-Werror")
# What a sketch with a serial port and a pin is linked with. (Debian's compiler is too old for the core's WString.cpp.)
CORE = ("main.cpp", "HardwareSerial.cpp", "HardwareSerial0.cpp", "Print.cpp", "Stream.cpp", "abi.cpp")
CORE += ("wiring.c", "wiring_digital.c", "hooks.c")
MOST_FLASH = 32_256  # the boot loader has the rest

arduino = pytest.mark.skipif(not ARDUINO.exists(), reason="apt-get install arduino-core-avr")


def compiled(sketch: Path, *options: str, library: Path | None = None) -> Path:
    """Compile and link a folder with a sketch and C files; return the program, which lies there.

    Args:
        sketch: the folder.
        options: of the compiler, besides those of the IDE.
        library: a library's folder of sources.
    """
    includes = [ARDUINO / "cores" / "arduino", ARDUINO / "variants" / "standard"]
    sources = sorted(sketch.glob("*.c"))
    if library is not None:
        includes.append(library)
        sources += sorted(library.glob("*.c"))
    common = (*COMPILING, *DEFINED, *options, *(f"-I{folder}" for folder in includes), "-c")
    (ino,) = sketch.glob("*.ino")
    run_tool(
        "avr-g++",
        *(*common, *CPP, *STRICT),
        *("-include", "Arduino.h", "-x", "c++", ino.name, "-o", f"{ino.name}.o"),
        folder=sketch,
    )
    for source in sources:
        run_tool("avr-gcc", *common, *C, *STRICT, str(source), folder=sketch)
    for name in CORE:
        compiler, language = ("avr-g++", CPP) if name.endswith(".cpp") else ("avr-gcc", C)
        run_tool(compiler, *common, *language, "-w", str(ARDUINO / "cores" / "arduino" / name), folder=sketch)
    program = sketch / "sketch.elf"
    objects = sorted(path.name for path in sketch.glob("*.o"))
    run_tool(
        "avr-gcc",
        *COMPILING,
        "-fuse-linker-plugin",
        "-Wl,--gc-sections",
        *objects,
        *("-o", program.name, "-lm"),
        folder=sketch,
    )
    return program


def flash_of(program: Path) -> int:
    """Return the bytes of flash that a program takes."""
    sizes = sizes_of(program)
    return sizes["text"] + sizes["data"]


def sizes_of(program: Path) -> dict[str, int]:
    """Return the bytes of the sections ``text``, ``data`` and ``bss``."""
    sections = run_tool("avr-size", "-A", program.name, folder=program.parent)
    found = re.findall(r"^\.(text|data|bss)\s+(\d+)", sections, re.MULTILINE)
    return {name: int(size) for name, size in found}
