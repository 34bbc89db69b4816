import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm
from sklearn.metrics import confusion_matrix as sklearn_confusion
from sklearn.metrics import precision_recall_fscore_support

from edgedigits.measuring import metrics

counts = st.integers(1, 100_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
classes = st.integers(0, 9)


def one_hot(digits: list[int], confidence: float = 0.9) -> metrics.Probabilities:
    rest = (1 - confidence) / 9
    return np.where(np.eye(10, dtype=bool)[digits], confidence, rest).astype(np.float32)


@pytest.mark.parametrize(
    ("correct", "images", "low", "high"),
    [
        (9_800, 10_000, 97.71, 98.26),
        (9_902, 10_000, 98.81, 99.20),
        (0, 10, 0.00, 27.75),
        (10, 10, 72.25, 100.00),
    ],
    ids=["98.00 %", "99.02 %", "none", "all"],
)
def test_wilson_interval_has_the_known_values(correct, images, low, high):
    # The known values are given to two decimals.
    assert metrics.wilson_interval(correct, images) == pytest.approx((low, high), abs=0.005)


def test_the_quantile_is_that_of_the_normal_distribution():
    # The constant is written with 16 digits: equal to the last place but one.
    assert norm.ppf(0.975) == pytest.approx(metrics.Z_95, rel=1e-15)


@given(counts)
def test_wilson_interval_contains_the_share_and_stays_within_0_and_100(count):
    correct, images = count
    low, high = metrics.wilson_interval(correct, images)
    assert 0 <= low <= 100 * correct / images <= high <= 100
    assert low < high


@given(counts)
def test_wilson_interval_is_that_of_scipy(count):
    correct, images = count
    theirs = binomtest(correct, images).proportion_ci(0.95, "wilson")
    # In percent; both do the same few roundings in another order.
    expected = (100 * theirs.low, 100 * theirs.high)
    assert metrics.wilson_interval(correct, images) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("fixed", "broken", "expected"),
    [(0, 0, 1.0), (1, 0, 1.0), (0, 6, 0.03125), (5, 5, 1.0), (0, 2_000, 0.0)],
    ids=["nothing changed", "one fixed", "six broken", "as many", "far beyond a float's powers"],
)
def test_mcnemar_has_the_known_values(fixed, broken, expected):
    # 2 * 0.5 ** 2000 is less than the smallest float; the others are exact fractions.
    assert metrics.mcnemar_p(fixed, broken) == expected


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_is_the_binomial_test_of_scipy(fixed, broken):
    expected = binomtest(broken, fixed + broken).pvalue if fixed + broken else 1.0
    # scipy computes the tail with floating-point special functions, good to about 1e-10 of the value.
    assert metrics.mcnemar_p(fixed, broken) == pytest.approx(expected, rel=1e-9, abs=1e-300)
    assert metrics.mcnemar_p(fixed, broken) == metrics.mcnemar_p(broken, fixed)


def exact_p(fixed: int, broken: int) -> Fraction:
    """The definition, with whole numbers."""
    changed = fixed + broken
    tail = sum(math.comb(changed, k) for k in range(min(fixed, broken) + 1))
    return min(Fraction(1), Fraction(2 * tail, 2**changed))


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_is_the_exact_value_but_for_its_last_digit(fixed, broken):
    # A recurrence of hundreds of rounded terms.
    assert metrics.mcnemar_p(fixed, broken) == pytest.approx(float(exact_p(fixed, broken)), rel=1e-14)


@pytest.mark.parametrize(
    ("fixed", "broken"), [(1_500, 1_400), (2_000, 2_001), (900, 2_300), (0, 1_073), (0, 1_200)]
)
def test_mcnemar_of_thousands_is_the_exact_value(fixed, broken):
    # From 0.07 over numbers that only just are one, to what is none.
    assert metrics.mcnemar_p(fixed, broken) == float(exact_p(fixed, broken))


@pytest.mark.parametrize(
    ("fixed", "broken"),
    [(5_000, 5_000), (20_000, 20_000), (20_000, 19_500), (1_000_000, 1_000_000), (1_000_000, 999_999),
     (1_000_000, 998_000), (997_000, 1_000_000), (950_000, 1_000_000), (0, 2_000_000), (1, 10**9)],
)  # fmt: skip
def test_mcnemar_of_millions_is_that_of_scipy(fixed, broken):
    # Summed one by one this would take minutes to years. scipy's own error grows with the number of images.
    expected = binomtest(broken, fixed + broken).pvalue
    assert metrics.mcnemar_p(fixed, broken) == pytest.approx(expected, rel=1e-7, abs=1e-300)


def test_accuracy_is_printed_with_what_it_is_worth():
    labels = np.arange(10_000) % 10
    digits = np.where(np.arange(10_000) < 9_800, labels, (labels + 1) % 10)
    result = metrics.accuracy(labels, digits)
    assert (result.correct, result.images) == (9_800, 10_000)
    assert str(result) == "98.00 % [97.71, 98.26] (n = 10,000)"


def test_accuracy_is_not_confused_by_small_integer_types():
    labels, digits = np.array([3, 200], np.uint8), np.array([3, 200], np.int64)
    assert metrics.accuracy(labels, digits).correct == 2


