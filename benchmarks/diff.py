"""What `edgedigits diff` promises: how often it sees a difference where there is none, where there is one; how soon.

Pairs of models are simulated image by image: an image has a chance of its own to be read wrong, drawn from a beta
distribution, and both models of a pair meet it independently. Equal models have the same chances; the concentration of
the beta distribution says whether mistakes are those of the images (two files of one network) or of the models (two
networks). In the same simulations: the interval of Wald and method 10 of Newcombe, and the test of two shares as if
they were of different images, which is what others compare by. Then pairs of real files, each in a process of its own,
from its start to its end, and the latency of files that are compared with themselves.

Usage: python benchmarks/diff.py [--models models]
"""

import argparse
import functools
import math
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from _machine import ROOT, conclude

from edgedigits.comparing import paired
from edgedigits.comparing.judgement import judge
from edgedigits.comparing.latency import measure_latency
from edgedigits.datasets import mnist
from edgedigits.measuring.metrics import Z_95, wilson_interval
from edgedigits.runtimes.opening import open_model

PAIRS = 10_000
AT_ONCE = 250
"""Pairs that are drawn together: 250 times 10,000 images are 2.5 million draws for each model."""
IMAGES = (1_000, 10_000)
MISTAKES = (0.006, 0.03)
CONCENTRATIONS = {"two files of one network": 0.05, "two networks": 1.0, "mistakes by chance": 1_000.0}
MARGINS = (0.0, 0.1, 0.2)
FILES = (
    ("digits.onnx", "digits.int8.onnx"),
    ("digits.tflite", "digits.int8.tflite"),
    ("digits.int8.tflite", "digits.c"),
    ("digits.ort", "digits.tflm.c"),
    ("digits.keras", "digits.int8.onnx"),
    ("tiny/tiny-16k.c", "tiny/tiny-2k.c"),
)
SELF_COMPARED = ("digits.int8.onnx", "digits.int8.tflite")
REPETITIONS = 25
MOST_SECONDS = 10.0

Counts = npt.NDArray[np.int64]


def draw_pairs(
    images: int, mistakes: float, concentration: float, lost: float, generator: np.random.Generator
) -> tuple[Counts, Counts, Counts]:
    """Simulate pairs of models, each pair on images of its own.

    Args:
        images: in each sample.
        mistakes: mean share of them that the old model reads wrong.
        concentration: of the beta distribution of an image's chance.
        lost: share of images that the new model loses of those that it would read right.
        generator: of all draws.

    Returns:
        Images fixed, images broken, and images that the old model reads right, each of shape (PAIRS,).
    """
    fixed, broken, right = [], [], []
    for _ in range(0, PAIRS, AT_ONCE):
        chances = generator.beta(
            mistakes * concentration, (1 - mistakes) * concentration, (AT_ONCE, images)
        ).astype(np.float32)
        old, new = (generator.random(chances.shape, np.float32) >= chances for _ in range(2))
        if lost:
            new &= generator.random(chances.shape, np.float32) >= lost
        fixed.append((new & ~old).sum(axis=1))
        broken.append((old & ~new).sum(axis=1))
        right.append(old.sum(axis=1))
    return np.concatenate(fixed), np.concatenate(broken), np.concatenate(right)


@functools.cache
def difference(images: int, fixed: int, broken: int) -> paired.Difference:
    """Compare one pair; most counts come often."""
    return paired.difference(images, fixed, broken)


def wald(images: int, fixed: int, broken: int) -> tuple[float, float]:
    """Return the usual approximation of the interval, in points."""
    share = (fixed - broken) / images
    reach = Z_95 * math.sqrt(fixed + broken - (fixed - broken) ** 2 / images) / images
    return 100 * (share - reach), 100 * (share + reach)


def newcombe(images: int, fixed: int, broken: int, right: int) -> tuple[float, float]:
    """Return method 10 of R. G. Newcombe, Statistics in Medicine 17 (1998), pages 2635 to 2650, in points."""
    both, neither = right - broken, images - right - fixed
    new, old = (fixed + both) / images, right / images
    (new_low, new_high), (old_low, old_high) = (
        [end / 100 for end in wilson_interval(round(share * images), images)] for share in (new, old)
    )
    product = (both + fixed) * (broken + neither) * (both + broken) * (fixed + neither)
    determinant: float = both * neither - fixed * broken
    if determinant > 0:
        determinant = max(determinant - images / 2, 0.0)
    phi = determinant / math.sqrt(product) if product else 0.0

    def reach(a: float, b: float) -> float:
        return math.sqrt(max(a * a - 2 * phi * a * b + b * b, 0.0))

    low = new - old - reach(new - new_low, old_high - old)
    high = new - old + reach(new_high - new, old - old_low)
    return 100 * low, 100 * high


def is_seen_unpaired(images: int, fixed: int, broken: int, right: int) -> bool:
    """Whether the test of two shares, as if they were of different images, calls it a difference."""
    old, new = right, right + fixed - broken
    mean = (old + new) / (2 * images)
    error = math.sqrt(2 * mean * (1 - mean) / images)
    return error > 0 and abs(new - old) / images / error > Z_95


