import errno
import os
from pathlib import Path

import pytest
from file_sets import SET, child, generations, leftovers, names, write_set

from edgedigits.artifacts import staging
from edgedigits.artifacts.folders import Folder
from edgedigits.artifacts.manifest import (
    read_manifest,
)
from edgedigits.artifacts.recovery import finish_commits
from edgedigits.artifacts.staging import locked, staged, write_atomically
from edgedigits.errors import ModelFileError, OutputError

posix = pytest.mark.skipif(os.name != "posix", reason="kills and limits processes in the POSIX way")

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
