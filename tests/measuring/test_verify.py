import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgedigits.contract import LABELS
from edgedigits.datasets.split import Split
from edgedigits.errors import ContractError, EdgeDigitsError
from edgedigits.format_table import GATES, Precision
from edgedigits.measuring.reference import Reference, read_reference
from edgedigits.measuring.verify import run_all, verify_model
from edgedigits.metadata import MeasuredAccuracy, ModelMetadata
from edgedigits.reporting.changed_sheet import changed_sheet
from edgedigits.runtimes.model import Model
from edgedigits.runtimes.opening import open_model

WEIGHTS = "c0ffee" * 10 + "0000"


class Answers(Model):
    """A model whose answers are given: row i for the image whose first two pixels hold i."""

    def __init__(self, answers: np.ndarray, precision: Precision = "float32") -> None:
        metadata = ModelMetadata("1", precision, WEIGHTS, {})
        super().__init__(Path("digits.given"), metadata, "given 1.0")
        self.answers = answers
        self.calls: list[int] = []

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        self.calls.append(len(pixels))
        return self.answers[pixels[:, 0, 0].astype(int) * 256 + pixels[:, 0, 1]]


def numbered(count: int) -> Split:
    """Images that hold their own number, with labels 0 to 9 in turn."""
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, 0, 0], images[:, 0, 1] = np.divmod(np.arange(count), 256)
    return Split.of("numbers", images, (np.arange(count) % 10).astype(np.uint8))


def answers_of(digits: np.ndarray) -> np.ndarray:
    """Probabilities of 0.91 for a digit and 0.01 for each other."""
    return (np.eye(10) * 0.9 + 0.01).astype(np.float32)[digits]


def reference_of(split: Split, answers: np.ndarray) -> Reference:
    return Reference(answers, WEIGHTS, split.dataset, split.sha256)


def wrong(labels: np.ndarray, *indices: int) -> np.ndarray:
    digits = labels.astype(int)
    digits[list(indices)] = (digits[list(indices)] + 1) % 10
    return digits


# Figures


def test_the_figures_are_those_of_the_answers() -> None:
    split = numbered(2_500)
    labels = split.labels
    # Keras is wrong on 0, 1 and 2; the file on 2, 3, 4, 5 and 6: two fixed, four broken; 2 is another mistake.
    reference = answers_of(wrong(labels, 0, 1, 2))
    digits = wrong(labels, 2, 3, 4, 5, 6)
    digits[2] = (digits[2] + 1) % 10
    found = verify_model(Answers(answers_of(digits), "int8"), split, reference_of(split, reference))
    assert (found.file, found.precision, found.runtime) == ("digits.given", "int8", "given 1.0")
    assert (found.accuracy.correct, found.accuracy.images) == (2_495, 2_500)
    assert found.reference_accuracy.correct == 2_497
    assert found.comparison.difference == pytest.approx(-0.08)
    assert found.comparison.fixed == (0, 1)
    assert found.comparison.broken == (3, 4, 5, 6)
    assert found.comparison.changed == (0, 1, 2, 3, 4, 5, 6)
    assert found.comparison.agreement == pytest.approx(100 * (1 - 7 / 2_500))
    # Six fair coins, two or fewer heads, both sides: 2 * (1 + 6 + 15) / 64.
    assert found.comparison.p_value == pytest.approx(44 / 64)
    assert found.comparison.largest_probability_difference == pytest.approx(0.9)
    # All confidences are 0.91.
    assert found.expected_calibration_error == pytest.approx(2_495 / 2_500 - 0.91, abs=1e-6)
    assert found.reference_expected_calibration_error == pytest.approx(2_497 / 2_500 - 0.91, abs=1e-6)
    assert found.passed


def test_every_image_is_asked_once_in_batches() -> None:
    split = numbered(2_350)
    model = Answers(answers_of(split.labels))
    assert run_all(model, split).argmax(axis=1).tolist() == split.labels.tolist()
    assert model.calls == [1_000, 1_000, 350]


