"""Parquet in all the forms that libraries write images in."""

import io

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from edgedigits.errors import MissingExtraError, SourceError
from edgedigits.sources.read import open_source, read_part


def fixed(digits) -> pa.Array:
    return pa.array([image.tobytes() for image in digits.images], pa.binary(784))


IMAGES = {
    "fixed_size_binary": fixed,
    "binary": lambda digits: fixed(digits).cast(pa.binary()),
    "large_binary": lambda digits: fixed(digits).cast(pa.binary()).cast(pa.large_binary()),
    "list": lambda digits: pa.array(list(digits.images.reshape(-1, 784))),
    "list of floats": lambda digits: pa.array(
        list((digits.images.reshape(-1, 784) / 255).astype(np.float32))
    ),
    "fixed_size_list": lambda digits: pa.FixedSizeListArray.from_arrays(
        pa.array(digits.images.reshape(-1)), 784
    ),
    "array2d": lambda digits: pa.array([image.tolist() for image in digits.images]),
    "tensor": lambda digits: pa.FixedShapeTensorArray.from_numpy_ndarray(digits.images),
    "picture files": lambda digits: pa.array(digits.files),
    "datasets": lambda digits: pa.array([{"bytes": content, "path": "a.png"} for content in digits.files]),
}
LABELS = {
    "int64": lambda labels: pa.array(labels.astype(np.int64)),
    "uint8": pa.array,
    "text": lambda labels: pa.array([str(label) for label in labels]),
    "category": lambda labels: pa.array([str(label) for label in labels]).dictionary_encode(),
    "one-hot": lambda labels: pa.array(np.eye(10, dtype=np.uint8)[labels].tolist()),
    "float": lambda labels: pa.array(labels.astype(float)),
}


def write(path, digits, images: str = "binary", labels: str = "int64", **options) -> None:
    columns = {"image": IMAGES[images](digits), "label": LABELS[labels](digits.labels), "note": ["x"] * 450}
    parquet.write_table(pa.table(columns), path, **{"row_group_size": 70, **options})


@pytest.mark.parametrize("images", IMAGES)
def test_images_of_every_type(images, digits, read, same, tmp_path):
    write(tmp_path / "a.parquet", digits, images)
    same(read(tmp_path / "a.parquet"))
    (source,) = open_source(tmp_path / "a.parquet")
    assert source.in_mnist_form == (images not in ("picture files", "datasets"))


@pytest.mark.parametrize("labels", LABELS)
def test_labels_of_every_type(labels, digits, read, same, tmp_path):
    write(tmp_path / "a.parquet", digits, labels=labels)
    same(read(tmp_path / "a.parquet"))


def test_a_column_for_each_pixel(digits, read, same, tmp_path):
    pixels = digits.images.reshape(-1, 784)
    columns = {f"pixel{index + 1}": pixels[:, index] for index in range(784)}
    table = pa.table({**columns, "class": LABELS["category"](digits.labels)})
    parquet.write_table(table, tmp_path / "mnist_784.parquet")
    same(read(tmp_path / "mnist_784.parquet"))


@pytest.mark.parametrize(
    "options",
    [{"compression": name} for name in ("none", "snappy", "lz4", "zstd", "gzip")]
    + [
        {"data_page_version": "2.0"},
        {"use_dictionary": False},
        {"row_group_size": 450},
        {"write_page_checksum": True},
    ],
    ids=str,
)
def test_however_it_is_packed(options, digits, read, same, tmp_path):
    write(tmp_path / "a.parquet", digits, **options)
    same(read(tmp_path / "a.parquet"))


def test_images_of_another_size(digits, read, tmp_path):
    larger = np.kron(digits.images[:50], np.ones((1, 2, 2), np.uint8))
    table = pa.table({"image": pa.array([image.tobytes() for image in larger])})
    parquet.write_table(table, tmp_path / "a.parquet")
    assert np.array_equal(np.stack(read(tmp_path / "a.parquet").images), larger)


@pytest.mark.parametrize("images", ["binary", "list", "datasets"])
def test_what_is_missing_or_of_another_size_is_an_error_in_its_row(images, digits, read, tmp_path):
    column = IMAGES[images](digits).to_pylist()
    column[5] = None
    column[6] = column[6][:-1] if images != "datasets" else {"bytes": None, "path": None}
    labels = [None if row == 9 else int(label) for row, label in enumerate(digits.labels)]
    parquet.write_table(
        pa.table({"image": column, "label": labels}), tmp_path / "a.parquet", row_group_size=70
    )
    found = read(tmp_path / "a.parquet")
    assert list(found.errors) == [5, 6]
    good = [row for row in range(450) if row not in (5, 6)]
    assert np.array_equal(np.stack([found.images[row] for row in good]), digits.images[good])
    assert found.labels[9] == -1
    assert np.array_equal(np.delete(found.labels, 9), np.delete(digits.labels, 9))


