"""How quickly ``edgedigits score`` reads millions, and in how much memory, beside what people write by hand.

    python benchmarks/bulk.py                                         # 10 million images, 100,000 pictures
    python benchmarks/bulk.py --images 1000000 --pictures 2000        # smaller

Every measured run is a process of its own; ours and the rival take turns. Rates are images for each second of processor
time (threads count), so that they hold for one core; memory is the largest sum over the process and its children. Ray
Data is measured where it is installed (``pip install ray[data]``). The files take 30 GB for 10 million images.
"""

import argparse
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from _machine import ROOT, conclude
from PIL import Image

from edgedigits.datasets import mnist, places

CHUNK = 100_000
POLL = 0.02


class Run(NamedTuple):
    """What a process took."""

    seconds: float
    processor_seconds: float
    mebibytes: float


def measured(name: str, source: Path, option: str = "1") -> Run:
    """Run one of ``_bulk.MEASURED`` and watch it."""
    with tempfile.TemporaryDirectory(dir=source.parent) as folder:
        out = Path(folder) / "out"
        command = [sys.executable, str(ROOT / "benchmarks" / "_bulk.py"), name, str(source), str(out), option]
        started = time.perf_counter()
        child = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        most = 0.0
        used: dict[int, float] = {}
        while child.poll() is None:
            most = max(most, _look(child, used))
            time.sleep(POLL)
        seconds = time.perf_counter() - started
    if child.returncode:
        raise SystemExit(f"{name} {source.name} ended with status {child.returncode}")
    return Run(seconds, sum(used.values()), most / 2**20)


def _look(child: psutil.Popen, used: dict[int, float]) -> float:
    """Note the processor time of a process and its children, and return their memory in bytes."""
    memory = 0.0
    try:
        for process in (child, *child.children(recursive=True)):
            times = process.cpu_times()
            used[process.pid] = times.user + times.system
            memory += process.memory_info().rss
    except psutil.Error:  # One has ended meanwhile.
        return 0.0
    return memory


def write_arrays(folder: Path, count: int) -> dict[str, Path]:
    """Write so many images of MNIST, again and again, in each form."""
    source = places.find()
    if source is None:
        raise SystemExit("MNIST is not here: run `edgedigits data`")
    images = mnist.read_split(source, "train").images
    paths = {
        "npy": folder / f"{count}.npy",
        "idx": folder / f"{count}-images-idx3-ubyte",
        "parquet": folder / f"{count}.parquet",
        "parquet lz4": folder / f"{count}-lz4.parquet",
    }
    array = np.lib.format.open_memmap(paths["npy"], "w+", np.uint8, (count, 28, 28))
    schema = pa.schema([("image", pa.binary(784))])
    with (
        paths["idx"].open("wb") as idx,
        pq.ParquetWriter(paths["parquet"], schema, compression="none", use_dictionary=False) as plain,
        pq.ParquetWriter(paths["parquet lz4"], schema, compression="lz4", use_dictionary=False) as packed,
    ):
        idx.write(struct.pack(">4I", 0x803, count, 28, 28))
        for start in range(0, count, CHUNK):
            part = np.take(images, np.arange(start, min(count, start + CHUNK)), axis=0, mode="wrap")
            array[start : start + len(part)] = part
            idx.write(part.tobytes())
            column = pa.FixedSizeBinaryArray.from_buffers(
                pa.binary(784), len(part), [None, pa.py_buffer(part.tobytes())]
            )
            for writer in (plain, packed):
                writer.write_table(pa.table([column], schema=schema))
    array.flush()
    return paths


def write_pictures(folder: Path, count: int) -> Path:
    """Write so many pictures of 100x100, dark on light."""
    source = places.find()
    assert source is not None  # noqa: S101 - ``write_arrays`` has looked
    images = mnist.read_split(source, "test").images
    for number in range(count):
        inside = folder / "pictures" / f"{number // 1000:04d}"
        inside.mkdir(parents=True, exist_ok=True)
        drawn = Image.fromarray(255 - images[number % len(images)])
        drawn.resize((100, 100), Image.Resampling.BICUBIC).save(inside / f"{number:07d}.png")
    return folder / "pictures"


