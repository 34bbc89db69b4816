"""How well MNIST's images are read when they come as pictures: turned round, enlarged, on a sheet in a shadow, cut out.

Each image goes through ``prepare``, as ``edgedigits predict`` does it; what is refused counts as read wrong. The
targets are for the images as they are, which must give the very answers of ``probabilities``, and for dark digits, ten
times as large, off centre on a light sheet with a shadow, which may be half a point below. Sheets with the same shadows
and no digit are shown as well: how many are refused, as all should be.

The preparation was chosen on validation images (``--split validation``, those of seed 0) and never on the test images.

Usage: python benchmarks/mnist_pictures.py [--split test] [--images 10000] [--model models/hands/digits.int8.onnx]
"""

import argparse
import io
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from _machine import conclude
from PIL import Image, ImageFilter

from edgedigits.datasets import mnist
from edgedigits.errors import ImageError
from edgedigits.measuring import metrics
from edgedigits.picture.levels import Pixels
from edgedigits.predictor import DigitPredictor
from edgedigits.shipped import default_model
from edgedigits.training.splits import validation_indices

Draw = Callable[[Pixels, np.random.Generator], Pixels | bytes]

TIMES = 10
SHEET = (600, 800)
"""Height and width; a digit's image has 280."""
LIGHT_PAPER, BOARD = 235, 50
MOST_BELOW = 0.5
"""Points by which pictures of a sheet may be read worse than the images as they are."""
AS_IT_IS, ON_SHEET, EMPTY = "as it is", "dark, 10 times, off centre on a light sheet, shadow", "empty sheet"


def enlarged(pixels: Pixels, method: Image.Resampling = Image.Resampling.BICUBIC) -> Pixels:
    """Return the image ten times as large."""
    size = pixels.shape[1] * TIMES, pixels.shape[0] * TIMES
    return np.asarray(Image.fromarray(pixels).resize(size, method))


def shadow(shape: tuple[int, int], generator: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return light from 1 down to 0.4 to 0.75: a shadow with a hard or soft edge, or a slope, from any side."""
    rows, columns = np.mgrid[-0.5 : 0.5 : shape[0] * 1j, -0.5 : 0.5 : shape[1] * 1j]
    angle = generator.uniform(0, 2 * np.pi)
    distance = rows * np.sin(angle) + columns * np.cos(angle) - generator.uniform(-0.3, 0.3)
    softness = generator.choice([0.002, 0.1, 1.4])
    light: npt.NDArray[np.float64] = 1 - generator.uniform(0.25, 0.6) * np.clip(
        0.5 + distance / softness, 0, 1
    )
    return light


def on_sheet(ink: Pixels, paper: int, tone: int, generator: np.random.Generator) -> Pixels:
    """Lay ink of a tone anywhere on a sheet of paper, in a shadow."""
    page: npt.NDArray[np.float64] = np.zeros(SHEET)
    height, width = ink.shape
    top, left = generator.integers(0, SHEET[0] - height + 1), generator.integers(0, SHEET[1] - width + 1)
    page[top : top + height, left : left + width] = ink / 255
    page = (paper + (tone - paper) * page) * shadow(SHEET, generator)
    levels: Pixels = np.clip(page, 0, 255).astype(np.uint8)
    return levels


def cut(pixels: Pixels) -> Pixels:
    """Cut an image to the box of its ink."""
    rows, columns = (np.flatnonzero((pixels > 127).any(axis=axis)) for axis in (1, 0))
    return pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def jpeg(pixels: Pixels) -> bytes:
    """Return a JPEG file of low quality."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=30)
    return buffer.getvalue()


def blurred(pixels: Pixels) -> Pixels:
    """Blur by a twenty-fifth of the picture."""
    radius = max(pixels.shape) / 25
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius)))


PICTURES: dict[str, Draw] = {
    AS_IT_IS: lambda pixels, _: pixels,
    "dark on light": lambda pixels, _: 255 - pixels,
    "10 times": lambda pixels, _: enlarged(pixels),
    "10 times, dark on light": lambda pixels, _: 255 - enlarged(pixels),
    "10 times, in squares": lambda pixels, _: enlarged(pixels, Image.Resampling.NEAREST),
    "10 times, JPEG of quality 30": lambda pixels, _: jpeg(enlarged(pixels)),
    "10 times, blurred": lambda pixels, _: blurred(enlarged(pixels)),
    "cut to its ink": lambda pixels, _: cut(pixels),
    "10 times, cut to its ink, dark on light": lambda pixels, _: 255 - cut(enlarged(pixels)),
    ON_SHEET: lambda pixels, generator: on_sheet(enlarged(pixels), LIGHT_PAPER, 20, generator),
    "the same in pencil": lambda pixels, generator: on_sheet(enlarged(pixels), LIGHT_PAPER, 150, generator),
    "light, 10 times, off centre on a board, shadow": lambda pixels, generator: on_sheet(
        enlarged(pixels), BOARD, 230, generator
    ),
    EMPTY: lambda pixels, generator: on_sheet(0 * enlarged(pixels), LIGHT_PAPER, 20, generator),
}


def read(images: Pixels, draw: Draw, predictor: DigitPredictor) -> npt.NDArray[np.int64]:
    """Return the digit read in the picture of each image, -1 where it is refused."""
    generator = np.random.default_rng(0)
    return np.array([read_one(draw(pixels, generator), predictor) for pixels in images])


def read_one(picture: Pixels | bytes, predictor: DigitPredictor) -> int:
    """Return the digit read in a picture, -1 where it is refused."""
    try:
        return predictor.predict(picture).digit
    except ImageError:
        return -1


def chosen_images(part: str, count: int) -> tuple[Pixels, npt.NDArray[np.uint8]]:
    """Return images and labels of the test split, or of the validation images of seed 0."""
    source = mnist.find_or_download()
    if part == "test":
        split = mnist.read_split(source, "test")
        return split.images[:count], split.labels[:count]
    split = mnist.read_split(source, "train")
    _, held_out = validation_indices(split.labels, 5_000, 0)
    return split.images[held_out[:count]], split.labels[held_out[:count]]


def main() -> int:
    """Measure, print a table, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--split", choices=["test", "validation"], default="test")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--model", type=Path, default=default_model())
    arguments = parser.parse_args()

    images, labels = chosen_images(arguments.split, arguments.images)
    predictor = DigitPredictor(arguments.model)
    untouched = predictor.probabilities(images).argmax(axis=1)
    table: dict[str, dict[str, float]] = {}
    for name, draw in PICTURES.items():
        digits = read(images, draw, predictor)
        refused = 100 * float((digits < 0).mean())
        accuracy = metrics.accuracy(labels, digits).percent
        table[name] = {"percent": accuracy, "refused percent": refused}
        if name == AS_IT_IS:
            differing = int((digits != untouched).sum())
        shown = "" if name == EMPTY else f"{accuracy:6.2f} %"
        print(f"{name:52} {shown:8}  refused {refused:5.2f} %", flush=True)
    del table[EMPTY]["percent"]
    below = metrics.accuracy(labels, untouched).percent - table[ON_SHEET]["percent"]
    results: dict[str, object] = {"split": arguments.split, "images": len(images), "pictures": table}
    targets = {
        "as it is: answers that are not those of probabilities": (differing, 0),
        f"{ON_SHEET}: points below": (below, MOST_BELOW),
    }
    return conclude("mnist_pictures", results, targets)


if __name__ == "__main__":
    sys.exit(main())
