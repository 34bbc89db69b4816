"""Pictures of another structure, built from chunks, segments, tags, blocks and headers."""

import random
import struct
import zlib
from collections.abc import Callable
from itertools import accumulate

from mutations import EDGES
from structure_tags import SEEDS, SIDES, Make, exif

Piece = tuple[bytes, bytes]
COUNTS = (0, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 10, 10, 10, 20, 99, 101, 1_100)


def seeds(suffix: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted(SEEDS.glob(f"*{suffix}"))]


MOST_PIECES = 3_000
MOST_BYTES = 64 << 20
"""Of all pieces: four times what the readers take."""


def rearranged(
    chance: random.Random, pieces: list[Piece], new: Callable[[], Piece], most: int = 5
) -> list[Piece]:
    """Repeat, leave out, exchange and add pieces."""
    pieces = list(pieces)
    for _ in range(chance.randint(0, most)):
        place = chance.randrange(len(pieces) + 1)
        form = chance.randrange(6)
        if form == 0:
            pieces[place:place] = [new()] * chance.choice(COUNTS)
        elif form == 1:
            pieces[place:place] = [new() for _ in range(chance.choice((1, 2, 5, 30)))]
        elif place == len(pieces):
            continue
        elif form == 2:
            pieces[place:place] = [pieces[place]] * chance.choice(COUNTS)
        elif form == 3:
            del pieces[place]
        elif form == 4:
            other = chance.randrange(len(pieces))
            pieces[place], pieces[other] = pieces[other], pieces[place]
        else:
            pieces[place] = pieces[place][0], some_bytes(chance)
        # What is made of what was made many times would be as large as a disk.
        sizes = accumulate(len(body) for _, body in pieces)
        del pieces[min(MOST_PIECES, sum(size <= MOST_BYTES for size in sizes)) :]
    return pieces


def some_bytes(chance: random.Random) -> bytes:
    size = chance.choice((0, 0, 1, 2, 3, 4, 7, 8, 9, 13, 26, 100, 768, 3_000, 65_500))
    return chance.choice((bytes, chance.randbytes))(size)


# --- PNG -----------------------------------------------------------------------------------------------------------


def png_maker() -> Make:
    whole = [list(_chunks(content)) for content in seeds(".png")]

    def new(chance: random.Random) -> Piece:
        kind = chance.choice(
            (b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"eXIf", b"PLTE", b"tRNS", b"gAMA", b"pHYs", b"acTL", b"fcTL", b"fdAT",
             b"IDAT", b"IEND", b"teST", b"cHRM", b"sRGB", b"IHDR")
        )  # fmt: skip
        if kind in (b"iTXt", b"iCCP"):
            packed = zlib.compress(some_bytes(chance) * chance.choice((1, 1, 20)), 1)
            return kind, (b"XML:com.adobe.xmp\0\1\0\0\0" if kind == b"iTXt" else b"p\0\0") + packed
        if kind == b"zTXt":
            text = b"\nexif\n 9\n" + exif(chance).hex().encode()
            return kind, b"Raw profile type exif\0\0" + zlib.compress(text, 1)
        if kind == b"eXIf":
            return kind, exif(chance)
        if kind == b"acTL":
            return kind, struct.pack(">II", chance.choice(EDGES) & 0xFFFFFFFF, 0)
        if kind == b"fcTL":
            return kind, struct.pack(
                ">5IHHBB", chance.randrange(3), 24, 32, 0, 0, 1, 1, chance.randrange(3), 0
            )
        return kind, (b"Comment\0" if kind == b"tEXt" else b"") + some_bytes(chance)

    def make(chance: random.Random) -> bytes:
        chunks = list(chance.choice(whole))
        if chance.random() < 0.4:
            chunks[0] = b"IHDR", _png_head(chance, chunks[0][1])
        if chance.random() < 0.3:
            width, height = struct.unpack_from(">II", chunks[0][1])
            if width * height < 200_000:
                body = zlib.compress(chance.randbytes(width * 8 + 1) * min(height, 200) + bytes(height), 1)
                chunks = [(kind, body if kind == b"IDAT" else old) for kind, old in chunks]
        head, rest = chunks[:1], chunks[1:]
        rest = rearranged(chance, rest, lambda: new(chance))
        return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*piece) for piece in head + rest)

    return make


