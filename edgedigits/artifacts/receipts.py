"""Receipts: what a command was given, what it made of it and on what, as an in-toto Statement.

It can be checked offline. A receipt is JSON of one form only, sorted and indented, and holds the sha256 of itself
without that line: a byte of it that changed is seen, as is one of any file that it names. Whoever changes it on purpose
can write that hash anew; against that it is signed, see docs/receipts.md. Files are named from the folder of the
receipt, so that both can be moved together.

Sources: in-toto Attestation Framework, Statement v1 and DigestSet (``sha256``, ``dirHash1``).
"""

import errno
import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypedDict

from edgedigits.artifacts.forms import check_form
from edgedigits.artifacts.hashes import sha256_bytes, sha256_opened
from edgedigits.artifacts.versions import versions
from edgedigits.errors import ModelFileError, ModelNotFoundError
from edgedigits.files import open_file, read_file, reason

LARGEST_RECEIPT = 64 << 20
"""Bytes: the samples of a bench of all formats take one."""
LARGEST_FILE = 1 << 42
"""Bytes of a file that a receipt names; a dataset may be large."""
MOST_FILES = 1_000_000
"""In a folder: a receipt from elsewhere may name any."""
TOOLS = ("numpy", "onnxruntime", "ai-edge-litert", "tensorflow", "keras", "onnx", "pillow", "pyarrow")
ADVICE = "ask for it again where it comes from, or let the command write it anew"


class Named(TypedDict):
    """A file or folder: an in-toto ResourceDescriptor."""

    name: str
    """From the folder of the receipt, with slashes."""
    digest: dict[str, str]


class Predicate(TypedDict):
    """What a receipt says besides the files that it is about."""

    command: str
    options: dict[str, Any]
    inputs: list[Named]
    data: list[Named]
    """Where images were read; ``verify --receipt --data`` looks elsewhere."""
    machine: dict[str, Any]
    versions: dict[str, str]
    results: Any
    sha256: str
    """Of this receipt, were this text empty."""


class Statement(TypedDict):
    """A whole receipt."""

    _type: Literal["https://in-toto.io/Statement/v1"]
    subject: list[Named]
    predicateType: Literal["urn:edgedigits:receipt:v1"]
    """Documented in docs/receipts.md."""
    predicate: Predicate


@dataclass(frozen=True)
class Checked:
    """What became of a receipt's files."""

    command: str
    matching: tuple[str, ...]
    """Files and folders that are what the receipt says."""
    failures: tuple[str, ...]
    """Why others are not; empty where all are."""


def new_receipt(
    place: Path,
    command: str,
    options: Mapping[str, Any],
    *,
    subjects: Iterable[Path],
    inputs: Iterable[Path],
    data: Path | None,
    results: Any,
) -> bytes:
    """Return a receipt as it is written.

    Args:
        place: where it will lie.
        command: its words, as ``edgedigits export``.
        options: of the command, as JSON values.
        subjects: files and folders that it made or judged; one at least.
        inputs: other files that it read.
        data: file or folder of the images that it read; None where it read none.
        results: what it found, as JSON values.

    Raises:
        ValueError: there is no subject.
        OSError: a file cannot be read.
    """
    about = list(dict.fromkeys(subjects))
    if not about:
        raise ValueError("expected a file that the receipt is about, found none")
    statement: Statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [_named(place, path) for path in about],
        "predicateType": "urn:edgedigits:receipt:v1",
        "predicate": {
            "command": command,
            "options": dict(options),
            "inputs": [_named(place, path) for path in dict.fromkeys(inputs) if path not in about],
            "data": [] if data is None else [_named(place, data)],
            "machine": {
                "system": f"{platform.system()} {platform.release()} {platform.machine()}",
                "processor": platform.processor(),
                "cores": os.cpu_count(),
            },
            "versions": versions(*TOOLS),
            # As JSON gives it back: keys that are numbers become texts, which sort in another order.
            "results": json.loads(json.dumps(results, allow_nan=False)),
            "sha256": "",
        },
    }
    statement["predicate"]["sha256"] = sha256_bytes(_to_bytes(statement))
    return _to_bytes(statement)


