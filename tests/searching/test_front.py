from edgedigits.model_files.packed_size import PackedCost
from edgedigits.searching.candidates import Candidate, Priced
from edgedigits.searching.front import HEADER, found
from edgedigits.searching.journal import Trial

NAMES = ("small", "worse", "middle", "equal", "large")
"""Of networks by their flash, 1,000, 1,000, 2,000, 2,500 and 3,000 bytes."""


def networks() -> dict[str, Priced]:
    flashes = (1000, 1000, 2000, 2500, 3000)
    return {
        name: Priced(Candidate(f"dense{flash + place}", 4), PackedCost(flash, 10, 20))
        for place, (name, flash) in enumerate(zip(NAMES, flashes, strict=True))
    }


def trial(candidate: Candidate, wrong, epochs: int = 8) -> Trial:
    return Trial(candidate, epochs, 0.1, 1000, tuple(wrong), 1.0)


def search() -> tuple[list[Trial], list[Priced]]:
    priced = networks()
    wrong = {
        "small": range(40),
        "worse": range(41),
        "middle": range(20),
        "equal": range(20),
        "large": range(15),
    }
    trials = [trial(priced[name].candidate, wrong[name]) for name in NAMES]
    return trials, list(priced.values())


def test_on_the_front_is_what_nothing_smaller_equals():
    trials, priced = search()
    on_front = [
        network.trial.candidate for network in found(trials, priced, trials[-1]) if network.is_on_front
    ]
    assert on_front == [networks()[name].candidate for name in ("small", "middle", "large")]


def test_two_networks_that_are_equal_in_both_are_both_on_the_front():
    (first, *_), (one, *_) = search()
    other = Priced(Candidate("dense7", 4), one.cost)
    trials = [first, trial(other.candidate, range(100, 140))]
    assert [network.is_on_front for network in found(trials, [one, other], first)] == [True, True]


def test_tied_is_what_an_exact_test_of_the_differing_images_does_not_tell_apart():
    trials, priced = search()
    tied = {
        network.trial.candidate for network in found(trials, priced, chosen=trials[-1]) if network.is_tied
    }
    # 5 images for the chosen one and none against it: p = 2 / 2^5 = 0.0625; 25 images: far below 0.05.
    assert tied == {networks()[name].candidate for name in ("middle", "equal")}


def test_one_more_image_tells_two_networks_apart():
    trials, priced = search()
    trials[2] = trial(trials[2].candidate, range(21))  # 6 images: p = 2 / 2^6 = 0.03125
    tied = {network.trial.candidate for network in found(trials, priced, trials[-1]) if network.is_tied}
    assert tied == {networks()["equal"].candidate}


def test_each_network_counts_with_its_longest_schedule():
    trials, priced = search()
    shorter = trial(trials[-1].candidate, range(900), epochs=2)
    assert found([*trials, shorter], priced, trials[-1]) == found(trials, priced, trials[-1])
    assert found([shorter, *trials], priced, trials[-1]) == found(trials, priced, trials[-1])


def test_a_row_has_every_column_and_says_which_is_chosen():
    trials, priced = search()
    rows = [network.row() for network in found(trials, priced, trials[-1])]
    assert {len(row) for row in rows} == {len(HEADER)}
    assert [row[0] for row in rows if "(chosen)" in row[0]] == [f"{trials[-1].candidate.arch} (chosen)"]
    assert rows[-1][2:8] == ("3,000", "10", "20", "8", "98.50 %", "97.54 to 99.09")


def test_as_json_it_has_costs_accuracy_and_marks():
    trials, priced = search()
    fields = found(trials, priced, trials[-1])[-1].to_dict()
    assert fields["flash"] == 3000
    assert fields["val_accuracy"]["percent"] == 98.5
    assert (fields["front"], fields["tied"], fields["chosen"]) == (True, False, True)
