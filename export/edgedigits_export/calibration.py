"""Representative images: they set the ranges of an integer file, so they decide how much accuracy survives.

They come from the training split only, every class with its share, chosen by a seed. An overlap with validation or
test images is an error: a file must not be tuned on what judges it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from edgedigits.artifacts import sha256_bytes
from edgedigits.contract import CalibrationReceipt
from edgedigits.errors import DatasetError
from edgedigits.mnist import Split


@dataclass(frozen=True)
class CalibrationSet:
    """Images for the converter, with the receipt that says which they are."""

    images: npt.NDArray[np.uint8]
    """Shape (n, 28, 28)."""
    receipt: CalibrationReceipt


def choose_calibration_images(
    split: Split,
    fit_indices: npt.NDArray[np.int64],
    *,
    size: int,
    seed: int,
    held_back: npt.NDArray[np.uint8],
) -> CalibrationSet:
    """Choose images by chance among those that the network was fitted on, every class with its share.

    Args:
        split: the training file's images.
        fit_indices: which of them were fitted on; validation images are not among these.
        size: how many to choose.
        seed: the same seed chooses the same images.
        held_back: validation and test images, shape (m, 28, 28): none of the chosen may be one of these.

    Raises:
        DatasetError: fewer images than asked for, or one that was chosen is also a held-back image.
    """
    if not 10 <= size <= len(fit_indices):
        raise DatasetError(
            f"expected a calibration size from 10 to the {len(fit_indices):,} images that were fitted on, got {size}; "
            "choose another --calibration-size"
        )
    chosen = fit_indices
    if size < len(fit_indices):
        try:
            chosen, _ = train_test_split(
                fit_indices, train_size=size, stratify=split.labels[fit_indices], random_state=seed
            )
        except ValueError as error:
            raise DatasetError(f"no stratified choice of {size} images: {error}") from error
    chosen = np.sort(chosen)
    images = split.images[chosen]
    check_disjoint(images, held_back)
    receipt = CalibrationReceipt(
        images=size, seed=seed, indices_sha256=sha256_bytes(chosen.astype("<i8").tobytes())
    )
    return CalibrationSet(images, receipt)


def check_disjoint(images: npt.NDArray[np.uint8], held_back: npt.NDArray[np.uint8]) -> None:
    """Compare pictures, not indices: a copy of a test image in the training file is a leak as well.

    Raises:
        DatasetError: a picture stands in both.
    """
    known = {image.tobytes() for image in held_back}
    leaked = [index for index, image in enumerate(images) if image.tobytes() in known]
    if leaked:
        raise DatasetError(
            f"{len(leaked)} of {len(images)} calibration images are also validation or test images; "
            "calibrate with images that judge nothing"
        )
