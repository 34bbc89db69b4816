"""Weights of few bits as bytes: digits of a number to some base, several of them in a unit of one to three bytes."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

PAIRS = 16
"""The base in which two outputs share the bytes of their weights."""


@dataclass(frozen=True)
class Packing:
    """How weights lie in flash."""

    base: int
    """How many values a weight can have."""
    digits: int
    """Weights in a unit."""
    unit: int
    """Bytes of a unit."""


PACKINGS = (
    Packing(3, 5, 1),
    Packing(4, 4, 1),
    Packing(8, 8, 3),
    Packing(PAIRS, 2, 1),
    Packing(32, 3, 2),
    Packing(64, 4, 3),
    Packing(256, 1, 1),
)
"""From the densest: ternary weights, and those of 2, 3, 4, 5, 6 and 8 bits."""


def packing_of(weights: npt.NDArray[np.int8]) -> Packing:
    """Return the densest packing that holds all of some weights."""
    values = int(weights.max(initial=0)) - int(weights.min(initial=0)) + 1
    return next(packing for packing in PACKINGS if packing.base >= values)


def packed_weights(rows: npt.NDArray[np.int8], packing: Packing, offset: int) -> bytes:
    """Return weights as the C code takes them.

    In pairs, a byte has the digits of two outputs for one input, the second in the higher four bits; a missing second
    has none but zeros. Else the weights of an output lie one behind the other, from the highest digit of its units on.

    Args:
        rows: int8 (inputs, outputs).
        packing: see ``packing_of``.
        offset: what is added to a weight to make a digit of it.
    """
    digits = rows.astype(np.int64) + offset
    if packing.base == PAIRS:
        if digits.shape[1] % 2:
            digits = np.pad(digits, ((0, 0), (0, 1)))
        return (digits[:, ::2] + PAIRS * digits[:, 1::2]).T.astype(np.uint8).tobytes()
    inputs = len(digits)
    units = -(-inputs // packing.digits)
    padded = np.pad(digits.T, ((0, 0), (0, units * packing.digits - inputs)))
    powers = packing.base ** np.arange(packing.digits - 1, -1, -1)
    numbers = padded.reshape(-1, packing.digits) @ powers
    # As a fraction of all numbers that the digits can be, rounded up, so that the digits are what they were.
    fractions = -(-(numbers << 8 * packing.unit) // packing.base**packing.digits)
    return b"".join(int(number).to_bytes(packing.unit, "little") for number in fractions)
