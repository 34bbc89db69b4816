"""How many bits weights have: the whole numbers from a lowest to a highest that they can be. Light."""

from typing import Literal

Bits = Literal[8, 6, 5, 4, 3, 2, "ternary"]
"""Of each weight of a layer; ``ternary`` are -1, 0 and 1."""
ALL_BITS: tuple[Bits, ...] = (8, 6, 5, 4, 3, 2, "ternary")


def bounds_of(bits: Bits) -> tuple[int, int]:
    """Return the lowest and the highest whole number of so many bits; of 8 bits -127, as TFLite has them."""
    if bits == "ternary":
        return -1, 1
    half: int = 1 << (bits - 1)
    return max(-half, -127), half - 1


def read_bits(text: str, layers: int) -> tuple[Bits, ...]:
    """Read ``4``, ``ternary`` or one of them for each layer with weights, ``8-4-4-ternary``.

    Args:
        text: what was written.
        layers: that have weights.

    Raises:
        ValueError: it is none of these, or not as many as there are layers.
    """
    known = {str(bits): bits for bits in ALL_BITS}
    words = text.split("-")
    for word in words:
        if word not in known:
            raise ValueError(f"expected {', '.join(known)} or one for each layer, 8-4-4, got {word[:20]!r}")
    if len(words) not in (1, layers):
        raise ValueError(
            f"expected one number of bits, or {layers}, one for each layer with weights, got {len(words)}"
        )
    return tuple(known[word] for word in words) * (layers if len(words) == 1 else 1)
