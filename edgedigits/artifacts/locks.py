"""Keeping two writers of one folder apart, by a lock on the file ``.lock`` in it."""

import contextlib
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

from edgedigits.artifacts.folders import kind_of
from edgedigits.errors import OutputError

try:
    import fcntl
except ImportError:  # Windows: writers of one folder are not kept apart there.
    fcntl = None  # type: ignore[assignment]

LOCK_NAME = ".lock"
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)

_held: set[tuple[int, int, int]] = set()
"""Device and inode of the locks that this process holds, and in which thread: that one need not wait for them."""


@contextlib.contextmanager
def held(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock of a folder, which is made where it is missing; a thread may hold it twice.

    Args:
        folder: the folder.
        wait: whether to wait for another writer.

    Raises:
        OSError: it cannot be made or written to.
        OutputError: what is called like the lock is none, or another writer is at work and is not waited for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = _open_lock(folder / LOCK_NAME)
    try:
        found = os.fstat(lock)
        key = (found.st_dev, found.st_ino, threading.get_ident())
        if key in _held:
            yield
            return
        if fcntl is not None:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise OutputError(
                    f"{folder}: another command is at work in it; wait for it, or choose another folder"
                ) from error
        _held.add(key)
        try:
            yield
        finally:
            _held.discard(key)
    finally:
        os.close(lock)


def may_be_held(folder: Path) -> bool:
    """Tell whether a writer is at work in a folder, without leaving a trace; true where that cannot be told."""
    if fcntl is None:
        return True
    try:
        lock = os.open(folder / LOCK_NAME, os.O_RDONLY | _NO_FOLLOW)
    except FileNotFoundError:  # Who writes a set has made it.
        return False
    except OSError:
        return True
    try:
        if not stat.S_ISREG(os.fstat(lock).st_mode):
            return False
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


def _open_lock(path: Path) -> int:
    """Open a file to be locked, whose content nobody reads: no link is followed, no pipe waited for, nothing cut."""
    if path.is_symlink():
        raise _in_the_way(path, "link")
    lock = os.open(path, os.O_RDWR | os.O_CREAT | _NO_FOLLOW, 0o666)
    if not stat.S_ISREG(mode := os.fstat(lock).st_mode):
        os.close(lock)
        raise _in_the_way(path, kind_of(mode))
    return lock


def _in_the_way(path: Path, kind: str) -> OutputError:
    return OutputError(f"{path}: a {kind} is in the way; move it away. Nothing was changed")
