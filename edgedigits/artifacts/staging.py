"""Files that are whole or not there: all-or-nothing writes of one file or of a set.

A set of files that belong together (a network, its history, its plots) is put into a hidden folder first. When it is
complete, it gets a journal, and that folder is renamed to ``.commit-*``: from then on the set counts as written, and
whoever writes to the models folder next finishes moving the files into place, should the writer have died (see
``recovery``).
"""

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from edgedigits.artifacts.folders import Folder, flush_file, kind_of
from edgedigits.artifacts.hashes import sha256_file
from edgedigits.artifacts.journal import (
    COMMIT_PREFIX,
    MARK_NAME,
    SET_NAME,
    STAGING_PREFIX,
    Receipt,
    new_token,
    write_journal,
)
from edgedigits.artifacts.locks import held
from edgedigits.artifacts.recovery import check_places, discard, finish_commits, move_set
from edgedigits.errors import EdgeDigitsError, OutputError

_ELSEWHERE, _UNCHANGED = "choose another folder", "nothing was changed"


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that its name always holds the old bytes or the new ones, never a part.

    Raises:
        OutputError: what is there is no regular file, the folder cannot be made or written to, or the disk is full; the
            old file is whole.
    """
    with _told(path.parent, _UNCHANGED), staged_file(path) as place:
        place.write_bytes(content)


@contextlib.contextmanager
def staged_file(path: Path) -> Iterator[Path]:
    """Yield where to write a file, in a folder of its own; when the block ends well, it gets its name.

    Raises:
        OutputError: what is there is no regular file, or the folder cannot be made or written to.
    """
    check_output(path)
    with _workplace(path.parent) as (folder, staging):
        yield folder.path / staging / SET_NAME / path.name
        with _told(path.parent, _UNCHANGED):
            flush_file(folder.path / staging / SET_NAME / path.name)
            check_output(path)
            with folder.inner(staging) as opened, opened.inner(SET_NAME) as files:
                files.move(path.name, folder, path.name)
            folder.flush()


def check_output(path: Path) -> None:
    """Refuse to write where something is that is no regular file, and that a file in its place would destroy.

    Raises:
        OutputError: it is a link, a folder, a pipe, a device or a socket.
    """
    try:
        mode = path.lstat().st_mode
    except (OSError, ValueError):  # Nothing is there, or what writes to it will say why that cannot be.
        return
    if not stat.S_ISREG(mode):
        raise OutputError(f"{path}: is a {kind_of(mode)} and would be replaced; name a file")


@contextlib.contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Yield an empty folder; when the block ends well, all that was put into it moves into ``folder`` as one set.

    Files may lie in subfolders. When the block raises, nothing of it reaches ``folder``.

    Raises:
        OutputError: ``folder`` cannot be made or written to, something is in the way of a file, or the disk is full.
            The message says whether nothing was changed, or the set counts as written and only has to be moved.
    """
    with _workplace(folder) as (opened, staging):
        made: list[str] = []
        commit = staging.replace(STAGING_PREFIX, COMMIT_PREFIX)
        try:
            with _told(folder, _UNCHANGED):
                yield folder / staging / SET_NAME
                names = _complete(opened, staging, made)
                if names:
                    # Held until all is in place: who has the lock and sees such a set knows that its writer is dead.
                    with locked(folder):
                        opened.move(staging, opened, commit)
                        made.clear()
                        move_set(opened, commit, names)
        finally:
            for subfolder in reversed(made):
                with contextlib.suppress(OSError):  # by now somebody else may have put a file into it
                    opened.remove_folder(subfolder)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other writers of this folder out, so that no change of its manifest is lost, and finish what dead ones left.

    Raises:
        OutputError: the folder cannot be made or written to, or a set that a killed writer left cannot be moved.
    """
    with contextlib.ExitStack() as stack:
        with _told(folder, _ELSEWHERE):
            stack.enter_context(held(folder))
            finish_commits(folder)
        yield


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


@contextlib.contextmanager
def _workplace(folder: Path) -> Iterator[tuple[Folder, str]]:
    """Yield the open folder, and the name of a folder in it to work in, which is removed at the end.

    It has a mark, by which what a killed writer leaves is known, and a folder for files.
    """
    with contextlib.ExitStack() as stack:
        with _told(folder, _ELSEWHERE):
            folder.mkdir(parents=True, exist_ok=True)
            finish_commits(folder)
            opened = stack.enter_context(Folder.open(folder))
            name = f"{STAGING_PREFIX}{new_token()}"
            opened.make(name, private=True)
            stack.callback(_discard_if_there, opened, name)
            with opened.inner(name) as staging:
                staging.make_file(MARK_NAME)
                staging.make(SET_NAME, private=True)
        yield opened, name


def _discard_if_there(folder: Folder, name: str) -> None:
    if folder.status(name) is not None:
        discard(folder, name)


def _complete(folder: Folder, staging: str, made: list[str]) -> list[str]:
    """Do all that can fail before a set counts as written, and return the names of its files.

    Every place is checked, subfolders are made, all is flushed to the disk, and the journal is written.

    Args:
        folder: where the set is to go.
        staging: name of the folder in it in which the set lies.
        made: takes the subfolders that had to be made, in their order.
    """
    root = folder.path / staging / SET_NAME
    names = sorted(
        Path(where, name).relative_to(root).as_posix()
        for where, _, files in os.walk(root, onerror=_raise)
        for name in files
    )
    check_places(folder, names)
    subfolders = sorted({name.split("/")[0] for name in names if "/" in name})
    for subfolder in subfolders:
        if folder.status(subfolder) is None:
            folder.make(subfolder)
            made.append(subfolder)
    journal = {}
    for name in names:
        flush_file(root / name)
        journal[name] = Receipt((root / name).stat().st_size, sha256_file(root / name))
    if not names:
        return names
    with folder.inner(staging) as opened:
        try:
            write_journal(opened, staging.removeprefix(STAGING_PREFIX), journal)
        except ValueError as error:
            raise OutputError(
                f"{folder.path}: these files cannot be written as one set ({error}); {_UNCHANGED}"
            ) from error
        with opened.inner(SET_NAME) as files:
            for subfolder in subfolders:
                with files.inner(subfolder) as inner:
                    inner.flush()
            files.flush()
        opened.flush()
    return names


def _raise(error: OSError) -> None:
    raise error


@contextlib.contextmanager
def _told(folder: Path, way_out: str) -> Iterator[None]:
    """Turn what the system says of a write into an error of ours; others pass."""
    try:
        yield
    except OSError as error:
        if isinstance(error, EdgeDigitsError) or (error.filename is None and error.errno is None):
            raise
        raise OutputError(f"{folder}: cannot be written to ({error.strerror}); {way_out}") from error
