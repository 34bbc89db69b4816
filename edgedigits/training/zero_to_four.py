"""Ways in which people write 0, 1, 2, 3 and 4."""

from edgedigits.training.strokes import Chance, Floats, Number, Strokes


def zero(c: Chance) -> Strokes:
    """A ring, closed."""
    return [c.ring((0.4, 0.5), (c(0.28, 0.48), 0.5), c(350, 390))]


def zero_open(c: Chance) -> Strokes:
    """A ring whose end does not reach its beginning, wherever that is."""
    gap = c.small(12, 60)
    return [c.arc((0.4, 0.5), (c(0.28, 0.45), 0.5), c(-180, 180), 360 - gap, growth=c(-0.12, 0.12))]


def zero_with_tail(c: Chance) -> Strokes:
    """A ring with a loop or a tail at its top, where the pen came or went."""
    ring = c.arc((0.4, 0.5), (c(0.28, 0.42), 0.48), -70, c(-400, -350), growth=c(-0.2, 0.05))
    x, y = ring[:, -1]
    side = c(-0.35, 0.5)
    return [
        ring,
        c.curve(
            (x, y),
            (x + side * 0.5, y + c(-0.1, 0.16)),
            (x + side, y + c(-0.2, 0.12)),
            length=0.5,
        ),
    ]


def zero_slashed(c: Chance) -> Strokes:
    """A ring with a slash through it."""
    wide, reach = c(0.28, 0.42), c(0.7, 1.3)
    return [
        c.ring((0.4, 0.5), (wide, 0.5), c(355, 380)),
        c.curve(
            (0.4 + wide * reach, 0.5 - c(0.25, 0.55)),
            (0.4 - wide * reach, 0.5 + c(0.25, 0.55)),
            length=1.2,
        ),
    ]


def zero_filled(c: Chance) -> Strokes:
    """A ring that ran full of ink, all or in part; a narrow one would be a thick 1."""
    wide, gap = c(0.38, 0.52), c(-0.2, 0.35)
    rings = [
        c.arc((0.4, 0.5), (wide * size, 0.5 * size), c(-180, 180), 360 - c.small(0, 70))
        for size in (1.0, 0.83, 0.66, 0.5, 0.33, 0.16)
    ]
    return [*rings, c.curve((0.4 - 0.8 * wide, 0.5 + gap), (0.4 + 0.8 * wide, 0.5 + gap), length=0.8)]


def one(c: Chance) -> Strokes:
    """A single line, a little bent."""
    return [c.curve((c(-0.03, 0.03), 0), (c(-0.05, 0.05), 0.5), (c(-0.03, 0.03), 1), length=1.05)]


def one_thick(c: Chance) -> Strokes:
    """A line as wide as a brush, or gone over several times, often with a flag."""
    wide, lean, top = c(0.04, 0.16), c(-0.08, 0.08), c(0.0, 0.12)
    sides = (-1.0, -0.33, 0.33, 1.0)
    stems = [
        c.curve((side * wide + lean, -0.5 * top * side), (side * wide - lean, 1), length=1.05)
        for side in sides
    ]
    flag = c.small(0.0, 0.3)
    return [*stems, c.curve((lean - wide - flag, top + flag), (lean - wide, top), length=0.45)]


def _up_stroke(c: Chance, reach: Floats, depth: Floats) -> Floats:
    """Draw the line up to the top of a 1, from so far to the left and below."""
    bend = c(-0.06, 0.06)
    return c.curve((-reach, depth), (-reach / 2 + bend, depth / 2 + bend), (0, 0), length=1.1)


def one_with_flag(c: Chance) -> Strokes:
    """A line with a short stroke up to it."""
    reach = c(0.08, 0.36)
    return [_up_stroke(c, reach, reach * c(0.55, 1.3) + 0.03), *one_stem(c)]


def one_with_up_stroke(c: Chance) -> Strokes:
    """A line with a long stroke up to it, as long as the line itself at most."""
    return [_up_stroke(c, c(0.22, 0.65), c(0.35, 1.0)), *one_stem(c)]


def one_bowed(c: Chance) -> Strokes:
    """A line with a long stroke up to it, in one bow at the top."""
    reach, lean = c(0.2, 0.5), c(-0.08, 0.15)
    return [
        c.curve(
            (-reach, c(0.3, 1.0)),
            (-0.45 * reach, c(0.12, 0.3)),
            (c(-0.12, -0.02), 0.0),
            (c(0.02, 0.07), c(0.12, 0.3)),
            (lean, 1),
            length=2.1,
        )
    ]


def one_stem(c: Chance) -> Strokes:
    """Draw the line of a 1 from (0, 0) down."""
    lean = c(-0.1, 0.12)
    return [c.curve((0, 0), (lean / 2 + c(-0.03, 0.03), 0.5), (lean, 1), length=1.05)]


def one_with_foot(c: Chance) -> Strokes:
    """A line with a short stroke up and a bar below."""
    left, right, tilt = c(0.12, 0.45), c(0.12, 0.45), c(-0.05, 0.05)
    flag = _up_stroke(c, c(0.05, 0.38), c(0.03, 0.4))
    return [
        flag,
        c.curve((0, 0), (0, 1), length=1),
        c.curve((-left, 1 + tilt), (right, 1 - tilt), length=0.9),
    ]


