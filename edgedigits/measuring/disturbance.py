"""Whether a machine was busy while something was timed, so that it is timed again."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import psutil

Subject = TypeVar("Subject")
Samples = dict[Subject, list[int]]

FAR = 1.5
"""Times the median that the mean of calls is at most where nothing else runs: two runs of a quiet machine had 1.02 and
1.03, one beside another program that computes 1.6 and more."""
LEAST_CALLS = 30
"""Fewer say nothing: one that had to wait makes their mean what it is."""
REPEATS = 2
"""Times that something is timed again at most: a machine that is busy for longer stays so."""
ROOM = 0.5
"""Load, in processes, that what ended a moment ago leaves in the average."""


def load_average() -> float:
    """Return how many processes ran or waited for a processor, on average over the last minute."""
    return float(psutil.getloadavg()[0])


def is_crowded(load: float, threads: int, cores: int) -> bool:
    """Whether other programs leave fewer cores than a measurement needs.

    Args:
        load: see ``load_average``.
        threads: of the measurement; 0 for one per core.
        cores: of the machine.
    """
    return load + (threads or cores) > cores + ROOM


def spread(nanoseconds: Sequence[int]) -> float:
    """Return how many times the median the mean is: 1 where all calls take as long, more where some had to wait."""
    return float(np.mean(nanoseconds) / max(1.0, float(np.median(nanoseconds))))


def is_disturbed(nanoseconds: Sequence[int]) -> bool:
    """Whether so many calls had to wait for other programs that their figures are not those of the file."""
    return len(nanoseconds) >= LEAST_CALLS and spread(nanoseconds) > FAR


def timed_calmly(
    measure: Callable[[Sequence[Subject]], Samples[Subject]],
    subjects: Sequence[Subject],
    tell: Callable[[int], None],
) -> tuple[Samples[Subject], Mapping[Subject, tuple[tuple[int, ...], ...]]]:
    """Time some things, and those again that had to wait for other programs.

    Args:
        measure: times the subjects that it is given, in turn.
        subjects: to time.
        tell: told how many are timed again.

    Returns:
        The samples of the calmest run of each, whole; and those of its other runs.
    """
    runs = {subject: [samples] for subject, samples in measure(subjects).items()}
    for _ in range(REPEATS):
        disturbed = [subject for subject in subjects if all(map(is_disturbed, runs[subject]))]
        if not disturbed:
            break
        tell(len(disturbed))
        for subject, samples in measure(disturbed).items():
            runs[subject].append(samples)
    calmest = {subject: min(found, key=spread) for subject, found in runs.items()}
    others = {
        subject: tuple(tuple(run) for run in found if run is not calmest[subject])
        for subject, found in runs.items()
    }
    return calmest, others
