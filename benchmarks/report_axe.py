"""Whether reports can be read by everybody: axe-core's rules, in Chromium, on a desk and a phone, light and dark.

Claims: reports of networks of several kinds have no finding of axe-core that is serious or critical, neither as they
come nor with all that folds opened; none has more than 1.5 MB or is scrolled sideways at 390 or 1280 pixels.

axe-core is not part of this repository: ``npm install axe-core``, and name its ``axe.min.js``.

Usage: python benchmarks/report_axe.py AXE_FILE [REPORT.html ...]
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from _machine import conclude
from _pages import MODELS, Tab, start_chromium

from edgedigits.reporting.report import render_report

NETWORKS = {
    "128-32": (MODELS, "digits"),
    "hands": (MODELS / "hands", "digits"),
    "tiny-4k": (MODELS / "tiny", "tiny-4k"),
    "numbers": (MODELS / "numbers", "numbers"),
}
"""Networks that come along: of twelve files, of one, of three, and one without plots."""
WIDTHS = (390, 1280)
SCHEMES = ("light", "dark")
LARGEST = 1_500_000
"""Bytes of a page."""
OPEN_ALL = "document.querySelectorAll('details').forEach(each => { each.open = true; })"
RUN = "axe.run({resultTypes: ['violations']}).then(found => JSON.stringify(found.violations))"


def findings(tab: Tab) -> dict[str, str]:
    """Return what axe-core finds in the page that is open: rules with their impact."""
    return {found["id"]: found["impact"] for found in json.loads(tab.run(RUN))}


def examine(tab: Tab, page: Path, axe: str) -> Iterator[dict[str, Any]]:
    """Look at a page in both widths and schemes, folded and opened."""
    for scheme in SCHEMES:
        tab.colours(scheme)
        for width in WIDTHS:
            tab.resize(width, 900)
            tab.visit(page.as_uri())
            tab.run(axe)
            for state in ("folded", "opened"):
                if state == "opened":
                    tab.run(OPEN_ALL)
                beyond = tab.run("document.documentElement.scrollWidth") - width
                yield {
                    "width": width,
                    "scheme": scheme,
                    "state": state,
                    "pixels_beyond": max(0, beyond),
                    "findings": findings(tab),
                }


@contextmanager
def chromium(folder: Path) -> Iterator[Tab]:
    """Start a browser with one tab, and end it."""
    browser = start_chromium(folder)
    try:
        yield Tab(browser)
    finally:
        browser.close()


def pages(named: list[Path], folder: Path) -> dict[str, Path]:
    """Return the reports that were named, or write those of the networks that come along."""
    if named:
        return {str(page): page.resolve() for page in named}
    written = {}
    for name, (models, network) in NETWORKS.items():
        written[name] = folder / f"{name}.html"
        written[name].write_text(render_report(models, network), encoding="utf-8")
    return written


def main() -> int:
    """Examine all pages."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("axe", type=Path, metavar="AXE_FILE")
    parser.add_argument("reports", nargs="*", type=Path, metavar="REPORT.html")
    arguments = parser.parse_args()
    axe = arguments.axe.read_text(encoding="utf-8")
    seen: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name, chromium(Path(name)) as tab:
        for title, page in pages(arguments.reports, Path(name)).items():
            views = list(examine(tab, page, axe))
            seen[title] = {"bytes": page.stat().st_size, "views": views}
            impacts = Counter(impact for view in views for impact in view["findings"].values())
            print(
                f"{title}: {page.stat().st_size:,} bytes, {len(views)} views, {dict(impacts) or 'no finding'}"
            )
        version = tab.run("axe.version")
    views = [view for page in seen.values() for view in page["views"]]
    serious = [
        rule
        for view in views
        for rule, impact in view["findings"].items()
        if impact in ("serious", "critical")
    ]
    targets = {
        "findings of axe-core that are serious or critical": (float(len(serious)), 0.0),
        "findings of axe-core of any kind": (float(sum(len(view["findings"]) for view in views)), 0.0),
        "pixels that a page is scrolled sideways": (float(max(view["pixels_beyond"] for view in views)), 0.0),
        "bytes of the largest report": (float(max(page["bytes"] for page in seen.values())), float(LARGEST)),
    }
    return conclude("report_axe", {"axe_core": version, "reports": seen}, targets)


if __name__ == "__main__":
    sys.exit(main())
