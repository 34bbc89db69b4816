"""Pictures that cannot be read, each with its reason."""

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_sevens import encoded, seven, similarity
from PIL import Image

from edgedigits.errors import ImageError
from edgedigits.picture import limits
from edgedigits.picture.levels import Pixels
from edgedigits.picture.prepare import prepare


def png_claiming(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header claims any size."""
    chunks = b""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b"")):
        chunks += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return b"\x89PNG\r\n\x1a\n" + chunks


UNREADABLE: dict[str, tuple[Any, str]] = {
    "empty-file": (b"", "the file is empty"),
    "text": (b"this is no picture", "not a PNG"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "not a PNG"),
    "signature-only": (b"\x89PNG\r\n\x1a\n", "cannot be read"),
    "bitmap-in-name-only": (b"BM and more", "cannot be read"),
    "half-a-png": (encoded(seven())[:100], "cut off"),
    "half-a-jpeg": (encoded(seven(), "JPEG")[:700], "cut off"),
    "bomb": (png_claiming(60_000, 60_000), "at most 60 megapixels"),
    "a-little-too-large": (png_claiming(10_000, 10_001), "at most 60 megapixels"),
    "no-pixels": (Image.new("L", (0, 7)), "no pixels"),
    "closed-file": (io.BytesIO(), "file is empty"),
    "text-file": (io.StringIO("text"), "open it in binary mode"),
    "nothing": (None, "got NoneType"),
    "number": (7, "got int"),
    "list": ([[0, 1], [1, 0]], "got list"),
    "array-object": (np.full((9, 9), None), "dtype object"),
    "array-text": (np.full((9, 9), "x"), "dtype <U1"),
    "array-complex": (np.zeros((9, 9), complex), "dtype complex128"),
    "array-nan": (np.full((9, 9), np.nan), "NaN or infinity"),
    "array-infinity": (np.where(np.eye(9) > 0, np.inf, 0), "NaN or infinity"),
    "array-negative": (np.eye(9) - 0.5, "expected levels 0..1 or 0..255, found -0.5..0.5"),
    "array-float-too-large": (np.eye(9) * 1000, "expected levels 0..1 or 0..255, found 0..1000"),
    "array-int-too-large": (
        np.eye(9, dtype=int) * 70_000,
        "expected levels 0..255 or 0..65535, found 0..70000",
    ),
    "array-int-negative": (-np.eye(9, dtype=int), "found -1..0"),
    "array-scalar": (np.array(5), "expected an array (h, w) or (h, w, 1 to 4), got ()"),
    "array-1d": (np.zeros(784, np.uint8), "got (784,)"),
    "array-channels-first": (np.zeros((3, 28, 28), np.uint8), "got (3, 28, 28)"),
    "array-4d": (np.zeros((2, 28, 28, 1), np.uint8), "got (2, 28, 28, 1)"),
    "array-empty": (np.zeros((0, 28), np.uint8), "no pixels"),
    "array-huge": (np.broadcast_to(np.uint8(0), (20_000, 20_000)), "at most 60 megapixels"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_prepare_says_why_a_picture_cannot_be_read(case: str) -> None:
    picture, reason = UNREADABLE[case]
    with pytest.raises(ImageError) as caught:
        prepare(picture)
    assert reason in str(caught.value)
    assert "0x" not in str(caught.value), "an address says nothing to a reader"


BLANK: dict[str, Any] = {
    "white": Image.new("RGB", (50, 50), "white"),
    "black": np.zeros((28, 28), np.uint8),
    "clear": Image.new("RGBA", (50, 50)),
    "clear-palette": Image.new("LA", (50, 50), (255, 0)),
    "one-pixel": np.full((1, 1), 9, np.uint8),
    "slope": np.tile(np.linspace(140, 200, 200).astype(np.uint8), (100, 1)),
    "grain": np.random.default_rng(0).normal(200, 5, (200, 150)).clip(0, 255).astype(np.uint8),
    "faint": np.asarray(seven(ink=251, paper=255)),
    "speck": np.pad(np.full((2, 2), 255, np.uint8), 40),
}


@pytest.mark.parametrize("case", BLANK)
def test_prepare_refuses_pictures_that_show_nothing(case: str) -> None:
    with pytest.raises(ImageError, match="shows nothing"):
        prepare(BLANK[case])


def test_prepare_names_the_file(tmp_path: Path) -> None:
    missing = tmp_path / "a\nb.png"
    with pytest.raises(ImageError) as caught:
        prepare(missing)
    assert str(caught.value).startswith(f"{tmp_path}/a\\nb.png: cannot be read: No such file")


def test_prepare_takes_paths_kept_in_bytes(tmp_path: Path, reference: Pixels) -> None:
    seven().save(tmp_path / "ü seven.png")
    (tmp_path / "text.png").write_text("no picture")
    good, bad = sorted(os.scandir(os.fsencode(tmp_path)), key=lambda entry: entry.name, reverse=True)
    assert similarity(prepare(good), reference) == 1
    with pytest.raises(ImageError, match=r"text\.png: cannot be read: not a PNG"):
        prepare(bad)


def test_prepare_refuses_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"x\.png: cannot be read: Is a directory"):
        prepare((tmp_path / "x.png").mkdir() or tmp_path / "x.png")


def test_prepare_refuses_a_name_with_a_null_byte() -> None:
    with pytest.raises(ImageError, match="null"):
        prepare("a\0b.png")


def test_prepare_refuses_a_closed_file() -> None:
    file = io.BytesIO(encoded(seven()))
    file.close()
    with pytest.raises(ImageError, match="closed file"):
        prepare(file)


def test_prepare_refuses_files_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_FILE_BYTES", 2**20)
    with pytest.raises(ImageError, match="larger than 1 MiB"):
        prepare(io.BytesIO(bytes(2**20 + 1)))


@pytest.mark.parametrize("part", range(64))
def test_prepare_of_a_truncated_file_is_whole_or_an_image_error(part: int) -> None:
    picture = seven((64, 64)).convert("RGB")
    whole = encoded(picture)
    try:
        pixels = prepare(whole[: len(whole) * part // 64])
    except ImageError:
        return
    # Only the end mark of the format is lacking.
    assert part > 55
    np.testing.assert_array_equal(pixels, prepare(picture))