def _png_head(chance: random.Random, head: bytes) -> bytes:
    width, height, depth, colour, *_ = struct.unpack(">IIBBBBB", head)
    width = chance.choice((width, width, chance.choice(SIDES)))
    height = chance.choice((height, height, chance.choice(SIDES)))
    depth, colour = chance.choice(
        ((depth, colour), (chance.choice((1, 2, 4, 8, 16)), chance.choice((0, 2, 3, 4, 6))))
    )
    return struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, chance.choice((0, 0, 1)))


def _chunks(content: bytes):
    at = 8
    while at < len(content):
        (size,) = struct.unpack_from(">I", content, at)
        yield content[at + 4 : at + 8], content[at + 8 : at + 8 + size]
        at += 12 + size


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


# --- JPEG ----------------------------------------------------------------------------------------------------------


def jpeg_maker() -> Make:
    whole = [_segments(content) for content in seeds(".jpg")]

    def new(chance: random.Random) -> Piece:
        marker = chance.choice((0xE0, 0xE1, 0xE1, 0xE2, 0xED, 0xEE, 0xFE, 0xDB, 0xC4, 0xDD, 0xC0, 0xE5))
        if marker == 0xED:
            body = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0\0\0\0\0" * chance.choice((1, 1_000))
        elif marker == 0xEE:
            body = b"Adobe" + bytes(6) + bytes([chance.randrange(4)])
        elif marker in (0xE1, 0xE2) and chance.random() < 0.6:
            body = (b"Exif\0\0" if marker == 0xE1 else b"MPF\0") + exif(chance)
        else:
            name = {0xE1: b"http://ns.adobe.com/xap/1.0/\0", 0xE2: b"ICC_PROFILE\0\1\1"}.get(marker, b"")
            body = name + some_bytes(chance)
        return bytes((0xFF, marker)), body[:65_533]

    def make(chance: random.Random) -> bytes:
        segments, scan = chance.choice(whole)
        segments = rearranged(chance, segments, lambda: new(chance))
        parts = [b"\xff\xd8"]
        for mark, old in segments:
            body = old
            if mark[1] in (0xC0, 0xC1, 0xC2) and len(body) > 5 and chance.random() < 0.3:
                sides = [chance.choice((24, 32, *SIDES)) & 0xFFFF for _ in range(2)]
                body = body[:1] + struct.pack(">HH", *sides) + body[5:]
            padding = chance.choice((b"", b"", b"", b"\xff" * 3, b"\0\1", b"\xff\xd0"))
            parts += [padding, mark, struct.pack(">H", len(body) + 2), body]
        tail = scan[:-2] + scan[:-2] * chance.choice((0, 0, 0, 1, 20)) + scan[-2:]
        return b"".join((*parts, tail))

    return make


def _segments(content: bytes) -> tuple[list[Piece], bytes]:
    found, at = [], 2
    while content[at + 1] != 0xDA:
        size = int.from_bytes(content[at + 2 : at + 4], "big")
        found.append((content[at : at + 2], content[at + 4 : at + 2 + size]))
        at += 2 + size
    return found, content[at:]


# --- GIF, BMP, WebP, PNM -------------------------------------------------------------------------------------------


def gif_maker() -> Make:
    whole = seeds(".gif")

    def make(chance: random.Random) -> bytes:
        content = chance.choice(whole)
        start = 13 + (3 << (content[10] & 7) + 1 if content[10] & 0x80 else 0)
        head = bytearray(content[:start])
        if chance.random() < 0.4:
            struct.pack_into(
                "<HH", head, 6, chance.choice((24, *SIDES)) & 0xFFFF, chance.choice((32, *SIDES)) & 0xFFFF
            )
        extensions = b""
        for _ in range(chance.choice((0, 1, 3) * 20 + (500, 11_000))):
            kind = chance.choice((0xF9, 0xFE, 0xFF, 0x01))
            block = {0xF9: b"\x04\x01\0\0\0", 0xFF: b"\x0bNETSCAPE2.0\x03\1\0\0"}.get(kind, b"\x05hello")
            extensions += b"!" + bytes([kind]) + block * chance.choice((1, 1, 3)) + b"\0"
        body = bytearray(content[start:-1] * chance.choice((1, 1, 1, 2, 2, 20)) + b";")
        place = body.find(b",")
        if chance.random() < 0.3 and place >= 0:
            corner = [chance.choice((0, 0, *SIDES)) & 0xFFFF for _ in range(4)]
            struct.pack_into("<4H", body, place + 1, *corner)
        return bytes(head) + extensions + bytes(body)

    return make


