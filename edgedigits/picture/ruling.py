"""Ruled and squared paper: thin straight lines from one side of a picture to the other. Pure functions of arrays.

Lines are looked for in a few narrow strips across them: what is as thin, and lies on one straight line in nearly all
strips, is no stroke. Where ink is darker than they, what they take of the light is given back; where it is not, they
are filled from both of their sides, so that strokes which cross them stay whole.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edgedigits.picture.levels import Pixels, border_of, quantile

SMALLEST_SIDE = 40
"""Shorter side of a picture, in pixels, below which lines are as wide as strokes."""
STRIPS = 8
"""Strips in which lines are looked for."""
STRIP_WIDTH = 0.045
"""Width of a strip, in that of the picture; lines that are not quite level blur in wider ones."""
WIDEST = 0.03
"""Width of a line, at most, in longer sides of the picture; at least three pixels."""
LEAST_DEPTH = 5
"""Levels by which a line differs from the paper on both of its sides, at least, and..."""
OVER_NOISE = 3.0
"""how many times as much as half of all rows do."""
STEEPEST, STEPS = 0.12, 25
"""Slope of lines, at most, and slopes that are tried to each side of level."""
LEAST_STRIPS = 5
"""Strips in which a line shows, at least; in the others ink may hide it."""
UNEVEN = 0.1
"""How far lines are off even distances, at most, in these, where one that ink hides is expected among them;"""
LEAST_HIDDEN = 2
"""strips in which that one shows, at least;"""
CLOSEST = 4
"""Pixels between such lines, at least."""
DECIMALS = 6
"""Of places on a straight line, in pixels: what a fit leaves in the last places of whole rows decides nothing."""
MOST_AWAY = 0.8
"""Pixels that half of a line's places lie off the straight one, at most."""
LEAST_RULED = 0.4
"""Share of what is dark and thin that lies on lines, at least; the waves of a cheque are straight in places."""
APART = 2.2
"""Distance of neighbouring lines, in their widths, at least; closer ones are a pattern."""
ALIKE = 0.6
"""Depth of a line in that of the ink, from which on it is filled, and one alone may be a stroke of a cut digit."""

Floats = npt.NDArray[np.float64]


class Dips(NamedTuple):
    """What is darker than the paper above and below it, in each strip; arrays of shape (n,)."""

    strip: npt.NDArray[np.int64]
    """Index of the strip."""
    place: Floats
    """Row of its middle."""
    width: Floats
    """Rows that it takes."""
    depth: Floats
    """Levels, at most, that it differs from the paper by."""


class Line(NamedTuple):
    """A line from the left to the right border."""

    rows: Floats
    """(w,) its middle, in each column."""
    width: float
    """Rows that it takes."""
    depth: float
    """Levels that it differs from the paper by."""


def without_ruling(gray: Pixels, *, lone: bool = False) -> Pixels:
    """Take thin straight lines off that run through the whole picture, level or upright, within 7 degrees.

    Args:
        gray: (h, w) uint8, ink dark or light.
        lone: whether one line by itself is taken off though it is as dark as the ink: of paper known to be ruled.

    Returns:
        (h, w) uint8; the picture itself where there are none.
    """
    if min(gray.shape) < SMALLEST_SIDE:
        return gray
    lightest, darkest = int(quantile(gray.ravel(), 0.995)), int(quantile(gray.ravel(), 0.005))
    paper = quantile(gray.ravel(), 0.5)
    is_light = 2 * paper > lightest + darkest
    toned = gray if is_light else np.invert(gray)
    ink = paper - darkest if is_light else lightest - paper
    level = without_level_lines(toned, ink, lone=lone)
    turned = np.ascontiguousarray(level.T)
    upright = without_level_lines(turned, ink, lone=lone)
    if level is toned and upright is turned:
        return gray
    cleaned = np.ascontiguousarray(upright.T)
    return cleaned if is_light else np.invert(cleaned)


