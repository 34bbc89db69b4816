"""The folder that tests here import from."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
