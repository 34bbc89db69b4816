"""The library for the Arduino IDE of ``examples/arduino``: compiled, and run on a simulated Uno with a light."""

import io
import os
import pty
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from arduino import MOST_FLASH, arduino, compiled, flash_of
from on_boards import needs

from edgedigits import DigitPredictor, Prediction
from edgedigits.runtimes.c_compiler import find_compiler
from edgedigits.runtimes.opening import open_model
from edgedigits_export.boards.board import UNO
from edgedigits_export.boards.tools import run_tool

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "arduino"
PICTURES = ROOT / "tests" / "golden" / "pictures"
SIMULATOR = Path(__file__).with_name("uno_with_light.c")
SECONDS = 12
"""Of the board's time after the last answer: three rounds of blinking a 4 and more."""

pytestmark = pytest.mark.c_compiler


@dataclass(frozen=True)
class Board:
    """A simulated Uno that runs Blink."""

    program: Path
    simulator: Path

    def start(self, answers: int) -> "subprocess.Popen[str]":
        """Switch it on, until it has answered so many pictures."""
        command = [self.simulator, self.program, str(answers), str(SECONDS)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


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


def built(network: str, picture: Path, folder: Path) -> Board:
    """Make the library, unpack it as the IDE does, and compile its sketch and the simulator."""
    with zipfile.ZipFile(io.BytesIO(packed(network, picture, folder))) as archive:
        archive.extractall(folder)
    library = folder / "edgedigits"
    program = compiled(library / "examples" / "Blink", library=library / "src")
    assert flash_of(program) <= MOST_FLASH
    compiler = find_compiler()
    assert compiler is not None
    simulator = folder / "uno"
    run_tool(
        *compiler, "-O2", "-Wall", "-Werror", str(SIMULATOR), "-lsimavr", "-o", str(simulator), folder=folder
    )
    return Board(program, simulator)


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


def read_here(network: str, picture: Path) -> Prediction:
    """Return what the same C file answers on this computer."""
    model = open_model(ROOT / "models" / "tiny" / f"{network}.c")
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
    ("network", "picture"),
    [("tiny-fast", "4-palette.gif"), ("tiny-fast", "1-photo.jpg"), ("tiny-2k", "0-paint.png")],
    ids=["sure", "not-sure", "zero-by-the-smallest"],
)
def test_the_light_says_the_digit_of_the_picture_that_came_along(
    network: str, picture: str, tmp_path: Path
) -> None:
    found = read_here(network, PICTURES / picture)
    assert found.digit == int(picture[0])
    run = built(network, PICTURES / picture, tmp_path).start(1)
    lines = run.communicate(timeout=60)[0].splitlines()
    assert run.returncode == 0
    check_rounds(found, flashes(lines))


@arduino
@needs(UNO)
def test_pictures_that_are_sent_are_answered_and_blinked(tmp_path: Path) -> None:
    board = built("tiny-fast", PICTURES / "7-turned-by-exif.jpg", tmp_path).start(4)
    assert board.stdout is not None
    sent = [PICTURES / name for name in ("2-sixteen-bit.png", "3-marker.webp")]
    send = [sys.executable, EXAMPLE / "send.py", board.stdout.readline().strip(), *sent]
    sender = subprocess.run(send, capture_output=True, text=True, timeout=60)
    assert sender.returncode == 0, sender.stderr
    answers = [read_here("tiny-fast", picture) for picture in sent]
    assert sender.stdout.splitlines() == [
        f"{picture}: {line_of(found)}" for picture, found in zip(sent, answers, strict=True)
    ]
    lines = board.communicate(timeout=60)[0].splitlines()
    assert board.returncode == 0
    check_rounds(answers[-1], flashes(lines))


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