def without_level_lines(gray: Pixels, ink: float, *, lone: bool) -> Pixels:
    """Take level lines off.

    Args:
        gray: (h, w) uint8, ink dark.
        ink: levels between paper and ink.
        lone: see ``without_ruling``.

    Returns:
        (h, w) uint8; the picture itself where there are none.
    """
    lines = lines_in(gray)
    depth = float(np.median([line.depth for line in lines])) if lines else 0.0
    if not lines:
        return gray
    if len(lines) > 1:
        gaps = np.diff(np.sort([float(line.rows.mean()) for line in lines]))
        if float(np.median(gaps)) < APART * float(np.median([line.width for line in lines])):
            return gray
    cleaned = gray.copy()
    for line in lines:
        _take_off(cleaned, line, fill=depth > ALIKE * ink)
    if len(lines) == 1 and not lone and depth > ALIKE * ink and not _is_inside(cleaned, ink):
        return gray
    return cleaned


def _is_inside(gray: Pixels, ink: float) -> bool:
    """Tell whether a picture holds ink, and none at its border: who cuts a picture to its digit leaves some there."""
    dark = gray < float(np.median(gray)) - ink / 2
    return bool(dark.any()) and not bool(border_of(dark).any())


def lines_in(gray: Pixels) -> list[Line]:
    """Return the level lines of a picture, (h, w) uint8, that are darker than its paper."""
    height, width = gray.shape
    wide = max(4, round(STRIP_WIDTH * width))
    starts = np.linspace(0, width - wide, STRIPS).astype(int)
    middles = starts + (wide - 1) / 2
    dips = _dips(gray, starts, wide)
    if len(dips.strip) < LEAST_STRIPS:
        return []
    slopes = np.linspace(-STEEPEST, STEEPEST, 2 * STEPS + 1)
    away = middles[dips.strip] - width / 2
    offsets = dips.place - slopes[:, np.newaxis] * away
    reach = int(STEEPEST * width) + 2
    count = height + 2 * reach
    bins = np.rint(offsets).astype(int) + reach
    table = np.zeros((len(slopes), count), np.int64)
    np.add.at(table, (np.arange(len(slopes))[:, np.newaxis], bins), 1)
    near = table.copy()
    near[:, 1:] += table[:, :-1]
    near[:, :-1] += table[:, 1:]
    best = int((near.astype(float) ** 3).sum(axis=1).argmax())
    votes, left = near[best], near[best].copy()
    found, ruled = [], 0
    while left.max() >= LEAST_STRIPS:
        at = int(left.argmax())
        chosen = np.abs(bins[best] - at) <= 1
        left[max(0, at - 2) : at + 3] = 0
        line = _line(dips, chosen, middles, gray.shape, slopes[best])
        if line is not None:
            found.append(line)
            ruled += int(chosen.sum())
    if ruled < LEAST_RULED * len(dips.strip):
        return []
    return found + _between(found, votes[reach:], height)


