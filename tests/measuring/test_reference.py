import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgedigits.datasets.split import Split
from edgedigits.errors import DatasetError, ModelFileError, ModelNotFoundError
from edgedigits.measuring import reference
from edgedigits.measuring.reference import Reference, read_reference, reference_path

SPLIT = Split.of("MNIST", np.zeros((3, 28, 28), np.uint8), np.array([3, 1, 4], np.uint8))
ANSWERS = Reference(np.full((3, 10), 0.1, np.float32), "ab" * 32, "MNIST", SPLIT.sha256)
CONTENT = ANSWERS.to_bytes()


def npz(**arrays: object) -> bytes:
    buffer = io.BytesIO()
    fields = {
        "probabilities": ANSWERS.probabilities,
        "weights_sha256": ANSWERS.weights_sha256,
        "dataset": ANSWERS.dataset,
        "test_sha256": ANSWERS.test_sha256,
        **arrays,
    }
    np.savez_compressed(buffer, **{key: value for key, value in fields.items() if value is not None})
    return buffer.getvalue()


def npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, ANSWERS.probabilities)
    return buffer.getvalue()


def bomb() -> bytes:
    """A small file that unpacks to more than a reference may hold."""
    buffer = io.BytesIO()
    packed = zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED)
    with packed as archive, archive.open("probabilities.npy", "w") as member:
        for _ in range(reference.LARGEST_FILE // (1 << 20) + 1):
            member.write(bytes(1 << 20))
    return buffer.getvalue()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "reference.npz"


def assert_same(found: Reference, expected: Reference) -> None:
    assert np.array_equal(found.probabilities, expected.probabilities)
    assert (found.weights_sha256, found.dataset, found.test_sha256) == (
        expected.weights_sha256,
        expected.dataset,
        expected.test_sha256,
    )


def test_answers_survive_being_written(path):
    path.write_bytes(CONTENT)
    assert_same(read_reference(path), ANSWERS)


def test_the_same_answers_are_the_same_bytes():
    assert ANSWERS.to_bytes() == CONTENT


@pytest.mark.parametrize(
    ("name", "expected"),
    [("digits", "reference.npz"), ("wide", "wide.reference.npz")],
    ids=["default", "other"],
)
def test_a_reference_lies_beside_its_network(name, expected):
    assert reference_path(Path("models"), name) == Path("models", expected)


def test_answers_to_the_same_images_are_accepted(path):
    ANSWERS.check_split(SPLIT, path)


def test_answers_to_other_images_are_refused(path):
    other = Split.of("MNIST", SPLIT.images, SPLIT.labels[::-1])
    with pytest.raises(
        DatasetError, match=r"reference\.npz: expected answers to the MNIST test images, found answers"
    ):
        ANSWERS.check_split(other, path)


def test_a_missing_reference_says_how_to_get_one(path):
    with pytest.raises(ModelNotFoundError, match=r"reference\.npz: .*edgedigits train.*--reference"):
        read_reference(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", "no readable reference", id="empty"),
        pytest.param(b"no archive at all", "no readable reference", id="text"),
        pytest.param(CONTENT[: len(CONTENT) // 2], "no readable reference", id="truncated"),
        pytest.param(npy(), "no readable reference", id="a single array"),
        pytest.param(npz(probabilities=None), "no readable reference", id="without probabilities"),
        pytest.param(npz(dataset=None), "no readable reference", id="without the dataset"),
        pytest.param(
            npz(probabilities=np.array([{"run": "me"}], object)),
            "no readable reference",
            id="pickled objects",
        ),
        pytest.param(
            npz(probabilities=np.zeros((3, 10))),
            r"expected .* found float64 \(3, 10\)",
            id="double precision",
        ),
        pytest.param(
            npz(probabilities=np.zeros((3, 9), np.float32)), r"found float32 \(3, 9\)", id="nine classes"
        ),
        pytest.param(npz(probabilities=np.zeros(10, np.float32)), r"found float32 \(10,\)", id="one row"),
        pytest.param(bomb(), "no readable reference", id="unpacks without end"),
        pytest.param(bytes(reference.LARGEST_FILE + 1), "larger than 64 MiB", id="huge"),
    ],
)
def test_what_is_no_reference_is_refused(content, reason, path):
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=rf"reference\.npz: .*{reason}.*; train or export again"):
        read_reference(path)


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (0.0, "do not sum to 1: 0 to 0"),
        (0.2, "do not sum to 1: 2 to 2"),
        (-0.1, "lie outside of 0 to 1: -0.1 to -0.1"),
        (np.nan, "are not finite numbers"),
        (np.inf, "are not finite numbers"),
    ],
)
def test_answers_that_are_no_probabilities_are_no_reference(value, complaint, path):
    path.write_bytes(npz(probabilities=np.full((3, 10), value, np.float32)))
    with pytest.raises(ModelFileError, match=rf"expected the probabilities of a network, but .*{complaint}"):
        read_reference(path)


