import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgedigits.artifacts.hashes import sha256_file
from edgedigits.artifacts.manifest import read_manifest
from edgedigits.cli import cli

FILES = (
    "digits.keras",
    "digits.tflite",
    "digits.float16.tflite",
    "digits.dynamic.tflite",
    "digits.int8.tflite",
    "digits.onnx",
)
every_file = pytest.mark.parametrize("name", FILES)


def info(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["info", *map(str, arguments)])


def lines_of(result: Result) -> dict[str, str]:
    assert result.exit_code == 0, result.stderr
    return {line[:12].strip(): line[13:] for line in result.stdout.splitlines()}


@every_file
def test_a_file_says_what_it_is(name: str, models: Path) -> None:
    lines = lines_of(info(models / name))
    network = read_manifest(models)["networks"]["digits"]
    assert lines["file"] == str(models / name)
    assert lines["sha256"] == sha256_file(models / name)
    assert lines["bytes"] == str((models / name).stat().st_size)
    assert lines["network"].startswith("128-32, ")
    assert lines["network"].endswith(network["training"]["weights_sha256"])
    assert lines["input"].startswith("image uint8 (n, 28, 28), white on black")
    assert lines["output"] == "probabilities float32 (n, 10), labels 0 1 2 3 4 5 6 7 8 9"
    assert "keras " in lines["made with"]
    assert ("int8: pixel - 128" in lines["input"]) is (name == "digits.int8.tflite")
    assert ("calibration" in lines) is (".int8." in name)
    assert ("accuracy" in lines) is (name != "digits.keras")


def test_accuracy_and_calibration_are_those_of_the_manifest(models: Path) -> None:
    lines = lines_of(info(models / "digits.int8.tflite"))
    record = read_manifest(models)["networks"]["digits"]["files"]["digits.int8.tflite"]
    found = record["verification"]
    share = 100 * found["correct"] / found["images"]
    assert lines["accuracy"] == (
        f"{share:.2f} % ({found['correct']:,} of {found['images']:,}, {found['dataset']} test images)"
    )
    assert lines["calibration"] == (
        f"200 training images, seed 0, indices sha256 {record['calibration']['indices_sha256']}; "
        f"ranges by {record['calibration']['ranges']}"
    )


@every_file
def test_json_holds_the_whole_of_it(name: str, models: Path) -> None:
    result = info(models / name, "--json")
    assert result.exit_code == 0, result.stderr
    fields = json.loads(result.stdout)
    assert fields["file"] == str(models / name)
    assert fields["sha256"] == sha256_file(models / name)
    assert (fields["arch"], fields["contract"], fields["polarity"]) == ("128-32", 1, "white on black")
    assert fields["labels"] == list("0123456789")
    assert fields["precision"] in name.split(".") or fields["precision"] == "float32"


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("digits.onnx", None, "digits.onnx: no such model file"),
        ("digits.pt", b"", "digits.pt: expected a file that ends in"),
        ("digits.tflite", b"text", "digits.tflite: no TFLite model"),
        ("digits.onnx", b"text", "digits.onnx: no whole ONNX model"),
        ("digits.keras", b"text", "digits.keras: no whole .keras archive"),
        ("digits.h5", b"text", "digits.h5: no whole HDF5 file"),
    ],
    ids=["missing", "suffix", "tflite", "onnx", "keras", "h5"],
)
def test_what_is_no_model_is_one_line(
    name: str, content: bytes | None, complaint: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    result = info(tmp_path / name)
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"edgedigits: {tmp_path}/")
    assert complaint in line


def test_no_file_is_wrong_usage() -> None:
    assert info().exit_code == 2
