import numpy as np
import pytest

from edgedigits.numbers.candidates import Candidate
from edgedigits.numbers.pieces import PAPER, Strip
from edgedigits.numbers.reading import Box
from edgedigits.picture.levels import Pixels
from edgedigits.training import lines
from edgedigits.training.drawn import draw_digits
from edgedigits.training.lines import draw_candidates, held_by, write
from edgedigits.training.non_digits import NO_DIGIT

IMAGES, LABELS = draw_digits(200, np.random.default_rng(0))


def cut(count: int, seed: int = 0) -> tuple[Pixels, np.ndarray]:
    return draw_candidates(count, np.random.default_rng(seed), IMAGES, LABELS)


@pytest.mark.parametrize("count", [0, 1, 300])
def test_so_many_candidates_are_cut_out_of_lines(count: int) -> None:
    images, labels = cut(count)
    assert (images.shape, images.dtype, labels.dtype) == ((count, 28, 28), np.uint8, np.uint8)
    assert all(image.max() == 255 for image in images)


def test_every_digit_and_what_is_none_are_among_them() -> None:
    labels = cut(1_500)[1]
    shares = np.bincount(labels, minlength=NO_DIGIT + 1) / len(labels)
    assert shares[:NO_DIGIT].min() > 0.01
    assert 0.3 < shares[NO_DIGIT] <= lines.MOST_NON_DIGITS / (1 + lines.MOST_NON_DIGITS) + 0.05


def test_the_seed_decides() -> None:
    (first, labels), (again, same), (other, _) = cut(60, 1), cut(60, 1), cut(60, 2)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(labels, same)
    assert (first != other).any()


def test_candidates_that_are_digits_are_those_that_were_written(hands: object) -> None:
    images, labels = cut(600, 3)
    is_digit = labels != NO_DIGIT
    found = hands.probabilities(images[is_digit]).argmax(axis=1)  # type: ignore[attr-defined]
    assert (found == labels[is_digit]).mean() > 0.85


def test_what_a_candidate_holds_of_digits() -> None:
    owners = np.zeros((60, 100), np.uint8)
    owners[6:54, 10:14] = 1
    owners[6:54, 20:30] = 2
    owners[6:54, 60:70] = lines.FOREIGN
    ids = np.where(owners > 0, 0, PAPER).astype(np.int16)
    ids[:, 25:] = np.where(owners[:, 25:] > 0, 1, PAPER)
    strip = Strip(np.where(owners > 0, 255, 0).astype(np.uint8), ids, (), 0, 0.0, 1.0, (0.0, 0.0), 5.0)
    totals = np.bincount(owners.ravel(), minlength=256)
    held = held_by(strip, Candidate(0, 0, Box(10, 6, 25, 54)), owners, totals)
    assert (held.owner, held.share, held.foreign, held.other) == (2, 0.5, 0, 1)
    assert held.purity == pytest.approx(5 / 9)
    held = held_by(strip, Candidate(0, 1, Box(10, 6, 70, 54)), owners, totals)
    assert (held.owner, held.share, held.other) == (2, 1, 1)
    assert held.foreign == pytest.approx(10 / 24)


def test_ink_belongs_to_the_digits_of_a_line_in_their_order() -> None:
    generator = np.random.default_rng(5)
    steps: list[bool] = []
    for _ in range(20):
        line = write(generator, IMAGES, LABELS)
        owners = [owner for owner in np.unique(line.owners) if 0 < owner < lines.JOINT]
        middles = [np.nonzero(line.owners == owner)[1].mean() for owner in owners]
        assert len(line.digits) >= len(owners) >= len(line.digits) - 1  # one may lie behind its neighbour
        assert line.levels.shape == line.owners.shape
        steps += (np.diff(middles) > 0).tolist()
    assert np.mean(steps) > 0.95


@pytest.fixture(scope="module")
def hands() -> object:
    from edgedigits import DigitPredictor

    return DigitPredictor()
