"""``docs/digits.html``: what `edgedigits export` writes today for the network that is used where none is named.

And ``models/numbers/numbers.html``, which the documentation's site has beside it.
"""

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
from edgedigits_export.page.assemble import Proof, make_module, make_page, module_types

ROOT = Path(__file__).parents[3]
HOSTED = ROOT / "docs" / "digits.html"
HANDS = ROOT / "models" / "hands"
NUMBERS = ROOT / "models" / "numbers" / "numbers.html"
ANEW = (
    "not what the sources make today: make docs-page, or "
    "edgedigits export models/numbers/numbers.keras --format page --force"
)


@pytest.mark.parametrize("path", [HOSTED, NUMBERS], ids=["digits", "numbers"])
def test_it_is_made_of_the_sources_of_today(path: Path) -> None:
    network = read_page(path)
    assert network.reads_numbers == (path == NUMBERS)
    images = proof_images()
    answers = np.rint(open_model(path).probabilities(images) * 256).astype(np.uint8)
    proof = Proof(images, answers)
    made = make_page(network.tables, network.metadata, proof, reads_numbers=network.reads_numbers)
    assert path.read_bytes() == made.encode(), ANEW
    module, types = (path.with_suffix(ending) for ending in (".mjs", ".d.mts"))
    if path == NUMBERS:
        assert module.read_text() == make_module(network.tables, network.metadata, reads_numbers=True), ANEW
        assert types.read_text() == module_types(reads_numbers=True), ANEW


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
    text = (ROOT / "docs" / "page.md").read_text(encoding="utf-8")
    assert re.search(r"\]\(digits\.html\)", text)
    assert re.search(r"\]\(\.\./models/numbers/numbers\.html\)", text)
    assert HOSTED.stat().st_size <= 160_000
    assert NUMBERS.stat().st_size <= 256_000


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
