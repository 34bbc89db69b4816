"""Tar archives: WebDataset's samples, pictures in folders, and archives made to do harm."""

import gzip
import io
import tarfile

import numpy as np
import pytest

from edgedigits.errors import SourceError
from edgedigits.sources.read import open_source, read_part


def tar(members: dict[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def samples(digits, folder: str = "") -> dict[str, bytes]:
    members = {}
    for row, (content, digit) in enumerate(zip(digits.files, digits.labels, strict=True)):
        members[f"{folder}{row:06}.cls"] = str(digit).encode()
        members[f"{folder}{row:06}.png"] = content
        members[f"{folder}{row:06}.json"] = b"{}"
    return members


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("folder", ["", "a.b/", "x" * 90 + "/" + "y" * 80 + "/"], ids=["", "point", "long"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_samples_with_their_labels_by_their_keys(form, folder, packed, digits, read, same, tmp_path):
    content = tar(samples(digits, folder), form)
    path = tmp_path / ("a.tar.gz" if packed else "a.tar")
    path.write_bytes(gzip.compress(content, 1, mtime=0) if packed else content)
    found = read(path)
    same(found)
    assert found.keys == [f"{folder}{row:06}" for row in range(450)]


def test_a_part_in_the_middle_is_read_on_its_own(digits, tmp_path):
    (tmp_path / "a.tar").write_bytes(tar(samples(digits)))
    (source,) = open_source(tmp_path / "a.tar")
    _, last = source.parts(256)
    (batch,) = read_part(last)
    assert (batch.start, batch.keys[0], len(batch)) == (256, "000256", 194)
    assert list(batch.encoded) == digits.files[256:]


def test_pictures_in_folders_called_by_digits(digits, read, tmp_path):
    members = {
        f"./mnist_png/training/{digit}/{row}.png": content
        for row, (content, digit) in enumerate(zip(digits.files, digits.labels, strict=True))
    }
    (tmp_path / "mnist_png.tgz").write_bytes(gzip.compress(tar(members), 1, mtime=0))
    found = read(tmp_path / "mnist_png.tgz")
    assert np.array_equal(found.labels, digits.labels)
    assert found.keys[0] == f"mnist_png/training/{digits.labels[0]}/0"


def test_no_picture_is_lost_where_several_share_a_key(digits, read, tmp_path):
    members = {f"scan.{row}.png": content for row, content in enumerate(digits.files[:150])}
    (tmp_path / "a.tar").write_bytes(tar(members))
    found = read(tmp_path / "a.tar")
    assert found.keys == list(members)
    assert np.array_equal(np.stack(found.images), digits.images[:150])


def test_links_and_devices_are_passed_over(digits, read, tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE):
            info = tarfile.TarInfo(f"link-{kind.decode()}.png")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        info = tarfile.TarInfo("../../a.png")
        info.size = len(digits.files[0])
        archive.addfile(info, io.BytesIO(digits.files[0]))
    (tmp_path / "a.tar").write_bytes(buffer.getvalue())
    found = read(tmp_path / "a.tar")
    assert found.keys == ["../../a"]


def header(size: bytes = b"00000001000\0", kind: bytes = b"0", name: bytes = b"a.png") -> bytes:
    block = bytearray(tar({"a.png": b""})[:512])
    block[:100] = name.ljust(100, b"\0")
    block[124:136], block[156:157] = size, kind
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"no archive" * 100, "no tar header"),
        (header() + bytes(100), "cut off"),
        (header(b"\x80" + b"\xff" * 11) + bytes(1024), "beyond all bounds"),
        (header(b"\xff" * 12) + bytes(1024), "beyond all bounds"),
        (header(b"77777777777\0", b"L") + bytes(1024), "a name or header of 8,589,934,591 bytes"),
        (header(kind=b"S") + bytes(1024), "of a kind that is not read"),
        (header(b"00000000012\0", b"x") + b"99 path=a\n".ljust(512, b"\0") + header(), "damaged pax header"),
        (
            header(b"00000000017\0", b"x") + b"15 size=-9999\n\n".ljust(512, b"\0") + header(),
            "cannot be read",
        ),
        (header(b"zzzzzzzzzzz\0") + bytes(1024), "no tar header"),
    ],
)
def test_damaged_and_hostile_archives_are_refused(content, found, tmp_path):
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(SourceError, match=found) as caught:
        open_source(tmp_path / "a.tar")
    assert str(caught.value).startswith(f"{tmp_path}/a.tar: cannot be read: ")


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz"])
def test_a_cut_archive_is_an_error(cut, name, digits, tmp_path):
    content = tar(samples(digits))
    content = gzip.compress(content, 1, mtime=0) if name.endswith("gz") else content
    (tmp_path / name).write_bytes(content[: int(len(content) * cut) // 512 * 512 + 100])
    with pytest.raises(SourceError, match="cut off"):
        open_source(tmp_path / name)
