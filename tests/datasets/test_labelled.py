"""Datasets in the forms that people have: MNIST is recognised in each, others are read as what they are."""

from pathlib import Path

import numpy as np
import pytest

from edgedigits.contract import LABELS
from edgedigits.datasets.read import dataset_name, read_split, read_splits
from edgedigits.datasets.split import Split
from edgedigits.errors import DatasetError

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


class Notes:
    """A progress that keeps what is said."""

    def __init__(self) -> None:
        from edgedigits.progress import SILENT

        self.said: list[str] = []
        self.task = SILENT.task

    def note(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def both(bundled_digits: tuple[Split, Split]) -> Split:
    """450 digits that are not MNIST's, in MNIST form."""
    return bundled_digits[1]


def pairs(split: Split) -> set[tuple[bytes, int]]:
    return {(image.tobytes(), int(label)) for image, label in zip(split.images, split.labels, strict=True)}


# MNIST, in whatever form it comes


@pytest.mark.mnist
@pytest.mark.parametrize("inside", ["", "raw", "MNIST/raw"])
@pytest.mark.parametrize("dotted", [False, True], ids=["dashed", "dotted"])
def test_torchvision_s_folders_and_dotted_names(inside, dotted, mnist_source, mnist_test, tmp_path):
    folder = tmp_path / "data" / inside
    folder.mkdir(parents=True)
    for path in mnist_source.path.iterdir():
        name = path.name.replace("-idx", ".idx") if dotted else path.name
        (folder / name).symlink_to(path)
    split = read_split(tmp_path / "data", "test")
    assert (split.dataset, split.sha256) == ("MNIST", mnist_test.sha256)


@pytest.mark.mnist
@pytest.mark.parametrize("form", ["csv", "datasets", "floats", "one-hot"])
def test_mnist_is_recognised_in_other_forms(write, form, mnist_test, tmp_path):
    if form == "csv":
        write.csv(tmp_path / "mnist_test.csv", mnist_test)
    elif form == "datasets":
        write.datasets(tmp_path / "test-00000-of-00001.parquet", mnist_test)
    else:
        images, labels = (mnist_test.images / 255).astype(np.float32), mnist_test.labels
        one_hot = np.eye(10)[labels] if form == "one-hot" else labels.astype(np.int32)
        np.savez(tmp_path / "test.npz", x_test=images[..., None], y_test=one_hot)
    split = read_split(tmp_path, "test")
    assert (split.dataset, split.sha256, split.class_names) == ("MNIST", mnist_test.sha256, LABELS)


@pytest.mark.mnist
def test_both_parts_in_one_as_openml_has_them(mnist_train, mnist_test, tmp_path, notes):
    np.save(tmp_path / "images.npy", np.concatenate([mnist_train.images, mnist_test.images]).reshape(-1, 784))
    np.save(tmp_path / "labels.npy", np.concatenate([mnist_train.labels, mnist_test.labels]).astype("<i8"))
    train, test = read_splits(tmp_path, progress=notes)
    assert [(split.dataset, split.sha256) for split in (train, test)] == [
        ("MNIST", mnist_train.sha256),
        ("MNIST", mnist_test.sha256),
    ]
    assert notes.said == []


@pytest.mark.mnist
@pytest.mark.usefixtures("mnist_source")
def test_one_altered_pixel_makes_it_another_dataset_in_another_form(mnist_test, tmp_path):
    images = mnist_test.images.copy()
    images[5_000, 14, 14] ^= 1
    np.savez(tmp_path / "mine.npz", images=images, labels=mnist_test.labels)
    train, test = read_splits(tmp_path / "mine.npz")
    assert (train.dataset, test.dataset) == ("mine", "mine")


# Other digits


def test_a_csv_file_gets_a_split_of_its_own(write, both, tmp_path, notes):
    write.csv(tmp_path / "train.csv", both)
    write.csv(tmp_path / "test.csv", both, with_labels=False)
    train, test = read_splits(tmp_path, progress=notes)
    assert (train.dataset, test.dataset) == (tmp_path.name, tmp_path.name)
    assert pairs(train) | pairs(test) == pairs(both)
    assert not pairs(train) & pairs(test)
    assert 0.08 < len(test.labels) / 450 < 0.2
    assert any("no test images of its own: one in 7" in said for said in notes.said)
    assert read_split(tmp_path, "test").sha256 == test.sha256


def test_the_split_is_the_same_in_every_form_and_order(write, both, tmp_path):
    backwards = Split.of("digits", both.images[::-1].copy(), both.labels[::-1].copy())
    write.csv(tmp_path / "a.csv", backwards)
    np.savez(tmp_path / "b.npz", images=both.images, labels=both.labels)
    write.class_folders(tmp_path / "c", both)
    expected = pairs(read_split(tmp_path / "b.npz", "test"))
    assert pairs(read_split(tmp_path / "a.csv", "test")) == expected
    assert pairs(read_split(tmp_path / "c", "test")) == expected


def test_copies_of_an_image_are_on_one_side(both, tmp_path):
    np.savez(tmp_path / "a.npz", images=np.tile(both.images, (3, 1, 1)), labels=np.tile(both.labels, 3))
    train, test = read_splits(tmp_path / "a.npz")
    assert not pairs(train) & pairs(test)
    assert len(train.labels) + len(test.labels) == 1350


def test_class_folders_of_both_parts(write, bundled_digits, tmp_path, notes):
    train, test = (Split.of(s.dataset, s.images[:120], s.labels[:120]) for s in bundled_digits)
    write.class_folders(tmp_path / "pens" / "train", train)
    write.class_folders(tmp_path / "pens" / "test", test)
    found = read_splits(tmp_path / "pens", progress=notes)
    assert [split.dataset for split in found] == ["pens", "pens"]
    assert [pairs(split) for split in found] == [pairs(train), pairs(test)]
    assert any("pictures as they are" in said for said in notes.said)


def test_pictures_of_another_size_are_prepared_as_for_mnist(write, both, tmp_path, notes):
    from edgedigits import DigitPredictor

    small = Split.of("digits", both.images[:60], both.labels[:60])
    write.class_folders(tmp_path / "large", small, scale=4)
    train, test = read_splits(tmp_path / "large", progress=notes)
    paths = sorted((tmp_path / "large").rglob("*.png"))
    prepared = {DigitPredictor().prepare(path).tobytes() for path in paths}
    assert {image for image, _ in pairs(train) | pairs(test)} == prepared
    assert any("pictures prepared" in said for said in notes.said)


@pytest.mark.parametrize(
    ("look", "said"),
    [
        (lambda images: images.transpose(0, 2, 1), "rows and columns had changed places"),
        (lambda images: 255 - images, "dark on light: inverted"),
        (lambda images: 255 - images.transpose(0, 2, 1), "inverted and turned"),
    ],
    ids=["turned", "inverted", "both"],
)
def test_what_looks_otherwise_than_mnist_is_turned_and_it_is_said(look, said, both, tmp_path, notes):
    np.savez(tmp_path / "a.npz", images=look(both.images), labels=both.labels)
    train, test = read_splits(tmp_path / "a.npz", progress=notes)
    assert pairs(train) | pairs(test) == pairs(both)
    assert sum(said in note for note in notes.said) == 2


def test_emnist_s_folder_gives_its_digits(write, both, tmp_path):
    for part, rows in (("train", slice(0, 300)), ("test", slice(300, 450))):
        for kind, images, labels in (
            ("digits", both.images[rows].transpose(0, 2, 1), both.labels[rows]),
            ("letters", both.images[rows], both.labels[rows] + 11),
        ):
            write.idx(tmp_path / f"emnist-{kind}-{part}-images-idx3-ubyte.gz", np.ascontiguousarray(images))
            write.idx(tmp_path / f"emnist-{kind}-{part}-labels-idx1-ubyte.gz", labels)
    train, test = read_splits(tmp_path)
    assert np.array_equal(train.images, both.images[:300])
    assert np.array_equal(test.labels, both.labels[300:])


def test_the_name_of_a_dataset(tmp_path):
    for name in ("train.csv", "pens.csv.gz", "t.tar.gz"):
        (tmp_path / name).touch()
    (tmp_path / "pens" / "raw").mkdir(parents=True)
    assert dataset_name(tmp_path / "train.csv") == f"{tmp_path.name}/train"
    assert dataset_name(tmp_path / "pens.csv.gz") == "pens"
    assert dataset_name(tmp_path / "pens" / "raw") == "pens/raw"


# Other classes


@pytest.mark.parametrize("form", ["floats", "channel", "one-hot", "flat"])
def test_named_classes_in_other_forms(form, both, tmp_path):
    images = {
        "floats": (both.images / 255).astype(np.float32),
        "channel": both.images[..., None],
        "flat": both.images.reshape(-1, 784),
    }.get(form, both.images)
    labels = np.eye(10)[both.labels] if form == "one-hot" else both.labels
    arrays = {
        "x_train": images[:300],
        "y_train": labels[:300],
        "x_test": images[300:],
        "y_test": labels[300:],
    }
    np.savez(tmp_path / "letters.npz", **arrays)
    train, test = read_splits(tmp_path / "letters.npz", NAMES)
    assert np.array_equal(np.concatenate([train.images, test.images]), both.images)
    assert np.array_equal(np.concatenate([train.labels, test.labels]), both.labels)
    assert (train.dataset, test.class_names) == ("letters", NAMES)


def test_pictures_of_named_classes_are_not_prepared(write, both, tmp_path):
    write.class_folders(tmp_path / "letters", both, scale=2)
    with pytest.raises(DatasetError, match=r"0/\d+\.png: expected 28x28 pixels.* found 56x56"):
        read_split(tmp_path / "letters", "train", NAMES)


# What is refused


def test_what_is_labelled_as_digits_and_is_none_is_refused(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (200, 28, 28), np.uint8)
    np.savez(tmp_path / "letters.npz", images=noise, labels=np.arange(200) % 10)
    with pytest.raises(
        DatasetError, match=r"expected digits, found images of which .* reads \d+ % .*--labels"
    ):
        read_split(tmp_path / "letters.npz", "train")


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (np.arange(450) % 11, "labels from 0 to 9, found 0 to 10"),
        (np.arange(450) % 10 + 0.5, "expected labels, whole numbers"),
        (None, "expected images with labels"),
    ],
    ids=["eleven", "halves", "none"],
)
def test_labels_that_are_none_are_refused(labels, found, both, tmp_path):
    np.savez(tmp_path / "a.npz", images=both.images, **({} if labels is None else {"labels": labels}))
    with pytest.raises(DatasetError, match=found):
        read_split(tmp_path / "a.npz", "train", NAMES)


def test_a_picture_that_cannot_be_read_is_named(write, both, tmp_path):
    write.class_folders(tmp_path / "pens", both)
    path = next(iter(sorted((tmp_path / "pens" / "3").iterdir())))
    path.write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=rf"pens: 3/{path.name}: .*; or leave it out"):
        read_split(tmp_path / "pens", "train")


def test_test_images_alone_train_nothing(write, both, tmp_path):
    write.csv(tmp_path / "test.csv", both)
    assert len(read_split(tmp_path, "test").labels) == 450
    with pytest.raises(DatasetError, match="expected images for training, found only some for testing"):
        read_splits(tmp_path)


def test_images_without_a_label_are_left_out_and_counted(write, both, tmp_path, notes):
    write.class_folders(tmp_path / "pens", both)
    stray = Path(tmp_path / "pens" / "stray.png")
    stray.write_bytes(next((tmp_path / "pens" / "3").iterdir()).read_bytes())
    train, test = read_splits(tmp_path / "pens", progress=notes)
    assert len(train.labels) + len(test.labels) == 450
    assert any("1 images without a label are left out" in said for said in notes.said)
