import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgedigits.comparing.manifests import compare_manifests
from edgedigits.errors import ContractError, DatasetError, ModelFileError
from edgedigits.measuring.metrics import mcnemar_p

Change = Callable[[dict[str, Any]], None]


@pytest.fixture
def altered(shipped: Path, tmp_path: Path) -> Callable[[Change], Path]:
    """The manifest of the shipped networks, changed."""

    def write(change: Change) -> Path:
        manifest = json.loads((shipped / "manifest.json").read_text())
        change(manifest["networks"])
        (tmp_path / "manifest.json").write_text(json.dumps(manifest))
        return tmp_path / "manifest.json"

    return write


def losing(images: int) -> Change:
    """Let the int8 ONNX file read so many images fewer, as its manifest would say it."""

    def change(networks: dict[str, Any]) -> None:
        networks["digits"]["files"]["digits.int8.onnx"]["verification"]["correct"] -= images

    return change


@pytest.mark.parametrize(
    ("lost", "verdict"),
    [(0, "tied"), (5, "tied"), (20, "unknown"), (60, "worse"), (-10, "unknown"), (-59, "better")],
    ids=["nothing", "five", "twenty", "sixty", "ten gained", "all gained"],
)
def test_only_what_holds_for_all_answers_is_said(
    shipped: Path, altered: Callable[[Change], Path], lost: int, verdict: str
) -> None:
    found = compare_manifests(shipped / "manifest.json", altered(losing(lost)))
    by_file = {change.file: change for change in found.changes}
    change = by_file.pop("digits.int8.onnx")
    assert change.verdict == verdict
    assert change.difference.points == pytest.approx(-lost / 100)
    assert change.least_p_value == mcnemar_p(max(-lost, 0), max(lost, 0))
    # 59 mistakes of the shipped file: none of them is one of the new file, at the most.
    assert (change.difference.fixed, change.difference.broken) == (59, 59 + lost)
    assert {other.verdict for other in by_file.values()} == {"tied"}
    assert (found.missing, found.added) == ((), ())
    json.dumps(found.to_dict(), allow_nan=False)


def test_the_interval_is_that_of_the_least_alike_answers_there_can_be(
    shipped: Path, altered: Callable[[Change], Path]
) -> None:
    # So many mistakes that some have to be mistakes of both.
    found = compare_manifests(shipped / "manifest.json", altered(losing(9_930)))
    change = next(change for change in found.changes if change.file == "digits.int8.onnx")
    assert change.new.accuracy.correct == 11
    assert (change.difference.fixed, change.difference.broken) == (11, 9_941)


@pytest.mark.parametrize(
    ("lost", "outcome", "passes", "strictly"),
    [(0, "open", True, False), (-20, "pass", True, True), (90, "fail", False, False)],
    ids=["as good", "better", "worse"],
)
def test_the_gate_is_that_of_files(
    shipped: Path, altered: Callable[[Change], Path], lost: int, outcome: str, passes: bool, strictly: bool
) -> None:
    places = shipped / "manifest.json", altered(losing(lost))
    for is_strict, expected in ((False, passes), (True, strictly)):
        found = compare_manifests(*places, max_loss=0.15, is_strict=is_strict)
        change = next(change for change in found.changes if change.file == "digits.int8.onnx")
        assert change.judgement is not None
        assert (change.judgement.outcome, change.passed) == (outcome, expected)
        assert any("digits.int8.onnx" in line for line in found.failures()) is not expected


def other_images(networks: dict[str, Any]) -> None:
    networks["digits"]["training"]["dataset"]["test_sha256"] = "ab" * 32


def from_elsewhere(networks: dict[str, Any]) -> None:
    networks["digits"]["training"] = None


def of_another_name(networks: dict[str, Any]) -> None:
    networks["other"] = networks.pop("digits")


def fewer_images(networks: dict[str, Any]) -> None:
    networks["digits"]["files"]["digits.int8.onnx"]["verification"]["images"] = 9_999


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (
            other_images,
            DatasetError,
            r"of the same test images, found MNIST \(c3f9.*MNIST \(abab.*two model files",
        ),
        (from_elsewhere, DatasetError, "by which test images digits was judged"),
        (of_another_name, ContractError, r"found other.keras.*name two model files"),
        (fewer_images, DatasetError, "found 10,000 in the old manifest and 9,999 in the new one"),
        (dict.clear, ModelFileError, "none that knows a network"),
    ],
    ids=["other images", "no images", "another network", "fewer images", "no network"],
)
def test_what_cannot_be_compared_is_refused(
    shipped: Path, altered: Callable[[Change], Path], change: Change, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        compare_manifests(shipped / "manifest.json", altered(change))


def test_a_manifest_is_called_so_and_there(shipped: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"history\.json: expected a file called manifest\.json"):
        compare_manifests(shipped / "manifest.json", shipped / "history.json")
    with pytest.raises(ModelFileError, match="no manifest there"):
        compare_manifests(shipped / "manifest.json", tmp_path / "manifest.json")


def test_files_that_only_one_of_them_has_are_named(shipped: Path, altered: Callable[[Change], Path]) -> None:
    def change(networks: dict[str, Any]) -> None:
        files = networks["digits"]["files"]
        files["digits.new.onnx"] = files.pop("digits.int8.onnx")

    found = compare_manifests(shipped / "manifest.json", altered(change))
    assert (found.missing, found.added) == (("digits.int8.onnx",), ("digits.new.onnx",))


def test_costs_of_c_code_stand_side_by_side(shipped: Path, altered: Callable[[Change], Path]) -> None:
    def change(networks: dict[str, Any]) -> None:
        networks["digits"]["files"]["digits.c"]["firmware"][0]["ram"] += 4

    found = compare_manifests(shipped / "manifest.json", altered(change))
    costs = next(one for one in found.changes if one.file == "digits.c").costs
    assert costs[0].old is not None
    assert costs[0].new is not None
    assert (costs[0].cpu, costs[0].new.ram - costs[0].old.ram) == ("cortex-m0", 4)
    assert all(one.old == one.new for one in costs[1:])
