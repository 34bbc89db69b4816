"""The rows of a bench as text under their titles, and as plain numbers."""

from edgedigits.measuring import bench as bench_module
from edgedigits.measuring.bench_result import BenchResult, BenchRow
from edgedigits.reporting.tables import Row, Table

HEADER = (
    "file", "KB", "accuracy", "p50 us", "p90 us", "p99 us", "max us", "mean us", "n",
    "images/s", "per core", "at batch", "load s", "first answer s", "peak MiB",
)  # fmt: skip
CYCLES_COLUMN = "cycles"
BRIEF = ("file", "KB", "accuracy", "p50 us", "p99 us", "images/s", "peak MiB")
LEGEND = {
    "KB": "1,000 bytes",
    "p50 us": "microseconds that one image takes at most in half of all calls",
    "p90 us": "in 90 of 100 calls",
    "p99 us": "in 99 of 100 calls",
    "n": "calls",
    "cycles": "of the processor for one image",
    "images/s": "in batches of the size that suits the file best",
    "per core": "the same for each thread",
    "at batch": "that size",
    "load s": "seconds to import the runtime and open the file",
    "first answer s": "seconds from the start of Python to the first answer",
    "peak MiB": "memory of a fresh process that reads one image",
}
CSV_HEADER = (
    "file", "precision", "runtime", "bytes", "accuracy_percent", "p50_us", "p90_us", "p99_us", "max_us", "mean_us",
    "calls", "cycles", "images_per_second", "images_per_second_per_core", "best_batch", "load_seconds",
    "first_answer_seconds", "peak_mib",
)  # fmt: skip
THOUSANDS_FROM = 100
"""Thousands of images a second from which no digits are shown behind the point."""
_CYCLES_INDEX = HEADER.index("n") + 1


def table_header(result: BenchResult) -> tuple[str, ...]:
    """Return the titles of ``table_rows``: ``HEADER``, and the cycles where all of them could be counted."""
    return _with_cycles(HEADER, CYCLES_COLUMN) if _has_cycles(result) else HEADER


def table_rows(result: BenchResult) -> list[tuple[str, ...]]:
    """Write the rows as text under ``table_header``."""
    rows = []
    for row in result.rows:
        cells = (
            row.name,
            f"{row.bytes / 1000:.1f}",
            f"{row.accuracy.percent:.2f} %",
            *(f"{value:.1f}" for value in (row.latency.p50, row.latency.p90, row.latency.p99)),
            f"{row.latency.max:.0f}",
            f"{row.latency.mean:.1f}",
            f"{row.latency.samples}",
            f"{row.best_throughput:,.0f}",
            f"{row.throughput_per_core:,.0f}",
            f"{row.best_batch}",
            f"{row.cold_start.load_seconds:.3f}",
            f"{row.cold_start.first_answer_seconds:.3f}",
            f"{row.cold_start.peak_mib:.0f}",
        )
        rows.append(_with_cycles(cells, f"{row.cycles:,.0f}") if _has_cycles(result) else cells)
    return rows


def _has_cycles(result: BenchResult) -> bool:
    return bool(result.rows) and all(row.cycles is not None for row in result.rows)


def _with_cycles(cells: tuple[str, ...], cycles: str) -> tuple[str, ...]:
    return (*cells[:_CYCLES_INDEX], cycles, *cells[_CYCLES_INDEX:])


def sweep_header() -> tuple[str, ...]:
    """Return the titles of ``sweep_rows``."""
    return ("file", *(f"batch {batch:,}" for batch in bench_module.BATCHES))


def sweep_rows(result: BenchResult) -> list[tuple[str, ...]]:
    """Write images per second at every batch size as text under ``sweep_header``."""
    return [
        (row.name, *(f"{row.throughput[batch]:,.0f}" for batch in bench_module.BATCHES))
        for row in result.rows
    ]


def tables(result: BenchResult, *, wide: bool = False) -> tuple[Table, Table]:
    """Return what the terminal shows: the files side by side, and how many images a second each takes by batch size.

    Args:
        result: what was measured.
        wide: whether whole numbers of the second have room.
    """
    first = Table(
        f"{result.dataset}, one image at a time and in batches",
        table_header(result),
        table_rows(result),
        BRIEF,
        LEGEND,
    )
    if wide:
        return first, Table("Images per second by batch size", sweep_header(), sweep_rows(result))
    rows = [
        (row.name, *(_thousands(row.throughput[batch]) for batch in bench_module.BATCHES))
        for row in result.rows
    ]
    header = ("file", *(f"{batch:,}" for batch in bench_module.BATCHES))
    return first, Table("Images per second by batch size, in thousands", header, rows)


def _thousands(rate: float) -> str:
    thousands = rate / 1000
    return f"{thousands:,.0f}" if thousands >= THOUSANDS_FROM else f"{thousands:.3g}"


def csv_header() -> tuple[str, ...]:
    """Return the titles of ``csv_rows``."""
    return (*CSV_HEADER, *(f"images_per_second_batch_{batch}" for batch in bench_module.BATCHES))


def csv_rows(result: BenchResult) -> list[Row]:
    """Write the rows as plain numbers under ``csv_header``; empty where nothing could be counted."""
    return [[str(value) for value in _csv_values(row)] for row in result.rows]


def _csv_values(row: BenchRow) -> tuple[str | float, ...]:
    latency, start = row.latency, row.cold_start
    return (
        *(row.name, row.precision, row.runtime, row.bytes, row.accuracy.percent),
        *(latency.p50, latency.p90, latency.p99, latency.max, latency.mean, latency.samples),
        "" if row.cycles is None else row.cycles,
        *(row.best_throughput, row.throughput_per_core, row.best_batch),
        *(start.load_seconds, start.first_answer_seconds, start.peak_mib),
        *(row.throughput[batch] for batch in bench_module.BATCHES),
    )
