import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest

from edgedigits.datasets.split import Split
from edgedigits.errors import ModelFileError, ModelNotFoundError
from edgedigits.format_table import Precision
from edgedigits.measuring import bench as bench_module
from edgedigits.measuring import metrics, perf_counter
from edgedigits.measuring.bench import bench
from edgedigits.measuring.bench_result import (
    BenchOptions,
    BenchResult,
    BenchRow,
    ColdStart,
    Latency,
    disturbances,
    remarks,
    winners,
)
from edgedigits.measuring.machine import MachineCard
from edgedigits.measuring.perf_counter import Event
from edgedigits.measuring.subjects import Subject, find_subjects, model_files
from edgedigits.metadata import ModelMetadata
from edgedigits.progress import SilentProgress
from edgedigits.reporting.bench_tables import HEADER, sweep_header, sweep_rows, table_header, table_rows
from edgedigits.runtimes.c_compiler import find_compiler
from edgedigits.runtimes.model import Model

QUICK = BenchOptions(min_seconds=0.01, min_samples=6, batch_seconds=0.0, rounds=2, cold_starts=1)


@pytest.fixture(scope="module")
def few(dataset: tuple[Split, Split]) -> Split:
    test = dataset[1]
    return Split.of(test.dataset, test.images[:200], test.labels[:200])


@pytest.fixture(scope="module")
def measured(models: Path, few: Split) -> BenchResult:
    """Three exported files, really measured, if shortly."""
    files = [models / name for name in ("digits.tflite", "digits.int8.tflite", "digits.onnx")]
    return bench(find_subjects(files, with_keras=False), few, QUICK)


# A row


def test_every_file_has_a_row_with_all_its_figures(measured: BenchResult, models: Path, few: Split) -> None:
    assert [row.name for row in measured.rows] == ["digits.tflite", "digits.int8.tflite", "digits.onnx"]
    assert [row.precision for row in measured.rows] == ["float32", "int8", "float32"]
    assert [row.runtime.split()[0] for row in measured.rows] == [
        "ai-edge-litert", "ai-edge-litert", "onnxruntime"
    ]  # fmt: skip
    assert measured.dataset == few.dataset
    for row in measured.rows:
        assert row.bytes == (models / row.name).stat().st_size
        assert row.accuracy.images == len(few.images)
        assert row.accuracy.percent > 70  # the answers of a trained network; chance is 10
        assert 0 < row.cold_start.load_seconds < row.cold_start.first_answer_seconds
        # No Python with NumPy and a runtime fits into 20 MiB, and none of these models needs a GiB.
        assert 20 < row.cold_start.peak_mib < 1_024


def test_the_latency_is_that_of_the_raw_samples(measured: BenchResult) -> None:
    for row in measured.rows:
        samples = np.array(row.latency_samples_ns) / 1_000
        assert row.latency.samples == len(samples) >= QUICK.min_samples
        assert row.latency.p50 == pytest.approx(np.median(samples))
        assert row.latency.p90 == pytest.approx(np.percentile(samples, 90))
        assert row.latency.p99 == pytest.approx(np.percentile(samples, 99))
        assert row.latency.max == samples.max()
        assert row.latency.mean == pytest.approx(samples.mean())
        assert samples.sum() >= 1e6 * QUICK.min_seconds * 0.5  # half may pass between the samples


def test_the_throughput_is_that_of_the_raw_samples(measured: BenchResult) -> None:
    assert bench_module.BATCHES == (1, 4, 16, 64, 256, 1024, 4096)
    for row in measured.rows:
        assert tuple(row.throughput) == tuple(row.throughput_samples_ns) == bench_module.BATCHES
        for batch, samples in row.throughput_samples_ns.items():
            assert len(samples) >= QUICK.rounds
            assert row.throughput[batch] == pytest.approx(batch * 1e9 / np.median(samples))
        assert row.best_throughput == max(row.throughput.values())
        assert row.throughput[row.best_batch] == row.best_throughput
        assert row.throughput_per_core == row.best_throughput


def test_the_result_is_json_with_every_sample(measured: BenchResult) -> None:
    fields = json.loads(json.dumps(measured.to_dict(), allow_nan=False))
    assert fields["options"]["rounds"] == QUICK.rounds
    for record, row in zip(fields["rows"], measured.rows, strict=True):
        assert record["latency_samples_ns"] == list(row.latency_samples_ns)
        assert record["throughput_samples_ns"]["64"] == list(row.throughput_samples_ns[64])
        assert record["accuracy_percent"] == row.accuracy.percent
    assert fields["load_average"] == measured.load_average >= 0
    summary = measured.summary()
    assert "latency_samples_ns" not in json.dumps(summary)
    assert summary["rows"][0]["latency"]["p50"] == measured.rows[0].latency.p50


