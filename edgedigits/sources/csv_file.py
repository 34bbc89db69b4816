"""Images as lines of numbers, ``label,pixel0,...,pixel783``, as in Kaggle's digit recognizer.

With or without the labels and a header, packed with gzip or not.
"""

import contextlib
import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from edgedigits.contract import IMAGE_SIDE, PIXEL_MAX, PIXELS
from edgedigits.errors import ImageError, SourceError
from edgedigits.files import open_file
from edgedigits.sources.arrays import TURNED, is_turned_name
from edgedigits.sources.gzip_stream import unpacked
from edgedigits.sources.parts import NO_LABEL, Batch, Images, Part, Source
from edgedigits.sources.stored import MOST_BYTES, told

_AT_ONCE = 4 << 20
_STEP = 256
"""Rows between two places that a part may begin at."""
_LONGEST_LINE = 1 << 20
_SAMPLED = 100
"""Lines that tell which column holds the labels, where no header does."""
_LABEL_NAMES = ("label", "labels", "class", "digit", "target", "y")
_OTHER_NAMES = ("", "id", "imageid", "index", "unnamed: 0")
_NEWLINE, _RETURN, _ZERO = 10, 13, 48


@dataclass(frozen=True)
class Columns:
    """What is where in a line."""

    separator: bytes
    total: int
    pixels: int
    """The first of 784 columns."""
    label: int | None
    has_header: bool


@dataclass(frozen=True)
class Place:
    """Where a part is."""

    file: str
    is_packed: bool
    columns: Columns
    first: int
    """Byte of the line that it begins with."""
    factor: float
    is_turned: bool


def is_csv_of_images(path: str) -> bool:
    """Tell whether a file begins with a line of 784 pixels, or with names of such columns.

    Raises:
        SourceError: it cannot be read.
    """
    with told(path), _opened(path) as stream:
        lines = stream.read(_LONGEST_LINE).splitlines()
    return bool(lines) and max(lines[0].count(mark) for mark in (b",", b";", b"\t")) >= PIXELS - 1


def open_csv(path: str) -> list[Source]:
    """Open a CSV file. It is gone through once, to count its lines."""
    is_packed = path.endswith(".gz")
    with told(path), _opened(path) as stream:
        columns = _columns(path, stream.read(_SAMPLED * 8 * PIXELS))
    places, total, has_points = _index(path, columns)
    is_turned = is_turned_name(Path(path).name)
    whole = Place(path, is_packed, columns, places[0] if places else 0, 1.0, is_turned)
    factor = _factor(whole, total) if has_points else 1.0
    whole = Place(**{**vars(whole), "factor": factor})
    notes = [TURNED] if is_turned else []
    if factor != 1:
        notes.append("0 to 1: 1 is full ink")
    cut = partial(_cut, path, whole, places, total)
    return [Source(path, "csv", total, True, columns.label is not None, (path,), tuple(notes), cut)]


def read(part: Part, batch_rows: int) -> Iterator[Batch]:
    """Read a part. A line that is no image comes as the error that says so."""
    place: Place = part.where
    start = part.start
    for lines in _lines(place, part.count, batch_rows):
        yield from _batches(place, start, lines)
        start += len(lines)


def _batches(place: Place, start: int, lines: list[bytes]) -> Iterator[Batch]:
    """Read lines together where all is well; one by one where something is wrong, the good ones together."""
    numbers = _whole_numbers(lines, place.columns)
    if numbers is not None:
        yield _batch(place, start, numbers)
        return
    good: list[npt.NDArray[np.float64]] = []
    for index, line in enumerate(lines):
        row = _numbers(line, place.columns)
        if isinstance(row, str):
            if good:
                yield _batch(place, start + index - len(good), np.stack(good))
                good = []
            yield Batch(
                start + index,
                encoded=[ImageError(f"cannot be read: {row}; check how the line was written")],
                labels=None if place.columns.label is None else np.array([NO_LABEL], np.int64),
            )
        else:
            good.append(row)
    if good:
        yield _batch(place, start + len(lines) - len(good), np.stack(good))


