import sys

import pytest

from edgedigits.errors import MissingExtraError
from edgedigits.extras import extra


def test_a_missing_module_becomes_the_line_that_installs_it():
    with (
        pytest.raises(
            MissingExtraError, match=r"^drawing needs .*: pip install 'edgedigits\[train\]'$"
        ) as caught,
        extra("train", "drawing"),
    ):
        import a_module_that_is_nowhere  # noqa: F401
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_a_missing_part_of_a_package_counts_as_well():
    with pytest.raises(MissingExtraError), extra("bench", "reading"):
        import email.no_such_part  # noqa: F401


@pytest.mark.parametrize(
    "error",
    [
        ModuleNotFoundError("our own mistake", name="edgedigits.no_such_module"),
        ModuleNotFoundError("nobody says which"),
        ImportError("a broken library, not a missing one", name="numpy"),
        ValueError("something else"),
    ],
    ids=["ours", "unnamed", "broken", "unrelated"],
)
def test_other_failures_are_not_dressed_up_as_a_missing_extra(error):
    with pytest.raises(type(error)) as caught, extra("train", "drawing"):
        raise error
    assert caught.value is error


def test_nothing_happens_where_all_is_installed():
    with extra("train", "drawing"):
        import json
    assert json


def test_on_a_python_without_tensorflow_it_says_so(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 14, 0, "final", 0))
    with (
        pytest.raises(
            MissingExtraError, match=r"Python 3\.10 to 3\.13 \(TensorFlow has no release for 3\.14\)$"
        ),
        extra("train", "training"),
    ):
        raise ModuleNotFoundError("No module named 'tensorflow'", name="tensorflow")
    with pytest.raises(MissingExtraError, match=r"edgedigits\[bench\]'$"), extra("bench", "measuring"):
        raise ModuleNotFoundError("No module named 'rich'", name="rich")
