import gzip
import io
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from edgedigits.cli import cli
from edgedigits.datasets import mnist_files
from edgedigits.datasets.places import Source
from edgedigits.datasets.split import Split

pytestmark = pytest.mark.mnist


@pytest.fixture(autouse=True)
def _nowhere_else(mnist_source: Source, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user whose only MNIST is the one that a test names."""
    monkeypatch.delenv("EDGEDIGITS_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))


def data(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["data", *map(str, arguments)])


@pytest.fixture
def unpacked(mnist_source: Source, mnist_test: Split, mnist_train: Split, tmp_path: Path) -> Path:
    """A folder of the four files that a test may damage, unpacked because that is quick to write."""
    folder = tmp_path / "mnist"
    folder.mkdir()
    for part, split in (("train", mnist_train), ("test", mnist_test)):
        for file, array in zip(mnist_files.FILES[part], (split.images, split.labels), strict=True):
            (folder / file.name).write_bytes(file.header + array.tobytes())
    return folder


def test_mnist_is_found_checked_and_counted(mnist_source):
    result = data("--data", mnist_source.path)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        f"MNIST: {mnist_source.path} (--data)",
        "  train  60,000 images of 28x28, every sha256 as published",
        "  test   10,000 images of 28x28, every sha256 as published",
    ]
    assert not result.stderr


def test_json_tells_the_same(mnist_source, mnist_train, mnist_test, monkeypatch):
    monkeypatch.setenv("EDGEDIGITS_DATA", str(mnist_source.path))
    result = data("--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {
        "dataset": "MNIST",
        "path": str(mnist_source.path),
        "origin": "EDGEDIGITS_DATA",
        "images": {"train": 60_000, "test": 10_000},
        "sha256": {"train": mnist_train.sha256, "test": mnist_test.sha256},
    }


def test_a_damaged_file_is_named_and_the_status_is_1(unpacked):
    path = unpacked / mnist_files.FILES["test"][1].name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    result = data("--data", unpacked)
    assert result.exit_code == 1
    assert not result.stdout
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"edgedigits: {path}: expected content with sha256 ")


def test_swapped_files_are_named(unpacked):
    train, test = (unpacked / mnist_files.FILES[part][1].name for part in ("train", "test"))
    content = gzip.compress(test.read_bytes(), compresslevel=1)
    train.unlink()
    train.with_name(f"{train.name}.gz").write_bytes(content)
    result = data("--data", unpacked)
    assert result.exit_code == 1
    assert f"{train}.gz: expected 60,000 IDX labels, found 10,000 IDX labels" in result.stderr


# Samples


def picture(path: Path) -> np.ndarray:
    with Image.open(io.BytesIO(path.read_bytes())) as sheet:
        assert sheet.format == "PNG"
        return np.asarray(sheet.convert("L"))


@pytest.mark.parametrize("part", ["train", "test"])
def test_show_draws_ten_of_each_digit(part, mnist_source, tmp_path):
    out = tmp_path / "new folder" / "samples.png"
    result = data("--data", mnist_source.path, "show", "--part", part, "--out", out)
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{out}\n", "")
    sheet = picture(out)
    assert sheet.shape[0] > 10 * 84
    assert sheet.shape[1] > 10 * 84
    # Digits are white on black, the paper around them is white.
    assert 0.1 < (sheet < 50).mean() < 0.9
    found = json.loads(
        data("--data", mnist_source.path, "show", "--part", part, "--out", out, "--json").stdout
    )
    assert found == {"picture": str(out), "dataset": "MNIST", "part": part, "seed": 0}


def test_another_seed_draws_other_samples(mnist_source, tmp_path):
    pictures = []
    for name, seed in (("one.png", 0), ("same.png", 0), ("other.png", 1)):
        out = tmp_path / name
        shown = data("--data", mnist_source.path, "show", "--part", "test", "--out", out, "--seed", seed)
        assert shown.exit_code == 0, shown.output
        pictures.append(out.read_bytes())
    one, same, other = pictures
    assert one == same != other


def test_a_picture_that_cannot_be_written_is_told(mnist_source, tmp_path):
    (tmp_path / "file.txt").write_text("mine")
    out = tmp_path / "file.txt" / "samples.png"
    result = data("--data", mnist_source.path, "show", "--part", "test", "--out", out)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"edgedigits: {tmp_path / 'file.txt'}: cannot be written to (")
    assert len(result.stderr.splitlines()) == 1


def test_a_folder_is_no_place_for_a_picture(mnist_source, tmp_path):
    (tmp_path / "samples.png").mkdir()
    result = data("--data", mnist_source.path, "show", "--out", tmp_path / "samples.png")
    assert result.exit_code == 2
    assert "is a directory" in result.stderr
