"""The likeliest way through a line: which pieces make digits, and which are none.

A way costs what its digits cost, and what is left out of them. A digit costs the more the less probable it is, by the
negative logarithm of its probability; it counts by its width, or ways of few digits would always be the cheapest. Size
and place count as well: digits of a line are about as high, and stand on one line. The best ways are found piece by
piece (dynamic programming), a few at each, so that the answer knows by how much it is ahead of the next one.

Source: F. Kimura and M. Shridhar, "Segmentation-recognition algorithm for zip code field recognition", Machine Vision
and Applications 5, 1992; weights by width: X.-D. Zhou et al., "Handwritten Chinese/Japanese text recognition using
semi-Markov conditional random fields", IEEE PAMI 35, 2013.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edgedigits.numbers.candidates import Candidate
from edgedigits.numbers.pieces import HEIGHT, Piece, Strip

LEAST_PROBABILITY = 1e-4
PROBABILITY_COST, BARE_WIDTH = 3.2, 0.07
"""Cost of a probability of 1/e for each of its heights that a digit is wide, and what is added to that width."""
DIGIT_COST = 0.4
"""Of each digit."""
LOW, LOW_COST = 0.8, 3.0
"""Height, in that of the line's digits, below which a digit costs more, and how much for a whole one."""
WIDE, WIDE_COST = 0.8, 3.0
"""The same of a width above."""
ASTRAY, ASTRAY_COST = 0.15, 4.0
"""The same of the distance of its foot from those of the others."""

JOINED_COST = 0.5
"""Of a digit whose first or last piece is small and not at its head: that is a point beside it, or a dash."""
SMALL_COST = 0.0
"""Of a small piece that is left out: points and dashes are expected."""
HIGH, HIGH_COST = 0.3, 0.1
"""Depth below the digits' heads, in their height, above which no point or dash is, and the cost of a small piece that
is left out there."""
LARGE_COST = 2.0
"""Of a piece that is left out, for each stroke of a digit's height, four pixels wide."""
SLASH_TILT = 0.05
"""Tilt of a straight stroke from which on it may be a slash."""
CERTAIN = 4
"""Power of a candidate's probability by which it counts in the height and foot of the line's digits."""
STROKE_WEIGHT = 0.01
"""Of a straight stroke in these, in that of others."""
WAYS = 3
"""Best ways that are kept at each piece."""
SECOND = 1e-3
"""Probability of a candidate's second digit from which on it is a way of its own."""

Floats = npt.NDArray[np.float64]


class Step(NamedTuple):
    """A part of a way: a candidate that is a digit, or a piece that is none."""

    first: int
    last: int
    candidate: int | None
    """Index of it; None for a piece that is no digit."""
    digit: int | None


class Measures(NamedTuple):
    """Of the digits of a line, in pixels of its strip."""

    height: float
    foot: float
    """Row at which they end."""
    unevenness: float
    """Median distance of their heights from that one, in it."""


class Way(NamedTuple):
    """A way through a line."""

    cost: float
    text: str
    """Its digits."""
    step: Step | None
    """The last; None where it has none."""
    before: "Way | None"
    open_cost: float = 0.0
    """Of the slashes behind its last digit, if none follows."""

    def steps(self) -> list[Step]:
        """Return all steps from the first to the last."""
        found = []
        way: Way | None = self
        while way is not None and way.step is not None:
            found.append(way.step)
            way = way.before
        return found[::-1]


class Cost(NamedTuple):
    """What a step costs."""

    always: float
    at_end: float = 0.0
    """Where no digit is before it, or none behind it, besides: a slash separates."""


class State(NamedTuple):
    """What ways have in common that are compared."""

    digits: int
    """How many, where there have to be so many; else 0."""
    is_open: bool
    """Whether a slash is behind the last digit, which is none if no digit follows."""


def best_ways(
    strip: Strip,
    candidates: list[Candidate],
    probabilities: npt.NDArray[np.float32],
    measures: Measures,
    slash: float,
    digits: int | None = None,
) -> list[Way]:
    """Return the ways of least cost that read differently, the best first, at most ``WAYS``.

    Args:
        strip: the line.
        candidates: of it, at least one.
        probabilities: of each candidate, for each digit; (n, 10).
        measures: of the line's digits; see ``measures_of``.
        slash: height of a slash, in that of the line's digits, at least.
        digits: how many there have to be; None for any number.

    Returns:
        None at all where no way has so many digits.
    """
    edges = _edges(strip, candidates, probabilities, measures)
    places = [{State(0, is_open=False): [Way(0.0, "", None, None)]}]
    for place, piece in enumerate(strip.pieces):
        found: dict[State, list[Way]] = {}
        none = Step(place, place, None, None)
        _extend(found, places[place], none, _left_out(piece, measures, slash), digits)
        for step, cost in edges[place]:
            _extend(found, places[step.first], step, cost, digits)
        places.append({state: _best(ways) for state, ways in found.items()})
    ends = [ways for state, ways in places[-1].items() if state.digits == (digits or 0)]
    return _best(
        [way._replace(cost=way.cost + way.open_cost, open_cost=0.0) for ways in ends for way in ways]
    )