def write_unreadable(folder: Path, count: int) -> Path:
    """Write so many files that are called pictures and are none."""
    for number in range(count):
        inside = folder / "unreadable" / f"{number // 1000:04d}"
        inside.mkdir(parents=True, exist_ok=True)
        (inside / f"{number:07d}.png").write_bytes(b"no picture")
    return folder / "unreadable"


def measure_arrays(
    folder: Path, count: int, rounds: int
) -> tuple[dict[str, object], dict[str, tuple[float, float]]]:
    """Measure arrays in each form, at a hundredth, a tenth and all of the images."""
    results: dict[str, object] = {}
    targets = {}
    by_size: dict[int, Run] = {}
    for part in (count // 100, count // 10, count):
        paths = write_arrays(folder, part)
        forms = paths if part == count else {"npy": paths["npy"]}
        for form, path in forms.items():
            ours, bare = [], []
            for _ in range(rounds if part == count else 1):
                ours.append(measured("ours", path))
                bare.append(measured("bare", path))
            best = min(ours, key=lambda run: run.processor_seconds)
            ratio = median(mine.seconds / theirs.seconds for mine, theirs in zip(ours, bare, strict=True))
            results[f"{form}, {part:,} images"] = {
                "ours": [*map(_row, ours)],
                "bare loop": [*map(_row, bare)],
            }
            if form == "npy":
                by_size[part] = best
            if part == count:
                targets[f"{form}: processor seconds for a million images"] = (
                    best.processor_seconds / part * 1e6,
                    2.0,
                )
                targets[f"{form}: MiB"] = (max(run.mebibytes for run in ours), 400.0)
                targets[f"{form}: seconds against a bare loop"] = (ratio, 1 / 0.8)
        for path in paths.values():
            path.unlink()
    tenth, whole = by_size[count // 10], by_size[count]
    targets["time from a tenth to all, of ten times"] = (whole.seconds / tenth.seconds / 10, 1.1)
    targets["memory from a tenth to all"] = (whole.mebibytes / tenth.mebibytes, 1.1)
    return results, targets


def measure_pictures(
    folder: Path, count: int, rounds: int
) -> tuple[dict[str, object], dict[str, tuple[float, float]]]:
    """Measure pictures with one process, with two, on Dask and on Ray Data; and files that are none."""
    pictures = write_pictures(folder, count)
    unreadable = [write_unreadable(folder / str(part), part) for part in (count, 10 * count)]
    runs: dict[str, list[Run]] = {"one process": [], "two processes": [], "Dask": [], "Ray Data": []}
    for _ in range(rounds):
        runs["one process"].append(measured("ours", pictures))
        runs["two processes"].append(measured("ours", pictures, "2"))
        runs["Dask"].append(measured("ours", pictures, "dask"))
        if find_spec("ray") is not None:
            runs["Ray Data"].append(measured("ray", pictures))
    few, nothing = (measured("ours", folder, "2") for folder in unreadable)
    seconds = {name: median(run.seconds for run in some) for name, some in runs.items() if some}
    memory = {name: max(run.mebibytes for run in some) for name, some in runs.items() if some}
    targets = {
        "two processes: seconds against one": (seconds["two processes"] / seconds["one process"], 1 / 1.8),
        "unreadable files: memory from a tenth to all": (nothing.mebibytes / few.mebibytes, 1.2),
    }
    if "Ray Data" in seconds:
        targets["Dask: seconds against Ray Data"] = (seconds["Dask"] / seconds["Ray Data"], 1 / 3)
        targets["Dask: memory against Ray Data"] = (memory["Dask"] / memory["Ray Data"], 0.5)
    results: dict[str, object] = {
        f"{name}, {count:,} pictures": [*map(_row, some)] for name, some in runs.items()
    }
    results[f"two processes, {count:,} unreadable files"] = _row(few)
    results[f"two processes, {10 * count:,} unreadable files"] = _row(nothing)
    return results, targets


def _row(run: Run) -> dict[str, float]:
    return {name: round(value, 3) for name, value in run._asdict().items()}


def main() -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=10_000_000)
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--folder", type=Path, help="where the files are written; default: the temporary folder"
    )
    choices = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=choices.folder))
    try:
        results, targets = measure_arrays(folder, choices.images, choices.rounds)
        more, further = measure_pictures(folder, choices.pictures, choices.rounds)
    finally:
        shutil.rmtree(folder)
    return conclude("bulk", {**results, **more}, {**targets, **further})


if __name__ == "__main__":
    sys.exit(main())
