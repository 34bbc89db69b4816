"""``docs/digits.html``: what `edgedigits export` writes today for the network that is used where none is named."""

import re
from pathlib import Path

import numpy as np
import pytest
from browsers import CHROMIUM, Browser, Tab, start_chromium

from edgedigits.artifacts.manifest import read_manifest, training_of
from edgedigits.datasets.split import Split
from edgedigits.measuring.reference import read_reference
from edgedigits.measuring.verify import verify_model
from edgedigits.model_files.page_file import read_page
from edgedigits.runtimes.opening import open_model
from edgedigits_export.formats.page_file import PROOF_IMAGES, proof_images
from edgedigits_export.page.assemble import Proof, make_page

ROOT = Path(__file__).parents[3]
HOSTED = ROOT / "docs" / "digits.html"
HANDS = ROOT / "models" / "hands"
ANEW = "docs/digits.html is not what the sources make today: make docs-page"


def test_it_is_made_of_the_sources_of_today() -> None:
    network = read_page(HOSTED)
    images = proof_images()
    answers = np.rint(open_model(HOSTED).probabilities(images) * 256).astype(np.uint8)
    made = make_page(network.tables, network.metadata, Proof(images, answers))
    assert HOSTED.read_bytes() == made.encode(), ANEW


def test_it_is_of_the_network_that_a_predictor_takes() -> None:
    training = training_of(read_manifest(HANDS), "digits")
    assert training is not None
    assert read_page(HOSTED).metadata.weights_sha256 == training["weights_sha256"], ANEW


@pytest.mark.mnist
def test_it_passes_the_gate_and_says_its_accuracy(mnist_test: Split) -> None:
    verification = verify_model(open_model(HOSTED), mnist_test, read_reference(HANDS / "reference.npz"))
    assert verification.failures == ()
    accuracy = read_page(HOSTED).metadata.accuracy
    assert accuracy is not None
    assert verification.accuracy.correct == accuracy.correct


def test_readers_find_it_and_it_stays_small() -> None:
    assert re.search(r"\]\(digits\.html\)", (ROOT / "docs" / "page.md").read_text(encoding="utf-8"))
    assert HOSTED.stat().st_size <= 160_000


@pytest.fixture
def browser(tmp_path: Path):
    found = start_chromium(tmp_path)
    yield found
    found.close()


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here: apt-get install chromium")
def test_it_proves_itself_in_a_browser(browser: Browser) -> None:
    tab = Tab(browser)
    tab.open(HOSTED.as_uri())
    tab.click("prove")
    tab.until("document.getElementById('proof').textContent")
    found = tab.text("proof")
    assert found.startswith(
        f"{PROOF_IMAGES} of {PROOF_IMAGES} images: all {10 * PROOF_IMAGES} probabilities are those"
    )
    assert tab.complaints() == []
