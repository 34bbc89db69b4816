"""Pictures that take long or much for what they show: many pieces, gigantic ones, slow depths, odd shapes."""

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from measured import measure
from PIL import Image

from edgedigits.errors import ImageError
from edgedigits.picture.limits import DETAIL_SIDE, MAX_ASPECT, check_size
from edgedigits.picture.pnm import read_pnm
from edgedigits.picture.prepare import prepare

pytestmark = pytest.mark.skipif(os.name != "posix", reason="measures processes in the POSIX way")

SEEDS = Path(__file__).parents[1] / "fuzz" / "seeds"


# --- Parts of files ------------------------------------------------------------------------------------------------


def digit(side: int, height: int | None = None) -> Image.Image:
    """A stroke on paper."""
    height = height or side
    image = Image.new("L", (side, height), 255)
    image.paste(0, (side // 3, height // 5, side // 2, 4 * height // 5))
    return image


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_with(more: bytes, behind: bytes = b"") -> bytes:
    """A good picture with chunks before and behind its pixels."""
    whole = (SEEDS / "gray.png").read_bytes()
    place = whole.index(b"IDAT") - 4
    return whole[:place] + more + whole[place:-12] + behind + whole[-12:]


def jpeg_with(more: bytes) -> bytes:
    whole = (SEEDS / "gray.jpg").read_bytes()
    return whole[:2] + more + whole[2:]


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def exif(entries: int, values: int, room: int = 0) -> bytes:
    """Tags that each name the same bytes, behind them."""
    place = 8 + 2 + 12 * entries + 4
    tags = b"".join(struct.pack("<HHII", 1_000 + tag, 7, values, place) for tag in range(entries))
    return b"II*\0" + struct.pack("<IH", 8, entries) + tags + bytes(4 + room)


def tiff_with(tags: dict[int, tuple[int, int, int]], behind: bytes, order: str = "<") -> bytes:
    """A TIFF of one directory; a value is a type, a count, and the value or its place behind the directory."""
    start = 8 + 2 + 12 * len(tags) + 4
    fields = b""
    for tag, (kind, count, value) in sorted(tags.items()):
        fields += struct.pack(f"{order}HHI", tag, kind, count)
        size = {2: 1, 3: 2, 4: 4, 7: 1}[kind] * count
        if size > 4:
            fields += struct.pack(f"{order}I", start + value)
        else:
            fields += struct.pack(
                f"{order}{'HH' if kind == 3 else 'I'}",
                *([value, value if count == 2 else 0] if kind == 3 else [value]),
            )
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(f"{order}IH", 8, len(tags)) + fields + bytes(4) + behind


def gray_tags(width: int, height: int, strips: int) -> dict[int, tuple[int, int, int]]:
    return {
        256: (4, 1, width), 257: (4, 1, height), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1),
        273: (4, strips, 0), 277: (3, 1, 1), 278: (4, 1, max(1, height // strips)), 279: (4, strips, 0),
    }  # fmt: skip


# --- Attacks -------------------------------------------------------------------------------------------------------


def pgm_of_254() -> bytes:
    return b"P5 7700 7700 254\n" + digit(7_700).point(lambda level: min(level, 254)).tobytes()


def pgm_of_words() -> bytes:
    return b"P5 7700 7700 1000\n" + (np.asarray(digit(7_700)).astype(">u2") * 3).tobytes()


def ppm_of_254() -> bytes:
    return b"P6 7700 7700 254\n" + bytes(3 * 7_700**2)


def comments(size: int) -> bytes:
    return b"P5 #" + b"x" * size + b"\n 24 24 255\n" + digit(24).tobytes()


def many_comments() -> bytes:
    return b"P5 " + b"#\n" * 100_000_000 + b" 24 24 255\n" + digit(24).tobytes()


def plain_gray() -> bytes:
    """Sixteen megapixels of figures."""
    row = b"255 " * 1_000 + b"7 " * 1_000 + b"255 " * 2_000 + b"\n"
    return b"P2 4000 4000 255\n" + b"255 " * 4_000_000 + row * 3_000


def plain_bits() -> bytes:
    return b"P1 7000 7000\n" + (b"0" * 2_000 + b"1" * 500 + b"0" * 4_500) * 7_000


def plain_comments() -> bytes:
    return b"P2 24 24 255\n" + b"#\n" * 50_000_000 + b"#" + b"x" * 50_000_000


def endless_number() -> bytes:
    return b"P2 24 24 255\n" + b"1" * 200_000_000


def segments_of_nothing() -> bytes:
    return jpeg_with(segment(0xE5, b"") * 20_000_000)


def padding_between_segments() -> bytes:
    return jpeg_with(b"\xff" * 200_000_000)


def junk_between_segments() -> bytes:
    return jpeg_with(b"\x01" * 200_000_000)


def restarts_between_segments() -> bytes:
    return jpeg_with(b"\xff\xd0" * 100_000_000)


def exif_in_many_segments() -> bytes:
    return jpeg_with(segment(0xE1, b"Exif\0\0" + bytes(60_000)) * 4_000)


def exif_whose_tags_share() -> bytes:
    block = exif(5_000, 60_000)
    return jpeg_with(segment(0xE1, b"Exif\0\0" + block) + segment(0xE1, b"Exif\0\0" + bytes(60_000)) * 2)


def exif_in_a_png() -> bytes:
    return png_with(chunk(b"eXIf", exif(60_000, 8 << 20, 8 << 20)))


def exif_in_a_text() -> bytes:
    text = b"\nexif\n  300000\n" + exif(20_000, 200_000, 200_000).hex().encode()
    return png_with(chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text)))


def exif_in_a_webp() -> bytes:
    whole = (SEEDS / "animated.webp").read_bytes()
    flags = bytes([whole[20] | 8])
    block = exif(60_000, 8 << 20, 8 << 20)
    body = whole[8:20] + flags + whole[21:] + b"EXIF" + struct.pack("<I", len(block)) + block
    return b"RIFF" + struct.pack("<I", len(body)) + body


def chunks_of_nothing() -> bytes:
    return png_with(chunk(b"teXt", b"") * 15_000_000)


def chunks_behind_the_pixels() -> bytes:
    return png_with(b"", chunk(b"tIME", bytes(7)) * 10_000_000)


def pixels_in_many_chunks() -> bytes:
    return png_with(chunk(b"IDAT", b"") * 15_000_000)


def gigantic_text() -> bytes:
    return png_with(chunk(b"tEXt", b"Comment\0" + b"x" * (240 << 20)))


def many_profiles() -> bytes:
    profile = chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes((1 << 20) - 1)))
    return png_with(profile * 10_000)


