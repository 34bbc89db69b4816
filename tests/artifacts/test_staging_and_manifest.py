import contextlib
import errno
import hashlib
import itertools
import json
import os
import platform
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgedigits import __version__
from edgedigits.artifacts import staging
from edgedigits.artifacts.folders import Folder
from edgedigits.artifacts.hashes import sha256_bytes, sha256_file
from edgedigits.artifacts.manifest import (
    file_receipt,
    network_entry,
    read_manifest,
    trained_labels,
    write_manifest,
)
from edgedigits.artifacts.recovery import finish_commits
from edgedigits.artifacts.staging import locked, staged, write_atomically
from edgedigits.artifacts.versions import versions
from edgedigits.contract import LABELS
from edgedigits.errors import ModelFileError, OutputError

posix = pytest.mark.skipif(os.name != "posix", reason="kills and limits processes in the POSIX way")

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


# Writing


def test_a_file_is_written_and_replaced(tmp_path):
    path = tmp_path / "new" / "folder" / "digits.onnx"
    for content in (b"old", b"new"):
        write_atomically(path, content)
        assert path.read_bytes() == content
        assert [entry.name for entry in path.parent.iterdir()] == ["digits.onnx"]


def test_a_set_replaces_its_files_and_leaves_others_alone(tmp_path):
    (tmp_path / "other.txt").write_text("mine")
    write_set(tmp_path, 1)
    write_set(tmp_path, 2)
    assert generations(tmp_path) == {"2"}
    assert (tmp_path / "other.txt").read_text() == "mine"
    assert not leftovers(tmp_path)


def test_nothing_is_visible_before_the_set_is_complete(tmp_path):
    write_set(tmp_path, 1)
    with staged(tmp_path) as place:
        (place / "a.txt").write_text("2")
        assert generations(tmp_path) == {"1"}
    assert (tmp_path / "a.txt").read_text() == "2"


@pytest.mark.parametrize(
    "error", [ValueError, KeyboardInterrupt, SystemExit], ids=lambda error: error.__name__
)
def test_an_exception_inside_leaves_the_old_set_and_nothing_else(error, tmp_path):
    write_set(tmp_path, 1)

    def interrupted() -> None:
        with staged(tmp_path) as place:
            (place / "a.txt").write_text("2")
            raise error

    with pytest.raises(error):
        interrupted()
    assert generations(tmp_path) == {"1"}
    assert not leftovers(tmp_path)


def test_an_error_of_ours_passes_through_as_it_is(tmp_path):
    error = ModelFileError(tmp_path, "cut off")
    with pytest.raises(ModelFileError) as caught, staged(tmp_path):
        raise error
    assert caught.value is error


# What cannot be written


