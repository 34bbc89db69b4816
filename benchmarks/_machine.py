"""What every benchmark needs: the machine it ran on, and one way to write its results."""

import json
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"


def machine_card(packages: tuple[str, ...]) -> dict[str, object]:
    """Return CPU, cores, system, and the versions of Python and of the packages that were measured."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {package: _version(package) for package in packages},
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown"
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def conclude(name: str, results: dict[str, object], targets: dict[str, tuple[float, float]]) -> None:
    """Print each target beside what was measured, write ``results/<name>.json``, and exit with 1 on a miss.

    Args:
        name: of the benchmark.
        results: what goes into the file, besides the targets.
        targets: by what is measured: the measured value, and what it may be at most.
    """
    missed = [what for what, (measured, limit) in targets.items() if not measured <= limit]
    for what, (measured, limit) in targets.items():
        print(f"{'MISSED' if what in missed else 'ok':6}  {what}: {measured:.3f}, target at most {limit:.3f}")
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    table = {what: {"measured": measured, "at_most": limit} for what, (measured, limit) in targets.items()}
    path.write_text(json.dumps({**results, "targets": table}, indent=2) + "\n", encoding="utf-8")
    print(f"wrote {path.relative_to(ROOT)}")
    sys.exit(1 if missed else 0)
