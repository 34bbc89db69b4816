"""From which lead on an answer is sure: the rule in steps, and a predictor on each side of it."""

import json
import math
import pickle
from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgedigits.arguments import min_margin_of
from edgedigits.errors import ArgumentError, ArgumentTypeError
from edgedigits.margins import (
    DEFAULT_MIN_MARGIN,
    LARGEST_STEP,
    NEVER,
    in_steps,
    lead_in_steps,
    leads_in_steps,
)
from edgedigits.metadata import METADATA_KEY, ModelMetadata, SureReceipt
from edgedigits.prediction import Prediction
from edgedigits.predictor import DigitPredictor
from edgedigits.shipped import default_model

ZERO = Path(__file__).parent / "golden" / "pictures" / "0-paint.png"
floats = st.floats(0, 1, width=32)


def row_with_lead(lead: int) -> np.ndarray:
    """Return probabilities whose largest is so many steps ahead of the second, in exact steps."""
    second = (LARGEST_STEP - lead) // 2
    return np.array([second + lead, second] + [0] * 8, np.float32) / 256


# --- The rule ------------------------------------------------------------------------------------------------------


@given(floats)
def test_a_step_is_the_nearest_one_and_halves_go_up(probability: float) -> None:
    exact = math.floor(Fraction(probability) * 256 + Fraction(1, 2))
    assert in_steps(probability) == min(255, exact)


@pytest.mark.parametrize("steps", range(256))
def test_what_an_integer_file_gives_comes_back(steps: int) -> None:
    assert in_steps(steps / 256) == steps
    assert in_steps(float(np.float32(steps / 256))) == steps


@pytest.mark.parametrize(
    ("probability", "steps"),
    [
        (0.5 / 256, 1),
        (float(np.nextafter(np.float32(0.5 / 256), np.float32(0))), 0),
        (254.5 / 256, 255),
        (float(np.nextafter(np.float32(254.5 / 256), np.float32(0))), 254),
        (1.0, 255),
    ],
)
def test_on_each_side_of_a_half(probability: float, steps: int) -> None:
    assert in_steps(probability) == steps


@given(st.lists(floats, min_size=10, max_size=10))
def test_many_leads_at_once_are_those_of_each(row: list[float]) -> None:
    steps = sorted(map(in_steps, row))
    assert lead_in_steps(row) == steps[-1] - steps[-2]
    rows = np.array([row, row[::-1]], np.float32)
    assert leads_in_steps(rows).tolist() == [lead_in_steps(row)] * 2


def test_the_lead_of_two_that_are_equal_is_none_and_the_largest_is_255() -> None:
    assert lead_in_steps([0.5, 0.5, 0.0]) == 0
    assert lead_in_steps([0.0, 1.0, 0.0]) == LARGEST_STEP < NEVER


# --- What a caller asks for ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "steps"),
    [
        (0, 0),
        (1, 1),
        (256, 256),
        (np.uint8(200), 200),
        (0.0, 0),
        (1.0, 256),
        (0.9, 231),
        (0.5, 128),
        (math.nextafter(0.5, 1), 129),
        (np.float32(0.25), 64),
    ],
)
def test_a_least_lead_is_steps_or_a_fraction_of_which_the_next_step_is_taken(
    asked: float, steps: int
) -> None:
    assert min_margin_of(asked) == steps
    assert DigitPredictor(min_margin=asked).min_margin == steps


@pytest.mark.parametrize("asked", [-1, 257, 1 << 80, -0.01, 1.01, 240.0, math.nan, math.inf])
def test_a_least_lead_out_of_range_is_refused(asked: float) -> None:
    with pytest.raises(ArgumentError, match="min_margin: expected steps of 1/256, 0 to 256, or a fraction"):
        DigitPredictor(min_margin=asked)


