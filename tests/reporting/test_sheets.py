import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from PIL import Image

from edgedigits.reporting import sheets
from edgedigits.reporting.sheets import Cell

SIDE = sheets.ZOOM * 28
STEP = SIDE + sheets.MARGIN
SLACK = 8
"""Grey levels that a palette of 64 colours may be off; measured at most 4 on these few greys."""


def flat(value: int) -> Cell:
    return Cell(np.full((28, 28), value, np.uint8), (f"{value}",))


def drawn(*cells: Cell, columns: int = 10) -> np.ndarray:
    with Image.open(io.BytesIO(sheets.draw_sheet("digits", cells, columns))) as sheet:
        assert sheet.format == "PNG"
        return np.asarray(sheet.convert("L")).astype(int)


def test_every_digit_stands_in_its_place_of_the_grid():
    values = [0, 120, 255, 60]
    sheet = drawn(*map(flat, values), columns=3)
    row_height = STEP + sheets.CAPTION_HEIGHT
    for position, value in enumerate(values):
        top = sheets.TITLE_HEIGHT + position // 3 * row_height
        left = sheets.MARGIN + position % 3 * STEP
        assert abs(sheet[top : top + SIDE, left : left + SIDE] - value).max() <= SLACK


def test_pixels_are_zoomed_and_not_turned():
    pixels = np.zeros((28, 28), np.uint8)
    pixels[2, 5] = 255
    sheet = drawn(Cell(pixels, ("1",)))
    digit = sheet[sheets.TITLE_HEIGHT :, sheets.MARGIN :][:SIDE, :SIDE]
    expected = np.kron(pixels, np.ones((sheets.ZOOM, sheets.ZOOM), np.uint8))
    assert abs(digit - expected).max() <= SLACK


def test_captions_and_title_leave_ink_where_they_should():
    sheet = drawn(Cell(np.zeros((28, 28), np.uint8), ("7  99.1 %", "is 1  #42")))
    below = sheet[sheets.TITLE_HEIGHT + SIDE :, :]
    assert below[: sheets.CAPTION_HEIGHT].min() < 100
    assert below[sheets.CAPTION_HEIGHT : 2 * sheets.CAPTION_HEIGHT].min() < 200
    assert sheet[: sheets.TITLE_HEIGHT].min() < 100


@pytest.mark.parametrize(("cells", "rows"), [(0, 1), (1, 1), (10, 1), (11, 2), (100, 10)], ids=str)
def test_a_sheet_is_as_high_as_its_rows(cells, rows):
    sheet = drawn(*[flat(0)] * cells)
    assert sheet.shape == (
        rows * (STEP + sheets.CAPTION_HEIGHT) + sheets.TITLE_HEIGHT + sheets.MARGIN,
        10 * STEP + sheets.MARGIN,
    )


def test_an_empty_sheet_says_so():
    below_title = drawn()[sheets.TITLE_HEIGHT :]
    assert below_title.min() < 200


def test_the_same_sheet_is_the_same_bytes():
    cells = [flat(value) for value in (0, 100, 255)]
    assert sheets.draw_sheet("digits", cells) == sheets.draw_sheet("digits", cells)


labels_of_some = npst.arrays(np.uint8, st.integers(1, 80), elements=st.integers(0, 9))


@given(labels_of_some, st.integers(1, 5), st.integers(0, 2**31))
def test_samples_are_distinct_and_of_every_class_in_order(labels, per_class, seed):
    chosen = sheets.sample_indices(labels, per_class, seed)
    assert len(set(chosen)) == len(chosen)
    assert [int(labels[index]) for index in chosen] == [
        label for label in range(10) for _ in range(min(per_class, int((labels == label).sum())))
    ]
    assert chosen == sheets.sample_indices(labels, per_class, seed)


def test_another_seed_chooses_other_samples():
    labels = np.zeros(1_000, np.uint8)
    assert sheets.sample_indices(labels, 10, seed=0) != sheets.sample_indices(labels, 10, seed=1)


PROBABILITIES = np.array([[0.9, 0.1], [0.3, 0.7], [0.2, 0.8], [0.6, 0.4], [0.2, 0.8]], np.float32)
LABELS = np.array([0, 0, 0, 1, 0], np.uint8)


@pytest.mark.parametrize(("at_most", "expected"), [(0, []), (2, [2, 4]), (9, [2, 4, 1, 3])], ids=str)
def test_the_most_confident_mistakes_come_first(at_most, expected):
    assert sheets.most_confident_mistakes(LABELS, PROBABILITIES, at_most) == expected


def test_no_mistakes_are_no_indices():
    assert (
        sheets.most_confident_mistakes(PROBABILITIES.argmax(axis=1).astype(np.uint8), PROBABILITIES, 5) == []
    )


def test_cells_tell_prediction_confidence_and_truth():
    images = np.arange(5, dtype=np.uint8)[:, None, None] * np.ones((28, 28), np.uint8)
    right, wrong = sheets.prediction_cells(images, LABELS, PROBABILITIES, [0, 3])
    assert right.captions == ("0  90.0 %", "ok  #0")
    assert wrong.captions == ("0  60.0 %", "is 1  #3")
    assert (wrong.pixels == 3).all()
