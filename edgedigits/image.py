"""Any picture -> (28, 28) uint8 in MNIST form: light ink on black, fitted into 20 x 20, centred by mass.

A network reads only what looks like the pictures it was trained with. The way of a picture, one pure function a step:

    read_picture    path, bytes, open file, PIL image or array -> gray (h, w) uint8, upright, at most 1024 on a side
    find_digit      in ``ink.py``: polarity, light, ink, parts -> the digit alone, 255 = ink
    cropped         what is around the digit goes
    thickened       thin strokes get the width of MNIST's
    fitted          the longer side becomes 20
    centred         the centre of mass comes to (14, 14)

A picture that already is in MNIST form comes back bit for bit. The constants were chosen on digits drawn with paint
programs, scanned and photographed, and on MNIST's validation images; never on its test images.
"""

import io
import math
import os
import struct
import threading
import warnings
import zlib
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter, UnidentifiedImageError

from edgedigits.contract import IMAGE_SIDE, PIXEL_MAX
from edgedigits.errors import ImageError, ImageFileError, ImageNotFoundError, ImageTypeError
from edgedigits.finding import stroke_width
from edgedigits.ink import find_digit
from edgedigits.parts import MIN_INK_SIDE

Pixels: TypeAlias = npt.NDArray[np.uint8]
Picture: TypeAlias = (
    "str | os.PathLike[str] | os.PathLike[bytes] | bytes | BinaryIO | Image.Image | npt.NDArray[Any]"
)

MAX_PIXELS = 60_000_000
"""Larger pictures are refused before they are decoded: a small file can claim any size, and 16 bytes of memory go to a
pixel of some formats."""
MAX_JPEG_PIXELS = 100_000_000
"""Likewise of a JPEG, which is decoded at a fraction of its size."""
MAX_SCANNED_PIXELS = 2_000_000_000
"""Pixels times passes over them in a JPEG. A progressive one has about 10 passes; 140 bytes can ask for one more, which
takes 60 ms at 100 megapixels."""
MAX_FILE_BYTES = 256 * 2**20

DETAIL_SIDE = 1024
"""Longer side to which pictures are brought down: a digit that fills a fiftieth of a photo still has 20 pixels."""
COLOUR_SIDE = 64
"""Longer side on which colours are compared."""
MIN_COLOUR = 24
"""Difference of red, green and blue in any pixel below which a picture is gray."""
COLOUR_GAIN = 1.6
"""How many times the luminance's contrast a colour must have to take its place."""

LEAST_SQUARES = 8
"""Pixels on the shorter side that a picture has at least before it was enlarged."""
DIGIT_SIDE = 20
"""Longer side of the digit in a MNIST picture, http://yann.lecun.com/exdb/mnist (of 70,000, all but 16; those: 19)."""
CENTRE = IMAGE_SIDE // 2

STROKE_WIDTH = 1.8
"""Stroke width, as ``stroke_width`` measures it, to which thin strokes are brought: one in ten of MNIST's is thinner.

Without it a one-pixel line of a paint program all but vanishes (7 points fewer of such pictures are read correctly);
2.6 costs 2 points on scans."""
MIN_STROKE_SIDE = 4 * DIGIT_SIDE
"""Longer side of the digit, at least, where strokes are thickened, so that a step is at most half a final pixel."""

MIN_TRANSPARENT_CONTRAST = 32
"""Gray levels within the opaque part of a picture from which on it brings its own paper."""

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

_ROWS_AT_ONCE = 256
"""Rows that are brought to levels 0..255 in one go: in between, a number takes up to sixteen bytes."""

_JPEG_SCAN = b"\xff\xda"
"""The marker that begins a pass over the pixels; inside a pass, a byte 255 is always followed by a 0."""

