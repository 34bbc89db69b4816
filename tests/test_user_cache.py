import os
import sys
from pathlib import Path

import pytest

from edgedigits.user_cache import home_for_imports, user_cache


@pytest.fixture
def home(monkeypatch, tmp_path) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    return tmp_path


def test_it_is_where_others_have_it_too(home, monkeypatch):
    pooch = pytest.importorskip("pooch")
    assert user_cache() == Path(pooch.os_cache("edgedigits"))
    if sys.platform.startswith("linux"):
        monkeypatch.setenv("XDG_CACHE_HOME", str(home / "elsewhere"))
        assert user_cache() == Path(pooch.os_cache("edgedigits")) == home / "elsewhere" / "edgedigits"


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="has no XDG folders")
@pytest.mark.parametrize("value", ["", "relative/folder"])
def test_a_relative_folder_is_ignored(value, home, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    assert user_cache() == home / ".cache" / "edgedigits"


def test_of_macos(home, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert user_cache() == home / "Library" / "Caches" / "edgedigits"


def test_of_windows(home, monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(home / "Local"))
    assert user_cache() == home / "Local" / "edgedigits" / "edgedigits" / "Cache"
    monkeypatch.delenv("LOCALAPPDATA")
    assert user_cache() == home / "AppData" / "Local" / "edgedigits" / "edgedigits" / "Cache"


def test_a_user_without_a_home_has_none(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)

    def no_home(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", no_home)
    assert user_cache() is None


@pytest.mark.skipif(os.name != "posix", reason="a user has a home there")
def test_who_has_no_home_has_one_while_others_are_imported(monkeypatch):
    monkeypatch.setenv("HOME", "~")  # what expands to itself, as where there is none
    for name in ("KERAS_HOME", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    with home_for_imports():
        home = Path.home()
        assert home.is_dir()
        assert os.environ["MPLCONFIGDIR"] == str(home)
    assert (os.environ["HOME"], user_cache()) == ("~", None)


def test_a_home_stays_what_it_is(home):
    with home_for_imports():
        assert Path.home() == home
