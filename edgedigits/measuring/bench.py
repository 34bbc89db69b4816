"""How fast and how large: latency, throughput, cold start and memory of model files, side by side.

All files are measured in turn, round after round, so that a machine that slows down slows all of them down. Inputs are
real test digits, a warm-up comes first, and no sample is thrown away: where the machine was busy a file is timed again,
and the result holds both.
"""

import dataclasses
import itertools
import json
import random
import statistics
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from edgedigits.child_processes import run_module
from edgedigits.datasets.split import Split
from edgedigits.errors import ModelFileError
from edgedigits.measuring import metrics, perf_counter
from edgedigits.measuring.bench_result import BenchOptions, BenchResult, BenchRow, ColdStart, Latency
from edgedigits.measuring.disturbance import load_average, timed_calmly
from edgedigits.measuring.machine import MachineCard
from edgedigits.measuring.subjects import Subject
from edgedigits.measuring.verify import run_all
from edgedigits.progress import SILENT, Progress
from edgedigits.runtimes.model import Model

BATCHES = (1, 4, 16, 64, 256, 1024, 4096)

CYCLE_IMAGES = 40
CYCLE_ROUNDS = 5

COLD_START_TIMEOUT = 120.0
"""Seconds: Keras takes about five; what takes longer than this is stuck."""


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
    names = row_names(subjects)
    for model in models.values():
        model.check_classes(split)
    accuracies = {}
    for subject, model in models.items():
        answers = run_all(model, split, progress).argmax(axis=1)
        accuracies[subject] = metrics.accuracy(split.labels, answers)
    load = load_average()
    latencies, disturbed = timed_calmly(
        lambda chosen: _measure_latency(
            {subject: models[subject] for subject in chosen}, split, options, progress
        ),
        list(models),
        lambda count: progress.note(f"the machine is busy: {count} of {len(models)} are timed again"),
    )
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
            threads=model.threads,
            latency_samples_ns=tuple(latencies[subject]),
            throughput_samples_ns={batch: tuple(samples[subject]) for batch, samples in throughputs.items()},
            disturbed_samples_ns=disturbed[subject],
        )
        for subject, model in models.items()
    )
    return BenchResult(MachineCard.read(options.threads), options, split.dataset, rows, load)


def row_names(subjects: Sequence[Subject]) -> dict[Subject, str]:
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
        for subject in in_turn(models, options):
            count = round(options.min_samples * subject.sample_share / options.rounds)
            samples[subject] += time_calls(
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
        for subject in in_turn(models, options):
            samples[subject] += time_calls(
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
            cycles[subject] = cycles_per_image(model, split)
            advance(1)
    return cycles


def cycles_per_image(model: Model, split: Split) -> float | None:
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


def in_turn(models: dict[Subject, Model], options: BenchOptions) -> list[Subject]:
    """Return all subjects once per round, each round in an order of its own."""
    generator = random.Random(options.seed)  # noqa: S311  (an order, not a secret)
    return [
        subject for _ in range(options.rounds) for subject in generator.sample(list(models), k=len(models))
    ]


def time_calls(
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
                found[subject].append(measure_cold_start(subject, image, options.threads))
                advance(1)
    return {
        subject: ColdStart(
            *(float(np.median(values)) for values in zip(*map(dataclasses.astuple, runs), strict=True))
        )
        for subject, runs in found.items()
    }


def measure_cold_start(subject: Subject, image: bytes, threads: int) -> ColdStart:
    """Let a fresh process open the file and answer one image.

    Args:
        subject: the file, and how it is asked.
        image: 784 bytes, the pixels.
        threads: of the runtime.

    Raises:
        ModelFileError: the process failed, or took longer than ``COLD_START_TIMEOUT``.
    """
    how = "foreign" if subject.gives is not None else subject.keras_call or ""
    arguments = [str(subject.path), str(threads), how]
    started = time.time()
    try:
        done = subprocess.run(
            run_module("edgedigits.measuring.cold_start", *arguments),
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
