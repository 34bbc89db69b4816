import io
import os
import subprocess
import sys

import pytest

from edgedigits.progress import SILENT, TerminalProgress

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
