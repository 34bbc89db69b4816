"""Paper within a picture: a note on a table, a drawing pad on a page, axes of a figure, a cell of a grid.

All of them are alike: a connected area of one tone whose outline has four corners and straight sides between them, and
in it something of another tone. What bounds it, a table, a page, a line or a dark border, is not looked at. Pure
functions of arrays.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from edgedigits.picture.components import Components, Integers, Mask, connected_components
from edgedigits.picture.levels import Pixels, otsu_threshold, sliding

SMALLEST_SIDE = 12
"""Pixels of the shorter side of a panel, at least."""
SMALLEST_SHARE = 0.04
"""Share of the picture that a panel has, at least."""
STRAIGHT, STRAIGHT_AWAY = 0.06, 0.006
"""Area between the outline and the straight lines from corner to corner, at most, in the panel's own; and how far
they may be apart on average, in longer sides of the picture. An ellipse has 0.36 of its area."""
MIDDLE = 0.12
"""Share of a side, at both of its ends, to which no line is fitted."""
LEAST_AWAY = 0.6
"""Pixels that they may be apart in the smallest picture."""
ROUGHLY = 0.7
"""Area between the outermost pixels along the diagonals, in the outline's, at least, and the other way round."""
TWO_TONES = 0.85
"""Share of the variance of light, or dark, levels that is between two halves of them, at least, where these are two
tones. One tone with noise has 0.64, an even slope 0.75."""
LEAST_INK, MOST_INK = 0.008, 0.6
"""Share of a panel that is of another tone, at least and at most, where it may hold a digit."""
OPENED_SIDE = 128
"""Longer side of a picture, at least, in which what is thinner than three pixels joins no areas."""
DECIMALS = 6
"""Of the places of corners, in pixels."""
INSET = 0.012
"""What is cut off along the sides of a panel, in its sides: their soft edge."""

LEAST_SIDES = 2
"""Sides of a panel, at least, that are not the picture's own."""
EDGE, EDGE_PLACES, LEAST_STEP = 0.012, 24, 14
"""Longer sides of the picture on both sides of an edge, places along it, and levels between the two, at least in half
of the places."""
LEAST_TONE = 0.02
"""Share of the pixels that a tone has, at least."""

Floats = npt.NDArray[np.float64]
Corners = tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]


class Panel(NamedTuple):
    """An area of one tone with four corners."""

    corners: Corners
    """(x, y) of the upper left, lower left, lower right and upper right one, in shares of the picture's sides."""
    share: float
    """Of the picture that it covers."""

    def cut_from(self, gray: Pixels) -> Pixels:
        """Cut the panel out of the picture, in any size, that it was found in, upright and without its edges."""
        height, width = gray.shape
        quad = np.array(self.corners) * (width, height)
        lengths = np.hypot(*(quad - np.roll(quad, -1, axis=0)).T)
        size = max(1, round((lengths[1] + lengths[3]) / 2)), max(1, round((lengths[0] + lengths[2]) / 2))
        inset = np.maximum(np.array(size) * INSET, max(1.0, max(gray.shape) / 256))
        left, top = quad[[0, 1], 0], quad[[0, 3], 1]
        right, bottom = quad[[2, 3], 0], quad[[1, 2], 1]
        if max(np.ptp(side) for side in (left, top, right, bottom)) <= 1 + max(gray.shape) / 128:
            rows = slice(int(np.ceil(top.max() + inset[1])), int(bottom.min() - inset[1]))
            columns = slice(int(np.ceil(left.max() + inset[0])), int(right.min() - inset[0]))
            return np.ascontiguousarray(gray[rows, columns])
        across, down = inset / size
        # From the first corner the next one lies below, from the second to the right, and so on.
        shares = np.array([down, across, down, across])[:, np.newaxis]
        onward, back = np.roll(quad, -1, axis=0) - quad, np.roll(quad, 1, axis=0) - quad
        data = (quad + shares * onward + shares[::-1] * back).ravel().tolist()
        image = Image.fromarray(gray)
        return np.asarray(image.transform(size, Image.Transform.QUAD, data, Image.Resampling.BILINEAR))

    def stands_out_in(self, gray: Pixels) -> bool:
        """Tell whether the tone changes at once along each side, and does not fade from one into the other.

        Sides that are the picture's own are not looked at. Where three of them are, it is a shadow that ends at the
        fourth, or the light.
        """
        height, width = gray.shape
        quad = np.array(self.corners) * (width, height)
        middle = quad.mean(axis=0)
        reach = max(1.0, EDGE * max(gray.shape))
        inner = [
            (start, end)
            for start, end in zip(quad, np.roll(quad, -1, axis=0), strict=True)
            if not any(start[axis] == end[axis] and end[axis] in (0, gray.shape[1 - axis]) for axis in (0, 1))
        ]
        if len(inner) < LEAST_SIDES:
            return False
        for start, end in inner:
            direction = (end - start) / np.hypot(*(end - start))
            outward = np.array([direction[1], -direction[0]])
            outward *= np.sign(outward @ (start - middle))
            along = start + np.linspace(0.1, 0.9, EDGE_PLACES)[:, np.newaxis] * (end - start)
            inside = _levels_at(gray, along - reach * outward)
            steps = [
                np.abs(_levels_at(gray, along + away * outward) - inside) for away in np.linspace(0, reach, 5)
            ]
            if float(np.median(np.max(steps, axis=0))) < LEAST_STEP:
                return False
        return True


