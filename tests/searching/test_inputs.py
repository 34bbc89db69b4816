import numpy as np
import pytest

from edgedigits.searching.candidates import Candidate
from edgedigits.searching.inputs import Inputs
from edgedigits.training.fitting import Fitter, TrainingData
from edgedigits.training.recipe import plain


@pytest.mark.parametrize(
    "arch", ["crop2-meanpool-dense4", "meanpool-dense4", "crop3-dense4", "meanpool3-crop1-dense4", "dense4"]
)
def test_they_are_those_that_training_uses(arch, bundled_digits):
    train, _ = bundled_digits
    recipe = plain(arch, bits=(4, 4), least_deviation=40.0)
    data = TrainingData(train.images, train.labels, train.images[:10], train.labels[:10])
    dense = next(layer for layer in Fitter(recipe, data).current_network.layers if hasattr(layer, "used"))
    used = Inputs(train.images).used(Candidate(arch, 4, 40.0))
    assert 0 < used.sum() < used.size
    np.testing.assert_array_equal(used, dense.used.numpy()[:, 0] == 1)


def test_without_a_least_deviation_none_is_left_out(bundled_digits):
    assert Inputs(bundled_digits[0].images).used(Candidate("dense4", 4)) is None


def test_other_words_before_a_dense_layer_are_refused(bundled_digits):
    with pytest.raises(ValueError, match="expected crop or meanpool before dense, got conv4"):
        Inputs(bundled_digits[0].images).used(Candidate("conv4-dense4", 4, 40.0))