_UNKNOWN_FORMAT = "cannot be read: not a PNG, JPEG, GIF, BMP, TIFF, WebP or PNM picture; save it as PNG"

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What undoes each value of the EXIF orientation tag (EXIF 2.32, section 4.6.4 A)."""
_ORIENTATION_TAG = 0x0112

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


def prepare(picture: Picture) -> Pixels:
    """Bring any picture into MNIST form.

    Args:
        picture: a path, the bytes of a picture file, a file opened in binary mode, a PIL image, or an array (h, w) or
            (h, w, 1 to 4: gray, gray and alpha, RGB, RGBA) of uint8, uint16, any other integers, bool or float.
            Of an animation the first frame is taken. How the numbers of an array are read: see ``as_levels``.

    Returns:
        (28, 28) uint8, C-contiguous, 0 = background, 255 = ink; never the array that was given.

    Raises:
        ImageError: the picture cannot be read, or shows nothing. It is an ``ImageNotFoundError`` where there is no such
            file, an ``ImageFileError`` where the system does not let us read it, and an ``ImageTypeError`` where this
            is no picture in any form.
    """
    try:
        gray = without_blocks(read_picture(picture))
        if gray.shape == (IMAGE_SIDE, IMAGE_SIDE):
            for pixels in (gray, np.invert(gray)):
                if is_mnist_form(pixels):
                    return np.array(pixels)
        return centred(fitted(thickened(cropped(find_digit(gray)))))
    except ImageError as error:
        raise type(error)(f"{picture_name(picture)}: {error}") from error


def as_it_is(picture: Picture) -> Pixels:
    """Read a picture that already has the size of the network's images, without any preparation.

    What ``prepare`` does is right for digits; nobody knows how the images of another dataset came about.

    Args:
        picture: see ``prepare``.

    Returns:
        (28, 28) uint8, gray levels as they are; never the array that was given.

    Raises:
        ImageError: the picture cannot be read, or is of another size.
    """
    try:
        gray = read_picture(picture)
        if gray.shape != (IMAGE_SIDE, IMAGE_SIDE):
            width, height = gray.shape[::-1]
            raise ImageError(
                f"expected 28x28 pixels, in which the network's own images come, found {width}x{height}; "
                "only pictures of digits are brought into form"
            )
        return np.array(gray)
    except ImageError as error:
        raise type(error)(f"{picture_name(picture)}: {error}") from error


def picture_name(picture: Picture) -> str:
    """Return what messages call a picture: its path, or its kind."""
    if isinstance(picture, (str, os.PathLike)):
        try:
            return printable(_path_text(picture))
        except ImageTypeError:
            return f"picture ({_type(picture)})"
    if isinstance(picture, (bytes, Image.Image, np.ndarray)):
        return f"picture ({type(picture).__name__})"
    name = getattr(picture, "name", None)
    return printable(name) if isinstance(name, str) else "picture"


def printable(text: str) -> str:
    """Escape what would break a line or a terminal: file names may hold any character."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


# --- Reading -------------------------------------------------------------------------------------------------------


def read_picture(picture: Picture) -> Pixels:
    """Read any picture as gray levels.

    Returns:
        (h, w) uint8, upright, at most 1024 pixels on the longer side; ink may be dark or light.

    Raises:
        ImageError: it cannot be read. The message does not name the picture.
    """
    if isinstance(picture, np.ndarray):
        return gray_of_array(picture)
    try:
        with _PILLOW_QUIET:
            if isinstance(picture, Image.Image):
                return gray_of_image(picture)
            with decode(read_bytes(picture)) as image:
                return gray_of_image(image)
    except Image.DecompressionBombError as error:
        raise ImageError(_too_large("more than Pillow allows")) from error
    except UnidentifiedImageError as error:
        raise ImageError(_UNKNOWN_FORMAT) from error
    except ImageError:
        raise
    except _DECODE_ERRORS as error:
        reason = str(error) or type(error).__name__
        raise ImageError(
            f"cannot be read: {reason}; if the file is damaged or cut off, save it again"
        ) from error


