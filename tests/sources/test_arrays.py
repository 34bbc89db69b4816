"""``.npy``, ``.npz`` and IDX files, of any shape and type that people write."""

import gzip
import io
import struct
import zipfile

import numpy as np
import pytest

from edgedigits.errors import SourceError, SourceNotFoundError
from edgedigits.sources.read import open_source, read_part

SHAPES = {
    "(n, 28, 28)": lambda images: images,
    "(n, 784)": lambda images: images.reshape(-1, 784),
    "(n, 28, 28, 1)": lambda images: images[..., None],
    "(n, 1, 28, 28)": lambda images: images[:, None],
}
TYPES = {
    "uint8": lambda images: images,
    "int64": lambda images: images.astype(np.int64),
    "big-endian": lambda images: images.astype(">i2"),
    "float32 to 1": lambda images: (images / 255).astype(np.float32),
    "float64 to 255": lambda images: images.astype(float),
    "float16 to 1": lambda images: (images / 255).astype(np.float16),
}
LABELS = {
    "uint8": lambda labels: labels,
    "int32": lambda labels: labels.astype(np.int32),
    "column": lambda labels: labels.reshape(-1, 1).astype(float),
    "one-hot": lambda labels: np.eye(10)[labels],
    "one-hot of bool": lambda labels: np.eye(10, dtype=bool)[labels],
}


def idx(array: np.ndarray, kind: int = 0x08) -> bytes:
    header = struct.pack(f">HBB{array.ndim}I", 0, kind, array.ndim, *array.shape)
    return header + array.tobytes()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", TYPES)
def test_images_of_any_shape_and_type(shape, kind, digits, read, same, tmp_path):
    np.save(tmp_path / "x_test.npy", SHAPES[shape](TYPES[kind](digits.images)))
    np.save(tmp_path / "y_test.npy", digits.labels)
    same(read(tmp_path / "x_test.npy"))


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed], ids=["stored", "deflated"])
def test_labels_of_any_type_in_an_archive(kind, save, digits, read, same, tmp_path):
    save(tmp_path / "a.npz", images=digits.images, labels=LABELS[kind](digits.labels))
    same(read(tmp_path / "a.npz"))


def test_bools_are_ink_or_none(digits, read, tmp_path):
    np.save(tmp_path / "a.npy", digits.images > 99)
    assert np.array_equal(np.stack(read(tmp_path / "a.npy").images), np.where(digits.images > 99, 255, 0))


def test_one_picture_is_one_picture(digits, read, tmp_path):
    np.save(tmp_path / "a.npy", np.kron(digits.images[0], np.ones((3, 2), np.uint8)))
    (picture,) = read(tmp_path / "a.npy").images
    assert picture.shape == (84, 56)


def test_an_archive_of_two_parts_is_two_sources(digits, tmp_path):
    np.savez(tmp_path / "a.npz", x_train=digits.images, y_train=digits.labels, x_test=digits.images[:9])
    sources = open_source(tmp_path / "a.npz")
    found = [(source.path.removeprefix(f"{tmp_path}/"), source.rows, source.has_labels) for source in sources]
    assert found == [("a.npz:x_train", 450, True), ("a.npz:x_test", 9, False)]