def _levels_at(gray: Pixels, places: Floats) -> Floats:
    """Return the levels of the pixels at (x, y) in pixels, or next to them where these lie outside."""
    columns, rows = np.floor(places).astype(int).T
    found: Floats = gray[rows.clip(0, gray.shape[0] - 1), columns.clip(0, gray.shape[1] - 1)].astype(float)
    return found


def panels_in(gray: Pixels) -> Iterator[Panel]:
    """Give the panels of a picture that may hold a digit, the largest first; of each way to part the tones in turn.

    Args:
        gray: (h, w) uint8, at most 256 on the longer side.
    """
    threshold = otsu_threshold(gray)
    seen: set[Corners] = set()
    for mask in _tones(gray, threshold):
        found = sorted(_panels_of(mask), key=lambda panel: -panel.share)
        for panel in found:
            if panel.corners not in seen and panel.stands_out_in(gray):
                seen.add(panel.corners)
                yield panel


def _tones(gray: Pixels, threshold: int) -> Iterator[Mask]:
    """Give masks of pixels of one tone: the light and the dark, and then the halves of those that have two tones."""
    light: Mask = gray > threshold
    yield light
    yield ~light
    for part in (light, ~light):
        levels = gray[part].astype(np.int64)
        if levels.size < LEAST_TONE * gray.size:
            continue
        middle = otsu_threshold(gray[part])
        upper = levels > middle
        share = float(upper.mean())
        if not LEAST_TONE < share < 1 - LEAST_TONE:
            continue
        between = share * (1 - share) * float(levels[upper].mean() - levels[~upper].mean()) ** 2
        if between > TWO_TONES * float(levels.var()):
            yield part & (gray <= middle)
            yield part & (gray > middle)


def _panels_of(mask: Mask) -> Iterator[Panel]:
    if max(mask.shape) >= OPENED_SIDE:
        narrowed = sliding(mask.view(np.uint8), 3, np.minimum)
        mask = sliding(np.ascontiguousarray(narrowed), 3, np.maximum).astype(bool)
    parts = connected_components(mask)
    height, width = mask.shape
    top, bottom, left, right = parts.box.T
    heights, widths = bottom - top, right - left
    candidates = (np.minimum(heights, widths) >= SMALLEST_SIDE) & (
        heights * widths >= SMALLEST_SHARE * mask.size
    )
    candidates &= (heights < height) | (widths < width)
    for index in np.flatnonzero(candidates):
        panel = _panel(parts, int(index))
        if panel is not None:
            yield panel


def _panel(parts: Components, index: int) -> Panel | None:
    """Return the panel that a part is; None if it has no four corners, or nothing or too much in it."""
    top, bottom, left, right = parts.box[index]
    chosen = np.zeros(len(parts.area), bool)
    chosen[index] = True
    quad = _outline(parts.mask(chosen)[top:bottom, left:right], max(parts.shape))
    if quad is None:
        return None
    sides = np.array(parts.shape[::-1])
    corners = quad + np.array([left, top])
    # A side that is the picture's own lies there exactly.
    corners = np.where(np.abs(corners) < 1, 0, np.where(np.abs(corners - sides) < 1, sides, corners)) / sides
    share = _area(corners)
    if share < SMALLEST_SHARE:
        return None
    upper_left, lower_left, lower_right, upper_right = ((float(a), float(b)) for a, b in corners.clip(0, 1))
    return Panel((upper_left, lower_left, lower_right, upper_right), share)


def _outline(mask: Mask, side: int) -> Floats | None:
    """Return the corners of the outline of a mask, cut to its box, if straight sides join them and it holds something.

    Args:
        mask: (h, w) bool, with something in each row and column.
        side: longer side of the picture that it was cut from.
    """
    height, width = mask.shape
    starts, stops = mask.argmax(axis=1), width - mask[:, ::-1].argmax(axis=1)
    filled = int((stops - starts).sum())
    if not LEAST_INK <= 1 - np.count_nonzero(mask) / filled <= MOST_INK:
        return None
    ends = _ends(starts, stops)
    rough = np.array(
        [
            (starts[ends[0]], ends[0]),
            (starts[ends[1]], ends[1]),
            (stops[ends[2]], ends[2]),
            (stops[ends[3]], ends[3]),
        ]
    )
    if not ROUGHLY < _area(rough) / filled < 1 / ROUGHLY:
        return None
    quad = _corners(starts, stops, mask.argmax(axis=0), height - mask[::-1].argmax(axis=0))
    if quad is None:
        return None
    begins, stops_there = _between_corners(quad[:, 0], quad[:, 1], np.arange(height, dtype=np.float64) + 0.5)
    away = float((np.abs(begins - starts) + np.abs(stops_there - stops)).sum())
    length = float(np.hypot(*(quad - np.roll(quad, -1, axis=0)).T).sum())
    is_straight = away <= min(STRAIGHT * _area(quad), max(LEAST_AWAY, STRAIGHT_AWAY * side) * length)
    return quad if is_straight else None


