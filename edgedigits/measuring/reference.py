"""``reference.npz``: the Keras model's probabilities on the test images, kept for whoever verifies later.

With it a device without TensorFlow can tell whether an exported file still gives the answers of the network.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgedigits.answers import ANY_SUM, SUM_TOLERANCE, faults
from edgedigits.archives import ARCHIVE_ERRORS, open_npz
from edgedigits.artifacts.hashes import sha256_file
from edgedigits.artifacts.manifest import read_manifest, recorded_test_accuracy
from edgedigits.artifacts.recovery import check_settled
from edgedigits.contract import CLASSES
from edgedigits.datasets.split import Split
from edgedigits.errors import DatasetError, ModelFileError, ModelNotFoundError
from edgedigits.file_names import sidecar_name
from edgedigits.files import reason
from edgedigits.format_table import GATES
from edgedigits.measuring.metrics import Probabilities

FILE_NAME = "reference.npz"
LARGEST_FILE = 64 << 20
_HEAD = "head"
"""Of the network, where its answers do not sum to 1."""
ADVICE = "train or export again to write it anew"


@dataclass(frozen=True)
class Reference:
    """What the Keras model answered."""

    probabilities: Probabilities
    """float32 (n, 10), one row per test image."""
    weights_sha256: str
    """Of the network that answered."""
    dataset: str
    """Name of the dataset."""
    test_sha256: str
    """Of the test split that was asked about."""
    path: Path | None = None
    """Where it was read; None where the network was asked just now."""
    is_sigmoid: bool = False
    """Whether the network ends in ten sigmoids, whose sum may be any."""

    @property
    def place(self) -> Path:
        """What messages call it by."""
        return self.path or Path(FILE_NAME)

    def check(self) -> None:
        """Raise ``ModelFileError`` unless a network may have answered so.

        Whatever agrees with answers that mean nothing proves nothing.
        """
        answers = self.probabilities
        if (
            answers.dtype != np.float32
            or answers.ndim != 2
            or answers.shape[1] != CLASSES
            or not len(answers)
        ):
            found = f"{answers.dtype} {answers.shape}"
            raise ModelFileError(
                self.place, f"expected probabilities float32 (n, {CLASSES}), found {found}", ADVICE
            )
        if found := "; ".join(faults(answers, ANY_SUM if self.is_sigmoid else SUM_TOLERANCE)):
            raise ModelFileError(self.place, f"expected the probabilities of a network, but {found}", ADVICE)

    def check_accuracy(self, split: Split) -> None:
        """Raise ``ModelFileError`` unless these answers read the images as the manifest beside them says.

        Args:
            split: the images that these are answers to; without a manifest they only must not all be the same.
        """
        if len(self.probabilities) > 1 and not np.ptp(self.probabilities, axis=0).any():
            raise ModelFileError(
                self.place, "expected answers to images, found the same answer to every one", ADVICE
            )
        if self.path is None:
            return
        correct = int(np.count_nonzero(self.probabilities.argmax(axis=1) == split.labels))
        # Another machine may sum in another order; what export asks anew may differ from what train asked.
        most = max(1.0, GATES["float32"].max_drop * len(split.labels) / 100)
        for network in read_manifest(self.path.parent)["networks"].values():
            record = recorded_test_accuracy(network, self.weights_sha256, self.test_sha256)
            if record is not None and (
                record["images"] != len(split.labels) or abs(record["correct"] - correct) > most
            ):
                raise ModelFileError(
                    self.place,
                    f"{correct:,} of its {len(split.labels):,} answers are right, "
                    f"where the manifest says {record['correct']:,} of {record['images']:,}",
                    ADVICE,
                )

    def check_split(self, split: Split, path: Path) -> None:
        """Raise ``DatasetError`` unless these answers are to the images of this split."""
        if self.test_sha256 != split.sha256:
            raise DatasetError(
                f"{path}: expected answers to the {split.dataset} test images, "
                f"found answers to other images ({self.dataset}); verify with the data that the network was trained on"
            )
        if len(self.probabilities) != len(split.images):
            raise DatasetError(
                f"{path}: expected answers to {len(split.images):,} test images, "
                f"found {len(self.probabilities):,}; train or export again to write it anew"
            )

    def to_bytes(self) -> bytes:
        """Return the content of the file; the same answers are the same bytes."""
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {
            "probabilities": self.probabilities,
            "weights_sha256": self.weights_sha256,
            "dataset": self.dataset,
            "test_sha256": self.test_sha256,
        }
        if self.is_sigmoid:
            arrays[_HEAD] = "sigmoid"
        np.savez_compressed(buffer, **arrays)
        return buffer.getvalue()


def reference_path(folder: Path, name: str) -> Path:
    """Return where the reference of a network lies."""
    return folder / sidecar_name(name, FILE_NAME)


def read_reference(path: Path, *, named: bool = False) -> Reference:
    """Read ``reference.npz``.

    Args:
        path: the file.
        named: whether the user named it, so that it may be a link; not where it only lies beside a model file.

    Raises:
        ModelNotFoundError: there is none.
        ModelFileError: the file is truncated, altered, of another form, or no regular file; holds no probabilities; is
            not the one that the manifest beside it records; or an interrupted run left a set of files of which it
            may be one (see ``artifacts.recovery``).
    """
    if not named:
        check_settled(path.parent)
    try:
        with open_npz(path, LARGEST_FILE, follow=named) as archive:
            probabilities = archive.array("probabilities", LARGEST_FILE)
            weights, dataset, test = map(archive.text, ("weights_sha256", "dataset", "test_sha256"))
            is_sigmoid = _HEAD in archive.names and archive.text(_HEAD) == "sigmoid"
    except FileNotFoundError as error:
        raise ModelNotFoundError(
            path, "train with `edgedigits train`, or name one with --reference"
        ) from error
    except ARCHIVE_ERRORS as error:
        raise ModelFileError(path, f"no readable reference ({reason(error)})", ADVICE) from error
    found = Reference(probabilities, weights, dataset, test, path, is_sigmoid)
    found.check()
    for network in read_manifest(path.parent)["networks"].values():
        receipt = network["files"].get(path.name, {})
        if "sha256" in receipt and receipt["sha256"] != sha256_file(path):
            raise ModelFileError(
                path, "not the file that the manifest beside it records: its sha256 is another", ADVICE
            )
    return found
