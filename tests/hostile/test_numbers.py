"""Pictures of noise, print and more digits than anybody writes: read or refused, in little time and memory."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from measured import measure
from PIL import Image, ImageDraw, ImageFont

pytestmark = pytest.mark.skipif(os.name != "posix", reason="measures processes in the POSIX way")

Pixels = np.ndarray
RANDOM = np.random.default_rng(0)


def noise(height: int, width: int) -> Pixels:
    return RANDOM.integers(0, 256, (height, width), np.uint8)


def patches(side: int, cell: int, share: float) -> Pixels:
    """Black squares in a part of the places of a sheet."""
    cells = RANDOM.random((side // cell, side // cell)) < share
    return np.kron(np.where(cells, 0, 255).astype(np.uint8), np.ones((cell, cell), np.uint8))


def print_of(height: int, width: int, size: int) -> Pixels:
    """Lines of print from edge to edge."""
    page = Image.new("L", (width, height), 250)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size)
    text = "the 0123 quick 4567 brown 89, fox. 31-12/2025: " * (width // (10 * size) + 1)
    for top in range(0, height, round(1.3 * size)):
        draw.text((3, top), text[top % 20 :], fill=10, font=font)
    return np.asarray(page)


def digits_without_end(number: Callable[[str], Image.Image], side: int) -> Pixels:
    """Digits of a few pixels from edge to edge."""
    line = number("0123456789")
    rows = line.height * side // line.width
    small = np.asarray(line.resize((side, rows), Image.Resampling.BOX))
    return np.tile(small[rows // 4 : -rows // 4], (1024 // (rows // 2), 1024 // side))


def nested_frames() -> Pixels:
    page = np.full((1024, 1024), 255, np.uint8)
    for inset in range(0, 500, 8):
        page[inset : inset + 3, inset : 1024 - inset] = 0
        page[1021 - inset : 1024 - inset, inset : 1024 - inset] = 0
        page[inset : 1024 - inset, inset : inset + 3] = 0
        page[inset : 1024 - inset, 1021 - inset : 1024 - inset] = 0
    return page


SHEETS: dict[str, Callable[[], Pixels]] = {
    "noise": lambda: noise(1024, 1024),
    "noise of 12 megapixels": lambda: noise(3000, 4000),
    "noise as one line": lambda: noise(64, 8000),
    "specks": lambda: patches(1024, 2, 0.2),
    "patches": lambda: patches(1024, 5, 1 / 3),
    "large patches": lambda: patches(1024, 16, 1 / 3),
    "checks": lambda: np.kron(np.indices((128, 128)).sum(axis=0) % 2 * 255, np.ones((8, 8))).astype(np.uint8),
    "bars": lambda: np.tile(np.where(np.arange(8000) % 9 < 4, 20, 240).astype(np.uint8), (64, 1)),
    "stairs": lambda: np.where(np.indices((1024, 1024)).sum(axis=0) % 12 < 4, 0, 255).astype(np.uint8),
    "frames": nested_frames,
    "small print": lambda: print_of(1024, 1024, 9),
    "print": lambda: print_of(1024, 1024, 22),
    "print of 12 megapixels": lambda: print_of(4000, 3000, 40),
    "one pixel": lambda: np.zeros((1, 1), np.uint8),
    "a row": lambda: noise(1, 1024),
    "a column": lambda: noise(1024, 1),
    "all black": lambda: np.zeros((1024, 1024), np.uint8),
}


@pytest.mark.parametrize("sheet", SHEETS)
def test_no_picture_takes_long_to_read(sheet: str, tmp_path: Path) -> None:
    path = tmp_path / "sheet.png"
    Image.fromarray(SHEETS[sheet]()).save(path, compress_level=1)
    measure("read", path).check()


@pytest.mark.parametrize("side", [128, 256])
def test_more_digits_than_anybody_writes_are_read_or_refused(
    side: int, number: Callable[[str], Image.Image], tmp_path: Path
) -> None:
    path = tmp_path / "sheet.png"
    Image.fromarray(digits_without_end(number, side)).save(path)
    found = measure("read", "--boxes", tmp_path / "seen.png", path).check()
    assert (tmp_path / "seen.png").exists() == (found.status == 0)


@pytest.mark.parametrize("words", [("--digits", "64"), ("--pattern", "d" * 64)], ids=["digits", "pattern"])
def test_a_form_of_many_digits_takes_no_longer(words: tuple[str, str], tmp_path: Path) -> None:
    path = tmp_path / "sheet.png"
    Image.fromarray(print_of(1024, 1024, 22)).save(path)
    measure("read", *words, path).check()