def _area(quad: Floats) -> float:
    """Return the area between four corners, (4, 2)."""
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = quad.tolist()
    return float(abs((x0 * y1 + x1 * y2 + x2 * y3 + x3 * y0) - (y0 * x1 + y1 * x2 + y2 * x3 + y3 * x0))) / 2


def _ends(starts: Integers, stops: Integers) -> tuple[int, int, int, int]:
    """Return the rows of the pixels that lie furthest out along the diagonals, in the order of corners."""
    rows = np.arange(len(starts))
    furthest = (
        (rows + starts).argmin(),
        (rows - starts).argmax(),
        (rows + stops).argmax(),
        (rows - stops).argmin(),
    )
    return int(furthest[0]), int(furthest[1]), int(furthest[2]), int(furthest[3])


def _corners(starts: Integers, stops: Integers, upper: Integers, lower: Integers) -> Floats | None:
    """Return where the sides of an outline meet, (4, 2): upper left, lower left, lower right, upper right.

    The pixels that lie furthest out along the diagonals say which parts of the outline are its sides. A line is
    fitted to the middle of each, because corners may be round or torn.

    Args:
        starts: (h,) where the outline begins in each row.
        stops: (h,) where it ends.
        upper: (w,) where it begins in each column.
        lower: (w,) where it ends.

    Returns:
        None where a side is too short for a line, or two of them do not meet.
    """
    near = _ends(starts, stops)
    upright = [_line(starts, near[0], near[1]), _line(stops, near[3], near[2])]
    level = [_line(upper, starts[near[0]], stops[near[3]]), _line(lower, starts[near[1]], stops[near[2]])]
    found = []
    for side, end in ((0, 0), (0, 1), (1, 1), (1, 0)):
        across, down = upright[side], level[end]
        if across is None or down is None or abs(1 - across[0] * down[0]) < 0.1:
            return None
        x = (across[0] * (down[1] + 0.5 * (1 - down[0]) - 0.5) + across[1]) / (1 - across[0] * down[0])
        found.append((x, down[0] * (x - 0.5) + down[1]))
    # Sides that lie on whole pixels do so exactly, whatever a fit leaves in the last places.
    return np.round(found, DECIMALS)


def _line(places: Integers, start: int, stop: int) -> tuple[float, float] | None:
    """Fit a line, slope and place at 0, to the middle of a side, and once more without what lies far from it."""
    margin = MIDDLE * (stop - start)
    along = np.arange(round(start + margin), round(stop - margin))
    if len(along) < 4:
        return None
    values = places[along].astype(float)
    near = np.ones(len(along), bool)
    for _ in range(2):
        slope, place = _fitted(along[near], values[near])
        away = np.round(np.abs(slope * along + place - values), DECIMALS)
        near = away <= max(1.0, 2 * _median(away))
        if near.sum() < 4:
            return None
    return slope, place


def _fitted(x: Integers, y: Floats) -> tuple[float, float]:
    """Fit a line by least squares, slope and place at 0. For so few places np.polyfit takes many times as long."""
    apart = x - x.sum() / len(x)
    slope = float((apart * y).sum() / (apart * apart).sum())
    return slope, float(y.sum() / len(y) - slope * (x.sum() / len(x)))


def _median(values: Floats) -> float:
    """Return the median of a few values, for which np.median takes many times as long."""
    ordered = np.sort(values)
    return float(ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def _between_corners(x: Floats, y: Floats, rows: Floats) -> tuple[Floats, Floats]:
    """Return where the straight lines from corner to corner begin and end in each row.

    Args:
        x: (4,) of the corners.
        y: (4,) of the corners.
        rows: (h,) middles of the rows.

    Returns:
        Twice (h,); in rows that they do not reach, the same place.
    """
    x0, y0 = x[:, np.newaxis], y[:, np.newaxis]
    x1, y1 = np.roll(x0, -1, axis=0), np.roll(y0, -1, axis=0)
    along = (rows - y0) / np.where(y0 == y1, np.inf, y1 - y0)
    crosses = (np.minimum(y0, y1) <= rows) & (rows <= np.maximum(y0, y1)) & (y0 != y1)
    at = x0 + along * (x1 - x0)
    left = np.where(crosses, at, np.inf).min(axis=0)
    right = np.where(crosses, at, -np.inf).max(axis=0)
    middle = float(x.mean())
    return np.where(crosses.any(axis=0), left, middle), np.where(crosses.any(axis=0), right, middle)


def is_panel(parts: Components, index: int) -> bool:
    """Tell whether a part has the outline of a panel, with something in it."""
    return _panel(parts, index) is not None
