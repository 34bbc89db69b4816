"""Pictures that accidents and attackers make: one line of ours, at once, within a GiB, or a picture after all."""

import io
import os
import random
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from edgedigits.errors import ImageError
from edgedigits.picture.levels import Pixels
from edgedigits.picture.limits import MAX_JPEG_PIXELS, MAX_PIXELS
from edgedigits.picture.prepare import prepare
from edgedigits.picture.reading import Picture, webp_size

SEEDS = Path(__file__).parents[1] / "fuzz" / "seeds"
PICTURES = sorted(path for path in SEEDS.iterdir() if not path.name.startswith("small"))
SECONDS = 10.0
MEBIBYTES = 1024

posix = pytest.mark.skipif(os.name != "posix", reason="pipes and permissions as POSIX has them")


def prepared(picture: Picture) -> Pixels | None:
    """A 28x28 picture, or None where it was refused; any other exception fails the test."""
    try:
        pixels = prepare(picture)
    except ImageError:
        return None
    assert (pixels.shape, pixels.dtype) == ((28, 28), np.uint8)
    return pixels


def predict(*arguments: object, peak: Path, **options: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, Path(__file__).with_name("measured_cli.py"), peak, "predict", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=2 * SECONDS, **options)


def picture_of(size: tuple[int, int], kind: str, **options: object) -> bytes:
    image = Image.new("L", size, 255)
    image.paste(0, (size[0] // 3, size[1] // 5, size[0] // 2, 4 * size[1] // 5))
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


# --- Accidents -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_a_whole_picture_is_read(path: Path) -> None:
    assert prepared(path) is not None


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_a_picture_cut_off_anywhere_is_read_or_refused(path: Path) -> None:
    whole = path.read_bytes()
    results = [prepared(whole[: len(whole) * part // 64]) for part in range(64)]
    assert results[0] is None
    assert results[4] is None


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_flipped_bits_give_a_picture_or_are_refused(path: Path) -> None:
    whole = path.read_bytes()
    chance = random.Random(path.name)  # noqa: S311 - places, not secrets
    for _ in range(40):
        damaged = bytearray(whole)
        for _ in range(chance.choice((1, 1, 8))):
            damaged[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        prepared(bytes(damaged))


@pytest.mark.parametrize("name", ["animated.gif", "animated.webp"])
def test_of_an_animation_the_first_frame_counts(name: str) -> None:
    with Image.open(SEEDS / name) as animation:
        assert animation.n_frames == 2
        first = animation.convert("RGBA")
    # Lossy WebP, and a GIF's palette, move gray levels a little.
    np.testing.assert_allclose(prepare(SEEDS / name), prepare(first), atol=24)


@pytest.mark.parametrize("suffix", [".jpg", ".txt", ".onnx", ""], ids=lambda suffix: suffix or "none")
def test_the_suffix_does_not_matter(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"seven{suffix}"
    path.write_bytes((SEEDS / "gray.png").read_bytes())
    np.testing.assert_array_equal(prepare(path), prepare(SEEDS / "gray.png"))


@pytest.mark.parametrize(
    "content",
    [b"This is a letter, not a picture.\n" * 20, b"<svg/>", b"\0" * 5_000, b"GIF89a", b"%PDF-1.7"],
    ids=["text", "SVG", "zeros", "a signature", "PDF"],
)
def test_what_is_called_png_and_is_none_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "digit.png"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r"digit\.png: cannot be read: "):
        prepare(path)


# --- Arrays --------------------------------------------------------------------------------------------------------

DTYPES = (
    "uint8", "int8", "uint16", ">u2", "int32", "int64", "uint64", "bool", "float16", "float32", ">f8", "longdouble",
    "complex64", "object", "U3", "S3", "datetime64[s]", "timedelta64[D]",
)  # fmt: skip


@given(
    st.sampled_from(DTYPES).flatmap(
        lambda dtype: hnp.arrays(
            np.dtype(dtype),
            hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=34),
            elements=st.integers(-3, 300) if dtype == "object" else None,
            fill=st.just(0) if dtype == "object" else None,
        )
    )
)
def test_any_array_at_all_gives_a_picture_or_is_refused(array: np.ndarray) -> None:
    before = array.copy()
    prepared(array)
    assert array.tobytes() == before.tobytes()


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40))), st.sampled_from(range(6)))
def test_the_memory_layout_does_not_matter(array: np.ndarray, layout: int) -> None:
    arranged = (
        np.ascontiguousarray(array[::-1])[::-1],
        np.ascontiguousarray(array[:, ::-1])[:, ::-1],
        np.asfortranarray(array),
        np.repeat(array, 2, axis=0)[::2],
        np.frombuffer(array.tobytes(), np.uint8).reshape(array.shape),
        array.view(np.matrix),
    )[layout]
    assert not (layout == 4 and arranged.flags.writeable)
    one, other = prepared(array), prepared(arranged)
    assert (one is None) == (other is None)
    if one is not None:
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "array",
    [
        np.broadcast_to(np.float64(0), (10**6, 10**6)),
        np.lib.stride_tricks.as_strided(np.zeros(9, np.uint8), (3_000, 3_000), (0, 0)),
        np.zeros((30, 30), [("a", "u1"), ("b", "f4")]),
        np.array([[memoryview(b"x"), None], [print, 3]], object),
        np.full((30, 30), np.finfo(np.float64).max),
        np.full((30, 30), 5e-324),
    ],
    ids=["a terabyte", "one byte for all", "records", "objects", "largest", "smallest"],
)
def test_an_odd_array_is_refused(array: np.ndarray) -> None:
    with pytest.raises(ImageError):
        prepare(array)


