"""What counts as probabilities, whatever runtime gave them."""

from pathlib import Path

import numpy as np
import pytest

from edgedigits.answers import (
    QUANTIZED_SUM_TOLERANCE,
    are_probabilities,
    check_probabilities,
    check_shape,
    faults,
)
from edgedigits.errors import ContractError, ModelFileError
from edgedigits.metadata import ModelMetadata
from edgedigits.runtimes.model import Model

PATH = Path("digits.onnx")
GOOD = np.full((3, 10), 0.1, np.float32)


def with_row(row: list[float]) -> np.ndarray:
    return np.concatenate([GOOD, np.array([row], np.float32)])


BAD = {
    "NaN": [np.nan] + [0.1] * 9,
    "all NaN": [np.nan] * 10,
    "infinity": [np.inf] + [0.0] * 9,
    "infinities that cancel": [np.inf, -np.inf] + [0.1] * 8,
    "minus infinity": [-np.inf] + [0.1] * 9,
    "too large for a sum": [3e38] * 10,
    "negative": [-0.1, 1.1] + [0.0] * 8,
    "negative, with the right sum": [-0.05, 0.15] + [0.1125] * 8,
    "above 1": [1.5, -0.5] + [0.0] * 8,
    "zeros": [0.0] * 10,
    "ones": [1.0] * 10,
    "logits": [-4.3, 18.9, 2.0, 1.0, 0.5, -1.0, -2.0, 3.0, 0.0, 1.0],
    "sum of 1.01": [0.11] + [0.1] * 9,
    "sum of 0.99": [0.09] + [0.1] * 9,
}


@pytest.mark.parametrize("row", BAD.values(), ids=list(BAD))
@pytest.mark.parametrize("alone", [True, False], ids=["a row", "the last of many"])
@pytest.mark.filterwarnings("error")
def test_what_is_no_probability_is_refused_without_a_warning(row: list[float], alone: bool) -> None:
    answers = with_row(row)[-1:] if alone else with_row(row)
    assert not are_probabilities(answers)
    assert faults(answers)
    with pytest.raises(ModelFileError, match=r"digits\.onnx: it gives no (numbers|probabilities)"):
        check_probabilities(PATH, answers, len(answers))


@pytest.mark.parametrize("count", [0, 1, 2, 4_097])
def test_probabilities_pass(count: int) -> None:
    answers = np.random.default_rng(0).dirichlet(np.ones(10), count).astype(np.float32)
    assert are_probabilities(answers)
    check_probabilities(PATH, answers, count)
    if count:
        assert faults(answers) == []


def test_steps_of_a_byte_may_miss_the_sum_by_more() -> None:
    answers = np.array([[255 / 256] + [0] * 9, [0.09765625] * 10, [26 / 256] * 10], np.float32)
    assert faults(answers, QUANTIZED_SUM_TOLERANCE) == []
    assert faults(answers)
    assert faults(answers * np.float32(1.1), QUANTIZED_SUM_TOLERANCE)


@pytest.mark.parametrize(
    "answers",
    [
        GOOD[:1],
        GOOD[:, :9],
        GOOD.astype(np.float64),
        GOOD.reshape(-1),
        GOOD[np.newaxis],
        GOOD.tolist(),
        None,
        np.ma.masked_array(GOOD),
    ],
    ids=["rows missing", "nine classes", "doubles", "flat", "one more side", "a list", "None", "masked"],
)
def test_answers_of_another_form_are_refused(answers: object) -> None:
    with pytest.raises(ContractError, match=r"expected answers float32 \(3, 10\) to 3 images, found "):
        check_shape(PATH, answers, 3)


class Odd(Model):
    """A runtime that gives an answer too few, by a class that knows nothing of any check."""

    def __init__(self) -> None:
        super().__init__(PATH, ModelMetadata("1", "float32", "0" * 64, {}), "odd 1")

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        return np.full((len(pixels) - 1, 10), 0.1, np.float32)


class Odder(Odd):
    """A class below it with no way of its own."""


@pytest.mark.parametrize("kind", [Odd, Odder])
def test_no_class_of_models_can_forget_the_check(kind: type[Model]) -> None:
    with pytest.raises(
        ContractError, match=r"expected answers float32 \(3, 10\) to 3 images, found float32 \(2, 10\)"
    ):
        kind().probabilities(np.zeros((3, 28, 28), np.uint8))