@pytest.mark.parametrize("asked", ["200", b"1", True, [200], 1j])
def test_a_least_lead_that_is_no_number_is_refused(asked: object) -> None:
    with pytest.raises(ArgumentTypeError, match="min_margin: expected steps of 1/256"):
        DigitPredictor(min_margin=asked)  # type: ignore[arg-type]


# --- On each side --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lead", [0, 1, 200, 254, 255])
def test_an_answer_is_sure_from_the_least_lead_on(lead: int) -> None:
    row = row_with_lead(lead)
    prediction = DigitPredictor(min_margin=lead).prediction(row)
    assert (prediction.margin_steps, prediction.sure) == (lead, True)
    assert not DigitPredictor(min_margin=lead + 1).prediction(row).sure


def test_nothing_is_sure_where_no_lead_is_enough() -> None:
    assert not DigitPredictor(min_margin=NEVER).predict(ZERO).sure
    assert not DigitPredictor(min_margin=NEVER).prediction(row_with_lead(LARGEST_STEP)).sure


def test_a_prediction_that_was_put_together_by_hand_is_not_sure() -> None:
    assert not Prediction(0, 1.0, (1.0, 0.0), "0").sure
    assert Prediction.from_probabilities(row_with_lead(DEFAULT_MIN_MARGIN)).sure
    assert not Prediction.from_probabilities(row_with_lead(DEFAULT_MIN_MARGIN - 1)).sure


def test_all_ways_to_a_prediction_ask_for_the_same_lead() -> None:
    lead = DigitPredictor().predict(ZERO).margin_steps
    for asked, sure in ((lead, True), (lead + 1, False)):
        predictor = DigitPredictor(min_margin=asked)
        assert predictor.predict(ZERO).sure is sure
        assert predictor(ZERO).sure is sure
        assert [prediction.sure for prediction in predictor.predict_batch([ZERO, ZERO])] == [sure] * 2
        assert pickle.loads(pickle.dumps(predictor)).min_margin == asked  # noqa: S301


# --- What a file says ----------------------------------------------------------------------------------------------


def file_with(folder: Path, sure: object) -> Path:
    """Write the shipped file with another least lead; None for none."""
    model = onnx.load(default_model())
    (entry,) = [entry for entry in model.metadata_props if entry.key == METADATA_KEY]
    metadata = ModelMetadata.from_json(entry.value, folder)
    fields = {name: value for name, value in metadata.to_dict().items() if name != "sure"}
    if fields["input_scale"] is None:
        del fields["input_scale"]
    if sure is not None:
        fields["sure"] = sure
    entry.value = json.dumps(fields)
    path = folder / "digits.int8.onnx"
    onnx.save(model, path)
    return path


def test_a_file_that_does_not_say_takes_the_default(tmp_path: Path) -> None:
    assert DigitPredictor(file_with(tmp_path, None)).min_margin == DEFAULT_MIN_MARGIN == 248


@pytest.mark.parametrize("least", [1, 200, 256])
def test_what_a_file_says_holds_unless_the_caller_asks(least: int, tmp_path: Path) -> None:
    receipt = SureReceipt(least, 5_000, 4_000, 8_000, 7_999)
    path = file_with(tmp_path, receipt._asdict())
    predictor = DigitPredictor(path)
    assert predictor.min_margin == least
    assert predictor.metadata.sure == receipt
    assert predictor.prediction(row_with_lead(least - 1)).sure is False
    if least < NEVER:
        assert predictor.prediction(row_with_lead(least)).sure is True
    assert DigitPredictor(path, min_margin=17).min_margin == 17


def test_a_predictor_that_was_sent_elsewhere_takes_what_the_file_says_there(tmp_path: Path) -> None:
    receipt = SureReceipt(240, 5_000, 4_000, 8_000, 7_999)
    state = pickle.dumps(DigitPredictor(file_with(tmp_path, receipt._asdict())))
    file_with(tmp_path, receipt._replace(min_margin=17)._asdict())
    assert pickle.loads(state).min_margin == 17  # noqa: S301 - our own bytes
