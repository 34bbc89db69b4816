"""Readers of ``sources``, with files that they read well; every image of a file is read, in parts."""

import gzip
import io
import struct
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from edgedigits.sources.read import open_source, read_part

IMAGES = np.random.default_rng(2).integers(0, 256, (12, 28, 28), np.uint8)
LABELS = np.arange(12) % 10
SIGNATURE = b"\x89PNG\r\n\x1a\n"
"""Picture files are not opened here."""


def reading(path: Path) -> Callable[[bytes], object]:
    """Return what reads a file that is written at a path."""

    def read(content: bytes) -> object:
        path.write_bytes(content)
        rows = 0
        for source in open_source(path):
            for part in source.parts(5):
                rows += sum(len(batch) for batch in read_part(part, 3))
        return rows

    return read


def npy() -> Iterator[bytes]:
    for images in (IMAGES, IMAGES.reshape(12, 784) / 255, IMAGES[..., None].astype(">i4")):
        buffer = io.BytesIO()
        np.save(buffer, images)
        yield buffer.getvalue()


def npz() -> Iterator[bytes]:
    for save, labels in ((np.savez, LABELS), (np.savez_compressed, np.eye(10)[LABELS])):
        buffer = io.BytesIO()
        save(buffer, images=IMAGES, labels=labels)
        yield buffer.getvalue()


def idx() -> Iterator[bytes]:
    yield gzip.compress(struct.pack(">IIII", 0x803, 12, 28, 28) + IMAGES.tobytes(), 1)
    yield gzip.compress(struct.pack(">IIII", 0xD03, 12, 28, 28) + IMAGES.astype(">f4").tobytes(), 1)


def csv() -> Iterator[bytes]:
    rows = np.column_stack([LABELS, IMAGES.reshape(12, 784)]).tolist()
    text = "".join(",".join(map(str, row)) + "\n" for row in rows)
    header = ",".join(["label", *(f"pixel{index}" for index in range(784))])
    yield text.encode()
    yield f"{header}\n{text}".encode()
    yield text.replace("255,", "25.5,").encode()


def tar() -> Iterator[bytes]:
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
            for row in range(12):
                folder = "é" * 60 + "/" if form != tarfile.USTAR_FORMAT else "0/"
                for ending, content in (("cls", b"7"), ("png", SIGNATURE + bytes([row] * 700))):
                    info = tarfile.TarInfo(f"{folder}{row}.{ending}")
                    info.size = len(content)
                    archive.addfile(info, io.BytesIO(content))
        yield buffer.getvalue()


def parquet() -> Iterator[bytes]:
    import pyarrow as pa
    from pyarrow import parquet as pq

    raw = [image.tobytes() for image in IMAGES]
    for images, compression in (
        (pa.array(raw, pa.binary(784)), "none"),
        (pa.array(raw), "lz4"),
        (pa.array(list(IMAGES.reshape(12, 784))), "none"),
        (pa.array([{"bytes": SIGNATURE + image, "path": "a"} for image in raw]), "snappy"),
        (pa.array([image.tolist() for image in IMAGES]), "none"),
    ):
        buffer = io.BytesIO()
        table = pa.table({"image": images, "label": LABELS})
        pq.write_table(table, buffer, compression=compression, row_group_size=5)
        yield buffer.getvalue()


def packed(seeds: Callable[[], Iterator[bytes]]) -> Callable[[], Iterator[bytes]]:
    return lambda: (gzip.compress(seed, 1) for seed in seeds())


FORMS: dict[str, tuple[str, Callable[[], Iterator[bytes]]]] = {
    "source-npy": ("a.npy", npy),
    "source-npz": ("a.npz", npz),
    "source-idx": ("a-images-idx3-ubyte.gz", idx),
    "source-csv": ("a.csv", csv),
    "source-tar": ("a.tar", tar),
    "source-tgz": ("a.tar.gz", packed(tar)),
    "source-parquet": ("a.parquet", parquet),
}
"""Under which name each is written, and what makes whole ones."""
