"""A path, bytes, an open file, an image or an array -> gray levels. Only this module decodes what strangers send."""

import io
import os
import re
import struct
import threading
import warnings
import zlib
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from edgedigits.errors import ImageError, ImageFileError, ImageNotFoundError, ImageTypeError
from edgedigits.files import read_file
from edgedigits.picture import limits
from edgedigits.picture.gray import gray_of_array, gray_of_image, lies_on_its_side, picture_in
from edgedigits.picture.levels import Pixels
from edgedigits.picture.limits import (
    DETAIL_SIDE,
    DRAFT_PIXELS,
    MAX_JPEG_PIXELS,
    MAX_PIXELS,
    MAX_SCANNED_PIXELS,
    check_size,
    too_large,
)
from edgedigits.printable import printable

Picture: TypeAlias = (
    "str | os.PathLike[str] | os.PathLike[bytes] | bytes | bytearray | memoryview | BinaryIO | Image.Image"
    " | npt.NDArray[Any]"
)

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"RIFF", "WEBP"),
    *((b"P%d" % kind, "PPM") for kind in range(1, 7)),
)
"""First bytes of the formats that are opened. Pillow knows more; some start other programs, none are needed here."""

_JPEG_SCAN = b"\xff\xda"
"""The marker that begins a pass over the pixels; inside a pass, a byte 255 is always followed by a 0."""

_BYTES = (bytes, bytearray, memoryview)
_ADDRESS = re.compile(r"(?i)(https?|ftp|s3|gs|data|file):")
"""What an address begins with; a drive of Windows is a single letter."""

_UNKNOWN_FORMAT = "cannot be read: not a PNG, JPEG, GIF, BMP, TIFF, WebP or PNM picture; save it as PNG"

# What Pillow's decoders raise on altered files, besides the OSError and SyntaxError that it documents.
_DECODE_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


def picture_name(picture: Picture) -> str:
    """Return what messages call a picture: its path, or its kind."""
    if isinstance(picture, (str, os.PathLike)):
        try:
            return printable(_path_text(picture))
        except ImageTypeError:
            return f"picture ({_type(picture)})"
    if isinstance(picture, (*_BYTES, Image.Image, np.ndarray)):
        return f"picture ({type(picture).__name__})"
    name = getattr(picture, "name", None)
    return printable(name) if isinstance(name, str) else "picture"


def read_picture(picture: Picture) -> Pixels:
    """Read any picture as gray levels.

    Returns:
        (h, w) uint8, upright, at most 1024 pixels on the longer side; ink may be dark or light.

    Raises:
        ImageError: it cannot be read. The message does not name the picture.
    """
    return read_sized(picture)[0]


def read_sized(picture: Picture) -> tuple[Pixels, tuple[int, int]]:
    """Read any picture as ``read_picture`` does; also return its own width and height, upright.

    Raises:
        ImageError: it cannot be read. The message does not name the picture.
    """
    if isinstance(picture, memoryview) and picture.ndim > 1:
        picture = np.asarray(picture)
    if isinstance(picture, np.ndarray):
        gray = gray_of_array(picture)
        height, width = picture_in(picture).shape[:2]
        return gray, (width, height)
    try:
        with _PILLOW_QUIET:
            if isinstance(picture, Image.Image):
                return gray_of_image(picture), _upright(picture, picture.size)
            with opened(read_bytes(picture)) as image:
                size = image.size
                return gray_of_image(at_a_fraction(image)), _upright(image, size)
    except Image.DecompressionBombError as error:
        raise ImageError(too_large("more than Pillow allows")) from error
    except UnidentifiedImageError as error:
        raise ImageError(_UNKNOWN_FORMAT) from error
    except ImageError:
        raise
    except _DECODE_ERRORS as error:
        reason = str(error) or type(error).__name__
        raise ImageError(
            f"cannot be read: {reason}; if the file is damaged or cut off, save it again"
        ) from error


def _upright(image: Image.Image, size: tuple[int, int]) -> tuple[int, int]:
    """Return width and height as people see an image that was made gray, of the size that it was stored with."""
    return size[::-1] if lies_on_its_side(image) else size


