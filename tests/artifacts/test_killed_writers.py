"""Writers that are killed, and several at once: a set of files is whole, and the next writer finishes it."""

import itertools
import os
import random
import signal
import time

import pytest
from file_sets import SET, child, generations, leftovers, write_set

from edgedigits.artifacts.folders import Folder
from edgedigits.artifacts.manifest import (
    read_manifest,
    write_manifest,
)
from edgedigits.artifacts.recovery import finish_commits
from edgedigits.artifacts.staging import locked, write_atomically
from edgedigits.errors import ModelFileError, OutputError

posix = pytest.mark.skipif(os.name != "posix", reason="kills and limits processes in the POSIX way")


# Killed writers


WRITE_SETS = """
import itertools, sys
from pathlib import Path
from edgedigits.artifacts.staging import staged
folder, first, *names = sys.argv[1:]
for generation in itertools.count(int(first)):
    with staged(Path(folder)) as staging:
        (staging / "many").mkdir()
        for name in names:
            (staging / name).write_text(str(generation))
    print(generation, flush=True)
"""


@posix
def test_a_writer_that_is_killed_leaves_a_whole_set(tmp_path):
    chance = random.Random(0)  # noqa: S311  (moments, not secrets)
    newest, caught_in_the_act = 0, 0
    write_set(tmp_path, newest)
    for _ in range(20):
        with child(WRITE_SETS, tmp_path, newest + 1, *SET) as writer:
            newest = int(writer.stdout.readline())
            time.sleep(chance.uniform(0, 0.02))
            writer.send_signal(signal.SIGKILL)
            newest = max([newest, *map(int, writer.stdout.read().split())])
        caught_in_the_act += bool(leftovers(tmp_path))
        finish_commits(tmp_path)
        (generation,) = generations(tmp_path)
        # The writer may have died between making the set count and saying so.
        assert int(generation) in {newest, newest + 1}
        newest = int(generation)
    # Else the test would have proved nothing.
    assert caught_in_the_act
    write_set(tmp_path, "next")
    assert generations(tmp_path) == {"next"}
    assert not list(tmp_path.glob(".commit-*"))


class Killed(BaseException):
    """Stands for the end of the process at an exact moment, which a signal cannot hit."""


@pytest.mark.parametrize("moved", [0, 1, 2, len(SET) - 1], ids=lambda moved: f"{moved} moved")
def test_a_writer_that_dies_while_it_moves_files_is_finished_by_the_next(moved, tmp_path, monkeypatch):
    write_set(tmp_path, 1)
    moves = itertools.count(-1)  # the first makes the set count
    move = Folder.move

    def dying(self: Folder, *arguments: object) -> None:
        if next(moves) == moved:
            raise Killed
        move(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "move", dying)
        with pytest.raises(Killed):
            write_set(tmp_path, 2)
    assert generations(tmp_path) == ({"1", "2"} if moved else {"1"})
    with pytest.raises(
        ModelFileError, match=r"not all are in place yet \(\.commit-[0-9a-f]{32}\).*report --no-bench"
    ):
        read_manifest(tmp_path)
    assert generations(tmp_path) == ({"1", "2"} if moved else {"1"})
    write_atomically(tmp_path / "other.txt", b"mine")
    assert generations(tmp_path) == {"2"}
    assert read_manifest(tmp_path)["networks"] == {}
    assert not leftovers(tmp_path)


# Several processes


COUNT_UP = """
import sys
from pathlib import Path
from edgedigits.artifacts.manifest import network_entry, read_manifest, write_manifest
from edgedigits.artifacts.staging import locked, staged
folder, times = Path(sys.argv[1]), int(sys.argv[2])
print("ready", flush=True)
for _ in range(times):
    with locked(folder):
        manifest = read_manifest(folder)
        entry = network_entry(manifest, "digits")
        entry["count"] = entry.get("count", 0) + 1
        with staged(folder) as staging:
            write_manifest(staging, manifest)
"""


@posix
def test_two_writers_of_a_manifest_lose_nothing(tmp_path):
    with child(COUNT_UP, tmp_path, 40) as one, child(COUNT_UP, tmp_path, 40) as other:
        assert (one.wait(timeout=60), other.wait(timeout=60)) == (0, 0)
    assert read_manifest(tmp_path)["networks"]["digits"]["count"] == 80
    assert not leftovers(tmp_path)


def test_readers_meet_whole_files_while_somebody_writes(tmp_path):
    write_manifest(tmp_path, {"manifest_version": 1, "networks": {}})
    seen = set()
    with child(COUNT_UP, tmp_path, 150) as writer:
        writer.stdout.readline()
        while writer.poll() is None:
            # A reader that meets a set on its way into place waits for the rest of it.
            networks = read_manifest(tmp_path)["networks"]
            seen.add(networks.get("digits", {}).get("count", 0))
        assert writer.returncode == 0
    assert read_manifest(tmp_path)["networks"]["digits"]["count"] == 150
    assert len(seen) > 3


def test_a_lock_in_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file.txt").write_text("mine")
    with pytest.raises(OutputError, match="choose another folder"), locked(tmp_path / "file.txt"):
        pass
