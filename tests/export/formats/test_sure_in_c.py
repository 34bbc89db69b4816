"""The least lead in C: the integers of Python, and of every other file."""

import dataclasses
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgedigits.margins import lead_in_steps
from edgedigits.metadata import ModelMetadata, SureReceipt
from edgedigits.prediction import Prediction
from edgedigits_export.c_code.chain import ChainNetwork
from edgedigits_export.formats.c_source import render_header
from edgedigits_export.integers.fixed_point import read_fixed_point_network

pytestmark = pytest.mark.c_compiler

STRICT = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
METADATA = ModelMetadata("4", "int8", "0" * 64, {"edgedigits": "test"})

# Lead and sureness of every row of ten bytes on standard input.
PROGRAM = """
#include <stdio.h>
#include "digits.h"

int main(void)
{
    uint8_t row[EDGEDIGITS_CLASSES];

    while (fread(row, sizeof row, 1, stdin) == 1) {
        printf("%d %d\\n", edgedigits_lead(row), edgedigits_is_sure(row));
    }
    return 0;
}
"""


@pytest.fixture
def header(tmp_path: Path, make_layers: Callable, make_model: Callable) -> Callable[[int | None], Path]:
    """Write ``digits.h`` of a network with a least lead, None for one that does not say any."""

    def write(least: int | None) -> Path:
        network = ChainNetwork(read_fixed_point_network(make_model(make_layers((4, 10), 0))))
        sure = None if least is None else SureReceipt(least, 100, 0, 90, 90)
        metadata = dataclasses.replace(METADATA, sure=sure)
        (tmp_path / "digits.h").write_text(render_header("digits", network, metadata))
        return tmp_path

    return write


def rows() -> np.ndarray:
    """Return rows of bytes: any, those of two alone, with each lead there is, and with ties."""
    generator = np.random.default_rng(0)
    leads = np.zeros((256, 10), np.uint8)
    leads[np.arange(256), generator.integers(0, 9, 256)] = np.arange(256)
    ties = generator.integers(0, 3, (200, 10)).astype(np.uint8)
    return np.concatenate([generator.integers(0, 256, (300, 10)).astype(np.uint8), leads, ties])


def answers_of(folder: Path, cc: str, *flags: str) -> list[list[int]]:
    if shutil.which(cc) is None:
        pytest.skip(f"there is no {cc}")
    suffix, standard = ("cpp", "-std=c++11") if "++" in cc else ("c", "-std=c99")
    (folder / f"program.{suffix}").write_text(PROGRAM)
    subprocess.run(
        [cc, standard, *STRICT, *flags, folder / f"program.{suffix}", "-o", folder / "program"], check=True
    )
    done = subprocess.run([folder / "program"], input=rows().tobytes(), capture_output=True, check=True)
    return [list(map(int, line.split())) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("cc", ["gcc", "clang", "g++"])
@pytest.mark.parametrize("least", [None, 1, 240, 255, 256])
def test_c_and_python_agree_on_every_lead(
    cc: str, least: int | None, header: Callable[[int | None], Path]
) -> None:
    expected = []
    for row in rows().astype(np.float32) / np.float32(256):
        prediction = Prediction.from_probabilities(row, min_margin=248 if least is None else least)
        assert prediction.margin_steps == lead_in_steps(row.tolist())
        expected.append([prediction.margin_steps, int(prediction.sure)])
    assert answers_of(header(least), cc) == expected
    assert {sure for _, sure in expected} == ({0} if least == 256 else {0, 1})


def test_a_program_may_ask_for_another_lead(header: Callable[[int | None], Path]) -> None:
    found = answers_of(header(240), "gcc", "-DEDGEDIGITS_MIN_MARGIN=100")
    assert all(sure == (lead >= 100) for lead, sure in found)
    assert {sure for lead, sure in found if lead < 240} == {0, 1}
