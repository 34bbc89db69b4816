"""How much longer one model takes than another: both in turn, and the ratio of each turn on its own."""

import math
import random
from dataclasses import dataclass

import numpy as np

from edgedigits.comparing.paired import SIGNIFICANT
from edgedigits.datasets.split import Split
from edgedigits.measuring.bench import time_calls
from edgedigits.measuring.bench_result import Latency
from edgedigits.progress import SILENT, Progress
from edgedigits.runtimes.model import Model

ROUNDS = 20
"""Turns of both models."""
SECONDS = 1.0
"""Of each model, in all turns together."""
LEAST_CALLS = 5
"""Of a model in a turn, however slow it is."""
SINGLES = 1_000
"""Different images that are asked about, one at a time."""


@dataclass(frozen=True)
class LatencyChange:
    """Time of one image at a time, and how the new model's is to the old one's."""

    old: Latency
    new: Latency
    ratio: float
    """Median over the turns of the new median by the old one: below 1 is quicker."""
    low: float
    """Lower end of an interval of it that holds in at least 95 of 100 measurements."""
    high: float
    """Upper end of it."""
    rounds: int

    @property
    def is_significant(self) -> bool:
        """Whether the interval leaves out that both take the same time."""
        return not self.low <= 1 <= self.high


def measure_latency(old: Model, new: Model, split: Split, progress: Progress = SILENT) -> LatencyChange:
    """Time two models on single test images, turn by turn, in an order of chance.

    A machine that is slow for a while is slow for both. What is compared are the medians of one turn: other programs
    disturb some calls, and whole turns, but seldom most of them.

    Args:
        old: one model.
        new: another, or the same.
        split: the images.
        progress: shows a bar.
    """
    generator = random.Random(0)  # noqa: S311  (an order, not a secret)
    chosen = generator.sample(range(len(split.images)), k=min(SINGLES, len(split.images)))
    singles = [split.images[index : index + 1] for index in chosen]
    samples: dict[str, list[list[int]]] = {"old": [], "new": []}
    with progress.task("latency", 2 * ROUNDS) as advance:
        for _ in range(ROUNDS):
            for side in generator.sample(["old", "new"], k=2):
                model = old if side == "old" else new
                samples[side].append(time_calls(model, singles, SECONDS / ROUNDS, LEAST_CALLS))
                advance(1)
    medians = {side: np.array([np.median(turn) for turn in turns]) for side, turns in samples.items()}
    ratios = sorted((medians["new"] / medians["old"]).tolist())
    first = _rank(len(ratios))
    return LatencyChange(
        old=Latency.of([sample for turn in samples["old"] for sample in turn]),
        new=Latency.of([sample for turn in samples["new"] for sample in turn]),
        ratio=float(np.median(ratios)),
        low=ratios[first],
        high=ratios[-1 - first],
        rounds=ROUNDS,
    )


def _rank(count: int) -> int:
    """Return how many of sorted values may be left out at each end so that the rest encloses their median in 95 %.

    Each value lies above or below the true median as a coin falls, whatever else their distribution is.

    Source: W. R. Thompson, "On confidence ranges for the median and other expectation distributions for populations of
    unknown distribution form", Annals of Mathematical Statistics 7 (1936).

    Args:
        count: of values, 6 or more: fewer cannot enclose it so often.
    """
    left_out, tail = 0, 1.0
    while 2 * tail <= SIGNIFICANT * 2**count:
        left_out += 1
        tail += math.comb(count, left_out)
    return left_out - 1
