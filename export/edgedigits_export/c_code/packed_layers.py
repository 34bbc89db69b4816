"""What a packed network is made of: the picture as its first layer takes it, and layers as one loop takes them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgedigits_export.c_code.packing import PAIRS, Packing

MOST_OF_A_MEAN = 2**16
"""Times the sum of a square of pixels, that the C code multiplies by to divide."""


class NotPackedError(ValueError):
    """A network is none that is packed; its C code is that of any network."""


@dataclass(frozen=True)
class Mean:
    """The picture as means of squares of pixels."""

    side: int
    """Of a square: 1 where pixels are taken as they are."""
    top: int
    left: int
    height: int
    """Of what comes out, as the width."""
    width: int

    @property
    def count(self) -> int:
        """Pixels of a square."""
        return self.side * self.side

    @property
    def bits(self) -> int | None:
        """Of the shift that divides by the count; None where it is no power of two."""
        bits = self.count.bit_length() - 1
        return bits if self.count == 1 << bits else None

    @property
    def reciprocal(self) -> int:
        """What a sum is multiplied by before a shift of 16 bits divides it, where the count is no power of two."""
        return -(-MOST_OF_A_MEAN // self.count)

    def is_exact(self) -> bool:
        """Whether the reciprocal divides every sum that there can be."""
        sums = np.arange(256 * self.count + self.count, dtype=np.int64)
        return self.bits is not None or bool(np.all(sums * self.reciprocal >> 16 == sums // self.count))


@dataclass(frozen=True, eq=False)
class PackedLayer:
    """A layer as the loop over its places takes it. Lengths are in bytes."""

    height: int
    """Of the places of the kernel."""
    width: int
    down: int
    """From a place to the one below it, in the map that it takes."""
    across: int
    """From a place to the next."""
    line: int
    """From a row of a patch to the next."""
    rows: int
    """Of a patch."""
    row: int
    """Length of one."""
    span: int
    """Of what goes into one output's weights; a patch may be several times as long, and goes in piece by piece."""
    outputs: int
    pool: int
    """Bits of the side of a square of places of which the largest is taken."""
    shift: int
    """Of the sums."""
    bias_shift: int
    biases: npt.NDArray[np.int16]
    packing: Packing
    offset: int
    """What is added to a weight to be a digit."""
    weights: bytes
    is_dense: bool
    """Whether its patch is all that it takes, as it lies."""

    @property
    def pooled_width(self) -> int:
        """Of what comes out, in places."""
        return self.width >> self.pool

    @property
    def size(self) -> int:
        """Of what comes out."""
        return (self.height >> self.pool) * self.pooled_width * self.outputs

    @property
    def patch(self) -> int:
        """Length of a patch that is laid out by itself."""
        return 0 if self.is_dense else self.rows * self.row

    @property
    def groups(self) -> int:
        """Of outputs that are computed together."""
        return -(-self.outputs // 2) if self.packing.base == PAIRS else self.outputs

    @property
    def room(self) -> int:
        """Of what comes out and, behind an odd last output of a pair, a second that is nothing."""
        return self.size + (2 * self.groups - self.outputs if self.packing.base == PAIRS else 0)
