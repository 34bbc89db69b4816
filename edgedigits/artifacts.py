"""Files that are whole or not there: hashes, all-or-nothing writes, and the folder's manifest.

A set of files that belong together (a network, its history, its plots) is put into a hidden folder first.
When it is complete, that folder is renamed to ``.commit-*``: from then on the set counts as written, and
whoever opens the models folder next finishes moving the files into place, should the writer have died.
"""

import contextlib
import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import struct
import tempfile
import time
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgedigits import __version__
from edgedigits.contract import LABELS, check_labels
from edgedigits.errors import ModelFileError, OutputError

MANIFEST_NAME = "manifest.json"
MANIFEST_VERSION = 1
STAGING_PREFIX = ".staging-"
"""How folders are called in which a writer is still at work."""
STALE_SECONDS = 3600.0
"""Age at which the leftovers of a killed writer are removed: far longer than any set of files takes to write."""

try:
    import fcntl
except ImportError:  # Windows: writers of one folder are not kept apart there.
    fcntl = None  # type: ignore[assignment]

try:
    from lzma import LZMAError
except ImportError:  # A Python that was built without it reads no such archives.
    LZMAError = zlib.error  # type: ignore[assignment, misc]

ARCHIVE_ERRORS = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    LZMAError,
    MemoryError,
    OSError,
    RuntimeError,  # NotImplementedError: a compression or encryption that nobody asked for
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    tokenize.TokenError,  # of the header of an array, which numpy reads as Python's literals
    zipfile.BadZipFile,
    zlib.error,
)
"""What zipfile and numpy say of an archive that is damaged: a changed byte can lead them anywhere."""


def sha256_bytes(content: bytes | memoryview) -> str:
    """Return the sha256 of some bytes in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def sha256_file(path: Path) -> str:
    """Return the sha256 of a file in hexadecimal."""
    return sha256_bytes(path.read_bytes())


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
        OutputError: ``folder`` cannot be made or written to, or the disk is full.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        finish_commits(folder)
        staging = Path(tempfile.mkdtemp(prefix=STAGING_PREFIX, dir=folder))
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written to ({error.strerror}); choose another folder"
        ) from error
    try:
        yield staging
        for path in _files(staging):
            _check_place(folder / path.relative_to(staging))
            _flush_to_disk(path)
        commit = staging.with_name(staging.name.replace(STAGING_PREFIX, ".commit-"))
        staging.rename(commit)
        _finish_commit(commit)
    except OSError as error:
        if isinstance(error, OutputError) or (error.filename is None and error.errno is None):
            raise
        raise OutputError(
            f"{folder}: cannot be written to ({error.strerror}); nothing was changed"
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


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
    """Move files into place that a killed writer had completed, and remove what it had only begun."""
    for commit in sorted(folder.glob(".commit-*")):
        _finish_commit(commit)
    for staging in folder.glob(f"{STAGING_PREFIX}*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - staging.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(staging, ignore_errors=True)


def _finish_commit(commit: Path) -> None:
    for path in _files(commit):
        target = commit.parent / path.relative_to(commit)
        target.parent.mkdir(parents=True, exist_ok=True)
        # Another process may be finishing the same set: whoever comes second finds the file gone.
        with contextlib.suppress(FileNotFoundError):
            path.replace(target)
    shutil.rmtree(commit, ignore_errors=True)


def _files(folder: Path) -> list[Path]:
    """List all files below a folder; another process may just be moving them away."""

    def unless_gone(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise error

    return sorted(
        Path(root, name) for root, _, names in os.walk(folder, onerror=unless_gone) for name in names
    )


def _check_place(target: Path) -> None:
    """Refuse a set that could not be moved into place, before it counts as written."""
    in_the_way = (
        target if target.is_dir() else next((path for path in target.parents if path.is_file()), None)
    )
    if in_the_way is not None:
        kind = "folder" if in_the_way == target else "file"
        raise OutputError(f"{in_the_way}: a {kind} is in the way; move it away. Nothing was changed")


def _flush_to_disk(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other writers of this folder out, so that no change of its manifest is lost."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written to ({error.strerror}); choose another folder"
        ) from error
    with lock:
        if fcntl is not None:
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read ``manifest.json``; an empty manifest where there is none.

    Returns:
        ``{"manifest_version": 1, "networks": {name: {"training": {...}, "files": {file name: {...}}}}}``.

    Raises:
        ModelFileError: the file is no such manifest.
    """
    if folder.is_dir():
        finish_commits(folder)
    path = folder / MANIFEST_NAME
    advice = "move it away and train or export again"
    try:
        manifest = json.loads(path.read_bytes())
        networks = manifest["networks"]
        well_formed = manifest["manifest_version"] == MANIFEST_VERSION and all(
            map(_is_network, networks.values())
        )
    except FileNotFoundError:
        return {"manifest_version": MANIFEST_VERSION, "networks": {}}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelFileError(path, f"not a readable manifest ({type(error).__name__})", advice) from error
    if not well_formed:
        raise ModelFileError(path, f"expected a manifest of version {MANIFEST_VERSION}", advice)
    return dict(manifest)


def _is_network(network: dict[str, Any]) -> bool:
    """Tell whether an entry has what every reader of a manifest relies on."""
    files = network["files"]
    if not isinstance(files, dict) or not all(isinstance(receipt, dict) for receipt in files.values()):
        return False
    if (training := network["training"]) is None:
        return True
    dataset = training["dataset"]
    check_labels(dataset_labels(dataset))
    texts = [training["weights_sha256"], *(dataset[key] for key in ("name", "train_sha256", "test_sha256"))]
    return all(isinstance(text, str) for text in texts) and isinstance(training["arguments"], dict)


def network_entry(manifest: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the manifest's entry of a network, made empty where it was missing."""
    entry: dict[str, Any] = manifest["networks"].setdefault(name, {"training": None, "files": {}})
    return entry


def trained_labels(folder: Path, name: str, weights_sha256: str) -> tuple[str, ...]:
    """Return the class names of a network; the digits where the manifest does not know one with these weights.

    A ``.keras`` file has no place for them; the manifest beside it knows what it was trained on.

    Raises:
        ModelFileError: the manifest cannot be read.
    """
    training = read_manifest(folder)["networks"].get(name, {}).get("training")
    if training is None or training["weights_sha256"] != weights_sha256:
        return LABELS
    return dataset_labels(training["dataset"])


def dataset_labels(dataset: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the class names in the manifest's record of a dataset; the first releases wrote none, for digits."""
    return tuple(dataset.get("labels", LABELS))


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write a manifest into a folder that is not yet visible (see ``staged``)."""
    text = json.dumps(manifest, indent=2, sort_keys=True, allow_nan=False)
    (folder / MANIFEST_NAME).write_text(text + "\n", encoding="utf-8")


def file_receipt(path: Path) -> dict[str, Any]:
    """Return what the manifest says of any file: its hash and its size in bytes."""
    return {"sha256": sha256_file(path), "bytes": path.stat().st_size}


def versions(*distributions: str) -> dict[str, str]:
    """Return the versions of edgedigits, of Python, and of the installed ones among some distributions."""
    found = {"edgedigits": __version__, "python": platform.python_version()}
    for distribution in distributions:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[distribution] = importlib.metadata.version(distribution)
    return found
