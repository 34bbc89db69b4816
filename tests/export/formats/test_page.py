"""Exported pages: what is in place, what the manifest and the commands say of it, and who makes one."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edgedigits.artifacts.manifest import read_manifest, training_of, was_taught_numbers, write_manifest
from edgedigits.cli import cli
from edgedigits.measuring.subjects import model_files
from edgedigits.model_files.page_file import read_page
from edgedigits.runtimes.opening import open_model
from edgedigits.training.drawn import draw_digits
from edgedigits_export import ExportOptions, export_model, select_targets


def test_the_page_is_of_the_integers_of_the_tflite_file(models: Path) -> None:
    images = draw_digits(200, np.random.default_rng(2))[0]
    page, tflite = (open_model(models / name) for name in ("digits.html", "digits.int8.tflite"))
    assert page.metadata.sure == tflite.metadata.sure
    assert page.metadata.accuracy == tflite.metadata.accuracy
    np.testing.assert_allclose(page.probabilities(images), tflite.probabilities(images), atol=2 / 256)
    files = read_manifest(models)["networks"]["digits"]["files"]
    assert files["digits.html"]["format"] == "page"
    assert files["digits.html"]["verification"]["passed"]
    assert {"digits.mjs", "digits.d.mts"} < set(files)


def test_a_page_has_to_be_named(models: Path) -> None:
    assert models / "digits.html" not in model_files(models)
    shown = CliRunner().invoke(cli, ["info", str(models / "digits.html")])
    assert shown.exit_code == 0, shown.output
    assert "wasmtime" in shown.stdout


def made_when(file: Path) -> tuple[int, int]:
    """Return what a file that is written or replaced has another of; that it was read changes nothing of it."""
    found = file.stat()
    return found.st_ino, found.st_mtime_ns


def test_a_page_that_is_there_is_not_made_again(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("click.launch", opened.append)
    before = made_when(models / "digits.html")
    done = CliRunner().invoke(cli, ["page", "--models", str(models), "--open"])
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [str(models / "digits.html")]
    assert opened == [(models / "digits.html").as_uri()]
    assert made_when(models / "digits.html") == before


def test_a_page_of_a_network_before_is_made_again(models: Path, dataset, tmp_path: Path) -> None:
    for name in ("digits.keras", "digits.html", "manifest.json"):
        shutil.copyfile(models / name, tmp_path / name)
    manifest = read_manifest(tmp_path)
    manifest["networks"]["digits"]["training"]["weights_sha256"] = "0" * 64
    write_manifest(tmp_path, manifest)
    (tmp_path / "data").mkdir()
    asked = CliRunner().invoke(
        cli, ["page", "--models", str(tmp_path), "--data", str(tmp_path / "data"), "-q"]
    )
    # It is exported anew, and for that the data are asked for, of which there are none.
    assert asked.exit_code == 1
    assert "data" in asked.output


def test_without_a_network_there_is_no_page(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["page", "--models", str(tmp_path), "-q"])
    assert done.exit_code == 1
    assert "digits.keras" in done.output


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node here: apt-get install nodejs")
def test_the_module_reads_in_node_as_the_page_does(models: Path, tmp_path: Path) -> None:
    images = draw_digits(20, np.random.default_rng(4))[0]
    (tmp_path / "images").write_bytes(images.tobytes())
    (tmp_path / "digits.mjs").write_bytes((models / "digits.mjs").read_bytes())
    (tmp_path / "read.mjs").write_text(
        'import { readFileSync } from "node:fs"; import { read } from "./digits.mjs";'
        'console.log(JSON.stringify(await read(new Uint8Array(readFileSync("images")))));'
    )
    ran = subprocess.run(["node", "read.mjs"], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    expected = open_model(models / "digits.html").probabilities(images)
    assert [answer["probabilities"] for answer in found] == expected.tolist()
    assert [answer["digit"] for answer in found] == expected.argmax(axis=1).tolist()


def taught_numbers(models: Path, folder: Path) -> None:
    """Copy a network with its page, and say that it was taught to read numbers."""
    for name in ("digits.keras", "digits.html", "manifest.json"):
        shutil.copyfile(models / name, folder / name)
    manifest = read_manifest(folder)
    training = training_of(manifest, "digits")
    assert training is not None
    assert not was_taught_numbers(training)
    training["arguments"]["candidates"] = 100
    assert was_taught_numbers(training)
    write_manifest(folder, manifest)


def test_a_page_from_before_there_were_pages_of_numbers_is_made_again(models: Path, tmp_path: Path) -> None:
    taught_numbers(models, tmp_path)
    (tmp_path / "data").mkdir()
    asked = CliRunner().invoke(
        cli, ["page", "--models", str(tmp_path), "--data", str(tmp_path / "data"), "-q"]
    )
    assert asked.exit_code == 1
    assert "data" in asked.stderr


def test_a_network_that_was_taught_numbers_gets_a_page_that_reads_them(
    models: Path, dataset, tmp_path: Path
) -> None:
    taught_numbers(models, tmp_path)
    exported, failed = export_model(
        tmp_path / "digits.keras",
        select_targets("page", None),
        *dataset,
        options=ExportOptions(calibration_size=200, max_drop=5.0, force=True),
    )
    assert failed == []
    assert [file.path.name for file in exported] == ["digits.html"]
    assert read_page(tmp_path / "digits.html").reads_numbers
    assert not read_page(models / "digits.html").reads_numbers
    assert "export function readNumbers" in (tmp_path / "digits.mjs").read_text()
    assert "export function readNumbers" in (tmp_path / "digits.d.mts").read_text()


def test_classes_of_another_kind_are_no_numbers(models: Path) -> None:
    training = training_of(read_manifest(models), "digits")
    assert training is not None
    training["arguments"]["candidates"] = 100
    training["dataset"]["labels"] = [f"sign {letter}" for letter in "abcdefghij"]
    assert not was_taught_numbers(training)
    assert not was_taught_numbers(None)
