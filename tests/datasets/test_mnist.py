import gzip
import io
import os
import struct
import subprocess
import sys
import tempfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgedigits.artifacts.hashes import sha256_bytes
from edgedigits.datasets import mnist, mnist_files, places
from edgedigits.datasets.mnist_files import IdxFile
from edgedigits.datasets.places import Source
from edgedigits.datasets.split import Split
from edgedigits.errors import DatasetError

PIXELS = 28 * 28


def header(count: int, is_images: bool) -> bytes:
    return struct.pack(">IIII", 0x803, count, 28, 28) if is_images else struct.pack(">II", 0x801, count)


def pinned(name: str, content: bytes, count: int, is_images: bool) -> IdxFile:
    packed = gzip.compress(content, mtime=0)
    return IdxFile(name, count, is_images, sha256_bytes(content), sha256_bytes(packed), len(packed))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """A small dataset in MNIST's place: the contents of its four files by name."""
    generator = np.random.default_rng(0)
    files, contents = {}, {}
    for part, count in (("train", 20), ("test", 10)):
        pair = []
        for original in mnist_files.FILES[part]:
            top, size = (256, count * PIXELS) if original.is_images else (10, count)
            content = header(count, original.is_images) + generator.integers(0, top, size, np.uint8).tobytes()
            contents[original.name] = content
            pair.append(pinned(original.name, content, count, original.is_images))
        files[part] = tuple(pair)
    monkeypatch.setattr(mnist_files, "FILES", files)
    return contents


def write_folder(folder: Path, contents: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True)
    for name, content in contents.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))
    return folder


@pytest.fixture
def folder(small: dict[str, bytes], tmp_path: Path) -> Path:
    return write_folder(tmp_path / "mnist", small)


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A user who has MNIST nowhere; returns the folder of caches."""
    monkeypatch.delenv("EDGEDIGITS_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path


def arrays_of(contents: dict[str, bytes]) -> dict[str, np.ndarray]:
    """The arrays of Keras' mnist.npz."""
    images = {part: contents[mnist_files.FILES[part][0].name] for part in mnist_files.FILES}
    labels = {part: contents[mnist_files.FILES[part][1].name] for part in mnist_files.FILES}
    return {
        **{
            f"x_{part}": np.frombuffer(images[part], np.uint8, offset=16).reshape(-1, 28, 28)
            for part in images
        },
        **{f"y_{part}": np.frombuffer(labels[part], np.uint8, offset=8) for part in labels},
    }


