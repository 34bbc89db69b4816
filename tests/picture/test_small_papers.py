"""Small boxes on patterned paper, images of few pixels, noisy images in MNIST's form, several digits, odd inputs."""

import io

import numpy as np
import pytest
from drawn_sevens import encoded, seven, similarity
from PIL import Image, ImageDraw

from edgedigits.errors import ImageError, ImageNotFoundError
from edgedigits.picture.form import centre_of_mass
from edgedigits.picture.levels import Pixels
from edgedigits.picture.noise import LEAST_PEAK, OFF_CENTRE, is_noisy_form, without_noise
from edgedigits.picture.patterned import LARGEST_CUT, WIDEST_CUT, on_patterned_paper
from edgedigits.picture.prepare import prepare
from edgedigits.picture.stripes import DARK, LIGHT, without_stripes
from edgedigits.picture.tiny import LARGEST_TINY, tiny_digit
from edgedigits.predictor import DigitPredictor

# --- Patterned paper -----------------------------------------------------------------------------------------------


def waves(shape: tuple[int, int], strength: float) -> np.ndarray:
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(float)
    return strength * (0.5 + 0.5 * np.sin(2 * np.pi * (rows + 2 * np.sin(columns / 6)) / 3.5))


def patterned(strength: float = 45, size: tuple[int, int] = (48, 44)) -> Pixels:
    """A seven on waves of a printed pattern, light fading from the left to the right."""
    ink = 1 - np.asarray(seven(size, pen=5), float) / 255
    paper = 225 - waves(ink.shape, strength)
    levels = (paper + (60 - paper) * ink) * np.linspace(1, 0.85, ink.shape[1])
    return np.rint(levels).astype(np.uint8)


@pytest.mark.parametrize("strength", [10, 30, 60])
def test_a_printed_pattern_is_no_ink(strength: float) -> None:
    assert similarity(prepare(patterned(strength)), prepare(seven((48, 44), pen=5))) > 0.9


def test_neighbours_at_the_border_are_no_ink() -> None:
    levels = patterned()
    levels[5:30, :3] = 50
    levels[20:40, -3:] = 50
    assert similarity(prepare(levels), prepare(seven((48, 44), pen=5))) > 0.9


def test_a_ring_is_not_read_by_its_hole() -> None:
    picture = Image.new("L", (40, 30), 200)
    ImageDraw.Draw(picture).ellipse((2, 2, 37, 27), outline=80, width=4)
    levels = np.asarray(picture, float) - waves((30, 40), 30)
    pixels = prepare(np.rint(levels).astype(np.uint8))
    assert pixels[14, 14] < 60
    assert DigitPredictor().predict(np.rint(levels).astype(np.uint8)).digit == 0


