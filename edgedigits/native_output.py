"""Keep what C++ libraries print past Python out of the user's terminal, in any number of threads at once.

File descriptor 2 is one for the whole process. The first block that is entered turns it aside, and the last one that is
left, in whatever thread, puts it back.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator


class _StandardError:
    """Where file descriptor 2 leads while any block runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of_thread = threading.local()
        self._users = 0
        self._terminal = -1
        """What file descriptor 2 was; -1 while nothing is turned aside, or where there is no standard error."""
        self._sink = -1
        """The file that it is now, which can be read back; -1 where all is only dropped."""
        self._shown = 0
        """Bytes of the sink that the terminal already has."""

    def turn_aside(self, *, keep: bool) -> int:
        """Enter a block; what is written from now on can be shown later if it is kept.

        Returns:
            Bytes that were kept before.
        """
        with self._lock:
            if self._users == 0:
                # OSError: no standard error at all (a windowed application): nothing to keep clean.
                with contextlib.suppress(OSError):
                    self._terminal = os.dup(2)
            self._users += 1
            self._of_thread.depth = getattr(self._of_thread, "depth", 0) + 1
            try:
                if self._terminal >= 0 and keep and self._sink < 0:
                    self._sink = _readable_sink()
                    os.dup2(self._sink, 2)
                elif self._terminal >= 0 and self._users == 1:
                    sink = os.open(os.devnull, os.O_WRONLY)
                    os.dup2(sink, 2)
                    os.close(sink)
            except (
                OSError
            ):  # No file can be opened any more: what is printed is seen, and nothing else is lost.
                pass
            return self._size()

    def leave(self, start: int, *, show: bool) -> None:
        """Leave a block; show what was kept since ``start`` if this thread is in no other one."""
        with self._lock:
            self._of_thread.depth -= 1
            if show and self._of_thread.depth == 0:
                self._show(start)
            self._users -= 1
            if self._users == 0 and self._terminal >= 0:
                os.dup2(self._terminal, 2)
                os.close(self._terminal)
                if self._sink >= 0:
                    os.close(self._sink)
                self._terminal = self._sink = -1
                self._shown = 0

    def _size(self) -> int:
        return os.fstat(self._sink).st_size if self._sink >= 0 else 0

    def _show(self, start: int) -> None:
        position, end = max(start, self._shown), self._size()
        # A terminal that has gone away must not hide the error because of which all is shown.
        with contextlib.suppress(OSError):
            while position < end:
                position += os.write(
                    self._terminal, _read_at(self._sink, position, min(end - position, 1 << 16))
                )
        self._shown = end


_STANDARD_ERROR = _StandardError()


def _read_at(file: int, position: int, count: int) -> bytes:
    """Read from a file to whose end other threads may be writing."""
    if hasattr(os, "pread"):
        return os.pread(file, count, position)
    os.lseek(file, position, os.SEEK_SET)  # Windows: one position for reading and writing
    found = os.read(file, count)
    os.lseek(file, 0, os.SEEK_END)
    return found


def _readable_sink() -> int:
    """Return the descriptor of a new nameless file: in memory, else on the disk, else one that forgets all."""
    if hasattr(os, "memfd_create"):
        with contextlib.suppress(OSError):
            return os.memfd_create("standard error")
    import tempfile  # Not at the top: `predict` needs it hardly ever, and counts milliseconds.

    try:
        with tempfile.TemporaryFile() as file:
            return os.dup(file.fileno())
    except OSError:  # a device on which nothing can be written
        return os.open(os.devnull, os.O_RDWR)


@contextlib.contextmanager
def hidden_native_output() -> Iterator[None]:
    """Hide what is written to the file descriptor of standard error while the block runs.

    TensorFlow and LiteRT announce themselves there, whatever their log level. When the block fails, all that was
    hidden is shown after all: it may tell why. What other threads print meanwhile is hidden, and shown, with it.
    """
    if sys.stderr is not None:
        sys.stderr.flush()
    start = _STANDARD_ERROR.turn_aside(keep=True)
    show = False
    try:
        yield
    except Exception:  # not of Ctrl-C, and of whatever else ends the process on purpose
        show = True
        raise
    finally:
        _STANDARD_ERROR.leave(start, show=show)


@contextlib.contextmanager
def discarded_native_output() -> Iterator[None]:
    """Drop what is written to the file descriptor of standard error while the block runs, whether it raises or not.

    libtiff complains there of files that it reads all the same, or that Pillow raises an error for.
    """
    _STANDARD_ERROR.turn_aside(keep=False)
    try:
        yield
    finally:
        _STANDARD_ERROR.leave(0, show=False)
