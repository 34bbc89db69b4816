import platform
import time

import pytest

from edgedigits import perf_counter
from edgedigits.perf_counter import Event, count

linux = pytest.mark.skipif(platform.system() != "Linux", reason="counters as Linux has them")


def spin(seconds: float) -> None:
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        pass


@linux
def test_time_on_the_processor_is_counted() -> None:
    short, long = (count(lambda seconds=seconds: spin(seconds), Event.TASK_CLOCK) for seconds in (0.01, 0.1))
    if short is None or long is None:
        pytest.skip("perf_event_paranoid forbids counters here")
    # Others may take the processor meanwhile, so less than the wall time; never more.
    assert 0 < short <= 0.05e9
    assert short < long <= 0.2e9
    asleep = count(lambda: time.sleep(0.05), Event.TASK_CLOCK)
    assert asleep is not None
    assert asleep < 0.02e9


def test_cycles_are_counted_or_there_are_none() -> None:
    ran = []
    cycles = count(lambda: ran.append(spin(0.01)), Event.CYCLES)
    assert len(ran) == 1
    # A hundredth of a second at 100 MHz is a million; no processor here is slower.
    assert cycles is None or cycles > 1e5


@pytest.mark.parametrize(("system", "machine"), [("Windows", "AMD64"), ("Linux", "riscv64")])
def test_other_systems_have_no_counters(system: str, machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perf_counter.platform, "system", lambda: system)
    monkeypatch.setattr(perf_counter.platform, "machine", lambda: machine)
    ran = []
    assert count(lambda: ran.append(1)) is None
    assert ran == [1]


@linux
def test_an_error_passes_through() -> None:
    with pytest.raises(ZeroDivisionError):
        count(lambda: 1 // 0, Event.TASK_CLOCK)
