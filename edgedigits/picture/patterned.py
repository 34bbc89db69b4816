"""Small pictures cut to a box around their digit, on paper with a printed pattern, or with neighbours that peep in.

There the digit fills the picture, and what is fainter than it all over the picture is the paper's. Pure functions.
"""

import numpy as np
from PIL import Image, ImageFilter

from edgedigits.picture.components import (
    MIN_INK_SIDE,
    Components,
    Mask,
    box_of,
    connected_components,
    covered_sides,
    has_full_corner,
    touches,
)
from edgedigits.picture.contrast import flat_contrast, has_shade, paper_surface
from edgedigits.picture.finding import PLAUSIBLE_THICKNESS, Finding, middles, widened
from edgedigits.picture.levels import Contrast, Pixels, otsu_threshold, quantile

LARGEST_CUT, SMALLEST_CUT = 128, 16
"""Longer side of a picture, at most, and shorter side, at least, that is taken for a box around a digit."""
WIDEST_CUT = 1.8
"""Width of such a picture in its heights, at most: a wider one holds several digits."""
BLUR = 0.015
"""Standard deviation, in longer sides of the picture, of the blur under which a pattern fades and strokes stay."""
FILLS = 0.6
"""Share of the picture's height or width that a digit has at least to whose box it was cut."""
FILLS_INSIDE = 0.35
"""The same of a digit that lies inside of it."""
PATTERN = 0.5
"""Distance of the pattern from the paper's mean tone, in that of the ink, at most."""
MOST_INK = 0.5
"""Share of the picture that is ink, at most."""
CLEAR_TONES = 0.55
"""Share of the variance that is between ink and paper, at least."""
COVERED = 0.6
"""Share of a side of the picture that is ink from which on it is shade."""
CLEAR_CONTRAST = 0.08
"""Contrast of ink, at least."""
LINE_DEPTH = 0.16
"""Distance from the border, in the picture's height (of upright lines: width), within which a line of a form lies."""
LINE_LENGTH = 0.92
"""Share of the columns in which such a line shows, at least; a bar of a digit to whose box it was cut is shorter."""
LINE_WIDTH = 0.1
"""Width of such a line, at most, in the picture's height; at least two pixels."""
DECIMALS = 6
"""Of how far it is off, in pixels: what a fit leaves in the last places of whole rows decides nothing."""
LINE_BENT = 0.7
"""Pixels that such a line is off a straight one on average, at most."""
SIDE_MARGIN = 0.06
"""Margin at the left and the right of a box, in its longer side, in which neighbours end that touch the digit."""
MIN_STROKE = 0.08
"""Area of a part, in that of the largest, below which it is the pattern's."""
MOST_OF_NEIGHBOUR = 0.7
"""Area of a part at the border, in that of the largest, below which it is a neighbour's."""


def on_patterned_paper(gray: Pixels) -> tuple[bool, Finding] | None:
    """Look for the digit to whose box a small picture was cut.

    Args:
        gray: (h, w) uint8.

    Returns:
        Whether the ink is dark, and the digit; None where the picture is no such box.
    """
    height, width = gray.shape
    if max(height, width) > LARGEST_CUT or min(height, width) < SMALLEST_CUT or width > WIDEST_CUT * height:
        return None
    blur = ImageFilter.GaussianBlur(BLUR * max(gray.shape))
    soft = np.asarray(Image.fromarray(gray).filter(blur))
    threshold = otsu_threshold(soft)
    dark = float((soft <= threshold).mean()) < 0.5
    paper = paper_surface(soft, threshold, dark=dark, tolerance=PATTERN)
    if paper is None:
        return None
    contrast = flat_contrast(soft, paper, dark=dark)
    finding = None if has_shade(contrast) else _finding(contrast)
    return None if finding is None else (dark, finding)


