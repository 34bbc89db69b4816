"""Reading goes on while the network is at work."""

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from edgedigits.interrupts import interrupts_later

Item = TypeVar("Item")

DEPTH = 3
"""Items that wait at most."""


def ahead(items: Iterator[Item], depth: int = DEPTH) -> Generator[Item, None, None]:
    """Yield what an iterator gives, in its order; a thread is so many items ahead.

    What the iterator raises comes after the items before it. When this is closed early, so is a generator.

    Args:
        items: used by one thread at a time.
        depth: how many items are fetched before they are asked for, 1 or more.
    """
    end = object()
    with ThreadPoolExecutor(1, thread_name_prefix="edgedigits-reader") as executor:
        waiting: deque[Future[Item | object]] = deque()
        try:
            # A Ctrl-C while the thread is started would leave one that the executor does not know, and the next call
            # would start another: two in one generator.
            with interrupts_later():
                waiting.extend(executor.submit(next, items, end) for _ in range(depth))
            while (item := waiting.popleft().result()) is not end:
                waiting.append(executor.submit(next, items, end))
                yield item  # type: ignore[misc]
        finally:
            for future in waiting:
                future.cancel()
            if (close := getattr(items, "close", None)) is not None:
                executor.submit(close).result()
