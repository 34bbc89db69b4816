"""The processor's own counters, as ``perf`` reads them, where the system allows it (perf_event_open(2), Linux).

A virtual machine often has none, and ``/proc/sys/kernel/perf_event_paranoid`` may forbid them: then there is nothing to
read, which is no error.
"""

import contextlib
import ctypes
import os
import platform
import struct
from collections.abc import Callable
from enum import Enum
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows has no such counters either.
    fcntl = None  # type: ignore[assignment]

_SYSTEM_CALLS = {"x86_64": 298, "aarch64": 241}
"""Number of perf_event_open by architecture."""
_ATTRIBUTES_SIZE = 128
_FLAGS_OFFSET = 40
_DISABLED, _INHERIT, _EXCLUDE_KERNEL, _EXCLUDE_HYPERVISOR = 1 << 0, 1 << 1, 1 << 5, 1 << 6
_ENABLE, _DISABLE = 0x2400, 0x2401
_THREADS = Path("/proc/self/task")


class Event(Enum):
    """What can be counted: type and number, as in ``linux/perf_event.h``."""

    CYCLES = (0, 0)
    """Cycles of the processor in user code."""
    TASK_CLOCK = (1, 1)
    """Nanoseconds on a processor, counted by the system itself."""


def count(call: Callable[[], object], event: Event = Event.CYCLES) -> int | None:
    """Run a function and count an event in all threads of this process meanwhile.

    A runtime's threads were there before the call, and wait for it: each has a counter of its own, which also counts
    in the threads that it starts.

    Returns:
        The count; None where the system has no such counter or does not let us read it. The function ran all the same.
    """
    counters = _open_all(event)
    if not counters:
        call()
        return None
    try:
        for counter in counters:
            fcntl.ioctl(counter, _ENABLE, 0)
        call()
        for counter in counters:
            fcntl.ioctl(counter, _DISABLE, 0)
        return sum(int.from_bytes(os.read(counter, 8), "little") for counter in counters)
    finally:
        for counter in counters:
            os.close(counter)


def _open_all(event: Event) -> list[int]:
    """Open a counter, which stands still, for every thread of this process; none where one cannot be opened."""
    number = _SYSTEM_CALLS.get(platform.machine()) if platform.system() == "Linux" else None
    if number is None:
        return []
    counters: list[int] = []
    for thread in [int(path.name) for path in _THREADS.iterdir()]:
        counter = _open(number, event, thread)
        if counter is not None:
            counters.append(counter)
        elif (_THREADS / str(thread)).exists():
            # Part of the threads would be a wrong count; one that ended by now counts nothing.
            for opened in counters:
                os.close(opened)
            return []
    return counters


def _open(number: int, event: Event, thread: int) -> int | None:
    kind, config = event.value
    attributes = bytearray(_ATTRIBUTES_SIZE)
    struct.pack_into("<IIQ", attributes, 0, kind, _ATTRIBUTES_SIZE, config)
    flags = _DISABLED | _INHERIT | _EXCLUDE_KERNEL | _EXCLUDE_HYPERVISOR
    struct.pack_into("<Q", attributes, _FLAGS_OFFSET, flags)
    buffer = (ctypes.c_char * _ATTRIBUTES_SIZE).from_buffer(attributes)
    any_cpu, no_group, no_flags = -1, -1, 0
    with contextlib.suppress(AttributeError):  # a C library without syscall()
        counter = ctypes.CDLL(None).syscall(number, buffer, thread, any_cpu, no_group, no_flags)
        return int(counter) if counter >= 0 else None
    return None
