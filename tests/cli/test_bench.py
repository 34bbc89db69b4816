import csv
import importlib.util
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from edgedigits.cli import cli
from edgedigits.datasets import mnist, places
from edgedigits.datasets.split import Split
from edgedigits.reporting.bench_tables import BRIEF, CSV_HEADER, HEADER

RUN_CLI = Path(__file__).parents[1] / "run_cli.py"
QUICK = ("--min-seconds", "0.01", "--min-samples", "5", "--rounds", "1", "--cold-starts", "1")


@pytest.fixture(autouse=True)
def data(dataset: tuple[Split, Split], monkeypatch: pytest.MonkeyPatch) -> None:
    """The bundled digits stand in where MNIST is not there; two sizes of batches are enough here."""
    monkeypatch.setattr("edgedigits.measuring.bench.BATCHES", (1, 64))
    if places.find() is None:
        splits = dict(zip(("train", "test"), dataset, strict=True))
        monkeypatch.setattr(
            mnist, "find_or_download", lambda *_, **__: mnist.Source(Path("bundled"), "bundled")
        )
        monkeypatch.setattr(mnist, "read_split", lambda _, part: splits[part])


def bench(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["bench", *map(str, arguments), *QUICK])


def test_the_table_has_a_row_per_file(models: Path, dataset: tuple[Split, Split]) -> None:
    result = bench(models / "digits.onnx", models / "digits.int8.tflite")
    assert result.exit_code == 0, result.stderr
    lines = [line for line in result.stdout.splitlines() if "machine was busy" not in line]
    assert lines[0].strip() == f"{dataset[1].dataset}, one image at a time and in batches"
    assert [line.split()[0] for line in lines if line.strip().startswith("digits.")] == [
        "digits.onnx", "digits.int8.tflite"
    ] * 2  # fmt: skip
    assert "Images per second by batch size" in result.stdout
    for use in (
        "One image at a time: digits.",
        "Many images: digits.",
        "Smallest file: digits.int8.tflite, ",
    ):
        assert use in result.stdout
    (header,) = [re.split("  +", line) for line in lines if line.startswith("file ") and "KB" in line]
    assert tuple(header) == BRIEF
    assert "1 thread; edgedigits " in result.stdout


def test_json_has_everything(models: Path, tmp_path: Path) -> None:
    plot = tmp_path / "plots" / "trade-off.png"
    result = bench(models / "digits.onnx", "--json", "--threads", "2", "--plot", plot)
    assert result.exit_code == 0, result.stderr
    fields = json.loads(result.stdout)
    (row,) = fields["rows"]
    assert row["name"] == "digits.onnx"
    assert len(row["latency_samples_ns"]) == row["latency"]["samples"] >= 5
    assert list(row["throughput"]) == ["1", "64"]
    assert fields["machine"]["threads"] == fields["options"]["threads"] == 2
    assert fields["options"]["rounds"] == 1
    assert fields["remarks"] == []
    with Image.open(plot) as picture:
        assert picture.format == "PNG"
    assert f"drew {plot}" in result.stderr


def test_csv_is_read_back(models: Path) -> None:
    result = bench(models / "digits.onnx", "--csv", "--quiet")
    assert result.exit_code == 0, result.stderr
    header, row = csv.reader(io.StringIO(result.stdout))
    assert tuple(header) == (*CSV_HEADER, "images_per_second_batch_1", "images_per_second_batch_64")
    fields = dict(zip(header, row, strict=True))
    assert fields.pop("file") == "digits.onnx"
    assert fields.pop("precision") == "float32"
    assert fields.pop("runtime").startswith("onnxruntime")
    cycles = fields.pop("cycles")
    numbers = {name: float(value) for name, value in fields.items()}
    assert numbers["bytes"] == (models / "digits.onnx").stat().st_size
    assert min(numbers.values()) > 0
    assert numbers["calls"] >= 5
    assert cycles == "" or float(cycles) > 0


