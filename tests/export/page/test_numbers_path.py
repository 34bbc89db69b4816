"""The way through a line in JavaScript: the signs, boxes and leads that Python finds."""

import re
from pathlib import Path

import numpy as np
import pytest
from on_wasm import PAGE
from strips import Case, in_node, in_python, made_up

from edgedigits.model_files.page_file import read_page
from edgedigits.numbers.candidates import candidates_of, images_of
from edgedigits.numbers.pieces import strip_of
from edgedigits.numbers.read import Asked
from edgedigits.training.drawn import draw_digits
from edgedigits.training.lines import write
from edgedigits_export.integers.reference_kernels import reference_probabilities
from edgedigits_export.page.constants import reader_constants

NUMBERS = Path(__file__).parents[3] / "models" / "numbers"


def written(count: int) -> list[Case]:
    """Lines as the network was taught them, with its answers."""
    generator, cases = np.random.default_rng(7), []
    images, labels = draw_digits(200, generator)
    content = (NUMBERS / "numbers.int8.tflite").read_bytes()
    least = read_page(NUMBERS / "numbers.html").metadata.min_margin
    for _ in range(count):
        line = write(generator, images, labels)
        strip = strip_of(line.levels, line.height, (line.levels.shape[1] / 2, line.levels.shape[0] / 2))
        candidates = candidates_of(strip)
        answers = reference_probabilities(content, images_of(strip, candidates))
        cases.append(Case(strip, candidates, answers, Asked(least)))
    return cases


def test_lines_are_read_as_in_python(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    cases = [*written(12), *(made_up(generator) for _ in range(300))]
    expected = [in_python(case) for case in cases]
    texts = ["".join(sign[0] for sign in signs) for signs in expected if signs is not None]
    assert set("0123456789.,-/:") <= set("".join(texts))
    assert len(texts) > 150
    assert in_node(cases, tmp_path) == expected


def test_all_constants_of_the_reader_come_from_python() -> None:
    (taken,) = re.findall(r'const \{([^}]*)\} = "@NUMBERS@"', (PAGE / "numbers_path.mjs").read_text())
    names = [name for name in re.split(r"[,\s]+", taken) if name]
    assert sorted(names) == sorted(reader_constants())


@pytest.mark.parametrize("name", sorted(path.name for path in PAGE.glob("numbers*.mjs")))
def test_its_parts_have_no_numbers_of_their_own(name: str) -> None:
    source = re.sub(r"/\*.*?\*/|//[^\n]*", "", (PAGE / name).read_text(), flags=re.DOTALL)
    # What weighs and bounds are fractions and larger numbers; halves are pixels' middles and rounding.
    assert set(re.findall(r"(?<![\w.$])\d+\.\d+", source)) <= {"0.5"}
