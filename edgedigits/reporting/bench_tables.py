"""The rows of a bench as text, under their titles."""

from edgedigits.measuring import bench as bench_module
from edgedigits.measuring.bench_result import BenchResult

HEADER = (
    "file", "KB", "accuracy", "p50 us", "p90 us", "p99 us", "max us", "mean us", "n",
    "images/s", "per core", "at batch", "load s", "first answer s", "peak MiB",
)  # fmt: skip
CYCLES_COLUMN = "cycles"
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
