"""The sketch for the Arduino IDE: compiled with the real core of an Uno, and run on a simulated one."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from arduino import MOST_FLASH, arduino, compiled, flash_of
from on_boards import Small, needs

from edgedigits_export.boards.board import AVR, UNO

pytestmark = pytest.mark.c_compiler

SKETCH = AVR.folder / "digits" / "digits.ino"
MIN_MARGIN = 100  # in steps of 1/256


@arduino
@needs(UNO)
@pytest.mark.parametrize("kind", ["dense", "convolutions", "packed"])
def test_the_sketch_answers_what_comes_in_by_the_serial_port(
    kind: str, pixels: np.ndarray, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    small: Small = request.getfixturevalue(kind)
    for path in (SKETCH, small.source, small.source.with_suffix(".h")):
        shutil.copy(path, tmp_path)
    program = compiled(tmp_path, f"-DEDGEDIGITS_MIN_MARGIN={MIN_MARGIN}")
    assert flash_of(program) <= MOST_FLASH
    count = 20
    (tmp_path / "pictures.bin").write_bytes(pixels[:count].tobytes())
    UNO.emulator.run(program)
    ordered = np.sort(small.expected[:count].astype(int), axis=1)
    leads = ordered[:, -1] - ordered[:, -2]
    lines = (tmp_path / "answers.bin").read_text().splitlines()
    assert lines == [
        f"{answer.argmax()} {'sure' if lead >= MIN_MARGIN else 'not sure'}"
        for answer, lead in zip(small.expected[:count], leads, strict=True)
    ]
    assert len(set(lines)) > 1
