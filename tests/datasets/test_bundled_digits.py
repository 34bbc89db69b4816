import numpy as np
import pytest
from sklearn.datasets import load_digits

from edgedigits.datasets.bundled_digits import load_bundled_digits
from edgedigits.datasets.mnist_files import MNIST_NAME as MNIST
from edgedigits.datasets.split import Split


def test_all_1797_digits_are_there_in_the_form_of_mnist(bundled_digits: tuple[Split, Split]) -> None:
    assert [len(split.images) for split in bundled_digits] == [1347, 450]
    for split in bundled_digits:
        assert split.images.shape[1:] == (28, 28)
        assert (split.images.dtype, split.labels.dtype) == (np.uint8, np.uint8)
        # Ink is bright, and the border that MNIST leaves around its box of 20x20 holds less of it than the middle.
        assert (split.images.max(axis=(1, 2)) > 200).all()
        border = np.ones((28, 28), bool)
        border[4:24, 4:24] = False
        assert split.images[:, border].mean() < 0.05 * split.images[:, ~border].mean()


def test_no_test_digit_was_trained_on(bundled_digits: tuple[Split, Split]) -> None:
    train, test = ({image.tobytes() for image in split.images} for split in bundled_digits)
    assert not train & test


def test_every_class_has_its_share_in_both(bundled_digits: tuple[Split, Split]) -> None:
    everything = np.bincount(load_digits().target)
    train, test = (np.bincount(split.labels) for split in bundled_digits)
    assert (train + test == everything).all()
    assert (np.abs(test - everything * 450 / 1797) <= 1).all()  # whole images


@pytest.mark.no_cover  # the fixture has run the same lines
def test_the_same_digits_come_every_time(bundled_digits: tuple[Split, Split]) -> None:
    assert [split.sha256 for split in load_bundled_digits()] == [split.sha256 for split in bundled_digits]


def test_the_name_says_that_it_is_not_mnist(bundled_digits: tuple[Split, Split]) -> None:
    assert {split.dataset for split in bundled_digits} == {"scikit-learn digits (not MNIST)"}
    assert bundled_digits[0].dataset != MNIST
