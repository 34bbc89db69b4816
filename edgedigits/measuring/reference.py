"""``reference.npz``: the Keras model's probabilities on the test images, kept for whoever verifies later.

With it a device without TensorFlow can tell whether an exported file still gives the answers of the network.
"""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgedigits.archives import ARCHIVE_ERRORS, open_npz
from edgedigits.artifacts.recovery import check_settled
from edgedigits.contract import CLASSES
from edgedigits.datasets.split import Split
from edgedigits.errors import DatasetError, ModelFileError, ModelNotFoundError
from edgedigits.file_names import sidecar_name
from edgedigits.files import reason
from edgedigits.measuring.metrics import Probabilities

FILE_NAME = "reference.npz"
LARGEST_FILE = 64 << 20


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
        np.savez_compressed(
            buffer,
            probabilities=self.probabilities,
            weights_sha256=self.weights_sha256,
            dataset=self.dataset,
            test_sha256=self.test_sha256,
        )
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
        ModelFileError: the file is truncated, altered, of another form, or no regular file; or an interrupted run left
            a set of files of which it may be one (see ``artifacts.recovery``).
    """
    advice = "train or export again to write it anew"
    if not named:
        check_settled(path.parent)
    try:
        with open_npz(path, LARGEST_FILE, follow=named) as archive:
            probabilities = archive.array("probabilities", LARGEST_FILE)
            texts = [archive.text(key) for key in ("weights_sha256", "dataset", "test_sha256")]
    except FileNotFoundError as error:
        raise ModelNotFoundError(
            path, "train with `edgedigits train`, or name one with --reference"
        ) from error
    except ARCHIVE_ERRORS as error:
        raise ModelFileError(path, f"no readable reference ({reason(error)})", advice) from error
    if probabilities.dtype != np.float32 or probabilities.ndim != 2 or probabilities.shape[1] != CLASSES:
        found = f"{probabilities.dtype} {probabilities.shape}"
        raise ModelFileError(path, f"expected probabilities float32 (n, {CLASSES}), found {found}", advice)
    return Reference(probabilities, *texts)