def test_markdown_is_a_table_with_the_machine_below(models: Path, dataset: tuple[Split, Split]) -> None:
    result = bench(models / "digits.onnx", "--markdown")
    assert result.exit_code == 0, result.stderr
    lines = [line for line in result.stdout.splitlines() if "machine was busy" not in line]
    header, rule, row, empty, title, _, *sweep, _, machine = lines
    columns = [cell.strip() for cell in header.strip("|").split("|")]
    assert [column for column in columns if column != "cycles"] == list(HEADER)
    assert set(rule) <= set("|-: ")
    assert row.startswith("| digits.onnx |")
    assert row.count("|") == header.count("|") == rule.count("|") == len(columns) + 1
    assert (empty, title) == ("", "Images per second by batch size:")
    assert [line.split(" | ")[0] for line in sweep] == ["| file", "| ---", "| digits.onnx"]
    assert machine.endswith(f"; {dataset[1].dataset}")


def test_a_folder_stands_for_its_files(models: Path, tmp_path: Path) -> None:
    for name in ("digits.onnx", "digits.tflite", "digits.keras"):
        (tmp_path / name).write_bytes((models / name).read_bytes())
    result = bench("--models", tmp_path, "--no-keras", "--csv")
    assert result.exit_code == 0, result.stderr
    assert [row.split(",")[0] for row in result.stdout.splitlines()[1:]] == ["digits.tflite", "digits.onnx"]


@pytest.mark.parametrize("more", [(), ("--plot", "trade-off.png"), ("--json",)], ids=str)
@pytest.mark.parametrize("named", [True, False], ids=["file", "folder"])
def test_nothing_left_to_measure_is_wrong_usage(
    named: bool, more: tuple[str, ...], models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "digits.keras").write_bytes((models / "digits.keras").read_bytes())
    monkeypatch.chdir(tmp_path)
    result = bench(*(["digits.keras"] if named else ["--models", "."]), "--no-keras", *more)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "nothing left to measure: " in result.stderr
    assert "--no-keras leaves them out" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["digits.keras"]


def test_without_keras_a_keras_file_cannot_be_measured(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "tensorflow" else find(name, *more)
    )
    result = bench(models / "digits.keras")
    assert result.exit_code == 2
    assert "Keras is not installed: pip install 'edgedigits[train]'" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [("--json", "--csv"), ("--csv", "--markdown"), ("--json", "--csv", "--markdown"), ("--rounds", "0"),
     ("--min-samples", "4"), ("--threads", "0")],
    ids=" ".join,
)  # fmt: skip
def test_wrong_usage_is_exit_status_2(arguments: tuple[str, ...], models: Path) -> None:
    result = CliRunner().invoke(cli, ["bench", str(models / "digits.onnx"), *arguments])
    assert result.exit_code == 2
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("name", "complaint"),
    [("digits.pt", "expected a file that ends in"), ("missing.onnx", "no such model file")],
)
def test_a_file_that_cannot_be_measured_is_one_line(name: str, complaint: str, tmp_path: Path) -> None:
    result = bench(tmp_path / name, "--quiet")
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("edgedigits: ")
    assert complaint in line


def test_an_empty_folder_is_one_line(tmp_path: Path) -> None:
    result = bench("--models", tmp_path, "--quiet")
    assert result.exit_code == 1
    assert "no model files in this folder" in result.stderr


@pytest.mark.parametrize(
    ("missing", "arguments", "purpose", "extra"),
    [("matplotlib", ("--plot", "plot.png"), "--plot", "train"), ("psutil", (), "measuring", "bench")],
    ids=["matplotlib", "psutil"],
)
def test_a_missing_extra_is_one_line_with_the_install(
    missing: str, arguments: tuple[str, ...], purpose: str, extra: str, models: Path
) -> None:
    command = [sys.executable, RUN_CLI, missing, "bench", models / "digits.onnx", *arguments, *QUICK]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"edgedigits: {purpose} needs an extra that is not installed: pip install 'edgedigits[{extra}]'\n"
    )


def test_a_model_of_another_tool_is_told_and_the_others_are_measured(models: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.onnx"
    theirs.write_bytes(b"\x08\x07\x3a\x03abc")  # a version, and a graph
    result = bench(theirs, models / "digits.int8.onnx", "--csv", "--quiet")
    assert result.exit_code == 1
    assert f"{theirs}: expected a file that `edgedigits export` wrote" in result.stderr
    assert "digits.int8.onnx," in result.stdout
    assert theirs.name not in result.stdout
    found = json.loads(bench(theirs, "--json", "--quiet").stdout)
    assert [left["file"] for left in found["left_out"]] == [theirs.name]
