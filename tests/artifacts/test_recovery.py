"""What killed writers left is finished or removed; what anybody else put into a folder is left alone, and named."""

import hashlib
import json
import os
import shutil
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from edgedigits.artifacts.folders import Folder
from edgedigits.artifacts.manifest import read_manifest
from edgedigits.artifacts.recovery import (
    MOST_FINISHED,
    MOST_LOOKED_AT,
    STALE_SECONDS,
    check_settled,
    finish_commits,
)
from edgedigits.artifacts.staging import locked, staged, write_atomically
from edgedigits.errors import ModelFileError, OutputError
from edgedigits.files import LeftAloneWarning

posix = pytest.mark.skipif(os.name != "posix", reason="links, pipes and owners as POSIX has them")

SET = {"digits.keras": b"new network", "manifest.json": b'{"manifest_version": 1, "networks": {}}',
       "plots/curves.png": b"new plot"}  # fmt: skip


class Killed(BaseException):
    """Stands for the end of the process."""


def snapshot(root: Path) -> dict[str, tuple[object, ...]]:
    seen = {}
    for path in [root, *sorted(root.rglob("*"))]:
        found = path.lstat()
        content = (
            path.readlink()
            if path.is_symlink()
            else path.read_bytes()[:100]
            if path.is_file() and found.st_size < 1 << 20
            else ""
        )
        seen[str(path)] = (found.st_mode, found.st_ino, found.st_mtime_ns, found.st_size, content)
    return seen


def write_set(folder: Path, files: Mapping[str, bytes]) -> None:
    with staged(folder) as place:
        for name, content in files.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(content)


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with old files and, complete and not yet in place, the set of a writer that was killed."""
    models, victim = tmp_path / "models", tmp_path / "victim"
    for folder in (models, victim):
        for name in SET:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(b"old")
    move = Folder.move

    def dying(self: Folder, name: str, target: Folder, new_name: str) -> None:
        move(self, name, target, new_name)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "move", dying)
        with pytest.raises(Killed):
            write_set(models, SET)
    (models / ".lock").unlink()
    return models


def commit_of(models: Path) -> Path:
    (commit,) = models.glob(".commit-*")
    return commit


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in SET}


def test_a_complete_set_is_put_in_place_by_whoever_writes_next(models: Path) -> None:
    write_atomically(models / "report.html", b"page")
    assert contents(models) == SET
    assert sorted(path.name for path in models.glob(".*")) == [".lock"]


@pytest.mark.parametrize("reader", [read_manifest, check_settled], ids=lambda reader: reader.__name__)
def test_a_reader_changes_nothing_and_says_who_finishes(
    reader: Callable[[Path], object], models: Path
) -> None:
    before = snapshot(models)
    with pytest.raises(
        ModelFileError, match=f"{commit_of(models).name}.*whatever writes here puts them in place"
    ):
        reader(models)
    assert snapshot(models) == before


def test_a_set_of_which_a_part_was_moved_is_finished(models: Path) -> None:
    (commit_of(models) / "set" / "digits.keras").replace(models / "digits.keras")
    with locked(models):
        assert contents(models) == SET


def edit(change: Callable[[dict[str, Any]], object]) -> Callable[[Path, Path], None]:
    def act(commit: Path, victim: Path) -> None:
        journal = json.loads((commit / "journal.json").read_text())
        change(journal)
        (commit / "journal.json").write_text(json.dumps(journal))

    return act


def renamed(new: str) -> Callable[[Path, Path], None]:
    """Call a file of the set something else, in the journal too."""

    def act(commit: Path, victim: Path) -> None:
        edit(lambda journal: journal["files"].update({new: journal["files"].pop("digits.keras")}))(
            commit, victim
        )
        if ".." not in new and not new.startswith("/"):
            (commit / "set" / new).parent.mkdir(parents=True, exist_ok=True)
            (commit / "set" / "digits.keras").rename(commit / "set" / new)

    return act


def linked(name: str) -> Callable[[Path, Path], None]:
    """Put a link to the same content elsewhere in the place of something in the set's folder."""

    def act(commit: Path, victim: Path) -> None:
        elsewhere = victim / Path(name).name
        if elsewhere.is_dir():
            shutil.rmtree(elsewhere)
        elsewhere.unlink(missing_ok=True)
        shutil.move(commit / name, elsewhere)
        (commit / name).symlink_to(elsewhere)

    return act


