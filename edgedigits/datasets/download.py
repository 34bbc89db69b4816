"""Downloads MNIST: each file is checked against its pinned hash before it gets its name."""

import tempfile
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from edgedigits.artifacts.hashes import sha256_file
from edgedigits.artifacts.staging import staged_file
from edgedigits.datasets import mnist_files
from edgedigits.datasets.mnist_files import MIRRORS, WAYS_OUT, IdxFile
from edgedigits.datasets.places import Source, cache_folder
from edgedigits.errors import DownloadError
from edgedigits.extras import extra
from edgedigits.progress import SILENT, Advance, Progress

CHUNK_BYTES = 1 << 15
CONNECT_SECONDS, READ_SECONDS = 4.0, 8.0
PROBE_SECONDS = 8.0
"""How long one mirror may take to serve its smallest file. Two mirrors are given up within 20 s in all."""


def download(
    folder: Path | None = None, *, mirrors: Sequence[str] = MIRRORS, progress: Progress = SILENT
) -> Source:
    """Download the four files into a folder, each checked against its pinned hash before it is there.

    Args:
        folder: where to; the user's cache if None.
        mirrors: base addresses, tried in turn.
        progress: shows a bar per file.

    Raises:
        MissingExtraError: what it downloads with is not installed.
        DownloadError: the user has no home and so no cache, no mirror could be reached (noticed within 20 s), or none
            served the right bytes. Files that did not arrive whole are not there.
    """
    with extra("bench", "downloading MNIST"):
        import pooch  # noqa: F401 - told here, before anything is tried
    folder = folder or cache_folder()
    if folder is None:
        raise DownloadError(
            f"expected a home folder to download MNIST into, found none; set XDG_CACHE_HOME to a folder, or {WAYS_OUT}"
        )
    failures = []
    for mirror in mirrors:
        failure = _probe(mirror)
        if failure is None:
            try:
                for file in (*mnist_files.FILES["train"], *mnist_files.FILES["test"]):
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
        if _is_there(folder / name, file):
            return
        with staged_file(folder / name) as place:
            pooch.retrieve(
                f"{mirror.rstrip('/')}/{name}",
                known_hash=f"sha256:{file.gzip_sha256}",
                fname=name,
                path=place.parent,
                downloader=partial(_stream, file, advance),
            )


def _is_there(path: Path, file: IdxFile) -> bool:
    """Tell whether a file was downloaded already; one of another size is not read."""
    return path.is_file() and path.stat().st_size == file.gzip_size and sha256_file(path) == file.gzip_sha256


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
        attempt = partial(_fetch, mirror, mnist_files.FILES["test"][1], Path(scratch), SILENT)
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