def many_packed_texts() -> bytes:
    """Each unpacks to a mebibyte that is thrown away for its last, damaged byte."""
    packed = bytearray(zlib.compress(bytes((1 << 20) - 1)))
    packed[-1] ^= 1
    return png_with(chunk(b"zTXt", b"t\0\0" + bytes(packed)) * 9_000)


def webp_of_many_chunks() -> bytes:
    whole = (SEEDS / "animated.webp").read_bytes()
    body = whole[8:] + b"XXXX\0\0\0\0" * 25_000_000
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webp_of_many_frames() -> bytes:
    whole = (SEEDS / "animated.webp").read_bytes()
    start = whole.index(b"ANMF")
    size = 8 + struct.unpack_from("<I", whole, start + 4)[0]
    body = whole[8:] + whole[start : start + size + size % 2] * ((200 << 20) // size)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webp_of_noise() -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (7_000, 7_000, 3), np.uint8)
    return saved(Image.fromarray(noise), "WEBP", lossless=True, method=0, quality=0)


def webp_of_much_room() -> bytes:
    """As large as a picture may be, and its file as large as what is no pixel may be: together too much."""
    whole = saved(Image.new("RGB", (7_700, 7_700), "white"), "WEBP", lossless=True, method=0, quality=0)
    body = whole[8:] + b"XXXX" + struct.pack("<I", 15 << 20) + bytes(15 << 20)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def gif_of_comments() -> bytes:
    whole = (SEEDS / "gray.gif").read_bytes()
    place = whole.index(b",", 13 + (3 << (whole[10] & 7) + 1 if whole[10] & 0x80 else 0))
    return whole[:place] + b"!\xfe" + (b"\xff" + b"x" * 255) * 900_000 + b"\0" + whole[place:]


def gif_of_extensions() -> bytes:
    whole = (SEEDS / "gray.gif").read_bytes()
    place = whole.index(b",", 13 + (3 << (whole[10] & 7) + 1 if whole[10] & 0x80 else 0))
    return whole[:place] + b"!\xf9\x04\0\0\0\0\0" * 20_000_000 + whole[place:]


def bmp_in_runs(pixels: int, kind: int, body: bytes) -> bytes:
    side = int(pixels**0.5)
    head = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8 if kind == 1 else 4, kind, 0, 0, 0, 16, 16)
    content = head + bytes(64) + body
    return b"BM" + struct.pack("<IHHI", 14 + len(content), 0, 0, 14 + 40 + 64) + content