def test_the_table_has_a_cell_for_every_column(measured: BenchResult) -> None:
    rows, header = table_rows(measured), table_header(measured)
    assert [len(row) for row in rows] == [len(header)] * 3
    first = dict(zip(header, rows[0], strict=True))
    row = measured.rows[0]
    assert first["file"] == "digits.tflite"
    assert first["KB"] == f"{row.bytes / 1000:.1f}"
    assert first["p50 us"] == f"{row.latency.p50:.1f}"
    assert first["n"] == str(row.latency.samples)
    assert row.throughput[int(first["at batch"])] == row.best_throughput
    assert tuple(column for column in header if column != "cycles") == HEADER
    sweep = sweep_rows(measured)
    assert [len(cells) for cells in sweep] == [len(sweep_header())] * 3
    assert sweep[1] == (
        "digits.int8.tflite",
        *(f"{value:,.0f}" for value in measured.rows[1].throughput.values()),
    )


@pytest.mark.parametrize("cycles", [(1234.4, 5.0, 6e9), (1234.4, None, 6e9), (None, None, None)], ids=str)
def test_cycles_have_a_column_where_they_could_be_counted(
    cycles: tuple[float | None, ...], measured: BenchResult
) -> None:
    rows = tuple(
        dataclasses.replace(row, cycles=value) for row, value in zip(measured.rows, cycles, strict=True)
    )
    result = dataclasses.replace(measured, rows=rows)
    header, table = table_header(result), table_rows(result)
    assert [len(row) for row in table] == [len(header)] * 3
    assert not any("-" in cell for row in table for cell in row[1:])
    if None in cycles:
        assert header == HEADER
    else:
        assert header[: header.index("cycles")] == HEADER[: HEADER.index("n") + 1]
        assert [row[header.index("cycles")] for row in table] == ["1,234", "5", "6,000,000,000"]
        assert [row[header.index("images/s")] for row in table] == [
            f"{row.best_throughput:,.0f}" for row in rows
        ]


def test_cycles_are_those_of_one_image(models: Path, few: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    # The same way with an event that every Linux can count: nanoseconds on the processor.
    if perf_counter.count(lambda: None, Event.TASK_CLOCK) is None:
        pytest.skip("the system does not let anything be counted")
    count = perf_counter.count
    monkeypatch.setattr(bench_module.perf_counter, "count", lambda call: count(call, Event.TASK_CLOCK))
    found = bench_module.cycles_per_image(Subject(models / "digits.onnx").open(threads=1), few)
    assert found is not None
    # An image takes some microseconds; 40 of them would be 40 times as many.
    assert 1e3 < found < 1e6


# How it is measured


class Recording(Model):
    """Answers at once and writes down who was asked."""

    def __init__(self, name: str, calls: list[tuple[str, int]]) -> None:
        super().__init__(Path(name), ModelMetadata("1", "float32", "0" * 64, {}), "none 1")
        self.calls = calls

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        self.calls.append((self.path.name, len(pixels)))
        assert pixels.flags.c_contiguous
        return np.zeros((len(pixels), 10), np.float32)


@pytest.fixture
def calls(few: Split, models: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[tuple[str, int]]]:
    """The calls of a measurement of three files over 3 rounds, by phase."""
    opened: list[tuple[str, int]] = []
    phases: dict[str, list[tuple[str, int]]] = {"accuracy": opened}

    class Phases(SilentProgress):
        def task(self, description: str, total: int):
            phase = "accuracy" if description.startswith("verifying") else description
            phases.setdefault(phase, []).append(("begin", len(opened)))
            return super().task(description, total)

    monkeypatch.setattr(Subject, "open", lambda self, _: Recording(self.path.name, opened))
    monkeypatch.setattr(bench_module, "measure_cold_start", lambda *_: ColdStart(1.0, 2.0, 3.0))
    options = BenchOptions(min_seconds=0.0, min_samples=15, batch_seconds=0.0, rounds=3, cold_starts=1)
    names = ("digits.tflite", "digits.int8.tflite", "digits.onnx")
    phases["accuracy"] = []
    bench([Subject(models / name) for name in names], few, options, Phases())
    starts = [(phase, marks[0][1]) for phase, marks in phases.items()]
    ends = [start for _, start in starts[1:]] + [len(opened)]
    return {phase: opened[start:end] for (phase, start), end in zip(starts, ends, strict=True)}


NAMES = {"digits.tflite", "digits.int8.tflite", "digits.onnx"}


def test_files_take_turns_in_every_round(calls: dict[str, list[tuple[str, int]]]) -> None:
    assert {count for _, count in calls["latency"]} == {1}
    per_file = {name: sum(1 for called, _ in calls["latency"] if called == name) for name in NAMES}
    assert per_file == dict.fromkeys(NAMES, 3 * (1 + 5))  # a warm-up and a third of the samples, three times
    turns = [calls["latency"][start : start + 6] for start in range(0, 54, 6)]
    assert all(len(set(turn)) == 1 for turn in turns)
    rounds = [{turn[0][0] for turn in turns[start : start + 3]} for start in (0, 3, 6)]
    assert rounds == [NAMES] * 3


def test_every_round_has_an_order_of_its_own(models: Path) -> None:
    subjects = [Subject(models / name) for name in sorted(NAMES)]
    options = BenchOptions(rounds=20)
    order = bench_module.in_turn(dict.fromkeys(subjects), options)
    rounds = {tuple(order[start : start + 3]) for start in range(0, 60, 3)}
    assert all(set(one) == set(subjects) for one in rounds)
    assert len(rounds) > 3  # of six that there are
    assert order == bench_module.in_turn(dict.fromkeys(subjects), options)


@pytest.mark.parametrize("batch", bench_module.BATCHES)
def test_every_batch_is_asked_in_every_round_after_a_warm_up(
    batch: int, calls: dict[str, list[tuple[str, int]]]
) -> None:
    asked = calls[f"batches of {batch}"]
    assert {count for _, count in asked} == {batch}
    blocks = [asked[start : start + 2] for start in range(0, len(asked), 2)]
    assert len(blocks) == 9
    assert all(first == second for first, second in blocks)
    assert [sum(1 for block in blocks if block[0][0] == name) for name in sorted(NAMES)] == [3, 3, 3]


def test_the_first_call_of_a_turn_does_not_count(few: Split) -> None:
    recorded: list[tuple[str, int]] = []
    samples = bench_module.time_calls(Recording("a", recorded), [few.images[:1]], 0.0, 7)
    assert (len(samples), len(recorded)) == (7, 8)
    assert min(samples) > 0


def test_a_turn_lasts_for_both_its_bounds(few: Split) -> None:
    # The clock is the program's own: so many nanoseconds of calls have gone by, however slow the machine is.
    samples = bench_module.time_calls(Recording("a", []), [few.images[:1]], 0.02, 1)
    assert len(samples) > 1


# Files


def test_keras_has_two_rows_where_it_is_there() -> None:
    paths = [Path("digits.onnx"), Path("digits.keras")]
    assert [subject.name for subject in find_subjects(paths, with_keras=True)] == [
        "digits.onnx", "digits.keras model(x)", "digits.keras predict"
    ]  # fmt: skip
    assert [subject.name for subject in find_subjects(paths, with_keras=False)] == ["digits.onnx"]
    assert [subject.sample_share for subject in find_subjects(paths, with_keras=True)] == [1.0, 0.05, 0.05]


def test_a_folder_s_files_are_found_by_network(models: Path, tmp_path: Path) -> None:
    names = [
        "digits.tflite", "digits.int8.tflite", "digits.dynamic.tflite", "digits.float16.tflite",
        "digits.onnx", "digits.int8.onnx", "digits.dynamic.onnx", "digits.float16.onnx",
        "digits.ort", "digits.int8.ort", *(["digits.c"] if find_compiler() else []), "digits.tflm.c", "digits.keras",
    ]  # fmt: skip
    assert [path.name for path in model_files(models)] == names
    for name in ("wide.onnx", "digits.onnx", "notes.txt", "reference.npz"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in model_files(tmp_path, "wide")] == ["wide.onnx"]
    assert [path.name for path in model_files(tmp_path)] == ["wide.onnx", "digits.onnx"]
    with pytest.raises(ModelFileError, match="no model files in this folder; export some with"):
        model_files(tmp_path, "other")


def test_a_file_that_cannot_be_opened_is_an_error(few: Split, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError):
        bench([Subject(tmp_path / "digits.onnx")], few, QUICK)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("digits.onnx", b"no model", "a fresh process could not run it .*no whole ONNX model"),
        ("digits.tflite", b"no model", "a fresh process could not run it .*no TFLite model"),
        ("digits.onnx", None, "a fresh process could not run it .*no such model file"),
    ],
    ids=["onnx", "tflite", "missing"],
)
def test_a_cold_start_of_a_broken_file_is_an_error(
    name: str, content: bytes | None, reason: str, few: Split, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelFileError, match=reason):
        bench_module.measure_cold_start(Subject(tmp_path / name), few.images[0].tobytes(), threads=1)