def one_on_foot(c: Chance) -> Strokes:
    """A line with a bar below, and perhaps a small one above."""
    top = c.small(0.0, 0.3)
    return [
        c.curve((0, 0), (0, 1), length=1),
        c.curve((-c(0.1, 0.4), 1), (c(0.1, 0.4), 1 + c(-0.04, 0.04)), length=0.8),
        c.curve((-top, c(0.0, 0.06)), (0, 0), length=0.3),
    ]


def two(c: Chance) -> Strokes:
    """A hook, down to the left, a corner and a bar."""
    side, bottom = c(0.5, 0.72), c(0.94, 1.04)
    return [
        c.curve(
            (c(-0.02, 0.12), c(0.12, 0.32)),
            (0.5 * side + c(-0.08, 0.05), 0.0),
            (side, c(0.18, 0.32)),
            (0.55 * side, c(0.55, 0.68)),
            (c(-0.05, 0.08), bottom),
            length=1.8,
        ),
        c.curve(
            (0, bottom), (0.3, bottom + c(-0.08, 0.05)), (c(0.5, 0.9), bottom + c(-0.08, 0.06)), length=0.85
        ),
    ]


def two_with_loop(c: Chance) -> Strokes:
    """A 2 whose corner is a loop."""
    side, loop, y = c(0.5, 0.7), c(0.06, 0.16), c(0.82, 0.92)
    return [
        c.curve(
            (c(0.0, 0.15), c(0.1, 0.32)),
            (0.5 * side, 0.0),
            (side, c(0.18, 0.32)),
            (0.6 * side, c(0.55, 0.7)),
            (0.12, y + loop),
            (-0.04 - 0.3 * loop, y + 0.3 * loop),
            (0.08 + loop, y - 0.5 * loop),
            (0.38 + loop, y + loop),
            (c(0.6, 0.95), y + c(-0.08, 0.16)),
            length=2.7,
        )
    ]


def two_with_curl(c: Chance) -> Strokes:
    """A 2 whose top begins with a curl, up to a ring."""
    side, bottom, curl = c(0.5, 0.7), c(0.94, 1.03), c(0.0, 0.26)
    return [
        c.curve(
            (0.1 + 1.8 * curl, c(0.32, 0.56)),
            (c(-0.06, 0.06) + 0.3 * curl, c(0.24, 0.42)),
            (0.45 * side, 0.0),
            (side, c(0.18, 0.35)),
            (0.55 * side, c(0.6, 0.72)),
            (c(-0.03, 0.1), bottom),
            length=2.2,
        ),
        c.curve((c(0.0, 0.06), bottom), (c(0.5, 0.85), bottom + c(-0.06, 0.05)), length=0.85),
    ]


def two_in_waves(c: Chance) -> Strokes:
    """A 2 without a corner, as a swan."""
    side = c(0.5, 0.7)
    return [
        c.curve(
            (c(0.0, 0.1), c(0.1, 0.25)),
            (0.5 * side, 0),
            (side, c(0.2, 0.3)),
            (0.5 * side, c(0.6, 0.7)),
            (c(0.0, 0.08), c(0.92, 1.0)),
            (0.3, c(0.88, 0.98)),
            (c(0.6, 0.9), c(0.88, 1.04)),
            length=2.5,
        )
    ]


def two_with_corners(c: Chance) -> Strokes:
    """A 2 like a Z: bar, slope, bar."""
    side, top, bottom = c(0.45, 0.7), c(-0.02, 0.1), c(0.94, 1.02)
    return [
        c.curve((c(-0.05, 0.08), top + c(-0.02, 0.1)), (0.5 * side, 0.0), (side, top), length=0.75),
        c.curve((side, top), (0.55 * side + c(0, 0.12), 0.5), (c(-0.05, 0.05), bottom), length=1.3),
        c.curve((0, bottom), (c(0.5, 0.8), bottom + c(-0.06, 0.05)), length=0.8),
    ]


def three(c: Chance) -> Strokes:
    """Two bowls that meet in a corner."""
    waist, y = c(0.12, 0.38), c(0.42, 0.52)
    return [
        c.curve(
            (c(-0.02, 0.1), c(0.06, 0.24)),
            (c(0.22, 0.34), 0.0),
            (c(0.5, 0.62), c(0.14, 0.26)),
            (waist, y),
            length=1.3,
        ),
        c.curve(
            (waist, y),
            (c(0.54, 0.72), c(0.66, 0.78)),
            (c(0.2, 0.34), 1.0),
            (c(-0.08, 0.06), c(0.76, 0.96)),
            length=1.6,
        ),
    ]


