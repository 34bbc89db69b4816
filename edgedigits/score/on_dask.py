"""Shards on a cluster of Dask: a task each, and the worker itself writes the file, so the folder has to be shared.

A task that a dying worker leaves goes to another one, and one that the scheduler gives up is handed in again; what is
done twice writes the same bytes under the same name. Workers may come and go. Only so many tasks are with the scheduler
as keep all threads busy.
"""

import asyncio
import concurrent.futures
import contextlib
import logging
import os
import re
import secrets
from collections import Counter
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

from edgedigits.errors import ClusterError, SourceError
from edgedigits.extras import extra
from edgedigits.score.job import Advance, Job
from edgedigits.score.plan import Shard
from edgedigits.score.processes import TRIES, Outcome
from edgedigits.score.shards import Done

if TYPE_CHECKING:
    from distributed import Client, Future

LOCAL, ENVIRONMENT = "local", "env"
"""In the place of an address: a cluster of this machine for this run; what Dask's configuration says."""
CONNECT = "15s"
"""How long a scheduler is waited for."""
_GOODBYE = 3.0
"""Seconds that a client takes at most to leave, and that a scheduler takes to say that it is there."""
_WAITING_PER_THREAD = 3
_CANCELLED = "cancelled"
"""What becomes of all tasks when their scheduler is away."""
_ADDRESS = re.compile(r"(?:[a-z]+://)?[^/\s]+:\d+\Z")


def do_shard(job: Job, shard: Shard) -> Done:
    """Do a shard: the task that a worker runs."""
    return job.run(shard, lambda _count: None)


def run_on_dask(
    job: Job, shards: Iterator[Shard], advance: Advance, address: str, workers: int
) -> Generator[Outcome, None, None]:
    """Do shards on a cluster, in any order.

    Args:
        job: what they have in common.
        shards: those that are not done yet.
        advance: is told of pictures that are done.
        address: of the scheduler, ``local`` or ``env``.
        workers: processes of a local cluster.

    Raises:
        ClusterError: the scheduler cannot be reached, or went away.
        OutputError, ModelFileError, ImageError: no other shard could be done either.
        MissingExtraError: Dask is not installed.
    """
    with extra("dask", "--dask"):
        from distributed import as_completed
        from distributed.comm import CommClosedError
    away = (CommClosedError, asyncio.CancelledError, concurrent.futures.CancelledError)
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(_client(address, workers))
        run = secrets.token_hex(4)  # Dask keeps results by name, and an earlier run's are none of this one.
        futures: dict[Future[Done], Shard] = {}
        given_up: Counter[int] = Counter()
        done = as_completed(loop=client.loop)
        stack.callback(_forget, futures)

        def submit(shard: Shard) -> None:
            key = f"edgedigits-{run}-{shard.number:05d}-{given_up[shard.number]}"
            future = client.submit(do_shard, job, shard, key=key, pure=False, retries=0)
            futures[future] = shard
            done.add(future)

        while True:
            try:
                while len(futures) < _room(client) and (shard := next(shards, None)) is not None:
                    submit(shard)
                if not futures:
                    return
                future = next(done)
                shard = futures.pop(future)
                try:
                    outcome = _outcome(shard, future, address)
                except away:
                    given_up[shard.number] += 1
                    if given_up[shard.number] == TRIES or not _is_there(client):
                        raise
                    submit(shard)
                    continue
            except away as error:
                futures.clear()
                raise _gone(address) from error
            if outcome.done is not None:
                advance(outcome.done.rows)
            yield outcome


def _gone(address: str) -> ClusterError:
    return ClusterError(
        f"{address}: the scheduler went away; start it, and the same command goes on where it stopped"
    )


def _outcome(shard: Shard, future: "Future", address: str) -> Outcome:
    from distributed import KilledWorker

    try:
        # Where the worker that held the result died, this waits until another one has it.
        done: Done = future.result()
    except SourceError as error:
        return Outcome(shard, error=error)
    except ModuleNotFoundError as error:
        raise ClusterError(
            f"{address}: a worker has no {error.name}: pip install 'edgedigits[dask]' where the workers are"
        ) from error
    except KilledWorker:
        piece = shard.pieces[0]
        return Outcome(
            shard,
            error=SourceError(
                f"{piece.name}: {TRIES} workers died that read {shard.rows:,} pictures from row {piece.part.start:,} "
                "on; give them more memory"
            ),
        )
    return Outcome(shard, done)


def _is_there(client: "Client") -> bool:
    """Tell whether a scheduler answers."""
    if client.scheduler is None:
        return False
    try:
        client.sync(client.scheduler.identity, callback_timeout=_GOODBYE)
    except (OSError, TimeoutError, asyncio.TimeoutError):
        return False
    return True


def _room(client: "Client") -> int:
    """Return how many tasks are to be with the scheduler: more when workers come."""
    threads: int = sum(
        worker["nthreads"] for worker in client.scheduler_info(n_workers=-1)["workers"].values()
    )
    return _WAITING_PER_THREAD * max(1, threads)


def _forget(futures: "dict[Future, Shard]") -> None:
    for future in futures:
        if future.status != _CANCELLED:  # A scheduler that is gone has nothing to be told.
            future.cancel()


@contextlib.contextmanager
def _client(address: str, workers: int) -> "Iterator[Client]":
    import dask.config
    from distributed import Client, LocalCluster

    settings: dict[str, Any] = {
        "distributed.comm.timeouts.connect": CONNECT,
        "distributed.scheduler.allowed-failures": TRIES,
    }
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(settings))
        stack.enter_context(_quiet())
        if address == LOCAL:
            stack.enter_context(_safe_path())
            target: Any = stack.enter_context(
                LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    dashboard_address="127.0.0.1:0",
                    silence_logs=logging.CRITICAL,
                )
            )
        else:
            target = dask.config.get("scheduler-address", None) if address == ENVIRONMENT else address
        if target is None:
            raise ClusterError(
                "env: no address is set; set DASK_SCHEDULER_ADDRESS, or give --dask the address"
            )
        if isinstance(target, str) and not _ADDRESS.match(target):
            raise ClusterError(f"{target}: no address of a Dask scheduler; name one like tcp://host:8786")
        try:
            client = Client(target, timeout=CONNECT, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ClusterError(
                f"{target}: no Dask scheduler answers; start one with `dask scheduler`, or check the address"
            ) from error
        try:
            yield client
        finally:
            with contextlib.suppress(TimeoutError):  # A scheduler that went away says no good-bye.
                client.close(timeout=_GOODBYE)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what Dask logs of workers and schedulers that go away off the terminal: it becomes lines of our own."""
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextlib.contextmanager
def _safe_path() -> Iterator[None]:
    """Let processes that multiprocessing starts meanwhile not import from the working directory (Python 3.11 on)."""
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("PYTHONSAFEPATH", None)
        else:
            os.environ["PYTHONSAFEPATH"] = before