@pytest.mark.parametrize(
    "below", ["file.txt", "file.txt/models", "file.txt/a/b"], ids=["itself", "below", "far below"]
)
def test_a_file_in_the_way_of_the_folder_is_told(below, tmp_path):
    (tmp_path / "file.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"file\.txt.*: cannot be written to \(.+\); choose another folder"):
        write_atomically(tmp_path / below / "digits.onnx", b"new")
    assert (tmp_path / "file.txt").read_text() == "mine"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a file system that nobody can write to")
def test_a_folder_that_may_not_be_written_to_is_told():
    with pytest.raises(OutputError, match=r"^/proc: cannot be written to \(.+\); choose another folder$"):
        write_atomically(Path("/proc/digits.onnx"), b"new")


def test_a_folder_in_the_place_of_a_file_is_told_and_harms_no_later_write(tmp_path):
    (tmp_path / "b.txt").mkdir()
    with pytest.raises(OutputError, match=r"b\.txt: a folder is in the way; move it away"):
        write_set(tmp_path, 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.txt"]
    (tmp_path / "b.txt").rmdir()
    write_set(tmp_path, 2)
    assert generations(tmp_path) == {"2"}


def test_a_file_in_the_place_of_a_subfolder_is_told_and_harms_no_later_write(tmp_path):
    (tmp_path / "many").write_text("mine")
    with pytest.raises(OutputError, match="many: a file is in the way; move it away"):
        write_set(tmp_path, 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["many"]
    assert read_manifest(tmp_path)["networks"] == {}


def a_pipe(path: Path, _: Path) -> None:
    os.mkfifo(path)


OBSTACLES = {
    "a link to nowhere": (lambda path, _: path.symlink_to("nowhere"), "a link is in the way; move it away"),
    "a link to itself": (lambda path, _: path.symlink_to(path.name), "a link is in the way; move it away"),
    "a link to elsewhere": (lambda path, other: path.symlink_to(other), "a link is in the way; move it away"),
    "a file": (lambda path, _: path.write_text("mine"), "a file is in the way; move it away"),
    "a pipe": (a_pipe, "a pipe is in the way; move it away"),
}
"""What may stand where a folder should be."""


@posix
@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_what_is_in_the_place_of_a_subfolder_is_told_before_anything_changes(obstacle, tmp_path):
    put, message = OBSTACLES[obstacle]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    models = tmp_path / "models"
    write_set(models, 1)
    (models / "many").rename(tmp_path / "old")
    put(models / "many", elsewhere)
    before = sorted((models / name).read_text() for name in SET if "/" not in name)
    with pytest.raises(OutputError, match=f"many: {message}. Nothing was changed$"):
        write_set(models, 2)
    assert sorted((models / name).read_text() for name in SET if "/" not in name) == before
    assert not list(elsewhere.iterdir())
    assert not leftovers(models)
    assert read_manifest(models)["networks"] == {}
    (models / "many").unlink()
    write_set(models, 3)
    assert generations(models) == {"3"}


@posix
@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_what_comes_in_the_way_of_a_complete_set_is_told_and_the_next_finishes(
    obstacle, tmp_path, monkeypatch
):
    put, message = OBSTACLES[obstacle]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    models = tmp_path / "models"
    write_set(models, 1)
    move = Folder.move

    def obstructed(self: Folder, name: str, target: Folder, new_name: str) -> None:
        move(self, name, target, new_name)
        if new_name.startswith(".commit-"):
            (models / "many").rename(tmp_path / "old")
            put(models / "many", elsewhere)

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "move", obstructed)
        with pytest.raises(
            OutputError, match=f"many: {message}. A set of files was written completely"
        ) as caught:
            write_set(models, 2)
    assert "Nothing was changed" not in str(caught.value)
    assert leftovers(models)[0] in str(caught.value)
    for act in (lambda: write_set(models, 3), lambda: finish_commits(models)):
        with pytest.raises(OutputError, match=f"many: {message}. A set of files was written completely"):
            act()
    with pytest.raises(ModelFileError, match="an interrupted run wrote a set of files of which not all"):
        read_manifest(models)
    (models / "many").unlink()
    finish_commits(models)
    assert generations(models) == {"2"}
    assert not leftovers(models)
    assert not list(elsewhere.iterdir())


STEPS = {
    "make a subfolder": ("make", Folder, lambda _, name, **__: name == "many"),
    "flush a file": ("flush_file", staging, lambda path: path.name == "b.txt"),
    "write the journal": ("write_journal", staging, lambda *_: True),
    "flush the set": ("flush", Folder, lambda self: self.path.name.startswith(".staging-")),
    "count as written": ("move", Folder, lambda _, __, ___, new: new.startswith(".commit-")),
    "flush the folder": ("flush", Folder, lambda self: self.path.name == "models"),
    "move the first": ("move", Folder, lambda _, name, *__: name == SET[0]),
    "move the last": ("move", Folder, lambda _, name, *__: name == SET[-1]),
    "flush a subfolder": (
        "flush",
        Folder,
        lambda self: self.path == self.path.parents[1] / "models" / "many",
    ),
    "give it up": ("move", Folder, lambda _, __, ___, new: new.startswith(".staging-")),
}
"""Every step of a write that a full or failing disk may stop."""
LAST_WITHOUT_A_CHANGE = list(STEPS).index("count as written")


@posix
@pytest.mark.parametrize("step", STEPS)
def test_a_disk_that_fails_at_any_step_is_told_truly_and_wedges_nothing(step, tmp_path, monkeypatch):
    models = tmp_path / "models"
    models.mkdir()
    (models / "a.txt").write_text("1")
    name, owner, is_the_one = STEPS[step]
    original = getattr(owner, name)

    def failing(*arguments, **options):
        if is_the_one(*arguments, **options):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "a file")
        return original(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, failing)
        with pytest.raises(OutputError, match="No space left") as caught:
            write_set(models, 2)
    if list(STEPS).index(step) <= LAST_WITHOUT_A_CHANGE:
        assert str(caught.value).lower().endswith("nothing was changed")
        assert names(models) == ["a.txt"]
        assert (models / "a.txt").read_text() == "1"
    else:
        assert "A set of files was written completely" in str(caught.value)
        finish_commits(models)
        assert generations(models) == {"2"}
    assert not leftovers(models)
    write_set(models, 3)
    assert generations(models) == {"3"}


@posix
def test_every_folder_is_flushed_before_what_depends_on_it(tmp_path, monkeypatch):
    models, diary = tmp_path / "models", []
    flush, move = Folder.flush, Folder.move

    def flushed(self: Folder) -> None:
        diary.append(("flush", self.path.relative_to(models).parts[-1:]))
        flush(self)

    def moved(self: Folder, name: str, target: Folder, new_name: str) -> None:
        diary.append(("commit" if new_name.startswith(".") else "move", ()))
        move(self, name, target, new_name)

    models.mkdir()
    monkeypatch.setattr(Folder, "flush", flushed)
    monkeypatch.setattr(Folder, "move", moved)
    write_set(models, 1)
    steps = [step for step, _ in diary]
    committed, first, last = (
        steps.index("commit"),
        steps.index("move"),
        len(steps) - 1 - steps[::-1].index("move"),
    )
    before, between, after = ({what for step, what in part if step == "flush"}
                              for part in (diary[:committed], diary[committed:first], diary[last:]))  # fmt: skip
    assert {("many",), ("set",)} < before
    assert any(name and name[0].startswith(".staging-") for name in before)
    assert (between, after) == ({()}, {(), ("many",)})


@posix
@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_subfolder_that_may_not_be_written_to_is_told_before_anything_changes(tmp_path):
    write_set(tmp_path, 1)
    (tmp_path / "many").chmod(0o555)
    with pytest.raises(OutputError, match=r"many: may not be written to; change that\. Nothing was changed"):
        write_set(tmp_path, 2)
    assert generations(tmp_path) == {"1"}


@posix
@pytest.mark.parametrize("obstacle", [name for name in OBSTACLES if name != "a file"])
def test_a_lock_is_no_link_and_no_pipe(obstacle, tmp_path):
    elsewhere, models = tmp_path / "elsewhere", tmp_path / "models"
    models.mkdir()
    elsewhere.write_text("mine")
    OBSTACLES[obstacle][0](models / ".lock", elsewhere)
    with (
        pytest.raises(OutputError, match=r"\.lock: a .* is in the way; move it away"),
        locked(models),
    ):
        pass
    assert elsewhere.read_text() == "mine"


@posix
def test_a_manifest_that_is_a_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "manifest.json")
    with pytest.raises(ModelFileError, match="not a readable manifest"):
        read_manifest(tmp_path)


