"""``DigitPredictor.read``: what it takes, where boxes lie, and how it refuses."""

import io
import pickle
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import edgedigits
from edgedigits import shipped
from edgedigits.errors import (
    ArgumentError,
    ArgumentTypeError,
    ImageError,
    ImageNotFoundError,
    ImageTypeError,
    ModelFileError,
)
from edgedigits.metadata import ModelMetadata
from edgedigits.predictor import DigitPredictor

Number = Callable[[str], Image.Image]
TEXT = "0728"
GOLDEN = sorted((Path(__file__).parent / "golden" / "pictures").iterdir())


@pytest.fixture(scope="module")
def predictor() -> DigitPredictor:
    return DigitPredictor()


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


PICTURES: dict[str, Callable[[Image.Image, Path], object]] = {
    "path": lambda _, path: path,
    "text": lambda _, path: str(path),
    "bytes": lambda image, _: encoded(image),
    "bytearray": lambda image, _: bytearray(encoded(image)),
    "memoryview": lambda image, _: memoryview(encoded(image)),
    "open file": lambda image, _: io.BytesIO(encoded(image)),
    "image": lambda image, _: image,
    "colours": lambda image, _: image.convert("RGB"),
    "transparent": lambda image, _: image.convert("LA"),
    "array": lambda image, _: np.asarray(image),
    "array of one": lambda image, _: np.asarray(image)[np.newaxis],
    "array of colours": lambda image, _: np.asarray(image.convert("RGB")),
    "pixels in memory": lambda image, _: memoryview(np.ascontiguousarray(image)),
    "floats": lambda image, _: np.asarray(image) / 255,
    "light on dark": lambda image, _: 255 - np.asarray(image),
}


@pytest.mark.parametrize("kind", PICTURES)
def test_every_form_of_a_picture_is_read(
    kind: str, predictor: DigitPredictor, number: Number, tmp_path: Path
) -> None:
    image = number(TEXT)
    image.save(tmp_path / "number.png")
    reading = predictor.read(PICTURES[kind](image, tmp_path / "number.png"))  # type: ignore[arg-type]
    assert (reading.text, reading.size) == (TEXT, image.size)
    assert [sign.box for sign in reading.lines[0].signs] == [
        sign.box for sign in predictor.read(image).lines[0].signs
    ]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_are_upright(orientation: int, predictor: DigitPredictor, number: Number) -> None:
    """As people see the picture, whatever way up the camera was held."""
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    image = number(TEXT)
    lying = image if orientation == 1 else image.transpose(turns[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    reading = predictor.read(encoded(lying, exif=exif))
    assert (reading.text, reading.size) == (TEXT, image.size)
    assert reading.lines[0].box == predictor.read(image).lines[0].box


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "image", "array"])
def test_boxes_of_a_large_picture_are_in_its_own_pixels(
    kind: str, predictor: DigitPredictor, number: Number
) -> None:
    """A JPEG of 9 megapixels is decoded at a fraction of its size, and any picture is read at 1024 pixels at most."""
    image = number(TEXT)
    large = image.resize((17 * image.width, 17 * image.height), Image.Resampling.BICUBIC)
    pictures = {"image": large, "array": np.asarray(large)}
    reading = predictor.read(pictures[kind] if kind in pictures else encoded(large, kind))
    assert (reading.text, reading.size) == (TEXT, large.size)
    small = predictor.read(image).lines[0].box
    # Boxes are of whole pixels: two of the picture as it was read, at most, and two of the small one.
    assert max(abs(a - 17 * b) for a, b in zip(reading.lines[0].box, small, strict=True)) <= 17 * 2 + 2 * 5


def test_boxes_lie_within_the_picture(predictor: DigitPredictor, number: Number) -> None:
    """Also of digits that are cut to their ink."""
    pixels = np.asarray(number(TEXT))
    rows, columns = (np.flatnonzero((pixels < 128).any(axis=axis)) for axis in (1, 0))
    cut = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    reading = predictor.read(cut)
    for line in reading.lines:
        for left, top, right, bottom in (sign.box for sign in line.signs):
            assert 0 <= left < right <= cut.shape[1]
            assert 0 <= top < bottom <= cut.shape[0]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name)
def test_a_lone_digit_is_read_as_predict_reads_it(path: Path, predictor: DigitPredictor) -> None:
    reading = predictor.read(path)
    assert reading.text == path.name[0]
    ((left, top, right, bottom),) = [sign.box for sign in reading.lines[0].signs]
    assert 0 <= left < right <= reading.size[0]
    assert 0 <= top < bottom <= reading.size[1]


