"""Writes images with labels in the forms that people keep them in."""

import gzip
import io
import struct
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from edgedigits.datasets.split import Split


def png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


class Written:
    """Images with labels in the forms that people keep them in."""

    @staticmethod
    def idx(path: Path, array: np.ndarray) -> None:
        content = struct.pack(f">HBB{array.ndim}I", 0, 0x08, array.ndim, *array.shape) + array.tobytes()
        path.write_bytes(gzip.compress(content, 1) if path.suffix == ".gz" else content)

    @staticmethod
    def csv(path: Path, split: Split, *, with_labels: bool = True) -> None:
        pixels = split.images.reshape(-1, 784).astype(int)
        table = np.column_stack([split.labels, pixels]) if with_labels else pixels
        header = ",".join([*(["label"] if with_labels else []), *(f"pixel{index}" for index in range(784))])
        path.write_text(header + "\n" + "".join(",".join(map(str, row)) + "\n" for row in table.tolist()))

    @staticmethod
    def datasets(path: Path, split: Split) -> None:
        """As Hugging Face's datasets keep images."""
        images = [{"bytes": png(image), "path": None} for image in split.images]
        parquet.write_table(pa.table({"image": images, "label": split.labels.astype(np.int64)}), path)

    @staticmethod
    def class_folders(folder: Path, split: Split, scale: int = 1) -> None:
        for row, (image, label) in enumerate(zip(split.images, split.labels, strict=True)):
            (folder / str(label)).mkdir(parents=True, exist_ok=True)
            larger = np.kron(image, np.ones((scale, scale), np.uint8))
            (folder / str(label) / f"{row:05}.png").write_bytes(png(larger))


@pytest.fixture
def write() -> type[Written]:
    return Written