def three_smooth(c: Chance) -> Strokes:
    """Two bowls in one line, with a hook or a small loop between them."""
    waist, y = c(0.16, 0.38), c(0.44, 0.5)
    return [
        c.curve(
            (c(-0.02, 0.08), c(0.04, 0.22)),
            (0.28, 0.0),
            (c(0.48, 0.58), c(0.16, 0.24)),
            (waist + 0.06, y - 0.04),
            (waist - 0.03, y + 0.01),
            (waist + 0.06, y + 0.04),
            (c(0.54, 0.68), c(0.68, 0.78)),
            (c(0.2, 0.32), 1.0),
            (c(-0.06, 0.04), c(0.8, 0.96)),
            length=2.7,
        )
    ]


def three_flat(c: Chance) -> Strokes:
    """A bar, a slope and a bowl."""
    side, waist, y = c(0.42, 0.62), c(0.15, 0.34), c(0.34, 0.46)
    return [
        c.curve((c(-0.04, 0.06), c(-0.02, 0.06)), (side, c(-0.02, 0.06)), length=0.7),
        c.curve((side, 0.02), (waist, y), length=0.55),
        c.curve(
            (waist, y),
            (c(0.52, 0.7), c(0.58, 0.7)),
            (c(0.3, 0.45), c(0.94, 1.02)),
            (c(-0.08, 0.06), c(0.8, 0.98)),
            length=1.6,
        ),
    ]


def _bar_and_stem(c: Chance, x: Floats, left: Number, y: Floats, top: Number, bottom: Number) -> Strokes:
    """Draw the bar of a 4 from its corner to beyond its stem, and the stem."""
    tilt, lean = c(-0.06, 0.08), c(-0.06, 0.1)
    return [
        c.curve((left, y), (x + c.small(0.02, 0.5), y - tilt), length=1.1),
        c.curve((x + lean, top), (x, y), (x - lean, bottom), length=1.1),
    ]


def four_open(c: Chance) -> Strokes:
    """A slope, a bar, and a stem by itself."""
    x, left, y = c(0.36, 0.6), c(-0.06, 0.06), c(0.42, 0.68)
    slope = c.curve((c(-0.02, 0.24), c(-0.04, 0.16)), (left + c(-0.02, 0.06), y / 2), (left, y), length=0.75)
    return [slope, *_bar_and_stem(c, x, left, y, c(-0.05, 0.32), 1)]


def four_round(c: Chance) -> Strokes:
    """An open 4 whose slope and bar are one bow, as in a u, and often a long stem."""
    x, y = c(0.4, 0.65), c(0.38, 0.62)
    bow = c.curve(
        (c(-0.04, 0.1), c(-0.02, 0.14)),
        (c(-0.02, 0.06), 0.6 * y),
        (0.4 * x, y),
        (x, y - c(0.02, 0.2)),
        length=1.2,
    )
    lean = c(-0.05, 0.22)
    return [bow, c.curve((x + c(-0.02, 0.06), c(-0.02, 0.25)), (x, y), (x - lean, 1), length=1.1)]


def four_closed(c: Chance) -> Strokes:
    """A slope from the top of the stem, a bar, the stem."""
    x, left, y, top = c(0.34, 0.6), c(-0.04, 0.04), c(0.5, 0.76), c(-0.02, 0.06)
    gap = c(-0.1, 0.08)
    slope = c.curve((x + gap, top), (c(0.42, 0.6) * x, 0.45 * y), (left, y), length=1.0)
    return [slope, *_bar_and_stem(c, x, left, y, 0, 1)]


def four_as_lightning(c: Chance) -> Strokes:
    """A long slope, a bar, and a short stem across it."""
    x, y = c(0.2, 0.5), c(0.5, 0.78)
    slope = c.curve((c(0.12, 0.5), 0), (c(0.06, 0.24), 0.5 * y), (0, y), length=1.0)
    return [slope, *_bar_and_stem(c, x, 0, y, y - c(0.12, 0.34), c(0.86, 1.1))]


def four_zigzag(c: Chance) -> Strokes:
    """A slope, a bar, and a stem that begins at the end of the bar and does not cross it, or hardly."""
    x, y = c(0.26, 0.5), c(0.42, 0.66)
    end = y - c(-0.02, 0.14)
    return [
        c.curve((c(0.1, 0.5), 0), (c(0.04, 0.2), 0.5 * y), (0, y), length=0.9),
        c.curve((0, y), (0.5 * x, y + c(-0.08, 0.04)), (x, end), length=0.65),
        c.curve((x, end), (x + c(-0.05, 0.05), (1 + end) / 2), (x - c(-0.1, 0.22), 1), length=0.75),
    ]


def four_in_one(c: Chance) -> Strokes:
    """A closed 4 in one line: up, down the slope, the bar, and back up to the stem."""
    x, y = c(0.36, 0.56), c(0.5, 0.68)
    return [
        c.curve((x, c(-0.02, 0.06)), (0.45 * x, 0.5 * y), (c(-0.04, 0.06), y), length=0.95),
        c.curve((0, y), (0.5 * x, y + c(-0.04, 0.06)), (x, y - c(0, 0.15)), length=0.6),
        c.curve((x + c(-0.02, 0.05), c(0.0, 0.3)), (x - c(-0.02, 0.12), 1), length=1.05),
    ]
