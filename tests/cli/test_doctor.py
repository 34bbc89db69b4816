import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgedigits.cli import cli
from edgedigits.installation import BASE

ROOT = Path(__file__).parents[2]


def doctor(*arguments: str, **variables: str | None) -> Result:
    return CliRunner().invoke(cli, ["doctor", *arguments], env=variables)


class Python:
    """An interpreter that has some distributions and nothing else: a folder of links is all that it imports from."""

    def __init__(self, folder: Path, distributions: tuple[str, ...]) -> None:
        self.folder = folder
        self.add("edgedigits", ROOT / "edgedigits")
        (folder / "models").symlink_to(ROOT / "models")
        for name in distributions:
            distribution = importlib.metadata.distribution(name)
            tops = {file.parts[0] for file in distribution.files or () if ".." not in file.parts}
            for top in tops - {"__pycache__", "bin"}:
                self.add(top, Path(str(distribution.locate_file(top))))

    def add(self, name: str, target: Path) -> None:
        (self.folder / name).symlink_to(target)

    def replace(self, package: str, code: str) -> None:
        """Have a package run some code when it is imported, and leave what is said of it."""
        (self.folder / package).unlink()
        (self.folder / package).mkdir()
        (self.folder / package / "__init__.py").write_text(code, encoding="utf-8")

    def doctor(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        begin = (
            f"import sys; sys.path.append({str(self.folder)!r}); from edgedigits.__main__ import main; main()"
        )
        return subprocess.run(
            [sys.executable, "-I", "-S", "-c", begin, "doctor", *arguments],
            capture_output=True,
            text=True,
            env={**os.environ, "COLUMNS": "80"},
        )


@pytest.fixture
def base(tmp_path: Path) -> Python:
    return Python(tmp_path, BASE)


def test_all_that_is_here_is_shown() -> None:
    result = doctor("--json")
    assert result.exit_code == 0, result.stdout
    found = json.loads(result.stdout)
    assert found["can_predict"] is True
    assert found["fault"] is None
    assert found["base"]["versions"] == {name: importlib.metadata.version(name) for name in BASE}
    for extra in found["extras"].values():
        assert extra["missing"] == []
        assert extra["install"] is None
        assert extra["versions"] == {name: importlib.metadata.version(name) for name in extra["versions"]}
    assert all(Path(network["path"]).is_file() for network in found["networks"].values())


@pytest.mark.parametrize("columns", ["80", "60"])
def test_no_line_is_wider_than_the_terminal(columns: str, tmp_path: Path) -> None:
    nowhere = str(tmp_path / ("long" * 40))
    result = doctor(COLUMNS=columns, EDGEDIGITS_DATA=nowhere, XDG_CACHE_HOME=nowhere)
    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= int(columns)


def test_the_lines_say_what_the_json_says() -> None:
    shown = "".join(doctor(COLUMNS="80").stdout.split())
    found = json.loads(doctor("--json").stdout)
    for packages in (found["base"], *found["extras"].values()):
        assert all(f"{name}{version}" in shown for name, version in packages["versions"].items())
    for place in (*found["compilers"].values(), found["cache"]):
        assert "".join((place["path"] or place["note"]).split()) in shown


def test_a_device_needs_no_extra(base: Python) -> None:
    child = base.doctor("--json")
    assert (child.returncode, child.stderr) == (0, "")
    found = json.loads(child.stdout)
    for name, extra in found["extras"].items():
        assert extra["versions"] == {}
        assert extra["install"].startswith(f"pip install 'edgedigits[{name}]'")
    shown = base.doctor().stdout
    assert "pip install 'edgedigits[bench]'" in shown
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize(
    ("here", "missing"),
    [
        (("click",), "numpy, onnxruntime, pillow"),
        (("click", "numpy", "pillow"), "onnxruntime"),
    ],
    ids=["click alone", "no onnxruntime"],
)
def test_what_predict_needs_and_is_missing_is_exit_status_1(
    here: tuple[str, ...], missing: str, tmp_path: Path
) -> None:
    child = Python(tmp_path, here).doctor("--json")
    assert (child.returncode, child.stderr) == (1, "")
    found = json.loads(child.stdout)
    assert found["can_predict"] is False
    assert found["fault"] == f"missing: {missing}; pip install edgedigits"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("raise ImportError('libgomp.so.1: not found')", "ImportError: libgomp.so.1: not found"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "the process ended with -9"),
    ],
    ids=["does not load", "ends the process"],
)
def test_a_package_that_is_broken_is_seen(code: str, expected: str, base: Python) -> None:
    base.replace("onnxruntime", code)
    child = base.doctor("--json")
    assert (child.returncode, child.stderr) == (1, "")
    found = json.loads(child.stdout)
    assert found["base"]["missing"] == []
    assert expected in found["fault"]


def test_a_network_that_is_missing_is_seen(base: Python) -> None:
    (base.folder / "models").unlink()
    child = base.doctor("--json")
    assert (child.returncode, child.stderr) == (1, "")
    assert json.loads(child.stdout)["fault"] == "its network is missing; reinstall edgedigits"


def test_a_place_without_data_does_not_end_it(tmp_path: Path) -> None:
    result = doctor("--json", EDGEDIGITS_DATA=str(tmp_path / "nowhere"))
    assert result.exit_code == 0
    assert f"{tmp_path / 'nowhere'} (EDGEDIGITS_DATA): expected" in json.loads(result.stdout)["data"]["note"]


def test_without_data_it_says_how_to_have_it(tmp_path: Path) -> None:
    places = {name: str(tmp_path) for name in ("HOME", "XDG_CACHE_HOME", "KERAS_HOME", "LOCALAPPDATA")}
    found = json.loads(doctor("--json", EDGEDIGITS_DATA=None, **places).stdout)
    assert "`edgedigits data` downloads" in found["data"]["note"]
    assert found["cache"]["note"] == "not made yet"
    assert not list(tmp_path.iterdir())


def test_a_compiler_that_is_not_there_is_named() -> None:
    compiler = json.loads(doctor("--json", CC="no-such-cc -O2").stdout)["compilers"]["C compiler"]
    assert compiler == {
        "path": None,
        "note": "CC names no-such-cc -O2, which is not here: name another, or unset CC",
    }


def test_tools_that_are_missing_have_their_packages(tmp_path: Path) -> None:
    found = json.loads(doctor("--json", PATH=str(tmp_path), CC="").stdout)["compilers"]
    assert {place["path"] for place in found.values()} == {None}
    assert found["avr-gcc"]["note"] == "on Debian: apt-get install gcc-avr binutils-avr avr-libc"
