"""The library for the Arduino IDE of ``examples/arduino``: compiled, and run on a simulated Uno with a light."""

import io
import os
import pty
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from arduino import MOST_FLASH, arduino, compiled, flash_of, sizes_of
from on_boards import needs

from edgedigits import DigitPredictor, Prediction
from edgedigits.runtimes.c_compiler import find_compiler
from edgedigits.runtimes.opening import open_model
from edgedigits_export.boards.board import M0, UNO
from edgedigits_export.boards.tools import FirmwareError, run_tool
from edgedigits_export.page.prepare_source import prepare_header

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "arduino"
PICTURES = ROOT / "tests" / "golden" / "pictures"
SIMULATOR = Path(__file__).with_name("uno_with_light.c")
NETWORK = "tiny-fast"
"""The one that 2 KB of RAM hold beside a picture, a serial port and what is called around it."""
SECONDS = 12
"""Of the board's time after the last answer: three rounds of blinking a 4 and more."""

pytestmark = pytest.mark.c_compiler


@pytest.fixture
def switched_on() -> Iterator[Callable[[Path, int], "subprocess.Popen[str]"]]:
    """What runs a program on a simulated Uno until it has answered so many pictures; it goes off with the test."""
    boards = []

    def run(program: Path, answers: int) -> "subprocess.Popen[str]":
        compiler = find_compiler()
        assert compiler is not None
        simulator, folder = program.with_name("uno"), program.parent
        strict = ("-O2", "-Wall", "-Werror", str(SIMULATOR), "-lsimavr", "-o", str(simulator))
        run_tool(*compiler, *strict, folder=folder)
        command = [simulator, program, str(answers), str(SECONDS)]
        boards.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return boards[-1]

    yield run
    for board in boards:
        board.kill()
        board.communicate()


def packed(network: str, picture: Path, folder: Path) -> bytes:
    """Run the example in a folder of its own; return the ZIP file that it writes."""
    command = [
        sys.executable,
        EXAMPLE / "make_library.py",
        ROOT / "models" / "tiny" / f"{network}.c",
        picture,
    ]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout == f"edgedigits.zip: {network}, and Blink, which begins with {picture.name}\n"
    return (folder / "edgedigits.zip").read_bytes()


def built(picture: Path, folder: Path, network: str = NETWORK) -> Path:
    """Make the library, unpack it as the IDE does, and compile its sketch; return the program."""
    with zipfile.ZipFile(io.BytesIO(packed(network, picture, folder))) as archive:
        archive.extractall(folder)
    library = folder / "edgedigits"
    program = compiled(library / "examples" / "Blink", library=library / "src")
    assert flash_of(program) <= MOST_FLASH
    return program


def ended(board: "subprocess.Popen[str]") -> list[str]:
    """Wait for the end of a board; return what it did. Its stack has to have left the variables alone."""
    *lines, last = board.communicate(timeout=60)[0].splitlines()
    assert board.returncode == 0
    assert last.startswith("room ")
    assert int(last.split()[1]) > 0
    return lines


def flashes(lines: list[str]) -> list[list[int]]:
    """Return the milliseconds of all flashes, by rounds: of those that were seen whole after the last answer."""
    last = max(place for place, line in enumerate(lines) if line == "answer")
    changes = [tuple(map(int, line.split())) for line in lines[last + 1 :]]
    if changes[0][1] == 0:
        changes = changes[1:]  # its light was on before the line was out
    rounds: list[list[int]] = [[]]
    ended = 0
    for (on, _), (off, _) in zip(changes[::2], changes[1::2], strict=False):
        if rounds[-1] and on - ended > 1_000:
            rounds.append([])
        rounds[-1].append(off - on)
        ended = off
    return rounds[1:-1]


