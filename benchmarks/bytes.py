"""How much of MNIST's test images networks of 2 to 16 KB of flash read, code and all, beside what others published.

Each network was chosen on validation images (``edgedigits fit`` found its form); three seeds of it are trained here
as a user would, kept in ``build/networks``, exported to packed C and compiled for a Cortex-M0 with ``-Os``. The
accuracy is that of the C code. ``results/bytes.json`` and ``results/bytes.png`` have every seed.

    python benchmarks/bytes.py                    # what is not kept is trained: about two hours on two cores
    python benchmarks/bytes.py "any 2K"           # one row; the others keep what an earlier run measured
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from _machine import RESULTS, conclude
from _networks import FOLDER, SEEDS
from matplotlib.figure import Figure

from edgedigits.artifacts.manifest import read_manifest, training_of
from edgedigits.datasets import mnist
from edgedigits.datasets.split import Split
from edgedigits.file_names import DEFAULT_NAME, file_name
from edgedigits.measuring.metrics import wilson_interval
from edgedigits.model_files.trained_networks import trained_spec
from edgedigits_export import ExportOptions, export_model, select_targets

KIB = 1_024
TICKS = (0.3, 0.5, 0.7, 1, 1.5, 2, 3)
"""Of mistakes, percent, in the plot."""


MILD, LESS_MILD = (1.0, 1.0, 1.0, 0.5), (1.0, 1.0, 1.0, 0.75)
"""Warps of ``long``, and those where with them the loss on validation images rose in the last quarter."""


class Row(NamedTuple):
    """A network for a budget."""

    flash: int
    """Bytes of it."""
    arch: str
    epochs: int
    deviation: int
    """Of ``--least-deviation``."""
    target: float | None
    """Percent of the test images, mean of the seeds; None where it is only shown."""
    warp_stages: tuple[float, ...] = MILD
    bits: int = 3
    ram: int | None = None
    """Bytes besides the picture, at most; None where nothing is asked."""
    instructions: int | None = None


def _any(
    kib: int, channels: tuple[int, int, int], target: float | None, stages: tuple[float, ...] = MILD
) -> Row:
    first, second, third = channels
    words = f"crop2-conv{first}.k5.s2.valid.bare-conv{second}.valid.bare-pool-conv{third}.valid.bare"
    return Row(kib * KIB, words, 140, 0, target, stages)


def _dense(kib: int, width: int, target: float) -> Row:
    return Row(kib * KIB, f"crop2-meanpool-dense{width}-dense{width // 2}", 400, 40, target)


ROWS = {
    "any 2K": _any(2, (7, 11, 18), 98.9),
    "any 4K": _any(4, (8, 17, 34), 99.3),
    "any 8K": _any(8, (12, 28, 54), 99.45),
    "any 12K": _any(12, (17, 34, 68), 99.55, LESS_MILD),
    "any 16K": _any(16, (16, 39, 78), None, LESS_MILD),
    "dense 2K": _dense(2, 32, 96.5),
    "dense 4K": Row(
        4 * KIB, "crop2-meanpool-dense60-dense20", 400, 40, 98.2, bits=4, ram=256, instructions=60_000
    ),
    "dense 8K": _dense(8, 120, 98.7),
    "dense 12K": _dense(12, 162, 99.0),
    "dense 16K": _dense(16, 200, 99.1),
}
PUBLISHED = {
    "dense, 12.3 KB of weights": (13_700, 99.02),
    "convolutions, 3.2 KB of weights": (3_200, 98.92),
    "convolutions, 7.3 KB of weights": (7_300, 99.28),
    "convolutions, 11.0 KB of weights": (11_000, 99.55),
    "697 parameters, code and all": (1_848, 99.0),
}
"""Bytes and percent, as their authors give them: chosen on the test images; of convolutions the weights alone."""


def trained(name: str, row: Row, seed: int) -> Path:
    """Return the ``.keras`` file of a row and a seed, trained now if it is not kept yet."""
    folder = FOLDER / f"bytes-{name.replace(' ', '-')}-{seed}"
    training: Any = training_of(read_manifest(folder), DEFAULT_NAME)
    wanted = {
        "arch": row.arch,
        "epochs": row.epochs,
        "seed": seed,
        "least_deviation": row.deviation,
        "warp_stages": list(row.warp_stages),
        "bits": [row.bits] * len(trained_spec(row.arch).weighted),
    }
    if training is None or any(training["arguments"][field] != value for field, value in wanted.items()):
        options = {
            "arch": row.arch,
            "bits": row.bits,
            "budget": "long",
            "batch-size": 128,
            "epochs": row.epochs,
            "seed": seed,
            "least-deviation": row.deviation,
            "out": folder,
        }
        if row.warp_stages != MILD:
            options["warp-stages"] = "-".join(map(str, row.warp_stages))
        command = [sys.executable, "-m", "edgedigits", "train", "--resume", "--quiet"]
        command += [word for name, value in options.items() for word in (f"--{name}", str(value))]
        one_thread = {**os.environ, "TF_NUM_INTRAOP_THREADS": "1", "OMP_NUM_THREADS": "1"}
        subprocess.run(command, check=True, env=one_thread, stdout=subprocess.DEVNULL)
    return folder / file_name(DEFAULT_NAME, "keras")


def measure(path: Path, seed: int, train_split: Split, test_split: Split) -> dict[str, Any]:
    """Return what the C code of a network takes and reads."""
    training: Any = training_of(read_manifest(path.parent), DEFAULT_NAME)
    with tempfile.TemporaryDirectory() as folder:
        (exported,), _ = export_model(
            path,
            select_targets("c", "int8"),
            train_split,
            test_split,
            folder=Path(folder),
            options=ExportOptions(max_drop=100.0),
        )
    (least,) = (
        figures
        for figures in exported.firmware
        if (figures.cpu, figures.optimization, figures.entry) == ("cortex-m0", "-Os", "edgedigits_classify")
    )
    return {
        "seed": seed,
        "validation": 100 * training["results"]["validation_accuracy"],
        "test": exported.verification.accuracy.percent,
        "flash": least.flash,
        "ram": least.ram,
        "instructions": least.instructions,
        "seconds": training["seconds"],
        "weights_sha256": training["weights_sha256"],
    }


def plotted(rows: dict[str, Any]) -> Figure:
    """Draw bytes and mistakes, with Wilson intervals of 10,000 images."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    points = [
        ("published, of weights or in all", "gray", "x", [("", *point) for point in PUBLISHED.values()])
    ]
    for kind, colour, label in (
        ("any", "tab:blue", "convolutions"),
        ("dense", "tab:orange", "fully connected"),
    ):
        ours = [(name, row["flash"], row["test"]) for name, row in rows.items() if name.startswith(kind)]
        points.append((f"edgedigits, {label}", colour, "o", ours))
    for label, colour, marker, of_kind in (kind for kind in points if kind[-1]):
        sizes = [size for _, size, _ in of_kind]
        mistakes = np.array([100 - accuracy for *_, accuracy in of_kind])
        bounds = [wilson_interval(round(100 * accuracy), 10_000) for *_, accuracy in of_kind]
        reach = np.abs([[100 - high, 100 - low] for low, high in bounds] - mistakes[:, None]).T
        axes.errorbar(sizes, mistakes, reach, fmt=marker, color=colour, capsize=2, label=label)
    for name, (size, accuracy) in PUBLISHED.items():
        end = 100 - wilson_interval(round(100 * accuracy), 10_000)[0]
        side = "left" if size < 2 * KIB else "right"
        axes.annotate(name, (size, end), (0, 3), textcoords="offset points", ha=side, fontsize=7)
    axes.set(xscale="log", yscale="log", xlabel="bytes", ylabel="mistakes, percent of the test images")
    axes.set_xticks([row * KIB for row in (2, 4, 8, 12, 16)], [f"{row} KiB" for row in (2, 4, 8, 12, 16)])
    axes.set_yticks(TICKS, [f"{tick} %" for tick in TICKS])
    axes.minorticks_off()
    axes.grid(visible=True, alpha=0.3)
    axes.legend(title="mean of three seeds; 95 % intervals of 10,000 images")
    return figure


