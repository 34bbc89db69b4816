"""The work list: which shard of the table holds which pictures. The same sources always give the same list."""

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from edgedigits.errors import SourceError
from edgedigits.files import open_file, reason
from edgedigits.score.options import Options
from edgedigits.sources.parts import Part, Source
from edgedigits.sources.read import open_source

PART_ROWS = 65_536
"""Rows of a part of a source of arrays, about: what one damaged place in it costs at most."""
WHOLE_UP_TO = 64 << 20
"""Bytes of a source that is hashed as a whole, within a tenth of a second."""
SAMPLES, SAMPLE = 16, 1 << 20
"""Of a larger one, so many places of so many bytes are hashed, the first and the last among them."""


@dataclass(frozen=True)
class Planned:
    """A source, and what a run makes of it."""

    name: str
    """As the user named it."""
    source: Source
    prepared: bool
    """Whether its pictures are brought into MNIST form."""
    stamps: "tuple[Stamp, ...]"
    """Of its files; none of the pictures in a folder."""

    @cached_property
    def fingerprint(self) -> dict[str, Any]:
        """By what the source is known again: ``size`` in bytes and a hash of its files, or of a folder's list.

        A whole hash of 10 GB would take as long as its pictures. So of a file of more than 64 MiB sixteen places are
        hashed, and its time must be the same as well. Of a folder of pictures the hash is of names, sizes and times.

        Raises:
            SourceError: it is not there any more.
        """
        return _of_files(self) if self.stamps else _of_folder(self)

    def rows_in_a_shard(self, options: Options) -> int:
        """Return how many of its pictures a shard has, about."""
        if not self.prepared or options.shard_rows is not None:
            return options.rows_in_a_shard(self.prepared)
        return options.rows_in_a_shard(self.prepared, self.fingerprint["size"] / max(1, self.source.rows))


@dataclass(frozen=True)
class Stamp:
    """By what a change of a file is noticed at once."""

    file: str
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Piece:
    """A part of a source, with what the table calls the source, and whether its pictures are prepared."""

    name: str
    part: Part
    stamps: tuple[Stamp, ...]
    prepared: bool

    def check(self) -> None:
        """Raise ``SourceError`` where the source has changed since it was opened."""
        check_stamps(self.name, self.stamps)


@dataclass(frozen=True)
class Shard:
    """A run of pictures that become one file of the table: small, and pickled for whoever does the work."""

    number: int
    pieces: tuple[Piece, ...]

    @property
    def rows(self) -> int:
        """How many pictures these are."""
        return sum(piece.part.count for piece in self.pieces)

    def contents(self) -> list[list[Any]]:
        """Return what is in it, as its record keeps it: the name of each source, its first row and how many."""
        return [[piece.name, piece.part.start, piece.part.count] for piece in self.pieces]


def plan(sources: Sequence[str | os.PathLike[str]], options: Options) -> list[Planned]:
    """Look at what the sources are.

    They are opened by their absolute path, so that a worker need not have this working directory.

    Args:
        sources: paths of files and folders.
        options: what is chosen of the run.

    Raises:
        SourceError: one of them cannot be read, or is nothing that is known.
    """
    planned = []
    for named in sources:
        name = os.fspath(named)
        absolute = str(Path(name).absolute())
        for source in open_source(absolute):
            shown = name + source.path.removeprefix(absolute)
            stamps = tuple(_stamp(shown, file) for file in source.files)
            planned.append(Planned(shown, source, options.prepares(source.in_mnist_form), stamps))
    if not sum(one.source.rows for one in planned):
        raise SourceError(
            f"{', '.join(map(str, sources))}: no pictures; name a folder or a file that holds some"
        )
    return planned


def pieces_of(one: Planned, rows: int = PART_ROWS) -> Iterator[Piece]:
    """Cut a source into pieces of at most so many rows, about, in order."""
    for part in one.source.parts(min(PART_ROWS, rows)):
        yield Piece(one.name, part, one.stamps, one.prepared)


def shards(planned: Sequence[Planned], options: Options) -> Iterator[Shard]:
    """Yield the shards in their order: parts one after the other until a shard is full.

    Args:
        planned: the sources.
        options: what is chosen of the run.
    """
    number, filled = 0, 0.0
    pieces: list[Piece] = []
    for one in planned:
        most = one.rows_in_a_shard(options)
        for piece in pieces_of(one, most):
            share = piece.part.count / most
            # A millionth, because the shares of a hundred parts do not quite sum to 1.
            if pieces and filled + share > 1 + 1e-6:
                yield Shard(number, tuple(pieces))
                number, filled, pieces = number + 1, 0.0, []
            pieces.append(piece)
            filled += share
    if pieces:
        yield Shard(number, tuple(pieces))


def _of_files(one: Planned) -> dict[str, Any]:
    digest, sampled = hashlib.sha256(), False
    for stamp in one.stamps:
        whole = stamp.size <= WHOLE_UP_TO
        sampled |= not whole
        with _told(one.name):
            _hash_file(digest, stamp, whole=whole)
    entry: dict[str, Any] = {"size": sum(stamp.size for stamp in one.stamps), "sha256": digest.hexdigest()}
    if sampled:
        entry |= {"sampled": True, "mtime_ns": [stamp.mtime_ns for stamp in one.stamps]}
    return entry


def check_stamps(name: str, stamps: Sequence[Stamp]) -> None:
    """Raise ``SourceError`` where a file of a source has changed, or is away.

    Args:
        name: of the source.
        stamps: of its files.
    """
    for stamp in stamps:
        if _stamp(name, stamp.file) != stamp:
            raise SourceError(
                f"{name}: has changed since the run began; let the old file be there, or begin again with --restart"
            ) from _CHANGED


_CHANGED = OSError(errno.ESTALE, "changed")
"""The cause of such an error: a reason of the system, not damage that would be told in rows."""


def _stamp(name: str, file: str) -> Stamp:
    with _told(name):
        found = os.stat(file)  # noqa: PTH116 - millions of paths as text
        return Stamp(file, found.st_size, found.st_mtime_ns)


@contextlib.contextmanager
def _told(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SourceError(f"{name}: cannot be read: {reason(error)}; put it back") from error


def _hash_file(digest: "hashlib._Hash", stamp: Stamp, *, whole: bool) -> None:
    with open_file(Path(stamp.file), stamp.size) as file:
        if whole:
            while content := file.read(SAMPLE):
                digest.update(content)
            return
        for place in range(SAMPLES):
            file.seek((stamp.size - SAMPLE) * place // (SAMPLES - 1))
            digest.update(file.read(SAMPLE))


def _of_folder(one: Planned) -> dict[str, Any]:
    """Hash names, sizes and times of a folder's pictures; one that is away counts as such."""
    digest, size = hashlib.sha256(), 0
    for part in one.source.parts(PART_ROWS):
        for name in part.where[0]:
            try:
                found = os.stat(os.path.join(os.fsencode(one.source.path), name))  # noqa: PTH116, PTH118
            except OSError:
                digest.update(name + b"\0-\n")
                continue
            digest.update(b"%s\0%d %d\n" % (name, found.st_size, found.st_mtime_ns))
            size += found.st_size
    return {"size": size, "sha256": digest.hexdigest()}
