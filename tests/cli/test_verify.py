import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from edgedigits.artifacts.manifest import read_manifest
from edgedigits.cli import cli
from edgedigits.datasets import mnist, places
from edgedigits.datasets.split import Split
from edgedigits.measuring.reference import Reference, read_reference

RUN_CLI = Path(__file__).parents[1] / "run_cli.py"
FILES = (
    "digits.tflite",
    "digits.float16.tflite",
    "digits.dynamic.tflite",
    "digits.int8.tflite",
    "digits.onnx",
)


@pytest.fixture(autouse=True)
def data(dataset: tuple[Split, Split], monkeypatch: pytest.MonkeyPatch) -> None:
    """The bundled digits stand in where MNIST is not there."""
    if places.find() is None:
        splits = dict(zip(("train", "test"), dataset, strict=True))
        monkeypatch.setattr(
            mnist, "find_or_download", lambda *_, **__: mnist.Source(Path("bundled"), "bundled")
        )
        monkeypatch.setattr(mnist, "read_split", lambda _, part: splits[part])


def verify(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["verify", *map(str, arguments)])


def write(reference: Reference, path: Path) -> Path:
    path.write_bytes(reference.to_bytes())
    return path


@pytest.fixture
def perfect(models: Path, dataset: tuple[Split, Split], tmp_path: Path) -> Path:
    """A reference that is always right: every file loses against it."""
    answers = np.eye(10, dtype=np.float32)[dataset[1].labels]
    reference = read_reference(models / "reference.npz")
    return write(dataclasses.replace(reference, probabilities=answers), tmp_path / "perfect.npz")


def test_files_that_pass_make_a_table_and_exit_status_0(models: Path, dataset: tuple[Split, Split]) -> None:
    # The fixture's network is trained for three epochs; its quantized files may stand on either side of their gates.
    result = verify(*(models / name for name in FILES), "--max-drop", "2", "--wide")
    assert result.exit_code == 0, result.stderr
    title, *table = result.stdout.strip().splitlines()
    assert title.startswith(f"{dataset[1].dataset}, {len(dataset[1].images):,} test images; Keras ")
    rows = [line.split() for line in table if line.strip().startswith("digits.")]
    assert [row[0] for row in rows] == list(FILES)
    assert {row[-1] for row in rows} == {"pass"}
    assert "expected calibration error (ECE) 0.0" in title
    (header,) = [line.split() for line in table if line.strip().startswith("file ")]
    assert header[-2:] == ["ECE", "gate"]
    # Three epochs, a temperature, and rounding to eight bits: none makes confidences unfair by five points.
    assert all(0 <= float(row[-2]) < 0.05 for row in rows)
    assert "edgedigits:" not in result.stderr


def test_float_files_pass_their_own_gates(models: Path) -> None:
    result = verify(models / "digits.tflite", models / "digits.onnx", "--quiet")
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""


def test_json_holds_the_figures_and_the_indices_of_changed_images(
    models: Path, perfect: Path, dataset: tuple[Split, Split]
) -> None:
    result = verify(models / "digits.onnx", "--reference", perfect, "--json")
    assert result.exit_code == 1
    (found,) = json.loads(result.stdout)
    answers = read_reference(models / "reference.npz").probabilities
    mistakes = np.flatnonzero(answers.argmax(axis=1) != dataset[1].labels).tolist()
    assert found["comparison"]["changed"] == found["comparison"]["broken"] == mistakes
    assert found["comparison"]["fixed"] == []
    assert found["accuracy"]["correct"] == len(dataset[1].labels) - len(mistakes)
    assert (found["passed"], found["file"], found["precision"]) == (False, "digits.onnx", "float32")
    assert found["reference_expected_calibration_error"] == 0.0
    kept = read_manifest(models)["networks"]["digits"]["files"]["digits.onnx"]["verification"]
    assert found["expected_calibration_error"] == pytest.approx(kept["expected_calibration_error"], abs=1e-6)


def test_a_loss_is_exit_status_1_and_a_line_that_says_why(models: Path, perfect: Path) -> None:
    result = verify(models / "digits.int8.tflite", "--reference", perfect)
    assert result.exit_code == 1
    assert [line.split()[-1] for line in result.stdout.splitlines() if line.startswith("digits.")] == ["FAIL"]
    assert "edgedigits: digits.int8.tflite: accuracy differs by -" in result.stderr
    assert "points, allowed are 0.20" in result.stderr


def test_max_drop_lets_a_loss_pass(models: Path, perfect: Path) -> None:
    assert verify(models / "digits.int8.tflite", "--reference", perfect, "--max-drop", "50").exit_code == 0
    assert verify(models / "digits.int8.tflite", "--reference", perfect, "--max-drop", "0").exit_code == 1


def test_a_sheet_is_drawn_for_each_file(models: Path, perfect: Path, tmp_path: Path) -> None:
    folder = tmp_path / "changed" / "images"
    verify(models / "digits.onnx", models / "digits.int8.tflite", "--reference", perfect, "--sheet", folder)
    assert sorted(path.name for path in folder.glob("*.png")) == ["digits.int8.tflite.png", "digits.onnx.png"]
    for path in folder.glob("*.png"):
        with Image.open(path) as picture:
            picture.load()
            assert picture.format == "PNG"
            assert picture.width > 800  # ten digits in a row


