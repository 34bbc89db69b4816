"""Digits as people would draw them on the pad of the page: strokes of points, at their usual size and otherwise.

Half of them are shapes that networks are trained with (of ``edgedigits.training.shapes``, from other seeds), half are
the hand of ``_other_hands``, which no network was trained with.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from _other_hands import leaning, moved_strokes

from edgedigits.training.shapes import SHAPES
from edgedigits.training.strokes import Chance

Points = npt.NDArray[np.float64]
"""Places (x, y), (n, 2)."""

PAD = 280
PEN, THIN_PEN, THICK_PEN = 20.0, 8.0, 40.0
"""The page's usual pen, its thinnest and its thickest."""
USUAL = (140.0, 180.0)
"""The longer side of a digit's strokes: a half to two thirds of the pad."""
FURTHEST = PAD / 3


class Drawing(NamedTuple):
    """What is drawn on the pad."""

    strokes: list[Points]
    pen: float


class Strokes(NamedTuple):
    """A digit before it has a place and a size."""

    digit: int
    hand: str
    strokes: list[Points]


def drawn_strokes(count: int, seed: int) -> list[Strokes]:
    """Return digits, all classes in turn, of both hands in turn.

    Args:
        count: how many.
        seed: decides everything about them.
    """
    generator = np.random.default_rng(seed)
    hands = {"shapes of training": _trained, "another hand": moved_strokes}
    return [
        Strokes(digit, hand, [stroke @ turned for stroke in hands[hand](digit, generator)])
        for index in range(count)
        for digit, hand, turned in [(index // 2 % 10, list(hands)[index % 2], leaning(generator))]
    ]


def _trained(digit: int, generator: np.random.Generator) -> Iterator[Points]:
    """Yield the strokes of one of the shapes that are drawn for training."""
    shapes = [shape for shape in SHAPES if shape.digit == digit]
    shares = np.array([shape.share for shape in shapes])
    shape = shapes[generator.choice(len(shapes), p=shares / shares.sum())]
    for stroke in shape.strokes(Chance(1, generator)):
        yield np.asarray(stroke[:, :, 0].T, np.float64)


def placed(strokes: list[Points], side: float, pen: float, shift: Points | None = None) -> Drawing:
    """Put strokes onto the pad.

    Args:
        strokes: anywhere, in any size.
        side: the longer side that their points get.
        pen: width of the pen.
        shift: pixels (x, y) from the middle, (2,), as far as the ink stays on the pad.
    """
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    scale = side / (high - low).max()
    room = np.maximum(0, (PAD - scale * (high - low) - pen) / 2)
    middle = PAD / 2 + (np.zeros(2) if shift is None else np.clip(shift, -room, room))
    return Drawing([(stroke - (low + high) / 2) * scale + middle for stroke in strokes], pen)


class Kind(NamedTuple):
    """A way in which the same digits are drawn."""

    size: float = 1.0
    """Of the usual one."""
    pen: float = PEN
    is_moved: bool = False


KINDS = {
    "as usual": Kind(),
    "moved by up to a third of the pad": Kind(is_moved=True),
    "half as large": Kind(1 / 2),
    "half as large, the pen as well": Kind(1 / 2, PEN / 2),
    "half as large, moved by up to a third": Kind(1 / 2, PEN / 2, is_moved=True),
    "a third as large": Kind(1 / 3),
    "a third as large, thinnest pen": Kind(1 / 3, THIN_PEN),
    "thickest pen": Kind(pen=THICK_PEN),
    "thinnest pen": Kind(pen=THIN_PEN),
}


def drawings(digits: list[Strokes], seed: int) -> dict[str, list[Drawing]]:
    """Draw the same digits in each kind."""
    generator = np.random.default_rng(seed)
    sides = generator.uniform(*USUAL, len(digits))
    shifts = generator.uniform(-FURTHEST, FURTHEST, (len(digits), 2))
    return {
        name: [
            placed(one.strokes, side * kind.size, kind.pen, shift if kind.is_moved else None)
            for one, side, shift in zip(digits, sides, shifts, strict=True)
        ]
        for name, kind in KINDS.items()
    }