def test_one_row_that_is_none_is_enough(path):
    answers = ANSWERS.probabilities.copy()
    answers[1, 4] = np.nan
    path.write_bytes(npz(probabilities=answers))
    with pytest.raises(ModelFileError, match="are not finite numbers"):
        read_reference(path)


def test_no_answers_are_no_reference(path):
    path.write_bytes(npz(probabilities=np.empty((0, 10), np.float32)))
    with pytest.raises(ModelFileError, match=r"found float32 \(0, 10\)"):
        read_reference(path)


def test_the_same_answer_to_every_image_proves_nothing():
    with pytest.raises(ModelFileError, match="found the same answer to every one"):
        ANSWERS.check_accuracy(SPLIT)


# What the manifest beside it says

SURE = np.eye(10, dtype=np.float32)[SPLIT.labels]


def manifest(**changes):
    training = {
        "weights_sha256": ANSWERS.weights_sha256,
        "dataset": {"name": "MNIST", "train_sha256": "", "test_sha256": SPLIT.sha256},
        "arguments": {},
        "results": {"test": {"correct": 3, "images": 3, "low": 0.0, "high": 100.0}},
    }
    return {
        "manifest_version": 1,
        "networks": {"digits": {"training": {**training, **changes}, "files": {}}},
    }


def read_beside(manifest, path, probabilities=SURE):
    path.write_bytes(npz(probabilities=probabilities))
    path.with_name("manifest.json").write_text(json.dumps(manifest))
    return read_reference(path)


def test_answers_that_are_as_right_as_the_manifest_says_are_accepted(path):
    read_beside(manifest(), path).check_accuracy(SPLIT)


@pytest.mark.parametrize(
    "changes",
    [{"weights_sha256": "cd" * 32}, {"dataset": {"name": "", "train_sha256": "", "test_sha256": "0"}}],
    ids=["another network", "other images"],
)
def test_what_the_manifest_says_of_others_is_no_matter(changes, path):
    read_beside(manifest(**changes), path, SURE[:, ::-1].copy()).check_accuracy(SPLIT)


def test_answers_that_are_less_right_than_the_manifest_says_are_refused(path):
    found = read_beside(manifest(), path, SURE[:, ::-1].copy())
    with pytest.raises(ModelFileError, match="0 of its 3 answers are right, where the manifest says 3 of 3"):
        found.check_accuracy(SPLIT)


def test_answers_that_are_more_right_than_the_manifest_says_are_refused(path):
    results = {"test": {"correct": 1, "images": 3, "low": 0.0, "high": 100.0}}
    with pytest.raises(ModelFileError, match="3 of its 3 answers are right, where the manifest says 1 of 3"):
        read_beside(manifest(results=results), path).check_accuracy(SPLIT)


@pytest.mark.parametrize("results", [{}, {"test": {"correct": 3}}, {"test": None}, []], ids=str)
def test_results_of_another_form_are_an_error(results, path):
    with pytest.raises(ModelFileError, match="not a readable manifest"):
        read_beside(manifest(results=results), path).check_accuracy(SPLIT)


def test_a_reference_that_the_manifest_does_not_know_is_refused(path):
    data = manifest()
    data["networks"]["digits"]["files"]["reference.npz"] = {"sha256": "0" * 64, "bytes": 1}
    with pytest.raises(ModelFileError, match="not the file that the manifest beside it records"):
        read_beside(data, path)


def test_a_folder_is_no_reference(tmp_path):
    with pytest.raises(ModelFileError, match="no readable reference"):
        read_reference(tmp_path)


@settings(deadline=None)
@given(st.integers(0, len(CONTENT) - 1), st.integers(1, 255))
def test_a_changed_byte_is_either_harmless_or_refused(tmp_path_factory, position, change):
    altered = bytearray(CONTENT)
    altered[position] ^= change
    path = tmp_path_factory.getbasetemp() / "altered.npz"
    path.write_bytes(altered)
    try:
        found = read_reference(path)
    except ModelFileError:
        return
    # Some bytes of an archive, such as dates, mean nothing; all that mean something are under a checksum.
    assert_same(found, ANSWERS)
