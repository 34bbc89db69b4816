"""Panels of a report: a value for each name on one axis, with its interval, drawn without a plotting library.

A panel knows where things stand, in percent of its width; the page draws it as SVG, which is as readable on a phone as
on a desk, and Markdown as text.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from edgedigits.measuring.bench_result import BenchRow
from edgedigits.measuring.metrics import wilson_interval

WIDEST_LINEAR = 20.0
"""Largest ratio of two values that a linear axis still shows."""
MARGIN = 4.0
"""Percent of the width that stay free at both ends."""
MOST_TICKS = 6
MIDDLE = (5, 95)
"""Percentiles between which a latency's line is drawn."""
MARKS = {"float32": "●", "float16": "■", "dynamic": "▲", "int8": "◆"}
"""Of each precision, in text; the page draws the same forms."""
PLAIN = "float32"


@dataclass(frozen=True)
class Dot:
    """One value of a panel."""

    name: str
    value: float
    text: str
    """The value as people read it."""
    low: float | None = None
    high: float | None = None
    """Ends of its interval; None where it has none."""
    series: str = PLAIN
    """Which form the mark has: a precision."""


@dataclass(frozen=True)
class Tick:
    """A mark on an axis."""

    place: float
    """In percent of the width."""
    text: str


@dataclass(frozen=True)
class Axis:
    """From values to places in percent of a width."""

    low: float
    high: float
    is_log: bool

    def place(self, value: float) -> float:
        """Return where a value stands, 0 to 100."""
        low, high, at = (math.log(each) if self.is_log else each for each in (self.low, self.high, value))
        share = (at - low) / (high - low)
        return round(MARGIN + (100 - 2 * MARGIN) * min(max(share, 0.0), 1.0), 2)

    def ticks(self) -> tuple[Tick, ...]:
        """Return marks at round values."""
        values = log_steps(self.low, self.high) if self.is_log else steps(self.low, self.high)
        return tuple(Tick(self.place(value), f"{value:,.10g}") for value in values)


@dataclass(frozen=True)
class Panel:
    """Values side by side on one axis."""

    title: str
    about: str
    """What the lines are, and what the axis is."""
    dots: tuple[Dot, ...]
    axis: Axis = field(repr=False)
    reference: float | None = None
    """A value that all are held against, drawn as a dotted line."""

    @property
    def has_stems(self) -> bool:
        """Whether the marks stand on lines that begin at 0."""
        return not self.axis.is_log and self.axis.low == 0

    @property
    def series(self) -> tuple[str, ...]:
        """The forms of marks that are in it, in the order of the precisions."""
        return tuple(each for each in MARKS if any(dot.series == each for dot in self.dots))


def panel(
    title: str,
    about: str,
    dots: Sequence[Dot],
    *,
    starts_at_zero: bool = False,
    reference: float | None = None,
) -> Panel | None:
    """Put values on an axis that shows how they differ; None where there are none that an axis could show.

    Args:
        title: what is shown, with its unit.
        about: what the lines beside the marks are.
        dots: the values.
        starts_at_zero: whether the axis begins at 0; it has a log scale where the values are too far apart for that.
        reference: a value that all are held against.
    """
    values = [
        value for dot in dots for value in (dot.value, dot.low, dot.high, reference) if value is not None
    ]
    if not dots or not all(map(math.isfinite, values)):
        return None
    low, high = min(values), max(values)
    is_log = starts_at_zero and low > 0 and high > WIDEST_LINEAR * low
    if starts_at_zero and not is_log:
        low = min(low, 0.0)
    if not high > low:
        low, high = low - 1.0, high + 1.0
    if is_log:
        about = f"{about} The axis has a log scale.".strip()
    elif not starts_at_zero:
        about = f"{about} The axis does not begin at 0.".strip()
    return Panel(title, about, tuple(dots), Axis(low, high, is_log), reference)


def share_dot(name: str, correct: int, images: int, series: str = PLAIN) -> Dot | None:
    """Make a dot of a share of images in percent, with its Wilson 95 % interval; None where there are no images."""
    if not 0 <= correct <= images or images == 0:
        return None
    low, high = wilson_interval(correct, images)
    percent = 100.0 * correct / images
    return Dot(name, percent, f"{percent:.2f} %, {low:.2f} to {high:.2f}", low, high, series)


def latency_dot(row: BenchRow) -> Dot:
    """Make a dot of a file's median latency in microseconds, with the middle nine tenths of its calls."""
    text, spread = f"{number(row.latency.p50)} µs", middle(row)
    if spread is None:
        return Dot(row.name, row.latency.p50, text, series=row.precision)
    low, high = spread
    return Dot(
        row.name, row.latency.p50, f"{text}, {number(low)} to {number(high)}", low, high, row.precision
    )


def middle(row: BenchRow) -> tuple[float, float] | None:
    """Return between which latencies in microseconds the middle nine tenths of a file's calls lie, if they are kept."""
    ordered = sorted(row.latency_samples_ns)
    if not ordered:
        return None
    low, high = (ordered[min(len(ordered) - 1, len(ordered) * share // 100)] / 1000 for share in MIDDLE)
    # Of few calls the median, which is interpolated, may lie beyond them.
    return min(low, row.latency.p50), max(high, row.latency.p50)


def number(value: float) -> str:
    """Write a figure with as many digits as tell something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def steps(low: float, high: float) -> list[float]:
    """Return the round values between two, at most ``MOST_TICKS``, in steps of 1, 2 or 5 times a power of ten."""
    raw = (high - low) / (MOST_TICKS - 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{count * step:.10g}") for count in range(first, last + 1)]


def log_steps(low: float, high: float) -> list[float]:
    """Return the round values between two that suit a log scale: 1, 2 and 5 of each decade, or powers of ten."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1,)):
        values = [factor * 10.0**exponent for exponent in exponents for factor in factors]
        inside = [float(f"{value:.10g}") for value in values if low <= value <= high]
        if len(inside) <= MOST_TICKS:
            return inside
    return inside[:: -(-len(inside) // MOST_TICKS)]
