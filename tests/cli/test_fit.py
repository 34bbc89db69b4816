import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from edgedigits.cli import cli
from edgedigits.datasets import mnist
from edgedigits.datasets.split import Split

SHORT = ("--flash", "2500", "--kind", "dense", "--candidates", "2", "--epochs", "2", "--validation", "100")


@pytest.fixture(autouse=True)
def data(dataset: tuple[Split, Split], monkeypatch: pytest.MonkeyPatch) -> None:
    """The first 600 images to train on and 200 to test with: of MNIST, or of the bundled digits."""
    train, test = dataset
    splits = {
        "train": Split.of(train.dataset, train.images[:600], train.labels[:600]),
        "test": Split.of(test.dataset, test.images[:200], test.labels[:200]),
    }
    monkeypatch.setattr(mnist, "find_or_download", lambda *_, **__: mnist.Source(Path("bundled"), "bundled"))
    monkeypatch.setattr(mnist, "read_split", lambda _, part: splits[part])


@pytest.fixture(autouse=True)
def threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command sets these for its process, which is ours."""
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "1")
    monkeypatch.setenv("TF_NUM_INTEROP_THREADS", "1")


def run(command: str, *arguments: object) -> Result:
    return CliRunner().invoke(cli, [command, *map(str, arguments)])


def test_it_prints_what_was_found_and_the_command_makes_the_same_network(tmp_path):
    result = run("fit", *SHORT, "--out", tmp_path / "found", "--name", "tiny")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("networks within 2,500 bytes of flash")
    assert len(re.findall(r"^crop2-meanpool-dense", result.stdout, re.MULTILINE)) == 2
    assert "rung 1 of 1, networks: 2, epochs: 2" in result.stderr
    command = re.search(
        r"^again: TF_NUM_INTRAOP_THREADS=1 (edgedigits train .*)$", result.stdout, re.MULTILINE
    )
    words = shlex.split(command[1])[1:]
    words[words.index("--out") + 1] = str(tmp_path / "again")
    again = run(*words)
    assert again.exit_code == 0, again.stderr
    (weights,) = set(re.findall("weights sha256 [0-9a-f]{64}", result.stdout))
    assert weights in again.stdout


def test_another_dataset_is_named_in_the_command_that_trains_again(dataset, tmp_path):
    train, test = dataset
    np.savez(
        tmp_path / "few.npz",
        x_train=train.images[:600],
        y_train=train.labels[:600],
        x_test=test.images[:200],
        y_test=test.labels[:200],
    )
    names = "zero,one,two,three,four,five,six,seven,eight,number nine"
    where = ("--data", tmp_path / "few.npz", "--labels", names)
    result = run(
        "fit", *SHORT, "--candidates", "1", "--epochs", "1", *where, "--out", tmp_path / "found", "--quiet"
    )
    assert result.exit_code == 0, result.stderr
    assert f"--data {tmp_path / 'few.npz'} --labels '{names}'" in result.stdout
    assert "9 number nine" in result.stdout


def test_as_json_it_is_one_document(tmp_path):
    result = run("fit", *SHORT, "--ram", "1K", "--seed", "3", "--out", tmp_path, "--json", "--quiet")
    assert (result.exit_code, result.stderr) == (0, "")
    fields = json.loads(result.stdout)
    assert fields["search"] == {
        "budget": {"flash": 2500, "ram": 1024, "instructions": None},
        "kind": "dense",
        "candidates": 2,
        "epochs": 2,
        "validation": 100,
        "seed": 3,
    }
    assert len(fields["found"]) == 2
    assert fields["chosen"] in fields["found"]
    assert fields["training"]["recipe"]["arch"] == fields["chosen"]["arch"]
    assert (tmp_path / "digits.keras").exists()
    assert (tmp_path / "pareto.json").exists()


def test_without_a_cross_compiler_it_is_said_once_that_sizes_are_modelled(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    result = run("fit", *SHORT, "--out", tmp_path / "found")
    assert result.exit_code == 0, result.stderr
    assert (
        result.stderr.count("flash and RAM are modelled, not measured: apt-get install gcc-arm-none-eabi")
        == 1
    )
    assert "bytes of flash (modelled)" in result.stdout
    assert json.loads((tmp_path / "found/pareto.json").read_text())["flash"] == "modelled"


def test_an_accuracy_that_is_not_reached_is_a_failure_with_everything_written(tmp_path):
    result = run("fit", *SHORT, "--min-accuracy", "100", "--out", tmp_path, "--quiet")
    assert result.exit_code == 1
    assert re.search(
        r"expected a validation accuracy of at least 100 %, got [0-9.]+ % from the best network found",
        result.stderr,
    )
    assert "networks within" in result.stdout
    assert (tmp_path / "digits.keras").exists()
    assert (tmp_path / "pareto.md").exists()


@pytest.mark.parametrize(
    ("options", "least"), [(("--flash", "300"), "flash"), (("--flash", "4K", "--ram", "10"), "ram")]
)
def test_a_budget_that_nothing_fits_says_what_the_least_is(options, least, tmp_path):
    result = run("fit", *options, "--validation", "100", "--out", tmp_path, "--quiet")
    assert (result.exit_code, result.stdout) == (1, "")
    assert re.search(rf"^edgedigits: {least}: expected at least [0-9,]+", result.stderr)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--flash", "4 KiB"),
        ("--flash", "0"),
        ("--flash", "4K", "--instructions", "many"),
        ("--flash", "4K", "--min-accuracy", "101"),
        ("--flash", "4K", "--kind", "conv"),
        ("--flash", "4K", "--candidates", "0"),
        ("--flash", "4K", "--name", "a/b"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_status_2(options):
    result = run("fit", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Error: " in result.stderr
