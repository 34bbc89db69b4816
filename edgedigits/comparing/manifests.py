"""Compares what two manifests say of the files that both have: without running any, and so without their answers.

A manifest knows how many images a file reads right, and not which. How many are fixed and broken is bounded by that:
at least as many as the counts differ by, and at most as many as if no image were a mistake of both. What holds at both
bounds holds; all else cannot be said.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgedigits.artifacts.manifest import MANIFEST_NAME, read_manifest, recorded_test_accuracy
from edgedigits.artifacts.records import File, Network
from edgedigits.comparing import paired
from edgedigits.comparing.costs import cost_changes
from edgedigits.comparing.judgement import Judgement, judge
from edgedigits.comparing.result import CostChange
from edgedigits.errors import ContractError, DatasetError, ModelFileError
from edgedigits.file_names import file_name
from edgedigits.measuring import metrics


@dataclass(frozen=True)
class Record:
    """What a manifest says of one file."""

    accuracy: metrics.Accuracy
    expected_calibration_error: float | None
    """None where it says nothing of it."""
    bytes: int | None


@dataclass(frozen=True)
class RecordChange:
    """What two manifests say of a file that both have."""

    network: str
    file: str
    old: Record
    new: Record
    difference: paired.Difference
    """As far as it can be: as if no image were a mistake of both, so that its interval is the widest."""
    least_p_value: float
    """Were the answers as alike as they can be. The largest is that of ``difference``."""
    costs: tuple[CostChange, ...]
    judgement: Judgement | None

    @property
    def passed(self) -> bool:
        """Whether the gate lets the new file through; without one it does."""
        return self.judgement is None or self.judgement.passed

    @property
    def verdict(self) -> str:
        """``better``, ``worse`` or ``tied`` whichever images are changed, else ``unknown``."""
        if self.difference.is_significant:
            return "better" if self.difference.points > 0 else "worse"
        return "tied" if self.least_p_value >= paired.SIGNIFICANT else "unknown"


@dataclass(frozen=True)
class ManifestComparison:
    """Two manifests, file by file."""

    old: str
    new: str
    dataset: str
    test_sha256: str
    changes: tuple[RecordChange, ...]
    missing: tuple[str, ...]
    """Files that only the old manifest has results of."""
    added: tuple[str, ...]
    """Files that only the new manifest has results of."""

    @property
    def passed(self) -> bool:
        """Whether the gate lets all files through."""
        return all(change.passed for change in self.changes)

    @property
    def name(self) -> str:
        """What it is called in a list of comparisons."""
        return f"{self.old} -> {self.new}"

    def failures(self) -> list[str]:
        """Say which files the gate does not let through, and why."""
        return [f"{change.file}: {change.judgement}" for change in self.changes if not change.passed]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        fields = dataclasses.asdict(self)
        for change, entry in zip(self.changes, fields["changes"], strict=True):
            entry |= {"verdict": change.verdict, "passed": change.passed}
        return {**fields, "passed": self.passed}


def compare_manifests(
    old: Path, new: Path, *, max_loss: float | None = None, is_strict: bool = False
) -> ManifestComparison:
    """Compare what two manifests say.

    Args:
        old: ``manifest.json`` of one folder.
        new: of another.
        max_loss: points of accuracy that each file may lose; None for no gate.
        is_strict: whether each file has to be proven to have lost no more.

    Raises:
        ModelFileError: one is no manifest, or says nothing of any network.
        DatasetError: they tell of different test images, or of images that they do not name.
        ContractError: no file has results in both.
    """
    networks = [_networks(path) for path in (old, new)]
    dataset, sha256 = _same_test_images((old, networks[0]), (new, networks[1]))
    before, after = (
        {key: entry for name in of for key, entry in _records(name, of[name])} for of in networks
    )
    both = [key for key in before if key in after]
    if not both:
        raise ContractError(
            new, f"results of a file that {old} has results of", ", ".join(name for _, name in after) or "none",
            "name two model files to compare those of different names",
        )  # fmt: skip
    return ManifestComparison(
        old=str(old),
        new=str(new),
        dataset=dataset,
        test_sha256=sha256,
        changes=tuple(
            _change(*key, before[key], after[key], max_loss=max_loss, is_strict=is_strict) for key in both
        ),
        missing=tuple(name for network, name in before if (network, name) not in after),
        added=tuple(name for network, name in after if (network, name) not in before),
    )


_Networks = dict[str, Network]
_Entry = tuple[Record, File]


def _networks(path: Path) -> _Networks:
    if path.name != MANIFEST_NAME:
        raise ModelFileError(path, f"expected a file called {MANIFEST_NAME}", "name that of a models folder")
    networks = read_manifest(path.parent)["networks"]
    if not networks:
        raise ModelFileError(path, "no manifest there, or none that knows a network", "name another")
    return networks


def _same_test_images(*manifests: tuple[Path, _Networks]) -> tuple[str, str]:
    """Return name and sha256 of the test images that all networks were judged by."""
    found: dict[str, tuple[Path, str]] = {}
    for path, networks in manifests:
        for name, network in networks.items():
            if network["training"] is None:
                raise DatasetError(
                    f"{path}: expected to be told by which test images {name} was judged, found nothing, for it was "
                    "not trained here; name two model files"
                )
            dataset = network["training"]["dataset"]
            found.setdefault(dataset["test_sha256"], (path, dataset["name"]))
    if len(found) > 1:
        told = ", ".join(f"{name} ({sha256[:12]}…) in {path}" for sha256, (path, name) in found.items())
        raise DatasetError(
            f"expected results of the same test images, found {told}; name two model files, and --data"
        )
    ((sha256, (_, name)),) = found.items()
    return name, sha256


def _records(name: str, network: Network) -> list[tuple[tuple[str, str], _Entry]]:
    """Return what there are results of: the network itself, and the files that were verified."""
    entries: list[tuple[tuple[str, str], _Entry]] = []
    if (training := network["training"]) is not None:
        keras: File = network["files"].get(file_name(name, "keras"), {})
        test = recorded_test_accuracy(network, training["weights_sha256"], training["dataset"]["test_sha256"])
        if test is not None:
            entries.append(
                (
                    (name, file_name(name, "keras")),
                    (_record(test["correct"], test["images"], None, keras), keras),
                )
            )
    for file, entry in network["files"].items():
        if "verification" in entry:
            found = entry["verification"]
            record = _record(
                found["correct"], found["images"], found.get("expected_calibration_error"), entry
            )
            entries.append(((name, file), (record, entry)))
    return entries


def _record(correct: int, images: int, error: float | None, file: File) -> Record:
    low, high = metrics.wilson_interval(correct, images)
    return Record(metrics.Accuracy(correct, images, low, high), error, file.get("bytes"))


def _change(
    network: str, file: str, old: _Entry, new: _Entry, *, max_loss: float | None, is_strict: bool
) -> RecordChange:
    (before, old_file), (after, new_file) = old, new
    images = before.accuracy.images
    if after.accuracy.images != images:
        raise DatasetError(
            f"{file}: expected results of the same images, found {images:,} in the old manifest and "
            f"{after.accuracy.images:,} in the new one; name two model files"
        )
    gained = after.accuracy.correct - before.accuracy.correct
    # No image is a mistake of both, as far as there are images enough for that.
    fixed = min(images - before.accuracy.correct, after.accuracy.correct)
    widest = paired.difference(images, fixed, fixed - gained)
    return RecordChange(
        network=network,
        file=file,
        old=before,
        new=after,
        difference=widest,
        least_p_value=metrics.mcnemar_p(max(gained, 0), max(-gained, 0)),
        costs=cost_changes(old_file, new_file),
        judgement=None if max_loss is None else judge(widest, max_loss, is_strict=is_strict),
    )
