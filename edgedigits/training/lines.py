"""Lines of digits, cut into the candidates that reading a number looks at.

These are digits with what is left of their neighbours, parts of digits, and more than one. What a network that reads
numbers has to tell apart arises where a line is parted. So lines are written with images of digits, MNIST's and drawn
ones, of one size and slant, apart or touching, and go through ``numbers.pieces`` and ``numbers.candidates`` themselves.
A candidate that holds nearly all of a digit and little else is that digit, and so is the best that the cuts gave of it;
one that plainly does not, or holds half of another digit too, is none, and taught as every digit alike.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from edgedigits.contract import IMAGE_SIDE, PIXEL_MAX
from edgedigits.numbers.candidates import Candidate, candidates_of, images_of
from edgedigits.numbers.pieces import INK_LEVEL, MARGIN, Strip, room_for, sheared, strip_of
from edgedigits.picture.form import DIGIT_SIDE
from edgedigits.picture.levels import Pixels
from edgedigits.training.drawn import draw_digits
from edgedigits.training.non_digits import NO_DIGIT

FEWEST, MOST = 1, 7
"""Digits of a line."""
SIZES = 20.0, 40.0
"""Pixels of a digit's height."""
WHOLE, PURE = 0.88, 0.85
"""Share of a digit that a candidate holds at least, and share of the candidate that the digit makes up, where the
candidate is that digit."""
BROKEN, MIXED = 0.66, 0.66
"""The same, below one of which it is none. What lies between is that digit where it is the best that the cuts gave of
it (or as good but for ``AS_GOOD`` of these shares), and is not taught where it is not."""
AS_GOOD = 0.02
OTHER = 0.5
"""Share of another digit that a candidate holds, from which on it is none."""
MOST_NON_DIGITS = 1.5
"""Candidates that are no digit, for each that is one, at most."""
DRAWN, DRAWN_AGAIN, FEWEST_DRAWN = 0.4, 10, 100
"""Share of a line's digits that are drawn; candidates for each one that is drawn, and how many are drawn at least."""
GAPS, GAP_SHARES = ((0.08, 0.5), (-0.05, 0.15), (-0.3, 0.05)), (0.3, 0.3, 0.4)
"""Gaps between the digits of a line, in their heights: apart, near, touching; and how many lines have them."""
ALIKE = 0.25
"""Share of the lines that end in digits of one kind, mostly zeros, as amounts do."""
LITTER = 4
"""Strokes of a form's print in a line, at most."""
JOINT, FOREIGN = 254, 255
"""Owners of ink that belongs to no digit: of strokes from one to the next, and of all else."""
MOST_FOREIGN = 0.05
"""Share of foreign ink in a digit, at most: a point beside it is to be told from it."""


class Written(NamedTuple):
    """A line."""

    levels: Pixels
    """(h, w) uint8, 0 = paper, 255 = ink."""
    owners: Pixels
    """(h, w) uint8: of which digit the ink of a pixel is, counted from 1; 0 for none, ``JOINT`` or ``FOREIGN``."""
    digits: list[int]
    height: float
    """Pixels of a digit in it."""


def draw_candidates(
    count: int, generator: np.random.Generator, images: Pixels, labels: npt.NDArray[np.uint8]
) -> tuple[Pixels, npt.NDArray[np.uint8]]:
    """Write lines and cut candidates out of them.

    Args:
        count: how many candidates.
        generator: decides everything about them.
        images: uint8 (n, 28, 28), in MNIST's form, that lines are written with.
        labels: (n,), what these are.

    Returns:
        Images in MNIST's form, uint8 (count, 28, 28), and for each the digit, or ``NO_DIGIT``, uint8 (count,).
    """
    images, labels = _pool(count, generator, images, labels)
    found = np.empty((count, IMAGE_SIDE, IMAGE_SIDE), np.uint8)
    taught = np.empty(count, np.uint8)
    done = 0
    while done < count:
        for image, label in _candidates(write(generator, images, labels), generator):
            if done < count:
                found[done], taught[done] = image, label
                done += 1
    return found, taught


