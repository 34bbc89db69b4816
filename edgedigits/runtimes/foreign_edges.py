"""Where the picture goes into a model that edgedigits did not make, and where ten numbers come out of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from edgedigits.contract import CLASSES, IMAGE_SIDE, PIXELS
from edgedigits.errors import ForeignModelError

LARGEST_BATCH = 1_000
"""Images that a model may ask for at once; no more go in at once either."""

Side = int | None
"""None where it is free."""


class Edge(NamedTuple):
    """An input or an output of a model."""

    name: str
    dtype: "np.dtype[Any] | None"
    """Of NumPy; None for what is no tensor of numbers."""
    shape: tuple[Side, ...]
    scale: float = 0.0
    """What a step of a quantized tensor is worth; 0 where it is none."""
    zero_point: int = 0

    def __str__(self) -> str:
        sides = ", ".join("n" if side is None else str(side) for side in self.shape)
        return f"{self.name[:80]} {self.dtype if self.dtype else 'of no numbers'} ({sides})"

    @property
    def batch(self) -> int | None:
        """How many images it takes or gives at once: 0 for any number; None where it has no side for them."""
        if self.shape[:1] == (None,):
            return 0
        return self.shape[0] if _without_ones(self.shape[1:]) in _KNOWN else None

    @property
    def inner(self) -> list[Side]:
        """Its sides without that of images and those of 1."""
        return _without_ones(self.shape if self.batch is None else self.shape[1:])

    def of_images(self, count: int) -> tuple[int, ...]:
        """Return its shape for so many images."""
        shape = self.shape if self.batch is None else (count, *self.shape[1:])
        return tuple(int(side or 1) for side in shape)


def _without_ones(shape: tuple[Side, ...]) -> list[Side]:
    return [side for side in shape if side != 1]


_KNOWN: tuple[list[Side], ...] = ([IMAGE_SIDE, IMAGE_SIDE], [PIXELS], [CLASSES])
"""Sides of a picture and of ten numbers."""


def find_edges(path: Path, inputs: Sequence[Edge], outputs: Sequence[Edge]) -> tuple[Edge, Edge]:
    """Return the input that takes a picture and the output that gives ten numbers.

    Args:
        path: of the model, for messages.
        inputs: all that it has.
        outputs: all that it has.

    Raises:
        ForeignModelError: it takes something else, or it is not clear which output is meant.
    """
    if len(inputs) != 1 or not inputs[0].dtype or inputs[0].inner not in _KNOWN[:2]:
        raise ForeignModelError(
            path,
            f"one input of {IMAGE_SIDE}x{IMAGE_SIDE} pixels",
            " and ".join(map(str, inputs[:4])) or "none",
        )
    if (inputs[0].batch or 0) > LARGEST_BATCH:
        raise ForeignModelError(path, f"at most {LARGEST_BATCH:,} images at once", str(inputs[0]))
    ten = [edge for edge in outputs if edge.dtype and edge.inner == [CLASSES]]
    if len(ten) != 1:
        raise ForeignModelError(
            path, f"one output of {CLASSES} numbers", " and ".join(map(str, outputs[:4])) or "none"
        )
    return inputs[0], ten[0]


def as_input(edge: Edge, values: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
    """Return values, (n, 28, 28), as an input takes them: of its type, on its scale, in its shape."""
    dtype = np.dtype(edge.dtype)
    shaped = values.reshape(edge.of_images(len(values)))
    if dtype.kind == "f":
        floats: npt.NDArray[Any] = shaped.astype(dtype, copy=False)
        return floats
    limits = np.iinfo(dtype)
    scale, zero_point = edge.scale or 1.0, edge.zero_point
    if not edge.scale and dtype == np.int8:
        # Without a scale, a signed byte is a pixel less 128: nothing else holds them all.
        zero_point = -128
    whole = np.clip(np.rint(shaped / np.float32(scale)) + zero_point, limits.min, limits.max)
    integers: npt.NDArray[Any] = whole.astype(dtype)
    return integers


def as_numbers(edge: Edge, given: npt.NDArray[Any], count: int) -> npt.NDArray[np.float32]:
    """Return what an output gave as float32 (n, 10), off its scale."""
    found: npt.NDArray[np.float32] = given.astype(np.float32).reshape(-1, CLASSES)[:count]
    if not edge.scale:
        return found
    numbers: npt.NDArray[np.float32] = (found - np.float32(edge.zero_point)) * np.float32(edge.scale)
    return numbers