def read_here(picture: Path) -> Prediction:
    """Return what the same C file answers on this computer."""
    model = open_model(ROOT / "models" / "tiny" / f"{NETWORK}.c")
    row = model.probabilities(DigitPredictor().prepare(picture)[np.newaxis])[0]
    return Prediction.from_probabilities(row, min_margin=model.metadata.min_margin)


def line_of(found: Prediction) -> str:
    """Return the line that a board writes."""
    return f"{found.digit} {'sure' if found.sure else 'not sure'}"


def check_rounds(found: Prediction, rounds: list[list[int]]) -> None:
    """Check that rounds of blinking say a digit and whether it is sure."""
    assert rounds
    for lengths in rounds:
        flicker = [length for length in lengths if length < 100]
        # The main loop looks at the clock every few microseconds.
        assert all(abs(length - 50) <= 2 for length in flicker)
        assert len(flicker) == (0 if found.sure else 4)
        long = lengths[len(flicker) :]
        assert len(long) == (found.digit or 1)
        assert all(abs(length - (250 if found.digit else 1_000)) <= 2 for length in long)


@arduino
@needs(UNO)
@pytest.mark.parametrize(
    "picture",
    ["4-palette.gif", "1-photo.jpg", "0-paint.png"],
    ids=["sure", "not-sure", "zero"],
)
def test_the_light_says_the_digit_of_the_picture_that_came_along(
    picture: str, switched_on: Callable, tmp_path: Path
) -> None:
    found = read_here(PICTURES / picture)
    assert found.digit == int(picture[0])
    check_rounds(found, flashes(ended(switched_on(built(PICTURES / picture, tmp_path), 1))))


@arduino
@needs(UNO)
def test_pictures_that_are_sent_are_answered_and_blinked(switched_on: Callable, tmp_path: Path) -> None:
    board = switched_on(built(PICTURES / "7-turned-by-exif.jpg", tmp_path), 4)
    assert board.stdout is not None
    sent = [PICTURES / name for name in ("2-sixteen-bit.png", "3-marker.webp")]
    send = [sys.executable, EXAMPLE / "send.py", board.stdout.readline().strip(), *sent]
    sender = subprocess.run(send, capture_output=True, text=True, timeout=60)
    assert sender.returncode == 0, sender.stderr
    answers = [read_here(picture) for picture in sent]
    assert sender.stdout.splitlines() == [
        f"{picture}: {line_of(found)}" for picture, found in zip(sent, answers, strict=True)
    ]
    check_rounds(answers[-1], flashes(ended(board)))


@arduino
@needs(UNO)
def test_a_network_that_takes_more_memory_than_the_board_has_is_refused_by_the_compiler(
    tmp_path: Path,
) -> None:
    with pytest.raises(FirmwareError, match="takes more memory than this board has"):
        built(PICTURES / "4-palette.gif", tmp_path, "tiny-2k")


