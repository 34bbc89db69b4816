"""A line of ink -> pieces: parts of digits, whole ones, and cuts of what touches. A few in a row make a digit.

The line is brought to one height and upright first, so that all that follows is in parts of a digit's height.
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from edgedigits.errors import ImageError
from edgedigits.numbers.reading import Box, box_around
from edgedigits.picture.components import Components, Integers, Mask, connected_components
from edgedigits.picture.form import DIGIT_SIDE, STROKE_WIDTH, dilated
from edgedigits.picture.levels import Pixels, stroke_width
from edgedigits.picture.scaling import scaled_size

HEIGHT = 48
"""Pixels of a digit's height in a strip."""
MARGIN = 4
"""Pixels of paper around a strip."""
INK_LEVEL = 66
"""Level above which a pixel of a strip is ink."""
SPECK = 0.08
"""Side of a square, in digits' heights, that a part has the area of, at least."""
SLANTS = np.arange(-0.3, 1.05, 0.1)
"""Columns to the right per row up, of writing."""
LEAST_SLANT = 0.04
"""Slant below which writing is upright."""
UPRIGHTED = 0.65
"""Share of the slant that is undone: people write digits with some."""
LARGEST_STRIP = 4_000_000
"""Height of a strip times the sum of both sides, in pixels, at most: upright, none has more. Those of pages and cheques
have up to 70,000, one of the smallest digits that is as long as the picture and turned by two degrees has 2 million."""
MOST_PIECES = 5_000
"""In a line, at most: a digit has some three."""
TOO_MANY = "shows too many marks beside each other for a number; cut out the numbers"
MOST_WIDENED = 3
"""Steps of a pixel to each side by which a strip's strokes are widened, at most."""

SMALL_HEIGHT, SMALL_WIDTH = 0.4, 0.5
"""Sides below which a part is a point, or a piece of a broken digit."""
COMMA_HEIGHT, COMMA_WIDTH = 0.5, 0.3
"""Likewise of a comma."""
DASH_HEIGHT = 0.35
"""Height below which a part that is wider than it is high is a dash, or the stroke of a 5."""
STRAIGHT = 0.06
"""How far a straight stroke's pixels are from its middle, in the root of the mean square, at most."""
CUT_WIDTH = 0.4
"""Width from which on a part is cut."""
CUT_INK = 0.35
"""Ink of a column at which a part is cut, at most."""
LEAST_PIECE = 0.14
"""Width of what is cut off, at least."""
CUT_DISTANCE = 0.18
"""Distance of cuts, at least."""
MOST_CUTS = 24
"""In a part."""
TALL, REACH, BESIDE_STROKE, NEAR = 0.4, 0.2, 1.25, 0.1
"""Ink of a column that has a 1 at an end of a part, how far from its border at most, widths of strokes from there to a
cut beside it, and that cut's distance from others, at least."""
WIDE, FILL = 0.9, 0.13
"""Width from which on a part is cut everywhere, and distance of those cuts from others, at least: where strokes lie
side by side there is more ink, not less."""

PAPER, SPECKS = -1, -2
"""In the place of the index of a piece."""
Ids = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float64]


class Piece(NamedTuple):
    """A part of a strip that is not parted any further; lengths are in pixels of the strip."""

    box: Box
    area: int
    part: int
    """Number of the connected part that it is, or was cut from."""
    is_small: bool
    """Whether it is no digit by itself: a point, a dash, a stroke of a broken digit."""
    is_whole: bool
    """Whether it is all of what is connected."""
    elongation: float
    """How many times as long as it is wide, by the spread of its pixels along and across."""
    tilt: float | None
    """Of one straight stroke, as it was written: columns to the right per row up; None of anything else."""

    @property
    def middle(self) -> float:
        """Of its width."""
        return (self.box.left + self.box.right) / 2

    @property
    def middle_row(self) -> float:
        """Of its height."""
        return (self.box.top + self.box.bottom) / 2


class Strip(NamedTuple):
    """A line, upright, with digits of ``HEIGHT``."""

    ink: Pixels
    """(h, w) uint8, 0 = paper, 255 = ink."""
    ids: Ids
    """(h, w): index of the piece that a pixel belongs to, or ``PAPER``, or ``SPECKS``."""
    pieces: tuple[Piece, ...]
    """From left to right."""
    widening: int
    """Steps of a pixel by which strokes grow before the network sees them."""
    slant: float
    """Columns to the right per row up that were undone."""
    ratio: float
    """Pixels of the strip to one of the picture."""
    origin: tuple[float, float]
    """Column and row of the picture that the strip's middle is at."""
    stroke: float
    """Width of its strokes, in pixels."""

    def box_in_picture(self, first: int, last: int) -> Box:
        """Return where the pieces from ``first`` to ``last`` (inclusive) are, in pixels of the picture that was cut."""
        box = box_around([piece.box for piece in self.pieces[first : last + 1]])
        inside = self.ids[box.top : box.bottom, box.left : box.right]
        rows, columns = np.nonzero((inside >= first) & (inside <= last))
        height, width = self.ids.shape
        rows = rows + box.top + 0.5 - height / 2
        columns = columns + box.left + 0.5 - width / 2 - self.slant * rows
        across, down = columns / self.ratio + self.origin[0], rows / self.ratio + self.origin[1]
        return Box(
            int(np.floor(across.min())),
            int(np.floor(down.min())),
            int(np.ceil(across.max())),
            int(np.ceil(down.max())),
        )


