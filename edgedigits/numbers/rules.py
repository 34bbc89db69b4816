"""Lines that a form is printed with: long, thin, level. Pure functions of masks."""

import numpy as np
import numpy.typing as npt

from edgedigits.picture.components import Mask

Integers = npt.NDArray[np.int64]


def rules_in(mask: Mask, length: float, thickness: float) -> Mask:
    """Tell which ink belongs to lines, level or nearly so.

    Where a stroke crosses a line or stands on it, the ink is higher than the line, and is the stroke's.

    Args:
        mask: (h, w) bool, ink.
        length: pixels that a line is long, at least.
        thickness: pixels that it is high, at most.
    """
    # A line that is not quite level goes on in the row above or below.
    thick = mask.copy()
    thick[1:] |= mask[:-1]
    thick[:-1] |= mask[1:]
    rules: Mask = mask & (run_lengths(thick) >= length)
    if rules.any():
        rules &= thickness >= run_lengths(mask.T).T
    return rules


def run_lengths(mask: Mask) -> Integers:
    """Return for each pixel of a mask how many in a row it is one of, from left to right; 0 for those of none."""
    height, width = mask.shape
    flat = np.zeros(height * (width + 1) + 1, np.int8)
    flat[1:].reshape(height, width + 1)[:, :width] = mask
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    starts, stops = changes[::2], changes[1::2]
    lengths: Integers = np.zeros(height * (width + 1), np.int64)
    lengths[flat[1:] > 0] = np.repeat(stops - starts, stops - starts)
    return lengths.reshape(height, width + 1)[:, :width]
