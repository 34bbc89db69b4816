"""Where tests of this folder import from: this folder; and a seven as every form of it should come out."""

import sys
from pathlib import Path

import pytest

from edgedigits.picture.levels import Pixels
from edgedigits.picture.prepare import prepare

sys.path.append(str(Path(__file__).parent))


@pytest.fixture(scope="module")
def reference() -> Pixels:
    """The seven as every other form of it should come out."""
    from drawn_sevens import seven

    return prepare(seven())
