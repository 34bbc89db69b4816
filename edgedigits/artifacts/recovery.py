"""What killed writers left in a folder: whole sets are moved into place, beginnings are removed.

Only a command that writes to a folder does that, before it writes, and only with the work of this tool: folders with
our names and marks, regular files that are what a journal says. All else is left alone, and named. Who only reads
changes nothing, and is told where a set is not all in place.
"""

import contextlib
import os
import stat
import time
import warnings
from pathlib import Path

from edgedigits.artifacts.folders import Folder, kind_of
from edgedigits.artifacts.journal import (
    COMMIT_PREFIX,
    MARK_NAME,
    SET_NAME,
    STAGING_PREFIX,
    check_set,
    read_journal,
    token_of,
)
from edgedigits.artifacts.locks import held, may_be_held
from edgedigits.errors import ModelFileError, OutputError
from edgedigits.files import LeftAloneWarning, reason

NOTHING_CHANGED = ". Nothing was changed"
"""How a message ends that comes before a set counts as written."""
STALE_SECONDS = 3600.0
"""Age at which the leftovers of a killed writer are removed: far longer than any set of files takes to write."""
PATIENCE_SECONDS = 2.0
"""How long a reader waits for a writer that is moving a set into place, which takes a few thousandths of a second."""
MOST_LOOKED_AT, MOST_FINISHED = 100, 4
"""Sets in one folder whose journals are read, and whose files. There is at most one, but for what others put there."""
_DEEPEST = 4
"""Folders below a leftover: more than any set has."""


