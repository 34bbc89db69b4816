"""The locks name everything that is installed, and an install takes what they name and nothing newer."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import locks
import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")

PLACES = [(python, system) for python in locks.PYTHONS for system in locks.SYSTEMS]
OLDEST_PLACES = [(python, system) for python in locks.BASE_PYTHONS for system in locks.SYSTEMS]


@pytest.fixture(scope="module")
def record() -> locks.Record:
    return locks.read_record()


class TestClosed:
    @pytest.mark.parametrize(("python", "system"), PLACES)
    def test_everything_that_a_locked_package_requires_is_locked(
        self, python: str, system: str, record: locks.Record
    ) -> None:
        for environment in locks.environments(python, system):
            packages = locks.read_lock()
            names, wrong = locks.closure(packages, {"dev"}, environment, record)
            assert wrong == []
            assert names == {locked.name for locked in packages if locked.holds_in(environment)}, (
                "nobody needs it"
            )

    @pytest.mark.parametrize(("python", "system"), OLDEST_PLACES)
    def test_so_it_is_in_the_locks_of_the_oldest_releases(
        self, python: str, system: str, record: locks.Record
    ) -> None:
        for environment in locks.environments(python, system):
            _, wrong = locks.closure(locks.read_lock(locks.oldest_lock(python)), set(), environment, record)
            assert wrong == []

    @pytest.mark.parametrize(("python", "system"), OLDEST_PLACES)
    def test_every_release_allows_the_python_it_is_locked_for(
        self, python: str, system: str, record: locks.Record
    ) -> None:
        paths = [locks.oldest_lock(python), *([locks.LOCK] if python in locks.PYTHONS else [])]
        *_, environment = locks.environments(python, system)
        for locked in (locked for path in paths for locked in locks.read_lock(path)):
            if locked.holds_in(environment):
                allowed = SpecifierSet(record[locked.release]["python"])
                assert allowed.contains(Version(environment["python_full_version"])), locked.release

    def test_every_locked_package_has_hashes_and_no_host(self) -> None:
        for path in [locks.LOCK, *map(locks.oldest_lock, locks.BASE_PYTHONS)]:
            assert "://" not in path.read_text()
            for locked in locks.read_lock(path):
                assert "--hash=sha256:" in locked.text, locked.release

    def test_the_record_is_of_the_locked_releases_and_says_what_they_say(self, record: locks.Record) -> None:
        paths = [locks.LOCK, *map(locks.oldest_lock, locks.BASE_PYTHONS)]
        everywhere = [
            environment
            for python, system in OLDEST_PLACES
            for environment in locks.environments(python, system)
        ]
        used = {
            locked.release
            for path in paths
            for locked in locks.read_lock(path)
            if any(locked.holds_in(environment) for environment in everywhere)
        }
        assert set(record) == used
        installed = [locked for locked in locks.read_lock() if locked.holds_in(locks.this_environment())]
        assert len(installed) > 50
        for locked in installed:
            found = metadata.metadata(locked.name)
            assert found["Version"] == str(locked.requirement.specifier).removeprefix("=="), "make env"
            told = {str(Requirement(line)) for line in record[locked.release]["requires"]}
            assert {str(Requirement(line)) for line in found.get_all("Requires-Dist") or []} <= told

    @pytest.mark.parametrize(
        ("before", "after", "told"),
        [
            pytest.param("tomlkit==", "tomlkit-elsewhere==", "tomlkit", id="a package is missing"),
            pytest.param("coverage[toml]==", "coverage==", "without the extra", id="an extra is missing"),
            pytest.param("requests==2.", "requests==1.", "requests==1.", id="a release is too old"),
            pytest.param(
                "pexpect==4.9.0 ; python_full_version < '3.14' and sys_platform != 'emscripten'",
                "pexpect==4.9.0 ; python_full_version < '3.14' and sys_platform != 'linux'",
                "pexpect",
                id="a marker leaves a system out",
            ),
        ],
    )
    def test_an_open_lock_is_found(
        self, before: str, after: str, told: str, record: locks.Record, tmp_path: Path
    ) -> None:
        text = locks.LOCK.read_text(encoding="utf-8")
        assert before in text
        opened = tmp_path / "opened.lock"
        opened.write_text(text.replace(before, after), encoding="utf-8")
        environment = next(locks.environments("3.12", "linux-x86_64"))
        _, wrong = locks.closure(locks.read_lock(opened), {"dev"}, environment, record)
        assert any(told in line for line in wrong)


def write_wheel(folder: Path, name: str, version: str, *requires: str, extras: tuple[str, ...] = ()) -> str:
    """A wheel with one empty module; its sha256."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    about = f"{name}-{version}.dist-info"
    lines = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"]
    lines += [f"Provides-Extra: {extra}" for extra in extras]
    lines += [f"Requires-Dist: {line}" for line in requires]
    files = {
        f"{name}.py": "",
        f"{about}/METADATA": "\n".join(lines) + "\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{about}/RECORD"] = "".join(f"{file},,\n" for file in [*files, f"{about}/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A folder of wheels in which packages have newer releases than the lock's, and that locks."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    hashes = {
        "app": write_wheel(folder, "app", "1.0", "part[fast]>=1"),
        "part": write_wheel(folder, "part", "1.0", "speed>=1; extra == 'fast'", extras=("fast",)),
        "speed": write_wheel(folder, "speed", "1.0"),
    }
    write_wheel(folder, "part", "1.1", "speed>=1; extra == 'fast'", extras=("fast",))
    write_wheel(folder, "speed", "2.0")
    # As the lock once was: the extra that `app` asks for is not named.
    lines = [f"{name}==1.0 --hash=sha256:{value}\n" for name, value in hashes.items()]
    (folder / "shelf.lock").write_text("".join(lines), encoding="utf-8")
    return folder


PYTHON = Path("Scripts/python.exe" if os.name == "nt" else "bin/python")


@pytest.fixture(scope="module", params=["the pip that this Python brings", "the locked pip"])
def environment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with pip and nothing else. Only to be copied: with the pip of old it takes seconds to make."""
    old = request.param == "the pip that this Python brings"
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=old, system_site_packages=False)
    python = folder / PYTHON
    if not old:
        site = subprocess.check_output(
            [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
        )
        locked_pip = Path(metadata.distribution("pip").locate_file("pip"))
        shutil.copytree(locked_pip, Path(site.strip(), "pip"))
    return folder


@pytest.fixture
def fresh_python(environment: Path, tmp_path: Path) -> Path:
    """The Python of an environment with pip and nothing else."""
    return shutil.copytree(environment, tmp_path / "fresh", symlinks=True) / PYTHON


@needs_make
class TestInstalled:
    def install(self, python: Path, shelf: Path) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [
                "make",
                "--no-print-directory",
                "install-locked",
                f"INTO={python}",
                f"LOCK={shelf / 'shelf.lock'}",
            ],
            cwd=locks.ROOT,
            env={
                **os.environ,
                "PIP_NO_INDEX": "1",
                "PIP_FIND_LINKS": str(shelf),
                "PIP_CONFIG_FILE": os.devnull,
            },
            capture_output=True,
            text=True,
        )

    def releases(self, python: Path) -> dict[str, str]:
        code = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
        return json.loads(subprocess.check_output([python, "-c", code], text=True))

    def test_the_locked_release_is_installed_though_there_is_a_newer_one(
        self, fresh_python: Path, shelf: Path
    ) -> None:
        run = self.install(fresh_python, shelf)
        assert run.returncode == 0, run.stderr
        found = self.releases(fresh_python)
        assert {name: found.get(name) for name in ("app", "part", "speed")} == {
            "app": "1.0",
            "part": "1.0",
            "speed": "1.0",
        }

    def test_a_lock_that_lacks_a_package_ends_with_an_error(self, fresh_python: Path, shelf: Path) -> None:
        path = shelf / "shelf.lock"
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text("".join(line for line in lines if not line.startswith("part")), encoding="utf-8")
        run = self.install(fresh_python, shelf)
        assert run.returncode != 0
        assert "part" in run.stdout + run.stderr

    def test_a_wheel_with_another_hash_is_refused(self, fresh_python: Path, shelf: Path) -> None:
        write_wheel(shelf, "speed", "1.0", "app")
        run = self.install(fresh_python, shelf)
        assert run.returncode != 0
        assert "speed" not in self.releases(fresh_python)


def test_the_base_lock_is_what_the_wheel_needs_here() -> None:
    printed = subprocess.run(
        [sys.executable, locks.__file__, "base"], capture_output=True, text=True, check=True, cwd=locks.ROOT
    ).stdout
    names = {line.split("==")[0] for line in printed.splitlines() if "==" in line}
    assert {"numpy", "onnxruntime", "pillow", "click"} <= names
    assert names.isdisjoint({"tensorflow", "keras", "onnx", "pytest"})
    assert "--hash=sha256:" in printed


def test_the_lock_of_the_action_is_the_part_that_its_extra_needs() -> None:
    lock = (locks.ROOT / ".github" / "diff.lock").read_text(encoding="utf-8")
    assert lock == locks.diff_lock(), "make lock"
    # None of it is what training needs, which would take minutes to install.
    assert not {"tensorflow", "keras", "matplotlib"} & {
        locked.name for locked in locks.read_lock(locks.ROOT / ".github" / "diff.lock")
    }
