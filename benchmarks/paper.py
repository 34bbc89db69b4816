"""How well digits are read on any paper: drawing pads, figures, notes, cells, borders, prints; and with noise.

The digits are MNIST's validation images of seed 0, the rest is drawn by seed (``_papers.py``, ``_noises.py``). For each
kind: the share that the network reads right and wrong, and that is refused; of the noisy images, which are in MNIST's
form, also what ``probabilities`` reads right in them as they are. With scikit-learn installed, its 8x8 digits.

With ``--cheques``, digits cut out of cheques by their boxes: a folder with ``images/`` and ``digits.csv`` (file, digit,
x, y, width, height), 8 % of the longer side around each box.

Usage: python benchmarks/paper.py [--images 300] [--noisy 1000] [--cheques FOLDER] [--model FILE]
"""

import argparse
import csv
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from _machine import conclude
from _noises import NOISES
from _papers import KINDS
from mnist_pictures import chosen_images
from PIL import Image

from edgedigits.errors import ImageError
from edgedigits.picture.levels import Pixels
from edgedigits.predictor import DigitPredictor
from edgedigits.shipped import default_model

SURE = 0.9
"""Confidence from which on a wrong answer is shown as one that is sure of itself."""
MARGIN = 0.08
LEAST, LEAST_OF_TINY, LEAST_OF_CHEQUES, LEAST_ALONE, MOST_REFUSED = 97.0, 97.0, 90.0, 95.0, 1.0
LEAST_NOISY, MOST_BELOW, MOST_SURE = 92.0, 0.5, 0.5
TARGETED = ("drawing pad", "Matplotlib figure", "note on a table", "cell", "dark border")
"""Beginnings of the kinds that have a target; of the others the figures are for the record."""


class Score(NamedTuple):
    """Shares of pictures, in percent."""

    right: float
    refused: float
    wrong: float
    sure_and_wrong: float


def score(pictures: Iterable[Pixels], labels: Iterable[int], predictor: DigitPredictor) -> Score:
    """Read pictures and count."""
    outcomes = [outcome(picture, label, predictor) for picture, label in zip(pictures, labels, strict=True)]
    return Score(*(100 * np.mean(np.array(outcomes), axis=0)).tolist())


def outcome(picture: Pixels, label: int, predictor: DigitPredictor) -> tuple[bool, bool, bool, bool]:
    """Tell whether a picture is read right, refused, read wrong, and read wrong with confidence."""
    try:
        found = predictor.predict(picture)
    except ImageError:
        return False, True, False, False
    is_wrong = found.digit != label
    return not is_wrong, False, is_wrong, is_wrong and found.confidence > SURE


def show(name: str, found: Score, more: str = "") -> None:
    """Print a row."""
    print(
        f"{name:28} right {found.right:6.2f} %  refused {found.refused:5.2f}  wrong {found.wrong:5.2f}  "
        f"over {100 * SURE:.0f} % sure of it {found.sure_and_wrong:5.2f}{more}",
        flush=True,
    )


