"""What every benchmark needs: the machine it ran on, and one way to write its results."""

import json
import os
import platform
from pathlib import Path

from edgedigits.artifacts.versions import versions
from edgedigits.measuring.machine import cpu_name

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"


PACKAGES = ("edgedigits", "numpy", "onnxruntime", "pillow", "click", "ai-edge-litert", "tensorflow", "keras")


def machine_card() -> dict[str, object]:
    """Return CPU, cores, system, and the versions of Python and of the packages that are measured."""
    found = versions(*PACKAGES)
    return {
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": found["python"],
        "versions": {package: found.get(package) for package in PACKAGES},
    }


def write_result(name: str, results: dict[str, object]) -> None:
    """Write ``results/<name>.json``: the machine, then what was measured on it."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    text = json.dumps({"machine": machine_card(), **results}, indent=2)
    path.write_text(text + "\n", encoding="utf-8")
    print(f"wrote {path.relative_to(ROOT)}")


def conclude(name: str, results: dict[str, object], targets: dict[str, tuple[float, float]]) -> int:
    """Print each target beside what was measured, and write both with the results.

    Args:
        name: of the benchmark.
        results: what goes into the file, besides the targets.
        targets: by what is measured: the measured value, and what it may be at most.

    Returns:
        Exit status: 0, or 1 where a target was missed.
    """
    missed = show_targets(targets)
    table = {what: {"measured": measured, "at_most": limit} for what, (measured, limit) in targets.items()}
    write_result(name, {**results, "targets": table})
    return 1 if missed else 0


def show_targets(targets: dict[str, tuple[float, float]]) -> list[str]:
    """Print each target beside what was measured, as ``conclude`` takes them, and return those that were missed."""
    missed = [what for what, (measured, limit) in targets.items() if not measured <= limit]
    for what, (measured, limit) in targets.items():
        print(f"{'MISSED' if what in missed else 'ok':6}  {what}: {measured:.3f}, target at most {limit:.3f}")
    return missed
