"""Pictures of what is no digit: letters, signs, scribbles, empty forms, what a camera sees, and noise.

Letters and signs are set in the fonts that matplotlib and Pillow bring along, and turned a little. What is written like
a digit is left out: the letters in ``LIKE_DIGITS``, of other alphabets those like an open 4 (Cyrillic che and tse), a 3
(ze), an 8 (ve, beta, theta), a 9 (phi, rho) or a 0 (O, sigma), and of signs brackets and the
exclamation mark (1), those of dollar and paragraph (5), and the partial derivative (2). No network is trained on
anything that is drawn here.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Gray = npt.NDArray[np.uint8]
Generator = np.random.Generator

LIKE_DIGITS = "BDGIJOQSTZbgijloqrsyz"
"""8; 0; 6; 1; 1; 0; 0; 5; 7; 2; 6; 9; 1; 1; 1; 0; 9; 1 (or 7); 5; 4 (or 9); 2."""
LATIN = "".join(
    letter for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" if letter not in LIKE_DIGITS
)
OTHER_LETTERS = "ЖФЮШЩЫДЛПЯИжфюшщыдлпяиΩΨΣΔΛΞΠΓαγεηκλμξπχψω"
SIGNS = "@#%&*+=?€¶©®±÷<>^~{}∞≈≠√∑♠♣♥♦♪☀☂☎✓✗✂✈✉⇒↔↑➤★☺"
FONTS = (
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSans-Oblique",
    "DejaVuSerif",
    "DejaVuSerif-Italic",
    "DejaVuSansMono",
)
STANDARD_FONT = "Pillow's own"
"""Has plain ASCII only."""
SIZES = 32, 160
"""Least and largest side of a picture, in pixels."""


@cache
def font(name: str, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return a font that came along with a library."""
    if name == STANDARD_FONT:
        return ImageFont.load_default(size)
    return ImageFont.truetype(Path(mpl.get_data_path(), "fonts", "ttf", f"{name}.ttf"), size)


def canvas(generator: Generator) -> tuple[Image.Image, ImageDraw.ImageDraw, int, int]:
    """Return a sheet of light paper, what draws on it, its side, and the tone of its ink."""
    side, paper, ink = (int(generator.integers(*bounds)) for bounds in (SIZES, (200, 256), (0, 90)))
    image = Image.new("L", (side, side), paper)
    return image, ImageDraw.Draw(image), side, ink


def finished(image: Image.Image, generator: Generator) -> Gray:
    """Return a sheet as pixels, one in three light on dark."""
    pixels = np.asarray(image)
    return np.invert(pixels) if generator.random() < 1 / 3 else pixels.copy()


def lettered(characters: str, generator: Generator) -> Gray:
    """Set one of some characters, in any font that has it, turned by at most 12 degrees."""
    character = characters[generator.integers(len(characters))]
    names = (*FONTS, STANDARD_FONT) if character.isascii() else FONTS[:1]
    name = names[generator.integers(len(names))]
    image, draw, side, ink = canvas(generator)
    paper = image.getpixel((0, 0))
    size = int(side * generator.uniform(0.45, 0.8))
    draw.text((side / 2, side / 2), character, fill=ink, font=font(name, size), anchor="mm")
    turned = image.rotate(
        float(generator.uniform(-12, 12)),
        resample=Image.Resampling.BICUBIC,
        fillcolor=paper,
    )
    return finished(turned, generator)


def latin_letter(generator: Generator) -> Gray:
    """Set a Latin letter that is not written like a digit."""
    return lettered(LATIN, generator)


def other_letter(generator: Generator) -> Gray:
    """Set a Greek or Cyrillic letter that is not written like a digit."""
    return lettered(OTHER_LETTERS, generator)


def sign(generator: Generator) -> Gray:
    """Set a sign of arithmetic, typography, or a pictogram."""
    return lettered(SIGNS, generator)


def scribble(generator: Generator) -> Gray:
    """Draw a pen's wild line of many turns."""
    image, draw, side, ink = canvas(generator)
    width = max(1, round(side * generator.uniform(0.02, 0.07)))
    corners = generator.uniform(0.15, 0.85, (int(generator.integers(8, 20)), 2)) * side
    for _ in range(2):  # cutting the corners twice leaves a curve
        cuts = [share * corners[:-1] + (1 - share) * corners[1:] for share in (0.75, 0.25)]
        corners = np.stack(cuts, axis=1).reshape(-1, 2)
    draw.line([tuple(corner) for corner in corners.tolist()], fill=ink, width=width, joint="curve")
    return finished(image, generator)


def crossing_out(generator: Generator) -> Gray:
    """Draw what crosses something out: strokes to and fro, or a lattice of them."""
    image, draw, side, ink = canvas(generator)
    width = max(1, round(side * generator.uniform(0.02, 0.07)))
    count = int(generator.integers(4, 10))
    places = np.linspace(0.2, 0.8, count) * side
    shift = side * generator.uniform(0.05, 0.25)
    jitter = generator.normal(0, 0.02 * side, (count, 4))
    for place, moved in zip(places, jitter, strict=True):
        draw.line(
            [
                place - shift + moved[0],
                0.2 * side + moved[1],
                place + shift + moved[2],
                0.8 * side + moved[3],
            ],
            ink,
            width,
        )
        if count % 2:
            draw.line(
                [0.2 * side + moved[1], place - shift, 0.8 * side + moved[3], place + shift], ink, width
            )
    return finished(image, generator)


