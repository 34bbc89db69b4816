"""Gray levels -> the ink of one digit, on paper of any tone, in any light. Pure functions of arrays.

    on_even_paper     a drawing, or a picture cut to its digit: paper of one level, or of one that changes evenly
    search            a photograph: shadows, grain, lines and table tops, in windows that grow with the strokes
    find_digit        both: once for the whole picture, once more, closer, where the digit is small in it

``light.py`` says what stands out from the paper, ``parts.py`` what of it is connected, ``finding.py`` what is a digit.
The window of a search must be wider than the strokes and narrower than what is not ink: it starts small and grows while
that adds ink of the same tone.

The constants here and there were chosen on MNIST's validation images, laid on sheets with shadows, texture, lines and
specks, and on digits drawn with paint programs, scanned and photographed; never on MNIST's test images.
"""

import numpy as np

from edgedigits.errors import ImageError
from edgedigits.finding import PLAUSIBLE_THICKNESS, Finding, finding_in, nothing, quantile
from edgedigits.light import (
    MIN_CONTRAST,
    Contrast,
    Pixels,
    border_of,
    flat_contrast,
    flat_paper,
    has_shade,
    ink_contrast,
    odd,
    otsu_threshold,
    polarity,
    shrunk,
    sloping_contrast,
)
from edgedigits.parts import (
    MIN_INK_SIDE,
    box_of,
    connected_parts,
    covered_sides,
    has_full_corner,
    touches,
)

LOOK_SIDE = 256
"""Longer side on which ink is looked for."""
CLOSE_SIDE = 110
"""A digit that is smaller than this in the picture of ``LOOK_SIDE`` is looked at again, from closer."""
SMALLEST_LOOK = 4
"""Longer side in that picture, in pixels, below which there is no digit: a fiftieth of a photograph has 5."""
CLEAR_VOTE = 0.35
"""Polarity from which on the other one is not tried; wrong votes on sheets with shadows stayed below."""

SMALLEST_EVEN = 3
"""Shorter side in pixels below which even paper is not looked for."""
INK_AT_BORDER = 0.02
"""Share of the border below which ink there is none of the digit's."""
FILLED = 0.8
"""Share of the picture's sides that a digit has to which it was cut."""
NARROW = 0.4
"""Width of a picture in its heights below which it can only have been cut to a 1."""
CUT_MARGIN = 0.1
"""Margin that is put around a picture which was cut to its digit, in longer sides."""
WIDEST_CUT = 1.25
"""Width of such a picture in its heights, at most, where the light is uneven: photographs are wider."""
CLEAR_CONTRAST, CLEAR_SHARE, CLEAR_GRAIN = 0.3, 0.8, 0.3
"""What a digit on even paper has: contrast, where the light is uneven; share of all ink; grain, at most, of its own
contrast."""
HALF_A_SIDE, COVERED, WHOLE_SIDE = 0.5, 0.8, 0.95
"""Shares of a side of the picture that ink covers. A digit that runs out of the picture covers less than half of one;
one that was cut to its ink may cover one whole, as the bar of a 7 does; two that are covered are a frame or shade."""
MAIN_PART = 0.6
"""Share of a cut digit's ink that is connected, at least; ruled lines are many parts."""

FIRST_WINDOW, LAST_WINDOW = 0.1, 0.4
"""Window of the paper's estimate, in longer sides: where it starts, and where it ends. In small pictures it starts as
if the digit filled them."""
SMALL_SIDE = 64
"""Longer side of such pictures, below."""
SMALLEST_WINDOW = 9
WINDOW_PER_DIGIT = 0.3
"""Window, at least, in longer sides of the digit: the strokes of MNIST's are hardly ever as wide."""
SAME_TONE, SAME_TONE_AT_BORDER = 0.85, 0.95
"""Contrast, in that of the ink, from which on pixels are ink as well. Shadows on paper reach 0.8, and the border."""
GROWTH = 1.06
"""Factor by which ink has to grow with the window for the larger window to be right."""

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
    whole = shrunk(gray, LOOK_SIDE)
    drawing = on_even_paper(whole)
    dark, finding = find_in(whole) if drawing is None else drawing
    check_ink(finding)
    scale = max(gray.shape) / max(whole.shape)
    if scale > 1 and finding.side < SMALLEST_LOOK:
        raise nothing("there is no more than a speck; move closer")
    if scale > 1 and finding.side < CLOSE_SIDE:
        closer = shrunk(around(gray, finding.box_in(whole.shape), scale), LOOK_SIDE)
        drawing = None if drawing is None else on_even_paper(closer)
        finding = drawing[1] if drawing is not None and drawing[0] == dark else search(closer, dark=dark)
    check_digit(finding)
    return finding.ink()


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


