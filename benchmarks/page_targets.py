"""The page in headless Chromium: size, first answer, answers on the pad, photographs, uploads, all test images.

Pages are exported in the run. What is measured of each:

    size           of the file, and of what a server sends of it, compressed by gzip
    first answer   a fresh browser with a fresh profile opens the page, and the moment it shows itself a stroke is drawn
                   by keys: milliseconds from the begin of the navigation until the stroke's answer stands on the
                   page (and, shown, until the next frame after it); from a file, and from a server that sends it
                   compressed, on slow 4G (1.6 Mbit/s, 150 ms) as Chromium throttles it. Medians of launches, in turn
                   with those of a page with nothing on it (shown: what the browser itself takes)
    pad            from the end of a drawn digit's last stroke until its answer is on the page, preparation included,
                   from a second after the page was opened: median, 99th percentile
    memory         of the WebAssembly after a photograph of 12 megapixels was read, and after a larger one
    uploads        pictures in folders and the golden ones of the tests, chosen in the page: the 28x28 bytes and the
                   digit, against the preparation in Python and LiteRT's reference kernels
    test images    MNIST's, all probabilities against the same kernels

Usage: python benchmarks/page_targets.py FOLDER... [--launches 9]
"""

import argparse
import base64
import gzip
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from _machine import ROOT, conclude
from _pad import read_on
from _pad_digits import drawings, drawn_strokes
from _pages import NETWORKS, MadePage, Tab, made_page, served, start_chromium
from PIL import Image
from prepare_c import SUFFIXES

from edgedigits.datasets.read import read_split
from edgedigits.datasets.split import Split
from edgedigits.errors import ImageError
from edgedigits.picture.levels import Pixels
from edgedigits.picture.prepare import prepare
from edgedigits.training.drawn import draw_digits
from edgedigits_export.integers.reference_kernels import reference_probabilities

GOLDEN = ROOT / "tests" / "golden" / "pictures"
MOST_BYTES = {"128-32": 160_000, "hands": 160_000, "tiny-4k": 48_000}
PADS = 1500
SLOW_4G = {"latency": 150, "downloadThroughput": 1.6e6 / 8, "uploadThroughput": 750e3 / 8}
"""Milliseconds, and bytes a second."""
PHOTOGRAPHS = ((4_000, 3_000), (2_000, 6_000), (12_000, 1_000))
LARGER = (6_000, 4_000)
EMPTY = b"""<!doctype html><title>nothing</title><main id="main" hidden></main><b id="pad"></b><p id="label">0</p>
<script>document.getElementById("main").hidden = false</script>"""
"""What ``FIRST_ANSWER`` finds a pad on, and an answer, and nothing else."""
FIRST_ANSWER = """
new MutationObserver((_, observer) => {
  const main = document.getElementById("main");
  if (!main || main.hidden) return;
  observer.disconnect();
  const shown = performance.now();
  const pad = document.getElementById("pad");
  for (const key of [" ", ...Array(12).fill("ArrowDown"), " "]) {
    pad.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  }
  const found = { shown, answered: performance.now(), label: document.getElementById("label").textContent };
  const frame = new MessageChannel();
  frame.port1.onmessage = () => { window.first = { ...found, framed: performance.now() }; };
  requestAnimationFrame(() => frame.port2.postMessage(0));
}).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ["hidden"] });
"""
"""Draws as soon as the page shows itself, and keeps when: a message that is sent when a frame begins comes after it."""
KEEP_MEMORY = """
const instantiate = WebAssembly.instantiate;
WebAssembly.instantiate = async (...given) => {
  const made = await instantiate.apply(WebAssembly, given);
  window.wasmMemory = made.instance.exports.memory;
  return made;
};
"""
AWAIT = """
(() => {
  window.isChosen = false;
  document.getElementById("file").addEventListener("change", () => { window.isChosen = true; }, { once: true });
})()
"""
CHOSEN = "window.isChosen && document.getElementById('file').files.length === 0"
"""The page empties its list of files when it has read them all."""
SEEN = """
(() => {
  const { data } = document.getElementById("seen").getContext("2d").getImageData(0, 0, 28, 28);
  return btoa(String.fromCharCode(...data.filter((_, at) => at % 4 === 0)));
})()
"""


