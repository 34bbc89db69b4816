"""Networks of other authors, trained briefly: what do their int8 files lose, and is their C code exact?

The 21 feed-forward networks of ``tests/export/networks.py``, trained by Keras' ``fit`` for two epochs on the training
images that are not held out, with a learning rate that falls in a line to 0 (at a constant one the statistics of batch
normalizations lag behind the weights: ``residual`` would read 80 %), each exported to int8 TFLite, int8 ONNX and C
through the gate. Accuracies are of all 10,000 test images. A C file passes its gate only if every byte of its 10,000
answers is that of LiteRT's reference kernels on the int8 TFLite file.

Usage: python benchmarks/network_integers.py [--names lenet,residual] [--epochs 2]
"""

import argparse
import runpy
import statistics
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
from _machine import ROOT, conclude

from edgedigits.datasets.read import read_split
from edgedigits.datasets.split import Split
from edgedigits.input_scale import UNIT
from edgedigits_export import ExportOptions, export_model, select_targets

FORMATS = ("tflite", "onnx", "c")
HELD_OUT = 5_000
BATCH = 128


def trained(model: keras.Model, split: Split, epochs: int, path: Path) -> None:
    """Train a network on the values that it wants, its pixels as they are where it scales them itself, and save it."""
    scales = any(isinstance(layer, keras.layers.Rescaling) for layer in model.layers)
    values = split.images.astype(np.float32) / (1 if scales else 255)
    last = model.layers[-1]
    is_logits = getattr(last, "activation", None) is keras.activations.linear
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=is_logits)
    batches = -(-(len(values) - HELD_OUT) // BATCH)
    falling = keras.optimizers.schedules.PolynomialDecay(2e-3, epochs * batches, 0.0)
    model.compile(keras.optimizers.Adam(falling), loss)
    shaped = values.reshape(-1, *model.input_shape[1:])[:-HELD_OUT]
    model.fit(shaped, split.labels[:-HELD_OUT], batch_size=BATCH, epochs=epochs, verbose=0)
    model.save(path)


def measure(name: str, model: keras.Model, splits: tuple[Split, Split], epochs: int) -> dict[str, Any]:
    """Return what was found of one network, accuracies in percent."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="edgedigits-") as folder:
        path = Path(folder, f"{name}.keras")
        trained(model, splits[0], epochs, path)
        targets = [
            target for form in FORMATS for target in select_targets(form, None if form == "c" else "int8")
        ]
        scales = any(isinstance(layer, keras.layers.Rescaling) for layer in model.layers)
        # Two epochs of sigmoids read pixels from 0 to 255 as well; what it was trained on is known here.
        options = ExportOptions(input_scale=None if scales else UNIT)
        exported, failed = export_model(path, targets, *splits, options=options)
    verifications = [file.verification for file in exported] + list(failed)
    found: dict[str, Any] = {"passed": [file.path.suffix[1:] for file in exported]}
    for verification in verifications:
        form = verification.file.rpartition(".")[2]
        lost = -verification.comparison.difference
        found[form] = {
            "accuracy": verification.accuracy.percent,
            "lost": lost,
            "failures": verification.failures,
        }
    found["seconds"] = time.perf_counter() - started
    return found


def main() -> int:
    """Measure all networks and compare with the targets."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--names", default="", help="networks with commas between [default: all 21]")
    parser.add_argument("--epochs", type=int, default=2)
    options = parser.parse_args()
    networks = SimpleNamespace(**runpy.run_path(str(ROOT / "tests/export/networks.py")))
    splits = read_split(None, "train"), read_split(None, "test")
    results: dict[str, dict[str, Any]] = {}
    for name in options.names.split(",") if options.names else networks.NETWORKS:
        keras.utils.set_random_seed(0)
        results[name] = found = measure(name, networks.NETWORKS[name](), splits, options.epochs)
        accuracies = ", ".join(
            f"{form} {found[form]['accuracy']:.2f} % ({-found[form]['lost']:+.2f})" for form in FORMATS
        )
        print(f"{name:20} {accuracies}, passed: {' '.join(found['passed'])}", flush=True)
    targets: dict[str, tuple[float, float]] = {
        "files that failed their gate": (
            sum(len(FORMATS) - len(found["passed"]) for found in results.values()),
            0,
        )
    }
    for form in ("tflite", "onnx"):
        lost = [found[form]["lost"] for found in results.values()]
        targets[f"int8 {form}: points lost, mean"] = (statistics.mean(lost), 0.05)
        targets[f"int8 {form}: points lost, worst"] = (max(lost), 0.20)
    return conclude("network_integers", {"epochs": options.epochs, "networks": results}, targets)


if __name__ == "__main__":
    sys.exit(main())
