import io
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
