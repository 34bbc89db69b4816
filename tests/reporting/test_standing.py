"""Whether the files of a folder are those that the manifest says were judged."""

from collections.abc import Callable
from pathlib import Path

import pytest
from report_kinds import changed, measurement

from edgedigits.artifacts.manifest import read_manifest
from edgedigits.reporting.standing import Standing, changed_files, find_standings, reference_correct


def standings(folder: Path, result=None) -> dict[str, Standing]:
    found = find_standings(folder, read_manifest(folder)["networks"]["digits"], result)
    return {each.name: each for each in found}


def rewrite(path: Path) -> None:
    """Put another file in its place: the folder's files are links to those of a fixture."""
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def test_files_as_they_were_exported_pass(models: Path) -> None:
    found = standings(models)
    assert len(found) == 13
    assert {each.state for each in found.values()} == {"passes"}
    assert list(found)[:2] == ["digits.tflite", "digits.float16.tflite"]
    assert {each.precision for each in found.values()} == {"float32", "float16", "dynamic", "int8"}
    assert all(each.gate_was_widened for each in found.values())  # by the fixture
    test = read_manifest(models)["networks"]["digits"]["training"]["results"]["test"]
    assert reference_correct(list(found.values())) == (test["correct"], test["images"])


@pytest.mark.parametrize(
    ("harm", "state", "why"),
    [
        (Path.unlink, "missing", "not in the folder"),
        (rewrite, "changed", "not the file that was judged"),
    ],
    ids=["gone", "a bit"],
)
def test_a_file_that_is_another_one_does_not_pass(
    harm: Callable[[Path], None], state: str, why: str, models: Path, tmp_path: Path
) -> None:
    folder = changed(models, tmp_path / "models")
    harm(folder / "digits.onnx")
    found = standings(folder)
    assert (found["digits.onnx"].state, found["digits.onnx"].why) == (state, why)
    assert {each.state for name, each in found.items() if name != "digits.onnx"} == {"passes"}
    expected = {folder / "digits.onnx": why} if state == "changed" else {}
    assert changed_files(folder, "digits") == expected
    assert changed_files(folder, "other") == {}


def test_a_file_of_an_earlier_training_does_not_pass(models: Path, tmp_path: Path) -> None:
    def train_again(entry) -> None:
        entry["training"]["weights_sha256"] = "0" * 64

    folder = changed(models, tmp_path / "models", train_again)
    assert {each.state for each in standings(folder).values()} == {"outdated"}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            {"passed": False, "difference_points": -7.25, "max_drop_points": 0.2},
            "accuracy differs by -7.25 points, allowed are 0.20",
        ),
        (
            {
                "passed": False,
                "difference_points": 0.0,
                "agreement_percent": 91.5,
                "largest_probability_difference": 0.75,
            },
            "its answers are not the network's: 91.50 % agree, and a probability differs by 0.75",
        ),
    ],
    ids=["accuracy", "answers"],
)
def test_a_file_that_failed_says_by_what(change: dict, why: str, models: Path, tmp_path: Path) -> None:
    folder = changed(
        models,
        tmp_path / "models",
        lambda entry: entry["files"]["digits.onnx"]["verification"].update(change),
    )
    found = standings(folder)["digits.onnx"]
    assert (found.state, found.why) == ("fails", why)


def test_a_file_that_reads_worse_on_this_machine_fails(models: Path) -> None:
    images = read_manifest(models)["networks"]["digits"]["training"]["results"]["test"]["images"]
    found = standings(models, measurement({"digits.onnx": 7.0, "digits.ort": 7.0}, images // 2, images))
    assert found["digits.onnx"].state == found["digits.ort"].state == "fails"
    assert "points on this machine, allowed are 5.00" in found["digits.onnx"].why
    assert found["digits.tflite"].state == "passes"
    # Of other images nothing can be told.
    others = standings(models, measurement({"digits.onnx": 7.0}, 5, 10))
    assert others["digits.onnx"].state == "passes"


@pytest.mark.parametrize("name", ["../digits.onnx", "a\0.onnx", "sub/digits.onnx"])
def test_what_lies_elsewhere_is_not_looked_at(name: str, models: Path, tmp_path: Path) -> None:
    def move(entry) -> None:
        entry["files"][name] = entry["files"].pop("digits.onnx")

    folder = changed(models, tmp_path / "models", move)
    (tmp_path / "digits.onnx").write_bytes((models / "digits.onnx").read_bytes())
    assert standings(folder)[name].state == "missing"
