"""Gray levels -> the ink of one digit, on paper of any tone, in any light. Pure functions of arrays.

    polarity          is the ink darker or lighter than its paper? By local contrast, at two scales
    ink_contrast      shadows, tint and shading go: how far each pixel stands out from its own paper
    connected_parts   the ink mask, in connected parts
    Parts...          specks, ruled lines, table tops and frames go; the strokes of one digit stay together
    find_digit        all of it: once for the whole picture, once more, closer, where the digit is small in it

The paper is a morphological closing (the lightest in a window, then the darkest of that), which no dark stroke narrower
than the window survives and every straight edge of a shadow does. So the window must be wider than the strokes and
narrower than what is not ink: it starts small and grows while that adds ink of the same tone.

The constants were chosen on MNIST's validation images, laid on sheets with shadows, texture, lines and specks, and on
digits drawn with paint programs, scanned and photographed; never on MNIST's test images.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from edgedigits.contract import PIXEL_MAX
from edgedigits.errors import ImageError

Pixels = npt.NDArray[np.uint8]
Contrast = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]

LOOK_SIDE = 256
"""Longer side on which ink is looked for."""
CLOSE_SIDE = 110
"""A digit that is smaller than this in the picture of ``LOOK_SIDE`` is looked at again, from closer."""
VOTE_SIDE = 96
"""Longer side on which the polarity is judged."""
SMOOTH_SIDE = 128
"""Longer side from which on noise is averaged over 3 x 3 pixels first; in smaller pictures a pixel may be a stroke."""

BORDER_VOTE = 0.12
"""Weight of the border's tone in the polarity: a light page around a dark canvas must not outvote the digit on it."""
CLEAR_VOTE = 0.35
"""Polarity from which on the other one is not tried; wrong votes on sheets with shadows stayed below."""

FIRST_WINDOW, LAST_WINDOW = 0.1, 0.4
"""Window of the paper's estimate, in longer sides: where it starts, and where it ends. In small pictures, which are
drawings rather than photographs, it starts as if the digit filled them."""
SMALLEST_WINDOW = 9
WINDOW_PER_DIGIT = 0.3
"""Window, at least, in longer sides of the digit: the strokes of MNIST's are hardly ever as wide."""

BLACK_LEVEL = 24
"""Added to the paper's level where the contrast is taken, so that the noise of black is not multiplied."""
MIN_CONTRAST = 0.02
"""Contrast below which ink is none: five gray levels on white. A pencil on gray paper has 0.15."""
THRESHOLD_FLOOR = 0.12
"""What counts as ink has at least this share of the highest contrast."""
SAME_TONE, SAME_TONE_AT_BORDER = 0.85, 0.95
"""Contrast, in that of the ink, from which on pixels are ink as well. Shadows on paper reach 0.8, and the border."""
GROWTH = 1.06
"""Factor by which ink has to grow with the window for the larger window to be right."""