def finish_commits(folder: Path) -> None:
    """Move sets into place that a killed writer had completed, and remove what it had only begun.

    What looks like a set and is none of ours is left alone, with an ``LeftAloneWarning`` that names it.

    Raises:
        OutputError: there is such a set, and it cannot be moved; the message says what to do.
    """
    try:
        opened = Folder.open(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError(f"{folder}: cannot be read ({error.strerror}); choose another folder") from error
    with opened:
        try:
            sets, strange = _sets(opened)
            if sets:
                with held(folder):
                    strange |= _finish(opened)
            _remove_leftovers(opened)
        except OutputError:
            raise
        except OSError as error:
            raise OutputError(
                f"{folder}: cannot be written to ({error.strerror}); choose another folder"
            ) from error
    _warn(folder, strange)


def check_settled(folder: Path) -> None:
    """Make sure that a folder holds no set that is only partly in place. Nothing is changed.

    Raises:
        ModelFileError: an interrupted run left one; the message says how to finish it.
    """
    try:
        opened = Folder.open(folder)
    except (OSError, ValueError):  # Whoever reads something in it will say so.
        return
    with opened:
        until = time.monotonic() + PATIENCE_SECONDS
        seen = _waiting_sets(opened)
        while seen:
            is_dead = time.monotonic() > until or not may_be_held(folder)
            # It may have been finished since it was seen.
            seen &= _waiting_sets(opened)
            if is_dead and seen:
                raise ModelFileError(
                    folder,
                    f"an interrupted run wrote a set of files of which not all are in place yet ({min(seen)})",
                    "run it again, or `edgedigits report --no-bench`: whatever writes here puts them in place first; "
                    "if that was none of yours, move it away",
                )
            time.sleep(0.002)


def move_set(folder: Folder, commit: str, names: list[str]) -> None:
    """Move a set that counts as written into place; the lock of the folder is held.

    Args:
        folder: where to.
        commit: name of the set's folder in it.
        names: of the files of the set.

    Raises:
        OutputError: something has come in its way.
    """
    target = folder.path / commit
    try:
        folder.flush()
        check_places(folder, names)
        with folder.inner(commit) as opened, opened.inner(SET_NAME) as files:
            for name in names:
                target = folder.path / name
                _move(files, folder, name)
        for subfolder in {name.split("/")[0] for name in names if "/" in name}:
            with folder.inner(subfolder) as inner:
                inner.flush()
        folder.flush()
        # From here on it is a leftover: whoever dies while it is removed leaves nothing that could be moved.
        leftover = commit.replace(COMMIT_PREFIX, STAGING_PREFIX)
        folder.move(commit, folder, leftover)
    except OutputError as error:
        raise _waiting(commit, str(error).removesuffix(NOTHING_CHANGED)) from error
    except OSError as error:
        raise _waiting(commit, f"{target}: cannot be written to ({error.strerror})") from error
    discard(folder, leftover)


def check_places(folder: Folder, names: list[str]) -> None:
    """Refuse files that cannot be moved into place.

    Raises:
        OutputError: what is in the place of a file is none, or what is in that of a subfolder.
    """
    for name in names:
        subfolder, _, inner = name.rpartition("/")
        if not subfolder:
            _check_file_place(folder, inner)
        elif (found := folder.status(subfolder)) is not None:
            path = folder.path / subfolder
            if not stat.S_ISDIR(found.st_mode):
                # A link may lead to another disk, to which nothing can be moved, or to where nothing is to be written.
                raise _in_the_way(path, kind_of(found.st_mode))
            if found.st_dev != folder.own_status().st_dev:
                raise OutputError(f"{path}: lies on another file system; move it away{NOTHING_CHANGED}")
            if not os.access(path, os.W_OK | os.X_OK):
                raise OutputError(f"{path}: may not be written to; change that{NOTHING_CHANGED}")
            with folder.inner(subfolder) as opened:
                _check_file_place(opened, inner)


def discard(folder: Folder, name: str) -> None:
    """Remove a folder of ours and all in it, the mark that it is ours last, as far as that can be done."""
    with contextlib.suppress(OSError), folder.inner(name) as opened:
        _empty(opened, _DEEPEST, keep=MARK_NAME)
        opened.remove(MARK_NAME)
    with contextlib.suppress(OSError):
        folder.remove_folder(name)


def _sets(folder: Folder) -> tuple[set[str], dict[str, str]]:
    """Return the sets in a folder that their journals vouch for; and what is only called so, with the reason."""
    sets, strange = set(), {}
    candidates = [name for name in folder.names() if name.startswith(COMMIT_PREFIX)]
    for name in candidates[:MOST_LOOKED_AT]:
        token = token_of(name, COMMIT_PREFIX)
        try:
            if token is None:
                raise ValueError("of another name than ours")
            with folder.inner(name) as opened:
                read_journal(opened, token)
            sets.add(name)
        except (OSError, ValueError) as error:
            if folder.status(name) is not None:  # Else whoever was quicker has moved it.
                strange[name] = reason(error)
    strange |= dict.fromkeys(candidates[MOST_LOOKED_AT:], "one of too many")
    return sets, strange


def _waiting_sets(folder: Folder) -> set[str]:
    """Return the sets of which a reader must take files to be missing: also those of other users, who only may look."""
    try:
        sets, strange = _sets(folder)
        return sets | {name for name in strange if _is_of_another_user(folder, name)}
    except OSError:  # It may be searched and not listed.
        return set()


def _is_of_another_user(folder: Folder, name: str) -> bool:
    found = folder.status(name)
    return (
        token_of(name, COMMIT_PREFIX) is not None
        and found is not None
        and stat.S_ISDIR(found.st_mode)
        and hasattr(os, "geteuid")
        and found.st_uid != os.geteuid()
    )


def _finish(folder: Folder) -> dict[str, str]:
    """Move all sets of a folder whose lock is held; return those that are not what their journals say."""
    sets = sorted(_sets(folder)[0])
    strange = dict.fromkeys(sets[MOST_FINISHED:], "one of too many")
    for name in sets[:MOST_FINISHED]:
        try:
            with folder.inner(name) as opened, opened.inner(SET_NAME) as files:
                journal = read_journal(opened, name.removeprefix(COMMIT_PREFIX))
                names = check_set(files, journal)
        except (OSError, ValueError) as error:
            strange[name] = reason(error)
            continue
        move_set(folder, name, names)
    return strange


def _warn(folder: Path, strange: dict[str, str]) -> None:
    """Name what was left alone: the first few, and how many more."""
    if not strange:
        return
    named = [f"{name} ({why})" for name, why in sorted(strange.items())]
    more = f" and {len(named) - 3} more" if len(named) > 3 else ""
    warnings.warn(
        f"{folder}: {', '.join(named[:3])}{more}: no set of files that edgedigits wrote; left alone",
        LeftAloneWarning,
        stacklevel=3,
    )


def _move(files: Folder, folder: Folder, name: str) -> None:
    subfolder, _, inner = name.rpartition("/")
    if not subfolder:
        files.move(inner, folder, inner)
        return
    if folder.status(subfolder) is None:
        folder.make(subfolder)
    with files.inner(subfolder) as source, folder.inner(subfolder) as target:
        source.move(inner, target, inner)


def _remove_leftovers(folder: Folder) -> None:
    """Remove what killed writers had begun: folders of our name with our mark, or empty, that are old enough."""
    for name in folder.names():
        if token_of(name, STAGING_PREFIX) is None:
            continue
        with contextlib.suppress(OSError):  # what cannot be removed is in nobody's way
            with folder.inner(name) as opened:
                is_ours = _is_stale(opened) and _is_marked(opened)
            if is_ours:
                discard(folder, name)


def _is_stale(staging: Folder) -> bool:
    touched = [staging.own_status(), *filter(None, [staging.status(SET_NAME)])]
    return time.time() - max(found.st_mtime for found in touched) > STALE_SECONDS


def _is_marked(staging: Folder) -> bool:
    names = staging.names()
    if hasattr(os, "geteuid") and staging.own_status().st_uid != os.geteuid():
        return False
    mark = staging.status(MARK_NAME)
    return not names or (mark is not None and stat.S_ISREG(mark.st_mode) and mark.st_size == 0)


def _empty(folder: Folder, depth: int, keep: str = "") -> None:
    for name in folder.names():
        found = folder.status(name)
        if found is None or name == keep:
            continue
        if not stat.S_ISDIR(found.st_mode):
            folder.remove(name)
        elif depth:
            with folder.inner(name) as inner:
                _empty(inner, depth - 1)
            folder.remove_folder(name)


def _check_file_place(folder: Folder, name: str) -> None:
    found = folder.status(name)
    if found is not None and not stat.S_ISREG(found.st_mode):
        raise _in_the_way(folder.path / name, kind_of(found.st_mode))


def _waiting(commit: str, obstacle: str) -> OutputError:
    return OutputError(
        f"{obstacle}. A set of files was written completely and not all of it is in place; what is missing waits in "
        f"{commit}. Once nothing is in the way, the next command that writes to this folder moves it"
    )


def _in_the_way(path: Path, kind: str) -> OutputError:
    return OutputError(f"{path}: a {kind} is in the way; move it away{NOTHING_CHANGED}")
