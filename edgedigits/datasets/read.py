"""The images that a network is about: MNIST, other digits, or a dataset whose ten classes have names of their own.

MNIST is pinned byte for byte (``mnist``), in whatever form it comes. Of another dataset only the form can be checked,
before a byte of it is trusted: four IDX files and an ``.npz`` like Keras' are read here, all else by ``labelled``. What
is called digits is looked at as well (``looks``). Which images a network was trained and judged on is kept as their
hash; export, verify and bench refuse others.
"""

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgedigits.archives import ARCHIVE_ERRORS, open_npz
from edgedigits.arguments import MOST_IMAGES
from edgedigits.contract import CLASSES, IMAGE_SIDE, LABELS
from edgedigits.datasets import idx, mnist, mnist_files, places
from edgedigits.datasets.idx import IdxForm
from edgedigits.datasets.labelled import read_labelled
from edgedigits.datasets.mnist_files import MNIST_NAME
from edgedigits.datasets.names import dataset_name
from edgedigits.datasets.npz import LARGEST_FILE, holds_images, holds_labels, is_like_keras, read_array
from edgedigits.datasets.split import ADVICE, LEAST_IMAGES, PARTS, Images, Labels, Part, Split
from edgedigits.errors import DatasetError, DatasetNotFoundError, SourceError
from edgedigits.files import reason
from edgedigits.progress import SILENT, Progress


def read_split(
    data: Path | None, part: Part, class_names: tuple[str, ...] = LABELS, *, progress: Progress = SILENT
) -> Split:
    """Find, check and read the training or the test part of the dataset with these classes.

    Args:
        data: a file or a folder of any form that ``sources`` reads; None for the usual places.
        part: which part.
        class_names: the digits, for MNIST or another dataset of digits; or the names of another dataset's classes.
        progress: shows a bar where MNIST is downloaded or pictures are prepared, and says how they are read.

    Raises:
        DatasetError: it is not there, is neither MNIST nor digits, or has no images with labels of that part.
        DownloadError: MNIST is not here, and no mirror could be reached.
    """
    return _read(data, (part,), class_names, progress)[part]


def read_splits(
    data: Path | None, class_names: tuple[str, ...] = LABELS, *, progress: Progress = SILENT
) -> tuple[Split, Split]:
    """Read the training and the test part as ``read_split`` does, each picture once.

    Raises:
        DatasetError, DownloadError: as ``read_split``.
    """
    splits = _read(data, PARTS, class_names, progress)
    return splits["train"], splits["test"]


def _read(
    data: Path | None, parts: Sequence[Part], class_names: tuple[str, ...], progress: Progress
) -> dict[Part, Split]:
    if class_names == LABELS:
        source = mnist.find_or_download(data, progress=progress)
    else:
        advice = "name the dataset that has these classes with --data"
        named = places.named_source(data, advice)
        if named is None:
            raise DatasetNotFoundError(
                f"expected images of {', '.join(class_names)}, found no dataset; {advice}"
            )
        source = named
    if _is_of_another_form(source.path):
        return _read_any(source.path, parts, class_names, progress)
    try:
        return {part: _read_pinned_form(source, part, class_names) for part in parts}
    except DatasetError as refusal:
        try:
            splits = _read_any(source.path, parts, class_names, progress)
        except DatasetError:
            raise refusal from None
        if any(_is_altered_mnist(split, part) for part, split in splits.items()):
            raise
        return splits


def _is_altered_mnist(split: Split, part: Part) -> bool:
    """Tell what has MNIST's form and as many images, and yet is not MNIST, nor a dataset with other classes."""
    return (
        split.class_names == LABELS
        and split.dataset != MNIST_NAME
        and len(split.images) == mnist_files.FILES[part][0].count
    )


def _is_of_another_form(path: Path) -> bool:
    """Tell what is neither four IDX files nor an ``.npz`` like Keras', nor nothing at all."""
    if not places.holds_mnist_files(path):
        return path.exists()
    return path.is_file() and not is_like_keras(path)


