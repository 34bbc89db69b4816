import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgedigits.comparing.files import compare_models
from edgedigits.datasets.split import Split
from edgedigits.reporting import changed_sheet, sheets
from edgedigits.reporting.changed_sheet import difference_sheet
from edgedigits.runtimes.model import Model
from edgedigits.runtimes.opening import open_model


@pytest.fixture(scope="module")
def default_model() -> Model:
    return open_model(Path(__file__).parents[2] / "models" / "digits.int8.onnx")


class Answering(Model):
    """Gives to the images the digits that it was told, in their order."""

    def __init__(self, model: Model, digits: np.ndarray) -> None:
        super().__init__(model.path, model.metadata, model.runtime)
        self.left = digits

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        now, self.left = self.left[: len(pixels)], self.left[len(pixels) :]
        return np.eye(10, dtype=np.float32)[now]


def drawn(model: Model, split: Split, old: np.ndarray, new: np.ndarray) -> np.ndarray:
    pair = Answering(model, old), Answering(model, new)
    found, *answers = compare_models(*pair, split, names=("old", "new"), with_latency=False)
    with Image.open(io.BytesIO(difference_sheet(found, split, *answers))) as sheet:
        return np.asarray(sheet.convert("L")).astype(int)


def cell(picture: np.ndarray, index: int) -> np.ndarray:
    """The pixels of a digit of a sheet, one for each of the image's."""
    row, column = divmod(index, 10)
    side = sheets.ZOOM * 28
    left = sheets.MARGIN + column * (side + sheets.MARGIN)
    top = sheets.TITLE_HEIGHT + row * (side + 2 * sheets.CAPTION_HEIGHT + sheets.MARGIN)
    return picture[top : top + side : sheets.ZOOM, left : left + side : sheets.ZOOM]


def test_broken_images_come_first_then_fixed_then_the_others(default_model: Model, dataset) -> None:
    test = dataset[1]
    split = Split.of(test.dataset, test.images[:20], test.labels[:20])
    old, new = split.labels.copy(), split.labels.copy()
    new[7] = (new[7] + 1) % 10  # broken
    old[3] = (old[3] + 1) % 10  # fixed
    old[5], new[5] = (old[5] + 1) % 10, (new[5] + 2) % 10  # wrong before and after
    picture = drawn(default_model, split, old, new)
    for place, index in enumerate((7, 3, 5)):
        # A palette of 64 colours may be off by some levels of grey.
        assert np.abs(cell(picture, place) - split.images[index]).mean() < 8
    assert (cell(picture, 3) == 255).all()  # paper: no other image changed


def test_a_model_that_broke_all_is_drawn_within_bounds(default_model: Model, dataset, monkeypatch) -> None:
    monkeypatch.setattr(changed_sheet, "MOST_DRAWN", 20)
    test = dataset[1]
    split = Split.of(test.dataset, test.images[:50], test.labels[:50])
    picture = drawn(default_model, split, split.labels, (split.labels + 1) % 10)
    rows = 2
    height = sheets.ZOOM * 28 + 2 * sheets.CAPTION_HEIGHT + sheets.MARGIN
    assert picture.shape[0] == rows * height + sheets.TITLE_HEIGHT + sheets.MARGIN
