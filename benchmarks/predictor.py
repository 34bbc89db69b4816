"""What ``DigitPredictor.probabilities`` adds to a bare ``session.run``: at most 1 us on one image, 3 % on 10,000.

Both run the default file with the same session options, in turns of short blocks, so that a busy moment of the machine
meets them alike. For the record, ``predict`` with its picture preparation. Then a fresh process reads 1,000,000 images
from a memory-mapped file, and its memory must stay flat.

Usage: python benchmarks/predictor.py [--blocks 200]
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
from _machine import ROOT, conclude

from edgedigits.predictor import DigitPredictor
from edgedigits.runtimes.onnx_session import session_options

MODEL = ROOT / "models" / "digits.int8.onnx"
MANY = 1_000_000
MEMORY_PROGRAM = """
import sys
import numpy as np
from edgedigits import DigitPredictor
from edgedigits.measuring.cold_start import peak_mib

predictor = DigitPredictor()
predictor.probabilities(np.zeros((1, 28, 28), np.uint8))
before = peak_mib()
answers = predictor.probabilities(np.load(sys.argv[1], mmap_mode="r"))
print(len(answers), peak_mib() - before)
"""
PICTURE = ROOT / "tests" / "golden" / "pictures" / "0-paint.png"


def time_in_turns(rivals: dict[str, Callable[[], object]], blocks: int, calls: int) -> dict[str, list[float]]:
    """Return the microseconds of every call, taken in alternating blocks; the order turns round each time."""
    samples: dict[str, list[float]] = {name: [] for name in rivals}
    names = list(rivals)
    for block in range(-3, blocks):
        for name in names if block % 2 else reversed(names):
            call, taken = rivals[name], []
            for _ in range(calls):
                start = time.perf_counter_ns()
                call()
                taken.append((time.perf_counter_ns() - start) / 1000)
            if block >= 0:  # the first three warm up
                samples[name] += taken
    return samples


def percentiles(samples: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Return p50, p90 and p99 of each, in microseconds."""
    table = {}
    for name, taken in samples.items():
        cuts = statistics.quantiles(taken, n=100, method="inclusive")
        table[name] = {"p50": cuts[49], "p90": cuts[89], "p99": cuts[98], "calls": len(taken)}
        print(f"{name:32} p50 {cuts[49]:9.2f} us   p90 {cuts[89]:9.2f} us   p99 {cuts[98]:9.2f} us")
    return table


def memory_growth() -> float:
    """Return by how many MiB the largest resident set grows while a fresh process reads many images from a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "images.npy")
        images = np.lib.format.open_memmap(path, "w+", np.uint8, (MANY, 28, 28))
        some = np.random.default_rng(1).integers(0, 256, (1_000, 28, 28), np.uint8)
        for start in range(0, MANY, len(some)):
            images[start : start + len(some)] = some
        images.flush()
        del images
        done = subprocess.run(
            [sys.executable, "-c", MEMORY_PROGRAM, path], capture_output=True, text=True, check=True
        )
    answers, grown = done.stdout.split()
    if int(answers) != MANY:
        raise SystemExit(f"expected {MANY} answers, found {answers}")
    print(
        f"memory for {MANY:,} images of a memory-mapped file: {float(grown):.1f} MiB more, answers included"
    )
    return float(grown)


def main() -> int:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--blocks", type=int, default=200)
    arguments = parser.parse_args()

    session = onnxruntime.InferenceSession(MODEL, session_options(1), providers=["CPUExecutionProvider"])
    predictor = DigitPredictor(MODEL)
    outputs, images = ["probabilities"], np.random.default_rng(0).integers(0, 256, (10_000, 28, 28), np.uint8)
    one, png = images[:1], PICTURE.read_bytes()
    single = percentiles(
        time_in_turns(
            {
                "session.run, 1 image": lambda: session.run(outputs, {"image": one}),
                "probabilities, 1 image": lambda: predictor.probabilities(one),
            },
            arguments.blocks,
            calls=250,
        )
    )
    batch = percentiles(
        time_in_turns(
            {
                "session.run, 10,000 images": lambda: session.run(outputs, {"image": images}),
                "probabilities, 10,000 images": lambda: predictor.probabilities(images),
            },
            max(4, arguments.blocks // 20),
            calls=5,
        )
    )
    pictures = percentiles(
        time_in_turns(
            {"predict, PNG of 96 x 96 pixels": lambda: predictor.predict(png)},
            arguments.blocks // 4,
            calls=20,
        )
    )
    added = single["probabilities, 1 image"]["p50"] - single["session.run, 1 image"]["p50"]
    ratio_batch = batch["probabilities, 10,000 images"]["p50"] / batch["session.run, 10,000 images"]["p50"]
    return conclude(
        "predictor",
        {
            "microseconds": {**single, **batch, **pictures},
        },
        {
            "probabilities - session.run, 1 image, us": (added, 1.0),
            "probabilities / session.run, 10,000 images": (ratio_batch, 1.03),
            "memory for 1,000,000 images of a memory-mapped file, MiB": (memory_growth(), 64.0),
        },
    )


if __name__ == "__main__":
    sys.exit(main())
