"""The journal of a set of files that counts as written: which files there are, and what is in them.

A set lies in a folder ``.commit-TOKEN``: the journal, and the files in the folder ``set`` beside it. By the journal
whoever comes after a killed writer knows the work of this tool from what others put into a folder.
"""

import json
import os
import re
import secrets
import stat
from typing import NamedTuple

from edgedigits.artifacts.folders import Folder, kind_of
from edgedigits.artifacts.hashes import sha256_opened
from edgedigits.files import reason

STAGING_PREFIX, COMMIT_PREFIX = ".staging-", ".commit-"
"""How folders are called in which a writer is still at work, and whose files only have to be moved into place."""
JOURNAL_NAME, MARK_NAME, SET_NAME = "journal.json", "edgedigits", "set"
"""What lies in such a folder: the journal once the set is complete, the mark of this tool, and the files."""
VERSION = 1
LARGEST_JOURNAL, LARGEST_SET, MOST_FILES = 256 << 10, 256 << 20, 1_000
"""Bytes of a journal, bytes of all files of a set, and how many there may be: far more than a run writes."""
_TOKEN = re.compile(r"[0-9a-f]{32}\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


class Receipt(NamedTuple):
    """What is in a file."""

    bytes: int
    sha256: str


Journal = dict[str, Receipt]
"""The files of a set by their names, a slash between a subfolder and the file in it."""


def new_token() -> str:
    """Return what no other set is called."""
    return secrets.token_hex(16)


def token_of(name: str, prefix: str) -> str | None:
    """Return the token in the name of a folder of ours; None where it is none."""
    token = name.removeprefix(prefix)
    return token if token != name and _TOKEN.match(token) else None


def is_plain(name: str) -> bool:
    """Tell whether a set may have a file of this name: in its folder or one subfolder, visible, and leading nowhere."""
    parts = name.split("/")
    return len(parts) <= 2 and all(
        0 < len(part) <= 255
        and not part.startswith(".")
        and not {"\0", os.sep, os.altsep}.intersection(part)
        and (os.name != "nt" or ":" not in part)
        for part in parts
    )


def write_journal(folder: Folder, token: str, journal: Journal) -> None:
    """Write the journal of a set that is complete, and bring it to the disk.

    Args:
        folder: where the set lies.
        token: of the folder's name.
        journal: what is in the set.

    Raises:
        ValueError: nobody could read this journal again; the message says what is wrong with it.
    """
    files = {name: receipt._asdict() for name, receipt in journal.items()}
    _check({"version": VERSION, "token": token, "files": files}, token)
    text = json.dumps({"version": VERSION, "token": token, "files": files}, indent=1)
    with (folder.path / JOURNAL_NAME).open("xb") as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())


def read_journal(folder: Folder, token: str) -> Journal:
    """Read the journal in the folder of a set, and check that the folder is one of this tool's.

    Args:
        folder: where a set seems to lie.
        token: of the folder's name.

    Raises:
        ValueError: it is none; the message says why.
    """
    owner = folder.own_status().st_uid
    if hasattr(os, "geteuid") and owner != os.geteuid():
        raise ValueError("of another user")
    try:
        with folder.opened(JOURNAL_NAME, LARGEST_JOURNAL) as file:
            content = file.read(LARGEST_JOURNAL)
        return _check(json.loads(content), token)
    except FileNotFoundError as error:
        raise ValueError("without a journal") from error
    except OSError as error:
        raise ValueError(f"its journal cannot be read: {reason(error)}") from error
    except RecursionError as error:
        raise ValueError("its journal is none") from error


def _check(journal: object, token: str) -> Journal:
    """Return what a journal says, if it has the form of one."""
    if not isinstance(journal, dict) or journal.keys() != {"version", "token", "files"}:
        raise ValueError("its journal is none")
    if journal["version"] != VERSION or journal["token"] != token:
        raise ValueError("its journal belongs to another set")
    files = journal["files"]
    if not isinstance(files, dict) or not 0 < len(files) <= MOST_FILES:
        raise ValueError(f"its journal names no files, or more than {MOST_FILES}")
    found = {}
    for name, receipt in files.items():
        if not is_plain(name):
            raise ValueError(f"its journal names {name!r:.80}, which is in no set")
        if not isinstance(receipt, dict) or receipt.keys() != {"bytes", "sha256"}:
            raise ValueError("its journal is none")
        size, sha256 = receipt["bytes"], receipt["sha256"]
        if type(size) is not int or size < 0 or not isinstance(sha256, str) or not _SHA256.match(sha256):
            raise ValueError("its journal is none")
        found[name] = Receipt(size, sha256)
    if sum(receipt.bytes for receipt in found.values()) > LARGEST_SET:
        raise ValueError(f"its journal names files of more than {LARGEST_SET >> 20} MiB")
    return found


def check_set(files: Folder, journal: Journal) -> list[str]:
    """Check that a set holds nothing but files that its journal names, as it names them.

    Args:
        files: the folder ``set``.
        journal: of this set.

    Returns:
        The names of the files that are still there, in order; the others were moved already.

    Raises:
        ValueError: something else is there.
        OSError: it cannot be read.
    """
    names = []
    for name in files.names():
        found = files.status(name)
        if found is not None and stat.S_ISDIR(found.st_mode):
            with files.inner(name) as subfolder:
                for inner in subfolder.names():
                    _check_file(subfolder, inner, f"{name}/{inner}", journal)
                    names.append(f"{name}/{inner}")
        elif found is not None:
            _check_file(files, name, name, journal)
            names.append(name)
    return names


def _check_file(folder: Folder, name: str, full_name: str, journal: Journal) -> None:
    found = folder.status(name)
    if found is None or not stat.S_ISREG(found.st_mode):
        kind = "nothing" if found is None else kind_of(found.st_mode)
        raise ValueError(f"{full_name!r:.80} in it is a {kind}")
    receipt = journal.get(full_name)
    if receipt is None or receipt.bytes != found.st_size:
        raise ValueError(f"its journal knows no such {full_name!r:.80}")
    with folder.opened(name, receipt.bytes) as file:
        if sha256_opened(file, receipt.bytes)[0] != receipt.sha256:
            raise ValueError(f"{full_name!r:.80} in it is not what its journal says")
