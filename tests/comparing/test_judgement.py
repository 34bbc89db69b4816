import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgedigits.comparing.judgement import judge
from edgedigits.comparing.paired import difference


@pytest.mark.parametrize(
    ("fixed", "broken", "outcome", "passes", "passes_strictly"),
    [
        (4, 3, "pass", True, True),
        (0, 0, "pass", True, True),
        (13, 60, "fail", False, False),
        (20, 40, "open", True, False),
        (60, 13, "pass", True, True),
    ],
    ids=["tied and alike", "the same", "worse", "unclear", "better"],
)
def test_a_loss_is_proven_or_refuted_or_open(fixed, broken, outcome, passes, passes_strictly):
    found = difference(10_000, fixed, broken)
    judged = judge(found, 0.2, is_strict=False)
    assert (judged.outcome, judged.passed) == (outcome, passes)
    strict = judge(found, 0.2, is_strict=True)
    assert (strict.outcome, strict.passed) == (outcome, passes_strictly)
    assert str(judged).startswith("pass" if passes else "FAIL")
    assert str(strict).startswith("pass" if passes_strictly else "FAIL")
    assert judged.largest_loss == -found.low


def test_a_bound_of_nothing_fails_what_is_worse_and_no_tie():
    assert judge(difference(10_000, 10, 40), 0.0, is_strict=False).outcome == "fail"
    assert judge(difference(10_000, 10, 18), 0.0, is_strict=False).outcome == "open"
    assert judge(difference(10_000, 40, 10), 0.0, is_strict=False).outcome == "pass"


def test_what_the_exact_test_calls_chance_never_fails():
    # Five of ten images: the interval of so few lies below 0 as a whole, the exact test gives p = 0.06.
    found = difference(10, 0, 5)
    assert found.high < 0
    assert not found.is_significant
    assert judge(found, 0.0, is_strict=False).outcome == "open"


@given(st.integers(50, 5_000), st.integers(0, 25), st.integers(0, 25), st.floats(0, 5), st.floats(0, 5))
def test_a_wider_margin_never_fails_what_a_narrower_one_lets_through(images, fixed, broken, one, other):
    found = difference(images, fixed, broken)
    narrow, wide = (judge(found, margin, is_strict=False) for margin in sorted((one, other)))
    assert wide.passed or not narrow.passed
    assert not (wide.outcome == "open" and narrow.outcome == "pass")


def test_equal_models_fail_once_in_forty_at_most():
    generator = np.random.default_rng(0)
    changed = generator.binomial(1_000, 0.03, 2_000)
    failed = [
        judge(difference(1_000, count - lost, lost), 0.0, is_strict=False).outcome == "fail"
        for count, lost in zip(changed.tolist(), generator.binomial(changed, 0.5).tolist(), strict=True)
    ]
    # At most 2.5 % by the exact test; four standard errors of 2,000 draws are 1.4.
    assert np.mean(failed) <= 0.025 + 0.014
