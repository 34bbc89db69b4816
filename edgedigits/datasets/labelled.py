"""Images with labels out of any source: which are for training, which for testing, and whether they are MNIST's."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgedigits.arguments import MOST_IMAGES
from edgedigits.artifacts.hashes import sha256_bytes
from edgedigits.contract import CLASSES, LABELS
from edgedigits.datasets import mnist_files
from edgedigits.datasets.looks import upright
from edgedigits.datasets.mnist_files import MNIST_NAME
from edgedigits.datasets.names import dataset_name
from edgedigits.datasets.pixels import read_images, way_of
from edgedigits.datasets.split import ADVICE, LEAST_IMAGES, PARTS, Images, Labels, Part, Split
from edgedigits.errors import DatasetError
from edgedigits.progress import Progress
from edgedigits.sources.parts import NO_LABEL, Source
from edgedigits.sources.told import open_told

TEST_SHARE = 7
"""One image in so many is for testing where a dataset has no test images of its own: as many as in MNIST."""
_EMNIST_DIGITS = "emnist-digits-"
_OWN_SPLIT = (
    f"no test images of its own: one in {TEST_SHARE}, chosen by the hash of its pixels, is kept for testing"
)

Pair = tuple[Images, Labels]


def read_labelled(
    path: Path, parts: Sequence[Part], class_names: tuple[str, ...], progress: Progress
) -> dict[Part, Split]:
    """Read parts of a dataset of any form that ``sources`` knows.

    Args:
        path: a file or a folder.
        parts: which.
        class_names: the digits: pictures are prepared as ``predict`` does, and images are looked at (``looks``). Names
            of other classes: images are of 28x28, and are taken as they are.
        progress: shows how far it is, and says how it was read.

    Raises:
        DatasetError: there are no labels, no images of a part, labels out of range, a picture that cannot be read, or
            what is labelled as digits is none.
        SourceError: it cannot be read.
    """
    told = _told_sources(path, class_names, progress)
    splits = {}
    if told["test"]:
        for part in parts:
            if not told[part]:
                raise DatasetError(
                    f"{path}: expected images for training, found only some for testing; {ADVICE}"
                )
            splits[part] = _split(
                path, part, _read(path, told[part], class_names, progress), class_names, progress
            )
        return splits
    images, labels = _read(path, told["train"], class_names, progress)
    if (both := _both_parts_of_mnist(images, labels)) is not None:
        return {part: Split.of(MNIST_NAME, *both[part]) for part in parts}
    progress.note(f"{path}: {_OWN_SPLIT}")
    # Chosen before anything is turned or inverted: in whatever form the same data come, the same are chosen.
    is_test = _for_testing(images)
    chosen: dict[Part, npt.NDArray[np.bool_]] = {"train": ~is_test, "test": is_test}
    for part in parts:
        pair = images[chosen[part]], labels[chosen[part]]
        splits[part] = _split(path, part, pair, class_names, progress)
    return splits


def _told_sources(path: Path, class_names: tuple[str, ...], progress: Progress) -> dict[Part, list[Source]]:
    """Return the sources with labels for each part; where none is for testing, all are for training."""
    found = [(told, source) for told, source in open_told(path) if source.has_labels and source.rows]
    if class_names == LABELS and any(_EMNIST_DIGITS in source.path for _, source in found):
        found = [(told, source) for told, source in found if _EMNIST_DIGITS in source.path]
    if not found:
        raise DatasetError(
            f"{path}: expected images with labels (a column or an array called label, .cls files, folders called by "
            f"digits), found none; {ADVICE}"
        )
    by_part: dict[Part, list[Source]] = {
        part: [source for told, source in found if told == part] for part in PARTS
    }
    untold = [source for told, source in found if told is None]
    if not any(by_part.values()):
        by_part["train"] = untold
    elif untold:
        progress.note(
            f"{path}: neither for training nor for testing, left out: {', '.join(s.path for s in untold)}"
        )
    return by_part


def _read(path: Path, sources: list[Source], class_names: tuple[str, ...], progress: Progress) -> Pair:
    total = sum(source.rows for source in sources)
    if not LEAST_IMAGES <= total <= MOST_IMAGES:
        raise DatasetError(
            f"{path}: expected {LEAST_IMAGES} to {MOST_IMAGES:,} images of a part, found {total:,}; {ADVICE}"
        )
    images: list[Images] = []
    labels: list[npt.NDArray[np.int64]] = []
    for source in sources:
        way = way_of(source, as_is=class_names != LABELS)
        for note in source.notes:
            progress.note(f"{source.path}: {note}")
        if not source.in_mnist_form:
            progress.note(f"{source.path}: pictures {way}")
        for some, their in read_images(source, way, progress=progress):
            images.append(some)
            labels.append(np.full(len(some), NO_LABEL) if their is None else their)
    return _with_labels(path, np.concatenate(images), np.concatenate(labels), progress)


def _with_labels(path: Path, images: Images, labels: npt.NDArray[np.int64], progress: Progress) -> Pair:
    """Leave out what has no label, and check the others."""
    has_label = labels != NO_LABEL
    if not has_label.all():
        progress.note(f"{path}: {np.count_nonzero(~has_label):,} images without a label are left out")
        images, labels = images[has_label], labels[has_label]
    if len(labels) < LEAST_IMAGES or not 0 <= labels.min() <= labels.max() < CLASSES:
        found = f"{labels.min()} to {labels.max()}" if len(labels) else "none"
        raise DatasetError(f"{path}: expected labels from 0 to {CLASSES - 1}, found {found}; {ADVICE}")
    return images, labels.astype(np.uint8)


def _split(path: Path, part: Part, pair: Pair, class_names: tuple[str, ...], progress: Progress) -> Split:
    images, labels = pair
    if class_names == LABELS:
        if _is_mnist(images, labels, part):
            return Split.of(MNIST_NAME, images, labels)
        images, said = upright(path, images, labels)
        if said is not None:
            progress.note(f"{path}: {said}")
    return Split.of(dataset_name(path), images, labels, class_names)


def _is_mnist(images: Images, labels: Labels, part: Part) -> bool:
    """Tell whether these are all images of a part of MNIST with their labels, in MNIST's order."""
    for file, array in zip(mnist_files.FILES[part], (images, labels), strict=True):
        if len(array) != file.count or sha256_bytes(file.header + array.tobytes()) != file.sha256:
            return False
    return True


def _both_parts_of_mnist(images: Images, labels: Labels) -> dict[Part, Pair] | None:
    """Return MNIST's parts where they come as one, training first, as OpenML keeps them."""
    first = mnist_files.FILES["train"][0].count
    parts: dict[Part, Pair] = {
        "train": (images[:first], labels[:first]),
        "test": (images[first:], labels[first:]),
    }
    return parts if all(_is_mnist(*pair, part) for part, pair in parts.items()) else None


def _for_testing(images: Images) -> npt.NDArray[np.bool_]:
    """Tell of each image whether it is kept for testing: the same image always is, or never."""
    digests = (hashlib.sha256(image.tobytes()).digest() for image in images)
    return np.array([int.from_bytes(digest[:8], "big") % TEST_SHARE == 0 for digest in digests], bool)
