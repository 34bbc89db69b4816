"""``data convert``: any form into Parquet, ``.npz`` and IDX, checked before it gets its name."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from edgedigits.datasets import writers
from edgedigits.datasets.convert import convert
from edgedigits.datasets.split import Split
from edgedigits.errors import ArgumentError, DatasetError, EdgeDigitsError, OutputError, SourceError
from edgedigits.sources.read import open_source, read_part


@pytest.fixture
def digits(dataset: tuple[Split, Split]) -> Split:
    """450 digits with more than one block, among them each class."""
    return Split.of("digits", dataset[1].images[:450], dataset[1].labels[:450])


@pytest.fixture
def archive(digits: Split, tmp_path: Path) -> Path:
    path = tmp_path / "both.npz"
    np.savez(
        path,
        x_train=digits.images[:300],
        y_train=digits.labels[:300],
        x_test=digits.images[300:],
        y_test=digits.labels[300:],
    )
    return path


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    batches = [
        batch for source in open_source(path) for part in source.parts(100) for batch in read_part(part)
    ]
    return np.concatenate([b.images for b in batches]), np.concatenate([b.labels for b in batches])


@pytest.mark.parametrize("out", ["a.parquet", "a.npz", "folder"])
def test_there_and_back(write, out, digits, tmp_path):
    write.csv(tmp_path / "digits.csv", digits)
    found = convert([tmp_path / "digits.csv"], tmp_path / "new" / out)
    images, labels = read(tmp_path / "new" / out)
    assert np.array_equal(images, digits.images)
    assert np.array_equal(labels, digits.labels)
    assert found.parts["images"] == {
        "rows": 450,
        "images_sha256": hashlib.sha256(digits.images.tobytes()).hexdigest(),
        "labels_sha256": hashlib.sha256(digits.labels.astype("<i8").tobytes()).hexdigest(),
    }


def test_an_archive_as_keras_has_it_and_idx_files_as_mnist_s(archive, digits, tmp_path):
    convert([archive], tmp_path / "idx")
    assert sorted(path.name for path in (tmp_path / "idx").iterdir()) == [
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
    ]
    convert([tmp_path / "idx"], tmp_path / "again.npz")
    with np.load(tmp_path / "again.npz") as arrays:
        assert sorted(arrays) == ["x_test", "x_train", "y_test", "y_train"]
        assert np.array_equal(arrays["x_train"], digits.images[:300])
        assert np.array_equal(arrays["y_test"], digits.labels[300:])


@pytest.mark.mnist
def test_mnist_s_own_files_come_back_byte_for_byte(mnist_source, mnist_test, tmp_path):
    convert([mnist_source.path], tmp_path / "test.parquet", part="test")
    found = convert([tmp_path / "test.parquet"], tmp_path / "idx")
    content = (tmp_path / "idx" / "t10k-images-idx3-ubyte").read_bytes()
    assert hashlib.sha256(content).hexdigest().startswith("0fa7898d509279e4")
    assert found.parts["test"]["rows"] == len(mnist_test.labels)


def test_what_others_read_in_parquet(archive, digits, tmp_path):
    import pandas

    convert([archive], tmp_path / "test.parquet", part="test")
    table = parquet.read_table(tmp_path / "test.parquet")
    assert [(field.name, str(field.type)) for field in table.schema] == [
        ("image", "binary"),
        ("label", "int64"),
    ]
    frame = pandas.read_parquet(tmp_path / "test.parquet")
    images = np.stack([np.frombuffer(image, np.uint8).reshape(28, 28) for image in frame["image"]])
    assert np.array_equal(images, digits.images[300:])
    assert frame["label"].tolist() == digits.labels[300:].tolist()


@pytest.mark.parametrize("out", ["a.parquet", "a.npz", "folder"])
def test_the_same_images_give_the_same_bytes(out, digits, tmp_path):
    np.savez(tmp_path / "in.npz", images=digits.images, labels=digits.labels)
    contents = []
    for run in ("first", "second"):
        found = convert([tmp_path / "in.npz"], tmp_path / run / out)
        contents.append([file.read_bytes() for file in found.files])
    assert contents[0] == contents[1]


def test_row_groups_of_parquet_are_whole(digits, tmp_path, monkeypatch):
    monkeypatch.setattr(writers, "ROW_GROUP", 100)
    np.savez(tmp_path / "in.npz", images=digits.images, labels=digits.labels)
    convert([tmp_path / "in.npz", tmp_path / "in.npz"], tmp_path / "a.parquet")
    metadata = parquet.ParquetFile(tmp_path / "a.parquet").metadata
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [100] * 9
    assert np.array_equal(read(tmp_path / "a.parquet")[0], np.concatenate([digits.images] * 2))


def test_pictures_are_prepared_or_refused(write, digits, tmp_path):
    from edgedigits import DigitPredictor

    small = Split.of("digits", digits.images[:20], digits.labels[:20])
    write.class_folders(tmp_path / "pictures", small, scale=3)
    found = convert([tmp_path / "pictures"], tmp_path / "a.npz")
    images, labels = read(tmp_path / "a.npz")
    paths = sorted((tmp_path / "pictures").rglob("*.png"))
    assert np.array_equal(images, np.stack([DigitPredictor().prepare(path) for path in paths]))
    assert labels.tolist() == [int(path.parent.name) for path in paths]
    assert found.notes == (f"{tmp_path / 'pictures'}: pictures prepared",)
    with pytest.raises(DatasetError, match=r"expected 28x28 pixels.* found 84x84"):
        convert([tmp_path / "pictures"], tmp_path / "b.npz", as_is=True)
    assert not (tmp_path / "b.npz").exists()


def test_emnist_is_turned_and_it_is_said(write, digits, tmp_path):
    path = tmp_path / "emnist-digits-test-images-idx3-ubyte.gz"
    write.idx(path, np.ascontiguousarray(digits.images.transpose(0, 2, 1)))
    write.idx(tmp_path / "emnist-digits-test-labels-idx1-ubyte.gz", digits.labels)
    found = convert([path], tmp_path / "a.npz")
    assert np.array_equal(read(tmp_path / "a.npz")[0], digits.images)
    assert "rows and columns changed places: turned" in found.notes[0]


def test_two_parts_do_not_go_into_one_parquet_file(write, archive, tmp_path):
    with pytest.raises(ArgumentError, match="expected one part for a Parquet file, found train and test"):
        convert([archive], tmp_path / "a.parquet")
    write.idx(tmp_path / "train-images-idx3-ubyte", np.zeros((2, 28, 28), np.uint8))
    with pytest.raises(SourceError, match="expected images for testing, found none"):
        convert([tmp_path / "train-images-idx3-ubyte"], tmp_path / "u.npz", part="test")


def test_labels_that_a_form_does_not_hold_are_refused(digits, tmp_path):
    np.savez(tmp_path / "large.npz", images=digits.images, labels=digits.labels.astype(int) + 250)
    with pytest.raises(ArgumentError, match="expected labels to 255, found 259"):
        convert([tmp_path / "large.npz"], tmp_path / "idx")
    np.savez(tmp_path / "some.npz", images=digits.images, labels=digits.labels.astype(int) - 1)
    with pytest.raises(ArgumentError, match="found some without; write Parquet"):
        convert([tmp_path / "some.npz"], tmp_path / "a.npz")
    convert([tmp_path / "some.npz"], tmp_path / "a.parquet")
    assert parquet.read_table(tmp_path / "a.parquet")["label"].null_count == np.count_nonzero(
        digits.labels == 0
    )
    np.savez(tmp_path / "none.npz", images=digits.images)
    with pytest.raises(ArgumentError, match=r"none\.npz: has no labels, as others have"):
        convert([tmp_path / "some.npz", tmp_path / "none.npz"], tmp_path / "b.parquet")


@pytest.mark.parametrize("out", ["a.csv", "a.tar"])
def test_a_form_that_is_not_written(out, archive, tmp_path):
    with pytest.raises(ArgumentError, match=r"expected FILE\.parquet, FILE\.npz, or a folder"):
        convert([archive], tmp_path / out)


def test_what_does_not_come_back_as_it_was_gets_no_name(digits, tmp_path, monkeypatch):
    """A disk that loses bits between writing and reading back."""
    real = writers.read_back

    def damaged(*arguments):
        for images, labels in real(*arguments):
            yield images ^ 1, labels

    monkeypatch.setattr(writers, "read_back", damaged)
    np.savez(tmp_path / "in.npz", images=digits.images, labels=digits.labels)
    (tmp_path / "a.npz").write_bytes(b"the old one")
    with pytest.raises(OutputError, match="did not come back as it was written; nothing was changed"):
        convert([tmp_path / "in.npz"], tmp_path / "a.npz")
    assert (tmp_path / "a.npz").read_bytes() == b"the old one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "in.npz"]


def test_a_source_that_breaks_off_leaves_nothing(digits, tmp_path):
    np.savez(tmp_path / "in.npz", images=digits.images, labels=digits.labels)
    content = (tmp_path / "in.npz").read_bytes()
    at = content.index(digits.images[200].tobytes())
    (tmp_path / "in.npz").write_bytes(content[:at] + b"\xff" + content[at + 1 :])
    with pytest.raises(EdgeDigitsError, match=r"in\.npz: cannot be read: Bad CRC-32"):
        convert([tmp_path / "in.npz"], tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == []


def test_the_command(archive, tmp_path):
    command = [
        sys.executable,
        "-m",
        "edgedigits",
        "data",
        "convert",
        str(archive),
        "--out",
        str(tmp_path / "idx"),
    ]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert told.stdout.splitlines()[-1] == (
        "  test    150 images of 28x28, read back: the same sha256 of pixels and labels"
    )
    assert "both.npz:x_train: 28x28 arrays as they are" in told.stderr
    found = json.loads(
        subprocess.run([*command, "--json"], capture_output=True, text=True, check=True).stdout
    )
    assert {part: about["rows"] for part, about in found["parts"].items()} == {"train": 300, "test": 150}
    refused = subprocess.run(
        [*command[:-1], str(tmp_path / "a.parquet")], capture_output=True, text=True, check=False
    )
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)


MEMORY = """
import sys
from pathlib import Path
from edgedigits.datasets.convert import convert
convert([Path(sys.argv[1])], Path(sys.argv[2]))
status = Path("/proc/self/status").read_text()
print(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads memory from /proc")
@pytest.mark.parametrize("out", ["a.parquet", "a.npz", "idx"])
def test_memory_does_not_grow_with_the_images(out, digits, tmp_path):
    peaks = []
    for times in (20, 400):
        np.save(tmp_path / "images.npy", np.tile(digits.images, (times, 1, 1)))
        child = [sys.executable, "-c", MEMORY, tmp_path / "images.npy", tmp_path / out]
        peaks.append(int(subprocess.run(child, capture_output=True, text=True, check=True).stdout) // 1024)
    # 128 MiB more of images; a row group of Parquet is 12 MiB, and is there more than once while it is packed.
    assert peaks[1] - peaks[0] < 40