@given(st.lists(st.tuples(classes, classes), min_size=1, max_size=60))
def test_confusion_and_scores_are_those_of_scikit_learn(pairs):
    labels, digits = (np.array(column, np.uint8) for column in zip(*pairs, strict=True))
    confusion = metrics.confusion_matrix(labels, digits)
    assert np.array_equal(confusion, sklearn_confusion(labels, digits, labels=range(10)))
    scores = metrics.class_scores(confusion)
    expected = precision_recall_fscore_support(labels, digits, labels=range(10), zero_division=0)
    ours = [
        [score.precision for score in scores],
        [score.recall for score in scores],
        [score.f1 for score in scores],
    ]
    # Quotients of whole numbers below 100: only the last bits may differ.
    assert np.allclose(ours, expected[:3], rtol=1e-12, atol=0)
    assert [score.images for score in scores] == list(expected[3])
    assert [score.label for score in scores] == list(range(10))


def test_a_confusion_matrix_has_the_truth_in_its_rows():
    confusion = metrics.confusion_matrix(np.array([1, 1, 2], np.uint8), np.array([7, 1, 2], np.int64))
    assert confusion.shape == (10, 10)
    assert (confusion[1, 7], confusion[1, 1], confusion[2, 2], confusion.sum()) == (1, 1, 1, 3)


def test_a_confusion_matrix_of_many_classes_does_not_overflow_small_integers():
    labels = np.array([29, 3], np.uint8)
    confusion = metrics.confusion_matrix(labels, labels, classes=30)
    assert np.argwhere(confusion).tolist() == [[3, 3], [29, 29]]


def test_a_comparison_counts_each_kind_of_change():
    labels = np.array([0, 1, 2, 3, 4])
    #                    right     broken    fixed     wrong, then otherwise wrong
    reference = one_hot([0, 1, 5, 7, 4])
    model = one_hot([0, 8, 2, 9, 4])
    comparison = metrics.compare(labels, reference, model)
    assert comparison.broken == (1,)
    assert comparison.fixed == (2,)
    assert comparison.changed == (1, 2, 3)
    assert comparison.difference == 0
    # 100 * (1 - 3/5), in floating point.
    assert comparison.agreement == pytest.approx(40, abs=1e-9)
    assert comparison.p_value == 1.0
    # 0.9 - 0.1/9 in float32: half a unit in the last place on each side.
    assert comparison.largest_probability_difference == pytest.approx(0.9 - 0.1 / 9, abs=1.2e-7)


def test_losses_are_negative_points():
    labels = np.zeros(200, int)
    model = one_hot([1] * 3 + [0] * 197)
    comparison = metrics.compare(labels, one_hot([0] * 200), model)
    assert comparison.difference == -1.5
    assert comparison.broken == (0, 1, 2)
    assert comparison.p_value == 0.25


def test_a_model_compared_with_itself_has_changed_nothing():
    probabilities = one_hot([3, 1, 4, 1, 5])
    comparison = metrics.compare(np.array([3, 1, 4, 1, 9]), probabilities, probabilities)
    assert comparison == metrics.Comparison(0.0, (), (), (), 1.0, 100.0, 0.0)


def test_a_probability_that_is_no_number_is_not_hidden():
    broken = one_hot([0, 1])
    broken[1, 4] = np.nan
    comparison = metrics.compare(np.array([0, 1]), one_hot([0, 1]), broken)
    assert np.isnan(comparison.largest_probability_difference)


def test_calibration_error_of_one_bin_is_confidence_less_accuracy() -> None:
    probabilities = one_hot([0, 1, 2, 3], confidence=0.9)
    labels = np.array([0, 1, 2, 9])  # three of four right
    assert metrics.expected_calibration_error(labels, probabilities) == pytest.approx(0.15, abs=1e-6)


def test_calibration_error_weighs_bins_by_their_images() -> None:
    probabilities = np.concatenate([one_hot([0] * 3, confidence=1.0), one_hot([0], confidence=0.5)])
    labels = np.array([0, 0, 0, 0])
    # Three images without a gap, and one whose confidence is half a point too low.
    assert metrics.expected_calibration_error(labels, probabilities) == pytest.approx(0.5 / 4)


def test_gaps_to_both_sides_do_not_cancel_between_bins() -> None:
    probabilities = np.concatenate([one_hot([0], confidence=0.9), one_hot([0], confidence=0.5)])
    labels = np.array([1, 0])
    assert metrics.expected_calibration_error(labels, probabilities) == pytest.approx((0.9 + 0.5) / 2)
    assert metrics.expected_calibration_error(labels, probabilities, bins=1) == pytest.approx(0.2)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf], ids=str)
def test_calibration_error_of_a_probability_that_is_no_number_is_none(value: float) -> None:
    probabilities = one_hot([0, 1])
    probabilities[1, 4] = value
    assert np.isnan(metrics.expected_calibration_error(np.array([0, 1]), probabilities))


def test_calibration_error_of_a_probability_beyond_one_lands_in_the_last_bin() -> None:
    probabilities = one_hot([0, 1])
    probabilities[0, 0] = 3e38
    assert metrics.expected_calibration_error(np.array([0, 1]), probabilities) > 1


@given(st.integers(1, 200), st.integers(1, 30), st.integers(0, 99))
def test_calibration_error_lies_between_its_bounds(images: int, bins: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet(np.ones(10), images).astype(np.float32)
    labels = generator.integers(0, 10, images)
    found = metrics.expected_calibration_error(labels, probabilities, bins)
    # Bins can only part what the overall gap lets cancel.
    overall = abs(probabilities.max(axis=1).mean() - (probabilities.argmax(axis=1) == labels).mean())
    assert overall - 1e-6 <= found <= 1
