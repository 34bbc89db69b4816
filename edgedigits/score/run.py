"""``score``: pictures from any sources, as a table in a folder that can be gone on with, or as batches of rows."""

import contextlib
import os
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa

from edgedigits.arguments import count_of
from edgedigits.errors import SourceError
from edgedigits.progress import SILENT, Progress
from edgedigits.score.job import Advance, Job, piece_rows
from edgedigits.score.options import Options
from edgedigits.score.plan import Planned, Shard, pieces_of, plan, shards
from edgedigits.score.processes import Outcome, run_here, run_in_processes
from edgedigits.score.receipt import new_receipt, opened_folder
from edgedigits.score.scorer import Scorer
from edgedigits.score.shards import Done

MOST_WORKERS = 1024
MOST_TOLD = 20
"""Sources that are told of one by one."""
Sources: TypeAlias = "Sequence[str | os.PathLike[str]]"


@dataclass(frozen=True)
class Summary:
    """What became of a run.

    Attributes:
        folder: of the table.
        pictures: how many the sources hold.
        rows: how many of them are in the table.
        errors: rows of pictures that could not be read.
        sure: rows whose answer is sure.
        shards: files of the table.
        done_before: how many of them were done by an earlier run.
        damaged: what is wrong with sources whose readable parts are in the table, a line each.
        failed: why shards are missing, a line each; the same call tries them again.
        seconds: that this run took.
        pictures_now: rows that this run wrote.
    """

    folder: Path
    pictures: int
    rows: int
    errors: int
    sure: int
    shards: int
    done_before: int
    damaged: tuple[str, ...]
    failed: tuple[str, ...]
    seconds: float
    pictures_now: int

    @property
    def complete(self) -> bool:
        """Whether every picture has its row."""
        return not self.failed and self.rows == self.pictures


def score(
    sources: Sources,
    out: "str | os.PathLike[str]",
    *,
    model: "str | os.PathLike[str] | None" = None,
    options: Options | None = None,
    workers: int | None = None,
    dask: str | None = None,
    restart: bool = False,
    fail_fast: bool = False,
    progress: Progress = SILENT,
) -> Summary:
    """Read the digits of all pictures in some sources into a table. The same call again goes on where it stopped.

    Args:
        sources: paths of folders of pictures (with those in folders inside) and of files that hold many.
        out: folder of the table.
        model: as ``DigitPredictor`` takes it.
        options: what the table holds and how it is made.
        workers: processes; by default 1 where all pictures are in MNIST form, else one for each core.
        dask: address of a Dask scheduler in the place of ``workers``; ``local`` for one on this machine, ``env`` for
            what Dask's own configuration says (``DASK_SCHEDULER_ADDRESS``).
        restart: whether what another run left in the folder is removed.
        fail_fast: whether the first picture that cannot be read ends all.
        progress: is shown how far it is.

    Raises:
        SourceError: a source is nothing that is known, or cannot be read.
        OutputError: the table cannot be written, or the folder is another run's.
        ModelFileError, ContractError, ModelNotFoundError: as ``DigitPredictor``.
        ArgumentError: a choice is none.
        ImageError: a picture cannot be read, with ``fail_fast``.
        ClusterError: the scheduler cannot be reached, or went away.
        MissingExtraError: pyarrow or Dask is not installed.
    """
    options, started = options or Options(), time.monotonic()
    if workers is not None:
        workers = count_of("workers", workers, 1, MOST_WORKERS)
    scorer = Scorer(_model_of(model), options, fail_fast=fail_fast)
    predictor = scorer.predictor
    planned = plan(sources, options)
    for line in told_of(planned, options):
        progress.note(line)
    count, pictures = 0, 0
    for shard in shards(planned, options):
        count, pictures = count + 1, pictures + shard.rows
    receipt = new_receipt(planned, options, predictor.model, scorer.sha256, predictor.min_margin, count)
    folder = Path(os.fspath(out))
    with opened_folder(folder, receipt, restart=restart):
        job = Job(scorer, folder.absolute(), receipt.id)
        run = _Run(job)
        with progress.task("pictures", pictures) as advance:
            left = run.left(shards(planned, options), advance)
            outcomes = _outcomes(job, left, advance, _workers(workers, planned, count, dask), dask)
            with contextlib.closing(outcomes):
                run.take(outcomes, progress)
        summary = run.summary(folder, pictures, count, time.monotonic() - started)
        receipt.write(folder, outcome_of(summary))
    return summary


