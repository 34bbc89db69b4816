"""Paper within a picture: what is a panel, and what the digit in it is read as."""

from collections.abc import Callable

import numpy as np
import pytest
from drawn_sevens import seven, similarity
from PIL import Image, ImageDraw

from edgedigits.errors import ImageError
from edgedigits.picture import digit, panels
from edgedigits.picture.levels import Pixels
from edgedigits.picture.panels import LEAST_STEP, SMALLEST_SHARE, panels_in
from edgedigits.picture.prepare import prepare


def page(size: tuple[int, int], tone: int, sheet: Image.Image, at: tuple[int, int]) -> Image.Image:
    picture = Image.new("L", size, tone)
    picture.paste(sheet, at)
    return picture


def pad(paper: int, ink: int, tone: int, margin: int) -> Image.Image:
    return page((120 + 2 * margin, 100 + 2 * margin), tone, seven(ink=ink, paper=paper), (margin, margin))


def turned_note() -> Image.Image:
    note = seven((240, 200), pen=14, ink=40, paper=230).convert("LA").rotate(9, expand=True, resample=2)
    table = Image.new("L", (360, 300), 95)
    table.paste(note.convert("L"), (40, 25), note.getchannel("A"))
    return table


def cell(edges: str, line: int = 3, away: int = 0) -> Image.Image:
    picture = seven()
    canvas = ImageDraw.Draw(picture)
    width, height = picture.size
    places = {
        "top": (0, away, width, away + line - 1),
        "bottom": (0, height - away - line, width, height - away - 1),
        "left": (away, 0, away + line - 1, height),
        "right": (width - away - line, 0, width - away - 1, height),
    }
    for edge in edges.split():
        canvas.rectangle(places[edge], fill=0)
    return picture


def axes() -> Image.Image:
    """A figure: a dark panel in a frame, ticks and words around it."""
    picture = page((320, 240), 255, seven((150, 150), ink=255, paper=0), (90, 40))
    canvas = ImageDraw.Draw(picture)
    canvas.rectangle((89, 39, 240, 190), outline=0)
    for place in range(95, 240, 28):
        canvas.line((place, 190, place, 195), fill=0)
        canvas.text((place - 4, 198), str(place), fill=0)
    canvas.text((120, 20), "Label: 7", fill=0)
    return picture


def scene_with_text() -> Image.Image:
    picture = pad(0, 255, 240, 90)
    canvas = ImageDraw.Draw(picture)
    canvas.text((60, 20), "Draw a digit", fill=0)
    canvas.rectangle((90, 200, 160, 225), fill=90)
    return picture


SCENES: dict[str, Callable[[], Image.Image]] = {
    "dark pad, light page, wide": lambda: pad(0, 255, 255, 70),
    "dark pad, light page, narrow": lambda: pad(0, 255, 255, 6),
    "light pad, dark page": lambda: pad(255, 0, 30, 40),
    "pad in gray": lambda: pad(10, 250, 128, 40),
    "pad among words": scene_with_text,
    "axes": axes,
    "note": lambda: page((300, 260), 90, seven((192, 160), pen=11, ink=40, paper=235), (60, 50)),
    "two edges": lambda: cell("top left"),
    "two edges, facing": lambda: cell("top bottom"),
    "two edges inside": lambda: cell("bottom right", away=5),
    "three edges": lambda: cell("top left right"),
    "four edges": lambda: cell("top left right bottom"),
    "four edges inside": lambda: cell("top left right bottom", away=4),
    "dark border": lambda: cell("top left right bottom", line=4),
    "inverted cell": lambda: Image.eval(cell("top left"), lambda level: 255 - level),
    "pad with a frame on a page": lambda: page((220, 200), 200, pad(0, 255, 255, 5), (40, 40)),
}


@pytest.mark.parametrize("scene", SCENES)
def test_the_digit_is_found_on_the_innermost_paper(scene: str, reference: Pixels) -> None:
    # The middle may lie a pixel away; with the panel taken for ink it is below 0.5.
    assert similarity(prepare(SCENES[scene]()), reference) > 0.75


def test_a_note_is_turned_upright(reference: Pixels) -> None:
    assert similarity(prepare(turned_note()), reference) > 0.9


