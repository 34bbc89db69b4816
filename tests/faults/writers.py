"""Runs that write files, each in a process that may be killed: ``python writers.py`` and orders on standard input.

Importing TensorFlow and preparing digits takes seconds, so it is done once: every order is carried out by a fork of
this process, which must not have used TensorFlow yet, because threads are not there in a fork. An order is a line of
JSON, ``{"task": "train", "folder": ..., ...}``. The answers are lines of JSON as well: ``{"pid": ...}`` when the fork
is there, and ``{"status": ...}`` when it ended.
"""

import functools
import gzip
import hashlib
import importlib
import itertools
import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edgedigits.datasets import download as download_module
from edgedigits.datasets import mnist_files
from edgedigits.datasets.idx import IdxForm
from edgedigits.datasets.mnist_files import IdxFile
from edgedigits.datasets.split import Split
from edgedigits.errors import EdgeDigitsError


@functools.cache
def digits() -> tuple[Split, Split]:
    from edgedigits.datasets.bundled_digits import load_bundled_digits

    return load_bundled_digits()


def train(folder: Path, seed: int) -> None:
    from edgedigits.training.recipe import Recipe
    from edgedigits.training.train import train

    recipe = Recipe(arch=(16,), epochs=2, validation=100, seed=seed)
    train(recipe, *digits(), folder)


def export(folder: Path, seed: int) -> None:
    from edgedigits_export import FORMATS, ExportOptions, export_model

    options = ExportOptions(opset=13 + seed % 6, calibration_size=50, seed=seed, max_drop=100.0, force=True)
    targets = [target for target in FORMATS if (target.format, target.precision) in EXPORTED]
    export_model(folder / "digits.keras", targets, *digits(), options=options)


EXPORTED = {("tflite", "int8"), ("onnx", "float32")}
"""Of both, the bytes differ from seed to seed: by the images for calibration, and by the opset."""


def download(folder: Path, mirror: str) -> None:
    serve_small_files()
    download_module.download(folder, mirrors=[mirror])


def serve_small_files() -> dict[str, bytes]:
    """Put small files in the place of MNIST's four, hashes and all, and return what a mirror has of them."""
    served = {}
    for part, (images, labels) in dict(mnist_files.FILES).items():
        pinned = []
        for file in (images, labels):
            form = IdxForm(file.name, 100, file.is_images)
            values = np.random.default_rng(len(file.name)).integers(
                0, 10, form.size - len(form.header), np.uint8
            )
            content = form.header + values.tobytes()
            packed = gzip.compress(content, mtime=0)
            served[f"{file.name}.gz"] = packed
            hashes = [hashlib.sha256(whole).hexdigest() for whole in (content, packed)]
            pinned.append(IdxFile(file.name, 100, file.is_images, *hashes, len(packed)))
        mnist_files.FILES[part] = (pinned[0], pinned[1])
    return served


def command(folder: Path, arguments: list[str]) -> None:
    """Run a command as a shell would; ``folder`` is where it writes."""
    from edgedigits.cli import cli

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the answers of this process go there
    cli.main(arguments, standalone_mode=False)


TASKS: dict[str, Callable[..., None]] = {
    "train": train,
    "export": export,
    "download": download,
    "command": command,
}


def kill_at_move(number: int) -> None:
    """Have this process killed when it is about to move a file in an open folder for the so many-eth time."""
    moves = itertools.count(1)

    def hook(event: str, about: tuple[Any, ...]) -> None:
        if event == "os.rename" and about[3] not in (-1, None) and next(moves) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def carry_out(
    task: str,
    folder: str,
    largest_file: int | None = None,
    killed_at_move: int | None = None,
    **arguments: Any,
) -> None:
    """Do one order and end the process: 0 done, 1 an error of ours, which is printed on standard error."""
    status = 2
    try:
        if killed_at_move is not None:
            kill_at_move(killed_at_move)
        if largest_file is not None:
            # Python ignores the signal, so a write fails in the middle of the file, as on a full disk.
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
        TASKS[task](Path(folder), **arguments)
        status = 0
    except EdgeDigitsError as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
        status = 1
    finally:
        # No clean-up of a fork's share of TensorFlow: it never was this process's own.
        os._exit(status)


def main() -> None:
    if "--heavy" in sys.argv:
        # Not our own modules: `training.backend` asks TensorFlow for a first number.
        os.environ.update(KERAS_BACKEND="tensorflow", TF_NUM_INTRAOP_THREADS="1", TF_NUM_INTEROP_THREADS="1")
        for module in (
            "ai_edge_litert.interpreter",
            "keras",
            "jinja2",
            "matplotlib.figure",
            "onnxruntime",
            "rich.progress",
            "sklearn.datasets",
            "sklearn.model_selection",
            "tf2onnx",
        ):
            importlib.import_module(module)
        digits()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            carry_out(**json.loads(line))
        print(json.dumps({"pid": child}), flush=True)
        _, status = os.waitpid(child, 0)
        print(json.dumps({"status": os.waitstatus_to_exitcode(status)}), flush=True)


if __name__ == "__main__":
    main()