def strip_of(levels: Pixels, height: float, origin: tuple[float, float]) -> Strip:
    """Bring a line to its usual height, upright, and part it.

    Args:
        levels: (h, w) uint8, 0 = paper, 255 = ink: the line, with nothing else in it.
        height: pixels of a digit in it.
        origin: column and row of the picture at the middle of ``levels``.

    Raises:
        ImageError: there is more than in a line of numbers.
    """
    ratio = HEIGHT / height
    size = scaled_size((levels.shape[1], levels.shape[0]), ratio)
    if (size[0] + size[1]) * size[1] > LARGEST_STRIP:
        raise ImageError(TOO_MANY)
    method = Image.Resampling.BOX if ratio < 1 else Image.Resampling.BICUBIC
    even = np.pad(np.asarray(Image.fromarray(levels).resize(size, method)), MARGIN)
    slant = UPRIGHTED * slant_of(even)
    upright = sheared(even, slant)
    stroke = stroke_width(upright)
    ids, pieces = _pieces(upright, connected_components(upright > INK_LEVEL), slant, BESIDE_STROKE * stroke)
    return Strip(upright, ids, pieces, widening_of(stroke), slant, ratio, origin, stroke)


def slant_of(levels: Pixels) -> float:
    """Return the slant of writing, in columns to the right per row up: the one that leaves the sharpest columns."""
    best, slant = -1.0, 0.0
    small = np.asarray(Image.fromarray(levels).reduce(2))
    for each in SLANTS:
        columns = sheared(small, float(each)).sum(axis=0, dtype=np.float64)
        sharpness = float(columns @ columns)
        if sharpness > best:
            best, slant = sharpness, float(each)
    return slant


def sheared(levels: Pixels, slant: float, method: Image.Resampling = Image.Resampling.BILINEAR) -> Pixels:
    """Undo a slant, in columns to the right per row up; the middle row stays."""
    height, width = levels.shape
    pad = room_for(slant, height)
    if pad == 0:
        return levels
    # A place of the result comes from that much further right, the higher it is.
    shift = (1, -slant, -pad + slant * height / 2, 0, 1, 0)
    image = Image.fromarray(levels)
    return np.asarray(image.transform((width + 2 * pad, height), Image.Transform.AFFINE, shift, method))


def room_for(slant: float, height: int) -> int:
    """Return how many columns a picture of that height grows by on each side where a slant is undone."""
    return int(abs(slant) * height / 2) + 1 if abs(slant) >= LEAST_SLANT else 0


def widening_of(stroke: float) -> int:
    """Return how many steps bring thin strokes to the width that MNIST's have; see ``form.thickened``."""
    wanted = STROKE_WIDTH * HEIGHT / DIGIT_SIDE
    return max(0, min(round((wanted - stroke) / 2), MOST_WIDENED))


def widened(ink: Pixels, steps: int) -> Pixels:
    """Let strokes grow by so many pixels to each side, for which there is room."""
    for step in range(steps):
        ink = dilated(ink, diagonally=step % 2 == 0)
    return ink


def _pieces(ink: Pixels, parts: Components, slant: float, one_width: float) -> tuple[Ids, tuple[Piece, ...]]:
    """Part what is connected further, where digits may touch; ``one_width`` is that of a 1."""
    is_speck = parts.area < (SPECK * HEIGHT) ** 2
    ids: Ids = np.where(parts.mask(is_speck), np.int16(SPECKS), np.int16(PAPER))
    found: list[tuple[Piece, Mask]] = []
    for number in np.flatnonzero(~is_speck):
        top, bottom, left, right = (int(side) for side in parts.box[number])
        mask = _mask_of(parts, int(number))
        is_small = _is_small(bottom - top, right - left)
        tilt = None if is_small else _tilt(*np.nonzero(mask))
        cuts = [] if is_small or tilt is not None else cuts_of(ink[top:bottom, left:right] * mask, one_width)
        for begin, end in zip([0, *cuts], [*cuts, right - left], strict=True):
            inside = np.zeros_like(mask)
            inside[:, begin:end] = mask[:, begin:end]
            rows, columns = np.nonzero(inside)
            if len(rows) == 0:
                continue
            box = Box(
                left + int(columns.min()),
                top + int(rows.min()),
                left + int(columns.max()) + 1,
                top + int(rows.max()) + 1,
            )
            inner = inside[box.top - top : box.bottom - top, box.left - left : box.right - left]
            as_written = None if tilt is None else tilt + slant
            elongation = _elongation(rows, columns)
            piece = Piece(box, len(rows), int(number), is_small, not cuts, elongation, as_written)
            found.append((piece, inner))
        if len(found) > MOST_PIECES:
            raise ImageError(TOO_MANY)
    found.sort(key=lambda one: one[0].middle)
    for index, (piece, mask) in enumerate(found):
        box = piece.box
        ids[box.top : box.bottom, box.left : box.right][mask] = index
    return ids, tuple(piece for piece, _ in found)


