"""Lines of drawn digits and separators on paper."""

import numpy as np
from PIL import Image, ImageDraw

from edgedigits.picture.levels import Pixels
from edgedigits.training.drawn import draw_digits

HEIGHT, PEN, PAPER, INK = 48, 6, 225, 25
"""Pixels of a digit and of a separator's stroke, and levels."""
POOL = 120
"""Digits that are chosen from."""


def write_lines(lines: list[str], seed: int) -> Pixels:
    """Write lines below each other: (h, w) uint8, dark on light."""
    generator = np.random.default_rng(seed)
    images, labels = draw_digits(POOL, generator)
    rows = [_line(text, images, labels, generator) for text in lines]
    width = max(len(row[0]) for row in rows) + HEIGHT
    sheet = np.zeros((2 * HEIGHT * len(rows) + HEIGHT, width), np.uint8)
    for place, row in enumerate(rows):
        top = HEIGHT // 2 + 2 * HEIGHT * place
        sheet[top : top + len(row), HEIGHT // 2 : HEIGHT // 2 + len(row[0])] = row
    return (PAPER - sheet.astype(int) * (PAPER - INK) // 255).astype(np.uint8)


def _line(text: str, images: Pixels, labels: np.ndarray, generator: np.random.Generator) -> Pixels:
    """Return ink, 0 to 255, of a height of two digits, of which the upper one is above the line."""
    parts = [
        _digit(images[generator.choice(np.flatnonzero(labels == int(sign)))])
        if sign.isdigit()
        else _separator(sign)
        for sign in text
    ]
    gap = np.zeros((2 * HEIGHT, HEIGHT // 6), np.uint8)
    return np.concatenate([each for part in parts for each in (part, gap)], axis=1)


def _digit(image: Pixels) -> Pixels:
    rows, columns = np.nonzero(image > 32)
    cut = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    size = max(4, round(cut.shape[1] * HEIGHT / cut.shape[0])), HEIGHT
    large = np.asarray(Image.fromarray(cut).resize(size, Image.Resampling.BICUBIC))
    return np.pad(large, ((HEIGHT // 2, HEIGHT // 2), (0, 0)))


def _separator(sign: str) -> Pixels:
    foot, head = 3 * HEIGHT // 2, HEIGHT // 2
    width = {"-": HEIGHT // 2, "/": HEIGHT // 2}.get(sign, HEIGHT // 5)
    box = Image.new("L", (width + PEN, 2 * HEIGHT))
    draw, middle = ImageDraw.Draw(box), (width + PEN) // 2

    def dot(row: int) -> None:
        draw.ellipse(
            (middle - PEN // 2 - 1, row - PEN // 2 - 1, middle + PEN // 2 + 1, row + PEN // 2 + 1), 255
        )

    if sign in ".:":
        dot(foot - PEN // 2)
    if sign == ":":
        dot(HEIGHT - PEN // 2)
    if sign == ",":
        draw.line((middle + 2, foot - PEN, middle - 2, foot + HEIGHT // 5), 255, PEN)
    if sign == "-":
        draw.line((PEN // 2, HEIGHT, width + PEN // 2, HEIGHT), 255, PEN)
    if sign == "/":
        draw.line((PEN // 2, foot + HEIGHT // 8, width + PEN // 2, head - HEIGHT // 8), 255, PEN)
    return np.asarray(box)