def _between(found: list[Line], votes: npt.NDArray[np.int64], height: int) -> list[Line]:
    """Return the lines that ink hides in more strips than one may, where those that were found are evenly apart.

    Args:
        found: the others.
        votes: in how many strips something is dark and thin, by its row in the middle of the picture.
        height: of the picture.
    """
    if len(found) < 3:
        return []
    ordered = sorted(found, key=lambda line: float(line.rows.mean()))
    middles = np.array([float(line.rows.mean()) for line in ordered])
    pitch = float(np.median(np.diff(middles)))
    if pitch < CLOSEST:
        return []
    steps = np.diff(middles) / pitch
    if float(np.abs(steps - np.rint(steps)).max()) > UNEVEN:
        return []
    pitch = float((middles[-1] - middles[0]) / np.rint(steps).sum())
    added = []
    for number in range(-int(middles[0] // pitch) - 1, int((height - middles[0]) // pitch) + 2):
        place = middles[0] + number * pitch
        nearest = ordered[int(np.abs(middles - place).argmin())]
        apart = place - float(nearest.rows.mean())
        at = round(place)
        if abs(apart) > pitch / 2 and 0 < at < height - 1 and votes[at - 1 : at + 2].max() >= LEAST_HIDDEN:
            added.append(nearest._replace(rows=nearest.rows + apart))
    return added


def _line(
    dips: Dips, chosen: npt.NDArray[np.bool_], middles: Floats, shape: tuple[int, ...], slope: float
) -> Line | None:
    height, width = shape
    depth = float(np.median(dips.depth[chosen]))
    chosen = chosen & (dips.depth < 2 * depth) & (dips.depth > 0.5 * depth)
    strips, first = np.unique(dips.strip[chosen], return_index=True)
    if len(strips) < LEAST_STRIPS:
        return None
    places = dips.place[chosen][first]
    straight = np.round(np.polyval(np.polyfit(middles[strips], places, 1), middles), DECIMALS)
    if float(np.median(np.abs(places - straight[strips]))) > MOST_AWAY:
        return None
    # It reaches both sides, or leaves the picture at the top or the bottom before.
    if any(end not in strips and 1 <= straight[end] < height - 2 for end in (0, STRIPS - 1)):
        return None
    columns = np.arange(width)
    rows: Floats = np.interp(columns, middles[strips], places)
    for end, outside in ((0, columns < middles[strips[0]]), (-1, columns > middles[strips[-1]])):
        rows[outside] = places[end] + slope * (columns[outside] - middles[strips[end]])
    return Line(rows, float(np.median(dips.width[chosen])), depth)


def _dips(gray: Pixels, starts: npt.NDArray[np.int64], wide: int) -> Dips:
    height = gray.shape[0]
    columns = starts[:, np.newaxis] + np.arange(wide)
    tones = np.sort(gray[:, columns], axis=2)[:, :, wide // 2].astype(np.int16)
    widest = max(3, round(WIDEST * max(gray.shape)))
    window = 2 * widest + 1
    padded = np.pad(tones, ((widest, widest), (0, 0)), mode="edge")
    lightest = np.lib.stride_tricks.sliding_window_view(padded, window, axis=0).max(axis=2)
    padded = np.pad(lightest, ((widest, widest), (0, 0)), mode="edge")
    paper = np.lib.stride_tricks.sliding_window_view(padded, window, axis=0).min(axis=2)
    depth = (paper - tones).T
    least = np.maximum(LEAST_DEPTH, OVER_NOISE * np.median(depth, axis=1))[:, np.newaxis]
    changes = np.diff((depth > least).astype(np.int8), axis=1, prepend=0, append=0)
    strip, start = np.nonzero(changes == 1)
    stop = np.nonzero(changes == -1)[1]
    thin = stop - start <= widest
    strip, start, stop = strip[thin], start[thin], stop[thin]
    place, deepest = np.zeros(len(strip)), np.zeros(len(strip))
    for index, (row, begin, end) in enumerate(zip(strip, start, stop, strict=True)):
        part = depth[row, begin:end].astype(np.float64)
        place[index] = begin + float(part @ np.arange(end - begin)) / float(part.sum())
        deepest[index] = part.max()
    return Dips(strip, place.clip(0, height - 1), (stop - start).astype(np.float64), deepest)


def _take_off(gray: Pixels, line: Line, *, fill: bool) -> None:
    """Take one line off, in place.

    Args:
        gray: (h, w) uint8, ink dark.
        line: which.
        fill: whether to fill it from above and below; otherwise what it takes of the light is given back.
    """
    height, width = gray.shape
    reach = round(line.width / 2 + 1)
    columns = np.arange(width)
    away = np.arange(-reach, reach + 1)[:, np.newaxis]
    rows = np.rint(line.rows).astype(int) + away
    inside = (rows >= 0) & (rows < height)
    levels = gray[rows.clip(0, height - 1), columns].astype(np.float32)
    upper, lower = rows[0] - 1, rows[-1] + 1
    above, below = gray[upper.clip(0, height - 1), columns], gray[lower.clip(0, height - 1), columns]
    above, below = np.where(upper >= 0, above, below), np.where(lower < height, below, above)
    share = ((away + reach + 1) / (2 * reach + 2)).astype(np.float32)
    between = above + (below.astype(np.float32) - above) * share
    if fill:
        cleaned = np.maximum(levels, between)
    else:
        paper = np.maximum(above, below).astype(np.float32)
        taken = np.median(np.clip(paper - levels, 0, 2 * line.depth), axis=1, keepdims=True)
        darkest = float(levels.min())
        room = np.maximum(paper - taken - darkest, 1)
        cleaned = darkest + np.clip((levels - darkest) / room, 0, 1) * np.maximum(paper - darkest, 0)
        cleaned = np.maximum(levels, cleaned)
    gray[rows[inside], np.broadcast_to(columns, rows.shape)[inside]] = np.rint(cleaned)[inside].astype(
        np.uint8
    )
