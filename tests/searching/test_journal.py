import json

import pytest

from edgedigits.errors import ModelFileError
from edgedigits.searching.budget import Budget
from edgedigits.searching.candidates import Candidate
from edgedigits.searching.journal import Journal, Trial
from edgedigits.searching.search import Search

SEARCH = Search(Budget(4096))
TRIAL = Trial(Candidate("crop2-meanpool-dense8", "ternary", 40.0), 5, 0.25, 100, (3, 99), 1.5)


@pytest.fixture
def path(tmp_path):
    journal = Journal(tmp_path / "fit.json", SEARCH, "abc")
    journal.add(TRIAL)
    return journal.path


def test_a_journal_that_is_read_again_has_every_trial(path):
    other = Trial(Candidate("conv4-mean", 4), 5, 0.5, 100, (), 2.0)
    Journal(path, SEARCH, "abc").add(other)
    assert Journal(path, SEARCH, "abc").trials == {
        (TRIAL.candidate, 5): TRIAL,
        (other.candidate, 5): other,
    }


def test_nothing_is_written_before_the_first_trial(tmp_path):
    assert Journal(tmp_path / "fit.json", SEARCH, "abc").trials == {}
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("search", "difference"),
    [
        (Search(Budget(2048)), "flash 4096 / 2048"),
        (Search(Budget(4096, ram=512)), "ram None / 512"),
        (Search(Budget(4096), kind="dense"), "kind any / dense"),
        (Search(Budget(4096), epochs=8, seed=1), "epochs 160 / 8, seed 0 / 1"),
    ],
)
def test_a_journal_of_other_options_is_refused_with_what_differs(path, search, difference):
    before = path.read_bytes()
    with pytest.raises(ModelFileError, match=rf"other options \({difference}\); give the same options"):
        Journal(path, search, "abc")
    assert path.read_bytes() == before


def test_a_journal_of_other_images_is_refused(path):
    with pytest.raises(ModelFileError, match="had other training images"):
        Journal(path, SEARCH, "abd")


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b"\xff", b'{"search": 1, "train_sha256": "abc", "trials": []}', b"null"],
)
def test_what_is_no_journal_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match="no readable journal of a search"):
        Journal(path, SEARCH, "abc")


@pytest.mark.parametrize("field", ["candidate", "epochs", "val_loss", "images", "wrong", "seconds"])
@pytest.mark.parametrize("value", [None, "x", {}])
def test_a_trial_of_another_form_is_refused(path, field, value):
    content = json.loads(path.read_text())
    if value == {} and field == "wrong":
        value = [[]]
    content["trials"][0][field] = value
    path.write_text(json.dumps(content))
    with pytest.raises(ModelFileError, match="no readable journal of a search"):
        Journal(path, SEARCH, "abc")
