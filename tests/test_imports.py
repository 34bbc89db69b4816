"""What an import loads, seen in fresh interpreters. Who may import whom at all is written in ``.importlinter``."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"keras", "matplotlib", "onnx", "sklearn", "tensorflow", "tf2onnx"}
NOT_FOR_HELP = HEAVY | {
    "PIL",
    "ai_edge_litert",
    "numpy",
    "onnxruntime",
    "pooch",
    "psutil",
    "requests",
    "rich",
}

MODELS = Path(__file__).parents[1] / "models"


def loaded_by(code: str) -> set[str]:
    """Names of all modules in ``sys.modules`` after some code ran in an interpreter of its own."""
    report = "\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    child = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True)
    assert child.returncode == 0, child.stderr
    return set(json.loads(child.stdout.splitlines()[-1]))


def test_importing_the_package_loads_nothing_but_its_errors():
    loaded = loaded_by("import edgedigits")
    assert not loaded & (NOT_FOR_HELP | {"click"})
    assert {name for name in loaded if name.startswith("edgedigits")} == {
        "edgedigits",
        "edgedigits.errors",
        "edgedigits.version",
    }


def test_the_check_itself_sees_what_is_loaded():
    assert {"numpy", "edgedigits.measuring.metrics"} <= loaded_by("import edgedigits.measuring.metrics")


def test_the_predictor_needs_onnxruntime_numpy_and_pillow_only():
    loaded = loaded_by("from edgedigits import DigitPredictor; DigitPredictor")
    assert {name for name in loaded if name.startswith("edgedigits")} == {
        "edgedigits",
        *(
            f"edgedigits.{part}"
            for part in (
                "answers",
                "arguments",
                "contract",
                "errors",
                "file_names",
                "files",
                "format_table",
                "margins",
                "metadata",
                "model_files",
                "model_files.budget",
                "model_files.content",
                "model_files.onnx_file",
                "model_files.onnx_graph",
                "model_files.onnx_operators",
                "model_files.onnx_tensors",
                "numbers",
                "numbers.reading",
                "picture",
                "picture.components",
                "picture.contrast",
                "picture.digit",
                "picture.even_paper",
                "picture.finding",
                "picture.form",
                "picture.gray",
                "picture.levels",
                "picture.limits",
                "picture.prepare",
                "picture.reading",
                "picture.scaling",
                "picture.search",
                "picture.stripes",
                "picture.tiny",
                "prediction",
                "predictor",
                "printable",
                "runtimes",
                "runtimes.onnx_session",
                "runtimes.ort",
                "shipped",
                "version",
            )
        ),
    }
    assert {"numpy", "onnxruntime"} <= loaded
    assert not loaded & (NOT_FOR_HELP - {"PIL", "numpy", "onnxruntime"} | {"click"})


@pytest.mark.parametrize("file", ["digits.onnx", "digits.int8.onnx", "digits.ort", "digits.int8.ort"])
def test_a_dense_network_is_opened_without_the_rules_of_other_layers(file):
    path = MODELS / file
    loaded = loaded_by(f"from edgedigits import DigitPredictor; DigitPredictor({str(path)!r})")
    assert "edgedigits.model_files.onnx_operators" in loaded
    assert not {name for name in loaded if name.startswith("edgedigits.model_files.onnx_map")}


@pytest.mark.parametrize(
    "module",
    [
        "artifacts.manifest",
        "comparing.files",
        "comparing.manifests",
        "datasets.mnist",
        "datasets.read",
        "measuring.bench",
        "measuring.reference",
        "measuring.verify",
        "runtimes.opening",
    ],
)
def test_what_runs_on_a_device_loads_nothing_heavy(module):
    assert not loaded_by(f"import edgedigits.{module}") & (HEAVY | {"click"})


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["predict", "--help"],
        ["train", "--help"],
        ["data", "show", "--help"],
        ["completion", "bash"],
    ],
    ids=" ".join,
)
def test_help_loads_neither_numpy_nor_onnxruntime(arguments):
    code = f"""
from click.testing import CliRunner
from edgedigits.cli import cli
result = CliRunner().invoke(cli, {arguments!r})
assert result.exit_code == 0, result.output
"""
    assert not loaded_by(code) & NOT_FOR_HELP


def test_doctor_imports_none_of_what_it_looks_for():
    code = """
from click.testing import CliRunner
from edgedigits.cli import cli
result = CliRunner().invoke(cli, ["doctor"])
assert result.exit_code == 0, result.output
"""
    # Of what it shows it needs but numpy, for the place of MNIST.
    assert not loaded_by(code) & (NOT_FOR_HELP - {"numpy"} | {"dask", "pyarrow", "wasmtime"})


def test_the_module_is_the_command():
    child = subprocess.run([sys.executable, "-m", "edgedigits", "--help"], capture_output=True, text=True)
    assert (child.returncode, child.stderr) == (0, "")
    assert child.stdout.startswith("Usage: ")
    assert "predict" in child.stdout
