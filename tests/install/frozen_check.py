"""Freeze a program that reads digits, and the command itself, with PyInstaller: run by `make frozen-check`.

    python -I frozen_check.py PICTURE

with the python of an environment in which the wheel and PyInstaller are installed. No option is given that is about
edgedigits: its wheel says what has to be taken along. PICTURE is of a 1; exit status 1 where another digit is read.
"""

import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

PROGRAM = """
import sys
from edgedigits import DigitPredictor

print([DigitPredictor(name).predict(sys.argv[1]).digit for name in (None, "tiny-4k")])
"""


def main(picture: Path) -> None:
    """Build both programs and run them from another folder."""
    command = Path(sysconfig.get_path("scripts"), "edgedigits")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "program.py").write_text(PROGRAM)
        expect(frozen(folder, folder / "program.py", picture), "[1, 1]")
        expect(frozen(folder, command, "predict", "--sample", picture), "3-chalk.png: 3 ")


def frozen(folder: Path, script: Path, *arguments: object) -> str:
    """Make a single file of a script, run it, and return what it prints."""
    build = [sys.executable, "-m", "PyInstaller", "--onefile", "--noconfirm", "--log-level", "ERROR", script]
    subprocess.run(build, cwd=folder, check=True)
    program = folder / "dist" / script.stem
    print(f"frozen-check: {script.stem}, {program.stat().st_size / 1e6:.0f} MB", flush=True)
    run = subprocess.run(
        [program, *map(str, arguments)], cwd=folder / "dist", stdout=subprocess.PIPE, text=True
    )
    return run.stdout if run.returncode == 0 else f"exit status {run.returncode}"


def expect(found: str, beginning: str) -> None:
    """Stop with exit status 1 unless a text begins so."""
    if not found.startswith(beginning):
        sys.exit(f"frozen-check: expected {beginning}, found {found}")
    print(f"frozen-check: it prints {found.strip()}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
