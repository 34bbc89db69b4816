"""Ctrl-C and the like, where they would be lost: they wait."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

WAITING = ("SIGINT", "SIGTERM", "SIGHUP")
"""Signals that ask a command to end, by name: not every system has all of them."""


@contextlib.contextmanager
def interrupts_later() -> Iterator[None]:
    """Let signals that Python answers to with an exception wait until the block has ended.

    While TensorFlow is imported its extension modules drop what an import raises, and go on without the module; a
    Ctrl-C at that moment would be lost, and the command go on. Nothing changes in other threads than the main one,
    where Python lets no signal be handled.

    Raises:
        KeyboardInterrupt: Ctrl-C came meanwhile.
        SystemExit: another signal came meanwhile, whose handler ends the process.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in WAITING if hasattr(signal, name)]
    handlers = {number: handler for number in numbers if callable(handler := signal.getsignal(number))}
    came: list[tuple[int, FrameType | None]] = []
    for number in handlers:
        signal.signal(number, lambda number, frame: came.append((number, frame)))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if came:
            number, frame = came[0]
            handlers[number](number, frame)
