"""C code of convolutional networks: as small as it is said to be, and as fast on a computer.

Three small networks of one shape (792, 2,870 and 5,286 parameters) and that of Keras' MNIST example, each trained
for some epochs, exported to int8 TFLite and to C (both through the gate, the C file equal to the reference kernels on
all 10,000 test images) and compiled for a Cortex-M3 with -Os. Beside the small ones, in the same run, what
emx-onnx-cgen makes of edgedigits' float32 and int8 ONNX files of them, compiled and linked in the same way: the smaller
flash of the two (shown; a third was aimed at and is not reached), and the smaller stack, all of its buffers on it. On
this computer, in turns, one image through the C code and through LiteRT on the int8 file, both called from Python with
one thread.

Needs gcc-arm-none-eabi. The rival is a program of another environment: pip install emx-onnx-cgen==1.4.0.

Usage: python benchmarks/c_networks.py --emx .../bin/emx-onnx-cgen [--epochs 4]
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from _machine import conclude
from ai_edge_litert.interpreter import Interpreter
from keras import layers

from edgedigits.datasets.read import read_split
from edgedigits.datasets.split import Split
from edgedigits.runtimes.opening import open_model
from edgedigits_export import export_model, select_targets
from edgedigits_export.boards.board import M3
from edgedigits_export.boards.stack import deepest_stack
from edgedigits_export.boards.toolchain import sections_of_the_network
from edgedigits_export.boards.tools import run_tool

WIDTHS = {"conv4-6-8": (4, 6, 8), "conv8-12-16": (8, 12, 16), "conv10-16-24": (10, 16, 24)}
CONVNET = "mnist_convnet"
CONVNET_MAPS = 13 * 13 * 32 + 5 * 5 * 64
"""Bytes of its largest pair of maps of which one is made of the other."""


def small(widths: tuple[int, int, int]) -> keras.Model:
    """Three convolutions, poolings between them, a global mean and ten units."""
    first, second, third = (layers.Conv2D(units, 3, activation="relu") for units in widths)
    parts = [first, layers.MaxPooling2D(2), second, layers.MaxPooling2D(2), third]
    tail = [layers.GlobalAveragePooling2D(), layers.Dense(10, "softmax")]
    return keras.Sequential([keras.Input((28, 28, 1)), *parts, *tail])


def convnet() -> keras.Model:
    """The network of Keras' MNIST example."""
    parts = [layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(2)]
    parts += [layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(2)]
    tail = [layers.Flatten(), layers.Dropout(0.5), layers.Dense(10, "softmax")]
    return keras.Sequential([keras.Input((28, 28, 1)), *parts, *tail])


def trained(model: keras.Model, split: Split, epochs: int, path: Path) -> Path:
    """Train and save a network."""
    model.compile("adam", "sparse_categorical_crossentropy")
    values = split.images[..., None].astype(np.float32) / 255
    model.fit(values, split.labels, batch_size=128, epochs=epochs, verbose=0)
    model.save(path)
    return path


def of_edgedigits(keras_path: Path, splits: tuple[Split, Split]) -> dict[str, Any]:
    """Export a network and return what its C code costs and how accurate it is."""
    targets = [select_targets("tflite", "int8"), select_targets("c", None), select_targets("onnx", "int8")]
    targets.append(select_targets("onnx", None))
    done, failed = export_model(keras_path, [target for (target,) in targets], *splits)
    if failed:
        raise SystemExit(f"{keras_path.name}: failed the gate: {failed}")
    code = next(file for file in done if file.path.suffix == ".c")
    row = next(row for row in code.firmware if (row.cpu, row.optimization) == (M3.cpu, "-Os"))
    return {
        "accuracy": code.verification.accuracy.percent,
        "flash": row.flash,
        "code_and_tables": row.code + row.tables,
        "ram": row.ram,
        "instructions": row.instructions,
    }


