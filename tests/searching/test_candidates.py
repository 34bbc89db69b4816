import re

import pytest

from edgedigits.errors import ArgumentError
from edgedigits.model_files.packed_size import PackedCost, packed_cost
from edgedigits.searching.budget import Budget
from edgedigits.searching.candidates import FORMS, NARROWEST, Candidate, fitting


def cost_of(candidate: Candidate) -> PackedCost:
    return packed_cost(candidate.spec, candidate.layer_bits)


def fit(budget: Budget, kind="any", count=100, measure=cost_of):
    return fitting(budget, kind, count, cost_of, measure)


budgets = pytest.mark.parametrize(
    "budget",
    [Budget(2048), Budget(4096), Budget(16384), Budget(4096, ram=600, instructions=400_000)],
    ids=["2K", "4K", "16K", "4K with limits"],
)


@budgets
@pytest.mark.parametrize("kind", FORMS)
def test_every_network_is_within_the_budget_and_stands_there_once(budget, kind):
    priced = fit(budget, kind)
    assert len(priced) > 5
    assert len({candidate for candidate, _ in priced}) == len(priced)
    for candidate, cost in priced:
        assert cost == cost_of(candidate)
        assert not budget.exceeded(cost)


def test_of_each_form_there_is_the_widest_network_that_fits():
    budget = Budget(4096)
    found = {candidate for candidate, _ in fit(budget)}
    for form in FORMS["any"]:
        family = dict.fromkeys(form.candidate(steps) for steps in range(NARROWEST, 400))
        widest = [candidate for candidate in family if cost_of(candidate).flash <= budget.flash][-1]
        assert widest in found


def test_the_front_gets_smaller_networks_too():
    flashes = [cost.flash for _, cost in fit(Budget(4096))]
    assert min(flashes) <= 2048
    assert [flash for flash in flashes if 2048 < flash <= 3072]


def test_dense_networks_have_no_convolutions():
    assert not [candidate for candidate, _ in fit(Budget(4096), "dense") if "conv" in candidate.arch]


def test_no_more_networks_than_are_asked_for():
    assert fit(Budget(4096), count=3) == fit(Budget(4096))[:3]


def test_what_is_measured_decides_and_not_what_was_estimated():
    def measure(candidate: Candidate) -> PackedCost:
        cost = cost_of(candidate)
        return PackedCost(cost.flash + 50, cost.ram, cost.instructions)

    estimated = {form.flash for _, form in fit(Budget(4096))}
    measured = fit(Budget(4096), measure=measure)
    assert max(estimated) > 4096 - 50
    assert all(cost.flash <= 4096 and cost == measure(candidate) for candidate, cost in measured)


def test_a_measured_cost_below_the_estimate_lets_wider_networks_in():
    def measure(candidate: Candidate) -> PackedCost:
        cost = cost_of(candidate)
        return PackedCost(cost.flash - 60, cost.ram, cost.instructions)

    assert max(cost.flash for _, cost in fit(Budget(4096), measure=measure)) > 4096 - 60


@pytest.mark.parametrize("name", ["flash", "ram", "instructions"])
def test_a_budget_that_nothing_fits_says_what_the_least_is_and_that_much_is_enough(name):
    limits = {"flash": 4096, "ram": 1024, "instructions": 500_000, name: 1}
    with pytest.raises(ArgumentError, match=rf"^{name}: expected at least [0-9,]+ within the other limits"):
        fit(Budget(**limits))
    try:
        fit(Budget(**limits))
    except ArgumentError as error:
        least = int(re.search(r"at least ([0-9,]+)", str(error))[1].replace(",", ""))
    assert fit(Budget(**{**limits, name: least}))
    with pytest.raises(ArgumentError):
        fit(Budget(**{**limits, name: least - 1}))


def test_where_several_limits_are_too_low_the_least_of_each_is_told():
    with pytest.raises(ArgumentError, match=r"bytes of flash, [0-9,]+ bytes of RAM, [0-9,]+ instructions"):
        fit(Budget(10, ram=10, instructions=10))