GRAIN = 0.6
"""Contrast of the paper's grain, at most, in that of the ink: measured up to 0.45 with a digit, from 0.6 without."""
GRAIN_DISTANCE = 6
"""Pixels around the digit that are left out where the grain is measured."""
MOST_LAYERS = 8
"""How often foreign ink is taken away before the picture is given up."""
FAINT = 0.45
"""Contrast below which ink that runs out of the picture is taken for a shadow."""
FILLED = 0.8
"""Share of the picture's sides that a digit has to which it was cut."""
STRIP = 0.2
"""Depth of what lies along the border and is no digit, at most, in heights or widths of the picture."""
MIN_INK_SIDE = 3
"""Longer side in pixels below which ink is a speck."""
MIN_PART = 0.03
"""Area of a stroke, at least, in areas of the digit's largest part."""
REACH = 0.2
"""Gap that strokes of one digit may have between them, in longer sides of the digit."""
PLAUSIBLE_THICKNESS, LARGEST_THICKNESS = 0.33, 0.42
"""Stroke width in longer sides of the digit. Of MNIST's training digits 1 in 1,000 has more than 0.27, none 0.35."""
WIDEST = 3.0
"""Width of a digit in its heights, at most. MNIST's widest has 2."""
MIN_SHARE = 0.3
"""Share of all ink that the digit has, at least: less, and it is one of many marks."""


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
        return _touches(self.box, self.mask.shape)

    @property
    def covered_sides(self) -> tuple[float, float, float, float]:
        """Share of the picture's upper, lower, left and right border that the digit covers."""
        rows, columns = self.mask[[0, -1]], self.mask[:, [0, -1]]
        return (*rows.mean(axis=1).tolist(), *columns.mean(axis=0).tolist())

    @property
    def fills_picture(self) -> bool:
        """Whether the picture was cut to the digit."""
        top, bottom, left, right = self.box
        height, width = self.mask.shape
        fills_width = right - left > FILLED * width or width < height / 2
        return bool(bottom - top > FILLED * height and fills_width)

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
    whole = _shrunk(gray, LOOK_SIDE)
    dark, finding = find_in(whole)
    check_ink(finding)
    scale = max(gray.shape) / max(whole.shape)
    if scale > 1 and finding.side < CLOSE_SIDE:
        closer = _shrunk(around(gray, finding, scale), LOOK_SIDE)
        finding = search(closer, dark=dark)
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
    # Small pictures are drawings: ink at their border is the digit's, whatever else there seems to be.
    if max(gray.shape) < SMOOTH_SIDE and ink_at_border(gray, dark=likely):
        cut = cut_to_digit(gray, dark=likely)
        if cut is not None:
            return likely, cut
    try:
        first = search(gray, dark=likely)
    except ImageError:
        return not likely, search(gray, dark=not likely)
    if first.touches_border and (cut := cut_to_digit(gray, dark=likely)) is not None:
        return likely, cut
    if first.is_plausible or abs(vote) > CLEAR_VOTE:
        return likely, first
    try:
        second = search(gray, dark=not likely)
    except ImageError:
        return likely, first
    return (not likely, second) if second.is_plausible else (likely, first)


def ink_at_border(gray: Pixels, *, dark: bool) -> bool:
    """Tell whether any pixel at the border lies nearer to the ink's end of the picture's range than to the paper's."""
    middle = (int(gray.min()) + int(gray.max())) / 2
    border = np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])
    return bool(border.min() < middle if dark else border.max() > middle)


def cut_to_digit(gray: Pixels, *, dark: bool) -> Finding | None:
    """Look for a digit to whose very ink the picture was cut: on paper of one tone, with a margin of it put around.

    Returns:
        The digit, in the picture with its margin; None where the ink is faint or does not fill the picture, where the
        paper is uneven, or the ink runs along the border as a frame or a shade does.
    """
    margin = max(2, round(0.1 * max(gray.shape)))
    paper = int(_quantile(gray.ravel(), 0.9 if dark else 0.1))
    toned = np.pad(gray, margin, constant_values=paper).astype(np.float32)
    light = np.float32(paper + BLACK_LEVEL)
    flat = np.maximum(paper - toned if dark else toned - paper, np.float32(0)) / light
    try:
        finding = finding_in(flat)
    except ImageError:
        return None
    height, width = gray.shape
    top, bottom, left, right = finding.box
    fills = bottom - top > FILLED * height or right - left > FILLED * width
    is_strong = finding.level > 0.2 and finding.thickness <= LARGEST_THICKNESS
    is_clean = finding.grain < 0.15 * finding.level
    inner = finding.mask[margin:-margin, margin:-margin]
    is_narrow = min(height, width) < max(height, width) / 2
    sides = (*inner[[0, -1]].mean(axis=1).tolist(), *inner[:, [0, -1]].mean(axis=0).tolist())
    is_rim = not is_narrow and sum(side > 0.8 for side in sides) >= 2
    return finding if fills and is_strong and is_clean and not is_rim else None


def check_ink(finding: Finding) -> None:
    """Raise ``ImageError`` where the ink is the paper's: its grain, its edge, a shadow, an empty frame.

    What runs out of the picture is ink only where the picture was cut to a digit, or where it is strong and in strokes.
    """
    if finding.grain > GRAIN * finding.level or finding.is_frame:
        raise _nothing("there is no ink that stands out from the paper; draw darker, or move closer")
    if not finding.touches_border:
        return
    sides = finding.covered_sides
    thickness = finding.thickness
    is_strip = max(sides) > 0.6 and thickness < 0.05
    is_rim = sum(side > 0.8 for side in sides) >= 2
    is_faint = finding.level < FAINT and max(sides) > 0.2
    is_shadow = thickness > PLAUSIBLE_THICKNESS and not finding.fills_picture
    if is_strip or is_rim or is_faint or is_shadow:
        raise _nothing("there is only shade at the border; show the whole digit, with some paper around it")


