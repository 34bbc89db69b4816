"""The ink is found: under shadows, on lines, among specks, in frames; and paper without a digit is refused."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw, ImageFilter

from edgedigits.datasets.split import Split
from edgedigits.errors import ImageError
from edgedigits.picture.contrast import ink_contrast, polarity
from edgedigits.picture.digit import find_digit
from edgedigits.picture.levels import Pixels
from edgedigits.picture.prepare import prepare
from edgedigits.predictor import DigitPredictor

Sheet = npt.NDArray[np.float64]
SIZE = (420, 360)


def seven(pen: int = 16, scale: float = 1.0, at: tuple[int, int] = (210, 180)) -> Sheet:
    """A seven with a bar as a share of ink, float (360, 420), 0..1."""
    picture = Image.new("L", SIZE)
    canvas = ImageDraw.Draw(picture)

    def place(x: float, y: float) -> tuple[float, float]:
        return at[0] + 150 * scale * x, at[1] + 150 * scale * y

    points = [place(-0.4, -0.7), place(0.4, -0.7), place(-0.1, 0.7)]
    canvas.line(points, fill=255, width=pen, joint="curve")
    canvas.line([place(-0.2, 0), place(0.35, 0)], fill=255, width=pen)
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(0.7)), np.float64) / 255


def on_sheet(ink: Sheet, paper: float = 235, tone: float = 40) -> Sheet:
    return paper * (1 - ink) + tone * ink


def polygon_shadow(points: list[tuple[int, int]], light: float, blur: float = 0.0) -> Sheet:
    shape = Image.new("L", SIZE)
    ImageDraw.Draw(shape).polygon(points, fill=255)
    share = np.asarray(shape.filter(ImageFilter.GaussianBlur(blur)), float) / 255
    return np.asarray(1 - (1 - light) * share)


HALF = [(230, 0), (420, 0), (420, 360), (150, 360)]
BAR = [(0, 250), (0, 150), (420, 60), (420, 160)]
ROWS, COLUMNS = np.mgrid[0:360, 0:420]


def grain(level: float) -> Sheet:
    return np.random.default_rng(0).normal(0, level, (360, 420))


def with_lines(sheet: Sheet) -> Sheet:
    lined = np.array(sheet)
    lined[20::40] *= 0.8
    return lined


def with_specks(sheet: Sheet) -> Sheet:
    specked = np.array(sheet)
    for y, x in np.random.default_rng(0).integers(5, 350, (12, 2)):
        specked[y : y + 3, x : x + 3] = 30
    return specked


def framed(sheet: Sheet) -> Sheet:
    window = np.full((360, 420), 210.0)
    small = np.asarray(Image.fromarray(sheet.astype(np.float32)).resize((300, 257)))
    window[68:329, 58:362] = 40
    window[70:327, 60:360] = small
    window[:30] = 60
    return window


def on_table(sheet: Sheet) -> Sheet:
    table = np.array(sheet)
    table[:, :25] = 70
    table[340:] = 70
    return table


SCENES: dict[str, Callable[[Sheet], Sheet]] = {
    "clean": on_sheet,
    "light on dark": lambda ink: on_sheet(ink, 40, 230),
    "slope": lambda ink: on_sheet(ink) * (0.5 + 0.5 * COLUMNS / 420),
    "corners in the dark": lambda ink: (
        on_sheet(ink) * (1 - 0.5 * (((COLUMNS - 210) / 210) ** 2 + ((ROWS - 180) / 180) ** 2) / 2)
    ),
    "hard shadow": lambda ink: on_sheet(ink) * polygon_shadow(HALF, 0.45),
    "soft shadow": lambda ink: on_sheet(ink) * polygon_shadow(HALF, 0.45, 15),
    "shadow of an arm": lambda ink: on_sheet(ink) * polygon_shadow(BAR, 0.5, 1),
    "chalk in a shadow": lambda ink: on_sheet(ink, 70, 220) * polygon_shadow(HALF, 0.6),
    "grain": lambda ink: on_sheet(ink) + grain(12),
    "pencil": lambda ink: on_sheet(ink, 200, 150) + grain(3),
    "ruled": lambda ink: with_lines(on_sheet(ink)),
    "specks": lambda ink: with_specks(on_sheet(ink)),
    "window": lambda ink: framed(on_sheet(ink)),
    "table": lambda ink: on_table(on_sheet(ink)),
}
NOTHING = np.zeros((360, 420))


def as_levels(scene: Sheet) -> Pixels:
    return np.asarray(np.clip(np.rint(scene), 0, 255), np.uint8)


@pytest.fixture(scope="module")
def reference() -> Pixels:
    return prepare(as_levels(on_sheet(seven())))


@pytest.mark.parametrize("scene", SCENES)
def test_the_digit_is_found_in_every_light(scene: str, reference: Pixels) -> None:
    pixels = prepare(as_levels(SCENES[scene](seven())))
    # Grain and the rounding of the crop move edges by a pixel; with anything else in the picture it is below 0.8.
    assert np.corrcoef(pixels.ravel(), reference.ravel())[0, 1] > 0.9


# A bar of shadow, or a broad soft edge of one, is ink to anybody who sees no digit beside it.
@pytest.mark.parametrize(
    "scene", [scene for scene in SCENES if scene not in ("soft shadow", "shadow of an arm")]
)
def test_paper_without_a_digit_is_refused(scene: str) -> None:
    with pytest.raises(ImageError, match="shows nothing"):
        find_digit(as_levels(SCENES[scene](NOTHING)))


@pytest.mark.parametrize("pen", [2, 6, 16, 40])
@pytest.mark.parametrize("scale", [0.4, 1.0])
def test_any_pen_and_size_is_found(pen: int, scale: float) -> None:
    width = max(1, round(pen * scale))
    ink = find_digit(as_levels(on_sheet(seven(width, scale, at=(120, 130)))))
    rows, columns = np.nonzero(ink > 127)
    height, breadth = np.ptp(rows) + 1, np.ptp(columns) + 1
    drawn = np.nonzero(seven(width, scale, at=(120, 130)) > 0.5)
    assert height / breadth == pytest.approx((np.ptp(drawn[0]) + 1) / (np.ptp(drawn[1]) + 1), rel=0.08)


@pytest.mark.parametrize("side", [24, 60, 200])
@pytest.mark.parametrize("margin", [0, 1, 5])
def test_a_picture_cut_to_its_digit_is_read(side: int, margin: int, reference: Pixels) -> None:
    ink = seven(30)
    rows, columns = np.nonzero(ink > 0.5)
    cut = ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    size = round(side * cut.shape[1] / cut.shape[0]), side
    small = np.asarray(Image.fromarray(cut.astype(np.float32)).resize(size, Image.Resampling.BOX))
    picture = as_levels(255 - 255 * np.pad(small, margin))
    for toned in (picture, 255 - picture):
        # The reference was drawn with half as broad a pen.
        assert np.corrcoef(prepare(toned).ravel(), reference.ravel())[0, 1] > 0.8


@pytest.mark.parametrize("slope", [(0.0, 0.0), (0.4, 0.0), (-0.3, 0.3)])
@pytest.mark.parametrize("pen", [8, 30])
def test_a_picture_cut_to_its_digit_is_read_in_light_that_falls_off(
    slope: tuple[float, float], pen: int
) -> None:
    ink = seven(pen)
    rows, columns = np.nonzero(ink > 0.5)
    box = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
    height, width = ink[box].shape
    light = 1 - slope[0] * np.linspace(0, 1, height)[:, np.newaxis] - slope[1] * np.linspace(0, 1, width)
    even = prepare(as_levels(on_sheet(ink)))
    cut = prepare(as_levels((on_sheet(ink))[box] * light))
    # The box is cut at half the ink, so all is larger by a few percent.
    assert np.corrcoef(cut.ravel(), even.ravel())[0, 1] > 0.8


@pytest.mark.parametrize("scene", SCENES)
def test_small_photographs_are_read_as_large_ones(scene: str, reference: Pixels) -> None:
    large = Image.fromarray(as_levels(SCENES[scene](seven())))
    small = np.asarray(large.resize((105, 90), Image.Resampling.BOX))
    # What is a frame of two pixels, or a speck of three, is half a pixel here.
    if scene not in ("window", "specks"):
        assert np.corrcoef(prepare(small).ravel(), reference.ravel())[0, 1] > 0.8


@pytest.mark.parametrize("tones", [(0, 255), (255, 0), (30, 200), (240, 120)])
@pytest.mark.parametrize("at", [(75, 130), (420 - 75, 130), (200, 107), (200, 360 - 107)])
def test_a_digit_at_the_edge_of_a_canvas_is_read(
    tones: tuple[int, int], at: tuple[int, int], reference: Pixels
) -> None:
    paper, ink = tones
    pixels = prepare(as_levels(paper + (ink - paper) * seven(at=at)))
    assert np.corrcoef(pixels.ravel(), reference.ravel())[0, 1] > 0.9


@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        (np.full((60, 60), 200, np.uint8), "do not differ"),
        (as_levels(255 - 255.0 * ((ROWS - 180) ** 2 + (COLUMNS - 210) ** 2 < 60**2)), "blot"),
        (as_levels(255 - 255.0 * (abs(ROWS - 180) < 5) * (abs(COLUMNS - 210) < 100)), "dash"),
        (as_levels(200 + grain(6)), "stands out"),
    ],
    ids=["one tone", "disc", "dash", "grain"],
)
def test_what_is_no_digit_is_refused_with_its_reason(picture: Pixels, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        find_digit(picture)


@pytest.mark.parametrize("pen", [2, 8, 16, 30])
@pytest.mark.parametrize("scene", ["clean", "slope", "hard shadow", "soft shadow", "grain", "table"])
def test_polarity_is_positive_for_dark_ink(pen: int, scene: str) -> None:
    picture = as_levels(SCENES[scene](seven(pen)))
    assert polarity(picture) > 0
    assert polarity(255 - picture) < 0


def test_contrast_is_the_same_in_light_and_shadow() -> None:
    shadow = polygon_shadow(HALF, 0.5)
    sheet = on_sheet(seven(), 230, 60) * shadow
    contrast = ink_contrast(as_levels(sheet), 51, dark=True)
    inside = seven() > 0.99
    bright, dim = contrast[inside & (shadow == 1)], contrast[inside & (shadow == 0.5)]
    # The level added to the paper's takes a tenth off in the shadow.
    assert np.median(dim) == pytest.approx(np.median(bright), rel=0.15)
    assert np.median(contrast[~inside]) == 0


def photographed(pixels: Pixels, generator: np.random.Generator) -> Pixels:
    """Enlarge a digit ten times, dark on a light sheet, off centre, under a shadow with a hard or soft edge."""
    large = np.asarray(Image.fromarray(pixels).resize((280, 280), Image.Resampling.BICUBIC)) / 255
    ink = np.zeros((560, 560))
    top, left = generator.integers(0, 281, 2)
    ink[top : top + 280, left : left + 280] = large
    angle = generator.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[0:560, 0:560]
    distance = (rows - generator.uniform(140, 420)) * np.sin(angle)
    distance += (columns - generator.uniform(140, 420)) * np.cos(angle)
    softness = generator.choice([1.0, 20.0])
    light = 1 - generator.uniform(0.25, 0.6) * np.clip(0.5 + distance / softness, 0, 1)
    return as_levels((245 - 245 * ink) * light)


@pytest.mark.no_cover  # the scenes above run the same lines
@pytest.mark.mnist
@pytest.mark.parametrize("count", [200, pytest.param(400, marks=pytest.mark.stress)])
def test_digits_on_a_shaded_sheet_are_read_as_well_as_untouched(count: int, mnist_train: Split) -> None:
    from edgedigits.training.splits import validation_indices

    labels, images = mnist_train.labels, mnist_train.images
    _, held_out = validation_indices(labels, 5_000, 0)
    chosen = held_out[:: len(held_out) // count][:count]
    predictor = DigitPredictor()
    generator = np.random.default_rng(0)
    prepared = np.stack([predictor.prepare(photographed(images[index], generator)) for index in chosen])
    untouched, shaded = (
        int((predictor.probabilities(pixels).argmax(axis=1) == labels[chosen]).sum())
        for pixels in (images[chosen], prepared)
    )
    # Half a point.
    assert untouched - shaded <= count / 200


def cut_to_ink(pixels: Pixels) -> Pixels:
    rows, columns = np.nonzero(pixels > 127)
    return pixels[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


@pytest.mark.mnist
def test_enlarged_digits_and_digits_cut_out_are_read_as_well_as_untouched(mnist_train: Split) -> None:
    from edgedigits.training.splits import validation_indices

    labels, images = mnist_train.labels, mnist_train.images
    _, held_out = validation_indices(labels, 5_000, 0)
    chosen = held_out[:: len(held_out) // 400][:400]
    predictor = DigitPredictor(Path(__file__).parents[2] / "models" / "digits.int8.onnx")

    def digit(picture: Pixels) -> int:
        try:
            return predictor.predict(picture).digit
        except ImageError:
            return -1

    def right(pictures: list[Pixels]) -> int:
        return sum(digit(picture) == label for picture, label in zip(pictures, labels[chosen], strict=True))

    untouched = right(list(images[chosen]))
    large = [np.asarray(Image.fromarray(images[index]).resize((280, 280))) for index in chosen]
    # Half a point of 400, in light ink on black as in dark ink on white.
    assert untouched - right(large) <= 2
    assert untouched - right([255 - picture for picture in large]) <= 2
    # Cut to their ink some lose an end of it: a point.
    assert untouched - right([cut_to_ink(images[index]) for index in chosen]) <= 4
    assert untouched - right([255 - cut_to_ink(picture) for picture in large]) <= 6


def test_scenes_differ() -> None:
    """No scene is another one by mistake."""
    pictures = sorted(as_levels(make(seven())).tobytes() for make in SCENES.values())
    assert all(one != other for one, other in pairwise(pictures))
