"""An open folder: what is done in it is done in this very folder, wherever its path may lead by then.

Nothing follows a link here but ``Folder.open``, which takes a folder that the user named.
"""

import contextlib
import errno
import os
import stat
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from edgedigits.files import open_file

HAS_DESCRIPTORS = os.open in os.supports_dir_fd and os.rename in os.supports_dir_fd
"""Whether folders can be opened; on Windows they cannot."""
_FLAGS = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_NO_FLUSH = {errno.EINVAL, errno.ENOTSUP, errno.EROFS}
"""What a file system answers that has nothing to flush."""


class Folder:
    """An open folder. Every name in it is looked for without following a link.

    Where folders cannot be opened (Windows), names are looked for by path, and links are told beforehand.
    """

    def __init__(self, path: Path, descriptor: int | None) -> None:
        """Take over an open descriptor; use ``open`` and ``inner``."""
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def open(cls, path: Path) -> "Folder":
        """Open a folder that the user named, or a link to one.

        Raises:
            OSError: there is none that may be opened.
        """
        if HAS_DESCRIPTORS:
            return cls(path, os.open(path, _FLAGS))
        if not path.is_dir():
            kind = NotADirectoryError if path.exists() else FileNotFoundError
            number = errno.ENOTDIR if path.exists() else errno.ENOENT
            raise kind(number, os.strerror(number), str(path))
        return cls(path, None)

    def inner(self, name: str) -> "Folder":
        """Open a folder in this one.

        Raises:
            OSError: there is none, or a link to one.
        """
        if self._descriptor is not None:
            return Folder(self.path / name, os.open(name, _FLAGS | os.O_NOFOLLOW, dir_fd=self._descriptor))
        found = self.status(name)
        if found is None or not stat.S_ISDIR(found.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(self.path / name))
        return Folder(self.path / name, None)

    def __enter__(self) -> "Folder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)

    def names(self) -> list[str]:
        """Return what is in the folder, in order."""
        where = self.path if self._descriptor is None else self._descriptor
        return sorted(os.listdir(where))  # noqa: PTH208 - a descriptor is no path

    def own_status(self) -> os.stat_result:
        """Return what the system knows of the folder itself."""
        return self.path.stat() if self._descriptor is None else os.fstat(self._descriptor)

    def status(self, name: str) -> os.stat_result | None:
        """Return what the system knows of a name, of a link itself; None where there is nothing."""
        try:
            return os.stat(self._at(name), dir_fd=self._descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def opened(self, name: str, at_most: int) -> contextlib.AbstractContextManager[BinaryIO]:
        """Open a regular file of at most so many bytes for reading.

        Raises:
            OSError: it is no such file; ``strerror`` says why.
        """
        return open_file(self.path / name, at_most, follow=False, folder=self._descriptor)

    def make(self, name: str, *, private: bool = False) -> None:
        """Make a folder in this one, which nobody but the user may look into if it is private."""
        os.mkdir(self._at(name), 0o700 if private else 0o777, dir_fd=self._descriptor)

    def make_file(self, name: str) -> None:
        """Make an empty file, where nothing is yet."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
        os.close(os.open(self._at(name), flags, 0o600, dir_fd=self._descriptor))

    def move(self, name: str, target: "Folder", new_name: str) -> None:
        """Move a file or a folder; a file of the new name is replaced."""
        source = self._at(name), target._at(new_name)
        os.replace(*source, src_dir_fd=self._descriptor, dst_dir_fd=target._descriptor)

    def remove(self, name: str) -> None:
        """Remove a file, or a link itself."""
        os.unlink(self._at(name), dir_fd=self._descriptor)

    def remove_folder(self, name: str) -> None:
        """Remove an empty folder."""
        os.rmdir(self._at(name), dir_fd=self._descriptor)

    def flush(self) -> None:
        """Bring the names to the disk; without that, a power cut may forget a file that is whole."""
        if self._descriptor is None:  # Windows writes names through.
            return
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            if error.errno not in _NO_FLUSH:
                raise

    def _at(self, name: str) -> "str | Path":
        return self.path / name if self._descriptor is None else name


def flush_file(path: Path) -> None:
    """Bring the content of a file to the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def kind_of(mode: int) -> str:
    """Return what messages call a thing, by its mode."""
    return next((kind for is_kind, kind in _KINDS if is_kind(mode)), "file")


_KINDS = (
    (stat.S_ISLNK, "link"),
    (stat.S_ISDIR, "folder"),
    (stat.S_ISFIFO, "pipe"),
    (stat.S_ISSOCK, "socket"),
    (stat.S_ISCHR, "device"),
    (stat.S_ISBLK, "device"),
)
"""What there may be besides files."""
