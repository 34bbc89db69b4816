"""What can be chosen of a run of scoring, checked before anything is read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgedigits.arguments import count_of, min_margin_of
from edgedigits.errors import ArgumentError, ArgumentTypeError
from edgedigits.numbers.pattern import Form

COLUMNS = ("source", "key", "digit", "confidence", "margin", "sure", "error")
"""Columns that a table has where none are chosen."""
MORE_COLUMNS = ("margin_steps", "probabilities", "target")
"""Those that can be chosen besides. ``target`` is the label that a source has."""
NUMBER_COLUMNS = ("source", "key", "text", "confidence", "margin", "sure", "error")
"""Columns of a table of numbers where none are chosen: of the least certain digit, and of the least lead."""
MORE_NUMBER_COLUMNS = ("margin_steps", "target")
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
        columns: names out of ``COLUMNS`` and ``MORE_COLUMNS``, in the order of the table; of numbers, out of
            ``NUMBER_COLUMNS`` and ``MORE_NUMBER_COLUMNS``, which then are the default.
        preparation: one of ``PREPARATIONS``.
        min_margin: least lead of an answer that is sure, as ``DigitPredictor`` takes it; None for the file's own.
        table: one of ``TABLES``.
        batch: pictures that are read and answered at once, 1 to 65,536.
        shard_rows: pictures in a shard, about; None for 500,000 arrays, or 2,000 pictures that are prepared, fewer
            where they are large.
        numbers: what the numbers are like that are read in place of single digits; None for single digits.

    Raises:
        ArgumentError: one of them is none of these.
    """

    columns: Sequence[str] = COLUMNS
    preparation: str = PREPARATIONS[0]
    min_margin: int | float | None = None
    table: str = TABLES[0]
    batch: int = BATCH
    shard_rows: int | None = None
    numbers: Form | None = None

    def __post_init__(self) -> None:
        if self.numbers is not None and self.columns is COLUMNS:
            object.__setattr__(self, "columns", NUMBER_COLUMNS)
        object.__setattr__(self, "columns", _columns_of(self.columns, self.known_columns))
        _one_of("preparation", self.preparation, PREPARATIONS)
        if self.numbers is not None and self.preparation != PREPARATIONS[0]:
            raise ArgumentError(
                f"preparation: numbers are read in whole pictures, leave out {self.preparation}"
            )
        _one_of("table", self.table, TABLES)
        if self.min_margin is not None:
            object.__setattr__(self, "min_margin", min_margin_of(self.min_margin))
        object.__setattr__(self, "batch", count_of("batch", self.batch, 1, MOST_AT_ONCE))
        if self.shard_rows is not None:
            rows = count_of("shard_rows", self.shard_rows, 1, MOST_IN_A_SHARD)
            object.__setattr__(self, "shard_rows", rows)

    @property
    def known_columns(self) -> tuple[str, ...]:
        """Names of all columns that can be chosen."""
        if self.numbers is not None:
            return (*NUMBER_COLUMNS, *MORE_NUMBER_COLUMNS)
        return (*COLUMNS, *MORE_COLUMNS)

    def prepares(self, in_mnist_form: bool) -> bool:
        """Tell whether pictures are brought into MNIST form, or read as numbers, which takes as long.

        Args:
            in_mnist_form: whether they are arrays of the right shape.
        """
        if self.numbers is not None:
            return True
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
            "numbers": None if self.numbers is None else self.numbers.as_object(),
            "columns": list(self.columns),
            "preparation": self.preparation,
            "table": self.table,
            "batch": self.batch,
            "arrays_in_a_shard": self.rows_in_a_shard(prepared=False),
            "pictures_in_a_shard": self.rows_in_a_shard(prepared=True),
        }


def _columns_of(columns: Any, names: tuple[str, ...]) -> tuple[str, ...]:
    known = ", ".join(names)
    if isinstance(columns, str) or not isinstance(columns, Sequence):
        raise ArgumentTypeError(f"columns: expected a list of names, got {type(columns).__name__}")
    if not columns:
        raise ArgumentError(f"columns: expected at least one of {known}")
    for name in columns:
        if name not in names:
            raise ArgumentError(f"columns: expected names out of {known}, got {name!r}")
    if len(set(columns)) < len(columns):
        raise ArgumentError("columns: one is named twice; name each once")
    return tuple(columns)


def _one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ArgumentError(f"{name}: expected one of {', '.join(known)}, got {value!r}")
