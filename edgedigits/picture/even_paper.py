"""Drawings, and pictures cut to their digit: paper of one level, or of one that changes evenly. Pure functions."""

from dataclasses import replace

import numpy as np

from edgedigits.errors import ImageError
from edgedigits.picture.components import box_of, connected_components, covered_sides, has_full_corner
from edgedigits.picture.contrast import flat_contrast, flat_paper, has_shade, sloping_contrast
from edgedigits.picture.finding import PLAUSIBLE_THICKNESS, Finding, finding_in
from edgedigits.picture.levels import Contrast, Pixels, border_of, otsu_threshold

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
    parts = connected_components(finding.mask)
    main = int(parts.area.argmax())
    if width < NARROW * height:
        is_cut = sum(side > COVERED for side in sides) < 3
    elif reaches_across(box_of(parts.box[[main]]), contrast.shape):
        is_cut = sum(side > WHOLE_SIDE for side in sides) < 2 and not has_full_corner(mask)
    elif finding.side > FILLED * min(height, width):
        is_cut = max(sides) < WHOLE_SIDE and not has_full_corner(mask)
    else:
        is_cut = max(sides) < HALF_A_SIDE
    if not is_cut or parts.area[main] < MAIN_PART * parts.area.sum():
        return None
    return replace(finding, is_cut=bool(mask[[0, -1]].any() or mask[:, [0, -1]].any()))


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
