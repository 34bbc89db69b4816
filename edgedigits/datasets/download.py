"""Downloads MNIST: each file is checked against its pinned hash before it gets its name."""

import tempfile
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from edgedigits.artifacts.hashes import sha256_file
from edgedigits.artifacts.staging import staged_file
from edgedigits.datasets import mnist_files
from edgedigits.datasets.mnist_files import MIRRORS, WAYS_OUT, IdxFile
from edgedigits.datasets.places import Source, cache_folder
from edgedigits.errors import DownloadError
from edgedigits.extras import extra
from edgedigits.progress import SILENT, Advance, Progress

if TYPE_CHECKING:
    import requests

CHUNK_BYTES = 1 << 15
CONNECT_SECONDS, READ_SECONDS = 4.0, 8.0
PROBE_SECONDS = 8.0
"""How long one mirror may take to serve its smallest file. Two mirrors are given up within 20 s in all."""
LEAST_SECONDS, LEAST_RATE = 10.0, 16 << 10
"""A file may take so many seconds, and a second more for every so many bytes: a mirror that gives a byte now and then
keeps within every limit on a single read."""
MOST_REDIRECTS = 3


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
    """Download to a file that pooch checks afterwards; stop a server that sends more than it holds, or too slowly.

    Reading may stand still between any two bytes, so it is done by a thread that can be left behind.
    """
    given_up = threading.Event()
    attempt = partial(_write, file, advance, url, Path(output), given_up)
    failure = _failure_within(LEAST_SECONDS + file.gzip_size / LEAST_RATE, attempt)
    given_up.set()
    if failure is not None:
        raise failure


def _write(file: IdxFile, advance: Advance, url: str, output: Path, given_up: threading.Event) -> None:
    import requests
    from urllib3.exceptions import HTTPError, ReadTimeoutError

    received = 0
    with _answer(url) as response, output.open("wb") as opened:
        try:
            # The bytes as they are sent: what a server says to be packed would be unpacked to any size.
            for chunk in response.raw.stream(CHUNK_BYTES, decode_content=False):
                received += len(chunk)
                if given_up.is_set():
                    return
                if received > file.gzip_size:
                    raise ValueError(f"more than the {file.gzip_size:,} bytes of {file.name}.gz")
                opened.write(chunk)
                advance(len(chunk))
        except ReadTimeoutError as error:
            raise TimeoutError(str(error)) from error
        except HTTPError as error:
            raise requests.exceptions.ChunkedEncodingError(error) from error


def _answer(url: str) -> "requests.Response":
    """Ask for a file and follow a few redirects: over HTTPS anywhere, over HTTP only where the mirror itself is.

    Raises:
        ValueError: too many redirects, or one to a place that is less safe or no web server.
        OSError: there is no answer, or none that is a file.
    """
    import requests

    for _ in range(MOST_REDIRECTS + 1):
        # Asked for without any encoding, and redirects are not followed blindly.
        response = requests.get(
            url,
            headers={"Accept-Encoding": "identity"},
            timeout=(CONNECT_SECONDS, READ_SECONDS),
            stream=True,
            allow_redirects=False,
        )
        if not response.is_redirect:
            break
        response.close()
        url = redirect_target(url, response.headers["location"])
    else:
        raise ValueError(f"more than {MOST_REDIRECTS} redirects")
    try:
        response.raise_for_status()
    except requests.HTTPError:
        response.close()
        raise
    return response


def redirect_target(url: str, location: str) -> str:
    """Return where a redirect leads.

    Args:
        url: that was asked for.
        location: what the answer says, an address or a path.

    Raises:
        ValueError: neither to HTTPS nor to the mirror itself.
    """
    target = urljoin(url, location)
    old, new = urlsplit(url), urlsplit(target)
    if new.scheme != "https" and (new.scheme, new.netloc) != (old.scheme, old.netloc):
        raise ValueError(f"redirected to {new.scheme}://{new.netloc}, where it is not looked for")
    return target


def _probe(mirror: str) -> Exception | None:
    """Download the smallest file, for at most ``PROBE_SECONDS``; return why that failed, or None.

    It goes to a folder that is removed at once, whether an attempt that was given up is still writing there or not.
    """
    with tempfile.TemporaryDirectory(prefix="edgedigits-", ignore_cleanup_errors=True) as scratch:
        attempt = partial(_fetch, mirror, mnist_files.FILES["test"][1], Path(scratch), SILENT)
        failure = _failure_within(PROBE_SECONDS, attempt)
    if failure is not None and not isinstance(failure, (OSError, ValueError)):
        raise failure  # a fault of ours
    return failure


def _failure_within(seconds: float, attempt: Callable[[], None]) -> Exception | None:
    """Run an attempt for at most so long; return what it raised, or None.

    It runs in a thread of its own because looking a host name up has no time limit, nor has a slow answer.
    """
    outcome: list[Exception | None] = []

    def run() -> None:
        try:
            attempt()
            outcome.append(None)
        except Exception as error:  # noqa: BLE001 - it is handed to who waits
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
