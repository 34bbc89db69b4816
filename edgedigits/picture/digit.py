"""Gray levels -> the ink of one digit, on paper of any tone, in any light. Pure functions of arrays.

    without_ruling    in ``ruling.py``: lines that run through the picture, where something else than a digit is in it
    on_even_paper     in ``even_paper.py``: a drawing, or a picture cut to its digit
    in_panel          with ``panels.py``: the same within a note, a drawing pad, axes, a cell
    on_patterned_paper  in ``patterned.py``: a small box around a digit, on printed paper
    search            in ``search.py``: a photograph
    find_digit        both: once for the whole picture, once more, closer, where the digit is small in it

``contrast.py`` says what stands out from the paper, ``components.py`` what of it is connected, ``finding.py`` what is a
digit.

The constants here and there were chosen on MNIST's validation images, laid on sheets with shadows, texture, lines and
specks, and on digits drawn with paint programs, scanned and photographed; never on MNIST's test images.
"""

from itertools import islice

import numpy as np

from edgedigits.errors import ImageError
from edgedigits.picture.components import MIN_INK_SIDE
from edgedigits.picture.contrast import MIN_CONTRAST, polarity
from edgedigits.picture.even_paper import COVERED, on_even_paper, reaches_across
from edgedigits.picture.finding import PLAUSIBLE_THICKNESS, Finding, no_digit
from edgedigits.picture.levels import Pixels
from edgedigits.picture.scaling import shrunk
from edgedigits.picture.search import search

MOST_PANELS = 4
"""How many panels are looked at in a picture, the largest of each tone first: each may hold as many again."""
MOST_PAPERS = 3
"""How often paper is looked for within paper: a page, a pad on it, and a frame around the pad."""
ALONE = 0.98
"""Share of all ink that a digit on even paper has, at least, where no other paper is looked for."""
LARGE_PANEL = 0.8
"""Share of the picture from which on paper is taken though the digit runs out of it, as in a cell written full."""
LOOK_SIDE = 256
"""Longer side on which ink is looked for."""
CLOSE_SIDE = 110
"""A digit that is smaller than this in the picture of ``LOOK_SIDE`` is looked at again, from closer."""
SMALLEST_LOOK = 4
"""Longer side in that picture, in pixels, below which there is no digit: a fiftieth of a photograph has 5."""
CLEAR_VOTE = 0.35
"""Polarity from which on the other one is not tried; wrong votes on sheets with shadows stayed below."""

GRAIN = 0.6
"""Contrast of the paper's grain, at most, in that of the ink: measured up to 0.45 with a digit, from 0.6 without."""
FAINT = 0.45
"""Contrast below which ink that runs out of the picture is taken for a shadow."""
LARGEST_THICKNESS = 0.42
"""Stroke width in longer sides of the digit from which on ink is a blot."""
WIDEST = 3.0
"""Width of a digit in its heights, at most. MNIST's widest has 2."""
MIN_SHARE = 0.3
"""Share of all ink that the digit has, at least: less, and it is one of many marks."""


def find_digit(gray: Pixels) -> Pixels:
    """Find the digit in a picture.

    Args:
        gray: (h, w) uint8, ink dark or light.

    Returns:
        (h', w') uint8, 0 = paper, 255 = ink: the picture or the part of it that holds the digit, at most 256 on the
        longer side, with nothing else in it.

    Raises:
        ImageError: there is no ink, or none of a digit.
    """
    return find(gray, MOST_PAPERS).ink()


def find(gray: Pixels, papers: int) -> Finding:
    """Find the digit in a picture, or in the innermost paper in it.

    Args:
        gray: (h, w) uint8, ink dark or light.
        papers: how often paper is looked for within paper.

    Raises:
        ImageError: there is no ink, or none of a digit.
    """
    whole = shrunk(gray, LOOK_SIDE)
    drawing = on_even_paper(whole)
    is_ruled = False
    if drawing is None or not is_alone(drawing[1]):
        from edgedigits.picture.ruling import without_ruling

        plain = without_ruling(whole)
        is_ruled = plain is not whole
        if is_ruled:
            whole = plain
            drawing = on_even_paper(whole)
    if papers and not (drawing and is_alone(drawing[1])):
        inside = in_panel(gray, whole, papers)
        if inside is not None:
            return inside
    if drawing is None:
        from edgedigits.picture.patterned import on_patterned_paper

        cut = on_patterned_paper(whole)
        if cut is not None:
            check_alone(cut[1])
            return cut[1]
    dark, finding = find_in(whole) if drawing is None else drawing
    check_alone(finding)
    check_ink(finding)
    scale = max(gray.shape) / max(whole.shape)
    if scale > 1 and finding.side < SMALLEST_LOOK:
        raise no_digit("there is no more than a speck; move closer")
    if scale > 1 and finding.side < CLOSE_SIDE:
        closer = shrunk(around(gray, finding.box_in(whole.shape), scale), LOOK_SIDE)
        closer = without_ruling(closer, lone=True) if is_ruled else closer
        drawing = None if drawing is None else on_even_paper(closer)
        finding = drawing[1] if drawing is not None and drawing[0] == dark else search(closer, dark=dark)
    check_digit(finding)
    return finding


