"""Reads PBM, PGM and PPM pictures, packed or as numbers in text.

Pillow reads their headers byte by byte, and all but the commonest depths number by number, in Python: a minute and more
for a picture that is not even large. Format: https://netpbm.sourceforge.net/doc/pnm.html.
"""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from edgedigits.contract import PIXEL_MAX
from edgedigits.errors import ImageError
from edgedigits.picture.limits import check_size

LONGEST_HEADER = 1 << 16
"""Bytes, with the comments in it."""
MOST_COMMENTS = 10_000
_WORD_MAX = 65_535
_LONGEST_NUMBER = 10
"""Figures of a number in text, zeros before it and all."""
_AT_ONCE = 1 << 20
"""Numbers, or bytes of text, that are worked on in one go: in between, one takes eight bytes and more."""

_BLANK = rb"[ \t\n\v\f\r]"
_BETWEEN = rb"(?:" + _BLANK + rb"|#[^\r\n]*[\r\n])"
_HEADER = re.compile(
    rb"P([1-6])" + (_BETWEEN + rb"+([0-9]{1,10})") * 2 + rb"(?:" + _BETWEEN + rb"+([0-9]{1,10}))?" + _BLANK
)
_BITS_HEADER = re.compile(rb"P([14])" + (_BETWEEN + rb"+([0-9]{1,10})") * 2 + _BLANK)
_COMMENT = re.compile(rb"#[^\r\n]*")

Numbers = npt.NDArray[Any]


def read_pnm(data: bytes) -> Image.Image:
    """Return the picture in the bytes of a PBM, PGM or PPM file.

    Returns:
        In the mode that its depth needs: ``1``, ``L``, ``RGB``, or ``I;16`` for gray levels of more than 8 bits.

    Raises:
        ImageError: its header is none, its size is none of a picture, or it is cut off.
    """
    pattern = _BITS_HEADER if data[1:2] in (b"1", b"4") else _HEADER
    header = pattern.match(data[:LONGEST_HEADER])
    if header is None:
        raise ImageError("cannot be read: its header is damaged, or goes on and on; save it as PNG")
    kind, *numbers = (int(number) for number in header.groups() if number is not None)
    size = numbers[0], numbers[1]
    check_size(size)
    if kind <= 3 and data.count(b"#", header.end()) > MOST_COMMENTS:
        raise ImageError("cannot be read: comments among its figures go on and on; save it as PNG")
    if kind in (1, 4):
        return _bits(data, header.end(), size, is_text=kind == 1)
    highest = numbers[2] if len(numbers) == 3 else 0
    if not 0 < highest <= _WORD_MAX:
        raise ImageError(f"cannot be read: a highest level of {highest}, not 1 to 65535; save it as PNG")
    return _levels(data, header.end(), size, kind, highest)


def _levels(data: bytes, start: int, size: tuple[int, int], kind: int, highest: int) -> Image.Image:
    channels = 3 if kind in (3, 6) else 1
    count = size[0] * size[1] * channels
    is_deep = highest > PIXEL_MAX
    if kind in (2, 3):
        found = _written(data, start, count, highest)
    else:
        found = _packed(data, start, count, np.dtype(">u2") if is_deep else np.dtype(np.uint8))
    wide = is_deep and channels == 1
    levels = _scaled(found, highest, _WORD_MAX if wide else PIXEL_MAX)
    return Image.fromarray(levels.reshape((size[1], size[0], 3) if channels == 3 else (size[1], size[0])))


def _packed(data: bytes, start: int, count: int, dtype: np.dtype[Any]) -> Numbers:
    if len(data) - start < count * dtype.itemsize:
        raise ImageError("cannot be read: it is cut off; save the picture again")
    return np.frombuffer(data, dtype, count, start)


def _scaled(numbers: Numbers, highest: int, top: int) -> Numbers:
    """Bring numbers from 0..highest to 0..top; higher ones, which there should not be, are the highest."""
    if highest == top and numbers.dtype.itemsize == (1 if top == PIXEL_MAX else 2):
        return numbers.astype(numbers.dtype.newbyteorder("="), copy=False)
    possible = np.arange(_WORD_MAX + 1 if numbers.dtype.itemsize > 1 else PIXEL_MAX + 1)
    dtype = np.uint8 if top == PIXEL_MAX else np.uint16
    table = np.minimum(top, np.rint(possible / highest * top)).astype(dtype)
    scaled = np.empty(len(numbers), dtype)
    for at in range(0, len(numbers), _AT_ONCE):
        scaled[at : at + _AT_ONCE] = table[numbers[at : at + _AT_ONCE]]
    return scaled


