"""Images with their labels: the training or the test part of a dataset."""

import hashlib
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from edgedigits.contract import CLASSES, LABELS

Part = Literal["train", "test"]
PARTS: tuple[Part, Part] = ("train", "test")


@dataclass(frozen=True)
class Split:
    """Images with their labels: the training or the test part of a dataset."""

    dataset: str
    """Name of the dataset, as results show it."""
    images: npt.NDArray[np.uint8]
    """Shape (n, 28, 28), 0 = background, 255 = ink."""
    labels: npt.NDArray[np.uint8]
    """Shape (n,), 0 to 9."""
    sha256: str
    """Over the images and the labels: which data this is, whatever file it came from."""
    class_names: tuple[str, ...] = LABELS
    """Names of the ten classes, in the order of the labels."""

    @classmethod
    def of(
        cls,
        dataset: str,
        images: npt.NDArray[np.uint8],
        labels: npt.NDArray[np.uint8],
        class_names: tuple[str, ...] = LABELS,
    ) -> "Split":
        """Make a split and take its hash."""
        digest = hashlib.sha256(np.ascontiguousarray(images).data)
        digest.update(np.ascontiguousarray(labels).data)
        return cls(dataset, images, labels, digest.hexdigest(), class_names)


LEAST_IMAGES = CLASSES
"""In one part; the most are ``arguments.MOST_IMAGES``."""
ADVICE = "check how the dataset was written"

Images: TypeAlias = npt.NDArray[np.uint8]
Labels: TypeAlias = npt.NDArray[np.uint8]
