"""Ruled and squared paper: lines are taken off, and the ink that they cross stays."""

import numpy as np
import pytest
from drawn_sevens import seven, similarity
from PIL import Image, ImageDraw

from edgedigits.picture import patterned
from edgedigits.picture.levels import Pixels
from edgedigits.picture.patterned import LINE_DEPTH, border_lines, on_patterned_paper
from edgedigits.picture.prepare import prepare
from edgedigits.picture.ruling import SMALLEST_SIDE, STEEPEST, lines_in, without_ruling

SIDE = 200


def on_lines(
    tone: int, slope: float = 0.0, *, squared: bool = False, step: int = 32, width: int = 3
) -> Pixels:
    """A seven of level 30 on paper of level 230 with lines of a tone, which it covers."""
    paper = Image.new("L", (SIDE, SIDE), 230)
    canvas = ImageDraw.Draw(paper)
    drop = slope * SIDE
    for start in range(-SIDE + step // 2, 2 * SIDE, step):
        canvas.line([(-1, start), (SIDE, start + drop)], fill=tone, width=width)
        if squared:
            canvas.line([(start, -1), (start - drop, SIDE)], fill=tone, width=width)
    ink = seven((SIDE, SIDE), pen=14, ink=30, paper=255)
    return np.minimum(np.asarray(paper), np.asarray(ink))


@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("slope", [0.0, 0.08])
@pytest.mark.parametrize("tone", [190, 120, 60, 30])
def test_a_digit_on_ruled_paper_comes_out_as_on_plain(tone: int, slope: float, squared: bool) -> None:
    plain = prepare(seven((SIDE, SIDE), pen=14))
    assert similarity(prepare(on_lines(tone, slope, squared=squared)), plain) > 0.9


def test_light_ink_on_a_ruled_board() -> None:
    assert similarity(prepare(255 - on_lines(120)), prepare(seven((SIDE, SIDE), pen=14))) > 0.9


def test_strokes_that_lines_cross_stay_whole() -> None:
    cleaned = without_ruling(on_lines(30, squared=True))
    ink = np.asarray(seven((SIDE, SIDE), pen=14)) == 0
    assert (cleaned[ink] < 120).mean() > 0.97
    assert (cleaned[~ink] > 180).mean() > 0.97


def test_uneven_light_is_left_as_it_is() -> None:
    shade = np.linspace(0.6, 1.0, SIDE)
    cleaned = without_ruling((on_lines(120, squared=True) * shade).astype(np.uint8))
    paper = np.asarray(seven((SIDE, SIDE), pen=20)) == 255
    wanted = np.broadcast_to(230 * shade, cleaned.shape)
    assert np.abs(cleaned - wanted)[paper].mean() < 6


@pytest.mark.parametrize(("slope", "is_found"), [(0.9 * STEEPEST, True), (1.5 * STEEPEST, False)])
def test_lines_may_be_a_little_turned(slope: float, is_found: bool) -> None:
    assert bool(lines_in(on_lines(120, slope))) is is_found


@pytest.mark.parametrize(("depth", "is_found"), [(10, True), (3, False)])
def test_lines_fainter_than_noise_are_none(depth: int, is_found: bool) -> None:
    assert bool(lines_in(on_lines(230 - depth))) is is_found


@pytest.mark.parametrize(("width", "is_found"), [(5, True), (10, False)])
def test_broad_stripes_are_no_lines(width: int, is_found: bool) -> None:
    assert bool(lines_in(on_lines(120, step=50, width=width))) is is_found


@pytest.mark.parametrize(("step", "is_clean"), [(20, True), (6, False)])
def test_lines_that_fill_the_paper_are_a_pattern(step: int, is_clean: bool) -> None:
    gray = on_lines(120, step=step)
    assert (without_ruling(gray) is not gray) is is_clean


@pytest.mark.parametrize(("stop", "is_found"), [(SIDE, True), (int(0.8 * SIDE), False)])
def test_a_line_reaches_both_sides(stop: int, is_found: bool) -> None:
    gray = np.full((SIDE, SIDE), 230, np.uint8)
    gray[50:150:30, :stop] = 120
    assert bool(lines_in(gray)) is is_found


@pytest.mark.parametrize(
    ("tone", "cut", "lone", "is_clean"),
    [(150, True, False, True), (30, True, False, False), (30, True, True, True), (30, False, False, True)],
)
def test_one_line_as_dark_as_the_ink_of_a_cut_digit_may_be_a_stroke(
    tone: int, cut: bool, lone: bool, is_clean: bool
) -> None:
    gray = np.array(seven((SIDE, SIDE), pen=14, ink=30, paper=230))
    gray[180:183] = tone
    if cut:
        gray[:60, 100:110] = 30
    assert (without_ruling(gray, lone=lone) is not gray) is is_clean


def test_a_picture_that_is_one_line_comes_back_itself() -> None:
    gray = np.full((SIDE, SIDE), 230, np.uint8)
    gray[100:103] = 30
    assert without_ruling(gray) is gray


@pytest.mark.parametrize(("hidden", "is_clean"), [(0.7, True), (0.99, False)])
def test_a_line_that_ink_hides_is_expected_among_the_others(hidden: float, is_clean: bool) -> None:
    gray = np.full((SIDE, SIDE), 230, np.uint8)
    for row in range(20, SIDE, 30):
        gray[row : row + 3] = 120
    gray[100:122, : int(hidden * SIDE)] = 30
    assert (len(lines_in(gray)) == 6) is is_clean


@pytest.mark.parametrize(("side", "is_clean"), [(SMALLEST_SIDE, True), (SMALLEST_SIDE - 1, False)])
def test_in_few_pixels_lines_are_as_wide_as_strokes(side: int, is_clean: bool) -> None:
    gray = np.full((side, side), 230, np.uint8)
    gray[5::10] = 120
    assert (without_ruling(gray) is not gray) is is_clean


def test_a_drawing_without_lines_comes_back_itself() -> None:
    gray = np.asarray(seven((SIDE, SIDE), pen=14))
    assert without_ruling(gray) is gray


# --- Lines of a form along the borders of a small box --------------------------------------------------------------


def box(row: int, start: int = 0, width: int = 2) -> np.ndarray:
    ink = np.asarray(seven((40, 50), pen=5)) == 0
    ink[row : row + width, start:] = True
    return ink


@pytest.mark.parametrize(
    ("row", "is_line"),
    [(0, True), (48, True), (48 - int(LINE_DEPTH * 50) + 1, True), (48 - int(LINE_DEPTH * 50) - 2, False)],
)
def test_a_line_along_the_border_is_the_forms(row: int, is_line: bool) -> None:
    ink = box(row)
    lines = border_lines(ink)
    assert (lines is not None) is is_line
    if lines is not None:
        assert lines[row, 0]
        assert not lines[15:40].any()


@pytest.mark.parametrize(("start", "is_line"), [(2, True), (6, False)])
def test_a_bar_shorter_than_the_box_is_the_digits(start: int, is_line: bool) -> None:
    assert (border_lines(box(46, start)) is not None) is is_line


@pytest.mark.parametrize(("width", "is_line"), [(4, True), (7, False)])
def test_a_broad_bar_is_the_digits(width: int, is_line: bool) -> None:
    assert (border_lines(box(0, width=width)) is not None) is is_line


def test_a_box_on_printed_paper_with_a_line_below_shows_the_same_ink() -> None:
    rows, columns = np.mgrid[:50, :40].astype(float)
    waves = 15 * np.sin(2 * np.pi * (rows + 2 * np.sin(columns / 6)) / 3.5)
    ink = np.asarray(seven((40, 50), pen=5), float) / 255
    levels = np.where(ink < 0.5, 60, 210 - waves)
    lined = levels.copy()
    lined[46:48] = 70
    boxes = [on_patterned_paper(np.rint(picture).astype(np.uint8)) for picture in (levels, lined)]
    assert [box is not None and box[0] for box in boxes] == [True, True]
    found = [box[1].mask for box in boxes if box is not None]
    assert (found[0] == found[1]).mean() > 0.98


@pytest.mark.parametrize(("top", "is_cut"), [(12, True), (0, False)])
def test_a_neighbour_that_touches_the_digit_is_cut_off_at_the_margin(top: int, is_cut: bool) -> None:
    rows, columns = np.mgrid[:50, :40].astype(float)
    waves = 15 * np.sin(2 * np.pi * (rows + 2 * np.sin(columns / 6)) / 3.5)
    levels = np.where(np.asarray(seven((40, 50), pen=5), float) < 128, 60, 210 - waves)
    levels[24:27, 25:] = 60
    levels[top:27, -3:] = 60
    found = on_patterned_paper(np.rint(levels).astype(np.uint8))
    assert found is not None
    assert (found[1].box[3] < 40) is is_cut


@pytest.mark.parametrize("side", ["left", "right"])
def test_ink_that_is_all_a_neighbours_is_no_digit(side: str) -> None:
    contrast = np.zeros((60, 40), np.float32)
    contrast[20:40, :3] = 1
    assert patterned._finding(contrast if side == "left" else contrast[:, ::-1]) is None
