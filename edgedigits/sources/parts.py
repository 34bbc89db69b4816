"""What a place with many pictures is, a part of it that is read on its own, and the pictures that come out of it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from edgedigits.errors import ImageError

Form: TypeAlias = Literal["folder", "npy", "npz", "idx", "csv", "tar", "parquet"]
Images: TypeAlias = npt.NDArray[np.uint8]
Labels: TypeAlias = npt.NDArray[np.int64]

NO_LABEL = -1
"""Where a source has labels, and a picture in it has none."""
MOST_ENCODED = 32 << 20
"""Bytes of picture files in one batch, from which on the next one begins."""


@dataclass(frozen=True)
class Part:
    """A run of rows of one source that is read on its own. Small, and holds no open file: it goes to any process."""

    source: str
    """``Source.path`` of the source that it belongs to."""
    form: Form
    start: int
    """The first row, counted in the source."""
    count: int
    """Rows."""
    where: Any
    """What the reader of this form needs to go there at once."""


@dataclass(frozen=True)
class Batch:
    """Pictures in a row. Exactly one of ``images`` and ``encoded`` is there."""

    start: int
    """Row of the first, counted in the source."""
    keys: Sequence[str] | None = None
    """Names of the pictures; None where the row is the only name."""
    images: Images | None = None
    """(n, h, w) uint8, C-contiguous, gray, 0 to 255 as stored."""
    encoded: "Sequence[bytes | str | ImageError] | None" = None
    """Picture files: their bytes, a path to open, or what went wrong on the way to one."""
    labels: Labels | None = None
    """(n,) int64, where the source has them; ``NO_LABEL`` where it has none for this picture."""
    damaged: str | None = None
    """What is wrong with the source, where these rows could not be reached at all and ``encoded`` is the same error for
    each."""

    def __len__(self) -> int:
        if self.images is not None:
            return len(self.images)
        return len(self.encoded or ())


@dataclass(frozen=True)
class Source:
    """What a path turned out to be: pictures of one form, in one order."""

    path: str
    """As the user named it; of what lies in a folder that was named, the folder and the way in it; of an array in an
    ``.npz``, with ``:name`` behind it, unless it is the only one and called ``images`` or the like."""
    form: Form
    rows: int
    in_mnist_form: bool
    """Whether its pictures are arrays of 28x28."""
    has_labels: bool
    files: tuple[str, ...] = ()
    """Paths of the files that are read; none for a folder of pictures, whose files its parts name."""
    notes: tuple[str, ...] = ()
    """What a user has to be told of how it is read, each a half-sentence."""
    cut: Callable[[int], Iterator[Part]] = field(repr=False, compare=False, default=lambda _rows: iter(()))

    def parts(self, rows: int) -> Iterator[Part]:
        """Cut it into parts of about so many rows, in order. The same file gives the same parts every time.

        Args:
            rows: 1 or more. A file that is packed as one gives one part; a Parquet file gives whole row groups, or
                parts of one.
        """
        return self.cut(rows)