def main(wanted: list[str]) -> int:
    """Measure what is wanted, print every row, and keep the results; 1 where a target is missed."""
    source = mnist.find_or_download()
    splits = mnist.read_split(source, "train"), mnist.read_split(source, "test")
    path = RESULTS / "bytes.json"
    rows: dict[str, Any] = json.loads(path.read_text())["rows"] if path.exists() else {}
    names = wanted or list(ROWS)
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # each waits for a process of its own
        ways = [(name, ROWS[name], seed) for name in names for seed in SEEDS]
        networks = dict(zip(ways, pool.map(lambda way: trained(*way), ways), strict=True))
    for name in names:
        runs = [measure(networks[name, ROWS[name], seed], seed, *splits) for seed in SEEDS]
        means = {figure: statistics.mean(run[figure] for run in runs) for figure in ("validation", "test")}
        most = {figure: max(run[figure] for run in runs) for figure in ("flash", "ram", "instructions")}
        rows[name] = {"arch": ROWS[name].arch, "bits": ROWS[name].bits, **means, **most, "runs": runs}
        tests = ", ".join(f"{run['test']:.2f}" for run in runs)
        print(f"{name}: {rows[name]['flash']:,} bytes, test {means['test']:.2f} % ({tests})", flush=True)
    targets = {}
    for name, row in rows.items():
        if (target := ROWS[name].target) is not None:
            targets[f"{name}: mistakes, percent"] = (100 - row["test"], 100 - target)
        targets[f"{name}: bytes of flash"] = (row["flash"], ROWS[name].flash)
        if (ram := ROWS[name].ram) is not None:
            targets[f"{name}: bytes of RAM besides the picture"] = (row["ram"], ram)
        if (instructions := ROWS[name].instructions) is not None:
            targets[f"{name}: instructions"] = (row["instructions"], instructions)
    RESULTS.mkdir(exist_ok=True)
    plotted(rows).savefig(RESULTS / "bytes.png", dpi=150)
    return conclude("bytes", {"rows": rows, "published": PUBLISHED}, targets)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
