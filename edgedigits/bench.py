"""How fast and how large: latency, throughput, cold start and memory of model files, side by side.

All files are measured in turn, round after round, so that a machine that slows down slows all of them down. Inputs are
real test digits, a warm-up comes first, and no sample is thrown away.
"""

import dataclasses
import itertools
import json
import platform
import random
import statistics
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil

from edgedigits import datasets, metrics, perf_counter
from edgedigits.arguments import amount_of, count_of, threads_of
from edgedigits.artifacts import versions
from edgedigits.c_compiler import find_compiler
from edgedigits.child_processes import run_module
from edgedigits.contract import LABELS, SELFTEST_ENDING, Precision, network_name
from edgedigits.errors import ModelFileError, ModelNotFoundError
from edgedigits.input_scale import InputScale
from edgedigits.mnist import Split
from edgedigits.opening import open_fed_model
from edgedigits.progress import SILENT, Progress
from edgedigits.reference import read_reference, reference_path
from edgedigits.runtimes import KerasCall, KerasModel, Model, open_model
from edgedigits.verify import run_all

BATCHES = (1, 4, 16, 64, 256, 1024, 4096)
TOOLS = ("numpy", "onnxruntime", "ai-edge-litert", "tensorflow", "keras")
KERAS_CALLS: tuple[KerasCall, ...] = ("model(x)", "predict")
CYCLE_IMAGES = 40
CYCLE_ROUNDS = 5
NOTEWORTHY = 1.05
"""Ratio from which a difference is put into words: two runs of one file differ by up to 3 % here."""
COLD_START_TIMEOUT = 120.0
"""Seconds: Keras takes about five; what takes longer than this is stuck."""


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
        count_of("seed", self.seed, 0)
        count_of("min_samples", self.min_samples, LEAST_SAMPLES)
        for name in ("rounds", "cold_starts"):
            count_of(name, getattr(self, name))
        for name in ("min_seconds", "batch_seconds"):
            amount_of(name, getattr(self, name))


@dataclass(frozen=True)
class Subject:
    """A way to ask a model file."""

    path: Path
    keras_call: KerasCall | None = None
    """For ``.keras`` files: which of the two calls."""
    input_scale: InputScale | None = None
    """For ``.keras`` files: what it was trained on; None for what the file or the manifest says."""

    @property
    def name(self) -> str:
        """Name of the row: ``digits.int8.tflite``, ``digits.keras predict``."""
        return f"{self.path.name} {self.keras_call}" if self.keras_call else self.path.name

    @property
    def sample_share(self) -> float:
        """Share of ``min_samples`` that is asked of it: Keras' calls take milliseconds each."""
        return 0.05 if self.keras_call else 1.0

    def open(self, threads: int) -> Model:
        """Open the file as this row asks it."""
        return open_model(
            self.path,
            threads=threads,
            keras_call=self.keras_call or "model(x)",
            input_scale=self.input_scale,
        )


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
    """Of the runtime."""
    latency_samples_ns: tuple[int, ...] = dataclasses.field(repr=False)
    throughput_samples_ns: dict[int, tuple[int, ...]] = dataclasses.field(repr=False)
    """Time of each call by batch size."""

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
class MachineCard:
    """What was measured on."""

    cpu: str
    logical_cores: int
    physical_cores: int | None
    memory_gib: float
    system: str
    versions: dict[str, str]
    threads: int

    @classmethod
    def read(cls, threads: int) -> "MachineCard":
        """Look at this machine."""
        return cls(
            cpu=_cpu_name(),
            logical_cores=psutil.cpu_count() or 1,
            physical_cores=psutil.cpu_count(logical=False),
            memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
            system=f"{platform.system()} {platform.release()} {platform.machine()}",
            versions=versions(*TOOLS),
            threads=threads,
        )

    def __str__(self) -> str:
        tools = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        return f"{self.cpu}, {self.logical_cores} cores, {self.memory_gib} GiB, {self.system}; {threads}; {tools}"