def _batch(place: Place, start: int, numbers: "npt.NDArray[Any]") -> Batch:
    columns = place.columns
    pixels = numbers[:, columns.pixels : columns.pixels + PIXELS]
    images: Images = np.rint(pixels * place.factor).astype(np.uint8) if pixels.dtype.kind == "f" else pixels
    images = images.astype(np.uint8).reshape(-1, IMAGE_SIDE, IMAGE_SIDE)
    if place.is_turned:
        images = images.transpose(0, 2, 1)
    labels = None if columns.label is None else numbers[:, columns.label].astype(np.int64)
    return Batch(start, images=np.ascontiguousarray(images), labels=labels)


def _whole_numbers(lines: list[bytes], columns: Columns) -> "npt.NDArray[np.int16] | None":
    """Read lines of whole numbers from 0 to 999 at once; None where one holds anything else."""
    text = np.frombuffer(b"\n".join(lines) + b"\n", np.uint8)
    ends = np.flatnonzero((text == columns.separator[0]) | (text == _NEWLINE))
    if (
        len(ends) != len(lines) * columns.total
        or not (text[ends[columns.total - 1 :: columns.total]] == _NEWLINE).all()
    ):
        return None
    lengths = np.diff(ends, prepend=-1) - 1
    if lengths.min() < 1 or lengths.max() > 3:
        return None
    figures = text.astype(np.int16) - _ZERO
    figures[ends] = 0
    if figures.min() < 0 or figures.max() > 9:
        return None
    numbers = figures[ends - 1]
    numbers += np.where(lengths > 1, figures[ends - 2], 0) * np.int16(10)
    numbers += np.where(lengths > 2, figures[ends - 3], 0) * np.int16(100)
    numbers = numbers.reshape(len(lines), columns.total)
    pixels = numbers[:, columns.pixels : columns.pixels + PIXELS]
    return numbers if pixels.max() <= PIXEL_MAX else None


def _numbers(line: bytes, columns: Columns) -> "npt.NDArray[np.float64] | str":
    """Read one line of numbers; where it is none, say what is wrong."""
    fields = line.split(columns.separator)
    if len(fields) != columns.total:
        return f"expected {columns.total} numbers, found {len(fields)}"
    try:
        row = np.array([float(field.strip(b'" ') or b"nan") for field in fields])
    except ValueError:
        return f"expected {columns.total} numbers, found other text"
    pixels = row[columns.pixels : columns.pixels + PIXELS]
    if not (pixels.min() >= 0 and pixels.max() <= PIXEL_MAX):
        return f"expected levels from 0 to {PIXEL_MAX}, found {pixels.min():g} to {pixels.max():g}"
    if columns.label is not None and not (row[columns.label] >= 0 and row[columns.label].is_integer()):
        row[columns.label] = NO_LABEL
    return row


def _columns(path: str, beginning: bytes) -> Columns:
    lines = beginning.removeprefix(b"\xef\xbb\xbf").splitlines()[: _SAMPLED + 1]
    separator = max((b",", b";", b"\t"), key=(lines[0] if lines else b"").count)
    fields = [field.strip(b'" ') for field in lines[0].split(separator)] if lines else []
    expected = f"{path}: expected lines of 784 pixels, with a label or without"
    if not PIXELS <= len(fields) < 2 * PIXELS:
        raise SourceError(f"{expected}, found {len(fields)} columns; see `edgedigits data convert --help`")
    if all(_is_number(field) for field in fields):
        return _columns_without_header(expected, separator, fields, lines)
    names = [field.decode("utf-8", "replace").lower() for field in fields]
    label = next((names.index(name) for name in _LABEL_NAMES if name in names), None)
    pixels = [
        index
        for index, name in enumerate(names)
        if index != label and not (name in _OTHER_NAMES and index < 2)
    ]
    if len(pixels) != PIXELS or pixels[-1] - pixels[0] != PIXELS - 1:
        raise SourceError(
            f"{expected}, found {len(pixels)} columns beside {'none for labels' if label is None else names[label]!r}; "
            f"call the labels' column one of {', '.join(_LABEL_NAMES)}"
        )
    return Columns(separator, len(fields), pixels[0], label, True)


