"""The steps of the way, one by one."""

import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from drawn_sevens import encoded, seven, similarity, with_alpha
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from edgedigits.picture.form import (
    centre_of_mass,
    centred,
    cropped,
    dilated,
    fitted,
    ink_box,
    is_mnist_form,
    thickened,
)
from edgedigits.picture.gray import on_paper
from edgedigits.picture.levels import Pixels, as_levels, stroke_width
from edgedigits.picture.limits import DETAIL_SIDE
from edgedigits.picture.prepare import prepare
from edgedigits.picture.reading import at_a_fraction, opened, read_picture
from edgedigits.picture.scaling import shrunk_image


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([False, True]), [0, 255]),
        (np.array([0, 1, 255], np.uint8), [0, 1, 255]),
        (np.array([0, 1, 255], np.int32), [0, 1, 255]),
        (np.array([0, 257, 65535], np.uint16), [0, 1, 255]),
        *(
            (np.array([0, top // 2 + 1, top], dtype), [0, 128, 255])
            for top in (1023, 4095, 16383, 65535)
            for dtype in (np.uint16, np.int32, np.int64)
        ),
        # One more than a depth holds is of the next one.
        *((np.array([0, top + 1], np.uint16), [0, 64]) for top in (1023, 4095, 16383)),
        (np.array([0, 256], np.uint16), [0, 64]),
        (np.array([0.0, 0.5, 1.0]), [0, 128, 255]),
        (np.array([0.0, 1.0, 255.0]), [0, 1, 255]),
        (np.array([0.0, 0.25], np.float16), [0, 64]),
    ],
    ids=str,
)
def test_as_levels_reads_numbers_as_it_says(array: Any, expected: list[int]) -> None:
    levels = as_levels(array)
    assert levels.dtype == np.uint8
    assert levels.tolist() == expected


def png_of_colours(levels: Any) -> bytes:
    """A PNG of 16 bits per colour, (h, w, 3) uint16, which Pillow does not write (RFC 2083, section 4.1)."""
    height, width = levels.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in levels)
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    chunks = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def as_tiff(levels: Any) -> bytes:
    return encoded(Image.fromarray(levels.astype(np.uint16)), "TIFF")


DEEP: dict[str, Callable[[Any], Any]] = {
    "uint16": lambda levels: levels.astype(np.uint16),
    "int32": lambda levels: levels.astype(np.int32),
    "big-endian": lambda levels: levels.astype(">u2"),
    "mode I": lambda levels: Image.fromarray(levels.astype(np.int32)),
    "mode I;16": lambda levels: Image.fromarray(levels.astype(np.uint16)),
    "PNG": lambda levels: encoded(Image.fromarray(levels.astype(np.uint16))),
    "TIFF": as_tiff,
    "PNG in colours": lambda levels: png_of_colours(np.repeat(levels[:, :, None], 3, axis=2)),
}


@pytest.mark.parametrize("form", DEEP)
@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize(("ink", "paper"), [(0.0, 1.0), (1.0, 0.0), (0.1, 0.8), (0.9, 0.2)], ids=str)
def test_a_digit_of_any_depth_is_the_digit(
    form: str, bits: int, ink: float, paper: float, reference: Pixels
) -> None:
    share = np.asarray(seven(ink=255, paper=0), np.float64) / 255
    levels = np.rint((2**bits - 1) * (paper + (ink - paper) * share)).astype(np.int64)
    pixels = prepare(DEEP[form](levels))
    assert similarity(pixels, reference) > 0.98


def test_shrunk_brings_the_longer_side_to_1024() -> None:
    assert shrunk_image(Image.new("L", (5120, 40)), DETAIL_SIDE).size == (1024, 8)
    assert shrunk_image(Image.new("L", (9999, 1)), DETAIL_SIDE).size == (1024, 1)
    small = Image.new("L", (1024, 9))
    assert shrunk_image(small, DETAIL_SIDE) is small


