import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgedigits.artifacts.manifest import network_entry, read_manifest
from edgedigits.datasets.split import Split
from edgedigits.errors import ModelFileError
from edgedigits.measuring import bench, metrics
from edgedigits.measuring.bench_result import BenchOptions, BenchResult, BenchRow, ColdStart, Latency
from edgedigits.measuring.machine import MachineCard
from edgedigits.reporting.facts import read_presets
from edgedigits.reporting.model_card import render_model_card
from edgedigits.reporting.report import SamplePrediction, render_markdown, render_report

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
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def measurement(names: tuple[str, ...]) -> BenchResult:
    rows = [
        BenchRow(
            name=name,
            arch="128-32",
            weights_sha256="0123456789abcdef" * 4,
            precision="int8" if "int8" in name else "float32",
            runtime="test 1",
            bytes=100_000 + index,
            accuracy=metrics.accuracy(np.arange(100), np.arange(100)),
            latency=Latency(7.0 * (index + 1), 8.0, 9.0, 10.0, 7.5, 1_000),
            throughput={**dict.fromkeys(bench.BATCHES, 1_000.0), 64: 123_456.0 / (index + 1)},
            cold_start=ColdStart(0.1, 0.2, 55.0),
            cycles=None if index else 12_345.0,
            threads=1,
            latency_samples_ns=(),
            throughput_samples_ns={},
        )
        for index, name in enumerate(names)
    ]
    return BenchResult(MachineCard.read(1), BenchOptions(), "anything", tuple(rows))


@pytest.fixture(scope="module")
def samples(dataset: tuple[Split, Split], tmp_path_factory: pytest.TempPathFactory) -> list[SamplePrediction]:
    folder = tmp_path_factory.mktemp("pictures")
    for index in range(3):
        Image.fromarray(dataset[1].images[index]).save(folder / f"{index} <b>&.png")
    return [SamplePrediction(path, 7, 0.876) for path in sorted(folder.iterdir())]


@pytest.fixture(scope="module")
def page(models: Path, samples: list[SamplePrediction]) -> Page:
    """The whole report, with everything that can be in it."""
    html = render_report(models, "digits", measurement(("digits.tflite", "digits.int8.tflite")), samples)
    # The page is sent by mail and opened on phones.
    assert len(html.encode()) < 3_000_000
    return Page(html)


def test_the_page_is_well_formed(page: Page) -> None:
    assert page.tags[0] == "html"
    assert page.tags.count("body") == page.tags.count("title") == page.tags.count("h1") == 1


def test_the_page_loads_nothing_and_runs_nothing(page: Page) -> None:
    assert not {"script", "link", "iframe", "object", "embed", "form"} & set(page.tags)
    assert page.handlers == []
    # Five plots, the trade-off, three pictures.
    assert len(page.addresses) == 5 + 1 + 3
    for address in page.addresses:
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
            assert f"{name}: sha256 {receipt['sha256']}" in page.words
            assert f"{receipt['bytes']:,}" in page.words
    for tool, version in network["training"]["versions"].items():
        assert f"{tool} {version}" in page.words


def test_the_page_shows_measurements_and_remarks(page: Page) -> None:
    assert "Latency, throughput, memory" in page.words
    assert "digits.int8.tflite is slower than digits.tflite on one image: 2.00 times its p50." in page.words
    assert "123,456" in page.words
    assert "1 thread" in page.words


def test_without_measurements_and_pictures_the_page_leaves_them_out(models: Path) -> None:
    page = Page(render_report(models, "digits"))
    assert "Latency" not in page.words
    assert "Pictures that were predicted" not in page.words
    assert len(page.addresses) == 5


def test_pictures_stand_with_their_answers(page: Page) -> None:
    assert "0 <b>&.png: 7 , 87.6 %" in page.words
    assert (
        page.tags.count("b") == 5 + 3 + 3
    )  # the cards, the winners and the answers, none from a file's name


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
    page = Page(render_report(tmp_path, hostile, measurement((hostile,))))
    assert "script" not in page.tags
    assert page.handlers == []
    assert hostile in page.words
    assert all(address.startswith("data:image/png;base64,") for address in page.addresses)


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
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in tables if "digits.int8.tflite" in line}) == 1


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
