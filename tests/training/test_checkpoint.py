import numpy as np

from edgedigits.datasets.split import Split
from edgedigits.training.checkpoint import read_checkpoint, write_checkpoint
from edgedigits.training.fitting import Epoch, Fitter
from edgedigits.training.recipe import plain
from edgedigits.training.splits import training_data


def test_a_checkpoint_of_a_long_run_can_be_read_again(bundled_digits: tuple[Split, Split], tmp_path) -> None:
    """The history of some 330 epochs was longer than a text in an archive might be."""
    split, _ = bundled_digits
    recipe = plain((4,), epochs=3_000, validation=100)
    fitter = Fitter(recipe, training_data(recipe, split))
    history = [
        Epoch(epoch, 0.123456789012345, 0.98765432109876, 0.0123456789012, 0.9912, 0.00012345678, 1.23456789)
        for epoch in range(1, 2_501)
    ]
    write_checkpoint(tmp_path / "checkpoint.npz", fitter, history, split)
    other = Fitter(recipe, training_data(recipe, split))
    other.restore([np.zeros_like(array) for array in other.state()])
    assert read_checkpoint(tmp_path / "checkpoint.npz", other, split) == history
    for mine, theirs in zip(fitter.state(), other.state(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
