"""The folder of the browsers, which tests of reports ask as well."""

import sys
from pathlib import Path

sys.path += [str(Path(__file__).parents[1] / "export"), str(Path(__file__).parent)]
