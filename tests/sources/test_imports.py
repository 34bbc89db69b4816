"""What reads arrays and folders of pictures needs numpy and nothing heavier."""

import subprocess
import sys

HEAVY = ("pyarrow", "pandas", "PIL", "onnxruntime", "tensorflow", "keras", "matplotlib", "click")


def test_sources_are_light():
    said = f"import sys, edgedigits.sources.read; print([name for name in {HEAVY!r} if name in sys.modules])"
    child = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == "[]"