def in_panel(gray: Pixels, whole: Pixels, papers: int) -> Finding | None:
    """Return the digit in the innermost paper that holds one; None where there is no paper that does.

    Args:
        gray: (h, w) uint8.
        whole: the same, at most 256 on the longer side.
        papers: how often paper is looked for within paper, at least 1.
    """
    from edgedigits.picture.panels import panels_in

    for panel in islice(panels_in(whole), MOST_PANELS):
        try:
            finding = find(panel.cut_from(gray), papers - 1)
        except ImageError:
            continue
        runs_out = finding.is_cut or finding.touches_border
        if not runs_out or panel.share > LARGE_PANEL:
            return finding
    return None


def is_alone(finding: Finding) -> bool:
    """Tell whether a digit on even paper lies inside the picture, with nothing beside it, and is no panel itself."""
    is_inside = not finding.is_cut and not finding.touches_border
    return is_inside and finding.share > ALONE and not finding.is_panel


def find_in(gray: Pixels) -> tuple[bool, Finding]:
    """Look for a digit of the likelier polarity, and of the other where that one gives nothing plausible.

    Returns:
        Whether the ink is dark, and the digit.

    Raises:
        ImageError: neither polarity shows any ink.
    """
    vote = polarity(gray)
    likely = vote > 0
    try:
        first = search(gray, dark=likely)
    except ImageError:
        return not likely, search(gray, dark=not likely)
    if first.is_plausible or abs(vote) > CLEAR_VOTE:
        return likely, first
    try:
        second = search(gray, dark=not likely)
    except ImageError:
        return likely, first
    return (not likely, second) if second.is_plausible else (likely, first)


def around(gray: Pixels, box: tuple[int, int, int, int], scale: float) -> Pixels:
    """Cut what was found, with some paper around it, out of the picture ``scale`` times as large."""
    top, bottom, left, right = box
    margin = 0.6 * max(bottom - top, right - left)
    rows = slice(max(0, int((top - margin) * scale)), int((bottom + margin) * scale))
    columns = slice(max(0, int((left - margin) * scale)), int((right + margin) * scale))
    return np.ascontiguousarray(gray[rows, columns])


def check_alone(finding: Finding) -> None:
    """Raise ``ImageError`` where several digits stand in one line, saying where."""
    if finding.digits:
        places = ", ".join(f"{100 * middle:.0f}" for middle in finding.digits)
        raise no_digit(
            f"there are {len(finding.digits)} parts of a digit's size beside each other, at {places} % of the width; "
            "cut out one digit, or read them all with `edgedigits read`"
        )


def check_ink(finding: Finding) -> None:
    """Raise ``ImageError`` where the ink is the paper's: its grain, its edge, a shadow, an empty frame.

    What runs out of the picture is ink only where the picture was cut to a digit, or where it is strong and in strokes.
    """
    if finding.grain > GRAIN * finding.level or finding.is_frame:
        raise no_digit("there is no ink that stands out from the paper; draw darker, or move closer")
    if not finding.touches_border:
        return
    sides = finding.covered_sides
    thickness = finding.thickness
    is_strip = max(sides) > 0.6 and thickness < 0.05
    is_rim = sum(side > COVERED for side in sides) >= 2
    is_faint = finding.level < FAINT and max(sides) > 0.2
    is_shadow = thickness > PLAUSIBLE_THICKNESS or finding.lies_along_border
    if is_strip or is_rim or is_faint or (is_shadow and not reaches_across(finding.box, finding.mask.shape)):
        raise no_digit("there is only shade at the border; show the whole digit, with some paper around it")


def check_digit(finding: Finding) -> None:
    """Raise ``ImageError`` where the ink cannot be a digit: a speck, a blot, a dash, one of many marks."""
    top, bottom, left, right = finding.box
    if finding.side < MIN_INK_SIDE:
        raise no_digit("there is no more than a speck; draw the digit larger")
    if finding.level < MIN_CONTRAST:
        raise no_digit(
            f"ink and paper differ by {100 * finding.level:.0f} % of the light; give it more contrast"
        )
    if finding.thickness > LARGEST_THICKNESS:
        raise no_digit("there is a blot, no strokes; show a digit, with some paper around it")
    if right - left > WIDEST * (bottom - top):
        raise no_digit(
            "there is a dash, or digits that touch; show one digit, upright, or read a number with `edgedigits read`"
        )
    if finding.share < MIN_SHARE:
        raise no_digit(
            "there are many small marks and none stands out; show one digit, larger, or read numbers with "
            "`edgedigits read`"
        )
