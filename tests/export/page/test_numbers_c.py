"""Numbers in C: every line, piece, candidate and image that Python finds, to the bit, in as much memory as it says.

Python is given what a browser gives C: decoded pixels, red, green, blue and alpha, upright.
"""

import re
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pytest
from on_wasm import PAGE, node
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from edgedigits.contract import IMAGE_SIDE
from edgedigits.datasets.split import Split
from edgedigits.errors import ImageError
from edgedigits.numbers import candidates as candidates_module
from edgedigits.numbers import ink as ink_module
from edgedigits.numbers import lines as lines_module
from edgedigits.numbers import pieces as pieces_module
from edgedigits.numbers.candidates import candidates_of, images_of
from edgedigits.numbers.ink import ink_of
from edgedigits.numbers.lines import LineInk, lines_of
from edgedigits.numbers.pieces import strip_of
from edgedigits.picture.levels import Pixels
from edgedigits.picture.reading import read_picture
from edgedigits.picture.ruling import without_ruling
from edgedigits.runtimes.c_compiler import find_compiler

SOURCES = sorted(path for path in (PAGE / "c").glob("*.c") if path.stem.startswith(("prepare", "numbers")))
GOLDEN = sorted((Path(__file__).parents[2] / "golden" / "pictures").iterdir())
FLAGS = (
    "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-ffp-contract=off", "-DWITH_NUMBERS",
    "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all",
)  # fmt: skip
HARNESS = """
#include <stdio.h>
#include <stdlib.h>
#include "numbers.h"

/* width and height; pixels, unless there is no room for such a picture -> status, width, height and lines; of each line
 * its status and, where that is 0, what numbers_line has. */
int main(void)
{
    uint32_t head[2];

    while (fread(head, sizeof head, 1, stdin) == 1) {
        uint32_t room = numbers_arena_bytes(head[0], head[1]);
        size_t bytes = room ? (size_t)head[0] * head[1] * 4 : 0;
        uint8_t *pixels = malloc(bytes + 1), *arena = malloc(room + 1u);
        struct numbers_found found = {0, 0, 0, NULL};
        uint32_t said[4];

        if (!pixels || !arena || fread(pixels, 1, bytes, stdin) != bytes) {
            return 1;
        }
        said[0] = (uint32_t)numbers_find(pixels, head[0], head[1], arena, &found);
        said[1] = found.width;
        said[2] = found.height;
        said[3] = said[0] ? 0 : found.lines;
        free(pixels);
        fwrite(said, sizeof said, 1, stdout);
        for (uint32_t index = 0; index < said[3]; index++) {
            uint8_t *room_for_line = malloc(numbers_line_bytes(&found, index) + 1u);
            struct numbers_line line;
            int32_t status = room_for_line ? numbers_line(&found, index, room_for_line, &line) : -1;

            fwrite(&status, sizeof status, 1, stdout);
            if (status == 0) {
                fwrite(&line, 56, 1, stdout);
                fwrite(line.ids, 2, (size_t)line.width * line.height, stdout);
                fwrite(line.piece, 48, line.pieces, stdout);
                fwrite(line.candidate, 24, line.candidates, stdout);
                fwrite(line.images, 784, line.candidates, stdout);
            }
            free(room_for_line);
        }
        free(arena);
    }
    return 0;
}
"""
IN_NODE = """
import { readFileSync, writeFileSync } from 'node:fs';
const [code, given, answers] = process.argv.slice(2);
const wasm = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(code))).exports;
const input = readFileSync(given), parts = [];
const put = (place, count) => parts.push(Buffer.from(new Uint8Array(wasm.memory.buffer, place, count)));
const words = (place, count) => new Uint32Array(wasm.memory.buffer, place, count);
const begin = wasm.mark();
for (let at = 0; at < input.length;) {
    const [width, height] = [input.readUInt32LE(at), input.readUInt32LE(at + 4)];
    const room = wasm.numbers_arena_bytes(width, height), bytes = room && width * height * 4;
    const found = wasm.allocate(16), parted = wasm.allocate(72), arena = wasm.allocate(room);
    const pixels = wasm.allocate(bytes);
    words(found, 4).fill(0);
    new Uint8Array(wasm.memory.buffer).set(input.subarray(at + 8, at + 8 + bytes), pixels);
    const status = wasm.numbers_find(pixels, width, height, arena, found);
    const [shown, high, lines] = words(found, 3);
    parts.push(Buffer.from(new Uint32Array([status, shown, high, status ? 0 : lines]).buffer));
    for (let index = 0; status === 0 && index < lines; index++) {
        const before = wasm.mark(), place = wasm.allocate(wasm.numbers_line_bytes(found, index));
        const said = wasm.numbers_line(found, index, place, parted);
        parts.push(Buffer.from(new Int32Array([said]).buffer));
        if (said === 0) {
            const [across, down, pieces, candidates, ids, piece, candidate, images] = words(parted + 40, 8);
            put(parted, 56);
            put(ids, 2 * across * down);
            put(piece, 48 * pieces);
            put(candidate, 24 * candidates);
            put(images, 784 * candidates);
        }
        wasm.release(before);
    }
    wasm.release(begin);
    at += 8 + bytes;
}
writeFileSync(answers, Buffer.concat(parts));
"""
PIECE = np.dtype([
    ("elongation", "f8"), ("tilt", "f8"), ("box", "i4", 4), ("area", "i4"), ("part", "i4"), ("is_small", "i4"),
    ("is_whole", "i4"),
])  # fmt: skip
CANDIDATE = np.dtype([("first", "i4"), ("last", "i4"), ("box", "i4", 4)])
REFUSALS = {
    0: "beside each other",
    2: "no pixels",
    3: "too large",
    4: "times as long as it is wide",
    5: "every pixel is transparent",
    32: "marks of a digit's size",
    33: "lines, at most",
    34: "beside each other",
}
"""What Python says where C returns this; see ``enum numbers_status``."""


