"""What is drawn is what was measured: coordinates, colours and words are read back from the figures."""

import dataclasses
import io
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from PIL import Image

from edgedigits.format_table import Precision
from edgedigits.measuring import metrics
from edgedigits.reporting import plots
from edgedigits.reporting import trade_off as trade_offs
from edgedigits.reporting.trade_off import TradeOffPoint


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Figures as they were when they became PNG files."""
    figures: list[Figure] = []
    save = Figure.savefig

    def keep(figure: Figure, *arguments: Any, **options: Any) -> None:
        figures.append(figure)
        save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    return figures


def size_of(png: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(png)) as picture:
        picture.load()
        assert picture.format == "PNG"
        return picture.size


def point(name: str, correct: int, p50: float, size: int) -> TradeOffPoint:
    labels = np.zeros(10_000, np.uint8)
    accuracy = metrics.accuracy(labels, (np.arange(10_000) >= correct).astype(np.uint8))
    precision: Precision = "int8" if "int8" in name or name.endswith(".c") else "float32"
    return TradeOffPoint(name, accuracy, p50, size, (0.8 * p50, 3 * p50), precision)


MANY = [
    point("digits.tflite", 9_940, 5.9, 422_560),
    point("digits.int8.tflite", 9_940, 3.7, 112_704),
    point("digits.onnx", 9_940, 8.7, 420_804),
    point("digits.int8.onnx", 9_941, 6.4, 107_760),
    point("digits.ort", 9_940, 8.7, 425_616),
    point("digits.int8.ort", 9_941, 6.4, 113_824),
    point("digits.c", 9_940, 2.0, 430_312),
    point("digits.keras model(x)", 9_940, 1_180.4, 435_000),
    point("digits.keras predict", 9_940, 37_000.9, 435_000),
    point("copy", 9_940, 37_000.9, 435_000),
    point("bad", 0, 1.0, 1),
    point("perfect", 10_000, 0.25, 10**9),
]


TWINS = [dataclasses.replace(MANY[0], name=f"{folder}/twin.onnx") for folder in "abcde"]
every_plot = pytest.mark.parametrize(
    "points", [MANY[:1], MANY[:4], MANY[-2:-1], TWINS, MANY], ids=["one", "four", "bad", "twins", "many"]
)


def trade_off(points: list[TradeOffPoint], drawn: list[Figure]) -> tuple[Figure, list[TradeOffPoint]]:
    """Draw the plot, and return it with the points in the order of their lines, from the top."""
    trade_offs.trade_off(points)
    figure = drawn[-1]
    by_name = {point.name: point for point in points}
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert sorted(names) == sorted(by_name)
    assert list(figure.axes[0].get_yticks()) == list(range(len(points)))
    return figure, [by_name[name] for name in names]


def marks(axes: Axes, marker: str) -> list[tuple[list[float], list[float]]]:
    """Return x and y of every line that is drawn with this marker."""
    lines = [line for line in axes.get_lines() if line.get_marker() == marker]
    return [(list(line.get_xdata()), list(line.get_ydata())) for line in lines]


def values(axes: Axes) -> dict[int, tuple[float, str]]:
    """Return on which line which value is drawn, and with which marker."""
    return {
        line: (value, marker)
        for marker, _ in trade_offs.MARKERS.values()
        for xs, ys in marks(axes, marker)
        for value, line in zip(xs, ys, strict=True)
    }


@every_plot
def test_every_file_stands_at_its_figures_on_a_line_of_its_own(
    points: list[TradeOffPoint], drawn: list[Figure]
) -> None:
    figure, ordered = trade_off(points, drawn)
    drawn_as = [trade_offs.MARKERS[point.precision][0] for point in ordered]
    for axes, expected in zip(
        figure.axes,
        (
            [point.accuracy.percent for point in ordered],
            [point.p50_microseconds for point in ordered],
            [point.bytes / 1000 for point in ordered],
        ),
        strict=True,
    ):
        assert values(axes) == dict(enumerate(zip(expected, drawn_as, strict=True)))
    assert [axes.get_xscale() for axes in figure.axes] == ["linear", "log", "log"]


@every_plot
def test_every_interval_has_its_ends(points: list[TradeOffPoint], drawn: list[Figure]) -> None:
    figure, ordered = trade_off(points, drawn)
    for axes, lows, highs in (
        (
            figure.axes[0],
            [point.accuracy.low for point in ordered],
            [point.accuracy.high for point in ordered],
        ),
        (
            figure.axes[1],
            [0.8 * point.p50_microseconds for point in ordered],
            [3 * point.p50_microseconds for point in ordered],
        ),
    ):
        lines = list(range(len(points)))
        assert marks(axes, "|") == [(lows, lines), (highs, lines)]
        (bars,) = [each for each in axes.collections if isinstance(each, LineCollection)]
        ends = [segment.tolist() for segment in bars.get_segments()]
        expected = zip(lows, highs, lines, strict=True)
        assert ends == [[[low, line], [high, line]] for low, high, line in expected]


def test_files_whose_calls_are_not_kept_have_no_interval(drawn: list[Figure]) -> None:
    trade_offs.trade_off([dataclasses.replace(MANY[0], spread=None), MANY[1]])
    assert [len(xs) for xs, _ in marks(drawn[0].axes[1], "|")] == [1, 1]


def test_the_legend_names_the_precisions_that_are_there(drawn: list[Figure]) -> None:
    trade_offs.trade_off(MANY[:2])
    (legend,) = drawn[0].legends
    assert [text.get_text() for text in legend.get_texts()] == ["float32", "int8"]
    assert len({marker for marker, _ in trade_offs.MARKERS.values()}) == len(trade_offs.MARKERS)


@every_plot
def test_what_is_written_beside_a_mark_is_its_figure(
    points: list[TradeOffPoint], drawn: list[Figure]
) -> None:
    figure, ordered = trade_off(points, drawn)
    figures = (
        ([point.accuracy.percent for point in ordered], 0.005),
        ([point.p50_microseconds for point in ordered], 0.05),
        ([point.bytes / 1000 for point in ordered], 0.05),
    )
    for axes, (values, rounding) in zip(figure.axes, figures, strict=True):
        assert [text.xy for text in axes.texts] == list(zip(values, range(len(values)), strict=True))
        written = [float(text.get_text().replace(",", "")) for text in axes.texts]
        for number, value in zip(written, values, strict=True):
            # What is less than 1 has two digits, where one behind the point would be none.
            assert number == pytest.approx(value, abs=rounding * min(1, value) + 1e-12)


def test_figures_are_written_as_people_read_them(drawn: list[Figure]) -> None:
    figure, ordered = trade_off(MANY, drawn)
    words = {
        point.name: [axes.texts[line].get_text() for axes in figure.axes]
        for line, point in enumerate(ordered)
    }
    assert words["digits.tflite"] == ["99.40", "5.9", "422.6"]
    assert words["digits.keras predict"] == ["99.40", "37,000.9", "435.0"]
    assert words["perfect"] == ["100.00", "0.25", "1,000,000.0"]
    assert words["bad"] == ["0.00", "1.0", "0.001"]


@every_plot
def test_every_mark_is_inside_its_frame(points: list[TradeOffPoint], drawn: list[Figure]) -> None:
    for axes in trade_off(points, drawn)[0].axes:
        (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
        for xs, ys in marks(axes, "|"):
            assert all(left < x < right for x in xs)
            assert all(top < y < bottom for y in ys)  # the first line is on top
        for line, (value, _) in values(axes).items():
            assert left < value < right
            assert top < line < bottom


def test_the_quickest_file_is_on_top(drawn: list[Figure]) -> None:
    latencies = [point.p50_microseconds for point in trade_off(MANY, drawn)[1]]
    assert latencies == sorted(latencies)


@pytest.mark.parametrize("points", [MANY[:4], MANY[:9], MANY], ids=["four", "nine", "many"])
def test_ticks_say_where_they_are(points: list[TradeOffPoint], drawn: list[Figure]) -> None:
    for axes in trade_off(points, drawn)[0].axes[1:]:
        left, right = axes.get_xlim()
        ticks = [tick for tick in axes.get_xticks() if left <= tick <= right]
        labels = [axes.xaxis.get_major_formatter()(tick) for tick in ticks]
        assert len(ticks) >= 2
        assert not any("e" in label for label in labels)
        assert [float(label.replace(",", "")) for label in labels] == pytest.approx(ticks)


def test_of_a_long_path_the_end_is_kept(drawn: list[Figure]) -> None:
    trade_offs.trade_off([dataclasses.replace(MANY[0], name="/a/very/long/way" * 20 + "/digits.onnx")])
    (label,) = [label.get_text() for label in drawn[0].axes[0].get_yticklabels()]
    assert len(label) == trade_offs.LONGEST_NAME
    assert label.startswith("…")
    assert label.endswith("/digits.onnx")


@every_plot
def test_the_trade_off_is_the_same_picture_every_time(points: list[TradeOffPoint]) -> None:
    png = trade_offs.trade_off(points)
    width, height = size_of(png)
    assert width == 1_210
    assert height > 100 + 30 * len(points)
    assert png == trade_offs.trade_off(points)


def test_no_points_are_an_error() -> None:
    with pytest.raises(ValueError, match="at least one file to plot, found none"):
        trade_offs.trade_off([])


def test_the_curves_are_the_history(drawn: list[Figure]) -> None:
    generator = np.random.default_rng(0)
    history = [
        {
            "epoch": epoch,
            "loss": float(generator.uniform(0.01, 2)),
            "accuracy": float(generator.uniform(0.1, 1)),
            "val_loss": float(generator.uniform(0.01, 2)),
            "val_accuracy": float(generator.uniform(0.1, 1)),
            "learning_rate": float(generator.uniform(0, 0.01)),
        }
        for epoch in range(1, 41)
    ]
    plots.learning_curves(history)
    loss, accuracy, rate = drawn[0].axes
    for axes, keys, scale in (
        (loss, ("loss", "val_loss"), 1),
        (accuracy, ("accuracy", "val_accuracy"), 100),
        (rate, ("learning_rate",), 1),
    ):
        assert [list(line.get_xdata()) for line in axes.lines] == [list(range(1, 41))] * len(keys)
        for line, key in zip(axes.lines, keys, strict=True):
            assert list(line.get_ydata()) == [scale * record[key] for record in history]
    assert [text.get_text() for text in accuracy.get_legend().get_texts()] == ["training", "validation"]
    assert loss.get_yscale() == "log"


@pytest.mark.parametrize(("first", "cut"), [(0.1, True), (0.975, False)], ids=["far below", "near"])
def test_accuracies_below_the_frame_are_said_to_be(first: float, cut: bool, drawn: list[Figure]) -> None:
    record = {"loss": 0.1, "accuracy": 0.98, "val_loss": 0.1, "val_accuracy": 0.98, "learning_rate": 0.1}
    history = [{**record, "epoch": epoch} for epoch in range(1, 101)]
    history[0]["accuracy"] = first
    plots.learning_curves(history)
    axes = drawn[0].axes[1]
    assert bool(100 * first < axes.get_ylim()[0]) is cut
    assert axes.get_title() == ("accuracy (%), from 97.0 on" if cut else "accuracy (%)")


def test_the_confusion_matrix_says_the_counts_at_their_places(drawn: list[Figure]) -> None:
    matrix = np.random.default_rng(0).integers(0, 50, (10, 10))
    plots.confusion(matrix, "a title")
    (axes,) = drawn[0].axes
    assert len(axes.texts) == 100
    for text in axes.texts:
        column, row = text.get_position()
        assert text.get_text() == str(matrix[row, column])
    np.testing.assert_array_equal(axes.images[0].get_array(), matrix * (1 - np.eye(10)))
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("predicted", "truth", "a title")


def test_the_first_layer_is_drawn_as_it_is(drawn: list[Figure]) -> None:
    kernel = np.random.default_rng(0).normal(size=(784, 40)) * np.arange(40)
    plots.first_layer(kernel.astype(np.float32), at_most=20)
    (axes,) = drawn[0].axes
    pictures = list(axes.images)
    assert len(pictures) == 20
    # Side by side in rows of sixteen, and none over another; all in the frame, the first row on top.
    places = [tuple(picture.get_extent()) for picture in pictures]
    assert places[1] == (30.5, 58.5, 27.5, -0.5)
    assert places[16] == (-0.5, 27.5, 58.5, 30.5)
    assert len(set(places)) == 20
    assert (axes.get_xlim(), axes.get_ylim()) == ((-0.5, 492.5), (58.5, -0.5))
    norms = np.linalg.norm(kernel, axis=0)
    for picture, unit in zip(pictures, np.argsort(-norms), strict=False):
        expected = kernel[:, unit].reshape(28, 28).astype(np.float32)
        np.testing.assert_array_equal(picture.get_array(), expected)
        assert picture.get_clim() == (-np.abs(expected).max(), np.abs(expected).max())
    assert "20 of 40" in drawn[0].get_suptitle()
