"""Sheets of strokes, digits, dots, grids and noise of any size, and what must be true of whatever is read in them."""

import random
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIDES = (1, 2, 3, 7, 16, 28, 40, 64, 112, 200, 400, 1024, 1500)
MARKS = (0, 1, 2, 3, 5, 8, 20, 60, 200)
SIGNS = "0123456789.,-/: 1l|"


def check_reading(reading) -> None:
    """Raise an error unless a reading is one: signs that there are, in boxes within the picture, from left to right."""
    width, height = reading.size
    for line in reading.lines:
        assert line.digits
        assert line.signs[0].is_digit, line.text
        assert line.signs[-1].is_digit, line.text
        for sign in line.signs:
            left, top, right, bottom = sign.box
            assert 0 <= left < right <= width, (sign, reading.size)
            assert 0 <= top < bottom <= height, (sign, reading.size)
            assert 0 <= sign.confidence <= 1.001, sign
            assert 0 <= sign.margin_steps <= 255, sign
            assert sign.text in "0123456789.,-/:", sign


def sheet_maker() -> Callable[[random.Random], bytes]:
    """Return what draws a sheet, as a PGM file."""

    def make(chance: random.Random) -> bytes:
        width, height = chance.choice(SIDES), chance.choice(SIDES)
        page = Image.new("L", (width, height), chance.choice((255, 240, 200, 128)))
        draw = ImageDraw.Draw(page)
        for _ in range(chance.choice(MARKS)):
            chance.choice((_stroke, _dot, _number, _grid, _ring))(draw, chance, page.size)
        pixels = np.asarray(page)
        if chance.random() < 0.3:
            noise = np.random.default_rng(chance.getrandbits(32)).normal(
                0, chance.choice((2, 10, 60)), pixels.shape
            )
            pixels = np.clip(pixels + noise, 0, 255).astype(np.uint8)
        pixels = np.invert(pixels) if chance.random() < 0.2 else pixels
        return b"P5 %d %d 255\n" % (width, height) + pixels.tobytes()

    return make


def _place(chance: random.Random, size: tuple[int, int]) -> tuple[float, float]:
    return chance.uniform(-0.1, 1.1) * size[0], chance.uniform(-0.1, 1.1) * size[1]


def _stroke(draw: ImageDraw.ImageDraw, chance: random.Random, size: tuple[int, int]) -> None:
    points = [_place(chance, size) for _ in range(chance.randint(2, 6))]
    draw.line(points, fill=chance.randrange(150), width=chance.randint(1, 1 + min(size) // 10))


def _dot(draw: ImageDraw.ImageDraw, chance: random.Random, size: tuple[int, int]) -> None:
    (left, top), side = _place(chance, size), chance.uniform(0, 0.1) * min(size)
    draw.ellipse((left, top, left + side, top + side), fill=chance.randrange(150))


def _ring(draw: ImageDraw.ImageDraw, chance: random.Random, size: tuple[int, int]) -> None:
    (left, top), (right, bottom) = _place(chance, size), _place(chance, size)
    box = (min(left, right), min(top, bottom), max(left, right), max(top, bottom))
    draw.ellipse(box, outline=chance.randrange(150), width=chance.randint(1, 6))


def _number(draw: ImageDraw.ImageDraw, chance: random.Random, size: tuple[int, int]) -> None:
    font = ImageFont.load_default(chance.choice((6, 10, 20, 40, 90)))
    text = "".join(chance.choice(SIGNS) for _ in range(chance.choice((1, 4, 12, 80))))
    draw.text(_place(chance, size), text, fill=chance.randrange(150), font=font)


def _grid(draw: ImageDraw.ImageDraw, chance: random.Random, size: tuple[int, int]) -> None:
    """Draw equal marks from edge to edge: lines of a form, or hundreds of bars."""
    step, side, tone = chance.choice((4, 7, 12, 30)), chance.choice((1, 2, 5, 20)), chance.randrange(150)
    down = chance.choice((step, 3 * step, size[1]))
    for top in range(0, size[1], down):
        for left in range(0, size[0], step):
            draw.rectangle((left, top, left + max(1, step // 3), top + side), fill=tone)