def directories_without_end() -> bytes:
    """A million directories, each after the other."""
    first = (SEEDS / "gray.tif").read_bytes()
    return first + b"".join(struct.pack("<HI", 0, len(first) + 6 * (index + 1)) for index in range(1_000_000))


def tags_that_share() -> bytes:
    """Sixty thousand tags, each of the same megabyte."""
    tags = gray_tags(24, 24, 1)
    tags |= dict.fromkeys(range(1000, 60000), (7, 1 << 20, 0))
    return tiff_with(tags, bytes(1 << 20))


def one_gigantic_tag() -> bytes:
    tags = gray_tags(24, 24, 1) | {270: (2, 240 << 20, 0)}
    return tiff_with(tags, bytes(240 << 20))


def millions_of_strips() -> bytes:
    return tiff_with(gray_tags(30, 20_000_000, 20_000_000), bytes(80_000_000))


def tiff_of_many_passes() -> bytes:
    """A JPEG of ten thousand passes in a TIFF."""
    whole = saved(digit(7_000), "JPEG", progressive=True)
    last = whole[whole.rindex(b"\xff\xda") : -2]
    jpeg = whole[:-2] + last * 10_000 + b"\xff\xd9"
    tags = gray_tags(7_000, 7_000, 1)
    tags[259] = (3, 1, 7)
    tags[273] = (4, 1, 8 + 2 + 12 * len(tags) + 4)
    tags[279] = (4, 1, len(jpeg))
    return tiff_with(tags, jpeg)


REFUSED: dict[str, Callable[[], bytes]] = {
    "comment of 200 MB": lambda: comments(200_000_000),
    "a hundred million comments": many_comments,
    "comments among figures": plain_comments,
    "endless number": endless_number,
    "segments of nothing": segments_of_nothing,
    "padding between segments": padding_between_segments,
    "junk between segments": junk_between_segments,
    "restarts between segments": restarts_between_segments,
    "Exif in many segments": exif_in_many_segments,
    "Exif whose tags share": exif_whose_tags_share,
    "Exif in a PNG": exif_in_a_png,
    "Exif in a text": exif_in_a_text,
    "Exif in a WebP": exif_in_a_webp,
    "chunks of nothing": chunks_of_nothing,
    "chunks behind the pixels": chunks_behind_the_pixels,
    "pixels in many chunks": pixels_in_many_chunks,
    "gigantic text": gigantic_text,
    "many profiles": many_profiles,
    "many packed texts": many_packed_texts,
    "WebP of many chunks": webp_of_many_chunks,
    "WebP of many frames": webp_of_many_frames,
    "WebP of noise": webp_of_noise,
    "WebP of much room": webp_of_much_room,
    "GIF of comments": gif_of_comments,
    "GIF of extensions": gif_of_extensions,
    "BMP in runs of a pixel": lambda: bmp_in_runs(50_000_000, 1, b"\1\1" * 50_000_000),
    "BMP in long runs of half bytes": lambda: bmp_in_runs(59_000_000, 2, b"\xfe\x12" * 240_000),
    "BMP of line ends": lambda: bmp_in_runs(59_000_000, 1, b"\1\1\0\0" * 7_600),
    "tags that share": tags_that_share,
    "one gigantic tag": one_gigantic_tag,
    "millions of strips": millions_of_strips,
    "TIFF of many passes": tiff_of_many_passes,
}
READ: dict[str, Callable[[], bytes]] = {
    "PGM of 254": pgm_of_254,
    "PGM of words": pgm_of_words,
    "plain gray": plain_gray,
    "plain bits": plain_bits,
    "comment of 60 kB": lambda: comments(60_000),
    "directories without end": directories_without_end,
    "a profile, Exif and texts": lambda: png_with(
        chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(500_000)))
        + chunk(b"eXIf", exif(30, 4))
        + chunk(b"tEXt", b"Comment\0a seven") * 50
    ),
    "a JPEG with a profile of many segments": lambda: jpeg_with(
        b"".join(segment(0xE2, b"ICC_PROFILE\0" + bytes((n, 40)) + bytes(60_000)) for n in range(1, 41))
        + segment(0xE1, b"Exif\0\0" + exif(30, 4))
    ),
    "TIFF of floats, not packed": lambda: saved(digit(7_700).convert("F"), "TIFF"),
    "TIFF of integers, not packed": lambda: saved(digit(7_700).convert("I"), "TIFF"),
    "TIFF of gray and alpha": lambda: saved(digit(7_700).convert("LA"), "TIFF"),
    "progressive JPEG of colours": lambda: saved(
        digit(9_900).convert("CMYK"), "JPEG", progressive=True, subsampling=0
    ),
}


