"""Whether the network knows what it does not know: what it is sure of, and how right it is then.

Of MNIST's test images and of a folder of other people's pictures: the share that is answered and sure
(``Prediction.sure``), and the share of right answers among these. Of pictures of what is no digit, by kind: the share
that is answered as sure. They go through ``predict`` as pictures; what is refused is not answered.

The folder is that of ``wild.py``: pictures and ``manifest.csv`` with the columns ``file`` and ``label``.

Usage: python benchmarks/sure.py FOLDER [--model models/hands/digits.int8.onnx] [--pictures 500] [--min-margin LEAD]
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from _machine import conclude
from _not_digits import KINDS, pictures_of
from wild import read_manifest

from edgedigits.datasets import mnist
from edgedigits.errors import ImageError
from edgedigits.picture.reading import Picture
from edgedigits.prediction import Prediction
from edgedigits.predictor import DigitPredictor
from edgedigits.shipped import default_model

SEED = 0
LEAST_SURE, LEAST_RIGHT, MOST_OF_NO_DIGIT = 97.0, 99.9, 5.0
"""Percent."""


class Count(NamedTuple):
    """What became of pictures."""

    pictures: int
    answered: int
    sure: int
    sure_and_right: int

    def plus(self, other: "Count") -> "Count":
        """Return the sum."""
        return Count(*(one + more for one, more in zip(self, other, strict=True)))

    @property
    def sure_percent(self) -> float:
        """Of all pictures, those that are answered and sure."""
        return 100 * self.sure / self.pictures

    @property
    def right_percent(self) -> float:
        """Of those that are sure, those that are right; 100 where none is sure."""
        return 100 * self.sure_and_right / self.sure if self.sure else 100.0


def answer(predictor: DigitPredictor, picture: Picture) -> Prediction | None:
    """Return the answer to a picture, None where it is refused."""
    try:
        return predictor.predict(picture)
    except ImageError:
        return None


def count(predictor: DigitPredictor, pictures: Sequence[Picture], labels: Sequence[int | None]) -> Count:
    """Count what is answered, sure and right; what has no label is right never."""
    answers = [answer(predictor, picture) for picture in pictures]
    sure = [(found, label) for found, label in zip(answers, labels, strict=True) if found and found.sure]
    right = sum(found.digit == label for found, label in sure)
    return Count(len(pictures), sum(found is not None for found in answers), len(sure), right)


def main() -> int:
    """Measure, print two tables, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", type=Path, default=default_model())
    parser.add_argument("--pictures", type=int, default=500, help="of each kind that is no digit")
    parser.add_argument("--min-margin", type=int, help="steps of 1/256; by default what the file says")
    arguments = parser.parse_args()

    predictor = DigitPredictor(arguments.model, min_margin=arguments.min_margin)
    print(f"{arguments.model.name}: sure from a lead of {predictor.min_margin}/256 on")
    test = mnist.read_split(mnist.find_or_download(), "test")
    wild = read_manifest(arguments.folder)
    digits = {
        "MNIST test images": count(predictor, list(test.images), test.labels.tolist()),
        "other people's pictures": count(
            predictor, [arguments.folder / file for file, _ in wild], [label for _, label in wild]
        ),
    }
    both = Count(0, 0, 0, 0)
    for counted in digits.values():
        both = both.plus(counted)
    digits["together"] = both
    for name, counted in digits.items():
        print(
            f"{name:30}{counted.sure_percent:7.2f} % of {counted.pictures:,} answered and sure, "
            f"{counted.right_percent:.3f} % of these right"
        )
    others = {
        kind: count(predictor, pictures_of(kind, arguments.pictures, SEED), [None] * arguments.pictures)
        for kind in KINDS
    }
    whole = Count(0, 0, 0, 0)
    for kind, counted in others.items():
        whole = whole.plus(counted)
        print(
            f"{kind:30}{counted.sure_percent:7.2f} % of {counted.pictures:,} answered as sure "
            f"({100 * (1 - counted.answered / counted.pictures):.1f} % refused)"
        )
    results = {name: counted._asdict() for name, counted in {**digits, **others}.items()}
    return conclude(
        "sure",
        {"min_margin": predictor.min_margin, "pictures": results},
        {
            "digits that are not answered, or not surely, percent": (
                100 - both.sure_percent,
                100 - LEAST_SURE,
            ),
            "wrong among the sure ones, percent": (100 - both.right_percent, 100 - LEAST_RIGHT),
            "no digit, answered as sure, percent": (whole.sure_percent, MOST_OF_NO_DIGIT),
        },
    )


if __name__ == "__main__":
    sys.exit(main())
