"""Ways in which people write 5, 6, 7, 8 and 9."""

from collections.abc import Callable

import numpy as np

from edgedigits.training.strokes import Chance, Floats, Number, Strokes


def _bowl_of_five(c: Chance, x: Number, y: Number) -> Floats:
    """Draw the bowl of a 5 from the foot of its neck."""
    return c.curve(
        (x, y),
        (c(0.22, 0.36), y - c(0.02, 0.12)),
        (c(0.5, 0.68), c(0.6, 0.74)),
        (c(0.2, 0.36), 1.0),
        (c(-0.12, 0.08), c(0.8, 0.98)),
        length=1.7,
    )


def five(c: Chance) -> Strokes:
    """A neck and a bowl, and a bar that is put on afterwards, perhaps beside."""
    left, y, top = c(0.0, 0.16), c(0.34, 0.48), c(-0.02, 0.06)
    neck = c.curve((left + c(0.0, 0.1), top), (left - c(0, 0.04), y), length=0.5)
    start = left + c(-0.06, 0.18)
    bar = c.curve((start, top + c(-0.1, 0.03)), (start + c(0.25, 0.62), top + c(-0.14, 0.04)), length=0.65)
    return [neck, _bowl_of_five(c, left - 0.02, y), bar]


def five_in_one(c: Chance) -> Strokes:
    """Bar, neck and bowl in one line with corners."""
    left, y, top = c(0.02, 0.14), c(0.34, 0.48), c(-0.02, 0.05)
    return [
        c.curve((c(0.4, 0.75), top + c(-0.08, 0.05)), (left, top), length=0.75),
        c.curve((left, top), (left - c(-0.02, 0.06), y), length=0.5),
        _bowl_of_five(c, left - 0.02, y),
    ]


def five_smooth(c: Chance) -> Strokes:
    """A 5 like an S."""
    return [
        c.curve(
            (c(0.45, 0.72), c(-0.02, 0.08)),
            (c(0.2, 0.3), c(0.0, 0.08)),
            (c(0.02, 0.1), c(0.26, 0.4)),
            (c(0.3, 0.4), c(0.44, 0.54)),
            (c(0.5, 0.62), c(0.66, 0.78)),
            (c(0.22, 0.34), 1.0),
            (c(-0.1, 0.08), c(0.86, 1.0)),
            length=2.4,
        )
    ]


def six(c: Chance) -> Strokes:
    """A bow from above that ends in a ring."""
    y, wide = c(0.64, 0.74), c(0.24, 0.32)
    return [
        c.curve(
            (c(0.28, 0.6), c(-0.02, 0.06)),
            (c(0.1, 0.2), c(0.26, 0.36)),
            (c(-0.02, 0.02), y),
            (wide, 1.0),
            (2 * wide, y + c(-0.02, 0.08)),
            (wide + c(-0.04, 0.06), c(0.46, 0.58)),
            (c(0.0, 0.14), y + c(0.0, 0.16)),
            length=2.9,
        )
    ]


def six_straight(c: Chance) -> Strokes:
    """A straight line, and a ring at its foot."""
    y, wide = c(0.66, 0.76), c(0.22, 0.3)
    high = 1 - y
    return [
        c.curve((c(0.05, 0.55), 0), (c(0.0, 0.12), 0.5 * y), (0, y), length=0.9),
        c.arc((wide, y), (wide, high), 180, c(-400, -340), growth=c(-0.25, 0.05)),
    ]


def six_open(c: Chance) -> Strokes:
    """A 6 whose ring stays open, or is small."""
    return [
        c.curve(
            (c(0.3, 0.65), c(-0.02, 0.12)),
            (c(0.12, 0.26), c(0.12, 0.26)),
            (0.0, 0.62),
            (c(0.22, 0.3), 1.0),
            (c(0.46, 0.6), c(0.74, 0.84)),
            (c(0.28, 0.36), c(0.54, 0.66)),
            (c(0.14, 0.28), c(0.62, 0.78)),
            length=2.6,
        )
    ]


def _slope_of_seven(c: Chance, side: Floats, top: Floats) -> Floats:
    """Draw the stem of a 7 from the end of its bar."""
    foot, bend = c(-0.02, 0.42), c(-0.05, 0.14)
    return c.curve((side, top), ((side + foot) / 2 - bend, c(0.45, 0.55)), (foot, 1), length=1.15)


