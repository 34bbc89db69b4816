"""Shards on the cores of this machine: one process each, because preparing pictures is Python's work.

The children are started afresh, so nothing of this process (threads of the runtime, locks) is copied into them, and a
script needs no ``if __name__ == "__main__"``. Each gets one shard at a time. One that dies (out of memory, killed) is
started again and its shard with it, which has left nothing but a hidden file.
"""

import contextlib
import pickle
import queue
import subprocess
import threading
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from edgedigits.child_processes import run_module
from edgedigits.errors import EdgeDigitsError, SourceError
from edgedigits.interrupts import interrupts_later
from edgedigits.score.job import Advance, Job
from edgedigits.score.plan import Shard
from edgedigits.score.shards import Done

TRIES = 3
"""So often a shard is begun whose process dies."""
_NO_MORE = None


@dataclass(frozen=True)
class Outcome:
    """What became of a shard: its record, or why there is none."""

    shard: Shard
    done: Done | None = None
    error: EdgeDigitsError | None = None


def run_here(job: Job, shards: Iterator[Shard], advance: Advance) -> Generator[Outcome, None, None]:
    """Do shards one after the other in this process. While one is brought to the disk, the next is read.

    Args:
        job: what they have in common.
        shards: those that are not done yet.
        advance: is told of pictures that are done.

    Raises:
        OutputError, ModelFileError, ImageError: no other shard could be done either.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="edgedigits-finisher") as executor:
        last: tuple[Shard, Future[Done]] | None = None
        for shard in shards:
            try:
                written = job.write(shard, advance)
            except SourceError as error:
                yield Outcome(shard, error=error)
                continue
            # As in ``ahead``: no Ctrl-C while the thread is started.
            with interrupts_later():
                this = shard, executor.submit(written.finish)
            if last is not None:
                yield Outcome(last[0], last[1].result())
            last = this
        if last is not None:
            yield Outcome(last[0], last[1].result())


def run_in_processes(
    job: Job, shards: Iterator[Shard], advance: Advance, workers: int
) -> Generator[Outcome, None, None]:
    """Do shards in processes of their own, in any order.

    Args:
        job: what they have in common.
        shards: those that are not done yet.
        advance: is told of pictures that are done.
        workers: how many processes.

    Raises:
        OutputError, ModelFileError, ImageError: no other shard could be done either.
    """
    orders: queue.Queue[Shard | None] = queue.Queue(maxsize=workers)
    answers: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
    pool = [_Worker(job, orders, answers) for _ in range(workers)]
    try:
        for worker in pool:
            worker.start()
        pending = 0
        for shard in shards:
            while not _taken(orders, shard):
                pending -= yield from _next_outcome(answers, advance)
            pending += 1
        while pending:
            pending -= yield from _next_outcome(answers, advance)
    finally:
        for worker in pool:
            worker.end()
        for _ in pool:
            with contextlib.suppress(queue.Full):
                orders.put_nowait(_NO_MORE)
        for worker in pool:
            if worker.ident is not None:
                worker.join()


def _taken(orders: "queue.Queue[Shard | None]", shard: Shard) -> bool:
    try:
        orders.put_nowait(shard)
    except queue.Full:
        return False
    return True


def _next_outcome(
    answers: "queue.SimpleQueue[tuple[str, Any]]", advance: Advance
) -> Generator[Outcome, None, int]:
    """Wait for an answer; return 1 where it ends a shard."""
    kind, value = answers.get()
    if kind == "pictures":
        advance(value)
        return 0
    if kind == "broken":
        raise value
    yield value
    return 1


class _Worker(threading.Thread):
    """A thread that looks after one process."""

    def __init__(
        self, job: Job, orders: "queue.Queue[Shard | None]", answers: "queue.SimpleQueue[tuple[str, Any]]"
    ) -> None:
        super().__init__(daemon=True, name="edgedigits-worker")
        self._job = job
        self._orders = orders
        self._answers = answers
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._ended = False

    def run(self) -> None:
        """Hand over shards until there are no more."""
        try:
            while not self._ended and (shard := self._orders.get()) is not _NO_MORE:
                self._answers.put(("outcome", self._outcome(shard)))
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits for answers
            if not self._ended:
                self._answers.put(("broken", error))
        finally:
            self._bury()

    def end(self) -> None:
        """End the process at once; what it was doing leaves a hidden file."""
        with self._lock:
            self._ended = True
            if self._process is not None:
                self._process.kill()

    def _outcome(self, shard: Shard) -> Outcome:
        for _ in range(TRIES):
            counted = 0
            try:
                process = self._alive()
                assert process.stdin is not None and process.stdout is not None  # noqa: PT018, S101 - both are pipes
                pickle.dump(shard, process.stdin)
                process.stdin.flush()
                while True:
                    kind, value = pickle.load(process.stdout)  # noqa: S301 - from the process that we started
                    if kind == "done":
                        return Outcome(shard, value)
                    if kind == "failed":
                        if isinstance(value, SourceError):
                            return Outcome(shard, error=value)
                        raise value
                    counted += value
                    self._answers.put((kind, value))
            except (EOFError, BrokenPipeError, pickle.UnpicklingError):
                self._answers.put(("pictures", -counted))
                status = self._bury()
                if self._ended:
                    raise
        piece = shard.pieces[0]
        return Outcome(
            shard,
            error=SourceError(
                f"{piece.name}: the process that read {shard.rows:,} pictures from row {piece.part.start:,} on died "
                f"{TRIES} times (status {status}); give it more memory, or fewer --workers"
            ),
        )

    def _alive(self) -> "subprocess.Popen[bytes]":
        with self._lock:
            if self._ended:
                raise EOFError
            if self._process is None:
                self._process = subprocess.Popen(
                    run_module("edgedigits.score.worker"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
                )
                assert self._process.stdin is not None  # noqa: S101 - a pipe
                pickle.dump(self._job, self._process.stdin)
            return self._process

    def _bury(self) -> int:
        with self._lock:
            process, self._process = self._process, None
        if process is None:
            return 0
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # What is still in it cannot be written.
                    pipe.close()
        process.kill()
        return process.wait()
