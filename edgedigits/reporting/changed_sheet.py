"""The images whose class changed on the way from Keras to a file, drawn for people."""

import numpy as np

from edgedigits.datasets.split import Split
from edgedigits.measuring.reference import Reference
from edgedigits.measuring.verify import Verification
from edgedigits.reporting import sheets
from edgedigits.runtimes.model import Model


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
        for index, old, new in zip(changed, before, answers, strict=True):
            truth = split.labels[index]
            verdict = {old: "broken", new: "fixed"}.get(truth, "wrong")
            cells.append(
                sheets.Cell(split.images[index], (f"{old} -> {new}, is {truth}", f"{verdict}  #{index}"))
            )
    return sheets.draw_sheet(f"{verification.file}: images whose class changed (Keras -> file)", cells)