def test_a_cold_start_that_never_ends_is_an_error(
    models: Path, few: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_module, "COLD_START_TIMEOUT", 0.001)
    with pytest.raises(ModelFileError, match=r"a fresh process could not run it \(.*timed out"):
        bench_module.measure_cold_start(Subject(models / "digits.onnx"), few.images[0].tobytes(), threads=1)


# Machine and words


def test_the_machine_card_names_machine_and_versions() -> None:
    card = MachineCard.read(threads=2)
    assert card.cpu
    assert card.logical_cores >= 1
    assert card.memory_gib > 0
    assert {"edgedigits", "python", "numpy", "onnxruntime", "ai-edge-litert"} <= card.versions.keys()
    text = str(card)
    assert f"{card.logical_cores} cores" in text
    assert "; 2 threads; " in text
    assert f"numpy {np.__version__}" in text
    assert "; 1 thread; " in str(dataclasses.replace(card, threads=1))


SHA256 = "0123456789abcdef" * 4


def row(
    name: str, precision: Precision, p50: float, best: float, sha256: str = SHA256, arch: str = "128-32"
) -> BenchRow:
    latency = Latency(p50=p50, p90=p50, p99=p50, max=p50, mean=p50, samples=10)
    accuracy = metrics.accuracy(np.arange(10), np.arange(10))
    return BenchRow(
        name=name,
        arch=arch,
        weights_sha256=sha256,
        precision=precision,
        runtime="test 1",
        bytes=1_000,
        accuracy=accuracy,
        latency=latency,
        throughput={1: best / 10, 64: best},
        cold_start=ColdStart(0.1, 0.2, 50.0),
        cycles=None,
        threads=1,
        latency_samples_ns=(),
        throughput_samples_ns={},
    )


FLOAT = row("digits.tflite", "float32", 10.0, 1_000.0)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (row("digits.int8.tflite", "int8", 5.0, 3_000.0), []),
        (row("digits.int8.tflite", "int8", 10.4, 970.0), []),  # within what two runs of one file differ by
        (
            row("digits.int8.tflite", "int8", 12.0, 3_000.0),
            ["digits.int8.tflite is slower than digits.tflite on one image: 1.20 times its p50"],
        ),
        (
            row("digits.int8.tflite", "int8", 5.0, 500.0),
            ["digits.int8.tflite is slower than digits.tflite on many images: 0.50 times its images/s"],
        ),
        (
            row("digits.dynamic.tflite", "dynamic", 20.0, 250.0),
            [
                "digits.dynamic.tflite is slower than digits.tflite on one image: 2.00 times its p50",
                "digits.dynamic.tflite is slower than digits.tflite on many images: 0.25 times its images/s",
            ],
        ),
        (row("digits.int8.onnx", "int8", 99.0, 1.0), []),  # there is no float file of its format
        (row("wide.tflite", "float32", 99.0, 1.0), []),
        (row("wide.int8.tflite", "int8", 99.0, 1.0, "f" * 64), []),
        (row("digits.int8.tflite", "int8", 99.0, 1.0, "f" * 64), []),  # of a network that was trained again
    ],
    ids=[
        "faster",
        "as fast",
        "one image",
        "many images",
        "both",
        "another format",
        "another float",
        "another network",
        "another of the same name",
    ],
)
def test_a_quantized_file_that_is_slower_is_put_into_words(other: BenchRow, said: list[str]) -> None:
    assert remarks([FLOAT, other]) == said


def test_a_busy_machine_is_put_into_words(measured: BenchResult) -> None:
    busy = (1_000,) * 80 + (20_000,) * 20
    calm = dataclasses.replace(FLOAT, latency_samples_ns=(1_000,) * 100)
    rows = (
        calm,
        dataclasses.replace(calm, name="once.tflite", disturbed_samples_ns=(busy,)),
        dataclasses.replace(FLOAT, name="busy.tflite", latency_samples_ns=busy),
    )
    machine = dataclasses.replace(measured.machine, logical_cores=2)
    result = dataclasses.replace(measured, machine=machine, rows=rows, load_average=3.2)
    assert disturbances(result) == result.to_dict()["disturbances"]
    crowded, once, still = disturbances(result)
    assert crowded == "the machine was busy when this began: load average 3.2 on 2 cores"
    assert once == "once.tflite: timed 2 times, for the machine was busy; shown is the calmest run"
    assert still.startswith("busy.tflite: the machine was busy: mean 10.0 us is 4.8 times the median")
    assert disturbances(dataclasses.replace(result, rows=(calm,), load_average=0.1)) == []


