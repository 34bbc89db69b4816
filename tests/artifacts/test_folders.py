"""An open folder, by descriptors and, as on Windows, by paths."""

import os
import stat
from pathlib import Path

import pytest

from edgedigits.artifacts import folders
from edgedigits.artifacts.folders import Folder, kind_of
from edgedigits.artifacts.recovery import finish_commits
from edgedigits.artifacts.staging import staged, write_atomically
from edgedigits.errors import OutputError

posix = pytest.mark.skipif(os.name != "posix", reason="links as POSIX has them")
WAYS = ["by path", *(["by descriptor"] if folders.HAS_DESCRIPTORS else [])]


@pytest.fixture(params=WAYS, autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(folders, "HAS_DESCRIPTORS", request.param == "by descriptor")
    return request.param


def test_what_is_in_a_folder_is_made_seen_moved_and_removed(tmp_path: Path) -> None:
    with Folder.open(tmp_path) as folder:
        assert stat.S_ISDIR(folder.own_status().st_mode)
        folder.make("inner", private=True)
        folder.make_file("file")
        assert folder.names() == ["file", "inner"]
        assert folder.status("nothing") is None
        assert folder.status("file").st_size == 0
        (tmp_path / "file").write_bytes(b"content")
        with folder.inner("inner") as inner:
            folder.move("file", inner, "moved")
            assert inner.names() == ["moved"]
            with inner.opened("moved", 7) as file:
                assert file.read() == b"content"
            with pytest.raises(OSError, match="larger"), inner.opened("moved", 6):
                pass
            inner.remove("moved")
            inner.flush()
        folder.remove_folder("inner")
        assert folder.names() == []


def test_a_file_is_never_made_over_another(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with Folder.open(tmp_path) as folder, pytest.raises(FileExistsError):
        folder.make_file("file")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(("name", "error"), [("none", FileNotFoundError), ("file", NotADirectoryError)])
def test_what_is_no_folder_is_not_opened(name: str, error: type[OSError], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(error):
        Folder.open(tmp_path / name)


@posix
def test_no_link_in_a_folder_is_followed_and_one_to_it_is(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_text("content")
    (tmp_path / "linked").symlink_to("real")
    (tmp_path / "real" / "link").symlink_to("file")
    with Folder.open(tmp_path / "linked") as folder:
        assert folder.names() == ["file", "link"]
        assert stat.S_ISLNK(folder.status("link").st_mode)
        with pytest.raises(OSError, match="a link, which is not followed"), folder.opened("link", 100):
            pass
    with Folder.open(tmp_path) as folder, pytest.raises(OSError, match=r"Not a directory|symbolic links"):
        folder.inner("linked")


@posix
def test_a_folder_stays_the_same_when_its_path_leads_elsewhere(tmp_path: Path, way: str) -> None:
    if way == "by path":
        pytest.skip("that is what descriptors are for")
    (tmp_path / "folder").mkdir()
    (tmp_path / "victim").mkdir()
    with Folder.open(tmp_path / "folder") as folder:
        folder.make_file("file")
        (tmp_path / "folder").rename(tmp_path / "moved")
        (tmp_path / "folder").symlink_to("victim")
        folder.make("inner")
        folder.move("file", folder, "renamed")
        assert folder.names() == ["inner", "renamed"]
    assert not list((tmp_path / "victim").iterdir())


def test_files_and_sets_are_written_either_way(tmp_path: Path) -> None:
    for content in ("old", "new"):
        write_atomically(tmp_path / "page.html", content.encode())
        with staged(tmp_path) as place:
            (place / "plots").mkdir()
            for name in ("manifest.json", "plots/curves.png"):
                (place / name).write_text(content)
        for name in ("page.html", "manifest.json", "plots/curves.png"):
            assert (tmp_path / name).read_text() == content
    assert [path.name for path in tmp_path.glob(".*")] == [".lock"]


@posix
def test_a_set_is_finished_and_a_link_refused_either_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    move = Folder.move

    def failing(self: Folder, name: str, target: Folder, new_name: str) -> None:
        if name == "b.txt":
            raise OSError(28, "No space left on device", name)
        move(self, name, target, new_name)

    def write() -> None:
        with staged(tmp_path) as place:
            for name in ("a.txt", "b.txt"):
                (place / name).write_text("new")

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "move", failing)
        with pytest.raises(OutputError, match="A set of files was written completely"):
            write()
    finish_commits(tmp_path)
    assert [(tmp_path / name).read_text() for name in ("a.txt", "b.txt")] == ["new", "new"]
    (tmp_path / "a.txt").unlink()
    (tmp_path / "a.txt").symlink_to("b.txt")
    with pytest.raises(
        OutputError, match=r"a\.txt: a link is in the way; move it away\. Nothing was changed"
    ):
        write()


def test_kinds_have_names(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert (kind_of(tmp_path.stat().st_mode), kind_of((tmp_path / "file").stat().st_mode)) == (
        "folder",
        "file",
    )
