"""Which training images are fitted, and which are held out."""

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from edgedigits.datasets.split import Split
from edgedigits.errors import DatasetError
from edgedigits.training.fitting import TrainingData
from edgedigits.training.recipe import Recipe


def validation_indices(
    labels: npt.NDArray[np.uint8], validation: int, seed: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Split the training file's indices into those to fit and those held out, every class with its share.

    Args:
        labels: of the training file, shape (n,).
        validation: images to hold out.
        seed: of the recipe.

    Returns:
        Sorted int64 indices: fit, held out.

    Raises:
        DatasetError: not enough images for every class to stand in both parts.
    """
    try:
        fit, held_out = train_test_split(
            np.arange(len(labels)), test_size=validation, stratify=labels, random_state=seed
        )
    except ValueError as error:
        raise DatasetError(
            f"{validation} validation images cannot be held out of {len(labels):,}: {error}; "
            "choose another --validation"
        ) from error
    return np.sort(fit).astype(np.int64), np.sort(held_out).astype(np.int64)


def training_data(recipe: Recipe, split: Split) -> TrainingData:
    """Part the training images into those to fit and those held out, as the recipe says."""
    fit, held_out = validation_indices(split.labels, recipe.validation, recipe.seed)
    return TrainingData(split.images[fit], split.labels[fit], split.images[held_out], split.labels[held_out])
