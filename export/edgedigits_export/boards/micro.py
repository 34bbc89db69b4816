"""Run an int8 ``.tflite`` file in TensorFlow Lite Micro, where its Python package is installed.

It is not on the list of dependencies, because it is a pre-release: ``pip install --pre tflite-micro``. The model runs
in a process of its own: what the allocator says of the arena it prints, and an arena too small crashes it.
"""

import re
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgedigits.artifacts.versions import versions
from edgedigits.child_processes import run_code
from edgedigits.contract import CLASSES
from edgedigits.errors import ModelFileError

PACKAGE = "tflite-micro"
SECONDS_TO_RUN = 300.0
_PROGRAM = """
import sys
import numpy as np
from tflite_micro import runtime
interpreter = runtime.Interpreter.from_file(sys.argv[1])
taken = interpreter.get_input_details(0)["dtype"]
pixels = np.frombuffer(sys.stdin.buffer.read(), np.uint8).reshape(-1, 1, 28, 28)
pixels = (pixels ^ 128).view(np.int8) if taken == np.int8 else pixels
for image in pixels:
    interpreter.set_input(image, 0)
    interpreter.invoke()
    answers = interpreter.get_output(0)
    answers = answers.view(np.uint8) ^ 128 if answers.dtype == np.int8 else answers
    sys.stdout.buffer.write(answers.tobytes())
interpreter.print_allocations()
"""


@dataclass(frozen=True)
class MicroRun:
    """What TensorFlow Lite Micro needs and answers."""

    arena: int
    """Bytes, on this computer; its pointers may be longer than a microcontroller's."""
    answers: npt.NDArray[np.uint8]
    """Shape (n, 10): probabilities in steps of 1/256."""
    version: str
    """Of the Python package."""


def is_installed() -> bool:
    """Return whether the Python package is here."""
    return find_spec("tflite_micro") is not None


def run_in_micro(content: bytes, pixels: npt.NDArray[np.uint8]) -> MicroRun:
    """Run a model on pictures.

    Args:
        content: the ``.tflite`` file, with int8 or uint8 edges.
        pixels: uint8 (n, 28, 28).

    Raises:
        ModelFileError: it does not run there.
    """
    path = Path("model.tflite")
    with tempfile.TemporaryDirectory(prefix="edgedigits-") as folder:
        (Path(folder) / path).write_bytes(content)
        try:
            done = subprocess.run(
                run_code(_PROGRAM, path),
                cwd=folder,
                input=np.ascontiguousarray(pixels).tobytes(),
                capture_output=True,
                check=True,
                timeout=SECONDS_TO_RUN,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise ModelFileError(path, f"TensorFlow Lite Micro cannot run it ({error})") from error
    return MicroRun(
        arena=read_arena(done.stderr.decode(errors="replace")),
        answers=np.frombuffer(done.stdout, np.uint8).reshape(-1, CLASSES),
        version=versions(PACKAGE)[PACKAGE],
    )


def read_arena(allocations: str) -> int:
    """Return the bytes of the arena from what the recording allocator printed.

    Raises:
        ModelFileError: it does not say.
    """
    found = re.search(r"Arena allocation total (\d+) bytes", allocations)
    if found is None:
        raise ModelFileError(Path("model.tflite"), "TensorFlow Lite Micro does not say what arena it needs")
    return int(found[1])
