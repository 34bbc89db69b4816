"""``manifest.json``: what a folder of models holds, how each network was trained and each file exported."""

import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgedigits.artifacts.hashes import sha256_file
from edgedigits.artifacts.staging import finish_commits
from edgedigits.contract import LABELS, check_labels
from edgedigits.errors import ModelFileError
from edgedigits.input_scale import INPUT_SCALES, UNIT, InputScale

MANIFEST_NAME = "manifest.json"
MANIFEST_VERSION = 1


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read ``manifest.json``; an empty manifest where there is none.

    Returns:
        ``{"manifest_version": 1, "networks": {name: {"training": {...}, "files": {file name: {...}}}}}``.

    Raises:
        ModelFileError: the file is no such manifest.
        OutputError: a killed writer left files that cannot be moved into place.
    """
    if folder.is_dir():
        finish_commits(folder)
    path = folder / MANIFEST_NAME
    advice = "move it away and train or export again"
    try:
        if stat.S_ISFIFO(path.stat().st_mode):  # to read it would be to wait for a writer
            raise ModelFileError(path, "not a readable manifest (a pipe)", advice)
        manifest = json.loads(path.read_bytes())
        networks = manifest["networks"]
        well_formed = manifest["manifest_version"] == MANIFEST_VERSION and all(
            map(_is_network, networks.values())
        )
    except FileNotFoundError:
        return {"manifest_version": MANIFEST_VERSION, "networks": {}}
    except ModelFileError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelFileError(path, f"not a readable manifest ({type(error).__name__})", advice) from error
    if not well_formed:
        raise ModelFileError(path, f"expected a manifest of version {MANIFEST_VERSION}", advice)
    return dict(manifest)


def _is_network(network: dict[str, Any]) -> bool:
    """Tell whether an entry has what every reader of a manifest relies on."""
    files = network["files"]
    if not isinstance(files, dict) or not all(isinstance(receipt, dict) for receipt in files.values()):
        return False
    if (training := network["training"]) is None:
        return True
    dataset = training["dataset"]
    check_labels(dataset_labels(dataset))
    texts = [training["weights_sha256"], *(dataset[key] for key in ("name", "train_sha256", "test_sha256"))]
    return all(isinstance(text, str) for text in texts) and isinstance(training["arguments"], dict)


def network_entry(manifest: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the manifest's entry of a network, made empty where it was missing."""
    entry: dict[str, Any] = manifest["networks"].setdefault(name, {"training": None, "files": {}})
    return entry


def trained_labels(folder: Path, name: str, weights_sha256: str) -> tuple[str, ...]:
    """Return the class names of a network; the digits where the manifest does not know one with these weights.

    A ``.keras`` file has no place for them; the manifest beside it knows what it was trained on.

    Raises:
        ModelFileError: the manifest cannot be read.
    """
    training = read_manifest(folder)["networks"].get(name, {}).get("training")
    if training is None or training["weights_sha256"] != weights_sha256:
        return LABELS
    return dataset_labels(training["dataset"])


def dataset_labels(dataset: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the class names in the manifest's record of a dataset; the first releases wrote none, for digits."""
    return tuple(dataset.get("labels", LABELS))


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write a manifest into a folder that is not yet visible (see ``staged``)."""
    text = json.dumps(manifest, indent=2, sort_keys=True, allow_nan=False)
    (folder / MANIFEST_NAME).write_text(text + "\n", encoding="utf-8")


def file_receipt(path: Path) -> dict[str, Any]:
    """Return what the manifest says of any file: its hash and its size in bytes."""
    return {"sha256": sha256_file(path), "bytes": path.stat().st_size}


def recorded_input_scale(folder: Path, name: str, weights_sha256: str) -> InputScale | None:
    """Return what the manifest beside a network says that it takes; None where it says nothing of these weights.

    Raises:
        ModelFileError: the manifest cannot be read, or names a scale that there is none of.
    """
    network = read_manifest(folder)["networks"].get(name, {})
    if made_by_train(network, weights_sha256):
        return UNIT
    record = network.get("input_scale")
    if record is None:
        return None
    try:
        return INPUT_SCALES[record["name"]] if record["weights_sha256"] == weights_sha256 else None
    except (KeyError, TypeError) as error:
        raise ModelFileError(
            folder, f"its manifest names no input scale that there is ({error})", "export the network again"
        ) from error


def made_by_train(network: dict[str, Any], weights_sha256: str) -> bool:
    """Tell whether a manifest's entry of a network says that ``edgedigits train`` made these weights."""
    training = network.get("training")
    return training is not None and training["weights_sha256"] == weights_sha256
