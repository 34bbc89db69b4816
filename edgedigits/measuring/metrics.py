"""Pure functions of labels and predictions: how accurate, how sure of that, how alike.

Everything takes and returns plain numbers or small frozen records; nothing here reads a file.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgedigits.contract import CLASSES

Labels = npt.NDArray[np.integer]
Probabilities = npt.NDArray[np.float32]

Z_95 = 1.959963984540054
"""The 97.5 % quantile of the normal distribution: half of a two-sided 95 % interval."""
LEAST_PROBABILITY = 1 / 512
"""Smaller ones count as this where they are compared by their ratio: half a step of the coarsest files."""
_ONE = 1 << 128
_FLOAT_BITS = 1_080
"""A share smaller than 2 to the power of minus this is 0 as a float."""


@dataclass(frozen=True)
class Accuracy:
    """A share of correct answers, with what it is worth."""

    correct: int
    images: int
    low: float
    """Lower end of the Wilson 95 % interval, in percent."""
    high: float
    """Upper end of the Wilson 95 % interval, in percent."""

    @property
    def percent(self) -> float:
        """Correct answers in percent."""
        return 100.0 * self.correct / self.images

    def __str__(self) -> str:
        return f"{self.percent:.2f} % [{self.low:.2f}, {self.high:.2f}] (n = {self.images:,})"


def accuracy(labels: Labels, digits: Labels) -> Accuracy:
    """Count the correct answers.

    Args:
        labels: true classes, shape (n,), n > 0.
        digits: predicted classes, shape (n,).
    """
    correct = int(np.count_nonzero(labels == digits))
    low, high = wilson_interval(correct, len(labels))
    return Accuracy(correct, len(labels), low, high)


def wilson_interval(correct: int, images: int) -> tuple[float, float]:
    """Return the two ends, in percent, of the 95 % score interval for a share of ``correct`` in ``images``.

    Unlike the normal approximation it stays inside 0 to 100 % and keeps its coverage near the ends.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    Journal of the American Statistical Association 22 (1927).
    """
    share = correct / images
    spread = Z_95 * math.sqrt(share * (1 - share) / images + Z_95**2 / (4 * images**2))
    centre = share + Z_95**2 / (2 * images)
    scale = 100.0 / (1 + Z_95**2 / images)
    # Rounding may put an end a hair beyond the share itself, or beyond 0 and 100 %.
    low = min(max(scale * (centre - spread), 0.0), 100.0 * share)
    high = max(min(scale * (centre + spread), 100.0), 100.0 * share)
    return low, high


def mcnemar_p(fixed: int, broken: int) -> float:
    """Return the two-sided exact McNemar p value of a change that fixed some images and broke others.

    Under the null hypothesis that the change is neutral each changed image is a fair coin, so this is the
    binomial test of ``broken`` in ``fixed + broken`` at one half; 1.0 where nothing changed.

    Source: Q. McNemar, "Note on the sampling error of the difference between correlated proportions or
    percentages", Psychometrika 12 (1947), in its exact (binomial) form.
    """
    changed, fewer = fixed + broken, min(fixed, broken)
    if 2 * fewer == changed:
        return 1.0
    # Binomial terms relative to that of `fewer`, in fixed point: each follows from its neighbour,
    # C(n, k - 1) = C(n, k) * k / (n - k + 1), and rounding down 128 bits below the largest cannot be seen in a float.
    # Only those about the middle and below `fewer` count, so this takes some square roots of `changed` of steps.
    tail, term = 0, _ONE
    for k in range(fewer, -1, -1):
        if not term:
            break
        tail += term
        term = term * k // (changed - k + 1)
    rest, term = 0, _ONE
    for k in range(fewer, changed):
        term = term * (changed - k) // (k + 1)
        rest += term
        if not term:
            break
        if rest >> _FLOAT_BITS > tail:
            return 0.0
    # Whole numbers divide exactly in Python, also where they overflow a float.
    return min(1.0, 2 * tail / (tail + rest))


def confusion_matrix(labels: Labels, digits: Labels, classes: int = CLASSES) -> npt.NDArray[np.int64]:
    """Count images by true class (row) and predicted class (column); shape (classes, classes)."""
    flat = np.bincount(labels.astype(np.int64) * classes + digits, minlength=classes * classes)
    return flat.reshape(classes, classes).astype(np.int64)


@dataclass(frozen=True)
class ClassScore:
    """How well one class is found."""

    label: int
    images: int
    precision: float
    """Of the images that were called this class, the share that is; 0 where none was. In 0..1."""
    recall: float
    """Of the images of this class, the share that was found; 0 where there are none. In 0..1."""
    f1: float
    """Harmonic mean of precision and recall; 0 where both are 0. In 0..1."""


def class_scores(confusion: npt.NDArray[np.int64]) -> list[ClassScore]:
    """Return precision, recall and F1 of every class of a confusion matrix (rows: truth)."""
    scores = []
    for label in range(len(confusion)):
        hits = int(confusion[label, label])
        called, there = int(confusion[:, label].sum()), int(confusion[label].sum())
        precision = hits / called if called else 0.0
        recall = hits / there if there else 0.0
        f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
        scores.append(ClassScore(label, there, precision, recall, f1))
    return scores


@dataclass(frozen=True)
class Comparison:
    """How the answers of one model differ from those of its reference, image by image."""

    difference: float
    """Accuracy of the model less that of the reference, in percentage points."""
    fixed: tuple[int, ...]
    """Indices of the images that only the model gets right."""
    broken: tuple[int, ...]
    """Indices of the images that only the reference gets right."""
    changed: tuple[int, ...]
    """Indices of all images whose top class differs, right or wrong."""
    p_value: float
    """Exact McNemar p value of the fixed and broken images."""
    agreement: float
    """Images with the same top class, in percent."""
    largest_probability_difference: float
    """Largest absolute difference of any probability of any image."""
    divergence: float = 0.0
    """Kullback-Leibler divergence of the reference's probabilities from the model's, in nats: the mean over the images
    whose top class is the same, of ten sigmoids the sum of those of each; NaN where a probability is not finite."""


def compare(
    labels: Labels,
    reference: Probabilities,
    probabilities: Probabilities,
    *,
    are_independent: bool = False,
) -> Comparison:
    """Compare a model's probabilities with its reference's.

    Args:
        labels: true classes, shape (n,), n > 0.
        reference: shape (n, classes).
        probabilities: shape (n, classes).
        are_independent: whether each is that of its own class alone, as sigmoids are, and rows do not sum to 1.
    """
    before, after = reference.argmax(axis=1), probabilities.argmax(axis=1)
    fixed = np.flatnonzero((before != labels) & (after == labels))
    broken = np.flatnonzero((before == labels) & (after != labels))
    changed = np.flatnonzero(before != after)
    return Comparison(
        difference=100.0 * (len(fixed) - len(broken)) / len(labels),
        fixed=tuple(map(int, fixed)),
        broken=tuple(map(int, broken)),
        changed=tuple(map(int, changed)),
        p_value=mcnemar_p(len(fixed), len(broken)),
        agreement=100.0 * (1 - len(changed) / len(labels)),
        largest_probability_difference=float(np.abs(reference - probabilities).max()),
        divergence=_divergence(
            reference[before == after], probabilities[before == after], are_independent=are_independent
        ),
    )


def _divergence(reference: Probabilities, probabilities: Probabilities, *, are_independent: bool) -> float:
    """Return the mean divergence in nats of rows (n, classes); 0 where there are none."""
    if not len(reference):
        return 0.0
    if are_independent:
        # Of each class, whether it is and whether it is not: a row of two, one for each class.
        reference, probabilities = (
            np.stack([rows, 1 - rows], axis=-1).reshape(-1, 2) for rows in (reference, probabilities)
        )
        return CLASSES * _divergence(reference, probabilities, are_independent=False)
    with np.errstate(all="ignore"):  # infinity in answers that fail anyway
        before, after = (
            np.maximum(rows.astype(np.float64), LEAST_PROBABILITY) for rows in (reference, probabilities)
        )
        before /= before.sum(axis=1, keepdims=True)
        after /= after.sum(axis=1, keepdims=True)
        return float((before * np.log(before / after)).sum(axis=1).mean())


def expected_calibration_error(labels: Labels, probabilities: Probabilities, bins: int = 15) -> float:
    """Return how far confidence and accuracy lie apart, in the mean over all images; 0..1.

    The images are sorted into ``bins`` intervals of equal width by their confidence, the probability of the class that
    they are called. In each the distance of mean confidence and accuracy counts by its share of the images.

    Source: C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On calibration of modern neural networks", ICML 2017,
    equation 3, with 15 bins as there.

    Args:
        labels: true classes, shape (n,), n > 0.
        probabilities: shape (n, classes), rows sum to 1.
        bins: intervals (k / bins, (k + 1) / bins].

    Returns:
        NaN where a probability is not finite.
    """
    if not np.isfinite(probabilities).all():
        return math.nan
    confidence = probabilities.max(axis=1).astype(np.float64)
    is_correct = probabilities.argmax(axis=1) == labels
    index = np.clip(np.ceil(confidence * bins) - 1, 0, bins - 1).astype(np.int64)
    gaps = np.bincount(index, confidence - is_correct, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))
