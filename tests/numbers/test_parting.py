"""From ink to pieces and candidates, and the way through them."""

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw

from edgedigits.errors import ImageError
from edgedigits.numbers import candidates as candidates_module
from edgedigits.numbers import pieces as pieces_module
from edgedigits.numbers.candidates import Candidate, candidates_of, images_of
from edgedigits.numbers.ink import ink_of, paper_of
from edgedigits.numbers.lines import lines_of, without_rules
from edgedigits.numbers.path import Measures, Way, best_ways, measures_of
from edgedigits.numbers.pieces import HEIGHT, PAPER, Piece, Strip, cuts_of, sheared, slant_of, strip_of
from edgedigits.numbers.reading import Box
from edgedigits.numbers.rules import rules_in, run_lengths
from edgedigits.numbers.separators import separator_of
from edgedigits.picture.form import is_mnist_form
from edgedigits.picture.levels import Pixels


def paper(height: int, width: int, tone: int = 220) -> Image.Image:
    return Image.new("L", (width, height), tone)


def zeros(count: int, *, gap: int, height: int = 60, left: int = 20, top: int = 20) -> Image.Image:
    """Draw so many ellipses in a row."""
    wide = round(0.7 * height)
    sheet = paper(height + 40, 2 * left + count * (wide + gap))
    draw = ImageDraw.Draw(sheet)
    for index in range(count):
        x = left + index * (wide + gap)
        draw.ellipse((x, top, x + wide, top + height), outline=30, width=6)
    return sheet


def strip(image: Image.Image) -> Strip:
    ink = ink_of(np.asarray(image))
    assert ink is not None
    (line,) = lines_of(ink)
    return strip_of(line.levels, line.height, (0.0, 0.0))


def test_run_lengths_count_what_is_in_a_row() -> None:
    mask = np.array([[1, 1, 0, 1], [0, 1, 1, 1], [0, 0, 0, 0]], bool)
    np.testing.assert_array_equal(run_lengths(mask), [[2, 2, 0, 1], [0, 3, 3, 3], [0, 0, 0, 0]])


def test_a_printed_line_goes_and_strokes_that_cross_it_stay() -> None:
    mask = np.zeros((60, 200), bool)
    mask[40:42] = True
    mask[10:55, 90:95] = True
    rules = rules_in(mask, length=80, thickness=4)
    assert rules[40:42, :85].all()
    assert not rules[:, 90:95].any()
    np.testing.assert_array_equal(without_rules(mask)[:, 90:95], mask[:, 90:95])


def test_paper_is_what_is_around_strokes() -> None:
    light = np.tile(np.linspace(120, 240, 200), (60, 1)).astype(np.uint8)
    written = np.asarray(light).copy()
    written[20:40, 50:54] = 20
    np.testing.assert_allclose(paper_of(written), light, atol=12)


@pytest.mark.parametrize("tone", [0, 90, 255])
def test_plain_paper_has_no_ink(tone: int) -> None:
    assert ink_of(np.asarray(paper(80, 200, tone))) is None


def test_grain_is_no_ink() -> None:
    grain = np.random.default_rng(0).normal(180, 6, (120, 240)).clip(0, 255).astype(np.uint8)
    assert ink_of(grain) is None


def test_lines_are_in_the_order_of_reading() -> None:
    sheet = paper(300, 900)
    for left, top in ((30, 20), (560, 24), (60, 170)):
        sheet.paste(zeros(3, gap=10), (left - 20, top - 20))
    ink = ink_of(np.asarray(sheet))
    assert ink is not None
    lines = lines_of(ink)
    assert [(round(line.left, -1), round(line.top, -1)) for line in lines] == [(30, 20), (560, 20), (60, 170)]
    assert all(line.height == pytest.approx(60, abs=4) for line in lines)


def test_slanted_writing_is_made_upright() -> None:
    upright = np.zeros((60, 120), np.uint8)
    upright[5:55, 30:36] = upright[5:55, 80:86] = 255
    slanted = sheared(upright, -0.4)
    assert slant_of(slanted) == pytest.approx(0.4, abs=0.11)
    assert slant_of(upright) == pytest.approx(0.0, abs=0.11)


def test_digits_apart_are_pieces_and_touching_ones_are_cut() -> None:
    apart, touching = strip(zeros(3, gap=12)), strip(zeros(3, gap=-4))
    assert len({piece.part for piece in apart.pieces}) == 3
    assert len({piece.part for piece in touching.pieces}) == 1
    assert len(touching.pieces) >= 3
    assert [piece.middle for piece in touching.pieces] == sorted(piece.middle for piece in touching.pieces)


def test_narrow_strokes_are_not_cut() -> None:
    assert cuts_of(np.full((HEIGHT, 8), 255, np.uint8), one_width=6.0) == []


def test_a_stroke_as_wide_as_its_part_is_not_cut() -> None:
    assert cuts_of(np.full((HEIGHT, 24), 255, np.uint8), one_width=30.0) == []


def test_candidates_are_in_the_form_of_single_digits() -> None:
    line = strip(zeros(2, gap=12))
    wide = [one for one in candidates_of(line) if one.box.right - one.box.left > 0.4 * HEIGHT]
    images = images_of(line, wide)
    assert images.shape == (len(wide), 28, 28)
    assert all(is_mnist_form(image) for image in images)


def test_a_line_of_more_marks_than_a_number_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates_module, "MOST_CANDIDATES", 3)
    with pytest.raises(ImageError, match="too many marks"):
        candidates_of(strip(zeros(4, gap=12)))


