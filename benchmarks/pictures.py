"""How long ``prepare`` takes: a 28x28 array in MNIST form, a small PNG, a photo of 12 megapixels.

The pictures are drawn here, so that the script needs no data. For the record, a 28x28 array that is not in MNIST form
and takes the whole way, and the decoding of the photo alone, of which ours is the rest.

Usage: python benchmarks/pictures.py [--calls 300]
"""

import argparse
import io
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
from _machine import conclude
from PIL import Image, ImageDraw

from edgedigits.picture.levels import Pixels
from edgedigits.picture.prepare import prepare
from edgedigits.picture.reading import at_a_fraction, opened


def seven(width: int, height: int, pen: int) -> Image.Image:
    """Draw a seven with a bar, black on white, RGB."""
    picture = Image.new("RGB", (width, height), "white")
    canvas = ImageDraw.Draw(picture)
    points = [(0.35, 0.25), (0.65, 0.25), (0.45, 0.75)]
    canvas.line([(x * width, y * height) for x, y in points], fill="black", width=pen, joint="curve")
    canvas.line([(0.42 * width, 0.5 * height), (0.62 * width, 0.5 * height)], fill="black", width=pen)
    return picture


def photo(width: int, height: int) -> bytes:
    """Draw a photo of a seven: shade from one side, grain, JPEG."""
    generator = np.random.default_rng(0)
    shade = np.linspace(1.0, 0.6, width, dtype=np.float32)[:, np.newaxis]
    levels = np.asarray(seven(width, height, height // 60), np.float32) * shade
    levels += generator.normal(0, 4, (height, width, 1)).astype(np.float32)
    return encoded(Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8)), "JPEG")


def encoded(picture: Image.Image, kind: str) -> bytes:
    """Return a picture file."""
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    return buffer.getvalue()


def decoded(data: bytes) -> None:
    """Decode a picture file as ``prepare`` does, and nothing else."""
    with at_a_fraction(opened(data)) as image:
        image.load()


def milliseconds(call: Callable[[], object], calls: int) -> float:
    """Return the median time of a call."""
    taken = []
    for number in range(-3, calls):
        start = time.perf_counter_ns()
        call()
        if number >= 0:  # the first three warm up
            taken.append((time.perf_counter_ns() - start) / 1e6)
    return statistics.median(taken)


def main() -> int:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--calls", type=int, default=300)
    arguments = parser.parse_args()

    mnist_form: Pixels = prepare(seven(100, 100, 5))
    moved = np.roll(mnist_form, 3, axis=1)
    png, jpeg = encoded(seven(100, 100, 5), "PNG"), photo(4000, 3000)
    few = max(5, arguments.calls // 20)
    taken = {
        "28x28 array in MNIST form": milliseconds(lambda: prepare(mnist_form), arguments.calls),
        "28x28 array, the whole way": milliseconds(lambda: prepare(moved), arguments.calls),
        "100x100 PNG": milliseconds(lambda: prepare(png), arguments.calls),
        "12-megapixel JPEG": milliseconds(lambda: prepare(jpeg), few),
        "12-megapixel JPEG, decoding alone": milliseconds(lambda: decoded(jpeg), few),
    }
    for name, value in taken.items():
        print(f"{name:36} {value:8.3f} ms")
    limits = {"28x28 array in MNIST form": 0.06, "100x100 PNG": 1.0, "12-megapixel JPEG": 250.0}
    targets = {f"{name}, ms": (taken[name], limit) for name, limit in limits.items()}
    return conclude("pictures", {"milliseconds": taken}, targets)


if __name__ == "__main__":
    sys.exit(main())
