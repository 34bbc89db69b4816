"""Where a command is told to write: over regular files, and never over anything else."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from edgedigits.artifacts.staging import check_output, write_atomically
from edgedigits.cli import cli
from edgedigits.datasets.places import Source
from edgedigits.errors import OutputError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links, pipes and devices as POSIX has them")

MODELS = Path(__file__).parents[2] / "models"
PICTURE = Path(__file__).parents[1] / "golden" / "pictures" / "0-paint.png"


def a_device(path: Path) -> None:
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))
    except OSError:
        pytest.skip("devices cannot be made here")


def a_socket(path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(path))


KINDS: dict[str, Callable[[Path], object]] = {
    "link": lambda path: path.symlink_to(path.with_name("precious")),
    "link to nowhere": lambda path: path.symlink_to("nowhere"),
    "link to standard output": lambda path: path.symlink_to("/dev/stdout"),
    "pipe": os.mkfifo,
    "device": a_device,
    "socket": a_socket,
    "folder": Path.mkdir,
}


def state(path: Path) -> tuple[object, ...]:
    found = path.lstat()
    return (
        found.st_mode,
        found.st_ino,
        found.st_mtime_ns,
        found.st_ctime_ns,
        path.is_symlink() and path.readlink(),
    )


@pytest.fixture(params=KINDS)
def obstacle(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, str]:
    """Something that is no regular file, and what messages call it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "precious").write_text("mine")
    KINDS[request.param](tmp_path / "out.png")
    return tmp_path / "out.png", request.param.split()[0]


def test_what_is_no_regular_file_is_never_replaced(obstacle: tuple[Path, str]) -> None:
    path, kind = obstacle
    before = state(path), sorted(path.parent.iterdir())
    for write in (check_output, lambda path: write_atomically(path, b"new")):
        with pytest.raises(OutputError, match=rf"out\.png: is a {kind} and would be replaced; name a file$"):
            write(path)
    assert (state(path), sorted(path.parent.iterdir())) == before
    assert (path.parent / "precious").read_text() == "mine"


COMMANDS = {
    "data show": ("data", "show", "--out"),
    "report": ("report", "--models", MODELS, "-q", "--out"),
    "report in Markdown": ("report", "--models", MODELS, "--no-bench", "--format", "markdown", "-q", "--out"),
    "bench": ("bench", MODELS / "digits.onnx", "-q", "--plot"),
    "read": ("read", PICTURE, "--boxes"),
    **{
        f"diff {option}": ("diff", MODELS / "digits.onnx", MODELS / "digits.onnx", "-q", option)
        for option in ("--markdown", "--junit", "--sheet")
    },
}


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_replaces_what_is_no_regular_file(
    name: str, obstacle: tuple[Path, str], mnist_source: Source
) -> None:
    path, kind = obstacle
    before = state(path)
    result = CliRunner().invoke(cli, [*map(str, COMMANDS[name]), str(path)])
    if kind == "folder":  # which the options refuse themselves
        assert result.exit_code == 2
    else:
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == f"edgedigits: {path}: is a {kind} and would be replaced; name a file\n"
    assert state(path) == before


def test_a_prepared_picture_and_a_sheet_replace_no_link_either(
    obstacle: tuple[Path, str], mnist_source: Source
) -> None:
    path, kind = obstacle
    path.rename(path.with_name("0-paint.png"))
    path = path.with_name("0-paint.png")
    before = state(path)
    result = CliRunner().invoke(cli, ["predict", "--save-prepared", str(path.parent), str(PICTURE)])
    assert result.exit_code == 1
    assert f"0-paint.png: is a {kind} and would be replaced; name a file" in result.stderr
    assert state(path) == before
    path.rename(path.with_name("digits.onnx.png"))
    path = path.with_name("digits.onnx.png")
    before = state(path)
    arguments = ["verify", str(MODELS / "digits.onnx"), "--sheet", str(path.parent), "-q"]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 1
    assert f"digits.onnx.png: is a {kind} and would be replaced; name a file" in result.stderr
    assert state(path) == before


@pytest.mark.parametrize("place", ["/dev/stdout", "/dev/null", "/dev/fd/1", "/dev/full"])
def test_the_machine_would_keep_its_devices(place: str) -> None:
    # Asked, not tried: a test that fails as root would break the machine that it runs on.
    if not os.path.lexists(place):
        pytest.skip(f"there is no {place}")
    with pytest.raises(OutputError, match=rf"^{place}: is a (link|device|pipe|socket) and would be replaced"):
        check_output(Path(place))


def test_a_regular_file_is_replaced_and_a_folder_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "linked").symlink_to("real")
    for content in (b"old", b"new"):
        write_atomically(tmp_path / "linked" / "page.html", content)
        assert (tmp_path / "real" / "page.html").read_bytes() == content
    assert (tmp_path / "linked").is_symlink()
