"""Datasets that somebody made to do harm; what merely is no dataset stands in ``tests/datasets/test_read.py``."""

import gzip
import hashlib
import io
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgedigits.arguments import MOST_IMAGES
from edgedigits.datasets import mnist_files
from edgedigits.datasets.read import read_split
from edgedigits.datasets.split import Split
from edgedigits.errors import DatasetError

NAMES = tuple("abcdefghij")
MEBIBYTES = 1024
SECONDS = 10.0
IMAGES, LABELS = (file.name for file in mnist_files.FILES["test"])

READ = """
import json, sys
from pathlib import Path
from edgedigits.datasets.read import read_split
from edgedigits.errors import DatasetError
try:
    said = f"{len(read_split(Path(sys.argv[1]), 'test', tuple('abcdefghij')).images)} images"
except DatasetError as error:
    said = str(error)
status = Path("/proc/self/status").read_text()
peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
print(json.dumps([said, int(peak.split()[1]) // 1024]))
"""

needs_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads memory from /proc")


def folder_of(folder: Path, images: bytes, labels: bytes) -> Path:
    """A folder of four IDX files, those of the test part packed."""
    for name, content in ((IMAGES, images), (LABELS, labels)):
        (folder / f"{name}.gz").write_bytes(content)
    for file in mnist_files.FILES["train"]:
        (folder / file.name).touch()
    return folder


def headers(count: int) -> tuple[bytes, bytes]:
    return struct.pack(">IIII", 0x803, count, 28, 28), struct.pack(">II", 0x801, count)


def largest_dataset(folder: Path) -> Path:
    images, labels = headers(MOST_IMAGES)
    return folder_of(
        folder,
        gzip.compress(images + bytes(MOST_IMAGES * 784), 1),
        gzip.compress(labels + bytes(MOST_IMAGES), 1),
    )


def endless_gzip(folder: Path) -> Path:
    """Ten images declared, and a gigabyte behind them."""
    images, labels = headers(10)
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as file:
        file.write(images)
        for _ in range(64):
            file.write(bytes(16 << 20))
    return folder_of(folder, packed.getvalue(), gzip.compress(labels + bytes(10)))


def small_dataset(folder: Path, before: bytes = b"", behind: bytes = b"") -> Path:
    """Ten images, packed, with something before and behind the packed bytes."""
    images, labels = headers(10)
    return folder_of(
        folder, before + gzip.compress(images + bytes(7_840), 1) + behind, gzip.compress(labels + bytes(10))
    )


def gzip_and_padding(folder: Path) -> Path:
    """Four hundred megabytes of zeros, of which the file system keeps none."""
    path = small_dataset(folder)
    with (path / f"{IMAGES}.gz").open("r+b") as file:
        file.truncate(400_000_000)
    return path


def gzip_and_zeros_of_a_block(folder: Path) -> Path:
    return small_dataset(folder, behind=bytes(10_240))


def gzip_and_something_else(folder: Path) -> Path:
    return small_dataset(folder, behind=b"\0" * 100 + b"something else")


def members_of_nothing(folder: Path) -> Path:
    return small_dataset(folder, before=gzip.compress(b"", 1) * 10_000_000)


def members_of_nothing_behind(folder: Path) -> Path:
    return small_dataset(folder, behind=gzip.compress(b"", 1) * 1_000_000)


def blocks_of_nothing(folder: Path) -> Path:
    """A stream of deflate that goes on and on, and of which nothing comes."""
    start = b"\x1f\x8b\x08\0\0\0\0\0\0\x03"
    return small_dataset(folder, before=start + b"\0\0\0\xff\xff" * 60_000_000)


def gzip_header(flag: int) -> Callable[[Path], Path]:
    """A header whose name (8) or comment (16) of hundreds of megabytes comes before the first packed byte."""
    return lambda folder: small_dataset(
        folder, before=b"\x1f\x8b\x08" + bytes([flag]) + b"\0\0\0\0\0\x03" + b"x" * 300_000_000
    )


def larger_than_any(folder: Path) -> Path:
    path = small_dataset(folder)
    with (path / f"{IMAGES}.gz").open("r+b") as file:
        file.truncate(50 << 30)
    return path


def pipes(folder: Path) -> Path:
    """Where there are no files but pipes, nothing is waited for."""
    path = small_dataset(folder)
    for name in (f"{IMAGES}.gz", IMAGES):
        (path / name).unlink(missing_ok=True)
        os.mkfifo(path / name)
    return path


def npz_of_many_names(folder: Path) -> Path:
    """1.3 million members that are one and the same."""
    entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"x"
    count = 1_300_000
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, len(entry) * count, 0, 0)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, len(entry) * count, 1)
    end64 = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 20, 20, 0, 0, count, count, len(entry) * count, 0)
    path = folder / "other.npz"
    path.write_bytes(entry * count + end64 + locator + end)
    return path


def npz_packed(method: int) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / "other.npz"
        with zipfile.ZipFile(path, "w", method) as archive:
            archive.writestr("x_test.npy", bytes(300 << 20))
        return path

    return make


def npz(folder: Path, header: str, body: bytes) -> Path:
    path = folder / "other.npz"
    text = header.encode().ljust(118 - 1) + b"\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for key in ("x_test", "y_test"):
            archive.writestr(f"{key}.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body)
    return path


def gigantic_array(folder: Path) -> Path:
    return npz(
        folder, f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({1 << 40}, 28, 28)}}", bytes(100)
    )


