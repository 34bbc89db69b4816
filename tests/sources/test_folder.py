"""Folders of pictures, and of files that hold many."""

import os
from pathlib import Path

import numpy as np
import pytest

from edgedigits.errors import SourceError
from edgedigits.sources.folder import Names, walk
from edgedigits.sources.read import open_source, read_part
from edgedigits.sources.told import open_told, told_by


def test_pictures_of_all_folders_come_in_the_order_of_their_bytes(digits, tmp_path, read):
    names = ["b/1.png", "a.png", "b-c/x.PNG", "b/0.png", "a/z/9.png", "é.png", "b.png"]
    for name, content in zip(names, digits.files, strict=False):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / ".hidden.png").write_bytes(digits.files[0])
    found = read(tmp_path, rows=3, batch_rows=2)
    assert found.keys == sorted(names, key=os.fsencode)
    for key, image in zip(found.keys, found.images, strict=True):
        assert np.array_equal(image, digits.images[names.index(key)])


def test_folders_called_by_digits_are_labels(digits, tmp_path, read):
    for row in range(40):
        folder = tmp_path / "train" / str(digits.labels[row])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{row:03}.png").write_bytes(digits.files[row])
    (tmp_path / "train" / "stray.png").write_bytes(digits.files[0])
    found = read(tmp_path)
    expected = [int(key.split("/")[1]) if key.count("/") == 2 else -1 for key in found.keys]
    assert found.labels.tolist() == expected
    assert expected.count(-1) == 1


def test_a_folder_of_files_gives_a_source_for_each(digits, tmp_path):
    np.save(tmp_path / "b.npy", digits.images)
    np.savez(tmp_path / "a.npz", images=digits.images)
    (tmp_path / "c.png").write_bytes(digits.files[0])
    (tmp_path / "labels.csv").write_text("file,label\nc.png,7\n")
    assert [(source.form, source.rows) for source in open_source(tmp_path)] == [
        ("folder", 1),
        ("npz", 450),
        ("npy", 450),
    ]


@pytest.mark.skipif(os.name != "posix", reason="names as POSIX has them")
def test_names_that_are_no_text_and_links(digits, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / os.fsdecode(b"a/\xff.png")).write_bytes(digits.files[0])
    (tmp_path / "a" / "link.png").symlink_to(tmp_path / os.fsdecode(b"a/\xff.png"))
    (tmp_path / "a" / "circle").symlink_to(tmp_path, target_is_directory=True)
    os.mkfifo(tmp_path / "a" / "pipe.png")
    (source,) = open_source(tmp_path)
    (batch,) = read_part(next(source.parts(10)))
    assert batch.keys == ["a/link.png", "a/\\xff.png"]
    assert [Path(path).read_bytes() for path in batch.encoded] == [digits.files[0]] * 2


def test_folders_in_folders_without_end_are_refused(tmp_path):
    deep = tmp_path.joinpath(*["d"] * 70)
    deep.mkdir(parents=True)
    with pytest.raises(SourceError, match="more than 64 folders deep"):
        list(walk(str(tmp_path)))


def test_a_million_names_take_little_more_room_than_their_letters():
    import tracemalloc

    names = Names()
    tracemalloc.start()
    for row in range(200_000):
        names.append(b"%03d/%06d.png" % (row // 1000, row))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 2 * 200_000 * (len("000/000000.png") + 8)
    assert names.cut(199_998, 300_000) == (b"199/199998.png", b"199/199999.png")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("train-images-idx3-ubyte.gz", "train"),
        ("t10k-images.idx3-ubyte", "test"),
        ("mnist/test-00000-of-00001.parquet", "test"),
        ("mnist_png/training/0/1.png", "train"),
        ("mnist_train.csv", "train"),
        ("a.npz:x_test", "test"),
        ("contest/latest.npy", None),
        ("trains.npy", None),
        ("test/train.csv", "train"),
    ],
)
def test_names_tell_parts(name, told):
    assert told_by(name) == told


def test_pictures_of_both_parts_in_one_folder(digits, tmp_path):
    for row in range(30):
        folder = tmp_path / "test-of-mine" / ("training" if row % 3 else "testing") / str(digits.labels[row])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{row}.png").write_bytes(digits.files[row])
    found = {told: source.rows for told, source in open_told(tmp_path / "test-of-mine")}
    assert found == {"train": 20, "test": 10}
