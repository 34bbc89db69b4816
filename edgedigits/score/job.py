"""One shard from its pictures to its file: what every engine runs, in whatever process or machine."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from edgedigits.errors import SourceError
from edgedigits.score.ahead import ahead
from edgedigits.score.columns import Rows
from edgedigits.score.plan import Piece, Shard
from edgedigits.score.scorer import Scorer
from edgedigits.score.shards import Done, Unfinished, find_done, shard_name, told, write_record
from edgedigits.score.tables import table_writer
from edgedigits.sources.read import read_part
from edgedigits.version import __version__

AT_ONCE = 64
"""Pictures that are prepared before it is said how many are done: a large photograph takes a quarter of a second."""
ANSWERS_AHEAD = 16
"""Batches of answers that may wait, 160 KB each: while a row group is written, the network goes on."""
Advance = Callable[[int], None]
"""Say that so many more pictures are done."""


@dataclass(frozen=True)
class Job:
    """What all shards of a run have in common; it is pickled for whoever does the work."""

    scorer: Scorer
    folder: Path
    """Of the table, absolute."""
    receipt: str
    """Id of the run."""

    def find_done(self, shard: Shard) -> Done | None:
        """Return the record of a shard if it is done."""
        return find_done(self.folder, shard, self.scorer.options.table, self.receipt)

    def run(self, shard: Shard, advance: Advance) -> Done:
        """Read a shard's pictures and write its file and its record.

        Raises:
            SourceError: the system does not let its pictures be read, now. Nothing is written.
            ImageError: one cannot be read, where the first such ends all.
            OutputError: the file cannot be written.
            ModelFileError: the model is another one here, or gives no probabilities.
        """
        return self.write(shard, advance).finish()

    def write(self, shard: Shard, advance: Advance) -> "Written":
        """Read a shard's pictures and write them under a hidden name; what comes back has to be finished.

        Raises:
            SourceError, ImageError, OutputError, ModelFileError: as ``run``. Nothing is left.
        """
        with told(self.folder):
            unfinished = Unfinished(self.folder, shard.number)
        try:
            return Written(self, shard, unfinished, self._counted(shard, unfinished, advance))
        except BaseException:
            unfinished.drop()
            raise

    def _counted(self, shard: Shard, unfinished: Unfinished, advance: Advance) -> "_Counts":
        options = self.scorer.options
        with told(self.folder):
            writer = table_writer(options.table, unfinished.file, options.columns, self._metadata(shard))
        counts = _Counts()
        # A thread reads, one is at the network, and this one writes.
        with contextlib.closing(ahead(self._rows(shard, counts.damaged), ANSWERS_AHEAD)) as every:
            for answers in every:
                rows = self.scorer.table(answers)
                counts.add(rows)
                with told(self.folder):
                    writer.write(rows.select(options.columns))
                advance(rows.num_rows)
        with told(self.folder):
            writer.close()
        return counts

    def _rows(self, shard: Shard, damaged: list[str]) -> Iterator[Rows]:
        for piece in shard.pieces:
            yield from piece_rows(self.scorer, piece, damaged)

    def _metadata(self, shard: Shard) -> dict[str, str]:
        return {
            "edgedigits": __version__,
            "edgedigits.model": self.scorer.sha256,
            "edgedigits.shard": str(shard.number),
        }


@dataclass(frozen=True)
class Written:
    """A shard whose file is whole, and still has a hidden name."""

    job: Job
    shard: Shard
    unfinished: Unfinished
    counts: "_Counts"

    def finish(self) -> Done:
        """Bring the file to the disk, give it its name, and write its record.

        Raises:
            OutputError: that cannot be done. Nothing is left.
        """
        job, file, counts = self.job, self.unfinished.file, self.counts
        name = shard_name(self.shard.number, job.scorer.options.table)
        try:
            with told(job.folder):
                self.unfinished.finish(name)
                done = Done(
                    job.receipt,
                    name,
                    file.size,
                    file.sha256(),
                    counts.rows,
                    counts.errors,
                    counts.sure,
                    self.shard.contents(),
                    counts.damaged,
                )
                write_record(job.folder, self.shard.number, done)
        finally:
            self.unfinished.drop()
        return done


class _Counts:
    """What is counted of a shard's rows."""

    def __init__(self) -> None:
        self.rows = self.errors = self.sure = 0
        self.damaged: list[str] = []

    def add(self, rows: pa.RecordBatch) -> None:
        """Count some rows."""
        self.rows += rows.num_rows
        self.errors += rows.num_rows - rows.column("error").null_count
        self.sure += pc.sum(rows.column("sure"), min_count=0).as_py()


def piece_rows(scorer: Scorer, piece: Piece, damaged: list[str]) -> Iterator[Rows]:
    """Yield the rows of a part of a source, in order, as many as it has pictures.

    Where the source is damaged, the rest of the part is rows with that error.

    Args:
        scorer: answers the pictures.
        piece: the part.
        damaged: takes a line about what is damaged.

    Raises:
        SourceError: the system does not let it be read, or it has changed since the run began.
        ImageError, ModelFileError: as ``Scorer.rows``.
    """
    part, read = piece.part, 0
    batch_rows = min(scorer.options.batch, AT_ONCE) if piece.prepared else scorer.options.batch
    try:
        for batch in ahead(read_part(part, batch_rows)):
            rows = scorer.rows(batch, piece.name)
            if batch.damaged is not None:
                piece.check()
                line = f"{piece.name}: {batch.damaged}"
                damaged += [] if line in damaged else [line]
            read += rows.count
            yield rows
    except SourceError as error:
        piece.check()
        if _may_pass(error) or read >= part.count:
            raise
        damaged.append(shown(error, piece))
        for start in range(read, part.count, scorer.options.batch):
            count = min(scorer.options.batch, part.count - start)
            yield scorer.damaged(piece.name, part.start + start, count, "its place in the source is damaged")
        return
    piece.check()
    if read != part.count:
        raise SourceError(
            f"{piece.name}: {read:,} pictures where there were {part.count:,} from row {part.start:,} on; copy it again"
        )


def shown(error: SourceError, piece: Piece) -> str:
    """Return what is wrong with a source that is called as its user named it."""
    return str(error).replace(piece.part.source, piece.name)


def _may_pass(error: BaseException | None) -> bool:
    """Tell whether the system had a reason that another try may not meet: a file that is away, a disk that fails."""
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            return True
        error = error.__cause__
    return False
