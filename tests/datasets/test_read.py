import gzip
import io
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgedigits.contract import LABELS
from edgedigits.datasets import mnist_files
from edgedigits.datasets.read import dataset_name, read_split
from edgedigits.datasets.split import Split
from edgedigits.errors import DatasetError

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
Arrays = dict[str, np.ndarray]
FILES = {
    f"{key}_{part}": file.name
    for part in mnist_files.FILES
    for key, file in zip("xy", mnist_files.FILES[part], strict=True)
}
"""Names of the IDX files by the names of the arrays in an ``.npz``."""


@pytest.fixture
def arrays() -> Arrays:
    """40 training and 15 test images of noise, as no file of MNIST has them."""
    generator = np.random.default_rng(0)
    return {
        "x_train": generator.integers(0, 256, (40, 28, 28), np.uint8),
        "y_train": (np.arange(40) % 10).astype(np.uint8),
        "x_test": generator.integers(0, 256, (15, 28, 28), np.uint8),
        "y_test": (np.arange(15) % 10).astype(np.uint8),
    }


def idx(array: np.ndarray, count: int | None = None) -> bytes:
    """An IDX file of an array, whose header may declare another count."""
    magic = 0x803 if array.ndim == 3 else 0x801
    header = struct.pack(
        f">{1 + array.ndim}I", magic, len(array) if count is None else count, *array.shape[1:]
    )
    return header + array.tobytes()


def write_idx(folder: Path, arrays: Arrays) -> Path:
    folder.mkdir(exist_ok=True)
    for key, array in arrays.items():
        (folder / FILES[key]).write_bytes(idx(array))
    return folder


def write_npz(path: Path, arrays: Arrays) -> Path:
    np.savez(path, **arrays)
    return path


# What is read


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_four_idx_files_are_read(packed: bool, arrays: Arrays, tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "letters", arrays)
    if packed:
        for path in list(folder.iterdir()):
            (folder / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
    for part in ("train", "test"):
        split = read_split(folder, part, NAMES)
        assert np.array_equal(split.images, arrays[f"x_{part}"])
        assert np.array_equal(split.labels, arrays[f"y_{part}"])
        assert (split.dataset, split.class_names) == ("letters", NAMES)


def as_integers(labels: np.ndarray) -> np.ndarray:
    return labels.astype(np.int64)


def as_column(labels: np.ndarray) -> np.ndarray:
    return labels.reshape(-1, 1)


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed], ids=["stored", "deflated"])
@pytest.mark.parametrize("form", [np.array, as_integers, as_column], ids=["uint8", "int64", "column"])
def test_an_npz_holds_the_same_splits(
    write: Callable[..., None], form: Callable[[np.ndarray], np.ndarray], arrays: Arrays, tmp_path: Path
) -> None:
    labels = {key: form(arrays[key]) for key in ("y_train", "y_test")}
    write(tmp_path / "letters.npz", **{**arrays, **labels})
    write_idx(tmp_path / "letters", arrays)
    for part in ("train", "test"):
        from_npz = read_split(tmp_path / "letters.npz", part, NAMES)
        from_idx = read_split(tmp_path / "letters", part, NAMES)
        assert np.array_equal(from_npz.images, from_idx.images)
        assert (from_npz.labels.dtype, from_npz.labels.shape) == (np.uint8, from_idx.labels.shape)
        assert (from_npz.dataset, from_npz.sha256) == (from_idx.dataset, from_idx.sha256)


def test_an_array_in_column_order_is_the_same_images(arrays: Arrays, tmp_path: Path) -> None:
    path = write_npz(tmp_path / "a.npz", {**arrays, "x_test": np.asfortranarray(arrays["x_test"])})
    split = read_split(path, "test", NAMES)
    assert np.array_equal(split.images, arrays["x_test"])
    assert split.images.flags.c_contiguous


