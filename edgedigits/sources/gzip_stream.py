"""What a gzip file unpacks to, as a stream that goes forwards, whatever the file does to make its reader work."""

import io
import os
import zlib
from typing import IO, BinaryIO, cast

_GZIP = 16 + zlib.MAX_WBITS
_AT_ONCE = 1 << 18
_SLACK = 1 << 20
"""Bytes that may go into headers, and members that unpack to nothing, besides an eighth of what comes out."""


def unpacked(file: BinaryIO) -> IO[bytes]:
    """Return what a gzip file unpacks to, of one member or several. Its stream can be moved forwards only.

    While it is read, it raises ``ValueError`` where more goes in than comes out, ``EOFError`` where the file is cut off
    and ``zlib.error`` where it is damaged.
    """
    return cast("IO[bytes]", io.BufferedReader(_Unpacked(file), _AT_ONCE))


class _Unpacked(io.RawIOBase):
    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self._decompressor = zlib.decompressobj(_GZIP)
        self._packed = b""
        self._taken = self._given = 0
        self._is_begun = False

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._given

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        target = offset + self._given if whence == os.SEEK_CUR else offset
        if whence == os.SEEK_END or target < self._given:
            raise io.UnsupportedOperation("there is no way back in a packed file")
        while self._given < target and self.read(min(_AT_ONCE, target - self._given)):
            pass
        return self._given

    def readinto(self, room: "bytearray | memoryview") -> int:  # type: ignore[override]
        wanted = len(room)
        content = self._some(wanted) if wanted else b""
        room[: len(content)] = content
        return len(content)

    def _some(self, at_most: int) -> bytes:
        while True:
            if self._decompressor.eof and not self._next_member():
                return b""
            if not self._packed:
                self._packed = self._file.read(_AT_ONCE)
                self._taken += len(self._packed)
            if not self._packed:
                if self._is_begun:
                    raise EOFError("it is cut off")
                return b""
            self._is_begun = True
            content = self._decompressor.decompress(self._packed, at_most)
            self._packed = self._decompressor.unconsumed_tail
            self._given += len(content)
            if self._taken - len(self._packed) > _SLACK + self._given + self._given // 8:
                raise ValueError("more bytes in the file than come out of it")
            if content:
                return content

    def _next_member(self) -> bool:
        """Begin the next member; zeros between and behind members are passed over."""
        rest = self._decompressor.unused_data
        while not (rest := rest.lstrip(b"\0")):
            rest = self._file.read(_AT_ONCE)
            self._taken += len(rest)
            if not rest:
                return False
            if self._taken > _SLACK + self._given + self._given // 8:
                raise ValueError("more bytes in the file than come out of it")
        self._decompressor = zlib.decompressobj(_GZIP)
        self._packed = rest
        return True
