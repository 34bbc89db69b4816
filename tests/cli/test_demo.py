import json
import shutil
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from edgedigits.artifacts.manifest import read_manifest
from edgedigits.cli import cli
from edgedigits.cli import demo as demo_module
from edgedigits.datasets import download
from edgedigits.datasets.places import Source
from edgedigits.file_names import DEFAULT_NAME, file_name
from edgedigits.runtimes.c_compiler import find_compiler
from edgedigits.runtimes.opening import open_model
from edgedigits_export import select_targets

OFFLINE = "scikit-learn digits (not MNIST)"
NOBODY_LISTENS = "http://127.0.0.1:9/"
EXPORTED = tuple(
    file_name(DEFAULT_NAME, target.format, target.precision) for target in select_targets("all", None)
)


def demo(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["demo", *map(str, arguments)])


def hide_mnist(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """As on a machine without MNIST and without a network."""
    patch.delenv("EDGEDIGITS_DATA", raising=False)
    patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    patch.setenv("KERAS_HOME", str(folder / "keras"))
    patch.setattr(
        download.download,
        "__kwdefaults__",
        {**download.download.__kwdefaults__, "mirrors": (NOBODY_LISTENS,)},
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def offline(folder: Path) -> Result:
    """The demo without MNIST, once for all tests; measured as shortly as can be."""
    with pytest.MonkeyPatch.context() as patch:
        hide_mnist(patch, folder)
        patch.setattr(demo_module, "BENCH_SECONDS", 0.02)
        patch.setattr(demo_module, "BENCH_ROUNDS", 1)
        patch.setattr("edgedigits.measuring.bench.BATCHES", (1, 64))
        return demo("--out", folder / "out")


def test_the_whole_way_succeeds(offline: Result) -> None:
    assert offline.exit_code == 0, offline.output
    steps = [
        "in 6 steps", "1 of 6. Train", "2 of 6. Export", "3 of 6. Verify", "4 of 6. Measure", "5 of 6. Predict",
        "6 of 6. Write", "Done in ", "Report: ",
    ]  # fmt: skip
    positions = [offline.stdout.index(step) for step in steps]
    assert positions == sorted(positions)


@pytest.mark.stress
def test_as_json_it_is_one_document_and_the_report_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hide_mnist(monkeypatch, tmp_path)
    monkeypatch.setattr(demo_module, "BENCH_SECONDS", 0.02)
    opened: list[str] = []
    monkeypatch.setattr(click, "launch", opened.append)
    result = demo("--out", tmp_path / "out", "--json", "--open")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["dataset"] == OFFLINE
    assert found["report"] == str(tmp_path / "out" / "report.html")
    assert opened == [Path(found["report"]).resolve().as_uri()]
    assert [Path(file["path"]).name for file in found["exported"]] == list(EXPORTED)
    assert found["failed"] == []
    assert len(found["pictures"]) == 10
    assert found["seconds"] > 0


def test_the_first_line_names_the_data(offline: Result) -> None:
    first = offline.stdout.splitlines()[0]
    assert first == f"Data: {OFFLINE}: no figure below says anything about MNIST, which could not be had"
    assert "MNIST could not be downloaded from http://127.0.0.1:9/ (cannot be reached)" in offline.stderr
    assert "three ways out" in offline.stderr


def test_every_table_names_the_data(offline: Result) -> None:
    lines = [line.strip() for line in offline.stdout.splitlines()]
    headers = [index for index, line in enumerate(lines) if line.startswith("file ")]
    assert len(headers) == 2
    for index in headers:
        title = next(line for line in reversed(lines[:index]) if line)
        assert title.startswith(OFFLINE)
    assert f"1 of 6. Train on {OFFLINE}" in lines


def test_every_format_is_verified_and_measured(offline: Result, folder: Path) -> None:
    for name in EXPORTED:
        # Verified, and measured; C files only where there is a compiler, and pages where they are named.
        is_measured = not name.endswith(".html") and (find_compiler() or not name.endswith(".c"))
        times = 2 if is_measured else 1
        assert offline.stdout.count(f"{name} ") >= times
        assert open_model(folder / "out" / name).metadata.accuracy.dataset == OFFLINE
    assert offline.stdout.count(" pass") == len(EXPORTED)
    assert f"\nPage to draw digits on: {(folder / 'out' / 'digits.html').resolve()}\n" in offline.stdout
    assert "digits.keras predict" in offline.stdout
    assert "digits.keras model(x)" in offline.stdout


def test_pictures_are_predicted_from_their_files(offline: Result, folder: Path) -> None:
    pictures = sorted((folder / "out" / "pictures").glob("*.png"))
    assert [path.name for path in pictures] == [f"{digit}.png" for digit in range(10)]
    answers = [
        line.rpartition(": ")[2][0]
        for line in offline.stdout.splitlines()
        if line.startswith(f"{folder / 'out' / 'pictures'}")
    ]
    assert len(answers) == 10
    # Dark digits on a light sheet, off the centre: a reader that took them as they are would be at 1 of 10.
    assert sum(answer == str(digit) for digit, answer in enumerate(answers)) >= 8
    with Image.open(pictures[0]) as picture:
        assert picture.size == (240, 200)


def test_the_report_says_which_data(offline: Result, folder: Path) -> None:
    page = folder / "out" / "report.html"
    assert offline.stdout.splitlines()[-1] == f"Report: {page.resolve()}"
    html = page.read_text(encoding="utf-8")
    assert f"Trained and tested on {OFFLINE}. No figure on this page says anything about MNIST." in html
    assert "7.png" in html
    assert OFFLINE in (folder / "out" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert read_manifest(folder / "out")["networks"][DEFAULT_NAME]["training"]["dataset"]["name"] == OFFLINE


def test_nothing_was_left_of_the_download(offline: Result, folder: Path) -> None:
    assert not [path for path in (folder / "cache" / "edgedigits" / "mnist").rglob("*") if path.is_file()]


@pytest.mark.parametrize("how", ["EDGEDIGITS_DATA", "--data"])
def test_a_place_that_was_named_is_never_passed_over(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hide_mnist(monkeypatch, tmp_path)
    wrong = tmp_path / "nothing"
    if how == "--data":
        result = demo("--out", tmp_path / "out", "--data", wrong)
    else:
        monkeypatch.setenv("EDGEDIGITS_DATA", str(wrong))
        result = demo("--out", tmp_path / "out")
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"edgedigits: {wrong} ({how}): expected a folder with train-images-idx3-ubyte" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.mnist
def test_a_damaged_mnist_is_never_passed_over(
    mnist_source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not mnist_source.path.is_dir():
        pytest.skip("MNIST is not here as four files")
    hide_mnist(monkeypatch, tmp_path)
    for path in mnist_source.path.iterdir():
        if "idx" in path.name:
            shutil.copy(path, tmp_path)
    labels = next(tmp_path.glob("train-labels-idx1-ubyte*"))
    labels.write_bytes(labels.read_bytes()[:-100])
    result = demo("--out", tmp_path / "out", "--data", tmp_path)
    assert result.exit_code == 1
    assert "train-labels-idx1-ubyte" in result.stderr.splitlines()[-1]
    assert OFFLINE not in result.output