def cheque_digits(folder: Path) -> tuple[list[Pixels], list[int], list[bool]]:
    """Return digits with a margin, their labels, and whether no other box overlaps theirs sideways."""
    with (folder / "digits.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    boxes: dict[str, list[tuple[int, int]]] = {}
    for row in rows:
        boxes.setdefault(row["file"], []).append((int(row["x"]), int(row["x"]) + int(row["width"])))
    pictures, alone = [], []
    for row in rows:
        left, top, width, height = (int(row[name]) for name in ("x", "y", "width", "height"))
        with Image.open(folder / "images" / row["file"]) as image:
            cheque = np.asarray(image.convert("RGB"))
        margin = round(MARGIN * max(width, height))
        pictures.append(
            cheque[
                max(0, top - margin) : top + height + margin, max(0, left - margin) : left + width + margin
            ]
        )
        beside = sum(start < left + width and left < stop for start, stop in boxes[row["file"]])
        alone.append(beside == 1)
    return pictures, [int(row["digit"]) for row in rows], alone


def read_papers(
    count: int, predictor: DigitPredictor
) -> tuple[dict[str, Any], dict[str, tuple[float, float]]]:
    """Read each kind of paper, and return results and targets."""
    images, labels = chosen_images("validation", count)
    results, targets = {}, {}
    for name, draw in KINDS.items():
        generator = np.random.default_rng(0)
        found = score((draw(image, generator) for image in images), labels, predictor)
        show(name, found)
        results[name] = found._asdict()
        if name.startswith(TARGETED):
            targets[f"{name}: not read right, in percent"] = (100 - found.right, 100 - LEAST)
            targets[f"{name}: wrong and sure, in percent"] = (found.sure_and_wrong, MOST_SURE)
    return results, targets


def read_noisy(
    count: int, predictor: DigitPredictor
) -> tuple[dict[str, Any], dict[str, tuple[float, float]]]:
    """Read noisy images in MNIST's form, as pictures and as they are, and return results and targets."""
    images, labels = chosen_images("validation", count)
    results, worst, total = {}, 0.0, 0.0
    for name, draw in NOISES.items():
        generator = np.random.default_rng(1)
        noisy = np.stack([draw(image, generator) for image in images])
        as_they_are = 100 * float((predictor.probabilities(noisy).argmax(axis=1) == labels).mean())
        found = score(noisy, labels, predictor)
        show(name, found, f"  by probabilities {as_they_are:6.2f} %")
        results[name] = {**found._asdict(), "as they are": as_they_are}
        worst, total = max(worst, as_they_are - found.right), total + found.right
    mean = total / len(NOISES)
    print(f"{'mean of the noisy':28} right {mean:6.2f} %")
    targets = {
        "noisy images, mean: not read right, in percent": (100 - mean, 100 - LEAST_NOISY),
        "noisy images, worst: points below probabilities": (worst, MOST_BELOW),
    }
    return results, targets


def read_tiny(predictor: DigitPredictor) -> tuple[dict[str, Any], dict[str, tuple[float, float]]]:
    """Read scikit-learn's 8x8 digits, and return results and targets; nothing where it is not installed."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        return {}, {}
    data = load_digits()
    pictures = np.rint(data.images * (255 / 16)).astype(np.uint8)
    found = score(pictures, data.target.tolist(), predictor)
    show("8x8", found)
    return {"8x8": found._asdict()}, {
        "8x8: not read right, in percent": (100 - found.right, 100 - LEAST_OF_TINY)
    }


def read_cheques(
    folder: Path, predictor: DigitPredictor
) -> tuple[dict[str, Any], dict[str, tuple[float, float]]]:
    """Read digits cut out of cheques, and return results and targets."""
    pictures, labels, alone = cheque_digits(folder)
    found = score(pictures, labels, predictor)
    show("cheques", found)
    chosen = [index for index, is_alone in enumerate(alone) if is_alone]
    apart = score([pictures[i] for i in chosen], [labels[i] for i in chosen], predictor)
    show("cheques, no overlap", apart)
    targets = {
        "cheques: not read right, in percent": (100 - found.right, 100 - LEAST_OF_CHEQUES),
        "cheques, no overlap: not read right, in percent": (100 - apart.right, 100 - LEAST_ALONE),
        "cheques: refused, in percent": (found.refused, MOST_REFUSED),
    }
    return {"all": found._asdict(), "no overlap": apart._asdict()}, targets


def main() -> int:
    """Measure, print a table, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--noisy", type=int, default=1000)
    parser.add_argument("--cheques", type=Path)
    parser.add_argument("--model", type=Path, default=default_model())
    arguments = parser.parse_args()

    predictor = DigitPredictor(arguments.model)
    results: dict[str, object] = {"images": arguments.images, "noisy images": arguments.noisy}
    targets: dict[str, tuple[float, float]] = {}
    parts = {
        "papers": read_papers(arguments.images, predictor),
        "noisy": read_noisy(arguments.noisy, predictor),
        "tiny": read_tiny(predictor),
    }
    if arguments.cheques is not None:
        parts["cheques"] = read_cheques(arguments.cheques, predictor)
    for name, (found, wanted) in parts.items():
        results[name] = found
        targets |= wanted
    return conclude("paper", results, targets)


if __name__ == "__main__":
    sys.exit(main())