def check_digit(finding: Finding) -> None:
    """Raise ``ImageError`` where the ink cannot be a digit: a speck, a blot, a dash, one of many marks."""
    top, bottom, left, right = finding.box
    if finding.side < MIN_INK_SIDE:
        raise _nothing("there is no more than a speck; draw the digit larger")
    if finding.level < MIN_CONTRAST:
        raise _nothing(
            f"ink and paper differ by {100 * finding.level:.0f} % of the light; give it more contrast"
        )
    if finding.thickness > LARGEST_THICKNESS:
        raise _nothing("there is a blot, no strokes; show a digit, with some paper around it")
    if right - left > WIDEST * (bottom - top):
        raise _nothing("there is a dash, no digit; show one digit, upright")
    if finding.share < MIN_SHARE:
        raise _nothing("there are many small marks and none stands out; show one digit, larger")


def _nothing(why: str) -> ImageError:
    return ImageError(f"shows nothing: {why}")


def around(gray: Pixels, finding: Finding, scale: float) -> Pixels:
    """Cut what was found, with some paper around it, out of the picture ``scale`` times as large."""
    margin = 0.6 * finding.side
    top, bottom, left, right = finding.box
    rows = slice(max(0, int((top - margin) * scale)), int((bottom + margin) * scale))
    columns = slice(max(0, int((left - margin) * scale)), int((right + margin) * scale))
    return np.ascontiguousarray(gray[rows, columns])


def _shrunk(gray: Pixels, side: int) -> Pixels:
    """Bring the longer side down to ``side``, by averaging."""
    ratio = side / max(gray.shape)
    if ratio >= 1:
        return gray
    size = max(1, round(gray.shape[1] * ratio)), max(1, round(gray.shape[0] * ratio))
    return np.asarray(Image.fromarray(gray).resize(size, Image.Resampling.BOX))


# --- Light ---------------------------------------------------------------------------------------------------------


def polarity(gray: Pixels) -> float:
    """Tell whether ink is dark (positive) or light (negative), and how clearly (up to about 2).

    Around strokes there is more paper than ink. So where a window holds both, its pixels lie nearer to the paper's end
    of its range than to the ink's; both sides of a shadow's edge weigh alike. Wide ranges count more. Judged in windows
    of a tenth and of three tenths of the longer side; the border, which is rarely ink, has a small vote as well.

    Args:
        gray: (h, w) uint8.
    """
    small = _shrunk(gray, VOTE_SIDE)
    vote = 0.0
    for share in (0.1, 0.3):
        window = _odd(share * max(small.shape), at_least=3)
        lightest = sliding(small, window, np.maximum).astype(np.float32)
        span = lightest - sliding(small, window, np.minimum)
        above_middle = 2.0 * (small - lightest) + span
        weight = span * span
        vote += float(np.vdot(above_middle, weight)) / max(float(np.vdot(span, weight)), 1.0)
    low, high = int(small.min()), int(small.max())
    border = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])
    return vote + BORDER_VOTE * (2 * float(border.mean()) - low - high) / max(high - low, 1)


def ink_contrast(gray: Pixels, window: int, *, dark: bool) -> Contrast:
    """Return how far each pixel stands out from the paper around it, in levels of that paper.

    A ratio, because a shadow takes the same share of the light from ink and from paper.

    Args:
        gray: (h, w) uint8.
        window: pixels, odd; wider than the strokes.
        dark: whether the ink is darker than the paper.

    Returns:
        (h, w) float32, 0 = paper; at most 1 for dark ink, about 10 for white ink on black.
    """
    toned = gray if dark else np.invert(gray)
    if max(gray.shape) >= SMOOTH_SIDE:
        toned = np.asarray(Image.fromarray(toned).filter(ImageFilter.BoxBlur(1)))
    paper = sliding(sliding(toned, window, np.maximum), window, np.minimum)
    light = (paper if dark else np.invert(paper)) + np.float32(BLACK_LEVEL)
    contrast: Contrast = (np.maximum(paper, toned) - toned) / light
    return contrast


