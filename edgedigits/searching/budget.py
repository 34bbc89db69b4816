"""What a network may cost, and how such amounts are written. Light."""

import re
from dataclasses import dataclass

from edgedigits.model_files.packed_size import PackedCost

LIMITS = ("flash", "ram", "instructions")
"""Fields that a budget and a cost share."""
UNITS = {"flash": "bytes of flash", "ram": "bytes of RAM", "instructions": "instructions"}
"""By field."""
LARGEST_AMOUNT = 1 << 30
_FACTORS = {"": 1, "k": 1_000, "K": 1_024, "m": 1_000_000, "M": 1 << 20}
_AMOUNT = re.compile(r"([0-9]{1,10}(?:\.[0-9]{1,6})?)([kKmM]?)")


@dataclass(frozen=True)
class Budget:
    """The most that a network may cost; None where there is no limit."""

    flash: int
    """Bytes of code, tables and weights."""
    ram: int | None = None
    """Bytes besides the picture and the answer."""
    instructions: int | None = None
    """For one picture."""

    def exceeded(self, cost: PackedCost) -> list[str]:
        """Return the limits that a cost is beyond, by name."""
        return [
            name
            for name in LIMITS
            if (most := getattr(self, name)) is not None and getattr(cost, name) > most
        ]


def read_amount(text: str) -> int:
    """Read ``4096``, ``4K`` (4,096), ``500k`` (500,000), ``1.5M`` or ``2m``; capital letters are powers of 1,024.

    Raises:
        ValueError: it is no such text, or no whole number from 1 to 2^30.
    """
    found = _AMOUNT.fullmatch(text.strip())
    amount = float(found[1]) * _FACTORS[found[2]] if found else 0.0
    if not 1 <= amount <= LARGEST_AMOUNT or amount != int(amount):
        raise ValueError(
            f"expected a whole number like 4096, 4K (4,096) or 500k (500,000), got {text[:20]!r}"
        )
    return int(amount)
