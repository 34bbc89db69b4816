"""No command runs what lies in the working directory: a file ``numpy.py`` there may have come with the pictures."""

import importlib.metadata
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from edgedigits.child_processes import find_program, import_path, run_code, run_module
from edgedigits.datasets.places import Source

RUN_CLI = Path(__file__).parents[1] / "run_cli.py"
CHECKOUT = Path(__file__).parents[2]
SEVEN = CHECKOUT / "tests" / "golden" / "pictures" / "7-turned-by-exif.jpg"
QUICK = ("--min-seconds", "0.01", "--min-samples", "5", "--rounds", "1", "--cold-starts", "1")
SHORT = ("--arch", "6", "--epochs", "1", "--batch-size", "100", "--validation", "100")

NAMES = {
    *sys.stdlib_module_names,
    *importlib.metadata.packages_distributions(),
    *("edgedigits", "edgedigits_export", "sitecustomize", "usercustomize"),
}
"""Every module that any command could import: all of the standard library, all that is installed, and our own."""


@pytest.fixture(scope="module")
def trap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every module leaves a mark when it is run."""
    folder = tmp_path_factory.mktemp("trap")
    for name in NAMES:
        if name.isidentifier():
            (folder / f"{name}.py").write_text("open(__file__ + '.ran', 'w').close()\n")
    for name in ("stdint.h", "stddef.h", "digits.h", "sizes.ld"):
        (folder / name).write_text("#error run\n")
    return folder


def marks(trap: Path) -> set[str]:
    """What was run since the last time."""
    found = list(trap.rglob("*.ran"))
    for mark in found:
        mark.unlink()
    return {mark.name.partition(".")[0] for mark in found}


def run(trap: Path, command: list[object], **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        list(map(str, command)), cwd=trap, capture_output=True, text=True, env={**os.environ, **variables}
    )


def test_the_trap_closes(trap: Path) -> None:
    run(trap, [sys.executable, "-c", "import h5py, json"])
    assert marks(trap) == {"h5py", "json"}


# Those that open a .keras file, in whose child processes it could happen, are `verify` and `export`; the child
# processes of `bench` are the same for every file, and take the longest for such a one.
COMMANDS = {
    "info tflite": ("info", "{models}/digits.tflite"),
    "predict": ("predict", SEVEN),
    "doctor": ("doctor",),
    "diff": ("diff", "{models}/digits.int8.tflite", "{models}/digits.onnx", "--no-latency", "--quiet"),
    # One process for all that import TensorFlow.
    "train, export, verify, bench": (
        *("train", *SHORT, "--out", "{out}"),
        *("&&", "export", "--format", "onnx", "--max-drop", "100", "--models", "{out}"),
        *("&&", "verify", "{out}/digits.onnx", "{out}/digits.keras", "--max-drop", "100"),
        *("&&", "bench", "{models}/digits.int8.tflite", "{models}/digits.onnx", *QUICK),
    ),
    "report": ("report", "--no-bench", "--models", "{models}", "--out", "{out}/report.html"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_runs_what_lies_in_the_working_directory(
    name: str, trap: Path, models: Path, tmp_path: Path
) -> None:
    words = [str(word).format(models=models, out=tmp_path) for word in COMMANDS[name]]
    done = run(trap, [sys.executable, RUN_CLI, "-", *words])
    assert (marks(trap), done.returncode) == (set(), 0), done.stderr


@pytest.mark.mnist
def test_looking_for_mnist_runs_nothing_of_it(trap: Path, mnist_source: Source) -> None:
    done = run(trap, [sys.executable, RUN_CLI, "-", "data", "--data", mnist_source.path])
    assert (marks(trap), done.returncode) == (set(), 0), done.stderr


@pytest.mark.c_compiler
@pytest.mark.parametrize("variable", ["CPATH", "C_INCLUDE_PATH", "LIBRARY_PATH", "COMPILER_PATH"])
def test_the_compiler_includes_nothing_from_the_working_directory(
    variable: str, trap: Path, models: Path, tmp_path: Path
) -> None:
    done = run(
        trap, [sys.executable, RUN_CLI, "-", "info", models / "digits.c"],
        **{variable: os.pathsep, "XDG_CACHE_HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.c_compiler
@pytest.mark.skipif(os.name != "posix", reason="a script is no program elsewhere")
def test_no_program_of_the_working_directory_is_run(trap: Path, models: Path, tmp_path: Path) -> None:
    compiler = trap / "cc"
    compiler.write_text("#!/bin/sh\n: > cc.ran\nexit 1\n")
    compiler.chmod(0o755)
    try:
        done = run(
            trap, [sys.executable, RUN_CLI, "-", "info", models / "digits.c"],
            PATH=f"{os.pathsep}.{os.pathsep}{os.environ['PATH']}", XDG_CACHE_HOME=str(tmp_path),
        )  # fmt: skip
    finally:
        compiler.unlink()
    assert (marks(trap), done.returncode) == (set(), 0), done.stderr


def test_a_program_that_the_user_names_is_found_where_he_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "tool"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "bin")
    assert find_program(str(Path("bin", "tool"))) == str(program)
    assert find_program("tool") is None
    monkeypatch.setenv("PATH", str(program.parent))
    assert find_program("tool") == str(program)


def take_away_what_python_m_runs(trap: Path, kept: Path) -> None:
    """Move aside what ``python -m`` itself runs from the working directory before any module of ours has a say."""
    package = trap / "nothing_at_all"
    package.mkdir(exist_ok=True)
    for name in ("__init__.py", "__main__.py"):
        (package / name).touch()
    while run(trap, [sys.executable, "-m", "nothing_at_all"]).returncode:
        for name in marks(trap):
            (trap / f"{name}.py").rename(kept / f"{name}.py")
    marks(trap)


def test_python_m_runs_nothing_of_it_once_we_are_asked(trap: Path, tmp_path: Path) -> None:
    (trap / "edgedigits.py").rename(tmp_path / "edgedigits.py")
    try:
        take_away_what_python_m_runs(trap, tmp_path)
        done = run(trap, [sys.executable, "-m", "edgedigits", "predict", SEVEN])
    finally:
        for path in tmp_path.glob("*.py"):
            path.rename(trap / path.name)
    assert (marks(trap), done.returncode) == (set(), 0), done.stderr


def test_a_program_that_imports_us_keeps_its_path(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import sys\nbefore = list(sys.path)\nimport edgedigits\nprint(sys.path == before)"
    )
    done = subprocess.run([sys.executable, "-m", "mine"], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "True\n", done.stderr


PARENT = """
import os, sys
trap = sys.path.pop(0)
import subprocess
from edgedigits.child_processes import run_code, run_module
import runpy, importlib.util
sys.path[:0] = ["", os.getcwd(), "lib", "."]
for command in (run_code("import json, numpy, linecache, sys; print(sys.path, sys.argv[1:])", 1, "two words"),
                run_module("edgedigits.networks.weights_copy", "no", "such", 5)):
    done = subprocess.run(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": "::", "PYTHONINSPECT": "1"})
    sys.stdout.write(done.stdout.decode())
print(done.returncode)
"""


def test_a_child_has_its_parents_path_but_for_the_working_directory(trap: Path) -> None:
    done = run(trap, [sys.executable, "-c", PARENT])
    path, status = done.stdout.splitlines()
    assert marks(trap) == set()
    assert str(trap) not in path
    assert "''" not in path
    assert path.endswith("['1', 'two words']")
    assert status == "3"  # what is no HDF5 file


def test_a_working_directory_that_is_a_place_of_packages_stays_on_the_path() -> None:
    packages = sysconfig.get_path("purelib")
    code = """
import subprocess
from edgedigits.child_processes import run_code
subprocess.run(run_code("import numpy"), check=True)
"""
    subprocess.run([sys.executable, "-c", code], cwd=packages, check=True)


def test_a_child_runs_the_parents_own_edgedigits(tmp_path: Path) -> None:
    code = "import edgedigits, edgedigits.contract; print(edgedigits.__file__, edgedigits.contract.__file__, sep='\\n')"
    done = subprocess.run(run_code(code), cwd=tmp_path, capture_output=True, text=True, check=True)
    assert [Path(line).parent for line in done.stdout.splitlines()] == [CHECKOUT / "edgedigits"] * 2


def test_the_path_without_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        sys, "path", ["", "lib", str(tmp_path), str(tmp_path / "link"), "/usr/lib", "/no\0ne"]
    )
    assert import_path() == (["/usr/lib", "/no\0ne"], ["", "lib", str(tmp_path), str(tmp_path / "link")])


def test_a_module_is_run_with_its_arguments() -> None:
    done = subprocess.run(run_module("edgedigits", "--version"), capture_output=True, text=True, check=True)
    assert done.stdout.startswith("edgedigits, version")
