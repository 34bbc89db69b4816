"""Digits drawn by a pen that there never was: shapes that people write and MNIST's writers seldom did, in MNIST's form.

Most of what a network trained on MNIST alone misreads was written otherwise than there: a 1 with a long stroke up to
it, an open 4, a 7 with a bar, a 9 with a curled tail. Here such digits are drawn anew, each with its own joints, slant,
proportions and pen.

The ink of a pixel follows from the distance to the nearest dot of the strokes. Digits of one shape are drawn side by
side, dot by dot, in integers of 16 bits, so that every operation runs over contiguous memory.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edgedigits.contract import CLASSES, IMAGE_SIDE, PIXEL_MAX
from edgedigits.picture.form import CENTRE, DIGIT_SIDE
from edgedigits.picture.levels import Pixels
from edgedigits.training.shapes import SHAPES, Shape
from edgedigits.training.strokes import Chance, Floats

AT_ONCE = 128
"""Digits that are drawn side by side: their distances fit into the processor's cache."""
UNIT = 64
"""Parts of a squared pixel in which squared distances are counted: 20 x 20 pixels, twice, are 51,200."""
LATTICES = 0.2
"""Share of the digits whose dots keep to a lattice."""
COARSE = 0.08
"""Share of the digits that come out of few pixels."""
GRIDS = (7, 8, 9, 10, 12, 14)
"""Pixels of the longer side of these."""
LEAST_INK, MOST_INK = (0.0, 0.2), (0.6, 1.0)
"""Shares of the darkest ink at which the paper ends, and from which on all is as dark."""


class Pen(NamedTuple):
    """How digits are drawn; lengths are in pixels of a digit of 20, if nothing else is said."""

    widths: tuple[float, float, float] = (1.5, 2.4, 5.2)
    """Least, usual and largest width."""
    softness: tuple[float, float] = (0.7, 3.0)
    """Pixels from no ink to all ink at the edge of a stroke."""
    pressure: float = 0.25
    """Share by which the width changes along the digit, at most."""
    slant: tuple[float, float] = (-0.25, 0.45)
    """Pixels to the right per pixel up."""
    rotation: float = 8.0
    """Degrees, to either side."""
    proportions: float = 0.36
    """Standard deviation of the logarithm of the factor of the width."""
    lattice: float = 1.1
    """Side of the squares, at most, in pixels, to which a fifth of the digits keep, as those of coarse pictures do."""
    tremor: float = 0.035
    """Amplitude, at most, of each of two waves that bend the digit, in its heights."""


def draw_digits(
    count: int, generator: np.random.Generator, pen: Pen | None = None
) -> tuple[Pixels, npt.NDArray[np.uint8]]:
    """Draw digits, of every class as many as of the others, give or take one, in random order.

    Args:
        count: how many.
        generator: decides everything about them.
        pen: how far they vary.

    Returns:
        Images in MNIST's form, uint8 (count, 28, 28), and labels, uint8 (count,).
    """
    pen = pen or Pen()
    images = np.empty((count, IMAGE_SIDE, IMAGE_SIDE), np.uint8)
    labels = np.empty(count, np.uint8)
    place = generator.permutation(count)
    start = 0
    for shape, number in _numbers(count, generator):
        for first in range(0, number, AT_ONCE):
            chosen = place[start : start + min(AT_ONCE, number - first)]
            images[chosen] = draw_shape(shape, len(chosen), generator, pen)
            labels[chosen] = shape.digit
            start += len(chosen)
    return images, labels


