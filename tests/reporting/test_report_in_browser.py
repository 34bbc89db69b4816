"""Reports of all kinds as people meet them: in Chromium, on a desk and on a phone, dark and light, and on paper."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsers import CHROMIUM, Tab, start_chromium
from report_kinds import LONG_DATASET, LONG_NAME, WORDS, all_measured, changed, fail, keep, renamed

from edgedigits.reporting.report import render_report

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no Chromium here: apt-get install chromium"
)
WIDTHS = (390, 768, 1280)
LARGEST_PAGE = 1_500_000
OPEN_ALL = "document.querySelectorAll('details').forEach(each => { each.open = true; })"
CUT_OFF = """(() => {
  const width = document.documentElement.clientWidth;
  return [...document.querySelectorAll('main *')].filter(each => {
    const box = each.getBoundingClientRect(), style = getComputedStyle(each);
    // A sheet is as wide as it is: of it each cell shows a piece.
    const isShown = box.width > 1 && each.tagName !== 'use' && !each.closest('thead') && style.overflow !== 'hidden';
    const isCut = style.overflowX !== 'visible' && each.scrollWidth > each.clientWidth + 1;
    return isShown && (box.right > width + 1 || box.left < -1 || isCut);
  }).map(each => each.outerHTML.slice(0, 80));
})()"""
"""What reaches beyond the page at its sides, or has to be scrolled sideways within it."""


@dataclasses.dataclass(frozen=True)
class Kind:
    """A report, and what its verdict has to say."""

    page: Path
    verdict: str


@pytest.fixture(scope="module")
def kinds(models: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Kind]:
    made = tmp_path_factory.mktemp("kinds")

    def write(kind: str, verdict: str, folder: Path, name: str = "digits", *, measured: bool = False) -> None:
        page = made / f"{kind}.html"
        html = render_report(folder, name, all_measured(folder, name) if measured else None)
        page.write_text(html, encoding="utf-8")
        found[kind] = Kind(page, verdict)

    found: dict[str, Kind] = {}
    words = renamed(models, made / "words-files", LONG_NAME, WORDS, LONG_DATASET)
    write("all", "All 13 files pass; take digits.", models, measured=True)
    write("words", f"All 13 files pass; take {LONG_NAME}.", words, LONG_NAME, measured=True)
    one_fails = changed(models, made / "one", fail("digits.int8.onnx"))
    write("one fails", "12 of 13 files pass; digits.int8.onnx fails the gate; take digits.", one_fails)
    write("none", "None of the 13 files passes; ", changed(models, made / "none", fail()))
    alone = changed(models, made / "alone", keep("digits.c"))
    write("alone", "The only file passes; take digits.c.", alone)
    write("no files", "No file has been exported yet", changed(models, made / "no", keep()))
    return found


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    browser = start_chromium(tmp_path_factory.mktemp("browser"))
    try:
        yield Tab(browser)
    finally:
        browser.close()


KINDS = ("all", "words", "one fails", "none", "alone", "no files")


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_cut_off_or_scrolled_sideways(kind: str, kinds: dict[str, Kind], tab: Tab) -> None:
    page = kinds[kind].page
    assert page.stat().st_size <= LARGEST_PAGE
    tab.visit(page.as_uri())
    assert tab.run("document.querySelector('.verdict p').textContent").startswith(kinds[kind].verdict)
    for opened in ("0", OPEN_ALL):
        tab.run(opened)
        for width in WIDTHS:
            tab.resize(width, 900)
            assert tab.run("document.documentElement.scrollWidth") <= width
            assert tab.run(CUT_OFF) == []
    assert all(each.startswith(("file:", "data:")) for each in tab.requests())
    assert tab.complaints() == []


def test_the_gate_is_seen_of_every_file_on_a_desk_and_on_a_phone(kinds: dict[str, Kind], tab: Tab) -> None:
    tab.visit(kinds["one fails"].page.as_uri())
    for width in WIDTHS:
        tab.resize(width, 900)
        seen = tab.run(
            "[...document.querySelectorAll('#files ~ table tbody tr')].map(row => { const gate = row.children[1];"
            "const box = gate.getBoundingClientRect();"
            "return [row.children[0].textContent, gate.textContent, box.left >= 0 && box.right <= innerWidth]; })"
        )
        gates = {name: (gate, is_seen) for name, gate, is_seen in seen if gate in ("pass", "FAIL")}
        assert len(gates) == 13
        assert gates["digits.int8.onnx"] == ("FAIL", True)
        assert all(gate == ("pass", True) for name, gate in gates.items() if name != "digits.int8.onnx")


def test_contents_lead_to_every_part(kinds: dict[str, Kind], tab: Tab) -> None:
    tab.visit(kinds["all"].page.as_uri())
    places = tab.run("[...document.querySelectorAll('nav a')].map(each => each.hash.slice(1))")
    assert places == tab.run("[...document.querySelectorAll('h2')].map(each => each.id)")
    assert len(places) >= 8


def test_paper_has_what_is_folded_on_the_screen(kinds: dict[str, Kind], tab: Tab) -> None:
    tab.visit(kinds["all"].page.as_uri())
    tab.resize(1280, 900)
    heights = "[...document.querySelectorAll('details')].map(each => each.getBoundingClientRect().height)"
    folded = tab.run(heights)
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    tab.ask("Emulation.setEmulatedMedia", media="print", features=dark)
    try:
        tab.resize(718, 900)  # A4 with the margins that browsers give it
        printed = tab.run(heights)
        assert tab.run(CUT_OFF) == []
        paper = tab.run(
            "[document.body, document.querySelector('pre')].map(e => getComputedStyle(e).backgroundColor)"
        )
        assert paper == ["rgb(255, 255, 255)", "rgb(246, 248, 250)"]
    finally:
        tab.ask("Emulation.setEmulatedMedia", media="", features=[])
    assert len(printed) == len(folded) >= 8
    assert all(after > before + 20 for before, after in zip(folded, printed, strict=True))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_as_light_or_dark_as_the_system(scheme: str, kinds: dict[str, Kind], tab: Tab) -> None:
    tab.colours(scheme)
    tab.visit(kinds["alone"].page.as_uri())
    colours = tab.run(
        "['color', 'backgroundColor'].map(each => getComputedStyle(document.body)[each].match(/[0-9]+/g).map(Number))"
    )
    ink, paper = (sum(each[:3]) for each in colours)
    assert (ink < paper) is (scheme == "light")
    assert abs(ink - paper) > 500  # of 765
