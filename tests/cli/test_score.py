"""``edgedigits score``: what it prints, and how it ends."""

import gzip
import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from edgedigits.cli import cli
from edgedigits.margins import lead_in_steps

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "models" / "digits.int8.onnx"
PICTURES = ROOT / "tests" / "golden" / "pictures"


def score(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["score", *map(str, arguments), "--model", str(MODEL)])


@pytest.fixture
def array(dataset, tmp_path: Path) -> Path:
    np.save(tmp_path / "digits.npy", dataset[1].images[:300])
    return tmp_path / "digits.npy"


def test_it_says_what_it_reads_how_and_what_became_of_it(array: Path, tmp_path: Path) -> None:
    out = tmp_path / "read"
    result = score(array, PICTURES, "--out", out)
    assert result.exit_code == 0
    count = len(list(PICTURES.iterdir()))
    assert result.stderr.splitlines() == [
        f"{array}: 300 pictures, 28x28 arrays, read as they are",
        f"{PICTURES}: {count} pictures, brought into MNIST form",
    ]
    first, second = result.stdout.splitlines()
    assert first.startswith(f"{out}: {300 + count} pictures in 1 files; ")
    assert first.endswith(" a second")
    sure = sum(row["sure"] for row in pq.read_table(out).to_pylist())
    assert second == f"{300 + count} read, {sure} of them sure; 0 could not be read"
    again = score(array, PICTURES, "--out", out)
    assert again.exit_code == 0
    assert again.stdout.splitlines()[0] == (
        f"{out}: {300 + count} pictures in 1 files, 1 of them done before; nothing to do"
    )


def test_the_rows_are_what_predict_says(tmp_path: Path) -> None:
    lines = ["--columns", "key,digit,confidence,margin,margin_steps,sure,probabilities", "--format", "jsonl"]
    assert score(PICTURES, "--out", tmp_path / "out", *lines).exit_code == 0
    rows = [json.loads(line) for line in (tmp_path / "out" / "part-00000.jsonl").read_text().splitlines()]
    predicted = CliRunner().invoke(cli, ["predict", "--json", "--model", str(MODEL), str(PICTURES)])
    for row, other in zip(rows, json.loads(predicted.stdout), strict=True):
        assert other["picture"] == f"{PICTURES}/{row['key']}"
        assert {name: other[name] for name in row if name != "key"} == {
            name: value for name, value in row.items() if name != "key"
        }
        assert row["margin_steps"] == lead_in_steps(row["probabilities"])


def test_json_says_the_same_for_programs(array: Path, tmp_path: Path) -> None:
    result = score(array, "--out", tmp_path / "read", "--json", "--quiet", "--min-margin", "0")
    assert (result.exit_code, result.stderr) == (0, "")
    said = json.loads(result.stdout)
    assert said.pop("seconds") > 0
    assert said == {
        "out": str(tmp_path / "read"),
        "complete": True,
        "pictures": 300,
        "rows": 300,
        "errors": 0,
        "sure": 300,
        "files": 1,
        "files_done_before": 0,
        "damaged": [],
        "failed": [],
    }


def test_probabilities_are_a_column_more(array: Path, tmp_path: Path) -> None:
    assert score(array, "--out", tmp_path / "a", "--probabilities").exit_code == 0
    assert score(array, "--out", tmp_path / "b", "--columns", "key, probabilities").exit_code == 0
    table = pq.read_table(tmp_path / "a")
    assert table.schema.names[-1] == "probabilities"
    assert pq.read_table(tmp_path / "b").to_pydict() == table.select(["key", "probabilities"]).to_pydict()


def test_an_unreadable_picture_is_no_failure_unless_that_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "in" / "blank.png")
    (tmp_path / "in" / "no.png").write_bytes(b"no picture")
    result = score(tmp_path / "in", "--out", tmp_path / "out")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1] == "0 read, 0 of them sure; 2 could not be read"
    result = score(tmp_path / "in", "--out", tmp_path / "other", "--fail-fast")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith(f"edgedigits: {tmp_path / 'in'}: blank.png: ")


@pytest.mark.parametrize("quiet", [[], ["--quiet"]], ids=["told", "quiet"])
def test_a_damaged_source_is_one_line_and_status_1(quiet: list[str], array: Path, tmp_path: Path) -> None:
    images = np.load(array)
    content = gzip.compress(struct.pack(">4I", 0x803, *images.shape) + images.tobytes())
    damaged = tmp_path / "a-images-idx3-ubyte.gz"
    damaged.write_bytes(content[: len(content) // 2])
    result = score(damaged, array, "--out", tmp_path / "out", "--batch", 50, *quiet)
    assert result.exit_code == 1
    lines = [line for line in result.stderr.splitlines() if "cannot be read" in line]
    assert len(lines) == 1
    assert str(damaged) in lines[0]
    rows = pq.read_table(tmp_path / "out").to_pylist()
    assert len(rows) == 600
    assert 0 < sum(row["error"] is None for row in rows[:300]) < 300
    assert all(row["error"] is None for row in rows[300:])
    again = score(damaged, array, "--out", tmp_path / "out", "--batch", 50)
    assert again.exit_code == 1


def test_another_run_in_the_folder_is_one_line_and_restart_begins_anew(array: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert score(array, "--out", out).exit_code == 0
    result = score(array, "--out", out, "--format", "csv")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        f"edgedigits: {out}: holds the table of another run: table parquet, not csv; choose another folder, or begin "
        "again with --restart"
    )
    assert score(array, "--out", out, "--format", "csv", "--restart").exit_code == 0
    assert [path.name for path in out.glob("part-*")] == ["part-00000.csv"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--as-is", "--prepare"], "choose one"),
        (["--columns", "digit,speed"], "expected names out of source, key, digit"),
        (["--dask", "tcp://h:8786", "--workers", "2"], "how many a cluster has is the cluster's"),
        (["--min-margin", "257"], "expected steps of 1/256"),
    ],
)
def test_words_that_do_not_go_together_are_wrong_usage(words, said, array: Path, tmp_path: Path) -> None:
    result = score(array, "--out", tmp_path / "out", *words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_source_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    result = score(tmp_path / "none.npy", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"edgedigits: {tmp_path}/none.npy: nothing there")


def without(modules: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
    """Run ``edgedigits score`` as if some modules were not installed."""
    command = [sys.executable, ROOT / "tests" / "run_cli.py", modules, "score", *arguments]
    return subprocess.run([str(word) for word in command], capture_output=True, text=True)


@pytest.mark.parametrize(
    ("missing", "words", "said"),
    [
        ("pyarrow", [], "this command needs an extra that is not installed: pip install 'edgedigits[score]'"),
        (
            "dask",
            ["--dask=local"],
            "--dask needs an extra that is not installed: pip install 'edgedigits[dask]'",
        ),
    ],
)
def test_what_is_not_installed_is_told_with_its_extra(
    missing, words, said, array: Path, tmp_path: Path
) -> None:
    child = without(missing, array, "--out", tmp_path / "out", *words)
    assert child.returncode == 1
    assert child.stderr.splitlines()[-1] == f"edgedigits: {said}"


def test_without_the_progress_bars_of_another_extra_it_runs_all_the_same(array: Path, tmp_path: Path) -> None:
    child = without("rich,psutil,dask,pandas", array, "--out", tmp_path / "out")
    assert child.returncode == 0, child.stderr
    assert pq.read_table(tmp_path / "out").num_rows == 300
