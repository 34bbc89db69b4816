import io
import os
import subprocess
import sys

import pytest

from edgedigits.progress import SILENT, LineProgress, TerminalProgress, line_of, shortened

WORK = """
import sys
from edgedigits.progress import TerminalProgress
progress = TerminalProgress()
with progress.task("counting [bold]", 4) as advance:
    for _ in range(4):
        advance(1)
progress.note("counted")
"""


def test_silent_progress_says_nothing(capfd):
    with SILENT.task("counting", 2) as advance:
        advance(1)
        advance(5)
    SILENT.note("counted")
    assert capfd.readouterr() == ("", "")


def test_only_notes_reach_a_standard_error_that_is_no_terminal():
    child = subprocess.run([sys.executable, "-c", WORK], capture_output=True, text=True, check=True)
    assert (child.stdout, child.stderr) == ("", "counted\n")


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
def test_a_terminal_sees_the_bar_go_to_its_end():
    ours, theirs = os.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    child = subprocess.run(
        [sys.executable, "-c", WORK],
        stderr=theirs,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=environment,
    )
    os.close(theirs)
    with os.fdopen(ours, "rb") as terminal:
        screen = terminal.read1(65_536).decode()
    assert "counting [bold]" in screen
    assert "100%" in screen
    assert "counted" in screen
    assert not child.stdout


@pytest.mark.parametrize(
    "note",
    ["models/[bold]/digits.onnx", "98.0 % [97.71, 98.26]", "C:smile:notes", "x" * 500],
    ids=["square brackets", "interval", "colons", "long"],
)
def test_a_note_is_printed_as_it_is(note, monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    TerminalProgress().note(note)
    assert screen.getvalue() == f"{note}\n"


def test_an_exception_passes_through_a_task(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with pytest.raises(KeyError, match="lost"), TerminalProgress().task("counting", 2):
        raise KeyError("lost")


# --- Without a library ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("done", "total", "rate", "line"),
    [
        (1_200, 5_000, 300.0, "1,200 of 5,000 pictures   24 %   300 a second   0:13 left"),
        (0, 5_000, 0.0, "0 of 5,000 pictures   0 %"),
        (10, 72_010, 10.0, "10 of 72,010 pictures   0 %   10 a second   2:00:00 left"),
        (5_000, 5_000, 1e6, "5,000 of 5,000 pictures   100 %   1,000,000 a second   0:00 left"),
    ],
)
def test_a_line_says_how_far_it_is_how_quick_and_what_is_left(done, total, rate, line) -> None:
    assert line_of("pictures", done, total, rate) == line


class Terminal(io.StringIO):
    encoding = "ascii"

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_one_line_is_written_anew_and_cleared_and_notes_stay(monkeypatch) -> None:
    terminal, clock = Terminal(), iter(range(0, 1_000, 10))
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr("edgedigits.progress.time.monotonic", lambda: float(next(clock)))
    progress = LineProgress()
    with progress.task("pictures", 400) as advance:
        advance(100)
        advance(100)
        progress.note("a\x1b[31m: dämaged")
    lines = [part.strip() for part in terminal.getvalue().replace("\n", "\r").split("\r") if part.strip()]
    assert lines == [
        "100 of 400 pictures   25 %   10 a second   0:30 left",
        "200 of 400 pictures   50 %   10 a second   0:20 left",
        r"a\x1b[31m: d\xe4maged",
    ]
    assert terminal.getvalue().endswith("maged\n")


def test_what_was_done_before_says_nothing_of_the_rate(monkeypatch) -> None:
    terminal, clock = Terminal(), iter([0.0, 0.01, 2.0])
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr("edgedigits.progress.time.monotonic", lambda: next(clock))
    with LineProgress().task("pictures", 1_000) as advance:
        advance(500)
        advance(100)
    assert "600 of 1,000 pictures   60 %   50 a second   0:08 left" in terminal.getvalue()


def test_in_a_log_it_is_a_line_a_minute(capsys, monkeypatch) -> None:
    clock = iter([0.0, 30.0, 61.0, 62.0])
    monkeypatch.setattr("edgedigits.progress.time.monotonic", lambda: next(clock))
    with LineProgress().task("pictures", 100) as advance:
        for _ in range(3):
            advance(10)
    assert capsys.readouterr().err == "20 of 100 pictures   20 %   0 a second   4:04 left\n"


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (57, "1,200 of 5,000 pictures   24 %   300 a second   0:13 left"),
        (56, "1,200 of 5,000 pictures   24 %   0:13 left"),
        (41, "24 %   0:13 left"),
        (10, "24 % "),
    ],
)
def test_a_line_for_a_narrow_terminal_says_at_least_how_far_it_is(columns: int, line: str) -> None:
    assert shortened(line_of("pictures", 1_200, 5_000, 300), columns) == line