def sliding(pixels: Pixels, window: int, extremum: np.ufunc) -> Pixels:
    """Return the largest (``np.maximum``) or smallest (``np.minimum``) level in a square window around each pixel.

    By doubling: the extremum of 2 pixels, of 4, of 8... and one more step to the width. On one flat array, in which a
    step down is a step of a row's length, so that every operation runs over contiguous memory.

    Args:
        pixels: (h, w) uint8.
        window: side of the square, odd; cut off at the border.
        extremum: which.
    """
    height, width = pixels.shape
    half, stride = window // 2, width + window
    outside = 0 if extremum is np.maximum else PIXEL_MAX
    padded = np.full((height + window, stride), outside, np.uint8)
    padded[half : half + height, half : half + width] = pixels
    flat = padded.reshape(-1)
    for step in (1, stride):
        span = 1
        while span < window:
            further = min(span, window - span)
            flat = extremum(flat[: -further * step], flat[further * step :])
            span += further
    found: Pixels = flat[: height * stride].reshape(height, stride)[:, :width]
    return found


def _odd(length: float, at_least: int) -> int:
    return max(at_least, round(length)) | 1


# --- Parts ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Parts:
    """The connected parts of a mask, as the horizontal runs that they are made of."""

    shape: tuple[int, int]
    """Of the mask."""
    row: Integers
    """Of each run."""
    start: Integers
    """First column of each run."""
    stop: Integers
    """Column after the last of each run."""
    part: Integers
    """Index of the part that each run belongs to."""
    area: Integers
    """Pixels of each part."""
    box: Integers
    """Top, bottom, left and right of each part, the ends exclusive; shape (parts, 4)."""

    def mask(self, chosen: Mask) -> Mask:
        """Return where the chosen parts (bool, one for each part) are, as a mask of ``shape``."""
        height, width = self.shape
        kept = chosen[self.part]
        edges = np.zeros(height * (width + 1), np.int8)
        first = self.row[kept] * (width + 1)
        edges[first + self.start[kept]] = 1
        edges[first + self.stop[kept]] = -1
        inside: Mask = edges.cumsum(dtype=np.int8).astype(bool).reshape(height, width + 1)[:, :width]
        return inside

    def touching_border(self) -> Mask:
        """Tell of each part whether it lies at the border."""
        height, width = self.shape
        top, bottom, left, right = self.box.T
        touching: Mask = (top == 0) | (bottom == height) | (left == 0) | (right == width)
        return touching

    def strips(self) -> Mask:
        """Tell which parts are strips along the border: less than a fifth of the picture deep."""
        height, width = self.shape
        top, bottom, left, right = self.box.T
        flat = ((top == 0) | (bottom == height)) & (bottom - top < STRIP * height)
        upright = ((left == 0) | (right == width)) & (right - left < STRIP * width)
        strips: Mask = flat | upright
        return strips

    def prominence(self) -> npt.NDArray[np.float64]:
        """Return what speaks for each part: its area, weighted by the distance from the border.

        Four times as much for one that does not touch the border. A digit lies inside; ruled lines, table tops and the
        edges of the sheet run along the border or out of it.
        """
        height, width = self.shape
        middle = (self.start + self.stop - 1) // 2
        border = np.minimum.reduce([self.row, height - 1 - self.row, middle, width - 1 - middle])
        depth = (border + 0.5) * (self.stop - self.start)
        weight = np.bincount(self.part, depth, minlength=len(self.area)).astype(np.float64)
        prominence: npt.NDArray[np.float64] = weight * np.where(self.touching_border(), 0.25, 1.0)
        return prominence

    def frames(self, main: int) -> Mask:
        """Tell which parts are frames drawn around the part ``main``, or around others if ``main`` is one itself."""
        frames = np.zeros(len(self.area), bool)
        top, bottom, left, right = self.box[main]
        around = (self.box[:, 0] < top) & (self.box[:, 1] > bottom)
        around &= (self.box[:, 2] < left) & (self.box[:, 3] > right)
        for index in (*np.flatnonzero(around), main):
            frames[index] = self._is_frame(int(index))
        return frames

    def _is_frame(self, index: int) -> bool:
        """Tell whether a part runs along at least three sides of its own box, and has another part inside."""
        top, bottom, left, right = self.box[index]
        inside = (self.box[:, 0] > top) & (self.box[:, 1] < bottom)
        inside &= (self.box[:, 2] > left) & (self.box[:, 3] < right)
        if self.area[inside].max(initial=0) < 0.1 * self.area[index]:
            return False
        near, sides = self._along_box(index)
        return near > 0.85 and sum(side > 0.8 for side in sides) >= 3

    def is_empty_frame(self, index: int) -> bool:
        """Tell whether a part runs along all sides of its own box in thin lines; a 0 would be round or thick."""
        top, bottom, left, right = self.box[index]
        height, width = bottom - top, right - left
        if self.area[index] > 0.03 * max(height, width) * 2 * (height + width):
            return False
        near, sides = self._along_box(index)
        return near > 0.95 and min(sides) > 0.9

    def _along_box(self, index: int) -> tuple[float, tuple[float, float, float, float]]:
        """Return the share of a part that lies along the sides of its box, and the share of each side it covers."""
        top, bottom, left, right = self.box[index]
        height, width = int(bottom - top), int(right - left)
        if min(height, width) < 4 * MIN_INK_SIDE:
            return 0.0, (0.0, 0.0, 0.0, 0.0)
        mine = self.part == index
        row, start, stop = self.row[mine] - top, self.start[mine] - left, self.stop[mine] - left
        rim = max(3, round(0.05 * max(height, width)))
        length = stop - start
        at_left = np.minimum(stop, rim) - np.minimum(start, rim)
        at_right = np.maximum(stop, width - rim) - np.maximum(start, width - rim)
        at_top, at_bottom = row < rim, row >= height - rim
        near = np.where(at_top | at_bottom, length, np.minimum(at_left + at_right, length))
        sides = (
            float(length[at_top].max(initial=0)) / width,
            float(length[at_bottom].max(initial=0)) / width,
            np.unique(row[at_left > 0]).size / height,
            np.unique(row[at_right > 0]).size / height,
        )
        return float(near.sum()) / float(length.sum()), sides

    def strokes_near(self, main: int, foreign: Mask) -> Mask:
        """Tell which parts make up one digit: ``main``, and strokes near it that are not foreign and no specks."""
        chosen = np.zeros(len(self.area), bool)
        chosen[main] = True
        strokes = ~foreign & (self.area >= MIN_PART * self.area[main])
        while True:
            top, bottom, left, right = box_of(self.box[chosen])
            reach = REACH * max(bottom - top, right - left)
            gap = np.maximum.reduce(
                [self.box[:, 0] - bottom, top - self.box[:, 1], self.box[:, 2] - right, left - self.box[:, 3]]
            )
            further = strokes & ~chosen & (gap <= reach)
            if not further.any():
                return chosen
            chosen |= further


