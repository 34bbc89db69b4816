"""One digit among the ink of a picture: the most prominent part, and what belongs to it. Pure functions of arrays."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edgedigits.contract import PIXEL_MAX
from edgedigits.errors import ImageError
from edgedigits.picture.components import (
    Components,
    Mask,
    box_of,
    connected_components,
    covered_sides,
    touches,
)
from edgedigits.picture.contrast import MIN_CONTRAST
from edgedigits.picture.levels import Contrast, Pixels, otsu_threshold, quantile, sliding, stroke_width

THRESHOLD_FLOOR = 0.12
"""What counts as ink has at least this share of the highest contrast."""
GRAIN_DISTANCE = 6
"""Pixels around the digit that are left out where the grain is measured."""
MOST_LAYERS = 8
"""How often foreign ink is taken away before the picture is given up."""
LYING = 0.7
"""Share of its height or width with which ink lies along the border and is shade: strokes run out across it."""
FULL = 0.35
"""Area of a panel with a digit in it, in that of its box, at least; most digits have less."""
PLAUSIBLE_THICKNESS = 0.33
"""Stroke width in longer sides of the digit. Of MNIST's training digits 1 in 1,000 has more than 0.27, none 0.35."""


@dataclass(frozen=True)
class Finding:
    """The ink of a digit, and where it was found."""

    contrast: Contrast
    """(h, w) float32: how far each pixel stands out from its paper; 0 where it does not belong to the digit."""
    mask: Mask
    """(h, w) bool: the digit's pixels."""
    level: float
    """Mean contrast of the digit's pixels."""
    box: tuple[int, int, int, int]
    """Top, bottom, left and right, the ends exclusive."""
    share: float
    """Of all pixels that looked like ink, those of the digit."""
    grain: float
    """Contrast that only 1 in 100 pixels away from the digit exceed."""
    is_frame: bool
    """Whether the ink runs along the sides of its own box, thin and straight."""
    is_panel: bool = False
    """Whether its most prominent part has four corners, as paper has, and something in it."""
    is_cut: bool = False
    """Whether it runs out of the picture, around which a margin was put."""
    digits: tuple[float, ...] = ()
    """Middles of it and of the digits that stand in one line with it, in widths of the picture; () if it is alone."""

    @property
    def side(self) -> int:
        """Longer side of the box."""
        top, bottom, left, right = self.box
        return max(bottom - top, right - left)

    @cached_property
    def thickness(self) -> float:
        """Stroke width in longer sides of the digit."""
        return stroke_width(self.ink()) / self.side

    @property
    def touches_border(self) -> bool:
        """Whether the digit runs out of the picture."""
        return touches(self.box, self.mask.shape)

    @property
    def covered_sides(self) -> tuple[float, float, float, float]:
        """Share of the picture's upper, lower, left and right border that the digit covers."""
        return covered_sides(self.mask)

    @property
    def lies_along_border(self) -> bool:
        """Whether the ink rests on a side of the picture with nearly all of its height or width, as shade does."""
        top, bottom, left, right = self.box
        extents = np.array([right - left, right - left, bottom - top, bottom - top])
        height, width = self.mask.shape
        lengths = np.array(self.covered_sides) * [width, width, height, height]
        return bool((lengths > LYING * extents).any())

    def box_in(self, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
        """Return the box in the picture of this shape, (h, w), that was looked at, perhaps with a margin around it."""
        top, bottom, left, right = self.box
        down, across = (self.mask.shape[0] - shape[0]) // 2, (self.mask.shape[1] - shape[1]) // 2
        return top - down, bottom - down, left - across, right - across

    @property
    def is_plausible(self) -> bool:
        """Whether nothing speaks against it: it has strokes, and lies inside the picture."""
        return not self.touches_border and bool(self.thickness <= PLAUSIBLE_THICKNESS)

    def ink(self) -> Pixels:
        """Return the digit as (h, w) uint8: a quarter to nine tenths of its mean contrast, spread over 0..255."""
        lowest, highest = 0.25 * self.level, 0.9 * self.level
        spread = (self.contrast - np.float32(lowest)) * np.float32(PIXEL_MAX / (highest - lowest))
        ink: Pixels = np.clip(spread, 0, PIXEL_MAX).astype(np.uint8)
        return ink


def finding_in(contrast: Contrast) -> Finding:
    """Find the digit in the ink of a picture: what is connected with, or near, its most prominent part.

    What is foreign goes first: it may be darker than the digit, and would hide it.

    Args:
        contrast: (h, w) float32; see ``ink_contrast``.

    Raises:
        ImageError: there is no ink.
    """
    for _ in range(MOST_LAYERS):
        highest = float(contrast.max())
        if highest < MIN_CONTRAST:
            break
        levels = (contrast * np.float32(PIXEL_MAX / highest)).astype(np.uint8)
        threshold = max(otsu_threshold(levels), int(THRESHOLD_FLOOR * PIXEL_MAX))
        parts = connected_components(levels > threshold)
        main = int(parts.prominence().argmax())
        frames = parts.frames(main)
        foreign = parts.touching_border() | frames
        strips = parts.strips()
        if not frames[main] and not strips[main]:
            foreign[main] = False
            if not frames.any() and parts.area[foreign].sum() <= 0.2 * parts.area[main]:
                return _finding(contrast, parts, main, foreign)
        contrast = np.where(widened(parts.mask(foreign), 2), np.float32(0), contrast)
        for top, bottom, left, right in parts.box[frames]:
            inside = np.zeros_like(contrast)
            inside[top:bottom, left:right] = contrast[top:bottom, left:right]
            contrast = inside
    raise no_digit("ink and paper do not differ; give it more contrast")


def _finding(contrast: Contrast, parts: Components, main: int, foreign: Mask) -> Finding:
    chosen = parts.strokes_near(main, foreign)
    mask = parts.mask(chosen)
    # The soft edge of strokes lies below the threshold, and belongs to them.
    near = widened(mask, max(1, round(max(mask.shape) / 85)))
    share = float(parts.area[chosen].sum() / parts.area.sum())
    level = float(contrast[mask].mean())
    away = contrast[~widened(parts.mask(chosen | foreign), GRAIN_DISTANCE)]
    grain = quantile(away, 0.99) if away.size else 0.0
    kept = np.where(near, contrast, np.float32(0))
    is_frame = parts.is_empty_frame(main)
    digits = middles(parts, main)
    return Finding(
        kept,
        mask,
        level,
        box_of(parts.box[chosen]),
        share,
        grain,
        is_frame,
        _is_panel(parts, main),
        digits=digits,
    )


def _is_panel(parts: Components, main: int) -> bool:
    top, bottom, left, right = parts.box[main]
    if parts.area[main] < FULL * (bottom - top) * (right - left):
        return False
    from edgedigits.picture.panels import is_panel

    return is_panel(parts, main)


def middles(parts: Components, main: int) -> tuple[float, ...]:
    """Return where digits stand in one line, in widths of the picture; () where there is only one."""
    boxes = parts.digits_in_line(main)
    return tuple((boxes[:, 2:].mean(axis=1) / parts.shape[1]).tolist())


def widened(mask: Mask, pixels: int) -> Mask:
    """Let a mask grow by so many pixels to all sides."""
    return sliding(mask.view(np.uint8), 2 * pixels + 1, np.maximum).astype(bool)


def no_digit(why: str) -> ImageError:
    """Return the error for a picture without a digit."""
    return ImageError(f"shows nothing: {why}")
