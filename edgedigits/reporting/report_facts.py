"""All that a report says, gathered once for HTML and Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from edgedigits.artifacts.forms import check_form
from edgedigits.artifacts.manifest import complete_training, read_manifest
from edgedigits.artifacts.records import CompleteFile, ExpectedCalibrationErrors, Manifest, Network
from edgedigits.datasets.mnist_files import MNIST_NAME
from edgedigits.errors import EdgeDigitsError, ModelFileError
from edgedigits.measuring import bench_result
from edgedigits.measuring.bench_result import BenchResult
from edgedigits.measuring.metrics import wilson_interval
from edgedigits.measuring.subjects import model_files
from edgedigits.reporting import comparison, report_tables
from edgedigits.reporting.facts import network_facts, parameters, read_presets
from edgedigits.reporting.mistakes import mistakes
from edgedigits.reporting.panels import MARKS
from edgedigits.reporting.standing import Standing, find_standings, missing_files, reference_correct
from edgedigits.reporting.usage import snippets
from edgedigits.reporting.verdict import judge
from edgedigits.version import __version__


@dataclass(frozen=True)
class Card:
    """A figure that stands out."""

    title: str
    value: str
    about: str


def gather(folder: Path, name: str, result: BenchResult | None) -> dict[str, Any]:
    """Return what both templates of a report show.

    Args:
        folder: where the network's files are.
        name: of the network.
        result: measurements to show; None leaves that part out.

    Raises:
        ModelFileError: the manifest knows no such network, neither as one that was trained nor by files that were
            exported from it; or not all of it.
    """
    manifest = read_manifest(folder)
    entry = manifest["networks"].get(name)
    is_exported = entry is not None and any("verification" in file for file in entry["files"].values())
    if entry is None or (entry["training"] is None and not is_exported):
        raise ModelFileError(
            folder, f"no trained network {name!r} in its manifest", "train it with `edgedigits train`"
        )
    own = _trained(name, entry) if entry["training"] is not None else _exported(name, entry)
    standings = find_standings(folder, entry, result)
    verdict = judge(name, standings)
    panels = comparison.file_panels(standings, result)
    marks = [each for each in MARKS if any(each in shown.series for shown in panels)]
    facts = {
        **own,
        "name": name,
        "written": f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC",
        "version": __version__,
        "verdict": verdict,
        "uses": [(choice, snippets(choice.standing)) for choice in verdict.choices],
        "has_files": bool(standings),
        "judged": report_tables.judged_files(standings),
        "compared": report_tables.compared_files(standings),
        "hashes": report_tables.hashes(standings),
        "panels": panels,
        "marks": marks,
        "marks_text": ", ".join(f"{MARKS[each]} {each}" for each in marks),
        "absent": missing_files(name, standings),
        "unjudged": _unjudged(folder, manifest),
        "networks": report_tables.trained_networks(_networks(manifest)),
        "presets": read_presets(),
        "measured": None if result is None else _measured(result),
        "cards": _cards(own, standings),
    }
    facts["measured_presets"] = report_tables.measured_presets(facts["presets"])
    return facts


def _trained(name: str, entry: Network) -> dict[str, Any]:
    """Return what the manifest says of a network that was trained here."""
    facts = network_facts(name, entry)
    training, labels = facts["training"], facts["labels"]
    facts["calibration"] = _calibration(facts["temperature"], facts["expected_calibration_errors"])
    return facts | {
        "dataset": training["dataset"]["name"],
        "is_mnist": training["dataset"]["name"] == MNIST_NAME,
        "mistakes": mistakes(training["results"]["confusion"], labels),
        "class_panel": comparison.class_panel(training, labels),
        "class_scores": report_tables.class_scores(training, labels),
        "condition_panel": comparison.condition_panel(training),
    }


def _exported(name: str, entry: Network) -> dict[str, Any]:
    """Return what the manifest says of a network of another author: what its files say of it."""
    try:
        for file, receipt in entry["files"].items():
            if "verification" in receipt:
                check_form(receipt, CompleteFile, file)
    except ValueError as error:
        raise ModelFileError(
            Path(name),
            f"the manifest's record of this network is incomplete ({error})",
            "export it again with `edgedigits export --force`",
        ) from error
    exported = [receipt for receipt in entry["files"].values() if "verification" in receipt]
    dataset = exported[0]["verification"].get("dataset", "unnamed")
    return {
        "training": None,
        "about_digits": True,
        "dataset": dataset,
        "is_mnist": dataset == MNIST_NAME,
        "calibration_receipts": [],
        "test": {"images": exported[0]["verification"]["images"]},
    }


def _cards(own: dict[str, Any], standings: Sequence[Standing]) -> list[Card]:
    """Choose the figures that stand out."""
    training = own["training"]
    if training is None:
        correct, images = reference_correct(standings) or (0, 0)
        return [_accuracy_card(correct, images, wilson_interval(correct, images))] if images else []
    test, results = own["test"], training["results"]
    cards = [
        _accuracy_card(test["correct"], test["images"], (test["low"], test["high"])),
        Card(
            "validation accuracy",
            f"{100 * results['validation_accuracy']:.2f} %",
            f"{training['dataset']['validation_images']:,} images held out",
        ),
        Card("parameters", f"{own['parameters']:,}", "weights and biases of the network"),
    ]
    temperature, errors = own["temperature"], own["expected_calibration_errors"]
    if temperature and errors:
        cards.append(
            Card(
                "expected calibration error (ECE)",
                f"{errors['test']['after']:.4f}",
                f"distance of confidence and accuracy on the test images, {errors['test']['before']:.4f} without the "
                "temperature",
            )
        )
    arguments = training["arguments"]
    epochs = f"{arguments['epochs']:,} epochs of the recipe {arguments['name']}"
    return [*cards, Card("training", f"{training['seconds']:,.1f} s", epochs)]


def _calibration(temperature: float | None, errors: ExpectedCalibrationErrors | None) -> str:
    """Say what the temperature did; nothing where the manifest does not say it."""
    if not temperature or not errors:
        return ""
    validation, test = errors["validation"], errors["test"]
    return (
        f"The logits are divided by a temperature of {temperature:.3f}, fitted to the validation images. Expected "
        f"calibration error (ECE) without and with it: {validation['before']:.4f} and {validation['after']:.4f} on the "
        f"validation images, {test['before']:.4f} and {test['after']:.4f} on the test images."
    )


def _accuracy_card(correct: int, images: int, interval: tuple[float, float]) -> Card:
    return Card(
        "test accuracy of the network",
        f"{100 * correct / images:.2f} %",
        f"95 % interval {interval[0]:.2f} to {interval[1]:.2f}, n = {images:,}",
    )


def _measured(result: BenchResult) -> dict[str, Any]:
    return {
        "speeds": report_tables.speeds(result),
        "more": report_tables.more_speeds(result),
        "sweep": report_tables.sweep(result),
        "winners": bench_result.winners(result.rows),
        "machine": str(result.machine),
        "remarks": [*bench_result.remarks(result.rows), *bench_result.disturbances(result)],
        "dataset": result.dataset,
    }


def _unjudged(folder: Path, manifest: Manifest) -> list[str]:
    """Return the model files in a folder that its manifest does not know: nobody judged them."""
    known = {file for network in manifest["networks"].values() for file in network["files"]}
    try:
        return [path.name for path in model_files(folder) if path.name not in known]
    except EdgeDigitsError:  # There is no model file at all, or no folder that may be looked into.
        return []


def _networks(manifest: Manifest) -> list[dict[str, Any]]:
    """List the trained networks of a folder, for a look at them side by side."""
    found = []
    for name, entry in sorted(manifest["networks"].items()):
        if entry["training"] is not None:
            training = complete_training(name, entry)
            test = training["results"]["test"]
            found.append(
                {
                    "name": name,
                    "arch": training["arch"],
                    "recipe": training["arguments"]["name"],
                    "dataset": training["dataset"]["name"],
                    "parameters": parameters(name, training["arch"]),
                    "percent": 100 * test["correct"] / test["images"],
                    "interval": [test["low"], test["high"]],
                    "seconds": training["seconds"],
                }
            )
    return found
