import pytest

from edgedigits.model_files.packed_size import PackedCost
from edgedigits.searching.budget import Budget
from edgedigits.searching.candidates import Candidate, Priced
from edgedigits.searching.halving import best, survivors
from edgedigits.searching.journal import Trial
from edgedigits.searching.search import Search


def trial(width: int, loss: float, wrong: int = 10) -> Trial:
    candidate = Candidate(f"dense{width}", 4)
    return Trial(candidate, 5, loss, 100, tuple(range(wrong)), 1.0)


def priced(*flashes: int) -> list[Priced]:
    return [
        Priced(Candidate(f"dense{width}", 4), PackedCost(flash, 0, 0))
        for width, flash in enumerate(flashes, start=1)
    ]


def test_the_networks_with_the_least_loss_go_on():
    trials = [trial(1, 0.3), trial(2, 0.1), trial(3, 0.2), trial(4, 0.4)]
    kept = survivors(trials, priced(1000, 1000, 1000, 1000), 2, 1000)
    assert [candidate.arch for candidate in kept] == ["dense2", "dense3"]


def test_the_best_of_three_quarters_and_of_half_of_the_flash_go_on_as_well():
    trials = [trial(1, 0.1), trial(2, 0.2), trial(3, 0.5), trial(4, 0.6), trial(5, 0.4)]
    kept = survivors(trials, priced(1000, 990, 750, 500, 501), 2, 1000)
    assert [candidate.arch for candidate in kept] == ["dense1", "dense2", "dense5", "dense4"]


def test_a_small_network_that_is_good_goes_on_once():
    trials = [trial(1, 0.1), trial(2, 0.2), trial(3, 0.3)]
    kept = survivors(trials, priced(400, 1000, 600), 1, 1000)
    assert [candidate.arch for candidate in kept] == ["dense1"]


def test_the_best_has_most_right_answers_and_of_several_the_least_loss():
    trials = [trial(1, 0.1, wrong=5), trial(2, 0.3, wrong=4), trial(3, 0.2, wrong=4)]
    assert best(trials) == trials[2]


@pytest.mark.parametrize(
    ("networks", "rungs"),
    [(18, [(18, 10), (6, 40), (2, 160)]), (2, [(2, 160)]), (1, [(1, 160)]), (3, [(3, 40), (2, 160)])],
)
def test_each_rung_has_a_third_of_the_networks_and_four_times_the_epochs(networks, rungs):
    assert Search(Budget(4096)).rungs(networks) == rungs


def test_a_rung_has_an_epoch_at_least():
    assert Search(Budget(4096), epochs=1).rungs(18) == [(18, 1), (6, 1), (2, 1)]
