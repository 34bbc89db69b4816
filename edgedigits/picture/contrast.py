"""Contrast: how far each pixel stands out from its paper. Pure functions of arrays.

    polarity          is the ink darker or lighter than its paper? By local contrast, at two scales
    ink_contrast      paper in any light, by a morphological closing: shadows, tint and shading go
    flat_contrast     paper of one level, as paint programs and canvases have it
    sloping_contrast  paper on which the light falls off evenly, by a surface of second order

A closing is the lightest in a window, then the darkest of that: no dark stroke narrower than the window survives it,
and every straight edge of a shadow does. The other two need no window, so strokes may be of any width, and may run out
of the picture.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from edgedigits.contract import PIXEL_MAX
from edgedigits.picture.levels import Contrast, Pixels, border_of, odd, sliding
from edgedigits.picture.scaling import shrunk

VOTE_SIDE = 96
"""Longer side on which the polarity is judged."""
SMOOTH_SIDE = 128
"""Longer side from which on noise is averaged over 3 x 3 pixels first; in smaller pictures a pixel may be a stroke."""
BORDER_VOTE = 0.12
"""Weight of the border's tone in the polarity: a light page around a dark canvas must not outvote the digit on it."""
BLACK_LEVEL = 24
"""Added to the level by which the contrast is divided, so that the noise of black is not multiplied."""
BRIGHT_WINDOW = 0.4
"""Window, in longer sides, in which the brightest pixel is what light ink is compared with."""
MIN_CONTRAST = 0.02
"""Contrast below which ink is none: five gray levels on white. A pencil on gray paper has 0.15."""

FLAT_PAPER, FLAT_TOLERANCE = 0.15, 6
"""Share of the pixels that flat paper has at least, and how many levels they may lie from its own. Pictures that were
cut to their digit's ink show the least: one in twenty less than 0.2."""
SLOPE_SIDE = 32
"""Longer side on which the surface is fitted."""
SLOPE_PAPER = 0.12
"""Share of the pixels that the surface is fitted to, at least."""
SLOPE_TOLERANCE = 0.2
"""Distance from the surface, in that of the ink, within which a pixel is paper."""
SLOPE_RESIDUAL = 0.1
"""Distance from the surface, in that of the ink, that seven tenths of even paper keep."""
SHADE_TONES = 0.14, 0.85
"""Tones, in the highest contrast, of what may be shade: more than paper, less than ink."""
SHADE_SPAN = 0.03
"""Range of tones around a pixel, in the highest contrast, below which it lies in an even area and on no edge."""
MOST_SHADE = 0.2
"""Even areas of such tones, at most, in areas of ink. Strokes have edges instead, however soft."""


def polarity(gray: Pixels) -> float:
    """Tell whether ink is dark (positive) or light (negative), and how clearly (up to about 2).

    Around strokes there is more paper than ink. So where a window holds both, its pixels lie nearer to the paper's end
    of its range than to the ink's; both sides of a shadow's edge weigh alike. Wide ranges count more. Judged in windows
    of a tenth and of three tenths of the longer side; the border, which is rarely ink, has a small vote as well.

    Args:
        gray: (h, w) uint8.
    """
    small = shrunk(gray, VOTE_SIDE)
    vote = 0.0
    for share in (0.1, 0.3):
        window = odd(share * max(small.shape), at_least=3)
        lightest = sliding(small, window, np.maximum).astype(np.float32)
        span = lightest - sliding(small, window, np.minimum)
        above_middle = 2.0 * (small - lightest) + span
        weight = span * span
        vote += float(np.vdot(above_middle, weight)) / max(float(np.vdot(span, weight)), 1.0)
    low, high = int(small.min()), int(small.max())
    return vote + BORDER_VOTE * (2 * float(border_of(small).mean()) - low - high) / max(high - low, 1)


def ink_contrast(gray: Pixels, window: int, *, dark: bool) -> Contrast:
    """Return how far each pixel stands out from the paper around it.

    A ratio, because a shadow takes the same share of the light from ink and from paper: to the level of the paper for
    dark ink, of the brightest ink nearby for light ink.

    Args:
        gray: (h, w) uint8.
        window: pixels, odd; wider than the strokes.
        dark: whether the ink is darker than the paper.

    Returns:
        (h, w) float32, 0 = paper; below 1.
    """
    toned = gray if dark else np.invert(gray)
    if max(gray.shape) >= SMOOTH_SIDE:
        toned = np.asarray(Image.fromarray(toned).filter(ImageFilter.BoxBlur(1)))
    paper = sliding(sliding(toned, window, np.maximum), window, np.minimum)
    light = paper
    if not dark:
        light = sliding(np.invert(toned), odd(BRIGHT_WINDOW * max(gray.shape), at_least=3), np.maximum)
    contrast: Contrast = (np.maximum(paper, toned) - toned) / (light + np.float32(BLACK_LEVEL))
    return contrast


