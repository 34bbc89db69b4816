"""The panels of a report: files by accuracy, size and latency, and how classes and changed images fare."""

from collections.abc import Iterable, Sequence

from edgedigits.artifacts.records import CompleteTraining
from edgedigits.measuring.bench_result import BenchResult
from edgedigits.measuring.subjects import KERAS_CALLS
from edgedigits.printable import one_line
from edgedigits.reporting.panels import MARKS, Dot, Panel, latency_dot, number, panel, share_dot
from edgedigits.reporting.standing import Standing, reference_correct

INTERVAL = "The lines are 95 % intervals."
KERAS_ENDINGS = tuple(f" {call}" for call in KERAS_CALLS)
"""What the names of rows end in that are calls of a network of Keras."""
STRIP = 36
"""Characters between the ends of a panel in text."""
LONGEST_NAME = 40
"""Characters of a name beside a panel in text."""


def file_panels(standings: Sequence[Standing], result: BenchResult | None) -> tuple[Panel, ...]:
    """Show exported files by accuracy, bytes and, where they were measured, latency.

    Args:
        standings: of the exported files.
        result: what was measured; None where nothing was.
    """
    network = reference_correct(standings)
    reference = None if network is None else 100.0 * network[0] / network[1]
    dotted = "" if reference is None else f" Dotted: the network itself, {reference:.2f} %."
    panels = (
        panel("Test accuracy, %", f"{INTERVAL}{dotted}", _accuracies(standings), reference=reference),
        panel("Size, KB", "", [_size_dot(standing) for standing in standings], starts_at_zero=True),
        _latencies(result),
    )
    return tuple(each for each in panels if each is not None)


def class_panel(training: CompleteTraining, labels: Sequence[str]) -> Panel | None:
    """Show which share of the images of each class is recognised."""
    dots = [
        share_dot(labels[score["label"]], round(score["recall"] * score["images"]), score["images"])
        for score in training["results"]["classes"]
    ]
    return panel("Images of each class that are recognised, %", INTERVAL, _there(dots))


def condition_panel(training: CompleteTraining) -> Panel | None:
    """Show how many of the test images are read right as they are, turned, moved, thinned, ..."""
    results = training["results"]
    test = results["test"]
    dots = [
        share_dot("as they are", test["correct"], test["images"]),
        *(share_dot(each["name"], each["correct"], each["images"]) for each in results["robustness"]),
    ]
    return panel("All test images, changed: read right, %", INTERVAL, _there(dots))


def as_text(shown: Panel) -> str:
    """Draw a panel in characters, a line for each value."""
    names = [_short(dot.name) for dot in shown.dots]
    width = max(map(len, names))
    lines = [
        f"{name:<{width}}  {_strip(shown, dot)}  {dot.text}"
        for name, dot in zip(names, shown.dots, strict=True)
    ]
    low, high = (number(abs(end)) for end in (shown.axis.low, shown.axis.high))
    ends = f"{low}{high:>{STRIP - len(low)}}" if len(low) + len(high) < STRIP else ""
    return "\n".join([*lines, f"{'':<{width}}  {ends}".rstrip()])


def _accuracies(standings: Sequence[Standing]) -> list[Dot]:
    return _there(
        share_dot(standing.name, standing.accuracy.correct, standing.accuracy.images, standing.precision)
        for standing in standings
    )


def _size_dot(standing: Standing) -> Dot:
    kilobytes = standing.receipt["bytes"] / 1000
    return Dot(standing.name, kilobytes, f"{kilobytes:,.1f} KB", series=standing.precision)


def _latencies(result: BenchResult | None) -> Panel | None:
    """Show latencies; Keras' calls take a thousand times as long and would press all others into one place."""
    if result is None:
        return None
    keras = [row for row in result.rows if row.name.endswith(KERAS_ENDINGS)]
    others = [row for row in result.rows if row not in keras]
    lines = (
        "The lines are the middle nine tenths of the calls."
        if any(row.latency_samples_ns for row in others)
        else ""
    )
    beyond = ", ".join(f"{row.name} {number(row.latency.p50)} µs" for row in keras) if others else ""
    about = " ".join(filter(None, [lines, f"Beyond this axis: {beyond}." if beyond else ""]))
    dots = [latency_dot(row) for row in others or keras]
    return panel("One image at a time, µs (median)", about, dots, starts_at_zero=True)


def _there(dots: Iterable[Dot | None]) -> list[Dot]:
    return [dot for dot in dots if dot is not None]


def _short(name: str) -> str:
    """Return a name on one line; of a long one the end, which says which file it is."""
    line = one_line(name)
    return line if len(line) <= LONGEST_NAME else f"…{line[1 - LONGEST_NAME :]}"


def _strip(shown: Panel, dot: Dot) -> str:
    def column(value: float) -> int:
        return min(STRIP - 1, int(shown.axis.place(value) / 100 * STRIP))

    strip = [" "] * STRIP
    if shown.reference is not None:
        strip[column(shown.reference)] = "┊"
    if dot.low is not None and dot.high is not None:
        for place in range(column(dot.low), column(dot.high) + 1):
            strip[place] = "─"
    strip[column(dot.value)] = MARKS[dot.series]
    return "".join(strip)
