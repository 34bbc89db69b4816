"""Pictures of numbers, by seed: strings of MNIST's images, apart and touching; pages of dates, phone numbers, amounts.

The images are those of any part of MNIST. Strings are put together in MNIST's own pixels, all digits at the size that
they have there; pages are written at the size of a pen's line on paper, with separators that are drawn.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from _papers import Generator, Levels, as_jpeg, enlarged, laid, levels_of, slope, trimmed, two_tones
from PIL import Image, ImageDraw, ImageFilter

from edgedigits.picture.levels import Pixels

LENGTHS = range(3, 9)
"""Digits of a string."""
EDGE, INK = 32, 96
"""Levels from which on a pixel belongs to a digit's box, and from which on pixels touch."""
LEAST_GAP = 2
"""Pixels between boxes of digits that stand apart."""
MOST_NESTED = 0.4
"""Share of the narrower of two touching digits that may lie below or above the other."""
DIGIT_SIDE = 20
"""Longer side of a digit in MNIST's images, of 28."""
MONTH_DAYS = 28
"""So that every month has the day."""


class Digits(NamedTuple):
    """Images to choose from."""

    images: Pixels
    """(n, 28, 28), 255 = ink."""
    labels: npt.NDArray[np.uint8]

    def one_of(self, digit: int, generator: Generator) -> Pixels:
        """Return any image of a digit."""
        chosen: Pixels = self.images[generator.choice(np.flatnonzero(self.labels == digit))]
        return chosen


class Written(NamedTuple):
    """A picture, and what stands in it."""

    picture: Pixels
    """(h, w) uint8."""
    lines: tuple[str, ...]
    """From top to bottom, with separators and without spaces."""
    images: Pixels
    """(n, 28, 28): the images of a string's digits, from left to right, as they were; of a page none."""


def string(digits: Digits, length: int, generator: Generator, *, touching: bool) -> Written:
    """Put images of digits, chosen by chance, in a row: apart, or two of them so near that they touch.

    The result is in MNIST's form (light on black, its pixels) or enlarged to at most four times on paper of any tone.
    """
    order = generator.choice(len(digits.labels), length, replace=False)
    images = digits.images[order]
    columns = [_columns(image) for image in images]
    pair = _touching_pair(columns, generator) if touching else None
    row = np.zeros((0, 0), np.uint8)
    ends: list[int] = []
    for index, image in enumerate(columns):
        gap = int(generator.integers(LEAST_GAP, 9)) if pair is None or index != pair + 1 else None
        row = image if index == 0 else _beside(row, ends[-1], image, gap, columns[index - 1], generator)
        ends.append(row.shape[1])
    text = "".join(str(label) for label in digits.labels[order])
    return Written(_on_paper(row, generator), (text,), images)


def _columns(image: Pixels) -> Pixels:
    """Cut an image to the columns that have ink; its rows stay."""
    inked = np.flatnonzero((image >= EDGE).any(axis=0))
    return image[:, inked[0] : inked[-1] + 1]


def _nesting(left: Pixels, right: Pixels) -> int | None:
    """Return by how many columns a digit has to go into the box of the one to its left until both touch.

    Returns:
        None where they pass each other.
    """
    nearest = None
    for shift in (-1, 0, 1):  # pixels touch at corners, too
        moved = np.roll(right, shift, axis=0)
        both = (left >= INK).any(axis=1) & (moved >= INK).any(axis=1)
        if not both.any():
            continue
        spare_left = np.argmax(left[both, ::-1] >= INK, axis=1)
        spare_right = np.argmax(moved[both] >= INK, axis=1)
        least = int((spare_left + spare_right).min())
        nearest = least if nearest is None else min(nearest, least)
    return nearest


def _touching_pair(columns: Sequence[Pixels], generator: Generator) -> int:
    """Choose the left one of two neighbours that touch before one is half within the other's box."""
    pairs = generator.permutation(len(columns) - 1).tolist()
    for pair in pairs:
        nesting = _nesting(columns[pair], columns[pair + 1])
        if nesting is not None and nesting <= MOST_NESTED * min(
            columns[pair].shape[1], columns[pair + 1].shape[1]
        ):
            return int(pair)
    return int(pairs[0])


def _beside(
    row: Pixels, end: int, image: Pixels, gap: int | None, before: Pixels, generator: Generator
) -> Pixels:
    """Lay a digit to the right of a row: after a gap; for None, up to two pixels deep into the digit before it."""
    if gap is None:
        gap = -(_nesting(before, image) or 0) - int(generator.integers(0, 3))
    start = max(end + gap, 0)
    joined = np.zeros((row.shape[0], max(end, start + image.shape[1])), np.uint8)
    joined[:, :end] = row
    part = joined[:, start : start + image.shape[1]]
    np.maximum(part, image, out=part)
    return joined