def batches(
    sources: Sources,
    *,
    model: "str | os.PathLike[str] | None" = None,
    options: Options | None = None,
    fail_fast: bool = False,
) -> Iterator[pa.RecordBatch]:
    """Yield the rows that ``score`` writes, in the order of the sources; nothing is written, and memory stays flat.

    Args:
        sources: as ``score`` takes them, and so are all others.
        model: the network.
        options: what the rows hold.
        fail_fast: whether the first picture that cannot be read ends all.

    Raises:
        SourceError, ModelFileError, ImageError: as ``score``; also where a source is damaged, after its rows.
    """
    options = options or Options()
    scorer = Scorer(_model_of(model), options, fail_fast=fail_fast)
    damaged: list[str] = []
    for one in plan(sources, options):
        for piece in pieces_of(one):
            for rows in piece_rows(scorer, piece, damaged):
                yield scorer.table(rows).select(options.columns)
            if damaged:
                raise SourceError(damaged[0])


def told_of(planned: Sequence[Planned], options: Options) -> list[str]:
    """Say of each source what is in it, and how its pictures are read; of many the first, and how many more."""
    lines = []
    for one in planned[:MOST_TOLD]:
        if options.numbers is not None:
            how = "read as numbers"
        elif one.prepared:
            how = "brought into MNIST form"
        else:
            how = "28x28 arrays, read as they are" if one.source.in_mnist_form else "read as they are"
        notes = "".join(f"; {note}" for note in one.source.notes)
        lines.append(f"{one.name}: {one.source.rows:,} pictures, {how}{notes}")
    if more := len(planned) - MOST_TOLD:
        lines += [f"and {more:,} more sources"] if more > 0 else []
    return lines


def outcome_of(summary: Summary) -> dict[str, Any]:
    """Return how a run ended as its receipt keeps it: nothing of its time, so that two runs write the same."""
    return {
        "complete": summary.complete,
        "rows": summary.rows,
        "errors": summary.errors,
        "sure": summary.sure,
        "damaged": list(summary.damaged),
        "failed": list(summary.failed),
    }


class _Run:
    """The shards of a run, and what is counted of them."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._before: list[Done] = []
        self._now: list[Done] = []
        self._failed: dict[str, str] = {}

    def left(self, every: Iterator[Shard], advance: Advance) -> Iterator[Shard]:
        """Yield the shards that are not done."""
        for shard in every:
            if (done := self._job.find_done(shard)) is None:
                yield shard
            else:
                self._before.append(done)
                advance(done.rows)

    def take(self, outcomes: Iterator[Outcome], progress: Progress) -> None:
        """Take what becomes of shards, and say what is wrong: once of each source."""
        for one in outcomes:
            if one.done is not None:
                self._now.append(one.done)
                lines = one.done.damaged
            else:
                name = one.shard.pieces[0].name
                lines = [] if name in self._failed else [str(one.error)]
                self._failed.setdefault(name, str(one.error))
            for line in lines:
                progress.note(line)

    def summary(self, folder: Path, pictures: int, count: int, seconds: float) -> Summary:
        """Return what became of the run."""
        every = [*self._before, *self._now]
        return Summary(
            folder=folder,
            pictures=pictures,
            rows=sum(done.rows for done in every),
            errors=sum(done.errors for done in every),
            sure=sum(done.sure for done in every),
            shards=count,
            done_before=len(self._before),
            damaged=tuple(sorted({line for done in every for line in done.damaged})),
            failed=tuple(self._failed.values()),
            seconds=seconds,
            pictures_now=sum(done.rows for done in self._now),
        )


def _outcomes(
    job: Job, left: Iterator[Shard], advance: Advance, workers: int, dask: str | None
) -> Generator[Outcome, None, None]:
    if dask is not None:
        from edgedigits.score.on_dask import run_on_dask

        return run_on_dask(job, left, advance, dask, workers)
    return run_here(job, left, advance) if workers == 1 else run_in_processes(job, left, advance, workers)


def _workers(asked: int | None, planned: Sequence[Planned], count: int, dask: str | None) -> int:
    """Return how many processes there are: no more than shards, and one for each core where pictures are prepared."""
    if asked is None:
        asked = cores() if dask is not None or any(one.prepared for one in planned) else 1
    return max(1, min(asked, count))


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _model_of(model: "str | os.PathLike[str] | None") -> Path | None:
    return None if model is None else Path(model)
