"""Folders made to do harm: whoever only looks at one changes nothing in it, and nothing outside of it."""

import base64
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterable
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
    "read": ("read", "--model", "digits.onnx", PICTURE_FILE),
    "read a folder": ("read", "--model", "digits.int8.onnx", "--boxes", "../out/seen", "."),
    "data": ("data", "--data", "."),
    "data show": ("data", "--data", ".", "show", "--out", "../out/samples.png"),
}  # fmt: skip
"""Every command that reads, in a models folder."""


def needing_a_compiler(names: Iterable[str], which: str) -> list[object]:
    """Mark the one that compiles C code."""
    return [pytest.param(name, marks=[pytest.mark.c_compiler] if name == which else []) for name in names]


@pytest.mark.parametrize("reader", needing_a_compiler(READERS, "info c"))
def test_a_reading_command_changes_nothing_in_a_hostile_folder(
    reader: str, place: Path, mnist_source: Source
) -> None:
    models, victim = place / "models", place / "victim"
    put_nasty_entries(models, victim)
    before = snapshot(models), snapshot(victim)
    done = command(*READERS[reader], where=models)
    assert (snapshot(models), snapshot(victim)) == before
    if reader.startswith(("info", "verify", "bench", "report")) or reader in ("predict", "read"):
        assert done.returncode == 0, done.stderr


WRITERS = {
    "report": (("report", "--models", ".", "--no-bench", "-q"), {"report.html"}),
    "predict": (("predict", "--model", "digits.onnx", "--save-prepared", ".", PICTURE_FILE), {"0-paint.png"}),
    "read": (("read", "--model", "digits.onnx", "--boxes", ".", PICTURE_FILE), {"0-paint.png"}),
    "verify": (("verify", "digits.onnx", "--sheet", ".", "-q"), {"digits.onnx.png"}),
    "data show": (("data", "show", "--out", "samples.png"), {"samples.png"}),
}  # fmt: skip
"""Commands that write one file, and which."""


@pytest.mark.parametrize("writer", WRITERS)
def test_a_writing_command_adds_its_file_and_touches_nothing_else(
    writer: str, place: Path, mnist_source: Source
) -> None:
    models, victim = place / "models", place / "victim"
    put_nasty_entries(models, victim)
    arguments, files = WRITERS[writer]
    before = snapshot(models), snapshot(victim)
    done = command(*arguments, where=models)
    assert done.returncode == 0, done.stderr
    after = snapshot(models), snapshot(victim)
    added = {str(models / name) for name in files}
    assert after[1] == before[1]
    assert after[0].keys() - before[0].keys() == added
    changed = {name for name in before[0] if after[0][name] != before[0][name]}
    assert changed == {str(models)}  # its own times, for it has a file more
    (line,) = [line for line in done.stderr.splitlines() if "left alone" in line]
    assert line.startswith("edgedigits: ")


def put_waiting_set(models: Path) -> None:
    """Leave a set that is complete and not in place, as a writer does that is killed at that moment."""
    files = {
        name: (SHIPPED / name).read_bytes() for name in ("digits.onnx", "manifest.json", "reference.npz")
    }
    commit = models / f".commit-{TOKEN}"
    (commit / "set").mkdir(parents=True)
    (commit / "edgedigits").touch()
    for name, content in files.items():
        (commit / "set" / name).write_bytes(content)
    receipts = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in files.items()
    }
    (commit / "journal.json").write_text(json.dumps({"version": 1, "token": TOKEN, "files": receipts}))


@pytest.mark.parametrize("reader", ["verify", "bench", "report", "predict"])
def test_a_reading_command_leaves_a_waiting_set_to_a_writer(
    reader: str, place: Path, mnist_source: Source
) -> None:
    models, victim = place / "models", place / "victim"
    put_waiting_set(models)
    before = snapshot(models), snapshot(victim)
    done = command(*READERS[reader], where=models)
    assert (snapshot(models), snapshot(victim)) == before
    if reader == "predict":  # reads one file, which is whole
        assert done.returncode == 0
    else:
        assert done.returncode == 1
        lines = done.stderr.splitlines()
        assert all(
            "not all are in place yet" in line and "puts them in place first" in line for line in lines
        )
    command("report", "--models", ".", "--no-bench", "-q", where=models)
    assert not list(models.glob(".commit-*"))
    assert command(*READERS[reader], where=models).returncode == 0


# --- Files that lie in a folder, and that nobody named -------------------------------------------------------------


def linked(path: Path, victim: Path) -> None:
    path.replace(victim / f"real-{path.name}")
    path.symlink_to(victim / f"real-{path.name}")