def _on_paper(row: Pixels, generator: Generator) -> Pixels:
    """Put a row into a frame, as it is or as a picture of paper."""
    framed = np.pad(row, [tuple(generator.integers(2, 14, 2).tolist()) for _ in range(2)])
    if generator.random() < 0.4:
        return framed
    ratio = generator.uniform(1, 4)
    size = tuple(round(side * ratio) for side in framed.shape[::-1])
    ink = np.asarray(Image.fromarray(framed).resize(size, Image.Resampling.BICUBIC), np.float64) / 255
    paper, tone = two_tones(generator, dark_ink=bool(generator.random() < 0.8))
    levels = levels_of(paper + (tone - paper) * ink, generator, generator.choice([0.0, 3.0]))
    return as_jpeg(levels, int(generator.integers(60, 95))) if generator.random() < 0.3 else levels


def date(generator: Generator) -> str:
    """Return a date as people write it: 31.12.2025, 31/12/25, 2025-12-31."""
    day, month = (int(generator.integers(1, most + 1)) for most in (MONTH_DAYS, 12))
    year = int(generator.integers(1950, 2040))
    kind = int(generator.integers(4))
    if kind == 3:
        return f"{year}-{month:02}-{day:02}"
    separator = "./-"[kind]
    shown = str(year) if generator.random() < 0.6 else f"{year % 100:02}"
    return separator.join([f"{day:02}", f"{month:02}", shown])


def phone_number(generator: Generator) -> str:
    """Return a telephone number: groups of digits with spaces, a dash or a slash between them."""
    groups = [int(generator.integers(2, 5)) for _ in range(int(generator.integers(2, 5)))]
    separators = generator.choice([" ", "-", "/"], p=[0.5, 0.3, 0.2]), generator.choice([" ", "-"])
    words = ["".join(str(digit) for digit in generator.integers(0, 10, count)) for count in groups]
    return f"0{words[0]}{separators[0]}{separators[1].join(words[1:])}"


def amount(generator: Generator) -> str:
    """Return an amount of money or a time: 1,250.50, 480.00, 12:35."""
    if generator.random() < 0.25:
        return f"{generator.integers(0, 24):02}:{generator.integers(0, 60):02}"
    whole, cents = int(10 ** generator.uniform(1, 5.5)), int(generator.integers(0, 100))
    english = f"{whole:,}.{cents:02}"
    return english if generator.random() < 0.6 else english.translate({44: ".", 46: ","})


LINES: dict[str, Callable[[Generator], Sequence[str]]] = {
    "date": lambda generator: [date(generator)],
    "telephone number": lambda generator: [phone_number(generator)],
    "three lines": lambda generator: [
        (date, phone_number, amount)[generator.integers(3)](generator) for _ in range(3)
    ],
}
"""What stands on a page, by its kind."""


def page(
    digits: Digits, lines: Sequence[str], generator: Generator, size: tuple[int, int] = (24, 90)
) -> Written:
    """Write lines on a page: one hand, lines below each other, uneven light, turned a little.

    Args:
        digits: to choose from.
        lines: of digits, separators and spaces.
        generator: of all that is left to chance.
        size: least and largest height of a digit in pixels.
    """
    height = int(generator.integers(*size))
    written = [line_ink(digits, line, height, generator) for line in lines]
    leading = generator.uniform(1.5, 2.4) * height
    margins = generator.uniform(0.5, 2.5, 4) * height
    width = max(ink.shape[1] for ink in written) + int(margins[:2].sum())
    sheet: Levels = np.zeros((int(leading * len(lines) + margins[2:].sum()) + height, width))
    for index, ink in enumerate(written):
        top = int(margins[2] + index * leading)
        spare = width - ink.shape[1]
        left = int(np.clip(margins[0] + generator.normal(0, 0.3) * height, 0, spare))
        laid(sheet, ink, 1.0, top, left)
    turned = Image.fromarray(sheet.astype(np.float32)).rotate(
        float(generator.uniform(-2, 2)), Image.Resampling.BICUBIC
    )
    ink = np.clip(np.asarray(turned, np.float64), 0, 1)
    texts = tuple(line.replace(" ", "") for line in lines)
    return Written(photographed(ink, generator), texts, digits.images[:0])


