"""The picture preparation in C: every byte that of Python, in as much memory as it says, and the same refusals.

Python is given what a browser gives C: decoded pixels, red, green, blue and alpha, upright.
"""

import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from edgedigits.datasets.split import Split
from edgedigits.errors import ImageError
from edgedigits.picture.levels import Pixels
from edgedigits.picture.prepare import prepare
from edgedigits.runtimes.c_compiler import find_compiler
from edgedigits_export import __file__ as export_wing
from edgedigits_export.page.prepare_source import prepare_header, prepare_source

SOURCES = sorted((Path(export_wing).parent / "page" / "c").glob("prepare*.c"))
GOLDEN = sorted((Path(__file__).parents[2] / "golden" / "pictures").iterdir())
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-ffp-contract=off")
SANITIZED = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
WASM = (
    "--target=wasm32", "-std=c99", "-O2", "-mbulk-memory", "-ffreestanding", "-nostdlib", "-Wl,--no-entry",
    "-Wl,--export=prepare_arena_bytes", "-Wl,--export=prepare_rgba", "-Wl,--export=__heap_base",
)  # fmt: skip
HARNESS = """
#include <stdio.h>
#include <stdlib.h>
#include "prepare.h"

/* width, height, bytes a pixel (4: rgba, 1: gray), bytes taken off the arena; pixels, unless there is no room for
 * such a picture -> status, image. With a width and a height: the bytes of their arena. */
int main(int count, char **words)
{
    uint32_t head[4];

    if (count == 3) {
        printf("%u", (unsigned)prepare_arena_bytes((uint32_t)atoi(words[1]), (uint32_t)atoi(words[2])));
        return 0;
    }
    while (fread(head, sizeof head, 1, stdin) == 1) {
        uint32_t room = prepare_arena_bytes(head[0], head[1]) - head[3];
        size_t bytes = room ? (size_t)head[0] * head[1] * head[2] : 0;
        uint8_t *pixels = malloc(bytes + 1), *arena = malloc(room + 1u), image[PREPARED_PIXELS] = {0};
        int32_t status;

        if (!pixels || !arena || fread(pixels, 1, bytes, stdin) != bytes) {
            return 1;
        }
        status = head[2] == 4
            ? prepare_rgba(pixels, head[0], head[1], arena, image)
            : edgedigits_prepare(pixels, (uint16_t)head[0], (uint16_t)head[1], arena, room, image);
        fwrite(&status, sizeof status, 1, stdout);
        fwrite(image, sizeof image, 1, stdout);
        free(pixels);
        free(arena);
    }
    return 0;
}
"""
IN_NODE = """
import { readFileSync, writeSync } from 'node:fs';
const { instance } = await WebAssembly.instantiate(readFileSync('prepare.wasm'));
const { memory, prepare_arena_bytes, prepare_rgba, __heap_base } = instance.exports;
const input = readFileSync('pictures');
for (let at = 0; at < input.length;) {
    const [width, height] = [input.readUInt32LE(at), input.readUInt32LE(at + 4)];
    const bytes = width * height * 4, image = (__heap_base.value + 15) & ~15, pixels = image + 784;
    const arena = (pixels + bytes + 15) & ~15, end = arena + prepare_arena_bytes(width, height);
    const missing = end - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / 65536));
    new Uint8Array(memory.buffer).set(input.subarray(at + 16, at + 16 + bytes), pixels);
    const status = new Int32Array([prepare_rgba(pixels, width, height, arena, image)]);
    writeSync(1, new Uint8Array(status.buffer));
    writeSync(1, new Uint8Array(memory.buffer, image, 784));
    at += 16 + bytes;
}
"""
REFUSALS = {
    5: "every pixel is transparent",
    6: "ink and paper do not differ",
    7: "no more than a speck",
    8: "beside each other",
    9: "no ink that stands out",
    10: "only shade at the border",
    11: "of the light",
    12: "there is a blot",
    13: "there is a dash",
    14: "many small marks",
}
"""What Python says where C returns this; see ``enum prepare_status``."""


def scales_columns_first() -> bool:
    """Whether this Pillow scales columns first where that takes more away, as C does; older ones never did."""
    rows = np.random.default_rng(0).integers(0, 256, (200, 20), np.uint8)
    once = Image.fromarray(rows).resize((10, 20), Image.Resampling.BOX)
    twice = (
        Image.fromarray(rows).resize((20, 20), Image.Resampling.BOX).resize((10, 20), Image.Resampling.BOX)
    )
    return bool((np.asarray(once) == np.asarray(twice)).all())


