"""The documentation's site, as a reader has it on a disk: built strict, whole by itself, no wider than a screen."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from blocks import ROOT
from browsers import CHROMIUM, Browser, Tab, start_chromium

pytestmark = pytest.mark.stress

HIGH = 900
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (built.returncode, built.stdout, built.stderr) == (0, "", "")
    return folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium")
    started = start_chromium(tmp_path_factory.mktemp("chromium"))
    yield started
    started.close()


def pages(site: Path) -> list[Path]:
    """Those of the site, without what only looks like one."""
    return [
        page
        for page in sorted(site.glob("*.html"))
        if page.name not in {"404.html", "digits.html", "numbers.html"}
    ]


def show(tab: Tab, address: str) -> None:
    """Go to a page and wait until it is there."""
    tab.ask("Page.navigate", url=address)
    tab.until(f"document.URL === {json.dumps(address)} && document.readyState === 'complete'")


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_is_wider_than_the_screen_or_asks_for_anything_elsewhere(
    width: int, site: Path, browser: Browser
) -> None:
    tab = Tab(browser, width, HIGH)
    too_wide = []
    for page in pages(site):
        show(tab, page.as_uri())
        if tab.run(SIDEWAYS) > 0:
            too_wide.append(page.name)
    assert too_wide == []
    assert [
        address for address in tab.requests() if not address.startswith(("file:", "data:", "about:"))
    ] == []
    assert tab.complaints() == []
    tab.close()


def test_the_search_finds_from_a_disk(site: Path, browser: Browser) -> None:
    tab = Tab(browser)
    show(tab, f"{(site / 'index.html').as_uri()}?q=temperature")
    found = tab.until(
        "[...document.querySelectorAll('.md-search-result__link')].map(link => link.href).join()"
    )
    assert "/train.html" in found
    tab.close()
