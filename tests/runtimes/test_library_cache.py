"""The cache of compiled networks: bounded, private, and never robbed of what is in use."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgedigits.runtimes import library_cache
from edgedigits.runtimes.library_cache import cache_folder, open_library, trim

pytestmark = pytest.mark.skipif(os.name != "posix", reason="permissions and locks as POSIX has them")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return cache_folder()


def fill(cache: Path, count: int, size: int = 10, age: float = 0.0) -> list[Path]:
    """Make libraries, the last of which was used most recently."""
    paths = [cache / f"{index:04}.so" for index in range(count)]
    for index, path in enumerate(paths):
        path.write_bytes(bytes(size))
        moment = time.time() - age - count + index
        os.utime(path, (moment, moment))
    return paths


def test_a_cache_within_its_bounds_stays_as_it_is(cache: Path) -> None:
    paths = fill(cache, library_cache.MOST_LIBRARIES)
    trim(cache)
    assert sorted(cache.iterdir()) == paths


def test_the_libraries_that_were_not_used_for_longest_go(cache: Path) -> None:
    paths = fill(cache, library_cache.MOST_LIBRARIES + 5)
    open_library(paths[0]).close()
    trim(cache)
    assert sorted(cache.iterdir()) == [paths[0], *paths[6:]]


def test_large_libraries_go_earlier(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library_cache, "MOST_BYTES", 350)
    paths = fill(cache, 5, size=100)
    trim(cache)
    assert sorted(cache.iterdir()) == paths[2:]


def test_old_libraries_and_leftovers_of_killed_compilers_go(cache: Path) -> None:
    old = fill(cache, 3, age=library_cache.OLDEST_SECONDS)
    fresh, stale = cache / ".compiling-fresh", cache / ".compiling-stale"
    for folder in (fresh, stale):
        folder.mkdir()
    long_ago = time.time() - library_cache.STALE_SECONDS - 60
    os.utime(stale, (long_ago, long_ago))
    trim(cache)
    assert [path for path in old if path.exists()] == []
    assert sorted(cache.iterdir()) == [fresh]


HOLD = """
import sys
from pathlib import Path
from edgedigits.runtimes.library_cache import open_library
held = open_library(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_what_another_process_uses_is_not_removed(cache: Path) -> None:
    (path,) = fill(cache, 1)
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout.readline() == "held\n"
        long_ago = time.time() - library_cache.OLDEST_SECONDS - 60
        os.utime(path, (long_ago, long_ago))
        trim(cache)
        assert path.exists()
    finally:
        child.communicate("")
    trim(cache)
    assert not path.exists()


def test_two_processes_that_open_and_trim_never_lose_an_open_library(cache: Path) -> None:
    code = """
import os, sys
from pathlib import Path
from edgedigits.runtimes import library_cache
library_cache.MOST_LIBRARIES = 0
folder = Path(sys.argv[1])
path = folder / "a.so"
for _ in range(300):
    temporary = folder / f"{os.getpid()}.tmp"
    temporary.write_bytes(b"library")
    library_cache.add(temporary, path)
    temporary.unlink()
    file = library_cache.open_library(path)
    if file is not None:
        library_cache.trim(folder)
        assert os.path.samestat(path.stat(), os.fstat(file.fileno())), "removed while open"
        file.close()
    library_cache.trim(folder)
"""
    children = [subprocess.Popen([sys.executable, "-c", code, cache]) for _ in range(2)]
    assert [child.wait(60) for child in children] == [0, 0]


def test_a_library_that_was_removed_before_it_was_locked_is_none(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = fill(cache, 1)
    lock = library_cache.fcntl.flock

    def removed_first(file: object, how: int) -> None:
        path.unlink()
        lock(file, how)

    monkeypatch.setattr(library_cache.fcntl, "flock", removed_first)
    assert open_library(path) is None
    monkeypatch.undo()
    assert open_library(cache / "never.so") is None


@pytest.mark.parametrize("spoil", [
    lambda path: path.chmod(0o666),
    lambda path: (path.rename(path.with_suffix(".other")), path.symlink_to(path.with_suffix(".other"))),
    lambda path: (path.unlink(), os.mkfifo(path)),
    lambda path: (path.unlink(), path.mkdir()),
], ids=["others may write", "a link", "a pipe", "a folder"])  # fmt: skip
def test_a_library_that_may_be_somebody_else_s_is_not_opened(spoil, cache: Path) -> None:
    (path,) = fill(cache, 1)
    spoil(path)
    with pytest.raises(OSError, match=r"0000\.so"):
        open_library(path)


@pytest.mark.parametrize("which", ["edgedigits", "edgedigits/compiled"])
@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777], ids=oct)
def test_a_folder_that_others_may_write_to_is_not_used(
    which: str, mode: int, cache: Path, tmp_path: Path
) -> None:
    (tmp_path / which).chmod(mode)
    passing = cache_folder()
    assert passing != cache
    assert passing.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.name == "posix" and os.geteuid() != 0, reason="only root gives a folder away")
@pytest.mark.parametrize("which", ["edgedigits", "edgedigits/compiled"])
def test_a_folder_of_another_user_is_not_used(which: str, cache: Path, tmp_path: Path) -> None:
    os.chown(tmp_path / which, 1234, -1)
    assert cache_folder() != cache


def test_a_link_in_the_place_of_the_folder_is_not_followed(cache: Path, tmp_path: Path) -> None:
    cache.rename(tmp_path / "elsewhere")
    cache.symlink_to(tmp_path / "elsewhere")
    assert cache_folder() != cache


def test_a_folder_that_others_may_read_is_closed(cache: Path) -> None:
    cache.chmod(0o755)
    assert cache_folder() == cache
    assert cache.stat().st_mode & 0o777 == 0o700


def test_a_relative_cache_is_not_made_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder() == tmp_path / "home" / ".cache" / "edgedigits" / "compiled"
