"""What `make arm-check` finds wrong, without an emulator; the check itself is a target of its own."""

import os
import subprocess
import sys
from pathlib import Path

import arm_check
import locks
import numpy as np
import pytest


def answers(*classes: int) -> np.ndarray:
    return np.eye(10, dtype=np.float32)[list(classes)]


def compared(file: str, *classes: int, changed: int = 0) -> list[str]:
    """What is wrong where (1, 2, 3) was expected."""
    pictures = np.zeros((2, 28, 28), np.uint8)
    there = {arm_check.PICTURES: pictures.copy(), file: answers(*classes)}
    there[arm_check.PICTURES][:changed, 3, 4] = 1
    here = {arm_check.PICTURES: pictures, file: answers(1, 2, 3)}
    return arm_check.compared(there, here, np.array([1, 2, 3]))


@pytest.mark.parametrize(
    ("name", "most"),
    [("digits.onnx", 0), ("digits.int8.tflite", 0), ("digits.float16.onnx", 1), ("digits.dynamic.tflite", 1)],
)
def test_more_classes_than_may_differ_are_wrong(name: str, most: int) -> None:
    file = f"models/{name}"
    assert compared(file, 1, 2, 3) == []
    for different, classes in ((1, (1, 2, 4)), (2, (1, 4, 4))):
        wrong = compared(file, *classes)
        assert wrong == [
            f"{file}: {different} classes differ from those of this machine, at most {most} may"
        ] * (different > most)


def test_a_picture_that_is_prepared_to_other_bytes_is_wrong() -> None:
    assert compared("models/digits.onnx", 1, 2, 3, changed=1) == [
        "1 pictures are prepared to other bytes than on this machine"
    ]


def test_every_shipped_file_that_runs_there_is_asked() -> None:
    files = arm_check.shipped_files([])
    assert {Path(file).parent.name for file in files} >= {"models", "hands", "tiny"}
    assert {Path(file).suffix for file in files} == set(arm_check.FILES)
    assert arm_check.shipped_files(["tiny-2k"]) == [
        "models/tiny/tiny-2k.int8.onnx", "models/tiny/tiny-2k.int8.tflite",
    ]  # fmt: skip


def test_what_is_needed_there_is_locked_for_there_whatever_this_machine_is() -> None:
    *_, environment = locks.environments(arm_check.PYTHON, "linux-aarch64")
    found = {locked.name for locked in locks.needed({"tflite"}, environment)}
    assert {"onnxruntime", "numpy", "pillow", "click", "ai-edge-litert", "flatbuffers"} <= found
    assert not {"tensorflow", "pyarrow", "pytest"} & found
    assert all(" ; " not in locks.without_marker(locked) for locked in locks.read_lock())


def test_where_a_tool_is_missing_its_package_is_named(tmp_path: Path) -> None:
    child = subprocess.run(
        [sys.executable, arm_check.__file__, "any.whl"],
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert child.returncode == 1
    assert child.stderr.startswith("arm-check: no qemu-aarch64-static")
    assert child.stderr.endswith(" here; on Debian: apt-get install $(make arm-packages)\n")