def connected_parts(mask: Mask) -> Parts:
    """Part a mask into what is connected, diagonally too.

    By runs: those of neighbouring rows that touch are pairs, and each takes the smallest number among its pairs until
    nothing changes.

    Args:
        mask: (h, w) bool.
    """
    height, width = mask.shape
    stride = width + 1
    flat = np.zeros(height * stride + 1, np.int8)
    flat[1:].reshape(height, stride)[:, :width] = mask
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    starts, stops = edges[::2], edges[1::2]
    first = stops.searchsorted(starts + stride, "left")
    counts = np.maximum(starts.searchsorted(stops + stride, "right") - first, 0)
    upper = np.repeat(np.arange(len(starts)), counts)
    lower = np.arange(len(upper)) + np.repeat(first - (counts.cumsum() - counts), counts)
    number = np.arange(len(starts))
    while True:
        least = np.minimum(number[upper], number[lower])
        smaller = number.copy()
        np.minimum.at(smaller, number[upper], least)
        np.minimum.at(smaller, number[lower], least)
        smaller = smaller[smaller]
        if np.array_equal(smaller, number):
            break
        number = smaller
    numbers, part = np.unique(number, return_inverse=True)
    row = starts // stride
    start, stop = starts - row * stride, stops - row * stride
    box = np.tile(np.array([height, 0, width, 0]), (len(numbers), 1))
    np.minimum.at(box[:, 0], part, row)
    np.maximum.at(box[:, 1], part, row + 1)
    np.minimum.at(box[:, 2], part, start)
    np.maximum.at(box[:, 3], part, stop)
    area = np.bincount(part, stop - start, minlength=len(numbers)).astype(np.int64)
    return Parts((height, width), row, start, stop, part, area, box)


def box_of(boxes: Integers) -> tuple[int, int, int, int]:
    """Return the box around boxes, shape (n, 4), n > 0."""
    return int(boxes[:, 0].min()), int(boxes[:, 1].max()), int(boxes[:, 2].min()), int(boxes[:, 3].max())


def _touches(box: tuple[int, int, int, int], shape: tuple[int, ...]) -> bool:
    top, bottom, left, right = box
    return top == 0 or left == 0 or bottom == shape[0] or right == shape[1]


