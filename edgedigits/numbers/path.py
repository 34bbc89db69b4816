"""The likeliest way through a line: which pieces make digits, which separate them, and which are nothing."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edgedigits.numbers.candidates import Candidate
from edgedigits.numbers.pieces import HEIGHT, Strip

DIGIT_COST = 0.6
LOW_COST, WIDE_COST = 3.0, 3.0
SMALL_COST, LARGE_COST = 0.2, 2.0
LEAST_PROBABILITY = 1e-4


class Step(NamedTuple):
    """A part of a way: a candidate that is a digit, or a piece that is none."""

    first: int
    last: int
    candidate: int | None
    """Index of it; None for a piece that is no digit."""


def best_path(
    strip: Strip, candidates: list[Candidate], probabilities: npt.NDArray[np.float32]
) -> list[Step]:
    """Return the way of least cost."""
    pieces = strip.pieces
    costs = [0.0] + [np.inf] * len(pieces)
    steps: list[Step | None] = [None] * (len(pieces) + 1)
    ending: list[list[int]] = [[] for _ in pieces]
    for index, candidate in enumerate(candidates):
        ending[candidate.last].append(index)
    likely = np.log(np.maximum(probabilities.max(axis=1), LEAST_PROBABILITY))
    for place, piece in enumerate(pieces):
        skipped = SMALL_COST if piece.is_small else LARGE_COST * piece.area / (HEIGHT * 4)
        costs[place + 1] = costs[place] + skipped
        steps[place + 1] = Step(place, place, None)
        for index in ending[place]:
            first, _, box = candidates[index]
            high, wide = (box.bottom - box.top) / HEIGHT, (box.right - box.left) / HEIGHT
            cost = (
                costs[first]
                - float(likely[index])
                + DIGIT_COST
                + LOW_COST * max(0.0, 0.8 - high)
                + WIDE_COST * max(0.0, wide - 1.0)
            )
            if cost < costs[place + 1]:
                costs[place + 1] = cost
                steps[place + 1] = Step(first, place, index)
    way: list[Step] = []
    place = len(pieces)
    while (step := steps[place]) is not None:
        way.append(step)
        place = step.first
    return way[::-1]