def _extend(
    found: dict[State, list[Way]],
    before: dict[State, list[Way]],
    step: Step,
    cost: Cost,
    digits: int | None,
) -> None:
    """Add the ways that go on with a step, by their state."""
    for (count, is_open), ways in before.items():
        further = count + (digits is not None and step.digit is not None)
        if digits is not None and further > digits:
            continue
        if step.digit is not None:
            more = [Way(way.cost + cost.always, way.text + str(step.digit), step, way) for way in ways]
            found.setdefault(State(further, is_open=False), []).extend(more)
            continue
        for way in ways:
            always = cost.always + (0.0 if way.text else cost.at_end)
            pending = way.open_cost + (cost.at_end if way.text else 0.0)
            state = State(further, is_open=is_open or pending > 0)
            found.setdefault(state, []).append(Way(way.cost + always, way.text, step, way, pending))


def _best(ways: list[Way]) -> list[Way]:
    """Return the cheapest ways of different texts."""
    kept: list[Way] = []
    for way in sorted(ways, key=lambda way: way.cost):
        if all(way.text != other.text for other in kept):
            kept.append(way)
            if len(kept) == WAYS:
                break
    return kept


def is_slash(piece: Piece, measures: Measures, least: float) -> bool:
    """Tell whether a piece is a straight stroke, tilted and at least so many times as high as the line's digits."""
    height = (piece.box.bottom - piece.box.top) / measures.height
    return piece.tilt is not None and piece.tilt >= SLASH_TILT and height >= least


def _left_out(piece: Piece, measures: Measures, slash: float) -> Cost:
    """Return what it costs that a piece is no part of a digit."""
    stroke = LARGE_COST * piece.area / (4 * HEIGHT)
    if is_slash(piece, measures, slash):
        return Cost(0.0, stroke)
    if piece.is_small:
        return Cost(HIGH_COST if _is_at_head(piece, measures) else SMALL_COST)
    return Cost(stroke)


def _is_at_head(piece: Piece, measures: Measures) -> bool:
    """Tell whether a piece is where strokes of a 5 or 7 lie, and no point or dash."""
    return piece.middle_row < measures.foot - (1 - HIGH) * measures.height


def _ends_in_small(strip: Strip, candidate: Candidate, measures: Measures) -> bool:
    """Tell whether the first or last piece of a candidate is small, and not at its head."""
    if candidate.first == candidate.last:
        return False
    ends = strip.pieces[candidate.first], strip.pieces[candidate.last]
    return any(piece.is_small and not _is_at_head(piece, measures) for piece in ends)


def _edges(
    strip: Strip,
    candidates: list[Candidate],
    probabilities: npt.NDArray[np.float32],
    measures: Measures,
) -> list[list[tuple[Step, Cost]]]:
    """Return by the last piece what may be a digit, and what it costs."""
    boxes = np.array([candidate.box for candidate in candidates], np.float64) / HEIGHT
    left, top, right, bottom = boxes.T
    width, height = right - left, bottom - top
    # Of equal ones the larger digit comes first, on every machine.
    ranked = probabilities.argsort(axis=1, kind="stable")[:, :-3:-1]
    first, second = np.take_along_axis(probabilities, ranked, axis=1).astype(np.float64).T
    usual, foot = (side / HEIGHT for side in measures[:2])
    shape = DIGIT_COST + LOW_COST * np.maximum(0, LOW - height / usual)
    shape += WIDE_COST * np.maximum(0, width / usual - WIDE)
    shape += ASTRAY_COST * np.maximum(0, np.abs(bottom - foot) / usual - ASTRAY)
    shape += JOINED_COST * np.array([_ends_in_small(strip, one, measures) for one in candidates])
    scale = -PROBABILITY_COST * (BARE_WIDTH + width)
    edges: list[list[tuple[Step, Cost]]] = [[] for _ in strip.pieces]
    for rank, probability in enumerate((first, second)):
        cost = shape + scale * np.log(np.maximum(probability, LEAST_PROBABILITY))
        for index, candidate in enumerate(candidates):
            if rank == 0 or probability[index] >= SECOND:
                step = Step(candidate.first, candidate.last, index, int(ranked[index, rank]))
                edges[candidate.last].append((step, Cost(float(cost[index]))))
    return edges


def measures_of(
    strip: Strip, candidates: list[Candidate], probabilities: npt.NDArray[np.float32]
) -> Measures:
    """Return how high the digits of a line are, and where they stand: medians, the certain ones before all.

    Straight strokes, which may be slashes, count only where there is nothing else.
    """
    boxes = np.array([candidate.box for candidate in candidates], np.float64)
    height = boxes[:, 3] - boxes[:, 1]
    weight = probabilities.max(axis=1).astype(np.float64) ** CERTAIN * height
    is_stroke = np.array(
        [strip.pieces[one.first].tilt is not None and one.first == one.last for one in candidates]
    )
    weight = np.where(is_stroke, STROKE_WEIGHT * weight, weight)
    usual = _weighted_median(height, weight)
    unevenness = _weighted_median(np.abs(height / usual - 1), weight)
    return Measures(usual, _weighted_median(boxes[:, 3], weight), unevenness)


def _weighted_median(values: Floats, weights: Floats) -> float:
    order = values.argsort()
    below = weights[order].cumsum()
    return float(values[order][below.searchsorted(below[-1] / 2)])