def bmp_maker() -> Make:
    def make(chance: random.Random) -> bytes:
        width, height = chance.choice((24,) * 20 + SIDES), chance.choice((32, -32) * 10 + SIDES)
        bits, compression = chance.choice((1, 4, 8, 8, 16, 24, 32)), chance.choice((0, 0, 0, 1, 2, 3, 4, 6))
        size = chance.choice((40, 40, 12, 52, 56, 64, 108, 124, 16))
        colours = chance.choice((0, 2, 16, 256, 300, 65_536, 1 << 31))
        head = struct.pack(
            "<IiiHHIIiiII", size, width, max(-(1 << 31), height), 1, bits, compression, 0, 0, 0, colours, 0
        )
        if size == 12:
            head = struct.pack("<IHHHH", 12, width & 0xFFFF, height & 0xFFFF, 1, bits)
        head = head.ljust(size, b"\xff" if chance.random() < 0.3 else b"\0")[: max(size, 12)]
        palette = chance.randbytes(4 << bits) if bits <= 8 else b""
        runs = bytes((chance.randrange(256), chance.randrange(256)))
        body = chance.choice(
            (bytes(3_500), chance.randbytes(3_500), runs * 2_000, b"\0\2\xff\xff" * 900, b"\0\0" * 500)
        )
        return b"BM" + struct.pack("<IHHI", 0, 0, 0, 14 + len(head) + len(palette)) + head + palette + body

    return make


def webp_maker() -> Make:
    whole = [_riff(content) for content in seeds(".webp")]

    def make(chance: random.Random) -> bytes:
        pieces = chance.choice(whole)

        def new() -> Piece:
            kind = chance.choice(
                (b"EXIF", b"XMP ", b"ICCP", b"ALPH", b"ANIM", b"ANMF", b"VP8 ", b"VP8L", b"VP8X", b"XXXX")
            )
            return kind, exif(chance) if kind == b"EXIF" else some_bytes(chance)

        pieces = rearranged(chance, pieces, new)
        if pieces and pieces[0][0] == b"VP8X" and chance.random() < 0.4:
            sides = b"".join(
                ((chance.choice((24, *SIDES)) - 1) & 0xFFFFFF).to_bytes(3, "little") for _ in range(2)
            )
            pieces[0] = b"VP8X", bytes([chance.randrange(256)]) + pieces[0][1][1:4] + sides
        body = b"".join(
            kind + struct.pack("<I", len(part)) + part + bytes(len(part) % 2) for kind, part in pieces
        )
        size = chance.choice((4 + len(body),) * 5 + (0, 100, 1 << 31))
        return b"RIFF" + struct.pack("<I", size) + b"WEBP" + body

    return make


def _riff(content: bytes) -> list[Piece]:
    found, at = [], 12
    while at + 8 <= len(content):
        kind, size = struct.unpack_from("<4sI", content, at)
        found.append((kind, content[at + 8 : at + 8 + size]))
        at += 8 + size + size % 2
    return found


def pnm_maker() -> Make:
    def make(chance: random.Random) -> bytes:
        kind = chance.randint(1, 6)
        width, height = (chance.choice((24,) * 20 + SIDES) for _ in range(2))
        highest = chance.choice((255, 255, 1, 254, 256, 1_000, 65_535) * 3 + (0, 65_536))
        blank = chance.choice(
            (b" ", b"\n", b"\r\n", b"\n#x\n", b"\n" + b"#" * 100_000 + b"\n", b"\n#\r" * 500, b"")
        )
        numbers = [width, height] + ([highest] if kind not in (1, 4) else [])
        head = b"P%d" % kind + b"".join(blank + b"%d" % number for number in numbers) + b"\n"
        count = min(width * height, 5_000) * (3 if kind in (3, 6) else 1) * (2 if highest > 255 else 1)
        if kind <= 3:
            words = (
                b"0",
                b"1",
                b"%d" % min(highest, 99),
                b"#no\n",
                b"\n",
                b"00007",
                b"x" if chance.random() < 0.01 else b"1",
            )
            body = (b"" if kind == 1 else b" ").join(chance.choices(words, (9, 9, 9, 1, 1, 1, 1), k=count))
        else:
            body = chance.randbytes(count)
        cut = chance.choice((0, 0, 0, 1, -1))
        return head + (body[:-1] if cut < 0 else body + bytes(cut))

    return make