# --- Attacks -------------------------------------------------------------------------------------------------------


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_header(width: int, height: int, more: bytes = b"") -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + header
        + more
        + chunk(b"IDAT", zlib.compress(b"\0" * 100))
        + chunk(b"IEND", b"")
    )


def gigantic_bmp() -> bytes:
    return b"BM" + struct.pack(
        "<IHHIIiiHHIIiiII", 1_000, 0, 0, 54, 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0
    )


def gigantic_gif() -> bytes:
    return (
        b"GIF89a"
        + struct.pack("<HHBBB", 60_000, 60_000, 0x80, 0, 0)
        + b"\0" * 6
        + b","
        + bytes(9)
        + b"\2\2L\1\0;"
    )


def gigantic_tiff() -> bytes:
    entries = [
        (256, 4, 60_000),
        (257, 4, 60_000),
        (258, 3, 8),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 8),
        (278, 4, 60_000),
        (279, 4, 99),
    ]
    fields = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + fields + bytes(4)


def gigantic_webp(name: str, kind: bytes) -> bytes:
    """A WebP whose header says 16,383 x 16,383, in one of the three ways in which one can."""
    content = bytearray((SEEDS / name).read_bytes())
    assert content[12:16] == kind
    if kind == b"VP8X":
        content[24:30] = struct.pack("<I", 16_382)[:3] * 2
    elif kind == b"VP8L":
        content[21:25] = struct.pack("<I", 16_382 | 16_382 << 14)
    else:
        content[26:30] = struct.pack("<HH", 16_383, 16_383)
    return bytes(content)


def jpeg_of_many_passes() -> bytes:
    """A picture of 98 megapixels that asks for ten thousand passes over them, in 2 MB."""
    whole = picture_of((9_900, 9_900), "JPEG", progressive=True)
    last = whole[whole.rindex(b"\xff\xda") : -2]
    return whole[:-2] + last * 10_000 + b"\xff\xd9"


def gigantic_text() -> bytes:
    return png_header(9, 9, chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(500 << 20), 1)))


def gigantic_profile() -> bytes:
    return png_header(9, 9, chunk(b"iCCP", b"profile\0\0" + zlib.compress(bytes(500 << 20), 1)))


def folders_in_a_circle() -> bytes:
    """A TIFF whose directory comes after itself."""
    content = bytearray((SEEDS / "gray.tif").read_bytes())
    (first,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, first)
    struct.pack_into("<I", content, first + 2 + 12 * count, first)
    return bytes(content)


ATTACKS: dict[str, tuple[Callable[[], bytes], bool]] = {
    "PNG of 60,000 x 60,000": (lambda: png_header(60_000, 60_000), False),
    "PNG without pixels": (lambda: png_header(0, 0), False),
    "PNG of 2**31 x 1": (lambda: png_header(2**31 - 1, 1), False),
    "BMP of 60,000 x 60,000": (gigantic_bmp, False),
    "GIF of 60,000 x 60,000": (gigantic_gif, False),
    "TIFF of 60,000 x 60,000": (gigantic_tiff, False),
    "WebP of 16,383 x 16,383": (lambda: gigantic_webp("animated.webp", b"VP8X"), False),
    "lossless WebP of that size": (lambda: gigantic_webp("lossless.webp", b"VP8L"), False),
    "lossy WebP of that size": (lambda: gigantic_webp("lossy.webp", b"VP8 "), False),
    "PPM of 60,000 x 60,000": (lambda: b"P6 60000 60000 255\n" + bytes(100), False),
    "JPEG of many passes": (jpeg_of_many_passes, False),
    "text of 500 MB": (gigantic_text, False),
    "profile of 500 MB": (gigantic_profile, False),
    "directories in a circle": (folders_in_a_circle, True),
    "largest PNG": (lambda: picture_of((7_700, 7_700), "PNG", compress_level=1), True),
    "largest JPEG": (lambda: picture_of((9_900, 9_900), "JPEG", progressive=True), True),
    "largest WebP": (lambda: picture_of((7_700, 7_700), "WEBP", lossless=True, method=0, quality=0), True),
    "largest TIFF of floats": (
        lambda: _saved(
            Image.fromarray(np.tile(np.repeat(np.float32([0, 99, 0]), 2_500), (7_500, 1))), "TIFF"
        ),
        True,
    ),
}


