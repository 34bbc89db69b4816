"""What a command prints on a terminal of so many columns."""

import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from edgedigits.folding import width_of

fcntl = pytest.importorskip("fcntl", reason="this system has no pseudo-terminals")
pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")
termios = pytest.importorskip("termios", reason="this system has no pseudo-terminals")

RUN_CLI = Path(__file__).parents[1] / "run_cli.py"
ROWS = 24
STEERING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def on_terminal(columns: int, *arguments: str | Path, folder: Path, missing: str = "-") -> tuple[str, int]:
    """Run commands (see ``run_cli``) in a pseudo-terminal.

    Args:
        columns: that it has.
        arguments: of the commands.
        folder: to run them in.
        missing: modules that count as not installed.

    Returns:
        What was printed, without what steers the terminal, and the exit status.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(
        [sys.executable, RUN_CLI, missing, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
        env={**environment, "TERM": "xterm-256color"},
        start_new_session=True,
    )
    os.close(theirs)
    parts = []
    try:
        while part := os.read(ours, 1 << 16):
            parts.append(part)
    except OSError:  # how Linux says that nobody holds the other end any more
        pass
    finally:
        os.close(ours)
    text = b"".join(parts).decode(errors="replace")
    return STEERING.sub("", text), process.wait()


def lines_of(text: str) -> list[str]:
    """Every line that stood on the screen at some time: a bar is written over and over."""
    return [line.rstrip() for line in re.split(r"[\r\n]+", text) if line.strip()]


def too_wide(text: str, columns: int) -> list[str]:
    """Lines wider than the terminal. A single word is none: a terminal breaks it, and copies it whole."""
    return [line for line in lines_of(text) if width_of(line) > columns and len(line.split()) > 1]
