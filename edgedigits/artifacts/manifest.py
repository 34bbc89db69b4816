"""``manifest.json``: what a folder of models holds, how each network was trained and each file exported."""

import json
from pathlib import Path
from typing import cast

from edgedigits.arch_words import read_words
from edgedigits.artifacts.forms import check_form
from edgedigits.artifacts.hashes import sha256_file
from edgedigits.artifacts.records import (
    AccuracyRecord,
    CompleteDataset,
    CompleteFile,
    CompleteTraining,
    Dataset,
    File,
    Manifest,
    Network,
    ResultsOfTest,
    Training,
)
from edgedigits.artifacts.recovery import check_settled
from edgedigits.contract import LABELS, check_labels, parse_arch
from edgedigits.errors import ModelFileError
from edgedigits.files import read_inside, reason
from edgedigits.input_scale import INPUT_SCALES, UNIT, InputScale

MANIFEST_NAME = "manifest.json"
LARGEST_MANIFEST = 4 << 20
"""Bytes: that of the shipped network, with all its files, has less than a hundredth."""
ADVICE = "move it away and train or export again"


def read_manifest(folder: Path) -> Manifest:
    """Read ``manifest.json`` and check its whole form; an empty manifest where there is none.

    Raises:
        ModelFileError: the file is no such manifest, or a link, a pipe or of more than ``LARGEST_MANIFEST`` bytes; the
            message says where in it what was expected. Or an interrupted run left a set of files that is only partly in
            place, so that the manifest and its files may be of two runs.
    """
    check_settled(folder)
    path = folder / MANIFEST_NAME
    try:
        data = json.loads(read_inside(folder, MANIFEST_NAME, LARGEST_MANIFEST))
    except FileNotFoundError:
        return {"manifest_version": 1, "networks": {}}
    except OSError as error:
        raise ModelFileError(path, f"not a readable manifest ({reason(error)})", ADVICE) from error
    except (ValueError, RecursionError) as error:
        raise ModelFileError(path, f"not a readable manifest ({type(error).__name__})", ADVICE) from error
    try:
        check_form(data, Manifest, "manifest")
        manifest: Manifest = data
        for network in manifest["networks"].values():
            if (training := network["training"]) is not None:
                check_labels(dataset_labels(training["dataset"]))
    except ValueError as error:
        raise ModelFileError(path, f"not a readable manifest of version 1 ({error})", ADVICE) from error
    return manifest


def complete_training(name: str, network: Network) -> CompleteTraining:
    """Return the record of the run that made a network, with all that a report shows of it.

    Args:
        name: of the network, for the message.
        network: its entry in the manifest.

    Raises:
        ModelFileError: it was not trained here, or something is missing or of another form.
    """
    try:
        check_form(network["training"], CompleteTraining, "training")
        for file, record in network["files"].items():
            if "verification" in record:
                check_form(record, CompleteFile, file)
        training = cast("CompleteTraining", network["training"])
        (read_words if training["arch"][:1].isalpha() else parse_arch)(training["arch"])
    except (KeyError, ValueError) as error:
        raise ModelFileError(
            Path(name),
            f"the manifest's record of this network is incomplete ({error})",
            "train it again with `edgedigits train`",
        ) from error
    return training


def network_entry(manifest: Manifest, name: str) -> Network:
    """Return the manifest's entry of a network, made empty where it was missing."""
    return manifest["networks"].setdefault(name, {"training": None, "files": {}})


def trained_labels(folder: Path, name: str, weights_sha256: str) -> tuple[str, ...]:
    """Return the class names of a network; the digits where the manifest does not know one with these weights.

    A ``.keras`` file has no place for them; the manifest beside it knows what it was trained on.

    Raises:
        ModelFileError: the manifest cannot be read.
    """
    training = training_of(read_manifest(folder), name)
    if training is None or training["weights_sha256"] != weights_sha256:
        return LABELS
    return dataset_labels(training["dataset"])


def training_of(manifest: Manifest, name: str) -> Training | None:
    """Return the record of the run that made a network; None where the manifest knows none."""
    network = manifest["networks"].get(name)
    return None if network is None else network["training"]


def was_taught_numbers(training: Training | None) -> bool:
    """Tell whether a network was taught to read numbers: with digits cut out of lines, and what is none of them."""
    if training is None or dataset_labels(training["dataset"]) != LABELS:
        return False
    return bool(training["arguments"].get("candidates"))


def dataset_labels(dataset: Dataset | CompleteDataset) -> tuple[str, ...]:
    """Return the class names in the manifest's record of a dataset; the first releases wrote none, for digits."""
    return tuple(dataset.get("labels", LABELS))


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write a manifest into a folder that is not yet visible (see ``staged``)."""
    text = json.dumps(manifest, indent=2, sort_keys=True, allow_nan=False)
    (folder / MANIFEST_NAME).write_text(text + "\n", encoding="utf-8")


def file_receipt(path: Path) -> File:
    """Return what the manifest says of any file: its hash and its size in bytes."""
    return {"sha256": sha256_file(path), "bytes": path.stat().st_size}


def recorded_input_scale(folder: Path, name: str, weights_sha256: str) -> InputScale | None:
    """Return what the manifest beside a network says that it takes; None where it says nothing of these weights.

    Raises:
        ModelFileError: the manifest cannot be read, or names a scale that there is none of.
    """
    network = read_manifest(folder)["networks"].get(name)
    if network is None:
        return None
    if made_by_train(network, weights_sha256):
        return UNIT
    record = network.get("input_scale")
    if record is None or record["weights_sha256"] != weights_sha256:
        return None
    if record["name"] not in INPUT_SCALES:
        raise ModelFileError(
            folder,
            f"its manifest names no input scale that there is ({record['name']!r})",
            "export the network again",
        )
    return INPUT_SCALES[record["name"]]


def made_by_train(network: Network | None, weights_sha256: str) -> bool:
    """Tell whether a manifest's entry of a network says that ``edgedigits train`` made these weights."""
    training = None if network is None else network["training"]
    return training is not None and training["weights_sha256"] == weights_sha256


def recorded_test_accuracy(network: Network, weights_sha256: str, test_sha256: str) -> AccuracyRecord | None:
    """Return how many test images a network read right when it was trained; None where the manifest does not say it.

    Args:
        network: its entry in the manifest.
        weights_sha256: of the network; the manifest may know another one by its name.
        test_sha256: of the test images.

    Raises:
        ModelFileError: what the manifest says of it has another form.
    """
    if not made_by_train(network, weights_sha256):
        return None
    training = cast("CompleteTraining", network["training"])
    if "results" not in training or training["dataset"]["test_sha256"] != test_sha256:
        return None
    try:
        check_form(training["results"], ResultsOfTest, "training.results")
    except ValueError as error:
        raise ModelFileError(Path(MANIFEST_NAME), f"not a readable manifest ({error})", ADVICE) from error
    return training["results"]["test"]
