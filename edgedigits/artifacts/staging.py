"""Files that are whole or not there: all-or-nothing writes of one file or of a set.

A set of files that belong together (a network, its history, its plots) is put into a hidden folder first.
When it is complete, that folder is renamed to ``.commit-*``: from then on the set counts as written, and
whoever opens the models folder next finishes moving the files into place, should the writer have died.
"""

import contextlib
import errno
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from edgedigits.errors import OutputError

STAGING_PREFIX, COMMIT_PREFIX = ".staging-", ".commit-"
"""How folders are called in which a writer is still at work, and whose files only have to be moved into place."""
NOTHING_CHANGED = ". Nothing was changed"
"""How a message ends that comes before a set counts as written."""
STALE_SECONDS = 3600.0
"""Age at which the leftovers of a killed writer are removed: far longer than any set of files takes to write."""

try:
    import fcntl
except ImportError:  # Windows: writers of one folder are not kept apart there.
    fcntl = None  # type: ignore[assignment]


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that its name always holds the old bytes or the new ones, never a part.

    Raises:
        OutputError: the folder cannot be made or written to, or the disk is full; the old file is whole.
    """
    with staged(path.parent) as folder:
        (folder / path.name).write_bytes(content)


@contextlib.contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Yield an empty folder; when the block ends well, all that was put into it moves into ``folder`` as one set.

    Files may lie in subfolders. When the block raises, nothing of it reaches ``folder``.

    Raises:
        OutputError: ``folder`` cannot be made or written to, something is in the way of a file, or the disk is full.
            The message says whether nothing was changed, or the set counts as written and only has to be moved.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        finish_commits(folder)
        staging = Path(tempfile.mkdtemp(prefix=STAGING_PREFIX, dir=folder))
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written to ({error.strerror}); choose another folder"
        ) from error
    commit = staging.with_name(staging.name.replace(STAGING_PREFIX, COMMIT_PREFIX))
    made: list[Path] = []
    try:
        yield staging
        _make_room(staging, made)
        staging.rename(commit)
        made.clear()
    except OSError as error:
        if isinstance(error, OutputError) or (error.filename is None and error.errno is None):
            raise
        raise OutputError(
            f"{folder}: cannot be written to ({error.strerror}); nothing was changed"
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        for subfolder in reversed(made):
            with contextlib.suppress(OSError):  # by now somebody else may have put a file into it
                subfolder.rmdir()
    _finish_commit(commit)


def check_temporary_room() -> None:
    """Raise ``OutputError`` where the folder for temporary files is full.

    TensorFlow writes a few thousand bytes of code there, and where it cannot, fails in ways that nobody understands.
    """
    try:
        with tempfile.TemporaryFile() as file:
            file.write(bytes(16 << 10))
            file.flush()
    except OSError as error:
        raise OutputError(
            f"{tempfile.gettempdir()}: cannot be written to ({error.strerror}); free some space, or set TMPDIR"
        ) from error


def finish_commits(folder: Path) -> None:
    """Move files into place that a killed writer had completed, and remove what it had only begun.

    Raises:
        OutputError: there are such files, and they cannot be moved; the message says what to do.
    """
    try:
        # A link, or a file, of that name is none of ours.
        commits = sorted(path for path in folder.glob(f"{COMMIT_PREFIX}*") if _is_folder(path))
    except OSError as error:
        raise OutputError(f"{folder}: cannot be read ({error.strerror}); choose another folder") from error
    for commit in commits:
        _finish_commit(commit)
    for staging in folder.glob(f"{STAGING_PREFIX}*"):
        with contextlib.suppress(OSError):  # what cannot be removed is in nobody's way
            if time.time() - staging.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(staging, ignore_errors=True)


def _make_room(staging: Path, made: list[Path]) -> None:
    """Do all that can fail before a set counts as written: check every place, make subfolders, flush to the disk.

    Args:
        staging: the folder of the set.
        made: takes the subfolders that had to be made, in their order.
    """
    files = _files(staging)
    for path in files:
        _check_place(staging, path.relative_to(staging))
    for path in files:
        target = staging.parent / path.relative_to(staging)
        for subfolder in reversed(list(target.relative_to(staging.parent).parents)[:-1]):
            if not (staging.parent / subfolder).is_dir():
                (staging.parent / subfolder).mkdir()
                made.append(staging.parent / subfolder)
        flush_file(path)
    for inner in {path.parent for path in files} | {staging}:
        flush_folder(inner)


def _finish_commit(commit: Path) -> None:
    """Move a set that counts as written into place; another process may be doing the same.

    Raises:
        OutputError: something has come in its way.
    """
    target = commit
    try:
        flush_folder(commit.parent)
        files = _files(commit)
        for path in files:
            target = commit.parent / path.relative_to(commit)
            _check_place(commit, path.relative_to(commit))
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                path.replace(target)
            except FileNotFoundError:
                if path.exists():  # Else whoever was quicker has moved it.
                    raise
        for subfolder in {commit.parent / path.relative_to(commit).parent for path in files}:
            flush_folder(subfolder)
    except FileNotFoundError:
        if commit.exists():
            raise _waiting(commit, f"{target}: cannot be written to (no such folder)") from None
    except OutputError as error:
        raise _waiting(commit, str(error).removesuffix(NOTHING_CHANGED)) from error
    except OSError as error:
        raise _waiting(commit, f"{target}: cannot be written to ({error.strerror})") from error
    shutil.rmtree(commit, ignore_errors=True)


def _waiting(commit: Path, obstacle: str) -> OutputError:
    return OutputError(
        f"{obstacle}. A set of files was written completely and not all of it is in place; what is missing waits in "
        f"{commit.name}. Once nothing is in the way, the next command on this folder moves it"
    )


def _is_folder(path: Path) -> bool:
    """Tell whether this is a folder and no link to one."""
    return path.is_dir() and not path.is_symlink()


def _files(folder: Path) -> list[Path]:
    """List all files below a folder; another process may just be moving them away."""

    def unless_gone(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise error

    return sorted(
        Path(root, name) for root, _, names in os.walk(folder, onerror=unless_gone) for name in names
    )


def _check_place(source: Path, name: Path) -> None:
    """Refuse a file that cannot be moved into place.

    Args:
        source: the folder of the set, beside which it is to go.
        name: of the file, relative to that folder.

    Raises:
        OutputError: a folder is in the place of the file, or something else in that of a folder.
    """
    folder = source.parent
    target = folder / name
    if target.is_dir():
        raise _in_the_way(target, "folder")
    for part in list(name.parents)[-2::-1]:
        subfolder = folder / part
        try:
            found = subfolder.lstat()
        except FileNotFoundError:
            return
        kind = next((kind for is_kind, kind in _KINDS if is_kind(found.st_mode)), "file")
        if not stat.S_ISDIR(found.st_mode):
            # A link may lead to another disk, to which nothing can be moved, or to where nothing is to be written.
            raise _in_the_way(subfolder, kind)
        if found.st_dev != folder.stat().st_dev:
            raise OutputError(f"{subfolder}: lies on another file system; move it away{NOTHING_CHANGED}")
        if not os.access(subfolder, os.W_OK | os.X_OK):
            raise OutputError(f"{subfolder}: may not be written to; change that{NOTHING_CHANGED}")


_KINDS = (
    (stat.S_ISLNK, "link"),
    (stat.S_ISFIFO, "pipe"),
    (stat.S_ISSOCK, "socket"),
)
"""What a thing that is in the way may be, besides a file and a folder."""


def _in_the_way(path: Path, kind: str) -> OutputError:
    return OutputError(f"{path}: a {kind} is in the way; move it away{NOTHING_CHANGED}")


def flush_file(path: Path) -> None:
    """Bring the content of a file to the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk; without that, a power cut may forget a file that is whole."""
    if os.name == "nt":  # Windows opens no folders, and writes names through.
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FLUSH:
            raise
    finally:
        os.close(descriptor)


_NO_FLUSH = {errno.EINVAL, errno.ENOTSUP, errno.EROFS}
"""What a file system answers that has nothing to flush."""


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other writers of this folder out, so that no change of its manifest is lost."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = _open_lock(folder / ".lock")
        if fcntl is not None:
            fcntl.flock(lock, fcntl.LOCK_EX)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written to ({error.strerror}); choose another folder"
        ) from error
    try:
        yield
    finally:
        os.close(lock)


def _open_lock(path: Path) -> int:
    """Open a file to be locked, whose content nobody reads: no link is followed, and no pipe waited for."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    if path.is_symlink():
        raise _in_the_way(path, "link")
    lock = os.open(path, flags, 0o666)
    if not stat.S_ISREG(os.fstat(lock).st_mode):
        os.close(lock)
        raise _in_the_way(path, "pipe or device")
    return lock