@arduino
@needs(UNO)
def test_a_port_on_which_nobody_answers_is_told(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    try:
        send = [sys.executable, EXAMPLE / "send.py", os.ttyname(slave), PICTURES / "3-marker.webp"]
        run = subprocess.run(send, capture_output=True, text=True, timeout=60)
    finally:
        os.close(master)
        os.close(slave)
    assert run.returncode == 1
    assert run.stderr.endswith("press the board's reset\n")
    assert run.stdout == ""


def test_the_library_is_the_same_bytes_each_time_and_what_the_ide_asks_for(tmp_path: Path) -> None:
    picture = PICTURES / "5-one-bit.png"
    content = packed("tiny-4k", picture, tmp_path)
    assert content == packed("tiny-4k", picture, tmp_path)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = archive.namelist()
        properties = archive.read("edgedigits/library.properties").decode()
    assert {name.split("/")[0] for name in names} == {"edgedigits"}
    fields = dict(line.split("=", 1) for line in properties.splitlines())
    assert fields["name"] == "edgedigits"
    assert fields["architectures"] == "*"
    asked = ("version", "author", "maintainer", "sentence", "paragraph", "category", "url")
    assert all(fields[name] for name in asked)
    assert list(tmp_path.iterdir()) == [tmp_path / "edgedigits.zip"]


@pytest.mark.parametrize(
    ("network", "picture", "said"),
    [
        ("nowhere.c", PICTURES / "5-one-bit.png", "nowhere.c"),
        (ROOT / "models" / "tiny" / "tiny-4k.c", ROOT / "README.md", "README.md: cannot be read: not a PNG"),
    ],
    ids=["no-network", "no-picture"],
)
def test_what_cannot_be_packed_is_told_and_nothing_is_written(
    network: Path, picture: Path, said: str, tmp_path: Path
) -> None:
    command = [sys.executable, EXAMPLE / "make_library.py", network, picture]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stderr.startswith("error: ")
    assert said in run.stderr
    assert list(tmp_path.iterdir()) == []


PAGE = (ROOT / "docs" / "microcontrollers.md").read_text(encoding="utf-8")


@pytest.fixture
def reader(tmp_path: Path) -> Path:
    """The folder in which a reader of the page types its commands: as the repository, with a picture in it."""
    for name in ("models", "export", "examples"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copy(PICTURES / "7-turned-by-exif.jpg", tmp_path / "photo.jpg")
    return tmp_path


def typed(commands: str, folder: Path) -> str:
    """Have a shell run commands of the page, with the Python of the tests; return what they print."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    run = subprocess.run(
        ["sh", "-eu", "-c", commands],
        cwd=folder,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_the_page_shows_what_making_the_library_prints(reader: Path) -> None:
    ((command, shown),) = re.findall(r"^\$ (python \S+make_library\.py .*)\n(.*\n)```", PAGE, re.MULTILINE)
    assert typed(command, reader) == shown


@needs(M0)
def test_the_page_shows_how_a_chip_without_arduino_reads_a_picture(reader: Path) -> None:
    ((commands, shown),) = re.findall(
        r"^```sh\n(boards=.*?)```\n\n```text\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL
    )
    assert typed(commands, reader) == shown


@arduino
@needs(UNO)
def test_the_page_says_what_blink_takes_of_an_uno(reader: Path) -> None:
    program = built(reader / "photo.jpg", reader)
    sizes = sizes_of(program)
    assert f"Blink takes {flash_of(program):,} bytes of flash" in PAGE
    assert f" and {sizes['data'] + sizes['bss']:,} of RAM" in PAGE


@arduino
@needs(UNO)
def test_the_page_shows_what_the_board_answers(switched_on: Callable, reader: Path) -> None:
    for name, picture in (("scan.png", "2-sixteen-bit.png"), ("form.webp", "3-marker.webp")):
        shutil.copy(PICTURES / picture, reader / name)
    ((command, shown),) = re.findall(r"^\$ (python \S+send\.py .*)\n([^`]*)```", PAGE, re.MULTILINE)
    board = switched_on(built(reader / "photo.jpg", reader), 4)
    assert board.stdout is not None
    answers = typed(command.replace("/dev/ttyACM0", board.stdout.readline().strip()), reader)
    assert answers == shown
    ended(board)


def test_the_c_of_the_page_compiles(tmp_path: Path) -> None:
    call, camera = re.findall(r"^```c\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL)
    include, _, body = call.partition("\n")
    (tmp_path / "digits_prepare.h").write_text(prepare_header())
    (tmp_path / "page.c").write_text(
        f'{include}\n#include "digits_prepare.h"\n'
        "void read(const uint8_t *gray, uint16_t width, uint16_t height, void *arena, uint8_t *image)\n"
        f"{{\n{body}\n{camera}\n(void)digit;\n(void)sure;\n}}\n"
    )
    compiler = find_compiler()
    assert compiler is not None
    strict = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-fsyntax-only")
    run_tool(*compiler, *strict, "-I", str(ROOT / "models" / "tiny"), "page.c", folder=tmp_path)
