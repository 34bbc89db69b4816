"""Papers on which nobody wrote: plain, ruled and patterned ones, as those on which ``_papers.py`` writes. By seed."""

from collections.abc import Callable

import numpy as np
from _papers import Generator, as_jpeg, guilloche, levels_of, ruled, slope, turned_ruled

from edgedigits.contract import IMAGE_SIDE
from edgedigits.picture.levels import Pixels

NOTHING: Pixels = np.zeros((IMAGE_SIDE, IMAGE_SIDE), np.uint8)
LEAST_HEIGHT = 20
"""Of a strip that is cut out, in pixels."""


def plain(_: Pixels, generator: Generator) -> Pixels:
    """Photograph a sheet, or a board, in uneven light."""
    shape = int(generator.integers(40, 400)), int(generator.integers(60, 600))
    tone = generator.uniform(160, 250) if generator.random() < 0.85 else generator.uniform(5, 70)
    levels = levels_of(tone * slope(shape, generator), generator, generator.uniform(0.5, 6))
    return as_jpeg(levels, int(generator.integers(50, 95)))


KINDS: dict[str, Callable[[Pixels, Generator], Pixels]] = {
    "plain": plain,
    "ruled or squared": ruled,
    "ruled, turned, uneven light": turned_ruled,
    "guilloche": guilloche,
}


def empty_paper(kind: str, generator: Generator) -> Pixels:
    """Draw a paper of a kind; every other one is a strip of it, as wide as it was, as a field to write a number in."""
    paper = KINDS[kind](NOTHING, generator)
    if generator.random() < 0.5:
        return paper
    height = max(LEAST_HEIGHT, int(len(paper) * generator.uniform(0.25, 0.5)))
    return np.ascontiguousarray(paper[:height])
