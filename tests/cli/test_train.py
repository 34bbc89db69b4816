import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgedigits.artifacts.manifest import read_manifest
from edgedigits.cli import cli
from edgedigits.datasets import mnist
from edgedigits.datasets.split import Split
from edgedigits.networks.build import load_network
from edgedigits.reporting.model_card import render_model_card
from edgedigits.reporting.report import render_markdown

RUN_CLI = Path(__file__).parents[1] / "run_cli.py"
SHORT = ("--arch", "6", "--epochs", "2", "--batch-size", "100", "--validation", "100")


@pytest.fixture(autouse=True)
def data(dataset: tuple[Split, Split], monkeypatch: pytest.MonkeyPatch) -> tuple[Split, Split]:
    """The first 600 images to train on and 200 to test with: of MNIST, or of the bundled digits."""
    train, test = dataset
    splits = {
        "train": Split.of(train.dataset, train.images[:600], train.labels[:600]),
        "test": Split.of(test.dataset, test.images[:200], test.labels[:200]),
    }
    monkeypatch.setattr(mnist, "find_or_download", lambda *_, **__: mnist.Source(Path("bundled"), "bundled"))
    monkeypatch.setattr(mnist, "read_split", lambda _, part: splits[part])
    return splits["train"], splits["test"]


def train(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["train", *map(str, arguments)])


def test_scores_go_to_standard_output_and_progress_to_standard_error(tmp_path: Path) -> None:
    result = train(*SHORT, "--out", tmp_path)
    assert result.exit_code == 0, result.stderr
    first, header, rule, *classes, _, _, _, scaling, last = [
        line for line in result.stdout.splitlines() if line
    ]
    assert first.startswith(f"{tmp_path / 'digits.keras'}: test accuracy ")
    assert "(n = 200)" in first
    assert header.split() == ["class", "images", "precision", "recall", "f1"]
    assert [line.split()[0] for line in classes] == list("0123456789")
    training = read_manifest(tmp_path)["networks"]["digits"]["training"]
    assert set(rule) == {"-"}
    assert last == f"weights sha256 {training['weights_sha256']}"
    error = training["results"]["expected_calibration_error"]["test"]
    assert scaling == (
        f"temperature {training['results']['temperature']:.3f}; expected calibration error on the test images "
        f"{error['after']:.4f}, before {error['before']:.4f}"
    )
    epochs = [line for line in result.stderr.splitlines() if line.startswith("epoch ")]
    assert [line.split()[1] for line in epochs] == ["1/2", "2/2"]
    assert all(word in epochs[0] for word in ("loss ", " %  validation ", " s"))
    assert result.stderr.endswith(f"next: edgedigits export --format all --models {tmp_path}\n")


