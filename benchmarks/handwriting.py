"""Other people's handwriting: what drawn digits in training are worth, and how much of it is read.

For each network, trained with and without drawn digits and kept in ``build/networks``, the share that is read right of

    validation      MNIST's validation images
    wild            pictures of other people's digits, all and the worst source; see ``wild.py``
    cheques         digits cut out of bank cheques by their boxes and a margin, all and those beside no other
    other hands     digits of another generator than that of the training; see ``_other_hands.py``
    8x8             scikit-learn's digits of 8x8 pixels

What is refused counts as misread. Neither the test images nor one of these sets decides anything here.

The folder of the cheques holds ``images`` and ``digits.csv`` with the columns ``file``, ``digit``, ``x``, ``y``,
``width`` and ``height`` of each box, in pixels. A set whose folder is not named is left out.

Usage: python benchmarks/handwriting.py [--wild FOLDER] [--cheques FOLDER] [--arch 128-32] [--budget standard]
    [--drawn 30000] [--non-digits 0] [--spoilt 0] [--seeds 3]
"""

import argparse
import csv
import statistics
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from _machine import conclude
from _networks import kept
from _other_hands import written_digits
from PIL import Image
from sklearn.datasets import load_digits
from wild import read_manifest

from edgedigits.datasets import mnist
from edgedigits.datasets.split import Split
from edgedigits.errors import ImageError
from edgedigits.model_files.trained_networks import read_arch, written_arch
from edgedigits.picture.levels import Pixels
from edgedigits.picture.prepare import prepare
from edgedigits.picture.reading import Picture
from edgedigits.runtimes.opening import open_model
from edgedigits.training.drawn import draw_digits
from edgedigits.training.recipe import Recipe, edge
from edgedigits.training.splits import training_data

MARGIN = 0.08
"""Around the box of a digit on a cheque, in its longer sides."""
WRITTEN = 5_000
"""Digits of the other generator."""
TARGETS = {"wild": 99.3, "worst source": 97, "cheques": 90, "cheques, free": 95, "other hands": 99, "8x8": 97}
"""Percent, at least, of the mean over all seeds with drawn digits."""
MOST_REFUSED = 1.0
"""Percent of the digits on cheques."""
DRAWN_AT_ONCE, MOST_SECONDS = 30_000, 3.0
"""Digits of which the drawing is timed, and seconds of a processor that it may take."""


@dataclass(frozen=True)
class Digits:
    """Prepared pictures of one set."""

    images: Pixels
    """uint8 (n, 28, 28); all 0 where the picture was refused."""
    labels: npt.NDArray[np.int64]
    is_read: npt.NDArray[np.bool_]
    groups: dict[str, npt.NDArray[np.bool_]]
    """Which belong to a part of the set that is counted by itself as well."""

    @property
    def refused(self) -> float:
        """Percent of all."""
        return 100 * float((~self.is_read).mean())


def prepared(pictures: Iterable[tuple[Picture, int]]) -> Digits:
    """Prepare pictures one by one; given with their labels."""
    images, labels, is_read = [], [], []
    for picture, label in pictures:
        try:
            images.append(prepare(picture))
            is_read.append(True)
        except ImageError:
            images.append(np.zeros((28, 28), np.uint8))
            is_read.append(False)
        labels.append(label)
    return Digits(np.stack(images), np.array(labels), np.array(is_read), {})


def wild_digits(folder: Path) -> Digits:
    """Return the pictures of a folder with a manifest, and their sources."""
    manifest = read_manifest(folder)
    digits = prepared((folder / file, label) for file, label in manifest)
    sources = np.array([file.partition("/")[0] for file, _ in manifest])
    groups = {source: sources == source for source in dict.fromkeys(sources.tolist())}
    return Digits(digits.images, digits.labels, digits.is_read, groups)