def test_a_line_of_more_pieces_than_a_number_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces_module, "MOST_PIECES", 3)
    with pytest.raises(ImageError, match="too many marks"):
        strip(zeros(4, gap=12))


def test_a_line_that_is_far_higher_than_its_digits_is_refused() -> None:
    with pytest.raises(ImageError, match="too many marks"):
        strip_of(np.zeros((300, 300), np.uint8), 7.0, (0.0, 0.0))


def made_strip(*boxes: Box) -> Strip:
    """Return a strip of whole pieces at these places."""
    pieces = tuple(
        Piece(box, (box.right - box.left) * (box.bottom - box.top) // 3, number, False, True, 1.0, None)
        for number, box in enumerate(boxes)
    )
    empty: Pixels = np.zeros((60, 200), np.uint8)
    return Strip(empty, np.full((60, 200), PAPER, np.int16), pieces, 0, 0.0, 1.0, (0.0, 0.0), 5.0)


def likely(*digits: tuple[int, float]) -> npt.NDArray[np.float32]:
    rows = np.full((len(digits), 10), 0.0, np.float32)
    for row, (digit, probability) in zip(rows, digits, strict=True):
        row[:] = (1 - probability) / 9
        row[digit] = probability
    return rows


HALVES = made_strip(Box(10, 6, 24, 54), Box(24, 6, 38, 54))
BOTH = [
    Candidate(0, 0, HALVES.pieces[0].box),
    Candidate(0, 1, Box(10, 6, 38, 54)),
    Candidate(1, 1, HALVES.pieces[1].box),
]


def ways_of(answers: npt.NDArray[np.float32], digits: int | None = None) -> list[Way]:
    return best_ways(HALVES, BOTH, answers, measures_of(HALVES, BOTH, answers), slash=9.0, digits=digits)


@pytest.mark.parametrize(
    ("halves", "whole", "text"), [(0.2, 0.95, "8"), (0.97, 0.15, "11")], ids=["one digit", "two digits"]
)
def test_the_likelier_way_is_taken(halves: float, whole: float, text: str) -> None:
    answers = likely((1, halves), (8, whole), (1, halves))
    ways = ways_of(answers)
    assert ways[0].text == text
    assert [way.cost for way in ways] == sorted(way.cost for way in ways)
    assert len({way.text for way in ways}) == len(ways)


@pytest.mark.parametrize("digits", [1, 2])
def test_there_are_as_many_digits_as_were_asked_for(digits: int) -> None:
    ways = ways_of(likely((1, 0.6), (8, 0.6), (1, 0.6)), digits)
    assert {len(way.text) for way in ways} == {digits}
    assert ways_of(likely((1, 0.6), (8, 0.6), (1, 0.6)), 3) == []


def test_a_slash_separates_digits_and_stands_at_no_end() -> None:
    strokes = [Box(left, 2, left + 12, 58) for left in (10, 60, 110)]
    digit = Box(30, 6, 50, 54)
    boxes = [strokes[0], digit, strokes[1], Box(80, 6, 100, 54), strokes[2]]
    made = made_strip(*boxes)
    tilted = tuple(piece._replace(tilt=0.3) if piece.box in strokes else piece for piece in made.pieces)
    line = made._replace(pieces=tilted)
    candidates = [Candidate(place, place, box) for place, box in enumerate(boxes)]
    answers = likely((1, 0.9), (8, 0.99), (1, 0.9), (8, 0.99), (1, 0.9))
    ways = best_ways(line, candidates, answers, Measures(48.0, 54.0, 0.05), slash=1.1)
    assert ways[0].text == "1881"
    assert [way.cost for way in ways] == sorted(way.cost for way in ways)


def test_a_straight_stroke_is_one_piece_however_it_leans() -> None:
    image = zeros(2, gap=60)
    ImageDraw.Draw(image).line([(76, 78), (104, 22)], fill=30, width=4)
    tilts = [piece.tilt for piece in strip(image).pieces if piece.tilt is not None]
    assert tilts == [pytest.approx(0.5, abs=0.1)]


MEASURES = Measures(height=48.0, foot=54.0, unevenness=0.05)


def small(box: Box, elongation: float = 1.0, tilt: float | None = None) -> Piece:
    return Piece(box, 50, 0, tilt is None, True, elongation, tilt)


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([small(Box(10, 48, 16, 54))], "."),
        ([small(Box(10, 46, 18, 62), elongation=2.4)], ","),
        ([small(Box(10, 28, 24, 33), elongation=2.8)], "-"),
        ([small(Box(10, 46, 16, 52)), small(Box(10, 24, 16, 30))], ":"),
        ([small(Box(10, 4, 14, 8))], None),
    ],
    ids=["point", "comma", "dash", "colon", "litter"],
)
def test_what_stands_between_digits(pieces: list[Piece], expected: str | None) -> None:
    found = separator_of(pieces, MEASURES, stroke=6.0)
    assert (found and found[0]) == expected


@pytest.mark.parametrize(
    ("elongation", "area", "expected"), [(1.0, 12, None), (1.0, 20, "."), (2.4, 40, None), (2.4, 50, ",")]
)
def test_specks_separate_nothing(elongation: float, area: int, expected: str | None) -> None:
    speck = small(Box(10, 46, 18, 60), elongation)._replace(area=area)
    found = separator_of([speck], MEASURES, stroke=6.0)
    assert (found and found[0]) == expected


def test_a_cut_of_a_digit_separates_nothing() -> None:
    cut = small(Box(10, 28, 24, 33), elongation=2.8)._replace(is_whole=False)
    assert separator_of([cut], MEASURES, stroke=6.0) is None
