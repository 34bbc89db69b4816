"""What a bench measured, as frozen dataclasses that the terminal, JSON and the report all read from."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgedigits.arguments import (
    LARGEST_SEED,
    LONGEST_SECONDS,
    MOST_ROUNDS,
    MOST_SAMPLES,
    amount_of,
    count_of,
    threads_of,
)
from edgedigits.format_table import Precision
from edgedigits.measuring import metrics
from edgedigits.measuring.disturbance import is_crowded, is_disturbed, spread
from edgedigits.measuring.machine import MachineCard

NOTEWORTHY = 1.05
"""Ratio from which a difference is put into words: two runs of one file differ by up to 3 % here."""

LEAST_SAMPLES = 5
"""Of which percentiles can be told."""


@dataclass(frozen=True)
class BenchOptions:
    """How long and how to measure."""

    threads: int = 1
    min_seconds: float = 0.5
    """Per file, for one image at a time."""
    min_samples: int = 1_000
    """Per file, for one image at a time; Keras' slow calls make do with a twentieth of it."""
    batch_seconds: float = 0.1
    """Per file and batch size, but never less than one call in each round."""
    rounds: int = 5
    cold_starts: int = 3
    """Fresh processes per file, for load time, first answer and memory."""
    seed: int = 0
    """Of the order of the files in each round and of the choice of digits."""

    def __post_init__(self) -> None:
        """Refuse what cannot be measured.

        Raises:
            ArgumentError: a number is out of its range.
        """
        threads_of(self.threads)
        count_of("seed", self.seed, 0, LARGEST_SEED)
        count_of("min_samples", self.min_samples, LEAST_SAMPLES, MOST_SAMPLES)
        for name in ("rounds", "cold_starts"):
            count_of(name, getattr(self, name), most=MOST_ROUNDS)
        for name in ("min_seconds", "batch_seconds"):
            amount_of(name, getattr(self, name), most=LONGEST_SECONDS)


@dataclass(frozen=True)
class Latency:
    """Time of one image at a time, in microseconds. All samples count."""

    p50: float
    p90: float
    p99: float
    max: float
    mean: float
    samples: int

    @classmethod
    def of(cls, nanoseconds: Sequence[int]) -> "Latency":
        """Summarize samples; percentiles by linear interpolation."""
        values = np.array(nanoseconds, np.float64) / 1000
        p50, p90, p99 = np.percentile(values, [50, 90, 99])
        return cls(float(p50), float(p90), float(p99), float(values.max()), float(values.mean()), len(values))


@dataclass(frozen=True)
class ColdStart:
    """What a fresh process needs, medians over some of them."""

    load_seconds: float
    """Import of the runtime and opening of the file."""
    first_answer_seconds: float
    """From the start of the interpreter to the first answer."""
    peak_mib: float
    """Largest resident set, in MiB."""


@dataclass(frozen=True)
class BenchRow:
    """Everything measured of one file."""

    name: str
    """Of the file, and of the call for Keras; with its folder where two files of one name were measured."""
    arch: str
    """Widths of the network's hidden layers."""
    weights_sha256: str
    """Of the network: files with the same one are forms of the same network."""
    precision: Precision
    runtime: str
    bytes: int
    accuracy: metrics.Accuracy
    latency: Latency
    throughput: dict[int, float]
    """Images per second by batch size, medians."""
    cold_start: ColdStart
    cycles: float | None
    """Processor cycles for one image, in user code, of all threads together, be it that they only wait; None where the
    system does not let them be counted."""
    threads: int
    """That the runtime may use; see ``Model.threads``."""
    latency_samples_ns: tuple[int, ...] = dataclasses.field(repr=False)
    throughput_samples_ns: dict[int, tuple[int, ...]] = dataclasses.field(repr=False)
    """Time of each call by batch size."""
    disturbed_samples_ns: tuple[tuple[int, ...], ...] = dataclasses.field(default=(), repr=False)
    """Time of one image in each run that was busier than the one which ``latency`` is of; mostly there is none."""

    @property
    def best_throughput(self) -> float:
        """Images per second at the batch size that suits the file best."""
        return max(self.throughput.values())

    @property
    def best_batch(self) -> int:
        """The batch size that suits the file best."""
        return max(self.throughput, key=lambda batch: self.throughput[batch])

    @property
    def throughput_per_core(self) -> float:
        """Images per second at that batch size, divided by the threads."""
        return self.best_throughput / self.threads


