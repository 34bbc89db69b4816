"""Paper in stripes, light and dark in turn, across the whole picture: ink is light where paper is dark.

Pure functions of arrays.
"""

import numpy as np

from edgedigits.picture.levels import Pixels

DARK, LIGHT = 55, 200
"""Levels up to which, and from which on, a stripe of paper is dark or light."""
SAME_TONE = 40
"""Levels between both ends of a stripe, at most."""
NARROWEST = 0.1
"""Width of a stripe, in sides of the picture, at least; narrower ones are lines."""


def without_stripes(gray: Pixels) -> Pixels:
    """Invert stripes of the rarer tone, upright or level, so that paper and ink have one tone each.

    Args:
        gray: (h, w) uint8.

    Returns:
        (h, w) uint8; the picture itself where its paper has no such stripes.
    """
    for ends, view in ((gray[[0, -1]], gray), (gray[:, [0, -1]].T, gray.T)):
        is_light = ends[0] >= LIGHT
        if is_light.all() or not is_light.any() or not ((ends[0] <= DARK) | is_light).all():
            continue
        apart = np.abs(ends[0].astype(np.int16) - ends[1])
        edges = np.flatnonzero(np.diff(is_light.astype(np.int8), prepend=-1, append=-1))
        if int(apart.max()) > SAME_TONE or int(np.diff(edges).min()) < NARROWEST * is_light.size:
            continue
        rarer = is_light if 2 * np.count_nonzero(is_light) <= is_light.size else ~is_light
        turned = np.where(rarer, np.invert(view), view)
        return np.ascontiguousarray(turned if view is gray else turned.T)
    return gray
