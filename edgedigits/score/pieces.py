"""Pieces for pipelines of other engines: callables that are pickled by the path of their model.

Each opens the model once in every process that it comes to. ``ScoreBatches`` takes what Dask's ``map_partitions``, Ray
Data's ``map_batches`` and pyarrow hand over; ``make_predict_fn`` is for Spark's ``predict_batch_udf``.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from edgedigits.errors import ArgumentError, ImageError, ImageTypeError
from edgedigits.score.columns import Rows
from edgedigits.score.options import Options
from edgedigits.score.scorer import Scorer
from edgedigits.sources.levels import as_images, factor_of, sides_of

ANSWERS = ("digit", "confidence", "margin", "sure", "error")
"""Columns that are added where none are chosen."""
NOT_READ = {"digit": -1, "sure": False}
"""What numpy has in the place of a null, where it has no NaN."""


class ScoreBatches:
    """Adds answers to batches of a table: a ``dict`` of numpy arrays, a pyarrow table or batch, a pandas frame.

    >>> ddf.map_partitions(ScoreBatches(), meta=ScoreBatches()(ddf._meta))  # doctest: +SKIP
    >>> ds.map_batches(ScoreBatches, fn_constructor_kwargs={"column": "image"}, concurrency=2)  # doctest: +SKIP

    What comes back is what was given, without the column of images, and with a column for each answer. The images are
    arrays of uint8 (n, 28, 28) or (n, 784), which are read as they are; lists of numbers; or picture files: bytes,
    paths, or ``{"bytes": ..., "path": ...}`` as Hugging Face's datasets keep them. Those are brought into MNIST form.
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
            values: see the class; an array, or one object for each image.
        """
        images, encoded = pictures_of(values)
        probabilities, errors = self._scorer.answers(images, encoded)
        rows = Rows("", 0, len(probabilities) + len(errors), None, None, probabilities, errors)
        return self._scorer.table(rows).select(self._scorer.options.columns)

    def _of_arrow(self, batch: "pa.Table | pa.RecordBatch") -> Any:
        if self._column not in batch.schema.names:
            raise ImageTypeError(
                f"expected a column {self._column} of images, found {', '.join(batch.schema.names)}; name the column"
            )
        column = batch.column(self._column)
        column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        answers = self.answers(_from_arrow(column))
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

    >>> udf = predict_batch_udf(make_predict_fn, return_type="struct<digit:int,...>", batch_size=4096)  # doctest: +SKIP

    Args:
        model: as ``ScoreBatches`` takes it, and so are all others.
        columns: of the answers.
        preparation: whether images are brought into MNIST form.
        min_margin: least lead of an answer that is sure.
    """
    scorer = ScoreBatches(model=model, columns=columns, preparation=preparation, min_margin=min_margin)
    return partial(_predict, scorer)


def _predict(scorer: ScoreBatches, images: Any) -> dict[str, npt.NDArray[Any]]:
    return as_arrays(scorer.answers(images))


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


def pictures_of(values: Any) -> "tuple[npt.NDArray[np.uint8] | None, list[Any] | None]":
    """Return a column of images as arrays of one size, or one by one.

    Args:
        values: an array of numbers, or an object for each image.

    Raises:
        ImageError: they are no pictures.
    """
    column = np.asarray(values) if not isinstance(values, np.ndarray) else values
    if column.dtype.kind in "biuf" and column.ndim >= 2:
        return _images(column), None
    objects = list(column)
    if objects and all(isinstance(one, (np.ndarray, list, tuple)) for one in objects):
        try:
            return _images(np.stack([np.asarray(one) for one in objects])), None
        except ValueError:
            return None, [np.asarray(one) for one in objects]
    return None, [_file(one) for one in objects]


def _images(column: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return numbers as images; floats from 0 to 1 are ink."""
    sides = sides_of("images", column.shape)
    return as_images("images", column, sides, factor_of("images", column.dtype, [column]))


def _file(value: Any) -> Any:
    """Return a picture file: its bytes, or its path; of what Hugging Face keeps, the bytes where there are any."""
    if isinstance(value, Mapping):
        value = value.get("bytes") or value.get("path")
    if isinstance(value, (str, bytes, bytearray, memoryview, os.PathLike)):
        return value
    return ImageError(f"no picture, but {type(value).__name__}")


def _from_arrow(column: pa.Array) -> Any:
    """Return a column of arrow: numbers of fixed lists and binaries without a copy, all else as objects."""
    kind = column.type
    if isinstance(kind, pa.ExtensionType):
        column, kind = column.storage, column.type.storage_type
    if column.null_count == 0 and pa.types.is_fixed_size_list(kind) and pa.types.is_integer(kind.value_type):
        return column.flatten().to_numpy().reshape(len(column), kind.list_size)
    if column.null_count == 0 and pa.types.is_fixed_size_binary(kind):
        content = np.frombuffer(column.buffers()[1], np.uint8)
        rows = content.reshape(-1, kind.byte_width)
        return rows[column.offset : column.offset + len(column)]
    objects = np.empty(len(column), object)
    objects[:] = [np.asarray(one) if isinstance(one, list) else one for one in column.to_pylist()]
    return objects
