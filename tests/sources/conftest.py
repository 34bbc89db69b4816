"""Digits to write in all forms, and what reads a source again."""

import functools
import io
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgedigits.datasets.split import Split
from edgedigits.errors import ImageError
from edgedigits.sources.parts import Source
from edgedigits.sources.read import open_source, read_part


@dataclass
class Digits:
    images: np.ndarray
    """(n, 28, 28) uint8."""
    labels: np.ndarray
    """(n,) uint8."""

    @functools.cached_property
    def files(self) -> list[bytes]:
        """The images as PNG files."""
        return [png(image) for image in self.images]


@dataclass
class Found:
    """All that came out of a source, in its order."""

    images: list[np.ndarray | ImageError]
    labels: np.ndarray | None
    keys: list[str]

    @property
    def errors(self) -> dict[int, str]:
        return {row: str(image) for row, image in enumerate(self.images) if isinstance(image, ImageError)}


def png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def digits(dataset: tuple[Split, Split]) -> Digits:
    """450 digits: more than a part begins with, and than a row group of these tests."""
    _, test = dataset
    return Digits(test.images[:450], test.labels[:450])


def _pixels(picture: bytes | str | ImageError) -> np.ndarray | ImageError:
    if isinstance(picture, ImageError):
        return picture
    with Image.open(io.BytesIO(picture) if isinstance(picture, bytes) else picture) as image:
        return np.asarray(image)


def _batches(
    source: Source, rows: int, batch_rows: int
) -> Iterator[tuple[list, np.ndarray | None, list[str]]]:
    row = 0
    for part in source.parts(rows):
        assert part.start == row, "parts follow each other"
        for batch in read_part(pickle.loads(pickle.dumps(part)), batch_rows):  # noqa: S301 - our own bytes
            assert batch.start == row, "batches follow each other"
            assert 0 < len(batch) <= batch_rows
            row += len(batch)
            pictures = (
                list(batch.images)
                if batch.images is not None
                else [_pixels(one) for one in batch.encoded or ()]
            )
            yield pictures, batch.labels, list(batch.keys or ())
        assert row == part.start + part.count
    assert row == source.rows


def read_all(source: Source, rows: int, batch_rows: int) -> Found:
    images: list[np.ndarray | ImageError] = []
    labels: list[np.ndarray] = []
    keys: list[str] = []
    for pictures, their, names in _batches(source, rows, batch_rows):
        images += pictures
        keys += names
        assert (their is not None) == source.has_labels
        if their is not None:
            assert their.dtype == np.int64
            labels.append(their)
    return Found(images, np.concatenate(labels) if labels else None, keys)


@pytest.fixture
def read() -> Callable[..., Found]:
    """Read the one source at a path, in parts and batches of any size; by default in several of both."""

    def reader(path: Path, rows: int = 100, batch_rows: int = 64) -> Found:
        (source,) = open_source(path)
        return read_all(source, rows, batch_rows)

    return reader


@pytest.fixture
def same(digits: Digits) -> Callable[[Found], None]:
    """Check that all digits came back, in their order."""

    def check(found: Found, with_labels: bool = True) -> None:
        assert not found.errors
        assert np.array_equal(np.stack(found.images), digits.images)
        if with_labels:
            assert found.labels is not None
            assert np.array_equal(found.labels, digits.labels)
        else:
            assert found.labels is None

    return check
