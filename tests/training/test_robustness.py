"""Known weaknesses: each condition does to a picture what its name says."""

import numpy as np
import pytest

from edgedigits.datasets.split import Split
from edgedigits.training.robustness import measure_robustness


def seen_by_the_network(image: np.ndarray) -> dict[str, np.ndarray]:
    """What one picture becomes under each condition, by name."""
    seen: list[np.ndarray] = []

    def network(images: np.ndarray) -> np.ndarray:
        seen.append(images[0])
        return np.eye(10, dtype=np.float32)[[0]]

    split = Split.of("test", image[np.newaxis], np.zeros(1, np.uint8))
    names = [condition.name for condition in measure_robustness(network, split)]
    return dict(zip(names, seen, strict=True))


@pytest.fixture(scope="module")
def bar() -> dict[str, np.ndarray]:
    """An upright bar, four pixels wide, in the middle."""
    image = np.zeros((28, 28), np.uint8)
    image[6:22, 12:16] = 255
    return seen_by_the_network(image)


def upper_and_lower_middle(image: np.ndarray) -> tuple[float, float]:
    """The mean column of the ink in the upper and in the lower half."""
    columns = np.arange(28)
    return tuple(float((half.sum(axis=0) * columns).sum() / half.sum()) for half in (image[:14], image[14:]))  # type: ignore[return-value]


@pytest.mark.parametrize("degrees", [10, 20, 30])
def test_turned_left_leans_left_and_right_leans_right(bar: dict[str, np.ndarray], degrees: int) -> None:
    upper, lower = upper_and_lower_middle(bar[f"turned by {degrees} degrees left"])
    assert upper < lower - 0.5
    upper, lower = upper_and_lower_middle(bar[f"turned by {degrees} degrees right"])
    assert upper > lower + 0.5


@pytest.mark.parametrize(("name", "pixels"), [("1 pixel", 1), ("2 pixels", 2), ("3 pixels", 3)])
def test_moved(bar: dict[str, np.ndarray], name: str, pixels: int) -> None:
    rows, columns = np.nonzero(bar[f"moved by {name} down and right"])
    assert (rows.min(), columns.min()) == (6 + pixels, 12 + pixels)


@pytest.mark.parametrize(
    ("name", "width"),
    [("strokes a pixel thinner", 3), ("strokes a pixel thicker", 5), ("strokes two pixels thicker", 6)],
)
def test_stroke_width(bar: dict[str, np.ndarray], name: str, width: int) -> None:
    assert np.count_nonzero(bar[name][14]) == width


@pytest.mark.parametrize("level", [25, 50, 100])
def test_noise_has_the_level_that_it_says(bar: dict[str, np.ndarray], level: int) -> None:
    paper = bar[f"noise of {level} gray levels"][:, :8].astype(float)
    # Half of the noise on black is cut off; what is left has a root mean square of level / sqrt(2), here of 224 pixels.
    assert np.sqrt((paper**2).mean()) == pytest.approx(level / np.sqrt(2), rel=0.2)


def test_counts_right_answers() -> None:
    split = Split.of("test", np.zeros((4, 28, 28), np.uint8), np.array([3, 3, 1, 3], np.uint8))
    conditions = measure_robustness(lambda images: np.eye(10, dtype=np.float32)[[3] * len(images)], split)
    assert {(condition.correct, condition.images) for condition in conditions} == {(3, 4)}
