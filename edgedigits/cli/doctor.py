"""``edgedigits doctor``: what is here, and the lines that install the rest."""

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from edgedigits.cli.options import json_option
from edgedigits.cli.terminal import echo, echo_json

if TYPE_CHECKING:
    from edgedigits.installation import Found, Installation, Packages

LABEL = 23
"""Columns of what a line is about, the longest of which is ``riscv64-unknown-elf-gcc``."""
WIDEST, NARROWEST = 110, 40


@click.command()
@json_option
def command(as_json: bool) -> None:
    """Show what is installed, and what brings what is missing.

    Packages and extras with their versions, the networks that came along, MNIST, compilers, the cache. Exit status 0
    where `predict` works, which is tried, whatever else is missing; 1 where it does not.

    \b
    Examples:
      edgedigits doctor
      edgedigits doctor --json
    """
    from dataclasses import asdict

    from edgedigits.installation import look

    here = look()
    if as_json:
        echo_json({"can_predict": here.can_predict, **asdict(here)})
    else:
        width = max(NARROWEST, min(shutil.get_terminal_size().columns, WIDEST))
        for label, text in _lines(here):
            _print(label, text, width)
    raise SystemExit(0 if here.can_predict else 1)


def _lines(here: "Installation") -> Iterator[tuple[str, str]]:
    yield "edgedigits", here.edgedigits
    yield "Python", f"{here.python}, {here.system}"
    yield "predict", here.fault or "works"
    yield from _package_lines("packages", here.base)
    for name, packages in here.extras.items():
        yield from _package_lines(f"[{name}]", packages)
    missing = [name for name, found in here.networks.items() if found.path is None]
    held = [name for name in here.networks if name not in missing]
    yield "networks", ", ".join(held) or "none"
    if missing:
        yield "", f"missing: {', '.join(missing)}; {here.networks[missing[0]].note}"
    yield "data", _told(here.data)
    for name, found in here.compilers.items():
        yield name, _told(found)
    yield "cache", _told(here.cache)


def _package_lines(label: str, packages: "Packages") -> Iterator[tuple[str, str]]:
    found = ", ".join(f"{name} {version}" for name, version in packages.versions.items())
    if not packages.missing:
        yield label, f"{found} (for {packages.purpose})"
        return
    yield label, f"missing: {', '.join(packages.missing)} (for {packages.purpose})"
    yield "", packages.install or ""
    if found:
        yield "", f"here: {found}"


def _told(found: "Found") -> str:
    if found.path is None:
        return f"none; {found.note}"
    return found.path if found.note is None else f"{found.path} ({found.note})"


def _print(label: str, text: str, width: int) -> None:
    """Print a line about something, folded to a width; a path that is longer than a line is broken."""
    import textwrap

    from edgedigits.printable import one_line

    for part in textwrap.wrap(one_line(text), width - LABEL - 2, break_on_hyphens=False):
        echo(f"{label:{LABEL}}  {part}")
        label = ""
