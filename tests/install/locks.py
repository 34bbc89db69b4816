"""What requirements.lock and its kin hold, for `make lock`, the tests, and the checks of wheels.

    python tests/install/locks.py record       write requires.json: what each locked package requires
    python tests/install/locks.py base         print the part of requirements.lock that the base install needs here
    python tests/install/locks.py diff         print the part that action.yml installs, for every Python and system
    python tests/install/locks.py oldest       print the name of the lock with the oldest releases for this Python
    python tests/install/locks.py aarch64 3.11 [EXTRA...]
                                               print what is needed on a Raspberry Pi, for that Python

A lock is installed with `pip install --no-deps --require-hashes`, so that pip resolves nothing: what the lock does not
name is not installed. Whether it names everything is a question about every Python and every system at once, which
`record` answers from the packages' own metadata, and `test_locks.py` checks.
"""

import itertools
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from packaging.markers import Marker, default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements.lock"
RECORD = Path(__file__).with_name("requires.json")

PYTHONS = ("3.10", "3.11", "3.12", "3.13")
"""Where everything installs: what requirements.lock is for."""
BASE_PYTHONS = (*PYTHONS, "3.14")
"""Where the base install does."""

SYSTEMS = {
    "linux-x86_64": ("posix", "linux", "Linux", "x86_64"),
    "linux-aarch64": ("posix", "linux", "Linux", "aarch64"),
    "macos": ("posix", "darwin", "Darwin", "arm64"),
    "windows": ("nt", "win32", "Windows", "AMD64"),
}
"""os_name, sys_platform, platform_system and platform_machine of each system."""

WHEEL_TAGS = {
    "linux-x86_64": ["manylinux2014_x86_64", *(f"manylinux_2_{minor}_x86_64" for minor in range(18, 29))],
    "linux-aarch64": ["manylinux2014_aarch64", *(f"manylinux_2_{minor}_aarch64" for minor in range(18, 29))],
    "macos": ["macosx_14_0_arm64"],
    "windows": ["win_amd64"],
}
"""Wheels that each system takes: glibc up to 2.28 (Debian 10, RHEL 8), macOS up to 14."""


@dataclass(frozen=True)
class Locked:
    """One package of a lock: a requirement with one version, and the lines with its hashes."""

    requirement: Requirement
    text: str

    @property
    def name(self) -> str:
        return canonicalize_name(self.requirement.name)

    @property
    def version(self) -> Version:
        (pin,) = self.requirement.specifier
        return Version(pin.version)

    @property
    def release(self) -> str:
        """Name and version, as requires.json has them."""
        return f"{self.name}=={self.version}"

    def holds_in(self, environment: dict[str, str]) -> bool:
        return applies(self.requirement.marker, environment)


class Metadata(TypedDict):
    """What a release says of itself, as requires.json keeps it."""

    python: str
    requires: list[str]


Record = dict[str, Metadata]
"""requires.json: `Locked.release` to what that release says."""


@dataclass(frozen=True)
class Needed:
    """A requirement that an install must meet, and who has it."""

    by: str
    requirement: Requirement


def read_lock(path: Path = LOCK) -> list[Locked]:
    """All packages of a lock. Each is one logical line: a requirement, then hashes."""
    text = path.read_text(encoding="utf-8")
    lines = re.findall(r"^(?![#\s])(?:.*\\\n)*.*\n", text, flags=re.MULTILINE)
    return [Locked(Requirement(line.split("\\\n")[0].strip()), line) for line in lines]


def oldest_lock(python: str) -> Path:
    """The lock with the oldest releases that the base install allows on that Python (``3.10``)."""
    return Path(__file__).with_name(f"oldest-{python}.lock")


def environments(python: str, system: str) -> Iterator[dict[str, str]]:
    """What markers see on a system, with the first and with some late patch release of a Python (``3.10``)."""
    os_name, sys_platform, platform_system, machine = SYSTEMS[system]
    for full in (f"{python}.0", f"{python}.30"):
        yield {
            "os_name": os_name,
            "sys_platform": sys_platform,
            "platform_system": platform_system,
            "platform_machine": machine,
            "platform_release": "",
            "platform_version": "",
            "platform_python_implementation": "CPython",
            "implementation_name": "cpython",
            "implementation_version": full,
            "python_version": python,
            "python_full_version": full,
        }


def this_environment() -> dict[str, str]:
    """What markers see here."""
    return {name: str(value) for name, value in default_environment().items()}


def applies(marker: Marker | None, environment: dict[str, str], extra: str = "") -> bool:
    """Whether a marker is true in an environment, asked for one extra or for none."""
    return marker is None or marker.evaluate({**environment, "extra": extra})


