import inspect
import pickle
import re
from pathlib import Path

import pytest

import edgedigits
from edgedigits import errors

PATH = Path("models/digits.onnx")
EXAMPLES = [
    (
        errors.ModelNotFoundError(PATH, "train one"),
        FileNotFoundError,
        "models/digits.onnx: no such model file; train one",
    ),
    (errors.ModelFileError(PATH, "cut off", "copy it"), ValueError, "models/digits.onnx: cut off; copy it"),
    (
        errors.ContractError(PATH, "uint8", "float32", "export it"),
        ValueError,
        "models/digits.onnx: expected uint8, found float32; export it",
    ),
    (errors.ImageError("seven.png: no ink"), ValueError, "seven.png: no ink"),
    (errors.DatasetError("mnist: gone"), ValueError, "mnist: gone"),
    (errors.DownloadError("no mirror"), ConnectionError, "no mirror"),
    (errors.AccuracyError("lost 3 points"), ValueError, "lost 3 points"),
    (errors.QuantizationError("a bias of 1e30"), ValueError, "a bias of 1e30"),
    (errors.OutputError("models: disk full"), OSError, "models: disk full"),
    (
        errors.MissingExtraError("training", "train"),
        ImportError,
        "training needs an extra that is not installed: pip install 'edgedigits[train]'",
    ),
]
CLASSES = {
    name: kind
    for name, kind in vars(errors).items()
    if inspect.isclass(kind) and kind.__module__ == errors.__name__
}

each_example = pytest.mark.parametrize(
    ("error", "builtin", "message"), EXAMPLES, ids=[type(error).__name__ for error, *_ in EXAMPLES]
)


def drawn_tree() -> dict[str, tuple[str, str]]:
    """Name, parent and builtin of every class in the picture of the module's docstring."""
    tree, parents = {}, {}
    for indent, name, builtin in re.findall(
        r"^    ([│├└─ ]*)(\w+Error) +\((\w+)\)", errors.__doc__, re.MULTILINE
    ):
        depth = len(indent) // 4
        parents[depth] = name
        tree[name] = (parents.get(depth - 1, "EdgeDigitsError"), builtin)
    return tree


@each_example
def test_an_error_is_the_builtin_that_a_caller_expects(error, builtin, message):
    assert isinstance(error, errors.EdgeDigitsError)
    assert isinstance(error, builtin)
    assert str(error) == message


@each_example
def test_an_error_survives_the_way_between_processes(error, builtin, message):
    # A process pool that cannot read a worker's exception hangs or breaks.
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301  (our own bytes)
    assert (type(copy), str(copy)) == (type(error), message)


def test_every_error_has_an_example_here():
    assert {type(error).__name__ for error, *_ in EXAMPLES} | {"EdgeDigitsError"} == set(CLASSES)


def test_the_tree_in_the_docstring_is_the_tree():
    tree = drawn_tree()
    assert set(tree) | {"EdgeDigitsError"} == set(CLASSES)
    for name, (parent, builtin) in tree.items():
        ours, theirs = CLASSES[name].__bases__
        assert (ours.__name__, theirs.__name__) == (parent, builtin), name


def test_an_error_without_a_message_is_empty_text():
    assert not str(errors.EdgeDigitsError())


@pytest.mark.parametrize("name", edgedigits.__all__)
def test_every_public_name_can_be_imported(name):
    assert getattr(edgedigits, name) is not None


def test_every_error_is_a_public_name():
    assert set(CLASSES) <= set(edgedigits.__all__)


def test_public_names_are_sorted_unique_and_all_that_dir_shows():
    assert sorted(set(edgedigits.__all__)) == edgedigits.__all__ == dir(edgedigits)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'edgedigits' has no attribute 'Digit'"):
        _ = edgedigits.Digit


def test_a_message_without_end_is_shortened_in_its_middle():
    error = errors.ModelFileError(Path("digits.onnx"), "x" * 100_000, "export it again")
    text = str(error)
    assert len(text) == errors.LONGEST_MESSAGE
    assert text.startswith("digits.onnx: xxx")
    assert text.endswith("xxx; export it again")