@dataclass(frozen=True)
class BenchResult:
    """All rows, and what they were measured on."""

    machine: MachineCard
    options: BenchOptions
    dataset: str
    rows: tuple[BenchRow, ...]
    load_average: float | None = None
    """Processes that ran or waited in the minute before, on average; None where nobody asked."""

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON values, raw samples included."""
        return {
            "machine": dataclasses.asdict(self.machine),
            "options": dataclasses.asdict(self.options),
            "dataset": self.dataset,
            "rows": [
                {
                    **dataclasses.asdict(row),
                    "accuracy_percent": row.accuracy.percent,
                    "throughput_per_core": row.throughput_per_core,
                }
                for row in self.rows
            ],
            "winners": winners(self.rows),
            "remarks": remarks(self.rows),
            "load_average": self.load_average,
            "disturbances": disturbances(self),
        }

    def summary(self) -> dict[str, Any]:
        """Return the same without the raw samples."""
        result = self.to_dict()
        for row in result["rows"]:
            del row["latency_samples_ns"], row["throughput_samples_ns"], row["disturbed_samples_ns"]
        return result


def winners(rows: Sequence[BenchRow]) -> list[str]:
    """Say in a sentence which file of a network is best for each use: one image, many images, the smallest.

    Files of different networks answer differently, so none of them wins over another network's: where there are several
    networks each has its own sentences, which begin with the network.
    """
    networks = _by_network(rows)
    titles = _network_titles(networks)
    return [
        f"{titles[sha256]}{line}"
        for sha256, members in networks.items()
        if len(members) > 1
        for line in _winners_of_one(members)
    ]


def _winners_of_one(rows: Sequence[BenchRow]) -> list[str]:
    quickest = min(rows, key=lambda row: row.latency.p50)
    widest = max(rows, key=lambda row: row.best_throughput)
    smallest = min(rows, key=lambda row: row.bytes)
    throughput = f"{widest.best_throughput:,.0f}"
    return [
        f"One image at a time: {quickest.name} is quickest, {quickest.latency.p50:.1f} us (p50)",
        f"Many images: {widest.name} is quickest, {throughput} images/s ({widest.best_batch:,} a batch)",
        f"Smallest file: {smallest.name}, {smallest.bytes / 1000:.1f} KB",
    ]


def _by_network(rows: Sequence[BenchRow]) -> dict[str, list[BenchRow]]:
    """Sort rows by the sha256 of their weights, in the order in which the networks first come."""
    networks: dict[str, list[BenchRow]] = {}
    for row in rows:
        networks.setdefault(row.weights_sha256, []).append(row)
    return networks


def _network_titles(networks: dict[str, list[BenchRow]]) -> dict[str, str]:
    """Return what a sentence about each network begins with; nothing where there is only one."""
    if len(networks) < 2:
        return dict.fromkeys(networks, "")
    return {
        sha256: f"Network {members[0].arch} (weights {sha256[:8]}). " for sha256, members in networks.items()
    }


def remarks(rows: Sequence[BenchRow]) -> list[str]:
    """Say in words which quantized files are slower than the float file of the same network and format."""
    return [line for members in _by_network(rows).values() for line in _remarks_of_one(members)]


def _remarks_of_one(rows: Sequence[BenchRow]) -> list[str]:
    said = []
    floats = {Path(row.name).suffix: row for row in rows if row.precision == "float32"}
    for row in rows:
        other = floats.get(Path(row.name).suffix)
        if row.precision == "float32" or other is None:
            continue
        ratio = row.latency.p50 / other.latency.p50
        if ratio >= NOTEWORTHY:
            said.append(f"{row.name} is slower than {other.name} on one image: {ratio:.2f} times its p50")
        share = row.best_throughput / other.best_throughput
        if share <= 1 / NOTEWORTHY:
            said.append(
                f"{row.name} is slower than {other.name} on many images: {share:.2f} times its images/s"
            )
    return said


def disturbances(result: BenchResult) -> list[str]:
    """Say in words when the machine was busy, and which figures it spoilt."""
    said = []
    cores, load = result.machine.logical_cores, result.load_average
    if load is not None and is_crowded(load, result.options.threads, cores):
        said.append(f"the machine was busy when this began: load average {load:.1f} on {cores} cores")
    for row in result.rows:
        times = 1 + len(row.disturbed_samples_ns)
        if is_disturbed(row.latency_samples_ns):
            far = spread(row.latency_samples_ns)
            said.append(
                f"{row.name}: the machine was busy: mean {row.latency.mean:.1f} us is {far:.1f} times the median in "
                f"the calmest of {times} runs; close other programs and measure again"
            )
        elif times > 1:
            said.append(
                f"{row.name}: timed {times} times, for the machine was busy; shown is the calmest run"
            )
    return said
