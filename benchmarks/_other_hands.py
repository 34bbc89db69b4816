"""Digits of a hand that no network was trained with: to judge what drawn digits in training are worth.

Nothing is shared with ``edgedigits.training.drawn``: shapes are Bezier curves written down by hand, jittered point by
point; pens are stamped onto canvases of any size with Pillow, thin and thick, flat and tapered, soft and in hard
pixels, dark on light or the other way round; and each picture goes through ``prepare``.
"""

import re
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from edgedigits.errors import ImageError
from edgedigits.picture.levels import Pixels
from edgedigits.picture.prepare import prepare

Points = npt.NDArray[np.float64]

PATHS = {
    0: (
        "M50 2 C15 2 8 60 20 85 C35 110 75 100 80 55 C82 20 70 4 46 4",
        "M70 15 C50 -8 10 10 10 55 C10 105 80 110 82 50 C82 20 66 6 52 6 C44 8 48 20 62 22",
        "M30 0 C-6 10 -4 96 30 100 C62 100 64 8 34 0",
        "M40 0 C0 4 0 96 40 100 C80 96 80 4 40 0 M80 4 L4 96",
        "M66 24 C60 -8 10 -4 6 50 C6 104 70 112 72 52 C72 40 70 30 62 14",
    ),
    1: (
        "M40 0 L40 100",
        "M5 45 L45 0 L45 100",
        "M0 95 Q30 50 50 0 L46 100",
        "M-14 74 L40 0 L52 100",
        "M20 25 L45 0 L45 100 M15 100 L78 100",
        "M30 8 Q40 8 44 0 L38 100",
    ),
    2: (
        "M8 25 C12 -8 70 -8 66 30 C62 60 20 75 5 100 L75 100",
        "M10 30 C5 0 60 -10 62 25 C64 55 30 80 14 96 C0 108 -4 85 14 86 C35 86 50 104 76 94",
        "M5 8 L60 5 C62 40 20 70 4 98 L70 96",
        "M35 35 C10 45 0 10 30 2 C60 -5 75 30 50 60 C35 78 18 90 6 99 C25 92 50 94 78 100",
    ),
    3: (
        "M5 10 C20 -8 65 0 58 28 C54 42 36 46 25 47 C45 46 72 55 64 82 C55 106 10 104 2 86",
        "M6 3 L60 3 L28 40 C60 36 76 66 60 88 C46 105 12 102 2 90",
        "M10 6 C60 -8 62 36 22 44 M22 44 C80 46 70 108 4 96",
    ),
    4: (
        "M30 0 L2 62 L75 62 M52 20 L52 100",
        "M5 0 C0 30 2 50 10 52 C30 56 50 50 58 48 M62 0 L50 100",
        "M50 0 L0 68 L80 66 M52 2 L50 100",
        "M10 4 L8 50 L66 50 M62 2 L58 100",
        "M38 0 Q10 40 2 72 L70 66 M40 44 L34 104",
    ),
    5: (
        "M70 2 L18 2 L12 44 C40 28 74 48 66 76 C58 104 16 104 4 88",
        "M18 4 L14 45 C50 30 76 58 60 84 C48 104 12 100 2 92 M18 4 L72 0",
        "M66 4 C30 0 14 20 22 36 C30 50 66 50 62 78 C58 104 14 100 4 90",
    ),
    6: (
        "M54 2 C20 18 0 60 8 84 C18 106 62 104 62 74 C62 48 20 48 10 76",
        "M20 0 C4 40 0 70 6 86 C16 108 60 100 56 74 C54 58 24 60 8 78",
        "M60 10 C40 -6 2 30 4 70 C6 106 66 108 64 72 C62 50 30 52 18 66",
    ),
    7: (
        "M2 4 L66 4 L22 100",
        "M2 4 L62 4 Q34 50 32 100 M12 52 L60 48",
        "M4 22 L6 2 L66 4 Q40 40 30 100",
        "M0 16 C12 -10 34 24 64 2 C50 40 36 60 30 100 M14 50 L62 46",
        "M0 14 C20 -4 50 0 62 2 Q44 44 40 100",
    ),
    8: (
        "M60 16 C46 -8 4 0 14 28 C24 50 66 54 62 80 C56 106 4 106 6 78 C8 52 58 48 60 16",
        "M34 46 C0 40 6 0 34 0 C64 0 66 40 34 46 C-6 52 -4 100 32 100 C74 100 72 50 34 46",
        "M64 4 C20 -6 0 30 30 46 C70 66 64 100 34 100 C2 100 4 66 36 46 C50 36 60 24 68 8",
    ),
    9: (
        "M60 20 C50 -6 2 -4 4 28 C8 56 52 54 60 18 L54 100",
        "M58 18 C44 -8 0 4 4 30 C8 54 52 50 58 14 C64 60 56 96 30 100 C12 102 4 92 4 86",
        "M56 26 C30 60 -10 30 8 10 C30 -14 64 4 58 40 C54 66 30 90 10 100",
        "M54 6 C20 -10 -6 30 16 44 C36 54 54 30 56 8 C60 50 58 80 40 94 C24 106 0 96 6 80",
    ),
}
"""Curves in the notation of SVG, about 70 x 100."""
JITTER = 5.5
"""Standard deviation by which each point of a curve is moved."""
STEPS = 60
"""Stamps per segment of a curve."""


