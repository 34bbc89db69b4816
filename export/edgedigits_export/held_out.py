"""Which training images a network was fitted on, and which its run held out: found again by what the manifest says."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgedigits.artifacts.records import Training
from edgedigits.contract import CLASSES
from edgedigits.datasets.split import Split
from edgedigits.errors import ModelFileError
from edgedigits.training.recipe import Recipe
from edgedigits.training.splits import validation_indices

LEAST_SHARE = 10
"""Of a small training file, one in so many images is held out from the choices about a network of another author."""


def split_indices(
    path: Path, training: Training | None, split: Split
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Part the training images as the run did that made a network.

    Args:
        path: of the network, for messages.
        training: what the manifest says of that run; None for a network of another author, which may have been fitted
            on any of them.
        split: the training images.

    Returns:
        Sorted int64 indices: fitted on, held out.

    Raises:
        ModelFileError: the manifest does not say how it was trained.
        DatasetError: not enough images for every class to stand in both parts.
    """
    if training is not None:
        recipe = _recipe(path, training)
        return validation_indices(split.labels, recipe.validation, recipe.seed)
    usual = Recipe()
    count = min(usual.validation, max(CLASSES, len(split.labels) // LEAST_SHARE))
    return validation_indices(split.labels, count, usual.seed)


def _recipe(path: Path, training: Training) -> Recipe:
    """Read how a network was trained: with it the validation images are found again."""
    try:
        return Recipe.from_dict(training["arguments"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(
            path, f"the manifest beside it does not say how it was trained ({error})", "train it again"
        ) from error
