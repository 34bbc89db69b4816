"""One way of opening files that nobody vouches for: regular ones only, of bounded size, and nothing is waited for.

A pipe would be waited for, a device has no end, a sparse file of gigabytes costs its writer nothing, and a link leads
to where whoever made it chose. A file that a user names may be a link (caches of models are full of them); one that
only lies in a folder may not: ``read_inside``.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import BinaryIO

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_IS_LINK = (errno.ELOOP, errno.EMLINK)
"""What the system answers to ``O_NOFOLLOW``; FreeBSD the second."""
_HAS_FOLDERS = os.open in os.supports_dir_fd  # Windows has none.


class LeftAloneWarning(UserWarning):
    """Something in a folder was left alone or left out; the result is right without it."""


def read_file(path: Path, at_most: int) -> bytes:
    """Return the content of a file that the user named.

    Args:
        path: a regular file, or a link to one.
        at_most: bytes; a larger file is refused.

    Raises:
        OSError: it is not there, may not be read, is no regular file or larger; ``strerror`` says which.
        ValueError: there is a null byte in its name.
    """
    with open_file(path, at_most) as file:
        return _read(file, path, at_most)


def read_inside(folder: Path, name: str | PurePath, at_most: int) -> bytes:
    """Return the content of a file that lies in a folder: really inside, for no part of its name may be a link.

    Args:
        folder: the folder, or a link to it.
        name: of the file in the folder, with its subfolders.
        at_most: bytes; a larger file is refused.

    Raises:
        OSError, ValueError: as ``read_file``.
    """
    with (
        _opened_inside(folder, PurePath(name)) as descriptor,
        os.fdopen(descriptor, "rb", closefd=False) as file,
    ):
        _check(file, folder / name, at_most)
        return _read(file, folder / name, at_most)


@contextlib.contextmanager
def open_file(
    path: Path, at_most: int, *, follow: bool = True, folder: int | None = None
) -> Iterator[BinaryIO]:
    """Open a file that the user named, as ``read_file`` does; what grows later is not read beyond ``at_most``.

    Args:
        path: a regular file.
        at_most: bytes; a larger file is refused.
        follow: whether it may be a link to one; not where it only lies beside a file that the user named.
        folder: descriptor of the folder in which the last part of the path is looked for, where it is open.
    """
    if not follow and not _NO_FOLLOW and path.is_symlink():
        raise _link(path)
    try:
        descriptor = os.open(
            path if folder is None else path.name, _FLAGS if follow else _FLAGS | _NO_FOLLOW, dir_fd=folder
        )
    except OSError as error:
        if not follow and error.errno in _IS_LINK:
            raise _link(path) from error
        raise
    try:
        _check_kind(descriptor, path)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            _check(file, path, at_most)
            yield file
    finally:
        os.close(descriptor)


def reason(error: BaseException) -> str:
    """Return what an error says without number and name of the file, for a message that names the file itself."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _read(file: BinaryIO, path: Path, at_most: int) -> bytes:
    content = file.read(at_most + 1)
    if len(content) > at_most:
        raise _too_large(path, at_most)
    return content


def _check(file: BinaryIO, path: Path, at_most: int) -> None:
    _check_kind(file.fileno(), path)
    if os.fstat(file.fileno()).st_size > at_most:
        raise _too_large(path, at_most)


def _check_kind(descriptor: int, path: Path) -> None:
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "a pipe or a device, no file", str(path))


def _link(path: Path) -> OSError:
    return OSError(errno.ELOOP, "a link, which is not followed", str(path))


def _too_large(path: Path, at_most: int) -> OSError:
    return OSError(errno.EFBIG, f"larger than {at_most / 2**20:,.3g} MiB", str(path))


@contextlib.contextmanager
def _opened_inside(folder: Path, name: PurePath) -> Iterator[int]:
    if name.is_absolute() or not name.parts or ".." in name.parts:
        raise OSError(errno.EINVAL, "outside the folder", str(folder / name))
    with contextlib.ExitStack() as stack:
        inner: int | None = None
        if _HAS_FOLDERS:
            inner = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, inner)
        place = folder
        for part in name.parts:
            place = place / part
            try:
                if not _NO_FOLLOW and place.is_symlink():
                    raise OSError(errno.ELOOP, "", str(place))
                # A folder is opened like a file; what it is shows when the next part is looked for in it.
                if inner is not None:
                    inner = os.open(part, _FLAGS | _NO_FOLLOW, dir_fd=inner)
                elif place == folder / name:
                    inner = os.open(place, _FLAGS)
                else:
                    continue
            except OSError as error:
                if error.errno in _IS_LINK:
                    raise _link(place) from error
                raise OSError(error.errno, error.strerror, str(place)) from error
            stack.callback(os.close, inner)
        assert inner is not None  # noqa: S101 - a name has at least one part
        yield inner
