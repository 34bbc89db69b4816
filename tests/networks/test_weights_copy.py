"""Weights that a child process copies out of a ``.keras`` file, and what it refuses to copy."""

import io
import os
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from edgedigits.errors import ModelFileError, OutputError
from edgedigits.model_files.keras_archive import WEIGHTS_MEMBER
from edgedigits.networks import weights_copy
from edgedigits.networks.weights_copy import copied_weights

SEED = Path(__file__).parents[1] / "fuzz" / "seeds" / "small.keras"


def archive(folder: Path, weights: bytes) -> Path:
    path = folder / "digits.keras"
    with zipfile.ZipFile(path, "w") as target:
        target.writestr(WEIGHTS_MEMBER, weights)
    return path


def hdf5(write: Callable[[h5py.File], object]) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        write(file)
    return buffer.getvalue()


def arrays(path: Path) -> dict[str, np.ndarray]:
    found = {}
    with h5py.File(path, "r") as file:
        file.visititems(
            lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
        )
    return found


def test_all_arrays_are_copied_and_the_copy_is_gone_afterwards() -> None:
    with zipfile.ZipFile(SEED) as source, source.open(WEIGHTS_MEMBER) as member:
        expected = {}
        with h5py.File(io.BytesIO(member.read()), "r") as file:
            file.visititems(
                lambda name, item: (
                    expected.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
                )
            )
    with copied_weights(SEED) as copy:
        found = arrays(copy)
    assert not copy.exists()
    assert not copy.parent.exists()
    assert found.keys() == expected.keys()
    assert len(found) == 6
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)


def external_link(file: h5py.File) -> None:
    file["layers"] = h5py.ExternalLink("/etc/passwd", "/")


def soft_link(file: h5py.File) -> None:
    file["layers"] = h5py.SoftLink("/elsewhere")


def external_storage(file: h5py.File) -> None:
    file.create_dataset("kernel", (4,), np.float32, external=[("/etc/passwd", 0, 16)])


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((4,), np.float32)
    layout[:] = h5py.VirtualSource("/etc/passwd", "kernel", (4,))
    file.create_virtual_dataset("kernel", layout)


def text(file: h5py.File) -> None:
    file["kernel"] = "no number"


def records(file: h5py.File) -> None:
    file["kernel"] = np.zeros(3, [("a", "f4"), ("b", "i4")])


def references(file: h5py.File) -> None:
    file["kernel"] = np.array([file.ref], h5py.ref_dtype)


def gigantic(file: h5py.File) -> None:
    file.create_dataset("kernel", (1 << 30, 1 << 10), np.float32, chunks=(1 << 10, 1 << 10))


def bomb(file: h5py.File) -> None:
    file.create_dataset("kernel", data=np.zeros(1 << 24, np.float32), compression="gzip", compression_opts=9)


def many(file: h5py.File) -> None:
    for index in range(weights_copy.MOST_OBJECTS + 1):
        file.create_group(f"layer {index}")


def deep(file: h5py.File) -> None:
    file.create_group("/".join("abcdefghijkl"))


def circle(file: h5py.File) -> None:
    file.create_group("layers")["again"] = file["/"]


REFUSED = {
    "a link to another file": (external_link, "'layers' is a link to elsewhere"),
    "a link within the file": (soft_link, "'layers' is a link to elsewhere"),
    "content in another file": (external_storage, "'kernel' lies in another file"),
    "a view of another file": (virtual, "'kernel' lies in another file"),
    "text": (text, "'kernel' is no array of numbers"),
    "records": (records, "'kernel' is no array of numbers"),
    "references": (references, "'kernel' is no array of numbers"),
    "gigantic": (gigantic, "is larger than the file"),
    "a bomb": (bomb, "is larger than the file"),
    "many objects": (many, "more objects than a digits network has"),
    "deep": (deep, "more objects than a digits network has"),
    "a circle": (circle, "more objects than a digits network has"),
}


@pytest.mark.parametrize(("write", "reason"), REFUSED.values(), ids=list(REFUSED))
def test_what_is_no_plain_array_is_not_copied(
    write: Callable[[h5py.File], object], reason: str, tmp_path: Path
) -> None:
    path = archive(tmp_path, hdf5(write))
    with (
        pytest.raises(ModelFileError, match=rf"digits\.keras: its weights cannot be read \(.*{reason}"),
        copied_weights(path),
    ):
        pass


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
@pytest.mark.parametrize(
    ("body", "seconds"),
    [("os.kill(os.getpid(), 11)", 5.0), ("[0] * (1 << 33)", 5.0), ("while True: pass", 8.0)],
    ids=["crashes", "takes all memory", "goes on for ever"],
)
def test_a_child_that_does_not_end_well_is_an_error(
    body: str, seconds: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a flaw in the HDF5 library could do, in the place of that library."""
    (tmp_path / "h5py.py").write_text(f"import os\n{body}\n")
    # The child imports from where this process does, whatever PYTHONPATH says.
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(weights_copy, "CPU_SECONDS", 1)
    started = time.monotonic()
    with pytest.raises(ModelFileError, match="its weights cannot be read"), copied_weights(SEED):
        pass
    assert time.monotonic() - started < seconds


def test_a_full_disk_is_not_the_file_s_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("there is no device that is always full")
    write = Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", lambda self, content: write(full, content))
    with pytest.raises(OutputError, match="no space left"), copied_weights(SEED):
        pass