def _pool(
    count: int, generator: np.random.Generator, images: Pixels, labels: npt.NDArray[np.uint8]
) -> tuple[Pixels, npt.NDArray[np.uint8]]:
    """Return images, and drawn digits beside them, that so many candidates are written with."""
    drawn, drawn_labels = draw_digits(max(FEWEST_DRAWN, count // DRAWN_AGAIN), generator)
    chosen = generator.integers(len(images), size=round(len(drawn) * (1 - DRAWN) / DRAWN))
    return np.concatenate([images[chosen], drawn]), np.concatenate([labels[chosen], drawn_labels])


def _candidates(line: Written, generator: np.random.Generator) -> Iterator[tuple[Pixels, int]]:
    """Yield the candidates of a line that are plainly a digit or none, and what they are."""
    strip = strip_of(line.levels, line.height, (0, 0))
    candidates = candidates_of(strip)
    owners = _owners_in(strip, line)
    is_ink = (strip.ink > INK_LEVEL) & (owners > 0)
    totals = np.bincount(owners[is_ink], minlength=FOREIGN + 1)
    found = [held_by(strip, candidate, owners * is_ink, totals) for candidate in candidates]
    best: dict[int, float] = {}
    for held in found:
        best[held.owner] = max(best.get(held.owner, 0.0), held.least)
    digits, others = [], []
    for candidate, held in zip(candidates, found, strict=True):
        is_plain = held.share >= WHOLE and held.purity >= PURE
        is_best = held.least >= best[held.owner] - AS_GOOD
        is_more = held.foreign > MOST_FOREIGN or held.other >= OTHER
        if is_more or held.share < BROKEN or held.purity < MIXED:
            others.append((candidate, NO_DIGIT))
        elif is_plain or is_best:
            digits.append((candidate, line.digits[held.owner - 1]))
    most = round(MOST_NON_DIGITS * max(1, len(digits)))
    chosen = generator.permutation(len(others))[:most]
    kept = [*digits, *(others[index] for index in chosen)]
    if kept:
        images = images_of(strip, [candidate for candidate, _ in kept])
        yield from zip(images, [label for _, label in kept], strict=True)


class Held(NamedTuple):
    """What a candidate holds."""

    owner: int
    """The digit that most of its ink is of, counted from 1."""
    share: float
    """Of that digit's ink."""
    purity: float
    """Share of the candidate's ink that is that digit's."""
    foreign: float
    """Share of the candidate's ink that no digit has."""
    other: float
    """Of any other digit's ink, the largest share."""

    @property
    def least(self) -> float:
        """The smaller of both shares: how good a candidate for its digit this is."""
        return min(self.share, self.purity)


def held_by(strip: Strip, candidate: Candidate, owners: Pixels, totals: npt.NDArray[np.intp]) -> Held:
    """Return what a candidate holds of digits.

    Args:
        strip: the line.
        candidate: of it.
        owners: (h, w) uint8, of the pixels of its ink; 0 for paper.
        totals: (256,): pixels of each owner in the strip.
    """
    box = candidate.box
    rows, columns = slice(box.top, box.bottom), slice(box.left, box.right)
    ids = strip.ids[rows, columns]
    inside = (ids >= candidate.first) & (ids <= candidate.last)
    counts = np.bincount(owners[rows, columns][inside], minlength=FOREIGN + 1)
    counts[0] = 0
    owner = int(counts[1:JOINT].argmax()) + 1
    shares = counts / np.maximum(1, totals)
    whole = max(1, int(counts.sum()))
    others = np.delete(shares[1:JOINT], owner - 1)
    return Held(
        owner, float(shares[owner]), counts[owner] / whole, counts[FOREIGN] / whole, float(others.max())
    )


def _owners_in(strip: Strip, line: Written) -> Pixels:
    """Return whose the pixels of a strip are."""
    size = tuple(side - 2 * MARGIN for side in strip.ink.shape)
    pad = room_for(strip.slant, strip.ink.shape[0])
    even = Image.fromarray(line.owners).resize((size[1] - 2 * pad, size[0]), Image.Resampling.NEAREST)
    return sheared(np.pad(np.asarray(even), MARGIN), strip.slant, Image.Resampling.NEAREST)


def write(generator: np.random.Generator, images: Pixels, labels: npt.NDArray[np.uint8]) -> Written:
    """Write one line."""
    uniform, normal = generator.uniform, generator.normal
    count = int(generator.integers(FEWEST, MOST + 1))
    size, slant = uniform(*SIZES), normal(0.12, 0.2)
    pen = int(generator.choice([-1, 0, 0, 0, 1])) if size > 26 else int(generator.choice([0, 0, 0, 1]))
    chosen = generator.integers(len(images), size=count)
    if generator.random() < ALIKE:
        same = np.flatnonzero(labels == labels[chosen[-1]] if generator.random() < 0.5 else labels == 0)
        chosen[count // 2 :] = (
            generator.choice(same, count - count // 2) if len(same) else chosen[count // 2 :]
        )
    drawn = [
        _digit(images[index], size * float(np.exp(normal(0, 0.13))), slant + normal(0, 0.06), pen, generator)
        for index in chosen
    ]
    gap = size * uniform(*GAPS[generator.choice(len(GAPS), p=GAP_SHARES)])
    height = round(2.2 * size) + 8
    levels = np.zeros((height, round(sum(one.shape[1] for one in drawn) + (count + 1) * size + 20)), np.uint8)
    owners = np.zeros_like(levels)
    base, left = height / 2 + size / 2, uniform(3, 12)
    for number, one in enumerate(drawn, 1):
        top = round(base - one.shape[0] + normal(0, 0.05 * size))
        _put(levels, owners, one, max(0, min(top, height - one.shape[0])), round(max(left, 0)), number)
        left += one.shape[1] + gap + normal(0, 0.05 * size)
        if generator.random() < 0.15:
            left += _separate(levels, owners, left - gap / 2, base, size, generator)
        elif generator.random() < 0.12:
            _join(levels, owners, left - gap / 2, base, size, generator)
    levels, owners = levels[:, : round(left + 8)], owners[:, : round(left + 8)]
    for _ in range(int(generator.integers(LITTER + 1)) if generator.random() < 0.4 else 0):
        _litter(levels, owners, size, generator)
    about = size * float(np.exp(normal(0, 0.13)))
    return Written(_scanned(levels, size, generator), owners, labels[chosen].tolist(), about)


def _digit(image: Pixels, size: float, slant: float, pen: int, generator: np.random.Generator) -> Pixels:
    """Return one digit of a height, uint8, cropped to its ink."""
    scale = size / DIGIT_SIDE
    wide = scale * float(np.exp(generator.normal(0, 0.12)))
    angle = np.deg2rad(generator.normal(0, 3))
    cosine, sine = np.cos(angle), np.sin(angle)
    forward = (
        np.array([[wide, 0], [0, scale]])
        @ np.array([[1, -slant], [0, 1]])
        @ np.array([[cosine, -sine], [sine, cosine]])
    )
    back = np.linalg.inv(forward)
    side = round(IMAGE_SIDE * scale * 1.7) + 4
    shift = np.full(2, IMAGE_SIDE / 2) - back @ np.full(2, side / 2)
    matrix = (back[0, 0], back[0, 1], shift[0], back[1, 0], back[1, 1], shift[1])
    drawn = Image.fromarray(image).transform(
        (side, side), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC
    )
    if pen:
        drawn = drawn.filter(ImageFilter.MaxFilter(3) if pen > 0 else ImageFilter.MinFilter(3))
    array = np.asarray(drawn)
    rows, columns = (
        np.flatnonzero((array > INK_LEVEL).any(axis=1)),
        np.flatnonzero((array > INK_LEVEL).any(axis=0)),
    )
    if not len(rows):
        return np.asarray(Image.fromarray(image).resize((side, side)))
    part = array[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()
    if generator.random() < 0.06:
        # A pen that skips.
        at, thick = int(generator.integers(part.shape[0])), int(generator.integers(1, 3))
        part[at : at + thick] = 0
    # All are as high as the line; a 1 that lies on its side in MNIST's form would fill the line.
    ratio = size / max(part.shape[0], 0.6 * part.shape[1])
    if abs(ratio - 1) > 0.05:
        new = max(2, round(part.shape[1] * ratio)), max(2, round(part.shape[0] * ratio))
        part = np.asarray(Image.fromarray(part).resize(new, Image.Resampling.BICUBIC))
    return part


def _put(levels: Pixels, owners: Pixels, ink: Pixels, top: int, left: int, owner: int) -> None:
    """Lay ink into a line; where two meet, the darker one has the pixel."""
    height, width = levels.shape
    ink = ink[: height - top, : width - left]
    rows, columns = slice(top, top + ink.shape[0]), slice(left, left + ink.shape[1])
    is_darker = (ink > levels[rows, columns]) & (ink > INK_LEVEL // 2)
    owners[rows, columns][is_darker] = owner
    np.maximum(levels[rows, columns], ink, out=levels[rows, columns])


def _stroke(
    levels: Pixels, owners: Pixels, ends: npt.NDArray[np.float64], radius: float, owner: int = FOREIGN
) -> None:
    """Draw a straight stroke of ink that belongs to no digit, between two points (column, row)."""
    rows, columns = np.indices(levels.shape)
    (x, y), (dx, dy) = ends[0], ends[1] - ends[0]
    along = np.clip(((columns - x) * dx + (rows - y) * dy) / max(dx * dx + dy * dy, 1e-6), 0, 1)
    distance = np.hypot(columns - x - along * dx, rows - y - along * dy)
    ink = (np.clip(radius + 0.5 - distance, 0, 1) * PIXEL_MAX).astype(np.uint8)
    _put(levels, owners, ink, 0, 0, owner)


def _separate(
    levels: Pixels, owners: Pixels, middle: float, base: float, size: float, generator: np.random.Generator
) -> float:
    """Draw a point, a comma, a dash or a slash; return the room that it takes."""
    uniform = generator.uniform
    radius = size * uniform(0.04, 0.08)
    kind = int(generator.integers(4))
    reach = {0: (0.02, 0.02), 1: (-0.06, 0.2), 2: (0.35, 0.0), 3: (0.3, -1.0)}[kind]
    start = np.array(
        [middle + size * uniform(0.02, 0.12), base - size * (0.45 if kind == 2 else uniform(-0.05, 0.06))]
    )
    end = start + size * np.array(reach) * uniform(0.7, 1.2)
    _stroke(levels, owners, np.stack([start, end]), radius)
    return float(max(0.1 * size, end[0] - start[0] + 0.12 * size))


def _join(
    levels: Pixels, owners: Pixels, middle: float, base: float, size: float, generator: np.random.Generator
) -> None:
    """Draw the stroke with which a hand goes from one digit to the next."""
    uniform = generator.uniform
    half = size * uniform(0.05, 0.25)
    heights = base - size * np.array([uniform(0.0, 1.0), uniform(0.3, 1.0)])
    ends = np.array([[middle - half, heights[0]], [middle + half, heights[1]]])
    _stroke(levels, owners, ends, size * uniform(0.025, 0.05), JOINT)


def _litter(levels: Pixels, owners: Pixels, size: float, generator: np.random.Generator) -> None:
    """Draw what is left of a form's print: a short thin stroke, level or nearly so."""
    height, width = levels.shape
    start = generator.uniform((0, 0), (width, height))
    end = start + size * generator.uniform((0.1, -0.05), (0.7, 0.05))
    _stroke(levels, owners, np.stack([start, end]), size * generator.uniform(0.01, 0.03))


def _scanned(levels: Pixels, size: float, generator: np.random.Generator) -> Pixels:
    """Make of clean ink what a scan leaves: softer edges, grain, more or less of the faint parts."""
    image = Image.fromarray(levels)
    if generator.random() < 0.6:
        image = image.filter(ImageFilter.GaussianBlur(generator.uniform(0.2, 0.025 * size)))
    ink = np.asarray(image, np.float32) / PIXEL_MAX
    if generator.random() < 0.5:
        ink = ink + generator.normal(0, generator.uniform(0.02, 0.12), ink.shape) * (0.3 + ink)
    lowest, highest = generator.uniform(0.05, 0.3), generator.uniform(0.6, 0.95)
    spread: Pixels = (np.clip((ink - lowest) / (highest - lowest), 0, 1) * PIXEL_MAX).astype(np.uint8)
    return spread
