"""Numbers of any type and shape -> images of uint8, and labels of int64."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from edgedigits.contract import CLASSES, IMAGE_SIDE, PIXEL_MAX, PIXELS
from edgedigits.errors import SourceError
from edgedigits.picture.limits import MAX_PIXELS
from edgedigits.sources.parts import NO_LABEL, Images, Labels

Shape = tuple[int, ...]
_SHAPES = "(n, 784), (n, h, w), (n, h, w, 1) or (n, 1, h, w)"


def sides_of(path: str, shape: Shape) -> tuple[int, int]:
    """Return height and width of the images in an array.

    Args:
        path: for the message.
        shape: (n, 784), (n, h, w), (n, h, w, 1) or (n, 1, h, w).

    Raises:
        SourceError: it is none of these, or an image has no or too many pixels.
    """
    row = shape[1:]
    if len(row) == 3 and row[2] == 1:
        row = row[:2]
    elif len(row) == 3 and row[0] == 1:
        row = row[1:]
    elif row == (PIXELS,):
        row = (IMAGE_SIDE, IMAGE_SIDE)
    if len(row) != 2:
        raise SourceError(
            f"{path}: expected gray images {_SHAPES}, found shape {shape}; save them in one of these shapes"
        )
    if not 0 < row[0] * row[1] <= MAX_PIXELS:
        raise SourceError(
            f"{path}: expected images of 1 to {MAX_PIXELS // 10**6} megapixels, found {row[1]}x{row[0]}; "
            "save them smaller"
        )
    return row[0], row[1]


def factor_of(path: str, dtype: np.dtype[Any], blocks: "Iterable[npt.NDArray[Any]]") -> float:
    """Return what the numbers of an array have to be multiplied by to be levels from 0 to 255.

    Only floats are looked at, all of them: where none is above 1, 1 stands for full ink.

    Args:
        path: for the message.
        dtype: of the array.
        blocks: the array, part by part.

    Raises:
        SourceError: it holds no numbers, or not from 0 to 1 or from 0 to 255.
    """
    if dtype.kind == "b":
        return float(PIXEL_MAX)
    if dtype.kind in "iu":
        return 1.0
    if dtype.kind != "f":
        raise SourceError(f"{path}: expected numbers, found {dtype}; save the pixels as uint8")
    highest = 0.0
    for block in blocks:
        if block.size:
            check_range(path, block)
            highest = max(highest, float(block.max()))
    return 1.0 if highest > 1 else float(PIXEL_MAX)


def check_range(path: str, block: "npt.NDArray[Any]") -> None:
    """Raise ``SourceError`` where numbers are not from 0 to 255."""
    lowest, highest = block.min(), block.max()
    if not (lowest >= 0 and highest <= PIXEL_MAX):  # also where one is NaN
        raise SourceError(
            f"{path}: expected levels from 0 to {PIXEL_MAX}, or floats from 0 to 1, found {lowest:g} to {highest:g}; "
            "save the pixels as uint8"
        )


def as_images(path: str, block: "npt.NDArray[Any]", sides: tuple[int, int], factor: float) -> Images:
    """Return a block of an array as images.

    Args:
        path: for the message.
        block: numbers, n rows of as many as ``sides`` have pixels.
        sides: height and width.
        factor: see ``factor_of``.

    Returns:
        (n, h, w) uint8, C-contiguous; not copied where it is that already.

    Raises:
        SourceError: a number is no level.
    """
    if block.dtype != np.uint8:
        block = np.asarray(block, np.float64 if block.dtype.kind == "f" else None)
        if block.size and block.dtype.kind != "b":
            check_range(path, block)
        block = np.rint(block * factor).astype(np.uint8) if factor != 1 else np.rint(block).astype(np.uint8)
    return np.ascontiguousarray(block).reshape(-1, *sides)


def holds_labels(dtype: np.dtype[Any], shape: Shape) -> bool:
    """Tell whether an array can hold labels: numbers (n,) or (n, 1), or one-hot (n, 10)."""
    return dtype.kind in "biuf" and shape[1:] in ((), (1,), (CLASSES,))


def as_labels(path: str, block: "npt.NDArray[Any]") -> Labels:
    """Return numbers (n,) or (n, 1), or one-hot rows (n, 10), as labels (n,) int64.

    Raises:
        SourceError: they are no whole numbers, or a row is not one-hot.
    """
    if block.ndim == 2 and block.shape[1] == CLASSES:
        if not (((block == 0) | (block == 1)).all() and (block.sum(axis=1) == 1).all()):
            raise SourceError(
                f"{path}: expected labels as one-hot rows, a single 1 among ten, found others; save the labels as "
                "integers"
            )
        return np.asarray(block.argmax(axis=1), np.int64)
    block = block.reshape(-1)
    if block.size and not ((block >= NO_LABEL) & (block < 2**31) & (block == np.floor(block))).all():
        raise SourceError(
            f"{path}: expected labels, whole numbers, found others; save the labels as integers"
        )
    return block.astype(np.int64)
