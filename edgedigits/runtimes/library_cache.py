"""The folder of compiled networks: private, bounded, and safe with any number of processes.

A library is a program, and whoever can write to this folder can have his run. So the folder and the one above it must
be the user's own and closed to others, or a passing folder takes their place. A process that has a library open holds a
shared lock on it; what nobody has open and was not used for longest goes when there are too many.
"""

import atexit
import contextlib
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path
from typing import BinaryIO

from edgedigits.user_cache import user_cache

try:
    import fcntl
except ImportError:  # Windows: a library that is loaded cannot be removed there in any case.
    fcntl = None  # type: ignore[assignment]

MOST_LIBRARIES = 32
"""A library for each network, compiler and version of edgedigits."""
MOST_BYTES = 64 << 20
"""Of all libraries; one has about 130 KB."""
OLDEST_SECONDS = 90 * 86_400.0
"""Since a library was last opened."""
COMPILING_PREFIX = ".compiling-"
"""How folders are called in which a compiler is at work."""
STALE_SECONDS = 3_600.0
"""Age at which the leftovers of a killed compiler are removed: far longer than compiling may take."""


def cache_folder() -> Path:
    """Return the folder of compiled networks: in the user's cache, or a passing one where that is not private."""
    cache = user_cache()
    if cache is None:
        return _passing_folder()
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        for folder in (cache, cache / "compiled"):
            folder.mkdir(mode=0o700, exist_ok=True)
            if not _is_private(folder):
                return _passing_folder()
        if stat.S_IMODE(folder.stat().st_mode) != 0o700:
            folder.chmod(0o700)
    except OSError:
        return _passing_folder()
    return folder


def open_library(path: Path) -> BinaryIO | None:
    """Open a library of the cache so that no other process removes it before the file is closed.

    Returns:
        The open file; None where there is no such library (any more).

    Raises:
        OSError: it cannot be opened, or is a link or another user's.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        return None
    try:
        file = os.fdopen(descriptor, "rb")
    except OSError as error:  # a folder
        os.close(descriptor)
        raise OSError(error.errno, error.strerror, str(path)) from error
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_SH)
        found = os.fstat(file.fileno())
        if not _is_own(found) or not stat.S_ISREG(found.st_mode):
            raise PermissionError(f"{path} is no file of this user's own")
        if not _is_at(path, file):  # Another process removed it in between.
            file.close()
            return None
        with contextlib.suppress(OSError):  # a cache on a read-only disk
            os.utime(path)
    except BaseException:
        file.close()
        raise
    return file


def add(made: Path, path: Path) -> None:
    """Give a finished library its name in the cache; one that another process has put there by now stays.

    Args:
        made: the file, in the same file system.
        path: its name in the cache.

    Raises:
        OSError: it cannot be put there.
    """
    try:
        os.link(made, path)
    except FileExistsError:
        return
    except OSError:  # a file system without hard links
        made.replace(path)


def trim(folder: Path) -> None:
    """Remove what is old, and what was not used for longest while there is too much; never what is open.

    What cannot be removed stays: a cache that is too large is no reason to fail.
    """
    found = []
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            with contextlib.suppress(OSError):
                facts = path.lstat()
                if path.suffix == ".so" and stat.S_ISREG(facts.st_mode):
                    found.append((facts.st_mtime, facts.st_size, path))
                elif path.name.startswith(COMPILING_PREFIX) and time.time() - facts.st_mtime > STALE_SECONDS:
                    shutil.rmtree(path, ignore_errors=True)
    count = total = 0
    for modified, size, path in sorted(found, reverse=True):
        if count < MOST_LIBRARIES and total + size <= MOST_BYTES and time.time() - modified <= OLDEST_SECONDS:
            count, total = count + 1, total + size
        else:
            _remove(path)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError), path.open("rb") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails where a process has it open
        if _is_at(path, file):
            path.unlink()


def _is_at(path: Path, file: BinaryIO) -> bool:
    """Tell whether an open file still is the one of that name."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _is_private(folder: Path) -> bool:
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and _is_own(found)


def _is_own(found: os.stat_result) -> bool:
    """Tell whether nobody but the user may write to it."""
    is_his = not hasattr(os, "getuid") or found.st_uid == os.getuid()
    return is_his and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _passing_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="edgedigits-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
