"""What the plot of a front shows: coordinates, colours and words are read back from the figure."""

from typing import Any

import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from edgedigits.measuring.metrics import Accuracy, wilson_interval
from edgedigits.reporting import plots
from edgedigits.reporting.plots import TRAINING, VALIDATION, FrontPoint


def point(name: str, size: int, correct: int, epochs: int, *marks: str) -> FrontPoint:
    accuracy = Accuracy(correct, 1_000, *wilson_interval(correct, 1_000))
    return FrontPoint(name, size, accuracy, epochs, *(mark in marks for mark in ("front", "tied", "chosen")))


POINTS = [
    point("large", 4_000, 990, 80, "front", "chosen"),
    point("small", 2_000, 970, 80, "front"),
    point("middle", 3_000, 985, 80, "front", "tied"),
    point("short", 3_900, 940, 5),
]
FLASH = 4_096


@pytest.fixture
def axes(monkeypatch: pytest.MonkeyPatch) -> Any:
    figures: list[Figure] = []
    save = Figure.savefig
    monkeypatch.setattr(
        Figure,
        "savefig",
        lambda figure, *given, **named: (figures.append(figure), save(figure, *given, **named)),
    )
    assert plots.front(POINTS, FLASH).startswith(b"\x89PNG")
    return figures[0].axes[0]


def test_every_network_stands_at_its_bytes_and_accuracy_with_its_interval(axes) -> None:
    assert len(axes.containers) == len(POINTS)
    for bars, one in zip(axes.containers, POINTS, strict=True):
        line, _, (interval,) = bars
        assert (list(line.get_xdata()), list(line.get_ydata())) == ([one.bytes], [one.accuracy.percent])
        ((_, low), (_, high)) = interval.get_segments()[0]
        assert (low, high) == pytest.approx((one.accuracy.low, one.accuracy.high))


def test_marks_say_what_is_on_the_front_tied_and_trained_for_less(axes) -> None:
    lines = [bars[0] for bars in axes.containers]
    assert [to_hex(line.get_color()) for line in lines] == [TRAINING, TRAINING, VALIDATION, TRAINING]
    assert [line.get_markerfacecolor() == "white" for line in lines] == [False, False, False, True]
    sizes = [line.get_markersize() for line in lines]
    assert sizes[3] < min(sizes[:3])


def test_the_front_is_a_line_from_the_smallest_on_whose_points_have_names(axes) -> None:
    assert [text.get_text() for text in axes.texts] == ["small", "middle", "large"]
    assert [text.get_fontweight() for text in axes.texts] == ["normal", "normal", "bold"]
    (front,) = [line for line in axes.get_lines() if line.get_drawstyle() == "steps-post"]
    assert list(front.get_xdata()) == [2_000, 3_000, 4_000]


def test_the_budget_is_a_line_and_inside_the_frame(axes) -> None:
    (budget,) = [line for line in axes.get_lines() if line.get_linestyle() == ":"]
    assert set(budget.get_xdata()) == {FLASH}
    left, right = axes.get_xlim()
    assert left < 2_000
    assert right > FLASH


def test_the_same_networks_are_the_same_picture() -> None:
    assert plots.front(POINTS, FLASH) == plots.front(POINTS, FLASH)


def test_one_network_is_enough_and_none_is_refused() -> None:
    assert plots.front(POINTS[:1], FLASH).startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="expected at least one network"):
        plots.front([], FLASH)
