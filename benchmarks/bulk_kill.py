"""Runs of ``edgedigits score`` that are killed at random moments and gone on with: every picture once, the same bytes.

    python benchmarks/bulk_kill.py              # 50 times the process, 20 times a worker of Dask, 5 times its scheduler

After each kill the same run is done again to its end, and its files are compared byte for byte with those of a run that
nobody disturbed. How many kills fell into the midst of the work (some shards done, others not) is counted as well: only
those show anything.
"""

import argparse
import contextlib
import json
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from _machine import conclude
from distributed import LocalCluster

from edgedigits.child_processes import run_module
from edgedigits.datasets import mnist, places
from edgedigits.errors import ClusterError
from edgedigits.score import Options, score

MODEL = Path(__file__).resolve().parents[1] / "models" / "digits.int8.onnx"
IMAGES, ROWS = 400_000, 5_000
OPTIONS = Options(shard_rows=ROWS)
PATIENCE = 60.0


class Trials:
    """What became of the runs that were killed."""

    def __init__(self, folder: Path, seed: int) -> None:
        source = places.find()
        if source is None:
            raise SystemExit("MNIST is not here: run `edgedigits data`")
        self.source = folder / "images.npy"
        self.out = folder / "out"
        self.moments = random.Random(seed)  # noqa: S311 - moments, no secrets
        np.save(self.source, np.resize(mnist.read_split(source, "train").images, (IMAGES, 28, 28)))
        started = time.monotonic()
        score([self.source], folder / "whole", model=MODEL, options=OPTIONS)
        self.seconds = time.monotonic() - started
        self.whole = _files(folder / "whole")
        self.rows: list[dict[str, object]] = []

    def moment(self) -> float:
        """Return how long to wait after the first sign of a run: somewhere in its work."""
        return self.moments.random() * self.seconds

    def judge(self, what: str, done_before: int) -> None:
        """Compare the table with that of the undisturbed run, and begin anew."""
        equal = _files(self.out) == self.whole
        keys = pq.read_table(self.out, columns=["key"]).column("key")
        once = keys.to_pylist() == [str(index) for index in range(IMAGES)]
        self.rows.append({"killed": what, "shards done before": done_before, "equal": equal, "once": once})
        shutil.rmtree(self.out)


def kill_process(trials: Trials) -> None:
    """Kill the command, and give it again."""
    words = ["score", trials.source, "--out", trials.out, "--model", MODEL, "--shard", ROWS, "--quiet"]
    command = [sys.executable, "-m", "edgedigits", *map(str, words)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _wait("a receipt", (trials.out / "_receipt.json").exists)
    time.sleep(trials.moment())
    process.kill()
    process.wait()
    done = len(_files(trials.out))
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    trials.judge("process", done)


def kill_worker(trials: Trials) -> None:
    """Kill one of two workers while the run goes on."""
    counts = []
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL
    ) as cluster:
        workers = [nanny.process.process.pid for nanny in cluster.workers.values()]

        def kill() -> None:
            _wait("a receipt", (trials.out / "_receipt.json").exists)
            time.sleep(trials.moment())
            os.kill(trials.moments.choice(workers), signal.SIGKILL)
            counts.append(len(_files(trials.out)))

        killer = threading.Thread(target=kill)
        killer.start()
        address = cluster.scheduler_address
        summary = score([trials.source], trials.out, model=MODEL, options=OPTIONS, dask=address)
        killer.join()
    if not summary.complete:
        raise SystemExit(f"not complete: {summary.failed}")
    trials.judge("worker", counts[0])


def kill_scheduler(trials: Trials) -> None:
    """Kill the scheduler, and give the same command to another cluster."""
    with _cluster(trials.source.parent) as (address, scheduler):

        def kill() -> None:
            _wait("a receipt", (trials.out / "_receipt.json").exists)
            time.sleep(trials.moment())
            scheduler.kill()

        killer = threading.Thread(target=kill)
        killer.start()
        with contextlib.suppress(ClusterError):
            score([trials.source], trials.out, model=MODEL, options=OPTIONS, dask=address)
        killer.join()
    done = len(_files(trials.out))
    with _cluster(trials.source.parent) as (address, _):
        score([trials.source], trials.out, model=MODEL, options=OPTIONS, dask=address)
    trials.judge("scheduler", done)


@contextlib.contextmanager
def _cluster(folder: Path) -> "Iterator[tuple[str, subprocess.Popen[bytes]]]":
    """Start a scheduler and two workers as processes of their own."""
    file = folder / f"scheduler-{time.monotonic_ns()}.json"
    common = ["--scheduler-file", file, "--no-dashboard"]
    options = ["--nworkers", 2, "--nthreads", 1, "--local-directory", folder, "--death-timeout", 10]
    commands = [
        run_module("distributed.cli.dask_scheduler", *common, "--port", 0),
        run_module("distributed.cli.dask_worker", *common, *options),
    ]
    processes = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for command in commands]
    try:
        _wait("a scheduler", lambda: file.exists() and file.read_text().rstrip().endswith("}"))
        yield json.loads(file.read_text())["address"], processes[0]
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait()


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("part-*")}


def _wait(what: str, is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > until:
            raise SystemExit(f"{what} did not come in time")
        time.sleep(0.002)


def main() -> int:
    """Kill, go on, compare, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--processes", type=int, default=50)
    parser.add_argument("--workers", type=int, default=20)
    parser.add_argument("--schedulers", type=int, default=5)
    parser.add_argument("--seed", type=int, default=18)
    choices = parser.parse_args()
    for logger in ("distributed", "distributed.client"):
        logging.getLogger(logger).setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        trials = Trials(Path(folder), choices.seed)
        for _ in range(choices.processes):
            kill_process(trials)
        for _ in range(choices.workers):
            kill_worker(trials)
        for _ in range(choices.schedulers):
            kill_scheduler(trials)
    shards = len(trials.whole)
    midst = sum(0 < int(str(row["shards done before"])) < shards for row in trials.rows)
    wrong = sum(not (row["equal"] and row["once"]) for row in trials.rows)
    print(f"{len(trials.rows)} kills, {midst} of them in the midst of {shards} shards")
    return conclude(
        "bulk_kill",
        {"images": IMAGES, "shards": shards, "in the midst": midst, "kills": trials.rows},
        {"runs whose table differs from the undisturbed one": (wrong, 0)},
    )


if __name__ == "__main__":
    sys.exit(main())