def _mask_of(parts: Components, number: int) -> Mask:
    """Return where a part is, in its box."""
    top, bottom, left, right = parts.box[number]
    mine = parts.part == number
    mask = np.zeros((bottom - top, right - left), bool)
    for row, start, stop in zip(
        parts.row[mine] - top, parts.start[mine] - left, parts.stop[mine] - left, strict=True
    ):
        mask[row, start:stop] = True
    return mask


def _spread(rows: Integers, columns: Integers) -> tuple[float, float, float]:
    """Return the sums of squares about the means, down and across, and of products.

    By whole numbers, whose sums are the same in any order: what C counts is what is counted here.
    """
    count, down, across = len(rows), float(rows.sum()), float(columns.sum())
    return (
        float(rows @ rows) - down * down / count,
        float(columns @ columns) - across * across / count,
        float(rows @ columns) - down * across / count,
    )


def _elongation(rows: Integers, columns: Integers) -> float:
    """Return the ratio of the standard deviations of pixels along and across; a pixel has some of its own."""
    down, across, product = (sums / len(rows) for sums in _spread(rows, columns))
    vertical, level = down + 1 / 12, across + 1 / 12
    # The larger and the smaller eigenvalue of the covariance, whose trace and determinant these are.
    half, apart = (vertical + level) / 2, (vertical - level) / 2
    apart = math.sqrt(apart * apart + product * product)
    return math.sqrt((half + apart) / (half - apart))


def _tilt(rows: Integers, columns: Integers) -> float | None:
    """Return the tilt of a straight stroke with pixels at these places; None where they are none."""
    down, across, product = _spread(rows, columns)
    slope = product / max(down, 1.0)
    away = (across - slope * product) / len(rows)
    return -slope if away < (STRAIGHT * HEIGHT) * (STRAIGHT * HEIGHT) else None


def _is_small(height: int, width: int) -> bool:
    """Tell whether a part with these sides is no digit by itself."""
    is_dot = height < SMALL_HEIGHT * HEIGHT and width < SMALL_WIDTH * HEIGHT
    is_dot |= height < COMMA_HEIGHT * HEIGHT and width < COMMA_WIDTH * HEIGHT
    is_dash = height < DASH_HEIGHT * HEIGHT and width > height
    return is_dot or is_dash


def cuts_of(ink: Pixels, one_width: float) -> list[int]:
    """Return the columns at which a part may be cut: where there is least ink, from left to right.

    Args:
        ink: (h, w) uint8, the part alone.
        one_width: width of a 1.
    """
    width = ink.shape[1]
    if width < CUT_WIDTH * HEIGHT:
        return []
    columns = ink.sum(axis=0, dtype=np.float64) / 255
    smooth = np.convolve(np.pad(columns, 3, mode="edge"), GAUSSIAN, mode="valid")
    inner = smooth[1:-1]
    is_least = (inner <= smooth[:-2]) & (inner <= smooth[2:]) & (inner < CUT_INK * HEIGHT)
    least = LEAST_PIECE * HEIGHT
    cuts: list[int] = []
    for column in sorted((np.flatnonzero(is_least) + 1).tolist(), key=lambda one: smooth[one]):
        if least <= column <= width - least and all(
            abs(column - cut) >= CUT_DISTANCE * HEIGHT for cut in cuts
        ):
            cuts.append(column)
    if width >= WIDE * HEIGHT:
        for column in sorted(
            np.arange(least, width - least).astype(int).tolist(), key=lambda one: smooth[one]
        ):
            if all(abs(column - cut) >= FILL * HEIGHT for cut in cuts):
                cuts.append(column)
    cuts = cuts[:MOST_CUTS]
    for column in _beside_ones(smooth, one_width):
        if 0 < column < width and all(abs(column - cut) >= NEAR * HEIGHT for cut in cuts):
            cuts.append(column)
    return sorted(cuts)


def _beside_ones(columns: Floats, one_width: float) -> list[int]:
    """Return where to cut if a part begins or ends in a 1 with no less ink between it and its neighbour."""
    width = len(columns)
    found = []
    reach = round(REACH * HEIGHT)
    for is_right in (False, True):
        inward = columns[::-1] if is_right else columns
        tall = np.flatnonzero(inward[:reach] >= TALL * HEIGHT)
        if len(tall):
            column = round(tall[0] + one_width)
            found.append(width - column if is_right else column)
    return found


GAUSSIAN = np.exp(-0.5 * np.square(np.arange(-3, 4) / 1.5))
GAUSSIAN /= GAUSSIAN.sum()
"""Weights that columns are smoothed with."""
