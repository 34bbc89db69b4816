"""The small networks that come along: what they take on a chip, that they are found by name, and what they answer."""

import json
from pathlib import Path

import pytest

from edgedigits import DigitPredictor
from edgedigits.artifacts.manifest import file_receipt, read_manifest
from edgedigits.datasets.split import Split
from edgedigits.errors import ModelFileError, ModelNotFoundError
from edgedigits.file_names import sidecar_name
from edgedigits.measuring.reference import FILE_NAME, read_reference
from edgedigits.measuring.verify import verify_model
from edgedigits.reporting.model_card import render_model_card
from edgedigits.runtimes.c_compiler import find_compiler
from edgedigits.runtimes.opening import open_model
from edgedigits.shipped import TINY

FOLDER = Path(__file__).parent.parent / "models" / "tiny"
NETWORKS = read_manifest(FOLDER)["networks"]
FLASH = {"tiny-2k": 2_048, "tiny-4k": 4_096, "tiny-8k": 8_192, "tiny-16k": 16_384, "tiny-fast": 4_096}
PICTURES = Path(__file__).parent / "golden" / "pictures"


def test_every_small_network_is_there() -> None:
    assert sorted(NETWORKS) == sorted(TINY) == sorted(FLASH)


@pytest.mark.parametrize("name", TINY)
def test_what_the_manifest_says_of_its_files_is_so(name: str) -> None:
    entry = NETWORKS[name]
    kinds = {file.removeprefix(f"{name}.") for file in entry["files"]}
    assert kinds >= {"keras", "int8.onnx", "int8.tflite", "c", "h"}
    for file, said in entry["files"].items():
        receipt = file_receipt(FOLDER / file)
        assert {key: said[key] for key in receipt} == receipt
    card = (FOLDER / sidecar_name(name, "MODEL_CARD.md")).read_text(encoding="utf-8")
    assert card == render_model_card(name, entry)
    assert "/" not in json.dumps(entry).replace("/255", "")


@pytest.mark.parametrize("name", TINY)
def test_code_tables_and_weights_fit_the_flash_that_it_is_called_by(name: str) -> None:
    row = least_on_cortex_m0(name)
    assert row["flash"] == row["code"] + row["tables"] + row["parameters"] <= FLASH[name]


def test_one_takes_few_instructions_and_little_memory() -> None:
    row = least_on_cortex_m0("tiny-fast")
    assert row["instructions"] is not None
    assert row["instructions"] <= 300_000
    assert row["ram"] <= 1_024


def least_on_cortex_m0(name: str) -> dict[str, int]:
    """Return the row of the function that gives the digit alone."""
    (row,) = (
        row
        for row in NETWORKS[name]["files"][f"{name}.c"]["firmware"]
        if (row["cpu"], row["optimization"], row["entry"]) == ("cortex-m0", "-Os", "edgedigits_classify")
    )
    return dict(row)


@pytest.mark.parametrize("name", TINY)
def test_a_predictor_finds_it_by_its_name(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    predictor = DigitPredictor(name)
    assert predictor.model == FOLDER / f"{name}.int8.onnx"
    assert predictor.predict(PICTURES / "0-paint.png").digit == 0
    # A file of that name is meant where there is one.
    (tmp_path / name).write_bytes(b"no model")
    with pytest.raises(ModelFileError, match=name):
        DigitPredictor(name)


def test_a_small_network_that_is_missing_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("edgedigits.shipped.__file__", str(tmp_path / "edgedigits" / "shipped.py"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelNotFoundError, match="reinstall edgedigits, or name a model file"):
        DigitPredictor("tiny-4k")


@pytest.mark.mnist
@pytest.mark.parametrize("name", TINY)
def test_all_its_files_answer_as_the_manifest_says(name: str, mnist_test: Split) -> None:
    reference = read_reference(FOLDER / sidecar_name(name, FILE_NAME))
    kinds = ("int8.onnx", "int8.tflite", *(("c",) if find_compiler() else ()))
    for file in (f"{name}.{kind}" for kind in kinds):
        verification = verify_model(open_model(FOLDER / file), mnist_test, reference)
        assert verification.failures == ()
        said = NETWORKS[name]["files"][file]["verification"]["correct"]
        assert abs(verification.accuracy.correct - said) <= 2