# --- Even paper ----------------------------------------------------------------------------------------------------


def on_even_paper(gray: Pixels) -> tuple[bool, Finding] | None:
    """Look for a digit on paper of one level, and then of one that changes evenly, of the likelier polarity first.

    Returns:
        Whether the ink is dark, and the digit; None where the paper is uneven, or what stands out is no digit.
    """
    height, width = gray.shape
    if min(height, width) < SMALLEST_EVEN:
        return None
    threshold = otsu_threshold(gray)
    light_share = float((border_of(gray) > threshold).mean())
    polarities = (True, False) if is_light_paper(gray, threshold, light_share) else (False, True)
    for dark in polarities:
        paper = flat_paper(gray, dark=dark)
        if paper is not None:
            ink_at_border = 1 - light_share if dark else light_share
            finding = clear_digit(flat_contrast(gray, paper, dark=dark), ink_at_border)
            if finding is not None:
                return dark, finding
    if not INK_AT_BORDER < light_share < 1 - INK_AT_BORDER or width > WIDEST_CUT * height:
        return None
    for dark in polarities:
        contrast = sloping_contrast(gray, threshold, dark=dark)
        finding = None if contrast is None or has_shade(contrast) else cut_digit(contrast)
        if finding is not None and finding.level > CLEAR_CONTRAST and reaches_across(finding.box, gray.shape):
            return dark, finding
    return None