def empty_form(generator: Generator) -> Gray:
    """Draw a form that nobody filled in: boxes, comb fields, lines to write on, tick boxes, a table."""
    image, draw, side, ink = canvas(generator)
    line = max(1, round(side * generator.uniform(0.01, 0.03)))
    low, high = (share * side for share in (generator.uniform(0.05, 0.25), generator.uniform(0.75, 0.95)))
    kind = int(generator.integers(5))
    if kind == 0:
        draw.rectangle([low, low, high, high], outline=ink, width=line)
    elif kind == 1:
        top, cells = (low + high) / 2 - side / 8, int(generator.integers(2, 6))
        draw.rectangle([low, top, high, top + side / 4], outline=ink, width=line)
        for cell in range(1, cells):
            place = low + (high - low) * cell / cells
            draw.line([place, top, place, top + side / 4], ink, line)
    elif kind == 2:
        for place in np.linspace(low, high, int(generator.integers(2, 7))):
            draw.line([low, place, high, place], ink, line)
    elif kind == 3:
        for place in (low, high - side / 5):
            draw.rectangle([place, place, place + side / 5, place + side / 5], outline=ink, width=line)
    else:
        for place in np.linspace(low, high, int(generator.integers(3, 6))):
            draw.line([low, place, high, place], ink, line)
            draw.line([place, low, place, high], ink, line)
    return finished(image, generator)


def clouds(generator: Generator, side: int, roughness: float) -> npt.NDArray[np.float64]:
    """Return noise whose amplitudes fall with their frequency to a power, 0..1, (side, side): as photographs' do."""
    frequencies = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.rfftfreq(side), indexing="ij"))
    spectrum = np.fft.rfft2(generator.normal(size=(side, side)))
    spectrum /= np.maximum(frequencies, 1 / side) ** roughness
    values = np.fft.irfft2(spectrum, (side, side))
    return np.asarray((values - values.min()) / np.ptp(values))


def photograph(generator: Generator) -> Gray:
    """Return what a camera may see: skies, walls, gravel, leaves, things on a ground, out of focus or not."""
    side = int(generator.integers(*SIZES))
    rows, columns = np.mgrid[0:side, 0:side] / side
    picture = clouds(generator, side, generator.uniform(0.8, 2.2))
    angle = generator.uniform(0, 2 * np.pi)
    picture += generator.uniform(0, 1.5) * (np.cos(angle) * rows + np.sin(angle) * columns)
    for _ in range(int(generator.integers(0, 7))):
        centre, radii, tone = (
            generator.uniform(0, 1, 2),
            generator.uniform(0.05, 0.4, 2),
            generator.normal(0, 0.7),
        )
        distance = np.hypot((rows - centre[0]) / radii[0], (columns - centre[1]) / radii[1])
        edge = generator.uniform(0.02, 0.6)
        picture += tone * np.clip((1 - distance) / edge, 0, 1)
    if generator.random() < 0.3:
        period, turn = generator.uniform(4, 30), generator.uniform(0, np.pi)
        waves = np.sin(2 * np.pi * period * (np.cos(turn) * rows + np.sin(turn) * columns))
        picture += generator.uniform(0.1, 0.6) * waves
    low, high = np.quantile(picture, [0.01, 0.99])
    levels = np.clip((picture - low) / (high - low), 0, 1) * generator.uniform(100, 255)
    image = Image.fromarray(np.rint(levels).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(float(generator.uniform(0, 1.5)))))


def noise(generator: Generator) -> Gray:
    """Return noise: of every pixel by itself, of single specks, or of patches; any size from 28x28."""
    side = int(generator.integers(28, SIZES[1]))
    kind = int(generator.integers(4))
    if kind == 0:
        return generator.integers(0, 256, (side, side), np.uint8)
    if kind == 1:
        return np.where(generator.random((side, side)) < generator.uniform(0.01, 0.3), 255, 0).astype(
            np.uint8
        )
    if kind == 2:
        return np.clip(generator.normal(128, generator.uniform(10, 80), (side, side)), 0, 255).astype(
            np.uint8
        )
    cells = int(generator.integers(4, 15))
    patches = generator.integers(0, 256, (cells, cells), np.uint8)
    return np.asarray(Image.fromarray(patches).resize((side, side), Image.Resampling.BICUBIC))


KINDS: dict[str, Callable[[Generator], Gray]] = {
    "Latin letters": latin_letter,
    "Greek and Cyrillic letters": other_letter,
    "signs": sign,
    "scribbles": scribble,
    "crossings-out": crossing_out,
    "empty forms": empty_form,
    "photographs": photograph,
    "noise": noise,
}


def pictures_of(kind: str, count: int, seed: int) -> list[Gray]:
    """Return pictures of a kind, uint8 (h, w) each; they follow from kind, count and seed."""
    generator = np.random.default_rng([seed, *kind.encode()])
    return [KINDS[kind](generator) for _ in range(count)]