def test_to_dict_is_json_with_the_indices_of_changed_images() -> None:
    split = numbered(100)
    model = Answers(answers_of(wrong(split.labels, 7, 70)))
    found = verify_model(model, split, reference_of(split, answers_of(split.labels)))
    fields = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert fields["comparison"]["broken"] == fields["comparison"]["changed"] == [7, 70]
    assert (fields["passed"], fields["accuracy_percent"]) == (False, 98.0)
    assert fields["failures"] == list(found.failures)
    summary = json.loads(json.dumps(found.summary(), allow_nan=False))
    assert (summary["broken"], summary["correct"], summary["passed"]) == (2, 98, False)
    assert summary["expected_calibration_error"] == 0.07  # 0.98 right, 0.91 sure
    assert fields["expected_calibration_error"] == pytest.approx(0.07, abs=1e-6)


# The gate


@pytest.mark.parametrize(
    ("precision", "fixed", "broken", "passes"),
    [
        # On 10,000 images one image is 0.01 points.
        ("float32", 0, 0, True),
        ("float32", 0, 2, True),
        ("float32", 0, 3, False),
        ("float32", 2, 0, True),
        ("float32", 3, 0, False),  # a float file that is better is another network
        ("float32", 5, 5, True),
        ("float16", 0, 10, True),
        ("float16", 0, 11, False),
        ("float16", 50, 0, True),
        ("dynamic", 0, 10, True),
        ("dynamic", 0, 11, False),
        ("dynamic", 5, 16, False),
        ("int8", 0, 20, True),
        ("int8", 0, 21, False),
        ("int8", 30, 50, True),
        ("int8", 30, 51, False),
        ("int8", 100, 0, True),
    ],
)
def test_the_gate_stands_between_these_images(
    precision: Precision, fixed: int, broken: int, passes: bool
) -> None:
    split = numbered(10_000)
    before = wrong(split.labels, *range(100))
    after = wrong(split.labels, *range(fixed, 100), *range(5_000, 5_000 + broken))
    reference, answers = answers_of(before), answers_of(after)
    if precision == "float32":
        # Changes of class with hardly a change of probability, so that only the accuracy is judged.
        reference, answers = (0.1 + 1e-4 * given for given in (reference, answers))
    found = verify_model(Answers(answers, precision), split, reference_of(split, reference))
    assert (len(found.comparison.fixed), len(found.comparison.broken)) == (fixed, broken)
    assert found.passed is passes
    assert found.max_drop == GATES[precision].max_drop
    if not passes:
        assert found.failures == (
            f"accuracy differs by {(fixed - broken) / 100:+.2f} points, allowed are {found.max_drop:.2f}",
        )


@pytest.mark.parametrize(
    ("precision", "difference", "passes"),
    [
        ("float32", 0.0009, True),
        ("float32", 0.0011, False),
        ("float16", 0.05, True),
        ("dynamic", 0.05, True),
        ("int8", 0.05, True),
    ],
)
def test_float_files_must_also_give_the_same_probabilities(
    precision: Precision, difference: float, passes: bool
) -> None:
    split = numbered(1_000)
    reference = answers_of(split.labels)
    answers = reference.copy()
    answers[500, 3] += np.float32(difference)
    answers[500, split.labels[500]] -= np.float32(difference)
    found = verify_model(Answers(answers, precision), split, reference_of(split, reference))
    assert found.passed is passes
    if not passes:
        assert found.failures == ("a probability differs by 0.0011, allowed are 0.001",)


@pytest.mark.parametrize(
    ("precision", "power", "passes"),
    [
        ("float16", 1.001, True),
        ("float16", 1.1, False),
        ("dynamic", 1.001, True),
        ("dynamic", 1.5, False),
        ("dynamic", 0.7, False),
        ("int8", 1.001, True),
        ("int8", 1.5, False),
        ("int8", 0.7, False),
    ],
)
def test_files_that_round_must_be_as_sure_as_their_network(
    precision: Precision, power: float, passes: bool
) -> None:
    """Logits of another size: every class stays, and so does the accuracy."""
    split = numbered(1_000)
    reference = answers_of(split.labels)
    answers = reference**power
    answers /= answers.sum(axis=1, keepdims=True)
    found = verify_model(Answers(answers, precision), split, reference_of(split, reference))
    assert found.comparison.changed == ()
    assert found.passed is passes
    if not passes:
        (failure,) = found.failures
        assert failure.startswith("its probabilities diverge by ")
        assert failure.endswith(f" nats, allowed are {GATES[precision].max_divergence:.2g}")


