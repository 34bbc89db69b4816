"""The regular files in a tar archive that nobody vouches for, by their headers. Format: POSIX.1-2017 (pax), GNU tar.

Only headers are believed that match their own checksum; names and pax headers have a largest size; links, devices and
folders are passed over, and nothing is ever written to where an archive says.
"""

from collections.abc import Iterator
from typing import IO, NamedTuple

BLOCK = 512
_LONGEST_HEADER = 1 << 20
"""Bytes of a pax header or a GNU name."""
_REGULAR = (b"0", b"\0", b"7")
_WITHOUT_DATA = (b"1", b"2", b"3", b"4", b"5", b"6")
"""Links, devices, folders and pipes: what a header of theirs says of a size is no data that follows."""
_GNU_NAME, _GNU_LINK, _PAX, _PAX_GLOBAL = b"L", b"K", b"x", b"g"


class Member(NamedTuple):
    """A regular file in an archive."""

    name: bytes
    header: int
    """Byte at which the first of its headers begins."""
    data: int
    """Byte at which its content begins."""
    size: int


def members(stream: IO[bytes], start: int = 0) -> Iterator[Member]:
    """Name the regular files from a header on, in the archive's order. The stream may be moved in between.

    Args:
        stream: that ``seek`` takes; of a packed archive, forwards.
        start: byte at which a header begins.

    Raises:
        ValueError: a header is damaged, or of a kind that is not read.
        EOFError: it is cut off.
    """
    place = first = start
    named: bytes | None = None
    sized: int | None = None
    while header := _header(stream, place):
        kind, size = header[156:157], _number(header[124:136])
        if kind in (_GNU_NAME, _GNU_LINK, _PAX, _PAX_GLOBAL):
            if size > _LONGEST_HEADER:
                raise ValueError(f"a name or header of {size:,} bytes at byte {place:,}")
            content = _exactly(stream, size)
            if kind == _GNU_NAME:
                named = content.rstrip(b"\0")
            elif kind == _PAX:
                named, sized = _pax(content, named)
            place += BLOCK + _in_blocks(size)
            continue
        if sized is not None:
            size = sized
        data = place + BLOCK
        name = _name(header) if named is None else named
        if kind in _REGULAR:
            if not name.endswith(b"/"):
                yield Member(name.removeprefix(b"./"), first, data, size)
            place = data + _in_blocks(size)
        elif kind in _WITHOUT_DATA:
            place = data
        else:
            raise ValueError(f"a member of a kind that is not read ({kind!r}) at byte {place:,}")
        first, named, sized = place, None, None


def _header(stream: IO[bytes], place: int) -> bytes | None:
    """Return the header at a byte; None at the end of the archive."""
    stream.seek(place)
    header = stream.read(BLOCK)
    if not header or not header.strip(b"\0"):
        # An archive ends in blocks of zeros; one that just ends was cut between two members, or written so.
        return None
    if len(header) < BLOCK:
        raise EOFError("it is cut off")
    if sum(header[:148]) + 8 * 32 + sum(header[156:]) != _number(header[148:156]):
        raise ValueError(f"no tar header, or a damaged one, at byte {place:,}")
    return header


def _number(field: bytes) -> int:
    """Read a number in octal digits, or in GNU's binary form."""
    if field[0] & 0x80:
        number = int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
        if number >= 1 << 50:
            raise ValueError("a member with a size beyond all bounds")
        return number
    digits = field.split(b"\0")[0].strip() or b"0"
    if not set(digits) <= set(b"01234567"):
        raise ValueError("no tar header, or a damaged one")
    return int(digits, 8)


def _name(header: bytes) -> bytes:
    name = header[:100].split(b"\0")[0]
    prefix = header[345:500].split(b"\0")[0] if header[257:263] == b"ustar\0" else b""
    return prefix + b"/" + name if prefix else name


def _pax(content: bytes, named: bytes | None) -> tuple[bytes | None, int | None]:
    """Return the name and the size that a pax header gives its member."""
    sized, place = None, 0
    while place < len(content):
        digits = content[place : place + 8].split(b" ")[0]
        length = int(digits)
        record = content[place + len(digits) + 1 : place + length]
        if not 4 < length <= len(content) - place or not record.endswith(b"\n"):
            raise ValueError("a damaged pax header")
        key, _, value = record[:-1].partition(b"=")
        if key == b"path":
            named = value
        elif key == b"size":
            sized = int(value)
            if not 0 <= sized < 1 << 50:
                raise ValueError("a member with a size beyond all bounds")
        elif key.startswith(b"GNU.sparse"):
            raise ValueError("a sparse member, which is not read")
        place += length
    return named, sized


def _in_blocks(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _exactly(stream: IO[bytes], size: int) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise EOFError("it is cut off")
    return content
