"""What packed C takes: the model of its size against the cross compiler, and trained weights against drawn ones."""

import numpy as np
import pytest

from edgedigits.datasets.split import Split
from edgedigits.model_files.packed_size import packed_cost
from edgedigits.model_files.quantized_bits import bounds_of
from edgedigits.searching.budget import Budget
from edgedigits.searching.candidates import FORMS, Candidate, fitting
from edgedigits.searching.inputs import Inputs
from edgedigits_export import missing_compiler, packed_footprint
from edgedigits_export.footprint import drawn_weights, packed_source

SHARE, BYTES = 0.03, 64
"""By how much the model of the size may be off, whichever is more: what the documentation promises."""
NETWORKS = [
    Candidate("crop2-conv5.k5.s2.valid.bare-conv10.valid.bare-pool-conv14.valid.bare-mean", 4),
    Candidate("crop2-conv20.k5.s2.valid.bare-conv39.valid.bare-pool-conv58.valid.bare-mean", 4),
    Candidate("meanpool-conv7.valid.bare-conv12.valid.bare-pool-conv17.valid.bare-conv20.valid.bare-mean", 4),
    Candidate("meanpool-conv9.valid.bare-pool-conv18.valid.bare-conv27.valid.bare", 4),
    Candidate("conv8.valid.bare-pool-conv17.valid.bare-pool-conv25.valid.bare-mean", 4),
    Candidate("meanpool-conv14.valid.bare-pool-conv42.valid.bare-mean", 4),
    Candidate("meanpool-conv8.valid.bare-pool-conv16.valid.bare-conv24.valid.bare-mean", 3),
    Candidate("crop2-conv8.k5.s2.valid.bare-conv16.valid.bare-pool-conv24.valid.bare-mean", 5),
    Candidate("meanpool-conv12.valid.bare-pool-conv24.valid.bare-conv36.valid.bare-mean", 2),
    Candidate("meanpool-conv12.valid.bare-pool-conv24.valid.bare-conv36.valid.bare-mean", "ternary"),
    Candidate("crop2-meanpool-dense20-dense10", 4, 40.0),
    Candidate("crop2-meanpool-dense58-dense28", 4, 40.0),
    Candidate("meanpool-dense120-dense40-dense30", 3, 40.0),
    Candidate("crop2-meanpool-dense150-dense75", "ternary", 40.0),
    Candidate("crop2-meanpool-dense40-dense20", 6, 40.0),
]
"""Not those that the model was fitted to."""

compiled = pytest.mark.mcu(
    pytest.mark.skipif(missing_compiler() is not None, reason=f"apt-get install {missing_compiler()}")
)


@pytest.fixture(scope="module")
def inputs(dataset: tuple[Split, Split]) -> Inputs:
    return Inputs(dataset[0].images)


@compiled
@pytest.mark.parametrize("candidate", NETWORKS, ids=str)
def test_the_model_of_the_size_is_as_near_to_the_compiler_as_is_said(candidate, inputs, dataset):
    used = inputs.used(candidate)
    measured = packed_footprint(candidate.spec, candidate.layer_bits, used, dataset[0].images[:100])
    modelled = packed_cost(candidate.spec, candidate.layer_bits, None if used is None else int(used.sum()))
    assert abs(modelled.flash - measured.flash) <= max(SHARE * measured.flash, BYTES)
    # The stack of the calls is a constant in the model.
    assert abs(modelled.ram - measured.ram) <= max(SHARE * measured.ram, BYTES)


@compiled
@pytest.mark.parametrize("form", [form for forms in FORMS.values() for form in forms], ids=str)
def test_every_network_that_a_search_may_begin_with_is_one_that_packed_c_has(form, inputs, dataset):
    candidate = form.candidate(24)
    cost = packed_footprint(
        candidate.spec, candidate.layer_bits, inputs.used(candidate), dataset[0].images[:20]
    )
    assert cost.flash > 500


@compiled
def test_a_search_finds_networks_within_the_measured_budget(inputs, dataset):
    def estimate(candidate):
        used = inputs.used(candidate)
        return packed_cost(candidate.spec, candidate.layer_bits, None if used is None else int(used.sum()))

    def measure(candidate):
        return packed_footprint(
            candidate.spec, candidate.layer_bits, inputs.used(candidate), dataset[0].images[:20]
        )

    budget = Budget(2048, ram=700)
    priced = fitting(budget, "any", 4, estimate, measure)
    assert len(priced) == 4
    for candidate, cost in priced:
        assert not budget.exceeded(cost)
        assert cost == measure(candidate)


@pytest.mark.parametrize("candidate", [NETWORKS[0], NETWORKS[9], NETWORKS[12]], ids=str)
def test_drawn_weights_have_every_value_of_their_bits_and_zeros_where_inputs_are_left_out(candidate, inputs):
    used = inputs.used(candidate)
    drawn = drawn_weights(candidate.spec, candidate.layer_bits, used)
    assert list(drawn) == [layer.name for layer in candidate.spec.weighted]
    lowest, highest = bounds_of(candidate.bits)
    for place, (kernel, bias) in enumerate(drawn.values()):
        assert kernel.dtype == bias.dtype == np.float32
        step = -kernel.min() / -lowest
        whole = np.rint(kernel / step)
        np.testing.assert_allclose(whole * step, kernel, rtol=1e-5, atol=step * 1e-5)
        assert (whole.min(), whole.max()) == (lowest, highest)
        if place == 0 and used is not None:
            np.testing.assert_array_equal(np.any(kernel != 0, axis=1), used)


def test_the_same_network_is_the_same_source(dataset):
    spec, bits = NETWORKS[0].spec, NETWORKS[0].layer_bits
    one, other = (
        packed_source(spec, drawn_weights(spec, bits, None), dataset[0].images[:20]) for _ in range(2)
    )
    assert one == other
    assert set(one) == {"network.c", "network.h"}
