import contextlib
import dataclasses
import json

import pytest

from edgedigits.artifacts.manifest import read_manifest
from edgedigits.errors import ArgumentError, ModelFileError
from edgedigits.model_files.packed_size import PackedCost
from edgedigits.progress import SilentProgress
from edgedigits.searching.budget import Budget
from edgedigits.searching.fit import FitResult, fit
from edgedigits.searching.search import Search

SEARCH = Search(Budget(3000), kind="dense", candidates=3, epochs=4, validation=150)
"""Of dense networks: convolutions take longer to begin than to train here."""


class Interrupting(SilentProgress):
    """Ctrl-C when a line is written that begins so, the so-manieth time; keeps all lines."""

    def __init__(self, beginning: str | None = None, time: int = 1) -> None:
        self.beginning, self.left, self.lines = beginning, time, []

    def note(self, text: str) -> None:
        self.lines.append(text)
        if self.beginning is not None and text.startswith(self.beginning):
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt


class InterruptingSteps(Interrupting):
    """Ctrl-C in the middle of the last rung, seen by whoever trains."""

    @contextlib.contextmanager
    def task(self, description, total):
        done = 0

        def advance(steps: int) -> None:
            nonlocal done
            done += steps
            if description.startswith("rung 2 of 2") and done > total * 0.6:
                raise KeyboardInterrupt

        yield advance


@pytest.fixture(scope="module")
def whole(bundled_digits, tmp_path_factory) -> FitResult:
    """What an uninterrupted search came to."""
    return fit(SEARCH, *bundled_digits, tmp_path_factory.mktemp("whole"), name="tiny")


def names(folder) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {".lock"}


def test_a_search_ends_with_the_files_of_a_training_and_its_front(whole):
    folder = whole.training.path.parent
    assert names(folder) >= {
        "tiny.keras",
        "tiny.history.json",
        "tiny.reference.npz",
        "tiny.pareto.json",
        "tiny.pareto.md",
        "plots/tiny.pareto.png",
    }
    assert not [name for name in names(folder) if "checkpoint" in name or "fit.json" in name]
    training = read_manifest(folder)["networks"]["tiny"]["training"]
    assert training["weights_sha256"] == whole.training.weights_sha256


def test_what_was_found_has_every_network_of_the_first_rung_and_one_that_is_chosen(whole):
    assert len(whole.found) == 3
    assert [network for network in whole.found if network.is_chosen] == [whole.chosen]
    assert whole.chosen.trial.epochs == SEARCH.epochs
    assert whole.chosen.cost.flash <= 3000
    last_rung = [network.trial for network in whole.found if network.trial.epochs == SEARCH.epochs]
    assert len(last_rung) == 2
    assert len(whole.chosen.trial.wrong) == min(len(trial.wrong) for trial in last_rung)
    assert {network.trial.epochs for network in whole.found} == {1, 4}


def test_the_network_that_is_written_is_the_one_that_was_tried(whole):
    assert whole.training.history[-1].val_accuracy == pytest.approx(whole.chosen.trial.accuracy.percent / 100)
    assert whole.training.recipe == SEARCH.recipe(whole.chosen.trial.candidate, SEARCH.epochs)


def test_the_front_is_written_as_it_is_returned(whole):
    folder = whole.training.path.parent
    written = json.loads((folder / "tiny.pareto.json").read_text())
    assert written == {**whole.summary(), "weights_sha256": whole.training.weights_sha256}
    page = (folder / "tiny.pareto.md").read_text()
    assert whole.describe() in page
    assert "modelled, not compiled" in page
    assert (folder / "plots/tiny.pareto.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("progress", "trained"),
    [
        pytest.param(Interrupting("crop2-meanpool", 2), 2, id="after two networks"),
        pytest.param(Interrupting("rung 2"), 3, id="between rungs", marks=pytest.mark.stress),
        pytest.param(InterruptingSteps(), 3, id="within an epoch of the last"),
        pytest.param(
            Interrupting("resuming"), 5, id="before the network is written", marks=pytest.mark.stress
        ),
    ],
)
def test_an_interrupted_search_goes_on_where_it_was_and_finds_the_same(
    progress, trained, whole, bundled_digits, tmp_path
):
    with pytest.raises(KeyboardInterrupt):
        fit(SEARCH, *bundled_digits, tmp_path, name="tiny", progress=progress)
    journal = json.loads((tmp_path / "tiny.fit.json").read_text())
    assert len(journal["trials"]) >= trained
    assert not (tmp_path / "tiny.keras").exists()
    again = Interrupting()
    result = fit(SEARCH, *bundled_digits, tmp_path, name="tiny", progress=again)
    assert again.lines[0].startswith("going on with")
    assert result.training.weights_sha256 == whole.training.weights_sha256
    assert result.chosen.trial.wrong == whole.chosen.trial.wrong
    assert names(tmp_path) == names(whole.training.path.parent)


def test_a_search_with_other_options_is_refused_while_one_is_interrupted(bundled_digits, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fit(SEARCH, *bundled_digits, tmp_path, progress=Interrupting("crop2"))
    with pytest.raises(
        ModelFileError, match=r"fit.json: the interrupted search had other options \(epochs 4 / 8\)"
    ):
        fit(dataclasses.replace(SEARCH, epochs=8), *bundled_digits, tmp_path)


def test_what_is_measured_is_told_and_stands_in_the_front(bundled_digits, tmp_path):
    def measure(spec, bits, used):
        return PackedCost(2900, 300, 1000 + len(bits))

    search = Search(Budget(3000), kind="dense", candidates=1, epochs=1, validation=150)
    result = fit(search, *bundled_digits, tmp_path, measure=measure, data_words=["--data", "x y"])
    assert result.is_measured
    assert result.chosen.cost == PackedCost(2900, 300, 1003)
    assert "compiled for a Cortex-M0" in result.describe()
    assert "--data 'x y'" in result.command


def test_nothing_is_written_where_nothing_fits(bundled_digits, tmp_path):
    with pytest.raises(ArgumentError, match="flash: expected at least"):
        fit(Search(Budget(100), validation=150), *bundled_digits, tmp_path / "new")
    assert not (tmp_path / "new").exists()
