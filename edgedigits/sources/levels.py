"""Numbers of any type and shape -> images of uint8, and labels of int64."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from edgedigits.contract import CLASSES, IMAGE_SIDE, PIXEL_MAX, PIXELS
from edgedigits.errors import ImageError, SourceError
from edgedigits.picture.limits import MAX_PIXELS
from edgedigits.sources.parts import NO_LABEL, Batch, Labels

Shape = tuple[int, ...]
_MOST_ODD = 0.5
"""Share of the first rows that may be out of range: they come as errors, where more are it is another scale."""
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

    Bytes are not looked at, other whole numbers at the first block; of floats, where none is above 1, 1 stands for full
    ink, and they are looked at until one is.

    Args:
        path: for the message.
        dtype: of the array.
        blocks: the array, part by part.

    Raises:
        SourceError: it holds no numbers, or most of the first rows are not from 0 to 1 or from 0 to 255.
    """
    if dtype.kind == "b":
        return float(PIXEL_MAX)
    if dtype.kind not in "iuf":
        raise SourceError(f"{path}: expected numbers, found {dtype}; save the pixels as uint8")
    if dtype.itemsize == 1 and dtype.kind == "u":
        return 1.0
    for index, block in enumerate(blocks):
        if not block.size:
            continue
        # Of a row with a NaN, the others count: it comes as an error of its own.
        lowest, highest = (pick.reduce(block.reshape(len(block), -1), axis=1) for pick in (np.fmin, np.fmax))
        if index == 0 and np.mean((lowest < 0) | (highest > PIXEL_MAX)) > _MOST_ODD:
            raise SourceError(
                f"{path}: expected levels from 0 to {PIXEL_MAX}, or floats from 0 to 1, found {lowest.min():g} to "
                f"{highest.max():g}; save the pixels as uint8"
            )
        if (highest > 1).any() or dtype.kind != "f":
            return 1.0
    return float(PIXEL_MAX) if dtype.kind == "f" else 1.0


def batches_of(
    start: int, block: "npt.NDArray[Any]", sides: tuple[int, int], factor: float, labels: Labels | None
) -> Iterator[Batch]:
    """Yield a block of an array as images. A row that holds what is no level comes as the error that says so.

    Args:
        start: row of the first.
        block: numbers, n rows of as many as ``sides`` have pixels; not copied where it is uint8 and in one piece.
        sides: height and width.
        factor: see ``factor_of``.
        labels: (n,) int64, or None.
    """
    block = block.reshape(len(block), -1)
    if block.dtype == np.uint8:
        yield Batch(start, images=np.ascontiguousarray(block).reshape(-1, *sides), labels=labels)
        return
    is_good = np.ones(len(block), bool)
    if block.dtype.kind != "b":
        # Of a row with a NaN, lowest and highest are the NaN, for which no comparison holds.
        is_good = (block.min(axis=1) >= 0) & (block.max(axis=1) <= PIXEL_MAX / factor)
    levels = np.zeros(block.shape, np.uint8)
    levels[is_good] = np.rint(block[is_good] * np.float64(factor))
    for first, stop in _runs(is_good):
        taken = None if labels is None else labels[first:stop]
        if is_good[first]:
            yield Batch(start + first, images=levels[first:stop].reshape(-1, *sides), labels=taken)
        else:
            error = ImageError(
                f"cannot be read: not all levels are from 0 to {PIXEL_MAX / factor:g}; save it again"
            )
            yield Batch(start + first, encoded=[error] * (stop - first), labels=taken)


def _runs(flags: npt.NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Yield where flags in a row that are the same begin and end."""
    edges = np.flatnonzero(np.diff(flags)) + 1
    bounds = [0, *edges.tolist(), len(flags)]
    yield from pairwise(bounds)


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
