import errno
import os
import threading
from pathlib import Path

import pytest

from edgedigits.files import open_file, read_file, read_inside

READERS = {
    "named": lambda folder, name, at_most: read_file(folder / name, at_most),
    "inside": read_inside,
}
every_reader = pytest.mark.parametrize("read", READERS.values(), ids=list(READERS))


@every_reader
@pytest.mark.parametrize("size", [0, 1, 99, 100])
def test_a_file_is_read_whole(read, size, tmp_path):
    (tmp_path / "file").write_bytes(b"x" * size)
    assert read(tmp_path, "file", 100) == b"x" * size


@every_reader
def test_a_larger_file_is_refused(read, tmp_path):
    (tmp_path / "file").write_bytes(b"x" * 101)
    with pytest.raises(OSError, match="larger than") as caught:
        read(tmp_path, "file", 100)
    assert caught.value.errno == errno.EFBIG


@every_reader
def test_a_sparse_file_costs_nothing(read, tmp_path):
    with (tmp_path / "file").open("wb") as file:
        file.truncate(8 << 30)
    with pytest.raises(OSError, match=r"larger than 64 MiB"):
        read(tmp_path, "file", 64 << 20)


@every_reader
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
def test_a_pipe_is_not_waited_for(read, tmp_path):
    os.mkfifo(tmp_path / "file")
    found: list[OSError] = []

    def attempt() -> None:
        with pytest.raises(OSError, match="a pipe or a device, no file") as caught:
            read(tmp_path, "file", 100)
        found.append(caught.value)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(10)
    assert found


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no such device here")
def test_a_device_is_refused():
    with pytest.raises(OSError, match="a pipe or a device, no file"):
        read_file(Path("/dev/zero"), 100)
    with pytest.raises(OSError, match="a pipe or a device, no file"):
        read_inside(Path("/dev"), "zero", 100)


@every_reader
def test_a_folder_is_no_file(read, tmp_path):
    (tmp_path / "file").mkdir()
    with pytest.raises(IsADirectoryError):
        read(tmp_path, "file", 100)


@every_reader
def test_a_missing_file_is_missing(read, tmp_path):
    with pytest.raises(FileNotFoundError):
        read(tmp_path, "file", 100)


def test_a_named_file_may_be_a_link(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    assert read_file(tmp_path / "link", 100) == b"content"


@pytest.mark.parametrize(
    "name",
    ["link", "linked/secret", "inner/link", "inner/linked/secret"],
    ids=lambda name: name.replace("/", " "),
)
def test_a_file_of_a_folder_is_really_inside(name, tmp_path):
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    for place in (folder, folder / "inner"):
        (place / "link").symlink_to(outside / "secret")
        (place / "linked").symlink_to(outside, target_is_directory=True)
    with pytest.raises(OSError, match=r"link, which is not followed|Not a directory"):
        read_inside(folder, name, 100)


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "inner/../../secret", ""])
def test_a_name_never_leads_out(name, tmp_path):
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    with pytest.raises(OSError, match="outside the folder"):
        read_inside(tmp_path / "folder", name, 100)


def test_the_folder_itself_may_be_a_link(tmp_path):
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    (tmp_path / "folder" / "inner" / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("folder", target_is_directory=True)
    assert read_inside(tmp_path / "link", "inner/file", 100) == b"content"


def test_nothing_stays_open(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    before = _open_descriptors()
    for _ in range(10):
        read_inside(tmp_path, "file", 100)
        with pytest.raises(OSError, match="link"):
            read_inside(tmp_path, "link", 100)
        with pytest.raises(OSError, match="larger"):
            read_file(tmp_path / "file", 1)
        with pytest.raises(RuntimeError, match="mine"), open_file(tmp_path / "file", 100):
            raise RuntimeError("mine")
    assert _open_descriptors() == before


def _open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0
