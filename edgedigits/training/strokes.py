"""Lines of a pen, many at once: curves through points and arcs, as rows of dots close enough to make a line.

Places are (x, y): x to the right, y down, the digit from about 0 to 1 in height. A coordinate is one number for all
digits, or an array with one for each.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]
Number: TypeAlias = "float | npt.NDArray[np.floating[Any]]"
Place: TypeAlias = "tuple[Number, Number]"
Strokes: TypeAlias = "list[Floats]"
"""Each float32 (2, dots, n): x and y of the same stroke of n digits."""

DOTS = 26
"""Dots per height of a digit: not further apart than eight tenths of a pixel where the height is 20."""


class Chance:
    """Draws numbers for n digits."""

    def __init__(self, count: int, generator: np.random.Generator) -> None:
        self.count = count
        self.generator = generator

    def __call__(self, low: float, high: float) -> Floats:
        """Return numbers spread evenly from ``low`` to ``high``, float32 (n,)."""
        return self.generator.uniform(low, high, self.count).astype(np.float32)

    def small(self, low: float, high: float) -> Floats:
        """Return numbers from ``low`` to ``high``, most of them nearer to ``low``, float32 (n,)."""
        share = self.generator.random(self.count) ** 2
        return (low + (high - low) * share).astype(np.float32)

    def curve(self, *places: Place, length: float) -> Floats:
        """Return a Catmull-Rom curve through places, straight for two.

        Args:
            places: at least two; see the module.
            length: of the longest, about, in heights of a digit.

        Returns:
            float32 (2, dots, n).
        """
        points = np.empty((2, len(places), self.count), np.float32)
        for index, (x, y) in enumerate(places):
            points[0, index], points[1, index] = x, y
        curve: Floats = _catmull_rom(len(places), _dots(length)) @ points
        return curve

    def arc(
        self, centre: Place, radius: Place, start: Number, sweep: Number, *, growth: Number = 0.0
    ) -> Floats:
        """Return a part of an ellipse, or of a spiral.

        Args:
            centre: of the ellipse.
            radius: in x and in y.
            start: angle in degrees, 0 to the right, 90 down.
            sweep: degrees, positive clockwise.
            growth: share by which the radius is larger at the end than at the start.

        Returns:
            float32 (2, dots, n).
        """
        widest = max(float(np.max(part)) for part in radius)
        turns = float(np.max(np.abs(sweep))) / 360
        way = np.linspace(0, 1, _dots(2 * np.pi * widest * turns), dtype=np.float32)[:, np.newaxis]
        angle = np.deg2rad(start + sweep * way)
        size = 1 + growth * (way - 0.5)
        points = np.empty((2, len(way), self.count), np.float32)
        points[0] = centre[0] + radius[0] * size * np.cos(angle)
        points[1] = centre[1] + radius[1] * size * np.sin(angle)
        return points

    def ring(self, centre: Place, radius: Place, sweep: Floats) -> Floats:
        """Return a ring, begun near its top to either side, which may end inside or outside of where it began.

        Args:
            centre: of the ring.
            radius: in x and in y.
            sweep: degrees, float32 (n,); most are drawn against the clock.

        Returns:
            float32 (2, dots, n).
        """
        turn = self.generator.choice(np.array([-1, 1], np.float32), self.count, p=[0.75, 0.25])
        start = -90 + self(-60, 40)
        return self.arc(centre, radius, start, sweep * turn, growth=self(-0.15, 0.12))


def _dots(length: float) -> int:
    return max(4, round(DOTS * length))


def _catmull_rom(places: int, dots: int) -> Floats:
    """Return the matrix (dots, places) that makes dots of a curve of its places; the ends lead straight on.

    E. Catmull and R. Rom, "A class of local interpolating splines", Computer Aided Geometric Design, 1974.
    """
    position = np.linspace(0, places - 1, dots)
    first = np.minimum(position.astype(int), places - 2)
    t = position - first
    weights = np.stack(
        [
            (-t + 2 * t**2 - t**3) / 2,
            (2 - 5 * t**2 + 3 * t**3) / 2,
            (t + 4 * t**2 - 3 * t**3) / 2,
            (-(t**2) + t**3) / 2,
        ],
        axis=1,
    )
    wider = np.zeros((dots, places + 2))
    for tap in range(4):
        wider[np.arange(dots), first + tap] += weights[:, tap]
    matrix = wider[:, 1:-1]
    # The place before the first is as far from it as the second is, on the other side; likewise at the end.
    matrix[:, 0] += 2 * wider[:, 0]
    matrix[:, 1] -= wider[:, 0]
    matrix[:, -1] += 2 * wider[:, -1]
    matrix[:, -2] -= wider[:, -1]
    return matrix.astype(np.float32)


def on_a_line(way: Callable[[Chance], Strokes]) -> Callable[[Chance], Strokes]:
    """Return a way to write a digit as that one, on a ruled line that was taken for ink."""

    def strokes_of(c: Chance) -> Strokes:
        strokes = way(c)
        x = np.concatenate([stroke[0] for stroke in strokes])
        y, tilt = np.where(c(0, 1) < 0.9, c(0.92, 1.12), c(-0.1, 0.04)), c(-0.04, 0.04)
        left, right = x.min(axis=0) - c(-0.15, 0.3), x.max(axis=0) + c(-0.15, 0.3)
        return [*strokes, c.curve((left, y - tilt), (right, y + tilt), length=1.3)]

    return strokes_of
