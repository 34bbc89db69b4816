import os
import time
from pathlib import Path

import pytest

from edgedigits.errors import ModelFileError, ModelNotFoundError
from edgedigits.model_files import content
from edgedigits.model_files.content import read_model_bytes


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "digits.onnx").write_bytes(b"content")
    assert read_model_bytes(tmp_path / "digits.onnx") == b"content"


def test_a_file_of_the_largest_size_is_read_and_no_larger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "LARGEST_MODEL", 3 << 20)
    path = tmp_path / "digits.onnx"
    path.write_bytes(bytes(3 << 20))
    assert len(read_model_bytes(path)) == 3 << 20
    path.write_bytes(bytes((3 << 20) + 1))
    with pytest.raises(ModelFileError, match=r"digits\.onnx: larger than 3 MiB; no network of edgedigits is"):
        read_model_bytes(path)


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [
        ("none.onnx", ModelNotFoundError, "no such model file"),
        ("", ModelFileError, "Is a directory"),
        ("nul\0l.onnx", ModelFileError, "cannot be read"),
        ("n" * 300, ModelFileError, "File name too long"),
        ("digits.onnx/inside", ModelFileError, "Not a directory"),
    ],
    ids=["missing", "folder", "null byte", "too long", "below a file"],
)
def test_what_cannot_be_read_is_told(name: str, kind: type[Exception], reason: str, tmp_path: Path) -> None:
    (tmp_path / "digits.onnx").touch()
    with pytest.raises(kind, match=reason):
        read_model_bytes(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "digits.onnx")
    started = time.monotonic()
    with pytest.raises(ModelFileError, match="a pipe or a device, no file"):
        read_model_bytes(tmp_path / "digits.onnx")
    assert time.monotonic() - started < 5


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no file without end")
def test_a_device_without_end_is_refused() -> None:
    with pytest.raises(ModelFileError, match="a pipe or a device, no file"):
        read_model_bytes(Path("/dev/zero"))
