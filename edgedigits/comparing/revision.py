"""Model files as a revision of a Git repository has them, to compare with those of today."""

import os
import subprocess
from pathlib import Path

from edgedigits.artifacts.manifest import MANIFEST_NAME
from edgedigits.child_processes import find_program
from edgedigits.errors import ModelFileError
from edgedigits.format_table import format_of

SECONDS = 120.0
"""A filter of Git may download the file first."""


def take_out(path: Path, revision: str, folder: Path) -> Path | None:
    """Put a file as a revision has it into a folder, with the header of C code and the manifest beside it.

    Filters of Git are heeded, so that a file that lies in Git LFS comes whole.

    Args:
        path: of the file today, in a working tree of Git.
        revision: what Git calls it: ``HEAD``, ``origin/main``, a tag.
        folder: where to put it, under its own name.

    Returns:
        Where it lies; None where the revision has no such file.

    Raises:
        ModelFileError: Git is not installed, the file lies in no working tree, or there is no such revision.
    """
    commit = _git(
        path, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"
    ).decode()
    beside = [MANIFEST_NAME]
    row = format_of(path)
    if row is not None and row.suffix == ".c":
        beside.append(path.with_suffix(".h").name)
    for name in (path.name, *beside):
        content = _content(path, commit.strip(), name)
        if content is not None:
            (folder / name).write_bytes(content)
        elif name == path.name:
            return None
    return folder / path.name


def _content(path: Path, commit: str, name: str) -> bytes | None:
    """Return the content of a file beside ``path`` in a commit; None where it has none of this name."""
    if not _git(path, "ls-tree", "--name-only", commit, f"./{name}"):
        return None
    return _git(path, "cat-file", "--filters", f"{commit}:./{name}")


def _git(path: Path, *arguments: str) -> bytes:
    """Run Git in the folder of a file and return what it prints."""
    program = find_program("git")
    if program is None:
        raise ModelFileError(path, "Git is not installed, and --against asks it", "name two files")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            [program, "-C", str(path.parent), *arguments],
            capture_output=True, check=False, timeout=SECONDS, env=environment,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ModelFileError(path, f"Git took longer than {SECONDS:.0f} s", "name two files") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise ModelFileError(
            path,
            f"Git has no such revision of it ({said[-1] if said else ' '.join(arguments[:1])})",
            "name a revision, like HEAD or origin/main, and a file of a working tree",
        )
    return done.stdout