def npz(arrays: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


# The IDX format


@st.composite
def idx_files(draw: st.DrawFn) -> tuple[IdxFile, bytes]:
    count, is_images = draw(st.integers(0, 3)), draw(st.booleans())
    size = count * (PIXELS if is_images else 1)
    body = draw(st.binary(min_size=size, max_size=size)) if size < 100 else os.urandom(size)
    content = header(count, is_images) + body
    return pinned("some-idx-ubyte", content, count, is_images), content


@settings(deadline=None)
@given(idx_files())
def test_the_content_itself_is_accepted(idx):
    file, content = idx
    assert file.size == len(content)
    assert content.startswith(file.header)
    mnist_files.check_idx(Path("x"), file, content)


@settings(deadline=None)
@given(idx_files(), st.data())
def test_one_changed_byte_is_refused(idx, data):
    file, content = idx
    changed = bytearray(content)
    changed[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(DatasetError, match=r"^x: expected .*, found "):
        mnist_files.check_idx(Path("x"), file, bytes(changed))


@settings(deadline=None)
@given(idx_files(), st.data())
def test_a_truncation_is_refused(idx, data):
    file, content = idx
    with pytest.raises(DatasetError, match=r"^x: expected .*, found "):
        mnist_files.check_idx(Path("x"), file, content[: data.draw(st.integers(0, len(content) - 1))])


@settings(deadline=None)
@given(idx_files(), st.binary(min_size=1, max_size=20))
def test_an_extension_is_refused(idx, more):
    file, content = idx
    with pytest.raises(DatasetError, match=r"^x: expected [\d,]+ bytes, found more; "):
        mnist_files.check_idx(Path("x"), file, content + more)


# Reading a folder


def test_a_folder_of_packed_files_is_read(folder, small):
    split = mnist.read_split(Source(folder, "--data"), "train")
    expected = arrays_of(small)
    assert np.array_equal(split.images, expected["x_train"])
    assert np.array_equal(split.labels, expected["y_train"])
    assert (split.dataset, split.images.dtype, split.labels.dtype) == ("MNIST", np.uint8, np.uint8)


def test_files_need_not_be_packed(folder, small):
    packed = mnist.read_split(Source(folder, "--data"), "test")
    for name, content in small.items():
        (folder / f"{name}.gz").unlink()
        (folder / name).write_bytes(content)
    plain = mnist.read_split(places.find(folder), "test")
    assert np.array_equal(plain.images, packed.images)
    assert plain.sha256 == packed.sha256


def test_the_hash_of_a_split_tells_its_images_and_its_labels(folder):
    split = mnist.read_split(Source(folder, "--data"), "test")
    turned = Split.of("MNIST", split.images[::-1], split.labels)
    renumbered = Split.of("MNIST", split.images, split.labels[::-1])
    assert len({split.sha256, turned.sha256, renumbered.sha256}) == 3
    assert Split.of("another name", split.images, split.labels).sha256 == split.sha256


TRAIN_IMAGES, TRAIN_LABELS = (file.name for file in mnist_files.FILES["train"])
TEST_IMAGES = mnist_files.FILES["test"][0].name


def altered(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize(
    ("name", "packed", "found"),
    [
        pytest.param(
            TRAIN_IMAGES,
            lambda small: gzip.compress(small[TRAIN_IMAGES])[:-500],
            r"expected 15,696 bytes of train-images.*, found a file that cannot be unpacked",
            id="gzip cut off",
        ),
        pytest.param(
            TRAIN_IMAGES,
            lambda small: gzip.compress(small[TRAIN_IMAGES][:-500]),
            r"expected 15,696 bytes, found 15,196 \(truncated\)",
            id="content cut off",
        ),
        pytest.param(
            TRAIN_IMAGES,
            lambda small: gzip.compress(small[TRAIN_IMAGES] + b"more"),
            "expected 15,696 bytes, found more",
            id="content longer",
        ),
        pytest.param(
            TRAIN_IMAGES,
            lambda small: gzip.compress(altered(small[TRAIN_IMAGES])),
            "expected content with sha256 [0-9a-f]{64}, found [0-9a-f]{64}: the file was altered",
            id="one bit altered",
        ),
        pytest.param(
            TRAIN_LABELS,
            lambda small: gzip.compress(small[TRAIN_IMAGES]),
            "expected 20 IDX labels, found 20 IDX images",
            id="images in place of labels",
        ),
        pytest.param(
            TRAIN_IMAGES,
            lambda small: gzip.compress(small[TRAIN_LABELS]),
            "expected 20 IDX images of 28x28, found 20 IDX labels",
            id="labels in place of images",
        ),
        pytest.param(
            TRAIN_IMAGES,
            lambda small: gzip.compress(small[TEST_IMAGES]),
            "expected 20 IDX images of 28x28, found 10 IDX images of 28x28",
            id="test in place of train",
        ),
        pytest.param(
            TRAIN_IMAGES,
            lambda _: gzip.compress(struct.pack(">IIII", 0x803, 20, 32, 32)),
            "expected 20 IDX images of 28x28, found 20 IDX images of 32x32",
            id="another size of picture",
        ),
        pytest.param(
            TRAIN_IMAGES,
            lambda _: gzip.compress(b"\x89PNG\r\n\x1a\n and so on"),
            r"expected 20 IDX images of 28x28, found no IDX file of bytes \(magic number 0x89504e47\)",
            id="another kind of file",
        ),
        pytest.param(
            TRAIN_IMAGES,
            lambda small: small[TRAIN_IMAGES],
            "found a file that cannot be unpacked",
            id="not gzip",
        ),
        pytest.param(
            TRAIN_IMAGES,
            lambda small: gzip.compress(small[TRAIN_IMAGES])[:-8] + bytes(8),
            "found a file that cannot be unpacked",
            id="gzip checksum wrong",
        ),
        pytest.param(
            TRAIN_IMAGES, lambda _: b"", "expected 20 IDX images of 28x28, found only 0 bytes", id="empty"
        ),
        pytest.param(
            TRAIN_IMAGES,
            lambda _: gzip.compress(b""),
            "expected 20 IDX .*, found only 0 bytes",
            id="nothing packed",
        ),
    ],
)
def test_another_file_is_refused_by_its_name(
    name, packed: Callable[[dict[str, bytes]], bytes], found, folder, small
):
    path = folder / f"{name}.gz"
    path.write_bytes(packed(small))
    with pytest.raises(DatasetError, match=found) as caught:
        mnist.read_split(Source(folder, "--data"), "train")
    assert str(caught.value).startswith(f"{path}: expected ")
    assert str(caught.value).endswith("`edgedigits train --labels`, else delete it and run `edgedigits data`")


def test_a_file_that_went_missing_is_named(folder):
    (folder / f"{TRAIN_LABELS}.gz").unlink()
    with pytest.raises(DatasetError, match=rf"expected {TRAIN_LABELS}\.gz or {TRAIN_LABELS}, found neither"):
        mnist.read_split(Source(folder, "--data"), "train")


def test_a_gzip_bomb_is_not_unpacked(folder, small):
    unpacked = 64 << 20
    bomb = gzip.compress(small[TRAIN_IMAGES] + bytes(unpacked), compresslevel=1)
    (folder / f"{TRAIN_IMAGES}.gz").write_bytes(bomb)
    assert len(bomb) < 1 << 20
    tracemalloc.start()
    try:
        with pytest.raises(DatasetError, match="found more"):
            mnist.read_split(Source(folder, "--data"), "train")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The content that is allowed (16 kB), the file as gzip's buffers hold it, and Python's own noise.
    assert peak < unpacked / 16


# Reading Keras' mnist.npz


@pytest.fixture
def keras_npz(small: dict[str, bytes], tmp_path: Path) -> Path:
    path = tmp_path / "keras" / "datasets" / "mnist.npz"
    path.parent.mkdir(parents=True)
    path.write_bytes(npz(arrays_of(small)))
    return path


@pytest.mark.parametrize("part", ["train", "test"])
def test_an_npz_holds_the_same_splits(part, folder, keras_npz):
    from_npz, from_idx = (mnist.read_split(places.find(path), part) for path in (keras_npz, folder))
    assert np.array_equal(from_npz.images, from_idx.images)
    assert np.array_equal(from_npz.labels, from_idx.labels)
    assert from_npz.sha256 == from_idx.sha256


class Pickled:
    """Unpickling this makes a file: proof that somebody ran what a dataset said."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.marker,)


def test_pickled_objects_are_refused_and_not_run(keras_npz, small, tmp_path):
    marker = tmp_path / "was run"
    content = npz({**arrays_of(small), "x_train": np.array([Pickled(marker)], object)})
    keras_npz.write_bytes(content)
    with pytest.raises(
        DatasetError, match=r"mnist\.npz: expected x_train to be uint8 \(20, 28, 28\), found object \(1,\)"
    ):
        mnist.read_split(Source(keras_npz, "--data"), "train")
    assert not marker.exists()
    with np.load(io.BytesIO(content), allow_pickle=True) as archive:
        _ = archive["x_train"]
    assert marker.exists()  # The file was dangerous indeed.


def with_x_train(change: Callable[[np.ndarray], object]) -> Callable[[dict[str, np.ndarray]], bytes]:
    return lambda arrays: npz({**arrays, "x_train": change(arrays["x_train"].copy())})


def lone_array(arrays: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, arrays["x_train"])
    return buffer.getvalue()


def large_member(arrays: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x_train.npy", npz(arrays) + bytes(8 << 20))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("change", "found"),
    [
        pytest.param(with_x_train(lambda x: np.where(x == x[0, 0, 0], x ^ 1, x)), "altered", id="altered"),
        pytest.param(
            with_x_train(lambda x: x.astype(np.int8)), r"found int8 \(20, 28, 28\)", id="other type"
        ),
        pytest.param(with_x_train(lambda x: x[:-1]), r"found uint8 \(19, 28, 28\)", id="one image less"),
        pytest.param(
            with_x_train(lambda x: x.reshape(20, 784)), r"found uint8 \(20, 784\)", id="other shape"
        ),
        pytest.param(
            lambda arrays: npz({"y_train": arrays["y_train"]}), "an array x_train, found none", id="missing"
        ),
        pytest.param(lambda arrays: npz(arrays)[:-1000], "found none that can be read", id="truncated"),
        pytest.param(lambda _: b"", "found none that can be read", id="empty"),
        pytest.param(lambda _: b"no archive", "found none that can be read", id="text"),
        pytest.param(lone_array, "found none that can be read", id="a single array"),
        pytest.param(large_member, "found none that can be read", id="far too large"),
    ],
)
def test_another_npz_is_refused_by_its_name(change, found, keras_npz, small):
    keras_npz.write_bytes(change(arrays_of(small)))
    with pytest.raises(DatasetError, match=found) as caught:
        mnist.read_split(Source(keras_npz, "--data"), "train")
    assert str(caught.value).startswith(f"{keras_npz}: expected ")


# Finding


def test_nothing_is_found_where_there_is_nothing(nowhere):
    assert places.find() is None


def test_places_are_tried_in_their_order(nowhere, small, monkeypatch):
    named = write_folder(nowhere / "named", small)
    environment = write_folder(nowhere / "environment", small)
    cache = write_folder(nowhere / "cache" / "edgedigits" / "mnist", small)
    keras_npz = nowhere / "keras" / "datasets" / "mnist.npz"
    keras_npz.parent.mkdir(parents=True)
    keras_npz.write_bytes(npz(arrays_of(small)))
    monkeypatch.setenv("EDGEDIGITS_DATA", str(environment))
    assert places.find(named) == Source(named, "--data")
    assert places.find() == Source(environment, "EDGEDIGITS_DATA")
    monkeypatch.setenv("EDGEDIGITS_DATA", "")
    assert places.find() == Source(cache, "user cache")
    (cache / f"{TRAIN_LABELS}.gz").unlink()
    assert places.find() == Source(keras_npz, "Keras cache")
    keras_npz.unlink()
    assert places.find() is None


@pytest.mark.parametrize("origin", ["--data", "EDGEDIGITS_DATA"])
@pytest.mark.parametrize(
    ("place", "found"),
    [
        ("nothing-here", "nothing there"),
        ("file.txt", r"a file that is no \.npz"),
        ("file.txt/mnist", "nothing there"),
        ("half", rf"a folder without {TRAIN_LABELS}"),
        ("x" * 300, "a place that cannot be read"),
    ],
    ids=["missing", "text file", "below a file", "one file missing", "name too long"],
)
def test_a_named_place_without_mnist_is_an_error(origin, place, found, nowhere, folder, small, monkeypatch):
    (nowhere / "file.txt").write_text("no dataset")
    write_folder(nowhere / "half", {name: content for name, content in small.items() if name != TRAIN_LABELS})
    write_folder(nowhere / "cache" / "edgedigits" / "mnist", small)
    path = nowhere / place
    if origin == "EDGEDIGITS_DATA":
        monkeypatch.setenv(origin, str(path))
    with pytest.raises(
        DatasetError, match=rf"{origin}\): expected .*, found {found}.*three ways out"
    ) as caught:
        places.find(path if origin == "--data" else None)
    assert str(caught.value).startswith(f"{path} (")


UNPRIVILEGED = """
import os, sys
from pathlib import Path
from edgedigits.datasets import mnist
from edgedigits.datasets import places
from edgedigits.errors import DatasetError
if os.getuid() == 0:
    os.setuid(65534)
try:
    mnist.read_split(places.find(Path(sys.argv[1])), "train")
except DatasetError as error:
    print(error)
"""


@pytest.mark.skipif(os.name != "posix", reason="takes permissions away in the POSIX way")
@pytest.mark.parametrize("locked", ["folder", "file"])
def test_what_may_not_be_read_is_named(locked, small):
    with tempfile.TemporaryDirectory() as root:
        folder = write_folder(Path(root) / "mnist", small)
        Path(root).chmod(0o755)
        forbidden = folder if locked == "folder" else folder / f"{TRAIN_IMAGES}.gz"
        forbidden.chmod(0)
        child = subprocess.run([sys.executable, "-c", UNPRIVILEGED, folder], capture_output=True, text=True)
        folder.chmod(0o755)
    assert child.returncode == 0, child.stderr
    assert child.stdout.startswith(f"{forbidden}")
    assert "Permission denied" in child.stdout


# The real MNIST


@pytest.mark.mnist
def test_mnist_is_whole(mnist_train, mnist_test):
    assert mnist_train.images.shape == (60_000, 28, 28)
    assert mnist_test.images.shape == (10_000, 28, 28)
    # As Y. LeCun's page and every paper since count them.
    assert np.bincount(mnist_test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(mnist_train.labels).tolist() == [
        5923,
        6742,
        5958,
        6131,
        5842,
        5421,
        5918,
        6265,
        5851,
        5949,
    ]
    assert (mnist_train.images.min(), mnist_train.images.max()) == (0, 255)


@pytest.mark.mnist
def test_mnist_is_the_same_from_plain_files_and_from_keras(mnist_train, mnist_test, nowhere, monkeypatch):
    plain = nowhere / "plain"
    plain.mkdir()
    arrays = {}
    for part, split in (("train", mnist_train), ("test", mnist_test)):
        for file, array, key in zip(mnist_files.FILES[part], (split.images, split.labels), "xy", strict=True):
            (plain / file.name).write_bytes(file.header + array.tobytes())
            arrays[f"{key}_{part}"] = array
    keras_npz = nowhere / "keras" / "datasets" / "mnist.npz"
    keras_npz.parent.mkdir(parents=True)
    keras_npz.write_bytes(npz(arrays))
    assert places.find().origin == "Keras cache"
    for place in (None, keras_npz, plain):
        source = places.find(place)
        assert mnist.read_split(source, "train").sha256 == mnist_train.sha256
        assert mnist.read_split(source, "test").sha256 == mnist_test.sha256
