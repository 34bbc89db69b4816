import hashlib
import platform
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edgedigits.measuring import perf_counter
from edgedigits.measuring.perf_counter import Event, count

linux = pytest.mark.skipif(platform.system() != "Linux", reason="counters as Linux has them")
BLOCK = bytes(1 << 20)


def counted(call: Callable[[], object], event: Event) -> int:
    """The count, where there is such a counter at all."""
    found = count(call, event)
    if found is None:
        pytest.skip(f"the system does not let {event.name} be counted")
    return found


def hash_for(seconds: float) -> None:
    """Work for so long on the thread's own clock; hashlib lets other threads run meanwhile."""
    deadline = time.thread_time() + seconds
    while time.thread_time() < deadline:
        hashlib.sha256(BLOCK)


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@linux
def test_time_on_the_processor_is_that_of_the_process_s_own_clock() -> None:
    counts = {}
    for seconds in (0.02, 0.1):
        before = time.process_time_ns()
        counts[seconds] = counted(lambda seconds=seconds: hash_for(seconds), Event.TASK_CLOCK)
        # The clock also runs while the counters are opened and closed.
        assert 1e9 * seconds * 0.9 < counts[seconds] <= time.process_time_ns() - before
    assert counts[0.02] < counts[0.1]
    assert counted(lambda: time.sleep(0.05), Event.TASK_CLOCK) < 0.02e9


@linux
def test_threads_that_were_there_before_are_counted() -> None:
    ready = threading.Barrier(3)
    with ThreadPoolExecutor(2) as pool:
        started = [pool.submit(ready.wait) for _ in range(2)]
        ready.wait()
        for future in started:
            future.result()

        def ask_both() -> None:
            for future in [pool.submit(hash_for, 0.1) for _ in range(2)]:
                future.result()

        # This thread only waits; each of the two others works for a tenth of a second.
        assert 0.18e9 < counted(ask_both, Event.TASK_CLOCK) < 0.3e9


@linux
def test_threads_that_the_call_starts_are_counted() -> None:
    def start_two() -> None:
        threads = [threading.Thread(target=hash_for, args=(0.1,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert 0.18e9 < counted(start_two, Event.TASK_CLOCK) < 0.3e9


@linux
def test_threads_of_before_do_not_count() -> None:
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(hash_for, [0.1, 0.1]))
        assert counted(lambda: None, Event.TASK_CLOCK) < 0.05e9


@linux
def test_counters_are_closed() -> None:
    counted(lambda: None, Event.TASK_CLOCK)
    before = open_files()
    for _ in range(20):
        counted(lambda: None, Event.TASK_CLOCK)
    assert open_files() == before


@linux
def test_cycles_are_counted() -> None:
    # A tenth of a second at 100 MHz is ten million cycles; no processor here is slower.
    assert counted(lambda: hash_for(0.1), Event.CYCLES) > 1e7


@pytest.mark.parametrize(("system", "machine"), [("Windows", "AMD64"), ("Linux", "riscv64")])
def test_other_systems_have_no_counters(system: str, machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perf_counter.platform, "system", lambda: system)
    monkeypatch.setattr(perf_counter.platform, "machine", lambda: machine)
    ran = []
    assert count(lambda: ran.append(1)) is None
    assert ran == [1]


@linux
def test_an_error_passes_through_and_leaves_no_counter_open() -> None:
    before = open_files()
    with pytest.raises(ZeroDivisionError):
        count(lambda: 1 // 0, Event.TASK_CLOCK)
    assert open_files() == before