def of_emx(program: Path, onnx: Path, folder: Path) -> dict[str, int]:
    """Compile what emx-onnx-cgen makes of an ONNX file, with all of its buffers on the stack: nothing allocates."""
    source, made = folder / "emx.c", folder / "emx.o"
    options = ["--input-dim", "image:0=1", "--large-temp-threshold", "0"]
    subprocess.run([program, "compile", *options, onnx, source], check=True, capture_output=True)
    flags = [
        *M3.options,
        *M3.toolchain.compiling,
        "-Os",
        "-std=c99",
        "-ffunction-sections",
        "-fdata-sections",
    ]
    calls = ["-fstack-usage", "-fcallgraph-info=su"]
    run_tool(M3.toolchain.compiler, *flags, *calls, "-c", source.name, "-o", made.name, folder=folder)
    sizes = sections_of_the_network(made, M3, folder, "model")
    graph = made.with_suffix(".ci").read_text(encoding="utf-8")
    return {"flash": sizes[".text"] + sizes[".rodata"], "stack": deepest_stack(graph, "model")}


def in_turns(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median time of one call of each, in microseconds."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(1e6 * (time.perf_counter() - start))
    return {name: statistics.median(column) for name, column in times.items()}


def on_this_computer(folder: Path, name: str, image: np.ndarray, rounds: int) -> dict[str, float]:
    """Return the times of one image through the C code and through LiteRT's ``invoke``, in microseconds."""
    interpreter = Interpreter(model_path=str(folder / f"{name}.int8.tflite"), num_threads=1)
    interpreter.allocate_tensors()
    taken = interpreter.get_input_details()[0]
    interpreter.set_tensor(
        taken["index"], (image ^ 128).view(np.int8) if taken["dtype"] == np.int8 else image
    )
    model = open_model(folder / f"{name}.c")
    return in_turns({"c": lambda: model.probabilities(image), "litert": interpreter.invoke}, rounds)


def main() -> int:
    """Train, export, compile and compare; return an exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--emx", type=Path, required=True, help="the rival's program, emx-onnx-cgen")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2_000)
    arguments = parser.parse_args()
    splits = read_split(None, "train"), read_split(None, "test")
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="edgedigits-") as name:
        folder = Path(name)
        made = {network: small(widths) for network, widths in WIDTHS.items()} | {CONVNET: convnet()}
        for network, model in made.items():
            keras.utils.set_random_seed(0)
            path = trained(model, splits[0], arguments.epochs, folder / f"{network}.keras")
            row = {"parameters": model.count_params(), **of_edgedigits(path, splits)}
            row["us"] = on_this_computer(folder, network, splits[1].images[:1], arguments.rounds)
            if network in WIDTHS:
                files = [folder / f"{network}.onnx", folder / f"{network}.int8.onnx"]
                rivals = [of_emx(arguments.emx, file, folder) for file in files]
                row["emx"] = {what: min(rival[what] for rival in rivals) for what in ("flash", "stack")}
                row["flash_of_emx"] = row["flash"] / row["emx"]["flash"]
            results[network] = row
            print(network, row, flush=True)
    targets: dict[str, tuple[float, float]] = {
        f"{CONVNET}, code and tables on a Cortex-M3, bytes": (results[CONVNET]["code_and_tables"], 2_560),
        f"{CONVNET}, RAM, bytes": (results[CONVNET]["ram"], CONVNET_MAPS),
    }
    for network, row in results.items():
        targets[f"{network}, one image here, of LiteRT's invoke"] = (
            row["us"]["c"] / row["us"]["litert"],
            2.0,
        )
    for network in WIDTHS:
        row = results[network]
        targets[f"{network}, RAM, of emx-onnx-cgen's stack"] = (row["ram"] / row["emx"]["stack"], 1 / 4)
    return conclude("c_networks", results, targets)


if __name__ == "__main__":
    sys.exit(main())
