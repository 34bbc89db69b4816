"""Progress on standard error: a bar where somebody watches, lines in a log, or nothing at all.

Library functions take a ``Progress`` and never ask which kind it is.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Protocol

from edgedigits.printable import printable, printable_lines

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

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
        )
        with Progress(
            *columns, console=self._console, transient=True, disable=not self._console.is_terminal
        ) as bars:
            bar = bars.add_task(printable(description), total=total)
            yield lambda units: bars.advance(bar, units)

    def note(self, text: str) -> None:
        """Print a line."""
        self._console.print(printable_lines(text), soft_wrap=True)