def read_bytes(picture: "str | os.PathLike[str] | os.PathLike[bytes] | bytes | BinaryIO") -> bytes:
    """Return the bytes of a picture file, from where they are."""
    if isinstance(picture, bytes):
        return picture
    if not isinstance(picture, (str, os.PathLike)) and not hasattr(picture, "read"):
        raise ImageTypeError(
            f"cannot be read: expected a path, bytes, an open file, a PIL image or an array, got {_type(picture)}"
        )
    source = Path(_path_text(picture)) if isinstance(picture, (str, os.PathLike)) else picture
    try:
        if isinstance(source, Path):
            with source.open("rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
        else:
            data = source.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        kind = next((ours for theirs, ours in _FILE_ERRORS if isinstance(error, theirs)), ImageError)
        raise kind(f"cannot be read: {reason}; name a picture file that you may read") from error
    if not isinstance(data, bytes):
        raise ImageTypeError(f"cannot be read: the file gave {_type(data)}; open it in binary mode ('rb')")
    if len(data) > MAX_FILE_BYTES:
        raise ImageError(f"cannot be read: larger than {MAX_FILE_BYTES // 2**20} MiB; save it smaller")
    return data


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


def decode(data: bytes) -> Image.Image:
    """Open the bytes of a picture file, whatever its suffix says. Pixels are not decoded yet.

    A large JPEG is asked for at a fraction of its size, which its format gives almost for nothing.
    """
    if not data:
        raise ImageError("cannot be read: the file is empty; save the picture again")
    kind = next((name for signature, name in _SIGNATURES if data.startswith(signature)), None)
    if kind is None:
        raise ImageError(_UNKNOWN_FORMAT)
    if kind == "WEBP":
        # Pillow has libwebp make room for the whole picture as soon as it is opened.
        check_size(webp_size(data))
    image = Image.open(io.BytesIO(data), formats=(kind,))
    check_size(image.size, MAX_JPEG_PIXELS if kind == "JPEG" else MAX_PIXELS)
    if kind == "JPEG" and image.width * image.height * data.count(_JPEG_SCAN) > MAX_SCANNED_PIXELS:
        raise ImageError(f"cannot be read: {data.count(_JPEG_SCAN):,} passes over its pixels; save it again")
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


def check_size(size: tuple[int, ...], most: int = MAX_PIXELS) -> None:
    """Raise ``ImageError`` for a picture of no pixels, or of too many."""
    pixels = size[0] * size[1]
    if pixels == 0:
        raise ImageError("cannot be read: it has no pixels")
    if pixels > most:
        raise ImageError(_too_large(f"{size[0]} x {size[1]} pixels", most))


def _too_large(found: str, most: int = MAX_PIXELS) -> str:
    return f"cannot be read: {found}, at most {most // 10**6} megapixels are decoded; save it smaller"


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


# --- Gray ----------------------------------------------------------------------------------------------------------


def gray_of_image(image: Image.Image) -> Pixels:
    """Turn a PIL image of any mode into gray levels: upright, transparency resolved, at most 1024 on the longer side.

    Raises:
        ImageError: it has no pixels, too many, or 16-bit or float levels out of range.
    """
    check_size(image.size)
    # Pillow has colours of 8 bits only, and takes the upper half of 16.
    is_deep = any(";16" in str(tile[3]) for tile in getattr(image, "tile", ()))
    image.load()
    orientation = image.getexif().get(_ORIENTATION_TAG)
    if image.mode == "RGB" and is_deep:
        image = _with_full_range(image)
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        image = Image.fromarray(as_levels(np.asarray(image)))
    elif image.mode != "RGBA" and image.has_transparency_data:
        image = image.convert("RGBA")
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode not in ("L", "RGB", "RGBA"):
        image = image.convert("RGB")
    image = shrunk(image)
    if orientation in _UPRIGHT:
        image = image.transpose(_UPRIGHT[orientation])
    if image.mode == "RGBA":
        if image.getchannel("A").getextrema() != (PIXEL_MAX, PIXEL_MAX):
            return on_paper(image)
        image = image.convert("RGB")
    return gray_of_colours(image) if image.mode == "RGB" else np.asarray(image)


def _with_full_range(image: Image.Image) -> Image.Image:
    """Scale colours of which only the upper of two bytes is left, as ``as_levels`` scales whole numbers."""
    highest = int(np.asarray(image).max())
    ceiling = next(depth >> 8 for depth in _DEPTHS[1:] if highest <= depth >> 8)
    return (
        image
        if ceiling == PIXEL_MAX
        else image.point([min(PIXEL_MAX, round(PIXEL_MAX * level / ceiling)) for level in range(256)] * 3)
    )


def gray_of_colours(image: Image.Image) -> Pixels:
    """Return the luminance, or the one of red, green and blue in which ink stands out far more.

    Red ink on green paper may have no contrast but in one of them. How far ink stands out is judged by the fourth
    powers of the deviations from the local mean: noise, which is everywhere but small, then hardly counts.

    Args:
        image: RGB.

    Returns:
        (h, w) uint8.
    """
    ratio = COLOUR_SIDE / max(image.size)
    small = image if ratio >= 1 else image.resize(_scaled(image.size, ratio), Image.Resampling.BOX)
    luminance = image.convert("L")
    colours = np.asarray(small)
    if int(np.ptp(colours, axis=2).max()) < MIN_COLOUR:
        return np.asarray(luminance)
    channels = [small.convert("L"), *small.split()]
    contrasts = [_local_contrast(channel) for channel in channels]
    best = int(np.argmax(contrasts))
    if contrasts[best] > COLOUR_GAIN**4 * contrasts[0]:
        return np.asarray(image.getchannel(best - 1))
    return np.asarray(luminance)


def _local_contrast(channel: Image.Image) -> float:
    local_mean = channel.filter(ImageFilter.BoxBlur(max(channel.size) / 6))
    squares = np.square(np.asarray(channel, np.float32) - np.asarray(local_mean, np.float32))
    return float(np.vdot(squares, squares))


def gray_of_array(array: npt.NDArray[Any]) -> Pixels:
    """Turn an array (h, w) or (h, w, 1 to 4) into gray levels, as ``gray_of_image`` does.

    Raises:
        ImageError: its shape or its numbers are none of a picture.
    """
    array = np.asarray(array)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim != 2 and not (array.ndim == 3 and array.shape[2] in (2, 3, 4)):
        raise ImageError(f"cannot be read: expected an array (h, w) or (h, w, 1 to 4), got {array.shape}")
    check_size(array.shape)
    levels = as_levels(array)
    if levels.ndim == 2 and max(levels.shape) <= DETAIL_SIDE:
        return levels
    return gray_of_image(Image.fromarray(np.ascontiguousarray(levels)))


_DEPTHS = (PIXEL_MAX, *(2**bits - 1 for bits in (10, 12, 14, 16)))
"""Highest levels of the depths in which integers come."""


def as_levels(array: npt.NDArray[Any]) -> Pixels:
    """Read the numbers of an array as levels 0..255.

    - bool: False is 0, True is 255;
    - integers: 0..255 as they are; where the largest is above 255, the range of 10, 12, 14 or 16 bits, the smallest
      that holds it, scaled down: cameras and scanners leave such numbers in 16 bits as they are. A picture of 16 bits
      whose lightest pixel is that dark is made lighter by this, which takes nothing from its digit;
    - floats: 0..1 where the largest is at most 1, otherwise 0..255.

    Args:
        array: numbers of any shape, at least one.

    Returns:
        uint8 of the same shape; the array itself where it is uint8.

    Raises:
        ImageError: not numbers, not finite, or outside these ranges.
    """
    if array.dtype == np.uint8:
        return array
    kind = array.dtype.kind
    if kind not in "buif":
        raise ImageTypeError(
            f"cannot be read: expected numbers (uint8, uint16, bool or float), got dtype {array.dtype}"
        )
    lowest, highest = float(array.min()), float(array.max())
    if not np.isfinite(lowest + highest):
        raise ImageError("cannot be read: the array holds NaN or infinity")
    ceiling = PIXEL_MAX if kind == "f" else next((top for top in _DEPTHS if highest <= top), _DEPTHS[-1])
    if lowest < 0 or highest > ceiling:
        expected = "0..1 or 0..255" if kind == "f" else "0..255 or 0..65535"
        raise ImageError(f"cannot be read: expected levels {expected}, found {lowest:g}..{highest:g}")
    if kind == "b" or (kind == "f" and highest <= 1):
        ceiling = 1
    if ceiling == PIXEL_MAX and kind != "f":
        return array.astype(np.uint8)
    levels: Pixels = np.empty(array.shape, np.uint8)
    for start in range(0, len(array), _ROWS_AT_ONCE):
        rows = array[start : start + _ROWS_AT_ONCE]
        levels[start : start + _ROWS_AT_ONCE] = np.rint(rows * np.float32(PIXEL_MAX / ceiling))
    return levels


def shrunk(image: Image.Image) -> Image.Image:
    """Bring the longer side down to 1024, by averaging: a thin line grows fainter but does not vanish."""
    ratio = DETAIL_SIDE / max(image.size)
    return image if ratio >= 1 else image.resize(_scaled(image.size, ratio), Image.Resampling.BOX)


def on_paper(image: Image.Image) -> Pixels:
    """Resolve transparency so that the ink can be seen, whether it is in the colours or in the alpha channel.

    Where a picture brings its own opaque paper, transparent parts take its gray. Otherwise the visible part *is* the
    ink, as on a canvas, and is put on paper of the opposite tone.

    Args:
        image: RGBA.

    Returns:
        (h, w) uint8.
    """
    alpha = np.asarray(image.getchannel("A"))
    gray = np.asarray(image.convert("RGB").convert("L"))
    visible = gray[alpha > PIXEL_MAX // 2]
    if visible.size == 0:
        visible = gray[alpha > 0]
    if visible.size == 0:
        raise ImageError("shows nothing: every pixel is transparent")
    brings_paper = (
        visible.size * 2 > gray.size and int(visible.max()) - int(visible.min()) >= MIN_TRANSPARENT_CONTRAST
    )
    opposite = 0 if float(visible.mean()) > PIXEL_MAX / 2 else PIXEL_MAX
    paper = float(np.median(visible)) if brings_paper else opposite
    opacity = alpha * np.float32(1 / PIXEL_MAX)
    flat: Pixels = np.rint(gray * opacity + np.float32(paper) * (1 - opacity)).astype(np.uint8)
    return flat


def without_blocks(gray: Pixels) -> Pixels:
    """Undo an enlargement that made every pixel a square of one level, as paint programs and ``numpy.kron`` do it.

    Args:
        gray: (h, w) uint8.

    Returns:
        The picture that was enlarged, a view; the picture itself where it has no such squares, or fewer than 8 x 8.
    """
    height, width = gray.shape
    side = math.gcd(height, width)
    rows = max(1, height // 8)
    # A few rows tell of most pictures that they are not made of squares.
    for pixels in (gray[::rows], gray, gray.T):
        is_edge = (pixels[:, 1:] != pixels[:, :-1]).any(axis=0)
        side = math.gcd(side, *(np.flatnonzero(is_edge) + 1).tolist())
        if side == 1:
            return gray
    return gray[::side, ::side] if min(height, width) >= LEAST_SQUARES * side else gray


# --- Form ----------------------------------------------------------------------------------------------------------


def ink_box(pixels: Pixels, above: int = 0) -> tuple[int, int, int, int] | None:
    """Return top, bottom, left and right (the ends exclusive) of what is lighter than a level; None if nothing is."""
    mask = pixels > above
    rows = mask.any(axis=1).tobytes()
    top = rows.find(1)
    if top < 0:
        return None
    columns = mask.any(axis=0).tobytes()
    return top, rows.rfind(1) + 1, columns.find(1), columns.rfind(1) + 1


def cropped(ink: Pixels) -> Pixels:
    """Cut out the digit: the box of all that is at least half ink.

    Raises:
        ImageError: there is no ink, or no more than a speck.
    """
    box = ink_box(ink, PIXEL_MAX // 2)
    if box is None or max(box[1] - box[0], box[3] - box[2]) < MIN_INK_SIDE:
        raise ImageError("shows nothing: there is no more than a speck; draw the digit larger")
    top, bottom, left, right = box
    return ink[top:bottom, left:right]


def thickened(ink: Pixels) -> Pixels:
    """Bring thin strokes to the width that MNIST's have, in proportion to the digit.

    This is done at the digit's own size, because scaling down first would leave too little of a thin line; small
    digits are enlarged for it.

    Args:
        ink: (h, w) uint8, cropped.

    Returns:
        (h, w) uint8, cropped, at least 80 on the longer side.
    """
    large = resized(ink, max(MIN_STROKE_SIDE, *ink.shape))
    wanted = STROKE_WIDTH * max(large.shape) / DIGIT_SIDE
    steps = round((wanted - stroke_width(large)) / 2)
    if steps <= 0:
        return large
    grown = np.pad(large, steps)
    for step in range(steps):
        grown = dilated(grown, diagonally=step % 2 == 0)
    return cropped(grown)


def dilated(ink: Pixels, *, diagonally: bool) -> Pixels:
    """Let the ink grow by a pixel to all sides. Taking turns with the diagonals makes the growth almost round."""
    grown: Pixels = ink.copy()
    np.maximum(grown[1:], ink[:-1], out=grown[1:])
    np.maximum(grown[:-1], ink[1:], out=grown[:-1])
    source = grown.copy() if diagonally else ink
    np.maximum(grown[:, 1:], source[:, :-1], out=grown[:, 1:])
    np.maximum(grown[:, :-1], source[:, 1:], out=grown[:, :-1])
    return grown


def fitted(ink: Pixels) -> Pixels:
    """Bring the longer side to 20 by averaging, and the lightest pixel to 255."""
    small = resized(ink, DIGIT_SIDE)
    peak = int(small.max())
    return small if peak == PIXEL_MAX else np.rint(small * (PIXEL_MAX / peak)).astype(np.uint8)


def resized(ink: Pixels, side: int) -> Pixels:
    """Scale the longer side to ``side`` and keep the proportions."""
    ratio = side / max(ink.shape)
    if ratio == 1:
        return ink
    method = Image.Resampling.BOX if ratio < 1 else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(ink).resize(_scaled((ink.shape[1], ink.shape[0]), ratio), method))


def _scaled(size: tuple[int, int], ratio: float) -> tuple[int, int]:
    return max(1, round(size[0] * ratio)), max(1, round(size[1] * ratio))


def centred(ink: Pixels) -> Pixels:
    """Put the digit into 28 x 28 so that its centre of mass lies at (14, 14), or as near as the frame allows.

    Args:
        ink: (h, w) uint8, cropped, no side above 28.

    Returns:
        (28, 28) uint8.
    """
    height, width = ink.shape
    row, column = centre_of_mass(ink)
    top = min(max(round(CENTRE - row), 0), IMAGE_SIDE - height)
    left = min(max(round(CENTRE - column), 0), IMAGE_SIDE - width)
    frame = np.zeros((IMAGE_SIDE, IMAGE_SIDE), np.uint8)
    frame[top : top + height, left : left + width] = ink
    return frame


def centre_of_mass(ink: Pixels) -> tuple[float, float]:
    """Return row and column of the mean position of the ink, in pixels; ink that is all 0 has none."""
    rows = ink.sum(axis=1, dtype=np.float32)
    columns = ink.sum(axis=0, dtype=np.float32)
    mass = float(rows.sum())
    return float(rows @ _INDEX[: rows.size]) / mass, float(columns @ _INDEX[: columns.size]) / mass


_INDEX = np.arange(max(IMAGE_SIDE, DETAIL_SIDE), dtype=np.float32)


def is_mnist_form(pixels: Pixels) -> bool:
    """Tell whether a (28, 28) picture already has the form of MNIST's.

    That is: outside a box whose longer side is 19 or 20 all is exactly 0, the lightest pixel is at least 254, the
    centre of mass lies at (14, 14) after rounding or the box touches the frame on the way there, and the strokes are
    wider than a line of single pixels. All 70,000 pictures of MNIST are so; others are by chance only.
    """
    box = ink_box(pixels)
    if box is None:
        return False
    top, bottom, left, right = box
    if max(bottom - top, right - left) not in (DIGIT_SIDE - 1, DIGIT_SIDE) or pixels.max() < PIXEL_MAX - 1:
        return False
    row, column = centre_of_mass(pixels)
    return _is_centred(row, top, bottom) and _is_centred(column, left, right) and stroke_width(pixels) > 1.05


def _is_centred(position: float, start: int, end: int) -> bool:
    offset = position - CENTRE
    # MNIST's own rounding leaves up to 0.52.
    return abs(offset) <= 0.53 or (offset > 0 and start == 0) or (offset < 0 and end == IMAGE_SIDE)