def stroke_width(ink: Pixels) -> float:
    """Return the mean width of the strokes in pixels: twice their area over their perimeter.

    The perimeter of a soft-edged shape is the total variation of its levels (coarea formula), so no threshold is
    needed.
    """
    padded = np.pad(ink, 1).astype(np.float32)
    down = padded[1:, :-1] - padded[:-1, :-1]
    across = padded[:-1, 1:] - padded[:-1, :-1]
    perimeter = float(np.sqrt(down * down + across * across).sum())
    return 2 * float(padded.sum()) / perimeter if perimeter else 0.0


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
    last = _odd(LAST_WINDOW * side, SMALLEST_WINDOW)
    window = _odd((FIRST_WINDOW if side >= SMOOTH_SIDE else WINDOW_PER_DIGIT) * side, SMALLEST_WINDOW)
    while True:
        larger = min(2 * window + 1, last)
        try:
            finding = finding_in(ink_contrast(gray, window, dark=dark))
        except ImageError:
            if window >= last:
                raise
            window = larger
            continue
        needed = min(_odd(WINDOW_PER_DIGIT * finding.side, SMALLEST_WINDOW), last)
        if needed > window:
            window = needed
        elif window < last and grows(finding, ink_contrast(gray, larger, dark=dark)):
            window = larger
        else:
            return finding


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
        parts = connected_parts(levels > threshold)
        main = int(parts.prominence().argmax())
        frames = parts.frames(main)
        foreign = parts.touching_border() | frames
        strips = parts.strips()
        if not frames[main] and not strips[main]:
            foreign[main] = False
            if not frames.any() and parts.area[foreign].sum() <= 0.2 * parts.area[main]:
                return _finding(contrast, parts, main, foreign)
        contrast = np.where(_widened(parts.mask(foreign), 2), np.float32(0), contrast)
        for top, bottom, left, right in parts.box[frames]:
            inside = np.zeros_like(contrast)
            inside[top:bottom, left:right] = contrast[top:bottom, left:right]
            contrast = inside
    raise _nothing("ink and paper do not differ; give it more contrast")


def _finding(contrast: Contrast, parts: Parts, main: int, foreign: Mask) -> Finding:
    chosen = parts.strokes_near(main, foreign)
    mask = parts.mask(chosen)
    # The soft edge of strokes lies below the threshold, and belongs to them.
    near = _widened(mask, max(1, round(max(mask.shape) / 85)))
    share = float(parts.area[chosen].sum() / parts.area.sum())
    level = float(contrast[mask].mean())
    away = contrast[~_widened(parts.mask(chosen | foreign), GRAIN_DISTANCE)]
    grain = _quantile(away, 0.99) if away.size else 0.0
    kept = np.where(near, contrast, np.float32(0))
    return Finding(kept, mask, level, box_of(parts.box[chosen]), share, grain, parts.is_empty_frame(main))


def _quantile(levels: npt.NDArray[Any], share: float) -> float:
    position = int(share * (levels.size - 1))
    return float(np.partition(levels, position)[position])


def _widened(mask: Mask, pixels: int) -> Mask:
    return sliding(mask.view(np.uint8), 2 * pixels + 1, np.maximum).astype(bool)


def grows(finding: Finding, contrast: Contrast) -> bool:
    """Tell whether a larger window shows more of the same ink: then the smaller one was too narrow for the strokes.

    Args:
        finding: in the smaller window.
        contrast: (h, w) float32, in the larger one.
    """
    tone = _quantile(finding.contrast[finding.mask], 0.75)
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
    if finding.touches_border or not _touches(box_of(parts.box[connected]), parts.shape):
        return True
    added = parts.mask(connected) & ~finding.mask
    return float(np.median(contrast[added])) > SAME_TONE_AT_BORDER * tone


def otsu_threshold(pixels: Pixels) -> int:
    """Return the level that parts the histogram into two classes of largest between-class variance.

    N. Otsu, A threshold selection method from gray-level histograms, IEEE Trans. SMC 9(1), 1979.
    """
    histogram = np.bincount(pixels.ravel(), minlength=PIXEL_MAX + 1)
    below = histogram.cumsum()[:-1].astype(np.float64)
    above = pixels.size - below
    moment = (histogram * np.arange(PIXEL_MAX + 1)).cumsum().astype(np.float64)
    distance = moment[-1] * below - moment[:-1] * pixels.size
    variance = distance * distance / np.maximum(below * above, 1)
    return int(variance.argmax())
