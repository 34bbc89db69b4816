"""Parts: what is connected in the ink of a picture, and which of it is no digit. Pure functions of arrays."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]

MIN_INK_SIDE = 3
"""Longer side in pixels below which ink is a speck."""
STRIP = 0.2
"""Depth of what lies along the border and is no digit, at most, in heights or widths of the picture."""
CORNER = 0.3
"""Side of the square at a corner, in longer sides of the picture, that shade fills and no stroke does."""
MIN_PART = 0.03
"""Area of a stroke, at least, in areas of the digit's largest part."""
IN_LINE_AREA, IN_LINE_HEIGHT, LINE_WIDTH = 0.25, 0.55, 1.15
"""Area and height, in those of the most prominent part, from which on another one is a digit by itself, and the
width of both together in their heights. The two halves of a broken 0 or 4 are narrower than they are high."""
REACH = 0.2
"""Gap that strokes of one digit may have between them, in longer sides of the digit."""


class Components(NamedTuple):
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
        changes = np.zeros(height * (width + 1), np.int8)
        first = self.row[kept] * (width + 1)
        changes[first + self.start[kept]] = 1
        changes[first + self.stop[kept]] = -1
        inside: Mask = changes.cumsum(dtype=np.int8).astype(bool).reshape(height, width + 1)[:, :width]
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

    def digits_in_line(self, main: int) -> Integers:
        """Return the boxes of the parts of a digit's size that stand in one line with the part ``main``.

        Parts at the border are left out, and strokes of one digit: side by side they are no wider than it is high.

        Returns:
            (n, 4), from left to right; n is 0 where there is no more than one digit.
        """
        top, bottom = self.box[main, :2]
        heights = self.box[:, 1] - self.box[:, 0]
        overlap = np.minimum(self.box[:, 1], bottom) - np.maximum(self.box[:, 0], top)
        beside = ~self.touching_border() & (self.area >= IN_LINE_AREA * self.area[main])
        beside &= (heights >= IN_LINE_HEIGHT * (bottom - top)) & (overlap >= 0.5 * heights)
        boxes: Integers = self.box[beside]
        boxes = boxes[boxes[:, 2].argsort()]
        # What stands above or below another part belongs to it.
        apart = [index for index, box in enumerate(boxes) if not (boxes[:index, 3] > box[2:].mean()).any()]
        boxes = boxes[apart]
        if len(boxes) < 2 or boxes[:, 3].max() - boxes[:, 2].min() < LINE_WIDTH * heights[beside].max():
            boxes = boxes[:0]
        return boxes

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


def connected_components(mask: Mask) -> Components:
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
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    starts, stops = changes[::2], changes[1::2]
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
    return Components((height, width), row, start, stop, part, area, box)


def covered_sides(mask: Mask) -> tuple[float, float, float, float]:
    """Return the share of the picture's upper, lower, left and right border that is ink."""
    rows, columns = mask[[0, -1]], mask[:, [0, -1]]
    return (*rows.mean(axis=1).tolist(), *columns.mean(axis=0).tolist())


def has_full_corner(mask: Mask) -> bool:
    """Tell whether a corner of the picture is all ink, as shade and table tops make it."""
    side = round(CORNER * max(mask.shape))
    ends = slice(side), slice(-side, None)
    return side > 0 and any(mask[rows, columns].mean() > 0.95 for rows in ends for columns in ends)


def box_of(boxes: Integers) -> tuple[int, int, int, int]:
    """Return the box around boxes, shape (n, 4), n > 0."""
    return int(boxes[:, 0].min()), int(boxes[:, 1].max()), int(boxes[:, 2].min()), int(boxes[:, 3].max())


def touches(box: tuple[int, int, int, int], shape: tuple[int, ...]) -> bool:
    """Tell whether a box lies at the border of a picture."""
    top, bottom, left, right = box
    return top == 0 or left == 0 or bottom == shape[0] or right == shape[1]
