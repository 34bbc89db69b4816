"""Sizes of pages in a Parquet file, checked before pyarrow makes room for what they declare.

A page header of a few bytes can declare two gigabytes, for which pyarrow makes room before it looks for them. Where
columns lie is read here as well: pyarrow ends the process where what a file says of a column contradicts its schema.
Format: the Parquet specification's ``FileMetaData`` and ``PageHeader``, in Thrift's compact protocol.
"""

from collections.abc import Iterable
from typing import Any, BinaryIO, TypeAlias

Range: TypeAlias = tuple[int, int]
"""Bytes from and to which the pages of a column lie in a row group."""

LARGEST_PAGE = 512 << 20
"""Bytes that a page may unpack to. Writers begin a new page after one MiB, or after some hundred pictures."""
_LARGEST_FOOTER = 64 << 20
_MOST_VALUES = 4 << 20
"""In a footer, or a page header."""
_MOST_READ = (1 << 13, 1 << 20)
"""Bytes of a header that are read: most are short; some hold the least and the largest value of the page."""
_MOST_PAGES = 1 << 17
_DEEPEST = 16
_TRUE, _FALSE, _BYTE, _INTEGERS, _DOUBLE, _BINARY, _LISTS, _STRUCT = 1, 2, 3, (4, 5, 6), 7, 8, (9, 10), 12
_ROW_GROUPS, _COLUMNS, _METADATA = 4, 1, 3
_SIZE, _DATA_PAGE, _DICTIONARY_PAGE = 7, 9, 11
_UNPACKED, _PACKED = 2, 3
"""Fields, as the specification numbers them."""


def column_ranges(file: BinaryIO) -> list[list[Range]]:
    """Return where the columns of each row group lie, as the end of the file says it.

    Raises:
        ValueError: it is damaged.
    """
    size = file.seek(0, 2)
    file.seek(max(0, size - 8))
    length = int.from_bytes(file.read(4), "little")
    if not 0 < length <= min(_LARGEST_FOOTER, size - 8):
        raise ValueError("no Parquet file, or a damaged one")
    file.seek(size - 8 - length)
    footer = _Thrift(file.read(length)).struct()
    try:
        return [[_range(column[_METADATA]) for column in group[_COLUMNS]] for group in footer[_ROW_GROUPS]]
    except (LookupError, TypeError) as error:
        raise ValueError("its end does not say where its columns lie") from error


def check_pages(file: BinaryIO, ranges: Iterable[Range]) -> None:
    """Follow the pages of some columns in a row group.

    Raises:
        ValueError: pages are larger than the column, or than ``LARGEST_PAGE``, or their headers are damaged.
    """
    for place, end in ranges:
        pages = 0
        while place < end:
            length, unpacked, packed = _page(file, place)
            place += length + packed  # noqa: PLW2901 - on to the next page
            pages += 1
            if packed < 0 or not 0 <= unpacked <= LARGEST_PAGE or place > end or pages > _MOST_PAGES:
                raise ValueError(f"a page of {packed:,} bytes, {unpacked:,} when it is unpacked")


def _range(column: dict[int, Any]) -> Range:
    place = column[_DATA_PAGE]
    if 0 < column.get(_DICTIONARY_PAGE, 0) < place:
        place = column[_DICTIONARY_PAGE]
    return place, place + column[_SIZE]


def _page(file: BinaryIO, place: int) -> tuple[int, int, int]:
    """Return the bytes of a page's header, and those that it says the page has, unpacked and packed."""
    for size in _MOST_READ:
        file.seek(place)
        thrift = _Thrift(file.read(size))
        try:
            fields = thrift.struct()
        except EOFError:
            continue
        if not isinstance(fields.get(_UNPACKED), int) or not isinstance(fields.get(_PACKED), int):
            break
        return thrift.place, fields[_UNPACKED], fields[_PACKED]
    raise ValueError("a damaged page header")


class _Thrift:
    """Reads values of Thrift's compact protocol, as many as are allowed."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.place = 0
        self._left = _MOST_VALUES

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """Read a struct: its values by the numbers of their fields."""
        fields: dict[int, Any] = {}
        field = 0
        while kind := (head := self._byte()) & 0x0F:
            field = field + (head >> 4) if head >> 4 else self._number()
            fields[field] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind, depth + 1)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        self._left -= 1
        if depth > _DEEPEST or self._left < 0:
            raise ValueError("what it says of itself has no end")
        if kind in _INTEGERS:
            return self._number()
        if kind == _BINARY:
            return self._skip(self._varint())
        if kind == _STRUCT:
            return self.struct(depth)
        if kind in _LISTS:
            head = self._byte()
            count = head >> 4 if head >> 4 < 15 else self._varint()
            return [self._value(head & 0x0F, depth + 1) for _ in range(count)]
        if kind in (_TRUE, _FALSE, _BYTE):
            return self._byte()
        if kind == _DOUBLE:
            return self._skip(8)
        raise ValueError("what it says of itself is damaged")

    def _skip(self, length: int) -> None:
        if length > len(self._content) - self.place:
            raise EOFError("it is cut off")
        self.place += length

    def _byte(self) -> int:
        if self.place >= len(self._content):
            raise EOFError("it is cut off")
        self.place += 1
        return self._content[self.place - 1]

    def _number(self) -> int:
        zigzag = self._varint()
        return (zigzag >> 1) ^ -(zigzag & 1)

    def _varint(self) -> int:
        number = shift = 0
        while (byte := self._byte()) & 0x80:
            number |= (byte & 0x7F) << shift
            shift += 7
            if shift > 63:
                raise ValueError("what it says of itself is damaged")
        return number | byte << shift