@pytest.mark.parametrize(
    ("max_drop", "changed", "passes"),
    [
        (None, 20, True),
        (None, 21, False),
        (0.0, 10, True),
        (0.0, 11, False),
        (1.0, 100, True),
        (1.0, 101, False),
    ],
)
def test_a_file_that_gains_what_it_loses_is_another_network(
    max_drop: float | None, changed: int, passes: bool
) -> None:
    """As many right answers as before, but to other images."""
    split = numbered(1_000)
    places = np.arange(changed)
    before, after = (wrong(split.labels, *places[start::2]) for start in (0, 1))
    found = verify_model(
        Answers(answers_of(after), "int8"),
        split,
        reference_of(split, answers_of(before)),
        max_drop=max_drop,
    )
    assert len(found.comparison.changed) == changed
    assert any("have another class" in failure for failure in found.failures) is not passes


@pytest.mark.parametrize(
    ("max_drop", "broken", "passes"),
    [(0.0, 0, True), (0.0, 1, False), (0.05, 5, True), (0.05, 6, False), (1.0, 100, True), (1.0, 101, False)],
)
def test_max_drop_moves_the_bound(max_drop: float, broken: int, passes: bool) -> None:
    split = numbered(10_000)
    answers = answers_of(wrong(split.labels, *range(broken)))
    reference = reference_of(split, answers_of(split.labels))
    found = verify_model(Answers(answers, "int8"), split, reference, max_drop=max_drop)
    assert (found.passed, found.max_drop) == (passes, max_drop)


@pytest.mark.parametrize(("broken", "passes"), [(1, True), (2, False)])
def test_on_few_images_the_bound_is_one_image(broken: int, passes: bool) -> None:
    split = numbered(450)  # one image is 0.22 points, more than any bound
    answers = answers_of(wrong(split.labels, *range(broken)))
    found = verify_model(Answers(answers, "int8"), split, reference_of(split, answers_of(split.labels)))
    assert found.passed is passes


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf], ids=str)
@pytest.mark.parametrize("precision", GATES)
def test_one_probability_that_is_no_number_fails(precision: Precision, value: float) -> None:
    split = numbered(1_000)
    reference = answers_of(split.labels)
    answers = reference.copy()
    answers[17, (split.labels[17] + 5) % 10] = value
    found = verify_model(Answers(answers, precision), split, reference_of(split, reference))
    assert "some probabilities are not finite numbers" in found.failures
    fields = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert fields["comparison"]["largest_probability_difference"] is None
    assert fields["expected_calibration_error"] is None
    assert fields["reference_expected_calibration_error"] == pytest.approx(0.09, abs=1e-6)
    assert not fields["passed"]


def test_a_file_of_another_network_is_refused() -> None:
    split = numbered(10)
    reference = dataclasses.replace(reference_of(split, answers_of(split.labels)), weights_sha256="f" * 64)
    with pytest.raises(
        ContractError,
        match=r"digits\.given: expected a file made from the network with weights sha256 ffffffffffff…, "
        r"found one made from c0ffeec0ffee…",
    ):
        verify_model(Answers(answers_of(split.labels)), split, reference)


# What a reference must be


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda rows: 0 * rows, "do not sum to 1"),
        (lambda rows: rows * np.nan, "are not finite numbers"),
        (lambda rows: rows / 0, "are not finite numbers"),
        (lambda rows: rows.astype(np.float64), r"found float64 \(100, 10\)"),
        (lambda rows: rows[:, :9], r"found float32 \(100, 9\)"),
        (lambda rows: rows[0], r"found float32 \(10,\)"),
        (lambda rows: np.full_like(rows, 0.1), "found the same answer to every one"),
        (lambda rows: rows[:-1], "expected answers to 100 test images, found 99"),
    ],
)
@pytest.mark.parametrize("precision", GATES)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_a_reference_that_proves_nothing_is_refused(change, complaint: str, precision: Precision) -> None:
    split = numbered(100)
    answers = answers_of(split.labels)
    with pytest.raises(EdgeDigitsError, match=complaint):
        verify_model(Answers(answers, precision), split, reference_of(split, change(answers)))