def _columns_without_header(
    expected: str, separator: bytes, fields: list[bytes], lines: list[bytes]
) -> Columns:
    if len(fields) == PIXELS:
        return Columns(separator, PIXELS, 0, None, False)
    if len(fields) != PIXELS + 1:
        raise SourceError(
            f"{expected}, found {len(fields)} columns without names; write a header that names them"
        )
    # The corners of an image are empty: of the first and the last column, labels are the one that is not always 0.
    firsts = {line.split(separator, 1)[0].strip(b'" ') for line in lines if line}
    if firsts <= {b"0", b"0.0"} and len(lines) > 1:
        return Columns(separator, len(fields), 0, PIXELS, False)
    return Columns(separator, len(fields), 1, 0, False)


def _is_number(field: bytes) -> bool:
    try:
        return math.isfinite(float(field))
    except ValueError:
        return False


def _index(path: str, columns: Columns) -> "tuple[array[int], int, bool]":
    """Return the bytes that parts may begin at, how many images there are, and whether points occur in numbers.

    Every ``_STEP``-th image has its place; lines that are empty are none.
    """
    places = array("Q")
    rows = 0
    to_skip = columns.has_header
    has_points = False
    for begin, chunk in _whole_lines(path):
        ends = np.flatnonzero(np.frombuffer(chunk, np.uint8) == _NEWLINE)
        starts = np.concatenate(([0], ends[:-1] + 1))
        text = np.frombuffer(chunk, np.uint8)
        is_empty = (ends == starts) | ((ends == starts + 1) & (text[starts] == _RETURN))
        full = np.flatnonzero(~is_empty)
        if to_skip and len(full):
            full, to_skip = full[1:], False
        has_points = has_points or b"." in chunk[0 if not columns.has_header else chunk.find(b"\n") :]
        first = -rows % _STEP
        places.extend((begin + starts[full[first::_STEP]]).tolist())
        rows += len(full)
    return places, rows, has_points


def _whole_lines(path: str, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield a file in pieces that end with a line, each with the byte at which it begins."""
    with told(path), _opened(path) as stream:
        stream.seek(start)
        rest = b""
        while chunk := stream.read(_AT_ONCE):
            chunk = rest + chunk
            end = chunk.rfind(b"\n") + 1
            rest = chunk[end:]
            if len(rest) > _LONGEST_LINE:
                raise ValueError(f"a line of more than {_LONGEST_LINE:,} bytes")
            if end:
                yield start, chunk[:end]
            start += end
        if rest:
            yield start, rest + b"\n"


def _lines(place: Place, count: int, batch_rows: int) -> Iterator[list[bytes]]:
    """Yield the lines of a part, at most ``batch_rows`` at a time; empty ones are not among them."""
    held: list[bytes] = []
    for _, chunk in _whole_lines(place.file, place.first):
        held += [line for line in chunk.split(b"\n") if line.rstrip(b"\r")]
        while len(held) >= batch_rows or len(held) >= count:
            taken, held = held[: min(batch_rows, count)], held[min(batch_rows, count) :]
            yield [line.rstrip(b"\r") for line in taken]
            count -= len(taken)
            if not count:
                return
    if len(held) < count:
        raise SourceError(f"{place.file}: has fewer lines than when it was opened; leave it alone meanwhile")


def _factor(place: Place, total: int) -> float:
    """Return what floats are multiplied by: 255 where none is above 1."""
    for lines in _lines(place, total, _STEP) if total else ():
        for line in lines:
            row = _numbers(line, place.columns)
            if (
                not isinstance(row, str)
                and row[place.columns.pixels : place.columns.pixels + PIXELS].max() > 1
            ):
                return 1.0
    return float(PIXEL_MAX)


def _cut(path: str, whole: Place, places: "array[int]", total: int, rows: int) -> Iterator[Part]:
    step = max(1, rows // _STEP) if not whole.is_packed else max(1, len(places))
    for index in range(0, len(places), step):
        place = Place(**{**vars(whole), "first": places[index]})
        start = index * _STEP
        yield Part(path, "csv", start, min(step * _STEP, total - start), place)


@contextlib.contextmanager
def _opened(path: str) -> Iterator[IO[bytes]]:
    with open_file(Path(path), MOST_BYTES) as file:
        yield unpacked(file) if path.endswith(".gz") else file
