"""What ``DigitPredictor.probabilities`` adds to a bare ``session.run``: on one image at most 15 %.

Both run the same file with the same session options, in turns of short blocks, so that a busy moment of the machine
meets them alike. For the record, 10,000 images at once, and ``predict`` with its picture preparation.

Usage: python benchmarks/predictor.py [--blocks 200]
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import onnxruntime
from _machine import ROOT, conclude

from edgedigits.onnx_session import session_options
from edgedigits.predictor import DigitPredictor

MODEL = ROOT / "models" / "digits.onnx"
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
    ratio_single = single["probabilities, 1 image"]["p50"] / single["session.run, 1 image"]["p50"]
    ratio_batch = batch["probabilities, 10,000 images"]["p50"] / batch["session.run, 10,000 images"]["p50"]
    return conclude(
        "predictor",
        {
            "microseconds": {**single, **batch, **pictures},
        },
        {
            "probabilities / session.run, 1 image": (ratio_single, 1.15),
            "probabilities / session.run, 10,000 images": (ratio_batch, 1.15),
        },
    )


if __name__ == "__main__":
    sys.exit(main())
