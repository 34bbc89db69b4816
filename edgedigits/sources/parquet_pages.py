"""Sizes of pages in a Parquet file, checked before pyarrow makes room for what they declare.

A page header of a few bytes can declare two gigabytes, for which pyarrow makes room before it looks for them.
Format: the Parquet specification's ``PageHeader``, in Thrift's compact protocol.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from pyarrow.parquet import FileMetaData

LARGEST_PAGE = 512 << 20
"""Bytes that a page may unpack to. Writers begin a new page after one MiB, or after some hundred pictures."""
_MOST_READ = (1 << 13, 1 << 20)
"""Bytes of a header that are read: most are short; some hold the least and the largest value of the page."""
_MOST_PAGES = 1 << 17
_DEEPEST = 8
_BOOLS, _BYTE, _INTEGERS, _DOUBLE, _BINARY, _STRUCT = (1, 2), 3, (4, 5, 6), 7, 8, 12
_UNPACKED, _PACKED = 2, 3
"""Fields of a page header: sizes in bytes."""


def check_pages(file: BinaryIO, metadata: "FileMetaData", group: int, columns: Iterable[str]) -> None:
    """Follow the pages of some columns in a row group.

    Args:
        file: the Parquet file.
        metadata: what it says of itself.
        group: number of the row group.
        columns: as pyarrow is asked for them, ``image.bytes``.

    Raises:
        ValueError: pages are larger than the column, or than ``LARGEST_PAGE``, or their headers are damaged.
    """
    wanted = tuple(columns)
    described = metadata.row_group(group)
    for index in range(described.num_columns):
        column = described.column(index)
        path = column.path_in_schema
        if not any(path == name or path.startswith(f"{name}.") for name in wanted):
            continue
        place = column.data_page_offset
        if column.has_dictionary_page and 0 < (column.dictionary_page_offset or 0) < place:
            place = column.dictionary_page_offset
        end = place + column.total_compressed_size
        pages = 0
        while place < end:
            pages += 1
            if pages > _MOST_PAGES:
                raise ValueError(f"more than {_MOST_PAGES:,} pages in a row group")
            length, unpacked, packed = _page(file, place)
            place += length + packed
            if packed < 0 or unpacked < 0 or place > end or unpacked > LARGEST_PAGE:
                raise ValueError(f"a page of {packed:,} bytes, {unpacked:,} when it is unpacked")


def _page(file: BinaryIO, place: int) -> tuple[int, int, int]:
    """Return the bytes of a page's header, and those that it says the page has, unpacked and packed."""
    for size in _MOST_READ:
        file.seek(place)
        content = file.read(size)
        try:
            end, fields = _struct(content, 0, 0)
            return end, fields[_UNPACKED], fields[_PACKED]
        except IndexError:
            continue
        except KeyError as error:
            raise ValueError("a page header without sizes") from error
    raise ValueError("a damaged page header")


def _struct(content: bytes, place: int, depth: int) -> tuple[int, dict[int, int]]:
    """Return where a struct ends, and its whole numbers by their fields."""
    if depth > _DEEPEST:
        raise ValueError("a damaged page header")
    fields: dict[int, int] = {}
    field = 0
    while kind := content[place] & 0x0F:
        step = content[place] >> 4
        place += 1
        if step:
            field += step
        else:
            place, field = _number(content, place)
        if kind in _INTEGERS:
            place, fields[field] = _number(content, place)
        elif kind == _BINARY:
            place, length = _varint(content, place)
            place += length
        elif kind == _STRUCT:
            place, _ = _struct(content, place, depth + 1)
        elif kind in (_BYTE, _DOUBLE):
            place += 1 if kind == _BYTE else 8
        elif kind not in _BOOLS:
            raise ValueError("a damaged page header")
    return place + 1, fields


def _number(content: bytes, place: int) -> tuple[int, int]:
    place, zigzag = _varint(content, place)
    return place, (zigzag >> 1) ^ -(zigzag & 1)


def _varint(content: bytes, place: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = content[place]
        number |= (byte & 0x7F) << shift
        place += 1
        if not byte & 0x80:
            return place, number
        shift += 7
        if shift > 63:
            raise ValueError("a damaged page header")
