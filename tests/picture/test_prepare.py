"""From any picture to the form of MNIST: the whole way."""

import contextlib
import io
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from drawn_sevens import GOLDEN, drawings, encoded, seven, similarity, with_alpha
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageDraw

from edgedigits.errors import ImageError
from edgedigits.picture.form import (
    ink_box,
    is_mnist_form,
)
from edgedigits.picture.gray import without_blocks
from edgedigits.picture.levels import Pixels, stroke_width
from edgedigits.picture.prepare import prepare


def assert_mnist_form(pixels: Pixels) -> None:
    assert pixels.shape == (28, 28)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    box = ink_box(pixels)
    assert box is not None
    assert max(box[1] - box[0], box[3] - box[2]) <= 20
    assert pixels.max() == 255


def transparent_palette() -> Image.Image:
    picture = seven().convert("RGB").quantize(2)
    lightest = int(np.asarray(picture)[0, 0])
    picture.info["transparency"] = lightest
    return picture


def card_with_clear_corners() -> Image.Image:
    picture = seven().convert("RGBA")
    alpha = Image.new("L", picture.size)
    ImageDraw.Draw(alpha).rounded_rectangle((0, 0, 119, 99), radius=30, fill=255)
    picture.putalpha(alpha)
    return picture


FORMS: dict[str, Callable[[], Any]] = {
    "1-bit": lambda: seven().convert("1"),
    "L": seven,
    "LA": lambda: seven().convert("LA"),
    "palette": lambda: seven().convert("RGB").quantize(8),
    "palette-transparent-paper": transparent_palette,
    "RGB": lambda: seven().convert("RGB"),
    "RGBA": lambda: seven().convert("RGBA"),
    "RGBA-black-ink-in-alpha": lambda: with_alpha(Image.eval(seven(), lambda level: 255 - level), 0),
    "RGBA-white-ink-in-alpha": lambda: with_alpha(Image.eval(seven(), lambda level: 255 - level), 255),
    "RGBA-card-with-clear-corners": card_with_clear_corners,
    "LA-ink-in-alpha": lambda: with_alpha(Image.eval(seven(), lambda level: 255 - level), 0).convert("LA"),
    "CMYK": lambda: seven().convert("CMYK"),
    "YCbCr": lambda: seven().convert("RGB").convert("YCbCr"),
    "I;16": lambda: Image.fromarray(np.asarray(seven()).astype(np.uint16) * 257),
    "I": lambda: seven().convert("I"),
    "I-16-bit-levels": lambda: Image.fromarray(np.asarray(seven()).astype(np.int32) * 257),
    "F": lambda: seven().convert("F"),
    "F-unit": lambda: Image.fromarray(np.asarray(seven()).astype(np.float32) / 255),
    "light-on-dark": lambda: seven(ink=255, paper=0),
    "gray-on-gray": lambda: seven(ink=110, paper=150),
    "light-gray-on-dark-gray": lambda: seven(ink=120, paper=70),
    "enlarged": lambda: seven().resize((1200, 1000), Image.Resampling.BICUBIC),
    "array-uint8": lambda: np.asarray(seven()),
    "array-one-channel": lambda: np.asarray(seven())[:, :, np.newaxis],
    "array-gray-alpha": lambda: np.asarray(seven().convert("LA")),
    "array-rgb": lambda: np.asarray(seven().convert("RGB")),
    "array-rgba": lambda: np.asarray(seven().convert("RGBA")),
    "array-rgb-float": lambda: np.asarray(seven().convert("RGB")) / 255.0,
    "array-bool": lambda: np.asarray(seven()) > 127,
    "array-uint16": lambda: np.asarray(seven()).astype(np.uint16) * 257,
    "array-int64": lambda: np.asarray(seven()).astype(np.int64),
    "array-float16": lambda: (np.asarray(seven()) / 255).astype(np.float16),
    "array-float-255": lambda: np.asarray(seven()).astype(np.float64),
    "array-big-endian": lambda: np.asarray(seven()).astype(">u2"),
    "array-negative-strides": lambda: np.ascontiguousarray(np.asarray(seven())[::-1, ::-1])[::-1, ::-1],
    "array-fortran": lambda: np.asfortranarray(np.asarray(seven())),
    "array-every-other-pixel": lambda: np.asarray(seven().resize((240, 200), Image.Resampling.NEAREST))[
        ::2, ::2
    ],
    "bytes-png": lambda: encoded(seven()),
    "bytes-jpeg": lambda: encoded(seven(), "JPEG", quality=80),
    "bytes-gif": lambda: encoded(seven(), "GIF"),
    "bytes-bmp": lambda: encoded(seven(), "BMP"),
    "bytes-tiff": lambda: encoded(seven(), "TIFF"),
    "bytes-webp": lambda: encoded(seven(), "WEBP"),
    "bytes-ppm": lambda: encoded(seven(), "PPM"),
    "bytes-animated-gif": lambda: encoded(
        seven(), "GIF", save_all=True, append_images=[Image.new("L", (120, 100), 9)]
    ),
    "open-file": lambda: io.BytesIO(encoded(seven())),
}


