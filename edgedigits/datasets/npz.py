"""Arrays out of an ``.npz`` archive that nobody vouches for: never a pickle, never more than the file should hold."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgedigits.archives import ARCHIVE_ERRORS, Npz, Shape, open_npz
from edgedigits.arguments import MOST_IMAGES
from edgedigits.contract import IMAGE_SIDE, PIXELS
from edgedigits.datasets import mnist_files
from edgedigits.datasets.mnist_files import IF_ANOTHER, check_idx
from edgedigits.datasets.split import ADVICE, LEAST_IMAGES, Part
from edgedigits.errors import DatasetError
from edgedigits.files import reason

LARGEST_FILE = 4 * MOST_IMAGES * (PIXELS + 8)
"""Bytes of an ``.npz``: two parts of the most images with labels of any integers, and as much again for others."""


def read_mnist_npz(path: Path, part: Part) -> list[bytes]:
    """Read Keras' ``mnist.npz`` and return its arrays as the IDX files that they were."""
    contents = []
    for file, key in zip(mnist_files.FILES[part], (f"x_{part}", f"y_{part}"), strict=True):
        shape = (file.count, IMAGE_SIDE, IMAGE_SIDE) if file.is_images else (file.count,)
        try:
            with open_npz(path, LARGEST_FILE) as archive:
                header = archive.header(key)
                is_expected = header.dtype == np.uint8 and header.shape == shape
                array = archive.array(key, file.size) if is_expected else None
        except ARCHIVE_ERRORS as error:
            raise DatasetError(
                f"{path}: expected an array {key}, found none that can be read ({reason(error)}); delete it"
            ) from error
        if array is None:
            raise DatasetError(
                f"{path}: expected {key} to be uint8 {shape}, found {header.dtype} {header.shape}; "
                f"{IF_ANOTHER}, else delete it"
            )
        content = file.header + array.tobytes()
        check_idx(path, file, content)
        contents.append(content)
    return contents


def is_like_keras(path: Path) -> bool:
    """Tell whether an ``.npz`` has arrays called as in Keras' ``mnist.npz``, or cannot be read at all."""
    try:
        with open_npz(path, LARGEST_FILE) as archive:
            return not {"x_train", "x_test"}.isdisjoint(archive.names)
    except ARCHIVE_ERRORS:
        return True


def holds_images(shape: Shape, dtype: np.dtype[np.generic]) -> bool:
    """Tell whether an array of this shape and dtype holds images: uint8 (n, 28, 28)."""
    return dtype == np.uint8 and shape[1:] == (IMAGE_SIDE, IMAGE_SIDE)


def holds_labels(shape: Shape, dtype: np.dtype[np.generic]) -> bool:
    """Tell whether an array of this shape and dtype holds labels: integers (n,) or (n, 1)."""
    return dtype.kind in "iu" and len(shape) in (1, 2) and shape[1:] in ((), (1,))


def read_array(
    path: Path,
    archive: Npz,
    key: str,
    expected: str,
    is_expected: Callable[[Shape, np.dtype[np.generic]], bool],
) -> npt.NDArray[np.integer]:
    """Read an array of an ``.npz``, once its header says that it is of the expected form and fits its size."""
    header = archive.header(key)
    if not is_expected(header.shape, header.dtype) or not LEAST_IMAGES <= header.shape[0] <= MOST_IMAGES:
        raise DatasetError(
            f"{path}: expected {key} to be {expected}, n from {LEAST_IMAGES} to {MOST_IMAGES:,}, "
            f"found {header.dtype} {header.shape}; {ADVICE}"
        )
    if header.body != header.declared:
        raise DatasetError(
            f"{path}: expected {key} to hold {header.declared:,} bytes, found {header.body:,}; {ADVICE}"
        )
    return archive.array(key, header.declared)
