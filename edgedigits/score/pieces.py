"""Pieces for pipelines of other engines: callables that are pickled by the path of their model.

Each opens the model once in every process that it comes to. ``ScoreBatches`` takes what Dask's ``map_partitions``, Ray
Data's ``map_batches`` and pyarrow hand over; ``make_predict_fn`` is for Spark's ``predict_batch_udf``.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from edgedigits.errors import ArgumentError, ImageError, ImageTypeError
from edgedigits.score.columns import Rows
from edgedigits.score.options import Options
from edgedigits.score.scorer import NO_ANSWERS, Scorer
from edgedigits.sources.levels import batches_of, factor_of, sides_of
from edgedigits.sources.parquet_columns import Layout, rows_of_bytes, rows_of_numbers, with_sides
from edgedigits.sources.parts import Batch

_NAME = "images"
ANSWERS = ("digit", "confidence", "margin", "sure", "error")
"""Columns that are added where none are chosen."""
NOT_READ = {"digit": -1, "sure": False}
"""What numpy has in the place of a null, where it has no NaN."""


class ScoreBatches:
    """Adds answers to batches of a table: a ``dict`` of numpy arrays, a pyarrow table or batch, a pandas frame.

    What comes back is what was given, without the column of images, and with a column for each answer. The images are
    arrays of uint8 (n, 28, 28) or (n, 784), which are read as they are; lists of numbers; or picture files: bytes,
    paths, or ``{"bytes": ..., "path": ...}`` as Hugging Face's datasets keep them. Those are brought into MNIST form.

    Examples:
        >>> ddf.map_partitions(ScoreBatches(), meta=ScoreBatches()(ddf._meta))  # doctest: +SKIP
        >>> ds.map_batches(ScoreBatches, fn_constructor_kwargs={"column": "image"}, concurrency=2)  # doctest: +SKIP
    """

    def __init__(
        self,
        column: str = "image",
        *,
        model: "str | os.PathLike[str] | None" = None,
        columns: Sequence[str] = ANSWERS,
        preparation: str = "by-shape",
        min_margin: int | float | None = None,
        keep: bool = False,
    ) -> None:
        """Take the choices; the model is opened when the first batch comes.

        Args:
            column: of the images.
            model: as ``DigitPredictor`` takes it.
            columns: answers, out of digit, confidence, margin, margin_steps, sure, error, probabilities.
            preparation: one of ``options.PREPARATIONS``.
            min_margin: as ``DigitPredictor`` takes it.
            keep: whether the column of images stays.

        Raises:
            ArgumentError: a choice is none.
            ModelNotFoundError, ModelFileError: there is no such model.
        """
        if foreign := {"source", "key", "target"}.intersection(columns):
            raise ArgumentError(f"columns: {', '.join(sorted(foreign))} is the caller's own; leave it out")
        options = Options(columns=columns, preparation=preparation, min_margin=min_margin)
        self._scorer = Scorer(None if model is None else Path(model), options)
        self._column = column
        self._keep = keep

    def __call__(self, batch: Any) -> Any:
        """Return a batch with answers, of the kind that was given.

        Args:
            batch: ``dict[str, ndarray]``, ``pyarrow.Table``, ``pyarrow.RecordBatch`` or ``pandas.DataFrame``.

        Raises:
            ImageTypeError: it is none of these, or has no such column.
            ImageError: its images are no pictures in any form.
        """
        if isinstance(batch, (pa.Table, pa.RecordBatch)):
            return self._of_arrow(batch)
        names = list(batch) if isinstance(batch, Mapping) else list(getattr(batch, "columns", ()))
        if self._column not in names:
            found = ", ".join(map(str, names)) or type(batch).__name__
            raise ImageTypeError(
                f"expected a column {self._column} of images, found {found}; name the column"
            )
        values = batch[self._column]
        if isinstance(batch, Mapping):
            answers = as_arrays(self.answers(values))
            kept = {name: value for name, value in batch.items() if self._keep or name != self._column}
            return {**kept, **answers}
        rows = self.answers(values.to_numpy())
        frame = batch if self._keep else batch.drop(columns=self._column)
        return frame.assign(
            **{name: type(values)(part, index=batch.index) for name, part in as_arrays(rows).items()}
        )

    def answers(self, values: Any) -> pa.RecordBatch:
        """Read the digits in a column of images.

        Args:
            values: see the class; an array, a column of arrow, or one object for each image.

        Raises:
            SourceError: they are no images of any form.
        """
        probabilities: list[npt.NDArray[np.float32]] = []
        errors: dict[int, str] = {}
        count = 0
        for batch in batches_of_column(values):
            answers, unread = self._scorer.answers(batch.images, batch.encoded)
            probabilities.append(answers)
            errors |= {count + position: text for position, text in unread.items()}
            count += len(batch)
        found = np.concatenate(probabilities or [NO_ANSWERS])
        rows = self._scorer.table(Rows("", 0, count, None, None, found, errors))
        return rows.select(self._scorer.options.columns)

    def _of_arrow(self, batch: "pa.Table | pa.RecordBatch") -> Any:
        if self._column not in batch.schema.names:
            raise ImageTypeError(
                f"expected a column {self._column} of images, found {', '.join(batch.schema.names)}; name the column"
            )
        column = batch.column(self._column)
        answers = self.answers(column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column)
        table = pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
        table = table if self._keep else table.drop_columns([self._column])
        for name, part in zip(answers.schema.names, answers.columns, strict=True):
            table = table.append_column(name, part)
        if isinstance(batch, pa.Table):
            return table
        columns = [part.chunk(0) if part.num_chunks else pa.array([], part.type) for part in table.columns]
        return pa.RecordBatch.from_arrays(columns, schema=table.schema)


def make_predict_fn(
    model: "str | os.PathLike[str] | None" = None,
    *,
    columns: Sequence[str] = ("digit", "confidence", "margin", "sure"),
    preparation: str = "by-shape",
    min_margin: int | float | None = None,
) -> Callable[[Any], dict[str, npt.NDArray[Any]]]:
    """Return what Spark's ``predict_batch_udf`` calls with each batch of images.

    Examples:
        >>> udf = predict_batch_udf(make_predict_fn, return_type=answer, batch_size=4096)  # doctest: +SKIP

    Args:
        model: as ``ScoreBatches`` takes it, and so are all others.
        columns: of the answers.
        preparation: whether images are brought into MNIST form.
        min_margin: least lead of an answer that is sure.
    """
    scorer = ScoreBatches(model=model, columns=columns, preparation=preparation, min_margin=min_margin)
    return partial(_predict, scorer)


def _predict(scorer: ScoreBatches, images: Any) -> dict[str, npt.NDArray[Any]]:
    """Return answers as Spark takes them: it has no boolean here, so ``sure`` is 0 or 1."""
    arrays = as_arrays(scorer.answers(images))
    return {name: part.astype(np.int8) if part.dtype == bool else part for name, part in arrays.items()}


def as_arrays(rows: pa.RecordBatch) -> dict[str, npt.NDArray[Any]]:
    """Return answers as numpy arrays: NaN, -1 or False stand for a picture that could not be read."""
    arrays = {}
    for name, column in zip(rows.schema.names, rows.columns, strict=True):
        if name == "probabilities":
            flat = column.flatten().to_numpy() if not column.null_count else None
            arrays[name] = _probabilities(column) if flat is None else flat.reshape(len(column), -1)
        elif name == "error":
            arrays[name] = column.to_numpy(zero_copy_only=False)
        else:
            arrays[name] = column.fill_null(NOT_READ.get(name, _nothing(column.type))).to_numpy(
                zero_copy_only=False
            )
    return arrays


def _nothing(kind: pa.DataType) -> float | int:
    return float("nan") if pa.types.is_floating(kind) else -1


def _probabilities(column: pa.Array) -> npt.NDArray[np.float32]:
    nothing = [float("nan")] * column.type.list_size
    return np.array([nothing if row is None else row for row in column.to_pylist()], np.float32)


def batches_of_column(values: Any) -> "Iterator[Batch]":
    """Yield a column of images as batches: numbers of one size, or picture files.

    Args:
        values: an array of numbers, a column of arrow, or an object for each image.

    Raises:
        SourceError: they are numbers, and no images.
    """
    if isinstance(values, pa.Array):
        values = _of_arrow(values)
    column: Any = values if isinstance(values, np.ndarray) else np.asarray(values, object)
    if column.dtype == object or column.ndim < 2:
        column = _stacked(list(column))
    if isinstance(column, np.ndarray):
        sides = sides_of(_NAME, column.shape)
        yield from batches_of(0, column, sides, factor_of(_NAME, column.dtype, [column]), None)
    elif column:
        yield Batch(0, encoded=[_file(one) for one in column])


def _of_arrow(column: pa.Array) -> Any:
    """Return a column of arrow: numbers of one size without a copy, all else as objects."""
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    types, kind = pa.types, column.type
    first = next((one.as_py() for one in column if one.is_valid), None)
    is_list = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    if is_list and first is not None:
        sides = with_sides(_NAME, Layout("numbers", (_NAME,), None), first).sides
        numbers = rows_of_numbers(column, sides)
        if numbers is not None:
            return numbers.reshape(-1, *sides)
    if types.is_fixed_size_binary(kind) and first is not None:
        layout = with_sides(_NAME, Layout("bytes", (_NAME,), None), first)
        numbers = rows_of_bytes(column, kind.byte_width) if layout.kind == "bytes" else None
        if numbers is not None:
            return numbers.reshape(-1, *layout.sides)
    return column.to_pylist()


def _stacked(objects: list[Any]) -> "npt.NDArray[Any] | list[Any]":
    """Return objects as one array where all are numbers of one size, or pixels as bytes."""
    first = objects[0] if objects else None
    if isinstance(first, bytes):
        layout = with_sides(_NAME, Layout("bytes", (_NAME,), None), first)
        if layout.kind == "bytes" and all(
            isinstance(one, bytes) and len(one) == len(first) for one in objects
        ):
            return np.frombuffer(b"".join(objects), np.uint8).reshape(-1, *layout.sides)
    elif objects and all(isinstance(one, (np.ndarray, list, tuple)) for one in objects):
        # Rows of rows come as objects in objects from pandas.
        arrays = [np.array(_plain(one)) for one in objects]
        if len({array.shape for array in arrays}) == 1 and arrays[0].dtype != object:
            return np.stack(arrays)
        return arrays
    return objects


def _plain(value: Any) -> Any:
    """Return nested sequences as lists."""
    if isinstance(value, np.ndarray):
        return value if value.dtype != object else [_plain(one) for one in value]
    return value


def _file(value: Any) -> Any:
    """Return a picture file: its bytes, or its path; of what Hugging Face keeps, the bytes where there are any."""
    if isinstance(value, Mapping):
        value = value.get("bytes") or value.get("path")
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, (str, bytes, os.PathLike, np.ndarray)):
        return value
    return ImageError(f"cannot be read: no picture, but {type(value).__name__}; leave it out")