@dataclass(frozen=True)
class BenchResult:
    """All rows, and what they were measured on."""

    machine: MachineCard
    options: BenchOptions
    dataset: str
    rows: tuple[BenchRow, ...]

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
        }

    def summary(self) -> dict[str, Any]:
        """Return the same without the raw samples."""
        result = self.to_dict()
        for row in result["rows"]:
            del row["latency_samples_ns"], row["throughput_samples_ns"]
        return result


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
    return ("file", *(f"batch {batch:,}" for batch in BATCHES))


def sweep_rows(result: BenchResult) -> list[tuple[str, ...]]:
    """Write images per second at every batch size as text under ``sweep_header``."""
    return [(row.name, *(f"{row.throughput[batch]:,.0f}" for batch in BATCHES)) for row in result.rows]


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


def find_subjects(paths: Sequence[Path], with_keras: bool) -> list[Subject]:
    """Make the rows of some model files: one each, and two for a ``.keras`` file where Keras is there.

    Args:
        paths: model files.
        with_keras: whether ``.keras`` files are to be measured.
    """
    subjects = []
    for path in paths:
        if path.suffix != ".keras":
            subjects.append(Subject(path))
        elif with_keras:
            subjects += [Subject(path, call) for call in KERAS_CALLS]
    return subjects


def fed_subjects(
    subjects: Sequence[Subject],
    data: Path | None,
    input_scale: InputScale | None = None,
    progress: Progress = SILENT,
) -> list[Subject]:
    """Say of each ``.keras`` file what it is fed, found out from training images where nothing says it.

    Args and errors as in ``opening.open_fed_model``.
    """
    scales: dict[Path, InputScale | None] = {}
    for path in {subject.path: None for subject in subjects if subject.keras_call}:
        model = open_fed_model(path, data, input_scale=input_scale, progress=progress)
        scales[path] = model.input_scale if isinstance(model, KerasModel) else None
    return [dataclasses.replace(subject, input_scale=scales.get(subject.path)) for subject in subjects]


def model_files(folder: Path, name: str | None = None) -> list[Path]:
    """Return the model files in a folder, exported ones first; C files only where there is a C compiler.

    Args:
        folder: where to look.
        name: the network whose files are wanted; None for all networks.

    Raises:
        ModelNotFoundError: there is no such folder.
        ModelFileError: there is none in it.
    """
    if not folder.is_dir():
        raise ModelNotFoundError(folder, "name a folder, or export some with `edgedigits export`")
    suffixes = [".tflite", ".onnx", ".ort", *([".c"] if find_compiler() else []), ".keras"]
    found = [
        path
        for suffix in suffixes
        for path in sorted(folder.glob(f"*{suffix}"), key=lambda path: (len(path.name), path.name))
        if name in (None, network_name(path)) and not path.name.endswith(SELFTEST_ENDING)
    ]
    if not found:
        raise ModelFileError(folder, "no model files in this folder", "export some with `edgedigits export`")
    return found


def read_test_split(subjects: Sequence[Subject], data: Path | None, progress: Progress = SILENT) -> Split:
    """Read the test images that some model files are about.

    Args:
        subjects: what is to be measured; the first says which classes there are.
        data: see ``datasets.read_split``.
        progress: shows a bar where MNIST is downloaded.

    Raises:
        ModelNotFoundError, ModelFileError, ContractError, MissingExtraError: the first file cannot be opened.
        DatasetError: the data cannot be read, or a network's reference answers are to other images.
    """
    labels = subjects[0].open(threads=1).metadata.labels if subjects else LABELS
    split = datasets.read_split(data, "test", labels, progress=progress)
    if labels != LABELS:
        # MNIST is pinned; here only the reference, where it came along, knows which images there must be.
        for path in sorted(
            {reference_path(subject.path.parent, network_name(subject.path)) for subject in subjects}
        ):
            if path.exists():
                read_reference(path).check_split(split, path)
    return split