@pytest.mark.parametrize("images", ["binary", "picture files", "list"])
@pytest.mark.parametrize("group", [0, 2])
def test_a_damaged_row_group_costs_its_own_rows(group, images, digits, read, tmp_path):
    path = tmp_path / "a.parquet"
    write(path, digits, images, compression="zstd", use_dictionary=False, write_page_checksum=True)
    place = parquet.ParquetFile(path).metadata.row_group(group).column(0)
    content = bytearray(path.read_bytes())
    middle = place.data_page_offset + place.total_compressed_size // 2
    content[middle : middle + 8] = bytes(8)
    path.write_bytes(content)
    found = read(path)
    lost = range(70 * group, 70 * group + 70)
    assert list(found.errors) == list(lost)
    assert found.errors[lost[0]].startswith(f"cannot be read: row group {group} is damaged (")
    good = [row for row in range(450) if row not in lost]
    assert np.array_equal(np.stack([found.images[row] for row in good]), digits.images[good])


@pytest.mark.parametrize("images", ["binary", "picture files"])
def test_a_page_that_declares_gigabytes_is_not_given_room(images, digits, read, tmp_path):
    """pyarrow makes room for it first, and takes seconds; here it is refused at once, like other damage."""
    import tracemalloc

    path = tmp_path / "a.parquet"
    write(path, digits, images, use_dictionary=False, compression="none", row_group_size=450)
    place = parquet.ParquetFile(path).metadata.row_group(0).column(0).data_page_offset
    content = bytearray(path.read_bytes())
    # Kind of page 0; then its size unpacked and packed, each a field's number and a zigzag number of bytes of 7 bits.
    assert content[place : place + 3] == b"\x15\x00\x15"
    sizes = content.index(b"\x2c", place) - place - 3
    assert sizes in (7, 9), "two numbers of three or four bytes, and the mark between them"
    each = (sizes - 1) // 2
    content[place + 3 : place + 3 + each] = b"\xff" * (each - 1) + b"\x7f"
    path.write_bytes(content)
    before = pa.default_memory_pool().max_memory()
    tracemalloc.start()
    found = read(path)
    tracemalloc.stop()
    assert list(found.errors) == list(range(450))
    assert "row group 0 is damaged" in found.errors[0]
    assert pa.default_memory_pool().max_memory() - before < 16 << 20


def test_parts_are_row_groups_and_pieces_of_large_ones_of_picture_files(digits, tmp_path):
    write(tmp_path / "a.parquet", digits, row_group_size=70)
    (source,) = open_source(tmp_path / "a.parquet")
    assert [part.count for part in source.parts(150)] == [140, 140, 140, 30]
    write(tmp_path / "b.parquet", digits, "datasets", row_group_size=450)
    (source,) = open_source(tmp_path / "b.parquet")
    parts = list(source.parts(100))
    assert [(part.start, part.count) for part in parts] == [
        (0, 100),
        (100, 100),
        (200, 100),
        (300, 100),
        (400, 50),
    ]
    found = [content for batch in read_part(parts[3], 30) for content in batch.encoded]
    assert found == digits.files[300:400]


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        ({"text": ["a"]}, "found text"),
        ({"a": [[1] * 784], "b": [[1] * 784]}, "found a, b"),
        ({"image": [[1, 2, 3]]}, r"shape \(3,\)"),
        ({"image": [[-5.0] * 784]}, "found -5 to -5"),
    ],
)
def test_what_holds_no_images_is_refused(columns, found, tmp_path):
    parquet.write_table(pa.table(columns), tmp_path / "a.parquet")
    with pytest.raises(SourceError, match=found):
        open_source(tmp_path / "a.parquet")


@pytest.mark.parametrize("content", [b"", b"no parquet", b"PAR1" + bytes(100) + b"PAR1"])
def test_a_damaged_file_is_refused(content, tmp_path):
    (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(SourceError, match=r"a\.parquet: cannot be read: "):
        open_source(tmp_path / "a.parquet")


def test_a_file_that_was_written_anew_is_noticed(digits, tmp_path):
    write(tmp_path / "a.parquet", digits)
    (source,) = open_source(tmp_path / "a.parquet")
    write(tmp_path / "a.parquet", digits, row_group_size=80)
    with pytest.raises(SourceError, match="has other row groups than when it was opened"):
        list(read_part(next(source.parts(100))))


def test_bytes_of_pixels_are_not_copied(digits, tmp_path):
    write(tmp_path / "a.parquet", digits, compression="none", use_dictionary=False, row_group_size=450)
    (source,) = open_source(tmp_path / "a.parquet")
    (batch,) = read_part(next(source.parts(450)))
    owner = batch.images
    while isinstance(owner, np.ndarray):
        owner = owner.base
    assert isinstance(owner.obj if isinstance(owner, memoryview) else owner, pa.Buffer)


def test_without_pyarrow_it_is_said_how_to_get_it(digits, tmp_path, monkeypatch):
    write(tmp_path / "a.parquet", digits)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(
        MissingExtraError, match=r"reading Parquet needs .*: pip install 'edgedigits\[score\]'"
    ):
        open_source(tmp_path / "a.parquet")


def test_an_empty_table_is_a_source_of_nothing(tmp_path):
    buffer = io.BytesIO()
    parquet.write_table(pa.table({"image": pa.array([], pa.binary())}), buffer)
    (tmp_path / "a.parquet").write_bytes(buffer.getvalue())
    (source,) = open_source(tmp_path / "a.parquet")
    assert (source.rows, list(source.parts(10))) == (0, [])