def first_answer(address: str, conditions: dict[str, float] | None) -> dict[str, float]:
    """Open an address in a fresh browser and return milliseconds until it is shown, until an answer, until a frame."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = start_chromium(Path(profile))
        try:
            tab = Tab(browser)
            if conditions:
                tab.ask("Network.emulateNetworkConditions", offline=False, **conditions)
            tab.ask("Page.addScriptToEvaluateOnNewDocument", source=FIRST_ANSWER)
            tab.ask("Page.navigate", url=address)
            found: dict[str, Any] = tab.until("window.first")
        finally:
            browser.close()
    if not found.pop("label").isdigit():
        raise SystemExit(f"expected {address} to read a digit in the first stroke, found none")
    return found


def first_answers(pages: dict[str, tuple[str, dict[str, float] | None]], launches: int) -> dict[str, Any]:
    """Open pages in turn, each in as many fresh browsers.

    Args:
        pages: address, and how the network is throttled, by what it is called.
        launches: of each.

    Returns:
        Of each page medians in milliseconds, and all times until the answer.
    """
    found: dict[str, list[dict[str, float]]] = {name: [] for name in pages}
    for _ in range(launches):
        for name, (address, conditions) in pages.items():
            found[name].append(first_answer(address, conditions))
    return {
        name: {
            **{key: round(statistics.median(time[key] for time in times), 1) for key in times[0]},
            "launches": [round(time["answered"], 1) for time in times],
        }
        for name, times in found.items()
    }


def pad_times(tab: Tab) -> dict[str, Any]:
    """Draw digits on the page that was opened a second ago; return how long it takes to answer, in milliseconds."""
    time.sleep(1)
    times = read_on(tab, drawings(drawn_strokes(PADS, seed=3), seed=4)["as usual"]).milliseconds
    found = {name: round(float(np.quantile(times, part)), 3) for name, part in (("p50", 0.5), ("p99", 0.99))}
    return {"pads": len(times), "pad_ms": found}


def in_module(tab: Tab, made: MadePage, split: Split) -> dict[str, Any]:
    """Return what ``page_targets.mjs`` measures of the module of a page."""
    files = {
        "/page.html": b'<!doctype html><main id="main"></main><script type="module" src="/page_targets.mjs"></script>',
        "/page_targets.mjs": Path(__file__).with_suffix(".mjs").read_bytes(),
        "/digits.mjs": made.module.read_bytes(),
        "/images": split.images.tobytes(),
    }
    with served(files) as address:
        tab.open(f"{address}/page.html")
        found = tab.until("window.found")
    if "error" in found:
        raise SystemExit(f"page_targets.py: {made.module.name} failed: {found['error']}")
    answers = np.frombuffer(base64.b64decode(found["answers"]), np.uint8).reshape(-1, 10)
    expected = reference_probabilities(made.tflite, split.images)
    return {
        "browser": found["browser"],
        "test_images": len(answers),
        "other_probabilities": int((answers != expected).any(axis=1).sum()),
    }


def chosen(tab: Tab, file: Path) -> tuple[str, str, Pixels]:
    """Choose a picture in the page that is open; return the answer, what the page says of it, and the image it saw."""
    tab.run(AWAIT)
    tab.choose("file", file)
    tab.until(CHOSEN)
    image = np.frombuffer(base64.b64decode(tab.run(SEEN)), np.uint8).reshape(28, 28)
    return tab.text("label"), tab.text("message"), image


def uploads(tab: Tab, files: list[Path], tflite: bytes) -> dict[str, Any]:
    """Choose pictures one by one, and compare what the page saw and read with Python's preparation and the kernels."""
    other_bytes, other_digits = [], []
    for file in files:
        label, _, image = chosen(tab, file)
        try:
            expected = prepare(file)
            digit = str(reference_probabilities(tflite, expected[np.newaxis])[0].argmax())
        except ImageError:
            expected, digit = np.zeros_like(image), "?"
        if (image != expected).any():
            other_bytes.append(file.name)
        if label != digit:
            other_digits.append(f"{file.name}: {label}, in Python {digit}")
    return {"pictures": len(files), "other_bytes": other_bytes, "other_digits": other_digits}


def photograph(size: tuple[int, int], path: Path) -> Path:
    """Write a photograph of a drawn digit on paper with a shadow and grain, as JPEG."""
    width, height = size
    image = Image.fromarray(draw_digits(1, np.random.default_rng(7))[0][0])
    side = min(size) // 2
    ink = Image.new("L", size)
    ink.paste(
        image.resize((side, side), Image.Resampling.BICUBIC), ((width - side) // 2, (height - side) // 2)
    )
    light = np.linspace(230, 150, width)[np.newaxis] + np.linspace(0, 20, height)[:, np.newaxis]
    grain = np.random.default_rng(8).normal(0, 3, (height, width))
    levels = light * (1 - np.asarray(ink) / 300) + grain
    Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8)).save(path, quality=90)
    return path


