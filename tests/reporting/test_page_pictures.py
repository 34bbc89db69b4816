"""Plots in a page: small, within the room that there is, and sheets in cells that a phone can wrap."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgedigits.files import LeftAloneWarning
from edgedigits.reporting import sheets
from edgedigits.reporting.page_pictures import LARGEST_TOTAL, find_pictures, for_a_page
from edgedigits.reporting.sheets import Cell, cell_boxes, draw_sheet


def put(folder: Path, plot: str, content: bytes) -> None:
    (folder / "plots").mkdir(exist_ok=True)
    (folder / "plots" / plot).write_bytes(content)


@pytest.mark.parametrize("lines", [1, 2])
@pytest.mark.parametrize("count", [1, 10, 37])
def test_the_boxes_of_a_sheet_are_its_digits(count: int, lines: int) -> None:
    cells = [Cell(np.full((28, 28), index, np.uint8), ("caption",) * lines) for index in range(count)]
    sheet = Image.open(io.BytesIO(draw_sheet("title", cells)))
    boxes = cell_boxes(sheet.size, lines)
    assert len(boxes) == -(-count // 10) * 10
    pixels = np.asarray(sheet.convert("L"))
    for (left, top, width, _), cell in zip(boxes, cells, strict=False):
        assert (
            np.abs(pixels[top : top + width, left : left + width].astype(int) - cell.pixels[0, 0]).max() <= 4
        )


@pytest.mark.parametrize("size", [(905, 152), (906, 151), (906, 32), (1, 1)])
def test_a_picture_of_another_size_is_no_sheet(size: tuple[int, int]) -> None:
    assert cell_boxes(size, 2) == ()


def test_cells_without_a_digit_are_left_out(tmp_path: Path) -> None:
    cells = [Cell(np.full((28, 28), 9, np.uint8), ("7", "is 1"))] * 13
    put(tmp_path, "mistakes.png", draw_sheet("title", cells))
    (found,) = find_pictures(tmp_path, "digits")
    assert len(found.cells) == 20
    ((shown,), left) = for_a_page([found], LARGEST_TOTAL)
    assert (len(shown.cells), left) == (13, [])


def test_pictures_are_smaller_and_look_the_same(tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, 400 * 300).astype(np.uint8).reshape(300, 400)
    stream = io.BytesIO()
    Image.fromarray(np.dstack([ramp, ramp[::-1], ramp, np.full_like(ramp, 255)])).save(stream, "PNG")
    put(tmp_path, "weights.png", stream.getvalue())
    found = find_pictures(tmp_path, "digits")
    ((shown,), _) = for_a_page(found, LARGEST_TOTAL)
    assert len(shown.content) < len(found[0].content)
    before, after = (
        np.asarray(Image.open(io.BytesIO(each.content)).convert("RGB"), int) for each in (found[0], shown)
    )
    assert np.abs(before - after).mean() < 4  # of 255: 128 colours of a picture that has every one


def test_what_does_not_fit_is_left_for_the_folder(tmp_path: Path) -> None:
    cells = [Cell(np.full((28, 28), 9, np.uint8), ("7", "is 1"))] * 10
    for plot in ("mistakes.png", "samples.png"):
        put(tmp_path, plot, draw_sheet("title", cells))
    found = find_pictures(tmp_path, "digits")
    room = len(for_a_page(found, LARGEST_TOTAL)[0][0].uri)
    shown, left = for_a_page(found, room)
    assert [each.plot.name for each in shown] == ["mistakes.png"]
    assert [each.plot.name for each in left] == ["samples.png"]


HUGE = b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4, "big") + b"IHDR" + (60_000).to_bytes(4, "big") * 2


@pytest.mark.parametrize(
    "content", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", HUGE], ids=["empty", "GIF", "cut off", "huge"]
)
def test_what_is_no_picture_is_left_out_with_a_warning(content: bytes, tmp_path: Path) -> None:
    put(tmp_path, "weights.png", content)
    with pytest.warns(LeftAloneWarning, match="weights.png: .*; left out"):
        assert find_pictures(tmp_path, "digits") == []


def test_a_damaged_picture_stays_as_it_is(tmp_path: Path) -> None:
    whole = draw_sheet("title", [Cell(np.full((28, 28), 9, np.uint8), ("7", "is 1"))])
    put(tmp_path, "mistakes.png", whole[: len(whole) // 2])
    ((shown,), _) = for_a_page(find_pictures(tmp_path, "digits"), LARGEST_TOTAL)
    assert shown.content == whole[: len(whole) // 2]
    assert sheets.cell_boxes(shown.size, 2) == shown.cells
