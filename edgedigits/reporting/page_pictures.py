"""The plots of a network for a page that is mailed and opened on phones: found, made small, cut into their cells."""

import base64
import dataclasses
import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

from PIL import Image

from edgedigits.file_names import sidecar_name
from edgedigits.files import LeftAloneWarning, read_inside, reason
from edgedigits.reporting import sheets

LARGEST_PICTURE = 16 << 20
"""Bytes of a plot or a sample: those of this tool have a few hundred thousand."""
LARGEST_SIZE = 4_000_000
"""Pixels: those of this tool have less than a million."""
LARGEST_TOTAL = 1_100_000
"""Characters of all pictures of a page, which has 1.5 MB at most."""
COLOURS = 128
"""Of a picture in a page: nobody sees more in plots of a few tones."""
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Plot:
    """One of the pictures that lie in ``plots/``."""

    name: str
    caption: str
    about: Literal["mistakes", "training"] = "training"
    """The part of a report that it stands in."""
    lines: int = 0
    """Lines below each digit of a sheet; 0 for a picture that is no sheet."""


PLOTS = (
    Plot("curves.png", "Loss, accuracy and learning rate by epoch; validation images are never warped."),
    Plot(
        "confusion.png",
        "Confusion matrix: rows are the truth, columns the answers, mistakes coloured.",
        "mistakes",
    ),
    Plot("mistakes.png", "The most confident mistakes.", "mistakes", 2),
    Plot("samples.png", "Test images with answer, confidence and truth.", "mistakes", 2),
    Plot("warps.png", "Training images and what warps made of them.", lines=1),
    Plot(
        "drawn.png",
        "Digits drawn from strokes, as they were mixed into the training images of every epoch.",
        lines=1,
    ),
    Plot(
        "candidates.png",
        "Cut out of written lines: digits, and what is none and was taught as every digit alike.",
        lines=1,
    ),
    Plot("non_digits.png", "What is no digit and was taught as every digit alike.", lines=1),
    Plot("weights.png", "Weights of the first layer as pictures: red adds to a unit, blue takes away."),
)


@dataclass(frozen=True)
class Picture:
    """A plot that is there."""

    plot: Plot
    path: PurePath
    """Where it lies in the folder."""
    content: bytes
    """A PNG file."""
    size: tuple[int, int]
    cells: tuple[tuple[int, int, int, int], ...] = ()
    """Left, top, width and height of each digit of a sheet, with its lines."""

    @property
    def uri(self) -> str:
        """The picture as an address that holds it."""
        return data_uri(self.content)


def find_pictures(folder: Path, name: str) -> list[Picture]:
    """Return the plots of a network that are there.

    What is called so and is no PNG file really in the folder is left out, with a ``LeftAloneWarning``: a page may be
    shown to others, and a link may lead to what is not for them.

    Args:
        folder: where the network's files are.
        name: of the network.
    """
    found = []
    for plot in PLOTS:
        path = PurePath("plots", sidecar_name(name, plot.name))
        try:
            content = read_inside(folder, path, LARGEST_PICTURE)
            size = png_size(content)
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            warnings.warn(f"{folder / path}: {reason(error)}; left out", LeftAloneWarning, stacklevel=2)
            continue
        cells = sheets.cell_boxes(size, plot.lines) if plot.lines else ()
        found.append(Picture(plot, path, content, size, cells))
    return found


def for_a_page(pictures: Sequence[Picture], room: int) -> tuple[list[Picture], list[Picture]]:
    """Return pictures made small, as many as a page has room for, and those for which there is none.

    Args:
        pictures: the most telling first.
        room: characters that all may take.
    """
    shown, left = [], []
    for picture in map(smaller, pictures):
        if (taken := len(picture.uri)) <= room:
            room -= taken
            shown.append(picture)
        else:
            left.append(picture)
    return shown, left


def png_size(content: bytes) -> tuple[int, int]:
    """Return width and height of a PNG file.

    Raises:
        ValueError: it is none, or has more than ``LARGEST_SIZE`` pixels.
    """
    if not content.startswith(PNG_SIGNATURE) or content[12:16] != b"IHDR":
        raise ValueError("no PNG file")
    width, height = (int.from_bytes(content[start : start + 4], "big") for start in (16, 20))
    if not 0 < width * height <= LARGEST_SIZE:
        raise ValueError(f"{width} x {height} pixels, expected {LARGEST_SIZE:,} at most")
    return width, height


def smaller(picture: Picture) -> Picture:
    """Return a picture in a few colours and without the cells that are empty; as it is where it cannot be read."""
    try:
        with Image.open(io.BytesIO(picture.content), formats=["PNG"]) as opened:
            is_in_few_colours = opened.mode == "P"
            pixels = opened.convert("RGB")
    except (OSError, ValueError, SyntaxError):  # SyntaxError: what Pillow raises for a broken PNG.
        return picture
    paper = tuple((tone, tone) for tone in sheets.PAPER)
    cells = tuple(
        (left, top, width, height)
        for left, top, width, height in picture.cells
        if pixels.crop((left, top, left + width, top + height)).getextrema() != paper
    )
    if is_in_few_colours:
        return dataclasses.replace(picture, cells=cells)
    buffer = io.BytesIO()
    pixels.quantize(COLOURS).save(buffer, "PNG", optimize=True)
    content = min(picture.content, buffer.getvalue(), key=len)
    return dataclasses.replace(picture, content=content, cells=cells)


def data_uri(png: bytes) -> str:
    """Return a PNG file as an address that holds it."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