@pytest.mark.parametrize("form", FORMS)
def test_prepare_sees_the_same_digit_in_every_form(form: str, reference: Pixels) -> None:
    pixels = prepare(FORMS[form]())
    assert_mnist_form(pixels)
    # 0.93: JPEG's rings, and one-bit edges, move some edge pixels; another digit or a turned one is below 0.6.
    assert similarity(pixels, reference) > 0.93


@given(
    hnp.arrays(
        np.uint8, st.tuples(st.integers(8, 14), st.integers(8, 14)), elements=st.sampled_from([0, 90, 255])
    ),
    st.integers(1, 7),
)
def test_enlarged_pixels_are_brought_back(small: Pixels, times: int) -> None:
    small[0, :2] = 1, 2  # So that it is not itself made of larger squares.
    large = np.kron(small, np.ones((times, times), np.uint8))
    np.testing.assert_array_equal(without_blocks(large), small)


def test_a_picture_without_enlarged_pixels_is_left_alone() -> None:
    small = np.kron(np.eye(7, dtype=np.uint8), np.ones((10, 10), np.uint8))
    assert without_blocks(small).shape == (70, 70)
    shifted = np.pad(np.kron(np.eye(20, dtype=np.uint8), np.ones((4, 4), np.uint8)), ((1, 3), (0, 4)))
    assert without_blocks(shifted).shape == (84, 84)
    columns_only = np.kron(np.eye(20, dtype=np.uint8), np.ones((1, 4), np.uint8))
    assert without_blocks(columns_only).shape == (20, 80)


@pytest.mark.mnist
def test_a_digit_of_mnist_comes_back_bit_for_bit_from_enlarged_pixels(mnist_test: Any) -> None:
    for pixels in mnist_test.images[:50]:
        large = np.kron(pixels, np.ones((10, 10), np.uint8))
        np.testing.assert_array_equal(prepare(large), pixels)
        np.testing.assert_array_equal(prepare(255 - large), pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_prepare_turns_pictures_by_their_orientation_tag(orientation: int, reference: Pixels) -> None:
    stored = {
        1: lambda picture: picture,
        2: lambda picture: picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: lambda picture: picture.transpose(Image.Transpose.ROTATE_180),
        4: lambda picture: picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: lambda picture: picture.transpose(Image.Transpose.TRANSPOSE),
        6: lambda picture: picture.transpose(Image.Transpose.ROTATE_90),
        7: lambda picture: picture.transpose(Image.Transpose.TRANSVERSE),
        8: lambda picture: picture.transpose(Image.Transpose.ROTATE_270),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = prepare(encoded(stored[orientation](seven()), "PNG", exif=exif))
    np.testing.assert_array_equal(pixels, reference)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name)
def test_prepare_brings_golden_pictures_into_mnist_form(path: Path) -> None:
    pixels = prepare(path)
    assert_mnist_form(pixels)
    assert is_mnist_form(pixels)
    np.testing.assert_array_equal(prepare(str(path)), pixels)
    np.testing.assert_array_equal(prepare(path.read_bytes()), pixels)
    with path.open("rb") as file:
        np.testing.assert_array_equal(prepare(file), pixels)


def prepared(picture: Pixels) -> Pixels:
    """Prepare a drawing; one in which chance drew a dash or a blot is refused, and no example."""
    try:
        return prepare(picture)
    except ImageError:
        hypothesis.reject()


@given(drawings())
@settings(deadline=None, max_examples=150)
def test_prepare_leaves_its_own_result_as_it_is(picture: Pixels) -> None:
    once = prepared(picture)
    assert_mnist_form(once)
    np.testing.assert_array_equal(prepare(once), once)


@pytest.mark.parametrize("pen", [2, 5, 9])
@pytest.mark.parametrize("paper", [255, 200])
def test_prepare_gives_nearly_the_same_for_the_negative(pen: int, paper: int) -> None:
    picture = np.asarray(seven(pen=pen, ink=20, paper=paper))
    # Contrast is a ratio, so the soft edges of the two differ a little.
    assert similarity(prepare(255 - picture), prepare(picture)) > 0.97


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40)))
@settings(deadline=None, max_examples=300)
def test_prepare_gives_a_picture_or_an_image_error_for_any_array(picture: Pixels) -> None:
    before = picture.copy()
    with contextlib.suppress(ImageError):
        assert_mnist_form(prepare(picture))
    np.testing.assert_array_equal(picture, before)


