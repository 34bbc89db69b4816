"""Whether what a model answers are probabilities: one row for each image, from 0 to 1, each row with the sum 1.

A file may be whole and keep the contract, and its weights may still be so damaged that what comes out means nothing.
One place looks at the answers of every runtime.
"""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgedigits.contract import CLASSES
from edgedigits.errors import ContractError, ModelFileError

if TYPE_CHECKING:
    import numpy.typing as npt

SUM_TOLERANCE = 2e-3
"""Between the sum of a row and 1. Ten floats of a softmax miss it by 1e-6; what is no softmax misses it by far more."""
QUANTIZED_SUM_TOLERANCE = 10 / 256
"""Likewise where probabilities come in steps of 1/256: each of ten may be off by one step, and 1 is kept as 255/256."""
ANY_SUM = math.inf
"""Likewise of ten sigmoids: each is the probability of its own class, whatever the others are."""


def check_shape(path: Path, answers: Any, images: int) -> None:
    """Raise ``ContractError`` unless a model gave ten float32 for each image.

    Args:
        path: of the model file, for the message.
        answers: what the runtime gave.
        images: how many images it was asked about.
    """
    if type(answers) is not np.ndarray or answers.shape != (images, CLASSES) or answers.dtype.char != "f":
        found = (
            f"{answers.dtype} {answers.shape}" if isinstance(answers, np.ndarray) else type(answers).__name__
        )
        raise ContractError(path, f"answers float32 {(images, CLASSES)} to {images:,} images", found)


def are_probabilities(answers: "npt.NDArray[np.float32]", tolerance: float = SUM_TOLERANCE) -> bool:
    """Tell whether all rows of answers, float32 (n, 10), are probabilities.

    Written so that a NaN, for which no comparison holds, is none.
    """
    if len(answers) == 1:
        # A fifth of the time that NumPy takes for a single row.
        row = answers[0].tolist()
        return bool(min(row) >= 0 and abs(sum(row) - 1) <= tolerance) and (
            tolerance < ANY_SUM or max(row) <= 1
        )
    if not len(answers):
        return True
    # First what cannot overflow, which NumPy would warn of.
    most = 1 + tolerance if tolerance < ANY_SUM else 1
    if not (np.minimum.reduce(answers, None) >= 0 and np.maximum.reduce(answers, None) <= most):
        return False
    # A product with ones would wake the threads of BLAS, which then wait on the other cores for another product.
    sums = np.add.reduce(np.ascontiguousarray(answers.T), 0)
    return bool(np.minimum.reduce(sums) >= 1 - tolerance and np.maximum.reduce(sums) <= 1 + tolerance)


def faults(answers: "npt.NDArray[np.float32]", tolerance: float = SUM_TOLERANCE) -> list[str]:
    """Say why answers, float32 (n, 10), are no probabilities; nothing where they are."""
    if not np.isfinite(answers).all():
        return ["some probabilities are not finite numbers"]
    found = []
    if answers.min() < 0 or answers.max() > 1:
        found.append(f"some probabilities lie outside of 0 to 1: {answers.min():.3g} to {answers.max():.3g}")
    sums = answers.sum(axis=1, dtype=np.float64)
    if np.abs(sums - 1).max() > tolerance:
        found.append(
            f"the probabilities of some images do not sum to 1: {sums.min():.4g} to {sums.max():.4g}, "
            f"allowed are {tolerance:.2g} more or less"
        )
    return found


def check_probabilities(
    path: Path, answers: "npt.NDArray[np.float32]", images: int, tolerance: float = SUM_TOLERANCE
) -> None:
    """Raise an error unless a float model gave probabilities, float32 (n, 10), for each image.

    Args:
        path: of the model file, for the message.
        answers: what the runtime gave.
        images: how many images it was asked about.
        tolerance: between the sum of a row and 1; ``ANY_SUM`` for ten sigmoids.

    Raises:
        ContractError: other answers than ten for each image.
        ModelFileError: they are no probabilities.
    """
    check_shape(path, answers, images)
    if not are_probabilities(answers, tolerance):
        raise no_probabilities(path, answers, tolerance)


def no_probabilities(
    path: Path, answers: "npt.NDArray[np.float32]", tolerance: float = SUM_TOLERANCE
) -> ModelFileError:
    """Return the error about answers that are no probabilities."""
    if np.isnan(answers).any():
        return ModelFileError(path, "it gives no numbers: its weights are damaged")
    return ModelFileError(path, f"it gives no probabilities: {'; '.join(faults(answers, tolerance))}")