def piped(name: str) -> Callable[[Path, Path], None]:
    def act(commit: Path, victim: Path) -> None:
        (commit / name).unlink()
        os.mkfifo(commit / name)

    return act


def grown(name: str) -> Callable[[Path, Path], None]:
    def act(commit: Path, victim: Path) -> None:
        with (commit / name).open("r+b") as file:
            file.truncate(8 << 30)

    return act


def moved_away(commit: Path, victim: Path) -> None:
    shutil.move(commit, victim / commit.name)
    commit.symlink_to(victim / commit.name)


FORGED: dict[str, Callable[[Path, Path], object]] = {
    "a link to a good set": moved_away,
    "no journal": lambda commit, _: (commit / "journal.json").unlink(),
    "an empty journal": lambda commit, _: (commit / "journal.json").write_bytes(b""),
    "a journal that is a folder": lambda commit, _: (
        (commit / "journal.json").unlink(), (commit / "journal.json").mkdir()),
    "a journal without end": lambda commit, _: (commit / "journal.json").write_bytes(b"[" * 500_000),
    "a journal of gigabytes": grown("journal.json"),
    "a journal that is a pipe": piped("journal.json"),
    "a journal that is a link": linked("journal.json"),
    "another token": edit(lambda journal: journal.update(token="0" * 32)),
    "another version": edit(lambda journal: journal.update(version=2)),
    "another key": edit(lambda journal: journal.update(folder="/")),
    "a list of files": edit(lambda journal: journal.update(files=list(journal["files"]))),
    "no files": edit(lambda journal: journal.update(files={})),
    "too many files": edit(lambda journal: journal["files"].update(
        {f"{index}": {"bytes": 0, "sha256": "0" * 64} for index in range(2_000)})),
    "files of terabytes": edit(lambda journal: journal["files"].update(x={"bytes": 1 << 40, "sha256": "0" * 64})),
    "a size below zero": edit(lambda journal: journal["files"]["digits.keras"].update(bytes=-1)),
    "a size that is true": edit(lambda journal: journal["files"]["digits.keras"].update(bytes=True)),
    "no hash": edit(lambda journal: journal["files"]["digits.keras"].update(sha256=None)),
    "another hash": edit(lambda journal: journal["files"]["digits.keras"].update(sha256="0" * 64)),
    "a name above": renamed("../victim/digits.keras"),
    "a name above by way of a subfolder": renamed("plots/.."),
    "an absolute name": renamed("/digits.keras"),
    "a name two folders deep": renamed("plots/more/digits.keras"),
    "a hidden name": renamed(".bashrc"),
    "a name in a hidden folder": renamed(".git/config"),
    "an empty name": edit(lambda journal: journal["files"].update({"": journal["files"]["digits.keras"]})),
    "a name with a null byte": edit(
        lambda journal: journal["files"].update({"a\0b": journal["files"]["digits.keras"]})),
    "a file that is not in the journal": lambda commit, _: (commit / "set" / "more.txt").write_text("evil"),
    "a changed file": lambda commit, _: (commit / "set" / "digits.keras").write_bytes(b"bad network"),
    "a longer file": lambda commit, _: (commit / "set" / "digits.keras").write_bytes(b"new network and more"),
    "a sparse file of gigabytes": grown("set/digits.keras"),
    "a file that is a link": linked("set/digits.keras"),
    "a file that is a pipe": piped("set/digits.keras"),
    "a subfolder that is a link": linked("set/plots"),
    "files that are a link": linked("set"),
    "no files there": lambda commit, _: shutil.rmtree(commit / "set"),
    "a name of another form": lambda commit, _: commit.rename(commit.with_name(".commit-mine")),
    "a name that goes on": lambda commit, _: commit.rename(commit.with_name(f"{commit.name}\n")),
}  # fmt: skip
"""What is not the work of this tool, or not any longer."""


