"""The sketch for the Arduino IDE: compiled with the real core of an Uno, and run on a simulated one."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from on_boards import Small, needs

from edgedigits_export.boards.board import AVR, UNO
from edgedigits_export.boards.tools import run_tool

pytestmark = pytest.mark.c_compiler

ARDUINO = Path("/usr/share/arduino/hardware/arduino/avr")
SKETCH = AVR.folder / "digits" / "digits.ino"
# As the core's platform.txt has them.
COMPILING = ("-Os", "-mmcu=atmega328p", "-ffunction-sections", "-fdata-sections", "-flto")
DEFINED = ("-DF_CPU=16000000L", "-DARDUINO=10819", "-DARDUINO_AVR_UNO", "-DARDUINO_ARCH_AVR")
CPP = ("-std=gnu++11", "-fpermissive", "-fno-exceptions", "-fno-threadsafe-statics")
C = ("-std=gnu11",)
# What a sketch with a serial port is linked with. (Debian's compiler is older than its core: it refuses WString.cpp.)
CORE = ("main.cpp", "HardwareSerial.cpp", "HardwareSerial0.cpp", "Print.cpp", "Stream.cpp", "abi.cpp")
CORE += ("wiring.c", "hooks.c")
MIN_MARGIN = 100  # in steps of 1/256
DEFINED += (f"-DEDGEDIGITS_MIN_MARGIN={MIN_MARGIN}",)
MOST_FLASH = 32_256  # the boot loader has the rest

arduino = pytest.mark.skipif(not ARDUINO.exists(), reason="apt-get install arduino-core-avr")


def compiled(folder: Path) -> Path:
    """Compile and link a folder of a sketch as the Arduino IDE does."""
    includes = ("-I", str(ARDUINO / "cores" / "arduino"), "-I", str(ARDUINO / "variants" / "standard"))
    common = (*COMPILING, *DEFINED, *includes, "-c")
    strict = ("-Wall", "-Wextra", "-Werror")
    run_tool(
        "avr-g++",
        *common,
        *CPP,
        *strict,
        *("-include", "Arduino.h", "-x", "c++", "digits.ino", "-o", "digits.ino.o"),
        folder=folder,
    )
    run_tool("avr-gcc", *common, *C, *strict, "digits.c", folder=folder)
    for name in CORE:
        compiler, language = ("avr-g++", CPP) if name.endswith(".cpp") else ("avr-gcc", C)
        run_tool(compiler, *common, *language, "-w", str(ARDUINO / "cores" / "arduino" / name), folder=folder)
    program = folder / "digits.elf"
    objects = sorted(path.name for path in folder.glob("*.o"))
    run_tool(
        "avr-gcc",
        *COMPILING,
        "-fuse-linker-plugin",
        "-Wl,--gc-sections",
        *objects,
        *("-o", program.name, "-lm"),
        folder=folder,
    )
    return program


@arduino
@needs(UNO)
@pytest.mark.parametrize("kind", ["dense", "convolutions", "packed"])
def test_the_sketch_answers_what_comes_in_by_the_serial_port(
    kind: str, pixels: np.ndarray, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    small: Small = request.getfixturevalue(kind)
    for path in (SKETCH, small.source, small.source.with_suffix(".h")):
        shutil.copy(path, tmp_path)
    program = compiled(tmp_path)
    sections = run_tool("avr-size", "-A", program.name, folder=tmp_path)
    sizes = {
        name: int(size) for name, size in re.findall(r"^\.(text|data|bss)\s+(\d+)", sections, re.MULTILINE)
    }
    assert sizes["text"] + sizes["data"] <= MOST_FLASH
    count = 20
    (tmp_path / "pictures.bin").write_bytes(pixels[:count].tobytes())
    UNO.emulator.run(program)
    ordered = np.sort(small.expected[:count].astype(int), axis=1)
    leads = ordered[:, -1] - ordered[:, -2]
    lines = (tmp_path / "answers.bin").read_text().splitlines()
    assert lines == [
        f"{answer.argmax()} {'sure' if lead >= MIN_MARGIN else 'not sure'}"
        for answer, lead in zip(small.expected[:count], leads, strict=True)
    ]
    assert len(set(lines)) > 1
