"""Columns of a table: each value is that of ``Prediction``, bit for bit, and a picture that was not read has none."""

import numpy as np
import pyarrow as pa
import pytest
from score_runs import MODEL

from edgedigits.errors import ArgumentError, ArgumentTypeError
from edgedigits.prediction import Prediction
from edgedigits.predictor import DigitPredictor
from edgedigits.score.columns import TYPES, Rows, record_batch
from edgedigits.score.options import COLUMNS, MORE_COLUMNS, TABLES, Options

ALL = (*COLUMNS, *MORE_COLUMNS)


def rows_of(probabilities: np.ndarray, **changes: object) -> Rows:
    count = len(probabilities) + len(changes.get("errors", {}))  # type: ignore[arg-type]
    fields = {"source": "a.npy", "start": 7, "count": count, "keys": None, "targets": None}
    return Rows(**{**fields, "probabilities": probabilities, "errors": {}, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("min_margin", [0, 248, 256])
def test_every_value_is_that_of_a_prediction(digits, min_margin) -> None:
    answers = DigitPredictor(MODEL).probabilities(digits[0][:300])
    found = record_batch(rows_of(answers), ALL, min_margin).to_pylist()
    for row, probabilities in zip(found, answers, strict=True):
        prediction = Prediction.from_probabilities(probabilities, min_margin=min_margin)
        assert (row["digit"], row["confidence"]) == (prediction.digit, prediction.confidence)
        assert (row["margin"], row["margin_steps"]) == (prediction.margin, prediction.margin_steps)
        assert row["sure"] == prediction.sure
        assert tuple(row["probabilities"]) == prediction.probabilities
    assert [row["key"] for row in found] == [str(index) for index in range(7, 307)]


def test_where_two_are_the_largest_the_first_is_the_digit_as_everywhere() -> None:
    answers = np.zeros((2, 10), np.float32)
    answers[:, [3, 8]] = 0.5
    answers[1] = 0.1
    rows = record_batch(rows_of(answers), ALL, 1).to_pylist()
    assert [row["digit"] for row in rows] == [int(row.argmax()) for row in answers] == [3, 0]
    assert [(row["margin"], row["margin_steps"], row["sure"]) for row in rows] == [(0.0, 0, False)] * 2


def test_what_could_not_be_read_has_nothing_but_its_error(digits) -> None:
    answers = DigitPredictor(MODEL).probabilities(digits[0][:2])
    rows = rows_of(answers, keys=["a", "b", "c"], errors={1: "no ink"}, targets=np.array([4, -1, 0]))
    first, second, third = record_batch(rows, ALL, 200).to_pylist()
    nothing = ("digit", "confidence", "margin", "margin_steps", "sure", "probabilities", "target")
    assert {name: second[name] for name in nothing} == dict.fromkeys(nothing)
    assert (second["key"], second["error"], second["source"]) == ("b", "no ink", "a.npy")
    assert (first["error"], third["error"], first["target"], third["target"]) == (None, None, 4, 0)
    assert [first["digit"], third["digit"]] == answers.argmax(axis=1).tolist()


def test_all_may_be_unread() -> None:
    rows = rows_of(np.empty((0, 10), np.float32), errors={0: "x", 1: "y"})
    assert record_batch(rows, ("digit", "error"), 0).to_pydict() == {"digit": [None] * 2, "error": ["x", "y"]}


def test_columns_come_as_they_were_asked_for() -> None:
    batch = record_batch(rows_of(np.full((1, 10), 0.1, np.float32)), ("sure", "digit"), 0)
    assert batch.schema == pa.schema([("sure", TYPES["sure"]), ("digit", TYPES["digit"])])


def test_names_that_are_no_text_are_written_all_the_same() -> None:
    rows = rows_of(np.full((1, 10), 0.1, np.float32), keys=["a\udcff.png"], source="b\udcfe")
    (row,) = record_batch(rows, ("source", "key"), 0).to_pylist()
    assert row == {"source": r"b\xfe", "key": r"a\xff.png"}


@pytest.mark.parametrize(
    ("choices", "kind", "said"),
    [
        ({"columns": ["digit", "speed"]}, ArgumentError, "expected names out of source, key, .*got 'speed'"),
        ({"columns": []}, ArgumentError, "at least one of"),
        ({"columns": ["digit", "digit"]}, ArgumentError, "named twice"),
        ({"columns": "digit"}, ArgumentTypeError, "a list of names, got str"),
        ({"table": "xlsx"}, ArgumentError, f"one of {', '.join(TABLES)}, got 'xlsx'"),
        ({"preparation": "maybe"}, ArgumentError, "one of by-shape"),
        ({"batch": 0}, ArgumentError, "batch: expected 1 to 65,536"),
        ({"shard_rows": 0}, ArgumentError, "shard_rows: expected 1"),
        ({"min_margin": 257}, ArgumentError, "min_margin"),
    ],
)
def test_choices_that_are_none_are_refused(choices, kind, said) -> None:
    with pytest.raises(kind, match=said):
        Options(**choices)
