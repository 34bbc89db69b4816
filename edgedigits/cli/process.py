"""The ``edgedigits`` process: what it needs of the system, and how it ends, whatever happens.

A command ends with 0 (done), 1 (failed), 2 (wrong usage), 130 (Ctrl-C), or 128 and the number of another signal that
ended it; and with one line on standard error, never with a traceback.
"""

import contextlib
import errno
import os
import signal
import stat
import sys
import warnings
from collections.abc import Iterator
from types import FrameType
from typing import TextIO

import click

from edgedigits.cli.terminal import complain, echo_json_error
from edgedigits.errors import EdgeDigitsError
from edgedigits.folding import columns_of, fold_lines
from edgedigits.printable import printable

TRACEBACK = "EDGEDIGITS_TRACEBACK"
"""Environment variable that has a fault of ours shown with its traceback."""
LONGEST_FAULT = 300
"""Characters that a line has of an error which is none of ours."""

_OUTPUT_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""What writing to standard output fails with where that is a file on a full disk."""


_BEFORE = "Error: "
"""What Click prints before the message of a usage error."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, in a command that knows how to go on."""


@contextlib.contextmanager
def errors_told() -> Iterator[None]:
    """Turn our own errors, Ctrl-C, and usage errors that quote an argument, into what a terminal may show.

    Raises:
        click.exceptions.Exit: with the status, after the line was printed.
        click.UsageError: with a message that can be printed.
    """
    try:
        yield
    except EdgeDigitsError as error:
        complain(error)
        echo_json_error(error)
        raise click.exceptions.Exit(1) from error
    except KeyboardInterrupt as stop:
        complain(
            f"interrupted; {stop}"
            if isinstance(stop, Interrupted)
            else "interrupted; nothing is left half-written"
        )
        raise click.exceptions.Exit(128 + signal.SIGINT) from stop
    except click.UsageError as error:
        if error.ctx is not None and error.message == error.ctx.get_help():
            raise  # No words at all: Click shows the help page.
        error.message = printable(error.message)  # type: ignore[misc]  # made to be set once
        said = fold_lines(f"{_BEFORE}{error.format_message()}", columns_of(sys.stderr))
        error.format_message = lambda: said.removeprefix(_BEFORE)  # type: ignore[method-assign]
        raise


def run(command: click.Command) -> None:
    """Run a command as this process, and exit.

    Args:
        command: one that turns our own errors into a line itself, with ``errors_told``.
    """
    try:
        _prepare()
        _show_warnings_as_lines()
        command()
    except KeyboardInterrupt:  # before or after the command had it in its hands
        complain("interrupted")
        sys.exit(128 + signal.SIGINT)
    except BrokenPipeError:
        # The reader of our output went away (`| head`): not our failure. Keep the interpreter from flushing again.
        _drop_output()
        sys.exit(1)
    except OSError as error:
        if error.errno in _OUTPUT_FULL and error.filename is None:
            _drop_output()
            complain(f"the result cannot be written ({error.strerror}); free some space")
        else:
            _tell_fault(error)
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - the last place that can turn it into a line
        _tell_fault(error)
        sys.exit(1)


def _tell_fault(error: Exception) -> None:
    if os.environ.get(TRACEBACK):
        raise error
    if isinstance(error, MemoryError):
        complain("there is not enough memory for this; close other programs, or name a smaller file")
    elif isinstance(error, OSError) and error.filename is not None:
        complain(f"{os.fsdecode(error.filename)}: {error.strerror}; name another file or folder")
    else:
        said = " ".join(str(error).split())
        said = said if len(said) <= LONGEST_FAULT else f"{said[:LONGEST_FAULT]}…"
        complain(
            f"this is a fault of edgedigits, not yours: {type(error).__name__}: {said}; "
            f"please report it with what {TRACEBACK}=1 prints"
        )


def _prepare() -> None:
    """Make sure of standard streams, of files that we may read ourselves, and of an orderly end."""
    for descriptor in range(3):
        # Where one is closed, the next file to be opened would get its number, and what is printed would go there.
        if not _is_open(descriptor):
            os.open(os.devnull, os.O_RDWR)
    # None where it was closed when Python began.
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115 - as long as the process
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    if sys.stdout is None:
        complain("standard output is closed; let it go to a file, or to /dev/null")
        sys.exit(1)
    # Under a umask of 777 we could not even remove what we have made.
    os.umask(os.umask(0) & ~stat.S_IRWXU)
    for name in ("SIGTERM", "SIGHUP"):
        if (number := getattr(signal, name, None)) is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _end)


def _show_warnings_as_lines() -> None:
    """Have our own warnings printed as one line each on standard error, once; those of others stay as they are."""
    show_another = warnings.showwarning
    shown = set()

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        from edgedigits.files import LeftAloneWarning

        if not issubclass(category, LeftAloneWarning):
            show_another(message, category, filename, lineno, file, line)
        elif (text := str(message)) not in shown:
            shown.add(text)
            complain(text)

    warnings.showwarning = show


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _end(number: int, _frame: FrameType | None) -> None:
    """Leave by way of every ``finally``, so that nothing temporary stays."""
    sys.exit(128 + number)


def _drop_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