def bomb_in_an_array(folder: Path) -> Path:
    return npz(folder, "{'descr': '|u1', 'fortran_order': False, 'shape': (10, 28, 28)}", bytes(100 << 20))


def code_in_a_header(folder: Path) -> Path:
    marker = folder / "run"
    return npz(folder, f"__import__('pathlib').Path({str(marker)!r}).touch()", bytes(100))


def pickled_array(folder: Path) -> Path:
    return npz(
        folder, "{'descr': '|O', 'fortran_order': False, 'shape': (10, 28, 28)}", b"cos\nsystem\n(S'id'\ntR."
    )


DATASETS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "largest": (largest_dataset, f"{MOST_IMAGES} images"),
    "a gigabyte too much": (endless_gzip, "expected 7,856 bytes, found more"),
    "gigantic array": (gigantic_array, "found uint8 \\(1099511627776, 28, 28\\)"),
    "a bomb in an array": (bomb_in_an_array, "expected x_test to hold 7,840 bytes"),
    "code in a header": (code_in_a_header, "found none that can be read"),
    "pickled array": (pickled_array, "found object"),
    "gzip and padding": (gzip_and_padding, "something behind its end"),
    "gzip and zeros of a block": (gzip_and_zeros_of_a_block, "^10 images$"),
    "gzip and something else": (gzip_and_something_else, "something behind its end; pack it again"),
    "members of nothing": (members_of_nothing, "found only 0 bytes|something behind its end"),
    "members of nothing behind": (members_of_nothing_behind, "something behind its end"),
    "blocks of nothing": (blocks_of_nothing, "more bytes in the file than come out of it"),
    "a name of 300 MB": (gzip_header(8), "more bytes in the file than come out of it"),
    "a comment of 300 MB": (gzip_header(16), "more bytes in the file than come out of it"),
    "a sparse file of 50 GB": (larger_than_any, "larger than"),
    "npz of 1.3 million names": (npz_of_many_names, "its list of members is too long"),
    "npz packed with bzip2": (npz_packed(zipfile.ZIP_BZIP2), "packed in another way than deflated"),
    "npz packed with lzma": (npz_packed(zipfile.ZIP_LZMA), "packed in another way than deflated"),
    **({"pipes": (pipes, "found neither|found a folder without")} if hasattr(os, "mkfifo") else {}),
}


@needs_proc
@pytest.mark.parametrize(("make", "said"), DATASETS.values(), ids=list(DATASETS))
def test_a_hostile_dataset_takes_little_memory_and_time(
    make: Callable[[Path], Path], said: str, tmp_path: Path
) -> None:
    path = make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    import resource

    # Of the processor: a busy machine is no hang.
    started = resource.getrusage(resource.RUSAGE_CHILDREN)
    child = subprocess.run([sys.executable, "-c", READ, path], capture_output=True, text=True)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert ended.ru_utime + ended.ru_stime - started.ru_utime - started.ru_stime < SECONDS
    assert child.returncode == 0, child.stderr
    message, peak = json.loads(child.stdout)
    assert re.search(said, message), message
    assert peak < MEBIBYTES
    assert sorted(tmp_path.rglob("*")) == before


# --- IDX: what is written comes back, and nothing else is accepted --------------------------------------------------


@given(st.lists(st.integers(0, 9), min_size=10, max_size=40).map(bytes), st.integers(0, 2**32))
def test_idx_files_come_back_as_they_were_written(labels: bytes, seed: int) -> None:
    images = np.random.default_rng(seed).bytes(len(labels) * 784)
    with tempfile.TemporaryDirectory() as scratch:
        heads = headers(len(labels))
        folder = folder_of(
            Path(scratch), gzip.compress(heads[0] + images, 1), gzip.compress(heads[1] + labels, 1)
        )
        found = read_split(folder, "test", NAMES)
    assert found.images.tobytes() == images
    assert found.labels.tobytes() == labels
    assert found.images.shape == (len(labels), 28, 28)


@given(st.binary(max_size=40), st.booleans())
def test_any_bytes_at_all_are_no_dataset(content: bytes, packed: bool) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        content = gzip.compress(content, 1) if packed else content
        folder = folder_of(Path(scratch), content, content)
        with pytest.raises(DatasetError):
            read_split(folder, "test", NAMES)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_a_header_never_makes_room_for_more_than_there_is(count: int, rows: int, columns: int) -> None:
    header = struct.pack(">IIII", 0x803, count, rows, columns)
    with tempfile.TemporaryDirectory() as scratch:
        folder = folder_of(Path(scratch), gzip.compress(header), gzip.compress(headers(count)[1]))
        with pytest.raises(DatasetError):
            read_split(folder, "test", NAMES)


def test_the_bound_on_images_leaves_room_for_unpacking() -> None:
    assert 2 * MOST_IMAGES * 784 < (MEBIBYTES << 20)


def test_numpy_arrays_of_any_size_have_the_hash_of_their_bytes() -> None:
    images = np.arange(784 * 3, dtype=np.uint8).reshape(3, 28, 28)
    labels = np.array([1, 2, 3], np.uint8)
    for arranged in (images, np.asfortranarray(images), images[::-1][::-1]):
        found = Split.of("test", arranged, labels)
        assert found.sha256 == hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
