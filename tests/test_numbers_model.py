"""The network that reads numbers is what it says it is."""

from pathlib import Path

import pytest

from edgedigits.artifacts.manifest import file_receipt, read_manifest
from edgedigits.datasets.split import Split
from edgedigits.measuring.reference import read_reference
from edgedigits.measuring.verify import verify_model
from edgedigits.reporting.model_card import render_model_card
from edgedigits.runtimes.opening import open_model
from edgedigits.shipped import NUMBERS, named_model

FOLDER = Path(__file__).parent.parent / "models" / NUMBERS
ENTRY = read_manifest(FOLDER)["networks"][NUMBERS]
FILE = f"{NUMBERS}.int8.onnx"


@pytest.mark.parametrize("file", sorted(ENTRY["files"]))
def test_manifest_has_the_hash_of(file: str) -> None:
    receipt = file_receipt(FOLDER / file)
    assert {key: ENTRY["files"][file][key] for key in receipt} == receipt


def test_it_is_found_by_its_name() -> None:
    assert named_model(Path(NUMBERS)).read_bytes() == (FOLDER / FILE).read_bytes()


def test_it_is_small_was_taught_candidates_and_lost_nothing() -> None:
    receipt = ENTRY["files"][FILE]
    assert receipt["bytes"] <= 192 * 1_024
    assert ENTRY["training"]["arguments"]["candidates"] > 0
    assert receipt["verification"]["passed"]
    assert receipt["verification"]["difference_points"] >= -0.03


def test_model_card_says_what_the_manifest_says() -> None:
    (card,) = FOLDER.glob("*MODEL_CARD.md")
    assert card.read_text(encoding="utf-8") == render_model_card(NUMBERS, ENTRY)


@pytest.mark.mnist
def test_it_passes_its_gate_as_the_manifest_says(mnist_test: Split) -> None:
    reference = read_reference(FOLDER / f"{NUMBERS}.reference.npz")
    verification = verify_model(open_model(FOLDER / FILE), mnist_test, reference)
    assert verification.failures == ()
    measured = ENTRY["files"][FILE]["verification"]["correct"]
    # Another processor sums in another order: an image at the very edge may fall to the other side.
    assert abs(verification.accuracy.correct - measured) <= 2