@given(
    st.binary(max_size=200), st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"]), st.data()
)
@settings(deadline=None, max_examples=300)
def test_prepare_survives_damaged_files(noise: bytes, kind: str, data: st.DataObject) -> None:
    whole = encoded(seven((40, 40)), kind)
    at = data.draw(st.integers(0, len(whole)))
    damaged = whole[:at] + noise + whole[at + data.draw(st.integers(0, 20)) :]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with contextlib.suppress(ImageError):
            assert_mnist_form(prepare(damaged))


def test_prepare_does_not_return_the_array_it_was_given(reference: Pixels) -> None:
    pixels = prepare(reference)
    assert not np.shares_memory(pixels, reference)


def test_prepare_takes_read_only_memory(reference: Pixels) -> None:
    frozen = np.asarray(seven()).copy()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(prepare(frozen), reference)


def test_prepare_leaves_a_pil_image_as_it_was() -> None:
    picture = Image.open(io.BytesIO(encoded(seven((1200, 1000)), "JPEG")))
    prepare(picture)
    assert (picture.mode, picture.size) == ("L", (1200, 1000))


def test_prepare_leaves_an_open_file_open() -> None:
    file = io.BytesIO(encoded(seven()))
    prepare(file)
    assert not file.closed


@pytest.mark.parametrize("side", [280, 1000, 2500])
def test_prepare_keeps_lines_of_one_pixel(side: int) -> None:
    pixels = prepare(seven((side, side), pen=1))
    # MNIST's strokes are 1.8 to 3.3 wide (10th and 90th percentile).
    assert 1.8 < stroke_width(pixels) < 3.3


@pytest.mark.mnist
def test_prepare_passes_mnist_through_bit_for_bit(mnist_test: Any) -> None:
    for pixels in mnist_test.images:
        np.testing.assert_array_equal(prepare(pixels), pixels)


@pytest.mark.mnist
def test_prepare_turns_negatives_of_mnist_round_bit_for_bit(mnist_test: Any) -> None:
    for pixels in mnist_test.images:
        np.testing.assert_array_equal(prepare(255 - pixels), pixels)


@pytest.mark.mnist
def test_mnist_in_a_png_comes_out_bit_for_bit(mnist_test: Any) -> None:
    for pixels in mnist_test.images[:200]:
        np.testing.assert_array_equal(prepare(encoded(Image.fromarray(pixels))), pixels)


def test_prepare_in_threads_leaves_warning_filters_alone() -> None:
    before = list(warnings.filters)
    data = encoded(transparent_palette())
    threads = [threading.Thread(target=lambda: [prepare(data) for _ in range(50)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warnings.filters == before