def cheque_digits(folder: Path) -> Digits:
    """Return the digits of all cheques, and which are beside no other: no box overlaps theirs from side to side."""
    boxes: dict[str, list[tuple[int, ...]]] = {}
    with (folder / "digits.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            box = tuple(int(row[key]) for key in ("digit", "x", "y", "width", "height"))
            boxes.setdefault(row["file"], []).append(box)
    free = [
        sum(x < other + across and other < x + width for _, other, _, across, _ in on_cheque) == 1
        for on_cheque in boxes.values()
        for _, x, _, width, _ in on_cheque
    ]
    digits = prepared(_cut_out(folder / "images", boxes))
    return Digits(digits.images, digits.labels, digits.is_read, {"free": np.array(free)})


def _cut_out(folder: Path, boxes: dict[str, list[tuple[int, ...]]]) -> Iterator[tuple[Image.Image, int]]:
    for name, on_cheque in boxes.items():
        with Image.open(folder / name) as image:
            for digit, x, y, width, height in on_cheque:
                margin = MARGIN * max(width, height)
                box = (
                    max(0, round(x - margin)),
                    max(0, round(y - margin)),
                    min(image.width, round(x + width + margin)),
                    min(image.height, round(y + height + margin)),
                )
                yield image.crop(box), digit


def small_digits() -> Digits:
    """Return scikit-learn's digits of 8x8 pixels with 17 levels."""
    images, labels = load_digits(return_X_y=True)
    levels = np.rint(images.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    return prepared(zip(levels, labels.tolist(), strict=True))


def other_hands() -> Digits:
    """Return digits of the other generator."""
    return Digits(*written_digits(WRITTEN, seed=0), {})


def drawing_time() -> float:
    """Return the seconds of a processor that ``DRAWN_AT_ONCE`` digits for training take, the best of three."""
    seconds = []
    for seed in range(3):
        started = time.process_time()
        draw_digits(DRAWN_AT_ONCE, np.random.default_rng(seed))
        seconds.append(time.process_time() - started)
    return min(seconds)


def score(path: Path, sets: dict[str, Digits]) -> dict[str, float]:
    """Return what a network reads right of each set and its parts, in percent."""
    model = open_model(path)
    scores = {}
    for name, digits in sets.items():
        right = (model.probabilities(digits.images).argmax(axis=1) == digits.labels) & digits.is_read
        scores[name] = 100 * float(right.mean())
        parts = {part: 100 * float(right[chosen].mean()) for part, chosen in digits.groups.items()}
        if name == "wild":
            scores["worst source"] = min(parts.values())
        else:
            scores |= {f"{name}, {part}": share for part, share in parts.items()}
    return scores


def validation_digits(recipe: Recipe, split: Split) -> Digits:
    """Return the validation images of a recipe."""
    data = training_data(recipe, split)
    labels = data.validation_labels.astype(np.int64)
    return Digits(data.validation_images, labels, np.ones(len(labels), bool), {})


def main() -> int:
    """Train or find the networks, print a table, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--wild", type=Path)
    parser.add_argument("--cheques", type=Path)
    parser.add_argument("--arch", nargs="+", type=read_arch, default=[(128, 32)])
    parser.add_argument("--budget", choices=["fast", "standard", "long"], default="standard")
    parser.add_argument("--drawn", nargs="+", type=int, default=[30_000])
    parser.add_argument("--non-digits", type=int, default=0, help="besides the drawn digits")
    parser.add_argument(
        "--spoilt", type=float, default=0.0, help="share of the images, where digits are drawn"
    )
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()

    source = mnist.find_or_download()
    train_split, test_split = mnist.read_split(source, "train"), mnist.read_split(source, "test")
    sets = {"other hands": other_hands(), "8x8": small_digits()}
    if arguments.wild:
        sets["wild"] = wild_digits(arguments.wild)
    if arguments.cheques:
        sets["cheques"] = cheque_digits(arguments.cheques)
    rows: list[dict[str, object]] = []
    for arch in arguments.arch:
        for drawn in (0, *arguments.drawn):
            for seed in range(arguments.seeds):
                more = {"non_digits": arguments.non_digits, "spoilt": arguments.spoilt} if drawn else {}
                recipe = edge(arch, arguments.budget, drawn=drawn, seed=seed, **more)
                path = kept(recipe, train_split, test_split)
                scores = score(path, {"validation": validation_digits(recipe, train_split), **sets})
                made = {"drawn": drawn, "non_digits": recipe.non_digits, "spoilt": recipe.spoilt}
                rows.append({"arch": written_arch(arch), **made, "seed": seed, **scores})
                print(", ".join(f"{key} {_shown(value)}" for key, value in rows[-1].items()), flush=True)
    seconds = drawing_time()
    refused = {name: digits.refused for name, digits in sets.items()}
    print("refused, in percent: " + ", ".join(f"{name} {share:.1f}" for name, share in refused.items()))
    targets = _targets(rows, refused)
    targets[f"drawing {DRAWN_AT_ONCE:,} digits, seconds of a processor"] = (seconds, MOST_SECONDS)
    return conclude(
        "handwriting", {"networks": rows, "refused": refused, "drawing_seconds": seconds}, targets
    )


def _shown(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _targets(rows: list[dict[str, object]], refused: dict[str, float]) -> dict[str, tuple[float, float]]:
    """Return what is misread at the mean of all seeds with drawn digits, and what may be."""
    targets = {}
    for arch, drawn in dict.fromkeys((row["arch"], row["drawn"]) for row in rows if row["drawn"]):
        chosen = [row for row in rows if (row["arch"], row["drawn"]) == (arch, drawn)]
        for name, least in TARGETS.items():
            if name in chosen[0]:
                mean = statistics.mean(float(str(row[name])) for row in chosen)
                targets[f"{arch}, {drawn} drawn, {name}, misread, in percent"] = (100 - mean, 100 - least)
    if "cheques" in refused:
        targets["cheques, refused, in percent"] = (refused["cheques"], MOST_REFUSED)
    return targets


if __name__ == "__main__":
    sys.exit(main())
