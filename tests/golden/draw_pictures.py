"""Draws the pictures in ``pictures/``, and those that the package has as samples: our own hand, no dataset. Same
Pillow, same bytes.

Usage: python tests/golden/draw_pictures.py
"""

import math
import random
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

FOLDER = Path(__file__).parent / "pictures"
SAMPLES = Path(__file__).parents[2] / "edgedigits" / "samples"
OVERSAMPLING = 4

Point = tuple[float, float]
Stroke = list[Point]


def arc(x: float, y: float, width: float, height: float, start: float, end: float) -> Stroke:
    """Return an arc about (x, y); angles in degrees, clockwise from the right, as on a screen."""
    angles = [math.radians(start + (end - start) * step / 24) for step in range(25)]
    return [(x + width * math.cos(angle), y + height * math.sin(angle)) for angle in angles]


# Strokes in a box of width 0.6 and height 1, as a pen would draw them.
DIGITS: dict[int, list[Stroke]] = {
    0: [arc(0.3, 0.5, 0.28, 0.48, -80, 285)],
    1: [[(0.14, 0.2), (0.32, 0.02), (0.31, 0.5), (0.3, 0.98)]],
    2: [[*arc(0.3, 0.28, 0.26, 0.26, -170, 35), (0.28, 0.72), (0.04, 0.95), (0.58, 0.94)]],
    3: [[*arc(0.28, 0.25, 0.25, 0.23, -150, 90), *arc(0.28, 0.72, 0.29, 0.25, -85, 150)]],
    4: [[(0.2, 0.03), (0.05, 0.56), (0.57, 0.53)], [(0.46, 0.18), (0.43, 0.6), (0.42, 0.99)]],
    5: [[(0.54, 0.04), (0.13, 0.05), (0.09, 0.43), *arc(0.28, 0.68, 0.28, 0.28, -130, 140)]],
    6: [[(0.45, 0.02), (0.22, 0.26), (0.06, 0.62), *arc(0.3, 0.72, 0.24, 0.25, 180, -175)]],
    7: [[(0.03, 0.06), (0.56, 0.05), (0.38, 0.48), (0.24, 0.98)]],
    8: [[*arc(0.3, 0.25, 0.21, 0.22, 60, -240), *arc(0.3, 0.73, 0.26, 0.25, -120, 240)]],
    9: [[*arc(0.28, 0.28, 0.23, 0.25, -20, -370), (0.52, 0.6), (0.44, 0.98)]],
}


def wobble(stroke: Stroke, hand: random.Random) -> Stroke:
    """Let a stroke sway a little, as a hand does."""
    phase, sway = hand.uniform(0, math.tau), 0.012
    return [
        (x + sway * math.sin(phase + 9 * y) + hand.gauss(0, 0.003), y + sway * math.cos(phase + 8 * x))
        for x, y in stroke
    ]


def draw(
    digit: int, height: int, size: tuple[int, int], at: Point, pen: float, slant: float = 0.1
) -> Image.Image:
    """Draw a digit as a mask: mode L, 255 = ink.

    Args:
        digit: which.
        height: of the digit, in pixels.
        size: of the picture.
        at: upper left corner of the digit's box.
        pen: width of the line in pixels.
        slant: how far the top leans to the right, in heights.
    """
    hand = random.Random(digit)  # noqa: S311 - a hand, not a secret
    mask = Image.new("L", (size[0] * OVERSAMPLING, size[1] * OVERSAMPLING))
    canvas = ImageDraw.Draw(mask)
    radius = pen * OVERSAMPLING / 2
    for stroke in DIGITS[digit]:
        points = [
            ((at[0] + (x + slant * (0.5 - y)) * height) * OVERSAMPLING, (at[1] + y * height) * OVERSAMPLING)
            for x, y in wobble(stroke, hand)
        ]
        canvas.line(points, fill=255, width=round(2 * radius), joint="curve")
        for x, y in (points[0], points[-1]):
            canvas.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return mask.resize(size, Image.Resampling.BOX)


def ink_on(paper: Image.Image, mask: Image.Image, colour: tuple[int, int, int]) -> Image.Image:
    """Lay ink of a colour on RGB paper."""
    return Image.composite(Image.new("RGB", paper.size, colour), paper, mask)


def plain(size: tuple[int, int], colour: tuple[int, int, int]) -> Image.Image:
    """Return paper of one colour."""
    return Image.new("RGB", size, colour)


