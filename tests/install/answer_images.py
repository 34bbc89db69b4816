"""Answer images with model files: run by `make arm-check` on an emulated Raspberry Pi, and here.

    python answer_images.py IMAGES.npy OUT.npz PICTURES FILE...

IMAGES are uint8 (n, 28, 28), PICTURES is a folder. OUT holds the probabilities of each file by its path, and the
pictures as they are prepared, by ``PICTURES``.
"""

import platform
import sys
import time
from pathlib import Path

import numpy as np

import edgedigits
from edgedigits import DigitPredictor
from edgedigits.runtimes.opening import open_model

BATCH = 250


def main(images: Path, out: Path, pictures: str, files: list[str]) -> None:
    """Prepare the pictures, and answer all images with each file."""
    print(
        f"{platform.machine()}, Python {platform.python_version()}, edgedigits {edgedigits.__version__} of "
        f"{Path(edgedigits.__file__).parent}",
        flush=True,
    )
    pixels = np.load(images)
    predictor = DigitPredictor()
    answers = {pictures: np.stack([predictor.prepare(path) for path in sorted(Path(pictures).iterdir())])}
    for file in files:
        started = time.monotonic()
        model = open_model(Path(file))
        parts = [model.probabilities(pixels[start : start + BATCH]) for start in range(0, len(pixels), BATCH)]
        answers[file] = np.concatenate(parts)
        print(f"  {file}: {len(pixels):,} images in {time.monotonic() - started:.1f} s", flush=True)
    np.savez(out, **answers)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4:])
