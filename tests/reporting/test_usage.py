"""What a report says of how a file is used: the lines run as they stand, beside the file."""

import dataclasses
import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from edgedigits.artifacts.manifest import read_manifest
from edgedigits.reporting.standing import Standing, find_standings
from edgedigits.reporting.usage import Snippet, snippets
from edgedigits.runtimes.c_compiler import find_compiler

PICTURE = Path(__file__).parents[1] / "golden" / "pictures" / "0-paint.png"


@pytest.fixture(scope="module")
def standings(models: Path) -> dict[str, Standing]:
    found = find_standings(models, read_manifest(models)["networks"]["digits"], None)
    return {each.name: each for each in found}


@pytest.fixture
def folder(models: Path, tmp_path: Path) -> Path:
    """A folder with the network's files, and a picture."""
    shutil.copy(PICTURE, tmp_path / "picture.png")
    for file in models.glob("digits.*"):
        (tmp_path / file.name).symlink_to(file)
    return tmp_path


def answer(folder: Path, *command: str) -> str:
    scripts = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "PATH": scripts}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_all(written: tuple[Snippet, ...], folder: Path) -> list[str]:
    """Run snippets of the shell and of Python in turn; those of C are written first, for the shell to compile."""
    answers = []
    for snippet in written:
        if snippet.language == "c":
            (folder / "main.c").write_text(snippet.code)
        else:
            command = [sys.executable] if snippet.language == "python" else ["sh", "-e"]
            answers.append(answer(folder, *command, "-c", snippet.code))
    return answers


@pytest.mark.parametrize("name", ["digits.int8.onnx", "digits.ort"])
def test_onnx_and_ort_files_read_a_picture(name: str, standings: dict[str, Standing], folder: Path) -> None:
    shell, python, runtime = run_all(snippets(standings[name]), folder)
    assert shell.startswith("picture.png: ")
    digit, confidence, sure = python.split()
    assert digit in "0123456789"
    assert 0.1 <= float(confidence) <= 1
    assert sure in ("True", "False")
    assert runtime.startswith("[")


@pytest.mark.parametrize("name", ["digits.tflite", "digits.int8.tflite"])
def test_tflite_files_answer(name: str, standings: dict[str, Standing], folder: Path) -> None:
    (snippet,) = snippets(standings[name])
    check = "\nassert probabilities.shape == (1, 10) and abs(probabilities.sum() - 1) < 0.05\n"
    assert answer(folder, sys.executable, "-c", snippet.code + check).startswith("[")


@pytest.mark.c_compiler
def test_c_files_answer(standings: dict[str, Standing], folder: Path) -> None:
    compiler = find_compiler()
    assert compiler is not None
    program, build = snippets(standings["digits.c"])
    (folder / "main.c").write_text(program.code)
    assert "/256, " in answer(folder, "sh", "-ec", build.code.replace("cc", shlex.join(compiler), 1))


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node.js here")
def test_the_module_beside_a_page_answers(standings: dict[str, Standing], folder: Path) -> None:
    _, module = snippets(standings["digits.html"])
    (folder / "main.mjs").write_text(module.code)
    digit, confidence, sure = answer(folder, "node", "main.mjs").split()
    assert 0 <= int(digit) <= 9
    assert 0 <= json.loads(confidence) <= 1
    assert sure in ("true", "false")


def test_the_array_for_boards_is_used_as_its_header_says(
    models: Path, standings: dict[str, Standing]
) -> None:
    (snippet,) = snippets(standings["digits.tflm.c"])
    header = (models / "digits.tflm.h").read_text()
    for line in snippet.code.splitlines():
        if "resolver" in line and "#include" not in line:
            assert line in header


def test_names_are_quoted_where_they_have_to_be(standings: dict[str, Standing]) -> None:
    odd = dataclasses.replace(standings["digits.onnx"], name="my 'net'; rm.onnx")
    shell, python, _ = snippets(odd)
    assert shell.code == "edgedigits predict --model './my '\"'\"'net'\"'\"'; rm.onnx' picture.png\n"
    assert "DigitPredictor(\"my 'net'; rm.onnx\")" in python.code


def test_a_file_of_no_format_has_no_lines(standings: dict[str, Standing]) -> None:
    assert snippets(dataclasses.replace(standings["digits.onnx"], name="digits.bin")) == ()