def photographed(ink: Levels, generator: Generator) -> Pixels:
    """Lay ink, 0 to 1, on paper or a board, in light that falls off, with grain, soft, at times as a JPEG file."""
    paper, tone = two_tones(generator, dark_ink=bool(generator.random() < 0.85))
    lit = (paper + (tone - paper) * ink) * slope((ink.shape[0], ink.shape[1]), generator)
    levels = levels_of(lit, generator, generator.uniform(0, 4))
    soft = Image.fromarray(levels).filter(ImageFilter.GaussianBlur(generator.uniform(0.2, 0.8)))
    return as_jpeg(np.asarray(soft), int(generator.integers(60, 95)))


def line_ink(digits: Digits, text: str, height: int, generator: Generator) -> Levels:
    """Write a line: digits of about one height on a line that wavers, with separators of the pen's width.

    Returns:
        Ink, 0 to 1, with half a digit's height of paper above and below.
    """
    pen = generator.uniform(0.1, 0.15) * height
    gap = generator.uniform(0.12, 0.35)
    placed: list[tuple[Levels, int]] = []
    for sign in text:
        if sign == " ":
            placed.append((np.zeros((1, max(1, round(generator.uniform(0.4, 0.8) * height)))), 0))
        elif sign.isdigit():
            side = round(height * generator.uniform(0.92, 1.08) * 28 / DIGIT_SIDE)
            ink = np.clip(trimmed(enlarged(digits.one_of(int(sign), generator), side)), 0, 1)
            placed.append((ink, round(generator.normal(0, 0.03) * height)))
        else:
            placed.append((separator_ink(sign, height, pen, generator), 0))
    gaps = [max(2, round(height * gap * generator.uniform(0.6, 1.4))) for _ in placed]
    width = sum(ink.shape[1] for ink, _ in placed) + sum(gaps)
    line: Levels = np.zeros((2 * height, width))
    left = 0
    for (ink, lower), between in zip(placed, gaps, strict=True):
        bottom = min(
            round(1.5 * height) + lower + (0 if len(ink) <= 1.2 * height else height // 4), 2 * height
        )
        top = max(bottom - len(ink), 0)
        laid(line, ink[: bottom - top], 1.0, top, left)
        left += ink.shape[1] + between
    return line


def separator_ink(sign: str, height: int, pen: float, generator: Generator) -> Levels:
    """Draw a separator as a pen does, standing on the line; a comma and a slash reach below it.

    Returns:
        Ink, 0 to 1, as wide as the sign; one that reaches below the line is 1.5 digits high.
    """
    fine = 4
    tall = 1.5 if sign in ",/" else 1.0
    box = Image.new("L", (2 * fine * height, round(fine * tall * height)))
    draw, width = ImageDraw.Draw(box), max(fine, round(fine * pen))
    high, middle = fine * height, fine * height

    def dot(across: float, down: float) -> None:
        radius = width * generator.uniform(0.5, 0.75)
        draw.ellipse([across - radius, down - radius, across + radius, down + radius], fill=255)

    def stroke(points: Sequence[tuple[float, float]]) -> None:
        draw.line(list(points), fill=255, width=width, joint="curve")
        for across, down in points:
            draw.ellipse(
                [across - width / 2, down - width / 2, across + width / 2, down + width / 2], fill=255
            )

    lean = generator.uniform(0.05, 0.15)
    if sign == ".":
        dot(middle, high - width)
    elif sign == ":":
        dot(middle, high - width)
        dot(middle + lean * high, high * generator.uniform(0.35, 0.5))
    elif sign == ",":
        # From the line down to a quarter of a digit below it.
        top, bottom = high - width / 2, high * generator.uniform(1.12, 1.25)
        stroke([(middle, top), (middle - lean * high, bottom)])
    elif sign == "-":
        half, down = high * generator.uniform(0.14, 0.25), high * generator.uniform(0.45, 0.58)
        stroke([(middle - half, down), (middle + half, down - high * generator.uniform(-0.04, 0.08))])
    else:
        reach = high * generator.uniform(0.12, 0.3)
        top, bottom = high * generator.uniform(0.02, 0.1), high * generator.uniform(1.1, 1.3)
        stroke([(middle + reach, top), (middle - reach, bottom)])
    small = box.resize((2 * height, round(tall * height)), Image.Resampling.BOX)
    ink: Levels = np.asarray(small, np.float64) / 255
    inked = np.flatnonzero((ink > 0.25).any(axis=0))
    return ink[:, inked[0] : inked[-1] + 1]