SELDOM = {
    "a hundred million comments", "junk between segments", "restarts between segments", "chunks behind the pixels",
    "gigantic text", "many packed texts", "WebP of noise", "GIF of comments", "progressive JPEG of colours",
    "TIFF of integers, not packed",
}  # fmt: skip
"""What meets the same bound as another of them, and takes seconds to make: left to `make stress`."""


def cases(makers: dict[str, Callable[[], bytes]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "make",
        [
            pytest.param(make, id=name, marks=pytest.mark.stress if name in SELDOM else ())
            for name, make in makers.items()
        ],
    )


@cases(REFUSED)
def test_a_picture_of_too_much_is_refused_in_little_time_and_memory(
    make: Callable[[], bytes], tmp_path: Path
) -> None:
    path = tmp_path / "digit.png"
    path.write_bytes(make())
    found = measure("predict", path).check()
    assert found.status == 1
    assert "cannot be read" in found.err


@cases(READ)
def test_a_picture_that_only_seems_to_be_too_much_is_read(make: Callable[[], bytes], tmp_path: Path) -> None:
    path = tmp_path / "digit.png"
    path.write_bytes(make())
    found = measure("predict", path).check()
    assert found.status == 0


@pytest.mark.parametrize("kind", ["pipe", "device", "link to a device", "sparse file"])
def test_a_picture_is_a_file_of_an_end_and_is_not_waited_for(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "digit.png"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "sparse file":
        with path.open("wb") as file:
            file.truncate(8 << 30)
    elif not Path("/dev/zero").exists():
        pytest.skip("there is no endless device")
    elif kind == "device":
        path = Path("/dev/zero")
    else:
        path.symlink_to("/dev/zero")
    found = measure("predict", path).check()
    assert found.status == 1
    assert "larger than 256 MiB" in found.err if kind == "sparse file" else "a pipe or a device" in found.err


# --- Long and narrow -----------------------------------------------------------------------------------------------

NARROW = 60_000_000
CODES = {"L": (8, 0), "LA": (8, 4), "P": (8, 3), "RGBA": (8, 6), "I;16": (16, 0), "1": (1, 0)}


def narrow_png(width: int, height: int, mode: str) -> bytes:
    depth, colour = CODES[mode]
    channels = {0: 1, 4: 2, 3: 1, 6: 4}[colour]
    row = b"\0" * (1 + -(-width * depth * channels // 8))
    packer = zlib.compressobj(1)
    rows = max(1, min(height, (64 << 20) // len(row)))
    packed = b"".join(packer.compress(row * rows) for _ in range(-(-height // rows))) + packer.flush()
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    palette = chunk(b"PLTE", bytes(768)) if colour == 3 else b""
    return b"\x89PNG\r\n\x1a\n" + head + palette + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def narrow_tiff(width: int, height: int, mode: str) -> bytes:
    tags = gray_tags(width, height, 1)
    if mode == "F":
        tags |= {258: (3, 1, 32), 339: (3, 1, 3)}
    elif mode == "I":
        tags |= {258: (3, 1, 32), 339: (3, 1, 2)}
    elif mode == "I;16":
        tags[258] = (3, 1, 16)
    elif mode in ("RGBA", "LA"):
        count = len(mode)
        tags |= {262: (3, 1, 2 if mode == "RGBA" else 1), 277: (3, 1, count), 338: (3, 1, 2)}
        # Two of them stand in the tag itself.
        tags[258] = (3, count, 0 if count > 2 else 8)
    size = width * height * {"F": 4, "I": 4, "I;16": 2, "RGBA": 4, "LA": 2, "L": 1}[mode]
    # Depths of several channels stand behind the directory, and the pixels behind them.
    start = 8 + 2 + 12 * len(tags) + 4
    tags[273], tags[279] = (4, 1, start + 8), (4, 1, size)
    return tiff_with(tags, struct.pack("<4H", 8, 8, 8, 8) + bytes(size))


def narrow(modes: tuple[str, ...], often: dict[str, str]) -> pytest.MarkDecorator:
    """Both shapes of every mode; most are left to `make stress`, since they are refused before the mode matters."""
    return pytest.mark.parametrize(
        ("size", "mode"),
        [
            pytest.param(
                size, mode, id=f"{mode}-{shape}", marks=() if often.get(mode) == shape else pytest.mark.stress
            )
            for mode in modes
            for shape, size in {"wide": (NARROW, 1), "tall": (1, NARROW)}.items()
        ],
    )


@narrow(("L", "LA", "P", "RGBA", "I;16", "1"), {"L": "wide", "RGBA": "tall", "1": "tall"})
def test_a_png_of_one_row_or_column_is_refused(size: tuple[int, int], mode: str, tmp_path: Path) -> None:
    path = tmp_path / "digit.png"
    path.write_bytes(narrow_png(*size, mode))
    found = measure("predict", path).check()
    assert "times as long as wide" in found.err


@narrow(("L", "LA", "RGBA", "I;16", "I", "F"), {"L": "tall", "RGBA": "tall", "F": "wide"})
def test_a_tiff_of_one_row_or_column_is_refused(size: tuple[int, int], mode: str, tmp_path: Path) -> None:
    path = tmp_path / "digit.tif"
    path.write_bytes(narrow_tiff(*size, mode))
    found = measure("predict", path).check()
    assert "times as long as wide" in found.err


def test_the_bound_on_narrowness_is_for_what_is_brought_down() -> None:
    check_size((20, MAX_ASPECT * 20))
    check_size((MAX_ASPECT * 20, 20))
    check_size((1, DETAIL_SIDE))
    for size in ((20, MAX_ASPECT * 20 + 1), (MAX_ASPECT * 20 + 1, 20), (1, DETAIL_SIDE + 1)):
        with pytest.raises(ImageError, match="times as long as wide"):
            check_size(size)


# --- Arrays --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "array",
    [
        np.broadcast_to(np.uint8(7), (1 << 20, 1 << 20)),
        np.broadcast_to(np.float32(0), (1 << 20, 1 << 20, 4)),
        np.broadcast_to(np.uint8(7), (60_000_000, 1)),
        np.broadcast_to(np.float64(0.5), (1, 60_000_000)),
        np.broadcast_to(np.uint8(7), (1, 60_000_000, 4)),
        np.broadcast_to(np.float64(np.nan), (2_000, 2_000)),
        np.broadcast_to(np.array(None), (7_000, 7_000)),
        np.zeros((0, 1 << 40), np.uint8),
        np.broadcast_to(np.longdouble(np.inf), (7_000, 7_000)),
    ],
    ids=["terabyte", "colours", "tall", "wide", "wide colours", "NaN", "objects", "no rows", "infinity"],
)
def test_an_array_made_by_broadcasting_is_refused_at_once(array: np.ndarray) -> None:
    with pytest.raises(ImageError):
        prepare(array)


ARRAYS = """
import sys, numpy as np
from edgedigits.errors import ImageError
from edgedigits.picture.prepare import prepare
kind, shape = sys.argv[1], eval(sys.argv[2])
array = np.broadcast_to(np.linspace(0, 1, shape[1]).astype(kind)[:, None][: shape[1]], (shape[0], shape[1], 1))
if len(shape) == 3:
    array = np.broadcast_to(array, shape)
array = array[::-1, ::-1]
try:
    print(prepare(array).shape)
except ImageError as error:
    print(error)
status = open("/proc/self/status").read()
peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
print(int(peak.split()[1]) // 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads memory from /proc")
@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        # Each type but one in one shape, each shape in two types; the other pairs are for `make stress`.
        pytest.param(
            kind, shape, marks=() if often == kind_index % 3 and kind != "bool" else pytest.mark.stress
        )
        for often, shape in enumerate(("(7700, 7700, 4)", "(7700, 7700)", "(600, 76000, 3)"))
        for kind_index, kind in enumerate(
            ("uint8", "uint16", "float32", "float64", "longdouble", "int64", "bool")
        )
    ],
)
def test_the_largest_arrays_take_little_time_and_memory(kind: str, shape: str) -> None:
    import resource
    import subprocess
    import sys

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    child = subprocess.run([sys.executable, "-c", ARRAYS, kind, shape], capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert child.returncode == 0, child.stderr
    said, peak = child.stdout.splitlines()
    assert said == "(28, 28)" or said.startswith("picture (ndarray): ")
    assert int(peak) < 1024
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 10


# --- PNM is read as Pillow reads it --------------------------------------------------------------------------------


@given(
    st.integers(1, 6),
    st.integers(1, 9),
    st.integers(1, 9),
    st.sampled_from((1, 2, 100, 254, 255, 256, 1_000, 65_535)),
    st.sampled_from((b" ", b"\n", b"\t\r\n", b" #a 1 comment\n", b"\n#\r#\n")),
    st.integers(0, 2**32),
)
def test_a_pnm_file_is_read_as_pillow_reads_it(
    kind: int, width: int, height: int, highest: int, blank: bytes, seed: int
) -> None:
    chance = np.random.default_rng(seed)
    count = width * height * (3 if kind in (3, 6) else 1)
    head = [b"P%d" % kind, b"%d" % width, b"%d" % height, *([b"%d" % highest] if kind not in (1, 4) else [])]
    if kind == 4:
        body = chance.bytes(-(-width // 8) * height)
    elif kind == 1:
        body = b"".join(b"%d" % bit for bit in chance.integers(0, 2, count))
    else:
        levels = chance.integers(0, highest + 1, count)
        body = levels.astype(">u2" if highest > 255 else np.uint8).tobytes()
        if kind in (2, 3):
            body = b"\n".join(b"%d" % level for level in levels)
    content = blank.join(head) + b"\n" + body
    with Image.open(io.BytesIO(content)) as expected:
        found = read_pnm(content)
        assert found.size == expected.size
        modes = ("L", "L") if "1" in (found.mode, expected.mode) else (found.mode, expected.mode)
        ours, theirs = found.convert(modes[0]), expected.convert(modes[1])
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


@pytest.mark.parametrize(
    "content",
    [
        b"P5 0 9 255\n", b"P5 9 9 0\n" + bytes(81), b"P5 9 9 65536\n" + bytes(162), b"P5 9 9 255\n" + bytes(80),
        b"P2 2 2 255\n1 2 3", b"P2 2 2 255\n1 2 3 256", b"P2 2 2 255\n1 2 3 x", b"P2 2 2 255\n1 2 3 -4",
        b"P1 2 2\n1 0 1", b"P1 2 2\n1 0 1 2", b"P4 9 9\n" + bytes(17), b"P3 1 1 255\n1 2", b"P6 1 1 255\n12",
        b"P5 9", b"P5 9 9", b"P5\n" + b"9" * 99, b"P2 2 2 255\n1 2 3 00000000004", b"P5 9 9 255",
    ],
    ids=lambda content: repr(content[:24]),
)  # fmt: skip
def test_a_damaged_pnm_file_is_refused(content: bytes) -> None:
    with pytest.raises(ImageError, match="cannot be read: "):
        read_pnm(content)


def test_comments_among_figures_are_passed_over() -> None:
    found = read_pnm(
        b"P2 2 2 255 # four\n1 2 # two of them\r\n3 #" + b"x" * (3 << 20) + b"\n 4 # and no more"
    )
    assert np.asarray(found).tolist() == [[1, 2], [3, 4]]
