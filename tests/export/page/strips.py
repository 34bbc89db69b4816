"""Lines in pieces, written and made up, and what JavaScript reads in them, in Node."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from on_wasm import PAGE, node

from edgedigits.margins import STEPS
from edgedigits.numbers.candidates import Candidate, candidates_of
from edgedigits.numbers.pieces import HEIGHT, PAPER, Piece, Strip
from edgedigits.numbers.read import Asked, read_strip
from edgedigits.numbers.reading import Box
from edgedigits_export.page.constants import reader_constants

READER = ("numbers_path.mjs", "numbers_signs.mjs", "numbers_form.mjs")
RUNNER = """
import { readFileSync, writeFileSync } from "node:fs";

const CLASSES = 10, STEPS = 256;
const facts = {};
const [taken, given] = process.argv.slice(2);
const read = JSON.parse(readFileSync(taken)).map(({ strip, answers, digits, least }) => {
    facts.min_margin = least;
    strip.ids = Int16Array.from(strip.ids);
    for (const piece of strip.pieces) piece.tilt ??= NaN;
    return signsOf(strip, Uint8Array.from(answers), digits);
});
writeFileSync(given, JSON.stringify(read));
"""


class Case(NamedTuple):
    """A line that was parted, and what the network says of it."""

    strip: Strip
    candidates: list[Candidate]
    answers: npt.NDArray[np.uint8]
    """(n, 10), in steps of 1/256."""
    asked: Asked


def made_up(generator: np.random.Generator) -> Case:
    """Put pieces of any kind in a row: digits, points, commas, dashes, slashes, litter."""
    pieces: list[Piece] = []
    left, count = 4, int(generator.integers(1, 16))
    ids = np.full((2 * HEIGHT, 64 * count + 64), PAPER, np.int16)
    for index in range(count):
        kind = generator.choice(["digit", "mark", "stroke"], p=[0.55, 0.3, 0.15])
        sides = {"digit": (0.7, 1.1, 0.3, 0.9), "mark": (0.08, 0.5, 0.1, 0.6), "stroke": (0.9, 1.6, 0.1, 0.5)}
        least_height, most_height, least_width, most_width = sides[kind]
        height = round(HEIGHT * generator.uniform(least_height, most_height))
        width = round(HEIGHT * generator.uniform(least_width, most_width))
        top = 4 + int(generator.integers(0, 2 * HEIGHT - height - 8))
        if kind == "digit":
            top = min(top, round(1.5 * HEIGHT) - height + int(generator.normal(0, 4)))
        box = Box(left, max(top, 0), left + width, max(top, 0) + height)
        area = round(generator.uniform(0.1, 1) * width * height)
        tilt = generator.uniform(-0.2, 0.6) if kind == "stroke" else None
        is_whole = bool(generator.random() < 0.8)
        pieces.append(Piece(box, area, index, kind == "mark", is_whole, generator.uniform(1, 3), tilt))
        ids[box.top : box.bottom, box.left : box.right] = index
        left = max(left + 1, box.right + int(generator.normal(4, 6)))
    pieces.sort(key=lambda piece: piece.middle)
    strip = Strip(
        np.zeros(ids.shape, np.uint8),
        ids,
        tuple(pieces),
        0,
        generator.uniform(-0.2, 0.5),
        generator.uniform(0.3, 3),
        (generator.uniform(0, 900), generator.uniform(0, 900)),
        generator.uniform(2, 9),
    )
    candidates = candidates_of(strip)
    return Case(strip, candidates, any_answers(len(candidates), generator), any_asked(count, generator))


def any_answers(count: int, generator: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Return answers from certain to none, equal ones among them."""
    logits = generator.normal(0, generator.choice([0.1, 2, 8], (count, 1)), (count, 10))
    shares = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
    return np.minimum(np.rint(STEPS * shares / shares.sum(axis=1, keepdims=True)), 255).astype(np.uint8)


def any_asked(count: int, generator: np.random.Generator) -> Asked:
    """Ask for any number of digits, or, one time in four, for one."""
    digits = int(generator.integers(1, count + 1)) if generator.random() < 0.25 else None
    return Asked(int(generator.integers(1, 257)), digits)


def in_python(case: Case) -> list[list[Any]] | None:
    """Return the signs of a case's line; None where it has none."""
    answers = case.answers.astype(np.float32) / np.float32(STEPS)
    line = read_strip(case.strip, case.candidates, answers, case.asked) if case.candidates else None
    if line is None:
        return None
    return [[s.text, list(s.box), s.confidence, s.margin, s.margin_steps, s.sure] for s in line.signs]


def in_node(cases: Sequence[Case], folder: Path) -> list[list[list[Any]] | None]:
    """Return the same as JavaScript reads it."""
    constants = json.dumps(reader_constants())
    source = "".join((PAGE / name).read_text(encoding="utf-8") for name in READER)
    program = folder / "path.mjs"
    program.write_text(source.replace('"@NUMBERS@"', constants) + RUNNER, encoding="utf-8")
    taken, given = folder / "cases.json", folder / "read.json"
    taken.write_text(json.dumps([_as_object(case) for case in cases]))
    subprocess.run([node(), program, taken, given], check=True)
    keys = ("text", "box", "confidence", "margin", "margin_steps", "sure")
    return [
        signs if signs is None else [[sign[key] for key in keys] for sign in signs]
        for signs in json.loads(given.read_text())
    ]


def _as_object(case: Case) -> dict[str, Any]:
    strip = case.strip
    height, width = strip.ids.shape
    return {
        "strip": {
            "slant": strip.slant,
            "ratio": strip.ratio,
            "origin": strip.origin,
            "stroke": strip.stroke,
            "width": width,
            "height": height,
            "ids": strip.ids.ravel().tolist(),
            "pieces": [
                {
                    "box": piece.box,
                    "area": piece.area,
                    "isSmall": piece.is_small,
                    "isWhole": piece.is_whole,
                    "elongation": piece.elongation,
                    "tilt": piece.tilt,
                }
                for piece in strip.pieces
            ],
            "candidates": [one._asdict() for one in case.candidates],
        },
        "answers": case.answers.ravel().tolist(),
        "digits": case.asked.digits,
        "least": case.asked.min_margin,
    }
