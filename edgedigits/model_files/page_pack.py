"""How a page is packed: LZMA, written as printable ASCII that stands as it is in a string of JavaScript in HTML.

Of the 94 visible characters all but the quotation mark, the backslash and ``<``: 13 bits in two of them. Base64 would
be a twelfth longer. ``page/c/unpack.c`` of the export wing reads it.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

BITS = 13
ALPHABET = bytes(code for code in range(33, 127) if code not in b'"\\<')
_INDEX: npt.NDArray[np.int64] = np.full(256, len(ALPHABET), np.int64)
_INDEX[np.frombuffer(ALPHABET, np.uint8)] = np.arange(len(ALPHABET))
_SMALLEST_WINDOW = 4096


def pack(content: bytes) -> str:
    """Write bytes as raw LZMA, in text."""
    import lzma

    return encode(lzma.compress(content, lzma.FORMAT_RAW, filters=_filters(len(content))))


def unpack(text: str, length: int) -> bytes:
    """Return so many bytes of what ``pack`` wrote.

    Raises:
        ValueError: it is damaged, or there are fewer.
    """
    import lzma

    decompressor = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_filters(length))
    try:
        content = decompressor.decompress(decode(text), length)
    except lzma.LZMAError as error:
        raise ValueError("damaged") from error
    if len(content) != length:
        raise ValueError("cut off")
    return content


def _filters(length: int) -> list[dict[str, Any]]:
    """Return what LZMA is told: no context of a place, as ``unpack.c`` has none, and a window that holds all."""
    import lzma

    window = max(_SMALLEST_WINDOW, 1 << length.bit_length())
    contexts = {"lc": 3, "lp": 0, "pb": 0}
    return [{"id": lzma.FILTER_LZMA1, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": window, **contexts}]


def encode(content: bytes) -> str:
    """Write bytes, the lowest bit of the first one first, filled up with zeros."""
    bits = np.unpackbits(np.frombuffer(content, np.uint8), bitorder="little").astype(np.int64)
    groups = np.pad(bits, (0, -len(bits) % BITS)).reshape(-1, BITS)
    pairs = np.stack(divmod(groups @ _weights(), len(ALPHABET)), axis=1)
    return np.frombuffer(ALPHABET, np.uint8)[pairs].tobytes().decode("ascii")


def decode(text: str) -> bytes:
    """Read what ``encode`` wrote; where its last two characters hold 13 zeros, the last byte may be one too many.

    Raises:
        ValueError: a character that is none of these, or half of a pair.
    """
    codes = _INDEX[np.frombuffer(text.encode(), np.uint8)]
    if len(codes) % 2 or (codes == len(ALPHABET)).any():
        raise ValueError("a character that is none of its alphabet")
    values = codes[::2] * len(ALPHABET) + codes[1::2]
    if (values >> BITS).any():
        raise ValueError("two characters that hold more than 13 bits")
    bits = ((values[:, np.newaxis] >> np.arange(BITS)) & 1).astype(np.uint8)
    whole = bits.size // 8 * 8
    return np.packbits(bits.reshape(-1)[:whole], bitorder="little").tobytes()


def _weights() -> npt.NDArray[np.int64]:
    return 1 << np.arange(BITS, dtype=np.int64)
