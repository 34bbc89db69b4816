"""Digits drawn on the pad of the page off its middle, small, and with thick and thin pens: how many fewer are read.

The same digits are drawn in each kind of ``_pad_digits`` on the page itself, in headless Chromium: pointer events, the
page's own pen, preparation and network. The page of the network that a predictor takes where none is named draws all of
them. What its preparation made of each goes through the WebAssembly of the other networks' pages too, in wasmtime. On
a sample this is held against the browser: every page draws it, and reads what wasmtime says; Python prepares the
pixels of its pads, and comes to the bytes that the page shows.

The target, at most 0.3 points less than as usual, holds for each kind and each network.

Usage: python benchmarks/page_drawings.py [--count 5000] [--seed 1]
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from _machine import conclude
from _pad import REFUSED, Read, read_on
from _pad_digits import Drawing, Strokes, drawings, drawn_strokes
from _pages import NETWORKS, Browser, MadePage, Tab, made_page, start_chromium

from edgedigits.datasets.read import read_split
from edgedigits.errors import ImageError
from edgedigits.picture.levels import Pixels
from edgedigits.picture.prepare import prepare
from edgedigits.runtimes.opening import open_model

USUAL = "as usual"
DRAWN_ON = "hands"
SAMPLE = 200
MOST_LOST = 0.3
Digits = npt.NDArray[np.int64]


def digits_of(page: Path, reads: dict[str, Read]) -> dict[str, Digits]:
    """Return which digits the network of a page reads in what was prepared, by kind, (n,); -1 where nothing was."""
    model = open_model(page)
    return {
        kind: np.where(read.digits == REFUSED, REFUSED, model.probabilities(read.images).argmax(axis=1))
        for kind, read in reads.items()
    }


def in_python(pad: Pixels) -> Pixels:
    """Return what Python prepares of a pad, all 0 where it refuses it, as a page shows that."""
    try:
        return prepare(pad)
    except ImageError:
        return np.zeros((28, 28), np.uint8)


def drawn_on(browser: Browser, page: Path, drawn: list[Drawing], *, with_pads: bool = False) -> Read:
    """Draw on a page in a tab of its own, which is closed again: browsers slow down what is behind another one."""
    tab = Tab(browser)
    tab.open(page.as_uri())
    read = read_on(tab, drawn, with_pads=with_pads)
    tab.close()
    return read


def sampled(
    browser: Browser,
    pages: dict[str, MadePage],
    kinds: dict[str, list[Drawing]],
    digits: dict[str, dict[str, Digits]],
) -> dict[str, int]:
    """Draw a sample of all kinds on every page.

    Args:
        browser: which draws.
        pages: of the networks.
        kinds: what is drawn, by kind.
        digits: what wasmtime read in it, by network and kind.

    Returns:
        How many were drawn, pictures that Python prepares otherwise, and answers that are not those of wasmtime.
    """
    each = min(-(-SAMPLE // len(kinds)), len(kinds[USUAL]))
    chosen = [(kind, index) for index in range(each) for kind in kinds][:SAMPLE]
    drawn = [kinds[kind][index] for kind, index in chosen]
    found = {"drawings": len(drawn), "other_bytes": 0, "other_digits": 0}
    for name, made in pages.items():
        read = drawn_on(browser, made.html, drawn, with_pads=True)
        prepared = np.stack([in_python(pad) for pad in read.pads])
        expected = np.array([digits[name][kind][index] for kind, index in chosen])
        found["other_bytes"] += int((prepared != read.images).any(axis=(1, 2)).sum())
        found["other_digits"] += int((expected != read.digits).sum())
    return found


def scores(digits: dict[str, Digits], drawn: list[Strokes]) -> dict[str, dict[str, Any]]:
    """Return how many digits of each kind are read right, all and by hand, and the points lost against the usual."""
    labels = np.array([one.digit for one in drawn])
    hands = np.array([one.hand for one in drawn])
    right = {kind: found == labels for kind, found in digits.items()}
    return {
        kind: {
            "images": len(labels),
            "correct": int(found.sum()),
            "of_each_hand": {hand: int(found[hands == hand].sum()) for hand in dict.fromkeys(hands.tolist())},
            "refused": int((digits[kind] == REFUSED).sum()),
            "lost_points": round(100 * float(right[USUAL].mean() - found.mean()), 3),
            "only_as_usual": int((right[USUAL] & ~found).sum()),
            "only_so": int((~right[USUAL] & found).sum()),
        }
        for kind, found in right.items()
    }


def show(name: str, found: dict[str, dict[str, Any]]) -> None:
    """Print a table of one network."""
    print(f"\n{name:40}{'read right':>11}{'lost':>8}{'refused':>9}{'only as usual, only so':>25}")
    for kind, row in found.items():
        flips = f"{row['only_as_usual']}, {row['only_so']}"
        share = 100 * row["correct"] / row["images"]
        print(f"  {kind:38}{share:9.2f} %{row['lost_points']:8.2f}{row['refused']:9}{flips:>25}")


def main() -> int:
    """Draw, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=5_000, help="digits, each drawn in every kind")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    splits = read_split(None, "train"), read_split(None, "test")
    drawn = drawn_strokes(arguments.count, arguments.seed)
    kinds = drawings(drawn, arguments.seed + 1)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        pages = {name: made_page(network, Path(folder, name), splits) for name, network in NETWORKS.items()}
        browser = start_chromium(Path(folder))
        try:
            reads = {kind: drawn_on(browser, pages[DRAWN_ON].html, some) for kind, some in kinds.items()}
            digits = {name: digits_of(made.html, reads) for name, made in pages.items()}
            sample = sampled(browser, pages, kinds, digits)
        finally:
            browser.close()
    results: dict[str, Any] = {"seed": arguments.seed, "sample": sample, "networks": {}}
    targets: dict[str, tuple[float, float]] = {
        "sample: pads that Python prepares otherwise": (sample["other_bytes"], 0),
        "sample: answers that are not those of wasmtime": (sample["other_digits"], 0),
    }
    for name in pages:
        results["networks"][name] = found = scores(digits[name], drawn)
        show(name, found)
        targets |= {
            f"{name}, {kind}: points lost": (row["lost_points"], MOST_LOST)
            for kind, row in found.items()
            if kind != USUAL
        }
    return conclude("page_drawings", results, targets)


if __name__ == "__main__":
    sys.exit(main())
