import errno
import inspect
import io
import os
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

import edgedigits
from edgedigits import errors
from edgedigits.artifacts.staging import locked, write_atomically
from edgedigits.contract import LABELS
from edgedigits.datasets import mnist, places
from edgedigits.datasets.places import Source
from edgedigits.datasets.read import read_split
from edgedigits.measuring.reference import read_reference
from edgedigits.measuring.subjects import model_files
from edgedigits.model_files.keras_archive import read_network_spec
from edgedigits.picture.prepare import as_it_is, prepare
from edgedigits.runtimes.opening import open_model

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
    (
        errors.ForeignModelError(PATH, "a file that we wrote", "another one"),
        ValueError,
        (
            "models/digits.onnx: expected a file that we wrote, found another one: the model was not made by "
            "edgedigits; export the Keras network that it comes from: `edgedigits export NETWORK.keras --format all`; "
            "or measure it as it is with `verify --foreign`, `bench --foreign` or `diff --foreign`"
        ),
    ),
    (errors.ImageError("seven.png: no ink"), ValueError, "seven.png: no ink"),
    (errors.DatasetError("mnist: gone"), ValueError, "mnist: gone"),
    (errors.DownloadError("no mirror"), ConnectionError, "no mirror"),
    (errors.ImageNotFoundError("seven.png: gone"), FileNotFoundError, "seven.png: gone"),
    (errors.ImageFileError("seven.png: forbidden"), OSError, "seven.png: forbidden"),
    (errors.ImageTypeError("picture: a list"), TypeError, "picture: a list"),
    (errors.DatasetNotFoundError("mnist: gone"), FileNotFoundError, "mnist: gone"),
    (errors.SourceError("a.npy: cut off"), ValueError, "a.npy: cut off"),
    (errors.SourceNotFoundError("a.npy: gone"), FileNotFoundError, "a.npy: gone"),
    (errors.ArgumentError("threads: -1"), ValueError, "threads: -1"),
    (errors.ArgumentTypeError("threads: a list"), TypeError, "threads: a list"),
    (errors.AccuracyError("lost 3 points"), ValueError, "lost 3 points"),
    (errors.QuantizationError("a bias of 1e30"), ValueError, "a bias of 1e30"),
    (errors.ClusterError("tcp://h: gone"), ConnectionError, "tcp://h: gone"),
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


# --- What is missing, and what is of another type ------------------------------------------------------------------


class NoPath:
    def __fspath__(self):
        return 7


def predictor():
    return edgedigits.DigitPredictor()


MISSING = {
    "prepare": lambda folder: prepare(folder / "no.png"),
    "prepare text": lambda folder: prepare(str(folder / "no.png")),
    "prepare below a missing folder": lambda folder: prepare(folder / "no" / "no.png"),
    "as it is": lambda folder: as_it_is(folder / "no.png"),
    "predict": lambda folder: predictor().predict(folder / "no.png"),
    "call": lambda folder: predictor()(folder / "no.png"),
    "predict batch": lambda folder: predictor().predict_batch([folder / "no.png"]),
    "predictor onnx": lambda folder: edgedigits.DigitPredictor(folder / "no.onnx"),
    "predictor ort": lambda folder: edgedigits.DigitPredictor(folder / "no.ort"),
    **{
        f"model {suffix}": lambda folder, suffix=suffix: open_model(folder / f"no{suffix}")
        for suffix in (".onnx", ".ort", ".tflite", ".c", ".keras")
    },
    "keras archive": lambda folder: read_network_spec(folder / "no.keras"),
    "reference": lambda folder: read_reference(folder / "no.npz"),
    "folder of models": lambda folder: model_files(folder / "no"),
    "MNIST": lambda folder: places.find(folder / "no"),
    "MNIST in an empty folder": places.find,
    "MNIST's file": lambda folder: mnist.read_split(Source(folder, "--data"), "test"),
    "another dataset": lambda folder: read_split(folder / "no", "test", tuple("abcdefghij")),
    "MNIST to read": lambda folder: read_split(folder / "no", "test", LABELS),
}


@pytest.mark.parametrize("call", MISSING)
def test_what_is_missing_is_a_file_not_found(call, tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        MISSING[call](tmp_path)
    assert isinstance(caught.value, errors.EdgeDigitsError)
    assert str(tmp_path) in str(caught.value)


OTHER_TYPES = {
    "no picture": lambda: prepare(None),
    "a number": lambda: prepare(7),
    "a list": lambda: prepare([[0, 1], [1, 0]]),
    "a path that gives none": lambda: prepare(NoPath()),
    "a text file": lambda: prepare(io.StringIO("text")),
    "an array of objects": lambda: prepare(np.full((9, 9), None)),
    "an array of text": lambda: prepare(np.full((9, 9), "x")),
    "as it is": lambda: as_it_is(7),
    "predict": lambda: predictor().predict(7),
    "a batch of one path": lambda: predictor().predict_batch("seven.png"),
    "a batch of a number": lambda: predictor().predict_batch(7),
    "a number in a batch": lambda: predictor().predict_batch([7]),
    "probabilities of a list": lambda: predictor().probabilities([[0] * 28] * 28),
    "a model that is a number": lambda: edgedigits.DigitPredictor(7),
    "a model in bytes": lambda: edgedigits.DigitPredictor(b"digits.onnx"),
    "a model whose path gives none": lambda: edgedigits.DigitPredictor(NoPath()),
    "threads in words": lambda: edgedigits.DigitPredictor(threads="2"),
    "threads that are true": lambda: edgedigits.DigitPredictor(threads=True),
    "half a thread": lambda: edgedigits.DigitPredictor(threads=1.5),
    "the top of text": lambda: edgedigits.Prediction(0, 1.0, (1.0,), "0").top("3"),
}


@pytest.mark.parametrize("call", OTHER_TYPES)
def test_what_is_of_another_type_is_a_type_error(call):
    with pytest.raises(TypeError) as caught:
        OTHER_TYPES[call]()
    assert isinstance(caught.value, errors.EdgeDigitsError)
    assert "0x" not in str(caught.value)


@pytest.mark.parametrize("write", [
    lambda path: write_atomically(path / "digits.onnx", b""), lambda path: locked(path).__enter__(),
], ids=["file", "lock"])  # fmt: skip
def test_what_cannot_be_written_is_an_os_error(write, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="choose another folder") as caught:
        write(tmp_path / "file")
    assert isinstance(caught.value, errors.OutputError)


def test_a_picture_that_is_a_folder_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match=os.strerror(errno.EISDIR)) as caught:
        prepare(tmp_path)
    assert isinstance(caught.value, errors.ImageFileError)
