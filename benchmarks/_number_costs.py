"""What reading numbers costs: the time of an amount and of a photo; time and memory of noise, print and the like."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from _lines import Digits, line_ink, photographed, string
from _number_bounds import PHOTO, pictures
from _papers import laid
from pictures import encoded, milliseconds
from PIL import Image

from edgedigits.picture.reading import read_picture
from edgedigits.predictor import DigitPredictor

Part = tuple[dict[str, Any], dict[str, tuple[float, float]]]

MOST_MS_OF_AMOUNT, MOST_MS_OF_PHOTO, MOST_SECONDS, MOST_MIB = 15.0, 150.0, 10.0, 1024.0
AMOUNT_SIZE = (180, 45)

READ_ONE = """
import sys, time
from edgedigits import DigitPredictor, ImageError
from edgedigits.measuring.cold_start import peak_mib
predictor = DigitPredictor(*sys.argv[2:])
start = time.perf_counter()
try:
    lines = len(predictor.read(sys.argv[1]).lines)
except ImageError:
    lines = -1
print(time.perf_counter() - start, peak_mib(), lines)
"""


def take_time(digits: Digits, predictor: DigitPredictor) -> Part:
    """Measure one amount of 180x45 and a photo of 12 megapixels with one line, files and decoding included."""
    generator = np.random.default_rng(4)
    five = string(digits, 5, generator, touching=True)
    amount = encoded(Image.fromarray(five.picture).resize(AMOUNT_SIZE, Image.Resampling.BICUBIC), "PNG")
    photo = photo_of(digits, generator)
    taken = {
        "amount of 180x45": milliseconds(lambda: predictor.read(amount), 100),
        "photo of 12 megapixels": milliseconds(lambda: predictor.read(photo), 9),
        "photo of 12 megapixels, reading the file alone": milliseconds(lambda: read_picture(photo), 9),
    }
    for name, value in taken.items():
        print(f"{name:50} {value:8.2f} ms", flush=True)
    limits = {"amount of 180x45": MOST_MS_OF_AMOUNT, "photo of 12 megapixels": MOST_MS_OF_PHOTO}
    return taken, {f"{name}, ms": (taken[name], limit) for name, limit in limits.items()}


def photo_of(digits: Digits, generator: np.random.Generator) -> bytes:
    """Photograph a line of eight digits on a page, 12 megapixels, as a JPEG file."""
    ink = np.zeros((PHOTO[0] // 4, PHOTO[1] // 4))
    laid(ink, line_ink(digits, "01234567", 45, generator), 1.0, len(ink) // 3, ink.shape[1] // 4)
    small = Image.fromarray(photographed(ink, generator))
    sheet = np.asarray(small.resize(PHOTO[::-1], Image.Resampling.BICUBIC), np.float32)
    sheet = sheet + generator.normal(0, 4, sheet.shape).astype(np.float32)
    return encoded(Image.fromarray(np.clip(sheet, 0, 255).astype(np.uint8)).convert("RGB"), "JPEG")


def keep_bounds(digits: Digits, model: Path | None) -> Part:
    """Measure what pictures of noise and print take, in a process of their own."""
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, pixels in pictures(digits).items():
            path = Path(folder, "picture.png")
            Image.fromarray(pixels).save(path, compress_level=1)
            command = [sys.executable, "-c", READ_ONE, str(path), *([str(model)] if model else [])]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            seconds, peak, lines = map(float, done.stdout.split())
            shown = "refused" if lines < 0 else f"{lines:.0f} lines"
            print(f"{name:30} {seconds:6.2f} s   {peak:6.0f} MiB   {shown}", flush=True)
            results[name] = {"seconds": seconds, "peak_mib": peak, "lines": lines}
    return results, {
        "longest, seconds": (max(row["seconds"] for row in results.values()), MOST_SECONDS),
        "largest, MiB": (max(row["peak_mib"] for row in results.values()), MOST_MIB),
    }
