import hashlib
import json
import os
import platform

import numpy as np
import pytest

from edgedigits import __version__
from edgedigits.artifacts.hashes import sha256_bytes, sha256_file
from edgedigits.artifacts.manifest import (
    file_receipt,
    network_entry,
    read_manifest,
    trained_labels,
    write_manifest,
)
from edgedigits.artifacts.staging import staged
from edgedigits.artifacts.versions import versions
from edgedigits.contract import LABELS
from edgedigits.errors import ModelFileError

posix = pytest.mark.skipif(os.name != "posix", reason="kills and limits processes in the POSIX way")


# The manifest


def test_a_manifest_reads_back_as_it_was(tmp_path):
    manifest = read_manifest(tmp_path)
    assert manifest == {"manifest_version": 1, "networks": {}}
    entry = network_entry(manifest, "digits")
    assert entry == {"training": None, "files": {}}
    entry["files"]["digits.onnx"] = {"bytes": 3}
    assert network_entry(manifest, "digits") is entry
    with staged(tmp_path) as place:
        write_manifest(place, manifest)
    assert read_manifest(tmp_path) == manifest
    assert (tmp_path / "manifest.json").read_bytes().endswith(b"}\n")


def test_a_folder_that_is_not_there_has_an_empty_manifest(tmp_path):
    assert read_manifest(tmp_path / "nowhere") == {"manifest_version": 1, "networks": {}}
    assert not (tmp_path / "nowhere").exists()


def test_numbers_that_json_does_not_have_are_refused(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_manifest(tmp_path, {"networks": {"digits": float("nan")}})
    assert not list(tmp_path.iterdir())


TRAINING = {
    "weights_sha256": "0" * 64,
    "dataset": {"name": "MNIST", "train_sha256": "1", "test_sha256": "2"},
    "arguments": {},
}
"""As much of the record of a run as every reader relies on."""


def test_the_least_that_a_manifest_says_of_a_run_is_enough(tmp_path):
    networks = {"digits": {"training": TRAINING, "files": {}}}
    write_manifest(tmp_path, {"manifest_version": 1, "networks": networks})
    assert read_manifest(tmp_path)["networks"] == networks
    assert trained_labels(tmp_path, "digits", "0" * 64) == LABELS


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", "not a readable manifest", id="empty"),
        pytest.param(b'{"manifest_version": 1, "netw', "not a readable manifest", id="truncated"),
        pytest.param(b"\xff\xfe\x00", "not a readable manifest", id="no text"),
        pytest.param(b"[" * 100_000, "not a readable manifest", id="nested without end"),
        pytest.param(b"[]", "not a readable manifest", id="a list"),
        pytest.param(b"{}", "not a readable manifest", id="no networks"),
        pytest.param(
            b'{"manifest_version": 1, "networks": []}', "not a readable manifest", id="networks as a list"
        ),
        pytest.param(b'{"manifest_version": 1, "networks": {"digits": 1}}', "not a readable", id="no files"),
        pytest.param(b'{"manifest_version": 2, "networks": {}}', "manifest of version 1", id="later version"),
        pytest.param(
            json.dumps({"manifest_version": 1, "networks": {"digits": {"files": []}}}).encode(),
            "manifest of version 1",
            id="files as a list",
        ),
        *(
            pytest.param(
                json.dumps(
                    {"manifest_version": 1, "networks": {"digits": {"training": training, "files": {}}}}
                ).encode(),
                "manifest",
                id=name,
            )
            for name, training in {
                "training as text": "yes",
                "training of nothing": {},
                "no hash": {**TRAINING, "weights_sha256": None},
                "labels as a number": {**TRAINING, "dataset": {**TRAINING["dataset"], "labels": 7}},
                "too few labels": {**TRAINING, "dataset": {**TRAINING["dataset"], "labels": ["0"]}},
                "no test hash": {**TRAINING, "dataset": {"name": "MNIST", "train_sha256": "0"}},
                "arguments as a list": {**TRAINING, "arguments": []},
            }.items()
        ),
    ],
)
def test_another_file_is_no_manifest(content, reason, tmp_path):
    path = tmp_path / "manifest.json"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=reason) as caught:
        read_manifest(tmp_path)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).endswith("move it away and train or export again")


def test_a_folder_named_like_a_manifest_is_refused(tmp_path):
    (tmp_path / "manifest.json").mkdir()
    with pytest.raises(ModelFileError, match="not a readable manifest"):
        read_manifest(tmp_path)


# Receipts


def test_a_receipt_tells_hash_and_size(tmp_path):
    path = tmp_path / "digits.onnx"
    path.write_bytes(b"some model")
    expected = hashlib.sha256(b"some model").hexdigest()
    assert file_receipt(path) == {"sha256": expected, "bytes": 10}
    assert sha256_file(path) == sha256_bytes(b"some model") == expected


def test_versions_tell_what_is_installed_and_leave_out_the_rest():
    assert versions("numpy", "no-such-distribution") == {
        "python": platform.python_version(),
        "edgedigits": __version__,
        "numpy": np.__version__,
    }


@posix
def test_a_manifest_that_is_a_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "manifest.json")
    with pytest.raises(ModelFileError, match="not a readable manifest"):
        read_manifest(tmp_path)
