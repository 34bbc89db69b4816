import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgedigits.cli import cli
from edgedigits.datasets import mnist, places
from edgedigits.datasets.split import Split
from edgedigits.measuring.bench_result import BenchOptions

RUN_CLI = Path(__file__).parents[1] / "run_cli.py"


def report(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["report", *map(str, arguments)])


def test_the_page_goes_where_it_should_and_its_path_is_printed(models: Path, tmp_path: Path) -> None:
    page = tmp_path / "pages" / "page.html"
    result = report("--models", models, "--no-bench", "--out", page)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{page}\n"
    html = page.read_text(encoding="utf-8")
    assert html.startswith("<!doctype html>")
    assert "digits.int8.tflite" in html
    assert "Latency, throughput" not in html


def test_the_files_are_measured_unless_told_otherwise(
    models: Path, dataset: tuple[Split, Split], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if places.find() is None:
        monkeypatch.setattr(
            mnist, "find_or_download", lambda *_, **__: mnist.Source(Path("bundled"), "bundled")
        )
        monkeypatch.setattr(mnist, "read_split", lambda *_: dataset[1])
    # Shortly, and without Keras, whose processes take five seconds each.
    for name in ("manifest.json", "digits.onnx"):
        (tmp_path / name).write_bytes((models / name).read_bytes())
    # Neither the file that was judged, nor one of edgedigits: another ONNX file may be called anything.
    (tmp_path / "digits.int8.onnx").write_bytes((models / "digits.float16.onnx").read_bytes())
    monkeypatch.setattr(
        "edgedigits.measuring.bench_result.BenchOptions",
        lambda threads: BenchOptions(
            threads, min_seconds=0.01, min_samples=5, batch_seconds=0.0, rounds=1, cold_starts=1
        ),
    )
    result = report("--models", tmp_path, "--threads", "2", "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["report"] == str(tmp_path / "report.html")
    assert [row["name"] for row in found["bench"]["rows"]] == ["digits.onnx"]
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Latency, throughput, memory" in html
    assert "2 threads" in html
    assert f"{tmp_path / 'digits.int8.onnx'}: not measured: not the file that was judged" in result.stderr
    assert "digits.int8.onnx is not the file that was judged; " in html
    assert "take digits.onnx." in html


def test_a_network_that_is_not_there_is_one_line(models: Path, tmp_path: Path) -> None:
    result = report("--models", models, "--name", "other", "--no-bench", "--out", tmp_path / "page.html")
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert "no trained network 'other'" in line
    assert not (tmp_path / "page.html").exists()


def test_a_missing_extra_is_one_line_with_the_install(models: Path) -> None:
    command = [sys.executable, RUN_CLI, "jinja2", "report", "--models", models, "--no-bench"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "edgedigits: writing a report needs an extra that is not installed: pip install 'edgedigits[train]'\n"
    )
