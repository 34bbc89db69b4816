"""The tables of what there could be are those of pyproject.toml and of the boards."""

import sys
from pathlib import Path

from packaging.requirements import Requirement

from edgedigits.errors import MissingExtraError
from edgedigits.extras import install_line
from edgedigits.installation import BASE, CROSS_COMPILERS, EXTRAS, NOT_ON_WINDOWS, PURPOSES
from edgedigits_export.boards.board import BOARDS
from edgedigits_export.boards.emulators import Qemu

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def brought_by(extra: str) -> set[str]:
    """Every distribution that an extra names, by way of others as well."""
    found = set()
    for requirement in map(Requirement, PROJECT["optional-dependencies"][extra]):
        if requirement.name == "edgedigits":
            found |= set().union(*map(brought_by, requirement.extras))
        else:
            # dask has an extra that is called as the distribution that it brings.
            found |= {requirement.name} | ({"distributed"} & requirement.extras)
    return found


def test_the_base_is_that_of_the_project() -> None:
    assert tuple(Requirement(line).name for line in PROJECT["dependencies"]) == BASE


def test_the_extras_are_those_of_the_project() -> None:
    assert {name: set(brought) for name, brought in EXTRAS.items()} == {
        name: brought_by(name) for name in PROJECT["optional-dependencies"] if name not in ("dev", "docs")
    }
    assert set(PURPOSES) == set(EXTRAS)


def test_one_distribution_has_no_release_for_windows() -> None:
    lines = {line for extra in PROJECT["optional-dependencies"].values() for line in extra}
    assert [Requirement(line).name for line in lines if "win32" in line] == [NOT_ON_WINDOWS]


def test_the_cross_compilers_and_emulators_are_those_of_the_boards() -> None:
    assert {
        **{board.toolchain.compiler: board.toolchain.packages for board in BOARDS},
        **{
            board.emulator.program: board.emulator.packages
            for board in BOARDS
            if isinstance(board.emulator, Qemu)
        },
    } == CROSS_COMPILERS


def test_the_line_is_that_of_the_error() -> None:
    for extra in EXTRAS:
        assert str(MissingExtraError("this", extra)).endswith(f": {install_line(extra)}")