@pytest.mark.parametrize("name", ["t10k-images-idx3-ubyte", "train-images.idx3-ubyte"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_idx_files_with_their_labels_beside_them(name, packed, digits, read, same, tmp_path):
    labels_name = name.replace("images", "labels").replace("idx3", "idx1")
    for where, array in ((name, digits.images), (labels_name, digits.labels)):
        content = idx(array)
        path = tmp_path / (f"{where}.gz" if packed else where)
        path.write_bytes(gzip.compress(content, mtime=0) if packed else content)
    path = tmp_path / (f"{name}.gz" if packed else name)
    same(read(path))
    (source,) = open_source(tmp_path)
    assert (source.path, len(source.files), len(list(source.parts(100)))) == (
        str(path),
        2,
        1 if packed else 5,
    )


def test_emnist_s_own_files_are_turned_and_it_is_said(digits, read, same, tmp_path):
    path = tmp_path / "emnist-digits-test-images-idx3-ubyte"
    path.write_bytes(idx(np.ascontiguousarray(digits.images.transpose(0, 2, 1))))
    same(read(path), with_labels=False)
    (source,) = open_source(path)
    assert source.notes == ("EMNIST's own file, in which rows and columns changed places: turned",)


def test_a_row_out_of_range_is_an_error_among_images(digits, read, tmp_path):
    images = digits.images.astype(np.float32)
    images[7, 3, 3], images[8, 0, 0] = np.nan, 256
    np.save(tmp_path / "a.npy", images)
    found = read(tmp_path / "a.npy")
    assert list(found.errors) == [7, 8]
    good = [row for row in range(450) if row not in (7, 8)]
    assert np.array_equal(np.stack([found.images[row] for row in good]), digits.images[good])


def test_a_file_that_is_cut_after_it_was_opened_is_an_error(digits, tmp_path):
    np.save(tmp_path / "a.npy", digits.images)
    (source,) = open_source(tmp_path / "a.npy")
    with (tmp_path / "a.npy").open("r+b") as file:
        file.truncate(9_000)
    with pytest.raises(SourceError, match=r"a\.npy: cannot be read: it is cut off"):
        [list(read_part(part)) for part in source.parts(100)]


def npy(shape: tuple[int, ...], descr: str = "|u1", body: bytes = b"", order: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": descr, "fortran_order": order, "shape": shape})
    return buffer.getvalue() + body


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("a.npy", npy((10**12, 28, 28)), "expected 784,000,000,000,000 bytes"),
        ("a.npy", npy((2, 28, 28), body=bytes(1569)), "found 1,569"),
        ("a.npy", npy((2, 28, 28), "|O", bytes(100)), "holds objects"),
        ("a.npy", npy((2, 28, 28), "<c8", bytes(12_544)), "no numbers"),
        ("a.npy", npy((2, 28, 28), body=bytes(1568), order=True), "Fortran"),
        ("a.npy", npy((9, 10), "<f8", bytes(720)), "labels perhaps"),
        ("a.npy", npy((2, 3, 4, 5), body=bytes(120)), "in one of these shapes"),
        ("a.npy", npy((1, 10_000, 10_000), body=b""), "expected 100,000,000 bytes"),
        ("a.npy", npy((3, 28, 28), "<f4", np.full(3 * 784, -1, "<f4").tobytes()), "found -1 to -1"),
        ("a.npy", npy((3, 28, 28), "<u2", np.full(3 * 784, 4096, "<u2").tobytes()), "found 4096 to 4096"),
        ("a.npy", b"\x93NUMPY\x02\x00" + b"\xff" * 20, "version"),
        ("a.npy", b"", "cannot be read"),
        ("a.npz", b"no archive", "cannot be read"),
        ("a-idx3-ubyte", b"\0\0\x08\x03\0\0\0\x02\0\0\0\x1c\0\0\0\x1c", "expected 1,568 bytes"),
        ("a-idx3-ubyte", b"\0\0\x0a\x03", "expected an IDX file"),
        ("a-idx3-ubyte.gz", gzip.compress(b"\0\0\x08\x03\0\0\0\x02\0\0\0\x1c\0\0\0\x1c", mtime=0), "cut off"),
        (
            "a-idx3-ubyte.gz",
            gzip.compress(idx(np.zeros((2, 28, 28), np.uint8)) + b"!", mtime=0),
            "goes on behind the end",
        ),
        ("labels-idx1-ubyte", idx(np.zeros(9, np.uint8)), "labels perhaps"),
    ],
)
def test_what_is_no_array_of_images_is_refused(name, content, found, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SourceError, match=found) as caught:
        [list(read_part(part)) for source in open_source(path) for part in source.parts(100)]
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("labels", [np.zeros(449), np.zeros((450, 3))], ids=["one less", "three columns"])
def test_labels_that_do_not_belong_to_the_images_are_refused(labels, digits, tmp_path):
    np.savez(tmp_path / "a.npz", images=digits.images, labels=labels)
    with pytest.raises(SourceError, match="expected 450 labels"):
        open_source(tmp_path / "a.npz")


@pytest.mark.parametrize("labels", [np.full(450, 0.5), np.ones((450, 10))], ids=["halves", "all hot"])
def test_labels_that_are_none_are_refused(labels, digits, tmp_path):
    np.savez(tmp_path / "a.npz", images=digits.images, labels=labels)
    (source,) = open_source(tmp_path / "a.npz")
    with pytest.raises(SourceError, match="expected labels"):
        list(read_part(next(source.parts(100))))


def test_an_archive_that_unpacks_to_more_than_it_says_is_not_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", npy((10, 28, 28)) + bytes(100_000_000))
    with pytest.raises(SourceError, match="found 100,000,000"):
        open_source(tmp_path / "a.npz")


def test_nothing_there(tmp_path):
    with pytest.raises(SourceNotFoundError, match="nothing there"):
        open_source(tmp_path / "a.npy")
    with pytest.raises(SourceNotFoundError, match="no pictures in this folder"):
        open_source(tmp_path)


@pytest.mark.parametrize("name", ["a.txt", "a.zip"])
def test_a_form_that_is_not_known(name, tmp_path):
    (tmp_path / name).touch()
    with pytest.raises(SourceError, match="expected a folder of pictures, Parquet"):
        open_source(tmp_path / name)


@pytest.mark.parametrize("order", [">f4", ">f8"])
def test_idx_of_floats(order, digits, read, same, tmp_path):
    kind = {">f4": 0x0D, ">f8": 0x0E}[order]
    (tmp_path / "a-idx3-ubyte").write_bytes(idx((digits.images / 255).astype(order), kind))
    same(read(tmp_path / "a-idx3-ubyte"), with_labels=False)
