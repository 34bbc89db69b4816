"""Answers as columns of a table: all rows of a batch at once, and each value that of ``Prediction``."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from edgedigits.contract import CLASSES
from edgedigits.margins import STEPS, leads_of_two, two_largest
from edgedigits.numbers.reading import Reading
from edgedigits.score.arrow_arrays import flag_array, number_array, text_array

TYPES: Mapping[str, pa.DataType] = {
    "source": pa.dictionary(pa.int32(), pa.string()),
    "key": pa.string(),
    "digit": pa.int8(),
    "text": pa.string(),
    "confidence": pa.float32(),
    "margin": pa.float64(),
    "margin_steps": pa.int16(),
    "sure": pa.bool_(),
    "error": pa.string(),
    "probabilities": pa.list_(pa.float32(), CLASSES),
    "target": pa.int64(),
}


@dataclass(frozen=True)
class Rows:
    """Pictures in a row of one source, with what the network answered.

    Attributes:
        source: what messages and tables call the source.
        start: row index in the source of the first.
        count: of the pictures.
        keys: names of the pictures in the source; None where the row index is the key.
        targets: labels of the source, int64 (n,), -1 where one is missing; None where it has none.
        probabilities: float32 (m, 10) of the m pictures that could be read, in their order.
        errors: why the others could not be read, by their position in this batch.
        readings: of the m pictures, where numbers are read in place of single digits; the probabilities are none then.
    """

    source: str
    start: int
    count: int
    keys: Sequence[str] | None
    targets: npt.NDArray[np.int64] | None
    probabilities: npt.NDArray[np.float32]
    errors: Mapping[int, str]
    readings: Sequence[Reading] | None = None


def schema_of(columns: Sequence[str], metadata: Mapping[str, str] | None = None) -> pa.Schema:
    """Return the schema of a table of these columns, with some words about it."""
    return pa.schema([(name, TYPES[name]) for name in columns], metadata=dict(metadata or {}))


def record_batch(rows: Rows, columns: Sequence[str], min_margin: int) -> pa.RecordBatch:
    """Return rows as a batch of a table. A picture that could not be read has nulls and its error.

    Args:
        rows: the answers.
        columns: names out of ``TYPES``.
        min_margin: least lead of an answer that is sure, in steps of 1/256.
    """
    if rows.readings is not None:
        numbers = _Numbers(rows, rows.readings)
        arrays = [_NUMBER_ARRAYS[name](numbers) for name in columns]
    else:
        answers = _Answers(rows, min_margin)
        arrays = [_ARRAYS[name](answers) for name in columns]
    return pa.RecordBatch.from_arrays(arrays, schema=schema_of(columns))


class _Batch:
    """Rows, and which of them could not be read."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.missing: npt.NDArray[np.bool_] | None = None
        if rows.errors:
            self.missing = np.zeros(rows.count, np.bool_)
            self.missing[list(rows.errors)] = True


class _Numbers(_Batch):
    """Rows, and the readings of all, None where a picture could not be read."""

    def __init__(self, rows: Rows, readings: Sequence[Reading]) -> None:
        super().__init__(rows)
        following = iter(readings)
        self.readings = [None if place in rows.errors else next(following) for place in range(rows.count)]

    def column(self, value: Callable[[Reading], object], kind: pa.DataType) -> pa.Array:
        """Return a value of each reading as a column, null where a picture could not be read or the value is None."""
        values = [None if reading is None else value(reading) for reading in self.readings]
        return pa.array(values, kind)


class _Answers(_Batch):
    """Rows, and what several columns need of them."""

    def __init__(self, rows: Rows, min_margin: int) -> None:
        super().__init__(rows)
        self.min_margin = min_margin
        probabilities = rows.probabilities
        if self.missing is not None:
            probabilities = np.zeros((rows.count, CLASSES), np.float32)
            probabilities[~self.missing] = rows.probabilities
        self.probabilities = probabilities
        self.largest = two_largest(probabilities)
        self.steps = leads_of_two(self.largest)

    def numbers(self, values: npt.NDArray[np.generic], kind: pa.DataType) -> pa.Array:
        """Return numbers as a column, null where a picture could not be read."""
        return number_array(values, kind, self.missing)


def _source(answers: _Batch) -> pa.Array:
    indices = number_array(np.zeros(answers.rows.count, np.int32), pa.int32())
    return pa.DictionaryArray.from_arrays(indices, text_array([writable(answers.rows.source)]))


def _key(answers: _Batch) -> pa.Array:
    rows = answers.rows
    if rows.keys is not None:
        return text_array([writable(key) for key in rows.keys])
    return pc.cast(number_array(np.arange(rows.start, rows.start + rows.count), pa.int64()), pa.string())


def _digit(answers: _Answers) -> pa.Array:
    return answers.numbers(answers.probabilities.argmax(axis=1), pa.int8())


def _confidence(answers: _Answers) -> pa.Array:
    return answers.numbers(answers.largest[1], pa.float32())


def _margin(answers: _Answers) -> pa.Array:
    return answers.numbers(answers.largest[1] - answers.largest[0], pa.float64())


def _margin_steps(answers: _Answers) -> pa.Array:
    return answers.numbers(answers.steps, pa.int16())


def _sure(answers: _Answers) -> pa.Array:
    return flag_array(answers.steps >= answers.min_margin, answers.missing)


def _error(answers: _Batch) -> pa.Array:
    errors = answers.rows.errors
    if not errors:
        return pa.nulls(answers.rows.count, pa.string())
    said: list[str | None] = [None] * answers.rows.count
    for position, text in errors.items():
        said[position] = writable(text)
    return text_array(said)


def _probabilities(answers: _Answers) -> pa.Array:
    values = number_array(answers.probabilities.reshape(-1), pa.float32())
    mask = None if answers.missing is None else flag_array(answers.missing)
    return pa.FixedSizeListArray.from_arrays(values, CLASSES, mask=mask)


def _target(answers: _Batch) -> pa.Array:
    targets = answers.rows.targets
    if targets is None:
        return pa.nulls(answers.rows.count, pa.int64())
    return number_array(targets, pa.int64(), targets < 0)


_ARRAYS: Mapping[str, Callable[[_Answers], pa.Array]] = {
    "source": _source,
    "key": _key,
    "digit": _digit,
    "confidence": _confidence,
    "margin": _margin,
    "margin_steps": _margin_steps,
    "sure": _sure,
    "error": _error,
    "probabilities": _probabilities,
    "target": _target,
}


def _least_lead(reading: Reading) -> int | None:
    """Return the least lead of a digit, in steps; None where there is none."""
    return min((sign.margin_steps for line in reading.lines for sign in line.digits), default=None)


def _least_margin(reading: Reading) -> float | None:
    steps = _least_lead(reading)
    return None if steps is None else steps / STEPS


_NUMBER_ARRAYS: Mapping[str, Callable[[_Numbers], pa.Array]] = {
    "source": _source,
    "key": _key,
    "text": lambda numbers: numbers.column(lambda reading: reading.text, pa.string()),
    "confidence": lambda numbers: numbers.column(
        lambda reading: min((line.confidence for line in reading.lines), default=None), pa.float32()
    ),
    "margin": lambda numbers: numbers.column(_least_margin, pa.float64()),
    "margin_steps": lambda numbers: numbers.column(_least_lead, pa.int16()),
    "sure": lambda numbers: numbers.column(lambda reading: reading.sure, pa.bool_()),
    "error": _error,
    "target": _target,
}


def writable(text: str) -> str:
    """Return a text that can be written as UTF-8: other bytes of a file's name become hexadecimal."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return text