@posix
@pytest.mark.parametrize("forgery", FORGED)
def test_what_is_no_set_of_ours_is_left_alone_and_named(forgery: str, models: Path, tmp_path: Path) -> None:
    FORGED[forgery](commit_of(models), tmp_path / "victim")
    (models / ".lock").touch()
    before = snapshot(tmp_path)
    with pytest.warns(
        LeftAloneWarning, match=r"(?s)models: \.commit-.*: no set of files that .* wrote; left alone"
    ):
        finish_commits(models)
    assert snapshot(tmp_path) == before


@posix
@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")
def test_the_set_of_another_user_is_left_alone_and_not_read_over(models: Path) -> None:
    os.chown(commit_of(models), 12345, 12345)
    with pytest.warns(LeftAloneWarning, match="of another user"):
        finish_commits(models)
    assert contents(models) == dict.fromkeys(SET, b"old")
    # Only its owner may finish it, and nobody takes what is there for whole.
    with pytest.raises(ModelFileError, match="not all are in place yet"):
        read_manifest(models)


PLACES: dict[str, Callable[[Path, Path], object]] = {
    "a subfolder that is a link": lambda models, victim: (
        shutil.rmtree(models / "plots"), (models / "plots").symlink_to(victim / "plots")),
    "a file that is a link": lambda models, victim: (
        (models / "digits.keras").unlink(), (models / "digits.keras").symlink_to(victim / "digits.keras")),
    "a file that is a pipe": lambda models, _: (
        (models / "digits.keras").unlink(), os.mkfifo(models / "digits.keras")),
    "a file in the subfolder that is a link": lambda models, victim: (
        (models / "plots" / "curves.png").unlink(),
        (models / "plots" / "curves.png").symlink_to(victim / "manifest.json")),
    "a folder in the place of a file": lambda models, _: (
        (models / "manifest.json").unlink(), (models / "manifest.json").mkdir()),
}  # fmt: skip


@posix
@pytest.mark.parametrize("place", PLACES)
def test_nothing_is_moved_over_what_is_no_regular_file(place: str, models: Path, tmp_path: Path) -> None:
    PLACES[place](models, tmp_path / "victim")
    (models / ".lock").touch()
    before = snapshot(tmp_path)
    with pytest.raises(
        OutputError, match=r"is in the way; move it away\. A set of files was written completely"
    ):
        finish_commits(models)
    with pytest.raises(OutputError, match="is in the way"):
        write_atomically(models / "report.html", b"page")
    assert snapshot(tmp_path) == before


@posix
def test_things_called_like_a_set_stop_no_write(tmp_path: Path) -> None:
    (tmp_path / ".commit-msg").write_text("mine")
    (tmp_path / ".commit-nowhere").symlink_to("nowhere")
    (tmp_path / ".commit-folder").mkdir()
    os.mkfifo(tmp_path / ".commit-pipe")
    with pytest.warns(LeftAloneWarning, match=r"\.commit-folder \(of another name than ours\).* and 1 more"):
        write_atomically(tmp_path / "page.html", b"page")
    assert len(list(tmp_path.glob(".commit-*"))) == 4
    assert (tmp_path / ".commit-msg").read_text() == "mine"


def test_any_number_of_things_called_like_a_set_cost_little(tmp_path: Path) -> None:
    for index in range(5_000):
        (tmp_path / f".commit-{index:032x}").mkdir()
    started = time.process_time()
    with pytest.warns(LeftAloneWarning, match="and 4997 more"):
        finish_commits(tmp_path)
    check_settled(tmp_path)
    assert time.process_time() - started < 2
    assert MOST_LOOKED_AT < 5_000


def test_of_many_sets_a_few_are_finished_at_a_time(models: Path) -> None:
    first = commit_of(models)
    for digit in "0123456":
        token = digit * 32
        copy = Path(shutil.copytree(first, models / f".commit-{token}"))
        edit(lambda journal, token=token: journal.update(token=token))(copy, copy)
    with pytest.warns(LeftAloneWarning, match="one of too many"):
        finish_commits(models)
    assert len(list(models.glob(".commit-*"))) == 8 - MOST_FINISHED
    finish_commits(models)
    assert not list(models.glob(".commit-*"))
    assert contents(models) == SET


