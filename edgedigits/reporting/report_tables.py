"""The tables of a report, as HTML and Markdown both write them: a few columns each, and the rest in one that folds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from edgedigits.artifacts.records import CompleteTraining
from edgedigits.measuring.bench_result import BenchResult, BenchRow
from edgedigits.reporting.panels import number
from edgedigits.reporting.standing import GATE_WORDS, Standing

MOST_NARROW = 3
"""Columns of a table that a phone shows as it is; of a wider one each row becomes a card there."""
MOST_WIDE = 6
"""Columns of a table that a tablet shows as it is."""


@dataclass(frozen=True)
class Table:
    """Texts in rows and columns; the first column names the row."""

    about: str
    """What a screen reader says of it."""
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    tones: tuple[str, ...] = ()
    """``good`` or ``bad`` for each row, where its second column is a judgement."""

    @property
    def width(self) -> Literal["narrow", "wide", "wider"]:
        """How much room it takes."""
        if len(self.header) <= MOST_NARROW:
            return "narrow"
        return "wide" if len(self.header) <= MOST_WIDE else "wider"


def judged_files(standings: Sequence[Standing]) -> Table:
    """Write what the gate found of each exported file."""
    return Table(
        "What the gate found of each file",
        ("file", "gate", "accuracy", "95 % interval", "points", "bytes"),
        tuple(
            (
                standing.name,
                GATE_WORDS[standing.state],
                f"{standing.accuracy.percent:.2f} %",
                f"{standing.accuracy.low:.2f} to {standing.accuracy.high:.2f}",
                f"{standing.verification['difference_points']:+.2f}",
                f"{standing.receipt['bytes']:,}",
            )
            for standing in standings
        ),
        tuple("good" if standing.passes else "bad" for standing in standings),
    )


def compared_files(standings: Sequence[Standing]) -> Table:
    """Write how each exported file's answers differ from the network's."""
    has_errors = any("expected_calibration_error" in standing.verification for standing in standings)
    rows = []
    for standing in standings:
        verification = standing.verification
        error = verification.get("expected_calibration_error")
        rows.append(
            (
                standing.name,
                f"{verification['fixed']:,}",
                f"{verification['broken']:,}",
                f"{verification['mcnemar_p']:.3g}",
                f"{verification['agreement_percent']:.2f} %",
                f"{verification['largest_probability_difference']:.1e}",
                *(["-" if error is None else f"{error:.4f}"] if has_errors else []),
                f"{verification['max_drop_points']:.2f}",
            )
        )
    header = ["file", "fixed", "broken", "McNemar p", "agreement", "largest Δp", "allowed points"]
    if has_errors:
        header.insert(-1, "ECE")
    return Table("How the answers of each file differ from the network's", tuple(header), tuple(rows))


def speeds(result: BenchResult) -> Table:
    """Write the measurements that most readers look for."""
    return Table(
        "Latency, throughput and memory of each file",
        ("file", "p50 µs", "p99 µs", "images/s", "first answer s", "peak MiB"),
        tuple(
            (
                row.name,
                number(row.latency.p50),
                number(row.latency.p99),
                f"{row.best_throughput:,.0f}",
                f"{row.cold_start.first_answer_seconds:.2f}",
                f"{row.cold_start.peak_mib:,.0f}",
            )
            for row in result.rows
        ),
    )


def more_speeds(result: BenchResult) -> Table:
    """Write the other measurements; the processor's cycles where all could be counted."""
    has_cycles = all(row.cycles is not None for row in result.rows)
    header = ["file", "p90 µs", "max µs", "mean µs", "calls", "per core/s", "at batch", "load s", "accuracy"]
    if has_cycles:
        header.append("cycles")
    return Table(
        "All other measurements of each file",
        tuple(header),
        tuple(_more(row, has_cycles) for row in result.rows),
    )


def _more(row: BenchRow, has_cycles: bool) -> tuple[str, ...]:
    cells = (
        row.name,
        number(row.latency.p90),
        number(row.latency.max),
        number(row.latency.mean),
        f"{row.latency.samples:,}",
        f"{row.throughput_per_core:,.0f}",
        f"{row.best_batch:,}",
        f"{row.cold_start.load_seconds:.2f}",
        f"{row.accuracy.percent:.2f} %",
    )
    return (*cells, f"{row.cycles:,.0f}") if has_cycles else cells


def sweep(result: BenchResult) -> Table:
    """Write images per second at every batch size that was measured."""
    batches = tuple(result.rows[0].throughput)
    return Table(
        "Images per second by batch size",
        ("file", *(f"{batch:,} a batch" for batch in batches)),
        tuple((row.name, *(f"{row.throughput[batch]:,.0f}" for batch in batches)) for row in result.rows),
    )


def conditions(training: CompleteTraining) -> Table:
    """Write how the network fares on test images that were changed."""
    test = training["results"]["test"]
    return Table(
        "Accuracy on all test images, changed",
        ("all test images", "accuracy"),
        (
            ("as they are", f"{100 * test['correct'] / test['images']:.2f} %"),
            *(
                (condition["name"], f"{100 * condition['correct'] / condition['images']:.2f} %")
                for condition in training["results"]["robustness"]
            ),
        ),
    )


def class_scores(training: CompleteTraining, labels: Sequence[str]) -> Table:
    """Write how well each class is told apart."""
    return Table(
        "Scores of each class",
        ("class", "images", "precision", "recall", "F1"),
        tuple(
            (
                labels[score["label"]],
                f"{score['images']:,}",
                *(f"{100 * share:.2f} %" for share in (score["precision"], score["recall"], score["f1"])),
            )
            for score in training["results"]["classes"]
        ),
    )


def trained_networks(networks: Sequence[dict[str, Any]]) -> Table:
    """Write the trained networks of a folder side by side; see ``report.trained_in``."""
    return Table(
        "The networks of this folder",
        ("network", "layers", "recipe", "data", "parameters", "test accuracy", "95 % interval", "training s"),
        tuple(
            (
                network["name"],
                network["arch"],
                network["recipe"],
                network["dataset"],
                f"{network['parameters']:,}",
                f"{network['percent']:.2f} %",
                f"{network['interval'][0]:.2f} to {network['interval'][1]:.2f}",
                f"{network['seconds']:.1f}",
            )
            for network in networks
        ),
    )


def measured_presets(presets: dict[str, Any]) -> Table:
    """Write what ``benchmarks/accuracy.py`` measured of the presets."""
    return Table(
        "The presets on MNIST",
        ("preset", "recipe", "test accuracy", "95 % interval", "training s"),
        tuple(
            (
                row["arch"],
                row["recipe"],
                f"{row['mean']:.2f} ± {row['spread']:.2f} %",
                f"{row['interval'][0]:.2f} to {row['interval'][1]:.2f}",
                f"{row['seconds']:.1f}",
            )
            for row in presets["rows"]
        ),
    )


def hashes(standings: Sequence[Standing]) -> Table:
    """Write the sha256 of each exported file, as it was when it was judged."""
    return Table(
        "sha256 of each file",
        ("file", "sha256"),
        tuple((standing.name, standing.receipt["sha256"]) for standing in standings),
    )
