"""The picture preparation in C beside Python's: how many pictures come out equal to the bit, and how long each takes.

All pictures in the folders are decoded by Pillow, turned upright, and handed to both as red, green, blue and alpha.
Where the bytes differ, the shipped network reads both, and each other digit is named. The targets: 99 % of the pictures
equal to the bit, and no other digit; a picture that only one of them refuses counts as another digit.

The times are those of one core, of the same pictures in turn, without decoding. C is compiled by the system's compiler
with -O2; as WebAssembly it takes longer.

Usage: python benchmarks/prepare_c.py FOLDER... [--model models/hands/digits.int8.onnx]
"""

import argparse
import ctypes
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from _machine import ROOT, conclude
from PIL import Image, ImageOps

from edgedigits.errors import ImageError
from edgedigits.picture.levels import Pixels
from edgedigits.picture.prepare import prepare
from edgedigits.predictor import DigitPredictor
from edgedigits.runtimes.c_compiler import find_compiler
from edgedigits.shipped import default_model

SOURCES = ROOT / "export" / "edgedigits_export" / "page" / "c"
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp")
FLAGS = ("-std=c99", "-O2", "-fno-math-errno", "-ffp-contract=off", "-fPIC", "-shared")
LEAST_EQUAL = 99.0


def pictures_in(folders: list[Path]) -> Iterator[tuple[Path, Pixels]]:
    """Give the pictures in folders, each (h, w, 4) uint8, upright."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in SUFFIXES:
                with Image.open(path) as image:
                    if not image.mode.startswith("I"):
                        yield path, np.array(ImageOps.exif_transpose(image).convert("RGBA"))


def compiled(folder: Path) -> ctypes.CDLL:
    """Compile the preparation into a shared library, and load it."""
    compiler = find_compiler()
    if compiler is None:
        raise SystemExit("expected a C compiler, found none; install one, or name it in CC")
    library = folder / "prepare.so"
    sources = sorted(map(str, SOURCES.glob("prepare*.c")))
    subprocess.run([*compiler, *FLAGS, *sources, "-o", str(library)], check=True)
    loaded = ctypes.CDLL(str(library))
    loaded.prepare_arena_bytes.restype = ctypes.c_uint32
    return loaded


def in_c(library: ctypes.CDLL) -> Callable[[Pixels], Pixels | None]:
    """Return the preparation in C as a function of a picture (h, w, 4)."""

    def prepared(picture: Pixels) -> Pixels | None:
        height, width = picture.shape[:2]
        # 8 bytes each, so that it is aligned; not touched before, as memory that a page grows by.
        arena = np.empty(library.prepare_arena_bytes(width, height) // 8 + 1, np.uint64)
        image = np.empty((28, 28), np.uint8)
        status = library.prepare_rgba(_address(picture), width, height, _address(arena), _address(image))
        return None if status else image

    return prepared


def _address(array: npt.NDArray[np.uint8] | npt.NDArray[np.uint64]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def in_python(picture: Pixels) -> Pixels | None:
    """Return what Python makes of a picture; None where it refuses it."""
    try:
        return prepare(picture)
    except ImageError:
        return None


def timed(way: Callable[[Pixels], Pixels | None], picture: Pixels) -> tuple[Pixels | None, float]:
    """Return what a way gives, and how many milliseconds it took."""
    start = time.perf_counter()
    image = way(picture)
    return image, 1e3 * (time.perf_counter() - start)


def digit_of(predictor: DigitPredictor, image: Pixels | None) -> int:
    """Return the digit that the network reads, -1 for a picture that was refused."""
    return -1 if image is None else int(predictor.probabilities(image[np.newaxis])[0].argmax())


def main() -> int:
    """Compare, print what differs, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--model", type=Path, default=default_model())
    arguments = parser.parse_args()

    predictor = DigitPredictor(arguments.model)
    equal, others, times = 0, 0, []
    with tempfile.TemporaryDirectory() as folder:
        way = in_c(compiled(Path(folder)))
        for path, picture in pictures_in(arguments.folders):
            (ours, python), (theirs, native) = timed(in_python, picture), timed(way, picture)
            times.append((python, native))
            if (ours is None and theirs is None) or (
                ours is not None and theirs is not None and bool((ours == theirs).all())
            ):
                equal += 1
                continue
            digits = digit_of(predictor, ours), digit_of(predictor, theirs)
            others += digits[0] != digits[1]
            print(f"{path}: other bytes; Python {digits[0]}, C {digits[1]} (-1: refused)")
    if not times:
        raise SystemExit(f"expected pictures ({', '.join(SUFFIXES)}) in the folders, found none; name others")
    python, native = np.median(np.array(times), axis=0)
    print(f"{equal} of {len(times)} pictures equal to the bit, {others} read as another digit")
    print(
        f"median of a picture: Python {python:.2f} ms, C {native:.2f} ms, {python / native:.1f} times as fast"
    )
    results = {
        "pictures": len(times),
        "equal": equal,
        "other_digits": others,
        "milliseconds": {"python": round(float(python), 3), "c": round(float(native), 3)},
    }
    targets = {
        "pictures that are not equal to the bit, in percent": (
            100 - 100 * equal / len(times),
            100 - LEAST_EQUAL,
        ),
        "read as another digit": (float(others), 0.0),
    }
    return conclude("prepare_c", {"preparation": results}, targets)


if __name__ == "__main__":
    sys.exit(main())
