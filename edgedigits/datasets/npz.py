"""Arrays out of an ``.npz`` archive that nobody vouches for: never a pickle, never more than the file should hold."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, TypeAlias

import numpy as np
import numpy.typing as npt

from edgedigits.archives import ARCHIVE_ERRORS
from edgedigits.contract import IMAGE_SIDE
from edgedigits.datasets import mnist_files
from edgedigits.datasets.mnist_files import IF_ANOTHER, check_idx
from edgedigits.datasets.split import ADVICE, LEAST_IMAGES, MOST_IMAGES, Part
from edgedigits.errors import DatasetError


def read_mnist_npz(path: Path, part: Part) -> list[bytes]:
    """Read Keras' ``mnist.npz`` and return its arrays as the IDX files that they were."""
    contents = []
    for file, key in zip(mnist_files.FILES[part], (f"x_{part}", f"y_{part}"), strict=True):
        shape = (file.count, IMAGE_SIDE, IMAGE_SIDE) if file.is_images else (file.count,)
        try:
            # Opened here: numpy would leave a file open whose archive is damaged.
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as archive:
                declared = archive.zip.getinfo(f"{key}.npy").file_size
                array = archive[key] if declared <= 2 * file.size + 1024 else None
        except ARCHIVE_ERRORS as error:
            raise DatasetError(
                f"{path}: expected an array {key}, found none that can be read ({error}); delete it"
            ) from error
        if not isinstance(array, np.ndarray) or array.dtype != np.uint8 or array.shape != shape:
            # numpy returns the bytes of a member that is no array.
            found = f"{declared:,} bytes"
            if isinstance(array, np.ndarray):
                found = f"{array.dtype} {array.shape}"
            raise DatasetError(
                f"{path}: expected {key} to be uint8 {shape}, found {found}; {IF_ANOTHER}, else delete it"
            )
        content = file.header + array.tobytes()
        check_idx(path, file, content)
        contents.append(content)
    return contents


Shape: TypeAlias = tuple[int, ...]


def holds_images(shape: Shape, dtype: np.dtype[np.generic]) -> bool:
    """Tell whether an array of this shape and dtype holds images: uint8 (n, 28, 28)."""
    return dtype == np.uint8 and shape[1:] == (IMAGE_SIDE, IMAGE_SIDE)


def holds_labels(shape: Shape, dtype: np.dtype[np.generic]) -> bool:
    """Tell whether an array of this shape and dtype holds labels: integers (n,) or (n, 1)."""
    return dtype.kind in "iu" and len(shape) in (1, 2) and shape[1:] in ((), (1,))


def read_array(
    path: Path,
    archive: zipfile.ZipFile,
    key: str,
    expected: str,
    is_expected: Callable[[Shape, np.dtype[np.generic]], bool],
) -> npt.NDArray[np.integer]:
    """Read an array of an ``.npz``, once its header says that it is of the expected form and fits its size."""
    member = f"{key}.npy"
    with archive.open(member) as opened:
        shape, dtype = _read_npy_header(opened)
        body = archive.getinfo(member).file_size - opened.tell()
    if not is_expected(shape, dtype) or not LEAST_IMAGES <= shape[0] <= MOST_IMAGES:
        raise DatasetError(
            f"{path}: expected {key} to be {expected}, n from {LEAST_IMAGES} to {MOST_IMAGES:,}, "
            f"found {dtype} {shape}; {ADVICE}"
        )
    declared = dtype.itemsize * int(np.prod(shape))
    if body != declared:
        raise DatasetError(f"{path}: expected {key} to hold {declared:,} bytes, found {body:,}; {ADVICE}")
    with archive.open(member) as opened:
        array: npt.NDArray[np.integer] = np.lib.format.read_array(opened, allow_pickle=False)
    return array


def _read_npy_header(opened: IO[bytes]) -> tuple[Shape, np.dtype[np.generic]]:
    # Later versions are for structured arrays, and their headers may be gigabytes long.
    if (version := np.lib.format.read_magic(opened)) != (1, 0):
        raise ValueError(f".npy version {version} is for other arrays")
    shape, _, dtype = np.lib.format.read_array_header_1_0(opened)
    return shape, dtype
