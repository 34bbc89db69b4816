"""Pictures of no digit: a network that never saw one is sure of all of them.

Letters, signs and frames, scribbles, digits that were crossed out or lie on their side, blots and textures come through
the same pen and into the same form as drawn digits. They are taught as every digit alike, a tenth each.

Source: D. Hendrycks, M. Mazeika and T. Dietterich, "Deep anomaly detection with outlier exposure", ICLR 2019.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from edgedigits.contract import CLASSES, IMAGE_SIDE
from edgedigits.picture.form import DIGIT_SIDE
from edgedigits.picture.levels import Pixels
from edgedigits.training import five_to_nine as high
from edgedigits.training import zero_to_four as low
from edgedigits.training.drawn import AT_ONCE, Pen, draw_shape, in_form
from edgedigits.training.letters import LETTERS, SIGNS, written
from edgedigits.training.shapes import Shape
from edgedigits.training.strokes import Chance, Floats, Strokes

NO_DIGIT = CLASSES
"""The label of what is no digit."""
TEXTURES = 0.2
"""Share of the pictures that are blots and textures; the rest is drawn with a pen."""


def scribble(places: int) -> Callable[[Chance], Strokes]:
    """Return a line through so many places anywhere."""

    def strokes_of(c: Chance) -> Strokes:
        return [c.curve(*((c(0, 1), c(0, 1)) for _ in range(places)), length=0.5 * places)]

    return strokes_of


def to_and_fro(legs: int) -> Callable[[Chance], Strokes]:
    """Return a line to and fro, so many times, as one crosses a word out."""

    def strokes_of(c: Chance) -> Strokes:
        high = c(0.3, 1.0)
        places = [
            (index / legs + c(-0.05, 0.05), 0.5 + (index % 2 - 0.5) * high + c(-0.1, 0.1))
            for index in range(legs + 1)
        ]
        return [c.curve(*places, length=1.2 * legs)]

    return strokes_of


def crossed_out(way: Callable[[Chance], Strokes], legs: int) -> Callable[[Chance], Strokes]:
    """Return a way to write a digit as that one, crossed out with so many strokes."""

    def strokes_of(c: Chance) -> Strokes:
        lines = to_and_fro(legs)(c)
        return [*way(c), *(line * c(0.8, 1.1) + c(-0.15, 0.05) for line in lines)]

    return strokes_of


def on_its_side(way: Callable[[Chance], Strokes], turn: int) -> Callable[[Chance], Strokes]:
    """Return a way to write a digit as that one, turned by a quarter: to the right for 1, to the left for -1."""

    def strokes_of(c: Chance) -> Strokes:
        return [np.stack([-turn * stroke[1], turn * stroke[0]]) for stroke in way(c)]

    return strokes_of


def _shapes() -> tuple[Shape, ...]:
    letters = [Shape(NO_DIGIT, 1, written(path)) for path in LETTERS.values()]
    signs = [Shape(NO_DIGIT, 0.8, written(path)) for path in SIGNS.values()]
    scribbles = [Shape(NO_DIGIT, 2, scribble(places)) for places in (5, 8, 12, 20)]
    lines = [Shape(NO_DIGIT, 1, to_and_fro(legs)) for legs in (5, 8, 12)]
    digits = (low.zero, low.two, low.three, low.four_open, high.five, high.six, high.eight, high.nine)
    out = [Shape(NO_DIGIT, 0.5, crossed_out(way, 6 + index % 4)) for index, way in enumerate(digits)]
    turned = (low.two, low.two_with_loop, low.three, low.four_open, low.four_closed, high.five, high.seven)
    aside = [Shape(NO_DIGIT, 0.5, on_its_side(way, turn)) for way in turned for turn in (-1, 1)]
    return (*letters, *signs, *scribbles, *lines, *out, *aside)


SHAPES = _shapes()
"""Everything that a pen draws."""


def draw_non_digits(
    count: int, generator: np.random.Generator, pen: Pen | None = None
) -> tuple[Pixels, npt.NDArray[np.uint8]]:
    """Draw pictures of no digit, in random order.

    Args:
        count: how many.
        generator: decides everything about them.
        pen: how far they vary.

    Returns:
        Images in MNIST's form, textures with less ink than fills its box among them, uint8 (count, 28, 28), and
        ``NO_DIGIT`` for each, uint8 (count,).
    """
    pen = pen or Pen()
    shares = np.array([shape.share for shape in SHAPES])
    shares = np.append(shares * ((1 - TEXTURES) / shares.sum()), TEXTURES)
    numbers = generator.multinomial(count, shares).tolist()
    images = [np.empty((0, IMAGE_SIDE, IMAGE_SIDE), np.uint8)]
    for shape, number in zip(SHAPES, numbers[:-1], strict=True):
        sizes = [min(AT_ONCE, number - first) for first in range(0, number, AT_ONCE)]
        images += [draw_shape(shape, size, generator, pen) for size in sizes]
    chance = Chance(numbers[-1], generator)
    images.append(in_form(textures(chance), chance))
    mixed = np.concatenate(images)[generator.permutation(count)]
    return mixed, np.full(count, NO_DIGIT, np.uint8)


def textures(c: Chance) -> Floats:
    """Make blots, clouds, stripes, grain and shades: what a photograph leaves in the box of a digit.

    Returns:
        Ink, 0..1, float32 (n, 20, 20), of which none is all 0.
    """
    y, x = np.indices((DIGIT_SIDE, DIGIT_SIDE), np.float32)[:, np.newaxis] / DIGIT_SIDE - 0.5

    def each(low: float, high: float) -> Floats:
        return c(low, high)[:, np.newaxis, np.newaxis]

    grain = c.generator.standard_normal((c.count, DIGIT_SIDE, DIGIT_SIDE), np.float32)
    clouds = _smoothing(c) @ grain @ _smoothing(c).transpose(0, 2, 1)
    stripes = np.sin(each(-40, 40) * x + each(-40, 40) * y + each(0, 6.3))
    shade = each(-3, 3) * x + each(-3, 3) * y
    # Squares of the shares: of most pictures one makes up the most.
    level = sum(
        each(0, 1) ** 2 * part / (part.std(axis=(1, 2), keepdims=True) + 1e-3)
        for part in (clouds, stripes, shade)
    )
    level = level / level.std(axis=(1, 2), keepdims=True)
    ink = np.clip((level - each(-2, 1.5)) / each(0.1, 2) + np.float32(0.5), 0, 1)
    ink *= _outlines(c, x, y)
    ink[ink.max(axis=(1, 2)) < 0.1] = 1
    return np.asarray(ink, np.float32)


def _smoothing(c: Chance) -> Floats:
    """Return Gaussians of a width of their own as matrices, float32 (n, 20, 20)."""
    width = np.exp(c(np.log(0.3), np.log(6.0)))[:, np.newaxis, np.newaxis]
    place = np.arange(DIGIT_SIDE, dtype=np.float32)
    return np.asarray(np.exp(-((place[:, np.newaxis] - place) ** 2) / (2 * width**2)), np.float32)


def _outlines(c: Chance, x: Floats, y: Floats) -> Floats:
    """Return boxes and ellipses, narrow to wide, 1 inside, float32 (n, 20, 20)."""
    # A tall one, filled, would be a thick 1.
    proportion = np.exp(c(-0.4, 0.9))[:, np.newaxis, np.newaxis]
    across = np.abs(2 * x) / np.minimum(1, proportion)
    down = np.abs(2 * y) / np.minimum(1, 1 / proportion)
    is_round = c(0, 1)[:, np.newaxis, np.newaxis] < 0.4
    distance = np.where(is_round, np.hypot(across, down), np.maximum(across, down))
    return (distance <= 1).astype(np.float32)
