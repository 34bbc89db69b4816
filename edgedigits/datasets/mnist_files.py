"""The four files of MNIST, pinned byte for byte.

MNIST: Y. LeCun, C. Cortes and C. J. C. Burges, "The MNIST database of handwritten digits".
"""

from dataclasses import dataclass
from pathlib import Path

from edgedigits.artifacts.hashes import sha256_bytes
from edgedigits.datasets.idx import IdxForm, check_form
from edgedigits.datasets.split import Part
from edgedigits.errors import DatasetError

MNIST_NAME = "MNIST"

MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)


@dataclass(frozen=True)
class IdxFile(IdxForm):
    """One of the four files of MNIST, pinned."""

    sha256: str
    """Of the decompressed content."""
    gzip_sha256: str
    """Of the file as the mirrors serve it."""
    gzip_size: int
    """Bytes of the file as the mirrors serve it."""


FILES: dict[Part, tuple[IdxFile, IdxFile]] = {
    "train": (
        IdxFile(
            "train-images-idx3-ubyte",
            60_000,
            True,
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            9_912_422,
        ),
        IdxFile(
            "train-labels-idx1-ubyte",
            60_000,
            False,
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            28_881,
        ),
    ),
    "test": (
        IdxFile(
            "t10k-images-idx3-ubyte",
            10_000,
            True,
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            1_648_877,
        ),
        IdxFile(
            "t10k-labels-idx1-ubyte",
            10_000,
            False,
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            4_542,
        ),
    ),
}

WAYS_OUT = (
    "three ways out: (1) name a folder that holds the four files with --data or EDGEDIGITS_DATA; "
    "(2) put Keras' mnist.npz into ~/.keras/datasets; "
    "(3) run `edgedigits data` where there is a network, or with --mirror URL"
)
IF_ANOTHER = "if it is another dataset, name its classes with `edgedigits train --labels`"
ADVICE = f"{IF_ANOTHER}, else delete it and run `edgedigits data`"


def check_idx(path: Path, file: IdxFile, content: bytes) -> None:
    """Check the header, the size and the sha256 of an IDX file's decompressed content.

    Raises:
        DatasetError: it is not exactly that file.
    """
    check_form(path, file, content, ADVICE)
    if (found := sha256_bytes(content)) != file.sha256:
        raise DatasetError(
            f"{path}: expected content with sha256 {file.sha256}, found {found}: the file was altered; {ADVICE}"
        )
