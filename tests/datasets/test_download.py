"""Downloads from real servers on this machine, each of which misbehaves in its own way.

The hashes of the real files are pinned, so a small dataset with hashes of its own stands in MNIST's place.
"""

import contextlib
import gzip
import json
import os
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from edgedigits.artifacts.hashes import sha256_bytes
from edgedigits.artifacts.staging import STALE_SECONDS
from edgedigits.cli import cli
from edgedigits.datasets import download, mnist, mnist_files, places
from edgedigits.datasets.download import PROBE_SECONDS
from edgedigits.datasets.mnist_files import MIRRORS, IdxFile
from edgedigits.datasets.places import Source
from edgedigits.errors import DownloadError

TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = (
    f"{file.name}.gz" for part in ("train", "test") for file in mnist_files.FILES[part]
)

Files = dict[str, bytes]
Behaviour = Callable[["Request", bytes], None]


@pytest.fixture(autouse=True)
def caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A user without MNIST and without a proxy; returns the folder that downloads go to."""
    monkeypatch.delenv("EDGEDIGITS_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("NO_PROXY", "*")
    return tmp_path / "cache" / "edgedigits" / "mnist"


@pytest.fixture(autouse=True)
def files(monkeypatch: pytest.MonkeyPatch) -> Files:
    """What a good mirror serves: the four packed files by name."""
    generator = np.random.default_rng(0)
    served, pinned = {}, {}
    for part, count in (("train", 200), ("test", 100)):
        pair = []
        for original in mnist_files.FILES[part]:
            top, size = (256, count * 784) if original.is_images else (10, count)
            header = (
                struct.pack(">IIII", 0x803, count, 28, 28)
                if original.is_images
                else struct.pack(">II", 0x801, count)
            )
            content = header + generator.integers(0, top, size, np.uint8).tobytes()
            packed = gzip.compress(content, mtime=0)
            hashes = sha256_bytes(content), sha256_bytes(packed)
            pair.append(IdxFile(original.name, count, original.is_images, *hashes, len(packed)))
            served[f"{original.name}.gz"] = packed
        pinned[part] = tuple(pair)
    monkeypatch.setattr(mnist_files, "FILES", pinned)
    return served


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time limits short enough for a test, in the order of the real ones."""
    monkeypatch.setattr(download, "CONNECT_SECONDS", 0.6)
    monkeypatch.setattr(download, "READ_SECONDS", 0.6)
    monkeypatch.setattr(download, "PROBE_SECONDS", 1.5)
    monkeypatch.setattr(download, "LEAST_SECONDS", 1.5)