def is_light_paper(gray: Pixels, threshold: int, light_share: float) -> bool:
    """Tell whether the light pixels are the paper: most of the border is.

    But only a 1 is cut to less than two fifths of its height. It may cover most of the border, and
    runs through the middle.

    Args:
        gray: (h, w) uint8.
        threshold: the highest level of the dark pixels.
        light_share: of the border's pixels, in 0..1.
    """
    height, width = gray.shape
    if width < NARROW * height and INK_AT_BORDER < light_share < 1 - INK_AT_BORDER:
        middle = gray[height // 3 : height - height // 3, width // 3 : width - width // 3]
        return bool(middle.mean() <= threshold)
    return light_share > 0.5


def clear_digit(contrast: Contrast, ink_at_border: float) -> Finding | None:
    """Return the digit that the picture shows without doubt: inside it, or the one to which it was cut.

    Args:
        contrast: (h, w) float32; see ``flat_contrast``.
        ink_at_border: share of the border's pixels that are ink.
    """
    if has_shade(contrast):
        return None
    if ink_at_border > 0 and (cut := cut_digit(contrast)) is not None:
        return cut
    finding = _clear(contrast) if ink_at_border < INK_AT_BORDER else None
    return None if finding is None or finding.touches_border else finding


def cut_digit(contrast: Contrast) -> Finding | None:
    """Return the digit that runs out of the picture or to which it was cut, in the picture with a margin put around it.

    None where the ink runs along the sides or fills a corner, as frames and shade do, or is in many parts, as ruled
    lines are.
    """
    margin = max(2, round(CUT_MARGIN * max(contrast.shape)))
    finding = _clear(np.pad(contrast, margin))
    if finding is None:
        return None
    height, width = contrast.shape
    mask = finding.mask[margin:-margin, margin:-margin]
    sides = covered_sides(mask)
    parts = connected_parts(finding.mask)
    main = int(parts.area.argmax())
    if width < NARROW * height:
        is_cut = sum(side > COVERED for side in sides) < 3
    elif reaches_across(box_of(parts.box[[main]]), contrast.shape):
        is_cut = sum(side > WHOLE_SIDE for side in sides) < 2 and not has_full_corner(mask)
    elif finding.side > FILLED * min(height, width):
        is_cut = max(sides) < WHOLE_SIDE and not has_full_corner(mask)
    else:
        is_cut = max(sides) < HALF_A_SIDE
    return finding if is_cut and parts.area[main] >= MAIN_PART * parts.area.sum() else None


def reaches_across(box: tuple[int, int, int, int], shape: tuple[int, ...]) -> bool:
    """Tell whether a box fills a picture of this shape, (h, w), from top to bottom and from side to side."""
    top, bottom, left, right = box
    return bottom - top > FILLED * shape[0] and (
        right - left > FILLED * shape[1] or shape[1] < NARROW * shape[0]
    )


def _clear(contrast: Contrast) -> Finding | None:
    try:
        finding = finding_in(contrast)
    except ImageError:
        return None
    is_digit = finding.thickness <= PLAUSIBLE_THICKNESS and not finding.is_frame
    is_alone = finding.share > CLEAR_SHARE and finding.grain < CLEAR_GRAIN * finding.level
    return finding if is_digit and is_alone else None


# --- Search --------------------------------------------------------------------------------------------------------


def search(gray: Pixels, *, dark: bool) -> Finding:
    """Look for a digit in windows that grow until they are wide enough for its strokes.

    Args:
        gray: (h, w) uint8.
        dark: whether the ink is darker than the paper.

    Raises:
        ImageError: there is no ink.
    """
    side = max(gray.shape)
    last = odd(LAST_WINDOW * side, SMALLEST_WINDOW)
    window = odd((FIRST_WINDOW if side >= SMALL_SIDE else WINDOW_PER_DIGIT) * side, SMALLEST_WINDOW)
    while True:
        larger = min(2 * window + 1, last)
        try:
            finding = finding_in(ink_contrast(gray, window, dark=dark))
        except ImageError:
            if window >= last:
                raise
            window = larger
            continue
        needed = min(odd(WINDOW_PER_DIGIT * finding.side, SMALLEST_WINDOW), last)
        if needed > window:
            window = needed
        elif window < last and grows(finding, ink_contrast(gray, larger, dark=dark)):
            window = larger
        else:
            return finding


def grows(finding: Finding, contrast: Contrast) -> bool:
    """Tell whether a larger window shows more of the same ink: then the smaller one was too narrow for the strokes.

    Args:
        finding: in the smaller window.
        contrast: (h, w) float32, in the larger one.
    """
    tone = quantile(finding.contrast[finding.mask], 0.75)
    area = np.count_nonzero(finding.mask)
    candidates = (contrast >= SAME_TONE * tone) | finding.mask
    if np.count_nonzero(candidates) <= GROWTH * area:
        return False
    parts = connected_parts(candidates)
    connected = np.zeros(len(parts.area), bool)
    connected[parts.part[finding.mask[parts.row, parts.start] | finding.mask[parts.row, parts.stop - 1]]] = (
        True
    )
    if parts.area[connected].sum() <= GROWTH * area:
        return False
    if finding.touches_border or not touches(box_of(parts.box[connected]), parts.shape):
        return True
    added = parts.mask(connected) & ~finding.mask
    return float(np.median(contrast[added])) > SAME_TONE_AT_BORDER * tone


# --- Checks --------------------------------------------------------------------------------------------------------


def check_ink(finding: Finding) -> None:
    """Raise ``ImageError`` where the ink is the paper's: its grain, its edge, a shadow, an empty frame.

    What runs out of the picture is ink only where the picture was cut to a digit, or where it is strong and in strokes.
    """
    if finding.grain > GRAIN * finding.level or finding.is_frame:
        raise nothing("there is no ink that stands out from the paper; draw darker, or move closer")
    if not finding.touches_border:
        return
    sides = finding.covered_sides
    thickness = finding.thickness
    is_strip = max(sides) > 0.6 and thickness < 0.05
    is_rim = sum(side > COVERED for side in sides) >= 2
    is_faint = finding.level < FAINT and max(sides) > 0.2
    is_shadow = thickness > PLAUSIBLE_THICKNESS or finding.lies_along_border
    if is_strip or is_rim or is_faint or (is_shadow and not reaches_across(finding.box, finding.mask.shape)):
        raise nothing("there is only shade at the border; show the whole digit, with some paper around it")


def check_digit(finding: Finding) -> None:
    """Raise ``ImageError`` where the ink cannot be a digit: a speck, a blot, a dash, one of many marks."""
    top, bottom, left, right = finding.box
    if finding.side < MIN_INK_SIDE:
        raise nothing("there is no more than a speck; draw the digit larger")
    if finding.level < MIN_CONTRAST:
        raise nothing(
            f"ink and paper differ by {100 * finding.level:.0f} % of the light; give it more contrast"
        )
    if finding.thickness > LARGEST_THICKNESS:
        raise nothing("there is a blot, no strokes; show a digit, with some paper around it")
    if right - left > WIDEST * (bottom - top):
        raise nothing("there is a dash, no digit; show one digit, upright")
    if finding.share < MIN_SHARE:
        raise nothing("there are many small marks and none stands out; show one digit, larger")