def test_an_empty_sheet_is_an_empty_reading(predictor: DigitPredictor) -> None:
    reading = predictor.read(np.full((60, 200), 230, np.uint8))
    assert (reading.text, reading.lines, reading.sure, reading.size) == ("", (), False, (200, 60))


def test_the_least_lead_of_a_predictor_is_that_of_its_digits(number: Number) -> None:
    image = number(TEXT)
    steps = [sign.margin_steps for sign in DigitPredictor().read(image).lines[0].digits]
    for least in (0, min(steps), min(steps) + 1, 256):
        reading = DigitPredictor(min_margin=least).read(image)
        assert [sign.sure for sign in reading.lines[0].digits] == [lead >= least for lead in steps]
        assert reading.sure == (min(steps) >= least)


@pytest.mark.parametrize(
    ("picture", "error", "said"),
    [
        ("none.png", ImageNotFoundError, r"none\.png: cannot be read: No such file"),
        (b"no picture", ImageError, r"picture \(bytes\): cannot be read: not a PNG"),
        (b"", ImageError, "the file is empty"),
        (7, ImageTypeError, "expected a path, bytes, an open file, a PIL image or an array, got int"),
        (np.zeros((2, 3, 28, 28), np.uint8), ImageError, r"expected an array \(h, w\)"),
        (np.zeros((0, 5), np.uint8), ImageError, "it has no pixels"),
        (np.zeros((8, 8), "U1"), ImageTypeError, "expected numbers"),
        (np.zeros((1, 4000), np.uint8), ImageError, "more than 128 times as long as wide"),
    ],
    ids=["missing", "no picture", "empty", "number", "batch", "no pixels", "letters", "narrow"],
)
def test_what_is_no_picture_is_told(
    picture: object, error: type[Exception], said: str, predictor: DigitPredictor
) -> None:
    with pytest.raises(error, match=said):
        predictor.read(picture)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"digits": 0}, ArgumentError),
        ({"digits": "4"}, ArgumentTypeError),
        ({"pattern": "dx"}, ArgumentError),
        ({"pattern": 5}, ArgumentTypeError),
        ({"pattern": "dd", "digits": 2}, ArgumentError),
    ],
    ids=["none", "text", "letters", "number", "both"],
)
def test_a_form_that_is_none_is_told(
    options: dict[str, object], error: type[Exception], predictor: DigitPredictor
) -> None:
    with pytest.raises(error):
        predictor.read(np.full((60, 200), 230, np.uint8), **options)  # type: ignore[arg-type]


def test_a_network_of_other_classes_reads_no_numbers(number: Number, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = DigitPredictor(shipped.default_model())
    labels = tuple("abcdefghij")
    monkeypatch.setattr(
        predictor, "metadata", ModelMetadata(**{**vars(predictor.metadata), "labels": labels})
    )
    with pytest.raises(ModelFileError, match=r"its classes are no digits; use predict"):
        predictor.read(number(TEXT))


@pytest.mark.parametrize("model", ["tiny-4k", "digits.onnx", "digits.int8.onnx"])
def test_any_network_of_digits_reads_numbers(model: str, number: Number) -> None:
    path = model if model in shipped.TINY else Path(__file__).parents[1] / "models" / model
    assert DigitPredictor(path).read(number("70")).text == "70"


def test_threads_and_pickled_predictors_read_the_same(predictor: DigitPredictor, number: Number) -> None:
    images = [number(text) for text in (TEXT, "41", "9", "0035")]
    alone = [predictor.read(image) for image in images]
    found: list[list[edgedigits.Reading]] = []
    threads = [
        threading.Thread(target=lambda: found.append([predictor.read(image) for image in images]))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [alone] * 4
    assert [pickle.loads(pickle.dumps(predictor)).read(image) for image in images] == alone  # noqa: S301 - ours
    assert pickle.loads(pickle.dumps(alone)) == alone  # noqa: S301 - ours


def test_the_network_for_numbers_by_its_name_reads_as_the_default_does(number: Number) -> None:
    by_name = DigitPredictor("numbers")
    again = pickle.loads(pickle.dumps(by_name))  # noqa: S301 - ours
    for text in ("8", "0728"):
        expected = DigitPredictor().read(number(text))
        assert by_name.read(number(text)) == again.read(number(text)) == expected
