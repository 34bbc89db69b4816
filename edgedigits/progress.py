"""Progress on standard error: a bar where somebody watches, lines in a log, or nothing at all.

Library functions take a ``Progress`` and never ask which kind it is.
"""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from edgedigits.folding import COLUMNS, columns_of, fold_lines, width_of
from edgedigits.printable import printable, printable_lines

_ON_TERMINAL, _IN_LOG = 0.2, 60.0
"""Seconds between two lines."""
_RATE_OVER = 600.0
"""Seconds over which the rate is measured that tells what is left: a part of a slow epoch takes a minute."""
_BESIDE = len("━━━━━━━━━━ 100% 0:00:00 left") + 2
"""Columns that a bar has at least beside its description."""
_NOT_WORK = 0.05
"""Seconds at the beginning whose units are not the work's."""

PART_GAP = "   "
"""Between the parts of a line that is written anew."""

Advance = Callable[[int], None]
"""Say that so many more units are done."""


class Progress(Protocol):
    """Something that can show how far a long piece of work is."""

    def task(self, description: str, total: int) -> contextlib.AbstractContextManager[Advance]:
        """Show a piece of work of ``total`` units while the block runs."""
        ...

    def note(self, text: str) -> None:
        """Say something that stays on the screen."""
        ...


class SilentProgress:
    """Shows nothing."""

    @contextlib.contextmanager
    def task(self, description: str, total: int) -> Iterator[Advance]:
        """Run the block without a sign."""
        yield lambda _units: None

    def note(self, text: str) -> None:
        """Drop the text."""


SILENT = SilentProgress()


class TerminalProgress:
    """Bars on a terminal; where standard error is a file or a pipe, only the notes."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True, highlight=False, markup=False, emoji=False)

    @contextlib.contextmanager
    def task(self, description: str, total: int) -> Iterator[Advance]:
        """Show a bar that goes away when the block ends."""
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
        from rich.table import Column

        # Where a line is short, bar and description give way, and what tells how far it is stays.
        columns = (
            TextColumn(
                "{task.description}",
                markup=False,
                table_column=Column(
                    no_wrap=True, overflow="ellipsis", max_width=max(1, self._console.width - _BESIDE)
                ),
            ),
            BarColumn(None, table_column=Column(ratio=1)),
            TaskProgressColumn(table_column=Column(no_wrap=True, min_width=len("100%"))),
            TimeRemainingColumn(table_column=Column(no_wrap=True, min_width=len("0:00:00"))),
            TextColumn("left", table_column=Column(no_wrap=True, min_width=len("left"))),
        )
        with Progress(
            *columns,
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
            expand=True,
            speed_estimate_period=_RATE_OVER,
        ) as bars:
            bar = bars.add_task(printable(description), total=total)
            yield lambda units: bars.advance(bar, units)

    def note(self, text: str) -> None:
        """Print a line."""
        self._console.print(fold_lines(printable_lines(text), columns_of(sys.stderr)), soft_wrap=True)


class LineProgress:
    """Counts, rate and the time that is left, without a library.

    On a terminal one line is written anew again and again; a log gets one a minute. What it notes stays.
    """

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._every = _ON_TERMINAL if self._is_terminal else _IN_LOG
        self._width = 0

    @contextlib.contextmanager
    def task(self, description: str, total: int) -> Iterator[Advance]:
        """Show how far it is while the block runs."""
        started = shown = time.monotonic()
        done = begun = 0

        def advance(units: int) -> None:
            nonlocal done, begun, shown
            done += units
            now = time.monotonic()
            if now - started < _NOT_WORK:
                begun = done  # What was done before comes at once, and says nothing of the rate.
            if now - shown >= self._every:
                shown = now
                self._show(line_of(description, done, total, (done - begun) / (now - started)))

        try:
            yield advance
        finally:
            self._clear()

    def note(self, text: str) -> None:
        """Print a line."""
        self._clear()
        self._write(fold_lines(printable_lines(text), columns_of(sys.stderr)) + "\n")

    def _show(self, line: str) -> None:
        if not self._is_terminal:
            self._write(f"{line}\n")
            return
        # One column less than there are: at the last one a terminal may begin a new line.
        line = shortened(line, (columns_of(sys.stderr) or COLUMNS) - 1)
        self._write("\r" + line + " " * (self._width - width_of(line)))
        self._width = width_of(line)

    def _clear(self) -> None:
        if self._width:
            self._write("\r" + " " * self._width + "\r")
            self._width = 0

    def _write(self, text: str) -> None:
        encoding = sys.stderr.encoding or "ascii"
        sys.stderr.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stderr.flush()


def line_of(description: str, done: int, total: int, rate: float) -> str:
    """Write how far something is: ``1,200 of 5,000 pictures   24 %   300 a second   0:13 left``.

    Args:
        description: what is counted.
        done: units.
        total: units.
        rate: units a second; 0 where it is not known yet.
    """
    line = f"{done:,} of {total:,} {printable(description)}{PART_GAP}{100 * done // max(1, total)} %"
    if rate <= 0:
        return line
    minutes, seconds = divmod(round((total - done) / rate), 60)
    hours, minutes = divmod(minutes, 60)
    left = f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
    return PART_GAP.join((line, f"{rate:,.0f} a second", f"{left} left"))


def shortened(line: str, columns: int) -> str:
    """Leave parts of a line of ``line_of`` out until it fits: first the rate, then what is counted; at last, cut it."""
    parts = line.split(PART_GAP)
    for index in (-2, 0):
        if width_of(PART_GAP.join(parts)) > columns and len(parts) > 2:
            del parts[index]
    shown = PART_GAP.join(parts)
    return shown if width_of(shown) <= columns else shown[: columns // 2]