def read_bytes(
    picture: "str | os.PathLike[str] | os.PathLike[bytes] | bytes | bytearray | memoryview | BinaryIO",
) -> bytes:
    """Return the bytes of a picture file, from where they are."""
    if isinstance(picture, bytes):
        return picture
    if isinstance(picture, (bytearray, memoryview)):
        size = memoryview(picture).nbytes
        if size > limits.MAX_FILE_BYTES:
            raise ImageError(
                f"cannot be read: larger than {limits.MAX_FILE_BYTES // 2**20} MiB; save it smaller"
            )
        return bytes(picture)
    if isinstance(picture, str) and _ADDRESS.match(picture) and not os.path.lexists(picture):
        raise ImageNotFoundError(
            "cannot be read: an address, and nothing is fetched; download it and name the file"
        )
    if not isinstance(picture, (str, os.PathLike)) and not hasattr(picture, "read"):
        raise ImageTypeError(
            f"cannot be read: expected a path, bytes, an open file, a PIL image or an array, got {_type(picture)}"
        )
    source = Path(_path_text(picture)) if isinstance(picture, (str, os.PathLike)) else picture
    try:
        if isinstance(source, Path):
            data = read_file(source, limits.MAX_FILE_BYTES)
        else:
            data = source.read(limits.MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        kind = next((ours for theirs, ours in _FILE_ERRORS if isinstance(error, theirs)), ImageError)
        raise kind(f"cannot be read: {reason}; name a picture file that you may read") from error
    if data == b"" and not isinstance(source, Path) and _is_at_its_end(source):
        raise ImageError("cannot be read: the file is at its end; call seek(0) first")
    if not isinstance(data, bytes):
        raise ImageTypeError(f"cannot be read: the file gave {_type(data)}; open it in binary mode ('rb')")
    if len(data) > limits.MAX_FILE_BYTES:
        raise ImageError(f"cannot be read: larger than {limits.MAX_FILE_BYTES // 2**20} MiB; save it smaller")
    return data


def _is_at_its_end(file: BinaryIO) -> bool:
    """Tell whether a file from which nothing came holds something before the place where it stands."""
    try:
        return file.tell() > 0
    except (AttributeError, OSError, ValueError):
        return False


_FILE_ERRORS: tuple[tuple[type[Exception], type[ImageError]], ...] = (
    (FileNotFoundError, ImageNotFoundError),
    (OSError, ImageFileError),
)
"""What opening a file may raise, and what a caller gets, who may expect the builtin error."""


def _path_text(path: "str | os.PathLike[Any]") -> str:
    """Return a path as text, also where it is kept in bytes, as those are that ``os.scandir(b".")`` finds.

    Raises:
        ImageTypeError: it says of itself that it is a path, and gives none.
    """
    try:
        return os.fsdecode(path)
    except TypeError as error:
        raise ImageTypeError(f"cannot be read: expected a path, got {_type(path)}, which is none") from error


def opened(data: bytes) -> Image.Image:
    """Open the bytes of a picture file, whatever its suffix says. Pixels are not decoded yet."""
    from edgedigits.picture.containers import check_container, check_room_of_webp

    if not data:
        raise ImageError("cannot be read: the file is empty; save the picture again")
    kind = next((name for signature, name in _SIGNATURES if data.startswith(signature)), None)
    if kind is None:
        raise ImageError(_UNKNOWN_FORMAT)
    if kind == "PPM":
        from edgedigits.picture.pnm import read_pnm

        return read_pnm(data)
    scans = data.count(_JPEG_SCAN) if kind in ("JPEG", "TIFF") else 0
    check_container(kind, data, scans)
    if kind == "WEBP":
        # Pillow has libwebp make room for the whole picture as soon as it is opened.
        check_size(size := webp_size(data))
        check_room_of_webp(size, len(data))
    image = Image.open(io.BytesIO(data), formats=(kind,))
    check_size(image.size, MAX_JPEG_PIXELS if kind == "JPEG" else MAX_PIXELS)
    if kind == "JPEG" and image.width * image.height * scans > MAX_SCANNED_PIXELS:
        raise ImageError(f"cannot be read: {scans:,} passes over its pixels; save it again")
    return image


def at_a_fraction(image: Image.Image) -> Image.Image:
    """Ask a large JPEG for a fraction of its size, which its format gives almost for nothing; other images stay."""
    if image.width * image.height > DRAFT_PIXELS:
        image.draft(image.mode, (DETAIL_SIDE // 2, DETAIL_SIDE // 2))
    return image


def webp_size(data: bytes) -> tuple[int, int]:
    """Return width and height that the header of a WebP file declares (RFC 9649, sections 2.5 to 2.7).

    Raises:
        ImageError: it is too short for one, or of another kind.
    """
    header = data[:30].ljust(30, b"\0")
    kind = header[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(header[24:27], "little"), 1 + int.from_bytes(header[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(header[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", header, 26)
        return width & 0x3FFF, height & 0x3FFF
    raise ImageError(_UNKNOWN_FORMAT)


def _type(value: object) -> str:
    return type(value).__name__


class _PillowQuiet:
    """Keeps Pillow's warnings on odd files from the caller's standard error, in any number of threads at once.

    ``warnings.catch_warnings`` by itself is not safe there: the last of two overlapping threads to leave would put back
    the filters that the first had set.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entered = 0
        self._filters = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._entered == 0:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL\.")
            self._entered += 1

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._entered -= 1
            if self._entered == 0:
                self._filters.__exit__(None, None, None)


_PILLOW_QUIET = _PillowQuiet()
