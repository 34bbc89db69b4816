"""Pictures that could take a reader of numbers long: noise, print, and digits without end. By seed."""

from collections.abc import Callable

import numpy as np
from _lines import Digits
from _not_digits import font
from _papers import Generator
from PIL import Image, ImageDraw

from edgedigits.picture.levels import Pixels

PHOTO = (3000, 4000)
"""Height and width, 12 megapixels."""
SHEET = (1024, 1024)
"""The same of what a reader sees in full."""
SIGNS = "etaoin shrdlu 0123456789 ETAOIN .,:-/ "


def noise(shape: tuple[int, int], generator: Generator) -> Pixels:
    """Return levels of which each is its own."""
    return generator.integers(0, 256, shape, np.uint8)


def patches(shape: tuple[int, int], generator: Generator) -> Pixels:
    """Return black squares of a few pixels on white, one place in three."""
    side = max(3, min(shape) // 200)
    cells = generator.random((shape[0] // side + 1, shape[1] // side + 1)) < 1 / 3
    squares = np.where(cells, 0, 255).astype(np.uint8)
    return np.kron(squares, np.ones((side, side), np.uint8))[: shape[0], : shape[1]]


def text(shape: tuple[int, int], generator: Generator) -> Pixels:
    """Return a page full of print, letters and digits, of 100 lines."""
    height = shape[0] // 100
    page = Image.new("L", shape[::-1], 250)
    draw, letters = ImageDraw.Draw(page), font("DejaVuSans", round(0.8 * height))
    for top in range(0, shape[0], height):
        line = "".join(generator.choice(list(SIGNS), 2 * shape[1] // height))
        draw.text((4, top), line, fill=20, font=letters)
    return np.asarray(page)


def digits_without_end(digits: Digits, generator: Generator) -> Pixels:
    """Return a sheet full of MNIST's images at half their size, touching each other."""
    rows, columns = (side // 12 for side in SHEET)
    chosen = digits.images[generator.integers(0, len(digits.images), (rows, columns))]
    sheet = chosen[:, :, 2:26:2, 2:26:2].transpose(0, 2, 1, 3).reshape(rows * 12, columns * 12)
    return np.ascontiguousarray(sheet)


def bars(generator: Generator) -> Pixels:
    """Return one long line of strokes, each a part by itself."""
    row = np.where(np.arange(8000) % 9 < 4, 20, 240) + generator.integers(-10, 11, 8000)
    return np.tile(row.astype(np.uint8), (64, 1))


def pictures(digits: Digits) -> dict[str, Pixels]:
    """Return all by name."""
    drawn: dict[str, Callable[[Generator], Pixels]] = {
        "noise, 12 megapixels": lambda generator: noise(PHOTO, generator),
        "noise, one megapixel": lambda generator: noise(SHEET, generator),
        "patches, 12 megapixels": lambda generator: patches(PHOTO, generator),
        "patches, one megapixel": lambda generator: patches(SHEET, generator),
        "print, 12 megapixels": lambda generator: text(PHOTO, generator),
        "print, one megapixel": lambda generator: text(SHEET, generator),
        "digits without end": lambda generator: digits_without_end(digits, generator),
        "a line of bars, 8000 x 64": bars,
    }
    return {name: draw(np.random.default_rng(0)) for name, draw in drawn.items()}