def simulate(
    images: int, mistakes: float, concentration: float, lost: float, seed: int
) -> dict[str, float | dict[str, float]]:
    """Return how often pairs of one kind are told apart, and intervals hold the true difference, in percent."""
    fixed, broken, right = draw_pairs(images, mistakes, concentration, lost, np.random.default_rng(seed))
    truth = -100 * lost * (1 - mistakes)
    counts = list(zip(fixed.tolist(), broken.tolist(), right.tolist(), strict=True))
    found = [difference(images, gone, come) for gone, come, _ in counts]
    intervals = {
        "score": [(one.low, one.high) for one in found],
        "newcombe": [newcombe(images, *one) for one in counts],
        "wald": [wald(images, gone, come) for gone, come, _ in counts],
    }
    percent = 100 / len(found)
    return {
        "changed_percent": percent * float((fixed + broken).mean()) / images * len(found),
        "called_different": percent * sum(one.is_significant for one in found),
        "called_different_unpaired": percent * sum(is_seen_unpaired(images, *one) for one in counts),
        "gate_fails": {
            f"{margin:g}": percent
            * sum(judge(one, margin, is_strict=False).outcome == "fail" for one in found)
            for margin in MARGINS
        },
        "strict_gate_fails": {
            f"{margin:g}": percent * sum(not judge(one, margin, is_strict=True).passed for one in found)
            for margin in MARGINS
        },
        "covered": {
            name: percent * sum(low <= truth <= high for low, high in ends)
            for name, ends in intervals.items()
        },
    }


def equal_models() -> dict[str, dict[str, Any]]:
    """Simulate pairs of equal models of every kind."""
    rows = {}
    for seed, (images, mistakes, (kind, concentration)) in enumerate(
        (images, mistakes, kind)
        for images in IMAGES
        for mistakes in MISTAKES
        for kind in CONCENTRATIONS.items()
    ):
        name = f"{images:,} images, {100 * mistakes:g} % mistakes, {kind}"
        rows[name] = found = simulate(images, mistakes, concentration, 0.0, seed)
        print(f"{name}: called different {found['called_different']:.2f} %, {found['covered']}", flush=True)
    return rows


def unequal_models() -> dict[str, dict[str, Any]]:
    """Simulate pairs whose new model loses as much as is said to be seen four times in five."""
    rows = {}
    for seed, (images, (kind, concentration)) in enumerate(
        (images, kind) for images in IMAGES for kind in CONCENTRATIONS.items()
    ):
        mistakes = MISTAKES[0]
        changed = 2 * mistakes * (1 - mistakes) * concentration / (concentration + 1)
        least = paired.least_detectable(images, round(changed * images))
        if least is None:
            raise AssertionError("so many images can show a difference")
        name = f"{images:,} images, {kind}: {100 * least / images:.2f} points"
        lost = least / images / (1 - mistakes)  # of the images that the new model would read right
        rows[name] = simulate(images, mistakes, concentration, lost, 1_000 + seed)
        seen, unpaired = rows[name]["called_different"], rows[name]["called_different_unpaired"]
        print(f"{name} lost: seen {seen:.1f} %, as if of different images {unpaired:.1f} %", flush=True)
    return rows


def whole_commands(models: Path) -> dict[str, float]:
    """Return seconds from start to end of `edgedigits diff`, latency and all: the median of three runs."""
    seconds = {}
    for old, new in FILES:
        runs = []
        for _ in range(3):
            started = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "edgedigits", "diff", str(models / old), str(models / new), "--json"],
                check=True, capture_output=True,
            )  # fmt: skip
            runs.append(time.perf_counter() - started)
        seconds[f"{old} {new}"] = statistics.median(runs)
        print(f"{old} {new}: {statistics.median(runs):.1f} s", flush=True)
    return seconds


def compared_with_themselves(models: Path) -> dict[str, dict[str, float]]:
    """Compare the latency of files with themselves: how often it is called different, and the ratios."""
    split = mnist.read_split(mnist.find_or_download(), "test")
    rows = {}
    for name in SELF_COMPARED:
        model = open_model(models / name)
        found = [measure_latency(model, model, split) for _ in range(REPETITIONS)]
        rows[name] = {
            "repetitions": REPETITIONS,
            "called_different": sum(one.is_significant for one in found),
            "largest_ratio": max(one.ratio for one in found),
            "smallest_ratio": min(one.ratio for one in found),
            "median_width": statistics.median(one.high - one.low for one in found),
        }
        print(f"latency of {name} against itself: {rows[name]}", flush=True)
    return rows


def main() -> int:
    """Simulate, measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--models", type=Path, default=ROOT / "models")
    models = parser.parse_args().models
    seconds = whole_commands(models)
    equal, unequal = equal_models(), unequal_models()
    gates = [row["gate_fails"] for row in equal.values()]
    return conclude(
        "diff",
        {
            "pairs_of_each_kind": PAIRS,
            "equal": equal,
            "unequal": unequal,
            "seconds": seconds,
            "latency_against_itself": compared_with_themselves(models),
        },
        {
            "equal models that are called different, worst kind, percent": (
                max(row["called_different"] for row in equal.values()), 5.0,
            ),
            "equal models that the gate fails, worst kind and margin, percent": (
                max(max(gate.values()) for gate in gates), 5.0,
            ),
            "true losses that were said to be seen and were not, worst kind, percent": (
                100 - min(row["called_different"] for row in unequal.values()), 25.0,
            ),
            "intervals that miss the true difference, worst kind, percent": (
                100 - min(row["covered"]["score"] for row in (*equal.values(), *unequal.values())), 6.0,
            ),
            "10,000 images through two files, slowest pair, seconds": (max(seconds.values()), MOST_SECONDS),
        },
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
