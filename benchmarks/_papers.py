"""Pictures of MNIST's validation images on all kinds of paper, by seed: Pillow, NumPy, and Matplotlib for its figures.

Each kind is a function of an image, (28, 28) uint8 with 255 = ink, and a generator. It gives gray levels (h, w) or
colours (h, w, 3), uint8.
"""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from edgedigits.picture.levels import Pixels

Generator = np.random.Generator
Draw = Callable[[Pixels, Generator], Pixels]
Levels = npt.NDArray[np.float64]


def enlarged(image: Pixels, side: int) -> Levels:
    """Return the ink of an image, 0 to 1, as (side, side)."""
    large = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(large, np.float64) / 255


def trimmed(ink: Levels) -> Levels:
    """Cut ink to its box."""
    rows, columns = (np.flatnonzero((ink > 0.5).any(axis=axis)) for axis in (1, 0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def laid(
    page: Levels, ink: Levels, tone: float, top: int | np.integer[Any], left: int | np.integer[Any]
) -> None:
    """Lay ink of a tone on a page, in place."""
    part = page[top : top + ink.shape[0], left : left + ink.shape[1]]
    part += (tone - part) * ink


def levels_of(page: Levels, generator: Generator, noise: float = 0.0) -> Pixels:
    """Return levels, with the grain of a camera."""
    if noise:
        page = page + generator.normal(0, noise, page.shape)
    return np.clip(np.rint(page), 0, 255).astype(np.uint8)


def as_jpeg(levels: Pixels, quality: int) -> Pixels:
    """Return what is left of a picture after it was a JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def two_tones(generator: Generator, *, dark_ink: bool) -> tuple[float, float]:
    """Return the tones of paper and ink, far apart."""
    light, dark = generator.uniform(190, 256), generator.uniform(0, 70)
    return (light, dark) if dark_ink else (dark, light)


def pad(image: Pixels, generator: Generator) -> Pixels:
    """Draw a screenshot of a drawing pad: a square of the other tone than the page, with a digit in it."""
    dark_ink = bool(generator.random() < 0.4)
    paper, ink = two_tones(generator, dark_ink=dark_ink)
    page_tone = generator.uniform(0, 60) if dark_ink else generator.uniform(195, 256)
    side = int(generator.integers(100, 480))
    height, width = (int(side * generator.uniform(1, 1.15)) if generator.random() < 0.3 else side, side)
    before, after = (
        (generator.uniform(0.02, 0.7, 2) * side).astype(int),
        generator.uniform(0.02, 0.7, 2) * side,
    )
    page = np.full((height + before[0] + int(after[0]), width + before[1] + int(after[1])), page_tone)
    panel = np.full((height, width), paper)
    size = int(generator.uniform(0.45, 1.0) * min(height, width))
    top, left = generator.integers(0, height - size + 1), generator.integers(0, width - size + 1)
    laid(panel, enlarged(image, size), ink, top, left)
    if generator.random() < 0.4:
        line, tone = int(generator.integers(1, 5)), generator.choice([page_tone / 2, 128, ink])
        panel[:line], panel[-line:], panel[:, :line], panel[:, -line:] = (tone,) * 4
    page[before[0] : before[0] + height, before[1] : before[1] + width] = panel
    levels = levels_of(page, generator)
    return as_jpeg(levels, int(generator.integers(40, 95))) if generator.random() < 0.4 else levels


def figure(image: Pixels, generator: Generator) -> Pixels:
    """Draw a figure as ``plt.imshow`` and ``plt.savefig`` make it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    inches = [(6.4, 4.8), (4, 4), (3, 3), (5, 4), (2.5, 2.5)][generator.integers(5)]
    plot = Figure(inches, dpi=int(generator.choice([72, 100, 150])))
    canvas = FigureCanvasAgg(plot)
    axes = plot.add_subplot()
    shown = axes.imshow(image, cmap=str(generator.choice(["gray", "viridis", "gray_r", "binary", "viridis"])))
    extra = generator.random()
    if extra < 0.3:
        axes.set_title(f"Label: {generator.integers(10)}")
    elif extra < 0.45:
        plot.colorbar(shown)
    elif extra < 0.6:
        axes.axis("off")
    elif extra < 0.7:
        axes.set_xticks([])
        axes.set_yticks([])
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()


def wood(shape: tuple[int, int], generator: Generator) -> Levels:
    """Draw a table: one tone, grain along one direction, light that falls off."""
    grain = generator.normal(0, 1, (shape[0], max(2, shape[1] // int(generator.integers(8, 60)))))
    lines = Image.fromarray(grain.astype(np.float32)).resize(shape[::-1], Image.Resampling.BILINEAR)
    table = generator.uniform(40, 150) + generator.uniform(0, 12) * np.asarray(lines, np.float64)
    return (
        table
        if generator.random() < 0.5
        else np.ascontiguousarray(np.broadcast_to(table.mean(), shape)) * 1.0
    )


def slope(shape: tuple[int, int], generator: Generator) -> Levels:
    """Return light that falls off evenly towards some side, to at least 0.6."""
    rows, columns = np.mgrid[-0.5 : 0.5 : shape[0] * 1j, -0.5 : 0.5 : shape[1] * 1j]
    angle = generator.uniform(0, 2 * np.pi)
    fall: Levels = 1 - generator.uniform(0, 0.4) * (
        0.5 + 0.7 * (rows * np.sin(angle) + columns * np.cos(angle))
    )
    return fall


def note(image: Pixels, generator: Generator) -> Pixels:
    """Draw a photograph of a table with a note on it that covers 0.3 to 0.6 of the picture."""
    height, width = [(480, 640), (640, 480), (500, 500), (720, 960)][generator.integers(4)]
    share, aspect = generator.uniform(0.3, 0.6), generator.uniform(0.75, 1.35)
    note_height = min(np.sqrt(share * height * width / aspect), 0.92 * height)
    note_width = min(share * height * width / note_height, 0.92 * width)
    angle = generator.uniform(-14, 14) if generator.random() < 0.6 else 0.0
    sheet = np.full((int(note_height), int(note_width)), generator.uniform(200, 250))
    size = int(generator.uniform(0.35, 0.9) * min(sheet.shape))
    top = generator.integers(0, sheet.shape[0] - size + 1)
    left = generator.integers(0, sheet.shape[1] - size + 1)
    laid(sheet, enlarged(image, size), generator.uniform(15, 90), top, left)
    placed, alpha = (
        Image.fromarray(layer.astype(np.float32)).rotate(angle, Image.Resampling.BILINEAR, expand=True)
        for layer in (sheet, np.ones_like(sheet))
    )
    table = wood((height, width), generator)
    spare_x, spare_y = width - placed.width, height - placed.height
    at_x = int(generator.uniform(0.1, 0.9) * spare_x)
    at_y = int(generator.uniform(0.1, 0.9) * spare_y)
    cover, tones = Image.new("F", (width, height)), Image.new("F", (width, height))
    cover.paste(alpha, (at_x, at_y))
    tones.paste(placed, (at_x, at_y))
    over = np.asarray(cover, np.float64)
    page = (table * (1 - over) + np.asarray(tones)) * slope((height, width), generator)
    gray = np.asarray(
        Image.fromarray(levels_of(page, generator, generator.uniform(0, 5))).filter(
            ImageFilter.GaussianBlur(generator.uniform(0.3, 1.5))
        )
    )
    return as_jpeg(gray, int(generator.integers(50, 95)))


def cell(edges: int) -> Draw:
    """Return what draws a cell of a grid with lines as dark as the ink at so many edges."""

    def draw(image: Pixels, generator: Generator) -> Pixels:
        side = int(generator.integers(40, 300))
        dark_ink = bool(generator.random() < 0.85)
        paper, ink = two_tones(generator, dark_ink=dark_ink)
        page = np.full((side, int(side * generator.uniform(0.85, 1.15))), paper)
        size = int(generator.uniform(0.55, 0.85) * min(page.shape))
        top, left = ((length - size) // 2 for length in page.shape)
        reach = [max(1, (length - size) // 3) for length in page.shape]
        laid(
            page,
            enlarged(image, size),
            ink,
            top + generator.integers(-reach[0], reach[0] + 1),
            left + generator.integers(-reach[1], reach[1] + 1),
        )
        chosen = generator.permutation(4)[:edges]
        line = max(1, round(generator.uniform(0.01, 0.045) * side))
        away = round(generator.choice([0.0, generator.uniform(0, 0.06)]) * side)
        for edge in chosen:
            view = page if edge < 2 else page.T
            place = (
                slice(away, away + line)
                if edge % 2 == 0
                else slice(len(view) - away - line, len(view) - away)
            )
            view[place] = ink
        levels = levels_of(page, generator, generator.choice([0.0, 4.0]))
        return as_jpeg(levels, int(generator.integers(40, 95))) if generator.random() < 0.3 else levels

    return draw


def bordered(image: Pixels, generator: Generator) -> Pixels:
    """Draw a scan with a dark border of about 3 % of the side on paper of one tone."""
    side = int(generator.integers(60, 400))
    page = np.full((int(side * generator.uniform(0.8, 1.25)), side), generator.uniform(200, 256))
    size = int(generator.uniform(0.5, 0.9) * min(page.shape))
    top, left = (generator.integers(0, length - size + 1) for length in page.shape)
    laid(page, enlarged(image, size), generator.uniform(0, 80), int(top), int(left))
    tone = generator.uniform(0, 60)
    for view in (page, page[::-1], page.T, page.T[::-1]):
        view[: max(1, round(generator.uniform(0.02, 0.04) * side))] = tone
    return levels_of(page, generator, generator.choice([0.0, 3.0]))


def _printed(image: Pixels, generator: Generator, pattern: Levels, side: int) -> Pixels:
    """Lay a digit over a printed pattern, 0 to 1, of a fainter tone than the ink."""
    paper, tone = generator.uniform(205, 250), generator.uniform(20, 90)
    printed = paper - pattern * generator.uniform(0.2, 0.5) * (paper - tone)
    size = int(generator.uniform(0.6, 1.0) * min(pattern.shape))
    top, left = (int(generator.integers(0, length - size + 1)) for length in pattern.shape)
    laid(printed, enlarged(image, size), tone, top, left)
    gray = levels_of(printed, generator, generator.uniform(0, 4))
    return np.asarray(
        Image.fromarray(gray).filter(ImageFilter.GaussianBlur(generator.uniform(0.2, 0.004 * side + 0.3)))
    )


def ruled(image: Pixels, generator: Generator) -> Pixels:
    """Draw a digit on ruled or squared paper."""
    side = int(generator.integers(60, 320))
    pattern: Levels = np.zeros((side, int(side * generator.uniform(0.8, 1.2))))
    step, line = max(6, round(generator.uniform(0.08, 0.35) * side)), max(1, round(0.012 * side))
    for start in range(int(generator.integers(step)), max(pattern.shape), step):
        pattern[start : start + line] = 1
        if side % 2:
            pattern[:, start : start + line] = 1
    return _printed(image, generator, pattern, side)


def turned_ruled(image: Pixels, generator: Generator) -> Pixels:
    """Photograph a digit on ruled or squared paper, turned a little: lines up to as dark as the ink, uneven light."""
    side = int(generator.integers(120, 480))
    shape = (side, int(side * generator.uniform(0.8, 1.3)))
    angle, step = np.radians(generator.uniform(-5, 5)), generator.uniform(0.09, 0.3) * side
    line = max(1.0, generator.uniform(0.006, 0.014) * side)
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float64)
    pattern: Levels = np.zeros(shape)
    for across in (False, True)[: 1 + int(generator.random() < 0.5)]:
        along = columns * np.cos(angle) + rows * np.sin(angle)
        down = rows * np.cos(angle) - columns * np.sin(angle)
        away = ((along if across else down) + generator.uniform(0, step)) % step
        pattern = np.maximum(pattern, np.clip(line / 2 + 0.5 - np.abs(away - step / 2), 0, 1))
    paper, tone = generator.uniform(190, 250), generator.uniform(20, 90)
    page = paper - pattern * generator.uniform(0.2, 1.0) * (paper - tone)
    size = int(generator.uniform(0.4, 0.9) * min(shape))
    top, left = (int(generator.integers(0, length - size + 1)) for length in shape)
    laid(page, enlarged(image, size), tone, top, left)
    return levels_of(page * slope(shape, generator), generator, generator.uniform(0, 4))


def guilloche(image: Pixels, generator: Generator) -> Pixels:
    """Draw a digit on the waves of a cheque, in few pixels, cut with a margin."""
    side = int(generator.integers(26, 120))
    rows, columns = np.mgrid[:side, : int(side * generator.uniform(0.7, 1.1))].astype(np.float64)
    pattern: Levels = np.zeros(rows.shape)
    for _ in range(int(generator.integers(1, 4))):
        period = generator.uniform(2.5, 6) * side / 60 + 1.5
        wave = generator.uniform(0.02, 0.15) * side * np.sin(columns / (generator.uniform(0.1, 0.4) * side))
        turn = generator.uniform(-0.6, 0.6)
        pattern += 0.5 + 0.5 * np.sin(
            2 * np.pi * (rows * np.cos(turn) + columns * np.sin(turn) + wave) / period
        )
    return _printed(image, generator, pattern / pattern.max(), side)


def cut_thick(image: Pixels, generator: Generator) -> Pixels:
    """Cut a digit of thick strokes to its ink, dark or light."""
    side = int(generator.integers(28, 200))
    large = enlarged(image, side)
    grown = Image.fromarray((255 * np.clip(large, 0, 1)).astype(np.uint8))
    grown = grown.filter(ImageFilter.MaxFilter(max(3, round(side * generator.uniform(0.02, 0.07)) | 1)))
    ink = trimmed(np.asarray(grown, np.float64) / 255)
    paper, tone = two_tones(generator, dark_ink=bool(generator.random() < 0.5))
    return levels_of(paper + (tone - paper) * ink, generator)


def apart(image: Pixels, generator: Generator) -> Pixels:
    """Draw a digit whose strokes a gap parts, slanted, in its upper half, as the bar of a 5 stands apart."""
    side = int(generator.integers(60, 300))
    ink = trimmed(enlarged(image, side))
    at, lean = generator.uniform(0.25, 0.45) * ink.shape[0], generator.uniform(-0.3, 0.3)
    gap = int(generator.uniform(0.04, 0.1) * ink.shape[0]) + 1
    columns = np.arange(ink.shape[1])
    cut = np.clip(at + lean * (columns - ink.shape[1] / 2), 1, ink.shape[0] - 1)
    rows = np.arange(ink.shape[0] + gap)[:, np.newaxis]
    split: Levels = np.where(
        rows < cut,
        np.pad(ink, ((0, gap), (0, 0))),
        np.where(rows < cut + gap, 0, np.pad(ink, ((gap, 0), (0, 0)))),
    )
    page = np.full((split.shape[0] + side // 3, split.shape[1] + side // 3), generator.uniform(200, 256))
    laid(page, split, generator.uniform(0, 70), side // 6, side // 6)
    return levels_of(page, generator, generator.choice([0.0, 3.0]))


def fading(image: Pixels, generator: Generator) -> Pixels:
    """Draw a digit whose ink grows faint towards one side, as of a pen that runs dry."""
    side = int(generator.integers(60, 300))
    ink = enlarged(image, side)
    fall = np.linspace(1, generator.uniform(0.25, 0.5), side)
    view = [ink, ink[::-1], ink.T, ink.T[::-1]][generator.integers(4)]
    view *= fall[:, np.newaxis]
    page = np.full(ink.shape, generator.uniform(200, 256))
    laid(page, ink, generator.uniform(0, 60), 0, 0)
    return levels_of(page, generator, generator.choice([0.0, 3.0]))


KINDS: dict[str, Draw] = {
    "drawing pad": pad,
    "Matplotlib figure": figure,
    "note on a table": note,
    "cell, lines at two edges": cell(2),
    "cell, lines at three edges": cell(3),
    "cell, lines at four edges": cell(4),
    "dark border": bordered,
    "ruled or squared": ruled,
    "ruled, turned, uneven light": turned_ruled,
    "guilloche": guilloche,
    "thick, cut to its ink": cut_thick,
    "stroke apart": apart,
    "fading ink": fading,
}