def shaded(size: tuple[int, int], light: int, dark: int) -> Image.Image:
    """Return yellowish paper that grows darker from the left to the right, with the grain of a camera."""
    hand = random.Random(0)  # noqa: S311 - grain, not a secret
    width, height = size
    row = [light + (dark - light) * x / width for x in range(width)]
    levels = bytes(max(0, min(255, round(level + hand.gauss(0, 3)))) for _ in range(height) for level in row)
    gray = Image.frombytes("L", size, levels)
    return Image.merge("RGB", (gray, gray, gray.point(lambda level: level * 0.88)))


def pictures() -> dict[str, tuple[Image.Image, dict[str, object]]]:
    """Return all pictures by file name, with the options of ``save``."""
    white, black = (255, 255, 255), (0, 0, 0)
    made: dict[str, tuple[Image.Image, dict[str, object]]] = {}

    paint = ink_on(plain((96, 96), white), draw(0, 70, (96, 96), (26, 12), 5), black)
    made["0-paint.png"] = paint, {}

    photo = ink_on(shaded((240, 320), 225, 130), draw(1, 150, (240, 320), (70, 80), 7), (40, 45, 110))
    made["1-photo.jpg"] = photo.filter(ImageFilter.GaussianBlur(0.8)), {"quality": 60}

    chalk = ink_on(plain((120, 90), (58, 62, 60)), draw(2, 62, (120, 90), (40, 14), 5), (232, 230, 215))
    made["2-chalkboard.png"] = chalk, {}

    ink = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    ink.putalpha(draw(3, 76, (100, 100), (28, 12), 7))
    made["3-canvas-alpha.png"] = ink, {}

    palette = ink_on(plain((80, 80), (250, 240, 200)), draw(4, 58, (80, 80), (22, 10), 5), (160, 20, 30))
    made["4-palette.gif"] = palette.quantize(16), {}

    one_bit = draw(5, 44, (64, 64), (18, 10), 3).point(lambda level: 0 if level > 127 else 255)
    made["5-one-bit.png"] = one_bit.convert("1"), {}

    corner = ink_on(plain((200, 140), white), draw(6, 44, (200, 140), (160, 88), 3), (20, 90, 30))
    made["6-corner.png"] = corner, {}

    upright = ink_on(plain((140, 180), (235, 235, 230)), draw(7, 110, (140, 180), (40, 34), 8), (30, 30, 35))
    turned = upright.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to show
    made["7-turned-by-exif.jpg"] = turned, {"quality": 70, "exif": exif}

    large = Image.eval(draw(8, 900, (1200, 1600), (330, 350), 70), lambda level: 255 - level)
    made["8-large.png"] = large.quantize(4), {}

    made["9-pencil-line.png"] = ink_on(plain((50, 50), white), draw(9, 34, (50, 50), (14, 8), 1), black), {}

    deep = draw(2, 60, (84, 84), (24, 12), 6, slant=0.2)
    levels = [60_000 - level * 180 for level in deep.tobytes()]
    sixteen = Image.frombytes("I;16", deep.size, b"".join(level.to_bytes(2, "little") for level in levels))
    made["2-sixteen-bit.png"] = sixteen, {}

    marker = ink_on(plain((110, 110), (245, 245, 245)), draw(3, 84, (110, 110), (30, 12), 13), (20, 20, 160))
    made["3-marker.webp"] = marker, {}

    cmyk = ink_on(plain((90, 110), white), draw(5, 80, (90, 110), (20, 14), 7, slant=0.02), (70, 40, 20))
    made["5-cmyk.jpg"] = cmyk.convert("CMYK"), {"quality": 70}

    light = Image.new("LA", (90, 90), (255, 0))
    light.putalpha(draw(8, 70, (90, 90), (24, 10), 6))
    made["8-white-alpha.png"] = light, {}
    return made


def samples() -> dict[str, tuple[Image.Image, dict[str, object]]]:
    """Return those of `edgedigits predict --sample` by file name, with the options of ``save``."""
    chalk = ink_on(plain((140, 120), (52, 60, 58)), draw(3, 84, (140, 120), (48, 18), 6), (232, 230, 215))
    paint = ink_on(plain((96, 96), (255, 255, 255)), draw(4, 70, (96, 96), (26, 12), 5), (0, 0, 0))
    photo = ink_on(shaded((180, 240), 225, 130), draw(7, 120, (180, 240), (56, 56), 6), (40, 45, 110))
    return {
        "3-chalk.png": (chalk, {}),
        "4-paint.png": (paint, {}),
        "7-photo.jpg": (photo.filter(ImageFilter.GaussianBlur(0.7)), {"quality": 60}),
    }


def main() -> None:
    """Write all pictures."""
    for folder, drawn in ((FOLDER, pictures()), (SAMPLES, samples())):
        folder.mkdir(exist_ok=True)
        for name, (picture, options) in drawn.items():
            picture.save(folder / name, optimize=True, **options)


if __name__ == "__main__":
    main()
