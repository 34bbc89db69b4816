"""The ink is found: under shadows, on lines, among specks, in frames; and paper without a digit is refused."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageDraw, ImageFilter

from edgedigits.errors import ImageError
from edgedigits.finding import stroke_width
from edgedigits.image import prepare
from edgedigits.ink import find_digit
from edgedigits.light import Pixels, ink_contrast, otsu_threshold, polarity, sliding
from edgedigits.mnist import Split
from edgedigits.parts import Mask, connected_parts
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


# A shadow with hard edges is ink to anybody who sees no digit beside it.
@pytest.mark.parametrize("scene", [scene for scene in SCENES if "shadow" not in scene])
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


@given(
    hnp.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12))),
    st.sampled_from([1, 3, 5, 9, 25]),
    st.sampled_from([np.maximum, np.minimum]),
)
def test_sliding_is_the_extremum_of_each_window(pixels: Pixels, window: int, extremum: np.ufunc) -> None:
    half = window // 2
    expected = [
        [
            extremum.reduce(
                pixels[max(0, y - half) : y + half + 1, max(0, x - half) : x + half + 1], axis=None
            )
            for x in range(pixels.shape[1])
        ]
        for y in range(pixels.shape[0])
    ]
    np.testing.assert_array_equal(sliding(pixels, window, extremum), expected)


def test_contrast_is_the_same_in_light_and_shadow() -> None:
    shadow = polygon_shadow(HALF, 0.5)
    sheet = on_sheet(seven(), 230, 60) * shadow
    contrast = ink_contrast(as_levels(sheet), 51, dark=True)
    inside = seven() > 0.99
    bright, dim = contrast[inside & (shadow == 1)], contrast[inside & (shadow == 0.5)]
    # The level added to the paper's takes a tenth off in the shadow.
    assert np.median(dim) == pytest.approx(np.median(bright), rel=0.15)
    assert np.median(contrast[~inside]) == 0


def flood(mask: Mask) -> list[frozenset[tuple[int, int]]]:
    """The connected parts of a mask, pixel by pixel."""
    left = {(int(y), int(x)) for y, x in zip(*np.nonzero(mask), strict=True)}
    parts = []
    while left:
        part, front = set(), [left.pop()]
        while front:
            y, x = front.pop()
            part.add((y, x))
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            front += near
        parts.append(frozenset(part))
    return parts


@given(hnp.arrays(np.bool_, st.tuples(st.integers(1, 14), st.integers(1, 14))))
def test_connected_parts_are_those_of_a_flood(mask: Mask) -> None:
    parts = connected_parts(mask)
    found = set()
    for index in range(len(parts.area)):
        chosen = np.arange(len(parts.area)) == index
        ys, xs = np.nonzero(parts.mask(chosen))
        assert parts.area[index] == len(ys)
        assert parts.box[index].tolist() == [ys.min(), ys.max() + 1, xs.min(), xs.max() + 1]
        found.add(frozenset((int(y), int(x)) for y, x in zip(ys, xs, strict=True)))
    assert found == set(flood(mask))


def test_a_frame_is_one_only_around_something() -> None:
    mask = np.zeros((80, 80), bool)
    mask[10:70, 10:70] = True
    mask[11:69, 11:69] = False
    empty = connected_parts(mask)
    assert empty.is_empty_frame(0)
    assert not empty.frames(0).any()
    mask[30:50, 35:45] = True
    parts = connected_parts(mask)
    inner = int(parts.area.argmin())
    assert parts.frames(inner).tolist() == [index != inner for index in range(2)]


def test_strokes_of_one_digit_stay_together_and_specks_go() -> None:
    mask = np.zeros((100, 100), bool)
    mask[30:80, 40:46] = True  # a stem
    mask[20:25, 40:60] = True  # a bar near it
    mask[85, 48] = True  # a speck near it
    mask[30:80, 90:94] = True  # a stroke far away
    parts = connected_parts(mask)
    main = int(parts.prominence().argmax())
    together = parts.mask(parts.strokes_near(main, np.zeros(len(parts.area), bool)))
    assert together[50, 42]
    assert together[22, 50]
    assert not together[85, 48]
    assert not together[50, 92]


def test_otsu_threshold_parts_two_tones() -> None:
    assert 20 <= otsu_threshold(np.repeat(np.array([20, 90], np.uint8), [70, 30])) < 90


def test_otsu_threshold_of_one_tone_parts_nothing() -> None:
    assert otsu_threshold(np.full((5, 5), 7, np.uint8)) < 7


@pytest.mark.parametrize("width", [1, 3, 8])
def test_stroke_width_of_a_line_is_its_width(width: int) -> None:
    line = np.zeros((40, 400), np.uint8)
    line[10 : 10 + width, 5:395] = 255
    # The two ends belong to the perimeter too: 2 * width of 800.
    assert stroke_width(line) == pytest.approx(width, rel=0.03)


def test_stroke_width_of_nothing_is_zero() -> None:
    assert stroke_width(np.zeros((5, 5), np.uint8)) == 0


# --- MNIST's validation images, as somebody would photograph them ---------------------------------------------------


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


@pytest.mark.mnist
def test_digits_on_a_shaded_sheet_are_read_as_well_as_untouched(mnist_train: Split) -> None:
    from edgedigits.training.train import validation_indices

    labels, images = mnist_train.labels, mnist_train.images
    _, held_out = validation_indices(labels, 5_000, 0)
    chosen = held_out[:: len(held_out) // 400][:400]
    predictor = DigitPredictor()
    generator = np.random.default_rng(0)
    prepared = np.stack([predictor.prepare(photographed(images[index], generator)) for index in chosen])
    untouched, shaded = (
        int((predictor.probabilities(pixels).argmax(axis=1) == labels[chosen]).sum())
        for pixels in (images[chosen], prepared)
    )
    # Half a point of 400.
    assert untouched - shaded <= 2


def test_scenes_differ() -> None:
    """No scene is another one by mistake."""
    pictures = sorted(as_levels(make(seven())).tobytes() for make in SCENES.values())
    assert all(one != other for one, other in pairwise(pictures))
