"""Folders made to do harm: whoever only looks at one changes nothing in it, and nothing outside of it."""

import hashlib
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from edgedigits.datasets.places import Source

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links, pipes and devices as POSIX has them")

SHIPPED = Path(__file__).parents[2] / "models"
FILES = ("digits.keras", "digits.onnx", "digits.int8.onnx", "digits.int8.tflite", "digits.c", "digits.h",
         "reference.npz", "manifest.json", "history.json", "classes.csv")  # fmt: skip
PICTURE = Path(__file__).parents[1] / "golden" / "pictures"
TOKEN = "0123456789abcdef" * 2


def snapshot(root: Path) -> dict[str, tuple[object, ...]]:
    """Everything that can be seen of a folder: names, kinds, inodes, times, and what is in files and links."""
    seen = {}
    for folder, folders, names in os.walk(root):
        for name in [".", *folders, *names]:
            path = Path(folder, name)
            found = path.lstat()
            content = ""
            if stat.S_ISLNK(found.st_mode):
                content = str(path.readlink())
            elif stat.S_ISREG(found.st_mode) and found.st_size < 1 << 24:
                content = hashlib.sha256(path.read_bytes()).hexdigest()
            facts = (
                found.st_mode,
                found.st_ino,
                found.st_dev,
                found.st_mtime_ns,
                found.st_ctime_ns,
                found.st_size,
            )
            seen[str(path)] = (*facts, content)
    return seen


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder ``models`` of good files, and a folder ``victim`` of files that nobody may touch, beside each other."""
    models, victim = tmp_path / "models", tmp_path / "victim"
    (models / "plots").mkdir(parents=True)
    for name in FILES:
        shutil.copy(SHIPPED / name, models / name)
    for path in (SHIPPED / "plots").iterdir():
        shutil.copy(path, models / "plots" / path.name)
    (victim / "plots").mkdir(parents=True)
    for name in ("thesis.txt", "manifest.json", "digits.keras", "plots/curves.png"):
        (victim / name).write_text(f"the only copy of {name}")
    return tmp_path


def put_nasty_entries(models: Path, victim: Path) -> None:
    """Put in all that once led a command astray, and kin of it."""
    (models / ".commit-x").symlink_to(victim)
    (models / f".commit-{TOKEN}").symlink_to(victim)
    (models / ".commit-msg").write_text("a message")
    (models / ".commit-nowhere").symlink_to("nowhere")
    os.mkfifo(models / ".commit-pipe")
    shutil.copytree(victim, models / ".commit-copied")
    (models / ".commit-inner" / "plots").mkdir(parents=True)
    (models / ".commit-inner" / "plots" / "curves.png").write_text("evil")
    (models / ".commit-inner" / "thesis.txt").symlink_to(victim / "thesis.txt")
    (models / f".commit-{TOKEN[::-1]}").mkdir()
    os.mkfifo(models / f".commit-{TOKEN[::-1]}" / "journal.json")
    (models / ".staging-mine").mkdir()
    (models / ".staging-mine" / "notes.txt").write_text("mine")
    (models / f".staging-{TOKEN}").symlink_to(victim)
    (models / ".lock").symlink_to(victim / "thesis.txt")
    (models / "$(touch evil)").write_text("")
    (models / "two\nlines\x1b[31m.onnx").write_text("")
    os.mkfifo(models / "pipe.png")
    os.mkfifo(models / "pipe.onnx")
    (models / "loop").symlink_to(".")
    for name in (".staging-mine", ".staging-mine/notes.txt"):
        os.utime(models / name, (0, 0))


def command(*arguments: object, where: Path, seconds: float = 120) -> "subprocess.CompletedProcess[str]":
    """Run the edgedigits command, which must end, and never in a traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "edgedigits", *map(str, arguments)],
        cwd=where, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode in (0, 1), done.stderr
    return done


PICTURE_FILE = sorted(PICTURE.glob("*.png"))[0]
READERS = {
    "info keras": ("info", "digits.keras"),
    "info onnx": ("info", "digits.onnx", "--json"),
    "info c": ("info", "digits.c"),
    "verify": ("verify", "digits.int8.onnx", "digits.int8.tflite", "-q"),
    "bench": ("bench", "digits.onnx", "digits.int8.tflite", "--min-seconds", 0, "--min-samples", 5, "--rounds", 1,
              "--cold-starts", 1, "-q"),
    "report": ("report", "--models", ".", "--no-bench", "--out", "../out/report.html", "-q"),
    "report in Markdown": ("report", "--models", ".", "--no-bench", "--format", "markdown", "--out", "../out/r.md"),
    "predict": ("predict", "--model", "digits.onnx", PICTURE_FILE),
    "predict a folder": ("predict", "--model", "digits.int8.onnx", "."),
    "data": ("data", "--data", "."),
    "data show": ("data", "--data", ".", "show", "--out", "../out/samples.png"),
}  # fmt: skip
"""Every command that reads, in a models folder."""


@pytest.mark.parametrize("reader", READERS)
def test_a_reading_command_changes_nothing_in_a_hostile_folder(
    reader: str, place: Path, mnist_source: Source
) -> None:
    models, victim = place / "models", place / "victim"
    put_nasty_entries(models, victim)
    before = snapshot(models), snapshot(victim)
    done = command(*READERS[reader], where=models)
    assert (snapshot(models), snapshot(victim)) == before
    if reader.startswith(("info", "verify", "bench", "report")) or reader == "predict":
        assert done.returncode == 0, done.stderr
