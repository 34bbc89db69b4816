"""What ``bench`` runs in a fresh process: open one file, answer one image, say how long it took and how much memory.

``python -m edgedigits.measuring.cold_start PATH THREADS [KERAS_CALL|foreign] < image`` prints a line of JSON.
"""

import json
import sys
import time
from pathlib import Path

started = time.perf_counter()

from edgedigits.runtimes.model import Model  # noqa: E402
from edgedigits.runtimes.opening import open_model  # noqa: E402  (the clock starts before the imports: they are what is measured)


def main() -> None:
    """Answer the image on standard input and print the measurements."""
    import numpy as np

    path, threads, call = sys.argv[1:]
    pixels = np.frombuffer(sys.stdin.buffer.read(), np.uint8).reshape(1, 28, 28)
    if call == "foreign":
        from edgedigits.runtimes.foreign_model import ForeignModel

        # A process of its own has tried it when it was first opened; that is no part of a start.
        model: Model = ForeignModel(Path(path), int(threads), is_tried=True)
    else:
        model = open_model(
            Path(path), threads=int(threads), keras_call="predict" if call == "predict" else "model(x)"
        )
    loaded = time.perf_counter()
    model.probabilities(pixels)
    answered_at = time.time()
    print(  # noqa: T201  (the parent reads it)
        json.dumps({"load_seconds": loaded - started, "answered_at": answered_at, "peak_mib": peak_mib()})
    )


def peak_mib() -> float:
    """Return the largest resident set of this process, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():
        # Linux also has it in getrusage, but there it begins with the parent's memory, which fork shares.
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        return int(fields["VmHWM"].split()[0]) / 2**10
    try:
        import resource
    except ImportError:  # Windows keeps the peak elsewhere.
        import psutil

        return float(psutil.Process().memory_info().peak_wset) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10  # bytes there, KiB elsewhere


if __name__ == "__main__":
    main()
