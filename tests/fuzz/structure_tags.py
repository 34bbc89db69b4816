"""Directories of tags, as TIFF files and blocks of Exif have them, and whole TIFF files built from them."""

import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

from mutations import EDGES

SEEDS = Path(__file__).parent / "seeds"
Make = Callable[[random.Random], bytes]
SIDES = (
    1,
    2,
    7,
    24,
    28,
    32,
    100,
    1_023,
    1_024,
    1_025,
    3_000,
    20_000,
    60_000,
    131_072,
    1 << 20,
    60_000_000,
    (1 << 31) - 1,
)


def tags(
    chance: random.Random,
    order: str = "<",
    start: int = 8,
    base: "dict[int, tuple[int, list[int]]] | None" = None,
) -> bytes:
    """A directory of tags, with their values behind it; some share them, some name more than there are.

    Args:
        chance: decides.
        order: of bytes, as ``struct`` has it.
        start: where the directory stands.
        base: tag -> its type and values.
    """
    entries = dict(base or {})
    for _ in range(chance.choice((0, 0, 1, 3, 40, 1_200))):
        tag = chance.choice((chance.randrange(1 << 16), 0x112, 0x8769, 0x8825, 282, 296, 700, 330, 34675))
        entries[tag] = chance.choice((1, 2, 3, 4, 5, 7, 9, 10, 11, 12, 13, 16, 99)), [chance.choice(EDGES)]
    rows, values = [], b""
    behind = start + 2 + 12 * len(entries) + 4
    for tag, (kind, numbers) in sorted(
        entries.items(), key=lambda _: chance.random() if chance.random() < 0.02 else _[0]
    ):
        size, form = {1: (1, "B"), 3: (2, "H"), 4: (4, "I"), 16: (8, "Q")}.get(kind, (1, "B"))
        content = struct.pack(
            f"{order}{len(numbers)}{form}", *(number & (1 << 8 * size) - 1 for number in numbers)
        )
        count = len(numbers)
        if chance.random() < 0.003 or kind not in (1, 3, 4, 16):
            count = chance.choice((0, 1, 2, 2, 2, 8, 8, 8, 100, 100, 100, 5_000, 1 << 20, (1 << 32) - 1))
        if len(content) <= 4 and (count == len(numbers) or chance.random() < 0.5):
            rows.append(struct.pack(f"{order}HHI", tag, kind, count) + content.ljust(4, b"\0"))
        else:
            rows.append(
                struct.pack(
                    f"{order}HHII", tag, kind, count, behind + (len(values) if chance.random() < 0.98 else 0)
                )
            )
            values += content
    after = chance.choice((0, 0, 0, start, 8, 1 << 30))
    return struct.pack(f"{order}H", len(rows)) + b"".join(rows) + struct.pack(f"{order}I", after) + values


def exif(chance: random.Random) -> bytes:
    order = chance.choice("<>")
    orientation = {0x112: (3, [chance.randrange(10)])} if chance.random() < 0.7 else {}
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(f"{order}I", 8) + tags(chance, order, 8, orientation)


TIFF_KINDS = (
    (1, 8, 1, 1, 0), (0, 8, 1, 1, 0), (1, 16, 1, 1, 0), (1, 32, 1, 2, 0), (1, 32, 1, 3, 0), (1, 1, 1, 1, 0),
    (3, 8, 1, 1, 0), (2, 8, 3, 1, 0), (2, 8, 4, 1, 2), (1, 8, 2, 1, 2), (5, 8, 4, 1, 0), (6, 8, 3, 1, 0),
    (8, 8, 3, 1, 0), (2, 16, 3, 1, 0),
)  # fmt: skip
"""Photometric interpretation, bits, samples, their format, and what the last sample is: what Pillow knows to read."""


def tiff_maker() -> Make:
    digit = (SEEDS / "gray.pgm").read_bytes()[-24 * 32 :]

    def make(chance: random.Random) -> bytes:
        width, height = chance.choice((24,) * 20 + SIDES), chance.choice((32,) * 20 + SIDES)
        photo, depth, channels, form, extra = chance.choice(TIFF_KINDS)
        if chance.random() < 0.1:
            depth, channels = chance.choice((1, 4, 8, 12, 64)), chance.choice((1, 2, 5, 9))
        order = chance.choice("<<>")
        strips = chance.choice((1, 1, 2, 32, 200))
        rows = max(1, -(-height // strips))
        small = width * height < 100_000
        row = -(-width * depth * channels // 8) if small else 100
        strip = (digit * (rows * row // len(digit) + 1))[: rows * row] if small else bytes(1_000)
        compression = chance.choice((1,) * 10 + (8, 32946) * 3 + (5, 32773, 7, 6, 4, 99))
        if compression in (8, 32946):
            strip = zlib.compress(strip, 1)
        base = {
            256: (4, [width]), 257: (4, [height]), 258: (3, [depth] * channels), 259: (3, [compression]),
            262: (3, [photo if chance.random() < 0.95 else chance.randrange(9)]), 273: (4, [8] * strips),
            277: (3, [channels]),
            278: (4, [chance.choice((rows, rows, rows, height, 1, 0, (1 << 32) - 1))]), 279: (4, [len(strip)] * strips),
            284: (3, [chance.choice((1,) * 9 + (2,))]), 339: (3, [form] * channels),
            317: (3, [chance.choice((1,) * 9 + (2, 3))]),
        }  # fmt: skip
        if extra:
            base[338] = 3, [extra]
        if chance.random() < 0.1:
            side = chance.choice((1, 16, 64, 1 << 20))
            base |= {
                322: (4, [side]),
                323: (4, [side]),
                324: (4, [8] * strips),
                325: (4, [len(strip)] * strips),
            }
        for _ in range(chance.choice((0, 0, 0, 0, 0, 0, 1, 2))):
            base.pop(chance.choice(sorted(base)))
        mark = b"II*\0" if order == "<" else b"MM\0*"
        start = 8 + len(strip) + len(strip) % 2
        directory = tags(chance, order, start, base)
        return (mark + struct.pack(f"{order}I", start) + strip).ljust(start, b"\0") + directory

    return make
