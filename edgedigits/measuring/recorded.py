"""What is on record about a file, held against what it is: its own metadata, and the manifest beside it.

A record that contradicts the file is worth as little as a file that contradicts its network: one of them was changed
by somebody, and the gate cannot know which.
"""

import dataclasses
from collections.abc import Iterator

from edgedigits.artifacts.hashes import sha256_file
from edgedigits.artifacts.manifest import dataset_labels, read_manifest
from edgedigits.artifacts.records import File, Network, Verification
from edgedigits.contract import arch_text
from edgedigits.datasets.mnist_files import MNIST_NAME
from edgedigits.datasets.split import Split
from edgedigits.file_names import network_name
from edgedigits.format_table import GATES, format_of
from edgedigits.measuring import metrics
from edgedigits.metadata import MeasuredAccuracy
from edgedigits.runtimes.model import Model

ROUNDING = 1e-4
"""Of points and percent that the manifest keeps."""
MOST_MOVED = 0.25
"""Points by which a figure of one file may differ between two processors."""


def recorded_network(model: Model) -> Network | None:
    """Return the entry of a file's network in the manifest beside the file; None where there is none.

    Raises:
        ModelFileError: the manifest cannot be read.
    """
    return read_manifest(model.path.parent)["networks"].get(network_name(model.path))


def contradictions(
    model: Model,
    network: Network | None,
    split: Split,
    accuracy: metrics.Accuracy,
    comparison: metrics.Comparison | None,
) -> tuple[str, ...]:
    """Say where records contradict a file.

    Args:
        model: the opened file.
        network: the manifest's entry of its network, see ``recorded_network``.
        split: the images that were asked about.
        accuracy: what was measured on them.
        comparison: the same against the reference that lies beside the file; None where it is another one.

    Returns:
        A line for each; none where all agree, or nothing is on record.
    """
    found = [*_of_its_own(model, split, accuracy)]
    if network is not None:
        found += _of_training(model, network)
        if record := network["files"].get(model.path.name):
            found += _of_manifest(model, network, record, comparison)
    return tuple(found)


def _of_its_own(model: Model, split: Split, accuracy: metrics.Accuracy) -> Iterator[str]:
    """Compare with the file's metadata."""
    if model.widths is not None:
        # A network may be a chain of Dense layers in its file only, once what lay between them is folded.
        found = arch_text(model.widths[:-1]), "-".join(f"dense{width}" for width in model.widths)
        if (arch := model.metadata.arch) not in found:
            yield f"its metadata say that its hidden layers are {arch}, its tensors {found[0] or 'none'}"
    said = model.metadata.accuracy
    if said is None:
        return
    if said.dataset != split.dataset:
        # Other datasets are called by their folder, which may have another name today; MNIST is MNIST.
        if MNIST_NAME in (said.dataset, split.dataset):
            yield f"its metadata tell of its accuracy on {said.dataset}, where {split.dataset} is asked"
    elif not _agree(said, accuracy, model):
        yield (
            f"reads {accuracy.correct:,} of {accuracy.images:,} images right, "
            f"where its metadata say {said.correct:,} of {said.images:,}"
        )


def _agree(said: MeasuredAccuracy, measured: metrics.Accuracy, model: Model) -> bool:
    """Whether two figures may be of one file: another processor may round otherwise, within the file's own gate."""
    most = max(1.0, GATES[model.metadata.precision].max_drop * measured.images / 100)
    return said.images == measured.images and abs(said.correct - measured.correct) <= most + 1e-9


def _of_training(model: Model, network: Network) -> Iterator[str]:
    training = network["training"]
    if training is None or training["weights_sha256"] != model.metadata.weights_sha256:
        return  # Another network was trained under this name, before this one was exported.
    labels = dataset_labels(training["dataset"])
    if labels != model.metadata.labels:
        yield (
            f"its classes are {', '.join(model.metadata.labels)}, "
            f"those in the manifest of its network {', '.join(labels)}"
        )


def _of_manifest(
    model: Model, network: Network, record: File, comparison: metrics.Comparison | None
) -> Iterator[str]:
    """Compare with the manifest's record of the file, and with those of files that it is made with."""
    path = model.path
    for file in (path, *model.companions):
        receipt = network["files"].get(file.name, {})
        if not file.exists():
            continue  # What is opened without it may lie alone.
        if "sha256" in receipt and receipt["sha256"] != sha256_file(file):
            yield f"{file.name} is not the file that the manifest beside it records: its sha256 is another"
        if "bytes" in receipt and receipt["bytes"] != file.stat().st_size:
            yield (
                f"{file.name} has {file.stat().st_size:,} bytes, where the manifest says {receipt['bytes']:,}"
            )
    row, calibration, sure = format_of(path), model.metadata.calibration, model.metadata.sure
    facts = {
        "format": row.name if row else None,
        "precision": model.metadata.precision,
        "edges": model.metadata.edges,
        "head": model.metadata.head,
        "weights_sha256": model.metadata.weights_sha256,
        "versions": model.metadata.tools,
        "calibration": calibration and dataclasses.asdict(calibration),
        "sure": sure and sure._asdict(),
    }
    for key, fact in facts.items():
        if key in record and record[key] != fact:  # type: ignore[literal-required]
            yield f"the manifest says {key} {record[key]}, the file {fact}"  # type: ignore[literal-required]
    if "verification" in record:
        yield from _of_verification(model, record["verification"], comparison)


def _of_verification(
    model: Model, record: Verification, comparison: metrics.Comparison | None
) -> Iterator[str]:
    """Compare with what the gate found when the file was exported: one figure with another, and with today's."""
    said, correct, images = model.metadata.accuracy, record["correct"], record["images"]
    if not record["passed"]:
        yield "the manifest says that it did not pass when it was exported"
    if said is None or (said.correct, said.images) != (correct, images):
        yield (
            f"the manifest says that it read {correct:,} of {images:,} images right, "
            f"its metadata {f'{said.correct:,} of {said.images:,}' if said else 'nothing'}"
        )
        return
    points = 100 * (record["fixed"] - record["broken"]) / images
    if abs(points - record["difference_points"]) > ROUNDING:
        yield (
            f"the manifest says that it differs by {record['difference_points']:+.2f} points, "
            f"its fixed and broken images by {points:+.2f}"
        )
    interval = metrics.wilson_interval(correct, images)
    if max(abs(a - b) for a, b in zip(interval, record["interval_percent"], strict=True)) > 10 * ROUNDING:
        yield "the interval of its accuracy in the manifest is not that of its right answers"
    if comparison is None:
        return
    for what, recorded, measured in (
        ("difference", record["difference_points"], comparison.difference),
        ("agreement", record["agreement_percent"], comparison.agreement),
    ):
        if abs(recorded - measured) > max(MOST_MOVED, 100.0 / images) + ROUNDING:
            yield f"the manifest says {what} {recorded:.2f}, measured is {measured:.2f}"
