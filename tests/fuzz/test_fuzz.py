"""A short run of the fuzzer, and every find that it ever made; `make fuzz` is the long one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="limits and kills processes in the POSIX way")

FUZZ = Path(__file__).with_name("fuzz.py")
FINDS = FUZZ.with_name("finds")
LONG = 60.0
SHORT = 0.2

SHORT_READERS = (
    "png", "jpeg", "gif", "bmp", "tiff", "webp", "pnm", "numbers",
    "idx", "npz", "source-npy", "source-npz", "source-idx", "source-csv", "source-tar", "source-tgz", "source-parquet",
    "manifest", "receipt", "metadata", "reference", "keras", "weights", "h5", "onnx", "ort", "tflite",
    "built-png", "built-jpeg", "built-gif", "built-bmp", "built-tiff", "built-webp", "built-pnm",
    "built-numbers", "built-idx", "built-npz", "built-manifest", "built-metadata", "built-keras", "built-onnx",
    "built-ort", "built-tflite",
)  # fmt: skip


def run(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, FUZZ, *map(str, arguments)], capture_output=True, text=True)


# The short run has one process for each reader, since to start takes longer than to read, and on a slow machine goes on
# until it has seen an input of either kind.
@pytest.mark.parametrize(
    "length",
    [
        ("--seconds", SHORT, "--least", 1),
        pytest.param(("--seconds", LONG, "--workers", 2), marks=pytest.mark.stress),
    ],
    ids=["short", "long"],
)
def test_damaged_files_are_read_or_refused_by_every_reader(
    length: tuple[object, ...], tmp_path: Path
) -> None:
    result = run(*length, "--finds", tmp_path, "--json")
    assert result.returncode == 0, result.stderr
    tallies = json.loads(result.stdout)
    assert tuple(tallies) == SHORT_READERS
    for name, tally in tallies.items():
        # Damage that is always refused, or never, would test nothing.
        assert tally["accepted"] > 0, name
        assert tally["refused"] > 0, name


def test_past_finds_are_none_any_more() -> None:
    assert any(FINDS.iterdir())
    result = run("--replay")
    assert result.returncode == 0, result.stderr


def test_a_find_is_noticed_kept_and_replayed(tmp_path: Path) -> None:
    """The fuzzer itself, on a reader with a fault of each kind."""
    faulty = tmp_path / "faulty.py"
    faulty.write_text(FAULTY.format(folder=str(FUZZ.parent)))
    finds = tmp_path / "finds"
    for fault in ("raises", "crashes", "hangs", "grows"):
        arguments = [sys.executable, faulty, "--readers", fault, "--seconds", "0.3", "--finds", finds]
        result = subprocess.run(arguments, capture_output=True, text=True, timeout=60)
        assert result.returncode == 1, fault
        assert list((finds / fault).iterdir()), fault
    replayed = subprocess.run(
        [sys.executable, faulty, "--replay", "--finds", finds, "--readers", "raises"],
        capture_output=True,
        text=True,
    )
    assert replayed.returncode == 1
    assert "ZeroDivisionError" in replayed.stderr


FAULTY = """
import os, sys, time
sys.path.insert(0, {folder!r})
import fuzz, readers

HELD = []

def faulty(fault):
    def read(content):
        if content[:4] == b"good":
            return
        if fault == "raises":
            return 1 // 0
        if fault == "crashes":
            os.abort()
        if fault == "hangs":
            time.sleep(60)
        if fault == "grows":
            HELD.append(bytearray(b"x") * (1100 << 20))
            HELD.clear()
    return lambda: readers.Reader(read, lambda: [b"good seed"])

readers.READERS = {{fault: faulty(fault) for fault in ("raises", "crashes", "hangs", "grows")}}
fuzz.__file__ = __file__
fuzz.HANG_SECONDS = 1.0
fuzz.IMPORT_SECONDS = 1.0
fuzz.main()
"""
