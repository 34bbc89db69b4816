"""Datasets and records of another structure: IDX, ``.npz``, metadata, manifest."""

import gzip
import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence

import numpy as np
from mutations import EDGES
from structure import COUNTS, change_json

Make = Callable[[random.Random], bytes]
SIDES = (0, 1, 9, 10, 20, 27, 28, 29, 1_000, 70_000, 500_000, 500_001, 1 << 31, (1 << 32) - 1)


def json_maker(seeds: Sequence[bytes]) -> Make:
    trees = [json.loads(seed) for seed in seeds]

    def make(chance: random.Random) -> bytes:
        # By way of text, so that nothing is shared with the next file.
        tree = json.loads(json.dumps(chance.choice(trees)))
        if chance.random() < 0.95:
            change_json(chance, tree)
        if chance.random() < 0.02:
            tree = chance.choice(([], None, 7, "x", [tree] * 3))
        return json.dumps(tree, ensure_ascii=chance.random() < 0.8).encode("utf-8", "surrogatepass")

    return make


def idx_maker() -> Make:
    """The first byte says which of the two files it is, and that it is packed already or not at all."""

    def make(chance: random.Random) -> bytes:
        is_images = chance.random() < 0.5
        content = idx_content(chance, is_images)
        if chance.random() < 0.3:
            return bytes([int(is_images)]) + content
        return bytes([int(is_images) | 6]) + packed(chance, content)

    return make


def idx_content(chance: random.Random, is_images: bool) -> bytes:
    count = chance.choice((20, 20, 20, 20, *SIDES))
    magic = chance.choice((0x803, 0x801, 0x802)) if chance.random() < 0.2 else 0x803 if is_images else 0x801
    sides = [28, 28] if is_images else []
    if chance.random() < 0.3:
        sides = [chance.choice((*sides, *SIDES)) for _ in range(chance.choice((0, 1, 2, 2, 3)))]
    header = struct.pack(f">II{len(sides)}I", magic, count, *sides)
    size = 20 * (784 if is_images else 1) + chance.choice((0, 0, 0, 0, 1, -1, 100, -20))
    return header + bytes(index % (256 if is_images else 10) for index in range(size))


def packed(chance: random.Random, content: bytes) -> bytes:
    """Pack into one member or several, with a header of any fields, and something behind."""
    pieces = [content]
    if chance.random() < 0.2:
        cut = chance.randrange(len(content) + 1)
        pieces = [content[:cut], content[cut:]]
    members = [member(chance, piece) for piece in pieces]
    if chance.random() < 0.1:
        members[:0] = [gzip.compress(b"", 1)] * chance.choice(COUNTS)
    behind = chance.choice(
        (b"", b"", b"", b"\0" * chance.choice((1, 512, 10_240, 70_000)), b"x", gzip.compress(b""))
    )
    return b"".join(members) + behind


def member(chance: random.Random, content: bytes) -> bytes:
    flags = chance.choice((0, 0, 0, 2, 4, 8, 16, 30, 0xE0))
    head = b"\x1f\x8b\x08" + bytes([flags]) + bytes(6)
    if flags & 4:
        extra = bytes(chance.choice((0, 5, 65_535)))
        head += struct.pack("<H", len(extra)) + extra
    for bit in (8, 16):
        if flags & bit:
            head += b"n" * chance.choice((0, 10, 70_000, 300_000)) + b"\0"
    if flags & 2:
        head += struct.pack("<H", zlib.crc32(head) & 0xFFFF)
    packer = zlib.compressobj(chance.choice((0, 1)), zlib.DEFLATED, -15)
    body = packer.compress(content) + b"".join(
        packer.flush(zlib.Z_FULL_FLUSH) for _ in range(chance.choice((0, 0, 1, 500)))
    )
    body += packer.flush()
    crc, size = zlib.crc32(content), len(content)
    if chance.random() < 0.1:
        crc ^= 1
    return (
        head
        + body
        + struct.pack("<II", crc, size if chance.random() < 0.95 else chance.choice(EDGES) & 0xFFFFFFFF)
    )


DESCRS = (
    "|u1",
    "<u1",
    "|i1",
    "<i2",
    ">i8",
    "<u8",
    "<f4",
    "<f8",
    "|O",
    "<U9",
    "|S3",
    "|V4",
    "|b1",
    "<c16",
    "<M8[s]",
    "x",
)


def npz_maker(arrays: dict[str, bytes], shapes: dict[str, tuple[int, ...]]) -> Make:
    """Archives of arrays whose headers say anything.

    Args:
        arrays: by name, of uint8 or of what ``shapes`` needs.
        shapes: by name.
    """

    def make(chance: random.Random) -> bytes:
        names = list(arrays)
        if chance.random() < 0.2:
            names = chance.choice((names[:-1], names[::-1], [*names, "more"], [*names, names[0]], names * 4))
        content = io.BytesIO()
        method = chance.choice((*(zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) * 10, zipfile.ZIP_BZIP2))
        with zipfile.ZipFile(content, "w", method, compresslevel=1) as archive:
            written: set[str] = set()
            for name in names:
                title = f"{name}.npy" if name not in written else f"{name}{len(written)}.npy"
                written.add(name)
                array = arrays.get(name, b"")
                archive.writestr(title, npy(chance, array, shapes.get(name, (3,))))
        return content.getvalue()

    return make


def npy(chance: random.Random, body: bytes, shape: tuple[int, ...]) -> bytes:
    descr = "|u1" if len(body) == int(np.prod(shape)) else f"<f{len(body) // max(1, int(np.prod(shape)))}"
    order, version = False, 1
    if chance.random() < 0.3:
        changed = list(shape)
        if changed and chance.random() < 0.7:
            changed[chance.randrange(len(changed))] = chance.choice((*SIDES, -1, 1 << 62))
        else:
            changed = chance.choice(([], [1, *changed], [*changed, 1], [2] * 40, changed[::-1]))
        shape = tuple(changed)
    if chance.random() < 0.2:
        descr = chance.choice(DESCRS)
    if chance.random() < 0.1:
        order, version = True, chance.choice((1, 2, 3, 9))
    described: object = descr
    if chance.random() < 0.03:
        described = [("a", descr), ("b", descr)]
    text = repr({"descr": described, "fortran_order": order, "shape": shape})
    if chance.random() < 0.05:
        text = chance.choice(
            ("(" * 300, "{}", text[:-1], text + "x", "[" * 5_000, "1" * 9_000, text.replace("}", ", 1: 2}"))
        )
    header = text.encode() + b" " * (-(10 + len(text) + 1) % 64) + b"\n"
    size = chance.choice((0, 0, 0, 0, 1, -1, 5_000, -len(body)))
    body = body[: len(body) + size] if size < 0 else body + bytes(size)
    return b"\x93NUMPY" + bytes((version, 0)) + struct.pack("<H", len(header) & 0xFFFF) + header + body
