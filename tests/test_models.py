"""The shipped files are what they say they are."""

import json
from pathlib import Path

import pytest

from edgedigits.artifacts.manifest import file_receipt, read_manifest
from edgedigits.artifacts.records import Network
from edgedigits.datasets.split import Split
from edgedigits.measuring.reference import read_reference
from edgedigits.measuring.subjects import model_files
from edgedigits.measuring.verify import verify_model
from edgedigits.reporting.model_card import render_model_card
from edgedigits.runtimes.c_compiler import find_compiler
from edgedigits.runtimes.opening import open_model
from edgedigits.shipped import default_model

FOLDER = Path(__file__).parent.parent / "models"
ENTRY = read_manifest(FOLDER)["networks"]["digits"]
HANDS = FOLDER / "hands"
"""The network that a predictor takes where none is named."""
HANDS_ENTRY = read_manifest(HANDS)["networks"]["digits"]
EXPORTED = sorted(file for file, receipt in ENTRY["files"].items() if "verification" in receipt)


def test_all_formats_are_shipped() -> None:
    found = {path.name for path in model_files(FOLDER)}
    # Without a C compiler, C files are not among those that can be opened.
    assert {*EXPORTED, "digits.keras"} - found == (set() if find_compiler() else {"digits.c"})
    assert len(EXPORTED) == 12


@pytest.mark.parametrize(
    ("folder", "file"),
    [
        *((FOLDER, file) for file in sorted(ENTRY["files"])),
        *((HANDS, file) for file in sorted(HANDS_ENTRY["files"])),
    ],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_manifest_has_the_hash_of(folder: Path, file: str) -> None:
    entry, receipt = read_manifest(folder)["networks"]["digits"], file_receipt(folder / file)
    assert {key: entry["files"][file][key] for key in receipt} == receipt


@pytest.mark.parametrize(
    ("folder", "entry"), [(FOLDER, ENTRY), (HANDS, HANDS_ENTRY)], ids=["digits", "hands"]
)
def test_model_card_says_what_the_manifest_says(folder: Path, entry: Network) -> None:
    assert (folder / "MODEL_CARD.md").read_text(encoding="utf-8") == render_model_card("digits", entry)


@pytest.mark.parametrize("entry", [ENTRY, HANDS_ENTRY], ids=["digits", "hands"])
def test_no_timestamp_and_no_path_of_the_machine_in_the_manifest(entry: Network) -> None:
    text = json.dumps(entry)
    assert "/" not in text.replace("/255", "")


def test_the_default_model_is_that_of_other_hands() -> None:
    assert default_model().read_bytes() == (HANDS / "digits.int8.onnx").read_bytes()


def test_the_default_model_is_small_and_lost_nothing() -> None:
    receipt = HANDS_ENTRY["files"]["digits.int8.onnx"]
    assert receipt["bytes"] <= 128 * 1_024
    assert receipt["verification"]["passed"]
    assert receipt["verification"]["difference_points"] >= -0.03
    assert receipt["sure"]["right"] >= 0.999 * receipt["sure"]["answered"]


def test_the_int8_file_passed_its_gate_and_is_no_worse_than_the_float_file() -> None:
    found, other = (ENTRY["files"][f"digits{infix}.onnx"]["verification"] for infix in (".int8", ""))
    assert found["passed"]
    assert found["correct"] >= other["correct"] - 3  # 0.03 points: what benchmarks/quantization.py allows
    assert found["agreement_percent"] >= 99.8


def test_calibration_of_the_shipped_files_was_stable() -> None:
    for file in ("digits.int8.tflite", "digits.int8.onnx", "digits.int8.ort"):
        assert ENTRY["files"][file]["quantization"]["second_draw"]["stable"]


def test_the_shipped_int8_onnx_file_is_small() -> None:
    assert ENTRY["files"]["digits.int8.onnx"]["bytes"] <= 108_000


@pytest.mark.mnist
@pytest.mark.parametrize("file", [*EXPORTED, "hands/digits.int8.onnx"])
def test_shipped_file_passes_its_gate_as_the_manifest_says(file: str, mnist_test: Split) -> None:
    path = FOLDER / file
    verification = verify_model(open_model(path), mnist_test, read_reference(path.parent / "reference.npz"))
    assert verification.failures == ()
    # Another processor sums in another order: an image at the very edge may fall to the other side.
    receipt = read_manifest(path.parent)["networks"]["digits"]["files"][path.name]
    measured = receipt["verification"]["correct"]
    assert abs(verification.accuracy.correct - measured) <= 2