def test_a_file_that_cannot_be_opened_does_not_stop_the_others(models: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    result = verify(tmp_path / "broken.onnx", tmp_path / "missing.tflite", models / "digits.onnx")
    assert result.exit_code == 1
    assert "digits.onnx" in result.stdout
    broken, missing = (line for line in result.stderr.splitlines() if line.startswith("edgedigits: "))
    assert "broken.onnx: no whole ONNX model" in broken
    assert "missing.tflite: no such model file" in missing


def test_a_file_of_another_network_is_refused(models: Path, tmp_path: Path) -> None:
    reference = read_reference(models / "reference.npz")
    other = write(dataclasses.replace(reference, weights_sha256="ab" * 32), tmp_path / "other.npz")
    result = verify(models / "digits.onnx", "--reference", other)
    assert result.exit_code == 1
    assert "expected a file made from the network with weights sha256 abababababab…" in result.stderr


def rows_missing(reference: Reference) -> bytes:
    return dataclasses.replace(reference, probabilities=reference.probabilities[:-1]).to_bytes()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "reference.npz: no such model file; train with `edgedigits train`, or name one with --ref"),
        (lambda reference: b"", "reference.npz: no readable reference"),
        (lambda reference: reference.to_bytes()[:5_000], "reference.npz: no readable reference"),
        (lambda reference: reference.to_bytes()[:-20], "reference.npz: no readable reference"),
        (
            lambda reference: dataclasses.replace(reference, test_sha256="0" * 64).to_bytes(),
            "found answers to other images",
        ),
        (rows_missing, "test images, found "),
    ],
    ids=["missing", "empty", "truncated", "end missing", "of other images", "a row missing"],
)
def test_a_reference_that_will_not_do_is_an_error(
    content, complaint: str, models: Path, tmp_path: Path
) -> None:
    shutil.copy(models / "digits.onnx", tmp_path)
    if content is not None:
        (tmp_path / "reference.npz").write_bytes(content(read_reference(models / "reference.npz")))
    result = verify(tmp_path / "digits.onnx")
    assert result.exit_code == 1
    assert complaint in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_a_network_that_gives_nan_fails_in_text_and_in_json(models: Path, tmp_path: Path) -> None:
    model = onnx.load(models / "digits.onnx")
    # Numbers themselves, but their sums are none.
    (kernel,) = [tensor for tensor in model.graph.initializer if list(tensor.dims) == [784, 128]]
    kernel.CopyFrom(onnx.numpy_helper.from_array(np.full((784, 128), 3e38, np.float32), kernel.name))
    onnx.save(model, tmp_path / "digits.onnx")
    shutil.copy(models / "reference.npz", tmp_path)
    for arguments in ((), ("--json",)):
        result = verify(tmp_path / "digits.onnx", *arguments)
        assert result.exit_code == 1
        assert isinstance(result.exception, SystemExit)
        assert "digits.onnx: some probabilities are not finite numbers" in result.stderr
    assert json.loads(result.stdout)[0]["comparison"]["largest_probability_difference"] is None
    assert json.loads(result.stdout)[0]["expected_calibration_error"] is None


@pytest.mark.parametrize(
    "arguments", [("--max-drop", "-1", "a.onnx"), ("--threads", "0", "a.onnx")], ids=" ".join
)
def test_wrong_usage_is_exit_status_2(arguments: tuple[str, ...]) -> None:
    assert verify(*arguments).exit_code == 2


# Other installations


def verify_without(modules: str, *files: Path) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, RUN_CLI, modules, "verify", *files]
    return subprocess.run(arguments, capture_output=True, text=True)


def test_no_tensorflow_is_needed(models: Path) -> None:
    done = verify_without("tensorflow,keras,onnx,tf2onnx", models / "digits.tflite", models / "digits.onnx")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("pass") == 2


def test_a_missing_runtime_is_one_line_with_the_install(models: Path) -> None:
    done = verify_without("ai_edge_litert", models / "digits.tflite")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "edgedigits: opening .tflite files needs an extra that is not installed: pip install 'edgedigits[tflite]'\n"
    )


def test_a_keras_file_without_keras_is_one_line_with_the_install(models: Path) -> None:
    done = verify_without("tensorflow,keras", models / "digits.keras")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "edgedigits: opening .keras files needs an extra that is not installed: pip install 'edgedigits[train]'\n"
    )


def test_without_files_those_of_the_models_folder_are_verified(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "my-models"
    folder.mkdir()
    for name in ("digits.keras", "digits.onnx", "reference.npz"):
        (folder / name).write_bytes((models / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    for arguments in ((), ("--models", folder)):
        result = verify(*arguments)
        assert result.exit_code == 0, result.stderr
        assert [line.split()[0] for line in result.stdout.splitlines() if line.startswith("digits.")] == [
            "digits.onnx"
        ]


@pytest.mark.parametrize(
    ("files", "said"),
    [((), "no model files in this folder"), (("digits.keras",), "no exported files in this folder")],
    ids=["empty", "only the network"],
)
def test_a_folder_without_exported_files_is_one_line(
    files: tuple[str, ...], said: str, models: Path, tmp_path: Path
) -> None:
    for name in files:
        (tmp_path / name).write_bytes((models / name).read_bytes())
    result = verify("--models", tmp_path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"edgedigits: {tmp_path}: {said}; export some with `edgedigits export`\n"