def bench(
    subjects: Sequence[Subject], split: Split, options: BenchOptions, progress: Progress = SILENT
) -> BenchResult:
    """Measure some model files.

    Args:
        subjects: what to measure.
        split: test digits, for inputs and accuracy.
        options: how long and how.
        progress: shows how far it is.

    Raises:
        ModelNotFoundError, ModelFileError, ContractError, MissingExtraError: a file cannot be opened, or is for other
            classes.
        ValueError: there is nothing to measure.
    """
    if not subjects:
        raise ValueError("expected at least one file to measure, found none")
    models = {subject: subject.open(options.threads) for subject in subjects}
    names = _row_names(subjects)
    for model in models.values():
        model.check_classes(split)
    accuracies = {}
    for subject, model in models.items():
        answers = run_all(model, split, progress).argmax(axis=1)
        accuracies[subject] = metrics.accuracy(split.labels, answers)
    latencies = _measure_latency(models, split, options, progress)
    throughputs = {batch: _measure_batches(models, split, batch, options, progress) for batch in BATCHES}
    cycles = _measure_cycles(models, split, progress)
    starts = _measure_cold_starts(subjects, split, options, progress)
    rows = tuple(
        BenchRow(
            name=names[subject],
            arch=model.metadata.arch,
            weights_sha256=model.metadata.weights_sha256,
            precision=model.metadata.precision,
            runtime=model.runtime,
            bytes=subject.path.stat().st_size,
            accuracy=accuracies[subject],
            latency=Latency.of(latencies[subject]),
            throughput={
                batch: 1e9 * batch / float(np.median(samples[subject]))
                for batch, samples in throughputs.items()
            },
            cold_start=starts[subject],
            cycles=cycles[subject],
            threads=options.threads,
            latency_samples_ns=tuple(latencies[subject]),
            throughput_samples_ns={batch: tuple(samples[subject]) for batch, samples in throughputs.items()},
        )
        for subject, model in models.items()
    )
    return BenchResult(MachineCard.read(options.threads), options, split.dataset, rows)


def _row_names(subjects: Sequence[Subject]) -> dict[Subject, str]:
    """Name the rows by their files, and by their whole paths where files in two folders have the same name."""
    often = Counter(subject.name for subject in dict.fromkeys(subjects))
    return {
        subject: subject.name if often[subject.name] == 1 else f"{subject.path.parent / subject.name}"
        for subject in subjects
    }


Samples = dict[Subject, list[int]]


def _measure_latency(
    models: dict[Subject, Model], split: Split, options: BenchOptions, progress: Progress
) -> Samples:
    """Time one image at a time, in nanoseconds."""
    singles = [split.images[index : index + 1] for index in _choice(len(split.images), 1_000, options.seed)]
    samples: Samples = {subject: [] for subject in models}
    with progress.task("latency", options.rounds * len(models)) as advance:
        for subject in _in_turn(models, options):
            count = round(options.min_samples * subject.sample_share / options.rounds)
            samples[subject] += _time_calls(
                models[subject], singles, options.min_seconds / options.rounds, max(1, count)
            )
            advance(1)
    return samples


def _measure_batches(
    models: dict[Subject, Model], split: Split, batch: int, options: BenchOptions, progress: Progress
) -> Samples:
    """Time whole batches, in nanoseconds per call; a small dataset is repeated to fill a batch."""
    starts = range(4)
    indices = [(np.arange(batch) + start * batch) % len(split.images) for start in starts]
    inputs = [np.ascontiguousarray(split.images[chosen]) for chosen in indices]
    samples: Samples = {subject: [] for subject in models}
    with progress.task(f"batches of {batch}", options.rounds * len(models)) as advance:
        for subject in _in_turn(models, options):
            samples[subject] += _time_calls(
                models[subject], inputs, options.batch_seconds / options.rounds, least=1
            )
            advance(1)
    return samples


