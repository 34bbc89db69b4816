"""What ``bulk.py`` measures, each in a process of its own: ``python benchmarks/_bulk.py NAME SOURCE OUT [OPTION]``.

``ours`` is ``edgedigits score``. The others are what people write by hand: a loop of pyarrow (or numpy) and
onnxruntime, and Ray Data.
"""

import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pyarrow as pa
import pyarrow.parquet as pq

MODEL = Path(__file__).resolve().parents[1] / "models" / "digits.int8.onnx"
BATCH = 4096
Pixels = npt.NDArray[np.uint8]


def session() -> onnxruntime.InferenceSession:
    """Open the network with one thread, as ``edgedigits score`` does."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(MODEL, options, providers=["CPUExecutionProvider"])


def read_batches(source: Path) -> Iterator[Pixels]:
    """Read images batch by batch, without any check."""
    if source.suffix == ".parquet":
        for batch in pq.ParquetFile(source).iter_batches(BATCH, columns=["image"]):
            column = batch.column(0)
            content = np.frombuffer(column.buffers()[1], np.uint8)
            begin = column.offset * 784
            yield content[begin : begin + len(column) * 784].reshape(-1, 28, 28)
    elif source.suffix == ".npy":
        images = np.load(source, mmap_mode="r")
        for start in range(0, len(images), BATCH):
            yield np.array(images[start : start + BATCH])
    else:
        with source.open("rb") as file:
            count = struct.unpack(">4I", file.read(16))[1]
            for start in range(0, count, BATCH):
                rows = file.read(784 * min(BATCH, count - start))
                yield np.frombuffer(rows, np.uint8).reshape(-1, 28, 28)


def bare(source: Path, out: Path, _option: str) -> None:
    """Loop over the images, and write digit and confidence."""
    network = session()
    schema = pa.schema([("digit", pa.int8()), ("confidence", pa.float32())])
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        waiting = []
        for images in read_batches(source):
            answers = network.run(["probabilities"], {"image": images})[0]
            columns = [pa.array(answers.argmax(axis=1).astype(np.int8)), pa.array(answers.max(axis=1))]
            waiting.append(pa.RecordBatch.from_arrays(columns, schema=schema))
            if len(waiting) == 32:
                writer.write_table(pa.Table.from_batches(waiting))
                waiting = []
        if waiting:
            writer.write_table(pa.Table.from_batches(waiting))


def ours(source: Path, out: Path, option: str) -> None:
    """Score with so many workers, or on a local cluster of Dask."""
    from edgedigits.score import score

    dask = "local" if option == "dask" else None
    summary = score([source], out, model=MODEL, workers=2 if dask else int(option), dask=dask)
    if not summary.complete:
        raise SystemExit(f"{summary.failed}")


class RayReader:
    """What Ray Data's documentation has people write, with our preparation of pictures."""

    def __init__(self) -> None:
        from edgedigits import DigitPredictor

        self._predictor = DigitPredictor(MODEL)

    def answers(self, found: list[Any]) -> dict[str, Any]:
        """Return the columns of a batch."""
        return {"digit": [one.digit for one in found], "confidence": [one.confidence for one in found]}


class RayFiles(RayReader):
    """Picture files of a folder."""

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Read a batch."""
        return {"path": batch["path"], **self.answers(self._predictor.predict_batch(list(batch["bytes"])))}


class RayColumn(RayReader):
    """Picture files in a column, as Hugging Face's datasets keep them."""

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Read a batch."""
        pictures = [image["bytes"] for image in batch["image"]]
        return self.answers(self._predictor.predict_batch(pictures))


class RayArrays(RayReader):
    """Images in MNIST form, 784 bytes each."""

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Read a batch."""
        pixels = np.frombuffer(b"".join(batch["image"]), np.uint8).reshape(-1, 28, 28)
        probabilities = self._predictor.probabilities(pixels)
        return {"digit": probabilities.argmax(axis=1), "confidence": probabilities.max(axis=1)}


def ray(source: Path, out: Path, option: str) -> None:
    """Read what is in a folder with Ray Data, two actors.

    Args:
        source: the folder.
        out: of the table.
        option: ``files`` for pictures, ``column`` for pictures in Parquet, ``arrays`` for images in MNIST form.
    """
    import ray

    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False)
    reader: type[RayReader]
    if option == "files":
        data = ray.data.read_binary_files(str(source), include_paths=True, file_extensions=["png"])
        reader, rows = RayFiles, 256
    else:
        data = ray.data.read_parquet(str(source))
        reader, rows = (RayColumn, 256) if option == "column" else (RayArrays, BATCH)
    data.map_batches(reader, batch_size=rows, concurrency=2).write_parquet(str(out))


MEASURED: dict[str, Callable[[Path, Path, str], None]] = {"bare": bare, "ours": ours, "ray": ray}

if __name__ == "__main__":
    NAME, SOURCE, OUT, OPTION = sys.argv[1:]
    MEASURED[NAME](Path(SOURCE), Path(OUT), OPTION)