def test_every_option_stands_in_the_manifest(tmp_path: Path) -> None:
    result = train(
        "--arch", "17-5-3", "--epochs", "1", "--batch-size", "50", "--learning-rate", "0.01",
        "--loss", "categorical_crossentropy", "--validation", "60", "--seed", "42", "--drawn", "30",
        "--non-digits", "20", "--candidates", "40", "--spoilt", "0.2", "--warp-stages", "1-0.25",
        "--out", tmp_path, "--name", "small", "--json", "--quiet",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    fields = json.loads(result.stdout)
    arguments = {
        "arch": [17, 5, 3], "epochs": 1, "batch_size": 50, "learning_rate": 0.01,
        "loss": "categorical_crossentropy", "validation": 60, "seed": 42, "drawn": 30,
        "non_digits": 20, "candidates": 40, "spoilt": 0.2, "warp_stages": [1.0, 0.25],
    }  # fmt: skip
    training = read_manifest(tmp_path)["networks"]["small"]["training"]
    assert fields["recipe"].items() >= arguments.items()
    assert training["arguments"].items() >= arguments.items()
    assert fields["path"] == str(tmp_path / "small.keras")
    assert fields["weights_sha256"] == training["weights_sha256"]
    for key in ("temperature", "expected_calibration_error"):
        assert fields[key] == training["results"][key]
    assert load_network(tmp_path / "small.keras")[1].arch == "17-5-3"
    assert [epoch["epoch"] for epoch in fields["history"]] == [1]
    markdown = render_markdown(tmp_path, "small")
    for plot in ("drawn", "non_digits", "candidates"):
        assert (tmp_path / "plots" / f"small.{plot}.png").read_bytes().startswith(b"\x89PNG")
        assert f"plots/small.{plot}.png" in markdown
    card = render_model_card("small", read_manifest(tmp_path)["networks"]["small"])
    assert "30 digits drawn from strokes" in card
    assert "20 letters, signs, scribbles and textures" in card
    assert "40 candidates cut out of written lines" in card
    assert "a share of 0.2 of all spoilt by specks, blur, lines and others" in card


def test_exported_files_of_the_previous_network_are_named(tmp_path: Path) -> None:
    train(*SHORT, "--out", tmp_path, "--quiet")
    exported = CliRunner().invoke(cli, ["export", "--format", "onnx", "--models", str(tmp_path), "--quiet"])
    assert exported.exit_code == 0, exported.stderr
    result = train(*SHORT, "--out", tmp_path, "--seed", "1", "--quiet")
    assert "edgedigits: digits.onnx hold the previous network: export again" in result.stderr


def test_resume_with_other_arguments_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("edgedigits.training.train.write_results", lambda *_: 1 / 0)
        train(*SHORT, "--out", tmp_path)
    assert (tmp_path / "checkpoint.npz").exists()
    result = train(*SHORT, "--seed", "3", "--resume", "--out", tmp_path, "--quiet")
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert "the interrupted run had other arguments (seed 0 / 3)" in line


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--arch", "128,32"), "expected widths from 1 to 16384 like 128-32"),
        (("--arch", "0"), "expected widths"),
        (("--arch", ""), "expected widths"),
        (("--epochs", "0"), "--epochs"),
        (("--batch-size", "0"), "--batch-size"),
        (("--learning-rate", "0"), "--learning-rate"),
        (("--loss", "mse"), "--loss"),
        (("--validation", "9"), "--validation"),
        (("--seed", "-1"), "--seed"),
        (("--drawn", "-1"), "--drawn"),
        (("--drawn", "500001"), "--drawn"),
        (("--drawn", "many"), "--drawn"),
        (("--warp-stages", "1-half"), "expected numbers from 0 to 1 with dashes between"),
        (("--warp-stages", "1-1.5"), "expected numbers from 0 to 1 with dashes between"),
        (("--warp-stages", ""), "expected numbers from 0 to 1 with dashes between"),
        (("--non-digits", "-1"), "--non-digits"),
        (("--spoilt", "1.1"), "--spoilt"),
        (("--spoilt", "nan"), "--spoilt"),
        (("--non-digits", "500001"), "--non-digits"),
        (("--name", ""), "expected the stem of a file name like digits, got ''"),
        (("--name", "sub/digits"), "expected the stem of a file name"),
        (("--name", "../digits"), "expected the stem of a file name"),
        (("--name", ".."), "expected the stem of a file name"),
        (("--name", "digits.int8"), "expected the stem of a file name"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_usage_is_exit_status_2(arguments: tuple[str, ...], complaint: str, tmp_path: Path) -> None:
    result = train(*arguments, "--out", tmp_path)
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert not list(tmp_path.iterdir())


def test_too_many_validation_images_are_one_line(tmp_path: Path) -> None:
    result = train("--validation", "600", "--out", tmp_path, "--quiet")
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("edgedigits: 600 validation images cannot be held out of 600")


def test_a_missing_extra_is_one_line_with_the_install(tmp_path: Path) -> None:
    command = [sys.executable, RUN_CLI, "tensorflow,keras", "train", *SHORT, "--out", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "edgedigits: training needs an extra that is not installed: pip install 'edgedigits[train]'\n"
    )
    assert not list(tmp_path.iterdir())
