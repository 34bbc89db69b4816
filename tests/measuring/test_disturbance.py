import pytest

from edgedigits.measuring.disturbance import (
    LEAST_CALLS,
    REPEATS,
    is_crowded,
    is_disturbed,
    load_average,
    spread,
    timed_calmly,
)

QUIET = [1_000] * 99 + [2_000]
BUSY = [1_000] * 80 + [20_000] * 20
BUSIER = [1_000] * 60 + [20_000] * 40


def test_a_mean_far_over_the_median_is_a_busy_machine():
    assert spread(QUIET) == pytest.approx(1.01)
    assert not is_disturbed(QUIET)
    assert is_disturbed(BUSY)


def test_few_calls_say_nothing():
    assert not is_disturbed(BUSY[-LEAST_CALLS + 1 :])


class Machine:
    """Gives one run after another, and remembers who was timed."""

    def __init__(self, **runs: list[list[int]]) -> None:
        self.runs = {name: iter(found) for name, found in runs.items()}
        self.asked: list[list[str]] = []

    def measure(self, names):
        self.asked.append(list(names))
        return {name: next(self.runs[name]) for name in names}


def test_only_what_was_disturbed_is_timed_again_until_it_was_calm():
    machine, told = Machine(calm=[QUIET], once=[BUSY, QUIET]), []
    samples, others = timed_calmly(machine.measure, ["calm", "once"], told.append)
    assert machine.asked == [["calm", "once"], ["once"]]
    assert told == [1]
    assert samples == {"calm": QUIET, "once": QUIET}
    assert others == {"calm": (), "once": (tuple(BUSY),)}


def test_of_runs_that_were_all_disturbed_the_calmest_is_shown_and_none_is_lost():
    machine = Machine(name=[BUSIER, BUSY, BUSIER])
    samples, others = timed_calmly(machine.measure, ["name"], lambda _: None)
    assert len(machine.asked) == 1 + REPEATS
    assert samples == {"name": BUSY}
    assert others == {"name": (tuple(BUSIER), tuple(BUSIER))}


@pytest.mark.parametrize(
    ("load", "threads", "cores", "crowded"),
    [(0.3, 1, 1, False), (0.9, 1, 1, True), (1.2, 1, 2, False), (1.6, 1, 2, True), (0.6, 0, 4, True)],
    ids=["idle", "one core taken", "room for one", "no room", "all cores wanted"],
)
def test_a_machine_is_crowded_where_others_take_the_cores(load, threads, cores, crowded):
    assert is_crowded(load, threads, cores) == crowded


def test_the_load_is_a_number_of_processes():
    assert load_average() >= 0
