"""How quickly ``edgedigits score`` reads millions, and in how much memory, beside what people write by hand.

    python benchmarks/bulk.py                                         # 10 million images, 100,000 pictures
    python benchmarks/bulk.py --images 1000000 --pictures 2000        # smaller

Every measured run is a process of its own; ours and the rival take turns. Rates are images for each second of processor
time (threads count), so that they hold for one core; memory is the largest sum over the process and its children. Ray
Data is measured where it is installed (``pip install ray[data]``). The files take 30 GB for 10 million images, and half
an hour goes by on two cores.
"""

import argparse
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
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
RAY_FILES = 20
"""Parquet files that Dask and Ray Data read."""


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
    os.sync()  # What still has to go to the disk would be in the way of whoever is measured first.
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
    os.sync()
    return folder / "pictures"


def write_column(folder: Path, pictures: Path) -> Path:
    """Write picture files into Parquet files, as Hugging Face's datasets keep them."""
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    files = sorted(pictures.rglob("*.png"))

    def column(some: list[Path]) -> pa.Table:
        rows = [{"bytes": file.read_bytes(), "path": file.name} for file in some]
        return pa.table({"image": pa.array(rows, kind)})

    return _write_files(folder / "column", len(files), lambda start, stop: column(files[start:stop]))


def write_many_arrays(folder: Path, count: int) -> Path:
    """Write so many images of MNIST into Parquet files, 784 bytes each."""
    source = places.find()
    assert source is not None  # noqa: S101 - ``write_arrays`` has looked
    images = mnist.read_split(source, "train").images

    def column(start: int, stop: int) -> pa.Table:
        part = np.take(images, np.arange(start, stop), axis=0, mode="wrap")
        buffers = [None, pa.py_buffer(part.tobytes())]
        return pa.table({"image": pa.FixedSizeBinaryArray.from_buffers(pa.binary(784), len(part), buffers)})

    return _write_files(folder / "arrays", count, column)


def _write_files(folder: Path, count: int, table: Callable[[int, int], pa.Table]) -> Path:
    """Write so many rows, given from one to another, into ``RAY_FILES`` files."""
    folder.mkdir()
    each = -(-count // RAY_FILES)
    for number, start in enumerate(range(0, count, each)):
        rows = table(start, min(count, start + each))
        pq.write_table(rows, folder / f"{number:02d}.parquet", compression="none", use_dictionary=False)
    os.sync()
    return folder


def write_unreadable(folder: Path, count: int) -> Path:
    """Write so many files that are called pictures and are none."""
    for number in range(count):
        inside = folder / "unreadable" / f"{number // 1000:04d}"
        inside.mkdir(parents=True, exist_ok=True)
        (inside / f"{number:07d}.png").write_bytes(b"no picture")
    os.sync()
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
    """Measure pictures with one process and with two; and files that are none."""
    pictures = write_pictures(folder, count)
    unreadable = [write_unreadable(folder / str(part), part) for part in (count, 10 * count)]
    runs: dict[str, list[Run]] = {"one process": [], "two processes": []}
    for _ in range(rounds):
        runs["one process"].append(measured("ours", pictures))
        runs["two processes"].append(measured("ours", pictures, "2"))
    few, nothing = (measured("ours", folder, "2") for folder in unreadable)
    one, two = (median(run.seconds for run in some) for some in runs.values())
    results: dict[str, object] = {
        f"{name}, {count:,} pictures": [*map(_row, some)] for name, some in runs.items()
    }
    results[f"two processes, {count:,} unreadable files"] = _row(few)
    results[f"two processes, {10 * count:,} unreadable files"] = _row(nothing)
    return results, {
        "two processes: seconds against one": (two / one, 1 / 1.8),
        "unreadable files: memory from a tenth to all": (nothing.mebibytes / few.mebibytes, 1.2),
    }


def measure_clusters(
    folder: Path, images: int, pictures: Path, rounds: int
) -> tuple[dict[str, object], dict[str, tuple[float, float]]]:
    """Measure Dask with two workers beside Ray Data with two actors, where that is installed."""
    if find_spec("ray") is None:
        return {}, {}
    sources = {
        f"{images:,} images in {RAY_FILES} Parquet files": ("arrays", write_many_arrays(folder, images)),
        f"pictures in {RAY_FILES} Parquet files": ("column", write_column(folder, pictures)),
        "pictures in folders": ("files", pictures),
    }
    results: dict[str, object] = {}
    targets = {}
    for name, (form, source) in sources.items():
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(measured("ours", source, "dask"))
            theirs.append(measured("ray", source, form))
        results[name] = {"Dask": [*map(_row, ours)], "Ray Data": [*map(_row, theirs)]}
        seconds = median(mine.seconds / other.seconds for mine, other in zip(ours, theirs, strict=True))
        memory = max(run.mebibytes for run in ours) / max(run.mebibytes for run in theirs)
        targets[f"{name}: seconds on Dask against Ray Data"] = (seconds, 1 / 3)
        targets[f"{name}: memory on Dask against Ray Data"] = (memory, 0.5)
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
    parser.add_argument("--rounds", type=int, default=3, help="of arrays")
    parser.add_argument(
        "--picture-rounds", type=int, default=1, help="of pictures and clusters, which take minutes"
    )
    parser.add_argument(
        "--folder", type=Path, help="where the files are written; default: the temporary folder"
    )
    choices = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=choices.folder))
    try:
        measurements = [
            measure_arrays(folder, choices.images, choices.rounds),
            measure_pictures(folder, choices.pictures, choices.picture_rounds),
            measure_clusters(folder, choices.images // 10, folder / "pictures", choices.picture_rounds),
        ]
    finally:
        shutil.rmtree(folder)
    results = {name: result for found, _ in measurements for name, result in found.items()}
    targets = {name: target for _, found in measurements for name, target in found.items()}
    return conclude("bulk", results, targets)


if __name__ == "__main__":
    sys.exit(main())
