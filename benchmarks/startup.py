"""What one prediction costs a whole process, from start to exit: time and peak memory.

Claims: ``edgedigits predict picture.png`` takes at most 1/15 of loading the network with Keras and calling ``predict``,
at most 1.4 times a bare script that does the least that can be done with onnxruntime and Pillow, and at most 90 MiB;
``edgedigits --help`` takes at most 0.15 s and loads neither numpy nor onnxruntime.

All processes are run in turns, so that a busy moment of the machine meets them alike.

Usage: python benchmarks/startup.py [--rounds 15] [--keras-rounds 3] [--models models]
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _machine import ROOT, conclude

PICTURE = ROOT / "tests" / "golden" / "pictures" / "0-paint.png"
MIB = 2**20

BARE = """
import sys
import numpy as np
import onnxruntime
from PIL import Image

pixels = 255 - np.asarray(Image.open(sys.argv[2]).convert("L").resize((28, 28)))
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
probabilities = session.run(["probabilities"], {"image": pixels[np.newaxis]})[0][0]
print(probabilities.argmax(), probabilities.max())
"""

KERAS_SCRIPT = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
import numpy as np
from PIL import Image

pixels = 255 - np.asarray(Image.open(sys.argv[2]).convert("L").resize((28, 28)))
probabilities = keras.models.load_model(sys.argv[1]).predict(pixels[np.newaxis] / 255.0, verbose=0)[0]
print(probabilities.argmax(), probabilities.max())
"""

Measurement = tuple[float, float]
"""Seconds from start to exit, and peak resident memory in MiB."""


def measure(command: list[str]) -> Measurement:
    """Run a process to its end."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=errors, cwd=ROOT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            errors.seek(0)
            raise SystemExit(f"{command}: exit status {process.returncode}\n{errors.read().decode()}")
    # Kilobytes on Linux, bytes on macOS.
    peak = usage.ru_maxrss / MIB if sys.platform == "darwin" else usage.ru_maxrss * 1024 / MIB
    return seconds, peak


def edgedigits_command() -> list[str]:
    """Return the installed command of this interpreter, or else the module."""
    script = shutil.which("edgedigits", path=str(Path(sys.executable).parent))
    return [script] if script else [sys.executable, "-m", "edgedigits"]


def modules_loaded_by_help() -> set[str]:
    """Return the names of all modules that ``edgedigits --help`` loads."""
    script = "import sys, edgedigits.cli as c; c.cli(['--help'], standalone_mode=False); print(*sys.modules, sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.splitlines())


def run_in_turns(commands: dict[str, list[str]], rounds: dict[str, int]) -> dict[str, list[Measurement]]:
    """Run every command as often as it should be, one after the other in rounds, after one run that is not counted."""
    samples: dict[str, list[Measurement]] = {name: [] for name in commands}
    for command in commands.values():
        measure(command)
    for turn in range(max(rounds.values())):
        for name, command in commands.items():
            if turn < rounds[name]:
                samples[name].append(measure(command))
    return samples


def main() -> int:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--keras-rounds", type=int, default=3)
    parser.add_argument("--models", type=Path, default=ROOT / "models", help="folder of the rivals' files")
    arguments = parser.parse_args()
    onnx, keras = (str(arguments.models.resolve() / f"digits.{suffix}") for suffix in ("onnx", "keras"))

    commands = {
        "predict": [*edgedigits_command(), "predict", str(PICTURE)],
        "bare": [sys.executable, "-c", BARE, onnx, str(PICTURE)],
        "help": [*edgedigits_command(), "--help"],
        "keras": [sys.executable, "-c", KERAS_SCRIPT, keras, str(PICTURE)],
    }
    rounds = {name: arguments.keras_rounds if name == "keras" else arguments.rounds for name in commands}
    samples = run_in_turns(commands, rounds)
    seconds = {name: statistics.median(sample[0] for sample in taken) for name, taken in samples.items()}
    peaks = {name: max(sample[1] for sample in taken) for name, taken in samples.items()}
    for name, taken in samples.items():
        print(f"{name:8} median {seconds[name]:.3f} s of {len(taken)} runs, peak {peaks[name]:.0f} MiB")

    heavy = {"numpy", "onnxruntime"} & modules_loaded_by_help()
    return conclude(
        "startup",
        {
            "seconds": {name: [sample[0] for sample in taken] for name, taken in samples.items()},
            "peak_mib": {name: [sample[1] for sample in taken] for name, taken in samples.items()},
        },
        {
            "predict / Keras": (seconds["predict"] / seconds["keras"], 1 / 15),
            "predict / bare script": (seconds["predict"] / seconds["bare"], 1.4),
            "peak memory of predict, MiB": (peaks["predict"], 90),
            "--help, seconds": (seconds["help"], 0.15),
            "heavy modules loaded by --help": (len(heavy), 0),
        },
    )


if __name__ == "__main__":
    sys.exit(main())
