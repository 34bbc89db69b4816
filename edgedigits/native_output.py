"""Keep what C++ libraries print past Python out of the user's terminal."""

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def hidden_native_output() -> Iterator[None]:
    """Hide what is written to the file descriptor of standard error while the block runs.

    TensorFlow and LiteRT announce themselves there, whatever their log level. When the block raises, all that was
    hidden is shown after all: it may tell why.
    """
    import tempfile  # Not at the top: `predict` needs only the other function, and counts milliseconds.

    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        terminal = os.dup(2)
    except OSError:  # No standard error at all (a windowed application): nothing to keep clean.
        yield
        return
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), 2)
        try:
            yield
        except BaseException:
            sink.seek(0)
            os.write(terminal, sink.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


@contextlib.contextmanager
def discarded_native_output() -> Iterator[None]:
    """Drop what is written to the file descriptor of standard error while the block runs, whether it raises or not.

    libtiff complains there of files that it reads all the same, or that Pillow raises an error for.
    """
    try:
        terminal = os.dup(2)
    except OSError:
        yield
        return
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 2)
    os.close(sink)
    try:
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