def _measure_cycles(
    models: dict[Subject, Model], split: Split, progress: Progress
) -> dict[Subject, float | None]:
    cycles = {}
    with progress.task("cycles", len(models)) as advance:
        for subject, model in models.items():
            cycles[subject] = _cycles_per_image(model, split)
            advance(1)
    return cycles


def _cycles_per_image(model: Model, split: Split) -> float | None:
    """Count the cycles of single images, the first of which warms up: the median of some rounds.

    Other threads of this process, a progress bar's among them, are counted with the runtime's: seldom in most rounds.
    """
    singles = [split.images[index : index + 1] for index in range(min(CYCLE_IMAGES, len(split.images)))]
    model.probabilities(singles[0])

    def ask_all() -> None:
        for pixels in singles:
            model.probabilities(pixels)

    rounds = []
    for _ in range(CYCLE_ROUNDS):
        counted = perf_counter.count(ask_all)
        if counted is None:
            return None
        rounds.append(counted / len(singles))
    return statistics.median(rounds)


def _in_turn(models: dict[Subject, Model], options: BenchOptions) -> list[Subject]:
    """Return all subjects once per round, each round in an order of its own."""
    generator = random.Random(options.seed)  # noqa: S311  (an order, not a secret)
    return [
        subject for _ in range(options.rounds) for subject in generator.sample(list(models), k=len(models))
    ]


def _time_calls(
    model: Model, inputs: Sequence[npt.NDArray[np.uint8]], seconds: float, least: int
) -> list[int]:
    """Time single calls until both bounds are reached; the first call, which warms up, does not count."""
    clock: Callable[[], int] = time.perf_counter_ns
    model.probabilities(inputs[0])
    samples: list[int] = []
    deadline = clock() + int(seconds * 1e9)
    for pixels in itertools.cycle(inputs):
        before = clock()
        model.probabilities(pixels)
        after = clock()
        samples.append(after - before)
        if after >= deadline and len(samples) >= least:
            return samples
    raise AssertionError("inputs are empty")


def _measure_cold_starts(
    subjects: Sequence[Subject], split: Split, options: BenchOptions, progress: Progress
) -> dict[Subject, ColdStart]:
    """Start a fresh process per file and repetition, all files in turn."""
    found: dict[Subject, list[ColdStart]] = {subject: [] for subject in subjects}
    image = split.images[0].tobytes()
    with progress.task("cold starts", options.cold_starts * len(subjects)) as advance:
        for _ in range(options.cold_starts):
            for subject in subjects:
                found[subject].append(_cold_start(subject, image, options.threads))
                advance(1)
    return {
        subject: ColdStart(
            *(float(np.median(values)) for values in zip(*map(dataclasses.astuple, runs), strict=True))
        )
        for subject, runs in found.items()
    }


def _cold_start(subject: Subject, image: bytes, threads: int) -> ColdStart:
    arguments = [str(subject.path), str(threads), subject.keras_call or ""]
    started = time.time()
    try:
        done = subprocess.run(
            run_module("edgedigits.cold_start", *arguments),
            input=image,
            capture_output=True,
            check=True,
            timeout=COLD_START_TIMEOUT,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        lines = (error.stderr or b"").decode(errors="replace").strip().splitlines()
        raise ModelFileError(
            subject.path, f"a fresh process could not run it ({lines[-1] if lines else error})"
        ) from error
    measured = json.loads(done.stdout.splitlines()[-1])
    return ColdStart(measured["load_seconds"], measured["answered_at"] - started, measured["peak_mib"])


def _choice(images: int, at_most: int, seed: int) -> list[int]:
    generator = np.random.default_rng(seed)
    return [int(index) for index in generator.permutation(images)[:at_most]]


def _cpu_name() -> str:
    """Return the processor's own name where the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