pytestmark = [
    pytest.mark.c_compiler,
    pytest.mark.skipif(
        not scales_columns_first(), reason="this Pillow scales rows first, and rounds otherwise"
    ),
]


def compiled(folder: Path, *flags: str, compiler: list[str] | None = None) -> Path:
    (folder / "main.c").write_text(HARNESS)
    command = compiler or find_compiler()
    assert command is not None  # tests with the marker are skipped without one
    flags = (*STRICT, *flags, f"-I{SOURCES[0].parent}")
    subprocess.run(
        [*command, *flags, "main.c", *map(str, SOURCES), "-lm", "-o", "main"], cwd=folder, check=True
    )
    return folder / "main"


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("sanitized"), *SANITIZED)


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("fast"), "-O2")


def as_input(picture: np.ndarray, taken: int = 0) -> bytes:
    height, width = picture.shape[:2]
    channels = picture.shape[2] if picture.ndim == 3 else 1
    return struct.pack("<4I", width, height, channels, taken) + np.ascontiguousarray(picture).tobytes()


def prepared(program: Path, pictures: list[np.ndarray]) -> list[tuple[int, Pixels]]:
    """Status and image of pictures (h, w, 4) or (h, w)."""
    given = b"".join(map(as_input, pictures))
    done = subprocess.run([program], input=given, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    return answers(done.stdout)


def answers(output: bytes) -> list[tuple[int, Pixels]]:
    parts = np.frombuffer(output, np.uint8).reshape(-1, 4 + 784)
    return [(int(part[:4].copy().view(np.int32)[0]), part[4:].reshape(28, 28)) for part in parts]


def expected(picture: np.ndarray) -> Pixels | str:
    try:
        return prepare(picture)
    except ImageError as error:
        return str(error)


def check_equal(found: list[tuple[int, Pixels]], pictures: list[np.ndarray]) -> list[int]:
    """Compare with Python; return the statuses."""
    assert len(found) == len(pictures)
    for index, (picture, (status, image)) in enumerate(zip(pictures, found, strict=True)):
        wanted = expected(picture)
        if isinstance(wanted, str):
            assert REFUSALS[status] in wanted, (index, picture.shape, status, wanted)
        else:
            assert status == 0, (index, picture.shape)
            np.testing.assert_array_equal(image, wanted, str((index, picture.shape)))
    return [status for status, _ in found]


def rgba(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I"):  # of 16 bits a browser shows the upper 8
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return np.asarray(ImageOps.exif_transpose(image).convert("RGBA"))


def strokes(size: tuple[int, int], pen: int, ink: object, paper: object, mode: str = "RGB") -> Image.Image:
    """A four of three strokes, in the middle of the sheet."""
    width, height = size
    picture = Image.new(mode, size, paper)
    canvas = ImageDraw.Draw(picture)
    for line in ([(0.55, 0.15), (0.3, 0.6), (0.75, 0.6)], [(0.6, 0.35), (0.58, 0.88)]):
        canvas.line([(x * width, y * height) for x, y in line], fill=ink, width=pen, joint="curve")
    return picture


def on_sheet(
    picture: Image.Image, side: tuple[int, int], place: tuple[int, int], paper: object
) -> Image.Image:
    sheet = Image.new(picture.mode, side, paper)
    sheet.paste(picture, place)
    return sheet


def ruled(picture: Image.Image, gap: int, tone: int, upright: bool, slope: float = 0.0) -> Image.Image:
    canvas = ImageDraw.Draw(picture)
    width, height = picture.size
    for row in range(gap // 2, height, gap):
        canvas.line([(0, row), (width, row + slope * width)], fill=(tone,) * 3)
    for column in range(gap // 2, width if upright else 0, gap):
        canvas.line([(column, 0), (column, height)], fill=(tone,) * 3)
    return picture


def lit(picture: Image.Image, lowest: float, noise: float, seed: int) -> Image.Image:
    """Light that falls off to the right, grain, and a soft focus."""
    levels = (
        np.asarray(picture, np.float32)
        * np.linspace(1, lowest, picture.width, dtype=np.float32)[:, np.newaxis]
    )
    levels += np.random.default_rng(seed).normal(0, noise, levels.shape)
    return Image.fromarray(levels.clip(0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.7))


def drawings() -> Iterator[tuple[str, Image.Image]]:
    """Pictures for every way through the preparation."""
    black, white = (0, 0, 0), (255, 255, 255)
    for width, height, pen in (
        (280, 280, 22),
        (280, 280, 3),
        (90, 120, 6),
        (40, 40, 3),
        (600, 500, 40),
        (1400, 1100, 30),
    ):
        yield "pad", strokes((width, height), pen, black, white)
        yield "chalk", strokes((width, height), pen, (225, 225, 210), (40, 60, 45))
    yield "red on green", strokes((200, 200), 12, (220, 60, 60), (60, 136, 60))
    yield "tall", strokes((60, 300), 9, black, white)
    yield "blocks", strokes((40, 40), 4, black, white).resize((400, 400), Image.Resampling.NEAREST)
    yield "tiny", strokes((40, 40), 6, black, white).resize((8, 8), Image.Resampling.BOX)
    yield "cut", strokes((200, 200), 24, black, white).crop((55, 25, 152, 178))
    yield "corner", on_sheet(strokes((60, 60), 5, black, white), (500, 400), (430, 320), white)
    yield "far away", on_sheet(strokes((90, 90), 8, black, white), (1000, 800), (100, 500), white)
    yield "lined", ruled(strokes((240, 240), 12, black, white), 24, 150, upright=False, slope=0.03)
    yield "lined, faint ink", ruled(strokes((240, 240), 12, (90, 90, 90), white), 30, 100, upright=False)
    yield "squared", ruled(strokes((300, 260), 12, (20, 20, 120), white), 20, 190, upright=True)
    yield (
        "squared, closer",
        ruled(
            on_sheet(strokes((90, 90), 8, black, white), (640, 480), (250, 200), white), 40, 170, upright=True
        ),
    )
    for seed, (lowest, noise) in enumerate(((0.4, 2.0), (0.7, 6.0), (0.3, 0.0))):
        yield "photo", lit(strokes((320, 240), 9, (40, 40, 60), (200, 195, 180)), lowest, noise, seed)
    yield (
        "note",
        lit(on_sheet(strokes((120, 120), 8, black, white), (320, 260), (90, 70), (90, 70, 50)), 0.8, 2.0, 9),
    )
    table = on_sheet(strokes((120, 120), 8, black, white), (300, 300), (90, 90), (60, 60, 60))
    yield "slanted note", table.rotate(8, Image.Resampling.BILINEAR, fillcolor=(60, 60, 60))
    framed = strokes((200, 200), 10, black, white)
    ImageDraw.Draw(framed).rectangle((8, 8, 191, 191), outline=black, width=2)
    yield "framed", framed
    striped = strokes((200, 200), 14, (20, 20, 20), (240, 240, 240))
    half = ImageOps.invert(striped.crop((0, 0, 100, 200)))
    striped.paste(half, (0, 0))
    yield "striped", striped
    pattern = np.asarray(strokes((60, 80), 8, (60, 60, 60), (220, 220, 220)), np.int16).copy()
    pattern[::3, ::4] -= 35
    yield "pattern", Image.fromarray(pattern.clip(0, 255).astype(np.uint8))
    for paper, ink in (((0, 0, 0, 0), (0, 0, 0, 255)), ((255, 255, 255, 0), (255, 255, 255, 160))):
        yield "canvas", strokes((150, 150), 12, ink, paper, "RGBA")
    yield "large canvas", strokes((1100, 1300), 80, (30, 20, 90, 200), (255, 255, 255, 0), "RGBA")
    # What is refused.
    yield "transparent", Image.new("RGBA", (50, 50), (9, 9, 9, 0))
    yield "nothing drawn", Image.new("RGB", (280, 280), white)
    pair = Image.new("RGB", (240, 120), white)
    for left in (0, 120):
        pair.paste(strokes((120, 120), 8, black, white), (left, 0))
    yield "pair", pair
    for box in ((140, 140, 142, 142), (20, 150, 270, 158), (60, 60, 220, 220), (0, 0, 90, 280)):
        shape = Image.new("RGB", (280, 280), white)
        ImageDraw.Draw(shape).rectangle(box, fill=black)
        yield "shape", shape
    grain = np.random.default_rng(3).integers(0, 256, (2, 150, 130, 3), np.uint8)
    yield "grain", Image.fromarray(grain[0])
    yield "blurred grain", Image.fromarray(grain[1]).filter(ImageFilter.GaussianBlur(3))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden_pictures_are_equal(path: Path, sanitized: Path) -> None:
    with Image.open(path) as image:
        picture = rgba(image)
    assert check_equal(prepared(sanitized, [picture]), [picture]) == [0]


def test_drawings_are_equal(sanitized: Path) -> None:
    pictures = [rgba(picture) for _, picture in drawings()]
    statuses = set(check_equal(prepared(sanitized, pictures), pictures))
    assert {0, 5, 6, 8} <= statuses


def test_mnist_comes_back_as_it_is(dataset: tuple[Split, Split], fast: Path) -> None:
    images = dataset[1].images[:500]
    shown = np.dstack([image.reshape(-1) for image in images]).reshape(28, 28, -1)
    pictures = [
        np.dstack([*[shown[..., i]] * 3, np.full((28, 28), 255, np.uint8)]) for i in range(len(images))
    ]
    check_equal(prepared(fast, pictures), pictures)


def test_moved_scaled_and_noisy_images_are_equal(dataset: tuple[Split, Split], fast: Path) -> None:
    rng = np.random.default_rng(4)
    pictures = []
    for image in dataset[1].images[:150]:
        side = int(rng.integers(20, 220))
        ink = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
        place = (int(rng.integers(0, 281 - side)), int(rng.integers(0, 281 - side)))
        pictures.append(rgba(ImageOps.invert(on_sheet(ink, (280, 280), place, 0))))
        noisy = image.copy()
        noisy[rng.random(image.shape) < 0.02] = 255
        pictures.append(rgba(Image.fromarray(noisy)))
    check_equal(prepared(fast, pictures), pictures)


def test_gray_frames_are_read_as_pictures_are(sanitized: Path) -> None:
    frames = [np.asarray(picture.convert("L")) for _, picture in drawings() if picture.mode == "RGB"]
    check_equal(prepared(sanitized, frames), frames)


def test_one_file_for_firmware_gives_the_same(tmp_path: Path) -> None:
    source = prepare_source("prepare.h")
    assert "NUMBERS" not in source
    (tmp_path / "digits_prepare.c").write_text(source)
    (tmp_path / "prepare.h").write_text(prepare_header())
    (tmp_path / "main.c").write_text(HARNESS)
    command = [*(find_compiler() or []), *STRICT, "-Os", "main.c", "digits_prepare.c", "-lm", "-o", "main"]
    subprocess.run(command, cwd=tmp_path, check=True)
    frames = [np.asarray(picture.convert("L")) for _, picture in drawings() if picture.mode == "RGB"][:12]
    check_equal(prepared(tmp_path / "main", frames), frames)


def test_an_arena_that_is_too_small_is_refused(sanitized: Path) -> None:
    frame = np.asarray(strokes((96, 96), 8, 0, 255, "L"))
    done = subprocess.run([sanitized], input=as_input(frame, taken=1), capture_output=True, check=True)
    assert answers(done.stdout)[0][0] == 1


@pytest.mark.parametrize(("shape", "status"), [((0, 5), 2), ((9000, 9000), 3), ((3, 1025), 4)], ids=str)
def test_sizes_that_hold_no_digit_are_refused(shape: tuple[int, int], status: int, sanitized: Path) -> None:
    head = struct.pack("<4I", shape[1], shape[0], 4, 0)
    done = subprocess.run([sanitized], input=head, capture_output=True, check=True)
    assert answers(done.stdout)[0][0] == status


@pytest.mark.skipif(shutil.which("clang") is None, reason="there is no clang")
def test_another_compiler_gives_the_same(fast: Path, tmp_path: Path) -> None:
    pictures = [rgba(picture) for _, picture in drawings()]
    other = compiled(tmp_path, "-O2", "-march=native", compiler=["clang"])
    for (status, image), (its_status, its_image) in zip(
        prepared(fast, pictures), prepared(other, pictures), strict=True
    ):
        assert status == its_status
        np.testing.assert_array_equal(image, its_image)


@pytest.mark.skipif(
    not all(map(shutil.which, ("clang", "wasm-ld", "node"))), reason="there is no clang, wasm-ld or node"
)
def test_webassembly_gives_the_same(tmp_path: Path) -> None:
    subprocess.run(["clang", *WASM, *map(str, SOURCES), "-o", "prepare.wasm"], cwd=tmp_path, check=True)
    pictures = [rgba(picture) for _, picture in drawings()]
    (tmp_path / "pictures").write_bytes(b"".join(map(as_input, pictures)))
    (tmp_path / "run.mjs").write_text(IN_NODE)
    done = subprocess.run(["node", "run.mjs"], cwd=tmp_path, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    check_equal(answers(done.stdout), pictures)


def test_a_photograph_of_12_megapixels_fits_into_what_a_page_may_take(fast: Path) -> None:
    room = subprocess.run([fast, "4000", "3000"], capture_output=True, check=True).stdout
    assert int(room) + 4 * 4000 * 3000 <= 128_000_000