def memory(tab: Tab, page: Path, folder: Path) -> dict[str, Any]:
    """Return the megabytes of WebAssembly that reading each of some photographs takes, and what the page says."""
    tab.ask("Page.addScriptToEvaluateOnNewDocument", source=KEEP_MEMORY)
    found = {}
    for size in (*PHOTOGRAPHS, LARGER):
        tab.open(page.as_uri())
        label, message, _ = chosen(tab, photograph(size, folder / f"{size[0]}x{size[1]}.jpg"))
        bytes_taken = tab.run("window.wasmMemory.buffer.byteLength")
        found[f"{size[0]}x{size[1]}"] = {"MB": bytes_taken / 1e6, "label": label, "message": message}
    return found


def measured(name: str, made: MadePage, pictures: list[Path], launches: int, split: Split) -> dict[str, Any]:
    """Return everything about one page."""
    content = made.html.read_bytes()
    found: dict[str, Any] = {
        "bytes": len(content),
        "gzip_bytes": len(gzip.compress(content, 6)),
    }
    empty = made.html.with_name("empty.html")
    empty.write_bytes(EMPTY)
    with served({"/digits.html": content}, compressed=True) as address:
        pages = {
            "empty_ms": (empty.as_uri(), None),
            "from_file_ms": (made.html.as_uri(), None),
            "slow_4g_ms": (f"{address}/digits.html", SLOW_4G),
        }
        found |= first_answers(pages, launches)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        browser = start_chromium(Path(folder))
        try:
            tab = Tab(browser)
            tab.open(made.html.as_uri())
            found |= pad_times(tab)
            tab.open(made.html.as_uri())
            found["uploads"] = uploads(tab, pictures, made.tflite)
            found["memory"] = memory(tab, made.html, Path(folder))
            found |= in_module(tab, made, split)
        finally:
            browser.close()
    print(f"{name}: {json.dumps(found, indent=1)}", flush=True)
    return found


def targets_of(name: str, found: dict[str, Any]) -> dict[str, tuple[float, float]]:
    """Return what was measured of one page beside what it may be."""
    sent = found["uploads"]
    photographs = [f"{width}x{height}" for width, height in PHOTOGRAPHS]
    larger = found["memory"][f"{LARGER[0]}x{LARGER[1]}"]
    return {
        f"{name}: bytes": (found["bytes"], MOST_BYTES[name]),
        f"{name}: first answer from a file, ms": (found["from_file_ms"]["answered"], 100),
        f"{name}: first answer on slow 4G, ms": (found["slow_4g_ms"]["answered"], 1_500),
        f"{name}: an answer on the pad, p99, ms": (found["pad_ms"]["p99"], 2),
        f"{name}: memory for 12 megapixels, MB": (
            max(found["memory"][size]["MB"] for size in photographs),
            128,
        ),
        f"{name}: memory for 24 megapixels, MB": (larger["MB"], 128),
        f"{name}: larger photographs that are reduced without a word": (
            float("reduced to 12" not in larger["message"]),
            0,
        ),
        f"{name}: uploads with other bytes than in Python, in percent": (
            100 * len(sent["other_bytes"]) / sent["pictures"],
            1,
        ),
        f"{name}: uploads read as another digit": (len(sent["other_digits"]), 0),
        f"{name}: test images with another probability": (found["other_probabilities"], 0),
    }


def main() -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+", help="folders of pictures, those within them too")
    parser.add_argument("--launches", type=int, default=9)
    arguments = parser.parse_args()
    pictures = [
        path
        for folder in (GOLDEN, *arguments.folders)
        for path in sorted(folder.resolve().rglob("*"))
        if path.suffix.lower() in SUFFIXES
    ]
    splits = read_split(None, "train"), read_split(None, "test")
    results: dict[str, Any] = {}
    targets: dict[str, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, network in NETWORKS.items():
            made = made_page(network, Path(folder, name), splits)
            results[name] = measured(name, made, pictures, arguments.launches, splits[1])
            targets |= targets_of(name, results[name])
    return conclude("page_targets", results, targets)


if __name__ == "__main__":
    sys.exit(main())
