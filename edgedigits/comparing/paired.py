"""Pure functions of paired answers: how far apart two models are, and what the images could have shown.

Two models that answer the same images share their hard ones. Only those that one of them gets right and the other not
tell them apart, so all of this is about two counts: ``fixed`` (only the new model is right) and ``broken`` (only the
old one is).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgedigits.measuring.metrics import Z_95, mcnemar_p

SIGNIFICANT = 0.05
"""p values below this are called no chance: of two-sided tests, and so of 95 % intervals."""
POWER = 0.80
"""How often a difference has to be seen to count as one that would have been."""
_HALVINGS = 60
"""Of an interval of length 1: more than a float can tell apart."""
_SPREAD = 9.0
"""Standard deviations of a binomial that are summed: what lies beyond is below 1e-18."""


@dataclass(frozen=True)
class Difference:
    """How the accuracies of two models on the same images differ; points are percentage points, new less old."""

    images: int
    fixed: int
    """Images that only the new model gets right."""
    broken: int
    """Images that only the old model gets right."""
    points: float
    low: float
    """Lower end of the 95 % interval of the paired difference, in points."""
    high: float
    """Upper end of it, in points."""
    p_value: float
    """Exact McNemar, two-sided."""

    @property
    def is_significant(self) -> bool:
        """Whether models that are equally good would differ so less than once in twenty times."""
        return self.p_value < SIGNIFICANT


def difference(images: int, fixed: int, broken: int) -> Difference:
    """Compare two models by the images that only one of them gets right.

    Args:
        images: that both answered, more than 0.
        fixed: that only the new model gets right.
        broken: that only the old model gets right.

    Raises:
        ValueError: counts that cannot be.
    """
    if images < 1 or min(fixed, broken) < 0 or fixed + broken > images:
        raise ValueError(
            f"expected counts of at most {images} images, found {fixed} fixed and {broken} broken"
        )
    low, high = score_interval(images, fixed, broken)
    points = 100.0 * (fixed - broken) / images
    return Difference(images, fixed, broken, points, low, high, mcnemar_p(fixed, broken))


def score_interval(images: int, fixed: int, broken: int) -> tuple[float, float]:
    """Return the ends, in points, of the 95 % score interval of a paired difference.

    It holds every difference that the score test of paired shares does not reject: unlike the usual approximation it
    has a width where nothing or everything changed, and covers what it promises where few images changed.

    Source: T. Tango, "Equivalence test and confidence interval for the difference in proportions for the paired-sample
    design", Statistics in Medicine 17 (1998).
    """
    share = (fixed - broken) / images
    low = _end(images, fixed, broken, inside=share, outside=-1.0)
    high = _end(images, fixed, broken, inside=share, outside=1.0)
    return 100.0 * low, 100.0 * high


def _end(images: int, fixed: int, broken: int, *, inside: float, outside: float) -> float:
    """Return where between a difference that is not rejected and one beyond all others the test begins to reject."""
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        if abs(_score(images, fixed, broken, middle)) <= Z_95:
            inside = middle
        else:
            outside = middle
    return inside


def _score(images: int, fixed: int, broken: int, share: float) -> float:
    """Return Tango's statistic (his formulas 10 to 12): standard errors between the counts and a true difference."""
    distance = fixed - broken - images * share
    if distance == 0:
        return 0.0
    b = -fixed - broken + (2 * images - fixed + broken) * share
    c = -broken * share * (1 - share)
    # The likeliest share of broken images, were the true difference this one.
    likeliest = (math.sqrt(max(b * b - 8 * images * c, 0.0)) - b) / (4 * images)
    variance = images * (2 * likeliest + share * (1 - share))
    return distance / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, distance)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Return p values that hold for all of several questions together, in the same order.

    Whoever asks ten times at 5 % is told of a difference that there is not four times in ten. Here the smallest p value
    counts as many times as there are questions, the next once less, and none less than one before it.

    Source: S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6
    (1979).
    """
    adjusted = [0.0] * len(p_values)
    least = 0.0
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    for rank, index in enumerate(order):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = least
    return tuple(adjusted)


def power(images: int, changed_share: float, difference_share: float) -> float:
    """Return how often the exact McNemar test sees a true difference at 5 %.

    Computed from the distributions themselves: how many images change is binomial, and so is how many of these are
    broken.

    Args:
        images: that both models answer.
        changed_share: of images that only one of the models gets right, over all images; in 0..1.
        difference_share: between the two models' accuracies; 0 to ``changed_share``.
    """
    if changed_share <= 0:
        return 0.0
    broken_share = (1 + difference_share / changed_share) / 2
    first, weights = _binomial(images, changed_share)
    return float(
        sum(
            weight * _rejects(changed, broken_share)
            for changed, weight in enumerate(weights.tolist(), first)
            if changed
        )
    )


def least_detectable(images: int, changed: int) -> int | None:
    """Return the least difference, in images, that would have been seen in ``POWER`` of all samples like this one.

    As many images change by chance as did here, half of them for the better; those that are lost come on top.

    Args:
        images: that both models answered.
        changed: of these, those that only one of the models got right.

    Returns:
        None where so few images cannot show any difference.
    """

    def is_seen(lost: int) -> bool:
        return power(images, (changed + lost) / images, lost / images) >= POWER

    if changed == images or not is_seen(images - changed):
        return None
    unseen, seen = 0, images - changed
    while seen - unseen > 1:
        middle = (unseen + seen) // 2
        unseen, seen = (unseen, middle) if is_seen(middle) else (middle, seen)
    return seen


def _rejects(changed: int, broken_share: float) -> float:
    """Return how often so many changed images are called a difference, where each is broken with that probability."""
    first, fair = _binomial(changed, 0.5)
    most = first + int(np.searchsorted(np.cumsum(fair), SIGNIFICANT / 2)) - 1
    if most < 0:
        return 0.0
    start, weights = _binomial(changed, broken_share)
    few, many = most + 1 - start, changed - most - start
    return float(weights[: max(few, 0)].sum() + weights[max(many, 0) :].sum())


def _binomial(count: int, share: float) -> tuple[int, npt.NDArray[np.float64]]:
    """Return the first of the outcomes that are likely enough to count, and the probabilities of it and the next."""
    if share >= 1:
        return count, np.ones(1)
    middle, reach = count * share, _SPREAD * math.sqrt(count * share * (1 - share)) + _SPREAD
    first, last = max(0, math.floor(middle - reach)), min(count, math.ceil(middle + reach))
    # Each from its neighbour, from the likeliest on: nothing overflows, and errors stay as small as those of a product.
    outcomes = np.arange(first, last)
    ratios = np.log(count - outcomes) - np.log1p(outcomes) + math.log(share) - math.log1p(-share)
    logs = np.concatenate([[0.0], np.cumsum(ratios)])
    weights = np.exp(logs - logs.max())
    return first, weights / weights.sum()