class Request(BaseHTTPRequestHandler):
    """One request to a mirror."""

    server: "Mirror"

    def do_GET(self) -> None:
        name = self.path.rsplit("/", 1)[-1]
        self.server.requests.append(name)
        behaviour = self.server.behaviours.get(name, self.server.behaviours.get("*", good))
        if name in self.server.files:
            behaviour(self, self.server.files[name])
        else:
            missing(self, b"")

    def head(self, status: int = 200, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Leave standard error alone."""


class Mirror(ThreadingHTTPServer):
    """A server that behaves, per file or (``*``) for all others, as it is told."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, files: Files, behaviours: dict[str, Behaviour]) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.files, self.behaviours = files, behaviours
        self.requests: list[str] = []
        self.sent = self.redirected = 0
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/mnist/"

    def handle_error(self, *_: Any) -> None:
        """A client that hangs up is what many of these tests want."""


def good(request: Request, content: bytes) -> None:
    request.head(Content_Length=len(content))
    request.wfile.write(content)


def in_small_chunks(request: Request, content: bytes) -> None:
    request.protocol_version = "HTTP/1.1"
    request.head(Transfer_Encoding="chunked")
    for start in range(0, len(content), 16):
        chunk = content[start : start + 16]
        request.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
    request.wfile.write(b"0\r\n\r\n")


def missing(request: Request, _: bytes) -> None:
    request.head(404)


def failing(request: Request, _: bytes) -> None:
    request.head(503)


def altered(request: Request, content: bytes) -> None:
    good(request, content[:-1] + bytes([content[-1] ^ 1]))


def a_page(request: Request, _: bytes) -> None:
    good(request, b"<html>Please log in to this network.</html>")


def broken_off(request: Request, content: bytes) -> None:
    request.head(Content_Length=len(content))
    request.wfile.write(content[: len(content) // 2])


def broken_off_without_length(request: Request, content: bytes) -> None:
    request.head()
    request.wfile.write(content[: len(content) // 2])


def silent(request: Request, _: bytes) -> None:
    request.server.closing.wait(30)


def silent_halfway(request: Request, content: bytes) -> None:
    request.head(Content_Length=len(content))
    request.wfile.write(content[: len(content) // 2])
    request.wfile.flush()
    request.server.closing.wait(30)


def dripping(request: Request, content: bytes) -> None:
    """Never so slow that a single read takes too long."""
    request.head(Content_Length=len(content))
    for byte in content:
        request.wfile.write(bytes([byte]))
        request.wfile.flush()
        if request.server.closing.wait(0.1):
            return


def dripping_head(request: Request, content: bytes) -> None:
    """So slow already before the first byte of the file."""
    for byte in b"HTTP/1.0 200 OK\r\nX-Long: " + b"x" * 1_000:
        request.wfile.write(bytes([byte]))
        request.wfile.flush()
        if request.server.closing.wait(0.1):
            return


def redirecting(target: str) -> Behaviour:
    """Send on to another place; ``{name}`` in it is the file's."""

    def redirect(request: Request, _: bytes) -> None:
        name = request.path.rsplit("/", 1)[-1]
        request.server.redirected += 1
        request.head(302, Location=target.format(name=name, port=request.server.server_port))

    return redirect


def redirecting_once(request: Request, content: bytes) -> None:
    """To another place on the same mirror, as servers do that were moved."""
    if request.path.startswith("/moved/"):
        good(request, content)
    else:
        redirecting("/moved/{name}")(request, content)


def endless(request: Request, content: bytes) -> None:
    request.head()
    request.wfile.write(content)
    while not request.server.closing.is_set():
        request.server.sent += request.wfile.write(bytes(1 << 16))


def endless_when_unpacked(request: Request, _: bytes) -> None:
    content = gzip.compress(bytes(64 << 20), compresslevel=1)
    request.head(Content_Length=len(content), Content_Encoding="gzip")
    request.wfile.write(content)


def hanging_up(request: Request, _: bytes) -> None:
    request.connection.shutdown(socket.SHUT_RDWR)


StartMirror = Callable[..., Mirror]


@pytest.fixture
def start(files: Files) -> Iterator[StartMirror]:
    """Starts mirrors: ``start(good)`` or ``start({TRAIN_IMAGES: silent})``."""
    with contextlib.ExitStack() as running:

        def start_mirror(behaviour: Behaviour | dict[str, Behaviour] = good) -> Mirror:
            mirror = Mirror(files, behaviour if isinstance(behaviour, dict) else {"*": behaviour})
            running.callback(mirror.server_close)
            running.callback(mirror.shutdown)
            running.callback(mirror.closing.set)
            threading.Thread(target=mirror.serve_forever, args=(0.01,), daemon=True).start()
            return mirror

        yield start_mirror


@pytest.fixture
def unused_url() -> str:
    """An address of this machine on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/"


class RecordedProgress:
    """Notes every task with its total and what was done of it."""

    def __init__(self) -> None:
        self.tasks: dict[str, list[int]] = {}

    @contextlib.contextmanager
    def task(self, description: str, total: int) -> Iterator[Callable[[int], None]]:
        done = self.tasks[description] = [total, 0]

        def advance(units: int) -> None:
            done[1] += units

        yield advance

    def note(self, text: str) -> None:
        raise AssertionError(text)


def in_folder(folder: Path) -> Files:
    """All that lies in a folder, hidden or not."""
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


@pytest.mark.parametrize("behaviour", [good, in_small_chunks], ids=lambda behaviour: behaviour.__name__)
def test_all_four_files_arrive_with_a_bar_each(behaviour, start, caches, files):
    progress = RecordedProgress()
    source = download.download(mirrors=[start(behaviour).url], progress=progress)
    assert source == Source(caches, "download")
    assert in_folder(caches) == files
    assert progress.tasks == {name: [len(content), len(content)] for name, content in files.items()}
    assert len(mnist.read_split(source, "train").images) == 200
    assert len(mnist.read_split(source, "test").images) == 100


@pytest.mark.parametrize("slash", ["", "/"], ids=["without slash", "with slash"])
def test_a_mirror_may_be_named_with_or_without_a_slash_at_its_end(slash, start, files, tmp_path):
    download.download(tmp_path / "here", mirrors=[start().url.rstrip("/") + slash])
    assert in_folder(tmp_path / "here") == files


def test_what_is_there_is_not_downloaded_again(start, caches):
    mirror = start()
    assert download.download(mirrors=[mirror.url]).origin == "download"
    requests = len(mirror.requests)
    assert mnist.find_or_download() == Source(caches, "user cache")
    assert len(mirror.requests) == requests
    (caches / TRAIN_LABELS).unlink()
    download.download(mirrors=[mirror.url])
    # One probe, and what was missing.
    assert mirror.requests[requests:] == [TEST_LABELS, TRAIN_LABELS]


def test_a_damaged_file_in_the_cache_is_downloaded_again(start, caches, files):
    mirror = start()
    download.download(mirrors=[mirror.url])
    (caches / TEST_IMAGES).write_bytes(b"damaged")
    download.download(mirrors=[mirror.url])
    assert in_folder(caches) == files


MISBEHAVIOUR = [
    (missing, "HTTP status 404"),
    (failing, "HTTP status 503"),
    (altered, "does not match the known hash"),
    (a_page, "does not match the known hash"),
    (broken_off, "the connection broke"),
    (broken_off_without_length, "does not match the known hash"),
    (silent, "no answer in time"),
    (silent_halfway, "no answer in time"),
    (dripping, "no answer in time"),
    (dripping_head, "no answer in time"),
    (endless, "more than the [0-9,]+ bytes of t10k-labels"),
    (endless_when_unpacked, "more than the [0-9,]+ bytes of t10k-labels"),
    (hanging_up, "cannot be reached"),
]
each_misbehaviour = pytest.mark.parametrize(
    ("behaviour", "reason"), MISBEHAVIOUR, ids=[behaviour.__name__ for behaviour, _ in MISBEHAVIOUR]
)


@pytest.mark.usefixtures("impatient")
@each_misbehaviour
def test_a_mirror_that_fails_is_named_and_leaves_no_file(
    behaviour, reason, start, caches, tmp_path, monkeypatch
):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    mirror = start(behaviour)
    with pytest.raises(DownloadError, match=rf"from {mirror.url} \(.*{reason}.*\); three ways out") as caught:
        download.download(mirrors=[mirror.url])
    assert "\n" not in str(caught.value)
    assert in_folder(caches) == {}
    assert not list(scratch.iterdir())


@pytest.mark.usefixtures("impatient")
@each_misbehaviour
def test_the_next_mirror_serves_where_one_fails(behaviour, reason, start, caches, files):
    bad, fine = start(behaviour), start()
    assert download.download(mirrors=[bad.url, fine.url]) == Source(caches, "download")
    assert bad.requests == [TEST_LABELS]
    assert in_folder(caches) == files


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (missing, "HTTP status 404"),
        (altered, "does not match the known hash"),
        (broken_off, "the connection broke"),
        (broken_off_without_length, "does not match the known hash"),
        (silent, "no answer in time"),
        (silent_halfway, "no answer in time"),
        (dripping, "no answer in time"),
        (dripping_head, "no answer in time"),
        (endless, "more than the [0-9,]+ bytes of t10k-images"),
        (hanging_up, "cannot be reached"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_download_that_fails_in_the_middle_leaves_only_whole_files(behaviour, reason, start, caches, files):
    mirror = start({TEST_IMAGES: behaviour})
    with pytest.raises(DownloadError, match=reason):
        download.download(mirrors=[mirror.url])
    assert in_folder(caches) == {name: files[name] for name in (TRAIN_IMAGES, TRAIN_LABELS)}
    assert places.find() is None
    # The next try takes up what is there.
    fine = start()
    download.download(mirrors=[fine.url])
    assert fine.requests == [TEST_LABELS, TEST_IMAGES, TEST_LABELS]
    assert in_folder(caches) == files


# Redirects


def test_a_redirect_within_the_mirror_is_followed(start, caches, files):
    mirror = start(redirecting_once)
    download.download(mirrors=[mirror.url])
    assert in_folder(caches) == files
    # The probe, and the four files.
    assert mirror.redirected == 5


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("/mnist/{name}", "more than 3 redirects"),
        ("http://127.0.0.1:1/{name}", "redirected to http://127.0.0.1:1, where it is not looked for"),
        ("http://localhost:{port}/mnist/{name}", "redirected to http://localhost:[0-9]+, where"),
        ("file:///etc/passwd", "redirected to file://, where"),
        ("ftp://127.0.0.1/{name}", "redirected to ftp://127.0.0.1, where"),
        ("javascript:alert(1)", "redirected to javascript://, where"),
        ("https://127.0.0.1:1/{name}", "cannot be reached"),
    ],
    ids=["endless", "another port", "another host", "file", "ftp", "script", "https that is not there"],
)
def test_a_redirect_elsewhere_is_not_followed(target, reason, start, caches):
    mirror = start(redirecting(target))
    with pytest.raises(DownloadError, match=reason):
        download.download(mirrors=[mirror.url])
    assert mirror.redirected <= download.MOST_REDIRECTS + 1
    assert in_folder(caches) == {}


HTTPS, HTTP = "https://mirror.invalid/mnist/t10k.gz", "http://mirror.invalid/mnist/t10k.gz"


@pytest.mark.parametrize(
    ("url", "location", "target"),
    [
        (HTTPS, "https://other.invalid/t10k.gz", "https://other.invalid/t10k.gz"),
        (HTTPS, "/moved/t10k.gz", "https://mirror.invalid/moved/t10k.gz"),
        (HTTPS, "//other.invalid/t10k.gz", "https://other.invalid/t10k.gz"),
        (HTTP, HTTPS, HTTPS),
        (HTTP, "/moved", "http://mirror.invalid/moved"),
        (HTTPS, HTTP, None),
        (HTTP, "http://169.254.169.254/latest", None),
        (HTTP, "http://mirror.invalid:8080/mnist", None),
        (HTTPS, "http:///t10k.gz", None),
        (HTTPS, "data:,x", None),
    ],
)
def test_a_redirect_is_never_to_a_less_safe_place(url, location, target):
    if target is not None:
        assert download.redirect_target(url, location) == target
        return
    with pytest.raises(ValueError, match=r"redirected to .*, where it is not looked for"):
        download.redirect_target(url, location)


def test_a_download_has_a_least_rate():
    """A file of ten megabytes takes at most ten minutes, whatever a mirror does."""
    largest = max(file.gzip_size for part in mnist_files.FILES.values() for file in part)
    assert download.LEAST_SECONDS + largest / download.LEAST_RATE < 620


@pytest.mark.usefixtures("impatient")
def test_a_server_without_end_is_stopped_soon(start):
    mirror = start({TEST_LABELS: endless})
    with pytest.raises(DownloadError):
        download.download(mirrors=[mirror.url])
    sent = mirror.sent
    time.sleep(0.1)
    assert mirror.sent == sent
    # What fits into the buffers of two sockets at their largest; it could send gigabytes in that time.
    assert sent < 32 << 20


@pytest.mark.usefixtures("impatient")
def test_a_name_that_nobody_resolves_is_given_up(monkeypatch):
    # A resolver without a network answers after its own, far longer time; the library has no limit for it.
    answered = threading.Event()

    def resolve(*_: object, **__: object) -> None:
        answered.wait(30)
        raise socket.gaierror("no name server")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    started = time.monotonic()
    with pytest.raises(
        DownloadError, match=r"from http://one\.invalid/ \(no answer in time\) or http://two\.invalid/ "
    ):
        download.download(mirrors=["http://one.invalid/", "http://two.invalid/"])
    answered.set()
    # Two probes of 1.5 s, against 60 s if both names were waited for.
    assert time.monotonic() - started < 10


def test_where_nothing_listens_the_three_ways_out_are_named_within_20_seconds(unused_url, caches):
    started = time.monotonic()
    with pytest.raises(DownloadError, match="could not be downloaded from") as caught:
        download.download(mirrors=[unused_url, unused_url])
    # A promise of the tool, with its real time limits.
    assert time.monotonic() - started < 20
    assert f"{unused_url} (cannot be reached)" in str(caught.value)
    for way_out in (
        "(1) name a folder",
        "--data",
        "EDGEDIGITS_DATA",
        "(2) put Keras' mnist.npz",
        "(3) run",
        "--mirror",
    ):
        assert way_out in str(caught.value)
    assert isinstance(caught.value, ConnectionError)
    assert in_folder(caches) == {}


def test_all_public_mirrors_are_given_up_within_20_seconds():
    assert len(MIRRORS) >= 2
    assert PROBE_SECONDS * len(MIRRORS) <= 20
    assert all(mirror.startswith("https://") for mirror in MIRRORS)


def test_a_cache_that_cannot_be_made_is_told(start, caches):
    caches.parent.mkdir(parents=True)
    caches.write_text("a file in the way")
    with pytest.raises(DownloadError, match=r"File exists|Not a directory"):
        download.download(mirrors=[start().url])
    assert caches.read_text() == "a file in the way"


def test_what_a_killed_download_left_is_removed_by_a_later_one(start, caches, files):
    left = caches / ".staging-abandoned"
    left.mkdir(parents=True)
    (left / "half").write_bytes(b"half")
    long_ago = time.time() - STALE_SECONDS - 60
    os.utime(left, (long_ago, long_ago))
    download.download(mirrors=[start().url])
    assert sorted(path.name for path in caches.iterdir()) == sorted(files)


# The command


def test_the_command_downloads_once_and_finds_it_then(start, caches, files):
    mirror = start()
    first = CliRunner().invoke(cli, ["data", "--mirror", mirror.url, "--json"])
    assert first.exit_code == 0, first.output
    answer = json.loads(first.stdout)
    assert (answer["path"], answer["origin"]) == (str(caches), "download")
    assert answer["images"] == {"train": 200, "test": 100}
    assert in_folder(caches) == files
    asked = len(mirror.requests)
    second = CliRunner().invoke(cli, ["data", "--mirror", mirror.url])
    assert second.exit_code == 0, second.output
    assert second.stdout.splitlines()[0] == f"MNIST: {caches} (user cache)"
    assert len(mirror.requests) == asked


def test_the_command_tries_every_mirror_that_is_named(start, unused_url):
    result = CliRunner().invoke(cli, ["data", "--quiet", "--mirror", unused_url, "--mirror", start().url])
    assert result.exit_code == 0, result.output
    assert "(download)" in result.stdout
    assert not result.stderr


def test_the_command_fails_in_one_line(unused_url):
    result = CliRunner().invoke(cli, ["data", "--mirror", unused_url])
    assert result.exit_code == 1
    assert not result.stdout
    (line,) = result.stderr.splitlines()
    assert line.startswith(
        f"edgedigits: MNIST could not be downloaded from {unused_url} (cannot be reached); three ways"
    )
