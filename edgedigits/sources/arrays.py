"""Images that lie in an array with their labels in another: ``.npy``, ``.npz``, IDX."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from edgedigits.contract import IMAGE_SIDE
from edgedigits.errors import SourceError
from edgedigits.sources.levels import as_labels, batches_of, factor_of, holds_labels, sides_of
from edgedigits.sources.parts import Batch, Form, Part, Source
from edgedigits.sources.stored import Stored, idx_array, npy_array, npz_arrays

_LABEL_NAMES = (
    ("x", "y"),
    ("X", "Y"),
    ("X", "y"),
    ("images", "labels"),
    ("image", "label"),
    ("data", "target"),
)
"""How arrays of images and of their labels are called, as a whole word of the name."""
_PLAIN_NAMES = ("x", "images", "image", "data", "arr_0")
"""Names of a lone array that say nothing which the file's does not."""
_IDX_LABELS = re.compile(r"labels([-.])idx1")
_IDX_IMAGES = re.compile(r"images([-.])idx3")
_EMNIST = re.compile(r"^emnist-[a-z]+-(train|test)(-images[-.]idx3-ubyte|\.csv)(\.gz)?$")
"""NIST's own files of EMNIST and Kaggle's, in which rows and columns changed places."""
TURNED = "EMNIST's own file, in which rows and columns changed places: turned"


@dataclass(frozen=True)
class Place:
    """Where the images of a part are, and how they are read."""

    images: Stored
    labels: Stored | None
    sides: tuple[int, int]
    factor: float
    is_turned: bool


def open_npy(path: str) -> list[Source]:
    """Open an ``.npy`` file of images; labels lie in another beside it (``x_test.npy``, ``y_test.npy``)."""
    file = Path(path)
    images = npy_array(path)
    labels = None
    for name in label_names(file.stem):
        if (other := file.with_name(f"{name}.npy")).is_file():
            labels = npy_array(str(other))
            break
    return [_source(path, "npy", images, labels)]


def open_npz(path: str) -> list[Source]:
    """Open an ``.npz`` file: every array of images in it, each with its labels."""
    arrays = npz_arrays(path)
    of_labels = {
        name: next((other for other in label_names(name) if other in arrays), None) for name in arrays
    }
    taken = set(of_labels.values())
    found = [
        (name, array)
        for name, array in arrays.items()
        if name not in taken and not holds_labels(np.dtype(array.dtype), array.shape)
    ]
    if not found:
        raise SourceError(
            f"{path}: expected an array of images, as x_test or images, found {', '.join(arrays) or 'none'}; "
            "save the pixels as uint8 (n, 28, 28)"
        )
    sources = []
    for name, array in found:
        other = of_labels[name]
        place = path if len(found) == 1 and name.lower() in _PLAIN_NAMES else f"{path}:{name}"
        sources.append(_source(place, "npz", array, None if other is None else arrays[other]))
    return sources


def open_idx(path: str) -> list[Source]:
    """Open an IDX file of images; its labels lie beside it, packed or not."""
    images = idx_array(path)
    labels = None
    file = Path(path)
    name = file.name.removesuffix(".gz")
    if _IDX_IMAGES.search(name):
        wanted = _IDX_IMAGES.sub(r"labels\1idx1", name)
        for other in (file.with_name(wanted), file.with_name(f"{wanted}.gz")):
            if other.is_file():
                labels = idx_array(str(other))
                break
    return [_source(path, "idx", images, labels, is_turned=is_turned_name(name))]


def is_idx_name(name: str) -> bool:
    """Tell by its name whether a file is IDX."""
    return re.search(r"[-.]idx[1-4]-ubyte(\.gz)?$|\.idx(\.gz)?$", name) is not None


def is_turned_name(name: str) -> bool:
    """Tell by its name whether a file is EMNIST's own, in which rows and columns changed places."""
    return _EMNIST.search(name) is not None


def are_labels(name: str, others: Sequence[str]) -> bool:
    """Tell whether a file in a folder only holds the labels of another that is there.

    Args:
        name: of the file.
        others: names of the files in the folder.
    """
    bare = name.removesuffix(".gz")
    if is_idx_name(name):
        images = _IDX_LABELS.sub(r"images\1idx3", bare)
        return images != bare and (images in others or f"{images}.gz" in others)
    if not name.endswith(".npy"):
        return False
    stems = {other[:-4] for other in others if other.endswith(".npy")}
    return any(name[:-4] in label_names(stem) for stem in stems)


def label_names(name: str) -> list[str]:
    """Return how the array with the labels of the images in this one may be called: ``y_test`` for ``x_test``."""
    return [
        re.sub(rf"(?<![A-Za-z]){images}(?![A-Za-z])", labels, name)
        for images, labels in _LABEL_NAMES
        if re.search(rf"(?<![A-Za-z]){images}(?![A-Za-z])", name)
    ]


def read(part: Part, batch_rows: int) -> Iterator[Batch]:
    """Read a part."""
    place: Place = part.where
    start = part.start
    labels = _labels(place.labels, part) if place.labels is not None else None
    for block in place.images.blocks(part.start, part.count, batch_rows):
        upright = block.reshape(-1, *place.sides).transpose(0, 2, 1) if place.is_turned else block
        first = start - part.start
        taken = None if labels is None else labels[first : first + len(block)]
        yield from batches_of(start, upright, place.sides, place.factor, taken)
        start += len(block)


def _labels(stored: Stored, part: Part) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    blocks = stored.blocks(part.start, part.count, part.count)
    return np.concatenate([as_labels(stored.file, block) for block in blocks] or [np.empty(0, np.int64)])


def _source(path: str, form: Form, images: Stored, labels: Stored | None, is_turned: bool = False) -> Source:
    if holds_labels(np.dtype(images.dtype), images.shape) or len(images.shape) < 2:
        raise SourceError(
            f"{path}: expected images, found shape {images.shape}, labels perhaps; name the images"
        )
    if len(images.shape) == 2 and images.shape[1] != IMAGE_SIDE**2:
        images = Stored(**{**vars(images), "shape": (1, *images.shape)})
    sides = sides_of(path, images.shape)
    dtype = np.dtype(images.dtype)
    rows = images.shape[0]
    if labels is not None and (
        not holds_labels(np.dtype(labels.dtype), labels.shape) or labels.shape[0] != rows
    ):
        raise SourceError(
            f"{path}: expected {rows:,} labels, (n,), (n, 1) or one-hot (n, 10), found {labels.dtype} {labels.shape}; "
            "check how they were written"
        )
    factor = factor_of(path, dtype, images.blocks(0, rows, 4096))
    place = Place(images, labels, sides, factor, is_turned)
    notes = [TURNED] if is_turned else []
    if factor != 1:
        notes.append("0 to 1: 1 is full ink")
    is_packed = images.is_packed or (labels is not None and labels.is_packed)
    return Source(
        path,
        form,
        rows,
        sides == (IMAGE_SIDE, IMAGE_SIDE),
        labels is not None,
        tuple(dict.fromkeys((images.file, *(() if labels is None else (labels.file,))))),
        tuple(notes),
        partial(_cut, path, form, rows, is_packed, place),
    )


def _cut(path: str, form: Form, total: int, is_packed: bool, place: Place, rows: int) -> Iterator[Part]:
    rows = max(1, total) if is_packed else rows
    for start in range(0, total, rows):
        yield Part(path, form, start, min(rows, total - start), place)