def _numbers(count: int, generator: np.random.Generator) -> list[tuple[Shape, int]]:
    """Return how many are drawn of each shape."""
    numbers = []
    rest = generator.permutation(CLASSES) < count % CLASSES
    for digit in range(CLASSES):
        shapes = [shape for shape in SHAPES if shape.digit == digit]
        shares = np.array([shape.share for shape in shapes])
        drawn = generator.multinomial(count // CLASSES + int(rest[digit]), shares / shares.sum())
        numbers += list(zip(shapes, drawn.tolist(), strict=True))
    return numbers


def draw_shape(shape: Shape, count: int, generator: np.random.Generator, pen: Pen) -> Pixels:
    """Draw digits of one shape.

    Args:
        shape: which.
        count: how many, at least one.
        generator: decides everything about them.
        pen: how far they vary.

    Returns:
        uint8 (count, 28, 28), in MNIST's form.
    """
    chance = Chance(count, generator)
    dots = np.concatenate(shape.strokes(chance), axis=1)
    dots = _bent(dots, chance, pen)
    radii = _radii(dots.shape[1], chance, pen)
    placed, sides = _in_box(dots, radii)
    ink = _inked(_on_lattice(placed, chance, pen), sides, radii, chance.small(*pen.softness))
    return in_form(ink, chance)


def in_form(ink: Floats, chance: Chance) -> Pixels:
    """Bring the ink of pictures, 0..1, float32 (n, 20, 20), of none of which it is all 0, into MNIST's form.

    Returns:
        uint8 (n, 28, 28).
    """
    return _centred(_spread(_coarsened(ink, chance), chance))


def _bent(dots: Floats, chance: Chance, pen: Pen) -> Floats:
    """Move the dots of whole digits: waves, proportions, slant, rotation; float32 (2, dots, n)."""
    x, y = dots
    for _ in range(2):
        size = chance(0, pen.tremor)
        wave, other = (chance(2, 9) * y + chance(-4, 4) * x + chance(0, 6.3) for _ in range(2))
        x, y = x + size * np.sin(wave), y + size * np.sin(other)
    wide = np.exp(chance.generator.normal(0, pen.proportions, chance.count)).astype(np.float32)
    x = x * wide + chance(*pen.slant) * (0.5 - y)
    angle = np.deg2rad(chance(-pen.rotation, pen.rotation))
    sine, cosine = np.sin(angle), np.cos(angle)
    return np.stack([x * cosine - y * sine, x * sine + y * cosine])


def _radii(dots: int, chance: Chance, pen: Pen) -> Floats:
    """Return half the width of the pen at each dot in pixels, float32 (dots, n)."""
    least, usual, most = pen.widths
    low, high = chance(least, usual), chance.small(usual, most)
    width = np.where(chance(0, 1) < 0.5, low, high)
    way = np.linspace(0, 1, dots, dtype=np.float32)[:, np.newaxis]
    wave = np.sin(chance(1, 9) * way + chance(0, 6.3))
    return np.asarray(width / 2 * (1 + chance(0, pen.pressure) * wave), np.float32)


def _in_box(dots: Floats, radii: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Bring digits into the box that ``fitted`` brings pictures into: the longer side is 20 pixels, ink included.

    Returns:
        Dots in pixels, float32 (2, dots, n), and width and height of each digit's box in whole pixels, (2, n).
    """
    lowest, highest = dots.min(axis=1, keepdims=True), dots.max(axis=1, keepdims=True)
    # Widths are in pixels of the result: what they leave of the box is the dots'.
    room = DIGIT_SIDE - 2 * radii.mean(axis=0)
    dots = (dots - lowest) * (room / (highest - lowest).max(axis=0))
    lowest, highest = (dots - radii).min(axis=1), (dots + radii).max(axis=1)
    extent = highest - lowest
    sides = np.maximum(1, np.rint(extent * (DIGIT_SIDE / extent.max(axis=0))))
    fitted: Floats = (dots - lowest[:, np.newaxis]) * (sides / extent)[:, np.newaxis]
    return fitted, sides.astype(np.int64)


def _on_lattice(dots: Floats, chance: Chance, pen: Pen) -> Floats:
    """Move the dots of a fifth of the digits to the points of a square lattice."""
    side = np.where(chance(0, 1) < LATTICES, chance(0.4, pen.lattice), np.float32(1 / UNIT))
    return np.asarray(np.rint(dots / side) * side, np.float32)


def _inked(dots: Floats, sides: npt.NDArray[np.int64], radii: Floats, softness: Floats) -> Floats:
    """Return the ink, 0..1, of the 20 x 20 pixels of each digit's box, float32 (n, 20, 20); outside of it is none.

    Args:
        dots: in pixels, float32 (2, dots, n).
        sides: width and height of the box, (2, n).
        radii: of the pen at each dot, float32 (dots, n).
        softness: pixels from no ink to all of it, float32 (n,).
    """
    centres = np.arange(DIGIT_SIDE, dtype=np.float32)[:, np.newaxis] + np.float32(0.5)
    largest = radii.max(axis=0)
    squared = np.square(centres - dots[:, :, np.newaxis])
    # The narrower the pen at a dot, the further away it is: half of the ink is then always at the largest radius.
    squared[0] += (largest**2 - radii**2)[:, np.newaxis]
    across, down = (squared * np.float32(UNIT)).astype(np.uint16)
    nearest = np.full((DIGIT_SIDE, DIGIT_SIDE, dots.shape[2]), np.iinfo(np.uint16).max, np.uint16)
    to_dot = np.empty_like(nearest)
    for column, row in zip(across, down, strict=True):
        np.add(row[:, np.newaxis], column, out=to_dot)
        np.minimum(nearest, to_dot, out=nearest)
    distance = np.sqrt(nearest.astype(np.float32) * np.float32(1 / UNIT))
    ink = np.clip((largest - distance) / softness + np.float32(0.5), 0, 1)
    inside_x, inside_y = np.arange(DIGIT_SIDE)[:, np.newaxis] < sides[:, np.newaxis]
    ink *= inside_y[:, np.newaxis] & inside_x
    return np.ascontiguousarray(ink.transpose(2, 0, 1))


def _coarse_grids() -> Floats:
    """Return what ``GRIDS`` make of 20 pixels: means of their cells, and lines between these; (grids, 20, 20)."""
    pixels = np.arange(DIGIT_SIDE)
    edges = np.arange(DIGIT_SIDE + 1)
    grids = []
    for cells in GRIDS:
        size = DIGIT_SIDE / cells
        starts = np.arange(cells)[:, np.newaxis] * size
        covered = np.clip(edges, starts, starts + size)
        means = np.diff(covered, axis=1) / size
        place = np.clip((pixels + 0.5) / size - 0.5, 0, cells - 1)
        between = np.maximum(0, 1 - np.abs(place[:, np.newaxis] - np.arange(cells)))
        grids.append(between @ means)
    return np.array(grids, np.float32)


COARSE_GRIDS = _coarse_grids()


def _coarsened(ink: Floats, chance: Chance) -> Floats:
    """Make of some digits, float32 (n, 20, 20), what is left of them in pictures of few pixels."""
    chosen = np.flatnonzero(chance(0, 1) < COARSE)
    grids = COARSE_GRIDS[chance.generator.integers(len(GRIDS), size=len(chosen))]
    ink[chosen] = grids @ ink[chosen] @ grids.transpose(0, 2, 1)
    return ink


def _spread(ink: Floats, chance: Chance) -> Pixels:
    """Spread the ink of each digit over 0..255, more or less, as ``Finding.ink`` spreads that of a picture."""
    peak = ink.max(axis=(1, 2))
    lowest, highest = chance(*LEAST_INK) * peak, chance(*MOST_INK) * peak
    scale = PIXEL_MAX / (highest - lowest)
    spread = (ink - lowest[:, np.newaxis, np.newaxis]) * scale[:, np.newaxis, np.newaxis]
    pixels: Pixels = np.rint(np.clip(spread, 0, PIXEL_MAX)).astype(np.uint8)
    return pixels


def _centred(ink: Pixels) -> Pixels:
    """Put digits into 28 x 28 so that the centre of mass lies at (14, 14), as ``picture.form.centred`` does."""
    count = len(ink)
    index = np.arange(DIGIT_SIDE, dtype=np.float32)
    rows, columns = ink.sum(axis=2, dtype=np.float32), ink.sum(axis=1, dtype=np.float32)
    mass = rows.sum(axis=1)
    top = np.rint(CENTRE - rows @ index / mass).astype(int)
    left = np.rint(CENTRE - columns @ index / mass).astype(int)
    sides = [np.where(part > 0, np.arange(1, DIGIT_SIDE + 1), 0).max(axis=1) for part in (rows, columns)]
    top, left = (np.clip(at, 0, IMAGE_SIDE - side) for at, side in zip((top, left), sides, strict=True))
    # A margin for what is 0 of the 20 x 20 pixels, which may reach over the frame.
    frames = np.zeros((count, IMAGE_SIDE + DIGIT_SIDE, IMAGE_SIDE + DIGIT_SIDE), np.uint8)
    place = np.arange(DIGIT_SIDE)
    frames[
        np.arange(count)[:, np.newaxis, np.newaxis],
        (top[:, np.newaxis] + place)[:, :, np.newaxis],
        (left[:, np.newaxis] + place)[:, np.newaxis],
    ] = ink
    return frames[:, :IMAGE_SIDE, :IMAGE_SIDE]
