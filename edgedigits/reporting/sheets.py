"""Sheets of digits, drawn with Pillow alone, so that a device can draw them too."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from edgedigits.contract import IMAGE_SIDE

ZOOM = 3
"""A digit of 28 pixels is drawn 84 pixels wide: readable on a phone, small in a report."""
MARGIN = 6
CAPTION_HEIGHT = 15
CAPTION_SIZE = 11
TITLE_SIZE = 15
TITLE_HEIGHT = 26
PAPER, TEXT, FAINT = (255, 255, 255), (30, 30, 30), (110, 110, 110)


@dataclass(frozen=True)
class Cell:
    """One digit of a sheet."""

    pixels: npt.NDArray[np.uint8]
    """Shape (28, 28), 0 = background."""
    captions: tuple[str, ...]
    """Lines below the picture."""


def draw_sheet(title: str, cells: Sequence[Cell], columns: int = 10) -> bytes:
    """Draw a grid of digits with captions.

    Args:
        title: one line above the grid.
        cells: row by row; an empty sheet says so.
        columns: digits in a row.

    Returns:
        A PNG file.
    """
    lines = max((len(cell.captions) for cell in cells), default=1)
    side = ZOOM * IMAGE_SIDE
    width, height = side + MARGIN, side + lines * CAPTION_HEIGHT + MARGIN
    rows = max(1, -(-len(cells) // columns))
    sheet = Image.new("RGB", (columns * width + MARGIN, rows * height + TITLE_HEIGHT + MARGIN), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, MARGIN), title, TEXT, ImageFont.load_default(TITLE_SIZE))
    font = ImageFont.load_default(CAPTION_SIZE)
    if not cells:
        draw.text((MARGIN, TITLE_HEIGHT + MARGIN), "none", FAINT, font)
    for position, cell in enumerate(cells):
        left = MARGIN + position % columns * width
        top = TITLE_HEIGHT + position // columns * height
        digit = Image.fromarray(np.kron(cell.pixels, np.ones((ZOOM, ZOOM), np.uint8)))
        sheet.paste(digit, (left, top))
        for line, caption in enumerate(cell.captions):
            place = (left, top + side + line * CAPTION_HEIGHT)
            draw.text(place, caption, TEXT if line == 0 else FAINT, font)
    buffer = io.BytesIO()
    sheet.quantize(64).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def cell_boxes(size: tuple[int, int], lines: int, columns: int = 10) -> tuple[tuple[int, int, int, int], ...]:
    """Return where the digits of a sheet are: left, top, width and height of each, with its captions.

    Args:
        size: width and height of the sheet.
        lines: of captions below each digit.
        columns: digits in a row.

    Returns:
        The boxes row by row; none where no sheet of so many columns and lines has this size.
    """
    side = ZOOM * IMAGE_SIDE
    width, height = side + MARGIN, side + lines * CAPTION_HEIGHT + MARGIN
    rows, rest = divmod(size[1] - TITLE_HEIGHT - MARGIN, height)
    if size[0] != columns * width + MARGIN or rest or rows < 1:
        return ()
    return tuple(
        (MARGIN + column * width, TITLE_HEIGHT + row * height, side, height - MARGIN)
        for row in range(rows)
        for column in range(columns)
    )


def sample_indices(labels: npt.NDArray[np.uint8], per_class: int, seed: int) -> list[int]:
    """Choose as many images of every class by chance, in the order of the classes.

    Args:
        labels: shape (n,).
        per_class: images of each class; fewer where a class has fewer.
        seed: the same seed chooses the same images.
    """
    generator = np.random.default_rng(seed)
    chosen: list[int] = []
    for label in np.unique(labels):
        chosen += map(int, generator.permutation(np.flatnonzero(labels == label))[:per_class])
    return chosen


def most_confident_mistakes(
    labels: npt.NDArray[np.uint8], probabilities: npt.NDArray[np.float32], at_most: int
) -> list[int]:
    """Return the indices of the wrong answers, the most confident first."""
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    order = np.argsort(-probabilities[wrong].max(axis=1), kind="stable")
    return [int(index) for index in wrong[order][:at_most]]


def prediction_cells(
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.uint8],
    probabilities: npt.NDArray[np.float32],
    indices: Sequence[int],
) -> list[Cell]:
    """Make cells that show an image with the prediction, its confidence and the truth.

    Args:
        images: shape (n, 28, 28).
        labels: the truth, shape (n,).
        probabilities: shape (n, 10).
        indices: which images.
    """
    cells = []
    for index in indices:
        digit, truth = int(probabilities[index].argmax()), int(labels[index])
        mark = "ok" if digit == truth else f"is {truth}"
        confidence = 100 * float(probabilities[index].max())
        cells.append(Cell(images[index], (f"{digit}  {confidence:.1f} %", f"{mark}  #{index}")))
    return cells