def test_read_picture_decodes_a_large_jpeg_at_a_fraction_of_its_size() -> None:
    photo = encoded(seven((6000, 4000), pen=200), "JPEG")
    with opened(photo) as image:
        assert at_a_fraction(image).size == (1500, 1000)
    assert read_picture(photo).shape == (683, 1024)


@pytest.mark.parametrize(("colour", "paper"), [(0, 255), (255, 0)], ids=["dark ink", "light ink"])
def test_on_paper_puts_ink_on_the_opposite_tone(colour: int, paper: int) -> None:
    mask = Image.eval(seven(), lambda level: 255 - level)
    flat = on_paper(with_alpha(mask, colour))
    assert flat[0, 0] == paper
    assert flat[np.asarray(mask) == 255].tolist() == [colour] * int((np.asarray(mask) == 255).sum())


def test_ink_box_ends_are_exclusive() -> None:
    pixels = np.zeros((28, 28), np.uint8)
    assert ink_box(pixels) is None
    pixels[3:8, 10:12] = 5
    assert ink_box(pixels) == (3, 8, 10, 12)
    assert ink_box(pixels, above=5) is None


def test_cropped_keeps_all_ink_and_nothing_else() -> None:
    ink = np.pad(np.full((9, 4), 255, np.uint8), ((1, 2), (3, 4)))
    assert cropped(ink).shape == (9, 4)


@pytest.mark.parametrize(("diagonally", "area"), [(False, 5), (True, 9)])
def test_dilated_grows_by_a_pixel(diagonally: bool, area: int) -> None:
    dot = np.pad(np.full((1, 1), 255, np.uint8), 3)
    assert np.count_nonzero(dilated(dot, diagonally=diagonally)) == area


@pytest.mark.parametrize("pen", [1, 2, 4])
def test_thickened_brings_thin_strokes_to_the_width_of_mnist(pen: int) -> None:
    thick = thickened(cropped(np.asarray(seven(pen=pen, ink=255, paper=0))))
    # In units of the final 20 pixels; a step of growth is half a unit.
    assert stroke_width(thick) * 20 / max(thick.shape) == pytest.approx(1.8, abs=0.3)


def test_thickened_leaves_broad_strokes_alone() -> None:
    ink = cropped(np.asarray(seven((240, 200), pen=40, ink=255, paper=0)))
    np.testing.assert_array_equal(thickened(ink), ink)


@pytest.mark.parametrize("shape", [(80, 30), (30, 80), (5, 5), (200, 1), (20, 7)])
def test_fitted_makes_the_longer_side_20_and_the_peak_255(shape: tuple[int, int]) -> None:
    small = fitted(np.full(shape, 90, np.uint8))
    assert max(small.shape) == 20
    assert small.max() == 255


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20)), elements=st.integers(1, 255)))
def test_centred_puts_the_centre_of_mass_in_the_middle(ink: Pixels) -> None:
    frame = centred(ink)
    assert frame.sum(dtype=int) == ink.sum(dtype=int)
    box = ink_box(frame)
    assert box is not None
    top, bottom, left, right = box
    row, column = centre_of_mass(frame)
    for position, start, end in ((row, top, bottom), (column, left, right)):
        assert abs(position - 14) <= 0.501 or start == 0 or end == 28


def test_is_mnist_form_says_no_to_what_only_resembles_it(reference: Pixels) -> None:
    assert is_mnist_form(reference)
    assert not is_mnist_form(np.zeros((28, 28), np.uint8))
    assert not is_mnist_form(255 - reference)
    assert not is_mnist_form(np.roll(reference, 2, axis=1))
    assert not is_mnist_form(reference // 2)
    noisy = reference.copy()
    noisy[0, 0] = 1
    assert not is_mnist_form(noisy)


def test_is_mnist_form_says_no_to_a_line_of_single_pixels() -> None:
    line = np.zeros((28, 28), np.uint8)
    line[4:24, 14] = 255
    line[4, 12:17] = 255
    row, column = centre_of_mass(line)
    assert abs(column - 14) < 0.5
    line = np.roll(line, round(14 - row), axis=0)
    assert not is_mnist_form(line)
    assert stroke_width(prepare(line)) > 1.4