def _read_any(
    path: Path, parts: Sequence[Part], class_names: tuple[str, ...], progress: Progress
) -> dict[Part, Split]:
    """Read a dataset of any form that ``sources`` knows."""
    try:
        splits = read_labelled(path, parts, class_names, progress)
    except SourceError as error:
        raise DatasetError(str(error)) from error
    for split in splits.values():
        if class_names != LABELS:
            _check_every_class(path, split.labels, class_names)
    return splits


def _read_pinned_form(source: places.Source, part: Part, class_names: tuple[str, ...]) -> Split:
    """Read four IDX files, or an ``.npz`` like Keras': of MNIST, or of named classes."""
    if class_names == LABELS:
        return mnist.read_split(source, part)
    name = dataset_name(source.path)
    read = _read_folder if source.path.is_dir() else _read_npz
    images, labels = read(source.path, part)
    if part == "train":
        _check_every_class(source.path, labels, class_names)
    return Split.of(name, images, labels, class_names)


def _check_every_class(path: Path, labels: Labels, class_names: tuple[str, ...]) -> None:
    counts = np.bincount(labels, minlength=CLASSES)
    missing = [f"{index} ({class_names[index]})" for index in np.flatnonzero(counts == 0)]
    if missing:
        raise DatasetError(
            f"{path}: expected training images of all {CLASSES} classes, found none of {', '.join(missing)}; {ADVICE}"
        )


def _read_folder(folder: Path, part: Part) -> tuple[Images, Labels]:
    images_file, labels_file = mnist_files.FILES[part]
    images = _read_idx(folder, images_file).reshape(-1, IMAGE_SIDE, IMAGE_SIDE)
    labels = _read_idx(folder, labels_file)
    _check_labels(idx.idx_path(folder, labels_file.name), labels, len(images))
    return images, labels


def _read_idx(folder: Path, pinned: IdxForm) -> npt.NDArray[np.uint8]:
    """Return the body of an IDX file: as many images or labels as its header declares, shape (bytes,)."""
    path = idx.idx_path(folder, pinned.name)
    if path is None:
        raise DatasetNotFoundError(
            f"{folder}: expected {pinned.name}.gz or {pinned.name}, found neither; {ADVICE}"
        )
    header = idx.unpack(path, len(pinned.header), "an IDX file", ADVICE)
    count = struct.unpack(">I", header[4:8])[0] if len(header) == len(pinned.header) else 0
    form = IdxForm(pinned.name, count, pinned.is_images)
    if header != form.header or not LEAST_IMAGES <= count <= MOST_IMAGES:
        kind = "images of 28x28" if form.is_images else "labels"
        raise DatasetError(
            f"{path}: expected {LEAST_IMAGES} to {MOST_IMAGES:,} IDX {kind}, found {idx.describe_header(header)}; "
            f"{ADVICE}"
        )
    # One byte more than there must be tells a longer file without unpacking it to its end.
    content = idx.unpack(path, form.size + 1, f"{form.size:,} bytes", ADVICE)
    idx.check_form(path, form, content, ADVICE)
    return np.frombuffer(content, np.uint8, offset=len(header))


def _check_labels(where: object, labels: npt.NDArray[np.integer], images: int) -> None:
    if len(labels) != images:
        raise DatasetError(
            f"{where}: expected as many labels as images, {images:,}, found {len(labels):,}; {ADVICE}"
        )
    if not 0 <= labels.min() <= labels.max() < CLASSES:
        raise DatasetError(
            f"{where}: expected labels from 0 to {CLASSES - 1}, found {labels.min()} to {labels.max()}; {ADVICE}"
        )


def _read_npz(path: Path, part: Part) -> tuple[Images, Labels]:
    try:
        with open_npz(path, LARGEST_FILE) as archive:
            images = read_array(path, archive, f"x_{part}", "uint8 (n, 28, 28)", holds_images)
            labels = read_array(path, archive, f"y_{part}", "integers (n,) or (n, 1)", holds_labels)
    except ARCHIVE_ERRORS as error:
        if isinstance(error, DatasetError):
            raise
        raise DatasetError(
            f"{path}: expected arrays x_{part} and y_{part}, found none that can be read ({reason(error)}); {ADVICE}"
        ) from error
    labels = labels.reshape(-1)
    _check_labels(f"{path}: y_{part}", labels, len(images))
    return np.ascontiguousarray(images), labels.astype(np.uint8)