def begun(folder: Path, name: str, mark: str = "edgedigits") -> Path:
    """Leave what a killed writer leaves that had only begun."""
    staging = folder / name
    (staging / "set" / "plots").mkdir(parents=True)
    (staging / "set" / "plots" / "half.png").write_text("half")
    if mark:
        (staging / mark).touch()
    return staging


def age(folder: Path) -> None:
    long_ago = time.time() - STALE_SECONDS - 60
    for path in [*folder.rglob("*"), folder]:
        os.utime(path, (long_ago, long_ago))


def test_beginnings_are_removed_once_their_writer_must_be_dead(tmp_path: Path) -> None:
    for token in ("a", "b", "c"):
        begun(tmp_path, f".staging-{token * 32}")
    for token in ("a", "b"):
        age(tmp_path / f".staging-{token * 32}")
    (tmp_path / f".staging-{'b' * 32}" / "set" / "fresh.txt").touch()  # somebody is at work there
    (tmp_path / f".staging-{'d' * 32}").mkdir()
    age(tmp_path / f".staging-{'d' * 32}")
    write_atomically(tmp_path / "digits.onnx", b"new")
    assert sorted(path.name[9] for path in tmp_path.glob(".staging-*")) == ["b", "c"]


STRANGE: dict[str, tuple[str, str]] = {
    "a name of their own": (".staging-mine", "edgedigits"),
    "a token too short": (".staging-" + "a" * 31, "edgedigits"),
    "a token in capitals": (".staging-" + "A" * 32, "edgedigits"),
    "no mark": (".staging-" + "a" * 32, ""),
    "another mark": (".staging-" + "a" * 32, "edgedigits.txt"),
}


@pytest.mark.parametrize("kind", STRANGE)
def test_a_folder_of_others_is_never_removed(kind: str, tmp_path: Path) -> None:
    age(begun(tmp_path, *STRANGE[kind]))
    before = snapshot(tmp_path)
    finish_commits(tmp_path)
    assert snapshot(tmp_path) == before


@posix
def test_no_link_in_or_to_a_beginning_is_followed(tmp_path: Path) -> None:
    victim, models = begun(tmp_path / "victim", ".staging-" + "a" * 32), tmp_path / "models"
    staging = begun(models, ".staging-" + "b" * 32)
    (staging / "set" / "link").symlink_to(victim)
    (staging / "set" / "file").symlink_to(victim / "edgedigits")
    for folder in (victim, staging):
        age(folder)
    (models / (".staging-" + "c" * 32)).symlink_to(victim)
    before = snapshot(tmp_path / "victim")
    finish_commits(models)
    assert snapshot(tmp_path / "victim") == before
    assert [path.name for path in models.iterdir()] == [".staging-" + "c" * 32]


@posix
def test_a_mark_with_something_in_it_is_none(tmp_path: Path) -> None:
    staging = begun(tmp_path, ".staging-" + "a" * 32)
    (staging / "edgedigits").write_text("my notes on edgedigits")
    age(staging)
    finish_commits(tmp_path)
    assert (staging / "set" / "plots" / "half.png").exists()


@posix
def test_a_lock_is_never_cut(models: Path) -> None:
    (models / ".lock").write_text("precious")
    with locked(models):
        pass
    assert (models / ".lock").read_text() == "precious"
    assert contents(models) == SET


def test_a_set_that_nobody_could_finish_is_not_begun(tmp_path: Path) -> None:
    for name in (".hidden", "a/b/c"):
        with pytest.raises(OutputError, match=r"cannot be written as one set .*; nothing was changed"):
            write_set(tmp_path, {name: b"new"})
    assert not list(tmp_path.iterdir())


def test_a_folder_without_leftovers_brings_no_warning_and_no_lock(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_atomically(tmp_path / "page.html", b"page")
        finish_commits(tmp_path)
        finish_commits(tmp_path / "nowhere")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    assert (
        hashlib.sha256((tmp_path / "page.html").read_bytes()).hexdigest()
        == hashlib.sha256(b"page").hexdigest()
    )
