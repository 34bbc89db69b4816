"""The exported C code on this computer: one image at most 1.5 times as long as LiteRT's ``invoke`` on the int8 file.

``digits.c`` is compiled with ``gcc -O3 -march=native`` and called through ctypes with addresses at hand, as ``invoke``
is called with its tensor filled, in alternating blocks. The time of the C function as C code sees it,
taken by a loop in C, is there for the record, and so is a call of ctypes that does nothing.

Usage: python benchmarks/c_code.py [--blocks 200] [--models models]
"""

import argparse
import ctypes
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from _machine import ROOT, conclude
from ai_edge_litert.interpreter import Interpreter
from predictor import percentiles, time_in_turns

from edgedigits.datasets import mnist, places

COMPILE = ("gcc", "-std=c99", "-O3", "-march=native", "-fPIC", "-shared")
CALLS = 250
LIMIT = 1.5
TIMER = """
#define _POSIX_C_SOURCE 199309L
#include <stddef.h>
#include <stdint.h>
#include <time.h>
int edgedigits_predict(const uint8_t image[784], uint8_t probabilities[10]);
void nothing(const uint8_t *image, uint8_t *probabilities) { (void)image; (void)probabilities; }
static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * (int64_t)1000000000 + time.tv_nsec;
}
void time_each(const uint8_t *images, size_t count, int64_t *nanoseconds)
{
    uint8_t probabilities[10];
    for (size_t index = 0; index < count; index++) {
        const int64_t before = now();
        edgedigits_predict(images + 784 * index, probabilities);
        nanoseconds[index] = now() - before;
    }
}
"""


def compile_library(source: Path, folder: Path) -> ctypes.CDLL:
    """Compile the network and the timer into a library."""
    (folder / "timer.c").write_text(TIMER, encoding="utf-8")
    library = folder / "network.so"
    subprocess.run([*COMPILE, source, folder / "timer.c", "-o", library], check=True)
    loaded = ctypes.CDLL(str(library))
    loaded.edgedigits_predict.argtypes = loaded.nothing.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
    loaded.time_each.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
    return loaded


def open_int8(path: Path) -> tuple[Interpreter, Callable[[npt.NDArray[np.uint8]], None]]:
    """Open the int8 file for one image at a time; return the interpreter and what gives it an image."""
    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    index = interpreter.get_input_details()[0]["index"]
    return interpreter, lambda image: interpreter.set_tensor(index, (image ^ 128).view(np.int8))


def in_c(library: ctypes.CDLL, images: npt.NDArray[np.uint8], blocks: int) -> float:
    """Return the median nanoseconds of a call as a loop in C takes them."""
    taken = np.zeros(len(images), np.int64)
    medians = []
    for _ in range(blocks):
        library.time_each(images.ctypes.data, len(images), taken.ctypes.data)
        medians.append(float(np.median(taken)))
    return float(np.median(medians))


def main() -> int:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--blocks", type=int, default=200)
    parser.add_argument("--models", type=Path, default=ROOT / "models")
    arguments = parser.parse_args()

    source = places.find()
    if source is None:
        print("MNIST is not here: set EDGEDIGITS_DATA or run `edgedigits data`", file=sys.stderr)
        return 1
    images = np.ascontiguousarray(mnist.read_split(source, "test").images[:CALLS])
    interpreter, give = open_int8(arguments.models / "digits.int8.tflite")
    with tempfile.TemporaryDirectory() as folder:
        library = compile_library(arguments.models / "digits.c", Path(folder))
        probabilities = np.zeros(10, np.uint8)
        addresses = [images[index : index + 1].ctypes.data for index in range(CALLS)]
        answer, place, position = library.edgedigits_predict, probabilities.ctypes.data, 0

        def call_c() -> None:
            nonlocal position
            answer(addresses[position], place)
            position = (position + 1) % CALLS

        give(images[:1])
        table = percentiles(
            time_in_turns(
                {
                    "LiteRT invoke, int8, 1 image": interpreter.invoke,
                    "C code through ctypes, 1 image": call_c,
                    "ctypes alone": lambda: library.nothing(addresses[0], place),
                },
                arguments.blocks,
                CALLS,
            )
        )
        inside = in_c(library, images, arguments.blocks) / 1000
    print(f"{'C code, timed in C, 1 image':32} p50 {inside:9.2f} us")
    invoke = table["LiteRT invoke, int8, 1 image"]["p50"]
    compiler = subprocess.run(["gcc", "--version"], capture_output=True, text=True, check=True).stdout
    return conclude(
        "c_code",
        {
            "compiler": compiler.splitlines()[0],
            "flags": list(COMPILE[1:]),
            "microseconds": table,
            "microseconds_timed_in_c": inside,
            "ratio_timed_in_c": inside / invoke,
            "load": os.getloadavg()[0],
        },
        {
            "C code through ctypes / LiteRT invoke, 1 image": (
                table["C code through ctypes, 1 image"]["p50"] / invoke,
                LIMIT,
            )
        },
    )


if __name__ == "__main__":
    sys.exit(main())