def _finding(contrast: Contrast) -> Finding | None:
    highest = float(contrast.max())
    if highest <= 0:
        return None
    levels = (contrast * np.float32(255 / highest)).astype(np.uint8)
    threshold = otsu_threshold(levels)
    ink = levels > threshold
    lines = border_lines(ink)
    if lines is not None:
        ink, contrast = ink & ~lines, np.where(lines, np.float32(0), contrast)
        levels = np.where(lines, np.uint8(0), levels)
    share = float(ink.mean())
    if not 0 < share <= MOST_INK:
        return None
    tones = levels.astype(np.float32)
    between = share * (1 - share) * float(tones[ink].mean() - tones[~ink].mean()) ** 2
    if between < CLEAR_TONES * float(tones.var()):
        return None
    ink = _without_neighbours(ink)
    parts = connected_components(ink)
    if not len(parts.area):
        return None
    main = int((parts.prominence() * np.where(parts.touching_border(), 4.0, 1.0)).argmax())
    chosen = _digit(parts, main)
    box = box_of(parts.box[chosen])
    height, width = box[1] - box[0], box[3] - box[2]
    least = FILLS if touches(box, ink.shape) else FILLS_INSIDE
    if max(height / ink.shape[0], width / ink.shape[1]) < least or max(height, width) < MIN_INK_SIDE:
        return None
    mask = parts.mask(chosen)
    kept = np.where(widened(mask, 1), contrast, np.float32(0))
    away = contrast[~widened(ink, 2)]
    finding = Finding(
        kept, mask, float(contrast[mask].mean()), box, float(parts.area[chosen].sum() / parts.area.sum()),
        quantile(away, 0.99) if away.size else 0.0, is_frame=False,
        digits=middles(parts, main),
    )  # fmt: skip
    is_shade = max(covered_sides(mask)) > COVERED or has_full_corner(mask) or finding.lies_along_border
    return (
        None
        if is_shade or finding.thickness > PLAUSIBLE_THICKNESS or finding.level < CLEAR_CONTRAST
        else finding
    )


def _without_neighbours(ink: Mask) -> Mask:
    """Cut off what reaches in from the left or the right, where the digit has some paper above and below.

    There the box has a margin, and what lies in it at the sides belongs to a neighbour, though it touch the digit.

    Args:
        ink: (h, w) bool.
    """
    margin = round(SIDE_MARGIN * max(ink.shape))
    parts = connected_components(ink)
    largest = int(parts.area.argmax())
    top, bottom, left, right = parts.box[largest]
    if (
        margin == 0
        or top < margin / 2
        or bottom > ink.shape[0] - margin / 2
        or (left > 0 and right < ink.shape[1])
    ):
        return ink
    cut = ink.copy()
    if left == 0:
        cut[:, :margin] = False
    if right == ink.shape[1]:
        cut[:, -margin:] = False
    return cut


def border_lines(ink: Mask) -> Mask | None:
    """Tell where lines of a form run along the borders, from one side to the other; strokes that cross them stay.

    Args:
        ink: (h, w) bool.

    Returns:
        (h, w) bool; None where there are none.
    """
    lines = np.zeros_like(ink)
    for view, found in (
        (ink, lines),
        (ink[::-1], lines[::-1]),
        (ink.T, lines.T),
        (ink.T[::-1], lines.T[::-1]),
    ):
        _find_line(view, found)
    return lines if lines.any() else None


def _find_line(ink: Mask, found: Mask) -> None:
    """Mark the line along the upper border, if there is one, in place."""
    height = ink.shape[0]
    depth, widest = max(2, round(LINE_DEPTH * height)), max(2, round(LINE_WIDTH * height))
    band = ink[: depth + widest + 1]
    starts = band.argmax(axis=0)
    begins = band.any(axis=0) & (starts < depth)
    if begins.mean() < LINE_LENGTH:
        return
    rows = np.arange(len(band))[:, np.newaxis]
    stops = (~band & (rows > starts)).argmax(axis=0)
    stops = np.where(stops == 0, len(band), stops)
    width = float(np.median((stops - starts)[begins]))
    if width > widest:
        return
    columns = np.arange(ink.shape[1])
    slope, place = np.polyfit(columns[begins], starts[begins], 1)
    away = np.round(np.abs(starts - place - slope * columns), DECIMALS)
    line = begins & (away <= max(1, width))
    if float(away[begins].mean()) > LINE_BENT:
        return
    if line.mean() < LINE_LENGTH:
        return
    stops = np.minimum(stops, starts + round(width) + (stops - starts <= width + 1))
    found[: len(band)] |= line & (rows >= starts) & (rows < stops)


def _digit(parts: Components, main: int) -> Mask:
    """Tell which parts are the digit's: ``main``, and strokes that are neither a neighbour's nor specks."""
    size = parts.area[main]
    foreign = parts.touching_border() & (parts.area < MOST_OF_NEIGHBOUR * size)
    foreign |= parts.area < MIN_STROKE * size
    foreign[main] = False
    return parts.strokes_near(main, foreign)