def seven(c: Chance) -> Strokes:
    """A bar and a stem."""
    side, top = c(0.42, 0.68), c(-0.06, 0.08)
    return [
        c.curve((c(-0.04, 0.06), c(-0.02, 0.06)), (side, top), length=0.75),
        _slope_of_seven(c, side, top),
    ]


def seven_with_serif(c: Chance) -> Strokes:
    """A 7 whose bar begins with a stroke down."""
    left, top = c(-0.03, 0.05), c(-0.02, 0.06)
    return [c.curve((left + c(-0.08, 0.05), top + c(0.08, 0.28)), (left, top), length=0.35), *seven(c)]


def seven_in_waves(c: Chance) -> Strokes:
    """A 7 with a bar like a wave."""
    side, top = c(0.45, 0.7), c(-0.02, 0.08)
    bar = c.curve(
        (c(-0.06, 0.02), c(0.1, 0.3)),
        (0.25 * side, c(-0.02, 0.06)),
        (0.62 * side, c(0.06, 0.2)),
        (side, top),
        length=0.95,
    )
    return [bar, _slope_of_seven(c, side, top)]


def seven_bowed(c: Chance) -> Strokes:
    """A 7 without a corner."""
    side = c(0.46, 0.68)
    return [
        c.curve(
            (c(-0.06, 0.04), c(0.02, 0.22)),
            (0.35 * side, c(-0.02, 0.06)),
            (0.9 * side, c(0.0, 0.1)),
            (0.8 * side, c(0.3, 0.45)),
            (c(0.05, 0.4), 1),
            length=1.9,
        )
    ]


def crossed(way: Callable[[Chance], Strokes]) -> Callable[[Chance], Strokes]:
    """Make a 7 of that kind with a bar through its stem."""

    def strokes_of(c: Chance) -> Strokes:
        strokes = way(c)
        stem = strokes[-1]
        x, y = stem[:, round(0.48 * stem.shape[1])]
        shift, tilt = c(-0.12, 0.12), c(-0.1, 0.12)
        left, right = c(0.1, 0.42), c(0.1, 0.42)
        bar = c.curve(
            (x - left, y + shift + tilt),
            (x, y + shift + c(-0.04, 0.04)),
            (x + right, y + shift - tilt),
            length=0.85,
        )
        return [*strokes, bar]

    return strokes_of


def eight(c: Chance) -> Strokes:
    """An S and back, in one line."""
    wide, above, y = c(0.24, 0.34), c(0.18, 0.3), c(0.4, 0.52)
    top = c.small(0.0, 0.12)
    return [
        c.curve(
            (0.3 + above, c(0.1, 0.24)),
            (0.3, 0.0),
            (0.3 - above, 0.46 * y),
            (0.3, y),
            (0.3 + wide, (1 + y) / 2),
            (0.3, 1.0),
            (0.3 - wide, (1 + y) / 2),
            (0.3, y + c(-0.04, 0.04)),
            (0.3 + above, 0.46 * y),
            (0.3 + c(-0.05, 0.22), top),
            length=3.5,
        )
    ]


def eight_of_rings(c: Chance) -> Strokes:
    """Two rings, one above the other."""
    y, x = c(0.4, 0.52), c(-0.06, 0.06)
    gap = c(-0.03, 0.05)
    return [
        c.ring((0.3 + x, (y + gap) / 2), (c(0.16, 0.3), (y + gap) / 2), c(350, 390)),
        c.ring((0.3, (1 + y) / 2), (c(0.2, 0.34), (1 - y) / 2), c(350, 390)),
    ]


def eight_filled(c: Chance) -> Strokes:
    """An 8 whose lower ring, or upper one, or both, ran full of ink."""
    rings = eight_of_rings(c)
    inner = []
    for ring in rings:
        middle = ring.mean(axis=1, keepdims=True)
        is_filled = c(0, 1) < 0.65
        # Where it is not filled, what is drawn inside lies on the ring itself.
        inner += [middle + (ring - middle) * np.where(is_filled, np.float32(size), 1) for size in (0.6, 0.2)]
    return [*rings, *inner]


