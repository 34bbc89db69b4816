"""How each exported file of a network stands: what the gate said, and whether it is still the file that was judged.

The manifest has what the gate found. The folder may have changed since: a file may be gone, another one, or made from
a network that was trained anew. And where the files were measured, they may read worse on this machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgedigits.artifacts.hashes import sha256_file
from edgedigits.artifacts.manifest import read_manifest
from edgedigits.artifacts.records import File, Network, Verification
from edgedigits.file_names import file_name
from edgedigits.format_table import FORMATS, GATES, PRECISIONS, Format, Precision, format_of
from edgedigits.measuring.bench_result import BenchResult, BenchRow
from edgedigits.measuring.metrics import Accuracy

State = Literal["passes", "fails", "changed", "missing", "outdated"]

GATE_WORDS: dict[State, str] = {
    "passes": "pass",
    "fails": "FAIL",
    "changed": "changed",
    "missing": "missing",
    "outdated": "outdated",
}
"""What tables show."""


@dataclass(frozen=True)
class Standing:
    """An exported file, and whether it may be taken."""

    name: str
    receipt: File
    """Its entry in the manifest, with all that ``CompleteFile`` asks for."""
    state: State
    why: str
    """Why it may not be taken; empty where it passes."""
    row: BenchRow | None
    """What was measured of it; None without a measurement."""

    @property
    def verification(self) -> Verification:
        """What the gate found when it was exported."""
        return self.receipt["verification"]

    @property
    def passes(self) -> bool:
        """Whether it may be taken."""
        return self.state == "passes"

    @property
    def format(self) -> Format | None:
        """The row of the format that its name tells; None for a name that tells none."""
        return format_of(Path(self.name))

    @property
    def precision(self) -> Precision:
        """What the manifest says of its numbers; the first releases named it in the file alone."""
        said = self.receipt.get("precision")
        if said in PRECISIONS:
            return said
        return next((each for each in PRECISIONS if f".{each}." in self.name), "float32")

    @property
    def accuracy(self) -> Accuracy:
        """Of the test images, as the gate counted them."""
        verification = self.verification
        low, high = verification["interval_percent"]
        return Accuracy(verification["correct"], verification["images"], low, high)

    @property
    def gate_was_widened(self) -> bool:
        """Whether it was judged by a larger loss than its precision allows: ``export --max-drop``."""
        row, precision = self.format, self.precision
        gate = GATES[precision] if row is None else row.gates.get(precision, GATES[precision])
        return self.verification["max_drop_points"] > gate.max_drop


def find_standings(folder: Path, network: Network, result: BenchResult | None) -> tuple[Standing, ...]:
    """Look at every exported file of a network, in the order of the table of formats.

    Args:
        folder: where they are.
        network: its entry in the manifest, complete.
        result: what was measured of them; None where nothing was.
    """
    training = network["training"]
    weights = None if training is None else training["weights_sha256"]
    rows = {} if result is None else {row.name: row for row in result.rows}
    found = []
    for name, receipt in network["files"].items():
        if "verification" in receipt:
            state, why = _state(folder, name, receipt, weights, rows.get(name))
            found.append(Standing(name, receipt, state, why, rows.get(name)))
    return tuple(sorted(found, key=_order))


def missing_files(name: str, standings: Sequence[Standing]) -> tuple[str, ...]:
    """Return the files that ``export --format all`` makes of most networks and that were never judged here.

    They were not asked for, the network has layers that they cannot hold, or their gate dropped them: the manifest
    keeps nothing of a file that was not written.
    """
    judged = {standing.name for standing in standings}
    possible = [
        file_name(name, row.name, precision)
        for row in FORMATS.values()
        if row.exporter is not None and row.is_listed
        for precision in row.gates
    ]
    return tuple(file for file in possible if file not in judged)


def changed_files(folder: Path, name: str) -> dict[Path, str]:
    """Return the files of a network that are not those that were judged, and why; see ``find_standings``.

    Raises:
        ModelFileError: the folder's manifest cannot be read.
    """
    entry = read_manifest(folder)["networks"].get(name)
    standings = () if entry is None else find_standings(folder, entry, None)
    return {folder / each.name: each.why for each in standings if each.state == "changed"}


def reference_correct(standings: Sequence[Standing]) -> tuple[int, int] | None:
    """Return how many test images the network itself reads right, and of how many; None where no file tells."""
    for standing in standings:
        verification = standing.verification
        correct = verification["correct"] - verification["fixed"] + verification["broken"]
        if 0 <= correct <= verification["images"]:
            return correct, verification["images"]
    return None


def _order(standing: Standing) -> tuple[int, int, str]:
    formats = list(FORMATS)
    place = len(formats) if standing.format is None else formats.index(standing.format.name)
    return place, PRECISIONS.index(standing.precision), standing.name


def _state(
    folder: Path, name: str, receipt: File, weights: str | None, row: BenchRow | None
) -> tuple[State, str]:
    verification = receipt["verification"]
    if not verification["passed"]:
        return "fails", _failure(verification)
    if weights is not None and receipt.get("weights_sha256", weights) != weights:
        return "outdated", "made from an earlier network of this name"
    there = _sha256(folder, name)
    if there is None:
        return "missing", "not in the folder"
    if there != receipt.get("sha256"):
        return "changed", "not the file that was judged"
    lost = 0.0 if row is None else _lost_here(verification, row)
    if lost > _bound(verification):
        return "fails", f"loses {lost:.2f} points on this machine, allowed are {_bound(verification):.2f}"
    return "passes", ""


def _failure(verification: Verification) -> str:
    """Say by what a file failed, as far as the manifest keeps it."""
    if abs(difference := verification["difference_points"]) > _bound(verification):
        return (
            f"accuracy differs by {difference:+.2f} points, allowed are {verification['max_drop_points']:.2f}"
        )
    return (
        f"its answers are not the network's: {verification['agreement_percent']:.2f} % agree, and a probability "
        f"differs by {verification['largest_probability_difference']:.2g}"
    )


def _bound(verification: Verification) -> float:
    """Points that may be lost: one image at least, as the gate has it."""
    return max(verification["max_drop_points"], 100.0 / verification["images"]) + 1e-9


def _lost_here(verification: Verification, row: BenchRow) -> float:
    """Points that a measurement lost against the network, 0 where it was one of other images."""
    if row.accuracy.images != verification["images"]:
        return 0.0
    correct = verification["correct"] - verification["fixed"] + verification["broken"]
    return 100.0 * (correct - row.accuracy.correct) / row.accuracy.images


def _sha256(folder: Path, name: str) -> str | None:
    """Return the sha256 of a file that really lies in the folder, or None."""
    if Path(name).name != name:
        return None
    try:
        return sha256_file(folder / name)
    except (OSError, ValueError):  # ValueError: a null byte in its name.
        return None
