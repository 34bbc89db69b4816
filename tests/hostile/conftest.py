"""Where tests of this folder import from: this folder, and the fuzzer's, which builds whole files anew."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path += [str(HERE), str(HERE.with_name("fuzz"))]
