"""Folders of all kinds that a report may be about, made of one that was really trained and exported."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edgedigits.file_names import sidecar_name
from edgedigits.format_table import PRECISIONS
from edgedigits.measuring import bench, metrics
from edgedigits.measuring.bench_result import BenchOptions, BenchResult, BenchRow, ColdStart, Latency
from edgedigits.measuring.machine import MachineCard

LONG_NAME = "a-network-whose-name-goes-on-and-on-for-as-long-as-a-file-may-be-called-" + "x" * 60
WORDS = tuple(f"{word} and all that one wears with it" for word in "abcdefghij")
LONG_DATASET = "garments of a catalogue that has a name as long as this one, photographed from the front"


def measurement(names: dict[str, float], correct: int = 10_000, images: int = 10_000) -> BenchResult:
    """Return what a bench of these files might have found: medians in microseconds, right answers."""
    rows = []
    noise = np.random.default_rng(0).lognormal(0, 0.2, 501)
    for name, median in names.items():
        samples = tuple(int(each) for each in 1_000 * median * noise / np.median(noise))
        rows.append(
            BenchRow(
                name=name,
                arch="128-32",
                weights_sha256="0123456789abcdef" * 4,
                precision=next((each for each in PRECISIONS if f".{each}." in name), "float32"),
                runtime="test 1",
                bytes=100_000,
                accuracy=metrics.Accuracy(correct, images, *metrics.wilson_interval(correct, images)),
                latency=Latency.of(samples),
                throughput=dict.fromkeys(bench.BATCHES, 1e6 / median),
                cold_start=ColdStart(0.1, 0.2, 55.0),
                cycles=None,
                threads=1,
                latency_samples_ns=samples,
                throughput_samples_ns={},
            )
        )
    return BenchResult(MachineCard.read(1), BenchOptions(), "anything", tuple(rows))


def all_measured(folder: Path, name: str) -> BenchResult:
    """Return a measurement of all files of a network, and of Keras' two calls."""
    files = json.loads((folder / "manifest.json").read_bytes())["networks"][name]["files"]
    exported = [file for file, receipt in files.items() if "verification" in receipt]
    medians = {file: 3.0 + 1.7 * index for index, file in enumerate(exported)}
    return measurement({**medians, f"{name}.keras model(x)": 1_348.7, f"{name}.keras predict": 44_738.1})


def changed(models: Path, folder: Path, change: Callable[[dict[str, Any]], None] = lambda _: None) -> Path:
    """Make a copy of a models folder whose manifest was changed.

    Args:
        models: the folder.
        folder: where the copy is made; its files are links to the same ones.
        change: what is done with the entry of the network.
    """
    shutil.copytree(models, folder, copy_function=os.link)
    edit(folder, change)
    return folder


def edit(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the only network's entry in a manifest."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_bytes())
    change(next(iter(manifest["networks"].values())))
    path.unlink()
    path.write_text(json.dumps(manifest))


def verified(entry: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the exported files of a network."""
    return {name: file for name, file in entry["files"].items() if "verification" in file}


def keep(*names: str) -> Callable[[dict[str, Any]], None]:
    """Return a change that leaves only these files exported."""

    def drop(entry: dict[str, Any]) -> None:
        for name in verified(entry).keys() - set(names):
            del entry["files"][name]

    return drop


def fail(*names: str) -> Callable[[dict[str, Any]], None]:
    """Return a change that lets these files have failed, all without names."""

    def lose(entry: dict[str, Any]) -> None:
        for name, file in verified(entry).items():
            if name in names or not names:
                file["verification"] |= {"passed": False, "difference_points": -7.25, "max_drop_points": 0.2}

    return lose


def renamed(models: Path, folder: Path, name: str, labels: tuple[str, ...], dataset: str) -> Path:
    """Make a copy in which the network has another name, and is about other images."""
    folder.mkdir()
    (folder / "plots").mkdir()
    manifest = json.loads((models / "manifest.json").read_bytes())
    entry = manifest["networks"].pop("digits")
    entry["training"]["dataset"] |= {"labels": list(labels), "name": dataset}
    files = {}
    for file, receipt in entry["files"].items():
        now = file.replace("digits", name) if file.startswith("digits") else sidecar_name(name, file)
        files[now] = receipt
        if (models / file).is_file():
            os.link(models / file, folder / now)
        if "verification" in receipt:
            receipt["verification"]["dataset"] = dataset
    entry["files"] = files
    for plot in (models / "plots").iterdir():
        os.link(plot, folder / "plots" / sidecar_name(name, plot.name))
    manifest["networks"][name] = entry
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder
