"""Numbers that a caller chooses, checked before they reach a runtime that would crash on them or hang."""

import math
import operator
from typing import Any

from edgedigits.errors import ArgumentError, ArgumentTypeError
from edgedigits.margins import NEVER, STEPS

MOST_THREADS = 1024
"""Of a runtime; onnxruntime really starts as many as it is told."""
LARGEST_SEED = 2**31 - 1
"""What every library's generator takes."""
MOST_IMAGES = 500_000
"""Of one part of a dataset, and so of a batch. A header may declare any number; this many are 392 MB,
and twice that while they are unpacked."""
MOST_EPOCHS = 100_000
"""Far more than a small network learns anything in; each takes a tenth of a second or more."""
LARGEST_RATE = 1_000.0
"""Of learning: weights are lost in the first step at far less."""
LONGEST_SECONDS = 86_400.0
"""That one file may be measured for."""
MOST_SAMPLES, MOST_ROUNDS = 100_000_000, 10_000
"""Of a measurement; each sample is kept."""


def count_of(name: str, value: Any, least: int = 1, most: int | None = None) -> int:
    """Return a whole number within its range.

    Args:
        name: of the argument, for the message.
        value: an ``int``, or what stands for one, such as numpy's integers; no bool.
        least: the smallest that may be.
        most: the largest that may be; None for no bound.

    Raises:
        ArgumentTypeError: it is no whole number.
        ArgumentError: it is out of range.
    """
    wanted = f"{least:,} or more" if most is None else f"{least:,} to {most:,}"
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise ArgumentTypeError(f"{name}: expected a whole number, {wanted}, got {_kind(value)}") from None
    if number < least or (most is not None and number > most):
        raise ArgumentError(f"{name}: expected {wanted}, got {number:,}")
    return number


def threads_of(value: Any) -> int:
    """Return a number of threads: 1 to 1,024, or 0 for one per core.

    Raises:
        ArgumentTypeError, ArgumentError: it is none.
    """
    return count_of("threads", value, 0, MOST_THREADS)


def min_margin_of(value: Any) -> int:
    """Return the least lead over the second answer from which on an answer is sure, in steps of 1/256.

    Args:
        value: a whole number of steps, 0 (any lead) to 256 (none), or a fraction, a ``float`` from 0 to 1, of which the
            next whole step is taken; numpy's numbers as well, no bool and no text.

    Raises:
        ArgumentTypeError: it is no number.
        ArgumentError: it is out of range, or NaN.
    """
    wanted = f"steps of 1/{STEPS}, 0 to {NEVER}, or a fraction, 0.0 to 1.0"
    if isinstance(value, (bool, str, bytes)):
        raise ArgumentTypeError(f"min_margin: expected {wanted}, got {_kind(value)}")
    try:
        steps, found = operator.index(value), f"{value} steps"
    except TypeError:
        try:
            fraction = float(value)
        except (TypeError, ValueError, OverflowError):
            raise ArgumentTypeError(f"min_margin: expected {wanted}, got {_kind(value)}") from None
        found = f"the fraction {fraction:g}"
        steps = math.ceil(fraction * STEPS) if 0 <= fraction <= 1 else -1
    if not 0 <= steps <= NEVER:
        raise ArgumentError(f"min_margin: expected {wanted}, got {found}")
    return steps


def amount_of(name: str, value: Any, *, zero: bool = True, most: float = math.inf) -> float:
    """Return a finite number that is not negative.

    Args:
        name: of the argument, for the message.
        value: an ``int``, a ``float``, or what converts to one; no bool and no text.
        zero: whether it may be 0.
        most: the largest that may be.

    Raises:
        ArgumentTypeError: it is no number.
        ArgumentError: it is negative, infinite, NaN, above ``most``, or 0 where that may not be.
    """
    wanted = "a number, 0 or more" if zero else "a number above 0"
    wanted += "" if math.isinf(most) else f", at most {most:,g}"
    try:
        if isinstance(value, (bool, str, bytes)):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ArgumentTypeError(f"{name}: expected {wanted}, got {_kind(value)}") from None
    if not math.isfinite(number) or not 0 <= number <= most or (number == 0 and not zero):
        raise ArgumentError(f"{name}: expected {wanted}, got {number:g}")
    return number


def _kind(value: object) -> str:
    return f"{value} ({type(value).__name__})" if isinstance(value, (bool, float)) else type(value).__name__
