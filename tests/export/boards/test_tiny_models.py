"""The small networks that come along, on every chip that holds them: every integer that of their TFLite file."""

from pathlib import Path

import numpy as np
import pytest
from on_boards import PICTURES, on

from edgedigits.datasets.split import Split
from edgedigits.shipped import TINY
from edgedigits_export.boards.board import UNO, Board
from edgedigits_export.boards.firmware import CLASSIFY, program_of, run
from edgedigits_export.boards.toolchain import compile_object
from edgedigits_export.integers.reference_kernels import reference_answers

FOLDER = Path(__file__).parents[3] / "models" / "tiny"
ON_AN_UNO = ("tiny-2k", "tiny-fast")
"""Those that 2 KB of RAM hold beside the picture."""


@pytest.mark.mnist
@on()
@pytest.mark.parametrize("name", TINY)
def test_a_board_gives_the_logits_of_the_reference_kernels(
    name: str, board: Board, mnist_test: Split, tmp_path: Path
) -> None:
    if board is UNO and name not in ON_AN_UNO:
        pytest.skip("its RAM does not hold the picture and the network")
    pictures = mnist_test.images[:PICTURES]
    source = FOLDER / f"{name}.c"
    network = compile_object(source, board, "-Os", tmp_path)
    ran = run(program_of(source, network, board, "-Os", tmp_path, CLASSIFY), board, pictures)
    logits, _ = reference_answers((FOLDER / f"{name}.int8.tflite").read_bytes(), pictures)
    np.testing.assert_array_equal(ran.probabilities, logits)
    np.testing.assert_array_equal(ran.best, logits.argmax(axis=1))