def shares(picture: Image.Image | Pixels) -> list[float]:
    return [panel.share for panel in panels_in(np.asarray(picture))]


def test_an_empty_panel_is_none() -> None:
    empty = Image.new("L", (120, 100), 0)
    assert shares(pad(0, 255, 255, 30))
    assert not shares(page((180, 160), 255, empty, (30, 30)))


def test_an_ellipse_is_no_panel() -> None:
    picture = Image.new("L", (200, 200), 255)
    canvas = ImageDraw.Draw(picture)
    canvas.ellipse((20, 20, 180, 180), fill=0)
    canvas.line((90, 60, 110, 140), fill=255, width=9)
    assert not shares(picture)


@pytest.mark.parametrize(("side", "is_found"), [(48, True), (36, False)])
def test_a_panel_has_a_share_of_the_picture(side: int, is_found: bool) -> None:
    assert (side / 200) ** 2 > SMALLEST_SHARE if is_found else (side / 200) ** 2 < SMALLEST_SHARE
    panel = Image.new("L", (side, side), 0)
    ImageDraw.Draw(panel).line((side // 2, 8, side // 2, side - 8), fill=255, width=4)
    assert bool(shares(page((200, 200), 255, panel, (70, 70)))) is is_found


@pytest.mark.parametrize(("step", "is_found"), [(LEAST_STEP + 3, True), (LEAST_STEP - 3, False)])
def test_the_tone_changes_at_once_along_the_sides_of_a_panel(step: int, is_found: bool) -> None:
    note = Image.new("L", (120, 100), 200)
    ImageDraw.Draw(note).line((60, 20, 60, 80), fill=20, width=8)
    assert bool(shares(page((200, 180), 200 - step, note, (40, 40)))) is is_found


def test_light_that_falls_off_parts_no_paper() -> None:
    levels = np.asarray(seven((240, 200), pen=14), float) * np.linspace(1, 0.35, 200)[:, np.newaxis]
    whole = prepare(seven((240, 200), pen=14))
    assert similarity(prepare(np.rint(levels).astype(np.uint8)), whole) > 0.9


@pytest.mark.parametrize(("lines", "is_found"), [(1, False), (2, True), (3, True)])
def test_a_shadow_across_the_picture_parts_no_paper(lines: int, is_found: bool) -> None:
    levels = np.array(seven((200, 200), pen=12))
    for turn in range(lines):
        np.rot90(levels, turn)[:20] //= 2
    assert bool(shares(Image.fromarray(levels))) is is_found


def test_a_seven_that_was_cut_to_its_ink_is_no_paper(reference: Pixels) -> None:
    ink = np.asarray(seven())
    rows, columns = np.nonzero(ink < 128)
    cut = ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert similarity(prepare(cut), reference) > 0.9


def test_a_panel_without_strokes_is_refused_as_before() -> None:
    with pytest.raises(ImageError, match="shows nothing"):
        prepare(page((200, 180), 255, Image.new("L", (120, 100), 255), (30, 30)))


def grid_of_grids(side: int, depth: int) -> Pixels:
    """Five by five cells, each of them a grid again: ink enough in each that a digit could be there."""
    levels = np.full((side, side), 255, np.uint8)
    step = side // 5
    for row in range(5):
        for column in range(5):
            cell = levels[row * step : (row + 1) * step, column * step : (column + 1) * step]
            if depth > 1 and step >= 60:
                cell[...] = grid_of_grids(step, depth - 1)[: cell.shape[0], : cell.shape[1]]
            else:
                cell[step // 3 : step // 2, step // 3 : step // 2] = 0
            cell[:2] = cell[:, :2] = 0
    return levels


def test_papers_within_papers_are_looked_at_a_few_times_only(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[tuple[int, ...]] = []

    def counted(gray: Pixels) -> object:
        looked.append(gray.shape)
        return panels_in(gray)

    monkeypatch.setattr(panels, "panels_in", counted)
    with pytest.raises(ImageError):
        prepare(grid_of_grids(1000, 3))
    assert 0 < len(looked) <= sum(digit.MOST_PANELS**depth for depth in range(digit.MOST_PAPERS))
