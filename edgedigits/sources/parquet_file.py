"""Images in Parquet: picture files as Hugging Face's datasets keep them, bytes of pixels, lists, tensors, or columns.

Read by pyarrow, row group by row group and within one a few rows at a time; nothing goes through pandas, and bytes of
pixels are not copied.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgedigits.contract import IMAGE_SIDE
from edgedigits.errors import ImageError, SourceError
from edgedigits.extras import extra
from edgedigits.files import open_file, reason
from edgedigits.sources.levels import batches_of, factor_of
from edgedigits.sources.parquet_columns import (
    Layout,
    labels_of,
    layout_of,
    rows_of_bytes,
    rows_of_columns,
    rows_of_numbers,
    with_sides,
)
from edgedigits.sources.parquet_pages import Range, check_pages, column_ranges
from edgedigits.sources.parts import MOST_ENCODED, NO_LABEL, Batch, Part, Source
from edgedigits.sources.stored import MOST_BYTES, told

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

_READ_AT_ONCE = 1 << 20
_MOST_PIECES = 16
"""That a row group of picture files is cut into: to reach one, all before it in the group are read and passed over."""
_LARGEST_TEXT, _LARGEST_LIST = 64 << 20, 4 << 20
"""Bytes and items of what the file says of itself."""
_ARROW_ERRORS = (ValueError, OSError, MemoryError, NotImplementedError, LookupError)
"""What pyarrow says of damaged pages: its own errors are of these."""
_MOST_ROWS = 1 << 26
"""In one row group: a damaged file may declare any number, and each row that it lacks comes as an error."""
_PEEKED = 64


@dataclass(frozen=True)
class Place:
    """Where a part is."""

    file: str
    layout: Layout
    groups: tuple[tuple[int, int], ...]
    """Row groups by their number, with their rows."""
    ranges: tuple[tuple[Range, ...], ...]
    """Where the columns that are read lie in each of them."""
    skip: int
    """Rows of the first group that are before the part."""


def open_parquet(path: str) -> list[Source]:
    """Open a Parquet file: what it says of itself, and its first image.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    with told(path):
        file = _opened(path)
        layout = layout_of(path, file.schema_arrow)
        ranges = _ranges(path, file, layout)
        layout = with_sides(path, *_first_image(path, file, layout, ranges))
        layout = _with_factor(path, file, layout, ranges)
        groups = tuple(file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups))
        if max(groups, default=0) > _MOST_ROWS or min(groups, default=0) < 0:
            raise ValueError(f"a row group of {max(groups):,} rows, where at most {_MOST_ROWS:,} are read")
    notes = []
    if layout.kind == "encoded":
        column = layout.images[0].removesuffix(".bytes")
        notes.append(f"column {column}: picture files")
    if layout.factor != 1:
        notes.append("0 to 1: 1 is full ink")
    return [
        Source(
            path,
            "parquet",
            sum(groups),
            layout.kind != "encoded" and layout.sides == (IMAGE_SIDE, IMAGE_SIDE),
            layout.label is not None,
            (path,),
            tuple(notes),
            partial(_cut, path, layout, groups, ranges),
        )
    ]


def read(part: Part, batch_rows: int) -> Iterator[Batch]:
    """Read a part. Where a row group is damaged, each row of it that could not be reached comes as an error."""
    place: Place = part.where
    with told(place.file):
        file = _opened(place.file)
        found = [(group, _rows(file, group)) for group, _ in place.groups]
    if found != list(place.groups):
        raise SourceError(
            f"{place.file}: has other row groups than when it was opened; leave it alone meanwhile"
        )
    start, left, skip = part.start, part.count, place.skip
    for (group, rows), ranges in zip(place.groups, place.ranges, strict=True):
        wanted = min(rows - skip, left)
        done = 0
        error: Exception | None = None
        batches = _record_batches(place, file, group, ranges, batch_rows)
        while done < wanted:
            try:
                batch = next(batches, None)
            except _ARROW_ERRORS as caught:
                error, batch = caught, None
            if batch is None:
                break
            passed = min(skip, len(batch))
            skip -= passed
            batch = batch.slice(passed, wanted - done)
            if len(batch):
                yield from _batches(place, start + done, batch)
                done += len(batch)
        yield from _lost(place.layout, start + done, wanted - done, group, error, batch_rows)
        start, left, skip = start + wanted, left - wanted, 0


def _lost(
    layout: Layout, start: int, count: int, group: int, error: Exception | None, batch_rows: int
) -> Iterator[Batch]:
    """Yield the rows of a row group that is damaged from some place on."""
    said = "it ends too early" if error is None else " ".join(reason(error).split())[:200]
    text = f"row group {group} is damaged ({said}); copy the file again"
    lost = ImageError(f"cannot be read: {text}")
    for first in range(start, start + count, batch_rows):
        rows = min(batch_rows, start + count - first)
        labels = None if layout.label is None else np.full(rows, NO_LABEL, np.int64)
        yield Batch(first, encoded=[lost] * rows, labels=labels, damaged=text)


