import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import binom

from edgedigits.comparing import paired
from edgedigits.measuring.metrics import Z_95, mcnemar_p

counts = st.integers(1, 20_000).flatmap(
    lambda n: st.tuples(st.just(n), st.integers(0, n)).flatmap(
        lambda pair: st.tuples(st.just(pair[0]), st.just(pair[1]), st.integers(0, pair[0] - pair[1]))
    )
)


def test_the_interval_has_the_known_value():
    # Complete response before and after consolidation (Cavo 2012), as the R package contingencytables of the authors
    # of "Statistical analysis of contingency tables" (2017) has it, to 1e-4 of a share.
    assert paired.score_interval(161, 6, 16) == pytest.approx((-12.40, -0.54), abs=0.005)


def statistic(images: int, fixed: int, broken: int, share: float) -> float:
    """The score test by its definition: the likeliest shares under the null are found by a search, not a formula."""

    def unlikely(lost: float) -> float:
        shares, seen = (lost + share, lost, 1 - 2 * lost - share), (fixed, broken, images - fixed - broken)
        return -sum(count * math.log(part) for part, count in zip(shares, seen, strict=True) if count)

    tiny = 1e-13
    bounds = (max(0.0, -share) + tiny, (1 - share) / 2 - tiny)
    lost = minimize_scalar(unlikely, bounds=bounds, method="bounded", options={"xatol": 1e-13}).x
    return (fixed - broken - images * share) / math.sqrt(images * (2 * lost + share - share**2))


@pytest.mark.parametrize(
    ("images", "fixed", "broken"),
    [(10_000, 4, 3), (10_000, 60, 13), (10_000, 1, 0), (100, 0, 12), (1_000, 200, 300), (40, 20, 20)],
    ids=str,
)
def test_the_ends_are_where_the_score_test_begins_to_reject(images, fixed, broken):
    low, high = paired.score_interval(images, fixed, broken)
    # The search is good to about 1e-7 of the share, and the statistic as its square root.
    assert statistic(images, fixed, broken, low / 100) == pytest.approx(Z_95, abs=1e-3)
    assert statistic(images, fixed, broken, high / 100) == pytest.approx(-Z_95, abs=1e-3)


@given(counts)
def test_the_interval_holds_the_difference_and_is_mirrored_by_exchange(count):
    images, fixed, broken = count
    found = paired.difference(images, fixed, broken)
    assert -100 <= found.low <= found.points <= found.high <= 100
    assert found.low < found.high
    other = paired.difference(images, broken, fixed)
    # Both are halvings from the other side: equal but for the last digits.
    assert (other.low, other.high) == pytest.approx((-found.high, -found.low), abs=1e-9)
    assert other.p_value == found.p_value == mcnemar_p(fixed, broken)


@pytest.mark.parametrize(
    "count", [(0, 0, 0), (10, -1, 0), (10, 0, -1), (10, 6, 5)], ids=["no images", "fixed", "broken", "more"]
)
def test_counts_that_cannot_be_are_refused(count):
    with pytest.raises(ValueError, match="expected counts of at most"):
        paired.difference(*count)


def test_holm_is_the_textbook_s():
    # S. Holm's example of four questions: 4 * 0.01, then 3 * 0.02, 2 * 0.03 no less, 0.04 no less.
    assert paired.holm([0.01, 0.04, 0.03, 0.02]) == pytest.approx((0.04, 0.06, 0.06, 0.06))
    assert paired.holm([0.6, 0.5, 1.0]) == (1.0, 1.0, 1.0)
    assert paired.holm([]) == ()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_keeps_the_order_and_lies_between_each_p_value_and_the_largest_of_bonferroni_s(p_values):
    adjusted = paired.holm(p_values)
    for p, q in zip(p_values, adjusted, strict=True):
        no_larger = [other for other in p_values if other <= p]
        assert p <= q <= min(1.0, max(len(p_values) * other for other in no_larger))
        assert all(q >= r for other, r in zip(p_values, adjusted, strict=True) if other < p)


@pytest.mark.parametrize(
    ("images", "changed", "lost"),
    [(100, 0.2, 0.1), (1_000, 0.02, 0.01), (50, 0.5, 0.0), (200, 0.05, 0.05)],
    ids=str,
)
def test_power_is_the_sum_over_all_outcomes(images, changed, lost):
    expected = sum(
        binom.pmf(count, images, changed)
        * sum(
            binom.pmf(k, count, (1 + lost / changed) / 2)
            for k in range(count + 1)
            if mcnemar_p(k, count - k) < 0.05
        )
        for count in range(1, images + 1)
        if binom.pmf(count, images, changed) > 1e-14
    )
    # What is left out on both sides is below 1e-12 each.
    assert paired.power(images, changed, lost) == pytest.approx(expected, abs=1e-10)


def test_equal_models_are_called_different_at_most_once_in_twenty():
    shares = [(images, changed) for images in (20, 100, 1_000, 10_000) for changed in (0.001, 0.01, 0.1, 0.5)]
    # By the distributions themselves, not by chance; an exact test keeps it for any number of images.
    assert all(paired.power(images, changed, 0.0) <= 0.05 for images, changed in shares)


def test_nothing_that_changes_is_never_seen():
    assert paired.power(100, 0.0, 0.0) == 0.0


@settings(max_examples=30)
@given(st.integers(20, 3_000).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n // 2))))
@example((20, 9))
@example((20, 2))
def test_the_least_difference_is_seen_four_times_in_five_and_one_image_less_is_not(count):
    images, changed = count
    least = paired.least_detectable(images, changed)

    def seen(lost: int) -> float:
        return paired.power(images, (changed + lost) / images, lost / images)

    if least is None:  # a few images, of which half change by chance
        assert seen(images - changed) < paired.POWER
    else:
        assert seen(least) >= paired.POWER > seen(least - 1)


def test_too_few_images_show_no_difference():
    # Five images that all change in one direction come once in sixteen times.
    assert paired.least_detectable(5, 0) is None
    assert paired.least_detectable(6, 0) == 6
    assert paired.least_detectable(6, 6) is None
