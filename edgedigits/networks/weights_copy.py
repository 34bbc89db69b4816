"""Copies the weights out of an HDF5 file that nobody vouches for, in a process of its own.

HDF5 is a file system in a file; its library was not made for damaged or hostile ones, and can crash, hang or read other
files. So ``copied_weights`` lets a child with limits read the file and write what is plain in it (groups, and arrays of
numbers that lie whole inside) to a new one, and only that is given to Keras. ``python -m
edgedigits.networks.weights_copy SOURCE TARGET SECONDS`` is that child.
"""

import contextlib
import errno
import io
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from edgedigits.archives import ARCHIVE_ERRORS, open_archive
from edgedigits.child_processes import run_module
from edgedigits.contract import LARGEST_MODEL
from edgedigits.errors import ModelFileError, OutputError
from edgedigits.files import reason
from edgedigits.model_files.keras_archive import WEIGHTS_MEMBER
from edgedigits.model_files.keras_graph import TRAIN_AGAIN

CPU_SECONDS = 5
"""Of the child; it needs under one, most of it to import h5py."""
WALL_SECONDS = 60.0
MEMORY_BYTES = 2 << 30
"""Of addresses, of which libraries reserve most and use little."""
MOST_OBJECTS = 1_000
DEEPEST = 8

_NO_WEIGHTS, _TARGET_FULL = 3, 4
"""Exit status of the child where it says on standard error what is wrong, and where the copy found no room."""
UNREADABLE = (OSError, RuntimeError, KeyError, TypeError, ValueError, MemoryError)
"""What ``copy`` raises of a file that it does not copy: our own ``ValueError``, and all that h5py says of damage."""
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextlib.contextmanager
def copied_weights(path: Path) -> Iterator[Path]:
    """Yield a file ``.weights.h5`` with the weights of a ``.keras`` archive; it is gone when the block ends.

    Args:
        path: an archive that ``keras_archive.read_network_spec`` accepted.

    Raises:
        ModelFileError: its weights cannot be read.
        OutputError: there is no room for the copy.
    """
    with tempfile.TemporaryDirectory(prefix="edgedigits-") as scratch:
        source, target = Path(scratch, "source.h5"), Path(scratch, "copy.weights.h5")
        try:
            with open_archive(path, LARGEST_MODEL) as archive:
                content = archive.read(WEIGHTS_MEMBER)
        except ARCHIVE_ERRORS as error:
            raise _unreadable(path, reason(error)) from error
        run_copy(path, __name__, content, source, target)
        yield target


def run_copy(path: Path, module: str, content: bytes, source: Path, target: Path) -> None:
    """Have a child copy what it finds in an HDF5 file.

    Args:
        path: of the file that the user named, for messages.
        module: whose ``copy`` does it; it ends with ``run_child``.
        content: of the HDF5 file.
        source: where to put it, in a folder of the child's own.
        target: where the copy goes, in the same folder.

    Raises:
        ModelFileError: it cannot be read.
        OutputError: there is no room.
    """
    scratch = str(source.parent)
    try:
        source.write_bytes(content)
        child = subprocess.run(
            run_module(module, source, target, CPU_SECONDS), cwd=scratch,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            timeout=WALL_SECONDS, check=False, env={**os.environ, "HDF5_PLUGIN_PRELOAD": "::"},
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise _unreadable(path, f"no end after {WALL_SECONDS:.0f} s") from error
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise _full(scratch) from error
        raise _unreadable(path, reason(error)) from error
    if child.returncode == _TARGET_FULL:
        raise _full(scratch)
    if child.returncode != 0:
        said = child.stderr.decode(errors="replace") if child.returncode == _NO_WEIGHTS else ""
        raise _unreadable(path, said or "it is no HDF5 file that can be read")


def _full(scratch: str) -> OutputError:
    return OutputError(
        f"{scratch}: cannot be written to (no space left); free some, or set TMPDIR to another folder"
    )


def _unreadable(path: Path, reason: str) -> ModelFileError:
    return ModelFileError(path, f"its weights cannot be read ({' '.join(reason.split())[:200]})", TRAIN_AGAIN)


# --- The child -----------------------------------------------------------------------------------------------------


def copy(source: Path, target: Path) -> None:
    """Copy groups and arrays of numbers from one HDF5 file to another.

    Raises:
        ValueError: there is something else in it, or more than ``MOST_OBJECTS``, or an array larger than the file.
        OSError, RuntimeError, KeyError, TypeError: what h5py says of a damaged file.
    """
    import h5py

    left, bytes_left = MOST_OBJECTS, source.stat().st_size

    def copy_group(group: "h5py.Group", into: "h5py.Group", depth: int) -> None:
        nonlocal left, bytes_left
        for name in group:
            left -= 1
            if left < 0 or depth > DEEPEST:
                raise ValueError("more objects than a digits network has")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"{name!r} is a link to elsewhere")
            item = group[name]
            if isinstance(item, h5py.Group):
                copy_group(item, into.create_group(name), depth + 1)
                continue
            bytes_left = check_plain(item, name, bytes_left)
            into.create_dataset(name, data=item[()])

    # In memory first, so that what a full disk says is Python's own error, not one of HDF5's.
    memory = io.BytesIO()
    with h5py.File(source, "r") as opened, h5py.File(memory, "w") as written:
        copy_group(opened, written, 0)
    target.write_bytes(memory.getbuffer())


def check_plain(item: Any, name: str, bytes_left: int) -> int:
    """Check that something in an HDF5 file is an array of numbers that lies whole in it.

    Args:
        item: as h5py opened it.
        name: for messages.
        bytes_left: how large it may be.

    Returns:
        How many bytes are left without it.

    Raises:
        ValueError: it is something else.
    """
    import h5py

    if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "fiu":
        raise ValueError(f"{name!r} is no array of numbers")
    if item.external or item.is_virtual:
        raise ValueError(f"{name!r} lies in another file")
    bytes_left -= math.prod(item.shape) * item.dtype.itemsize
    if bytes_left < 0:
        raise ValueError(f"{name!r} of shape {item.shape} is larger than the file")
    return bytes_left


def _limit(cpu_seconds: int) -> None:
    try:
        import resource
    except ImportError:  # Windows: the child's own end is all that is contained there.
        return
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run_child(copy: Callable[[Path, Path], None]) -> None:
    """Run a child: copy argument 1 to argument 2 within argument 3 seconds; say what is wrong on standard error."""
    _limit(int(sys.argv[3]))
    try:
        copy(Path(sys.argv[1]), Path(sys.argv[2]))
    except UNREADABLE as error:
        sys.stderr.write(str(error))
        raise SystemExit(
            _TARGET_FULL if getattr(error, "errno", None) in _NO_ROOM else _NO_WEIGHTS
        ) from error


if __name__ == "__main__":
    run_child(copy)