def test_the_environment_names_a_dataset_too(
    arrays: Arrays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEDIGITS_DATA", str(write_idx(tmp_path / "letters", arrays)))
    assert read_split(None, "test", NAMES).dataset == "letters"


# MNIST stays MNIST


def test_without_names_another_dataset_is_refused(arrays: Arrays, tmp_path: Path) -> None:
    for place in (write_idx(tmp_path / "letters", arrays), write_npz(tmp_path / "letters.npz", arrays)):
        with pytest.raises(
            DatasetError, match=r"if it is another dataset, name its classes with .* --labels"
        ):
            read_split(place, "train")


@pytest.mark.mnist
def test_one_altered_pixel_of_mnist_is_refused(mnist_train: Split, tmp_path: Path) -> None:
    images = mnist_train.images.copy()
    images[0, 0, 0] ^= 1
    arrays = {
        "x_train": images,
        "y_train": mnist_train.labels,
        "x_test": images[:10],
        "y_test": mnist_train.labels[:10],
    }
    with pytest.raises(DatasetError, match=r"the file was altered; .*--labels"):
        read_split(write_idx(tmp_path / "mnist", arrays), "train", LABELS)


@pytest.mark.mnist
@pytest.mark.usefixtures("mnist_source")
def test_the_digits_are_mnist(mnist_test: Split) -> None:
    split = read_split(None, "test")
    assert (split.dataset, split.class_names, split.sha256) == ("MNIST", LABELS, mnist_test.sha256)


@pytest.mark.parametrize("name", ["mnist", "MNIST", "MNIST.npz", "two\nlines"])
def test_a_name_that_would_mislead_is_refused(name: str, arrays: Arrays, tmp_path: Path) -> None:
    write = write_npz if name.endswith(".npz") else write_idx
    with pytest.raises(DatasetError, match=r"expected another dataset than MNIST.*or rename this one"):
        read_split(write(tmp_path / name, arrays), "test", NAMES)


def test_a_folder_is_called_by_its_whole_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "letters-1.5").mkdir()
    monkeypatch.chdir(tmp_path / "letters-1.5")
    assert dataset_name(Path()) == "letters-1.5"


# Places


