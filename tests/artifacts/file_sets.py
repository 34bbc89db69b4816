"""A set of files that is written again and again, and what is left of it; processes that write."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from edgedigits.artifacts.staging import staged

SET = ("a.txt", "b.txt", *(f"many/{index:02}.txt" for index in range(20)), "z.txt")
"""Files that belong together; enough of them that moving them into place takes a while."""


def write_set(folder: Path, generation: object) -> None:
    with staged(folder) as place:
        (place / "many").mkdir()
        for name in SET:
            (place / name).write_text(str(generation))


def generations(folder: Path) -> set[str]:
    return {(folder / name).read_text() for name in SET}


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob(".*") if path.name != ".lock")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


@contextlib.contextmanager
def child(code: str, *arguments: object) -> Iterator["subprocess.Popen[str]"]:
    """A Python process that runs some code, and that does not outlive the block."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
