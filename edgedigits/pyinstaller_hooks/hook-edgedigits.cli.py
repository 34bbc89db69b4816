# ruff: noqa: N999 - PyInstaller's own names
"""For a program that is the command: its commands are imported by their names, when they are asked for."""

from PyInstaller.utils.hooks import collect_submodules

hiddenimports = collect_submodules("edgedigits.cli")
