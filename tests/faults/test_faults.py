"""Power cuts, full disks and two at once: what was there stays whole, and the next run works.

Those marked ``stress`` kill two hundred times (``make stress``). A killed training and a killed export, whose next run
is the same command, stand with the tests of these commands.
"""

import contextlib
import hashlib
import importlib.util
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgedigits.artifacts.manifest import read_manifest
from edgedigits.model_files.keras_archive import read_network_spec
from edgedigits.runtimes.opening import open_model

pytestmark = pytest.mark.skipif(os.name != "posix", reason="forks and kills processes in the POSIX way")

WRITERS = Path(__file__).with_name("writers.py")
PIXELS = np.random.default_rng(0).integers(0, 256, (2, 28, 28), np.uint8)
PICTURES = [
    str(path) for path in sorted((Path(__file__).parents[1] / "golden" / "pictures").glob("*.png"))[:8]
]
PREPARED = [Path(path).name for path in PICTURES]
MOMENTS = 200
DOWNLOADS = 50


class Writers:
    """A process that carries out orders, each in a fork of its own."""

    def __init__(self, *options: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, WRITERS, *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        # What the forks say is read at once, so that none of them waits for room in the pipe.
        self._said: list[str] = []
        self._reader = threading.Thread(target=lambda: self._said.extend(self._process.stderr), daemon=True)
        self._reader.start()
        assert self._answer() == {"ready": True}

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline()
        assert line, "".join(self._said)
        return json.loads(line)

    def start(self, **order: object) -> int:
        """Begin an order; return the process that carries it out."""
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._answer()["pid"]

    def wait(self) -> int:
        """Wait for the order to end; return its exit status, negative for a signal."""
        return self._answer()["status"]

    def run(self, **order: object) -> int:
        self.start(**order)
        return self.wait()

    def last_words(self) -> str:
        """Return the last line that a fork wrote to standard error."""
        deadline = time.monotonic() + 5
        while not self._said and time.monotonic() < deadline:
            time.sleep(0.01)
        return self._said[-1] if self._said else ""

    def close(self) -> None:
        self._process.stdin.close()
        self._process.kill()
        self._process.wait()
        self._reader.join()
        self._process.stdout.close()
        self._process.stderr.close()


@pytest.fixture(scope="module")
def heavy() -> Iterator[Writers]:
    with contextlib.closing(Writers("--heavy")) as writers:
        yield writers


@pytest.fixture(scope="module")
def light() -> Iterator[Writers]:
    with contextlib.closing(Writers()) as writers:
        yield writers


@pytest.fixture(scope="module")
def finished(heavy: Writers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trained and exported network. Only to be read."""
    folder = tmp_path_factory.mktemp("finished")
    assert heavy.run(task="train", folder=str(folder), seed=0) == 0, heavy.last_words()
    assert heavy.run(task="export", folder=str(folder), seed=0) == 0, heavy.last_words()
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "models"))


def check_whole(folder: Path) -> dict[str, str]:
    """Check that nothing waits, and that the manifest and all its files agree and open; return their hashes."""
    files = read_manifest(folder)["networks"]["digits"]["files"]
    found = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files}
    assert found == {name: receipt["sha256"] for name, receipt in files.items()}
    read_network_spec(folder / "digits.keras")
    for name in ("digits.onnx", "digits.int8.tflite"):
        assert open_model(folder / name).probabilities(PIXELS).shape == (2, 10)
    assert not list(folder.glob(".commit-*"))
    return found


def kill_after(writers: Writers, seconds: float, **order: object) -> int:
    """Begin an order and kill it after so long; return its status."""
    child = writers.start(**order)
    time.sleep(seconds)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    return writers.wait()


# --- Killed --------------------------------------------------------------------------------------------------------


OTHERS = {
    "train": ("report", "predict", "report", "predict", "report", "export"),
    "export": ("predict", "report", "predict", "report", "predict", "train"),
    "predict": ("report", "predict elsewhere"),
}
"""By which commands a folder is looked after, in turn, when one that wrote to it was killed: never by the same."""


MOVES = {"train": 16, "export": 16, "predict": len(PREPARED)}
"""How many files get a name in a run, about: epochs, plots, files, and each set as a whole, before and after."""


def order(task: str, folder: Path, seed: int) -> dict[str, object]:
    """What a writer is told to do."""
    if task in ("train", "export"):
        return {"task": task, "folder": str(folder), "seed": seed}
    arguments = {
        "report": ["report", "--no-bench", "--models", str(folder), "-q"],
        "predict": ["predict", "--save-prepared", str(folder), *PICTURES],
        "predict elsewhere": ["predict", "--save-prepared", str(folder), PICTURES[0]],
    }[task]
    return {"task": "command", "folder": str(folder), "arguments": arguments}


def whole_runs(heavy: Writers, folder: Path) -> dict[str, float]:
    """How many seconds each task takes that is going to be killed."""
    seconds = {}
    for task in OTHERS:
        started = time.monotonic()
        assert heavy.run(**order(task, folder, 1)) == 0, heavy.last_words()
        seconds[task] = time.monotonic() - started
    return seconds


def visible(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not path.relative_to(folder).parts[0].startswith(".")
    }


def check_finished(folder: Path, files: set[str]) -> None:
    """Check that a folder is whole, with all of these files, and its pictures too."""
    check_whole(folder)
    assert visible(folder) >= files
    for picture in PREPARED:
        with Image.open(folder / picture) as image:
            image.load()
            assert image.size == (28, 28)


@pytest.mark.parametrize(
    ("task", "move", "other"), [("train", 9, "export"), ("export", 4, "report"), ("predict", 5, "report")]
)
def test_what_a_killed_command_left_is_finished_by_another(
    task: str, move: int, other: str, heavy: Writers, folder: Path
) -> None:
    """One kill of each while files get their names; kills at any moment are below."""
    assert heavy.run(**order("predict", folder, 1)) == 0, heavy.last_words()
    files = visible(folder)
    heavy.start(**order(task, folder, 2), killed_at_move=move)
    assert heavy.wait() == -signal.SIGKILL, heavy.last_words()
    is_set = task != "predict"  # pictures are put in place one by one
    assert bool(list(folder.glob(".commit-*"))) == is_set
    assert heavy.run(**order(other, folder, 2)) == 0, heavy.last_words()
    check_finished(folder, files)


@pytest.mark.stress
def test_a_command_that_is_killed_at_any_moment_leaves_what_another_finishes(
    heavy: Writers, folder: Path
) -> None:
    chance = random.Random(MOMENTS)  # noqa: S311 - moments, not secrets
    seconds = whole_runs(heavy, folder)
    files = visible(folder)
    killed, in_the_act, index = 0, 0, 0
    while killed < MOMENTS or not in_the_act:
        index += 1
        assert index < 5 * MOMENTS, f"{killed} killed, {in_the_act} in the act"
        task = list(OTHERS)[index % len(OTHERS)]
        if chance.random() < 0.5:
            # While files get their names, which takes a few thousandths of a second.
            heavy.start(**order(task, folder, 1 + index), killed_at_move=chance.randint(1, MOVES[task]))
        else:
            child = heavy.start(**order(task, folder, 1 + index))
            time.sleep(chance.uniform(0, seconds[task]))
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        status = heavy.wait()
        assert status in (0, -signal.SIGKILL), heavy.last_words()
        killed += status != 0
        in_the_act += bool(list(folder.glob(".commit-*")))
        others = OTHERS[task]
        assert heavy.run(**order(others[index // len(OTHERS) % len(others)], folder, 1 + index)) == 0, (
            heavy.last_words()
        )
        check_finished(folder, files)


class SlowMirror(BaseHTTPRequestHandler):
    """Serves the small files a few bytes at a time."""

    files: dict[str, bytes]

    def do_GET(self) -> None:
        content = self.files[self.path.lstrip("/")]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            for start in range(0, len(content), 4_000):
                self.wfile.write(content[start : start + 4_000])
                time.sleep(0.005)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def small_files() -> Iterator[dict[str, bytes]]:
    """What the mirror has of the four files, as ``writers.py`` pins them."""
    from edgedigits.datasets import mnist_files

    spec = importlib.util.spec_from_file_location("writers", WRITERS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    kept = dict(mnist_files.FILES)
    yield module.serve_small_files()
    mnist_files.FILES.update(kept)


@pytest.fixture
def mirror(small_files: dict[str, bytes]) -> Iterator[str]:
    SlowMirror.files = small_files
    server = ThreadingHTTPServer(("127.0.0.1", 0), SlowMirror)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("downloads", [15, pytest.param(DOWNLOADS, marks=pytest.mark.stress)])
def test_a_killed_download_leaves_whole_files_and_the_next_works(
    downloads: int, light: Writers, mirror: str, small_files: dict[str, bytes], tmp_path: Path
) -> None:
    chance = random.Random(0)  # noqa: S311 - moments, not secrets
    folder = tmp_path / "warm"
    started = time.monotonic()
    assert light.run(task="download", folder=str(folder), mirror=mirror) == 0, light.last_words()
    whole_run = time.monotonic() - started
    killed, met = 0, set()
    for index in range(downloads):
        folder = tmp_path / "mnist"
        if index % 10 == 0:
            shutil.rmtree(folder, ignore_errors=True)
        seconds = chance.uniform(0, whole_run)
        killed += (
            kill_after(light, seconds, task="download", folder=str(folder), mirror=mirror) == -signal.SIGKILL
        )
        visible = {path.name: path for path in folder.glob("[!.]*")} if folder.exists() else {}
        met |= visible.keys()
        assert {name: path.read_bytes() for name, path in visible.items()} == {
            name: small_files[name] for name in visible
        }
    assert killed > 0
    assert light.run(task="download", folder=str(folder), mirror=mirror) == 0, light.last_words()
    assert {path.name: path.read_bytes() for path in folder.glob("[!.]*")} == small_files


# --- No room left --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "largest_file"),
    [  # full at the first file, or at one of the larger ones
        ("train", 60_000),
        ("export", 1_000),
        pytest.param("train", 1_000, marks=pytest.mark.stress),
        pytest.param("export", 60_000, marks=pytest.mark.stress),
    ],
)
def test_a_full_disk_is_told_and_leaves_the_old_files(
    task: str, largest_file: int, heavy: Writers, folder: Path
) -> None:
    before = check_whole(folder)
    assert heavy.run(task=task, folder=str(folder), seed=1, largest_file=largest_file) == 1, (
        heavy.last_words()
    )
    assert re.match(
        r"OutputError: .*: cannot be written to "
        r"\((File too large\); (nothing was changed|free some)|no space left\); free some)",
        heavy.last_words(),
    )
    assert check_whole(folder) == before
    assert not list(folder.glob(".staging-*"))


def test_a_full_disk_stops_a_download_and_leaves_no_part(light: Writers, mirror: str, tmp_path: Path) -> None:
    assert light.run(task="download", folder=str(tmp_path), mirror=mirror, largest_file=10_000) == 1
    assert "DownloadError: MNIST could not be downloaded" in light.last_words()
    assert "File too large" in light.last_words()
    assert not [path for path in tmp_path.iterdir() if path.stat().st_size >= 10_000]
    assert light.run(task="download", folder=str(tmp_path), mirror=mirror) == 0


# --- Two at once ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", ["export", pytest.param("train", marks=pytest.mark.stress)])
def test_two_at_once_in_one_folder_both_finish(other: str, heavy: Writers, folder: Path) -> None:
    with contextlib.closing(Writers("--heavy")) as neighbour:
        heavy.start(task="export", folder=str(folder), seed=3)
        neighbour.start(task=other, folder=str(folder), seed=4)
        assert (heavy.wait(), neighbour.wait()) == (0, 0), heavy.last_words() + neighbour.last_words()
    check_whole(folder)
    assert not list(folder.glob(".staging-*"))