# What is on record


@pytest.mark.parametrize(
    ("accuracy", "complaint"),
    [
        (MeasuredAccuracy("numbers", 100, 100), None),
        (MeasuredAccuracy("numbers", 99, 100), None),  # an image at the very edge, on another processor
        (
            MeasuredAccuracy("numbers", 98, 100),
            "reads 100 of 100 images right, where its metadata say 98 of 100",
        ),
        (
            MeasuredAccuracy("numbers", 100, 200),
            "reads 100 of 100 images right, where its metadata say 100 of 200",
        ),
        (MeasuredAccuracy("renamed", 3, 7), None),  # the folder of a dataset may have another name today
        (
            MeasuredAccuracy("MNIST", 100, 100),
            "its metadata tell of its accuracy on MNIST, where numbers is asked",
        ),
    ],
)
def test_a_file_reads_as_many_images_as_it_says(accuracy: MeasuredAccuracy, complaint: str | None) -> None:
    split = numbered(100)
    answers = answers_of(split.labels)
    model = Answers(answers, "int8")
    model.metadata = dataclasses.replace(model.metadata, accuracy=accuracy)
    found = verify_model(model, split, reference_of(split, answers))
    assert found.failures == (() if complaint is None else (complaint,))


@pytest.mark.parametrize(
    ("widths", "passes"), [((1, 10), True), ((2, 10), False), ((10,), False), (None, True)]
)
def test_hidden_layers_are_those_that_the_metadata_tell(widths: tuple[int, ...] | None, passes: bool) -> None:
    split = numbered(100)
    answers = answers_of(split.labels)
    model = Answers(answers)
    model.widths = widths
    found = verify_model(model, split, reference_of(split, answers))
    assert found.passed is passes


# The real thing


def test_the_network_verifies_against_its_own_answers(models: Path, dataset: tuple[Split, Split]) -> None:
    reference = read_reference(models / "reference.npz")
    found = verify_model(open_model(models / "digits.keras"), dataset[1], reference, max_drop=0.0)
    assert found.passed, found.failures
    assert found.comparison.changed == ()


def sheet_size(content: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.format == "PNG"
        return picture.size


def test_the_sheet_grows_with_the_changed_images() -> None:
    split = numbered(100)
    reference = reference_of(split, answers_of(wrong(split.labels, 0)))
    sizes = []
    for changed in (0, 5, 25):
        model = Answers(answers_of(wrong(split.labels, *range(changed))), "int8")
        found = verify_model(model, split, reference)
        content = changed_sheet(found, model, split, reference)
        sizes.append(sheet_size(content))
    none_or_one, few, many = sizes
    assert none_or_one == few  # a row each
    assert many[1] > few[1]
    assert many[0] == few[0]


# The floor: agreement with a reference that is wrong itself proves nothing


@pytest.mark.parametrize(
    ("right", "labels", "made_by_train", "passes"),
    [
        (49, LABELS, None, False),
        (50, LABELS, None, True),
        (5, LABELS, False, False),
        (5, LABELS, True, True),
        (5, tuple("abcdefghij"), None, True),
    ],
    ids=["below", "at the floor", "a stranger's", "of train", "of a dataset with names of its own"],
)
def test_a_stranger_has_to_read_half_of_the_images(
    right: int, labels: tuple[str, ...], made_by_train: bool | None, passes: bool
) -> None:
    split = dataclasses.replace(numbered(100), class_names=labels)
    answers = answers_of(wrong(split.labels, *range(100 - right)))
    model = Answers(answers)
    model.metadata = dataclasses.replace(model.metadata, labels=labels)
    found = verify_model(model, split, reference_of(split, answers), made_by_train=made_by_train)
    assert found.passed == passes
    assert found.comparison.difference == 0
    if not passes:
        assert (
            f"reads {right}.00 % of the images right: a network that reads fewer than 50 %"
            in found.failures[0]
        )
