"""What is drawn is what was measured: coordinates, colours and words are read back from the figures."""

import dataclasses
import io
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from edgedigits.measuring import metrics
from edgedigits.reporting import plots
from edgedigits.reporting.plots import TradeOffPoint


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
    return TradeOffPoint(
        name, metrics.accuracy(labels, (np.arange(10_000) >= correct).astype(np.uint8)), p50, size
    )


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


@pytest.mark.parametrize("points", [MANY[:1], MANY[:4], MANY], ids=["one", "four", "many"])
def test_every_file_stands_where_it_belongs(points: list[TradeOffPoint], drawn: list[Figure]) -> None:
    width, height = size_of(plots.trade_off(points))
    assert width > 600
    assert height > 300
    (figure,) = drawn
    costs = ([point.p50_microseconds for point in points], [point.bytes / 1000 for point in points])
    assert len(figure.axes) == len(costs)
    for axes, expected in zip(figure.axes, costs, strict=True):
        marks = [container.lines[0] for container in axes.containers]
        assert [float(mark.get_xdata()[0]) for mark in marks] == expected
        assert [float(mark.get_ydata()[0]) for mark in marks] == [point.accuracy.percent for point in points]
        assert all(len(mark.get_xdata()) == 1 for mark in marks)
        for container, point, cost in zip(axes.containers, points, expected, strict=True):
            (bar,) = container.lines[2]
            (segment,) = bar.get_segments()
            interval = [[cost, point.accuracy.low], [cost, point.accuracy.high]]
            # An interval is handed over as distances: 64 bits of a percentage, twice.
            np.testing.assert_allclose(segment, interval, rtol=1e-12)
        # Nothing of it lies outside of the frame.
        (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
        assert left < min(expected) <= max(expected) < right
        assert bottom <= min(point.accuracy.low for point in points)
        assert top >= max(point.accuracy.high for point in points)


def test_files_in_one_place_are_all_seen(drawn: list[Figure]) -> None:
    twins = [dataclasses.replace(MANY[0], name=f"twin {index}") for index in range(5)]
    plots.trade_off(twins)
    (figure,) = drawn
    for axes in figure.axes:
        marks = [container.lines[0] for container in axes.containers]
        sizes = [mark.get_markersize() for mark in marks]
        assert sizes == sorted(sizes, reverse=True)
        assert len(set(sizes)) == len(twins)
        assert {mark.get_fillstyle() for mark in marks} == {"none"}


def test_the_legend_has_the_figures(drawn: list[Figure]) -> None:
    plots.trade_off(MANY)
    (legend,) = drawn[0].legends
    words = [text.get_text() for text in legend.get_texts()]
    assert words[0] == "digits.tflite: 99.40 %, 5.9 µs, 422.6 KB"
    assert words[8] == "digits.keras predict: 99.40 %, 37,000.9 µs, 435.0 KB"
    assert len(words) == len(MANY)


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
    pictures = [axes.images[0] for axes in drawn[0].axes if axes.images]
    assert len(pictures) == 20
    norms = np.linalg.norm(kernel, axis=0)
    for picture, unit in zip(pictures, np.argsort(-norms), strict=False):
        expected = kernel[:, unit].reshape(28, 28).astype(np.float32)
        np.testing.assert_array_equal(picture.get_array(), expected)
        assert picture.get_clim() == (-np.abs(expected).max(), np.abs(expected).max())
    assert "20 of 40" in drawn[0].get_suptitle()
