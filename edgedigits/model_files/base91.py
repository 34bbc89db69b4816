"""Bytes as printable ASCII that stands as it is in a string of JavaScript in HTML: 13 bits in two characters.

Of the 94 visible characters all but the quotation mark, the backslash and ``<``. Base64 would be a twelfth longer.
"""

import numpy as np
import numpy.typing as npt

BITS = 13
ALPHABET = bytes(code for code in range(33, 127) if code not in b'"\\<')
_INDEX: npt.NDArray[np.int64] = np.full(256, len(ALPHABET), np.int64)
_INDEX[np.frombuffer(ALPHABET, np.uint8)] = np.arange(len(ALPHABET))


def encode(content: bytes) -> str:
    """Write bytes, the lowest bit of the first one first, filled up with zeros."""
    bits = np.unpackbits(np.frombuffer(content, np.uint8), bitorder="little").astype(np.int64)
    groups = np.pad(bits, (0, -len(bits) % BITS)).reshape(-1, BITS)
    pairs = np.stack(divmod(groups @ _weights(), len(ALPHABET)), axis=1)
    return np.frombuffer(ALPHABET, np.uint8)[pairs].tobytes().decode("ascii")


def decode(text: str, length: int) -> bytes:
    """Read so many bytes of what ``encode`` wrote.

    Raises:
        ValueError: a character that is none of these, or fewer bytes.
    """
    codes = _INDEX[np.frombuffer(text.encode(), np.uint8)]
    if len(codes) % 2 or (codes == len(ALPHABET)).any():
        raise ValueError("a character that is none of its alphabet")
    values = codes[::2] * len(ALPHABET) + codes[1::2]
    if 8 * length > BITS * len(values) or (values >> BITS).any():
        raise ValueError("cut off")
    bits = ((values[:, np.newaxis] >> np.arange(BITS)) & 1).astype(np.uint8)
    return np.packbits(bits, bitorder="little").tobytes()[:length]


def _weights() -> npt.NDArray[np.int64]:
    return 1 << np.arange(BITS, dtype=np.int64)
