"""A photograph: shadows, grain, lines and table tops, in windows that grow with the strokes. Pure functions of arrays.

The window must be wider than the strokes and narrower than what is not ink: it starts small and grows while that adds
ink of the same tone.
"""

import numpy as np

from edgedigits.errors import ImageError
from edgedigits.picture.components import box_of, connected_components, touches
from edgedigits.picture.contrast import ink_contrast
from edgedigits.picture.finding import Finding, finding_in
from edgedigits.picture.levels import Contrast, Pixels, odd, quantile

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
    parts = connected_components(candidates)
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
