"""Numbers out of their range are refused where they come in, and never reach a runtime."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from edgedigits import DigitPredictor, Prediction
from edgedigits.arguments import amount_of, count_of, threads_of
from edgedigits.errors import ArgumentError, ArgumentTypeError
from edgedigits.measuring.bench_result import BenchOptions
from edgedigits.runtimes.onnx_session import open_session
from edgedigits.runtimes.opening import open_model
from edgedigits.shipped import default_model
from edgedigits.training.recipe import Recipe, edge
from edgedigits_export import ExportOptions

MODEL = default_model()


@pytest.mark.parametrize("threads", [-1, -(2**40), 1025, 2**40])
@pytest.mark.parametrize("opened", [
    lambda threads: DigitPredictor(threads=threads),
    lambda threads: open_session(MODEL, threads=threads),
    lambda threads: open_model(MODEL, threads=threads),
    lambda threads: open_model(MODEL.with_name("digits.tflite"), threads=threads),
    lambda threads: BenchOptions(threads=threads),
], ids=["DigitPredictor", "open_session", "open_model onnx", "open_model tflite", "BenchOptions"])  # fmt: skip
def test_a_number_of_threads_that_cannot_be_is_refused(opened, threads: int) -> None:
    with pytest.raises(ArgumentError, match=f"threads: expected 0 to 1,024, got {threads:,}"):
        opened(threads)


@pytest.mark.parametrize("threads", [0, 1, 2, np.int64(2)])
def test_threads_as_documented_are_taken(threads: int, models: Path) -> None:
    blank = np.zeros((2, 28, 28), np.uint8)
    assert DigitPredictor(threads=threads).probabilities(blank).shape == (2, 10)
    for name in ("digits.onnx", "digits.tflite"):
        assert open_model(models / name, threads=threads).probabilities(blank).shape == (2, 10)


@pytest.mark.parametrize(
    ("record", "field", "value"),
    [
        *(
            (Recipe, field, value)
            for field in ("epochs", "batch_size", "validation")
            for value in (0, -1, 1.0, True)
        ),
        *((Recipe, "seed", value) for value in (-1, 2**31, "0")),
        *((Recipe, "learning_rate", value) for value in (0, -1e-3, math.nan, math.inf, "1")),
        *((Recipe, "arch", value) for value in ((0,), (128, -1), (1.5,))),
        *((BenchOptions, field, value) for field in ("rounds", "cold_starts") for value in (0, -1, 1.0)),
        *((BenchOptions, "min_samples", value) for value in (0, 4)),
        *(
            (BenchOptions, field, value)
            for field in ("min_seconds", "batch_seconds")
            for value in (-1, math.nan)
        ),
        *((ExportOptions, "calibration_size", value) for value in (0, -5, 10.0)),
        *((ExportOptions, "seed", value) for value in (-1, 2**31)),
        *((ExportOptions, "max_drop", value) for value in (-0.1, math.nan, math.inf)),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_a_number_out_of_its_range_is_refused_by_name(record: type, field: str, value: object) -> None:
    with pytest.raises(ArgumentError, match=f"^{field}: expected "):
        record(**{field: value})
    with pytest.raises(ArgumentError, match=f"^{field}: expected "):
        dataclasses.replace(record(), **{field: value})


def test_a_recipe_that_is_changed_is_checked_as_well() -> None:
    with pytest.raises(ArgumentError, match="epochs: expected 1 to 100,000, got 0"):
        edge(epochs=0)


@pytest.mark.parametrize("count", [-1, -10])
def test_the_top_of_fewer_than_none_is_refused(count: int) -> None:
    prediction = Prediction(0, 0.5, (0.5, 0.3, 0.2), "0")
    assert prediction.top(0) == []
    assert prediction.top(2) == [(0, 0.5), (1, 0.3)]
    with pytest.raises(ArgumentError, match="count: expected 0 or more, got -"):
        prediction.top(count)


def test_what_is_taken_comes_back_as_a_plain_number() -> None:
    assert type(count_of("n", np.uint8(3))) is int
    assert type(threads_of(np.int64(3))) is int
    assert type(amount_of("n", np.float32(3))) is float
    for wrong in (None, "3", b"3", [3], True):
        for check in (count_of, amount_of):
            with pytest.raises(ArgumentTypeError, match="n: expected"):
                check("n", wrong)
