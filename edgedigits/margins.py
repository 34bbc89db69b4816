"""How far one answer is ahead of all others, in steps of 1/256, and from which lead on it is sure.

No library at all but for many answers at once, which are numpy's anyway.

Integer TFLite and C files give each probability as one of 256 bytes. So that a picture is sure, or not, by the same
integers wherever it is read, every other file's probabilities are rounded to such bytes before they are compared.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

STEPS = 256
"""Steps from 0 to 1."""
LARGEST_STEP = 255
"""What fits into a byte: the largest lead that there is. It stands for 255/256 and all above."""
NEVER = 256
"""A least lead that no answer has."""
DEFAULT_MIN_MARGIN = 248
"""Least lead, in steps, of a file that does not say its own. Of the first release's network it was right in 99.96 % of
the validation images that had it, and 95.8 % of them had it."""

_LARGEST_FROM = (LARGEST_STEP - 0.5) / STEPS


def in_steps(probability: float) -> int:
    """Round a probability, 0 to 1, to steps of 1/256: ``min(255, floor(256 * probability + 0.5))``.

    Halves go up, and 1 is 255. 256 times a float32 is exact, and so is its sum with a half in a double: every language
    gets the same integer. What integer files give comes back as it is.
    """
    return int(probability * STEPS + 0.5) if probability < _LARGEST_FROM else LARGEST_STEP


def lead_in_steps(probabilities: Sequence[float]) -> int:
    """Return by how many steps the largest of two or more probabilities is ahead of the second, 0 to 255.

    Both are rounded first, and then subtracted. Where two are the largest, the lead is 0.
    """
    second, first = sorted(probabilities)[-2:]
    return in_steps(first) - in_steps(second)


def two_largest(probabilities: "npt.NDArray[np.float32]") -> "npt.NDArray[np.float64]":
    """Return the second and the largest probability of many rows, float64 (2, n), exact.

    Args:
        probabilities: shape (n, k) with two or more columns, from 0 to 1.
    """
    import numpy as np

    # Column by column, which takes a quarter of the time of a partition of each row.
    first, second, *others = np.ascontiguousarray(probabilities.T)
    largest = np.maximum(first, second)
    following = np.minimum(first, second)
    for column in others:
        np.maximum(following, np.minimum(largest, column), out=following)
        np.maximum(largest, column, out=largest)
    return np.stack((following, largest)).astype(np.float64)


def leads_in_steps(probabilities: "npt.NDArray[np.float32]") -> "npt.NDArray[np.int64]":
    """Return ``lead_in_steps`` of many rows at once: int64 (n,) from 0 to 255.

    Args:
        probabilities: shape (n, k) with two or more columns, from 0 to 1.
    """
    return leads_of_two(two_largest(probabilities))


def leads_of_two(largest: "npt.NDArray[np.float64]") -> "npt.NDArray[np.int64]":
    """Return ``lead_in_steps`` of what ``two_largest`` found: int64 (n,) from 0 to 255."""
    import numpy as np

    second, first = np.minimum(np.floor(largest * STEPS + 0.5), LARGEST_STEP)
    leads: npt.NDArray[np.int64] = (first - second).astype(np.int64)
    return leads