def test_no_place_is_an_error_and_no_download(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGEDIGITS_DATA", raising=False)
    with pytest.raises(
        DatasetError, match=r"expected images of zero, .*, nine, found no dataset; name .* --data"
    ):
        read_split(None, "train", NAMES)


@pytest.mark.parametrize(
    ("place", "found"),
    [("nowhere", "nothing there"), ("empty", "a folder without"), ("a.txt", r"a file that is no")],
)
def test_a_place_without_a_dataset_is_named(place: str, found: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.txt").touch()
    with pytest.raises(
        DatasetError, match=rf"\(--data\): expected a folder with .* found {found}.*with --data$"
    ):
        read_split(tmp_path / place, "train", NAMES)


# IDX files of another form


@pytest.mark.parametrize(
    ("key", "content", "found"),
    [
        pytest.param(
            "x_train",
            lambda a: idx(a)[:-1],
            r"expected 31,376 bytes, found 31,375 \(truncated\)",
            id="truncated",
        ),
        pytest.param(
            "x_train", lambda a: idx(a, 41), r"expected 32,160 bytes, found 31,376", id="too many declared"
        ),
        pytest.param(
            "x_train", lambda a: idx(a, 39), "expected 30,592 bytes, found more", id="too few declared"
        ),
        pytest.param(
            "x_train",
            lambda a: idx(a, 2**32 - 1),
            "expected 10 to 500,000 IDX images of 28x28, found 4,294,967,295 IDX images",
            id="billions declared",
        ),
        pytest.param("x_train", lambda a: idx(a[:9]), "expected 10 to .*, found 9 IDX images", id="too few"),
        pytest.param(
            "x_train",
            lambda a: idx(np.zeros((40, 32, 32), np.uint8)),
            "expected .*images of 28x28, found 40 IDX images of 32x32",
            id="larger images",
        ),
        pytest.param(
            "x_train",
            lambda a: idx(a[:, 0, 0]),
            "images of 28x28, found 40 IDX labels",
            id="labels for images",
        ),
        pytest.param(
            "y_train",
            lambda a: idx(np.zeros((40, 28, 28), np.uint8)),
            "IDX labels, found 40 IDX images",
            id="images for labels",
        ),
        pytest.param(
            "x_train", lambda a: b"\0\0\x0d\x03" + idx(a)[4:], "found no IDX file of bytes", id="floats"
        ),
        pytest.param("x_train", lambda a: b"", "found only 0 bytes", id="empty"),
        pytest.param("x_train", lambda a: idx(a)[:10], "found 40 IDX images", id="half a header"),
        pytest.param(
            "y_train", lambda a: idx(a[:-1]), "as many labels as images, 40, found 39", id="a label less"
        ),
        pytest.param(
            "y_train", lambda a: idx(a + 1), "expected labels from 0 to 9, found 1 to 10", id="labels from 1"
        ),
        pytest.param(
            "y_train",
            lambda a: idx(np.where(a == 7, 8, a).astype(np.uint8)),
            r"images of all 10 classes, found none of 7 \(seven\)",
            id="a class less",
        ),
    ],
)
def test_an_idx_file_of_another_form_is_refused(
    key: str, content: Callable[[np.ndarray], bytes], found: str, arrays: Arrays, tmp_path: Path
) -> None:
    folder = write_idx(tmp_path / "letters", arrays)
    (folder / FILES[key]).write_bytes(content(arrays[key]))
    with pytest.raises(DatasetError, match=found) as caught:
        read_split(folder, "train", NAMES)
    assert str(caught.value).startswith(f"{folder}")
    assert str(caught.value).endswith("check how the dataset was written")


def test_a_gzip_bomb_is_not_unpacked(arrays: Arrays, tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "letters", arrays)
    unpacked = 64 << 20
    path = folder / FILES["x_train"]
    (folder / f"{path.name}.gz").write_bytes(gzip.compress(idx(arrays["x_train"]) + bytes(unpacked), 1))
    tracemalloc.start()
    try:
        with pytest.raises(DatasetError, match="found more"):
            read_split(folder, "train", NAMES)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # What the header declares (31 kB), the file as gzip's buffers hold it, and Python's own noise.
    assert peak < unpacked / 16


def test_a_damaged_gzip_file_is_refused(arrays: Arrays, tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "letters", arrays)
    packed = gzip.compress(idx(arrays["x_train"]))
    (folder / f"{FILES['x_train']}.gz").write_bytes(packed[:-8] + bytes(8))
    with pytest.raises(DatasetError, match="expected 31,376 bytes, found a file that cannot be unpacked"):
        read_split(folder, "train", NAMES)


# An .npz of another form


def changed(key: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Arrays], bytes]:
    def content(arrays: Arrays) -> bytes:
        buffer = io.BytesIO()
        np.savez(buffer, **{**arrays, key: change(arrays[key])})
        return buffer.getvalue()

    return content


def lying(shape: tuple[int, ...]) -> Callable[[Arrays], bytes]:
    """An archive in which the header of ``x_train`` declares a shape that its bytes do not have."""

    def content(arrays: Arrays) -> bytes:
        header, buffer = io.BytesIO(), io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("x_train.npy", header.getvalue() + arrays["x_train"].tobytes())
        return buffer.getvalue()

    return content


def without(key: str) -> Callable[[Arrays], bytes]:
    def content(arrays: Arrays) -> bytes:
        buffer = io.BytesIO()
        np.savez(buffer, **{name: array for name, array in arrays.items() if name != key})
        return buffer.getvalue()

    return content


@pytest.mark.parametrize(
    ("content", "found"),
    [
        pytest.param(
            changed("x_train", lambda x: x[:, :20]), r"found uint8 \(40, 20, 28\)", id="smaller images"
        ),
        pytest.param(
            changed("x_train", lambda x: x[:9]), r"n from 10 to 500,000, found uint8 \(9,", id="too few"
        ),
        pytest.param(changed("x_train", lambda x: x[0, 0, 0]), r"found uint8 \(\)", id="no array"),
        pytest.param(
            changed("x_train", lambda x: x.astype(object)), r"found object \(40", id="pickled objects"
        ),
        pytest.param(
            changed("y_train", lambda y: y * 0.5), r"y_train to be integers", id="halves for labels"
        ),
        pytest.param(
            changed("y_train", lambda y: y.astype(int) - 1),
            "labels from 0 to 9, found -1 to 8",
            id="labels from -1",
        ),
        pytest.param(
            changed("y_train", lambda y: y + 1), "labels from 0 to 9, found 1 to 10", id="labels to 10"
        ),
        pytest.param(
            changed("y_train", lambda y: y[1:]), "as many labels as images, 40, found 39", id="a label less"
        ),
        pytest.param(lying((10**9, 28, 28)), r"found uint8 \(1000000000, 28, 28\)", id="billions declared"),
        pytest.param(lying((41, 28, 28)), "to hold 32,144 bytes, found 31,360", id="too many declared"),
        pytest.param(lying((39, 28, 28)), "to hold 30,576 bytes, found 31,360", id="too few declared"),
        pytest.param(without("x_train"), "arrays x_train and y_train, found none", id="no images"),
        pytest.param(without("y_train"), "arrays x_train and y_train, found none", id="no labels"),
        pytest.param(
            lambda arrays: changed("x_train", np.array)(arrays)[:-900],
            "none that can be read",
            id="truncated",
        ),
        pytest.param(lambda _: b"no archive", "none that can be read", id="text"),
    ],
)
def test_an_npz_of_another_form_is_refused(
    content: Callable[[Arrays], bytes], found: str, arrays: Arrays, tmp_path: Path
) -> None:
    path = tmp_path / "letters.npz"
    path.write_bytes(content(arrays))
    with pytest.raises(DatasetError, match=found) as caught:
        read_split(path, "train", NAMES)
    assert str(caught.value).startswith(f"{path}: ")


def test_an_altered_byte_of_an_npz_is_noticed(arrays: Arrays, tmp_path: Path) -> None:
    path = write_npz(tmp_path / "letters.npz", arrays)
    content = bytearray(path.read_bytes())
    content[content.index(arrays["x_train"].tobytes()) + 500] ^= 1
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"none that can be read \(Bad CRC-32"):
        read_split(path, "train", NAMES)
