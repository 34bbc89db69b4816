"""Files of a table that are whole or not there, and the record by which a finished one is known.

A shard is written under a hidden name in the folder that it is for, brought to the disk and renamed. Then its record
``.parts/00000.json`` appears in the same way: from then on it is done. Who dies between the two does it again, and the
same bytes come out. Any number of processes, on machines that share the folder, may write shards at the same time.
"""

import contextlib
import hashlib
import json
import os
import re
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from edgedigits.artifacts.folders import Folder
from edgedigits.artifacts.staging import check_output
from edgedigits.errors import OutputError
from edgedigits.files import read_inside, reason
from edgedigits.score.plan import Shard

RECORDS = ".parts"
"""Folder of the records, which readers of tables pass over because of its dot."""
SUFFIXES = {"parquet": ".parquet", "csv": ".csv", "jsonl": ".jsonl"}
SHARD_NAME = re.compile(r"part-\d{5,}\.(?:parquet|csv|jsonl)\Z")
UNFINISHED = re.compile(r"\.part-\d{5,}-[0-9a-f]{16}\.tmp\Z")
LARGEST_RECORD = 16 << 20
_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Done:
    """What is in a finished shard.

    Attributes:
        receipt: of the run that it belongs to.
        file: its name.
        size: in bytes.
        sha256: of the file.
        rows: pictures in it.
        errors: how many of them could not be read.
        sure: how many answers are sure.
        contents: sources, first rows and counts, see ``Shard.contents``.
        damaged: what is wrong with its sources, a line each.
    """

    receipt: str
    file: str
    size: int
    sha256: str
    rows: int
    errors: int
    sure: int
    contents: list[list[Any]]
    damaged: list[str]


def shard_name(number: int, table: str) -> str:
    """Return the file name of a shard."""
    return f"part-{number:05d}{SUFFIXES[table]}"


def find_done(folder: Path, shard: Shard, table: str, receipt: str) -> Done | None:
    """Return the record of a shard if it is done: of this run, with these pictures, and its file is as it was written.

    Args:
        folder: of the table.
        shard: the shard.
        table: form of the output.
        receipt: of the run.
    """
    name = shard_name(shard.number, table)
    try:
        done = Done(**json.loads(read_inside(folder, f"{RECORDS}/{shard.number:05d}.json", LARGEST_RECORD)))
        if (done.receipt, done.file, done.contents) != (receipt, name, shard.contents()):
            return None
        with Folder.open(folder) as opened, opened.opened(name, done.size) as file:
            return done if _hash_of(file) == (done.sha256, done.size) else None
    except (OSError, ValueError, TypeError):
        return None  # A record that cannot be read is none: its shard is done again.


def find_file(folder: Path, number: int) -> str | None:
    """Return the name of the file that a record of a shard is of; None where there is no such record."""
    try:
        name = json.loads(read_inside(folder, f"{RECORDS}/{number:05d}.json", LARGEST_RECORD))["file"]
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return name if isinstance(name, str) and SHARD_NAME.match(name) else None


class HashedFile:
    """A file for writing that knows its sha256, and is enough of a file for pyarrow."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._is_dropped = False
        self.size = 0
        self.closed = False

    def write(self, content: Any) -> int:
        """Write some bytes."""
        count = memoryview(content).nbytes
        if self._is_dropped:
            return count
        self._digest.update(content)
        self.size += count
        view = memoryview(content).cast("B") if count else memoryview(b"")
        while view:
            view = view[self._file.write(view) :]
        return count

    def writable(self) -> bool:
        """Tell that it can be written to."""
        return True

    def readable(self) -> bool:
        """Tell that it cannot be read."""
        return False

    def seekable(self) -> bool:
        """Tell that it is written from its beginning to its end."""
        return False

    def tell(self) -> int:
        """Return how many bytes were written."""
        return self.size

    def flush(self) -> None:
        """Do nothing: whoever opened the file brings it to the disk."""

    def close(self) -> None:
        """Take no more bytes; whoever opened the file closes it."""
        self.closed = True

    def drop(self) -> None:
        """Take what comes from now on, and write none of it: a writer that is given up still writes its end."""
        self._is_dropped = True

    def sha256(self) -> str:
        """Return the sha256 of what was written, in hexadecimal."""
        return self._digest.hexdigest()


class Unfinished:
    """A file in a folder under a hidden name, until it gets its own."""

    def __init__(self, folder: Path, number: int) -> None:
        """Open the file.

        Raises:
            OSError: it cannot be made.
        """
        self._folder = folder
        self._name = f".part-{number:05d}-{secrets.token_hex(8)}.tmp"
        descriptor = os.open(
            folder / self._name,
            os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0),
            0o666,
        )
        self._file = os.fdopen(descriptor, "wb", buffering=0)
        self.file = HashedFile(self._file)

    def finish(self, name: str) -> None:
        """Bring the file to the disk and give it its name; a regular file of that name is replaced.

        Raises:
            OSError: that cannot be done.
            OutputError: something is in its place that is no regular file.
        """
        os.fsync(self._file.fileno())
        self._file.close()
        check_output(self._folder / name)
        (self._folder / self._name).replace(self._folder / name)
        with Folder.open((self._folder / name).parent) as opened:
            opened.flush()

    def drop(self) -> None:
        """Remove the file if it has not got its name."""
        self.file.drop()
        self._file.close()
        with contextlib.suppress(OSError):
            (self._folder / self._name).unlink()


def write_record(folder: Path, number: int, done: Done) -> None:
    """Say that a shard is done.

    Raises:
        OSError: that cannot be written.
    """
    with contextlib.suppress(FileExistsError):
        (folder / RECORDS).mkdir()
    content = json.dumps(asdict(done), separators=(",", ":")).encode()
    write_whole(folder, number, f"{RECORDS}/{number:05d}.json", content)


def write_whole(folder: Path, number: int, name: str, content: bytes) -> None:
    """Write a file in the folder of a table, whole or not at all; what a killed writer leaves goes with the next run.

    Args:
        folder: of the table.
        number: of the shard that it is about.
        name: of the file in the folder.
        content: of the file.

    Raises:
        OSError: that cannot be done.
        OutputError: something is in its place that is no regular file.
    """
    unfinished = Unfinished(folder, number)
    try:
        unfinished.file.write(content)
        unfinished.finish(name)
    finally:
        unfinished.drop()


@contextlib.contextmanager
def told(folder: Path) -> Any:
    """Turn what the system says of a write into an error of ours.

    Raises:
        OutputError: in the place of an ``OSError`` of the block.
    """
    try:
        yield
    except pa.ArrowException as error:
        raise OutputError(f"{folder}: cannot be written to ({error}); what was done is kept") from error
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(
            f"{folder}: cannot be written to ({reason(error)}); what was done is kept, and the same command goes on"
        ) from error


def _hash_of(file: BinaryIO) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    while content := file.read(_AT_ONCE):
        digest.update(content)
        size += len(content)
    return digest.hexdigest(), size