def read_receipt(path: Path) -> Statement:
    """Read a receipt and make sure that it is as it was written.

    Raises:
        ModelNotFoundError: there is none.
        ModelFileError: it is no receipt, or a byte of it changed.
    """
    try:
        content = read_file(path, LARGEST_RECEIPT)
        statement: Statement = json.loads(content)
        check_form(statement, Statement, "receipt")
        canonical = _to_bytes(statement)
    except FileNotFoundError as error:
        raise ModelNotFoundError(path, "name a receipt that a command wrote with --receipt") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ModelFileError(path, f"no whole receipt ({reason(error)[:200]})", ADVICE) from error
    said = statement["predicate"]["sha256"]
    blank: Any = {**statement, "predicate": {**statement["predicate"], "sha256": ""}}
    if canonical != content or said != sha256_bytes(_to_bytes(blank)):
        raise ModelFileError(path, "not the receipt that was written: its sha256 is another", ADVICE)
    return statement


def check_receipt(path: Path, data: Path | None = None) -> Checked:
    """Hold a receipt against the files that it names; nothing is downloaded, run or believed.

    Args:
        path: of the receipt.
        data: where the images lie today; None for where the receipt says.

    Raises:
        ModelNotFoundError, ModelFileError: see ``read_receipt``.
    """
    statement = read_receipt(path)
    predicate = statement["predicate"]
    matching, failures = [], []
    for named in (*statement["subject"], *predicate["inputs"], *predicate["data"]):
        is_moved = data is not None and named in predicate["data"]
        place = data if data is not None and is_moved else path.parent / PurePosixPath(named["name"])
        failure = _failure(place, named["digest"], path)
        if failure is None:
            matching.append(named["name"])
        else:
            failures.append(f"{place}: {failure}")
    return Checked(predicate["command"], tuple(matching), tuple(failures))


def _failure(place: Path, digest: Mapping[str, str], receipt: Path) -> str | None:
    """Say why a file is not what a receipt says; None where it is."""
    try:
        found = _digest(place, receipt)
    except FileNotFoundError:
        return "is not there"
    except (OSError, ValueError) as error:
        return f"cannot be read ({reason(error)})"
    if found == digest:
        return None
    said, is_now = (
        ", ".join(f"{kind} {value[:12]}…" for kind, value in one.items()) for one in (digest, found)
    )
    return f"is not what the receipt is about: expected {said}, found {is_now}"


def _named(receipt: Path, path: Path) -> Named:
    try:
        name = os.path.relpath(path.absolute(), receipt.absolute().parent)
    except ValueError:  # on another drive of Windows
        name = str(path.absolute())
    return {"name": Path(name).as_posix(), "digest": _digest(path, receipt)}


def _digest(path: Path, receipt: Path) -> dict[str, str]:
    """Return the hash of a file, or that of a folder with all in it."""
    if not path.is_dir():
        return {"sha256": _sha256(path)}
    lines = [
        f"{_sha256(path / name)}  {name}\n"
        for name in _names_in(path)
        if (path / name).absolute() != receipt.absolute()
    ]
    return {"dirHash1": sha256_bytes("".join(lines).encode("utf-8", "surrogateescape"))}


def _names_in(folder: Path) -> Sequence[str]:
    """Return the files in a folder and in those inside, sorted; not what is hidden."""
    found: list[str] = []
    for where, folders, files in os.walk(folder, onerror=_raise):
        if len(found) > MOST_FILES:
            raise OSError(errno.EFBIG, f"a folder of more than {MOST_FILES:,} files", str(folder))
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            (Path(where) / name).relative_to(folder).as_posix() for name in files if not name.startswith(".")
        ]
    return sorted(found)


def _raise(error: OSError) -> None:
    raise error


def _sha256(path: Path) -> str:
    with open_file(path, LARGEST_FILE) as file:
        return sha256_opened(file, LARGEST_FILE)[0]


def _to_bytes(statement: Statement) -> bytes:
    return (json.dumps(statement, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()
