"""Draws the calibration images of an integer file.

They come from the training split only, every class with its share, chosen by a seed. A picture that also is a
validation or test image is left out: a file must not be tuned on what judges it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from edgedigits.artifacts.hashes import sha256_bytes
from edgedigits.contract import CLASSES
from edgedigits.datasets.split import Split
from edgedigits.errors import DatasetError
from edgedigits.metadata import CalibrationReceipt

LEAST_IMAGES = 10


@dataclass(frozen=True)
class CalibrationSet:
    """Images for the converter, with the receipt that says which they are."""

    images: npt.NDArray[np.uint8]
    """Shape (n, 28, 28)."""
    indices: npt.NDArray[np.int64]
    """Where they stand in the training file, sorted, shape (n,)."""
    seed: int
    left_out: int = 0
    """Images that could have been chosen but for a validation or test image that is the same picture."""

    @property
    def receipt(self) -> CalibrationReceipt:
        """What a file says of them."""
        sha256 = sha256_bytes(self.indices.astype("<i8").tobytes())
        return CalibrationReceipt(images=len(self.images), seed=self.seed, indices_sha256=sha256)


def draw_calibration_images(
    split: Split,
    fit_indices: npt.NDArray[np.int64],
    *,
    size: int,
    seed: int,
    held_back: npt.NDArray[np.uint8],
) -> list[CalibrationSet]:
    """Draw calibration images, and as many others for comparison as there are left, up to the same number.

    Args:
        split: the training file's images.
        fit_indices: which of them were fitted on; validation images are not among these.
        size: how many to choose; all that are left, where leaving copies out leaves no such choice.
        seed: the same seed chooses the same images.
        held_back: validation and test images, shape (m, 28, 28). Training images that are one of these pictures are
            not chosen.

    Raises:
        DatasetError: fewer images than asked for.
    """
    usable = without_copies(split, fit_indices, held_back)
    left_out = len(fit_indices) - len(usable)
    if left_out and LEAST_IMAGES <= len(usable) < size + CLASSES and size <= len(fit_indices):
        # What could have been chosen but for a few copies is as many as there are without them.
        size = len(usable)
    first = choose_calibration_images(split, usable, size=size, seed=seed, left_out=left_out)
    rest = np.setdiff1d(usable, first.indices)
    # A stratified choice has to leave at least one image of each class, or nothing.
    count = size if len(rest) - size >= CLASSES else len(rest)
    if count < LEAST_IMAGES:
        return [first]
    return [first, choose_calibration_images(split, rest, size=count, seed=seed, left_out=left_out)]


def choose_calibration_images(
    split: Split, usable: npt.NDArray[np.int64], *, size: int, seed: int, left_out: int = 0
) -> CalibrationSet:
    """Choose images by chance, every class with its share.

    Args:
        split: the training file's images.
        usable: indices of those that may be chosen.
        size: how many to choose.
        seed: the same seed chooses the same images.
        left_out: how many were fitted on but are not usable.

    Raises:
        DatasetError: fewer images than asked for.
    """
    if not LEAST_IMAGES <= size <= len(usable):
        also = f" and are no validation or test image ({left_out:,} are)" if left_out else ""
        raise DatasetError(
            f"expected a calibration size from {LEAST_IMAGES} to the {len(usable):,} images that were fitted "
            f"on{also}, got {size}; choose another --calibration-size"
        )
    chosen = usable
    if size < len(usable):
        try:
            chosen, _ = train_test_split(
                usable, train_size=size, stratify=split.labels[usable], random_state=seed
            )
        except ValueError as error:
            raise DatasetError(f"no stratified choice of {size} images: {error}") from error
    chosen = np.sort(chosen)
    return CalibrationSet(split.images[chosen], chosen, seed, left_out)


def without_copies(
    split: Split, indices: npt.NDArray[np.int64], held_back: npt.NDArray[np.uint8]
) -> npt.NDArray[np.int64]:
    """Return the indices whose pictures are not held back.

    Pictures are compared, not indices: a copy of a test image in the training file is a leak as well.

    Args:
        split: the images.
        indices: which of them to look at.
        held_back: pictures, shape (m, 28, 28).
    """
    known = {image.tobytes() for image in held_back}
    usable = [index for index in indices if split.images[index].tobytes() not in known]
    return np.array(usable, np.int64)
