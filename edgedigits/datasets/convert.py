"""Images of any form into another, row by row, and read back before the file gets its name.

Parquet: a column ``image`` of 784 bytes (``binary``, which everybody reads; Hugging Face's datasets long refused
``fixed_size_binary``, and lists take more than ten times as long to read), packed with LZ4, and ``label`` as int64.
``.npz``: ``x_train`` and the like as Keras' ``mnist.npz``, stored, so that a part can be read on its own. IDX: called
as MNIST's files.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgedigits.artifacts.staging import check_output, staged_file
from edgedigits.contract import IMAGE_SIDE
from edgedigits.datasets import writers
from edgedigits.datasets.pixels import Way, read_images, way_of
from edgedigits.datasets.split import Images
from edgedigits.errors import ArgumentError, OutputError, SourceError
from edgedigits.progress import SILENT, Progress
from edgedigits.sources.parts import NO_LABEL, Source
from edgedigits.sources.told import Told, open_told

Block = tuple[Images, "npt.NDArray[np.int64] | None"]


@dataclass(frozen=True)
class Group:
    """The sources of one part of a dataset, or of no part in particular, and how their pictures are read."""

    told: Told | None
    sources: tuple[tuple[Source, Way], ...]

    @property
    def rows(self) -> int:
        """Images in all."""
        return sum(source.rows for source, _ in self.sources)

    @property
    def has_labels(self) -> bool:
        """Whether every source has them."""
        return all(source.has_labels for source, _ in self.sources)

    def blocks(self, progress: Progress) -> Iterator[Block]:
        """Read all images with their labels."""
        for source, way in self.sources:
            yield from read_images(source, way, progress=progress)


@dataclass
class Digest:
    """The sha256 of images and of labels (as int64) that went by, and how many."""

    images: Any = field(default_factory=hashlib.sha256)
    labels: Any = field(default_factory=hashlib.sha256)
    rows: int = 0

    def add(self, images: Images, labels: "npt.NDArray[np.int64] | None") -> None:
        """Take a block: images (n, 28, 28) uint8, labels (n,) or None."""
        self.images.update(np.ascontiguousarray(images).data)
        if labels is not None:
            self.labels.update(np.ascontiguousarray(labels, "<i8").data)
        self.rows += len(images)

    def to_dict(self) -> dict[str, object]:
        """Return the hashes in hexadecimal."""
        return {
            "rows": self.rows,
            "images_sha256": self.images.hexdigest(),
            "labels_sha256": self.labels.hexdigest(),
        }


@dataclass(frozen=True)
class Converted:
    """What was written."""

    files: tuple[Path, ...]
    parts: dict[str, dict[str, object]]
    """Images, and the sha256 of pixels and of labels (int64), by part; ``images`` where there are no parts."""
    notes: tuple[str, ...]
    """How sources were read."""

    def to_dict(self) -> dict[str, object]:
        """Return it as ``--json`` prints it."""
        return {"files": [str(file) for file in self.files], "parts": self.parts, "notes": list(self.notes)}


def convert(
    places: Sequence[Path],
    out: Path,
    *,
    part: Told | None = None,
    as_is: bool = False,
    progress: Progress = SILENT,
) -> Converted:
    """Write the images of some sources in another form.

    Args:
        places: files and folders, see ``sources.read.open_source``.
        out: ``.parquet`` or ``.npz`` file; a folder for IDX files.
        part: which part of a dataset is to be written, or what images are whose names do not tell.
        as_is: whether pictures of other sizes than 28x28 are refused and none is prepared.
        progress: shows how far it is.

    Raises:
        SourceError: a source cannot be read.
        DatasetError: a picture cannot be read, or would have to be prepared where none is to be.
        ArgumentError: two parts for one Parquet file, or labels for some of the images only.
        OutputError: it cannot be written, or does not come back as it was.
        MissingExtraError: pyarrow is not installed, and is needed.
    """
    form = writers.form_of(out)
    groups = _groups(places, part, as_is=as_is)
    if form == "parquet" and len(groups) > 1:
        raise ArgumentError(
            f"{out}: expected one part for a Parquet file, found train and test; choose with --part"
        )
    made = writers.files_of(form, out, [(group.told, group.has_labels) for group in groups])
    for file in made:
        check_output(file)
    digests = {}
    with ExitStack() as stack:
        staging = {file: stack.enter_context(staged_file(file)) for file in made}
        with writers.open_writer(form, out, staging) as writer:
            for group in groups:
                digest = digests[group.told or "images"] = Digest()
                rows = writer.part(group.told, group.rows, has_labels=group.has_labels)
                for images, labels in group.blocks(progress):
                    _check_labels(out, form, labels if group.has_labels else None)
                    rows.add(images, labels if group.has_labels else None)
                    digest.add(images, labels if group.has_labels else None)
                rows.finish()
        for group in groups:
            found = Digest()
            for images, labels in writers.read_back(form, out, staging, group.told):
                found.add(images, labels if group.has_labels else None)
            if found.to_dict() != digests[group.told or "images"].to_dict():
                raise OutputError(
                    f"{out}: did not come back as it was written; nothing was changed; try another disk"
                )
    notes = [
        f"{source.path}: {note}"
        for group in groups
        for source, way in group.sources
        for note in _notes(source, way)
    ]
    return Converted(tuple(made), {name: digest.to_dict() for name, digest in digests.items()}, tuple(notes))


def _groups(places: Sequence[Path], part: Told | None, *, as_is: bool) -> list[Group]:
    found = [(told, source) for place in places for told, source in open_told(place) if source.rows]
    if part is not None:
        found = [(part, source) for told, source in found if told in (part, None)]
    if not found:
        names = ", ".join(str(place) for place in places)
        raise SourceError(
            f"{names}: expected images{f' for {part}ing' if part else ''}, found none; name others"
        )
    order: tuple[Told | None, ...] = ("train", "test", None)
    tolds = [told for told in order if any(told == other for other, _ in found)]
    if len(tolds) > 1 and None in tolds:
        odd = next(source.path for told, source in found if told is None)
        raise ArgumentError(
            f"{odd}: neither for training nor for testing, among others that are; choose with --part"
        )
    groups = []
    for told in tolds:
        sources = [source for other, source in found if other == told]
        if len({source.has_labels for source in sources}) > 1:
            without = next(source.path for source in sources if not source.has_labels)
            raise ArgumentError(f"{without}: has no labels, as others have; convert them one by one")
        groups.append(Group(told, tuple((source, way_of(source, as_is=as_is)) for source in sources)))
    return groups


def _notes(source: Source, way: Way) -> Iterator[str]:
    yield from source.notes
    if not source.in_mnist_form:
        yield f"pictures {way}"
    elif source.form != "folder":
        yield f"{IMAGE_SIDE}x{IMAGE_SIDE} arrays as they are"


def _check_labels(out: Path, form: writers.Form, labels: "npt.NDArray[np.int64] | None") -> None:
    if labels is None or not len(labels):
        return
    most = 255 if form == "idx" else 2**31
    if form != "parquet" and labels.min() == NO_LABEL:
        raise ArgumentError(
            f"{out}: expected a label for each image, found some without; write Parquet, which knows none"
        )
    if labels.max() > most:
        raise ArgumentError(f"{out}: expected labels to {most}, found {labels.max()}; write Parquet or .npz")
