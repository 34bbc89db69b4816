"""Files of many pictures that are made to fill memory: what is in them is counted, and memory stays small."""

import gzip
import io
import json
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

MIB = 150
"""Of the largest block of rows, the libraries and Python: numpy, and pyarrow where it is needed."""
LARGE = 1 << 29

READ = """
import json, sys
from pathlib import Path
from edgedigits.errors import ImageError, SourceError
from edgedigits.sources.read import open_source, read_part
said, rows, errors = "", 0, 0
try:
    for source in open_source(sys.argv[1]):
        for part in source.parts(65536):
            for batch in read_part(part):
                rows += len(batch)
                errors += sum(isinstance(one, ImageError) for one in batch.encoded or ())
except SourceError as error:
    said = str(error)
status = Path("/proc/self/status").read_text()
peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
print(json.dumps([said, rows, errors, int(peak.split()[1]) // 1024]))
"""

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads memory from /proc")


def zeros(path: Path, header: bytes = b"", size: int = LARGE, behind: bytes = b"") -> Path:
    """Pack some bytes with many zeros behind them."""
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(header)
        for _ in range(size >> 24):
            file.write(bytes(1 << 24))
        file.write(behind)
    return path


def endless_line(folder: Path) -> Path:
    return zeros(folder / "a.csv.gz", b"0," * 783 + b"0\n")


def picture_of_half_a_gigabyte(folder: Path) -> Path:
    info = tarfile.TarInfo("a.png")
    info.size = LARGE
    return zeros(folder / "a.tar.gz", info.tobuf(), behind=bytes(1024))


def idx_without_end(folder: Path) -> Path:
    return zeros(
        folder / "a-images-idx3-ubyte.gz", b"\0\0\x08\x03\xff\xff\xff\xff\0\0\0\x1c\0\0\0\x1c", LARGE >> 1
    )


def rows_of_nothing(folder: Path) -> Path:
    """Many images that are one value, kept once."""
    column = pa.array([bytes(784)]).take(pa.array(np.zeros(200_000, np.int64)))
    parquet.write_table(pa.table({"image": column}), folder / "a.parquet", row_group_size=200_000)
    return folder / "a.parquet"


def deflated_images(folder: Path) -> Path:
    header = io.BytesIO()
    shape = (LARGE // 784, 28, 28)
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    with (
        zipfile.ZipFile(folder / "a.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("images.npy", "w", force_zip64=True) as member,
    ):
        member.write(header.getvalue())
        left = LARGE // 784 * 784
        while left:
            left -= member.write(bytes(min(left, 1 << 24)))
    return folder / "a.npz"


def many_empty_members(folder: Path) -> Path:
    info = tarfile.TarInfo("x.cls")
    (folder / "a.tar").write_bytes(info.tobuf() * 100_000 + bytes(1024))
    return folder / "a.tar"


@pytest.mark.parametrize(
    ("make", "said", "rows", "errors"),
    [
        (endless_line, "a line of more than 1,048,576 bytes", 0, 0),
        (picture_of_half_a_gigabyte, "", 1, 1),
        (idx_without_end, "it is cut off", (LARGE >> 1) // 784 // 4096 * 4096, 0),
        (rows_of_nothing, "", 200_000, 0),
        (deflated_images, "", LARGE // 784, 0),
        (many_empty_members, "", 0, 0),
    ],
)
def test_memory_stays_small(
    make: Callable[[Path], Path], said: str, rows: int, errors: int, tmp_path: Path
) -> None:
    child = subprocess.run(
        [sys.executable, "-c", READ, make(tmp_path)], capture_output=True, text=True, check=True
    )
    found_said, *found, peak = json.loads(child.stdout)
    assert said in found_said
    assert bool(said) == bool(found_said)
    assert found == [rows, errors]
    assert peak < MIB