def written_digits(count: int, seed: int) -> tuple[Pixels, npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Write digits, all classes in turn, and prepare each picture.

    Returns:
        Prepared images, uint8 (count, 28, 28), true digits (count,), and which were read at all (count,).
    """
    generator = np.random.default_rng(seed)
    images = np.zeros((count, 28, 28), np.uint8)
    labels = np.arange(count) % 10
    is_read = np.ones(count, bool)
    for index, digit in enumerate(labels):
        picture = write(int(digit), generator)
        try:
            images[index] = prepare(picture)
        except ImageError as error:
            print(f"refused: a {digit}: {error}")
            is_read[index] = False
    return images, labels, is_read


def write(digit: int, generator: np.random.Generator) -> Image.Image:
    """Write a digit on a canvas of its own, in a way and with a pen that chance chooses."""
    path = _chosen(digit, generator)
    turned = leaning(generator)
    strokes = [stroke @ turned for stroke in _moved(path, generator)]
    side = int(generator.choice([40, 64, 100, 160, 280]))
    in_pixels = bool(generator.random() < 0.25)
    scale = side if in_pixels else 4 * side
    canvas = Image.new("L", (scale, scale), 0)
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    size = generator.uniform(0.45, 0.75) * scale
    shift = (scale - size * (high - low) / (high - low).max()) / 2 * generator.uniform(0.7, 1.3)
    wide = size * np.exp(generator.uniform(np.log(0.06), np.log(0.2)))
    flat, taper = generator.uniform(0.55, 1.0), generator.uniform(0.0, 0.5)
    draw = ImageDraw.Draw(canvas)
    for stroke in strokes:
        placed = (stroke - low) * (size / (high - low).max()) + shift
        way = np.linspace(0, np.pi, len(placed))
        for (x, y), strength in zip(placed, 1 - taper * (1 - np.sin(way)), strict=True):
            across, down = max(0.5, wide * strength / 2), max(0.5, wide * strength * flat / 2)
            draw.ellipse((x - across, y - down, x + across, y + down), fill=255)
    ink = np.asarray(canvas.resize((side, side), Image.Resampling.BOX), np.float64) / 255
    paper, dark = generator.uniform(170, 255), generator.uniform(0, 90)
    gray = paper + (dark - paper) * ink + generator.normal(0, generator.uniform(0, 4), ink.shape)
    levels = np.clip(gray, 0, 255).astype(np.uint8)
    return Image.fromarray(np.invert(levels) if generator.random() < 0.4 else levels)


def moved_strokes(digit: int, generator: np.random.Generator) -> Iterator[Points]:
    """Yield the strokes of a digit, float64 (n, 2) each, about 70 x 100, its curves moved a little."""
    yield from _moved(_chosen(digit, generator), generator)


def _chosen(digit: int, generator: np.random.Generator) -> str:
    return PATHS[digit][generator.integers(len(PATHS[digit]))]


def _moved(path: str, generator: np.random.Generator) -> Iterator[Points]:
    """Yield the strokes of a path, float64 (n, 2) each, with every point of it moved a little."""
    stroke: list[Points] = []
    place = np.zeros(2)
    for command, numbers in re.findall(r"([MLQC])([-\d ]+)", path):
        points = np.array(numbers.split(), float).reshape(-1, 2)
        points = points + generator.normal(0, JITTER, points.shape)
        if command == "M":
            if stroke:
                yield np.concatenate(stroke)
            stroke = []
        else:
            stroke.append(_bezier(np.concatenate([[place], points])))
        place = points[-1]
    yield np.concatenate(stroke)


def _bezier(points: Points) -> Points:
    """Return places on a Bezier curve of any degree, by de Casteljau's algorithm; points: (degree + 1, 2)."""
    way = np.linspace(0, 1, STEPS)[:, np.newaxis]
    between = np.repeat(points[np.newaxis], STEPS, axis=0)
    while between.shape[1] > 1:
        between = between[:, :-1] * (1 - way[:, :, np.newaxis]) + between[:, 1:] * way[:, :, np.newaxis]
    return np.asarray(between[:, 0])


def leaning(generator: np.random.Generator) -> Points:
    """Return a matrix that makes digits lean, narrower or wider, (2, 2), for rows (x, y)."""
    wide, lean = np.exp(generator.normal(0, 0.3)), generator.uniform(-0.5, 0.2)
    return np.array([[wide, 0.0], [lean, 1.0]])
