import numpy as np

from edgedigits.training.drawn import draw_digits
from edgedigits.training.renewal import BLOCKS, Renewed


def digits(count: int, seed: int, name: bytes = b"drawn") -> Renewed:
    return Renewed(draw_digits, count, seed, name)


def test_an_epoch_renews_one_block_and_keeps_the_others() -> None:
    renewed = digits(80, seed=3)
    first, second = (renewed.of_epoch(epoch)[0].reshape(BLOCKS, -1) for epoch in (1, 2))
    assert (first != second).any(axis=1).sum() == 1
    later = renewed.of_epoch(1 + BLOCKS)[0].reshape(BLOCKS, -1)
    assert (first != later).any(axis=1).all()


def test_an_epoch_is_the_same_whatever_came_before() -> None:
    going = digits(30, seed=3)
    for epoch in range(1, 12):
        expected = going.of_epoch(epoch)
    for renewed in (digits(30, seed=3), going):
        images, labels = renewed.of_epoch(11)
        np.testing.assert_array_equal(images, expected[0])
        np.testing.assert_array_equal(labels, expected[1])
    for other in (digits(30, seed=4), digits(30, seed=3, name=b"others")):
        assert (other.of_epoch(11)[0] != expected[0]).any()
