"""Find, check and read MNIST.

Nothing is trusted before it is checked: decompression stops at the size that the file must have, the IDX
header is compared with what it must say, and the sha256 of the content with the pinned one.
"""

from pathlib import Path

import numpy as np

from edgedigits.contract import IMAGE_SIDE
from edgedigits.datasets import mnist_files
from edgedigits.datasets.download import download
from edgedigits.datasets.idx import idx_path, unpack
from edgedigits.datasets.mnist_files import ADVICE, MNIST_NAME, WAYS_OUT, IdxFile, check_idx
from edgedigits.datasets.npz import read_mnist_npz
from edgedigits.datasets.places import Source, find
from edgedigits.datasets.split import Part, Split
from edgedigits.errors import DatasetNotFoundError
from edgedigits.progress import SILENT, Progress


def find_or_download(data: Path | None = None, *, progress: Progress = SILENT) -> Source:
    """Find MNIST, or download it into the user's cache.

    Raises:
        DatasetError: a place was named that does not hold it.
        DownloadError: no mirror could be reached, or none served the right bytes.
    """
    return find(data) or download(progress=progress)


def read_split(source: Source, part: Part) -> Split:
    """Read and check the training or the test part.

    Raises:
        DatasetError: a file is missing, truncated, altered or swapped; the message names it, what was
            expected and what came.
    """
    if source.path.is_dir():
        contents = [_read_idx(source.path, file) for file in mnist_files.FILES[part]]
    else:
        contents = read_mnist_npz(source.path, part)
    images_file, labels_file = mnist_files.FILES[part]
    images = np.frombuffer(contents[0], np.uint8, offset=len(images_file.header))
    labels = np.frombuffer(contents[1], np.uint8, offset=len(labels_file.header))
    return Split.of(MNIST_NAME, images.reshape(-1, IMAGE_SIDE, IMAGE_SIDE), labels)


def _read_idx(folder: Path, file: IdxFile) -> bytes:
    path = idx_path(folder, file.name)
    if path is None:
        raise DatasetNotFoundError(
            f"{folder}: expected {file.name}.gz or {file.name}, found neither; {WAYS_OUT}"
        )
    # One byte more than there must be tells a longer file without unpacking it to its end.
    content = unpack(path, file.size + 1, f"{file.size:,} bytes of {file.name}", ADVICE)
    check_idx(path, file, content)
    return content