def own_requirements(extras: set[str], environment: dict[str, str]) -> Iterator[Requirement]:
    """What pyproject.toml requires with these extras, those that they name of its own followed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = [project["dependencies"], *(project["optional-dependencies"][name] for name in sorted(extras))]
    for requirement in (Requirement(line) for group in groups for line in group):
        if not applies(requirement.marker, environment):
            continue
        if requirement.name == project["name"]:
            yield from own_requirements(requirement.extras, environment)
        else:
            yield requirement


def closure(
    lock: list[Locked], extras: set[str], environment: dict[str, str], record: Record
) -> tuple[set[str], list[str]]:
    """Follow every requirement from pyproject.toml through the lock.

    Args:
        lock: the packages of a lock.
        extras: the extras of edgedigits that are installed.
        environment: what markers see.
        record: what each release requires, from requires.json.

    Returns:
        The names of the packages that are reached, and what is wrong, a line each.
    """
    here = {locked.name: locked for locked in lock if locked.holds_in(environment)}
    waiting = [Needed("edgedigits", line) for line in own_requirements(extras, environment)]
    reached: dict[str, set[str]] = {}
    wrong = []
    while waiting:
        needed = waiting.pop()
        name = canonicalize_name(needed.requirement.name)
        locked = here.get(name)
        if locked is None:
            wrong.append(f"{needed.by} requires {needed.requirement}, which is not locked")
            continue
        if not needed.requirement.specifier.contains(locked.version, prereleases=True):
            wrong.append(f"{needed.by} requires {needed.requirement}, locked is {locked.release}")
        missing = needed.requirement.extras - locked.requirement.extras
        if missing:
            wrong.append(
                f"{needed.by} requires {needed.requirement}, locked is {locked.requirement}, without the extra"
            )
        fresh = ({""} | needed.requirement.extras) - reached.setdefault(name, set())
        reached[name] |= fresh
        if locked.release not in record:
            wrong.append(f"{locked.release} is not in {RECORD.name}: make lock")
            continue
        lines = [Requirement(line) for line in record[locked.release]["requires"]]
        for extra in sorted(fresh):
            # A requirement that holds without an extra holds with every extra too: it is followed once.
            waiting += [
                Needed(locked.release, line)
                for line in lines
                if applies(line.marker, environment, extra)
                and (not extra or not applies(line.marker, environment))
            ]
    return set(reached), wrong


def read_record() -> Record:
    """The record that `make lock` wrote last."""
    return json.loads(RECORD.read_text(encoding="utf-8"))


def write_record() -> None:
    """Ask pip for the metadata of every locked release on every Python and system.

    Nothing is installed. pip takes wheels only and holds them to the hashes of the lock, so it ends with an error where
    a release has no wheel for one of the systems.
    """
    record: Record = {}
    for python in BASE_PYTHONS:
        locks = [oldest_lock(python), *([LOCK] if python in PYTHONS else [])]
        for system, lock in itertools.product(SYSTEMS, locks):
            environment = next(environments(python, system))
            packages = [locked for locked in read_lock(lock) if locked.holds_in(environment)]
            for release, found in metadata_of(packages, python, system).items():
                # The wheels of one release may differ: onnxruntime 1.17.0 asks for another numpy on each system.
                requires = {*found["requires"], *record.get(release, found)["requires"]}
                record[release] = {"python": found["python"], "requires": sorted(requires)}
    RECORD.write_text(json.dumps(dict(sorted(record.items())), indent=1) + "\n", encoding="utf-8")


def metadata_of(lock: list[Locked], python: str, system: str) -> Record:
    """What pip finds in the metadata of locked releases for one Python and one system."""
    with tempfile.TemporaryDirectory() as folder:
        requirements, report = Path(folder, "requirements.txt"), Path(folder, "report.json")
        requirements.write_text("".join(map(without_marker, lock)))
        options = ["--quiet", "--disable-pip-version-check", "--dry-run", "--ignore-installed", "--no-deps"]
        options += [
            "--require-hashes",
            "--only-binary=:all:",
            f"--python-version={python}",
            f"--target={folder}",
        ]
        options += [f"--platform={tag}" for tag in WHEEL_TAGS[system]]
        options += [f"--report={report}", f"--requirement={requirements}"]
        subprocess.run([sys.executable, "-m", "pip", "install", *options], check=True)
        installs = json.loads(report.read_text(encoding="utf-8"))["install"]
    return {
        f"{canonicalize_name(entry['metadata']['name'])}=={Version(entry['metadata']['version'])}": {
            "python": entry["metadata"].get("requires_python", ""),
            "requires": entry["metadata"].get("requires_dist", []),
        }
        for entry in installs
    }


def without_marker(locked: Locked) -> str:
    """The lines of a package without its marker, which pip would judge by the system that it runs on."""
    return re.sub(r" ; [^\\\n]*", " ", locked.text)


def needed(extras: set[str], environment: dict[str, str]) -> list[Locked]:
    """The packages of requirements.lock that an install with these extras needs."""
    names, wrong = closure(read_lock(), extras, environment, read_record())
    if wrong:
        sys.exit("\n".join(wrong))
    return [locked for locked in read_lock() if locked.name in names and locked.holds_in(environment)]


def diff_lock() -> str:
    """The lines of requirements.lock that the extra [bench] needs on any Python and system; their markers choose."""
    names: set[str] = set()
    for python, system in itertools.product(PYTHONS, SYSTEMS):
        for environment in environments(python, system):
            names |= {locked.name for locked in needed({"bench"}, environment)}
    return "".join(locked.text for locked in read_lock() if locked.name in names)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["record"]:
            write_record()
        case ["base"]:
            sys.stdout.write("".join(locked.text for locked in needed(set(), this_environment())))
        case ["aarch64", python, *extras]:
            *_, environment = environments(python, "linux-aarch64")
            sys.stdout.write("".join(map(without_marker, needed(set(extras), environment))))
        case ["diff"]:
            sys.stdout.write(diff_lock())
        case ["oldest"]:
            print(oldest_lock(f"{sys.version_info.major}.{sys.version_info.minor}").relative_to(ROOT))
        case _:
            sys.exit(__doc__)
