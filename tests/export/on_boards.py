"""Tests that run on emulated boards: each is skipped where the tools of its board are not, and says what to install."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from edgedigits_export.boards.board import BOARDS, UNO, Board
from edgedigits_export.formats.c_source import CNetwork

PICTURES = 300

LARGE = tuple(board for board in BOARDS if board is not UNO)
"""Boards with room for a network of 100 KB."""


@dataclass(frozen=True)
class Small:
    """A network as C code, and what it has to answer to the test images."""

    source: Path
    network: CNetwork
    expected: np.ndarray  # uint8 (n, 10)


def on(boards: Iterable[Board] = BOARDS):
    """Mark a test that takes a ``board``, for each of some."""
    return pytest.mark.parametrize(
        "board", [pytest.param(board, id=board.cpu, marks=_marks(board)) for board in boards]
    )


def needs(*boards: Board):
    """Mark a test that needs the tools of some boards."""
    marks = [mark for board in boards for mark in _marks(board)]

    def marked(test):
        for mark in marks:
            test = mark(test)
        return test

    return marked


def _marks(board: Board) -> list[pytest.MarkDecorator]:
    missing = board.missing_packages
    return [pytest.mark.mcu, pytest.mark.skipif(bool(missing), reason=f"apt-get install {' '.join(missing)}")]