def test_there_is_a_winner_for_each_use() -> None:
    rows = [
        FLOAT,
        row("digits.int8.tflite", "int8", 5.0, 3_000.0),
        dataclasses.replace(row("digits.int8.onnx", "int8", 7.0, 4_000.0), bytes=900),
    ]
    assert winners(rows) == [
        "One image at a time: digits.int8.tflite is quickest, 5.0 us (p50)",
        "Many images: digits.int8.onnx is quickest, 4,000 images/s (64 a batch)",
        "Smallest file: digits.int8.onnx, 0.9 KB",
    ]
    assert winners([FLOAT]) == []  # alone, nobody wins


def test_networks_do_not_win_over_each_other() -> None:
    other = "f" * 64
    rows = [
        FLOAT,
        row("tiny.onnx", "float32", 1.0, 90_000.0, other, "8"),
        row("digits.int8.tflite", "int8", 12.0, 3_000.0),
        row("tiny.int8.onnx", "int8", 2.0, 10_000.0, other, "8"),
        row("alone.onnx", "float32", 0.1, 1e6, "e" * 64, "4"),
    ]
    digits, tiny = "Network 128-32 (weights 01234567). ", "Network 8 (weights ffffffff). "
    assert winners(rows) == [
        f"{digits}One image at a time: digits.tflite is quickest, 10.0 us (p50)",
        f"{digits}Many images: digits.int8.tflite is quickest, 3,000 images/s (64 a batch)",
        f"{digits}Smallest file: digits.tflite, 1.0 KB",
        f"{tiny}One image at a time: tiny.onnx is quickest, 1.0 us (p50)",
        f"{tiny}Many images: tiny.onnx is quickest, 90,000 images/s (64 a batch)",
        f"{tiny}Smallest file: tiny.onnx, 1.0 KB",
    ]
    assert remarks(rows) == [
        "digits.int8.tflite is slower than digits.tflite on one image: 1.20 times its p50",
        "tiny.int8.onnx is slower than tiny.onnx on one image: 2.00 times its p50",
        "tiny.int8.onnx is slower than tiny.onnx on many images: 0.11 times its images/s",
    ]


def test_a_row_knows_its_network(measured: BenchResult, models: Path) -> None:
    sha256 = Subject(models / "digits.keras", "model(x)").open(1).metadata.weights_sha256
    assert {row.weights_sha256 for row in measured.rows} == {sha256}
    assert {row.arch for row in measured.rows} == {"128-32"}


def test_files_of_one_name_are_told_apart_by_their_folders() -> None:
    subjects = [
        Subject(Path("a/digits.onnx")), Subject(Path("b/digits.onnx")), Subject(Path("b/wide.onnx")),
        Subject(Path("a/digits.keras"), "predict"), Subject(Path("b/digits.keras"), "predict"),
        Subject(Path("a/digits.onnx")),
    ]  # fmt: skip
    assert list(bench_module.row_names(subjects).values()) == [
        "a/digits.onnx", "b/digits.onnx", "wide.onnx", "a/digits.keras predict", "b/digits.keras predict"
    ]  # fmt: skip


def test_nothing_to_measure_is_an_error(few: Split) -> None:
    with pytest.raises(ValueError, match="expected at least one file to measure, found none"):
        bench([], few, QUICK)


def test_images_per_core_are_shared_by_the_threads() -> None:
    assert dataclasses.replace(FLOAT, threads=4).throughput_per_core == 250.0


@pytest.mark.c_compiler
def test_a_file_with_threads_of_its_own_is_not_divided_by_others(models: Path, few: Split) -> None:
    files = [Subject(models / "digits.c"), Subject(models / "digits.onnx")]
    own, asked = bench(files, few, dataclasses.replace(QUICK, threads=2)).rows
    assert (own.threads, asked.threads) == (1, 2)
    assert own.throughput_per_core == own.best_throughput
    assert asked.throughput_per_core == asked.best_throughput / 2


def test_one_thread_per_core_is_as_many_as_there_are_cores(models: Path, few: Split) -> None:
    result = bench([Subject(models / "digits.onnx")], few, dataclasses.replace(QUICK, threads=0))
    assert result.rows[0].throughput_per_core == result.rows[0].best_throughput / (os.cpu_count() or 1)
    assert "; a thread per core; " in str(result.machine)
