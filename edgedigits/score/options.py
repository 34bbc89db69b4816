"""What can be chosen of a run of scoring, checked before anything is read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgedigits.arguments import count_of, min_margin_of
from edgedigits.errors import ArgumentError, ArgumentTypeError

COLUMNS = ("source", "key", "digit", "confidence", "margin", "sure", "error")
"""Columns that a table has where none are chosen."""
MORE_COLUMNS = ("margin_steps", "probabilities", "target")
"""Those that can be chosen besides. ``target`` is the label that a source has."""
TABLES = ("parquet", "csv", "jsonl")
"""Forms of output."""
PREPARATIONS = ("by-shape", "as-is", "prepare")
"""Whether pictures are brought into MNIST form: all but 28x28 arrays, none, or all."""
BATCH = 4096
"""Pictures that are read and answered at once."""
MOST_AT_ONCE = 65_536
"""Of a batch: 51 MB of pixels."""
ARRAYS_IN_A_SHARD, PICTURES_IN_A_SHARD = 500_000, 2_000
"""Rows of a shard where none are chosen: a second or a few of work, which is what an interruption costs."""
BYTES_IN_A_SHARD = 128 << 20
"""Of pictures that are prepared, about: forty photographs of a telephone, ten seconds."""
MOST_IN_A_SHARD = 100_000_000


@dataclass(frozen=True)
class Options:
    """What a table holds, and how it is made: whatever changes a byte of it.

    Attributes:
        columns: names out of ``COLUMNS`` and ``MORE_COLUMNS``, in the order of the table.
        preparation: one of ``PREPARATIONS``.
        min_margin: least lead of an answer that is sure, as ``DigitPredictor`` takes it; None for the file's own.
        table: one of ``TABLES``.
        batch: pictures that are read and answered at once, 1 to 65,536.
        shard_rows: pictures in a shard, about; None for 500,000 arrays, or 2,000 pictures that are prepared, fewer
            where they are large.

    Raises:
        ArgumentError: one of them is none of these.
    """

    columns: Sequence[str] = COLUMNS
    preparation: str = PREPARATIONS[0]
    min_margin: int | float | None = None
    table: str = TABLES[0]
    batch: int = BATCH
    shard_rows: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", _columns_of(self.columns))
        _one_of("preparation", self.preparation, PREPARATIONS)
        _one_of("table", self.table, TABLES)
        if self.min_margin is not None:
            object.__setattr__(self, "min_margin", min_margin_of(self.min_margin))
        object.__setattr__(self, "batch", count_of("batch", self.batch, 1, MOST_AT_ONCE))
        if self.shard_rows is not None:
            rows = count_of("shard_rows", self.shard_rows, 1, MOST_IN_A_SHARD)
            object.__setattr__(self, "shard_rows", rows)

    def prepares(self, in_mnist_form: bool) -> bool:
        """Tell whether pictures are brought into MNIST form.

        Args:
            in_mnist_form: whether they are arrays of the right shape.
        """
        return self.preparation == "prepare" or (self.preparation == "by-shape" and not in_mnist_form)

    def rows_in_a_shard(self, prepared: bool, mean_bytes: float = 0) -> int:
        """Return how many pictures a shard has, about.

        Args:
            prepared: whether they are brought into MNIST form.
            mean_bytes: of a picture, as it lies in its source.
        """
        if self.shard_rows is not None:
            return self.shard_rows
        if not prepared:
            return ARRAYS_IN_A_SHARD
        return max(1, min(PICTURES_IN_A_SHARD, int(BYTES_IN_A_SHARD / max(1, mean_bytes))))

    def as_object(self) -> dict[str, Any]:
        """Return the choices as a receipt keeps them."""
        return {
            "columns": list(self.columns),
            "preparation": self.preparation,
            "table": self.table,
            "batch": self.batch,
            "arrays_in_a_shard": self.rows_in_a_shard(prepared=False),
            "pictures_in_a_shard": self.rows_in_a_shard(prepared=True),
        }


def _columns_of(columns: Any) -> tuple[str, ...]:
    known = ", ".join((*COLUMNS, *MORE_COLUMNS))
    if isinstance(columns, str) or not isinstance(columns, Sequence):
        raise ArgumentTypeError(f"columns: expected a list of names, got {type(columns).__name__}")
    if not columns:
        raise ArgumentError(f"columns: expected at least one of {known}")
    for name in columns:
        if name not in (*COLUMNS, *MORE_COLUMNS):
            raise ArgumentError(f"columns: expected names out of {known}, got {name!r}")
    if len(set(columns)) < len(columns):
        raise ArgumentError("columns: one is named twice; name each once")
    return tuple(columns)


def _one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ArgumentError(f"{name}: expected one of {', '.join(known)}, got {value!r}")
