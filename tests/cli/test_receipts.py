import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from edgedigits.cli import cli
from edgedigits.datasets.places import Source
from edgedigits.datasets.split import Split

RUN_CLI = Path(__file__).parents[1] / "run_cli.py"
MODELS = Path(__file__).parents[2] / "models"
SHORT = ("--arch", "6", "--epochs", "1", "--batch-size", "100", "--validation", "100", "--quiet")


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, list(map(str, words)))


def checked(receipt: Path, *words: str | Path) -> dict[str, object]:
    """What `verify --receipt` finds."""
    result = run("verify", "--receipt", receipt, "--json", *words)
    found = json.loads(result.stdout)
    assert result.exit_code == bool(found["failures"])
    return found


def names(receipt: Path, part: str) -> list[str]:
    statement = json.loads(receipt.read_text())
    return [named["name"] for named in (statement if part == "subject" else statement["predicate"])[part]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A network with all that it is judged by."""
    for name in ("digits.onnx", "digits.int8.onnx", "manifest.json", "reference.npz"):
        shutil.copy(MODELS / name, tmp_path)
    return tmp_path


@pytest.mark.mnist
def test_a_verification_leaves_a_receipt_that_verify_checks(folder: Path, mnist_source: Source) -> None:
    receipt = folder / "verify.json"
    result = run("verify", folder / "digits.onnx", "--receipt", receipt, "-q")
    assert (result.exit_code, result.stderr) == (0, f"receipt: {receipt}\n")
    assert names(receipt, "subject") == ["digits.onnx"]
    assert names(receipt, "inputs") == ["manifest.json", "reference.npz"]
    predicate = json.loads(receipt.read_text())["predicate"]
    assert (predicate["command"], predicate["results"][0]["passed"]) == ("edgedigits verify", True)
    assert predicate["options"]["files"] == [str(folder / "digits.onnx")]
    plain = run("verify", "--receipt", receipt)
    assert plain.exit_code == 0
    assert plain.stdout.splitlines()[:2] == [
        f"{receipt}: whole, of `edgedigits verify`", "  digits.onnx: as the receipt says",
    ]  # fmt: skip
    with (folder / "manifest.json").open("a") as file:
        file.write(" ")
    changed = run("verify", "--receipt", receipt)
    assert changed.exit_code == 1
    assert changed.stderr.startswith(
        f"edgedigits: {folder}/manifest.json: is not what the receipt is about: expected"
    )


@pytest.mark.mnist
def test_what_compares_leaves_a_receipt_as_well(folder: Path, mnist_source: Source) -> None:
    old, new, receipt = folder / "digits.onnx", folder / "digits.int8.onnx", folder / "receipt.json"
    assert run("diff", old, new, "-q", "--no-latency", "--receipt", receipt).exit_code == 0
    assert names(receipt, "subject") == ["digits.int8.onnx"]
    assert names(receipt, "inputs") == ["digits.onnx", "manifest.json", "reference.npz"]
    assert checked(receipt)["failures"] == []
    brief = ("--min-seconds", "0", "--min-samples", "5", "--rounds", "1", "--cold-starts", "1")
    assert run("bench", old, new, "-q", *brief, "--receipt", receipt).exit_code == 0
    assert names(receipt, "subject") == ["digits.onnx", "digits.int8.onnx"]
    assert checked(receipt)["failures"] == []
    new.write_bytes(old.read_bytes())
    assert len(checked(receipt)["failures"]) == 1


def test_tables_and_datasets_leave_receipts(tmp_path: Path, dataset: tuple[Split, Split]) -> None:
    source = tmp_path / "pictures.npy"
    np.save(source, dataset[1].images[:50])
    receipt = tmp_path / "score.json"
    assert run("score", source, "--out", tmp_path / "read", "-q", "--receipt", receipt).exit_code == 0
    assert (names(receipt, "subject"), names(receipt, "inputs")) == (["read"], ["pictures.npy"])
    assert checked(receipt)["failures"] == []
    (table,) = (tmp_path / "read").glob("part-*")
    table.write_bytes(table.read_bytes()[:-1])
    assert len(checked(receipt)["failures"]) == 1
    receipt = tmp_path / "convert.json"
    assert (
        run("data", "convert", source, "--out", tmp_path / "x.npz", "-q", "--receipt", receipt).exit_code == 0
    )
    assert (names(receipt, "subject"), names(receipt, "inputs")) == (["x.npz"], ["pictures.npy"])
    assert json.loads(receipt.read_text())["predicate"]["command"] == "edgedigits data convert"
    assert checked(receipt)["failures"] == []


def test_a_network_leaves_receipts_from_training_to_its_page(tmp_path: Path) -> None:
    models, out = tmp_path / "models", ("--models", str(tmp_path / "models"))
    words = (
        *("train", *SHORT, "--out", models, "--receipt", models / "train.json"),
        *(
            "&&",
            "export",
            "--format",
            "page",
            "--max-drop",
            "100",
            "-q",
            *out,
            "--receipt",
            models / "export.json",
        ),
        *("&&", "page", *out, "--receipt", models / "page.json"),
        *("&&", "report", "--no-bench", "-q", *out, "--receipt", models / "report.json"),
    )
    done = subprocess.run([sys.executable, RUN_CLI, "-", *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {"manifest.json", "digits.keras", "reference.npz"} <= set(names(models / "train.json", "subject"))
    assert {"manifest.json", "digits.html"} <= set(names(models / "export.json", "subject"))
    assert names(models / "export.json", "inputs") == ["digits.keras"]
    assert names(models / "page.json", "subject") == ["digits.html"]
    printed = CliRunner().invoke(cli, ["page", *out, "--json"]).stdout
    assert json.loads(printed) == {"page": str(models / "digits.html"), "exported": False, "failures": []}
    assert names(models / "report.json", "subject") == ["report.html"]
    for name in ("export", "page", "report"):
        assert checked(models / f"{name}.json")["failures"] == []
    # What training wrote of the manifest has been written over since.
    (failure,) = checked(models / "train.json")["failures"]
    assert "manifest.json: is not what the receipt is about" in str(failure)


def test_a_place_that_cannot_be_written_is_found_before_anything_is_done(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    result = run("verify", folder / "digits.onnx", "--receipt", folder / "pipe")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "is a pipe and would be replaced; name a file" in result.stderr


def test_a_source_that_went_away_is_told_and_the_rest_is_done(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    shutil.copy(MODELS / "plots" / "curves.png", tmp_path / "images")
    (tmp_path / "images" / "gone.txt").symlink_to(tmp_path / "nowhere")
    receipt = tmp_path / "score.json"
    result = run("score", tmp_path / "images", "--out", tmp_path / "read", "-q", "--receipt", receipt)
    assert result.exit_code == 1
    assert result.stderr.endswith("gone.txt cannot be read (No such file or directory); all else is done\n")
    assert list((tmp_path / "read").glob("part-*"))
    assert not receipt.exists()


def test_every_command_that_makes_something_leaves_a_receipt() -> None:
    for words in (
        "train",
        "fit",
        "export",
        "verify",
        "bench",
        "diff",
        "score",
        "page",
        "report",
        "data convert",
    ):
        assert "--receipt" in run(*words.split(), "--help").stdout, words


def test_what_is_no_receipt_is_refused(folder: Path) -> None:
    result = run("verify", "--receipt", folder / "manifest.json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert (
        "no whole receipt (receipt: expected _type, predicate, predicateType, subject, found none)"
        in result.stderr
    )
