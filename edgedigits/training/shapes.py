"""The shapes in which people write digits: for each digit a few ways, and how many write it so."""

from collections.abc import Callable
from typing import NamedTuple

from edgedigits.training import five_to_nine as high
from edgedigits.training import flowing
from edgedigits.training import zero_to_four as low
from edgedigits.training.strokes import Chance, Strokes, on_a_line


class Shape(NamedTuple):
    """One way to write a digit."""

    digit: int
    share: float
    """Of all that are drawn of this digit; those of a digit need not add up to 1."""
    strokes: Callable[[Chance], Strokes]


SHAPES = (
    Shape(0, 6, low.zero),
    Shape(0, 1.5, low.zero_open),
    Shape(0, 2, low.zero_with_tail),
    Shape(0, 2, low.zero_slashed),
    Shape(0, 1, flowing.zero_barred),
    Shape(0, 0.5, low.zero_filled),
    Shape(1, 2.5, low.one),
    Shape(1, 0.7, low.one_thick),
    Shape(1, 2.5, low.one_with_flag),
    Shape(1, 4, low.one_with_up_stroke),
    Shape(1, 1.5, low.one_bowed),
    Shape(1, 1.5, low.one_with_foot),
    Shape(1, 0.7, low.one_on_foot),
    Shape(1, 0.8, flowing.one_looped),
    Shape(2, 3, low.two),
    Shape(2, 2, low.two_with_loop),
    Shape(2, 2, low.two_with_curl),
    Shape(2, 1.5, low.two_in_waves),
    Shape(2, 1.5, low.two_with_corners),
    Shape(2, 1.2, flowing.two_with_ring),
    Shape(2, 1.2, flowing.two_with_rings),
    Shape(3, 3, low.three),
    Shape(3, 2.5, low.three_smooth),
    Shape(3, 2, low.three_flat),
    Shape(4, 3, low.four_open),
    Shape(4, 2, low.four_round),
    Shape(4, 3, low.four_closed),
    Shape(4, 2.5, low.four_as_lightning),
    Shape(4, 1, low.four_in_one),
    Shape(4, 1, low.four_zigzag),
    Shape(4, 1.2, flowing.four_short),
    Shape(5, 3, high.five),
    Shape(5, 2.5, high.five_in_one),
    Shape(5, 2, high.five_smooth),
    Shape(6, 3, high.six),
    Shape(6, 2, high.six_straight),
    Shape(6, 1.5, high.six_open),
    Shape(7, 2, high.seven),
    Shape(7, 1, high.seven_with_serif),
    Shape(7, 1, high.seven_in_waves),
    Shape(7, 1.2, high.seven_bowed),
    Shape(7, 2, high.crossed(high.seven)),
    Shape(7, 1.5, high.crossed(high.seven_with_serif)),
    Shape(7, 1.5, high.crossed(high.seven_in_waves)),
    Shape(7, 2, high.crossed(high.seven_bowed)),
    Shape(7, 1.5, high.crossed(flowing.seven_hooked)),
    Shape(8, 4, high.eight),
    Shape(8, 1.5, high.eight_of_rings),
    Shape(8, 1.5, high.eight_open),
    Shape(8, 0.5, high.eight_filled),
    Shape(9, 2.5, high.nine),
    Shape(9, 2.5, high.nine_with_hook),
    Shape(9, 1.5, high.nine_with_curl),
    Shape(9, 2, high.nine_bowed),
    Shape(9, 1.2, high.nine_on_a_stalk),
    Shape(9, 0.5, flowing.nine_looped),
    Shape(0, 0.3, on_a_line(low.zero)),
    Shape(1, 0.3, on_a_line(low.one_with_up_stroke)),
    Shape(2, 0.3, on_a_line(low.two_with_curl)),
    Shape(3, 0.3, on_a_line(low.three)),
    Shape(4, 0.3, on_a_line(low.four_open)),
    Shape(4, 0.3, on_a_line(low.four_as_lightning)),
    Shape(5, 0.3, on_a_line(high.five)),
    Shape(6, 0.3, on_a_line(high.six)),
    Shape(7, 0.8, on_a_line(high.crossed(high.seven))),
    Shape(7, 0.6, on_a_line(high.crossed(high.seven_in_waves))),
    Shape(7, 0.8, on_a_line(high.crossed(high.seven_bowed))),
    Shape(8, 0.3, on_a_line(high.eight)),
    Shape(9, 0.3, on_a_line(high.nine)),
    Shape(9, 0.3, on_a_line(high.nine_with_hook)),
    Shape(9, 0.3, on_a_line(high.nine_on_a_stalk)),
)
"""Every digit is drawn as often as every other. A 7 with a bar, on a line, is what is most often taken for a 2."""
