"""A seven in many forms, and strokes of any kind."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from edgedigits.picture.levels import Pixels

GOLDEN = sorted((Path(__file__).parents[1] / "golden" / "pictures").iterdir())


def seven(size: tuple[int, int] = (120, 100), pen: int = 7, ink: int = 0, paper: int = 255) -> Image.Image:
    """A seven with a bar, mode L: no symmetry of the square maps it onto itself."""
    width, height = size
    picture = Image.new("L", size, paper)
    canvas = ImageDraw.Draw(picture)
    points = [(0.3, 0.15), (0.7, 0.15), (0.45, 0.85)]
    canvas.line([(x * width, y * height) for x, y in points], fill=ink, width=pen, joint="curve")
    canvas.line([(0.42 * width, 0.5 * height), (0.68 * width, 0.5 * height)], fill=ink, width=pen)
    return picture


def encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def with_alpha(mask: Image.Image, colour: int) -> Image.Image:
    picture = Image.new("RGBA", mask.size, (colour, colour, colour, 0))
    picture.putalpha(mask)
    return picture


def similarity(one: Pixels, other: Pixels) -> float:
    """Correlation of two pictures: 1 for equal ones."""
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


@st.composite
def drawings(draw: st.DrawFn, longest: int = 400) -> Pixels:
    """Broad strokes in any direction, dark on light, on sheets of any shape."""
    width, height = draw(st.integers(40, longest)), draw(st.integers(40, longest))
    place = st.tuples(st.floats(0.1, 0.9), st.floats(0.1, 0.9))
    points = draw(st.lists(place, min_size=2, max_size=6, unique=True))
    picture = Image.new("L", (width, height), draw(st.integers(180, 255)))
    scaled = [(x * width, y * height) for x, y in points]
    pen = draw(st.integers(3, 8))
    ImageDraw.Draw(picture).line(scaled, fill=draw(st.integers(0, 90)), width=pen, joint="curve")
    return np.asarray(picture)
