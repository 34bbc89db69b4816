"""Ink on each side of thresholds by which a digit is told from what is around it.

The rest of them is in ``test_thresholds.py``.
"""

from collections.abc import Callable

import numpy as np
import pytest

from edgedigits.errors import ImageError
from edgedigits.picture.finding import finding_in
from edgedigits.picture.levels import Contrast


def strokes(*boxes: tuple[int, int, int, int], side: int = 100, tone: float = 0.8) -> Contrast:
    """Draw boxes (top, bottom, left, right) on paper of no contrast."""
    contrast = np.zeros((side, side), np.float32)
    for top, bottom, left, right in boxes:
        contrast[top:bottom, left:right] = tone
    return contrast


STEM = (30, 70, 45, 55)


def enough_of_the_paper_has_grain(share: float) -> bool:
    """Dots in this share of the pixels that lie away from the stroke."""
    contrast = strokes(STEM)
    away = 100 * 100 - 52 * 22
    contrast.reshape(-1)[: round(share * away)] = 0.05
    return finding_in(contrast).grain > 0


def there_are_too_many_frames(count: float) -> bool:
    """A stroke in so many frames, each in the next: each is taken away by itself."""
    contrast = strokes((180, 220, 195, 205), side=400)
    for number in range(round(count)):
        reach = 100 - 6 * number
        for edge in (200 - reach, 200 + reach - 2):
            contrast[edge : edge + 2, 200 - reach : 200 + reach] = 0.8
            contrast[200 - reach : 200 + reach, edge : edge + 2] = 0.8
    try:
        return finding_in(contrast).side != 40
    except ImageError:
        return True


def ink_at_the_border_goes(share: float) -> bool:
    """A stroke and ink at the border, of which there is so much: what has gone has no share."""
    return finding_in(strokes(STEM, (0, 4, 0, round(100 * share)))).share == 1


def an_edge_is_too_soft(distance: float) -> bool:
    """Faint ink so far from a stroke, in a picture of 256 pixels."""
    contrast = strokes((80, 160, 100, 110), side=256)
    contrast[80:160, 109 + round(distance)] = 0.05
    return finding_in(contrast).contrast[100, 109 + round(distance)] == 0


def an_edge_is_too_soft_in_a_small_picture(distance: float) -> bool:
    contrast = strokes((10, 30, 18, 22), side=40)
    contrast[10:30, 21 + round(distance)] = 0.05
    return finding_in(contrast).contrast[20, 21 + round(distance)] == 0


def ink_beside(tone: float) -> int:
    """Return the level of an edge of this contrast, in that of its stroke."""
    contrast = strokes(STEM)
    contrast[30:70, 55] = 0.8 * tone
    finding = finding_in(contrast)
    assert finding.level == pytest.approx(0.8, rel=0.1)
    contrast[30:70, 55] = finding.level * tone
    return int(finding_in(contrast).ink()[50, 55])


def an_edge_is_seen(tone: float) -> bool:
    return ink_beside(tone) > 0


def an_edge_is_all_ink(tone: float) -> bool:
    # It takes up to one percent off the stroke's mean contrast itself.
    return ink_beside(tone) == 255


Row = tuple[str, Callable[[float], bool], float, float]
ROWS: list[Row] = [
    # threshold, what is the case, a quantity at which it is not, one at which it is
    ("grain: share of the paper", enough_of_the_paper_has_grain, 0.009, 0.011),
    ("MOST_LAYERS", there_are_too_many_frames, 7, 8),
    ("foreign ink", ink_at_the_border_goes, 0.19, 0.21),
    ("soft edge", an_edge_is_too_soft, 3, 4),
    ("soft edge of a small picture", an_edge_is_too_soft_in_a_small_picture, 1, 2),
    ("ink: lowest", an_edge_is_seen, 0.24, 0.27),
    ("ink: highest", an_edge_is_all_ink, 0.86, 0.92),
]


@pytest.mark.parametrize(("threshold", "holds", "without", "with_"), ROWS, ids=[row[0] for row in ROWS])
def test_each_side_of_the_threshold(
    threshold: str, holds: Callable[[float], bool], without: float, with_: float
) -> None:
    assert not holds(without), f"{threshold}: at {without} it is the case"
    assert holds(with_), f"{threshold}: at {with_} it is not the case"
