"""The module of a network that reads numbers, in Node: whole pictures are read as Python reads them."""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from on_wasm import node
from PIL import Image
from written import write_lines

from edgedigits import DigitPredictor
from edgedigits.cli.read import as_object
from edgedigits.errors import ImageError
from edgedigits.picture.reading import read_sized
from edgedigits.runtimes.opening import open_model

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "models" / "numbers" / "numbers.html"
GOLDEN = ROOT / "tests" / "golden" / "pictures"
RUNNER = """
import { readFileSync, writeFileSync } from "node:fs";
import { load, readNumbers } from "./numbers.mjs";

await load();
const [taken, given] = process.argv.slice(2);
const read = JSON.parse(readFileSync(taken)).map(({ file, width, height, options }) => {
    try {
        return readNumbers(readFileSync(file), width, height, options);
    } catch (error) {
        return { error: error.message, code: error.code ?? null };
    }
});
writeFileSync(given, JSON.stringify(read));
"""


def in_node(
    pictures: list[np.ndarray], folder: Path, options: list[dict[str, object]] | None = None
) -> list[dict[str, Any]]:
    """Return what the module reads in gray pictures."""
    (folder / "numbers.mjs").write_bytes(PAGE.with_suffix(".mjs").read_bytes())
    (folder / "run.mjs").write_text(RUNNER)
    asked = []
    for number, gray in enumerate(pictures):
        file = folder / f"{number}.rgba"
        file.write_bytes(np.asarray(Image.fromarray(gray).convert("RGBA")).tobytes())
        size = {"width": gray.shape[1], "height": gray.shape[0]}
        asked.append({"file": str(file), **size, "options": options[number] if options else {}})
    (folder / "taken.json").write_text(json.dumps(asked))
    subprocess.run([node(), "run.mjs", "taken.json", "given.json"], cwd=folder, check=True)
    found: list[dict[str, Any]] = json.loads((folder / "given.json").read_text())
    return found


@pytest.fixture(scope="module")
def predictor() -> DigitPredictor:
    """Python's reader, with the probabilities of the page's own network and its least lead."""
    model = open_model(PAGE)
    found = DigitPredictor(PAGE.with_name("numbers.int8.onnx"), min_margin=model.metadata.min_margin)
    found.probabilities = model.probabilities
    return found


@pytest.fixture(scope="module")
def pictures(number) -> dict[str, np.ndarray]:
    """By what is in them."""
    lines = {
        "date": ["31.12.2025"],
        "other date": ["28/02/98"],
        "amounts": ["1250.50", "12-30", "4,750"],
        "time": ["23:59"],
        "telephone number": ["0171/556370"],
    }
    found = {name: write_lines(texts, seed) for seed, (name, texts) in enumerate(lines.items())}
    found |= {f"golden {name}": np.asarray(number(name)) for name in ("0728", "41", "7")}
    found |= {"large": np.asarray(Image.fromarray(found["amounts"]).resize((2400, 1700)))}
    found |= {"light on dark": 255 - found["date"], "empty": np.full((80, 200), 240, np.uint8)}
    files = sorted(GOLDEN.iterdir())[::6]
    return found | {file.name: read_sized(file)[0] for file in files}


def as_printed(predictor: DigitPredictor, gray: np.ndarray, options: dict[str, object]) -> dict[str, object]:
    """Return what `edgedigits read --json` prints of a picture."""
    found = as_object("", predictor.read(gray, **options))
    del found["picture"]
    return json.loads(json.dumps(found))


def test_pictures_are_read_as_in_python(
    predictor: DigitPredictor, pictures: dict[str, np.ndarray], tmp_path: Path
) -> None:
    expected = {name: as_printed(predictor, gray, {}) for name, gray in pictures.items()}
    assert expected["date"]["text"] == "31.12.2025"
    assert {len(read["lines"]) for read in expected.values()} >= {0, 1, 3}
    found = in_node(list(pictures.values()), tmp_path)
    assert dict(zip(pictures, found, strict=True)) == expected


@pytest.mark.parametrize(
    "options",
    [{"digits": 8}, {"digits": 4}, {"separators": False}, {"pattern": "dd-dd dddd"}],
    ids=["digits", "too-few", "no-separators", "pattern"],
)
def test_what_is_known_of_a_number_is_kept_to(
    predictor: DigitPredictor, pictures: dict[str, np.ndarray], tmp_path: Path, options: dict[str, object]
) -> None:
    (found,) = in_node([pictures["date"]], tmp_path, [options])
    assert found == as_printed(predictor, pictures["date"], options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"digits": 0}, "expected a whole number from 1 to 64, got 0"),
        ({"digits": 2.5}, "expected a whole number from 1 to 64, got 2.5"),
        ({"digits": 1, "pattern": "d"}, "expected one of them, got both"),
        ({"pattern": "d;d"}, "expected d for each digit"),
        ({"pattern": ""}, "pattern: expected d for each digit, 1 to 64"),
        ({"pattern": "d" * 65}, "pattern: expected d for each digit, 1 to 64"),
        ({"pattern": "d" + 128 * "-"}, "pattern: expected d for each digit, 1 to 64"),
        ({"pattern": 5}, "pattern: expected d for each digit, 1 to 64"),
    ],
    ids=["none", "half", "both", "other", "empty", "many", "long", "number"],
)
def test_wrong_wishes_say_what_is_wrong(tmp_path: Path, options: dict[str, object], message: str) -> None:
    (found,) = in_node([np.full((40, 40), 255, np.uint8)], tmp_path, [options])
    assert message in found["error"]


def test_too_many_marks_are_an_error_with_a_code(predictor: DigitPredictor, tmp_path: Path) -> None:
    cells = np.random.default_rng(0).random((100, 100)) < 1 / 3
    gray = np.kron(np.where(cells, 0, 255).astype(np.uint8), np.ones((10, 10), np.uint8))
    with pytest.raises(ImageError, match="cut out the numbers"):
        predictor.read(gray)
    (found,) = in_node([gray], tmp_path)
    assert found["code"] in (32, 33, 34)
    assert found["error"].endswith("cut out the numbers")