class Parted(NamedTuple):
    """A line."""

    measures: tuple[float, ...]
    """Slant, ratio, origin, width of the strokes."""
    pieces: list[tuple[object, ...]]
    candidates: list[tuple[object, ...]]
    ids: np.ndarray
    images: np.ndarray


class Found(NamedTuple):
    """What is in a picture."""

    status: int
    size: tuple[int, int]
    lines: list[Parted | int]
    """Of lines that were refused, the status."""


class Answers:
    """Reads what the harness wrote."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    def found(self) -> Found:
        status, width, height, lines = self._take("<u4", 4).tolist()
        return Found(status, (width, height), [self._line() for _ in range(lines)])

    def is_at_its_end(self) -> bool:
        return self._at == len(self._content)

    def _line(self) -> Parted | int:
        (status,) = self._take("<i4", 1).tolist()
        if status != 0:
            return int(status)
        measures = tuple(self._take("<f8", 5).tolist())
        width, height, pieces, candidates = self._take("<u4", 4).tolist()
        ids = self._take("<i2", width * height).reshape(height, width)
        return Parted(
            measures,
            [
                (elongation, None if np.isnan(tilt) else tilt, tuple(box), *rest)
                for elongation, tilt, box, *rest in self._take(PIECE, pieces).tolist()
            ],
            [(first, last, tuple(box)) for first, last, box in self._take(CANDIDATE, candidates).tolist()],
            ids,
            self._take("u1", candidates * IMAGE_SIDE**2).reshape(-1, IMAGE_SIDE, IMAGE_SIDE),
        )

    def _take(self, kind: object, count: int) -> np.ndarray:
        taken = np.frombuffer(self._content, kind, count, self._at)  # type: ignore[call-overload]
        self._at += taken.nbytes
        return taken


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, command = tmp_path_factory.mktemp("sanitized"), find_compiler()
    assert command is not None  # tests with the marker are skipped without one
    (folder / "main.c").write_text(HARNESS)
    words = [*command, *FLAGS, f"-I{PAGE / 'c'}", "main.c", *map(str, SOURCES), "-lm", "-o", "main"]
    subprocess.run(words, cwd=folder, check=True)
    return folder / "main"


def in_c(program: Path, given: list[np.ndarray] | bytes) -> list[Found]:
    """Return what is in pictures, or in what is no picture but says its size."""
    content = given if isinstance(given, bytes) else as_input(given)
    done = subprocess.run([program], input=content, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    return answers(done.stdout)


def as_input(pictures: list[np.ndarray]) -> bytes:
    return b"".join(
        struct.pack("<2I", picture.shape[1], picture.shape[0]) + np.ascontiguousarray(picture).tobytes()
        for picture in pictures
    )


def answers(content: bytes) -> list[Found]:
    read, found = Answers(content), []
    while not read.is_at_its_end():
        found.append(read.found())
    return found


def parted(line: LineInk) -> Parted | str:
    """Part a line in Python, or return what it says where it refuses."""
    rows, columns = line.levels.shape
    try:
        strip = strip_of(line.levels, line.height, (line.left + columns / 2, line.top + rows / 2))
        candidates = candidates_of(strip)
    except ImageError as error:
        return str(error)
    return Parted(
        (strip.slant, strip.ratio, *strip.origin, strip.stroke),
        [
            (one.elongation, one.tilt, one.box, one.area, one.part, one.is_small, one.is_whole)
            for one in strip.pieces
        ],
        [(one.first, one.last, one.box) for one in candidates],
        strip.ids,
        images_of(strip, candidates),
    )


def expected(picture: np.ndarray) -> tuple[Pixels, list[Parted | str]] | str:
    """Return the gray picture and its lines as Python finds them, or what it says where it refuses."""
    try:
        gray = read_picture(picture)
        ink = ink_of(without_ruling(gray))
        lines = [] if ink is None else lines_of(ink)
    except ImageError as error:
        return str(error)
    return gray, [parted(line) for line in lines]


def check_equal(found: list[Found], pictures: list[np.ndarray]) -> int:
    """Compare with Python; return how many images of candidates there were."""
    assert len(found) == len(pictures)
    compared = 0
    for index, (picture, ours) in enumerate(zip(pictures, found, strict=True)):
        name = f"picture {index}, {picture.shape}"
        wanted = expected(picture)
        if isinstance(wanted, str):
            assert ours.status > 0, (name, wanted)
            assert REFUSALS[ours.status] in wanted, (name, ours.status, wanted)
            continue
        gray, lines = wanted
        assert (ours.status, ours.size, len(ours.lines)) == (0, gray.shape[::-1], len(lines)), name
        for ours_line, line in zip(ours.lines, lines, strict=True):
            if isinstance(line, str) or isinstance(ours_line, int):
                assert isinstance(line, str), name
                assert isinstance(ours_line, int), name
                assert REFUSALS[ours_line] in line, name
                continue
            assert ours_line[:3] == line[:3], name
            np.testing.assert_array_equal(ours_line.ids, line.ids, name)
            np.testing.assert_array_equal(ours_line.images, line.images, name)
            compared += len(line.candidates)
    return compared


def rgba(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I"):  # of 16 bits a browser shows the upper 8
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return np.asarray(ImageOps.exif_transpose(image).convert("RGBA"))


def written(images: Pixels, generator: np.random.Generator) -> Image.Image:
    """Write lines of digits with points and dashes between them, some touching, on a sheet of any tone."""
    height, slant = int(generator.integers(14, 60)), generator.uniform(-0.2, 0.5)
    sheet = Image.new("L", (int(generator.integers(6, 14)) * height, 5 * height), 0)
    for top in range(height // 2, sheet.height - 2 * height, 2 * height):
        left = height // 2
        while left < sheet.width - 2 * height:
            side = round(1.3 * height * generator.uniform(0.9, 1.1))
            digit = Image.fromarray(images[generator.integers(len(images))])
            digit = digit.transform((28, 28), Image.Transform.AFFINE, (1, slant, -14 * slant, 0, 1, 0), 2)
            digit = digit.resize((side, side), Image.Resampling.BICUBIC)
            sheet.paste(255, (left, top), digit)
            left += round(height * generator.uniform(0.55, 1.2))
            if generator.random() < 0.2:
                ends = (
                    left,
                    top + height,
                    left + int(height * generator.uniform(0.05, 0.3)),
                    top + 1.2 * height,
                )
                ImageDraw.Draw(sheet).line(ends, 255, max(1, height // 10))
    if generator.random() < 0.4:
        draw, gap = ImageDraw.Draw(sheet), int(generator.integers(height // 2, 2 * height))
        for row in range(gap, sheet.height, gap):
            draw.line((0, row, sheet.width, row + sheet.width // 80), int(generator.integers(60, 160)))
    paper, ink = (200, 40) if generator.random() < 0.8 else (50, 230)
    levels = paper + (ink - paper) * (np.asarray(sheet) / 255)
    levels += np.linspace(-20, 20, sheet.width) + generator.normal(0, 3, levels.shape)
    return Image.fromarray(levels.clip(0, 255).astype(np.uint8))


def marks(size: tuple[int, int], step: tuple[int, int], side: tuple[int, int]) -> np.ndarray:
    """Draw bars of a width and height, so many pixels apart."""
    levels = np.full(size[::-1], 235, np.uint8)
    for down in range(side[1]):
        for across in range(side[0]):
            levels[4 + down :: step[1], 4 + across :: step[0]] = 20
    return rgba(Image.fromarray(levels))


def staircase(side: int, rise: int) -> np.ndarray:
    """Draw bars of 10 pixels, each beside the one before and lower or higher."""
    sheet = Image.new("L", (side, side), 235)
    draw = ImageDraw.Draw(sheet)
    for left in range(0, side, 12):
        top = left * rise // 12
        draw.rectangle((left, top, left + 3, top + 9), fill=20)
    return rgba(sheet)


def scattered(generator: np.random.Generator) -> np.ndarray:
    """Draw marks of any size, some below, some beside each other."""
    sheet = Image.new("L", (360, 240), 235)
    draw, side = ImageDraw.Draw(sheet), generator.uniform(8, 40)
    for _ in range(int(generator.integers(8, 50))):
        left, top = generator.uniform(0, 340), generator.uniform(0, 220)
        right, bottom = left + side * generator.uniform(0.1, 1), top + side * generator.uniform(0.2, 3)
        if generator.random() < 0.5:
            draw.ellipse((left, top, right, bottom), outline=30, width=int(generator.integers(2, 5)))
        else:
            draw.line((left, top, right, bottom), fill=30, width=int(generator.integers(2, 5)))
    return rgba(sheet)


def bricks() -> np.ndarray:
    """Draw columns of bars of which each is beside one of the next column, a little lower: a line of many rows."""
    sheet = Image.new("L", (320, 400), 235)
    draw = ImageDraw.Draw(sheet)
    for column in range(26):
        for row in range(30):
            left, top = 4 + 12 * column, 4 + 12 * row + 6 * (column % 2)
            draw.rectangle((left, top, left + 2, top + 9), fill=20)
    return rgba(sheet)


def no_numbers() -> Iterator[np.ndarray]:
    """Pictures of other things, of any size."""
    generator = np.random.default_rng(8)
    for height, width in ((1, 1), (1, 900), (700, 1), (2, 3), (9, 40), (26, 1024), (150, 130), (1024, 1024)):
        noise = Image.fromarray(generator.integers(0, 256, (height, width), np.uint8))
        yield rgba(noise)
        yield rgba(ImageOps.autocontrast(noise.filter(ImageFilter.GaussianBlur(3))))
    squares = np.kron(generator.random((80, 100)) < 1 / 3, np.ones((5, 5)))
    yield rgba(Image.fromarray(np.where(squares > 0, 0, 255).astype(np.uint8)))
    page = Image.new("L", (500, 700), 250)
    for top in range(10, 680, 22):
        ImageDraw.Draw(page).text(
            (8, top), "etaoin 0123456789 shrdlu, ETAOIN: 31/12", 20, ImageFont.load_default(18)
        )
    yield rgba(page)
    for step, side in (
        ((2, 2), (1, 1)),
        ((3, 1), (1, 1)),
        ((1, 3), (1, 1)),
        ((3, 12), (1, 9)),
        ((9, 70), (4, 64)),
    ):
        yield marks((300, 200), step, side)
    yield marks((1000, 70), (9, 70), (4, 60))
    yield np.zeros((60, 80, 4), np.uint8) + np.uint8(255)


@pytest.mark.parametrize(
    ("rooms", "module", "least"),
    [
        (["ink"], ink_module, 6),
        (["lines"], lines_module, 13),
        (["strip", "pieces", "cuts", "rooms"], pieces_module, 22),
        (["candidates"], candidates_module, 3),
    ],
    ids=["ink", "lines", "pieces", "candidates"],
)
def test_constants_are_those_of_python(rooms: list[str], module: ModuleType, least: int) -> None:
    named = {}
    for room in rooms:
        for path in (PAGE / "c").glob(f"numbers_{room}.?"):
            text = path.read_text(encoding="utf-8")
            named.update(re.findall(r"^#define (\w+) ([\d.]+)", text, re.MULTILINE))
    shared = {name: float(value) for name, value in named.items() if hasattr(module, name)}
    assert shared == {name: getattr(module, name) for name in shared}
    assert len(shared) >= least


@pytest.mark.c_compiler
@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden_pictures_are_equal(path: Path, sanitized: Path) -> None:
    with Image.open(path) as image:
        picture = rgba(image)
    assert check_equal(in_c(sanitized, [picture]), [picture]) > 0


@pytest.fixture(scope="module")
def pages(dataset: tuple[Split, Split]) -> list[np.ndarray]:
    generator = np.random.default_rng(6)
    return [rgba(written(dataset[1].images, generator)) for _ in range(24)]


@pytest.mark.c_compiler
def test_written_lines_are_equal(pages: list[np.ndarray], sanitized: Path) -> None:
    assert check_equal(in_c(sanitized, pages), pages) > 1_000


@pytest.mark.c_compiler
def test_scattered_marks_are_equal(sanitized: Path) -> None:
    generator = np.random.default_rng(9)
    pictures = [scattered(generator) for _ in range(80)]
    assert check_equal(in_c(sanitized, pictures), pictures) > 1_000


@pytest.mark.c_compiler
def test_what_is_no_number_is_equal(sanitized: Path) -> None:
    pictures = list(no_numbers())
    check_equal(in_c(sanitized, pictures), pictures)


@pytest.mark.c_compiler
def test_large_and_transparent_pictures_are_equal(pages: list[np.ndarray], sanitized: Path) -> None:
    canvas = np.zeros_like(pages[0])
    canvas[..., 3] = 255 - pages[0][..., 0]
    photo = np.asarray(Image.fromarray(pages[1]).resize((4000, 3000), Image.Resampling.BICUBIC))
    pictures = [canvas, photo, np.zeros((20, 30, 4), np.uint8)]
    found = in_c(sanitized, pictures)
    assert [one.status for one in found] == [0, 0, 5]
    assert check_equal(found, pictures) > 0


@pytest.mark.c_compiler
@pytest.mark.parametrize(
    ("picture", "status"),
    [
        (marks((1024, 1024), (24, 20), (4, 10)), 32),
        (marks((1020, 800), (60, 50), (4, 10)), 33),
    ],
    ids=["marks", "lines"],
)
def test_pictures_of_too_many_are_refused(picture: np.ndarray, status: int, sanitized: Path) -> None:
    found = in_c(sanitized, [picture])
    assert found[0].status == status
    check_equal(found, [picture])


@pytest.mark.c_compiler
@pytest.mark.parametrize("picture", [bricks(), staircase(1000, 6)], ids=["candidates", "strip"])
def test_lines_of_too_many_are_refused(picture: np.ndarray, sanitized: Path) -> None:
    found = in_c(sanitized, [picture])
    assert found[0].lines == [34]
    check_equal(found, [picture])


@pytest.mark.c_compiler
@pytest.mark.parametrize(("size", "status"), [((5, 0), 2), ((9000, 9000), 3), ((1025, 3), 4)], ids=str)
def test_sizes_that_hold_no_number_are_refused(size: tuple[int, int], status: int, sanitized: Path) -> None:
    assert in_c(sanitized, struct.pack("<2I", *size)) == [Found(status, (0, 0), [])]


def test_webassembly_gives_the_same(pages: list[np.ndarray], tmp_path: Path) -> None:
    pictures = [*pages, bricks(), staircase(1000, 6), marks((1024, 1024), (24, 20), (4, 10))]
    (tmp_path / "pictures").write_bytes(as_input(pictures))
    (tmp_path / "run.mjs").write_text(IN_NODE)
    words = [node(), tmp_path / "run.mjs", PAGE / "numbers.wasm", tmp_path / "pictures", tmp_path / "answers"]
    done = subprocess.run(words, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    check_equal(answers((tmp_path / "answers").read_bytes()), pictures)
