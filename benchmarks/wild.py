"""How well pictures of other people's digits are read: merely resized, turned round as well, and prepared.

For each source in a folder with a manifest: the share that the shipped network reads right, for

    naive           gray, resized to 28x28
    naive, turned   the same, dark ink on light paper turned round by the tone of the border
    prepared        ``edgedigits.picture.prepare.prepare``

The folder holds pictures and ``manifest.csv`` with the columns ``file`` (a path in the folder, whose first part is the
source) and ``label``. The targets, 98.5 % of all pictures and 94 % of each source, hold for the prepared ones.

Usage: python benchmarks/wild.py FOLDER [--model models/hands/digits.int8.onnx]
"""

import argparse
import csv
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from _machine import conclude
from PIL import Image

from edgedigits.errors import ImageError
from edgedigits.measuring import metrics
from edgedigits.picture.levels import Pixels
from edgedigits.picture.prepare import prepare
from edgedigits.predictor import DigitPredictor
from edgedigits.shipped import default_model

ALL = "all"
LEAST_OF_ALL, LEAST_OF_A_SOURCE = 98.5, 94.0


def naive(path: Path) -> Pixels:
    """Resize a picture to 28x28, as it is."""
    with Image.open(path) as image:
        return np.asarray(image.convert("L").resize((28, 28), Image.Resampling.BILINEAR))


def naive_turned(path: Path) -> Pixels:
    """Resize a picture to 28x28, and turn it round where its border is light."""
    gray = naive(path)
    border = np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])
    return np.invert(gray) if np.median(border) > 127 else gray


WAYS: dict[str, Callable[[Path], Pixels]] = {
    "naive": naive,
    "naive, turned": naive_turned,
    "prepared": prepare,
}


def read_manifest(folder: Path) -> list[tuple[str, int]]:
    """Return file and label of each picture."""
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return [(row["file"], int(row["label"])) for row in csv.DictReader(file)]


def read_digits(
    folder: Path, files: list[str], way: Callable[[Path], Pixels], predictor: DigitPredictor
) -> list[int]:
    """Return the digit read in each picture, -1 where it is refused."""
    return [read_digit(folder / file, way, predictor) for file in files]


def read_digit(path: Path, way: Callable[[Path], Pixels], predictor: DigitPredictor) -> int:
    """Return the digit read in a picture, -1 where it is refused."""
    try:
        pixels = way(path)
    except ImageError as error:
        print(f"refused: {error}")
        return -1
    return int(predictor.probabilities(pixels[np.newaxis])[0].argmax())


def main() -> int:
    """Measure, print a table, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", type=Path, default=default_model())
    arguments = parser.parse_args()

    manifest = read_manifest(arguments.folder)
    files, labels = [file for file, _ in manifest], np.array([label for _, label in manifest])
    sources = np.array([file.partition("/")[0] for file in files])
    predictor = DigitPredictor(arguments.model)
    table: dict[str, dict[str, metrics.Accuracy]] = {}
    for name, way in WAYS.items():
        digits = np.array(read_digits(arguments.folder, files, way, predictor))
        table[name] = {
            source: metrics.accuracy(labels[chosen], digits[chosen])
            for source in (*dict.fromkeys(sources.tolist()), ALL)
            for chosen in [(sources == source) | (source == ALL)]
        }
    print(f"{'':20}" + "".join(f"{name:>16}" for name in WAYS))
    for source, accuracy in table["prepared"].items():
        cells = "".join(f"{table[name][source].percent:14.1f} %" for name in WAYS)
        print(f"{source:20}{cells}   n = {accuracy.images}")
    wrong = {
        f"read wrong, {source}, in percent": (
            100 - accuracy.percent,
            100 - (LEAST_OF_ALL if source == ALL else LEAST_OF_A_SOURCE),
        )
        for source, accuracy in table["prepared"].items()
    }
    results = {
        name: {source: {"correct": score.correct, "images": score.images} for source, score in row.items()}
        for name, row in table.items()
    }
    return conclude("wild", {"accuracy": results}, wrong)


if __name__ == "__main__":
    sys.exit(main())
