"""Pictures of any source as images of 28x28: as they are, or prepared as ``predict`` does."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from edgedigits.contract import IMAGE_SIDE
from edgedigits.datasets.split import Images
from edgedigits.errors import DatasetError, ImageError
from edgedigits.picture.form import is_mnist_form
from edgedigits.picture.prepare import as_it_is, prepare
from edgedigits.picture.reading import Picture
from edgedigits.progress import SILENT, Progress
from edgedigits.sources.parts import Batch, Source
from edgedigits.sources.read import read_part

Way: TypeAlias = Literal["as they are", "prepared"]

PART_ROWS = 65_536
_SAMPLED = 200
"""Picture files that are looked at, to tell whether they are in MNIST form."""
_LEAST_IN_FORM = 0.9
"""Share of them that is. Of MNIST's own images a few are not: ink touches their edge."""
_SIDES = (IMAGE_SIDE, IMAGE_SIDE)


def way_of(source: Source, *, as_is: bool = False) -> Way:
    """Tell how pictures of a source become images.

    Arrays of 28x28 are taken as they are. So are picture files of 28x28, where nearly all of the first are in MNIST
    form: light ink on black, centred by mass. All others are prepared.

    Args:
        source: of pictures.
        as_is: whether no picture is to be prepared.
    """
    if as_is or source.in_mnist_form:
        return "as they are"
    first = next((batch for part in source.parts(_SAMPLED) for batch in read_part(part, _SAMPLED)), None)
    if first is None or first.encoded is None:
        return "prepared"
    in_form = [_is_in_form(picture) for picture in islice(first.encoded, _SAMPLED)]
    return "as they are" if np.mean(in_form) >= _LEAST_IN_FORM else "prepared"


def read_images(
    source: Source, way: Way, *, progress: Progress = SILENT
) -> "Iterator[tuple[Images, npt.NDArray[np.int64] | None]]":
    """Read all pictures of a source.

    Yields:
        Images (n, 28, 28) uint8 with their labels (n,), or None where the source has none.

    Raises:
        DatasetError: a picture cannot be read, or is not of 28x28 where none is to be prepared. The message names it.
        SourceError: the source cannot be read.
    """
    with progress.task(f"reading {source.path}", source.rows) as advance:
        for part in source.parts(PART_ROWS):
            for batch in read_part(part):
                yield _images(source.path, batch, way), batch.labels
                advance(len(batch))


def _images(path: str, batch: Batch, way: Way) -> Images:
    if batch.images is not None and batch.images.shape[1:] == _SIDES and way == "as they are":
        return batch.images
    pictures: Sequence[Picture | ImageError] = (
        (batch.encoded or ()) if batch.images is None else [*batch.images]
    )
    images = np.empty((len(batch), *_SIDES), np.uint8)
    for index, picture in enumerate(pictures):
        key = str(batch.start + index) if batch.keys is None else batch.keys[index]
        images[index] = _image(f"{path}: {key}", picture, way)
    return images


def _image(name: str, picture: "Picture | ImageError", way: Way) -> Images:
    """Return a picture as an image (28, 28)."""
    try:
        if isinstance(picture, ImageError):
            raise picture
        return prepare(picture) if way == "prepared" else as_it_is(picture)
    except ImageError as error:
        raise DatasetError(f"{name}: {_without_name(error)}; or leave it out") from error


def _without_name(error: ImageError) -> str:
    """Return the message without the name of the picture, which stands before it already."""
    return str(error).split(": ", 1)[-1]


def _is_in_form(picture: "bytes | str | ImageError") -> bool:
    if isinstance(picture, ImageError):
        return False
    try:
        return is_mnist_form(as_it_is(picture))
    except ImageError:
        return False
