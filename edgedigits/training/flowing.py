"""Ways in which a fast pen writes digits: with loops, rings and hooks where a careful one has corners."""

from edgedigits.training.strokes import Chance, Strokes


def zero_barred(c: Chance) -> Strokes:
    """A ring with a bar across, level or nearly so, within it or far out of it."""
    wide, high = c(0.32, 0.55), c(0.4, 0.5)
    y, tilt, left, right = 0.5 + c(-0.14, 0.14), c(-0.14, 0.14), c(0.3, 1.5), c(0.3, 1.5)
    return [
        c.ring((0.4, 0.5), (wide, high), c(340, 400)),
        c.curve(
            (0.4 - wide * left, y + tilt),
            (0.4, y + c(-0.05, 0.05)),
            (0.4 + wide * right, y - tilt),
            length=1.5,
        ),
    ]


def one_looped(c: Chance) -> Strokes:
    """A line up and a line down that are a narrow loop, as in a written l, and often a tail to the right."""
    loop, y = c(0.03, 0.13), c(0.55, 0.95)
    foot = c(-0.08, 0.08)
    return [
        c.curve(
            (-c(0.0, 0.35), y),
            (loop, c(0.2, 0.36)),
            (c(0.4, 1.0) * loop, 0.0),
            (-c(0.3, 1.0) * loop, c(0.16, 0.3)),
            (foot - 0.02, c(0.6, 0.75)),
            (foot, c(0.94, 1.0)),
            (foot + c.small(0.0, 0.3), c(0.86, 1.0)),
            length=2.3,
        )
    ]


def two_with_ring(c: Chance) -> Strokes:
    """A 2 that begins with a ring at its top and ends in a tail."""
    side, bottom = c(0.42, 0.62), c(0.92, 1.0)
    return [
        c.curve(
            (side * c(0.75, 1.15), c(0.3, 0.52)),
            (0.45 * side, c(0.44, 0.58)),
            (c(-0.03, 0.08), c(0.2, 0.34)),
            (0.5 * side, 0.0),
            (side, c(0.18, 0.3)),
            (0.55 * side, c(0.6, 0.72)),
            (c(-0.12, 0.04), bottom),
            (c(0.2, 0.32), bottom - c(-0.02, 0.08)),
            (c(0.45, 0.95), bottom + c(-0.08, 0.1)),
            length=3.2,
        )
    ]


def two_with_rings(c: Chance) -> Strokes:
    """A 2 that begins with a ring at its top and has a loop for its corner."""
    side, loop, y = c(0.42, 0.62), c(0.05, 0.14), c(0.82, 0.9)
    return [
        c.curve(
            (side * c(0.6, 1.05), c(0.3, 0.5)),
            (0.4 * side, c(0.4, 0.54)),
            (c(-0.03, 0.08), c(0.18, 0.32)),
            (0.5 * side, 0.0),
            (side, c(0.18, 0.3)),
            (0.6 * side, c(0.55, 0.7)),
            (0.1, y + loop),
            (-0.06 - 0.3 * loop, y + 0.3 * loop),
            (0.06 + loop, y - 0.4 * loop),
            (0.36 + loop, y + loop),
            (c(0.55, 0.95), y + c(-0.06, 0.2)),
            length=3.7,
        )
    ]


def four_short(c: Chance) -> Strokes:
    """A long slope, a bar that rises, and a short stem that begins on it, or hardly above."""
    x, y = c(0.22, 0.5), c(0.44, 0.74)
    end = y - c(-0.03, 0.16)
    return [
        c.curve((c(0.1, 0.55), 0), (c(0.04, 0.24), 0.5 * y), (0, y), length=0.95),
        c.curve(
            (0, y), (0.6 * x, y - c(-0.05, 0.1)), (x + c.small(0.0, 0.3), end - c(-0.04, 0.08)), length=0.75
        ),
        c.curve((x + c(0.0, 0.08), end - c(0.0, 0.16)), (x - c(-0.12, 0.22), c(0.85, 1.1)), length=0.75),
    ]


def seven_hooked(c: Chance) -> Strokes:
    """A 7 whose bar is but a hook: narrow, and little of it."""
    side, foot = c(0.16, 0.4), c(-0.05, 0.2)
    return [
        c.curve(
            (c(-0.08, 0.04), c(0.03, 0.2)), (0.35 * side, c(-0.03, 0.04)), (side, c(0.0, 0.08)), length=0.65
        ),
        c.curve((side, 0.04), ((side + foot) / 2 + c(-0.08, 0.06), 0.5), (foot, 1), length=1.1),
    ]


def nine_looped(c: Chance) -> Strokes:
    """A ring and a tail that turns left and up again until it meets itself, nearly an 8 that leans."""
    wide, high = c(0.2, 0.34), c(0.18, 0.28)
    x, left = 2 * wide, c(-0.12, 0.1)
    return [
        c.curve(
            (x + c(-0.1, 0.06), c(0.02, 0.2)),
            (wide, 0.0),
            (0.0, high),
            (wide, 2 * high + c(-0.04, 0.04)),
            (x, high),
            (x - c(-0.04, 0.1), c(0.58, 0.72)),
            (0.5 * x + c(-0.1, 0.04), 1.0),
            (left, c(0.8, 0.92)),
            (left + c(0.08, 0.2), c(0.62, 0.74)),
            (x + c(-0.1, 0.2), c(0.44, 0.64)),
            length=4.0,
        )
    ]