def eight_open(c: Chance) -> Strokes:
    """An 8 whose two ends stand apart at its top."""
    wide, above, y = c(0.24, 0.34), c(0.18, 0.28), c(0.42, 0.54)
    return [
        c.curve(
            (0.3 + c(0.12, 0.34), c(-0.02, 0.1)),
            (0.3, c(0.0, 0.08)),
            (0.3 - above, 0.5 * y),
            (0.3, y),
            (0.3 + wide, (1 + y) / 2),
            (0.3, 1.0),
            (0.3 - wide, (1 + y) / 2),
            (0.3, y),
            (0.3 + c(0.2, 0.4), c(0.0, 0.16)),
            length=3.2,
        )
    ]


def _ring_of_nine(c: Chance, wide: Floats, high: Floats) -> Floats:
    """Draw the ring of a 9 against the clock, from its upper right to there again, or not quite."""
    return c.arc((wide, high), (wide, high), c(-50, -15), c(-400, -325), growth=c(-0.15, 0.1))


def nine(c: Chance) -> Strokes:
    """A ring and a straight tail."""
    wide, high = c(0.2, 0.32), c(0.2, 0.32)
    x = 2 * wide + c(-0.06, 0.06)
    foot = x - c(-0.08, 0.32)
    return [
        _ring_of_nine(c, wide, high),
        c.curve((x, c(0.0, 1.0) * high), ((x + foot) / 2 + c(-0.02, 0.06), 0.55), (foot, 1), length=1.1),
    ]


def nine_with_hook(c: Chance) -> Strokes:
    """A ring and a tail that is bent to the left, down to a hook."""
    wide, high = c(0.2, 0.32), c(0.2, 0.3)
    x = 2 * wide + c(-0.04, 0.04)
    return [
        _ring_of_nine(c, wide, high),
        c.curve(
            (x, c(0.1, 0.9) * high),
            (x + c(-0.06, 0.04), c(0.55, 0.7)),
            (0.55 * x + c(-0.06, 0.08), 1.0),
            (c(-0.1, 0.12), c(0.78, 0.97)),
            length=1.7,
        ),
    ]


def nine_with_curl(c: Chance) -> Strokes:
    """A ring in one line with a tail that curls far to the left and up again, as that of a g."""
    wide, high = c(0.22, 0.34), c(0.2, 0.28)
    x = 2 * wide
    return [
        c.curve(
            (x + c(-0.04, 0.04), c(0.04, 0.2)),
            (wide, 0.0),
            (0.0, high),
            (wide, 2 * high + c(-0.04, 0.04)),
            (x, high),
            (x + c(-0.05, 0.06), c(0.55, 0.7)),
            (0.5 * x + c(-0.06, 0.06), 1.0),
            (c(-0.12, 0.04), c(0.8, 0.94)),
            (c(0.04, 0.24), c(0.62, 0.78)),
            length=3.4,
        )
    ]


def nine_on_a_stalk(c: Chance) -> Strokes:
    """A ring whose tail goes out of its bottom, straight down or to the right, or from its left side."""
    wide, high = c(0.2, 0.36), c(0.18, 0.3)
    x, y = c(-0.7, 0.7) * wide + wide, 2 * high
    turn = c(60, 120)
    foot = x + c(-0.25, 0.4)
    return [
        c.arc((wide, high), (wide, high), turn, c(335, 385), growth=c(-0.12, 0.12)),
        c.curve(
            (x, y - c(0.0, 0.08)), ((x + foot) / 2 + c(-0.08, 0.12), (1 + y) / 2), (foot, 1), length=0.95
        ),
    ]


def nine_bowed(c: Chance) -> Strokes:
    """A ring and a tail in one line: the tail comes out of the ring's bottom or side, as that of a 6 turned round."""
    wide = c(0.24, 0.32)
    return [
        c.curve(
            (2 * wide + c(-0.1, 0.04), c(0.1, 0.3)),
            (wide, c(0.4, 0.54)),
            (c(-0.02, 0.04), c(0.22, 0.32)),
            (wide, 0.0),
            (2 * wide, c(0.24, 0.36)),
            (1.5 * wide + c(-0.02, 0.12), c(0.62, 0.74)),
            (c(-0.05, 0.35), c(0.94, 1.02)),
            length=2.8,
        )
    ]