WRITE_TOO_MUCH = """
import resource, sys
from pathlib import Path
from edgedigits.artifacts.staging import write_atomically
from edgedigits.errors import OutputError
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_atomically(Path(sys.argv[1]), bytes(2000))
except OutputError as error:
    print(error)
"""


@posix
def test_a_disk_that_is_full_leaves_the_old_file(tmp_path):
    # A limit on the size of files fails in the middle of a write, as a full disk does.
    path = tmp_path / "digits.onnx"
    path.write_bytes(b"old")
    with child(WRITE_TOO_MUCH, path) as process:
        output, _ = process.communicate(timeout=60)
    assert output.startswith(f"{tmp_path}: cannot be written to (")
    assert output.endswith("nothing was changed\n")
    assert path.read_bytes() == b"old"
    assert not leftovers(tmp_path)


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


# The manifest


def test_a_manifest_reads_back_as_it_was(tmp_path):
    manifest = read_manifest(tmp_path)
    assert manifest == {"manifest_version": 1, "networks": {}}
    entry = network_entry(manifest, "digits")
    assert entry == {"training": None, "files": {}}
    entry["files"]["digits.onnx"] = {"bytes": 3}
    assert network_entry(manifest, "digits") is entry
    with staged(tmp_path) as place:
        write_manifest(place, manifest)
    assert read_manifest(tmp_path) == manifest
    assert (tmp_path / "manifest.json").read_bytes().endswith(b"}\n")


