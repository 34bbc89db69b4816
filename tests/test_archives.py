import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edgedigits.archives import ARCHIVE_ERRORS, LARGEST_DIRECTORY, open_archive, open_npz

ARRAY = np.arange(6, dtype=np.float32).reshape(2, 3)
LIMIT = 1 << 30


def write_npz(path: Path, **arrays: object) -> Path:
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
    return path


def npy(descr: str, shape: tuple[int, ...], body: bytes, version: bytes = b"\x01\x00") -> bytes:
    header = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode().ljust(117) + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H", len(header)) + header + body


def write_member(path: Path, content: bytes, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("a.npy", content)
    return path


def test_arrays_and_texts_come_back(tmp_path):
    path = write_npz(tmp_path / "a.npz", numbers=ARRAY, columns=np.asfortranarray(ARRAY), name="edge")
    with open_npz(path, LIMIT) as archive:
        assert archive.names == ["numbers", "columns", "name"]
        assert archive.header("numbers") == ((2, 3), np.float32, 24)
        for name in ("numbers", "columns"):
            assert np.array_equal(archive.array(name, 24), ARRAY)
        assert archive.text("name") == "edge"


def test_an_array_of_more_bytes_is_refused(tmp_path):
    path = write_npz(tmp_path / "a.npz", numbers=ARRAY)
    with open_npz(path, LIMIT) as archive, pytest.raises(ValueError, match="larger than 23 bytes"):
        archive.array("numbers", 23)


def test_a_number_is_no_text(tmp_path):
    path = write_npz(tmp_path / "a.npz", numbers=ARRAY)
    with open_npz(path, LIMIT) as archive, pytest.raises(ValueError, match="should be a text"):
        archive.text("numbers")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(npy("|O", (1,), b"cos\nsystem\n(S'id'\ntR."), "only a pickle", id="pickle"),
        pytest.param(npy("<f4", (1 << 40,), b""), "should hold 4,398,046,511,104 bytes", id="gigantic"),
        pytest.param(npy("|u1", (10,), bytes(100 << 20)), "holds 104,857,600", id="bomb"),
        pytest.param(npy("|u1", (10,), bytes(9)), "should hold 10 bytes and holds 9", id="too short"),
        pytest.param(npy("|u1", (-1,), b""), "should hold|negative", id="negative"),
        pytest.param(npy("|u1", (0,), b"", b"\x02\x00"), "version", id="second version"),
        pytest.param(b"no array", "magic string", id="no array"),
    ],
)
def test_an_array_that_is_none_is_refused(content, reason, tmp_path):
    path = write_member(tmp_path / "a.npz", content)
    with open_npz(path, LIMIT) as archive, pytest.raises(ARCHIVE_ERRORS, match=reason):
        archive.array("a", 1 << 50)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=["bzip2", "lzma"])
def test_members_are_stored_or_deflated(compression, tmp_path):
    path = write_member(tmp_path / "a.npz", npy("|u1", (1,), b"1"), compression)
    with pytest.raises(zipfile.BadZipFile, match="another way than deflated"), open_archive(path, LIMIT):
        pass


def test_an_encrypted_member_is_refused(tmp_path):
    path = write_member(tmp_path / "a.npz", npy("|u1", (1,), b"1"))
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(zipfile.BadZipFile, match="encrypted"), open_archive(path, LIMIT):
        pass


def many_members(count: int) -> bytes:
    """Write a list of members without the members, as a hostile writer would."""
    entry = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0)
    entries = b"".join(entry + b"%05d" % (index % 100_000) for index in range(count))
    tail = struct.pack(
        "<4s4H2LH", b"PK\x05\x06", 0, 0, min(count, 65_535), min(count, 65_535), len(entries), 0, 0
    )
    return entries + tail


def test_a_list_of_a_million_members_is_not_read(tmp_path):
    path = tmp_path / "a.npz"
    path.write_bytes(many_members(1_000_000))
    with pytest.raises(zipfile.BadZipFile, match="list of members is too long"), open_archive(path, LIMIT):
        pass
    path.write_bytes(many_members(1_000))
    with open_archive(path, LIMIT) as archive:
        assert len(archive.namelist()) == 1_000


def test_a_comment_in_front_of_which_the_list_lies_is_within_the_same_bound(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.npy", npy("|u1", (1,), b"1"))
        archive.comment = b"x" * 65_535
    path = tmp_path / "a.npz"
    path.write_bytes(buffer.getvalue())
    assert len(buffer.getvalue()) < LARGEST_DIRECTORY
    with open_npz(path, LIMIT) as archive:
        assert archive.array("a", 1).tolist() == [ord("1")]


def test_a_file_that_is_too_large_is_not_opened(tmp_path):
    path = write_npz(tmp_path / "a.npz", numbers=ARRAY)
    with pytest.raises(OSError, match="larger than"), open_npz(path, 10):
        pass
