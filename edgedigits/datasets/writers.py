"""Writers of images and labels, a few rows at a time: Parquet, ``.npz``, IDX; and what they wrote, read back."""

import contextlib
import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from edgedigits.contract import IMAGE_SIDE, PIXELS
from edgedigits.datasets import mnist_files
from edgedigits.datasets.split import Images
from edgedigits.errors import ArgumentError
from edgedigits.extras import extra
from edgedigits.sources.levels import as_labels
from edgedigits.sources.parquet_file import open_parquet
from edgedigits.sources.parts import NO_LABEL, Labels, Source
from edgedigits.sources.read import read_part
from edgedigits.sources.stored import Stored, idx_array, npz_arrays
from edgedigits.sources.told import Told

Form: TypeAlias = Literal["parquet", "npz", "idx"]
Staging: TypeAlias = Mapping[Path, Path]
"""Where each file is written until it is checked."""

ROW_GROUP = 16_384
"""Rows that are in memory together."""
_BLOCK = 4096
_EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The same images give the same bytes: no time of writing inside."""
_NO_PART = ("images-idx3-ubyte", "labels-idx1-ubyte")


class Rows(Protocol):
    """Takes the rows of one part."""

    def add(self, images: Images, labels: "Labels | None") -> None:
        """Take images (n, 28, 28) uint8, and labels (n,) where there are some."""

    def finish(self) -> None:
        """Write what is left."""


class Writer(Protocol):
    """Writes a file, or a set of files, part by part."""

    def part(self, told: Told | None, rows: int, *, has_labels: bool) -> Rows:
        """Begin a part of so many rows."""


def form_of(out: Path) -> Form:
    """Tell by its name which form is to be written.

    Raises:
        ArgumentError: a file of another form.
    """
    suffix = out.suffix.lower()
    if suffix == ".parquet":
        return "parquet"
    if suffix == ".npz":
        return "npz"
    if out.is_file() or suffix in (".csv", ".gz", ".npy", ".tar", ".zip"):
        raise ArgumentError(f"--out: expected FILE.parquet, FILE.npz, or a folder for IDX files, got {out}")
    return "idx"


def files_of(form: Form, out: Path, parts: Sequence[tuple[Told | None, bool]]) -> list[Path]:
    """Return which files are written.

    Args:
        form: of them.
        out: the file, or the folder.
        parts: which there are, and whether they have labels.
    """
    if form != "idx":
        return [out]
    return [out / name for told, has_labels in parts for name in _idx_names(told)[: 2 if has_labels else 1]]


@contextlib.contextmanager
def open_writer(form: Form, out: Path, staging: Staging) -> Iterator[Writer]:
    """Open what takes the parts of a file or a folder in a form."""
    with contextlib.ExitStack() as stack:
        if form == "parquet":
            yield _ParquetWriter(stack, stack.enter_context(staging[out].open("wb")))
        elif form == "npz":
            archive = stack.enter_context(zipfile.ZipFile(staging[out], "w", zipfile.ZIP_STORED))
            yield _NpzWriter(stack, archive)
        else:
            yield _IdxWriter(stack, out, staging)


def read_back(
    form: Form, out: Path, staging: Staging, told: Told | None
) -> "Iterator[tuple[Images, Labels | None]]":
    """Read a part that was written.

    Raises:
        SourceError: it cannot be read.
    """
    if form == "parquet":
        yield from _of_source(*open_parquet(str(staging[out])))
        return
    names = _npz_names(told) if form == "npz" else _idx_names(told)
    if form == "npz":
        arrays = npz_arrays(str(staging[out]))
        images, labels = arrays[names[0]], arrays.get(names[1])
    else:
        images = idx_array(str(staging[out / names[0]]))
        labels = idx_array(str(staging[out / names[1]])) if out / names[1] in staging else None
    yield from _of_arrays(images, labels)


def _of_source(source: Source) -> "Iterator[tuple[Images, Labels | None]]":
    for part in source.parts(ROW_GROUP):
        for batch in read_part(part):
            assert batch.images is not None  # noqa: S101 - it was written as arrays
            yield batch.images, batch.labels


def _of_arrays(images: Stored, labels: Stored | None) -> "Iterator[tuple[Images, Labels | None]]":
    rows = images.shape[0]
    of_labels = labels.blocks(0, rows, _BLOCK) if labels is not None else None
    for block in images.blocks(0, rows, _BLOCK):
        yield block, None if of_labels is None else as_labels(images.file, next(of_labels))


class _ParquetRows:
    """Gathers row groups."""

    def __init__(self, stack: contextlib.ExitStack, file: IO[bytes], *, has_labels: bool) -> None:
        with extra("score", "writing Parquet"):
            import pyarrow as pa
            from pyarrow import parquet
        self._pa = pa
        fields = [pa.field("image", pa.binary(), nullable=False)]
        if has_labels:
            fields.append(pa.field("label", pa.int64()))
        about = {"edgedigits.image": f"uint8 ({IMAGE_SIDE}, {IMAGE_SIDE}), 0 = background, 255 = ink"}
        self._schema = pa.schema(fields, metadata=about)
        self._writer = parquet.ParquetWriter(
            file, self._schema, compression="lz4", use_dictionary=False, write_statistics=False
        )
        stack.callback(self._writer.close)
        self._held: list[Any] = []
        self._rows = 0

    def add(self, images: Images, labels: "Labels | None") -> None:
        pa = self._pa
        pixels = np.ascontiguousarray(images).reshape(-1)
        ends = np.arange(0, len(pixels) + 1, PIXELS, dtype=np.int32)
        columns = [
            pa.BinaryArray.from_buffers(
                pa.binary(), len(images), [None, pa.py_buffer(ends), pa.py_buffer(pixels)]
            )
        ]
        if labels is not None:
            columns.append(pa.array(labels, pa.int64(), mask=labels == NO_LABEL))
        self._held.append(pa.record_batch(columns, schema=self._schema))
        self._rows += len(images)
        while self._rows >= ROW_GROUP:
            self._write(ROW_GROUP)

    def finish(self) -> None:
        if self._rows:
            self._write(self._rows)
        self._writer.close()

    def _write(self, rows: int) -> None:
        table = self._pa.Table.from_batches(self._held, self._schema)
        self._writer.write_table(table.slice(0, rows), row_group_size=rows)
        rest = table.slice(rows)
        self._held, self._rows = rest.to_batches(), len(rest)


class _ParquetWriter:
    def __init__(self, stack: contextlib.ExitStack, file: IO[bytes]) -> None:
        self._stack, self._file = stack, file

    def part(self, told: Told | None, rows: int, *, has_labels: bool) -> Rows:
        return _ParquetRows(self._stack, self._file, has_labels=has_labels)


class _NpzRows:
    """Writes images as they come, and labels at the end: an archive takes one member after the other."""

    def __init__(
        self, stack: contextlib.ExitStack, archive: zipfile.ZipFile, names: tuple[str, str], rows: int
    ) -> None:
        self._archive, self._names = archive, names
        self._labels: list[npt.NDArray[np.uint8]] = []
        self._member = self._begin(names[0], (rows, IMAGE_SIDE, IMAGE_SIDE), "|u1")
        stack.callback(self._member.close)

    def add(self, images: Images, labels: "Labels | None") -> None:
        self._member.write(np.ascontiguousarray(images).data)
        if labels is not None:
            self._labels.append(labels.astype(np.min_scalar_type(int(labels.max(initial=0)))))

    def finish(self) -> None:
        self._member.close()
        if self._labels:
            labels = np.concatenate(self._labels)
            with self._begin(self._names[1], labels.shape, labels.dtype.str) as member:
                member.write(labels.data)

    def _begin(self, name: str, shape: tuple[int, ...], dtype: str) -> IO[bytes]:
        member = self._archive.open(zipfile.ZipInfo(f"{name}.npy", _EARLIEST), "w", force_zip64=True)
        np.lib.format.write_array_header_1_0(member, {"descr": dtype, "fortran_order": False, "shape": shape})
        return member


class _NpzWriter:
    def __init__(self, stack: contextlib.ExitStack, archive: zipfile.ZipFile) -> None:
        self._stack, self._archive = stack, archive

    def part(self, told: Told | None, rows: int, *, has_labels: bool) -> Rows:
        return _NpzRows(self._stack, self._archive, _npz_names(told), rows)


class _IdxRows:
    def __init__(self, stack: contextlib.ExitStack, images: Path, labels: Path | None, rows: int) -> None:
        self._images = stack.enter_context(images.open("wb"))
        self._images.write(struct.pack(">IIII", 0x0803, rows, IMAGE_SIDE, IMAGE_SIDE))
        self._labels = None if labels is None else stack.enter_context(labels.open("wb"))
        if self._labels is not None:
            self._labels.write(struct.pack(">II", 0x0801, rows))

    def add(self, images: Images, labels: "Labels | None") -> None:
        self._images.write(np.ascontiguousarray(images).data)
        if self._labels is not None and labels is not None:
            self._labels.write(labels.astype(np.uint8).data)

    def finish(self) -> None:
        self._images.close()
        if self._labels is not None:
            self._labels.close()


class _IdxWriter:
    def __init__(self, stack: contextlib.ExitStack, out: Path, staging: Staging) -> None:
        self._stack, self._out, self._staging = stack, out, staging

    def part(self, told: Told | None, rows: int, *, has_labels: bool) -> Rows:
        images, labels = (self._out / name for name in _idx_names(told))
        return _IdxRows(
            self._stack, self._staging[images], self._staging[labels] if has_labels else None, rows
        )


def _npz_names(told: Told | None) -> tuple[str, str]:
    return ("images", "labels") if told is None else (f"x_{told}", f"y_{told}")


def _idx_names(told: Told | None) -> tuple[str, str]:
    if told is None:
        return _NO_PART
    images, labels = mnist_files.FILES[told]
    return images.name, labels.name