@pytest.mark.parametrize(
    ("size", "is_found"),
    [
        ((LARGEST_CUT, LARGEST_CUT), True),
        ((LARGEST_CUT + 1, LARGEST_CUT), False),
        ((15, 24), False),
        ((int(40 * WIDEST_CUT), 40), True),
        ((int(40 * WIDEST_CUT) + 1, 40), False),
    ],
)
def test_only_small_boxes_are_looked_at_so(size: tuple[int, int], is_found: bool) -> None:
    assert (on_patterned_paper(np.asarray(seven(size, pen=max(2, min(size) // 14)))) is not None) is is_found


# --- Few pixels ----------------------------------------------------------------------------------------------------


def few(side: int) -> Pixels:
    image = seven((side * 12, side * 12), pen=18, ink=255, paper=0)
    box = image.getbbox()
    return np.asarray(image.crop(box).resize((side, side), Image.Resampling.BOX))


def test_a_picture_of_few_pixels_is_enlarged_as_it_is() -> None:
    pixels = prepare(few(8))
    rows, columns = np.nonzero(pixels)
    assert max(np.ptp(rows), np.ptp(columns)) + 1 in (19, 20)
    assert similarity(pixels, prepare(np.invert(few(8)))) > 0.99


def test_the_levels_of_few_pixels_may_be_any() -> None:
    faint = (few(8) // 5 + 90).astype(np.uint8)
    assert similarity(prepare(faint), prepare(few(8))) > 0.98


@pytest.mark.parametrize("side", [LARGEST_TINY, LARGEST_TINY + 1])
def test_both_sides_of_few_pixels_are_read(side: int) -> None:
    assert similarity(prepare(few(side)), prepare(few(8))) > 0.75


@pytest.mark.parametrize("level", [0, 90, 255])
def test_few_pixels_of_one_level_show_nothing(level: int) -> None:
    with pytest.raises(ImageError, match="shows nothing: ink and paper do not differ"):
        tiny_digit(np.full((8, 8), level, np.uint8))


def test_a_speck_among_few_pixels_shows_nothing() -> None:
    speck = np.zeros((8, 8), np.uint8)
    speck[4, 4] = 255
    with pytest.raises(ImageError, match="no more than a speck"):
        prepare(speck)


# --- Noise in MNIST's form -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def in_form(reference: Pixels) -> Pixels:
    """A seven of broad strokes, in MNIST's form."""
    return prepare(seven(pen=14))


def with_line(pixels: Pixels) -> Pixels:
    image = Image.fromarray(pixels)
    ImageDraw.Draw(image).line((0, 3, 27, 25), fill=255, width=1)
    return np.asarray(image)


def test_a_line_over_an_image_moves_nothing(in_form: Pixels) -> None:
    noisy = with_line(in_form)
    assert is_noisy_form(noisy)
    assert np.array_equal(prepare(noisy), noisy)
    assert np.array_equal(prepare(np.invert(noisy)), noisy)


def test_drops_beside_the_digit_go(in_form: Pixels) -> None:
    noisy = in_form.copy()
    noisy[1, 1] = noisy[26, 3:5] = 255
    assert similarity(prepare(noisy), in_form) > 0.99
    assert np.array_equal(without_noise(noisy), in_form)


@pytest.mark.parametrize(("shift", "is_form"), [(int(OFF_CENTRE) - 1, True), (int(OFF_CENTRE) + 3, False)])
def test_a_digit_away_from_the_middle_is_centred(shift: int, is_form: bool, in_form: Pixels) -> None:
    moved = np.roll(in_form, shift, axis=1)
    assert is_noisy_form(moved) is is_form
    if not is_form:
        assert similarity(prepare(moved), in_form) > 0.97


@pytest.mark.parametrize(("shift", "is_form"), [(0, True), (3, False)])
def test_a_blurred_digit_stays_where_it_lies_as_mnist_s_do(shift: int, is_form: bool) -> None:
    thin = prepare(seven(pen=6))
    blurred = np.mean([np.roll(thin, (step, -step), axis=(0, 1)) for step in range(-3, 4)], axis=0).astype(
        np.uint8
    )
    blurred = np.roll(blurred, shift, axis=1)
    assert LEAST_PEAK <= blurred.max() < 250
    assert is_noisy_form(blurred) is is_form


def test_a_line_within_the_digits_box_moves_nothing() -> None:
    image = Image.fromarray(prepare(seven(pen=9)))
    ImageDraw.Draw(image).line(
        (4, 10, 9, 23, 4, 23, 9, 12, 5, 20, 9, 17, 4, 13, 8, 21, 4, 16), fill=255, width=1
    )
    noisy = np.asarray(image)
    assert abs(centre_of_mass(noisy)[1] - 14) > OFF_CENTRE
    assert is_noisy_form(noisy)


def test_faint_images_are_in_no_form(in_form: Pixels) -> None:
    assert not is_noisy_form(with_line(in_form) // 2)
    assert not is_noisy_form(np.maximum(with_line(in_form), 20))
    assert not is_noisy_form(np.zeros((28, 28), np.uint8))


# --- Stripes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [slice(0, 30), slice(40, 80), slice(100, 120)])
def test_ink_is_light_where_stripes_of_paper_are_dark(place: slice, reference: Pixels) -> None:
    levels = np.array(seven())
    levels[:, place] = 255 - levels[:, place]
    assert similarity(prepare(levels), reference) > 0.95
    lying = np.array(seven())
    lying[place] = 255 - lying[place]
    assert similarity(prepare(lying), reference) > 0.95


@pytest.mark.parametrize(("dark", "is_inverted"), [(DARK, True), (DARK + 1, False)])
def test_stripes_are_far_apart_in_tone(dark: int, is_inverted: bool) -> None:
    levels = np.full((40, 40), 255, np.uint8)
    levels[:, :10] = dark
    assert bool(without_stripes(levels)[0, 0] == 255 - dark) is is_inverted


@pytest.mark.parametrize(("light", "is_inverted"), [(LIGHT, True), (LIGHT - 1, False)])
def test_both_tones_are_those_of_stripes(light: int, is_inverted: bool) -> None:
    levels = np.full((40, 40), light, np.uint8)
    levels[:, :10] = 0
    assert bool(without_stripes(levels)[0, 0] == 255) is is_inverted


@pytest.mark.parametrize(("width", "is_inverted"), [(4, True), (3, False)])
def test_lines_are_no_stripes(width: int, is_inverted: bool) -> None:
    levels = np.full((40, 40), 255, np.uint8)
    levels[:, 20 : 20 + width] = 0
    assert bool(without_stripes(levels)[0, 20] == 255) is is_inverted


def test_a_shape_at_one_side_is_no_stripe() -> None:
    levels = np.full((40, 40), 255, np.uint8)
    levels[:30, :10] = 0
    assert without_stripes(levels) is levels


# --- Several digits ------------------------------------------------------------------------------------------------


def row_of(count: int, gap: int = 30) -> Image.Image:
    picture = Image.new("L", (40 + count * (70 + gap), 140), 250)
    for place in range(count):
        picture.paste(seven((70, 100), pen=8, paper=250), (20 + place * (70 + gap), 20))
    return picture


@pytest.mark.parametrize("count", [2, 3, 5])
def test_several_digits_are_counted_and_placed(count: int) -> None:
    picture = row_of(count)
    with pytest.raises(ImageError, match=f"{count} parts of a digit's size beside each other") as raised:
        prepare(picture)
    first = 100 * (20 + 35) / picture.width
    found = str(raised.value).split(" at ")[1].split(" %")[0].split(", ")
    assert len(found) == count
    assert abs(float(found[0]) - first) < 3


def test_one_digit_is_not_several() -> None:
    assert similarity(prepare(row_of(1)), prepare(seven((70, 100), pen=8))) > 0.9


def test_the_halves_of_a_digit_are_not_several() -> None:
    picture = Image.new("L", (100, 120), 255)
    canvas = ImageDraw.Draw(picture)
    canvas.arc((25, 20, 75, 100), 100, 260, fill=0, width=6)
    canvas.arc((25, 20, 75, 100), 280, 80, fill=0, width=6)
    assert DigitPredictor().predict(picture).digit == 0


# --- Odd inputs ----------------------------------------------------------------------------------------------------


def test_batches_of_one_are_read(reference: Pixels) -> None:
    gray = np.asarray(seven())
    colours = np.asarray(seven().convert("RGB"))
    for array in (
        gray[np.newaxis],
        gray[:, :, np.newaxis],
        gray[np.newaxis, :, :, np.newaxis],
        colours[np.newaxis],
    ):
        assert np.array_equal(prepare(array), reference)


@pytest.mark.parametrize("shape", [(2, 28, 28), (1, 1, 28, 28), (0, 28, 28), (1, 2, 28, 28, 1)])
def test_batches_of_more_are_told(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match=r"expected an array \(h, w\) or \(h, w, 1 to 4\)"):
        prepare(np.zeros(shape, np.uint8))


def test_bytes_of_any_kind_are_read(reference: Pixels) -> None:
    data = encoded(seven())
    for picture in (data, bytearray(data), memoryview(data), memoryview(np.asarray(seven()).copy())):
        assert np.array_equal(prepare(picture), reference)


def test_a_file_at_its_end_is_told(reference: Pixels) -> None:
    file = io.BytesIO(encoded(seven()))
    assert np.array_equal(prepare(file), reference)
    with pytest.raises(ImageError, match=r"the file is at its end; call seek\(0\) first"):
        prepare(file)
    with pytest.raises(ImageError, match="the file is empty"):
        prepare(io.BytesIO())


@pytest.mark.parametrize(
    "address", ["https://example.org/7.png", "HTTP://x", "s3://bucket/7.png", "data:image/png;base64,"]
)
def test_an_address_is_told(address: str) -> None:
    with pytest.raises(ImageNotFoundError, match="nothing is fetched; download it and name the file"):
        prepare(address)


def test_one_picture_is_no_batch() -> None:
    for picture in (bytearray(b"x"), memoryview(b"x")):
        with pytest.raises(ImageError, match="expects several pictures, got one"):
            DigitPredictor().predict_batch(picture)