def _batches(place: Place, start: int, batch: "pa.RecordBatch") -> Iterator[Batch]:
    layout = place.layout
    labels = None if layout.label is None else labels_of(place.file, batch.column(layout.label))
    if layout.kind == "columns":
        numbers: Any = rows_of_columns([batch.column(name) for name in layout.images])
        yield from batches_of(start, numbers, layout.sides, layout.factor, labels)
        return
    column = _column(batch, layout)
    if layout.kind == "encoded":
        missing = ImageError("cannot be read: nothing there; leave the row out")
        contents = [missing if content is None else content for content in column.to_pylist()]
        yield Batch(start, encoded=contents, labels=labels)
        return
    size = layout.sides[0] * layout.sides[1]
    numbers = rows_of_bytes(column, size) if layout.kind == "bytes" else rows_of_numbers(column, layout.sides)
    if numbers is not None:
        yield from batches_of(start, numbers, layout.sides, layout.factor, labels)
        return
    for row in range(len(column)):
        one = column.slice(row, 1)
        numbers = rows_of_bytes(one, size) if layout.kind == "bytes" else rows_of_numbers(one, layout.sides)
        label = None if labels is None else labels[row : row + 1]
        if numbers is None:
            height, width = layout.sides
            error = ImageError(f"cannot be read: no {width}x{height} numbers; save it like the others")
            yield Batch(start + row, encoded=[error], labels=label)
        else:
            yield from batches_of(start + row, numbers, layout.sides, layout.factor, label)


def _column(batch: "pa.RecordBatch", layout: Layout) -> Any:
    import pyarrow as pa

    column = batch.column(layout.images[0].split(".")[0] if "." in layout.images[0] else layout.images[0])
    if pa.types.is_struct(column.type):
        column = column.flatten()[0]
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    return column


def _record_batches(
    place: Place, file: "ParquetFile", group: int, ranges: Sequence[Range], batch_rows: int
) -> "Iterator[pa.RecordBatch]":
    described = file.metadata.row_group(group)
    each = described.total_byte_size // max(1, described.num_rows)
    rows = max(1, min(batch_rows, MOST_ENCODED // max(1, each)))
    yield from _of_group(place.file, file, group, ranges, place.layout.columns, rows)


def _ranges(path: str, file: "ParquetFile", layout: Layout) -> tuple[tuple[Range, ...], ...]:
    """Return where the columns that are read lie in each row group."""
    leaves = [file.schema.column(index).path for index in range(len(file.schema))]
    read_as = {*layout.columns, *(f"{name}." for name in layout.columns)}
    wanted = [
        index
        for index, leaf in enumerate(leaves)
        if leaf in read_as or any(leaf.startswith(name) for name in read_as if name.endswith("."))
    ]
    with open_file(Path(path), MOST_BYTES) as content:
        found = column_ranges(content)
    if len(found) != file.metadata.num_row_groups or any(len(group) != len(leaves) for group in found):
        raise ValueError("its row groups do not have the columns of its schema")
    return tuple(tuple(group[index] for index in wanted) for group in found)


def _of_group(
    path: str, file: "ParquetFile", group: int, ranges: Sequence[Range], columns: list[str], rows: int
) -> "Iterator[pa.RecordBatch]":
    with open_file(Path(path), MOST_BYTES) as content:
        check_pages(content, ranges)
    yield from file.iter_batches(rows, row_groups=[group], columns=columns, use_threads=False)


def _first_image(
    path: str, file: "ParquetFile", layout: Layout, ranges: Sequence[Sequence[Range]]
) -> "tuple[Layout, Any]":
    """Return the layout and the first image that is not null among the first rows."""
    if layout.kind != "columns":
        for batch in _readable(path, file, layout, ranges, _PEEKED):
            return layout, next((one for one in _column(batch, layout).to_pylist() if one is not None), None)
    return layout, None


def _readable(
    path: str, file: "ParquetFile", layout: Layout, ranges: Sequence[Sequence[Range]], rows: int
) -> "Iterator[pa.RecordBatch]":
    """Read the images of all row groups; of a damaged one, what comes before the damage."""
    for group, its in enumerate(ranges):
        with contextlib.suppress(*_ARROW_ERRORS):
            yield from _of_group(path, file, group, its, list(layout.images), rows)


def _with_factor(path: str, file: "ParquetFile", layout: Layout, ranges: Sequence[Sequence[Range]]) -> Layout:
    """Look at numbers that are no bytes: at all of them, where they could be from 0 to 1."""
    if layout.kind not in ("numbers", "columns"):
        return layout

    def blocks() -> Iterator[Any]:
        for batch in _readable(path, file, layout, ranges, 1024):
            if layout.kind == "columns":
                yield rows_of_columns([batch.column(name) for name in layout.images])
            elif (numbers := rows_of_numbers(_column(batch, layout), layout.sides)) is not None:
                yield numbers

    first = next(blocks(), None)
    return layout if first is None else replace(layout, factor=factor_of(path, first.dtype, blocks()))


def _rows(file: "ParquetFile", group: int) -> int:
    described = file.metadata
    return int(described.row_group(group).num_rows) if group < described.num_row_groups else -1


def _opened(path: str) -> "ParquetFile":
    with extra("score", "reading Parquet"):
        from pyarrow.parquet import ParquetFile
    with open_file(Path(path), MOST_BYTES):
        pass  # a regular file, that may be read
    return ParquetFile(
        path,
        buffer_size=_READ_AT_ONCE,
        pre_buffer=False,
        thrift_string_size_limit=_LARGEST_TEXT,
        thrift_container_size_limit=_LARGEST_LIST,
        page_checksum_verification=True,
    )


def _cut(
    path: str, layout: Layout, groups: tuple[int, ...], ranges: tuple[tuple[Range, ...], ...], rows: int
) -> Iterator[Part]:
    start = index = 0
    while index < len(groups):
        following, count = index + 1, groups[index]
        while following < len(groups) and count + groups[following] <= rows:
            count += groups[following]
            following += 1
        piece = max(rows, -(-count // _MOST_PIECES)) if layout.kind == "encoded" else count
        taken = tuple(zip(range(index, following), groups[index:following], strict=True))
        for skip in range(0, count, max(1, piece)):
            place = Place(path, layout, taken, ranges[index:following], skip)
            yield Part(path, "parquet", start + skip, min(piece, count - skip), place)
        start, index = start + count, following
