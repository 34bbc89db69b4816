"""Pages of networks, made in the run, and the headless Chromium that the tests drive: what benchmarks ask of both."""

import functools
import gzip
import http.server
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from _machine import ROOT

from edgedigits.datasets.split import Split
from edgedigits.file_names import file_name, network_name
from edgedigits_export import export_model, select_targets

sys.path.append(str(ROOT / "tests" / "export"))

from browsers import Browser, Tab, start_chromium, until

__all__ = ["NETWORKS", "Browser", "MadePage", "Tab", "made_page", "served", "start_chromium", "until"]

MODELS = ROOT / "models"
NETWORKS = {
    "128-32": MODELS / "digits.keras",
    "hands": MODELS / "hands" / "digits.keras",
    "tiny-4k": MODELS / "tiny" / "tiny-4k.keras",
}
"""Networks that come along: the preset, the one that a predictor takes where none is named, and one of 4 KB."""
TYPES = {".html": "text/html", ".mjs": "text/javascript"}


class MadePage(NamedTuple):
    """What an export made of a network."""

    html: Path
    module: Path
    tflite: bytes
    """The int8 file of the same integers."""


def made_page(network: Path, folder: Path, splits: tuple[Split, Split]) -> MadePage:
    """Export a network to its page and to an int8 ``.tflite`` file, both through their gates.

    Args:
        network: the ``.keras`` file.
        folder: where to write; it need not be there yet.
        splits: training and test images.
    """
    folder.mkdir(parents=True, exist_ok=True)
    targets = [target for form in ("tflite", "page") for target in select_targets(form, "int8")]
    exported, failed = export_model(network, targets, *splits, folder=folder)
    if failed:
        raise SystemExit(f"expected files of {network.name} that pass their gates, found {failed}")
    tflite, html = (file.path for file in exported)
    name = network_name(network)
    if html.name != file_name(name, "page"):
        raise SystemExit(f"expected {file_name(name, 'page')} to be exported last, found {html.name}")
    return MadePage(html, html.with_suffix(".mjs"), tflite.read_bytes())


class _Handler(http.server.BaseHTTPRequestHandler):
    """Gives files by name."""

    protocol_version = "HTTP/1.1"

    def __init__(self, files: dict[str, bytes], is_compressed: bool, *rest: Any) -> None:
        self._files, self._is_compressed = files, is_compressed
        super().__init__(*rest)

    def do_GET(self) -> None:
        """Give a file."""
        content = self._files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", TYPES.get(Path(self.path).suffix, "application/octet-stream"))
        self.send_header("Content-Length", str(len(content)))
        if self._is_compressed:
            self.send_header("Content-Encoding", "gzip")
        # For clocks that are not rounded to a tenth of a millisecond.
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def served(files: dict[str, bytes], *, compressed: bool = False) -> Iterator[str]:
    """Serve files, by their paths, on this machine and give the server's address.

    Args:
        files: what is given, by path, such as ``/digits.html``.
        compressed: whether they are sent compressed by gzip, as web servers send pages.
    """
    given = (
        {path: gzip.compress(content, 6, mtime=0) for path, content in files.items()} if compressed else files
    )
    handler = functools.partial(_Handler, given, compressed)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