def _bits(data: bytes, start: int, size: tuple[int, int], is_text: bool) -> Image.Image:
    """Read ink and paper, 1 and 0."""
    if not is_text:
        width = -(-size[0] // 8)
        rows = _packed(data, start, width * size[1], np.dtype(np.uint8))
        return Image.frombytes("1", size, np.invert(rows).tobytes())
    ink = np.empty(size[0] * size[1], np.uint8)
    filled = 0
    for piece in _pieces(data, start):
        figures = np.frombuffer(piece, np.uint8)
        figures = figures[~_is_blank(figures)]
        if not np.isin(figures, (ord("0"), ord("1"))).all():
            raise ImageError("cannot be read: something else than 0 and 1 in it; save it as PNG")
        figures = figures[: len(ink) - filled]
        ink[filled : filled + len(figures)] = figures
        filled += len(figures)
        if filled == len(ink):
            paper = np.where(ink == ord("0"), np.uint8(PIXEL_MAX), np.uint8(0))
            return Image.fromarray(paper.reshape(size[::-1]))
    raise ImageError("cannot be read: it is cut off; save the picture again")


def _written(data: bytes, start: int, count: int, highest: int) -> Numbers:
    """Read numbers in text, of uint16."""
    found = np.empty(count, np.uint16)
    filled = 0
    for piece in _pieces(data, start):
        numbers = _numbers(np.frombuffer(piece, np.uint8))[: count - filled]
        if len(numbers) and int(numbers.max()) > highest:
            raise ImageError(f"cannot be read: a level above its highest, {highest}; save it as PNG")
        found[filled : filled + len(numbers)] = numbers
        filled += len(numbers)
        if filled == count:
            return found
    raise ImageError("cannot be read: it is cut off; save the picture again")


def _pieces(data: bytes, start: int) -> Iterator[bytes]:
    """Give the text from a place on without its comments, in pieces that part no number."""
    comment = b""
    while start < len(data):
        end = start + _AT_ONCE
        # Up to a blank: a number has few figures.
        blank = re.compile(_BLANK).search(data, end, end + _LONGEST_NUMBER + 1)
        end = blank.end() if blank else end
        piece = comment + data[start:end]
        start = end
        comment = b""
        if b"#" in piece:
            last = max(piece.rfind(b"\n"), piece.rfind(b"\r"))
            if piece.find(b"#", last + 1) >= 0:
                # It goes on behind this piece, of which only this is left to know.
                comment = b"#"
            piece = _COMMENT.sub(b"", piece)
        yield piece


def _is_blank(figures: Numbers) -> Numbers:
    is_blank: Numbers = (figures == ord(" ")) | ((figures >= ord("\t")) & (figures <= ord("\r")))
    return is_blank


def _numbers(text: Numbers) -> Numbers:
    """Return the numbers that stand in a text between blanks.

    Args:
        text: (bytes,) uint8.

    Returns:
        (n,) int64.
    """
    is_figure = ~_is_blank(text)
    figures = text - np.uint8(ord("0"))
    if (figures[is_figure] > 9).any():
        raise ImageError("cannot be read: something else than numbers in it; save it as PNG")
    changes = np.diff(is_figure.astype(np.int8), prepend=0, append=0)
    starts, ends = np.flatnonzero(changes == 1), np.flatnonzero(changes == -1)
    lengths = ends - starts
    if len(lengths) and int(lengths.max()) > _LONGEST_NUMBER:
        raise ImageError(f"cannot be read: a number of {lengths.max():,} figures; save it as PNG")
    numbers = np.zeros(len(starts), np.int64)
    for place in range(int(lengths.max()) if len(lengths) else 0):
        has_one = lengths > place
        numbers[has_one] += figures[ends[has_one] - 1 - place].astype(np.int64) * 10**place
    return numbers
