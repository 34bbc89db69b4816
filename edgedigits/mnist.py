"""Find, download, check and read MNIST.

Nothing is trusted before it is checked: decompression stops at the size that the file must have, the IDX
header is compared with what it must say, and the sha256 of the content with the pinned one. MNIST: Y. LeCun,
C. Cortes and C. J. C. Burges, "The MNIST database of handwritten digits"; file format: IDX, ibidem.
"""

import gzip
import hashlib
import os
import struct
import tempfile
import threading
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from edgedigits.artifacts import (
    ARCHIVE_ERRORS,
    STAGING_PREFIX,
    finish_commits,
    sha256_bytes,
    sha256_file,
)
from edgedigits.contract import IMAGE_SIDE, LABELS, PIXELS
from edgedigits.errors import DatasetError, DatasetNotFoundError, DownloadError
from edgedigits.extras import extra
from edgedigits.progress import SILENT, Advance, Progress

NAME = "MNIST"
Part = Literal["train", "test"]

MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)
CHUNK_BYTES = 1 << 15
CONNECT_SECONDS, READ_SECONDS = 4.0, 8.0
PROBE_SECONDS = 8.0
"""How long one mirror may take to serve its smallest file. Two mirrors are given up within 20 s in all."""


@dataclass(frozen=True)
class IdxForm:
    """The form of an IDX file, which its header declares."""

    name: str
    """File name without ``.gz``."""
    count: int
    is_images: bool

    @property
    def header(self) -> bytes:
        """The big-endian header that the content must begin with: magic number, count and sides."""
        if self.is_images:
            return struct.pack(">IIII", 0x0803, self.count, IMAGE_SIDE, IMAGE_SIDE)
        return struct.pack(">II", 0x0801, self.count)

    @property
    def size(self) -> int:
        """Bytes of the decompressed content."""
        return len(self.header) + self.count * (PIXELS if self.is_images else 1)


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


@dataclass(frozen=True)
class Split:
    """Images with their labels: the training or the test part of a dataset."""

    dataset: str
    """Name of the dataset, as results show it."""
    images: npt.NDArray[np.uint8]
    """Shape (n, 28, 28), 0 = background, 255 = ink."""
    labels: npt.NDArray[np.uint8]
    """Shape (n,), 0 to 9."""
    sha256: str
    """Over the images and the labels: which data this is, whatever file it came from."""
    class_names: tuple[str, ...] = LABELS
    """Names of the ten classes, in the order of the labels."""

    @classmethod
    def of(
        cls,
        dataset: str,
        images: npt.NDArray[np.uint8],
        labels: npt.NDArray[np.uint8],
        class_names: tuple[str, ...] = LABELS,
    ) -> "Split":
        """Make a split and take its hash."""
        digest = hashlib.sha256(np.ascontiguousarray(images).data)
        digest.update(np.ascontiguousarray(labels).data)
        return cls(dataset, images, labels, digest.hexdigest(), class_names)


@dataclass(frozen=True)
class Source:
    """Where MNIST lies on this machine."""

    path: Path
    """A folder of IDX files, or an ``.npz`` file."""
    origin: str
    """How it was found: ``--data``, ``EDGEDIGITS_DATA``, ``user cache``, ``Keras cache`` or ``download``."""


def cache_folder() -> Path:
    """Return the folder that downloads go to: the user's cache, as the operating system has it."""
    with extra("bench", "finding or downloading MNIST without --data"):
        import pooch
    return Path(pooch.os_cache("edgedigits")) / "mnist"


def find(data: Path | None = None) -> Source | None:
    """Find MNIST without a download: ``data``, ``EDGEDIGITS_DATA``, the user's cache, the Keras cache.

    Raises:
        DatasetError: ``data`` or ``EDGEDIGITS_DATA`` names something that is not there. (A place that somebody
            named is never passed over in silence.)
    """
    if (source := named_source(data)) is not None:
        return source
    keras_home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    for path, origin in (
        (cache_folder(), "user cache"),
        (keras_home / "datasets" / "mnist.npz", "Keras cache"),
    ):
        if _holds_files(path):
            return Source(path, origin)
    return None


def named_source(data: Path | None, advice: str = WAYS_OUT) -> Source | None:
    """Return the place that ``data`` or ``EDGEDIGITS_DATA`` names; None where neither does.

    Raises:
        DatasetError: there is no dataset. The message ends with the advice.
    """
    named = ((data, "--data"), (os.environ.get("EDGEDIGITS_DATA") or None, "EDGEDIGITS_DATA"))
    for place, origin in named:
        if place is not None:
            path = Path(place)
            if not _holds_files(path):
                raise DatasetNotFoundError(
                    f"{path} ({origin}): expected a folder with {', '.join(_all_names())} "
                    f"(each plain or .gz) or a Keras .npz, found {_describe_place(path)}; {advice}"
                )
            return Source(path, origin)
    return None


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
        contents = [_read_idx(source.path, file) for file in FILES[part]]
    else:
        contents = _read_npz(source.path, part)
    images_file, labels_file = FILES[part]
    images = np.frombuffer(contents[0], np.uint8, offset=len(images_file.header))
    labels = np.frombuffer(contents[1], np.uint8, offset=len(labels_file.header))
    return Split.of(NAME, images.reshape(-1, IMAGE_SIDE, IMAGE_SIDE), labels)


def _all_names() -> list[str]:
    return [file.name for part in FILES.values() for file in part]


def _holds_files(path: Path) -> bool:
    try:
        if path.is_dir():
            return all(idx_path(path, name) is not None for name in _all_names())
        return path.suffix == ".npz" and path.is_file()
    except OSError:  # It may not be read: `_describe_place` says so where somebody named it.
        return False


def _describe_place(path: Path) -> str:
    try:
        path.stat()
        if not path.is_dir():
            return "a file that is no .npz"
        next(path.iterdir(), None)
        missing = [name for name in _all_names() if idx_path(path, name) is None]
    except (FileNotFoundError, NotADirectoryError):
        return "nothing there"
    except OSError as error:
        return f"a place that cannot be read ({error.strerror})"
    return f"a folder without {', '.join(missing)}"


def idx_path(folder: Path, name: str) -> Path | None:
    """Return the path of an IDX file, packed or not, or None."""
    for candidate in (folder / f"{name}.gz", folder / name):
        if candidate.is_file():
            return candidate
    return None


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


def unpack(path: Path, at_most: int, expected: str, advice: str) -> bytes:
    """Return the first bytes of an IDX file's content, packed or not.

    Args:
        path: ends in ``.gz`` if it is packed.
        at_most: bytes to unpack; what comes after them is not looked at.
        expected: what the message says that there should be.
        advice: what the message ends with.

    Raises:
        DatasetError: it cannot be read or unpacked.
    """
    try:
        if path.suffix == ".gz":
            with gzip.open(path) as packed:
                return packed.read(at_most)
        with path.open("rb") as plain:
            return plain.read(at_most)
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(
            f"{path}: expected {expected}, found a file that cannot be unpacked ({error}); {advice}"
        ) from error


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


def check_form(path: Path, file: IdxForm, content: bytes, advice: str) -> None:
    """Check the header and the size of an IDX file's decompressed content.

    Raises:
        DatasetError: it has another form. The message ends with the advice.
    """
    header = content[: len(file.header)]
    if header != file.header:
        raise DatasetError(
            f"{path}: expected {describe_header(file.header)}, found {describe_header(header)}; {advice}"
        )
    if len(content) != file.size:
        found = "more" if len(content) > file.size else f"{len(content):,} (truncated)"
        raise DatasetError(f"{path}: expected {file.size:,} bytes, found {found}; {advice}")


def describe_header(header: bytes) -> str:
    """Write the header of an IDX file in words: ``60,000 IDX images of 28x28``."""
    if len(header) < 8:
        return f"only {len(header)} bytes"
    magic, count, *sides = struct.unpack(f">{len(header) // 4}I", header[: len(header) // 4 * 4])
    kind = {0x0801: "IDX labels", 0x0803: "IDX images"}.get(magic)
    if kind is None:
        return f"no IDX file of bytes (magic number 0x{magic:08x})"
    size = " of " + "x".join(map(str, sides)) if sides and magic == 0x0803 else ""
    return f"{count:,} {kind}{size}"


def _read_npz(path: Path, part: Part) -> list[bytes]:
    """Read Keras' ``mnist.npz`` and return its arrays as the IDX files that they were."""
    contents = []
    for file, key in zip(FILES[part], (f"x_{part}", f"y_{part}"), strict=True):
        shape = (file.count, IMAGE_SIDE, IMAGE_SIDE) if file.is_images else (file.count,)
        try:
            # Opened here: numpy would leave a file open whose archive is damaged.
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as archive:
                declared = archive.zip.getinfo(f"{key}.npy").file_size
                array = archive[key] if declared <= 2 * file.size + 1024 else None
        except ARCHIVE_ERRORS as error:
            raise DatasetError(
                f"{path}: expected an array {key}, found none that can be read ({error}); delete it"
            ) from error
        if not isinstance(array, np.ndarray) or array.dtype != np.uint8 or array.shape != shape:
            # numpy returns the bytes of a member that is no array.
            found = f"{declared:,} bytes"
            if isinstance(array, np.ndarray):
                found = f"{array.dtype} {array.shape}"
            raise DatasetError(
                f"{path}: expected {key} to be uint8 {shape}, found {found}; {IF_ANOTHER}, else delete it"
            )
        content = file.header + array.tobytes()
        check_idx(path, file, content)
        contents.append(content)
    return contents


def download(
    folder: Path | None = None, *, mirrors: Sequence[str] = MIRRORS, progress: Progress = SILENT
) -> Source:
    """Download the four files into a folder, each checked against its pinned hash before it is there.

    Args:
        folder: where to; the user's cache if None.
        mirrors: base addresses, tried in turn.
        progress: shows a bar per file.

    Raises:
        DownloadError: no mirror could be reached (noticed within 20 s), or none served the right bytes. Files
            that did not arrive whole are not there.
    """
    folder = folder or cache_folder()
    failures = []
    for mirror in mirrors:
        failure = _probe(mirror)
        if failure is None:
            try:
                for file in (*FILES["train"], *FILES["test"]):
                    _fetch(mirror, file, folder, progress)
                return Source(folder, "download")
            except (OSError, ValueError) as error:
                failure = error
        failures.append(f"{mirror} ({_reason(failure)})")
    raise DownloadError(f"MNIST could not be downloaded from {' or '.join(failures)}; {WAYS_OUT}")


def _fetch(mirror: str, file: IdxFile, folder: Path, progress: Progress) -> None:
    """Download one file unless it is there already; one that does not match its hash never gets its name.

    pooch works in a folder of its own: what a killed download leaves there is removed by a later one.
    """
    import pooch

    pooch.get_logger().setLevel("ERROR")
    name = f"{file.name}.gz"
    with progress.task(name, file.gzip_size) as advance:
        if (folder / name).is_file() and sha256_file(folder / name) == file.gzip_sha256:
            return
        folder.mkdir(parents=True, exist_ok=True)
        finish_commits(folder)
        with tempfile.TemporaryDirectory(prefix=STAGING_PREFIX, dir=folder) as staging:
            pooch.retrieve(
                f"{mirror.rstrip('/')}/{name}",
                known_hash=f"sha256:{file.gzip_sha256}",
                fname=name,
                path=staging,
                downloader=partial(_stream, file, advance),
            )
            Path(staging, name).replace(folder / name)


def _stream(file: IdxFile, advance: Advance, url: str, output: str, _pooch: object) -> None:
    """Download to a file that pooch checks afterwards; stop a server that sends more than the file holds."""
    import requests

    timeout = (CONNECT_SECONDS, READ_SECONDS)
    received = 0
    with requests.get(url, timeout=timeout, stream=True) as response, Path(output).open("wb") as opened:
        response.raise_for_status()
        for chunk in response.iter_content(CHUNK_BYTES):
            received += len(chunk)
            if received > file.gzip_size:
                raise ValueError(f"more than the {file.gzip_size:,} bytes of {file.name}.gz")
            opened.write(chunk)
            advance(len(chunk))


def _probe(mirror: str) -> Exception | None:
    """Download the smallest file, for at most ``PROBE_SECONDS``; return why that failed, or None.

    It goes to a folder that is removed at once, whether an attempt that was given up is still writing there or not.
    """
    with tempfile.TemporaryDirectory(prefix="edgedigits-", ignore_cleanup_errors=True) as scratch:
        attempt = partial(_fetch, mirror, FILES["test"][1], Path(scratch), SILENT)
        return _failure_within(PROBE_SECONDS, attempt)


def _failure_within(seconds: float, attempt: Callable[[], None]) -> Exception | None:
    """Run an attempt for at most so long; return what it raised, or None.

    It runs in a thread of its own because looking a host name up has no time limit.
    """
    outcome: list[Exception | None] = []

    def run() -> None:
        try:
            attempt()
            outcome.append(None)
        except (OSError, ValueError) as error:
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    return outcome[0] if outcome else TimeoutError(f"no answer within {seconds:.0f} s")


def _reason(failure: Exception) -> str:
    """Say in a few words why a download failed; the network's own errors are long chains of objects."""
    import requests

    if isinstance(failure, requests.HTTPError) and failure.response is not None:
        return f"HTTP status {failure.response.status_code}"
    timeouts = (requests.ConnectTimeout, requests.ReadTimeout, TimeoutError)
    # In the middle of an answer, requests calls it just a ConnectionError.
    if isinstance(failure, timeouts) or "Read timed out" in str(failure):
        return "no answer in time"
    if isinstance(failure, requests.exceptions.ChunkedEncodingError):
        return "the connection broke"
    if isinstance(failure, requests.ConnectionError):
        return "cannot be reached"
    return " ".join(str(failure).split())
