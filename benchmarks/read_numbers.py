"""How well numbers are read: strings of MNIST's test images, pages, amounts of cheques, single digits, empty paper.

Strings of three to eight images stand apart by two pixels or more, or touch in one place (``_lines.py``); pages have
dates, telephone numbers or three lines, with separators. Beside them in the same run: what the classifier alone allows
(every image of a string read right by itself), and the simple way: connected parts and classifier (``_components.py``).

With ``--cheques``, amounts with the place of each digit (a folder with ``images/`` and ``digits.csv``: file, digit, x,
y, width, height); with ``--wild``, single digits of other people (a folder with ``manifest.csv``: file, label). Then
the time that reading takes, and what pictures of noise and print take in a process of their own.

Recipe and thresholds were chosen on images of the training file (``--validation``: the validation images of seed 0, of
which a network of another seed has been taught most) and on cheques, never on the test images.

Usage: python benchmarks/read_numbers.py [--cheques FOLDER] [--wild FOLDER] [--validation] [--strings 1200]
       [--pages 150] [--only strings,pages,singles,empty,cheques,time,bounds] [--model FILE]
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from difflib import SequenceMatcher
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from _amounts import Amount, Answer, Count, Found, count, read_amounts
from _components import read_components
from _empty_papers import KINDS, empty_paper
from _lines import LENGTHS, LINES, Digits, Written, page, string
from _machine import conclude, show_targets
from _number_costs import keep_bounds, take_time
from mnist_pictures import chosen_images
from wild import read_manifest

from edgedigits.errors import ImageError
from edgedigits.picture.reading import Picture, read_picture
from edgedigits.predictor import DigitPredictor

Targets = dict[str, tuple[float, float]]
Part = tuple[dict[str, Any], Targets]

LEAST_APART, LEAST_TOUCHING, LEAST_LINES = 97.0, 90.0, 95.0
LEAST_DIGITS, LEAST_AMOUNTS, LEAST_AMOUNTS_APART, LEAST_SURE, LEAST_RIGHT = 90.0, 65.0, 80.0, 60.0, 99.0
MOST_BELOW, MOST_EMPTY = 0.3, 5.0
"""Percent and points."""


def read(picture: Picture, predictor: DigitPredictor) -> Answer:
    """Read a picture of one number; of several lines, all digits."""
    reading = predictor.read(picture)
    found = tuple(Found(sign.text, sign.box) for line in reading.lines for sign in line.digits)
    return Answer(found, reading.sure)


class Shares(NamedTuple):
    """Of strings, in percent."""

    right: float
    sure: float
    right_among_sure: float
    by_classifier_alone: float
    by_components: float


def shares(strings: Sequence[Written], predictor: DigitPredictor) -> Shares:
    """Read strings, each way."""
    answers = [read(written.picture, predictor) for written in strings]
    right = [answer.text == written.lines[0] for answer, written in zip(answers, strings, strict=True)]
    sure = [is_right for answer, is_right in zip(answers, right, strict=True) if answer.sure]
    simple = [read_components(written.picture, predictor).text == written.lines[0] for written in strings]
    alone = [classified(written, predictor) == written.lines[0] for written in strings]
    return Shares(
        100 * float(np.mean(right)),
        100 * len(sure) / len(strings),
        100 * sum(sure) / len(sure) if sure else 100.0,
        100 * float(np.mean(alone)),
        100 * float(np.mean(simple)),
    )


def classified(written: Written, predictor: DigitPredictor) -> str:
    """Read the images of a string one by one, as they were."""
    return "".join(str(digit) for digit in predictor.probabilities(written.images).argmax(axis=1))


def read_strings(digits: Digits, strings: int, predictor: DigitPredictor) -> Part:
    """Read strings of every length, apart and touching."""
    results: dict[str, Any] = {}
    targets: Targets = {}
    for name, touching, least in (("apart", False, LEAST_APART), ("touching", True, LEAST_TOUCHING)):
        generator = np.random.default_rng(int(touching))
        by_length = {
            length: shares(
                [
                    string(digits, length, generator, touching=touching)
                    for _ in range(strings // len(LENGTHS))
                ],
                predictor,
            )
            for length in LENGTHS
        }
        mean = Shares(*np.mean([list(row) for row in by_length.values()], axis=0).tolist())
        for length, row in [*by_length.items(), ("all", mean)]:
            print(
                f"{name + ', ' + str(length):16} right {row.right:6.2f} %   sure {row.sure:6.2f} "
                f"(right {row.right_among_sure:6.2f})   classifier alone {row.by_classifier_alone:6.2f}   "
                f"components {row.by_components:6.2f}",
                flush=True,
            )
        results[name] = {str(length): row._asdict() for length, row in by_length.items()}
        results[name]["all"] = mean._asdict()
        targets[f"strings, {name}: not read right, in percent"] = (100 - mean.right, 100 - least)
    return results, targets


def read_pages(digits: Digits, pages: int, predictor: DigitPredictor) -> Part:
    """Read pages of each kind: lines that are right with their separators, in order."""
    results: dict[str, Any] = {}
    total = right = 0
    for number, (name, lines) in enumerate(LINES.items()):
        generator = np.random.default_rng([2, number])
        written = [page(digits, lines(generator), generator) for _ in range(pages)]
        readings = [predictor.read(one.picture) for one in written]
        texts = [[line.text for line in reading.lines] for reading in readings]
        bare = [
            ["".join(sign.text for sign in line.digits) for line in reading.lines] for reading in readings
        ]
        wanted = [list(one.lines) for one in written]
        wanted_bare = [["".join(filter(str.isdigit, line)) for line in one] for one in wanted]
        of = sum(max(len(one), len(found)) for one, found in zip(wanted, texts, strict=True))
        good = sum(map(lines_in_order, wanted, texts))
        results[name] = {
            "lines": of,
            "right": 100 * good / of,
            "digits right": 100 * sum(map(lines_in_order, wanted_bare, bare)) / of,
        }
        print(
            f"{name:20} right {results[name]['right']:6.2f} % of {of} lines, "
            f"digits alone {results[name]['digits right']:6.2f}",
            flush=True,
        )
        total, right = total + of, right + good
    return results, {
        "lines of pages: not read right, in percent": (100 - 100 * right / total, 100 - LEAST_LINES)
    }


def lines_in_order(wanted: list[str], found: list[str]) -> int:
    """Count the lines that are the same, in the same order."""
    matcher = SequenceMatcher(None, wanted, found, autojunk=False)
    return sum(block.size for block in matcher.get_matching_blocks())


def read_singles(
    named: dict[str, tuple[Sequence[Picture], Sequence[int]]], predictor: DigitPredictor
) -> Part:
    """Read pictures of one digit by ``read`` and by ``predict``."""
    results: dict[str, Any] = {}
    targets: Targets = {}
    for name, (singles, labels) in named.items():
        by_read = share_right(lambda one: read(one, predictor).text, singles, labels)
        by_predict = share_right(lambda one: predictor.predict(one).label, singles, labels)
        print(f"{name:20} by read {by_read:6.2f} %, by predict {by_predict:6.2f}", flush=True)
        results[name] = {"pictures": len(labels), "read": by_read, "predict": by_predict}
        targets[f"single digits, {name}: points below predict"] = (by_predict - by_read, MOST_BELOW)
    return results, targets


def share_right(
    text_of: Callable[[Picture], str], singles: Iterable[Picture], labels: Iterable[int]
) -> float:
    """Return the share of pictures that give their label, in percent; what is refused does not."""

    def is_right(picture: Picture, label: int) -> bool:
        try:
            return text_of(picture) == str(label)
        except ImageError:
            return False

    return 100 * float(np.mean([is_right(*pair) for pair in zip(singles, labels, strict=True)]))


def read_empty(papers: int, predictor: DigitPredictor) -> Part:
    """Read papers on which nothing is written."""
    generator = np.random.default_rng(3)
    results = {}
    for kind in KINDS:
        readings = [predictor.read(empty_paper(kind, generator)) for _ in range(papers)]
        results[kind] = {
            "a number": 100 * float(np.mean([bool(reading.lines) for reading in readings])),
            "a sure number": 100 * float(np.mean([reading.sure for reading in readings])),
        }
        print(f"{kind:30} a number in {results[kind]['a number']:6.2f} %", flush=True)
    mean = float(np.mean([row["a number"] for row in results.values()]))
    return results, {"empty papers with a number, in percent": (mean, MOST_EMPTY)}


def read_cheques(amounts: Sequence[Amount], predictor: DigitPredictor) -> Part:
    """Read amounts, all and those whose boxes do not overlap, and by length, each way."""
    answers = [read(amount.path, predictor) for amount in amounts]
    simple = [read_components(read_picture(amount.path), predictor) for amount in amounts]
    groups: dict[str, Callable[[Amount], bool]] = {
        "all": lambda _: True,
        "apart": lambda amount: amount.is_apart,
        "overlapping": lambda amount: not amount.is_apart,
    }
    for length in sorted({len(amount.digits) for amount in amounts}):
        groups[f"{length} digits"] = partial(has_length, length)
    results, counts = {}, {}
    for name, belongs in groups.items():
        chosen = [index for index, amount in enumerate(amounts) if belongs(amount)]
        members = [amounts[index] for index in chosen]
        counts[name] = count(members, [answers[index] for index in chosen])
        by_components = count(members, [simple[index] for index in chosen])
        results[name] = {**counts[name].shares(), "by components": by_components.shares()}
        show_amounts(name, counts[name], by_components)
    every, apart = counts["all"].shares(), counts["apart"].shares()
    return results, {
        "cheques: digits not found or wrong, in percent": (
            100 - every["digits found and right"],
            100 - LEAST_DIGITS,
        ),
        "cheques: amounts not right, in percent": (100 - every["right"], 100 - LEAST_AMOUNTS),
        "cheques, apart: amounts not right, in percent": (100 - apart["right"], 100 - LEAST_AMOUNTS_APART),
        "cheques: amounts not sure, in percent": (100 - every["sure"], 100 - LEAST_SURE),
        "cheques: wrong among the sure, in percent": (100 - every["right among the sure"], 100 - LEAST_RIGHT),
    }


def has_length(length: int, amount: Amount) -> bool:
    """Tell whether an amount has so many digits."""
    return len(amount.digits) == length


def show_amounts(name: str, found: Count, simple: Count) -> None:
    """Print a row."""
    row, other = found.shares(), simple.shares()
    print(
        f"cheques, {name:12} {found.amounts:5} right {row['right']:6.2f} %   "
        f"digits {row['digits found and right']:6.2f}   "
        f"sure {row['sure']:6.2f} (right {row['right among the sure']:6.2f})   components {other['right']:6.2f} "
        f"(digits {other['digits found and right']:6.2f})",
        flush=True,
    )


def wild_singles(folder: Path) -> tuple[list[Picture], list[int]]:
    """Return the pictures of a folder with a manifest, and their labels."""
    manifest = read_manifest(folder)
    return [folder / file for file, _ in manifest], [label for _, label in manifest]


def main() -> int:
    """Measure, print tables, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cheques", type=Path)
    parser.add_argument("--wild", type=Path)
    parser.add_argument("--validation", action="store_true", help="validation images in place of test images")
    parser.add_argument("--strings", type=int, default=1200, help="apart, and as many touching")
    parser.add_argument("--pages", type=int, default=150, help="of each kind, and papers of each kind")
    parser.add_argument("--only", help="parts with commas between them; their results are not written")
    parser.add_argument("--model", type=Path, help="for read and predict [default: those that came along]")
    arguments = parser.parse_args()

    predictor = DigitPredictor(arguments.model)
    split = "validation" if arguments.validation else "test"
    digits = Digits(*chosen_images(split, 10_000))
    singles: dict[str, tuple[Sequence[Picture], Sequence[int]]] = {
        f"MNIST {split} images": (list(digits.images), digits.labels.tolist())
    }
    if arguments.wild is not None:
        singles["other people's"] = wild_singles(arguments.wild)
    parts: dict[str, Callable[[], Part]] = {
        "strings": lambda: read_strings(digits, arguments.strings, predictor),
        "pages": lambda: read_pages(digits, arguments.pages, predictor),
        "singles": lambda: read_singles(singles, predictor),
        "empty": lambda: read_empty(arguments.pages, predictor),
        "time": lambda: take_time(digits, predictor),
        "bounds": lambda: keep_bounds(digits, arguments.model),
    }
    if arguments.cheques is not None:
        parts["cheques"] = lambda: read_cheques(read_amounts(arguments.cheques), predictor)
    chosen = arguments.only.split(",") if arguments.only else list(parts)
    results: dict[str, object] = {"split": split, "strings": arguments.strings, "pages": arguments.pages}
    targets: Targets = {}
    for name in chosen:
        found, wanted = parts[name]()
        results[f"{name}, percent" if name not in {"time", "bounds"} else name] = found
        targets |= wanted
    if arguments.only:
        return 1 if show_targets(targets) else 0
    return conclude("read_numbers", results, targets)


if __name__ == "__main__":
    sys.exit(main())
