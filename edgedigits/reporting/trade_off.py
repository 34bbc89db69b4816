"""The plot of accuracy beside latency and size, as a PNG file."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgedigits.format_table import Precision
from edgedigits.measuring.bench_result import BenchRow
from edgedigits.measuring.metrics import Accuracy
from edgedigits.reporting.panels import middle
from edgedigits.reporting.plots import INK, png
from edgedigits.user_cache import home_for_imports

with home_for_imports():
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

MARKERS: dict[Precision, tuple[str, str]] = {
    "float32": ("o", "#1f6feb"),
    "float16": ("s", "#8250df"),
    "dynamic": ("^", "#9a6700"),
    "int8": ("D", "#d1570a"),
}
"""Form and colour of each precision: told apart without colours as well."""
LONGEST_NAME = 40
"""Characters of a file's name beside its line."""


@dataclass(frozen=True)
class TradeOffPoint:
    """One file in the plot of accuracy beside cost."""

    name: str
    accuracy: Accuracy
    p50_microseconds: float
    bytes: int
    spread: tuple[float, float] | None = None
    """Between which latencies in microseconds the middle nine tenths of the calls lie; None where that is not known."""
    precision: Precision = "float32"

    @classmethod
    def of(cls, row: BenchRow) -> "TradeOffPoint":
        """Make the point of a file that was measured."""
        return cls(row.name, row.accuracy, row.latency.p50, row.bytes, middle(row), row.precision)


def trade_off(points: Sequence[TradeOffPoint]) -> bytes:
    """Plot accuracy and latency, with their intervals, beside size: a line for each file, the quickest on top.

    Args:
        points: one or more; files that are equal in one thing or in all do not hide each other.

    Returns:
        A PNG file.

    Raises:
        ValueError: there are no points.
    """
    if not points:
        raise ValueError("expected at least one file to plot, found none")
    ordered = sorted(points, key=lambda point: point.p50_microseconds)
    lines = range(len(ordered))
    figure = Figure(figsize=(11, 1.7 + 0.36 * len(ordered)), layout="constrained")
    accuracy, latency, size = figure.subplots(1, 3, sharey=True)
    _intervals(accuracy, [(point.accuracy.low, point.accuracy.high) for point in ordered])
    accuracy.set_xlabel("test accuracy (%), 95 % interval")
    percents = [point.accuracy.percent for point in ordered]
    _dots(accuracy, ordered, percents, [f"{percent:.2f}" for percent in percents])
    accuracy.margins(x=0.12)
    _intervals(latency, [point.spread for point in ordered])
    for axes, label, costs in (
        (latency, "one image, p5 | p50 | p95 (µs)", [point.p50_microseconds for point in ordered]),
        (size, "file size (KB)", [point.bytes / 1000 for point in ordered]),
    ):
        _dots(axes, ordered, costs, [f"{cost:,.1f}" if cost >= 1 else f"{cost:.2g}" for cost in costs])
        axes.set_xlabel(f"{label}, log scale")
    spreads = [end for point in ordered for end in (point.p50_microseconds, *(point.spread or ()))]
    _log_scale(latency, min(spreads), max(spreads))
    sizes = [point.bytes / 1000 for point in ordered]
    _log_scale(size, min(sizes), max(sizes))
    # Of a long path the end says which file it is, and the panels need their room.
    names = [point.name for point in ordered]
    names = [name if len(name) <= LONGEST_NAME else f"…{name[1 - LONGEST_NAME :]}" for name in names]
    accuracy.set_yticks(lines, names)
    accuracy.set_ylim(len(ordered) - 0.4, -0.7)
    marks, labels = latency.get_legend_handles_labels()
    figure.legend(marks, labels, loc="outside upper center", ncols=len(MARKERS), frameon=False, fontsize=8)
    return png(figure)


def _intervals(axes: Axes, ends: Sequence[tuple[float, float] | None]) -> None:
    """Draw an interval on each line that has one."""
    drawn = [(line, *pair) for line, pair in enumerate(ends) if pair is not None]
    if drawn:
        lines, lows, highs = zip(*drawn, strict=True)
        axes.hlines(lines, lows, highs, color=INK, linewidth=0.8)
        for side in (lows, highs):
            axes.plot(side, lines, "|", color=INK)


def _dots(axes: Axes, points: Sequence[TradeOffPoint], values: Sequence[float], texts: Sequence[str]) -> None:
    """Draw a value on each line, where the axis has it, and write its text above; each precision has its own mark."""
    for precision, (marker, colour) in MARKERS.items():
        lines = [line for line, point in enumerate(points) if point.precision == precision]
        if lines:
            axes.plot([values[line] for line in lines], lines, marker, color=colour, label=precision)
    for line, (value, text) in enumerate(zip(values, texts, strict=True)):
        axes.annotate(
            text,
            (value, line),
            xytext=(0, 5),
            textcoords="offset points",
            ha="center",
            fontsize=7,
        )
    axes.grid(alpha=0.3)


def _log_scale(axes: Axes, least: float, most: float) -> None:
    """Give an axis a log scale with room at both ends, so wide that a few percent look like a few percent."""
    room = max(2.0, (most / least) ** 0.12)
    axes.set_xscale("log")
    axes.set_xlim(least / room, most * room)
    few_decades = most < 100 * least
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)) if few_decades else LogLocator(numticks=5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
