"""What a network reads in one picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgedigits.arguments import count_of
from edgedigits.contract import LABELS
from edgedigits.margins import DEFAULT_MIN_MARGIN, lead_in_steps


@dataclass(frozen=True)
class Prediction:
    """What the network reads in one picture."""

    digit: int
    """The most probable digit, 0 to 9; in a network of another dataset, the index of the class."""
    confidence: float
    """Its probability, 0 to 1. Of a network that ends in ten sigmoids (``metadata.head``), its own sigmoid: how sure it
    is of this class alone, and others may be as likely."""
    probabilities: tuple[float, ...]
    """Probability of each digit, ten in all, with the sum 1 unless they are ten sigmoids. A tuple of plain floats: it
    can be hashed and put in JSON."""
    label: str
    """Name of the most probable class: the digit as text, or what the network's dataset calls it."""
    sure: bool = False
    """Whether ``margin_steps`` reaches the least lead that the file, or the caller, asks for. Nothing is sure of a
    prediction that was put together by hand."""

    @property
    def margin(self) -> float:
        """How far the most probable class is ahead of the second, 0 to 1: small where the network wavers."""
        second, first = sorted(self.probabilities)[-2:]
        return first - second

    @property
    def margin_steps(self) -> int:
        """The same in steps of 1/256, 0 to 255, as programs on any device count it; see ``margins.lead_in_steps``."""
        return lead_in_steps(self.probabilities)

    @classmethod
    def from_probabilities(
        cls,
        row: npt.NDArray[np.float32],
        labels: Sequence[str] = LABELS,
        min_margin: int = DEFAULT_MIN_MARGIN,
    ) -> "Prediction":
        """Build from one row, shape (10,), of what ``DigitPredictor.probabilities`` returns.

        Args:
            row: the probabilities.
            labels: names of the ten classes.
            min_margin: the least lead over the second from which on the answer is sure, in steps of 1/256.
        """
        probabilities = tuple(row.tolist())
        digit = int(row.argmax())
        sure = lead_in_steps(probabilities) >= min_margin
        return cls(digit, probabilities[digit], probabilities, labels[digit], sure)

    def top(self, count: int) -> list[tuple[int, float]]:
        """Return the ``count`` most probable digits (0 or more) with their probabilities, the most probable first.

        Raises:
            ArgumentError: the count is negative, or no whole number.
        """
        count = count_of("count", count, 0)
        ranked = sorted(enumerate(self.probabilities), key=lambda digit: -digit[1])
        return ranked[:count]
