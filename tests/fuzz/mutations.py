"""Damaged copies of a file, drawn at random and always the same for a seed: what accidents and attackers make of it."""

import random
import struct
import zlib
from collections.abc import Callable, Sequence

EDGES = (0, 1, 2, 3, 4, 7, 8, 16, 28, 127, 128, 255, 256, 784, 0x7FFF, 0x8000, 0xFFFF, 60_000, 0x7FFFFFFF,
         0x80000000, 0xFFFFFFFE, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF)  # fmt: skip
"""Numbers at which programs go wrong: the ends of ranges, and one beyond."""
FORMATS = ("<B", "<H", ">H", "<I", ">I", "<Q", ">Q")

Mutation = Callable[[random.Random, bytearray, Sequence[bytes]], None]


def mutated(chance: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Return a copy with one to a few changes.

    Args:
        chance: decides which.
        content: a whole file.
        others: further files, to copy pieces from.
    """
    damaged = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 5, 12))):
        chance.choice(MUTATIONS)(chance, damaged, others)
    return bytes(damaged)


def flip_bit(chance: random.Random, content: bytearray, others: Sequence[bytes]) -> None:
    if content:
        content[_place(chance, content)] ^= 1 << chance.randrange(8)


def set_byte(chance: random.Random, content: bytearray, others: Sequence[bytes]) -> None:
    if content:
        content[_place(chance, content)] = chance.randrange(256)


def put_number(chance: random.Random, content: bytearray, others: Sequence[bytes]) -> None:
    form = chance.choice(FORMATS)
    size = struct.calcsize(form)
    if len(content) >= size:
        place = min(_place(chance, content), len(content) - size)
        number = chance.choice(EDGES) & (1 << 8 * size) - 1
        content[place : place + size] = struct.pack(form, number)


def move_number(chance: random.Random, content: bytearray, others: Sequence[bytes]) -> None:
    """Change a number by a little: an offset or a length that is almost right."""
    form = chance.choice(FORMATS)
    size = struct.calcsize(form)
    if len(content) >= size:
        place = min(_place(chance, content), len(content) - size)
        (number,) = struct.unpack_from(form, content, place)
        changed = number + chance.randint(-16, 16) & (1 << 8 * size) - 1
        content[place : place + size] = struct.pack(form, changed)


def cut_off(chance: random.Random, content: bytearray, others: Sequence[bytes]) -> None:
    del content[chance.randrange(len(content) + 1) :]


def cut_out(chance: random.Random, content: bytearray, others: Sequence[bytes]) -> None:
    start = chance.randrange(len(content) + 1)
    del content[start : start + chance.randint(1, 64)]


def repeat(chance: random.Random, content: bytearray, others: Sequence[bytes]) -> None:
    start = chance.randrange(len(content) + 1)
    piece = content[start : start + chance.randint(1, 64)]
    content[start:start] = piece * chance.choice((1, 2, 20))


def insert_piece(chance: random.Random, content: bytearray, others: Sequence[bytes]) -> None:
    other = chance.choice(others)
    start = chance.randrange(len(other) + 1)
    place = chance.randrange(len(content) + 1)
    content[place:place] = other[start : start + chance.randint(1, 256)]


def overwrite_piece(chance: random.Random, content: bytearray, others: Sequence[bytes]) -> None:
    """Copy a piece of the same or another file over this one: a table where another should be."""
    other = chance.choice((*others, bytes(content)))
    piece = other[(start := chance.randrange(len(other) + 1)) : start + chance.randint(1, 64)]
    place = chance.randrange(len(content) + 1)
    content[place : place + len(piece)] = piece


MUTATIONS: tuple[Mutation, ...] = (
    flip_bit, flip_bit, set_byte, put_number, put_number, move_number, move_number,
    cut_off, cut_out, repeat, insert_piece, overwrite_piece,
)  # fmt: skip


def _place(chance: random.Random, content: bytearray) -> int:
    """Choose a byte; every second time near an end, where headers and tables stand."""
    if chance.random() < 0.5:
        return chance.randrange(len(content))
    near = chance.randrange(min(len(content), 256))
    return near if chance.random() < 0.5 else len(content) - 1 - near


# --- Repairs: what an attacker would do, so that a checksum does not hide what lies behind it ----------------------


def with_png_checksums(content: bytes) -> bytes:
    """Return a PNG file whose chunks, as far as they can be followed, have their right checksums."""
    repaired = bytearray(content)
    place = 8
    while place + 12 <= len(repaired):
        (length,) = struct.unpack_from(">I", repaired, place)
        end = place + 8 + length
        if end + 4 > len(repaired):
            break
        struct.pack_into(">I", repaired, end, zlib.crc32(repaired[place + 4 : end]))
        place = end + 4
    return bytes(repaired)
