import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from markdown_it import MarkdownIt
from PIL import Image
from report_kinds import all_measured, changed, edit, keep, measurement, verified

from edgedigits.artifacts.manifest import network_entry, read_manifest
from edgedigits.datasets.split import Split
from edgedigits.errors import ModelFileError
from edgedigits.reporting.facts import read_presets
from edgedigits.reporting.model_card import render_model_card
from edgedigits.reporting.report import SamplePrediction, render_markdown, render_report

LARGEST_PAGE = 1_500_000
"""Bytes: it is sent by mail and opened on phones."""
VOID = {"meta", "img", "br", "hr", "link", "input"}
PNG = b"\x89PNG\r\n\x1a\n"


class Page(HTMLParser):
    """Reads a page strictly: every element closed in turn, every address and every script noted."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.handlers: list[str] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == [], "elements that are never closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self._open.append(tag)
        for key, value in attrs:
            if key in {"src", "href", "srcset", "data", "action", "poster"}:
                self.addresses.append(value or "")
            if key.startswith("on"):
                self.handlers.append(key)

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    @property
    def embedded(self) -> list[str]:
        """Addresses that are no places of the page itself."""
        return [address for address in self.addresses if not address.startswith("#")]

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def samples(dataset: tuple[Split, Split], tmp_path_factory: pytest.TempPathFactory) -> list[SamplePrediction]:
    folder = tmp_path_factory.mktemp("pictures")
    for index in range(3):
        Image.fromarray(dataset[1].images[index]).save(folder / f"{index} <b>&.png")
    return [SamplePrediction(path, 7, 0.876) for path in sorted(folder.iterdir())]


@pytest.fixture(scope="module")
def page(models: Path, samples: list[SamplePrediction]) -> Page:
    """The whole report, with everything that can be in it."""
    html = render_report(
        models, "digits", measurement({"digits.tflite": 7.0, "digits.int8.tflite": 14.0}), samples
    )
    assert len(html.encode()) < LARGEST_PAGE
    return Page(html)


def test_the_page_is_well_formed(page: Page) -> None:
    assert page.tags[0] == "html"
    assert page.tags.count("body") == page.tags.count("title") == page.tags.count("h1") == 1


def test_the_page_loads_nothing_and_runs_nothing(page: Page) -> None:
    assert not {"script", "link", "iframe", "object", "embed", "form"} & set(page.tags)
    assert page.handlers == []
    # Mistakes, samples, weights, and three pictures; curves and confusion matrix are drawn from their numbers.
    assert len(page.embedded) == 3 + 3
    for address in page.embedded:
        assert address.startswith("data:image/png;base64,")
        assert base64.b64decode(address.partition(",")[2], validate=True).startswith(PNG)


def test_no_address_hides_in_the_style(models: Path) -> None:
    html = render_report(models, "digits")
    (style,) = re.findall("<style>(.*?)</style>", html, re.DOTALL)
    assert "url(" not in style
    assert "@import" not in style
    assert not re.findall("https?://", html)


def test_the_page_tells_what_the_manifest_holds(page: Page, models: Path) -> None:
    network = read_manifest(models)["networks"]["digits"]
    test = network["training"]["results"]["test"]
    assert f"{100 * test['correct'] / test['images']:.2f} %" in page.words
    assert network["training"]["weights_sha256"] in page.words
    assert network["training"]["dataset"]["test_sha256"] in page.words
    assert "101,770" not in page.words  # parameters of another network
    assert f"{785 * 128 + 129 * 32 + 33 * 10:,}" in page.words
    for name, receipt in network["files"].items():
        if "verification" in receipt:
            assert f"{name} {receipt['sha256']}" in page.words
            assert f"{receipt['bytes']:,}" in page.words
    for tool, version in network["training"]["versions"].items():
        assert f"{tool} {version}" in page.words


def test_the_page_shows_measurements_and_remarks(page: Page) -> None:
    assert "Latency, throughput, memory" in page.words
    assert "digits.int8.tflite is slower than digits.tflite on one image: 2.00 times its p50." in page.words
    assert "142,857" in page.words  # a second, divided by 7 microseconds
    assert "1 thread" in page.words


def test_without_measurements_and_pictures_the_page_leaves_them_out(models: Path) -> None:
    page = Page(render_report(models, "digits"))
    assert "Latency" not in page.words
    assert "Pictures that were predicted" not in page.words
    assert len(page.embedded) == 3


def test_pictures_stand_with_their_answers(page: Page) -> None:
    assert "0 <b>&.png: 7 , 87.6 %" in page.words
    assert page.tags.count("b") == 3  # the answers, none from a file's name


def test_a_page_about_other_digits_says_so(models: Path) -> None:
    dataset = read_manifest(models)["networks"]["digits"]["training"]["dataset"]["name"]
    page = Page(render_report(models, "digits"))
    notice = f"Trained and tested on {dataset}. No figure on this page says anything about MNIST."
    assert (notice in page.words) is (dataset != "MNIST")
    assert f"Data: {dataset}." in page.words


@pytest.mark.parametrize("data", ["MNIST", "scikit-learn digits (not MNIST)"])
def test_the_notice_depends_on_the_data(data: str, models: Path, tmp_path: Path) -> None:
    manifest = read_manifest(models)
    entry = network_entry(manifest, "digits")
    entry["training"]["dataset"]["name"] = data
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert ("says anything about MNIST" in render_report(tmp_path, "digits")) is (data != "MNIST")
    assert ("says anything about MNIST" in render_model_card("digits", entry)) is (data != "MNIST")


def test_a_hostile_name_stays_text(models: Path, tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>\"' onload=x &amp;"
    manifest = read_manifest(models)
    entry = network_entry(manifest, "digits")
    entry["training"]["dataset"]["name"] = hostile
    entry["training"]["versions"][hostile] = hostile
    entry["files"][f"{hostile}.onnx"] = entry["files"]["digits.onnx"]
    manifest["networks"] = {hostile: entry}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    page = Page(render_report(tmp_path, hostile, measurement({hostile: 7.0})))
    assert "script" not in page.tags
    assert page.handlers == []
    assert hostile in page.words
    assert all(address.startswith("data:image/png;base64,") for address in page.embedded)


@pytest.mark.parametrize("name", ["other", ""])
def test_a_network_that_was_not_trained_here_is_an_error(name: str, models: Path) -> None:
    with pytest.raises(ModelFileError, match=f"no trained network '{name}' in its manifest; train it with"):
        render_report(models, name)


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no trained network 'digits'"):
        render_report(tmp_path, "digits")


def test_the_model_card_lists_every_file(models: Path) -> None:
    entry = read_manifest(models)["networks"]["digits"]
    card = render_model_card("digits", entry)
    rows = [line for line in card.splitlines() if line.startswith("| `digits.")]
    exported = [name for name, receipt in sorted(entry["files"].items()) if "verification" in receipt]
    assert [row.split("`")[1] for row in rows] == exported
    assert entry["files"]["digits.int8.tflite"]["calibration"]["indices_sha256"][:16] in card
    assert card == (models / "MODEL_CARD.md").read_text()


def test_the_page_shows_how_robust_the_network_is_and_how_the_presets_compare(page: Page) -> None:
    assert "turned by 10 degrees left" in page.words
    assert "The presets side by side" in page.words
    rows = read_presets()["rows"]
    assert {row["arch"] for row in rows} >= {"128-32"}
    for row in rows:
        assert f"{row['mean']:.2f} ± {row['spread']:.2f} %" in page.words


@pytest.mark.parametrize("labels", ["0123456789", "abcdefghij"], ids=["digits", "other classes"])
def test_pages_tell_how_far_confidence_can_be_trusted(labels: str, models: Path, tmp_path: Path) -> None:
    manifest = read_manifest(models)
    entry = network_entry(manifest, "digits")
    entry["training"]["dataset"]["labels"] = list(labels)
    entry["training"]["results"] |= {
        "temperature": 1.2341,
        "expected_calibration_error": {
            "validation": {"before": 0.01111, "after": 0.02222},
            "test": {"before": 0.03333, "after": 0.04444},
        },
    }
    entry["files"]["digits.onnx"]["verification"]["expected_calibration_error"] = 0.05551
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    pages = [
        Page(render_report(tmp_path, "digits")).words,
        render_markdown(tmp_path, "digits"),
        render_model_card("digits", entry),
    ]
    for words in pages:
        for figure in ("1.234", "0.0111", "0.0222", "0.0333", "0.0444", "0.0555", "ECE"):
            assert figure in words
        assert "not calibrated" not in words
    for table in pages[1:]:
        lines = table.splitlines()
        start = next(index for index, line in enumerate(lines) if line.startswith("| file |"))
        assert len({line.count("|") for line in lines[start : start + 3]}) == 1


@pytest.mark.parametrize("labels", ["0123456789", "abcdefghij"], ids=["digits", "other classes"])
def test_pages_of_a_network_without_a_temperature_leave_it_out(
    labels: str, models: Path, tmp_path: Path
) -> None:
    """A manifest of an earlier version."""
    manifest = read_manifest(models)
    entry = network_entry(manifest, "digits")
    entry["training"]["dataset"]["labels"] = list(labels)
    for key in ("temperature", "expected_calibration_error"):
        del entry["training"]["results"][key]
    for receipt in entry["files"].values():
        receipt.get("verification", {}).pop("expected_calibration_error", None)
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    card = render_model_card("digits", entry)
    assert "they are not calibrated." in " ".join(card.split())
    for words in (Page(render_report(tmp_path, "digits")).words, render_markdown(tmp_path, "digits"), card):
        assert "temperature" not in words
        assert "ECE" not in words
        assert "calibration error" not in words


def test_a_file_that_was_verified_by_an_earlier_version_has_a_dash(models: Path) -> None:
    entry = read_manifest(models)["networks"]["digits"]
    del entry["files"]["digits.onnx"]["verification"]["expected_calibration_error"]
    lines = render_model_card("digits", entry).splitlines()
    (row,) = [line for line in lines if line.startswith("| `digits.onnx`")]
    assert row.endswith("| - |")


@pytest.mark.parametrize("labels", ["0123456789", "abcdefghij"], ids=["digits", "other classes"])
def test_the_model_card_says_from_which_lead_on_answers_are_sure(labels: str, models: Path) -> None:
    entry = read_manifest(models)["networks"]["digits"]
    entry["training"]["dataset"]["labels"] = list(labels)
    for record in entry["files"].values():
        record.pop("sure", None)
    assert "is sure" not in render_model_card("digits", entry)
    sure = {"min_margin": 241, "images": 5_000, "drawn": 5_000, "answered": 9_502, "right": 9_495}
    entry["files"]["digits.onnx"]["sure"] = {**sure, "of a later release": 1}
    entry["files"]["digits.ort"]["sure"] = {
        **sure,
        "min_margin": 255,
        "drawn": 0,
        "answered": 4_400,
        "right": 4_399,
    }
    card = render_model_card("digits", entry)
    drawn, alone = (" and to drawn digits", ", all of them held-out images") if labels[0] == "0" else ("", "")
    assert f"that training held\nout{drawn} so that at most one in 1,000 of those is wrong" in card
    assert (
        f"`digits.onnx`: 241 (9,495 of 9,502); `digits.ort`: 255 (4,399 of 4,400{alone}).\n\n## Known" in card
    )


def test_markdown_links_to_the_plots_and_has_the_same_figures(models: Path) -> None:
    text = render_markdown(models, "digits")
    links = re.findall(r"!\[[^]]*\]\(([^)]*)\)", text)
    assert len(links) == 5
    assert all((models / link).is_file() for link in links)
    verified = read_manifest(models)["networks"]["digits"]["files"]["digits.onnx"]["verification"]
    assert f"{100 * verified['correct'] / verified['images']:.2f} %" in text
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({line.count("|") for line in table.splitlines()}) == 1
        assert f"\n{table}\n" in text  # what follows a table without an empty line is a row of it


@pytest.mark.parametrize("key", ["results", "arguments", "arch"])
def test_an_incomplete_record_is_one_error(key: str, models: Path, tmp_path: Path) -> None:
    """A manifest that somebody wrote by hand: every reader but the report has all that it needs."""
    manifest = json.loads((models / "manifest.json").read_bytes())
    training = manifest["networks"]["digits"]["training"]
    training[key] = {} if key == "arguments" else None
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    for render in (render_report, render_markdown):
        with pytest.raises(ModelFileError, match="the manifest's record of this network is incomplete"):
            render(tmp_path, "digits")
    with pytest.raises(ModelFileError, match="is incomplete"):
        render_model_card("digits", manifest["networks"]["digits"])


def test_both_forms_say_the_same_in_the_same_order(models: Path) -> None:
    measured = all_measured(models, "digits")
    page, text = render_report(models, "digits", measured), render_markdown(models, "digits", measured)
    headings = re.findall(r"<h2 id=\"\w+\">(.*?)</h2>", page)
    assert headings == re.findall("^## (.*)$", text, re.MULTILINE)
    assert [href[1:] for href in re.findall('<a href="(.*?)">', page)] == re.findall('<h2 id="(\\w+)">', page)
    anchors = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
    assert re.findall(r"\]\(#(.*?)\)", text) == anchors
    sentence = "All 13 files pass; take digits."
    assert sentence in page
    assert sentence in text
    for name in verified(read_manifest(models)["networks"]["digits"]):
        assert name in page
        assert name in text


def test_a_page_says_when_it_was_written(page: Page) -> None:
    assert re.search(r"Written 20\d\d-\d\d-\d\d \d\d:\d\d UTC by edgedigits \d", page.words)


def test_a_network_of_another_author_has_a_report_of_its_files(models: Path, tmp_path: Path) -> None:
    def forget(entry) -> None:
        entry["training"] = None

    folder = changed(models, tmp_path / "models", forget)
    training = read_manifest(models)["networks"]["digits"]["training"]
    test = training["results"]["test"]
    for words in (Page(render_report(folder, "digits")).words, render_markdown(folder, "digits")):
        assert "All 13 files pass; take digits." in words
        assert f"{100 * test['correct'] / test['images']:.2f} %" in words
        assert "Known weaknesses" not in words
        assert "How to use them" in words


def test_what_a_file_of_such_a_network_lacks_is_one_error(models: Path, tmp_path: Path) -> None:
    def spoil(entry) -> None:
        entry["training"] = None
        del entry["files"]["digits.onnx"]["calibration"]

    folder = changed(models, tmp_path / "models", spoil)
    with pytest.raises(ModelFileError, match=r"is incomplete .*; export it again"):
        render_report(folder, "digits")


def test_files_that_nobody_judged_are_named(models: Path, tmp_path: Path) -> None:
    folder = changed(models, tmp_path / "models")
    (folder / "theirs.onnx").write_bytes(b"anything")
    for words in (Page(render_report(folder, "digits")).words, render_markdown(folder, "digits")):
        assert "judged by nobody: theirs.onnx." in words
    assert "judged by nobody" not in render_report(models, "digits")


@pytest.mark.parametrize(
    "content", ["[", "[1]", "[" * 100_000, '[{"epoch": 1}]'], ids=["cut off", "numbers", "deep", "incomplete"]
)
def test_without_a_readable_history_the_page_shows_the_plot(
    content: str, models: Path, tmp_path: Path
) -> None:
    folder = changed(models, tmp_path / "models")
    (folder / "history.json").unlink()
    (folder / "history.json").write_text(content)
    with pytest.warns(UserWarning, match="the history of digits: .*; left out"):
        page = Page(render_report(folder, "digits"))
    assert len(page.embedded) == 4
    assert "polyline" not in page.tags


def test_a_confusion_matrix_of_another_form_is_shown_as_the_plot(models: Path, tmp_path: Path) -> None:
    folder = changed(models, tmp_path / "models")
    edit(folder, lambda entry: entry["training"]["results"].update(confusion=[[1, 2], [3]]))
    page = Page(render_report(folder, "digits"))
    assert len(page.embedded) == 4
    assert "Most frequent:" not in page.words


def test_a_folder_of_large_pictures_is_still_a_small_page(models: Path, tmp_path: Path) -> None:
    folder = changed(models, tmp_path / "models")
    noise = np.random.default_rng(0).integers(0, 256, (700, 700, 3), dtype=np.uint8)
    for plot in ("weights.png", "samples.png"):
        (folder / "plots" / plot).unlink()
        Image.fromarray(noise).save(folder / "plots" / plot)
    html = render_report(folder, "digits", all_measured(models, "digits"))
    assert len(html.encode()) < LARGEST_PAGE
    assert "Too large for one page: plots/weights.png." in Page(html).words


@pytest.mark.parametrize(
    "change", [None, keep("digits.int8.tflite"), keep()], ids=["all", "one file", "no files"]
)
def test_markdown_is_read_as_it_is_meant(change, models: Path, tmp_path: Path) -> None:
    folder = changed(models, tmp_path / "models", change) if change else models
    measured = all_measured(models, "digits") if change is None else None
    page = Page(render_report(folder, "digits", measured))
    html = (
        MarkdownIt("commonmark", {"xhtmlOut": False})
        .enable("table")
        .render(render_markdown(folder, "digits", measured))
    )  # raw HTML is left as it is, as GitHub does
    read = Page(html)
    # The confusion matrix is a picture here.
    assert read.tags.count("table") == page.tags.count("table") - 1
    assert read.tags.count("h2") == page.tags.count("h2")
    assert read.tags.count("details") >= 3
    outside = re.sub("(?s)<pre>.*?</pre>", "", html)
    assert not re.search(r"[|`]|\*\*|\]\(", re.sub("<[^>]*>", "", outside))
