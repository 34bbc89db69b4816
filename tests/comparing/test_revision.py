import os
import shutil
import subprocess
from pathlib import Path

import pytest

from edgedigits.comparing.revision import take_out
from edgedigits.errors import ModelFileError

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="Git is not installed")


def git(folder: Path, *words: str) -> None:
    who = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    names = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main")
    subprocess.run(["git", "-C", str(folder), *names, *words], check=True, env={**os.environ, **who})


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A working tree whose files are new, and whose first revision had old ones."""
    folder = tmp_path / "tree" / "models"
    folder.mkdir(parents=True)
    git(folder.parent, "init", "-q")
    for name in ("a.onnx", "a.c", "a.h", "manifest.json"):
        (folder / name).write_bytes(f"old {name}\r\n\0".encode())
    git(folder.parent, "add", "-A")
    git(folder.parent, "commit", "-qm", "old")
    for path in (*folder.iterdir(), folder / "b.onnx"):
        path.write_bytes(b"new")
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def test_a_file_comes_out_as_it_was_with_the_manifest_beside_it(repository: Path, out: Path) -> None:
    assert take_out(repository / "a.onnx", "HEAD", out) == out / "a.onnx"
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {
        name: f"old {name}\r\n\0".encode() for name in ("a.onnx", "manifest.json")
    }


def test_c_code_comes_with_its_header(repository: Path, out: Path) -> None:
    assert take_out(repository / "a.c", "main", out) == out / "a.c"
    assert sorted(path.name for path in out.iterdir()) == ["a.c", "a.h", "manifest.json"]


def test_filters_of_git_are_heeded(repository: Path, out: Path) -> None:
    # As Git LFS does it: what is kept is a word, what is checked out comes from elsewhere.
    git(repository, "config", "filter.elsewhere.smudge", "cat >/dev/null; printf whole")
    (repository / ".gitattributes").write_text("*.onnx filter=elsewhere\n")
    assert take_out(repository / "a.onnx", "HEAD", out) == out / "a.onnx"
    assert (out / "a.onnx").read_bytes() == b"whole"


def test_a_file_that_is_new_has_no_revision(repository: Path, out: Path) -> None:
    assert take_out(repository / "b.onnx", "HEAD", out) is None
    assert not list(out.iterdir())


def test_a_relative_name_and_the_working_directory_do(
    repository: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    monkeypatch.setenv("GIT_DIR", "/nowhere")  # as hooks of Git are called
    assert take_out(Path("a.onnx"), "HEAD", out) == out / "a.onnx"


@pytest.mark.parametrize("revision", ["nothing", "--help", "HEAD:models", ""], ids=repr)
def test_what_is_no_revision_is_refused(repository: Path, out: Path, revision: str) -> None:
    with pytest.raises(ModelFileError, match=r"a\.onnx: Git has no such revision of it.*name a revision"):
        take_out(repository / "a.onnx", revision, out)


def test_outside_of_a_working_tree_it_is_said(tmp_path: Path, out: Path) -> None:
    with pytest.raises(ModelFileError, match=r"not a git repository.*a file of a working tree"):
        take_out(tmp_path / "a.onnx", "HEAD", out)


def test_without_git_it_is_said(repository: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(out))
    with pytest.raises(ModelFileError, match="Git is not installed, and --against asks it; name two files"):
        take_out(repository / "a.onnx", "HEAD", out)