def piped(path: Path, _: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def endless(path: Path, _: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def sparse(path: Path, _: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(8 << 30)


def a_folder(path: Path, _: Path) -> None:
    path.unlink()
    path.mkdir()


NASTY = {
    "link": linked,
    "pipe": piped,
    "device without end": endless,
    "sparse file": sparse,
    "folder": a_folder,
}
OPENED = {
    "manifest.json": ("report", "--models", ".", "--no-bench", "--out", "../page.html", "-q"),
    "reference.npz": ("verify", "digits.int8.onnx", "-q"),
    "digits.h": ("info", "digits.c"),
}
"""Files that are opened without being named, and a command that opens them."""


@pytest.mark.parametrize("nasty", NASTY)
@pytest.mark.parametrize("name", needing_a_compiler(OPENED, "digits.h"))
def test_a_file_that_only_lies_there_is_regular_bounded_and_no_link(
    name: str, nasty: str, place: Path, mnist_source: Source
) -> None:
    NASTY[nasty](place / "models" / name, place / "victim")
    done, peak = measured(OPENED[name], place / "models")
    assert done.returncode == 1
    assert done.stderr.startswith("edgedigits: ")
    assert done.stderr.count("\n") == 1
    assert name in done.stderr
    assert peak < MOST_MEBIBYTES


MOST_MEBIBYTES = 1_024


def measured(arguments: tuple[object, ...], where: Path) -> tuple["subprocess.CompletedProcess[str]", int]:
    """Run the command; return how it ended, and how many MiB it held at most."""
    peak = where.parent / "peak"
    done = subprocess.run(
        [sys.executable, MEASURED, peak, *map(str, arguments)],
        cwd=where, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done, int(peak.read_text())


MEASURED = Path(__file__).with_name("measured_cli.py")


@pytest.mark.parametrize("nasty", NASTY)
def test_a_report_leaves_out_what_is_no_plot_of_the_folder(nasty: str, place: Path) -> None:
    (place / "victim" / "secret.txt").write_text("the secret")
    NASTY[nasty](place / "models" / "plots" / "curves.png", place / "victim")
    for page_format in ("html", "markdown"):
        arguments = (
            "report",
            "--models",
            ".",
            "--no-bench",
            "--format",
            page_format,
            "--out",
            "../page",
            "-q",
        )
        done, peak = measured(arguments, place / "models")
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("plots/curves.png: ") == 1
        assert done.stderr.endswith("; left out\n")
        assert peak < MOST_MEBIBYTES
        page = (place / "page").read_text()
        assert "Loss, accuracy and learning rate by epoch" not in page
        assert "Confusion matrix" in page


def test_a_report_shows_no_secret_that_a_plot_is_a_link_to(place: Path) -> None:
    (place / "victim" / "secret.txt").write_text("the secret")
    plots = place / "models" / "plots"
    (plots / "curves.png").unlink()
    (plots / "curves.png").symlink_to(place / "victim" / "secret.txt")
    os.link(place / "victim" / "secret.txt", plots / "samples.png")  # another name of the same file
    done = command(
        "report", "--models", ".", "--no-bench", "--out", "../page.html", "-q", where=place / "models"
    )
    assert done.stderr.count("left out") == 2
    assert base64.b64encode(b"the secret").decode() not in (place / "page.html").read_text()


def test_a_report_of_plots_elsewhere_shows_none(place: Path) -> None:
    (place / "models" / "plots").rename(place / "elsewhere")
    (place / "models" / "plots").symlink_to(place / "elsewhere")
    done = command(
        "report", "--models", ".", "--no-bench", "--out", "../page.html", "-q", where=place / "models"
    )
    assert done.stderr.count("plots/curves.png: a link, which is not followed; left out\n") == 1
    assert "data:image" not in (place / "page.html").read_text()


@pytest.mark.parametrize("nasty", [name for name in NASTY if name != "link"])
@pytest.mark.parametrize("option", ["--labels", "--reference", "FILE"])
def test_a_file_that_is_named_is_regular_and_bounded(
    option: str, nasty: str, place: Path, mnist_source: Source
) -> None:
    named = place / "named.onnx"
    shutil.copy(SHIPPED / "digits.onnx", named)
    NASTY[nasty](named, place / "victim")
    arguments = {
        "--labels": ("train", "--labels", named, "--out", place / "new"),
        "--reference": ("verify", "digits.onnx", "--reference", named, "-q"),
        "FILE": ("verify", named, "-q"),
    }[option]
    done, peak = measured(arguments, place / "models")
    # What an option refuses itself is wrong usage.
    assert done.returncode == (
        2 if option == "--labels" or (option, nasty) == ("--reference", "folder") else 1
    )
    assert "named.onnx" in done.stderr
    assert peak < MOST_MEBIBYTES
    assert not (place / "new").exists()


def test_a_file_that_is_named_may_be_a_link(place: Path, mnist_source: Source) -> None:
    for name in ("digits.onnx", "reference.npz"):
        linked(place / "models" / name, place / "victim")
    done = command("verify", "digits.onnx", "--reference", "reference.npz", "-q", where=place / "models")
    assert done.returncode == 0, done.stderr
