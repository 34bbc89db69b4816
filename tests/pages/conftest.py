"""Browsers for the tests of the site: their module lies with those of the page."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "export"))
