"""Check an installed wheel: run by `make wheel-check` with the python of a clean environment, isolated (-I).

Standard library only. Usage: python -I check_wheel.py PICTURES, a folder of pictures named by their digit
(`7-seven.png`). Prints what was checked; exit status 1 and one line at the first thing that is wrong.
"""

import importlib
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

BASE = {"click", "numpy", "onnxruntime", "pillow"}
HEAVY = ("tensorflow", "keras", "onnx", "tf2onnx", "ai_edge_litert", "matplotlib", "sklearn")
OURS = ("edgedigits", "edgedigits_export")
TINY = ("tiny-2k", "tiny-4k", "tiny-8k", "tiny-16k", "tiny-fast")
GENERIC = ("export", "benchmarks", "models", "tests")


def main(pictures: Path) -> None:
    """Run all checks, in the order in which a failure explains the later ones."""
    base = base_requirements()
    expect(base == BASE, f"expected the base install to require {sorted(BASE)}, found {sorted(base)}")
    say(f"the base install requires only {', '.join(sorted(base))}")

    present = [name for name in HEAVY if importable(name)]
    expect(not present, f"expected none of {', '.join(HEAVY)} here, found {', '.join(present)}")
    say(f"not importable here: {', '.join(HEAVY)}")

    site = Path(sysconfig.get_path("purelib")).resolve()
    for name in OURS:
        folder = package_folder(name)
        expect(folder == site / name, f"expected {name} in {site}, found {folder}")
        expect((site / name / "py.typed").is_file(), f"expected py.typed in {name}, found none")
    leaked = [name for name in GENERIC if (site / name).exists()]
    expect(not leaked, f"expected no generic name in {site}, found {', '.join(leaked)}")
    say(f"installed, with types: {', '.join(OURS)}; and no generic name beside them")

    expected = {str(path): int(path.name[0]) for path in sorted(pictures.resolve().iterdir())}
    expect(bool(expected), f"expected pictures in {pictures}, found none")
    found = predicted_digits(list(expected))
    wrong = [
        f"{Path(path).name}: {found.get(path)}" for path in expected if found.get(path) != expected[path]
    ]
    expect(not wrong, f"expected the digit in each file's name, found {'; '.join(wrong)}")
    say(f"edgedigits predict, from another folder, read {len(expected)} pictures, each as its file name says")

    read = predicted_digits([], "--sample")
    expect(
        read == {"3-chalk.png": 3, "4-paint.png": 4, "7-photo.jpg": 7},
        f"expected edgedigits predict --sample to read a 3, a 4 and a 7, found {read}",
    )
    say("the sample pictures came along and were read")

    easy = [path for path in expected if Path(path).name == "0-paint.png"]
    expect(bool(easy), f"expected 0-paint.png in {pictures}, found none")
    for name in TINY:
        found = predicted_digits(easy, "--model", name)
        expect(set(found.values()) == {0}, f"expected {name} to read a 0, found {found}")
    say(f"the small networks {', '.join(TINY)} came along and read a 0")

    (found,) = answers("read", easy)
    expect(found["text"] == "0", f"expected edgedigits read to read a 0, found {found}")
    say("the network numbers came along, and edgedigits read read a 0")


def base_requirements() -> set[str]:
    """Names that the wheel requires without any extra."""
    requirements = metadata.requires("edgedigits") or []
    return {line.split(">")[0].strip().lower() for line in requirements if "extra ==" not in line}


def importable(name: str) -> bool:
    """Whether `import name` succeeds, tried rather than looked up."""
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        return False
    return True


def package_folder(name: str) -> Path | None:
    """Where a package would be imported from, without importing it; None if it is not installed."""
    spec = find_spec(name)
    return Path(spec.origin).resolve().parent if spec and spec.origin else None


def predicted_digits(pictures: list[str], *options: str) -> dict[str, int]:
    """Return what `edgedigits predict` reads in pictures."""
    return {row["picture"]: row["digit"] for row in answers("predict", pictures, *options)}


def answers(command: str, pictures: list[str], *options: str) -> list[dict[str, Any]]:
    """What an installed command prints for pictures, run in an empty folder and without PYTHON* variables."""
    program = Path(sysconfig.get_path("scripts"), "edgedigits")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    with tempfile.TemporaryDirectory() as elsewhere:
        run = subprocess.run(
            [program, command, "--json", *options, *pictures],
            cwd=elsewhere,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
    expect(run.returncode == 0, f"expected exit status 0 from edgedigits {command}, found {run.returncode}")
    found: list[dict[str, Any]] = json.loads(run.stdout)
    return found


def expect(holds: bool, otherwise: str) -> None:
    """Stop with exit status 1 and the message `otherwise` unless the condition holds."""
    if not holds:
        sys.exit(f"wheel-check: {otherwise}")


def say(checked: str) -> None:
    """One line for each thing that was checked."""
    sys.stdout.write(f"wheel-check: {checked}\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
