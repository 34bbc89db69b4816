"""What a network takes for what: its confusion matrix as a page shows it."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgedigits.contract import CLASSES

MOST_FREQUENT = 5
DARKEST = 45
"""Percent of colour behind the most frequent mistake: the count on it can still be read."""


@dataclass(frozen=True)
class Count:
    """A cell of the matrix."""

    images: int
    shade: int
    """Percent of colour behind it; 0 on the diagonal and where nothing was mistaken."""
    is_right: bool


@dataclass(frozen=True)
class Mistake:
    """One kind of mistake."""

    truth: str
    answer: str
    images: int


@dataclass(frozen=True)
class Mistakes:
    """All that were made on the test images."""

    rows: tuple[tuple[str, tuple[Count, ...]], ...]
    """Name of the true class, and how many of its images were taken for each class."""
    most: tuple[Mistake, ...]
    """The most frequent kinds first."""
    digits: int
    """Of the largest count."""


def mistakes(matrix: Sequence[Sequence[int]], labels: Sequence[str]) -> Mistakes | None:
    """Return a confusion matrix for a page; None for what is none of ten classes.

    Args:
        matrix: rows are the truth, columns the answers.
        labels: titles of the classes.
    """
    if len(matrix) != CLASSES or any(len(row) != CLASSES or min(row) < 0 for row in matrix):
        return None
    found = [
        Mistake(labels[truth], labels[answer], matrix[truth][answer])
        for truth in range(CLASSES)
        for answer in range(CLASSES)
        if truth != answer and matrix[truth][answer]
    ]
    found.sort(key=lambda mistake: -mistake.images)
    most = found[0].images if found else 1
    rows = [
        (
            labels[truth],
            tuple(
                Count(images, 0 if truth == answer else round(DARKEST * images / most), truth == answer)
                for answer, images in enumerate(matrix[truth])
            ),
        )
        for truth in range(CLASSES)
    ]
    digits = max(len(str(images)) for row in matrix for images in row)
    return Mistakes(tuple(rows), tuple(found[:MOST_FREQUENT]), digits)
