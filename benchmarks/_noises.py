"""Fifteen ways to spoil an image in MNIST's form, after MNIST-C (Mu and Gilmer, 2019), by seed: own code.

Each is a function of an image, (28, 28) uint8 with 255 = ink, and a generator, and gives such an image.
"""

import numpy as np
from _papers import Draw, Generator, Levels
from PIL import Image, ImageDraw, ImageFilter

from edgedigits.picture.levels import Pixels


def dotted_line(image: Pixels, generator: Generator) -> Pixels:
    """Lay a dotted line over an image."""
    return _over(image, _points(generator, 2), generator, dots=True)


def zigzag(image: Pixels, generator: Generator) -> Pixels:
    """Lay a line with turns over an image."""
    return _over(image, _points(generator, 8), generator, dots=False)


def _points(generator: Generator, count: int) -> Levels:
    ends = generator.uniform(0, 27, (2, 2))
    along = np.linspace(0, 1, count)[:, np.newaxis]
    points: Levels = ends[0] + along * (ends[1] - ends[0])
    if count > 2:
        across = np.array([-1.0, 1.0]) * (ends[1] - ends[0])[::-1] / max(np.hypot(*(ends[1] - ends[0])), 1)
        points += across * (2.5 * (-1.0) ** np.arange(count))[:, np.newaxis]
    return points


def _over(image: Pixels, points: Levels, generator: Generator, *, dots: bool) -> Pixels:
    layer = Image.new("L", (28 * 8, 28 * 8))
    canvas = ImageDraw.Draw(layer)
    scaled = [(float(8 * x + 4), float(8 * y + 4)) for x, y in points]
    if dots:
        for share in np.linspace(0, 1, 9):
            x, y = (a + share * (b - a) for a, b in zip(scaled[0], scaled[1], strict=True))
            canvas.ellipse((x - 5, y - 5, x + 5, y + 5), fill=255)
    else:
        canvas.line(scaled, fill=255, width=9, joint="curve")
    noisy: Pixels = np.maximum(image, np.asarray(layer.resize((28, 28), Image.Resampling.BOX)))
    return noisy


def speckles(image: Pixels, generator: Generator) -> Pixels:
    """Set single pixels black and white."""
    noisy, chance = image.copy(), generator.random(image.shape)
    share = generator.uniform(0.02, 0.12)
    noisy[chance < share / 2] = 0
    noisy[chance > 1 - share / 2] = 255
    return noisy


def spatter(image: Pixels, generator: Generator) -> Pixels:
    """Lay drops over an image."""
    field = generator.normal(0, 1, (28, 28))
    for axis in (0, 1):
        field = (np.roll(field, 1, axis) + 2 * field + np.roll(field, -1, axis)) / 4
    wet = np.clip((field - 0.62) * 4, 0, 1)
    noisy: Pixels = np.clip(image + 200 * wet, 0, 255).astype(np.uint8)
    return noisy


def shot(image: Pixels, generator: Generator) -> Pixels:
    """Let light come in few photons."""
    noisy: Pixels = np.clip(generator.poisson(image / 255 * 12) / 12 * 255, 0, 255).astype(np.uint8)
    return noisy


def blur(image: Pixels, generator: Generator) -> Pixels:
    """Blur an image."""
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(generator.uniform(0.8, 1.8))))


def motion_blur(image: Pixels, generator: Generator) -> Pixels:
    """Blur an image along a row, a column or a diagonal."""
    step = [(0, 1), (1, 0), (1, 1), (1, -1)][generator.integers(4)]
    shifted = [np.roll(image, (step[0] * shift, step[1] * shift), (0, 1)) for shift in range(-3, 4)]
    mixed: Pixels = np.mean(shifted, axis=0).astype(np.uint8)
    return mixed


def _moved(image: Pixels, matrix: Levels) -> Pixels:
    offset = np.array([13.5, 13.5]) - matrix @ np.array([13.5, 13.5])
    data = (matrix[0, 0], matrix[0, 1], offset[0], matrix[1, 0], matrix[1, 1], offset[1])
    return np.asarray(
        Image.fromarray(image).transform((28, 28), Image.Transform.AFFINE, data, Image.Resampling.BILINEAR)
    )


def shear(image: Pixels, generator: Generator) -> Pixels:
    """Slant an image."""
    return _moved(image, np.array([[1, generator.uniform(-0.6, 0.6)], [0, 1]]))


def scaled(image: Pixels, generator: Generator) -> Pixels:
    """Make a digit smaller within its image."""
    return _moved(image, np.eye(2) * generator.uniform(1.2, 2))


def turned(image: Pixels, generator: Generator) -> Pixels:
    """Turn an image by up to 30 degrees."""
    angle = np.radians(generator.uniform(-30, 30))
    return _moved(image, np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]))


def brightened(image: Pixels, generator: Generator) -> Pixels:
    """Add light to an image."""
    return np.clip(image.astype(np.int64) + int(generator.integers(40, 160)), 0, 255).astype(np.uint8)


def shifted(image: Pixels, generator: Generator) -> Pixels:
    """Move an image, some of the ink out of it."""
    down, across = generator.integers(-6, 7, 2)
    return np.asarray(
        Image.fromarray(image).transform((28, 28), Image.Transform.AFFINE, (1, 0, across, 0, 1, down))
    )


def striped(image: Pixels, generator: Generator) -> Pixels:
    """Invert an image in its outer thirds."""
    turned_round = 255 - image
    turned_round[:, 7:21] = image[:, 7:21]
    return turned_round


def fog(image: Pixels, generator: Generator) -> Pixels:
    """Lay clouds over an image."""
    clouds = np.zeros((28, 28))
    for cells in (2, 4, 7, 14):
        field = generator.random((cells, cells)).astype(np.float32)
        clouds += np.asarray(Image.fromarray(field).resize((28, 28), Image.Resampling.BILINEAR)) * 2 / cells
    clouds *= 200 / clouds.max()
    noisy: Pixels = np.clip(image * 0.75 + clouds * generator.uniform(0.5, 0.9), 0, 255).astype(np.uint8)
    return noisy


def edges(image: Pixels, generator: Generator) -> Pixels:
    """Keep the outlines of an image."""
    is_ink = image > 127
    inner = is_ink.copy()
    for axis in (0, 1):
        inner &= np.roll(is_ink, 1, axis) & np.roll(is_ink, -1, axis)
    noisy: Pixels = np.where(is_ink & ~inner, 255, 0).astype(np.uint8)
    return noisy


NOISES: dict[str, Draw] = {
    "shot noise": shot,
    "speckles": speckles,
    "blur": blur,
    "motion blur": motion_blur,
    "shear": shear,
    "smaller": scaled,
    "turned": turned,
    "brightened": brightened,
    "shifted": shifted,
    "stripe": striped,
    "fog": fog,
    "spatter": spatter,
    "dotted line": dotted_line,
    "zigzag": zigzag,
    "edges": edges,
}