def test_a_folder_that_is_not_there_has_an_empty_manifest(tmp_path):
    assert read_manifest(tmp_path / "nowhere") == {"manifest_version": 1, "networks": {}}
    assert not (tmp_path / "nowhere").exists()


def test_numbers_that_json_does_not_have_are_refused(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_manifest(tmp_path, {"networks": {"digits": float("nan")}})
    assert not list(tmp_path.iterdir())


TRAINING = {
    "weights_sha256": "0" * 64,
    "dataset": {"name": "MNIST", "train_sha256": "1", "test_sha256": "2"},
    "arguments": {},
}
"""As much of the record of a run as every reader relies on."""


def test_the_least_that_a_manifest_says_of_a_run_is_enough(tmp_path):
    networks = {"digits": {"training": TRAINING, "files": {}}}
    write_manifest(tmp_path, {"manifest_version": 1, "networks": networks})
    assert read_manifest(tmp_path)["networks"] == networks
    assert trained_labels(tmp_path, "digits", "0" * 64) == LABELS


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", "not a readable manifest", id="empty"),
        pytest.param(b'{"manifest_version": 1, "netw', "not a readable manifest", id="truncated"),
        pytest.param(b"\xff\xfe\x00", "not a readable manifest", id="no text"),
        pytest.param(b"[" * 100_000, "not a readable manifest", id="nested without end"),
        pytest.param(b"[]", "not a readable manifest", id="a list"),
        pytest.param(b"{}", "not a readable manifest", id="no networks"),
        pytest.param(
            b'{"manifest_version": 1, "networks": []}', "not a readable manifest", id="networks as a list"
        ),
        pytest.param(b'{"manifest_version": 1, "networks": {"digits": 1}}', "not a readable", id="no files"),
        pytest.param(b'{"manifest_version": 2, "networks": {}}', "manifest of version 1", id="later version"),
        pytest.param(
            json.dumps({"manifest_version": 1, "networks": {"digits": {"files": []}}}).encode(),
            "manifest of version 1",
            id="files as a list",
        ),
        *(
            pytest.param(
                json.dumps(
                    {"manifest_version": 1, "networks": {"digits": {"training": training, "files": {}}}}
                ).encode(),
                "manifest",
                id=name,
            )
            for name, training in {
                "training as text": "yes",
                "training of nothing": {},
                "no hash": {**TRAINING, "weights_sha256": None},
                "labels as a number": {**TRAINING, "dataset": {**TRAINING["dataset"], "labels": 7}},
                "too few labels": {**TRAINING, "dataset": {**TRAINING["dataset"], "labels": ["0"]}},
                "no test hash": {**TRAINING, "dataset": {"name": "MNIST", "train_sha256": "0"}},
                "arguments as a list": {**TRAINING, "arguments": []},
            }.items()
        ),
    ],
)
def test_another_file_is_no_manifest(content, reason, tmp_path):
    path = tmp_path / "manifest.json"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=reason) as caught:
        read_manifest(tmp_path)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).endswith("move it away and train or export again")


def test_a_folder_named_like_a_manifest_is_refused(tmp_path):
    (tmp_path / "manifest.json").mkdir()
    with pytest.raises(ModelFileError, match="not a readable manifest"):
        read_manifest(tmp_path)


# Receipts


def test_a_receipt_tells_hash_and_size(tmp_path):
    path = tmp_path / "digits.onnx"
    path.write_bytes(b"some model")
    expected = hashlib.sha256(b"some model").hexdigest()
    assert file_receipt(path) == {"sha256": expected, "bytes": 10}
    assert sha256_file(path) == sha256_bytes(b"some model") == expected


def test_versions_tell_what_is_installed_and_leave_out_the_rest():
    assert versions("numpy", "no-such-distribution") == {
        "python": platform.python_version(),
        "edgedigits": __version__,
        "numpy": np.__version__,
    }