def _saved(image: Image.Image, kind: str) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, compression="tiff_adobe_deflate")
    return content.getvalue()


@pytest.mark.parametrize(("make", "is_read"), ATTACKS.values(), ids=list(ATTACKS))
def test_a_bomb_is_defused_at_once_in_little_memory(
    make: Callable[[], bytes], is_read: bool, tmp_path: Path
) -> None:
    path, peak = tmp_path / "bomb.png", tmp_path / "peak"
    path.write_bytes(make())
    started = time.monotonic()
    child = predict(path, peak=peak)
    assert time.monotonic() - started < SECONDS
    assert int(peak.read_text()) < MEBIBYTES
    lines = (child.stdout if is_read else child.stderr).splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"{path}: " if is_read else f"edgedigits: {path}: cannot be read: ")
    assert child.returncode == (0 if is_read else 1)
    assert child.stderr == "" or not is_read


@pytest.mark.parametrize("name", ["animated.webp", "lossless.webp", "lossy.webp"])
def test_the_size_of_a_webp_picture_is_read_as_pillow_does(name: str) -> None:
    with Image.open(SEEDS / name) as image:
        assert webp_size((SEEDS / name).read_bytes()) == image.size


def test_the_largest_sizes_are_those_that_the_documents_name() -> None:
    assert (MAX_PIXELS, MAX_JPEG_PIXELS) == (60_000_000, 100_000_000)


# --- As the command meets them -------------------------------------------------------------------------------------


def test_complaints_of_decoders_stay_out_of_the_terminal(tmp_path: Path) -> None:
    # libtiff writes to standard error by itself.
    content = bytearray((SEEDS / "fax.tif").read_bytes())
    content[8:14] = b"\xff" * 6
    (tmp_path / "fax.tif").write_bytes(content)
    child = predict(tmp_path / "fax.tif", peak=tmp_path / "peak")
    assert len((child.stdout + child.stderr).splitlines()) == 1


def test_a_folder_that_is_called_like_a_picture_is_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "digit.png"
    folder.mkdir()
    child = predict(folder, peak=tmp_path / "peak")
    assert (child.returncode, child.stdout) == (1, "")
    (line,) = child.stderr.splitlines()
    assert "no pictures in this folder" in line
    (folder / "inside.png").write_bytes((SEEDS / "gray.png").read_bytes())
    assert "inside.png: " in predict(folder, peak=tmp_path / "peak").stdout


@posix
def test_a_name_with_line_breaks_is_one_line(tmp_path: Path) -> None:
    good, bad = tmp_path / "a\nb\x1b[2J.png", tmp_path / "c\nd\r.png"
    good.write_bytes((SEEDS / "gray.png").read_bytes())
    bad.write_bytes(b"no picture")
    child = predict(good, bad, peak=tmp_path / "peak")
    (line,), (complaint,) = child.stdout.splitlines(), child.stderr.splitlines()
    assert r"a\nb\x1b[2J.png: 7" in line
    assert "no picture" not in complaint
    assert r"c\nd\r.png: cannot be read" in complaint


@posix
def test_a_picture_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes((SEEDS / "gray.png").read_bytes())
    path.chmod(0)
    if os.access(path, os.R_OK):  # The superuser may read anything, but not list what no process may.
        path = Path("/proc/self/mem")
        if not path.exists():
            pytest.skip("nothing here may not be read")
    with pytest.raises(ImageError, match=r"cannot be read: .*; name a picture file that you may read"):
        prepare(path)


@posix
@pytest.mark.parametrize("share", [0.0, 0.5, 0.98], ids=["at once", "halfway", "almost at the end"])
def test_a_pipe_that_closes_early_is_told(share: float, tmp_path: Path) -> None:
    whole = (SEEDS / "float.tif").read_bytes()
    child = predict(
        "-", peak=tmp_path / "peak", input=None, stdin=_pipe_with(whole[: int(share * len(whole))])
    )
    assert (child.returncode, child.stdout) == (1, "")
    (line,) = child.stderr.splitlines()
    assert line.startswith("edgedigits: ")
    assert "cannot be read: " in line


def _pipe_with(content: bytes) -> int:
    """The reading end of a pipe whose writer wrote so much and went away."""
    reader, writer = os.pipe()
    os.write(writer, content)
    os.close(writer)
    return reader


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
@pytest.mark.parametrize("more", [(), ("--json",), ("--show",)], ids=["text", "json", "show"])
def test_a_full_disk_behind_standard_output_is_told(more: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        child = subprocess.run(
            [sys.executable, "-m", "edgedigits", "predict", *more, SEEDS / "gray.png"],
            stdout=full, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    assert child.returncode == 1
    assert (
        child.stderr
        == "edgedigits: the result cannot be written (No space left on device); free some space\n"
    )