def flat_paper(gray: Pixels, *, dark: bool) -> int | None:
    """Return the level that most of the paper has: where the histogram peaks, at the far end from the ink.

    Args:
        gray: (h, w) uint8.
        dark: whether the ink is darker than the paper.

    Returns:
        None where no level is common enough, or where much is further from the ink still.
    """
    levels = np.bincount((gray if dark else np.invert(gray)).ravel(), minlength=PIXEL_MAX + 1)
    darkest, lightest = levels.cumsum().searchsorted((0.01 * gray.size, 0.99 * gray.size))
    middle = int(darkest + lightest) // 2
    paper = middle + int(levels[middle:].argmax())
    near = levels[max(paper - FLAT_TOLERANCE, 0) : paper + FLAT_TOLERANCE + 1].sum()
    beyond = levels[paper + FLAT_TOLERANCE + 1 :].sum()
    if near < FLAT_PAPER * gray.size or beyond > 0.01 * gray.size:
        return None
    return paper if dark else PIXEL_MAX - paper


def flat_contrast(gray: Pixels, paper: int | npt.NDArray[np.float32], *, dark: bool) -> Contrast:
    """Return how far each pixel stands out from paper of a known level.

    Args:
        gray: (h, w) uint8.
        paper: its level, 0..255: one for all, or float32 (h, w).
        dark: whether the ink is darker than the paper.

    Returns:
        (h, w) float32, 0 = paper; below 1, in levels of the paper for dark ink, of white for light ink.
    """
    levels = gray.astype(np.float32)
    light = np.asarray(paper if dark else PIXEL_MAX, np.float32) + np.float32(BLACK_LEVEL)
    difference = paper - levels if dark else levels - paper
    contrast: Contrast = np.maximum(difference, np.float32(0)) / light
    return contrast


def sloping_contrast(gray: Pixels, threshold: int, *, dark: bool) -> Contrast | None:
    """Return how far each pixel stands out from paper on which the light falls off evenly.

    Args:
        gray: (h, w) uint8.
        threshold: the highest level of the dark pixels.
        dark: whether the ink is darker than the paper.

    Returns:
        As ``flat_contrast``; None where the paper is no such surface.
    """
    paper = paper_surface(gray, threshold, dark=dark, tolerance=SLOPE_TOLERANCE, residual=SLOPE_RESIDUAL)
    return None if paper is None else flat_contrast(gray, paper, dark=dark)


def paper_surface(
    gray: Pixels, threshold: int, *, dark: bool, tolerance: float, residual: float = np.inf
) -> npt.NDArray[np.float32] | None:
    """Return the level of paper on which the light falls off evenly.

    It is a surface of second order, fitted to the pixels on the paper's side of a threshold and, twice more, to
    those that lie near the surface: three rounds of trimmed least squares.

    Args:
        gray: (h, w) uint8.
        threshold: the highest level of the dark pixels.
        dark: whether the ink is darker than the paper.
        tolerance: distance from the surface, in that of the ink, within which a pixel is paper.
        residual: distance from the surface, in that of the ink, that seven tenths of the paper keep at most.

    Returns:
        (h, w) float32, 0..255; None where too little is paper, or it is further from the surface.
    """
    small = shrunk(gray, SLOPE_SIDE)
    terms = np.stack(_surface_terms(small.shape), axis=-1).reshape(-1, 6)
    levels = small.reshape(-1).astype(np.float64)
    is_paper = (levels > threshold) == dark
    for _ in range(3):
        if np.count_nonzero(is_paper) < max(SLOPE_PAPER * levels.size, 6):
            return None
        weights = np.linalg.lstsq(terms[is_paper], levels[is_paper], rcond=None)[0]
        away = terms @ weights - levels if dark else levels - terms @ weights
        ink = float(away[~is_paper].mean()) if not is_paper.all() else 0.0
        is_paper = np.abs(away) < tolerance * ink
    if not is_paper.any() or np.quantile(np.abs(away[is_paper]), 0.7) > residual * ink:
        return None
    paper = np.zeros(gray.shape, np.float32)
    for weight, term in zip(weights, _surface_terms(gray.shape), strict=True):
        paper += np.float32(weight) * term
    return np.clip(paper, 0, PIXEL_MAX)


def _surface_terms(shape: tuple[int, ...]) -> list[npt.NDArray[np.float32]]:
    """Return 1, x, y, x^2, xy and y^2 at the pixels of a picture, each (h, w), with x and y from -1 to 1."""
    y = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, np.newaxis]
    x = np.linspace(-1, 1, shape[1], dtype=np.float32)
    return [np.broadcast_to(term, shape) for term in (np.ones_like(x), x, y, x * x, x * y, y * y)]


def has_shade(contrast: Contrast) -> bool:
    """Tell whether even areas have tones between paper and ink: then the paper is not what it was taken for.

    Args:
        contrast: (h, w) float32, 0 = paper.
    """
    highest = float(contrast.max())
    if highest < MIN_CONTRAST:
        return True
    levels = (contrast * np.float32(PIXEL_MAX / highest)).astype(np.uint8)
    lowest_shade, lowest_ink = (int(tone * PIXEL_MAX) for tone in SHADE_TONES)
    is_between = (levels > lowest_shade) & (levels < lowest_ink)
    most = MOST_SHADE * np.count_nonzero(levels >= lowest_ink)
    if np.count_nonzero(is_between) <= most:
        return False
    window = odd(max(levels.shape) / 16, 3)
    span = sliding(levels, window, np.maximum) - sliding(levels, window, np.minimum)
    return bool(np.count_nonzero(is_between & (span < SHADE_SPAN * PIXEL_MAX)) > most)
