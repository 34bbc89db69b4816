"""Every part of the library that takes a path: whatever lies there, what comes is an error of ours."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgedigits import DigitPredictor
from edgedigits.artifacts.manifest import read_manifest
from edgedigits.cli.options import read_labels
from edgedigits.datasets.read import read_split
from edgedigits.errors import EdgeDigitsError
from edgedigits.measuring.reference import read_reference
from edgedigits.measuring.subjects import model_files
from edgedigits.reporting.report import render_report
from edgedigits.runtimes.opening import open_model
from edgedigits_export import load_inference_graph

PREDICTOR = DigitPredictor()
SUFFIXES = ("", ".onnx", ".ort", ".tflite", ".keras", ".c", ".tflm.c", ".html")
TAKE_A_PATH: dict[str, Callable[[Path], object]] = {
    "DigitPredictor": DigitPredictor,
    "predict": PREDICTOR.predict,
    **{
        f"open_model {suffix}": lambda path, suffix=suffix: open_model(path.with_name(path.name + suffix))
        for suffix in SUFFIXES
    },
    "read_manifest": lambda path: read_manifest(path / "inside"),
    "read_reference": read_reference,
    "read_reference, named": lambda path: read_reference(path, named=True),
    "read_split": lambda path: read_split(path, "test"),
    "read_split of an npz": lambda path: read_split(path.with_name(f"{path.name}.npz"), "train"),
    "read_split of another dataset": lambda path: read_split(path, "test", tuple("abcdefghij")),
    "model_files": model_files,
    "render_report": lambda path: render_report(path, "digits"),
    "load_inference_graph": load_inference_graph,
}
PLACES = {
    "nothing": "nothing",
    "a name that is too long": "n" * 300,
    "a path that is too long": "/".join(["n" * 200] * 30),
    "a null byte": "a\0b",
    "no text": os.fsdecode(b"\xff\xfe"),
    "a device": "/dev/zero",
    "a pipe": "pipe",
    "an empty folder": "folder",
    "below a file": "file/x",
    "a link to itself": "circle",
    "an empty file": "file",
}


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo("pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "circle").symlink_to("circle")
    yield
    assert sorted(path.name for path in tmp_path.iterdir()) == ["circle", "file", "folder", "pipe"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("taker", TAKE_A_PATH)
def test_whatever_lies_there_is_an_error_of_ours(taker: str, place: str, places: None) -> None:
    if taker == "read_manifest" and place in ("nothing", "no text", "an empty folder"):
        assert read_manifest(Path(PLACES[place], "inside")) == {"manifest_version": 1, "networks": {}}
        return
    with pytest.raises(EdgeDigitsError) as caught:
        TAKE_A_PATH[taker](Path(PLACES[place]))
    assert str(caught.value)


@pytest.mark.parametrize("place", PLACES)
def test_labels_come_from_a_file_or_are_names(place: str, places: None) -> None:
    import click

    with pytest.raises(click.BadParameter):
        read_labels(click.Context(click.Command("train")), click.Option(["--labels"]), PLACES[place])
