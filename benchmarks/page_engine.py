"""The network of the page in Chromium: every probability that of the reference kernels, in little time.

All MNIST test images go through ``page/digits.wasm`` in headless Chromium. Then one image at a time goes through it and
through onnxruntime-web (one thread, SIMD, the shipped network's int8 and float32 ONNX files), in turns in the same
page, copying of pixels and answers included. What 500 images in one call take is shown.

The rival is of another registry: ``npm pack onnxruntime-web@1.30.0``, unpacked, its folder ``dist``.

Usage: python benchmarks/page_engine.py .../package/dist [--browser chromium]
"""

import argparse
import functools
import http.server
import json
import os
import queue
import statistics
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from _machine import ROOT, conclude

from edgedigits.datasets.read import read_split
from edgedigits_export import page
from edgedigits_export.integers.fixed_point import read_fixed_point_network
from edgedigits_export.integers.reference_kernels import reference_probabilities
from edgedigits_export.page.tables import tables_of

MODELS = ("digits.int8.onnx", "digits.onnx")
SECONDS = 300.0
PAGE = b'<!doctype html><script type="module" src="/page_engine.mjs"></script>'
TYPES = {".mjs": "text/javascript", ".wasm": "application/wasm", ".html": "text/html"}


class Handler(http.server.BaseHTTPRequestHandler):
    """Gives files by name, and takes what the page found."""

    def __init__(self, files: dict[str, bytes], found: "queue.Queue[bytes]", *rest: Any) -> None:
        self._files, self._found = files, found
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
        # For clocks that are not rounded to a tenth of a millisecond.
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        """Take what was found."""
        self._found.put(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def files_of(rival: Path) -> dict[str, bytes]:
    """Return all that the page asks for, by path."""
    model = (ROOT / "models" / "digits.int8.tflite").read_bytes()
    images = read_split(None, "test").images
    here = Path(__file__)
    return {
        "/page.html": PAGE,
        "/page_engine.mjs": here.with_suffix(".mjs").read_bytes(),
        "/digits.wasm": (Path(page.__file__).parent / "digits.wasm").read_bytes(),
        "/digits.tables": tables_of(read_fixed_point_network(model)),
        "/images": images.tobytes(),
        "/expected": reference_probabilities(model, images).tobytes(),
        **{f"/{name}": (ROOT / "models" / name).read_bytes() for name in MODELS},
        **{
            f"/rival/{path.name}": path.read_bytes()
            for path in rival.glob("ort*wasm*")
            if path.suffix != ".map"
        },
    }


def found_in(browser: str, files: dict[str, bytes]) -> dict[str, Any]:
    """Open the page in a headless browser and return what it found."""
    found: queue.Queue[bytes] = queue.Queue()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, files, found))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/page.html"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        flags = ["--headless", "--disable-gpu", f"--user-data-dir={profile}"]
        if os.geteuid() == 0:
            flags.append("--no-sandbox")  # which a browser of root's has none of
        with subprocess.Popen([browser, *flags, address], stderr=subprocess.DEVNULL) as running:
            try:
                return dict(json.loads(found.get(timeout=SECONDS)))
            finally:
                running.terminate()
                server.shutdown()


def main() -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rival", type=Path, help="folder dist of onnxruntime-web")
    parser.add_argument("--browser", default="chromium")
    arguments = parser.parse_args()
    found = found_in(arguments.browser, files_of(arguments.rival))
    if "error" in found:
        sys.exit(f"page_engine.py: the page failed: {found['error']}")
    times = {
        name: {way: statistics.median(rounds) for way, rounds in ways.items()}
        for name, ways in found["microseconds"].items()
    }
    for name, ways in times.items():
        print(f"{name}: {ways['one']:.2f} us an image, {ways['together']:.2f} us of 500 in one call")
    quickest = min(times[name]["one"] for name in MODELS)
    results = {
        "browser": found["browser"],
        "onnxruntime-web": found["rival"],
        "images": found["images"],
        "microseconds": {
            name: {way: round(value, 2) for way, value in ways.items()} for name, ways in times.items()
        },
    }
    targets = {
        "test images with another probability than the reference kernels": (float(found["different"]), 0.0),
        "time of one image, to that of onnxruntime-web's quicker file": (
            times["ours"]["one"] / quickest,
            1 / 3,
        ),
    }
    return conclude("page_engine", results, targets)


if __name__ == "__main__":
    sys.exit(main())
