"""A reading drawn on its picture: a box around each digit and separator, and what was read, above or below it."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from edgedigits.numbers.reading import Box, Reading, Sign
from edgedigits.picture.levels import Pixels

SMALLEST_SIDE = 640
"""Longer side to which small pictures are enlarged, about, so that what is drawn can be read."""
SURE, NOT_SURE, SEPARATOR = (0, 140, 60), (230, 90, 0), (60, 110, 220)
"""Colours of boxes."""
TEXT_HEIGHT = 0.45
"""Of a box."""
SMALLEST_TEXT, LARGEST_TEXT = 12, 64
"""Pixels."""


def drawn(gray: Pixels, reading: Reading) -> Pixels:
    """Draw boxes and signs on a picture.

    Args:
        gray: (h, w) uint8, the picture, upright, of any size; see ``read_picture``.
        reading: of it.

    Returns:
        (H, W, 3) uint8: small pictures are enlarged by a whole factor.
    """
    factor = max(1, round(SMALLEST_SIDE / max(gray.shape)))
    size = gray.shape[1] * factor, gray.shape[0] * factor
    image = Image.fromarray(gray).resize(size, Image.Resampling.NEAREST).convert("RGB")
    draw = ImageDraw.Draw(image)
    pen = max(1, round(max(size) / 500))
    for line in reading.at(size).lines:
        height = line.box.bottom - line.box.top
        font = ImageFont.load_default(min(max(TEXT_HEIGHT * height, SMALLEST_TEXT), LARGEST_TEXT))
        for sign in line.signs:
            _mark(draw, sign, line.box, font, pen)
    return np.asarray(image)


def _mark(
    draw: ImageDraw.ImageDraw,
    sign: Sign,
    line: Box,
    font: "ImageFont.FreeTypeFont | ImageFont.ImageFont",
    pen: int,
) -> None:
    """Draw the box of a sign, and the sign above its line, or below it where there is no room above."""
    colour = SEPARATOR if not sign.is_digit else SURE if sign.sure else NOT_SURE
    left, top, right, bottom = sign.box
    # Pillow's boxes have their right and lower edge inside, and none has less than a pixel.
    draw.rectangle([left, top, max(right - 1, left), max(bottom - 1, top)], outline=colour, width=pen)
    above, below = (((left + right) / 2, side) for side in (line.top - 2 * pen, line.bottom + 2 * pen))
    if draw.textbbox(above, sign.text, font, anchor="mb")[1] >= 0:
        draw.text(above, sign.text, fill=colour, font=font, anchor="mb")
    else:
        draw.text(below, sign.text, fill=colour, font=font, anchor="mt")
