from pathlib import Path

import numpy as np
import pytest

from edgedigits.datasets.split import Split
from edgedigits.errors import ModelFileError
from edgedigits_export.boards.micro import PACKAGE, is_installed, read_arena, run_in_micro
from edgedigits_export.integers.reference_kernels import reference_answers

ALLOCATIONS = """\
[RecordingMicroAllocator] Arena allocation total 4752 bytes
[RecordingMicroAllocator] Arena allocation head 1568 bytes
[RecordingMicroAllocator] Arena allocation tail 3184 bytes
"""


def test_the_arena_is_head_and_tail() -> None:
    assert read_arena(ALLOCATIONS) == 1568 + 3184


def test_allocations_without_an_arena_are_an_error() -> None:
    with pytest.raises(ModelFileError, match="does not say what arena it needs"):
        read_arena("Failed starting model allocation.\n")


@pytest.mark.skipif(is_installed(), reason=f"{PACKAGE} is installed")
def test_without_the_package_there_is_one_error(models: Path) -> None:
    with pytest.raises(ModelFileError, match="TensorFlow Lite Micro cannot run it"):
        run_in_micro((models / "digits.int8.tflite").read_bytes(), np.zeros((1, 28, 28), np.uint8))


@pytest.mark.skipif(not is_installed(), reason=f"pip install --pre {PACKAGE}")
def test_the_model_runs_and_says_its_arena(models: Path, dataset: tuple[Split, Split]) -> None:
    content, pixels = (models / "digits.int8.tflite").read_bytes(), dataset[1].images[:300]
    ran = run_in_micro(content, pixels)
    _, expected = reference_answers(content, pixels)
    # Its Python package rounds twice where LiteRT rounds once: a step of a logit now and then.
    assert np.all(ran.answers == expected, axis=1).mean() > 0.97
    assert 2_000 < ran.arena < 20_000
