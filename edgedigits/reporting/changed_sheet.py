"""The images whose class changed, on the way from Keras to a file or from one file to another, drawn for people."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from edgedigits.comparing.result import Comparison
from edgedigits.datasets.split import Split
from edgedigits.measuring.metrics import Probabilities
from edgedigits.measuring.reference import Reference
from edgedigits.measuring.verify import Verification
from edgedigits.reporting import sheets
from edgedigits.runtimes.model import Model

MOST_DRAWN = 300
"""Images of a kind: a page of thirty rows."""


def changed_sheet(verification: Verification, model: Model, split: Split, reference: Reference) -> bytes:
    """Draw all images whose class changed, with both answers and the truth.

    Returns:
        A PNG file.
    """
    changed = np.array(verification.comparison.changed, np.int64)
    cells = []
    if len(changed):
        answers = model.probabilities(split.images[changed]).argmax(axis=1)
        before = reference.probabilities[changed].argmax(axis=1)
        cells = [
            _cell(split, index, old, new) for index, old, new in zip(changed, before, answers, strict=True)
        ]
    return sheets.draw_sheet(f"{verification.file}: images whose class changed (Keras -> file)", cells)


def difference_sheet(found: Comparison, split: Split, old: Probabilities, new: Probabilities) -> bytes:
    """Draw the images that only one of two models gets right, those that were broken first, then the other changes.

    Args:
        found: what was found of the two.
        split: the images.
        old: answers of the old model, float32 (n, 10).
        new: answers of the new one.

    Returns:
        A PNG file. Of more than ``MOST_DRAWN`` images of a kind the first are drawn, and the title says how many
        there are.
    """
    others = sorted({*found.changed} - {*found.fixed} - {*found.broken})
    kinds = {"broken": found.broken, "fixed": found.fixed, "wrong before and after": others}
    cells = [
        _cell(split, index, old[index].argmax(), new[index].argmax())
        for indices in kinds.values()
        for index in indices[:MOST_DRAWN]
    ]
    return sheets.draw_sheet(f"old -> new: {', '.join(_counted(kinds))}", cells)


def _counted(kinds: Mapping[str, Sequence[int]]) -> Iterable[str]:
    for kind, indices in kinds.items():
        drawn = f" ({MOST_DRAWN} drawn)" if len(indices) > MOST_DRAWN else ""
        yield f"{len(indices):,} {kind}{drawn}"


def _cell(split: Split, index: int, old: int, new: int) -> sheets.Cell:
    truth = split.labels[index]
    verdict = {old: "broken", new: "fixed"}.get(truth, "wrong")
    return sheets.Cell(split.images[index], (f"{old} -> {new}, is {truth}", f"{verdict}  #{index}"))
