"""A process that does shards for another one: ``python -m edgedigits.score.worker``, started by ``processes``.

It takes pickles from its standard input: first the ``Job``, then a ``Shard`` at a time. It answers on its standard
output with a pickle ``(kind, value)``: how many more pictures are done, the finished shard, or the error that stands
for it. When its standard input ends it ends at once, whatever it is doing: its parent has died, and somebody else may
begin anew.
"""

import os
import pickle
import queue
import signal
import sys
import threading
from typing import Any, BinaryIO

from edgedigits.errors import EdgeDigitsError
from edgedigits.score.job import Job


def main() -> None:
    """Do shards until the input ends."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches the whole group; the parent says what is to be done.
    orders = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # What a library prints is no pickle.
    waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_take, args=(orders, waiting), daemon=True).start()
    job: Job = waiting.get()
    while True:
        shard = waiting.get()
        try:
            _say(answers, "done", job.run(shard, lambda count: _say(answers, "pictures", count)))
        except EdgeDigitsError as error:
            # The cause, which says whether another try may help, does not travel with a pickle.
            _say(answers, "failed", error)


def _take(orders: BinaryIO, waiting: "queue.SimpleQueue[Any]") -> None:
    try:
        while True:
            waiting.put(pickle.load(orders))  # noqa: S301 - from the process that started this one
    finally:
        os._exit(0)


def _say(answers: BinaryIO, kind: str, value: Any) -> None:
    pickle.dump((kind, value), answers)
    answers.flush()


if __name__ == "__main__":
    main()
